package summary

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	vsapb "github.com/in-toto/attestation/go/predicates/vsa/v1"
	ita1 "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/seed-3480f271/provenance/provenance"
)

var update = flag.Bool("update", false, "rewrite the page's example")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func digest(t testing.TB, digits string) provenance.Digest {
	t.Helper()
	d, err := provenance.NewDigest(provenance.SHA256, strings.Repeat(digits, 64)[:64])
	must(t, err)
	return d
}

// example is the summary of the page: an index of two platforms.
func example(t testing.TB) Summary {
	const repository = "contoso.azurecr.io/mortgage"
	subject := func(digits string) Subject {
		return Subject{repository, provenance.Digests(digest(t, digits))}
	}
	input := func(digits string) Descriptor {
		return Descriptor{ResourceURI(repository, digest(t, digits)), provenance.Digests(digest(t, digits))}
	}
	return Summary{
		Subjects:     []Subject{subject("3f1c9a"), subject("2b"), subject("4d")},
		Verifier:     Verifier{"https://dev.azure.com/contoso/Mortgage/release-gate", map[string]string{"provenance": "v1.0.0"}},
		TimeVerified: time.Date(2026, 11, 23, 8, 15, 4, 120e6, time.UTC),
		ResourceURI:  ResourceURI(repository, digest(t, "3f1c9a")),
		Policy: Descriptor{"https://github.com/seed-3480f271/provenance/spec/policy/v1#release.yaml",
			provenance.Digests(digest(t, "9ab04e"))},
		InputAttestations: []Descriptor{input("8c"), input("a7")},
		Result:            Passed, Levels: []string{BuildLevel1}, SLSAVersion: SLSAVersion,
	}
}

// written is the example as JSON that a test may change.
func written(t testing.TB) map[string]any {
	t.Helper()
	data, err := example(t).Bytes()
	must(t, err)
	var statement map[string]any
	must(t, json.Unmarshal(data, &statement))
	return statement
}

// TestRoundTrip: what is written is read back, and the same facts give the same bytes.
func TestRoundTrip(t *testing.T) {
	minimal := example(t)
	minimal.Verifier.Version, minimal.InputAttestations, minimal.SLSAVersion, minimal.TimeVerified = nil, nil, "", time.Time{}
	minimal.Policy.Digest = provenance.Digests()
	failed := example(t)
	failed.Result, failed.Levels = Failed, []string{LevelFailed}
	own := example(t)
	own.Levels = []string{"CONTOSO_REVIEWED", BuildUnevaluated, "SLSA_SOURCE_LEVEL_4"}
	for i, want := range []Summary{example(t), minimal, failed, own} {
		data, err := want.Bytes()
		must(t, err)
		got, err := Read(data)
		must(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d: read back\n%+v, want\n%+v", i, got, want)
		}
	}
	mixed := own
	mixed.TimeVerified = mixed.TimeVerified.In(time.FixedZone("", 3600))
	mixed.InputAttestations = []Descriptor{own.InputAttestations[1], own.InputAttestations[0]}
	mixed.Levels = []string{own.Levels[2], own.Levels[0], own.Levels[1]}
	a, err := own.Bytes()
	must(t, err)
	b, err := mixed.Bytes()
	must(t, err)
	if string(a) != string(b) {
		t.Errorf("in another order it is\n%s, want\n%s", b, a)
	}
}

