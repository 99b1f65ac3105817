package verify

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// Policy is a policy file: what has to hold of one signed statement for its image to be released. Its format is specified
// in spec/policy-v1.md. A rule that is nil asks for nothing.
type Policy struct {
	Name              string            // the file
	Digest            provenance.Digest // sha256 of the file's bytes
	Builders          []Builder
	Source            *SourceRule
	Data              *DataRule
	Databricks        *DatabricksRule
	Model             *ModelRule
	Recheck           Mode // the least that has to be checked again
	AllowDisagreement bool // several valid statements may disagree on commit, data or model
}

// Builder is a builder that is believed, and the keys that may speak for it, and for no other.
type Builder struct {
	ID    string // SLSA builder.id, compared exactly
	Basis provenance.Basis
	Keys  []envelope.Verifier
}

// SourceRule is about the commit. Basis is the weakest basis accepted of each fact that is compared; empty is any.
type SourceRule struct {
	Repository string
	Branches   []string // patterns of path.Match, on refs/heads/ unless they start with refs/
	Clean      bool
	Basis      provenance.Basis
}

// DataRule is about every data folder; there has to be one. Basis is that of its URI and its digest only: what Azure says of
// its protection can be reported at best, and the link "trained on" has a rule of its own.
type DataRule struct {
	Roots          []string // each folder lies within one of them
	Basis          provenance.Basis
	Immutability   []string         // the grades that are accepted, of provenance.Grades
	ProtectedUntil time.Time        // no file loses its protection before; zero asks for nothing
	ProtectedFor   time.Duration    // the same, from the time of the decision
	MaxDigestAge   time.Duration    // between the reading of any file's bytes and the recording; 0 is any
	TrainedOn      provenance.Basis // the weakest that is accepted of the link
	SharedFiles    bool             // a file may be in folders of two roles
}

// DatabricksRule is about the training run; there has to be one.
type DatabricksRule struct {
	Result string
	Basis  provenance.Basis
}

// ModelRule is about the model; there has to be one.
type ModelRule struct {
	InImage bool   // every platform of the image contains it
	Path    string // there; empty is anywhere
	Basis   provenance.Basis
}

// ReadFile gives the bytes of a key file that a policy names. Paths that are not absolute were already joined to the
// policy's own folder.
type ReadFile func(path string) ([]byte, error)

// ParsePolicy reads a policy. name is the file's path, for errors, and for the key files that the policy names relative to
// itself; they are read with read. Every error is a *provenance.Misused that says file, line and column.
func ParsePolicy(name string, data []byte, read ReadFile) (*Policy, error) {
	d := document{name}
	root, err := d.parse(data)
	if err != nil {
		return nil, err
	}
	p := &policyReader{document: d, read: read, policy: &Policy{Name: name, Digest: provenance.SumSHA256(data), Recheck: RecheckNone}}
	if err := d.mapping(root, "the policy", p.fields()); err != nil {
		return nil, err
	}
	if p.version == "" {
		return nil, d.errorAt(root, "write version: 1", "the policy does not say its version")
	}
	if p.policy.empty() {
		return nil, d.errorAt(root, "see examples/policy.yaml", "the policy asks for nothing")
	}
	return p.policy, nil
}

// empty tells whether every image would do.
func (p *Policy) empty() bool {
	return p.Builders == nil && p.Source == nil && p.Data == nil && p.Databricks == nil && p.Model == nil && p.Recheck == RecheckNone
}

// policyReader fills a policy from its document.
type policyReader struct {
	document
	read    ReadFile
	policy  *Policy
	version string
}

func (r *policyReader) fields() map[string]setter {
	p := r.policy
	return map[string]setter{
		"version":           r.readVersion,
		"builders":          r.list("builders", r.builder),
		"source":            r.source,
		"data":              r.data,
		"databricks":        r.databricks,
		"model":             r.model,
		"recheck":           choice(r.document, "recheck", &p.Recheck, RecheckNone, RecheckListing, RecheckContent),
		"allowDisagreement": r.truth("allowDisagreement", &p.AllowDisagreement),
	}
}

func (r *policyReader) readVersion(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || n.Value != "1" {
		return r.errorAt(n, "a newer provenance may know it", "version is %s; this program knows version 1", kindOf(n))
	}
	r.version = n.Value
	return nil
}

func (r *policyReader) builder(n *yaml.Node) error {
	var b Builder
	err := r.mapping(n, "a builder", map[string]setter{
		"id":    r.text("id", keep(&b.ID)),
		"basis": r.basis(&b.Basis),
		"keys":  r.list("keys", r.text("a key", r.key(&b))),
	})
	if err != nil {
		return err
	}
	if b.ID == "" || b.Keys == nil {
		return r.errorAt(n, "a builder is an id, and the keys that may speak for it", "a builder lacks its id or its keys")
	}
	if slices.ContainsFunc(r.policy.Builders, func(other Builder) bool { return other.ID == b.ID }) {
		return r.errorAt(n, "list all its keys in one place", "the builder %q is listed twice", clip(b.ID))
	}
	r.policy.Builders = append(r.policy.Builders, b)
	return nil
}

