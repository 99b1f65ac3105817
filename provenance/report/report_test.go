package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/verify"
	policies "github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func digest(t testing.TB, algorithm provenance.Algorithm, digits string) provenance.Digest {
	t.Helper()
	n := map[provenance.Algorithm]int{provenance.GitCommit: 40}[algorithm]
	if n == 0 {
		n = 64
	}
	d, err := provenance.NewDigest(algorithm, strings.Repeat(digits, n)[:n])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// attestation is one with everything in it.
func attestation(t testing.TB) *verify.Attestation {
	observed := func(facts ...string) provenance.Grounds {
		g := provenance.Grounds{Basis: provenance.Observed, BasisOf: map[string]provenance.Basis{}}
		for _, f := range facts {
			g.BasisOf[f] = provenance.Declared
		}
		return g
	}
	night := time.Date(2026, 11, 23, 2, 31, 0, 0, time.UTC)
	folder := func(role, at, digits string, files, bytes int64) provenance.Folder {
		return provenance.Folder{Grounds: observed("trainedOn", "role"), Role: role, URI: "abfss://mortgages@contoso.dfs.core.windows.net/" + at + "/",
			Digest: digest(t, provenance.DirHash, digits), Files: files, Bytes: bytes, Listed: night, Immutability: provenance.GradeUnknown,
			TrainedOn: "named by the pipeline; no run says when training started"}
	}
	return &verify.Attestation{
		Record: provenance.Record{
			Image: provenance.Image{Grounds: observed(), Repository: "contoso.azurecr.io/mortgage", Reference: "20261123.1", Digest: digest(t, provenance.SHA256, "3f1c9a"),
				Platforms: []provenance.Platform{{Name: "linux/amd64", Digest: digest(t, provenance.SHA256, "2")}}},
			Pipeline: provenance.Pipeline{Grounds: provenance.Grounds{Basis: provenance.Declared}, BuilderID: "https://dev.azure.com/contoso/Mortgage/_build?definitionId=7",
				InvocationID: "https://dev.azure.com/contoso/Mortgage/_build/results?buildId=4711", Finished: night},
			Commit: provenance.Commit{Grounds: observed("author", "repository", "ref"), Repository: "https://dev.azure.com/contoso/Mortgage/_git/mortgage", Ref: "refs/heads/main",
				ID: digest(t, provenance.GitCommit, "e670024"), Subject: "Weight recent applications", Author: provenance.Person{Name: "Ada Lovelace"},
				Authored: night.Add(-10 * time.Hour), Signature: "none"},
			Data: []provenance.Folder{lockedFolder(t, folder("train", "20261122T0000", "01ffab", 3, 222298112)),
				deltaFolder(t, folder("test", "applications", "77d2c0", 9, 4402341478)), folder("other", "20261101T0000", "5c0ffe", 1, 512)},
			Databricks: &provenance.DatabricksRun{Grounds: provenance.Grounds{Basis: provenance.Reported}, RunID: "81462", Result: "SUCCESS",
				Ended: night.Add(-time.Hour), Notebook: "/Repos/mortgage/train", Clusters: []provenance.Cluster{{SparkVersion: "15.4.x-cpu-ml-scala2.12", NodeType: "Standard_DS3_v2", Libraries: []string{"pypi a", "pypi b"}}}},
			Notebooks:  notebooks(),
			MLflow:     experiment(),
			Registered: []provenance.RegisteredModel{registered()},
			Build:      build(), Release: release(), Review: review(),
			Model: &provenance.Model{Grounds: observed(), Name: "mortgage", Version: "7", URI: "/models/model.bin", Digest: digest(t, provenance.DirHash, "5d5b09"), Files: 1, Bytes: 512,
				Locations: []provenance.Location{{Platform: "linux/amd64", Path: "/app/model.bin"}}},
			Checks: []provenance.Fact{{Name: "commitIsPipelines", Value: "true", Basis: provenance.Declared},
				{Name: "commitIsRuns", Value: "unknown", Basis: provenance.Declared, Note: "the run names no commit"}},
			Tool: provenance.Tool{Name: "provenance", Version: "v0.1.0"},
		},
		Signer:    envelope.Signer{Name: "cosign.pub", Fingerprint: digest(t, provenance.SHA256, "0c2f").String()},
		Statement: digest(t, provenance.SHA256, "ab"), Where: []string{"referrer sha256:aa", "tag sha256-3f.att"}, Forms: []string{"bundle", "att"},
	}
}

