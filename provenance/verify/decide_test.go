package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// scene is one decision about one statement of one builder, unless a test changes it.
type scene struct {
	*night
	t       testing.TB
	builder signer
	policy  string // of the builder's key "cosign.pub"; empty: none
	raw     [][]byte
	in      Input
}

// newScene is the good night, index "1" asked for, no policy.
func newScene(t testing.TB) *scene {
	return &scene{night: goodNight(t), t: t, builder: newSigner(t, "cosign.pub"),
		in: Input{Image: sha(t, "1"), Repository: "contoso.azurecr.io/mortgage", Reference: "20261123.1", Members: members(t),
			Now: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}}
}

// attach signs another night with the builder's key.
func (s *scene) attach(n *night) { s.raw = append(s.raw, s.builder.sign(s.t, n.payload(s.t))) }

// decide does what cmd does.
func (s *scene) decide() Result {
	s.t.Helper()
	if s.policy != "" {
		s.in.Policy = policyOf(s.t, s.policy, s.builder)
	}
	var keys []envelope.Verifier
	if s.in.Policy == nil || s.in.Policy.Builders == nil {
		keys = []envelope.Verifier{s.builder.verifier}
	}
	var err error
	s.in.Trust, s.in.Builders, err = Believe(s.in.Policy, keys, nil)
	must(s.t, err)
	for i, raw := range s.raw {
		s.in.Candidates = append(s.in.Candidates, candidate(fmt.Sprintf("place %d", i), raw, s.in.Trust.Verifiers...))
	}
	return Decide(context.Background(), s.in)
}

func codes(findings []Finding) (all []string) {
	for _, f := range findings {
		all = append(all, f.Code)
	}
	return all
}

// expect holds a verdict and the findings' codes against what they have to be.
func expect(t *testing.T, r Result, verdict Verdict, want ...string) {
	t.Helper()
	if got := codes(r.Findings); r.Verdict != verdict || !slices.Equal(got, want) {
		t.Fatalf("%s %q, want %s %q; findings %+v", r.Verdict, got, verdict, want, r.Findings)
	}
}

const wholePolicy = `version: 1
builders: [{id: "` + builderID + `", keys: [cosign.pub]}]
source: {repository: "https://DEV.azure.com/contoso/Mortgage/_git/mortgage.git", branches: [release/*, main], clean: true}
data: {roots: ["https://contoso.blob.core.windows.net/mortgages"], basis: observed}
databricks: {result: SUCCESS, basis: reported}
model: {inImage: true, path: /app/model.bin, basis: observed}
`

func TestAcceptsAGoodNight(t *testing.T) {
	for name, policy := range map[string]string{"with a policy": wholePolicy, "without": ""} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.policy = policy
			s.attach(s.night)
			r := s.decide()
			expect(t, r, Accepted)
			if len(r.Warnings) != 0 || r.Attestation == nil {
				t.Fatalf("warnings %+v, attestation %v", r.Warnings, r.Attestation)
			}
			a := r.Attestation
			if a.Record.Commit.ID != s.commit.ID || a.Signer.Name != "cosign.pub" || a.Statement != provenance.SumSHA256(s.payload(t)) {
				t.Errorf("attestation is %+v", a)
			}
			if (r.PolicyName == "policy.yaml") != (policy != "") || r.PolicyDigest.IsZero() != (policy == "") {
				t.Errorf("policy is %q %s", r.PolicyName, r.PolicyDigest)
			}
			if r.Image != s.in.Image || r.Repository != s.in.Repository || r.Reference != s.in.Reference || r.Time != s.in.Now || r.Recheck != RecheckNone {
				t.Errorf("result is %+v", r)
			}
		})
	}
}

func TestBothFormsCountOnce(t *testing.T) {
	s := newScene(t)
	s.attach(s.night)
	s.raw = append(s.raw, bundle(t, s.raw[0]))
	r := s.decide()
	expect(t, r, Accepted)
	if got := r.Attestation; !slices.Equal(got.Forms, []string{"att", "bundle"}) || !slices.Equal(got.Where, []string{"place 0", "place 1"}) {
		t.Errorf("forms %q at %q", got.Forms, got.Where)
	}
	if l := List(context.Background(), s.in); len(l) != 1 {
		t.Errorf("listed %d times", len(l))
	}
}

