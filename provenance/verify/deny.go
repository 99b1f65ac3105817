package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// denials is the expectation that nothing is withdrawn.
func (d *decider) denials(e *examined) []expectation {
	if d.in.Policy.Deny == nil {
		return nil
	}
	return []expectation{{"deny", always{}, func() []*Finding { return d.denied(e) }, func() []rule.Input { return nil }}}
}

// denied is everything in the record that the policy withdraws.
func (d *decider) denied(e *examined) (findings []*Finding) {
	for _, denied := range d.in.Policy.Deny {
		if found := d.find(denied, e); found != "" {
			findings = append(findings, withdrawn(denied, found))
		}
	}
	return findings
}

// withdrawn is the finding about something that must not be used any more.
func withdrawn(denied policy.Denied, found string) *Finding {
	return &Finding{Code: "deny." + denied.Kind, Detail: strings.Join(nonEmpty(fmt.Sprintf("the %s is withdrawn", denied.Kind), denied.Because), ": "),
		Expected: "not " + denied.Value, Found: found, Hint: "build again without it, or ask the policy's owner why it was withdrawn"}
}

// find is where the record has what is withdrawn; empty: nowhere.
func (d *decider) find(denied policy.Denied, e *examined) string {
	r := e.record
	switch denied.Kind {
	case policy.DenyDigest:
		return d.findDigest(denied.Value, r)
	case policy.DenyCommit:
		if slices.Contains(commitsOf(r), denied.Value) {
			return "commit " + denied.Value
		}
	case policy.DenyFolder:
		for _, f := range r.Data {
			if provenance.Within(f.URI, []string{denied.Value}) {
				return f.URI
			}
		}
	case policy.DenyInvocation:
		if r.Pipeline.InvocationID == denied.Value || r.Build != nil && r.Build.URL == denied.Value {
			return r.Pipeline.InvocationID
		}
	}
	return ""
}

// commitsOf are all commits by which something was built: the work tree's, and the run's.
func commitsOf(r provenance.Record) []string {
	commits := []string{r.Commit.ID.Hex()}
	if r.Databricks != nil {
		commits = append(commits, strings.ToLower(r.Databricks.GitCommit))
		for _, t := range r.Databricks.Tasks {
			commits = append(commits, strings.ToLower(t.GitCommit))
		}
	}
	if r.MLflow != nil {
		commits = append(commits, strings.ToLower(r.MLflow.GitCommit))
	}
	return commits
}

// findDigest names what has the digest.
func (d *decider) findDigest(digest string, r provenance.Record) string {
	named := [][2]string{{d.in.Image.String(), "the image"}, {r.Image.Digest.String(), "the image"}, {r.Commit.Files.String(), "the commit's files"}}
	for _, p := range r.Image.Platforms {
		named = append(named, [2]string{p.Digest.String(), "the image for " + p.Name})
	}
	if r.Image.Base != nil {
		named = append(named, [2]string{r.Image.Base.Digest.String(), "the base image " + r.Image.Base.Name})
	}
	for _, f := range r.Data {
		named = append(named, [2]string{f.Digest.String(), f.URI})
	}
	if r.Model != nil {
		named = append(named, [2]string{r.Model.Digest.String(), "the model " + r.Model.Name}, [2]string{r.Model.File.String(), "the model " + r.Model.Name})
	}
	for _, n := range r.Notebooks {
		named = append(named, [2]string{n.Digest.String(), n.Path})
	}
	for _, n := range named {
		if n[0] != "" && hexOf(n[0]) == hexOf(digest) {
			return n[1]
		}
	}
	return ""
}

// hexOf leaves the algorithm's name out: a folder's dirHash is its manifest's sha256, and both mean the folder.
func hexOf(digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return hex
}

// deniedKey is the finding that a key, or the certificate's key, is withdrawn. Its statements count for nothing.
func (d *decider) deniedKey(e *examined) *Finding {
	if d.in.Policy == nil {
		return nil
	}
	for _, denied := range d.in.Policy.Deny {
		if denied.Kind == policy.DenyKey && denied.Value == e.signer.Fingerprint {
			return withdrawn(denied, e.signer.Name)
		}
	}
	return nil
}