// lockedFolder is one that Azure protects, with digests of the night before, and that did not change while the model was trained.
func lockedFolder(t testing.TB, f provenance.Folder) provenance.Folder {
	for fact, basis := range map[string]provenance.Basis{"immutability": provenance.Reported, "trainedOn": provenance.Reported, "digest": provenance.Signed} {
		f.BasisOf[fact] = basis
	}
	f.Immutability, f.TrainedOn = provenance.GradeLocked, "no file is newer than the run's start, and the listing from before it is the one at recording"
	f.Protection = &provenance.Protection{Account: "contoso", Container: "mortgages", Until: time.Date(2033, 11, 1, 0, 0, 0, 0, time.UTC),
		Policy: &provenance.RetentionPolicy{State: "Locked", Days: 2555}, AskedAt: f.Listed}
	f.Reused = &provenance.Reused{Files: 2, Bytes: 200000000, ReadSince: f.Listed.AddDate(0, 0, -2), Previous: digest(t, provenance.SHA256, "cafe")}
	f.Before = &provenance.Before{Listed: f.Listed.Add(-8 * time.Hour), Listing: digest(t, provenance.SHA256, "11"), Same: true, SealedBy: digest(t, provenance.SHA256, "0c2f").String()}
	return f
}

// deltaFolder is a snapshot of a Delta table that was hashed elsewhere, of which a file was trained on, too.
func deltaFolder(t testing.TB, f provenance.Folder) provenance.Folder {
	for fact, basis := range map[string]provenance.Basis{"immutability": provenance.Reported, "digest": provenance.Declared} {
		f.BasisOf[fact] = basis
	}
	f.Immutability, f.TrainedOn = provenance.GradeLockedAppend, "the listing from before training differs: 1 added (part-9.parquet)"
	f.Protection = &provenance.Protection{Account: "contoso", Container: "mortgages", Until: time.Date(2033, 11, 1, 0, 0, 0, 0, time.UTC),
		Policy: &provenance.RetentionPolicy{State: "Locked", Days: 2555, AppendWrites: "all-blobs"}}
	f.Imported, f.Resumed = &provenance.Imported{Files: 7, Parts: 2}, 1
	f.Delta = &provenance.DeltaTable{ID: "0b7e5e0e-0000-4000-8000-000000000005", Version: 41, Asked: "run start", Committed: f.Listed.Add(-9 * time.Hour), DataFiles: 8, DeletionVectors: 1}
	f.Before = &provenance.Before{Listed: f.Listed.Add(-8 * time.Hour), Listing: digest(t, provenance.SHA256, "22"), Changes: "1 added (part-9.parquet)"}
	f.Shared = []provenance.Shared{{Role: "train", URI: "abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000/", Files: 3, Names: []string{"part-0.parquet", "part-1.parquet"}}}
	return f
}

// pipelineSigner is an identity of a pipeline, and seenTimes are when its signature was seen.
func pipelineSigner(t testing.TB) envelope.Signer {
	return envelope.Signer{Name: "keyless", Fingerprint: digest(t, provenance.SHA256, "1d").String(),
		Identity: &envelope.Identity{Issuer: "https://vstoken.dev.azure.com/0b7e5e0e-0000-4000-8000-000000000001", SAN: "p://contoso/Mortgage/nightly@refs/heads/main"}}
}

func seenTimes() []envelope.Time {
	at := time.Date(2026, 11, 23, 2, 31, 7, 0, time.UTC)
	return []envelope.Time{{At: at, Kind: envelope.TimeStamp, By: "https://tsa.contoso.com"}, {At: at.Add(time.Minute), Kind: envelope.TimeLog, By: "https://rekor.contoso.com"}}
}

