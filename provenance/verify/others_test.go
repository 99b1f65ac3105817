package verify

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/summary"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
)

// about is a statement of any kind about an image.
func about(t testing.TB, image provenance.Digest, kind string, predicate any) []byte {
	return marshal(t, map[string]any{"_type": "https://in-toto.io/Statement/v1", "predicateType": kind, "predicate": predicate,
		"subject": []any{map[string]any{"name": "mortgage", "digest": map[string]string{"sha256": image.Hex()}}}})
}

const spdx = "https://spdx.dev/Document"

func testResult(t testing.TB, result string) []byte {
	return about(t, sha(t, "1"), policy.TypeTestResult, map[string]any{"result": result, "configuration": []any{}})
}

// passed is a verification summary of the image "1" by a policy.
func passed(t testing.TB, change func(*summary.Summary)) []byte {
	t.Helper()
	s := summary.Summary{Subjects: []summary.Subject{{Name: "contoso.azurecr.io/mortgage", Digest: provenance.Digests(sha(t, "1"))}},
		Verifier: summary.Verifier{ID: "https://contoso.com/gate"}, TimeVerified: at(23, 4), ResourceURI: summary.ResourceURI("contoso.azurecr.io/mortgage", sha(t, "1")),
		Policy: summary.Descriptor{URI: "https://contoso.com/policy", Digest: provenance.Digests(sha(t, "a"))}, Result: summary.Passed, Levels: []string{summary.BuildLevel1}, SLSAVersion: summary.SLSAVersion}
	if change != nil {
		change(&s)
	}
	data, err := s.Bytes()
	must(t, err)
	return data
}

