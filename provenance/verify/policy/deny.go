package policy

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
)

// deny reads what is withdrawn: each a text, or a text with the reason.
func (r *reader) deny(n *yaml.Node) error {
	return r.mapping(n, "deny", map[string]setter{
		"digests":     r.list("digests", r.denied(DenyDigest, isDigest, "write sha256: or dirHash: and 64 hex digits")),
		"commits":     r.list("commits", r.denied(DenyCommit, isCommit, "write all 40 or 64 hex digits")),
		"folders":     r.list("folders", r.denied(DenyFolder, isPlace, "write the folder's address, as `verify` prints it")),
		"invocations": r.list("invocations", r.denied(DenyInvocation, isText, "")),
		"keys":        r.list("keys", r.denied(DenyKey, isFingerprint, "write the key's fingerprint, as `verify` prints it: sha256: and 64 hex digits")),
	})
}

func (r *reader) denied(kind string, valid func(string) bool, hint string) setter {
	return func(n *yaml.Node) error {
		d := Denied{Kind: kind}
		at := n
		read := r.text("what is denied", func(s string, n *yaml.Node) error {
			d.Value, at = s, n
			return nil
		})
		fields := map[string]setter{"value": read, "because": r.text("because", keep(&d.Because))}
		var err error
		if n.Kind == yaml.MappingNode {
			err = r.mapping(n, "what is denied", fields)
		} else {
			err = read(n)
		}
		if err != nil {
			return err
		}
		if !valid(d.Value) {
			return r.errorAt(at, hint, "%q is no %s that could be denied", words.Clip(d.Value), kind)
		}
		r.policy.Deny = append(r.policy.Deny, d)
		return nil
	}
}

var (
	fullCommit  = pattern.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	fingerprint = pattern.New(`^sha256:[0-9a-f]{64}$`)
)

// isDigest tells whether something in a record can have the digest: the names of git's objects are commits, and denied as those.
func isDigest(s string) bool {
	d, err := provenance.ParseDigest(s)
	return err == nil && (d.Algorithm() == provenance.SHA256 || d.Algorithm() == provenance.DirHash)
}

func isCommit(s string) bool      { return fullCommit().MatchString(s) }
func isFingerprint(s string) bool { return fingerprint().MatchString(s) }
func isText(s string) bool        { return strings.TrimSpace(s) != "" }

func isPlace(s string) bool {
	_, err := provenance.ParsePlace(s)
	return err == nil
}