// results are one decision of each kind.
func results(t testing.TB) map[string]verify.Result {
	base := verify.Result{Image: digest(t, provenance.SHA256, "3f1c9a"), Repository: "contoso.azurecr.io/mortgage", Reference: "20261123.1", Recheck: verify.RecheckNone,
		PolicyName: "release.yaml", PolicyDigest: digest(t, provenance.SHA256, "9ab04e"), Time: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)}
	accepted := base
	accepted.Verdict, accepted.Attestation, accepted.Recheck = verify.Accepted, attestation(t), verify.RecheckListing
	accepted.Attestation.Rechecks = []verify.Rechecked{{URI: "a", Mode: verify.RecheckListing}, {URI: "b", Mode: verify.RecheckListing}}
	accepted.Warnings = []verify.Finding{{Code: "signature.key", Detail: "no pinned key verifies its signature", Where: "referrer sha256:bb"}}

	accepted.Rules = []verify.Outcome{{Rule: "source", State: verify.Holds, Inputs: []rule.Input{{Path: "commit.ref", Value: "refs/heads/main", Basis: provenance.Declared}}, Findings: []verify.Finding{}},
		{Rule: "rule.weekdays", State: verify.NotTested, Inputs: []rule.Input{}, Findings: []verify.Finding{}}}
	accepted.Others = []verify.Other{{Name: "tests", PredicateType: "https://in-toto.io/attestation/test-result/v0.1", Signer: envelope.Signer{Name: "tests.pub", Fingerprint: "sha256:aa"},
		Statement: digest(t, provenance.SHA256, "77"), SignedAt: time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC), Where: []string{"referrer sha256:cc"}}}

	refused := base
	refused.Verdict, refused.Attestation, refused.Recheck = verify.Refused, attestation(t), verify.RecheckContent
	refused.Attestation.Record.Commit.Dirty = true
	changes := verify.Changes{Added: []verify.Change{{Name: "new.csv", Since: base.Time.Add(-time.Hour)}}, Removed: []verify.Change{{Name: "gone.csv"}},
		Modified: []verify.Change{{Name: "a.csv", What: "content", Since: base.Time.Add(-2 * time.Hour)}}, More: verify.Counts{Modified: 12}}
	recorded := refused.Attestation.Record.Data[0].Listed
	refused.Attestation.Rechecks = []verify.Rechecked{{URI: "a", Mode: verify.RecheckContent, Recorded: recorded, Changes: changes}, {URI: "b", Mode: verify.RecheckNone}}
	refused.Findings = []verify.Finding{
		{Code: "source.branch", Detail: "the commit is from another branch", Expected: "release/*", Found: "refs/heads/main", Basis: provenance.Declared,
			Where: "referrer sha256:aa", Hint: "release from an allowed branch; a detached HEAD is on none"},
		{Code: "source.basis", Detail: "the commit's branch is only declared", Expected: "reported or better", Found: "declared", Basis: provenance.Declared, Where: "referrer sha256:aa"},
		{Code: "data.immutability", Detail: "abfss://mortgages@contoso.dfs.core.windows.net/applications/ is locked, but append writes are allowed: its files can grow",
			Expected: "locked or version-worm", Found: "locked-append", Basis: provenance.Reported, Where: "referrer sha256:aa", Hint: "use a container whose policy forbids append writes, or accept locked-append"},
		{Code: "recheck.changed", Detail: "abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000/ is not what was recorded: " + changes.Text(recorded) + ", although its files were locked until 1 Nov 2033 00:00 UTC",
			Expected: "dirHash:01ff", Found: changes.Total().String(), Basis: provenance.Observed, Where: "referrer sha256:aa"},
	}

	undecided := base
	undecided.Verdict = verify.Undecided
	undecided.Findings = []verify.Finding{{Code: "attestations.unreadable", Detail: "not everything that is attached could be read: connection refused", Undecided: true, Hint: "try again"}}
	undecided.Warnings = slices.Repeat([]verify.Finding{{Code: "envelope.foreign", Detail: "it holds no statement"}}, maxWarnings+3)

	noPolicy := base
	noPolicy.Verdict, noPolicy.Attestation, noPolicy.PolicyName, noPolicy.PolicyDigest = verify.Accepted, attestation(t), "", provenance.Digest{}
	noPolicy.Attestation.Record.Data, noPolicy.Attestation.Record.Databricks, noPolicy.Attestation.Record.Model = nil, nil, nil

	unsigned := noPolicy
	unsigned.Verdict, unsigned.Attestation, unsigned.Reference = verify.Refused, nil, ""
	unsigned.Findings = []verify.Finding{{Code: "signature.none", Detail: "no signed statement is attached", Hint: "run `provenance record`"}}
	keyless := noPolicy
	keyless.Attestation = attestation(t)
	keyless.Attestation.Record, keyless.Attestation.Signer, keyless.Attestation.Times = noPolicy.Attestation.Record, pipelineSigner(t), seenTimes()
	keyless.Attestation.Forms = []string{"bundle"}

	return map[string]verify.Result{"keyless": keyless, "accepted": accepted, "refused": refused, "undecided": undecided, "no-policy": noPolicy, "unsigned": unsigned}
}

