package policy

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
)

// ReadFile gives the bytes of a key or trusted root that a policy names. Paths that are not absolute were already joined to the
// policy's own folder.
type ReadFile func(path string) ([]byte, error)

// Parse reads a policy. name is the file's path, for errors, and for the files that the policy names relative to itself; they are
// read with read. Every error is a *provenance.Misused that says file, line and column.
func Parse(name string, data []byte, read ReadFile) (*Policy, error) {
	d := document{name, data}
	root, err := d.parse()
	if err != nil {
		return nil, err
	}
	r := &reader{document: d, read: read, policy: &Policy{Name: name, Digest: provenance.SumSHA256(data), Recheck: RecheckNone}}
	if err := d.mapping(root, "the policy", r.fields()); err != nil {
		return nil, err
	}
	if r.version == "" {
		return nil, d.errorAt(root, "write version: 1", "the policy does not say its version")
	}
	if err := r.checkFiles(); err != nil {
		return nil, err
	}
	if r.policy.Empty() {
		return nil, d.errorAt(root, "see examples/policy.yaml", "the policy asks for nothing")
	}
	return r.policy, r.whole()
}

// reader fills a policy from its document.
type reader struct {
	document
	read    ReadFile
	policy  *Policy
	version string
	outside []outside      // files that were read
	pins    map[string]pin // by path
	rules   []ruleNode     // of rules, to check what they name when the whole policy is read
}

func (r *reader) fields() map[string]setter {
	p := r.policy
	return map[string]setter{
		"version":           r.readVersion,
		"serial":            r.serial,
		"expires":           r.date("expires", &p.Expires),
		"files":             r.files,
		"trustedRoot":       r.text("trustedRoot", r.trustedRoot),
		"builders":          r.list("builders", r.builder),
		"signature":         r.sections(r.signature),
		"maxAge":            r.duration("maxAge", &p.MaxAge),
		"source":            r.sections(r.source),
		"data":              r.sections(r.data),
		"databricks":        r.sections(r.databricks),
		"metrics":           r.sections(r.metrics),
		"model":             r.sections(r.model),
		"checks":            r.sections(r.checks),
		"approvals":         r.sections(r.approvals),
		"attestations":      r.list("attestations", r.attestation),
		"rules":             r.list("rules", r.rule),
		"deny":              r.deny,
		"recheck":           choice(r.document, "recheck", &p.Recheck, RecheckNone, RecheckListing, RecheckContent),
		"allowDisagreement": r.truth("allowDisagreement", &p.AllowDisagreement),
	}
}

func (r *reader) readVersion(n *yaml.Node) error {
	if n.ShortTag() != "!!int" || n.Value != "1" {
		return r.errorAt(n, "a newer provenance may know it", "version is %s; this program knows version 1", kindOf(n))
	}
	r.version = n.Value
	return nil
}

func (r *reader) serial(n *yaml.Node) (err error) {
	r.policy.Serial, err = strconv.ParseInt(n.Value, 10, 64)
	if err != nil || n.ShortTag() != "!!int" || r.policy.Serial <= 0 {
		return r.errorAt(n, "count it up whenever the policy changes", "serial is %s; it has to be a whole number from 1", kindOf(n))
	}
	return nil
}

// file reads a file that the policy names.
func (r *reader) file(name string, n *yaml.Node) ([]byte, error) {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.name), path)
	}
	data, err := r.read(path)
	if err != nil {
		return nil, r.errorAt(n, "a path is relative to the policy's folder", "read %s: %v", words.Clip(name), err)
	}
	r.outside = append(r.outside, outside{File{Path: name, Digest: provenance.SumSHA256(data)}, n})
	return data, nil
}

func (r *reader) trustedRoot(name string, n *yaml.Node) error {
	data, err := r.file(name, n)
	if err != nil {
		return err
	}
	if r.policy.TrustedRoot, err = envelope.ParseTrustedRoot(name, data); err != nil {
		return r.errorAt(n, words.FirstHint(err), "%v", err)
	}
	return nil
}

// sections reads one mapping, or a list of them, which all have to hold.
func (r *reader) sections(one setter) setter {
	return func(n *yaml.Node) error {
		if n.Kind == yaml.SequenceNode && len(n.Content) > 0 {
			return r.list("", one)(n)
		}
		return one(n)
	}
}

// when adds the keys that every section has.
func (r *reader) when(w *When, fields map[string]setter) map[string]setter {
	maps.Copy(fields, map[string]setter{
		"from":  r.date("from", &w.From),
		"until": r.date("until", &w.Until),
		"warn":  r.truth("warn", &w.Warn),
	})
	return fields
}

// section reads a section, and wants it to ask for something, at some time.
func (r *reader) section(n *yaml.Node, what string, w *When, asks func() bool, hint string, fields map[string]setter) error {
	if err := r.mapping(n, what, r.when(w, fields)); err != nil {
		return err
	}
	if err := r.window(n, what, w.From, w.Until); err != nil {
		return err
	}
	if !asks() {
		return r.errorAt(n, hint, "%s asks for nothing", what)
	}
	return nil
}

// window refuses a time that ends before it begins.
func (r *reader) window(n *yaml.Node, what string, from, until time.Time) error {
	if !until.IsZero() && !from.Before(until) {
		return r.errorAt(n, "until is the first day on which it does not apply any more", "%s is never in force: it ends before it begins", what)
	}
	return nil
}

// basis reads the weakest accepted basis. Inferred is none that a statement could have.
func (r *reader) basis(to *provenance.Basis) setter { return r.basisOf("basis", to) }

func (r *reader) basisOf(what string, to *provenance.Basis) setter {
	return choice(r.document, what, to, provenance.Observed, provenance.Signed, provenance.Reported, provenance.Declared)
}

// keep stores a text as it is.
func keep(to *string) func(string, *yaml.Node) error {
	return func(s string, _ *yaml.Node) error {
		*to = s
		return nil
	}
}

// oneOf appends a word of a list of known ones, each once.
func (r *reader) oneOf(what string, to *[]string, known ...string) func(string, *yaml.Node) error {
	return func(s string, n *yaml.Node) error {
		if !slices.Contains(known, s) {
			return r.errorAt(n, "", "%q is no %s; it has to be one of %s", words.Clip(s), what, words.Join(known))
		}
		if slices.Contains(*to, s) {
			return r.errorAt(n, "", "the %s %q is listed twice", what, s)
		}
		*to = append(*to, s)
		return nil
	}
}