// TestOtherAttestations: each has to be there, from whom the policy says, about this image, and to say what the policy asks for.
func TestOtherAttestations(t *testing.T) {
	const (
		tests = `attestations: [{name: tests, type: "https://in-toto.io/attestation/test-result/v0.1", keys: [other.pub], result: PASSED}]`
		sbom  = `attestations: [{name: sbom, type: "https://spdx.dev/Document", keys: [other.pub]}]`
		gate  = `attestations: [{name: gate, type: "https://slsa.dev/verification_summary/v1", keys: [other.pub], vsa: {verifier: "https://contoso.com/gate", levels: [SLSA_BUILD_LEVEL_1], policies: ["sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]}}]`
		plain = `attestations: [{name: gate, type: "https://slsa.dev/verification_summary/v1", keys: [other.pub]}]`
	)
	builder, other, stranger := newSigner(t, "cosign.pub"), newSigner(t, "other.pub"), newSigner(t, "stranger.pub")
	for name, c := range map[string]struct {
		rules   string
		by      signer
		payload [][]byte
		verdict Verdict
		codes   string
	}{
		"gate, here":                {strings.Replace(plain, "}]", `, vsa: {repositories: [contoso.azurecr.io/mortgage]}}]`, 1), other, [][]byte{passed(t, nil)}, Accepted, ""},
		"gate, copied":              {strings.Replace(plain, "}]", `, vsa: {repositories: [contoso.azurecr.io/production]}}]`, 1), other, [][]byte{passed(t, nil)}, Refused, "summary.resource"},
		"test passed":               {tests, other, [][]byte{testResult(t, "PASSED")}, Accepted, ""},
		"test failed":               {tests, other, [][]byte{testResult(t, "FAILED")}, Refused, "attestation.result"},
		"test passed, and shouted":  {tests, other, [][]byte{about(t, sha(t, "1"), policy.TypeTestResult, map[string]any{"RESULT": "PASSED"})}, Refused, "attestation.result"},
		"test failed, and shouted":  {tests, other, [][]byte{about(t, sha(t, "1"), policy.TypeTestResult, map[string]any{"result": "FAILED", "Result": "PASSED"})}, Refused, "attestation.missing"},
		"test of a number":          {tests, other, [][]byte{about(t, sha(t, "1"), policy.TypeTestResult, map[string]any{"result": 1})}, Refused, "attestation.result"},
		"test of no result":         {tests, other, [][]byte{about(t, sha(t, "1"), policy.TypeTestResult, map[string]any{})}, Refused, "attestation.result"},
		"test that is nonsense":     {tests, other, [][]byte{about(t, sha(t, "1"), policy.TypeTestResult, []any{1})}, Refused, "attestation.malformed"},
		"no test":                   {tests, other, nil, Refused, "attestation.missing"},
		"test by a stranger":        {tests, stranger, [][]byte{testResult(t, "PASSED")}, Refused, "attestation.missing"},
		"test by the builder":       {tests, builder, [][]byte{testResult(t, "PASSED")}, Refused, "attestation.missing"},
		"test of another image":     {tests, other, [][]byte{about(t, sha(t, "9"), policy.TypeTestResult, map[string]any{"result": "PASSED"})}, Refused, "attestation.missing"},
		"another kind":              {tests, other, [][]byte{about(t, sha(t, "1"), spdx, map[string]any{})}, Refused, "attestation.missing"},
		"one passed and one failed": {tests, other, [][]byte{testResult(t, "PASSED"), testResult(t, "FAILED")}, Refused, "attestation.result"},
		"only warned of":            {strings.Replace(tests, "}]", ", warn: true}]", 1), other, nil, Accepted, ""},
		"announced":                 {strings.Replace(tests, "}]", ", from: 2027-01-01}]", 1), other, nil, Accepted, ""},
		"maximum age, no timestamp": {strings.Replace(tests, "}]", ", maxAge: 24h}]", 1), other, [][]byte{testResult(t, "PASSED")}, Refused, "signature.time"},
		"key with a window":         {strings.Replace(tests, "[other.pub]", "[{key: other.pub, until: 2030-01-01}]", 1), other, [][]byte{testResult(t, "PASSED")}, Refused, "attestation.missing"},
		"rule about a test":         {tests + "\nrules: [{name: a, expression: 'attestations.tests.predicate.result == \"PASSED\"', message: m}]", other, [][]byte{testResult(t, "PASSED")}, Accepted, ""},
		"rule about no test":        {tests + "\nrules: [{name: a, expression: 'attestations.tests.predicate.result == \"PASSED\"', message: m}]", other, nil, Refused, "attestation.missing rule.a"},
		"rule that asks first":      {strings.Replace(tests, "}]", ", warn: true}]", 1) + "\nrules: [{name: a, expression: '!has(attestations.tests) || attestations.tests.predicate.result == \"PASSED\"', message: m}]", other, nil, Accepted, ""},
		"rule about a summary":      {plain + "\nrules: [{name: a, expression: 'attestations.gate.predicate.verifier.id == \"https://contoso.com/gate\" && attestations.gate.signer.name == \"other.pub\"', message: m}]", other, [][]byte{passed(t, nil)}, Accepted, ""},
		"rule about one of two":     {plain + "\nrules: [{name: a, expression: 'attestations.gate.predicate.verificationResult == \"PASSED\"', message: m}]", other, [][]byte{passed(t, nil), passed(t, func(s *summary.Summary) { s.TimeVerified = time.Time{} })}, Undecided, "rule.a"},
		"sbom":                      {sbom, other, [][]byte{about(t, sha(t, "1"), spdx, map[string]any{"name": "x"})}, Accepted, ""},
		"sbom of a platform":        {sbom, other, [][]byte{about(t, sha(t, "2"), spdx, map[string]any{"name": "x"})}, Refused, "attestation.missing"},

		"summary":                   {gate, other, [][]byte{passed(t, nil)}, Accepted, ""},
		"summary, nothing asked":    {plain, other, [][]byte{passed(t, nil)}, Accepted, ""},
		"no summary":                {gate, other, nil, Refused, "attestation.missing"},
		"summary of another image":  {gate, other, [][]byte{passed(t, func(s *summary.Summary) { s.Subjects[0].Digest = provenance.Digests(sha(t, "9")) })}, Refused, "attestation.missing"},
		"summary by another policy": {gate, other, [][]byte{passed(t, func(s *summary.Summary) { s.Policy.Digest = provenance.Digests(sha(t, "b")) })}, Refused, "summary.policy"},
		"summary by another gate":   {gate, other, [][]byte{passed(t, func(s *summary.Summary) { s.Verifier.ID = "https://contoso.com/other" })}, Refused, "summary.verifier"},
		"summary of no level":       {gate, other, [][]byte{passed(t, func(s *summary.Summary) { s.Levels = []string{summary.BuildUnevaluated} })}, Refused, "summary.level"},
		"summary that failed":       {plain, other, [][]byte{passed(t, func(s *summary.Summary) { s.Result, s.Levels = summary.Failed, []string{summary.LevelFailed} })}, Refused, "summary.failed"},
		"summary that is nonsense":  {plain, other, [][]byte{about(t, sha(t, "1"), policy.TypeVSA, map[string]any{"verificationResult": "PASSED"})}, Refused, "summary.malformed"},
		"summary by the builder":    {gate, builder, [][]byte{passed(t, nil)}, Refused, "attestation.missing"},
		"two summaries of one time": {gate, other, [][]byte{passed(t, nil), passed(t, func(s *summary.Summary) { s.Policy.Digest = provenance.Digests(sha(t, "b")) })}, Refused, "summary.policy"},
		"the newer one is bad":      {gate, other, [][]byte{passed(t, nil), passed(t, func(s *summary.Summary) { s.TimeVerified, s.Policy.Digest = at(23, 5), provenance.Digests(sha(t, "b")) })}, Refused, "summary.policy"},
		"the older one is bad":      {gate, other, [][]byte{passed(t, nil), passed(t, func(s *summary.Summary) { s.TimeVerified, s.Policy.Digest = at(23, 3), provenance.Digests(sha(t, "b")) })}, Accepted, ""},
		"one says no time": {gate, other, [][]byte{passed(t, nil), passed(t, func(s *summary.Summary) {
			s.TimeVerified, s.Policy.Digest = time.Time{}, provenance.Digests(sha(t, "b"))
		})}, Refused, "summary.policy"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.builder = builder
			s.in.Policy = policyOf(t, "version: 1\nbuilders: [{id: \""+builderID+"\", keys: [cosign.pub]}]\n"+c.rules, builder, other)
			s.attach(s.night)
			for _, payload := range c.payload {
				s.raw = append(s.raw, c.by.sign(t, payload))
			}
			r := s.decide()
			expect(t, r, c.verdict, strings.Fields(c.codes)...)
			for _, f := range r.Findings {
				if f.Detail == "" || f.Where == "" {
					t.Errorf("%+v", f)
				}
			}
			if c.verdict == Accepted && c.payload != nil && (len(r.Others) != 1 || r.Others[0].Where[0] != "place 1" || r.Others[0].Statement != provenance.SumSHA256(c.payload[0])) {
				t.Errorf("others %+v", r.Others)
			}
		})
	}
}

