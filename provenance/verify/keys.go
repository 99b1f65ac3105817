package verify

import (
	"slices"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
)

// Policy is a policy file.
type Policy = policy.Policy

// Believe says whose signatures are looked at: those of the policy's builders, narrowed to keys when there are any; or keys, when no
// policy names a builder; and those of the other attestations that the policy asks for. Root is the one that the caller names; a
// policy's own cannot be replaced.
//
// No key at all, one that the policy does not list, an identity without a trusted root, and another root than the policy's are a
// *provenance.Misused: what the caller says narrows a policy, and never widens it.
func Believe(p *Policy, keys []envelope.Verifier, root *envelope.TrustedRoot) (trust envelope.Trust, builders []envelope.Verifier, err error) {
	if builders, err = narrowed(p, keys); err != nil {
		return trust, nil, err
	}
	trust.Verifiers, trust.Root = slices.Clone(builders), root
	if p != nil {
		for _, a := range p.Attestations {
			trust.Verifiers = append(trust.Verifiers, verifiersOf(a.Who)...)
		}
		if p.TrustedRoot != nil && root != nil && root.Digest != p.TrustedRoot.Digest {
			return trust, nil, provenance.Misuse("leave out --trusted-root", "the policy %s names the trusted root %s, and %s is another one", p.Name, p.TrustedRoot.Name, root.Name)
		}
		if p.TrustedRoot != nil {
			trust.Root = p.TrustedRoot
		}
	}
	trust.Verifiers = unique(trust.Verifiers)
	return trust, builders, checkRoot(trust)
}

// checkRoot wants somebody to vouch for certificates, where identities are believed.
func checkRoot(t envelope.Trust) error {
	for _, v := range t.Verifiers {
		if v.IsIdentity() && t.Root == nil {
			return provenance.Misuse("give --trusted-root FILE, or name one as trustedRoot in the policy",
				"the identity %s is believed, but no trusted root says whose certificates and timestamps count", v.Name)
		}
	}
	return nil
}

// narrowed are the builders' keys.
func narrowed(p *Policy, keys []envelope.Verifier) ([]envelope.Verifier, error) {
	var listed []envelope.Verifier
	if p != nil {
		for _, b := range p.Builders {
			listed = append(listed, verifiersOf(b.Who)...)
		}
	}
	switch {
	case len(listed)+len(keys) == 0:
		return nil, provenance.Misuse("give --key FILE, or list builders and their keys in the policy",
			"no key is given, and no policy lists one: it has to be said whose signature counts")
	case len(keys) == 0:
		return unique(listed), nil
	case len(listed) == 0:
		return unique(keys), nil
	}
	for _, k := range keys {
		if !slices.ContainsFunc(listed, func(l envelope.Verifier) bool { return l.Covers(k) }) {
			return nil, provenance.Misuse("leave it out, or list it in the policy", "the %s %s is not one that the policy %s lists for a builder", kindOf(k), k.Name, p.Name)
		}
	}
	return unique(keys), nil
}

// kindOf is what messages call it.
func kindOf(v envelope.Verifier) string {
	if v.IsIdentity() {
		return "identity"
	}
	return "key"
}

func verifiersOf(who []policy.Pinned) (all []envelope.Verifier) {
	for _, p := range who {
		all = append(all, p.Verifier)
	}
	return all
}

// same tells whether a key is k, whatever it is called.
func same(k envelope.Verifier) func(envelope.Verifier) bool {
	return func(other envelope.Verifier) bool { return other.Fingerprint() == k.Fingerprint() }
}

// unique leaves each key once.
func unique(keys []envelope.Verifier) (out []envelope.Verifier) {
	for _, k := range keys {
		if !slices.ContainsFunc(out, same(k)) {
			out = append(out, k)
		}
	}
	return out
}