// key reads a PEM public key, inline or from a file.
func (r *policyReader) key(b *Builder) func(string, *yaml.Node) error {
	return func(value string, n *yaml.Node) error {
		name, pem := value, []byte(value)
		if strings.Contains(value, "-----BEGIN") {
			name = fmt.Sprintf("%s:%d", r.file, n.Line)
		} else {
			file := value
			if !filepath.IsAbs(file) {
				file = filepath.Join(filepath.Dir(r.file), file)
			}
			var err error
			if pem, err = r.read(file); err != nil {
				return r.errorAt(n, "a key's path is relative to the policy's folder", "read key: %v", err)
			}
		}
		verifier, err := envelope.ParsePublicKey(name, pem)
		if err != nil {
			return r.errorAt(n, "a key is a PEM public key (cosign.pub), or the path of one, relative to the policy", "%v", err)
		}
		b.Keys = append(b.Keys, verifier)
		return nil
	}
}

func (r *policyReader) source(n *yaml.Node) error {
	rule := &SourceRule{}
	r.policy.Source = rule
	err := r.mapping(n, "source", map[string]setter{
		"repository": r.text("repository", keep(&rule.Repository)),
		"branches":   r.list("branches", r.text("a branch", r.branch(rule))),
		"clean":      r.truth("clean", &rule.Clean),
		"basis":      r.basis(&rule.Basis),
	})
	if err == nil && rule.Repository == "" && rule.Branches == nil && !rule.Clean {
		return r.errorAt(n, "name a repository, branches or clean: true", "source asks for nothing")
	}
	return err
}

func (r *policyReader) branch(rule *SourceRule) func(string, *yaml.Node) error {
	return func(pattern string, n *yaml.Node) error {
		if _, err := path.Match(pattern, ""); err != nil {
			return r.errorAt(n, "* is anything but a slash, ? one character, [ab] one of them", "the branch pattern %q is wrong", clip(pattern))
		}
		rule.Branches = append(rule.Branches, pattern)
		return nil
	}
}

func (r *policyReader) data(n *yaml.Node) error {
	rule := &DataRule{}
	r.policy.Data = rule
	return r.mapping(n, "data", r.dataFields(rule))
}

func (r *policyReader) dataFields(rule *DataRule) map[string]setter {
	return map[string]setter{
		"roots":          r.list("roots", r.text("a root", r.root(rule))),
		"basis":          r.basis(&rule.Basis),
		"immutability":   r.list("immutability", r.text("a grade", r.grade(rule))),
		"protectedUntil": r.date("protectedUntil", &rule.ProtectedUntil),
		"protectedFor":   r.duration("protectedFor", &rule.ProtectedFor),
		"maxDigestAge":   r.duration("maxDigestAge", &rule.MaxDigestAge),
		"trainedOn":      r.basisOf("trainedOn", &rule.TrainedOn),
		"sharedFiles":    r.truth("sharedFiles", &rule.SharedFiles),
	}
}

// grade reads a grade of immutability. That nobody could tell is no grade that could be accepted.
func (r *policyReader) grade(rule *DataRule) func(string, *yaml.Node) error {
	return func(grade string, n *yaml.Node) error {
		if !slices.Contains(provenance.Grades, grade) || grade == provenance.GradeUnknown {
			known := slices.DeleteFunc(slices.Clone(provenance.Grades), func(g string) bool { return g == provenance.GradeUnknown })
			return r.errorAt(n, "", "%q is no grade of immutability that could be accepted; it has to be one of %s", clip(grade), join(known))
		}
		rule.Immutability = append(rule.Immutability, grade)
		return nil
	}
}

func (r *policyReader) root(rule *DataRule) func(string, *yaml.Node) error {
	return func(root string, n *yaml.Node) error {
		if _, err := provenance.ParsePlace(root); err != nil {
			return r.errorAt(n, "a root is a folder such as abfss://lake@account.dfs.core.windows.net/mortgages/ or /srv/lake", "the root %q %v", clip(root), err)
		}
		rule.Roots = append(rule.Roots, root)
		return nil
	}
}

func (r *policyReader) databricks(n *yaml.Node) error {
	rule := &DatabricksRule{}
	r.policy.Databricks = rule
	return r.mapping(n, "databricks", map[string]setter{
		"result": r.text("result", keep(&rule.Result)),
		"basis":  r.basis(&rule.Basis),
	})
}

func (r *policyReader) model(n *yaml.Node) error {
	rule := &ModelRule{}
	r.policy.Model = rule
	err := r.mapping(n, "model", map[string]setter{
		"inImage": r.truth("inImage", &rule.InImage),
		"path":    r.text("path", keep(&rule.Path)),
		"basis":   r.basis(&rule.Basis),
	})
	switch {
	case err != nil:
		return err
	case rule.Path != "" && !rule.InImage:
		return r.errorAt(n, "write inImage: true", "model asks for a path, but not for the model to be in the image")
	case rule.Path != "" && path.Clean("/"+rule.Path) != rule.Path:
		return r.errorAt(n, "write it as in the image: /app/model.bin", "the model's path %q is not a clean absolute path", clip(rule.Path))
	}
	return nil
}

// basis reads the weakest accepted basis. Inferred is none that a statement could have.
func (r *policyReader) basis(to *provenance.Basis) setter { return r.basisOf("basis", to) }

func (r *policyReader) basisOf(what string, to *provenance.Basis) setter {
	return choice(r.document, what, to, provenance.Observed, provenance.Signed, provenance.Reported, provenance.Declared)
}

// keep stores a text as it is.
func keep(to *string) func(string, *yaml.Node) error {
	return func(s string, _ *yaml.Node) error {
		*to = s
		return nil
	}
}
