package verify

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
)

// rules holds one statement against the policy, and its folders against their sources. Every rule that is broken is
// listed, not just the first. What a rule is about has to be there: absence never passes.
func (d *decider) rules(e *examined) []Finding {
	var findings []Finding
	if p, r := d.in.Policy, e.record; p != nil {
		findings = collect(slices.Concat(checkSource(p.Source, r.Commit), checkData(p.Data, r.Data, d.in.Now),
			checkDatabricks(p.Databricks, r.Databricks), checkModel(p.Model, r.Model, d.platforms(r.Image)), checkChecks(p, r))...)
	}
	if findings = append(findings, d.recheck(e)...); len(findings) > 0 {
		return findings
	}
	return collect(contradiction(e.record))
}

// contradiction holds the record against itself, where no rule that names what is wrong has found anything.
func contradiction(r provenance.Record) *Finding {
	err := r.Contradiction()
	if err == nil {
		return nil
	}
	return &Finding{Code: "statement.contradiction", Detail: "the record contradicts itself: " + err.Error(),
		Hint: "who signed it wrote it with another program, or by hand: ask them how"}
}

func checkSource(rule *SourceRule, c provenance.Commit) []*Finding {
	if rule == nil {
		return nil
	}
	var findings []*Finding
	if rule.Repository != "" {
		findings = append(findings, weak("source", "the commit's repository", c.Of("repository"), rule.Basis))
		if normalRepository(c.Repository) != normalRepository(rule.Repository) {
			findings = append(findings, &Finding{Code: "source.repository", Detail: "the commit is from another repository",
				Expected: rule.Repository, Found: c.Repository, Basis: c.Of("repository")})
		}
	}
	if rule.Branches != nil {
		findings = append(findings, weak("source", "the commit's branch", c.Of("ref"), rule.Basis))
		if !matchesBranch(rule.Branches, c.Ref) {
			findings = append(findings, &Finding{Code: "source.branch", Detail: "the commit is from another branch",
				Expected: strings.Join(rule.Branches, " or "), Found: c.Ref, Basis: c.Of("ref"),
				Hint: "release from an allowed branch; a detached HEAD is on none"})
		}
	}
	if rule.Clean {
		findings = append(findings, weak("source", "whether the work tree was clean", c.Of("dirty"), rule.Basis), checkClean(c))
	}
	return findings
}

// checkClean wants a work tree that was the commit. A record that lists changes is not clean, whatever its flag says.
func checkClean(c provenance.Commit) *Finding {
	var dirt []string
	for _, kind := range []struct {
		what  string
		files []string
	}{{"changed", c.Changed}, {"untracked", c.Untracked}, {"assume-unchanged", c.AssumeUnchanged}, {"skip-worktree", c.SkipWorktree}} {
		if len(kind.files) > 0 {
			dirt = append(dirt, kind.what+" "+strings.Join(kind.files, ", "))
		}
	}
	if !c.Dirty && dirt == nil {
		return nil
	}
	return &Finding{Code: "source.clean", Detail: "the work tree differed from the commit", Expected: "clean",
		Found: strings.Join(append([]string{"dirty"}, dirt...), "; "), Basis: c.Of("dirty"),
		Hint: "build from a fresh checkout; commit or remove what is listed"}
}

// matchesBranch tells whether a full ref is one of the branches.
func matchesBranch(patterns []string, ref string) bool {
	for _, pattern := range patterns {
		if !strings.HasPrefix(pattern, "refs/") {
			pattern = "refs/heads/" + pattern
		}
		if matched, err := path.Match(pattern, ref); err == nil && matched {
			return true
		}
	}
	return false
}

// normalRepository takes away what makes no difference: the case of scheme and host, a final slash, and .git.
func normalRepository(repository string) string {
	repository = strings.TrimSuffix(strings.TrimSuffix(repository, "/"), ".git")
	scheme, rest, isURL := strings.Cut(repository, "://")
	if !isURL {
		return repository
	}
	host, path, _ := strings.Cut(rest, "/")
	return strings.ToLower(scheme) + "://" + strings.ToLower(host) + "/" + path
}

func checkDatabricks(rule *DatabricksRule, run *provenance.DatabricksRun) []*Finding {
	if rule == nil {
		return nil
	}
	if run == nil {
		return []*Finding{{Code: "databricks.missing", Detail: "no Databricks run was recorded", Expected: "a run",
			Hint: "record with --databricks-host and --databricks-run"}}
	}
	findings := []*Finding{weak("databricks", "the run's result", run.Of("result"), rule.Basis)}
	if rule.Result != "" && run.Result != rule.Result {
		findings = append(findings, &Finding{Code: "databricks.result", Detail: fmt.Sprintf("the Databricks run %s ended otherwise", run.RunID),
			Expected: rule.Result, Found: orNothing(run.Result), Basis: run.Of("result")})
	}
	return findings
}

