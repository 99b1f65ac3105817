package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
)

// File is a key or a trusted root that lies outside of the policy. Whoever can change it says who is believed, whoever signed the policy.
type File struct {
	Path   string            // as the policy writes it
	Digest provenance.Digest // sha256 of what was read
	Pinned bool              // the policy wants that digest
}

// outside is a file, and where the policy names it.
type outside struct {
	File
	node *yaml.Node
}

// pin is the digest that the policy wants of a file.
type pin struct {
	digest provenance.Digest
	node   *yaml.Node
}

// files reads the digests of the files that the policy names.
func (r *reader) files(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return r.errorAt(n, "write files: {trusted-root.json: sha256:…}", "files is %s; it has to be a mapping of paths to digests", kindOf(n))
	}
	r.pins = map[string]pin{}
	fields := map[string]setter{}
	for i := 0; i < len(n.Content); i += 2 {
		path := n.Content[i].Value
		fields[path] = r.text("the digest of "+words.Clip(path), func(s string, n *yaml.Node) error {
			digest, err := provenance.ParseDigest(s)
			if err != nil || digest.Algorithm() != provenance.SHA256 {
				return r.errorAt(n, "`sha256sum FILE` gives it; write sha256: before it", "%q is no sha256 digest", words.Clip(s))
			}
			r.pins[path] = pin{digest, n}
			return nil
		})
	}
	return r.mapping(n, "files", fields)
}

// checkFiles holds what was read against the digests, and notes it in the policy.
func (r *reader) checkFiles() error {
	used := map[string]bool{}
	for _, f := range r.outside {
		want, pinned := r.pins[f.Path]
		if pinned && want.digest != f.Digest {
			return r.errorAt(want.node, "was the file changed? whoever wrote the policy has to agree", "%s is %s, and the policy wants %s", words.Clip(f.Path), f.Digest, want.digest)
		}
		if f.Pinned = pinned; !used[f.Path] {
			r.policy.Files = append(r.policy.Files, f.File)
		}
		used[f.Path] = true
	}
	for _, path := range slices.Sorted(maps.Keys(r.pins)) {
		if !used[path] {
			return r.errorAt(r.pins[path].node, "write the path as it is written there", "the policy names no key and no trusted root %s", words.Clip(path))
		}
	}
	return nil
}

// Unpinned are the paths of the files of which the policy says no digest, and what would say it, in YAML.
func (p *Policy) Unpinned() (paths []string, files string) {
	var pins []string
	for _, f := range p.Files {
		if !f.Pinned {
			paths = append(paths, f.Path)
			pins = append(pins, fmt.Sprintf("%q: %q", f.Path, f.Digest))
		}
	}
	return paths, "files: {" + strings.Join(pins, ", ") + "}"
}
