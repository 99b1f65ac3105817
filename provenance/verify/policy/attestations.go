package policy

import (
	"net/url"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/summary"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
)

// Predicate types that have keys of their own in a policy.
const (
	TypeVSA        = "https://slsa.dev/verification_summary/v1"
	TypeTestResult = "https://in-toto.io/attestation/test-result/v0.1"
)

// vsaTypes begin the types of all versions of verification summaries: one that failed must not count for being there.
const vsaTypes = "https://slsa.dev/verification_summary"

// ruleName is what rules and attestations may be called: what is a name in an expression, or in a code.
var ruleName = pattern.New(`^[a-zA-Z][a-zA-Z0-9_]{0,63}$`)

func (r *reader) attestation(n *yaml.Node) error {
	var a Attestation
	err := r.mapping(n, "an attestation", r.when(&a.When, map[string]setter{
		"name":       r.text("name", r.named("an attestation", &a.Name)),
		"type":       r.text("type", keep(&a.PredicateType)),
		"keys":       r.list("keys", r.key(&a.Who)),
		"identities": r.list("identities", r.identity(&a.Who)),
		"maxAge":     r.duration("maxAge", &a.MaxAge),
		"result":     r.text("result", keep(&a.Result)),
		"vsa":        r.vsa(&a),
	}))
	if err != nil {
		return err
	}
	return r.keepAttestation(n, a)
}

// keepAttestation wants what every attestation needs, and what only some can have.
func (r *reader) keepAttestation(n *yaml.Node, a Attestation) error {
	kind, err := url.Parse(a.PredicateType)
	switch {
	case a.Name == "" || a.PredicateType == "" || a.Who == nil:
		return r.errorAt(n, "an attestation is a name, a type, and the keys or identities that may sign it", "an attestation lacks its name, its type or its keys")
	case err != nil || !kind.IsAbs():
		return r.errorAt(n, "a type is a predicateType such as "+TypeTestResult, "the type %q is no URI", words.Clip(a.PredicateType))
	case a.PredicateType != TypeVSA && strings.HasPrefix(strings.ToLower(a.PredicateType), vsaTypes):
		return r.errorAt(n, "write "+TypeVSA, "the type %q is another version of verification summaries, in which nothing could be read", words.Clip(a.PredicateType))
	case a.VSA != nil && a.PredicateType != TypeVSA:
		return r.errorAt(n, "vsa is for the type "+TypeVSA, "the attestation %s is no verification summary", a.Name)
	case a.Result != "" && a.PredicateType != TypeTestResult:
		return r.errorAt(n, "result is for the type "+TypeTestResult+"; write a rule for others", "the attestation %s is no test result", a.Name)
	}
	for _, other := range r.policy.Attestations {
		if other.Name == a.Name {
			return r.errorAt(n, "", "the attestation %q is listed twice", a.Name)
		}
	}
	r.policy.Attestations = append(r.policy.Attestations, a)
	return r.window(n, "the attestation "+a.Name, a.From, a.Until)
}

// vsa reads what a verification summary has to say.
func (r *reader) vsa(a *Attestation) setter {
	return func(n *yaml.Node) error {
		a.VSA = &VSA{}
		return r.mapping(n, "vsa", map[string]setter{
			"policies": r.list("policies", r.text("a policy", r.sha256(&a.VSA.Policies))),
			"verifier": r.text("verifier", keep(&a.VSA.Verifier)),
			"levels":   r.list("levels", r.text("a level", r.level(&a.VSA.Levels))),
			"repositories": r.list("repositories", r.text("a repository", func(s string, _ *yaml.Node) error {
				a.VSA.Repositories = append(a.VSA.Repositories, s)
				return nil
			})),
		})
	}
}

func (r *reader) sha256(to *[]provenance.Digest) func(string, *yaml.Node) error {
	return func(s string, n *yaml.Node) error {
		d, err := provenance.ParseDigest(s)
		if err != nil || d.Algorithm() != provenance.SHA256 {
			return r.errorAt(n, "`sha256sum FILE` gives it; write sha256: before it", "%q is no sha256 digest", words.Clip(s))
		}
		*to = append(*to, d)
		return nil
	}
}

// level reads a level of a verification summary: one of SLSA's, or one of the team's own.
func (r *reader) level(to *[]string) func(string, *yaml.Node) error {
	return func(s string, n *yaml.Node) error {
		if strings.HasPrefix(s, "SLSA_") && !summary.KnownLevel(s) {
			return r.errorAt(n, "such as SLSA_BUILD_LEVEL_1", "%q is no level of SLSA", words.Clip(s))
		}
		*to = append(*to, s)
		return nil
	}
}

// named reads a name.
func (r *reader) named(what string, to *string) func(string, *yaml.Node) error {
	return func(s string, n *yaml.Node) error {
		if !ruleName().MatchString(s) {
			return r.errorAt(n, "letters, digits and _, at most 64, the first a letter", "%q is no name for %s", words.Clip(s), what)
		}
		*to = s
		return nil
	}
}