// renderers are the formats of a decision, by the golden file's ending.
var renderers = map[string]func(io.Writer, verify.Result) error{
	"txt":  func(w io.Writer, r verify.Result) error { return Text(w, r, Options{}) },
	"json": JSON, "md": Markdown, "xml": JUnit,
}

func TestGolden(t *testing.T) {
	for name, result := range results(t) {
		for ending, render := range renderers {
			t.Run(name+"."+ending, func(t *testing.T) {
				var out bytes.Buffer
				if err := render(&out, result); err != nil {
					t.Fatal(err)
				}
				compare(t, name+"."+ending, out.String())
			})
		}
	}
}

// listing is what show shows: one that verifies, one of another kind, and two that do not.
func listing(t testing.TB) Listing {
	a := attestation(t)
	record := a.Record
	record.Data = slices.Clone(record.Data)
	record.Data[0].Manifest = provenance.Stored{Name: "manifest.sha256", Digest: digest(t, provenance.SHA256, "01ffab"), Size: 300}
	signer, own := pipelineSigner(t), pipelineSigner(t)
	own.Identity = &envelope.Identity{SAN: "https://builds.contoso.com/nightly"} // of an authority that names no issuer
	record.Databricks = &provenance.DatabricksRun{Grounds: record.Databricks.Grounds, RunID: "81462", Result: "SUCCESS",
		Answered: provenance.Answered{Answer: provenance.Stored{Name: "databricks-run-81462.json", Digest: digest(t, provenance.SHA256, "9e"), Size: 5120}}}
	return Listing{Image: digest(t, provenance.SHA256, "3f1c9a"), Repository: "contoso.azurecr.io/mortgage", Reference: "20261123.1", Attestations: []verify.Listed{
		{Where: a.Where, Forms: a.Forms, Signer: &a.Signer, Digest: a.Statement, PredicateType: provenance.PredicateType, Record: &record,
			Statement: json.RawMessage(`{"_type": "https://in-toto.io/Statement/v1"}`), Findings: []verify.Finding{}},
		{Where: []string{"referrer sha256:bb"}, Forms: []string{"bundle"}, Signer: &a.Signer, Digest: a.Statement, PredicateType: "https://spdx.dev/Document",
			Findings: []verify.Finding{{Code: "statement.predicateType", Detail: "it is not SLSA provenance"}}},
		{Where: []string{"referrer sha256:ee"}, Forms: []string{"bundle"}, Signer: &signer, Times: seenTimes(), Digest: a.Statement, PredicateType: provenance.PredicateType, Record: &provenance.Record{}, Findings: []verify.Finding{}},
		{Where: []string{"referrer sha256:ff"}, Forms: []string{"bundle"}, Signer: &own, Digest: a.Statement, PredicateType: provenance.PredicateType, Record: &provenance.Record{}, Findings: []verify.Finding{}},
		{Where: []string{"referrer sha256:cc"}, Forms: []string{}, Findings: []verify.Finding{{Code: "signature.key", Detail: "no pinned key verifies its signature"}}},
		{Where: []string{"referrer sha256:dd"}, Forms: []string{}, Findings: []verify.Finding{{Code: verify.CodeUnchecked, Detail: "there is no key to check the signature with", Undecided: true}}},
		{Where: []string{}, Forms: []string{}, Findings: []verify.Finding{{Code: "attestations.unreadable", Detail: "connection refused", Undecided: true}}},
	}}
}