// TestStatement breaks everything that makes a payload a statement of ours about this image.
func TestStatement(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*scene)
		verdict Verdict
		code    string
	}{
		"statement v0.1":    {edit(func(f map[string]any) { f["_type"] = "https://in-toto.io/Statement/v0.1" }), Accepted, ""},
		"other _type":       {edit(func(f map[string]any) { f["_type"] = "https://in-toto.io/Statement/v2" }), Refused, "statement.type"},
		"no _type":          {edit(func(f map[string]any) { delete(f, "_type") }), Refused, "statement.type"},
		"other predicate":   {edit(func(f map[string]any) { f["predicateType"] = "https://spdx.dev/Document" }), Refused, "statement.predicateType"},
		"other build type":  {edit(func(f map[string]any) { definition(f)["buildType"] = "https://example.com/other" }), Refused, "statement.buildType"},
		"no builder":        {edit(func(f map[string]any) { delete(run(f), "builder") }), Refused, "statement.malformed"},
		"no commit":         {edit(func(f map[string]any) { definition(f)["resolvedDependencies"] = []any{} }), Refused, "statement.malformed"},
		"no image":          {edit(func(f map[string]any) { run(f)["byproducts"] = []any{} }), Refused, "statement.malformed"},
		"no subject":        {edit(func(f map[string]any) { f["subject"] = []any{} }), Refused, "statement.malformed"},
		"upper-case digest": {edit(addSubject("x", "SHA256", strings.Repeat("a", 64))), Refused, "subject.foreign"},
		"malformed digest":  {edit(addSubject("x", "sha256", strings.Repeat("A", 64))), Refused, "statement.malformed"},
		"many subjects":     {edit(manySubjects(maxSubjects)), Refused, "statement.limit"},
		"many digests":      {edit(manyDigests), Refused, "statement.limit"},
		"another image":     {func(s *scene) { s.in.Image = sha(t, "9") }, Refused, "subject.mismatch"},
		"subject swapped":   {edit(func(f map[string]any) { swapSubject(f, strings.Repeat("9", 64)) }), Refused, "subject.mismatch"},
		"model by sha256":   {edit(addSubject("model/mortgage", "sha256", strings.Repeat("9", 64))), Refused, "subject.foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.policy = wholePolicy
			c.change(s)
			s.attach(s.night)
			r := s.decide()
			if c.code == "" {
				expect(t, r, c.verdict)
				return
			}
			expect(t, r, c.verdict, c.code)
			if r.Findings[0].Where != "place 0" || r.Attestation != nil {
				t.Errorf("finding at %q, attestation %v", r.Findings[0].Where, r.Attestation)
			}
		})
	}
}

// TestModelWhoseBytesAreAManifest is the attack on statements that name a model by its sha256: its bytes are the manifest
// of an image that nobody built, and the statement is about both.
func TestModelWhoseBytesAreAManifest(t *testing.T) {
	attacked := strings.Repeat("9", 64)
	for name, members := range map[string]func(context.Context, provenance.Digest) ([]provenance.Digest, error){
		"registry": members(t), "offline": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			edit(addSubject("model/mortgage", "sha256", attacked))(s)
			s.in.Image, s.in.Members = sha(t, "9"), members
			s.attach(s.night)
			r := s.decide()
			if r.Verdict != Refused || r.Attestation != nil {
				t.Fatalf("%s %+v", r.Verdict, r.Findings)
			}
		})
	}
}

