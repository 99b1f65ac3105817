package verify

import (
	"errors"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

func TestBelieve(t *testing.T) {
	a, b, c := newSigner(t, "a.pub"), newSigner(t, "b.pub"), newSigner(t, "c.pub")
	two := policyOf(t, "version: 1\nbuilders: [{id: x, keys: [a.pub]}, {id: y, keys: [a.pub, b.pub]}]", a, b)
	noBuilders := policyOf(t, "version: 1\nsource: {clean: true}")
	for name, test := range map[string]struct {
		policy *Policy
		keys   []signer
		want   []signer // nil: misused
	}{
		"neither":                    {nil, nil, nil},
		"policy without builders":    {noBuilders, nil, nil},
		"keys only":                  {nil, []signer{a, b, a}, []signer{a, b}},
		"keys, no builders":          {noBuilders, []signer{a}, []signer{a}},
		"policy only":                {two, nil, []signer{a, b}},
		"narrowed":                   {two, []signer{b}, []signer{b}},
		"widened":                    {two, []signer{b, c}, nil},
		"only a key from outside it": {two, []signer{c}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var keys []envelope.Verifier
			for _, k := range test.keys {
				keys = append(keys, k.verifier)
			}
			_, got, err := Believe(test.policy, keys, nil)
			var misused *provenance.Misused
			if errors.As(err, &misused) != (test.want == nil) || misused != nil && misused.Hint == "" {
				t.Fatalf("error %v", err)
			}
			if len(got) != len(test.want) {
				t.Fatalf("%d keys, want %d", len(got), len(test.want))
			}
			for i := range got {
				if got[i].Fingerprint() != test.want[i].verifier.Fingerprint() {
					t.Errorf("key %d is %s", i, got[i].Name)
				}
			}
		})
	}
}
