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
		findings = collect(slices.Concat(checkSource(p.Source, r.Commit), checkData(p.Data, r.Data),
			checkDatabricks(p.Databricks, r.Databricks), checkModel(p.Model, r.Model, d.platforms(r.Image)))...)
	}
	return append(findings, d.recheck(e)...)
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

func checkData(rule *DataRule, folders []provenance.Folder) []*Finding {
	if rule == nil {
		return nil
	}
	if len(folders) == 0 {
		return []*Finding{{Code: "data.missing", Detail: "no data folder was recorded", Expected: "a data folder",
			Hint: "record with --data"}}
	}
	var findings []*Finding
	for _, f := range folders {
		if rule.Roots != nil && !within(f.URI, rule.Roots) {
			findings = append(findings, &Finding{Code: "data.root", Detail: "a data folder lies outside the allowed roots",
				Expected: "within " + strings.Join(rule.Roots, " or "), Found: f.URI, Basis: f.Of("uri")})
		}
		findings = append(findings, weak("data", "the address of "+f.URI, f.Of("uri"), rule.Basis),
			weak("data", "the digest of "+f.URI, f.Of("digest"), rule.Basis))
	}
	return findings
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