func TestPlatforms(t *testing.T) {
	offline := func(s *scene) { s.in.Members = nil }
	failing := func(err error) func(*scene) {
		return func(s *scene) {
			s.in.Members = func(context.Context, provenance.Digest) ([]provenance.Digest, error) { return nil, err }
		}
	}
	for name, c := range map[string]struct {
		image   string
		change  func(*scene)
		verdict Verdict
		code    string
	}{
		"platform, registry":              {"2", func(*scene) {}, Accepted, ""},
		"platform, offline":               {"2", offline, Undecided, "subject.unproved"},
		"platform, registry fails":        {"2", failing(errors.New("connection refused")), Undecided, "subject.unproved"},
		"index, registry fails":           {"1", failing(errors.New("connection refused")), Undecided, "subject.unproved"},
		"registry says it is no index":    {"2", failing(provenance.Refuse("image.notIndex", "", "it is no index")), Refused, "subject.foreign"},
		"platform that is no member":      {"9", func(s *scene) { s.image.Platforms[0].Digest = sha(t, "9") }, Refused, "subject.foreign"},
		"index with a foreign member":     {"1", func(s *scene) { s.image.Platforms[0].Digest = sha(t, "9") }, Refused, "subject.foreign"},
		"single image, offline":           {"8", func(s *scene) { offline(s); single(s, sha(t, "8")) }, Accepted, ""},
		"single image, registry fails":    {"8", func(s *scene) { failing(errors.New("x"))(s); single(s, sha(t, "8")) }, Accepted, ""},
		"offline, malformed beats doubt":  {"2", func(s *scene) { offline(s); edit(addSubject("x", "sha256", strings.Repeat("9", 64)))(s) }, Refused, "subject.unproved"},
		"offline, index, foreign subject": {"1", func(s *scene) { offline(s); edit(addSubject("x", "sha256", strings.Repeat("9", 64)))(s) }, Refused, "statement.malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.in.Image = sha(t, c.image)
			c.change(s)
			s.attach(s.night)
			r := s.decide()
			if r.Verdict != c.verdict || (c.code != "") != slices.Contains(codes(r.Findings), c.code) {
				t.Fatalf("%s %+v, want %s %s", r.Verdict, r.Findings, c.verdict, c.code)
			}
		})
	}
}

func TestOfflineIndexWarnsAboutItsSiblings(t *testing.T) {
	s := newScene(t)
	s.in.Members = nil
	s.attach(s.night)
	r := s.decide()
	expect(t, r, Accepted)
	if got := codes(r.Warnings); !slices.Equal(got, []string{"subject.unproved"}) {
		t.Errorf("warnings %q", got)
	}
}

func TestSignatures(t *testing.T) {
	t.Run("nothing attached", func(t *testing.T) {
		r := newScene(t).decide()
		expect(t, r, Refused, "signature.none")
		if r.Findings[0].Hint == "" {
			t.Error("no hint")
		}
	})
	t.Run("another key", func(t *testing.T) {
		s := newScene(t)
		s.raw = append(s.raw, newSigner(t, "other.pub").sign(t, s.payload(t)))
		expect(t, s.decide(), Refused, "signature.key")
	})
	t.Run("edited payload", func(t *testing.T) {
		s := newScene(t)
		s.attach(s.night)
		other := goodNight(t)
		other.commit.Subject = "Something else"
		from, to := encode(s.payload(t)), encode(other.payload(t))
		s.raw[0] = []byte(strings.Replace(string(s.raw[0]), from, to, 1))
		r := s.decide()
		if r.Verdict != Refused || !strings.HasPrefix(r.Findings[0].Code, "signature.") {
			t.Fatalf("%s %+v", r.Verdict, r.Findings)
		}
	})
	t.Run("only something foreign", func(t *testing.T) {
		s := newScene(t)
		s.in.Candidates = []Candidate{{Where: "cosign sign", Err: provenance.Refuse(envelope.CodeForeign, "", "it holds no statement")}}
		r := s.decide()
		expect(t, r, Refused, "signature.none")
		if got := codes(r.Warnings); !slices.Equal(got, []string{envelope.CodeForeign}) {
			t.Errorf("warnings %q", got)
		}
	})
	t.Run("zero Verified", func(t *testing.T) {
		s := newScene(t)
		s.in.Candidates = []Candidate{{Where: "nowhere"}}
		expect(t, s.decide(), Refused, "signature.key")
	})
	t.Run("opened with a key that is not believed", func(t *testing.T) {
		s := newScene(t)
		other := newSigner(t, "other.pub")
		s.in.Candidates = []Candidate{candidate("x", other.sign(t, s.payload(t)), other.verifier)}
		expect(t, s.decide(), Refused, "signature.key")
	})
	t.Run("no verifiers at all", func(t *testing.T) {
		s := newScene(t)
		in := s.in
		in.Candidates = []Candidate{candidate("x", s.builder.sign(t, s.payload(t)), s.builder.verifier)}
		expect(t, Decide(context.Background(), in), Refused, "signature.key")
	})
}