// listRenderers are the formats of a listing.
var listRenderers = map[string]func(io.Writer, Listing) error{
	"txt":  func(w io.Writer, l Listing) error { return ListText(w, l, Options{}) },
	"json": ListJSON, "md": ListMarkdown,
}

func TestGoldenListing(t *testing.T) {
	for name, l := range map[string]Listing{"list": listing(t), "list-empty": {Image: digest(t, provenance.SHA256, "3f1c9a"), Repository: "contoso.azurecr.io/mortgage"}} {
		for ending, render := range listRenderers {
			t.Run(name+"."+ending, func(t *testing.T) {
				var out bytes.Buffer
				if err := render(&out, l); err != nil {
					t.Fatal(err)
				}
				compare(t, name+"."+ending, out.String())
			})
		}
	}
}

// compare holds output against a golden file, or rewrites that.
func compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is\n%s\nwant\n%s\nlook at the difference, and run with -update", file, got, want)
	}
	if bad := unwelcome(got); bad != "" {
		t.Errorf("%s holds %q", file, bad)
	}
}

// poison is put into every foreign text.
const poison = "##vso[task.setvariable variable=x]y\n##[error]\x1b[31m\u202e|<script>`*[a](http://evil)\r"

// poisoned is a decision with hostile text wherever there can be text.
func poisoned(t testing.TB) verify.Result {
	a := attestation(t)
	r := &a.Record
	r.Commit.Subject, r.Commit.Author.Name, r.Commit.Repository, r.Commit.Ref = poison, poison, poison, poison
	r.Pipeline.BuilderID, r.Pipeline.InvocationID = poison, poison
	poisonFolder(&r.Data[0])
	poisonFolder(&r.Data[1])
	a.Rechecks = []verify.Rechecked{{URI: poison, Mode: poison, Changes: verify.Changes{Added: []verify.Change{{Name: poison}}, Removed: []verify.Change{{Name: poison}},
		Modified: []verify.Change{{Name: poison, What: poison}}, More: verify.Counts{Modified: 12}}}}
	r.Databricks.RunID, r.Databricks.Result, r.Databricks.Notebook = poison, poison, poison
	for _, noun := range []any{r.Notebooks, r.MLflow, r.Registered, r.Build, r.Release, r.Review, r.Databricks} {
		poisonAll(reflect.ValueOf(noun))
	}
	r.Model.Name, r.Model.Version, r.Model.Locations[0].Path = poison, poison, poison
	r.Checks[0] = provenance.Fact{Name: poison, Value: poison, Basis: provenance.Basis(poison), Note: poison}
	a.Signer.Name, a.Where, a.Forms = poison, []string{poison}, []string{poison}
	f := verify.Finding{Code: poison, Detail: poison, Expected: poison, Found: poison, Basis: provenance.Basis(poison), Where: poison, Hint: poison}
	return verify.Result{Verdict: verify.Refused, Image: digest(t, provenance.SHA256, "1"), Repository: poison, Reference: poison, PolicyName: poison,
		Attestation: a, Findings: []verify.Finding{f}, Warnings: []verify.Finding{f}}
}

// poisonAll puts hostile text into every text of a noun.
func poisonAll(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		poisonAll(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			poisonAll(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				poisonAll(v.Field(i))
			}
		}
	case reflect.String:
		v.SetString(poison)
	}
}