// TestWhyAnotherDoesNotCount: a signature that does not hold is told as what it is, and not as that of somebody whom nobody asked for,
// where it could be of whom the policy names.
func TestWhyAnotherDoesNotCount(t *testing.T) {
	builder, other := newSigner(t, "cosign.pub"), newSigner(t, "other.pub")
	for name, c := range map[string]struct{ code, claims, want, found string }{
		"another key":              {envelope.CodeKey, policy.TypeTestResult, envelope.CodeForeign, "1 of that type, by nobody whom the policy names"},
		"another identity":         {envelope.CodeIdentity, policy.TypeTestResult, envelope.CodeForeign, "1 of that type, by nobody whom the policy names"},
		"a certificate of no time": {envelope.CodeTime, policy.TypeTestResult, envelope.CodeTime, "1 of that type, whose signature or certificate does not hold"},
		"an unknown authority":     {envelope.CodeAuthority, policy.TypeTestResult, envelope.CodeAuthority, "1 of that type, whose signature or certificate does not hold"},
		"changed":                  {envelope.CodeInvalid, policy.TypeTestResult, envelope.CodeInvalid, "1 of that type, whose signature or certificate does not hold"},
		"changed, not asked for":   {envelope.CodeInvalid, spdx, envelope.CodeInvalid, "nothing"},
		"not asked for":            {envelope.CodeAuthority, spdx, envelope.CodeForeign, "nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.builder = builder
			s.in.Policy = policyOf(t, "version: 1\nbuilders: [{id: \""+builderID+"\", keys: [cosign.pub]}]\nattestations: [{name: tests, type: \""+policy.TypeTestResult+"\", keys: [other.pub]}]", builder, other)
			s.attach(s.night)
			s.in.Candidates = append(s.in.Candidates, Candidate{Where: "elsewhere", Err: provenance.Refuse(c.code, "", "it does not hold"), Claims: c.claims})
			r := s.decide()
			expect(t, r, Refused, "attestation.missing")
			if r.Findings[0].Found != c.found {
				t.Errorf("found %q", r.Findings[0].Found)
			}
			if !slices.ContainsFunc(r.Warnings, func(f Finding) bool { return f.Code == c.want && f.Where == "elsewhere" }) {
				t.Errorf("warnings %+v", r.Warnings)
			}
		})
	}
}

