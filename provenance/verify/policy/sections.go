package policy

import (
	"path"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
)

func (r *reader) signature(n *yaml.Node) error {
	var s Signature
	err := r.section(n, "signature", &s.When, func() bool { return s.Timestamp || s.Log }, "write timestamp: true or log: true", map[string]setter{
		"timestamp": r.truth("timestamp", &s.Timestamp),
		"log":       r.truth("log", &s.Log),
	})
	r.policy.Signature = append(r.policy.Signature, s)
	return err
}

func (r *reader) source(n *yaml.Node) error {
	var s Source
	asks := func() bool { return s.Repository != "" || s.Branches != nil || s.Clean || s.Signed }
	err := r.section(n, "source", &s.When, asks, "name a repository, branches, clean: true or signed: true", map[string]setter{
		"repository": r.text("repository", keep(&s.Repository)),
		"branches":   r.list("branches", r.text("a branch", r.branch(&s))),
		"clean":      r.truth("clean", &s.Clean),
		"signed":     r.truth("signed", &s.Signed),
		"basis":      r.basis(&s.Basis),
	})
	r.policy.Source = append(r.policy.Source, s)
	return err
}

func (r *reader) branch(s *Source) func(string, *yaml.Node) error {
	return func(pattern string, n *yaml.Node) error {
		if _, err := path.Match(pattern, ""); err != nil {
			return r.errorAt(n, "* is anything but a slash, ? one character, [ab] one of them", "the branch pattern %q is wrong", words.Clip(pattern))
		}
		s.Branches = append(s.Branches, pattern)
		return nil
	}
}

// data asks for a folder, whatever else it says.
func (r *reader) data(n *yaml.Node) error {
	var d Data
	err := r.section(n, "data", &d.When, func() bool { return true }, "", r.dataFields(&d))
	r.policy.Data = append(r.policy.Data, d)
	return err
}

func (r *reader) dataFields(d *Data) map[string]setter {
	return map[string]setter{
		"roots":          r.list("roots", r.text("a root", r.root(d))),
		"roles":          r.list("roles", r.text("a role", r.oneOf("role", &d.Roles, provenance.Roles...))),
		"basis":          r.basis(&d.Basis),
		"immutability":   r.list("immutability", r.text("a grade", r.grade(d))),
		"protectedUntil": r.date("protectedUntil", &d.ProtectedUntil),
		"protectedFor":   r.duration("protectedFor", &d.ProtectedFor),
		"maxDigestAge":   r.duration("maxDigestAge", &d.MaxDigestAge),
		"newestWithin":   r.duration("newestWithin", &d.NewestWithin),
		"trainedOn":      r.basisOf("trainedOn", &d.TrainedOn),
		"sharedFiles":    r.truth("sharedFiles", &d.SharedFiles),
	}
}

// grade reads a grade of immutability. That nobody could tell is no grade that could be accepted.
func (r *reader) grade(d *Data) func(string, *yaml.Node) error {
	return func(grade string, n *yaml.Node) error {
		if !slices.Contains(provenance.Grades, grade) || grade == provenance.GradeUnknown {
			known := slices.DeleteFunc(slices.Clone(provenance.Grades), func(g string) bool { return g == provenance.GradeUnknown })
			return r.errorAt(n, "", "%q is no grade of immutability that could be accepted; it has to be one of %s", words.Clip(grade), words.Join(known))
		}
		d.Immutability = append(d.Immutability, grade)
		return nil
	}
}

func (r *reader) root(d *Data) func(string, *yaml.Node) error {
	return func(root string, n *yaml.Node) error {
		if _, err := provenance.ParsePlace(root); err != nil {
			return r.errorAt(n, "a root is a folder such as abfss://lake@account.dfs.core.windows.net/mortgages/ or /srv/lake", "the root %q %v", words.Clip(root), err)
		}
		d.Roots = append(d.Roots, root)
		return nil
	}
}

// databricks asks for a run, whatever else it says.
func (r *reader) databricks(n *yaml.Node) error {
	var d Databricks
	err := r.section(n, "databricks", &d.When, func() bool { return true }, "", map[string]setter{
		"result":    r.text("result", keep(&d.Result)),
		"notebooks": r.text("notebooks", r.notebooks(&d)),
		"basis":     r.basis(&d.Basis),
	})
	r.policy.Databricks = append(r.policy.Databricks, d)
	return err
}

func (r *reader) notebooks(d *Databricks) func(string, *yaml.Node) error {
	return func(s string, n *yaml.Node) error {
		d.Notebooks = s == "commit"
		if !d.Notebooks {
			return r.errorAt(n, "leave it out to accept any", "notebooks is %q; it has to be commit: what ran is the commit's", words.Clip(s))
		}
		return nil
	}
}

// model asks for one, whatever else it says.
func (r *reader) model(n *yaml.Node) error {
	var m Model
	err := r.section(n, "model", &m.When, func() bool { return true }, "", map[string]setter{
		"inImage": r.truth("inImage", &m.InImage),
		"path":    r.text("path", keep(&m.Path)),
		"basis":   r.basis(&m.Basis),
	})
	switch {
	case err != nil:
		return err
	case m.Path != "" && !m.InImage:
		return r.errorAt(n, "write inImage: true", "model asks for a path, but not for the model to be in the image")
	case m.Path != "" && path.Clean("/"+m.Path) != m.Path:
		return r.errorAt(n, "write it as in the image: /app/model.bin", "the model's path %q is not a clean absolute path", words.Clip(m.Path))
	}
	r.policy.Model = append(r.policy.Model, m)
	return nil
}

// checks reads what is said of cross-checks. What the build type lets no record say cannot be allowed.
func (r *reader) checks(n *yaml.Node) error {
	c := Checks{Of: map[string]Demand{}}
	fields := map[string]setter{"basis": r.basis(&c.Basis)}
	for _, name := range provenance.CheckNames {
		fields[name] = r.demand(name, c.Of)
	}
	err := r.section(n, "checks", &c.When, func() bool { return len(c.Of) > 0 }, "write, for instance, trainedBeforeImage: required", fields)
	r.policy.Checks = append(r.policy.Checks, c)
	return err
}

func (r *reader) demand(name string, to map[string]Demand) setter {
	return func(n *yaml.Node) error {
		var d Demand
		if err := choice(r.document, name, &d, Required, Allowed)(n); err != nil {
			return err
		}
		if d == Allowed && !slices.Contains(provenance.MayBeFalse, name) {
			return r.errorAt(n, "those that can be false are "+words.Join(provenance.MayBeFalse), "the check %s is never false in a record, so that nothing could be allowed", name)
		}
		to[name] = d
		return nil
	}
}