func checkModel(rule *ModelRule, m *provenance.Model, platforms []string) []*Finding {
	if rule == nil {
		return nil
	}
	if m == nil {
		return []*Finding{{Code: "model.missing", Detail: "no model was recorded", Expected: "a model", Hint: "record with --model"}}
	}
	findings := []*Finding{weak("model", "the model's digest", m.Of("digest"), rule.Basis)}
	if !rule.InImage {
		return findings
	}
	findings = append(findings, weak("model", "where the image contains the model", m.Of("locations"), rule.Basis))
	if len(platforms) == 0 {
		return append(findings, &Finding{Code: "model.inImage", Detail: "the image has no platform that could contain the model"})
	}
	for _, platform := range platforms {
		findings = append(findings, checkPlatform(rule, *m, platform))
	}
	return findings
}

// platforms are the names of those that run: what BuildKit attests about a build lies in the same index. But the image that
// was asked for counts, whatever it calls itself.
func (d *decider) platforms(image provenance.Image) (names []string) {
	for _, p := range image.Platforms {
		if p.Name != provenance.UnknownPlatform || p.Digest == d.in.Image {
			names = append(names, p.Name)
		}
	}
	return names
}

// checkChecks wants no cross-check of the record to have failed. Files in two roles may be allowed.
func checkChecks(p *Policy, r provenance.Record) []*Finding {
	var findings []*Finding
	for _, c := range r.Checks {
		if c.Name != provenance.CheckRoles && c.Value != "true" && c.Value != "unknown" {
			findings = append(findings, &Finding{Code: "check." + c.Name, Detail: "a check of the builder's own failed: " + orNothing(c.Note),
				Expected: "true", Found: orNothing(c.Value), Basis: c.Basis})
		}
	}
	return append(findings, checkRoles(p.Data, r))
}

// checkRoles wants no file in folders of two roles. A record that lists such files has them, whatever its check says. Only a
// policy that asks about data wants the check to have been made.
func checkRoles(rule *DataRule, r provenance.Record) *Finding {
	if rule != nil && rule.SharedFiles {
		return nil
	}
	found := provenance.Fact{Value: "unknown", Note: "nobody compared them"}
	for _, c := range r.Checks {
		if c.Name == provenance.CheckRoles {
			found = c
		}
	}
	shared := sharedFiles(r.Data)
	finding := &Finding{Code: "check." + provenance.CheckRoles, Expected: "no file in two roles", Found: orNothing(shared), Basis: found.Basis}
	switch {
	case shared != "" || found.Value != "true" && found.Value != "unknown":
		finding.Detail = strings.Join(nonEmpty("files are in folders of two roles", found.Note), ": ")
		finding.Hint = "keep them apart; where files may be equal for a good reason, allow data.sharedFiles"
		return finding
	case rule != nil && found.Value != "true" && roles(r.Data) > 1:
		finding.Detail, finding.Found = "nobody could tell whether files are in two roles: "+found.Note, found.Value
		finding.Undecided, finding.Hint = true, "record again with a newer provenance, or allow data.sharedFiles"
		return finding
	}
	return nil
}

// sharedFiles names files that are in folders of two roles.
func sharedFiles(folders []provenance.Folder) string {
	var all []string
	for _, f := range folders {
		for _, s := range f.Shared {
			all = append(all, fmt.Sprintf("%s of %s in %s", atMost(MaxNamed, s.Names, s.Files), f.URI, s.URI))
		}
	}
	return strings.Join(all, "; ")
}

// roles counts the roles that must not share files.
func roles(folders []provenance.Folder) int {
	seen := map[string]bool{}
	for _, f := range folders {
		if f.Role != "other" {
			seen[f.Role] = true
		}
	}
	return len(seen)
}

// checkPlatform wants the model in one platform of the image.
func checkPlatform(rule *ModelRule, m provenance.Model, platform string) *Finding {
	var paths []string
	for _, l := range m.Locations {
		if l.Platform == platform {
			paths = append(paths, l.Path)
		}
		if l.Platform == platform && (rule.Path == "" || rule.Path == l.Path) {
			return nil
		}
	}
	if paths == nil {
		return &Finding{Code: "model.inImage", Detail: fmt.Sprintf("the model is not in the image for %s", platform),
			Expected: "the model " + m.Name, Found: "nothing", Basis: m.Of("locations")}
	}
	return &Finding{Code: "model.path", Detail: fmt.Sprintf("in the image for %s the model lies elsewhere", platform),
		Expected: rule.Path, Found: strings.Join(paths, ", "), Basis: m.Of("locations")}
}

// weak is the finding that something is known on a weaker basis than a rule accepts, or nil. An empty weakest accepts any.
func weak(rule, what string, known, weakest provenance.Basis) *Finding {
	if weakest == "" || known.AtLeast(weakest) {
		return nil
	}
	return &Finding{Code: rule + ".basis", Detail: fmt.Sprintf("%s is only %s", what, orNothing(string(known))), Basis: known,
		Expected: string(weakest) + " or better", Found: orNothing(string(known))}
}
