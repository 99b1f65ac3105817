package summary

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	vsapb "github.com/in-toto/attestation/go/predicates/vsa/v1"
	ita1 "github.com/in-toto/attestation/go/v1"
	"github.com/in-toto/in-toto-golang/in_toto"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/seed-3480f271/provenance/provenance"
)

// Bounds on what is read, those of sigstore-go. The size and the depth are those of any statement.
const (
	maxSubjects = 1024
	maxDigests  = 32 // of one thing
)

// statement is a summary on the wire. The in-toto project has protobuf types only for this predicate, whose JSON is deliberately
// unstable, and which lack verifier.version; so these structs are written and read, and checked against the protobuf types.
type statement struct {
	in_toto.StatementHeader
	Predicate predicate `json:"predicate"`
}

type predicate struct {
	Verifier           verifier     `json:"verifier"`
	TimeVerified       time.Time    `json:"timeVerified,omitzero"`
	ResourceURI        string       `json:"resourceUri"`
	Policy             descriptor   `json:"policy"`
	InputAttestations  []descriptor `json:"inputAttestations,omitempty"`
	VerificationResult string       `json:"verificationResult"`
	VerifiedLevels     []string     `json:"verifiedLevels"`
	SLSAVersion        string       `json:"slsaVersion,omitempty"`
}

type verifier struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

type descriptor struct {
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest,omitempty"`
}

// Bytes is the summary as an in-toto Statement v1, in deterministic JSON: the same facts give the same bytes, in whatever order
// levels and attestations are listed. They are valid for in-toto's own protobuf types and for [Read], or there is an error.
func (s Summary) Bytes() ([]byte, error) {
	data, err := json.Marshal(s.wire())
	if err != nil {
		return nil, fmt.Errorf("write summary: %w", err)
	}
	if err := validate(data, protojson.UnmarshalOptions{}); err != nil {
		return nil, fmt.Errorf("write summary: %w", err)
	}
	if _, err := Read(data); err != nil { // a refusal would be a verdict, and this is none
		return nil, fmt.Errorf("write summary: %s", err.Error())
	}
	return data, nil
}

// wire orders and spells the summary as it is written.
func (s Summary) wire() statement {
	out := statement{StatementHeader: in_toto.StatementHeader{Type: in_toto.StatementInTotoV1, PredicateType: PredicateType}}
	for _, subject := range s.Subjects {
		out.Subject = append(out.Subject, in_toto.Subject{Name: subject.Name, Digest: wireDigests(subject.Digest)})
	}
	p := predicate{Verifier: verifier(s.Verifier), TimeVerified: s.TimeVerified, ResourceURI: s.ResourceURI,
		Policy:             descriptor{s.Policy.URI, wireDigests(s.Policy.Digest)},
		VerificationResult: string(s.Result), VerifiedLevels: slices.Sorted(slices.Values(s.Levels)), SLSAVersion: s.SLSAVersion}
	if !s.TimeVerified.IsZero() {
		p.TimeVerified = s.TimeVerified.UTC()
	}
	for _, input := range s.InputAttestations {
		p.InputAttestations = append(p.InputAttestations, descriptor{input.URI, wireDigests(input.Digest)})
	}
	slices.SortFunc(p.InputAttestations, func(a, b descriptor) int {
		return cmp.Or(strings.Compare(a.URI, b.URI), strings.Compare(fmt.Sprint(a.Digest), fmt.Sprint(b.Digest)))
	})
	out.Predicate = p
	return out
}

func wireDigests(set provenance.DigestSet) map[string]string {
	out := map[string]string{}
	for algorithm, digest := range set {
		out[string(algorithm)] = digest.Hex()
	}
	return out
}

// The codes of the refusals of [Read].
const (
	CodeMalformed     = "summary.malformed"     // no such statement: keys twice or misspelled, wrong types, something required is missing
	CodePredicateType = "summary.predicateType" // a statement of another kind
	CodeUnknownResult = "summary.unknownResult" // neither PASSED nor FAILED
	CodeUnknownLevel  = "summary.unknownLevel"  // begins with SLSA_, and is no level of SLSA
	CodeContradiction = "summary.contradiction" // two levels of one track, or passed with the level FAILED
	CodeDigest        = "summary.digest"        // no lowercase hex, or an algorithm whose name is spelled in another way
	CodeLimit         = "summary.limit"         // too many subjects, or digests of one thing
)

// Read reads the payload of a summary. What it refuses is a *[provenance.Refused] with one of the codes of this package: it is no
// summary, or one that two readers could take differently. Fields that the format does not know are ignored, as it asks for,
// and so are the levels of dependencies.
func Read(payload []byte) (Summary, error) {
	header, err := provenance.ParseHeader(payload)
	if err != nil {
		return Summary{}, malformed("%v", err)
	}
	if header.PredicateType != PredicateType {
		return Summary{}, provenance.Refuse(CodePredicateType, "", "predicateType is %.80q, not %s", header.PredicateType, PredicateType)
	}
	if err := checkSpelling(payload); err != nil {
		return Summary{}, malformed("%v", err)
	}
	var s statement
	if err := json.Unmarshal(payload, &s); err != nil {
		return Summary{}, malformed("the predicate cannot be read: %v", err)
	}
	out, err := s.summary()
	if err != nil {
		return Summary{}, err
	}
	if err := validate(payload, protojson.UnmarshalOptions{DiscardUnknown: true}); err != nil {
		return Summary{}, malformed("%v", err)
	}
	return out, nil
}

