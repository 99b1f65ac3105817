package policy

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
)

func (r *reader) builder(n *yaml.Node) error {
	var b Builder
	err := r.mapping(n, "a builder", map[string]setter{
		"id":         r.text("id", keep(&b.ID)),
		"basis":      r.basis(&b.Basis),
		"keys":       r.list("keys", r.key(&b.Who)),
		"identities": r.list("identities", r.identity(&b.Who)),
	})
	if err != nil {
		return err
	}
	if b.ID == "" || b.Who == nil {
		return r.errorAt(n, "a builder is an id, and the keys or identities that may speak for it", "a builder lacks its id or its keys")
	}
	for _, other := range r.policy.Builders {
		if other.ID == b.ID {
			return r.errorAt(n, "list all its keys in one place", "the builder %q is listed twice", words.Clip(b.ID))
		}
	}
	r.policy.Builders = append(r.policy.Builders, b)
	return nil
}

// key reads a PEM public key, inline or from a file, alone or with the time in which its signatures count.
func (r *reader) key(to *[]Pinned) setter {
	return func(n *yaml.Node) error {
		var p Pinned
		read := r.text("a key", r.pem(&p))
		if n.Kind != yaml.MappingNode {
			if err := read(n); err != nil {
				return err
			}
			return r.addPinned(n, p, to)
		}
		err := r.mapping(n, "a key", map[string]setter{"key": read, "from": r.date("from", &p.From), "until": r.date("until", &p.Until)})
		if err != nil {
			return err
		}
		if p.Name == "" {
			return r.errorAt(n, "write key: with a PEM public key, or the path of one", "a key lacks the key itself")
		}
		return r.addPinned(n, p, to)
	}
}

// pem reads a PEM public key, inline or from a file.
func (r *reader) pem(to *Pinned) func(string, *yaml.Node) error {
	return func(value string, n *yaml.Node) (err error) {
		name, pem := value, []byte(value)
		if strings.Contains(value, "-----BEGIN") {
			name = fmt.Sprintf("%s:%d", r.name, n.Line)
		} else if pem, err = r.file(value, n); err != nil {
			return err
		}
		if to.Verifier, err = envelope.ParsePublicKey(name, pem); err != nil {
			return r.errorAt(n, "a key is a PEM public key (cosign.pub), or the path of one, relative to the policy", "%v", err)
		}
		return nil
	}
}

// identity reads whom a certificate has to name.
func (r *reader) identity(to *[]Pinned) setter {
	return func(n *yaml.Node) (err error) {
		var p Pinned
		var id envelope.Identity
		err = r.mapping(n, "an identity", map[string]setter{
			"issuer":     r.text("issuer", keep(&id.Issuer)),
			"san":        r.text("san", keep(&id.SAN)),
			"sanPattern": r.text("sanPattern", keep(&id.SANPattern)),
			"from":       r.date("from", &p.From),
			"until":      r.date("until", &p.Until),
		})
		if err != nil {
			return err
		}
		if p.Verifier, err = envelope.NewIdentity(nameOf(id), id); err != nil {
			return r.errorAt(n, words.FirstHint(err), "%v", err)
		}
		return r.addPinned(n, p, to)
	}
}

// nameOf is what messages call an identity.
func nameOf(id envelope.Identity) string {
	name := id.SAN + id.SANPattern
	if id.Issuer != "" {
		name += " of " + id.Issuer
	}
	return name
}

// addPinned adds a key or identity to a list that has it once: of two windows for one key, nobody could tell which counts.
func (r *reader) addPinned(n *yaml.Node, p Pinned, to *[]Pinned) error {
	if err := r.window(n, "the key "+p.Name, p.From, p.Until); err != nil {
		return err
	}
	for _, other := range *to {
		if other.Fingerprint() == p.Fingerprint() {
			return r.errorAt(n, "leave one of them out", "%s is the same key as %s", words.Clip(p.Name), words.Clip(other.Name))
		}
	}
	*to = append(*to, p)
	return nil
}