// TestWhoMaySignOthersSpeaksForNoBuilder: a build's statement by a key that is listed for a test result only.
func TestWhoMaySignOthersSpeaksForNoBuilder(t *testing.T) {
	builder, other := newSigner(t, "cosign.pub"), newSigner(t, "other.pub")
	s := newScene(t)
	s.builder = other
	s.in.Policy = policyOf(t, "version: 1\nbuilders: [{id: \""+builderID+"\", keys: [cosign.pub]}]\nattestations: [{name: tests, type: \""+policy.TypeTestResult+"\", keys: [other.pub]}]", builder, other)
	s.attach(s.night)
	r := s.decide()
	if r.Verdict != Refused || r.Attestation != nil || r.Findings[0].Code != "signature.key" {
		t.Errorf("%s %+v", r.Verdict, r.Findings)
	}
}

// TestABuildOfAnotherBuilderCanBeAskedFor: provenance is a kind like any other, where somebody else than the builder signs it.
func TestABuildOfAnotherBuilderCanBeAskedFor(t *testing.T) {
	builder, other := newSigner(t, "cosign.pub"), newSigner(t, "other.pub")
	s := newScene(t)
	s.builder = builder
	s.in.Policy = policyOf(t, "version: 1\nbuilders: [{id: \""+builderID+"\", keys: [cosign.pub]}]\nattestations: [{name: base, type: \""+provenance.PredicateType+"\", keys: [other.pub]}]", builder, other)
	s.attach(s.night)
	s.raw = append(s.raw, other.sign(t, about(t, sha(t, "1"), provenance.PredicateType, map[string]any{"buildDefinition": map[string]any{"buildType": "https://example.com/other"}})))
	expect(t, s.decide(), Accepted)
}

// timed is a statement that somebody who is trusted saw at that time; zero: nobody did.
func timed(when time.Time) *examined {
	e := &examined{signer: envelope.Signer{Name: "cosign.pub"}, where: []string{"place"}, untimed: "it carries no timestamp"}
	if !when.IsZero() {
		e.times = []envelope.Time{{At: when, Kind: envelope.TimeStamp, By: "https://tsa.contoso.com"}}
	}
	return e
}