func TestNeighboursAreWarnings(t *testing.T) {
	s := newScene(t)
	s.attach(s.night)
	s.raw = append(s.raw, []byte(`{`), newSigner(t, "other.pub").sign(t, s.payload(t)),
		s.builder.sign(t, []byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://spdx.dev/Document","subject":[],"predicate":{}}`)))
	s.in.Candidates = []Candidate{{Where: "oversize", Err: errors.New("more than 8 MiB")}}
	r := s.decide()
	expect(t, r, Accepted)
	want := []string{"statement.predicateType", "attestations.unreadable", "envelope.malformed", "signature.key"}
	if got := codes(r.Warnings); !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
}

// TestPartialListIsNoPass: what nobody listed could be a statement that contradicts the accepted one.
func TestPartialListIsNoPass(t *testing.T) {
	s := newScene(t)
	s.attach(s.night)
	s.in.FetchError = errors.New("a million referrers")
	expect(t, s.decide(), Undecided, "attestations.partial")
	s.in.FetchError = nil
	foreign := Candidate{Where: "x", Err: provenance.Refuse(envelope.CodeForeign, "", "foreign")}
	s.in.Candidates = slices.Repeat([]Candidate{foreign}, MaxCandidates)
	if r := s.decide(); r.Verdict != Undecided || r.Findings[0].Code != "attestations.limit" {
		t.Errorf("%s %q", r.Verdict, codes(r.Findings))
	}
}

func TestUndecided(t *testing.T) {
	unreadable := Candidate{Where: "oversize", Err: provenance.WithHint(errors.New("more than 8 MiB"), "look at it")}
	for name, c := range map[string]struct {
		change func(*scene)
		codes  []string
	}{
		"unreadable and nothing else": {func(s *scene) { s.in.Candidates = []Candidate{unreadable} }, []string{"attestations.unreadable"}},
		"fetch failed":                {func(s *scene) { s.in.FetchError = errors.New("denied") }, []string{"attestations.partial"}},
		"unreadable beside a refused one": {func(s *scene) {
			s.policy = "version: 1\nsource: {branches: [other]}"
			s.attach(s.night)
			s.in.Candidates = []Candidate{unreadable}
		}, []string{"source.branch", "attestations.unreadable"}},
		"unreadable beside a wrong key": {func(s *scene) {
			s.raw = append(s.raw, newSigner(t, "other.pub").sign(t, s.payload(t)))
			s.in.Candidates = []Candidate{unreadable}
		}, []string{"attestations.unreadable", "signature.key"}},
		"too many": {func(s *scene) {
			foreign := Candidate{Where: "x", Err: provenance.Refuse(envelope.CodeForeign, "", "foreign")}
			s.in.Candidates = slices.Repeat([]Candidate{foreign}, MaxCandidates+1)
		}, append([]string{"attestations.limit"}, slices.Repeat([]string{envelope.CodeForeign}, MaxCandidates)...)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			c.change(s)
			expect(t, s.decide(), Undecided, c.codes...)
		})
	}
}

func TestDisagreement(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*night)
		codes  []string
	}{
		"commit":          {func(n *night) { n.commit.ID = digest(t, provenance.GitCommit, "a") }, []string{"disagree.commit"}},
		"data":            {func(n *night) { n.data[0] = folder(t, "train", n.data[0].URI, "c") }, []string{"disagree.data"}},
		"role":            {func(n *night) { n.data[0].Role = "test" }, []string{"disagree.data"}},
		"more data":       {func(n *night) { n.data = append(n.data, folder(t, "test", "https://h/x", "c")) }, []string{"disagree.data"}},
		"no data":         {func(n *night) { n.data = nil }, []string{"disagree.data"}},
		"model":           {func(n *night) { n.model.Digest = digest(t, provenance.DirHash, "a") }, []string{"disagree.model"}},
		"no model":        {func(n *night) { n.model = nil }, []string{"disagree.model"}},
		"commit and data": {func(n *night) { n.commit.ID = digest(t, provenance.GitCommit, "a"); n.data = nil }, []string{"disagree.commit", "disagree.data"}},
		"another address": {func(n *night) { n.data[0].URI = "https://contoso.blob.core.windows.net/mortgages/20261122T0000" }, nil},
		"another night":   {func(n *night) { n.pipeline.InvocationID += "0" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.attach(s.night)
			other := goodNight(t)
			c.change(other)
			s.attach(other)
			r := s.decide()
			if c.codes == nil {
				expect(t, r, Accepted)
				return
			}
			expect(t, r, Refused, c.codes...)
			if d := r.Findings[0].Detail; !strings.Contains(d, "place 0") || !strings.Contains(d, "place 1") {
				t.Errorf("does not list both: %s", d)
			}
			s.in.Candidates, s.policy = nil, "version: 1\nmodel: {inImage: false}\nallowDisagreement: true"
			expect(t, s.decide(), Accepted)
		})
	}
}