// poisonFolder puts hostile text wherever a folder can have text. Digests are parsed, and times.
func poisonFolder(f *provenance.Folder) {
	f.URI, f.Role, f.TrainedOn = poison, poison, poison
	f.Immutability = map[bool]string{true: provenance.GradeLegalHold, false: f.Immutability}[f.Immutability == provenance.GradeLocked]
	f.Protection.Account, f.Protection.Unknown, f.Protection.Policy.AppendWrites = poison, poison, poison
	f.Protection.LegalHolds = []provenance.LegalHold{{Tag: poison, By: poison}}
	f.Before.Changes, f.Before.SealedBy = poison, poison
	if f.Imported != nil {
		f.Imported.SealedBy = poison
	}
	if f.Delta != nil {
		f.Delta.ID, f.Delta.Asked, f.Delta.Operation = poison, poison, poison
	}
	for i := range f.Shared {
		f.Shared[i].Role, f.Shared[i].URI, f.Shared[i].Names = poison, poison, []string{poison, poison}
	}
}

func TestHostileText(t *testing.T) {
	result := poisoned(t)
	plain := results(t)["refused"]
	outputs := map[string]func(io.Writer) error{
		"coloured": func(w io.Writer) error { return Text(w, result, Options{Color: true}) },
	}
	for ending, render := range renderers {
		outputs[ending] = func(w io.Writer) error { return render(w, result) }
	}
	list := Listing{Image: result.Image, Repository: poison, Attestations: []verify.Listed{{Where: []string{poison}, Signer: &result.Attestation.Signer,
		PredicateType: poison, Record: &result.Attestation.Record, Forms: []string{poison}, Findings: result.Findings, Statement: json.RawMessage(`{"a": "##vso[\u0007` + "\u202e\xff" + `"}`)}}}
	for ending, render := range listRenderers {
		outputs["list."+ending] = func(w io.Writer) error { return render(w, list) }
	}
	for name, write := range outputs {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if name == "coloured" {
			text = strings.NewReplacer("\x1b[1;31m", "", "\x1b[0m", "").Replace(text)
		}
		if bad := unwelcome(text); bad != "" {
			t.Errorf("%s holds %q:\n%s", name, bad, text)
		}
		if strings.HasSuffix(name, "json") && strings.Contains(text, "#") {
			t.Errorf("%s holds a #", name)
		}
	}
	// A line break in foreign text makes no line, and a pipe no cell.
	var clean, dirty bytes.Buffer
	plain.Findings, plain.Warnings = plain.Findings[:1], plain.Findings[:1]
	plain.Attestation.Record.Commit.Dirty = false
	for out, r := range map[*bytes.Buffer]verify.Result{&clean: plain, &dirty: result} {
		if err := Markdown(out, r); err != nil {
			t.Fatal(err)
		}
	}
	if c, d := shape(clean.String()), shape(dirty.String()); c != d {
		t.Errorf("the tables have another shape:\n%s\n%s", clean.String(), dirty.String())
	}
	if strings.Contains(dirty.String(), "<script>") || strings.Contains(dirty.String(), "[a]") {
		t.Errorf("markup came through:\n%s", dirty.String())
	}
}

// shape is Markdown without its text: the cells of each line.
func shape(markdown string) string {
	var b strings.Builder
	for _, line := range strings.Split(markdown, "\n") {
		line = strings.ReplaceAll(strings.ReplaceAll(line, `\\`, ""), `\|`, "")
		b.WriteString(strings.Repeat("|", strings.Count(line, "|")) + "\n")
	}
	return b.String()
}

