package provenance

import (
	"fmt"
	"slices"
	"strings"
)

// crossCheck compares what the sources said with each other. It is pure: it asks nobody.
func crossCheck(r Record) ([]Fact, error) {
	facts := []Fact{}
	for _, check := range []func(Record) (*Fact, error){checkCommit, checkRunCommit, checkTrackedCommit, checkTracking, checkNotebooks, checkCalled, checkInputs,
		checkModel, checkCopies, checkModelRun, checkOrder, checkReview, checkRelease, checkRoles} {
		fact, err := check(r)
		if err != nil {
			return nil, err
		}
		if fact != nil {
			facts = append(facts, *fact)
		}
	}
	return facts, nil
}

func checkCommit(r Record) (*Fact, error) {
	asked := r.Pipeline.CommitID
	if asked == "" {
		return &Fact{CheckCommit, "unknown", Declared, "no pipeline says which commit it builds"}, nil
	}
	if asked != r.Commit.ID.Hex() {
		return nil, Refuse("commit.mismatch", "check out the commit that triggered the pipeline, without switching afterwards",
			"the pipeline builds commit %s, but the work tree is at %s", clip(asked), r.Commit.ID.Hex())
	}
	return &Fact{CheckCommit, "true", r.Pipeline.Of("commitId"), ""}, nil
}

func checkRunCommit(r Record) (*Fact, error) {
	if r.Databricks == nil {
		return nil, nil
	}
	commits := r.Databricks.commits()
	if len(commits) == 0 {
		return &Fact{CheckRunCommit, "unknown", Declared, "the run names no commit"}, nil
	}
	for _, used := range commits {
		if !strings.EqualFold(used, r.Commit.ID.Hex()) {
			return nil, Refuse("databricks.commit", "train on the commit that is built, or record the run that did",
				"Databricks run %s used commit %s, but the work tree is at %s", clip(r.Databricks.RunID), clip(used), r.Commit.ID.Hex())
		}
	}
	return &Fact{CheckRunCommit, "true", r.Databricks.Of("gitCommit"), ""}, nil
}

// commits are the run's, and those of tasks that have their own.
func (d DatabricksRun) commits() (all []string) {
	if d.GitCommit != "" {
		all = append(all, d.GitCommit)
	}
	for _, t := range d.Tasks {
		if t.GitCommit != "" {
			all = append(all, t.GitCommit)
		}
	}
	return all
}

func checkModel(r Record) (*Fact, error) {
	if r.Model == nil {
		return nil, nil
	}
	found := map[string]bool{}
	for _, l := range r.Model.Locations {
		found[l.Platform] = true
	}
	for _, p := range r.Image.Platforms {
		if !found[p.Name] && p.Name != UnknownPlatform {
			return nil, Refuse("model.notInImage", "copy the model into the image of every platform", "the image's platform %s does not contain the model %s", p.Name, r.Model.Name)
		}
	}
	return &Fact{CheckModel, "true", Observed, ""}, nil
}

// checkCopies tells that all copies of the model are one: whoever read them refused others. What a registry has under the model's name is
// one of them only when its files were read.
func checkCopies(r Record) (*Fact, error) {
	if r.Model != nil {
		for _, c := range r.Model.Copies {
			if c.Digest != r.Model.Digest {
				return nil, Refuse("model.differs", "was one of them written anew, or cut short? register and build from one copy", "the model at %s is not the one at %s", clip(c.URI), clip(r.Model.URI))
			}
		}
	}
	for _, m := range r.Registered {
		if !r.Model.liesAt(m.Files) {
			return &Fact{CheckCopies, "unknown", Declared, fmt.Sprintf("the files of %s %s in %s were not read: whether they are this model, nobody looked", clip(m.Name), clip(m.Version), m.Registry)}, nil
		}
	}
	if len(r.Registered) == 0 && (r.Model == nil || len(r.Model.Copies) == 0) {
		return nil, nil
	}
	return &Fact{CheckCopies, "true", Observed, ""}, nil
}

// liesAt tells whether a place is the model's, or that of a copy of it.
func (m *Model) liesAt(place string) bool {
	return m != nil && place != "" && (place == m.URI || slices.ContainsFunc(m.Copies, func(c Copy) bool { return c.URI == place }))
}

// checkRoles needs folders of different roles, and somebody who compared them. It is as good as the weakest of their digests.
func checkRoles(r Record) (*Fact, error) {
	fact := &Fact{Name: CheckRoles, Value: "true", Basis: Observed}
	roles := map[string]bool{}
	compared := true
	for _, f := range r.Data {
		if f.Role == "other" {
			continue
		}
		roles[f.Role] = true
		compared = compared && f.Shared != nil
		if !f.Of("digest").AtLeast(fact.Basis) {
			fact.Basis = f.Of("digest")
		}
		for _, s := range f.Shared {
			fact.Value = "false"
			fact.Note = fmt.Sprintf("%s of %s and %s of %s share %s", f.Role, f.URI, s.Role, s.URI, countFiles(s.Files))
		}
	}
	switch {
	case len(roles) < 2:
		return nil, nil
	case fact.Value == "true" && !compared:
		return &Fact{CheckRoles, "unknown", Declared, "nobody compared the files of the folders"}, nil
	}
	return fact, nil
}

func countFiles(n int64) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}
