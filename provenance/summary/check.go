package summary

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
)

// Want is what somebody who relies on a summary asks of it. That its signature is by a key that may speak for the verifier, and that
// it is not too old, has to be checked beside it.
type Want struct {
	Image         provenance.Digest   // sha256; one of the subjects. It has to be given
	PolicyDigests []provenance.Digest // the policy's is one of them; empty: any policy
	VerifierID    string              // compared exactly; empty: any
	Levels        []string            // all of them; a level of SLSA is reached by a higher one of its track
	ResourceURI   string              // compared exactly; empty: any. See [ResourceURI]
	Repositories  []string            // the resource lies in one of them, compared exactly; empty: in any
}

// Problem is one thing that a summary does not say as it is wanted.
type Problem struct {
	Code     string // dotted, stable, for machines
	Detail   string // one sentence
	Expected string
	Found    string // what the summary says: foreign text
	Hint     string // may be empty
}

// The codes of [Summary.Check].
const (
	CodeImage    = "summary.image"    // about another image
	CodeFailed   = "summary.failed"   // the verification did not pass
	CodePolicy   = "summary.policy"   // by another policy
	CodeVerifier = "summary.verifier" // by another verifier
	CodeLevel    = "summary.level"    // a level is not reached
	CodeResource = "summary.resource" // for another place
)

// Check holds a summary against what is wanted of it, and lists everything that is wrong; nil is nothing. The zero value of a
// summary is wrong in any case.
func (s Summary) Check(w Want) (problems []Problem) {
	for _, p := range []*Problem{s.checkImage(w), s.checkPassed(), s.checkPolicy(w), s.checkVerifier(w), s.checkResource(w)} {
		if p != nil {
			problems = append(problems, *p)
		}
	}
	for _, level := range w.Levels {
		if !reaches(s.Levels, level) {
			problems = append(problems, Problem{Code: CodeLevel, Expected: level, Found: orNothing(strings.Join(s.Levels, ", ")),
				Detail: fmt.Sprintf("the verification summary does not say that the level %s was verified", level),
				Hint:   "have the image verified by a policy that names its builders, or ask for a level that the verifier can vouch for"})
		}
	}
	return problems
}

func (s Summary) checkImage(w Want) *Problem {
	var found []string
	for _, subject := range s.Subjects {
		digest := subject.Digest[provenance.SHA256]
		if digest == w.Image && !w.Image.IsZero() {
			return nil
		}
		found = append(found, digest.String())
	}
	return &Problem{Code: CodeImage, Expected: orNothing(w.Image.String()), Found: orNothing(strings.Join(found, ", ")),
		Detail: "the verification summary is about another image",
		Hint:   "it was copied from there, or the image was built again: verify this one with --vsa"}
}

func (s Summary) checkPassed() *Problem {
	if s.Result == Passed {
		return nil
	}
	return &Problem{Code: CodeFailed, Expected: string(Passed), Found: orNothing(string(s.Result)), Detail: "the verification did not pass",
		Hint: "its verifier refused the image; ask it for the reasons"}
}

func (s Summary) checkPolicy(w Want) *Problem {
	same := func(d provenance.Digest) bool { return !d.IsZero() && s.Policy.Digest[d.Algorithm()] == d }
	if len(w.PolicyDigests) == 0 || slices.ContainsFunc(w.PolicyDigests, same) {
		return nil
	}
	var wanted, found []string
	for _, d := range w.PolicyDigests {
		wanted = append(wanted, orNothing(d.String()))
	}
	for _, d := range s.Policy.Digest {
		found = append(found, d.String())
	}
	slices.Sort(found)
	return &Problem{Code: CodePolicy, Expected: strings.Join(wanted, " or "), Found: orNothing(strings.Join(found, ", ")),
		Detail: "the verification summary is by another policy",
		Hint:   "verify the image again by the policy that counts now, or list the digest of the one that was used"}
}

func (s Summary) checkVerifier(w Want) *Problem {
	if w.VerifierID == "" || s.Verifier.ID == w.VerifierID {
		return nil
	}
	return &Problem{Code: CodeVerifier, Expected: w.VerifierID, Found: orNothing(s.Verifier.ID),
		Detail: "the verification summary is by another verifier", Hint: "verify --vsa writes the id that --vsa-verifier gives"}
}

func (s Summary) checkResource(w Want) *Problem {
	wanted := append(slices.Clone(w.Repositories), w.ResourceURI)
	lies := slices.ContainsFunc(w.Repositories, func(r string) bool { return r != "" && r == s.repository() })
	if (w.ResourceURI == "" || s.ResourceURI == w.ResourceURI) && (len(w.Repositories) == 0 || lies) {
		return nil
	}
	return &Problem{Code: CodeResource, Expected: orNothing(strings.Join(slices.DeleteFunc(wanted, func(s string) bool { return s == "" }), " or ")), Found: orNothing(s.ResourceURI),
		Detail: "the verification summary is for another place",
		Hint:   "an image that was copied to another repository has to be verified there"}
}

// repository is where the resource lies; empty when it is no image.
func (s Summary) repository() string {
	rest, _ := strings.CutPrefix(s.ResourceURI, ociScheme)
	if i := strings.LastIndex(rest, "@"); i > 0 && rest != s.ResourceURI {
		return rest[:i]
	}
	return ""
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