// TestDisagreementOfAStatementThatThePolicyRefuses: what one believed builder says counts against the image, even when it
// would not count for it, and even beside something unreadable.
func TestDisagreementOfAStatementThatThePolicyRefuses(t *testing.T) {
	s := newScene(t)
	s.policy = wholePolicy
	s.attach(s.night)
	other := goodNight(t)
	other.commit.ID, other.commit.Ref = digest(t, provenance.GitCommit, "a"), "refs/heads/other"
	s.attach(other)
	s.in.Candidates = []Candidate{{Where: "x", Err: errors.New("oversize")}}
	r := s.decide()
	expect(t, r, Refused, "disagree.commit")
	if got := codes(r.Warnings); !slices.Equal(got, []string{"source.branch", "attestations.unreadable"}) {
		t.Errorf("warnings %q", got)
	}
}

// TestFactsAreNeverMixed: each of two statements breaks another rule; together they would satisfy both.
func TestFactsAreNeverMixed(t *testing.T) {
	s := newScene(t)
	s.policy = wholePolicy
	s.commit.Ref = "refs/heads/other"
	s.attach(s.night)
	other := goodNight(t)
	other.commit.Dirty = true
	s.attach(other)
	r := s.decide()
	expect(t, r, Refused, "source.branch", "source.clean")
	if r.Findings[0].Where == r.Findings[1].Where {
		t.Error("both findings are about the same statement")
	}
	third := goodNight(t)
	s.in.Candidates = nil
	s.attach(third)
	r = s.decide()
	expect(t, r, Accepted)
	if len(r.Warnings) != 2 || r.Attestation.Where[0] != "place 2" {
		t.Errorf("warnings %+v; attestation at %q", r.Warnings, r.Attestation.Where)
	}
}

// TestTheNearestStatementGivesTheReasons: what is no statement of ours, or of another key, only warns beside one that is.
func TestTheNearestStatementGivesTheReasons(t *testing.T) {
	s := newScene(t)
	s.policy = "version: 1\nsource: {branches: [other]}"
	copied := goodNight(t)
	single(&scene{night: copied}, sha(t, "9"))
	copied.model = nil
	s.attach(copied)
	s.attach(s.night)
	s.raw = append(s.raw, newSigner(t, "other.pub").sign(t, s.payload(t)))
	r := s.decide()
	expect(t, r, Refused, "source.branch")
	if got := codes(r.Warnings); !slices.Equal(got, []string{"subject.mismatch", "signature.key"}) || r.Attestation == nil {
		t.Errorf("warnings %q, attestation %v", got, r.Attestation)
	}
}

// TestTheNewestIsShown: among statements that all pass.
func TestTheNewestIsShown(t *testing.T) {
	for i, order := range [][]time.Duration{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		s := newScene(t)
		for _, hours := range order {
			n := goodNight(t)
			n.pipeline.Finished = n.pipeline.Finished.Add(hours * time.Hour)
			s.attach(n)
		}
		r := s.decide()
		expect(t, r, Accepted)
		if got := r.Attestation.Record.Pipeline.Finished; got != s.pipeline.Finished.Add(2*time.Hour) {
			t.Errorf("order %d: shows the one of %s", i, got)
		}
	}
}