func malformed(format string, args ...any) error {
	return provenance.Refuse(CodeMalformed, "", "the verification summary is not sound: %.300s", fmt.Sprintf(format, args...))
}

// validate lets the in-toto project's own types read and judge a statement.
func validate(data []byte, read protojson.UnmarshalOptions) error {
	var s ita1.Statement
	if err := read.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("not an in-toto statement: %w", err)
	}
	if err := s.Validate(); err != nil {
		return fmt.Errorf("not a valid in-toto statement: %w", err)
	}
	delete(s.GetPredicate().GetFields()["verifier"].GetStructValue().GetFields(), "version") // which they do not know
	predicate, err := s.GetPredicate().MarshalJSON()
	if err != nil {
		return fmt.Errorf("read predicate: %w", err)
	}
	if err := read.Unmarshal(predicate, &vsapb.VerificationSummary{}); err != nil {
		return fmt.Errorf("not a SLSA verification summary v1: %w", err)
	}
	return nil
}

// summary goes from the wire to the noun.
func (s statement) summary() (Summary, error) {
	p := s.Predicate
	if missing := p.missing(); missing != "" {
		return Summary{}, malformed("it has no %s", missing)
	}
	if err := checkResult(p.VerificationResult, p.VerifiedLevels); err != nil {
		return Summary{}, err
	}
	out := Summary{Verifier: Verifier(p.Verifier), ResourceURI: p.ResourceURI, Result: Result(p.VerificationResult), Levels: p.VerifiedLevels,
		SLSAVersion: p.SLSAVersion}
	if !p.TimeVerified.IsZero() {
		out.TimeVerified = p.TimeVerified.UTC()
	}
	var err error
	if out.Subjects, err = readSubjects(s.Subject); err != nil {
		return Summary{}, err
	}
	if out.Policy, err = readDescriptor("the policy", p.Policy); err != nil {
		return Summary{}, err
	}
	for _, input := range p.InputAttestations {
		d, err := readDescriptor("an input attestation", input)
		if err != nil {
			return Summary{}, err
		}
		out.InputAttestations = append(out.InputAttestations, d)
	}
	return out, nil
}

// missing is the name of something that has to be there, and is not; empty if there is nothing.
func (p predicate) missing() string {
	switch {
	case p.Verifier.ID == "":
		return "verifier.id"
	case p.ResourceURI == "":
		return "resourceUri"
	case p.Policy.URI == "":
		return "policy.uri"
	case p.VerificationResult == "":
		return "verificationResult"
	case p.VerifiedLevels == nil:
		return "verifiedLevels"
	case slices.ContainsFunc(p.InputAttestations, func(d descriptor) bool { return len(d.Digest) == 0 }):
		return "digest of an input attestation"
	}
	return ""
}

// checkResult checks the result and the levels, by themselves and against each other.
func checkResult(result string, levels []string) error {
	if Result(result) != Passed && Result(result) != Failed {
		return provenance.Refuse(CodeUnknownResult, "", "verificationResult is %.80q, neither %s nor %s", result, Passed, Failed)
	}
	seen := map[string]bool{}
	for _, level := range levels {
		track := trackOf(level)
		switch {
		case !KnownLevel(level):
			return provenance.Refuse(CodeUnknownLevel, "levels of one's own do not begin with "+levelPrefix, "%.80q is no level of SLSA", level)
		case level == LevelFailed && Result(result) == Passed:
			return provenance.Refuse(CodeContradiction, "", "the summary says %s, with the level %s", Passed, LevelFailed)
		case track != "" && seen[track]:
			return provenance.Refuse(CodeContradiction, "", "the summary has two levels of the track %s", strings.TrimSuffix(track, "_LEVEL_"))
		}
		seen[track] = true
	}
	return nil
}

func readSubjects(wire []in_toto.Subject) (subjects []Subject, err error) {
	if len(wire) > maxSubjects {
		return nil, provenance.Refuse(CodeLimit, "", "the summary has %d subjects, more than %d", len(wire), maxSubjects)
	}
	for _, w := range wire {
		set, err := readDigests("a subject", w.Digest)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, Subject{w.Name, set})
	}
	return subjects, nil
}

func readDescriptor(what string, wire descriptor) (Descriptor, error) {
	set, err := readDigests(what, wire.Digest)
	return Descriptor{wire.URI, set}, err
}

// known are the algorithms whose digests can be compared with anything.
var known = []provenance.Algorithm{provenance.SHA256, provenance.DirHash, provenance.GitCommit, provenance.GitTree}

// readDigests reads a set of digests. Those of other algorithms are looked at, and left out.
func readDigests(what string, wire map[string]string) (provenance.DigestSet, error) {
	if len(wire) > maxDigests {
		return nil, provenance.Refuse(CodeLimit, "", "%s has %d digests, more than %d", what, len(wire), maxDigests)
	}
	var digests []provenance.Digest
	for _, algorithm := range slices.Sorted(maps.Keys(wire)) {
		value := wire[algorithm]
		if value == "" || strings.Trim(value, "0123456789abcdef") != "" {
			return nil, provenance.Refuse(CodeDigest, "", "the %.40s digest of %s is not lowercase hex: %.80q", algorithm, what, value)
		}
		i := slices.IndexFunc(known, func(k provenance.Algorithm) bool { return strings.EqualFold(string(k), algorithm) })
		if i < 0 {
			continue
		}
		d, err := provenance.NewDigest(provenance.Algorithm(algorithm), value)
		if err != nil {
			return nil, provenance.Refuse(CodeDigest, "", "a digest of %s: %v", what, err)
		}
		digests = append(digests, d)
	}
	return provenance.Digests(digests...), nil
}