// TestOthersReadIt: in-toto's own types read what is written, and take it for the same.
func TestOthersReadIt(t *testing.T) {
	data, err := example(t).Bytes()
	must(t, err)
	var s ita1.Statement
	must(t, protojson.Unmarshal(data, &s))
	predicate, err := s.GetPredicate().MarshalJSON()
	must(t, err)
	var vsa vsapb.VerificationSummary
	must(t, (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(predicate, &vsa)) // verifier.version is newer than the type
	if vsa.GetVerifier().GetId() != example(t).Verifier.ID || vsa.GetVerificationResult() != "PASSED" || len(vsa.GetInputAttestations()) != 2 ||
		!vsa.GetTimeVerified().AsTime().Equal(example(t).TimeVerified) || vsa.GetPolicy().GetDigest()["sha256"] != digest(t, "9ab04e").Hex() {
		t.Errorf("they read %v", &vsa)
	}
}

// TestReadsOthers: the format's own example, of another program, with fields that this one does not know.
func TestReadsOthers(t *testing.T) {
	const foreign = `{"_type": "https://in-toto.io/Statement/v1",
		"subject": [{"name": "out/example-1.2.3.tar.gz", "digest": {"sha256": "%s", "sha512": "%s"}}],
		"predicateType": "https://slsa.dev/verification_summary/v1",
		"predicate": {"verifier": {"id": "https://example.com/publication_verifier", "https://example.com/region": "eu"},
			"timeVerified": "1985-04-12T23:20:50.52Z", "resourceUri": "https://example.com/example-1.2.3.tar.gz",
			"policy": {"uri": "https://example.com/example_tarball.policy", "digest": {"gitCommit": "%s"}, "annotations": {"a": 1}},
			"verificationResult": "PASSED", "verifiedLevels": ["SLSA_BUILD_LEVEL_3"], "dependencyLevels": {"SLSA_BUILD_LEVEL_3": 5}}}`
	commit := strings.Repeat("0d", 20)
	s, err := Read(fmt.Appendf(nil, foreign, digest(t, "5678").Hex(), strings.Repeat("ab", 64), commit))
	must(t, err)
	if s.Subjects[0].Digest[provenance.SHA256] != digest(t, "5678") || len(s.Subjects[0].Digest) != 1 || s.Levels[0] != "SLSA_BUILD_LEVEL_3" ||
		s.Policy.Digest[provenance.GitCommit].Hex() != commit || s.TimeVerified.Year() != 1985 {
		t.Errorf("read %+v", s)
	}
}

// TestReadRefuses: each statement differs from a good one in one place.
func TestReadRefuses(t *testing.T) {
	predicate := func(s map[string]any) map[string]any { return s["predicate"].(map[string]any) }
	set := func(key string, value any) func(map[string]any) {
		return func(s map[string]any) { predicate(s)[key] = value }
	}
	drop := func(key string) func(map[string]any) {
		return func(s map[string]any) { delete(predicate(s), key) }
	}
	rename := func(from, to string) func(map[string]any) {
		return func(s map[string]any) { predicate(s)[to] = predicate(s)[from]; delete(predicate(s), from) }
	}
	subject := func(digests map[string]any) func(map[string]any) {
		return func(s map[string]any) { s["subject"] = []any{map[string]any{"digest": digests}} }
	}
	hex := digest(t, "a").Hex()
	many := map[string]any{}
	for i := range maxDigests + 1 {
		many[fmt.Sprintf("sha%d", i+1000)] = "ab"
	}
	for name, c := range map[string]struct {
		code string
		edit func(map[string]any)
	}{
		"another kind of statement":  {CodePredicateType, func(s map[string]any) { s["predicateType"] = provenance.PredicateType }},
		"an older version":           {CodePredicateType, func(s map[string]any) { s["predicateType"] = "https://slsa.dev/verification_summary/v0.2" }},
		"no statement":               {CodeMalformed, func(s map[string]any) { s["_type"] = "https://in-toto.io/Statement/v9" }},
		"no subject":                 {CodeMalformed, func(s map[string]any) { s["subject"] = []any{} }},
		"no predicate":               {CodeMalformed, func(s map[string]any) { delete(s, "predicate") }},
		"no verifier":                {CodeMalformed, drop("verifier")},
		"no verifier's id":           {CodeMalformed, set("verifier", map[string]any{"version": map[string]any{}})},
		"no resource":                {CodeMalformed, drop("resourceUri")},
		"no policy":                  {CodeMalformed, drop("policy")},
		"no policy's URI":            {CodeMalformed, set("policy", map[string]any{"digest": map[string]any{"sha256": hex}})},
		"no result":                  {CodeMalformed, drop("verificationResult")},
		"no levels":                  {CodeMalformed, drop("verifiedLevels")},
		"levels are null":            {CodeMalformed, set("verifiedLevels", nil)},
		"an input without a digest":  {CodeMalformed, set("inputAttestations", []any{map[string]any{"uri": "https://example.com/a"}})},
		"a result that is a number":  {CodeMalformed, set("verificationResult", 1)},
		"levels that are a text":     {CodeMalformed, set("verifiedLevels", BuildLevel1)},
		"a verifier that is a text":  {CodeMalformed, set("verifier", "https://example.com")},
		"inputs that are an object":  {CodeMalformed, set("inputAttestations", map[string]any{"uri": "a"})},
		"a version that is a text":   {CodeMalformed, set("verifier", map[string]any{"id": "https://example.com", "version": "1"})},
		"a time that is none":        {CodeMalformed, set("timeVerified", "yesterday")},
		"a time that is a number":    {CodeMalformed, set("timeVerified", 17)},
		"a count that is a text":     {CodeMalformed, set("dependencyLevels", map[string]any{"SLSA_BUILD_LEVEL_1": "many"})},
		"a key in another case":      {CodeMalformed, rename("verificationResult", "VerificationResult")},
		"protobuf's name of a key":   {CodeMalformed, rename("verificationResult", "verification_result")},
		"a second key, misspelled":   {CodeMalformed, set("resource_uri", "oci://elsewhere")},
		"a misspelled key deeper":    {CodeMalformed, set("policy", map[string]any{"uri": "a", "URI": "b"})},
		"a misspelled verifier's":    {CodeMalformed, set("verifier", map[string]any{"id": "https://example.com", "Version": map[string]any{}})},
		"a misspelled subject's":     {CodeMalformed, func(s map[string]any) { s["subject"] = []any{map[string]any{"Digest": map[string]any{"sha256": hex}}} }},
		"a misspelled type":          {CodeMalformed, func(s map[string]any) { s["type"] = s["_type"] }},
		"an unknown result":          {CodeUnknownResult, set("verificationResult", "SKIPPED")},
		"a result in lower case":     {CodeUnknownResult, set("verificationResult", "passed")},
		"a level that is none":       {CodeUnknownLevel, set("verifiedLevels", []any{"SLSA_BUILD_LEVEL_4"})},
		"a level with two digits":    {CodeUnknownLevel, set("verifiedLevels", []any{"SLSA_BUILD_LEVEL_10"})},
		"a level of an own track":    {CodeUnknownLevel, set("verifiedLevels", []any{"SLSA_CONTOSO_LEVEL_1"})},
		"an empty level":             {CodeUnknownLevel, set("verifiedLevels", []any{""})},
		"two levels of one track":    {CodeContradiction, set("verifiedLevels", []any{"SLSA_BUILD_LEVEL_1", "SLSA_BUILD_LEVEL_3"})},
		"a level, and not evaluated": {CodeContradiction, set("verifiedLevels", []any{BuildUnevaluated, "SLSA_BUILD_LEVEL_3"})},
		"passed, with failed":        {CodeContradiction, set("verifiedLevels", []any{LevelFailed})},
		"a digest that is no hex":    {CodeDigest, set("policy", map[string]any{"uri": "a", "digest": map[string]any{"sha256": "xyz"}})},
		"a digest in upper case":     {CodeDigest, subject(map[string]any{"sha256": strings.ToUpper(hex)})},
		"a digest that is too short": {CodeDigest, subject(map[string]any{"sha256": "abcd"})},
		"an empty digest":            {CodeDigest, subject(map[string]any{"sha256": ""})},
		"an algorithm in upper case": {CodeDigest, subject(map[string]any{"SHA256": hex})},
		"an unknown one, no hex":     {CodeDigest, subject(map[string]any{"sha512": "zz"})},
		"an input's digest":          {CodeDigest, set("inputAttestations", []any{map[string]any{"digest": map[string]any{"sha256": "0"}}})},
		"too many digests":           {CodeLimit, subject(many)},
		"too many subjects": {CodeLimit, func(s map[string]any) {
			s["subject"] = slices.Repeat([]any{map[string]any{"digest": map[string]any{"sha256": hex}}}, maxSubjects+1)
		}},
	} {
		s := written(t)
		c.edit(s)
		data, err := json.Marshal(s)
		must(t, err)
		got, err := Read(data)
		var refused *provenance.Refused
		if !errors.As(err, &refused) || refused.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
		if !reflect.DeepEqual(got, Summary{}) {
			t.Errorf("%s: refused, and still read: %+v", name, got)
		}
	}
}

// TestReadRefusesBytes: what no JSON library could write.
func TestReadRefusesBytes(t *testing.T) {
	data, err := example(t).Bytes()
	must(t, err)
	for name, payload := range map[string]string{
		"nothing":          "",
		"no JSON":          "PASSED",
		"a list":           "[]",
		"a key twice":      strings.Replace(string(data), `"verificationResult"`, `"verificationResult":"FAILED","verificationResult"`, 1),
		"in another case":  strings.Replace(string(data), `"verificationResult"`, `"VERIFICATIONRESULT":"FAILED","verificationResult"`, 1),
		"two values":       string(data) + "{}",
		"deeper than JSON": strings.Replace(string(data), `"slsaVersion"`, `"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`,"slsaVersion"`, 1),
		"too large":        strings.Replace(string(data), `"slsaVersion"`, `"x":"`+strings.Repeat("a", provenance.MaxStatement)+`","slsaVersion"`, 1),
	} {
		_, err := Read([]byte(payload))
		var refused *provenance.Refused
		if !errors.As(err, &refused) || refused.Code != CodeMalformed || len(refused.Detail) > 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBytesRefuses: nothing is written that could not be read; that is an error, and no verdict.
func TestBytesRefuses(t *testing.T) {
	for name, edit := range map[string]func(*Summary){
		"nothing":     func(s *Summary) { *s = Summary{} },
		"no subject":  func(s *Summary) { s.Subjects = nil },
		"no digest":   func(s *Summary) { s.Subjects[0].Digest = nil },
		"no verifier": func(s *Summary) { s.Verifier.ID = "" },
		"no level":    func(s *Summary) { s.Levels = nil },
		"a level":     func(s *Summary) { s.Levels = []string{"SLSA_BUILD_LEVEL_9"} },
		"a result":    func(s *Summary) { s.Result = "MAYBE" },
		"an input":    func(s *Summary) { s.InputAttestations[0].Digest = nil },
		"a year":      func(s *Summary) { s.TimeVerified = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		s := example(t)
		edit(&s)
		data, err := s.Bytes()
		var refused *provenance.Refused
		if err == nil || errors.As(err, &refused) || data != nil {
			t.Errorf("%s: %v, %s", name, err, data)
		}
	}
}

// TestSpecification: the page's example is what the program writes and reads, and the page explains every field and code.
func TestSpecification(t *testing.T) {
	const page = "../spec/verification-summary.md"
	text, err := os.ReadFile(page)
	must(t, err)
	before, rest, found := strings.Cut(string(text), "```json\n")
	got, after, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("the page has no example")
	}
	data, err := example(t).Bytes()
	must(t, err)
	var pretty strings.Builder
	enc := json.NewEncoder(&pretty)
	enc.SetIndent("", "  ")
	must(t, enc.Encode(json.RawMessage(data)))
	if want := pretty.String(); *update {
		must(t, os.WriteFile(page, []byte(before+"```json\n"+want+"```\n"+after), 0o644))
	} else if got != want {
		t.Errorf("the page's example is not what the program writes; look at the difference and run with -update:\n%s", want)
	}
	if s, err := Read([]byte(got)); !*update && (err != nil || !reflect.DeepEqual(s, example(t))) {
		t.Errorf("the page's example reads as %+v, %v", s, err)
	}
	explained := 0
	for _, m := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(got, -1) {
		explained++
		if name := m[1]; !strings.Contains(after, "`"+name) && !strings.Contains(after, "."+name+"`") && name != "sha256" {
			t.Errorf("the page does not explain %s", name)
		}
	}
	for _, file := range []string{"statement.go", "check.go"} {
		source, err := os.ReadFile(file)
		must(t, err)
		for _, m := range regexp.MustCompile(`"(summary\.\w+)"`).FindAllStringSubmatch(string(source), -1) {
			explained++
			if !strings.Contains(after, "`"+m[1]+"`") {
				t.Errorf("the page does not explain the code %s", m[1])
			}
		}
	}
	if explained < 25 {
		t.Errorf("only %d names were looked for", explained)
	}
}
