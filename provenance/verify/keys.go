package verify

import (
	"slices"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// Verifiers are the keys to open envelopes with, and for [Input]: those of the policy's builders, narrowed to keys when
// there are any; or keys, when no policy names a builder. No key at all, or one that the policy does not list, is a
// *provenance.Misused: keys narrow a policy, and never widen it.
func Verifiers(p *Policy, keys []envelope.Verifier) ([]envelope.Verifier, error) {
	var listed []envelope.Verifier
	if p != nil {
		for _, b := range p.Builders {
			listed = append(listed, b.Keys...)
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
		if !slices.ContainsFunc(listed, same(k)) {
			return nil, provenance.Misuse("leave out --key, or list the key in the policy", "the key %s is not one that the policy %s lists", k.Name, p.Name)
		}
	}
	return unique(keys), nil
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