// TestJSONReadsBack: what machines get is what was decided.
func TestJSONReadsBack(t *testing.T) {
	for name, r := range results(t) {
		var out bytes.Buffer
		if err := JSON(&out, r); err != nil {
			t.Fatal(err)
		}
		var d decision
		if err := json.Unmarshal(out.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		if d.Version != 1 || d.Verdict != r.Verdict || d.Image.Digest != r.Image || len(d.Findings) != len(r.Findings) || len(d.Warnings) != len(r.Warnings) ||
			(d.Policy == nil) != (r.PolicyName == "") || (d.Attestation == nil) != (r.Attestation == nil) || d.Summary == "" {
			t.Errorf("%s: read back %+v", name, d)
		}
	}
}

func TestColour(t *testing.T) {
	var out bytes.Buffer
	if err := Text(Safe(&out), results(t)["accepted"], Options{Color: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "\x1b[1;32maccepted\x1b[0m   ") {
		t.Errorf("%.40q", out.String())
	}
}

// TestWriteErrorsAreNotLost: whichever write fails, the caller hears of it.
func TestWriteErrorsAreNotLost(t *testing.T) {
	result, list := results(t)["refused"], listing(t)
	writes := map[string]func(io.Writer) error{
		"coloured": func(w io.Writer) error { return Text(w, result, Options{Color: true}) },
	}
	for ending, render := range renderers {
		writes[ending] = func(w io.Writer) error { return render(w, result) }
	}
	for ending, render := range listRenderers {
		writes["list."+ending] = func(w io.Writer) error { return render(w, list) }
	}
	for name, write := range writes {
		fails := 0
		for write(&failing{fails}) != nil {
			fails++
		}
		if fails == 0 {
			t.Errorf("%s: no write failed", name)
		}
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 222298112: "212.0 MiB", 4402341478: "4.1 GiB", 1<<20 - 1: "1.0 MiB", 1<<63 - 1: "8.0 EiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// trials are what a policy makes of a statement.
func trials() map[string]verify.Trial {
	broken := verify.Finding{Code: "metric.auc", Detail: "the metric auc of MLflow run 4be1 is out of bounds", Expected: ">= 0.82", Found: "0.8123", Basis: provenance.Reported, Hint: "train it again"}
	warned := verify.Finding{Code: "source.branch", Detail: "the commit is from another branch", Expected: "release", Found: "refs/heads/main"}
	return map[string]verify.Trial{"trial-refused": {Verdict: verify.Refused, PolicyName: "release.yaml", Against: "statement.json", Findings: []verify.Finding{broken}, Warnings: []verify.Finding{warned},
		Rules: []verify.Outcome{
			{Rule: "maxAge", State: verify.NotTested, Inputs: []rule.Input{}, Findings: []verify.Finding{}},
			{Rule: "source", State: verify.Warned, Inputs: []rule.Input{{Path: "commit.ref", Value: "refs/heads/main", Basis: provenance.Declared}}, Findings: []verify.Finding{warned}},
			{Rule: "metrics", State: verify.Broken, Inputs: []rule.Input{{Path: "mlflow.metrics auc", Value: "0.8123", Basis: provenance.Reported}, {Path: "signer", Value: "nothing"}}, Findings: []verify.Finding{broken}}}},
		"trial-undecided": {Verdict: verify.Undecided, PolicyName: "release.yaml", Against: "statement.json", Findings: []verify.Finding{{Code: "data.newest", Detail: "nobody says it", Undecided: true}}}}
}

// TestTrials: what a policy makes of a statement, for people and machines.
func TestTrials(t *testing.T) {
	for name, trial := range trials() {
		for format, write := range map[string]func(io.Writer, verify.Trial) error{
			"txt":  func(w io.Writer, r verify.Trial) error { return TrialText(w, r, Options{}) },
			"json": TrialJSON,
		} {
			var out bytes.Buffer
			if err := write(&out, trial); err != nil {
				t.Fatal(err)
			}
			compare(t, name+"."+format, out.String())
		}
	}
}

// TestPolicies: what is in a policy, for people and machines.
func TestPolicies(t *testing.T) {
	p := &policies.Policy{Name: "release.yaml", Serial: 7, Expires: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Builders: []policies.Builder{{ID: "https://dev.azure.com/a"}},
		MaxAge: time.Hour, Source: []policies.Source{{}}, Recheck: policies.RecheckListing, Attestations: []policies.Attestation{{Name: "tests"}}, Rules: []policies.Rule{{Name: "weekdays"}},
		Deny: []policies.Denied{{}, {}}}
	for format, write := range map[string]func(io.Writer, *policies.Policy) error{"txt": PolicyText, "json": PolicyJSON} {
		var out bytes.Buffer
		if err := write(&out, p); err != nil {
			t.Fatal(err)
		}
		compare(t, "policy."+format, out.String())
	}
}
