package provenance

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// digestOf makes a digest of an algorithm from a letter, for tests.
func digestOf(t testing.TB, algorithm Algorithm, digit string) Digest {
	t.Helper()
	d, err := NewDigest(algorithm, strings.Repeat(digit, hexLength[algorithm]))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// at is a moment of the example's night.
func at(hour, minute int) time.Time { return time.Date(2026, 11, 23, hour, minute, 0, 0, time.UTC) }

// example is evidence of every kind, with every field filled: the specification's example is made of it.
func example(t testing.TB) []Evidence {
	d := func(a Algorithm, digit string) Digest { return digestOf(t, a, digit) }
	stored := func(name, mediaType, digit string, size int64) Stored {
		return Stored{Name: name, MediaType: mediaType, Digest: d(SHA256, digit), Size: size}
	}
	storedAs := func(name, mediaType string, size int64) Stored {
		return Stored{Name: name, MediaType: mediaType, Digest: SumSHA256([]byte(name)), Size: size}
	}
	const manifest, index = "application/vnd.provenance.manifest.v1+text", "application/vnd.provenance.folder-index.v1+jsonl"
	const answer = "application/vnd.provenance.answer.v1+json"
	const collection = "https://dev.azure.com/contoso/Mortgage/"
	folder := func(role, uri, digit, indexDigit string, files, bytes int64) Folder {
		return Folder{
			Grounds: Grounds{Observed, map[string]Basis{"newest": Reported, "oldest": Reported, "listed": Declared, "role": Declared,
				"immutability": Reported, "protection": Reported}},
			Role: role, URI: uri, Digest: d(DirHash, digit), Files: files, Bytes: bytes, Newest: at(0, 5), Oldest: at(0, 1), Listed: at(2, 25),
			Manifest: stored("manifest-"+digit+".txt", manifest, digit, 100*files),
			Index:    stored("index-"+indexDigit+".jsonl", index, indexDigit, 250*files),
		}
	}
	return []Evidence{
		Tool{"provenance", "v0.1.0"},
		Image{Grounds: Grounds{Observed, map[string]Basis{"builtFrom": Declared, "created": Declared}},
			Repository: "contoso.azurecr.io/mortgage", Reference: "20261123.1", Digest: d(SHA256, "1"),
			Platforms: []Platform{{"linux/amd64", d(SHA256, "2")}, {"linux/arm64/v8", d(SHA256, "3")}}, Created: at(2, 24),
			Base: &BaseImage{Grounds{Basis: Declared}, "mcr.microsoft.com/azureml/inference:2026", d(SHA256, "4")}},
		Pipeline{Grounds: Grounds{Basis: Declared},
			BuilderID: collection + "_build?definitionId=7&pool=hosted", InvocationID: collection + "_build/results?buildId=4711",
			Definition: collection + "_build?definitionId=7", Path: "/azure-pipelines.yml",
			Repository: collection + "_git/mortgage", Ref: "refs/heads/main", Reason: "Schedule",
			TemplateParameters: map[string]string{"area": "north"},
			Internal:           map[string]string{"agentName": "Hosted Agent", "buildId": "4711", "jobAttempt": "1"},
			CommitID:           strings.Repeat("5", 40), Started: at(2, 0), Finished: at(2, 31)},
		Commit{Grounds: Grounds{Observed, map[string]Basis{"author": Declared, "authored": Declared, "committer": Declared,
			"committed": Declared, "subject": Declared, "remotes": Declared, "repository": Declared, "ref": Declared}},
			Repository: collection + "_git/mortgage", Ref: "refs/heads/main", ID: d(GitCommit, "5"), Tree: d(GitTree, "6"), Files: d(DirHash, "7"),
			Parents: []string{strings.Repeat("8", 40)}, Subject: "Weight recent applications",
			Author: Person{Name: "Ada Lovelace", Email: "ada@contoso.com"}, Authored: at(1, 10),
			Committer: Person{ID: "0b7e5e0e-0000-4000-8000-000000000001", Name: "Grace Hopper", Email: "grace@contoso.com"}, Committed: at(1, 20),
			Signature: "none", Remotes: []string{collection + "_git/mortgage"}, Dirty: true, Changed: []string{"train.py"},
			Untracked: []string{"notes.txt"}, AssumeUnchanged: []string{"a.cfg"}, SkipWorktree: []string{"b.cfg"},
			Ignored: []string{"out/"}, IgnoredCount: 1, Shallow: true, Detached: true, Submodules: []string{"lib " + strings.Repeat("9", 40)}},
		exampleTrain(folder("train", "abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000/", "b", "c", 3, 222298112), d,
			stored("arm-contoso-mortgages.json", answer, "8", 2048)),
		exampleTest(folder("test", "abfss://reference@fabrikam.dfs.core.windows.net/applications/", "a", "d", 12, 9007199254740993), d),
		exampleRun(collection, stored("databricks-run-9007199254740993.json", answer, "e", 5120)),
		exampleNotebook("/Repos/mortgage/train", "", "task train", Matches, d(SHA256, "a")),
		exampleNotebook("/Repos/mortgage/prepare", "/Repos/mortgage/train", "%run", Uncertain, Digest{}),
		exampleMLflow(storedAs("mlflow-run-4be1.json", answer, 9000), storedAs("roc.png", "image/png", 3000)),
		exampleRegistered(storedAs("mlflow-model-mortgage-7.json", answer, 800)),
		exampleBuild(collection, storedAs("azure-devops-build-4711.json", answer, 7000)),
		exampleRelease(collection, storedAs("azure-devops-release-214.json", answer, 4000), storedAs("azure-devops-release-214.log", "text/plain", 60000)),
		exampleReview(storedAs("azure-devops-commit-5555.json", answer, 2500)),
		Model{Grounds: Grounds{Basis: Observed, BasisOf: map[string]Basis{"name": Declared, "version": Declared}}, Name: "mortgage", Version: "7",
			URI: "abfss://models@contoso.dfs.core.windows.net/mortgage/7/model.bin", Digest: d(DirHash, "f"), File: d(SHA256, "0"), Files: 1, Bytes: 40321,
			Locations: []Location{{"linux/amd64", "/app/model.bin"}, {"linux/arm64/v8", "/app/model.bin"}},
			Copies:    []Copy{{URI: "dbfs:/models/mortgage/model.bin", Digest: d(DirHash, "f"), Read: at(2, 28)}},
			Manifest:  stored("manifest-f.txt", manifest, "f", 76)},
	}
}

// exampleTrain is a locked folder, most of whose digests are those of the night before, and that was listed before training.
func exampleTrain(f Folder, d func(Algorithm, string) Digest, answer Stored) Folder {
	const container = "/subscriptions/0b7e5e0e-0000-4000-8000-000000000002/resourceGroups/lake/providers/Microsoft.Storage/storageAccounts/contoso" +
		"/blobServices/default/containers/mortgages"
	f.BasisOf["digest"] = Signed
	f.Immutability, f.ProtectionAnswer = GradeLocked, answer
	f.Protection = &Protection{Account: "contoso", Container: "mortgages", Namespace: "hierarchical",
		Policy: &RetentionPolicy{State: "Locked", Days: 2555, AppendWrites: "append-blobs", ETag: `"8d59f81a7fa7be0"`,
			Updates: []PolicyUpdate{{Update: "put", Days: 7, At: at(0, 0)}, {Update: "lock", Days: 2555, At: at(0, 2), By: "0b7e5e0e-0000-4000-8000-000000000003"}}},
		LegalHolds: []LegalHold{{Tag: "audit2026", Since: at(0, 3), By: "0b7e5e0e-0000-4000-8000-000000000003"}},
		Until:      f.Oldest.AddDate(0, 0, 2555), ResourceID: container, RequestID: "0b7e5e0e-0000-4000-8000-000000000004", AskedAt: at(2, 26)}
	f.Reused = &Reused{Files: 2, Bytes: 200000000, ReadSince: at(0, 10).AddDate(0, 0, -1), Previous: d(SHA256, "9")}
	f.Before = &Before{Listed: at(1, 30), Listing: d(SHA256, "6"), Same: true, SealedBy: d(SHA256, "7").String()}
	return f
}

// exampleTest is a snapshot of a Delta table of which nobody could tell whether it is protected. Its digests came from other
// machines, and some from an interrupted run.
func exampleTest(f Folder, d func(Algorithm, string) Digest) Folder {
	f.BasisOf["digest"], f.BasisOf["immutability"], f.BasisOf["protection"] = Declared, Declared, Declared
	f.Immutability, f.Resumed = GradeUnknown, 2
	f.Protection = &Protection{Account: "fabrikam", Container: "reference", AskedAt: at(2, 26), Unknown: "a SAS cannot ask Azure Resource Manager"}
	f.Imported = &Imported{Files: 10, Parts: 7, SealedBy: d(SHA256, "7").String(), ReadSince: at(2, 10)}
	f.Delta = &DeltaTable{ID: "0b7e5e0e-0000-4000-8000-000000000005", Version: 9007199254740993, Asked: "run start", Committed: at(0, 4), Operation: "DELETE",
		MinReader: 3, MinWriter: 7, ReaderFeatures: []string{"deletionVectors"}, WriterFeatures: []string{"deletionVectors"}, Checkpoint: "9007199254740990",
		Log: d(SHA256, "5"), DataFiles: 8, DeletionVectors: 1}
	f.Before = &Before{Listed: at(1, 30), Listing: d(SHA256, "4"), Changes: "1 added (part-00009.parquet)"}
	f.Shared = []Shared{{Role: "train", URI: "abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000/", Files: 1, Names: []string{"part-00001.parquet"}}}
	return f
}

func TestStatementRoundTrip(t *testing.T) {
	statement, data := write(t, example(t)...)
	parsed, err := ParseStatement(data)
	if err != nil {
		t.Fatal(err)
	}
	record, err := Read(parsed)
	if err != nil {
		t.Fatal(err)
	}
	want, err := gather(example(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := want.judge(); err != nil {
		t.Fatal(err)
	}
	if got, want := indent(t, record), indent(t, want); got != want {
		t.Errorf("read back:\n%s\nwant:\n%s", got, want)
	}
	again, err := record.statement()
	if err != nil {
		t.Fatal(err)
	}
	if indent(t, again) != indent(t, statement) {
		t.Error("a record that was read back writes another statement")
	}
}

func TestStatementBytesDoNotDependOnOrder(t *testing.T) {
	_, want := write(t, example(t)...)
	reversed := example(t)
	slices.Reverse(reversed)
	if _, got := write(t, reversed...); string(got) != string(want) {
		t.Errorf("the order of the evidence changes the bytes:\n%s\n%s", got, want)
	}
}

func TestStatementWithTheLeastEvidence(t *testing.T) {
	d := digestOf(t, SHA256, "1")
	_, data := write(t, Image{Grounds: Grounds{Basis: Observed}, Repository: "r", Digest: d, Platforms: []Platform{{"linux/amd64", d}}},
		Pipeline{Grounds: Grounds{Basis: Declared}, BuilderID: "https://example.com/laptop"},
		Commit{Grounds: Grounds{Basis: Observed}, Repository: "/src", ID: digestOf(t, GitCommit, "2"), Files: digestOf(t, DirHash, "3")})
	s, err := ParseStatement(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Subject) != 1 {
		t.Errorf("subjects %v, want the image only", s.Subject)
	}
	if _, err := Read(s); err != nil {
		t.Error(err)
	}
}

func TestNewStatementRefusesIncompleteAndContradictoryEvidence(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]Evidence) []Evidence
		want   string
	}{
		"no image":        {without[Image], "no image"},
		"no commit":       {without[Commit], "no commit"},
		"no pipeline":     {without[Pipeline], "no builder id"},
		"two commits":     {func(e []Evidence) []Evidence { return append(e, find[Commit](e)) }, "commit was collected twice"},
		"two images":      {func(e []Evidence) []Evidence { return append(e, find[Image](e)) }, "image was collected twice"},
		"two pipelines":   {func(e []Evidence) []Evidence { return append(e, find[Pipeline](e)) }, "pipeline was collected twice"},
		"two models":      {func(e []Evidence) []Evidence { return append(e, find[Model](e)) }, "model was collected twice"},
		"two runs":        {func(e []Evidence) []Evidence { return append(e, find[DatabricksRun](e)) }, "run was collected twice"},
		"folder twice":    {func(e []Evidence) []Evidence { return append(e, find[Folder](e)) }, "given twice"},
		"other commit":    {changed(func(p *Pipeline) { p.CommitID = strings.Repeat("0", 40) }), "commitId is 0000"},
		"run of another":  {changed(func(r *DatabricksRun) { r.GitCommit = "abc" }), "used commit abc"},
		"model elsewhere": {changed(func(m *Model) { m.Locations = m.Locations[:1] }), "linux/arm64/v8 does not contain"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewStatement(c.change(example(t))...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestParseAndReadRefuse(t *testing.T) {
	_, data := write(t, example(t)...)
	for name, c := range map[string]struct{ old, new, code string }{
		"not JSON":             {`{"_type"`, `"_type"`, "statement.malformed"},
		"other _type":          {"in-toto.io/Statement/v1", "in-toto.io/Statement/v2", "statement.type"},
		"other predicateType":  {"slsa.dev/provenance/v1", "slsa.dev/provenance/v0.2", "statement.predicateType"},
		"other buildType":      {`"buildType":"https://github.com/seed`, `"buildType":"https://github.com/evil`, "statement.buildType"},
		"duplicate key":        {`{"_type"`, `{"Subject":[],"_type"`, "statement.malformed"},
		"no builder":           {`"builder":{"id":`, `"builder":{"no":`, "statement.malformed"},
		"bad subject digest":   {strings.Repeat("1", 64), "xyz", "statement.malformed"},
		"unknown parameter":    {`"reason":`, `"raison":`, "statement.malformed"},
		"unknown basis":        {`"provenance_basis":"observed"`, `"provenance_basis":"believed"`, "statement.malformed"},
		"basisOf":              {`"provenance_basisOf":{"builtFrom":"declared"`, `"provenance_basisOf":{"builtFrom":"x"`, "statement.malformed"},
		"subject not recorded": {`"name":"contoso.azurecr.io/mortgage","digest"`, `"name":"other","digest"`, "statement.malformed"},
		"no model subject":     {`model/mortgage`, `other/mortgage`, "statement.malformed"},
		"manifest missing":     {`"name":"stored/manifest-b.txt"`, `"name":"manifest-b.txt"`, "statement.malformed"},
		"size missing":         {`"provenance_size":"76"`, `"provenance_size":"-76"`, "statement.malformed"},
		"wrong manifest":       {`"provenance_manifest":"sha256:b`, `"provenance_manifest":"sha256:B`, "statement.malformed"},
		"answer missing":       {`"provenance_protectionAnswer":"sha256:8`, `"provenance_protectionAnswer":"sha256:0`, "statement.malformed"},
		"answer not stored":    {`"name":"stored/arm-contoso`, `"name":"arm-contoso`, "statement.malformed"},
		"version of a table":   {`"version":"9007199254740993"`, `"version":"newest"`, "statement.malformed"},
		"time of a policy":     {`"update":"lock","days":2555,"at":"2026`, `"update":"lock","days":2555,"at":"once`, "statement.malformed"},
		"reused of nothing":    {`"previous":"sha256:9`, `"previous":"sha1:9`, "statement.malformed"},
		"annotation of a kind": {`"provenance_dirty":true`, `"provenance_dirty":"yes"`, "statement.malformed"},
		"dirty not said":       {`"provenance_dirty":true,`, ``, "statement.malformed"},
		"commit twice":         {`"name":"base-image"`, `"name":"source"`, "statement.malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			forged := strings.Replace(string(data), c.old, c.new, 1)
			if forged == string(data) {
				t.Fatalf("%q is not in the statement", c.old)
			}
			s, err := ParseStatement([]byte(forged))
			if err == nil {
				_, err = Read(s)
			}
			wantCode(t, err, c.code)
		})
	}
	_, err := ParseStatement([]byte(strings.Repeat(" ", MaxStatement+1)))
	wantCode(t, err, "statement.malformed")
}

// TestBytesOfAnInvalidStatement: what in-toto's own types refuse is never handed out to be signed.
func TestBytesOfAnInvalidStatement(t *testing.T) {
	for name, spoil := range map[string]func(*Statement){
		"no subject":  func(s *Statement) { s.Subject = nil },
		"no digest":   func(s *Statement) { s.Subject[0].Digest = nil },
		"no builder":  func(s *Statement) { s.Predicate.RunDetails.Builder.ID = "" },
		"wrong _type": func(s *Statement) { s.Type = "https://in-toto.io/Statement/v9" },
		"too large":   func(s *Statement) { s.Subject[0].Name = strings.Repeat("x", MaxStatement) },
	} {
		s, _ := write(t, example(t)...)
		spoil(&s)
		if _, err := s.Bytes(); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestStatementV01IsRead(t *testing.T) {
	_, data := write(t, example(t)...)
	old := strings.Replace(string(data), "in-toto.io/Statement/v1", "in-toto.io/Statement/v0.1", 1)
	s, err := ParseStatement([]byte(old))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(s); err != nil {
		t.Error(err)
	}
}

func TestSameBuild(t *testing.T) {
	base, _ := gather(example(t))
	same, _ := gather(changed(func(r *DatabricksRun) {
		r.AskedAt = at(3, 0)
		r.Answer.Digest = digestOf(t, SHA256, "a")
	})(changed(func(p *Pipeline) { p.Finished = at(3, 1) })(example(t))))
	if !SameBuild(base, same) {
		t.Error("clocks and stored answers make another build")
	}
	for name, change := range map[string]func([]Evidence) []Evidence{
		"attempt":    changed(func(p *Pipeline) { p.Internal["jobAttempt"] = "2" }),
		"build":      changed(func(p *Pipeline) { p.InvocationID = "https://example.com/2" }),
		"commit":     changed(func(c *Commit) { c.Dirty = false }),
		"data":       changed(func(f *Folder) { f.Files++ }),
		"subject":    changed(func(i *Image) { i.Digest = digestOf(t, SHA256, "9") }),
		"grade":      changed(func(f *Folder) { f.Immutability = GradeUnlocked }),
		"policy":     changed(func(f *Folder) { f.Protection.Policy.Days++ }),
		"protection": changed(func(f *Folder) { f.Protection = nil }),
		"import":     changed(func(f *Folder) { f.Imported = &Imported{Files: 1, Parts: 1} }),
		"shared":     changed(func(f *Folder) { f.Shared = []Shared{{Files: 1}} }),
	} {
		if other, _ := gather(change(example(t))); SameBuild(base, other) {
			t.Errorf("%s: another build is taken for the same", name)
		}
	}
}

// TestSameBuildWithReuse: whether digests were read or reused makes no other build. But what was read anew is worth writing
// down beside a statement that only says that it was reused.
func TestSameBuildWithReuse(t *testing.T) {
	record := func(change func(*Folder)) Record {
		r, err := gather(changed(change)(example(t)))
		if err != nil {
			t.Fatal(err)
		}
		r.tieTraining()
		if r.Checks, err = crossCheck(r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	reused := record(func(*Folder) {})
	read := record(func(f *Folder) {
		f.Reused, f.BasisOf["digest"], f.Index, f.Listed = nil, Observed, Stored{Digest: digestOf(t, SHA256, "0")}, at(2, 28)
		f.Protection.AskedAt, f.Protection.RequestID, f.ProtectionAnswer = at(2, 29), "another", Stored{Digest: digestOf(t, SHA256, "1")}
	})
	resumed := record(func(f *Folder) { f.Reused, f.Resumed, f.BasisOf["digest"] = nil, 3, Declared })
	for _, c := range []struct {
		name         string
		mine, theirs Record
		want         bool
	}{
		{"both reused", reused, reused, true},
		{"mine reused, theirs read", reused, read, true},
		{"mine read, theirs reused", read, reused, false},
		{"mine resumed, theirs reused", resumed, reused, true},
		{"mine reused, theirs resumed", reused, resumed, false},
	} {
		if got := SameBuild(c.mine, c.theirs); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if reused.Data[1].Reused == nil || reused.Data[1].Protection.RequestID == "" {
		t.Error("comparing changes what is compared")
	}
}

// TestSameBuildWithAWeakerCheck: a check is as good as the digests that it compares, and those may have been reused.
func TestSameBuildWithAWeakerCheck(t *testing.T) {
	record := func(basis Basis) Record {
		r := Record{Data: []Folder{roleFolder("test", Observed), roleFolder("train", basis)}}
		r.Checks, _ = crossCheck(r)
		return r
	}
	read, reused := record(Observed), record(Signed)
	if !SameBuild(reused, read) {
		t.Error("reused digests make another build")
	}
	if SameBuild(read, reused) {
		t.Error("digests that were read anew are worth nothing")
	}
	read.Checks[len(read.Checks)-1].Value = "false"
	if SameBuild(reused, read) {
		t.Error("another outcome of a check makes the same build")
	}
}

func TestCheckSecrets(t *testing.T) {
	evidence := changed(func(c *Commit) { c.Subject = "use ?sv=1&sig=" + strings.Repeat("Ab", 16) + "%3D" })(example(t))
	_, data := write(t, evidence...)
	err := CheckSecrets("the statement", data)
	wantCode(t, err, "secret.found")
	if strings.Contains(err.Error(), "AbAb") || !strings.Contains(err.Error(), "the statement, at predicate.") || len(Hints(err)) != 1 {
		t.Errorf("error %q, hints %q", err, Hints(err))
	}
	if _, clean := write(t, example(t)...); CheckSecrets("x", clean) != nil {
		t.Error(CheckSecrets("x", clean))
	}
	wantCode(t, CheckSecrets("x", []byte("my hunter22"), "hunter22"), "secret.found")
	ordinary := changed(func(m *MLflowRun) {
		m.Tags["note"], m.Tags["policy"], m.Tags["call"] = "token: none", "password policy: Basic interpretability", "connect(password=[removed]) or connect(password=None)"
		m.Metrics[0].Name, m.Params["image"] = "token_accuracy", "oci://python:3.12@sha256:"+strings.Repeat("0f", 32)
	})(example(t))
	if _, data := write(t, ordinary...); CheckSecrets("x", data) != nil {
		t.Error(CheckSecrets("x", data))
	}
}

func TestStored(t *testing.T) {
	record, _ := gather(example(t))
	var names []string
	for _, s := range record.Stored() {
		names = append(names, s.Name)
	}
	want := "manifest-a.txt index-d.jsonl manifest-b.txt index-c.jsonl arm-contoso-mortgages.json manifest-f.txt notebook-prepare.py databricks-run-9007199254740993.json mlflow-run-4be1.json mlflow-model-mortgage-7.json azure-devops-build-4711.json azure-devops-release-214.json azure-devops-commit-5555.json roc.png azure-devops-release-214.log"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("stored %s, want %s", got, want)
	}
}

// FuzzParseStatement: nothing panics, and what is read can be written again.
func FuzzParseStatement(f *testing.F) {
	_, data := write(f, example(f)...)
	f.Add(data)
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseStatement(data)
		if err != nil {
			return
		}
		record, err := Read(s)
		if err != nil {
			return
		}
		if _, err := record.statement(); err != nil {
			t.Error(err)
		}
	})
}

// write makes a statement and its bytes.
func write(t testing.TB, evidence ...Evidence) (Statement, []byte) {
	t.Helper()
	s, err := NewStatement(evidence...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := s.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return s, data
}

func indent(t testing.TB, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var refused *Refused
	if !errors.As(err, &refused) || refused.Code != code {
		t.Fatalf("error %v, want a refusal with code %s", err, code)
	}
}

func find[T Evidence](evidence []Evidence) T {
	for _, e := range evidence {
		if found, ok := e.(T); ok {
			return found
		}
	}
	panic("not in the example")
}

func without[T Evidence](evidence []Evidence) []Evidence {
	return slices.DeleteFunc(evidence, func(e Evidence) bool { _, is := e.(T); return is })
}

// changed changes the first noun of a kind.
func changed[T Evidence](change func(*T)) func([]Evidence) []Evidence {
	return func(evidence []Evidence) []Evidence {
		for i, e := range evidence {
			if noun, ok := e.(T); ok {
				change(&noun)
				evidence[i] = noun
				break
			}
		}
		return evidence
	}
}
