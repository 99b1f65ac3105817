package verify

import (
	"fmt"
	"path"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// checkSource holds the commit against a rule.
func checkSource(s policy.Source, r provenance.Record) []*Finding {
	c := r.Commit
	var findings []*Finding
	if s.Repository != "" {
		findings = append(findings, weak("source", "the commit's repository", c.Of("repository"), s.Basis))
		if normalRepository(c.Repository) != normalRepository(s.Repository) {
			findings = append(findings, &Finding{Code: "source.repository", Detail: "the commit is from another repository",
				Expected: s.Repository, Found: orNothing(c.Repository), Basis: c.Of("repository"), Hint: "release what was built from the repository that the policy names"})
		}
	}
	if s.Branches != nil {
		findings = append(findings, weak("source", "the commit's branch", c.Of("ref"), s.Basis))
		if !matchesBranch(s.Branches, c.Ref) {
			findings = append(findings, &Finding{Code: "source.branch", Detail: "the commit is from another branch",
				Expected: strings.Join(s.Branches, " or "), Found: orNothing(c.Ref), Basis: c.Of("ref"),
				Hint: "release from an allowed branch; a detached HEAD is on none"})
		}
	}
	if s.Clean {
		findings = append(findings, weak("source", "whether the work tree was clean", c.Of("dirty"), s.Basis), checkClean(c))
	}
	if s.Signed {
		findings = append(findings, checkCommitSigned(s, r.Review)...)
	}
	return findings
}

// checkCommitSigned wants the repository's host to say that the commit's signature is valid. That there is one proves nothing: it
// could be anybody's.
func checkCommitSigned(s policy.Source, review *provenance.Review) []*Finding {
	finding := &Finding{Code: "source.signed", Expected: "valid", Found: "nothing"}
	if review == nil || review.Verified == "" {
		finding.Undecided = true
		finding.Detail = "nobody said whether the commit's signature is valid"
		finding.Hint = "record with GITHUB_TOKEN: GitHub tells of each commit; Azure DevOps does not"
		return []*Finding{finding}
	}
	finding.Found, finding.Basis = review.Verified, review.Of("verified")
	if review.Verified != "valid" {
		finding.Detail = fmt.Sprintf("%s does not say that the commit's signature is valid", review.Host)
		finding.Hint = "sign commits with a key that the host knows"
		return []*Finding{finding}
	}
	return []*Finding{weak("source", "that the commit's signature is valid", review.Of("verified"), s.Basis)}
}

func sourceInputs(r provenance.Record) []rule.Input {
	c := r.Commit
	all := []rule.Input{input("commit.repository", c.Repository, c.Of("repository")), input("commit.ref", c.Ref, c.Of("ref")),
		input("commit.id", c.ID.Hex(), c.Of("id")), input("commit.dirty", fmt.Sprint(c.Dirty), c.Of("dirty"))}
	if r.Review != nil {
		all = append(all, input("review.verified", r.Review.Verified, r.Review.Of("verified")))
	}
	return all
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