// TestAges: only a timestamp proves an age, and the statement's own clock can only break the rule.
func TestAges(t *testing.T) {
	now := at(24, 0)
	for name, c := range map[string]struct {
		signed, own time.Time
		code        string
		undecided   bool
	}{
		"young":                      {at(23, 3), at(23, 2), "", false},
		"exactly so old":             {at(23, 0), time.Time{}, "", false},
		"too old":                    {at(22, 23), time.Time{}, "signature.age", false},
		"no timestamp":               {time.Time{}, at(23, 23), "signature.time", false},
		"old, says it is young":      {at(20, 0), at(23, 23), "signature.age", false},
		"an old one, stamped again":  {at(23, 23), at(1, 0), "signature.age", false},
		"own clock a little behind":  {at(23, 3), at(23, 3).Add(-skew), "", false},
		"signed in the future":       {at(25, 0), time.Time{}, "signature.age", true},
		"signed in the nearest":      {now.Add(skew), time.Time{}, "", false},
		"a clock of its own, absent": {at(23, 3), time.Time{}, "", false},
	} {
		e := timed(c.signed)
		e.record.Pipeline.Finished = c.own
		found := collect(e.checkAge(24*time.Hour, now)...)
		if c.code == "" && found != nil || c.code != "" && (len(found) != 1 || found[0].Code != c.code || found[0].Undecided != c.undecided || found[0].Hint == "") {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// TestWindows: what was signed in the key's time stays good.
func TestWindows(t *testing.T) {
	window := policy.Pinned{From: at(1, 0), Until: at(20, 0)}
	for name, c := range map[string]struct {
		pinned    policy.Pinned
		signed    time.Time
		code      string
		undecided bool
	}{
		"in time":              {window, at(10, 0), "", false},
		"the first moment":     {window, at(1, 0), "", false},
		"too early":            {window, at(1, 0).Add(-time.Second), "signature.window", false},
		"too late":             {window, at(20, 0), "signature.window", false},
		"nobody knows":         {window, time.Time{}, "signature.time", false},
		"no window":            {policy.Pinned{}, time.Time{}, "", false},
		"only from":            {policy.Pinned{From: at(1, 0)}, at(23, 0), "", false},
		"only until":           {policy.Pinned{Until: at(1, 0)}, at(23, 0), "signature.window", false},
		"still to come":        {policy.Pinned{From: at(1, 0)}, at(26, 0), "signature.window", true},
		"earliest time counts": {window, at(19, 23), "", false},
	} {
		f := timed(c.signed).window(c.pinned, at(24, 0))
		if c.code == "" && f != nil || c.code != "" && (f == nil || f.Code != c.code || f.Undecided != c.undecided || f.Hint == "") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// TestSigned: a rule about the signature itself.
func TestSigned(t *testing.T) {
	logged := timed(at(23, 0))
	logged.logged = true
	for name, c := range map[string]struct {
		rule policy.Signature
		e    *examined
		want []string
	}{
		"timestamp":       {policy.Signature{Timestamp: true}, timed(at(23, 0)), nil},
		"no timestamp":    {policy.Signature{Timestamp: true}, timed(time.Time{}), []string{"signature.time"}},
		"log":             {policy.Signature{Log: true}, logged, nil},
		"no log":          {policy.Signature{Log: true}, timed(at(23, 0)), []string{"signature.log"}},
		"neither of both": {policy.Signature{Timestamp: true, Log: true}, timed(time.Time{}), []string{"signature.time", "signature.log"}},
	} {
		if got := codes(collect(checkSigned(c.rule, c.e)...)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if inputs := signatureInputs(logged); len(inputs) != 3 || inputs[1].Value != "23 Nov 2026 00:00 UTC by https://tsa.contoso.com" {
		t.Errorf("inputs %+v", inputs)
	}
}

// TestTheNewestCounts: of several attestations of one name, by their timestamps; without one, all of them do.
func TestTheNewestCounts(t *testing.T) {
	old, young, twin, unknown := timed(at(20, 0)), timed(at(23, 0)), timed(at(23, 0)), timed(time.Time{})
	for _, c := range []struct{ all, want []*examined }{
		{[]*examined{old}, []*examined{old}},
		{[]*examined{old, young}, []*examined{young}},
		{[]*examined{young, old}, []*examined{young}},
		{[]*examined{young, unknown}, []*examined{young, unknown}},
		{[]*examined{young, old, twin}, []*examined{young, twin}},
	} {
		if got := newest(c.all); !slices.Equal(got, c.want) {
			t.Errorf("%d of %d count", len(got), len(c.all))
		}
	}
}

// TestAStampThatWasAskedForLaterSaysNoOrder: whoever can add to the registry stamps a new failure first, and then an old success.
func TestAStampThatWasAskedForLaterSaysNoOrder(t *testing.T) {
	failure, success, fresh := timed(at(22, 0)), timed(at(23, 0)), timed(at(23, 5))
	success.add(Candidate{Where: "as it was signed", Form: envelope.FormBundle})
	if got := newest([]*examined{failure, success}); len(got) != 2 {
		t.Errorf("%d of 2 count", len(got))
	}
	mislabelled, by := timed(at(23, 0)), newSigner(t, "other.pub")
	again := candidate("as it was signed, in a manifest that calls it the old form", bundle(t, by.sign(t, testResult(t, "PASSED"))), by.verifier)
	again.Form = envelope.FormATT
	mislabelled.add(again)
	if got := newest([]*examined{failure, mislabelled}); len(got) != 2 {
		t.Errorf("%d of 2 count", len(got))
	}
	fresh.add(Candidate{Where: "the old form, which never carries one", Form: envelope.FormATT})
	if got := newest([]*examined{failure, fresh}); !slices.Equal(got, []*examined{fresh}) {
		t.Errorf("%d count", len(got))
	}
}

// TestSummariesOfAnyAge: the summary's own clock breaks a maximum age, and satisfies none.
func TestSummariesOfAnyAge(t *testing.T) {
	d := &decider{ctx: context.Background(), in: Input{Image: sha(t, "1"), Now: at(24, 0)}}
	asked := policy.Attestation{Name: "gate", PredicateType: policy.TypeVSA, MaxAge: 24 * time.Hour}
	for name, c := range map[string]struct {
		signed, own time.Time
		want        []string
	}{
		"young":             {at(23, 5), at(23, 5), nil},
		"old":               {at(20, 0), at(20, 0), []string{"attestation.age"}},
		"stamped again":     {at(23, 5), at(1, 0), []string{"attestation.age"}},
		"no timestamp":      {time.Time{}, at(23, 5), []string{"signature.time"}},
		"signed tomorrow":   {at(25, 5), at(23, 5), []string{"attestation.age"}},
		"own clock differs": {at(23, 5), at(23, 5).Add(-time.Minute), nil},
	} {
		e := timed(c.signed)
		e.payload = passed(t, func(s *summary.Summary) { s.TimeVerified = c.own })
		if got := codes(collect(d.checkPredicate(asked, e)...)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
