package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
)

// reviewFacts are who brought the commit, and who looked at it.
func reviewFacts(v *provenance.Review) (lines []fact) {
	if v == nil {
		return nil
	}
	who := known(v.Of("pusher"), hostName(v.Host))
	if pusher := person(v.Pusher); pusher != "" {
		lines = append(lines, fact{"", join(", ", "pushed by "+pusher, moment(v.Pushed)), who})
	}
	for _, p := range v.PullRequests {
		lines = append(lines, fact{"", join(", ", "pull request "+p.ID, p.Title, p.State, reviewers(p.Reviewers)), known(v.Of("pullRequests"), hostName(v.Host))})
	}
	return append(lines, noteFacts(v.Notes, hostName(v.Host))...)
}

// reviewers are those who said something, by what they said.
func reviewers(all []provenance.Reviewer) string {
	var said []string
	for _, r := range all {
		if r.Vote != "" && r.Vote != "no vote" {
			name := whoever(r.Person)
			if r.Group {
				name = "the group " + name
			}
			said = append(said, r.Vote+" by "+name)
		}
	}
	if said == nil {
		return "nobody reviewed it"
	}
	return strings.Join(said, ", ")
}

// hostName is what people call the host of a repository.
func hostName(host string) string {
	switch {
	case strings.Contains(host, "dev.azure.com"), strings.Contains(host, "visualstudio.com"):
		return "Azure DevOps"
	case strings.Contains(host, "github"):
		return "GitHub"
	}
	return strings.TrimPrefix(strings.TrimPrefix(host, "https://"), "http://")
}

// noteFacts are what a service would not tell.
func noteFacts(notes []string, who string) (lines []fact) {
	for _, note := range notes {
		lines = append(lines, fact{"", "not known: " + note, known(provenance.Reported, who)})
	}
	return lines
}

// buildFacts are what Azure DevOps tells of the build, and of the classic release.
func buildFacts(r provenance.Record) (lines []fact) {
	const who = "Azure DevOps"
	if b := r.Build; b != nil {
		lines = append(lines, fact{"build", join(", ", strings.TrimSpace("number "+b.Number), "definition "+b.Definition.Name+" revision "+b.Definition.Revision, requested(b)), known(b.Of("id"), who)})
		lines = append(lines, approvalFacts(b.Approvals, known(b.Of("approvals"), who))...)
		for _, a := range b.Artifacts {
			lines = append(lines, fact{"", join("  ", "artifact "+a.Name, artifactDigest(a)), known(b.Of("artifacts"), who)})
		}
		lines = append(lines, noteFacts(b.Notes, who)...)
	}
	if l := r.Release; l != nil {
		lines = append(lines, fact{"release", join(", ", l.Name, "created by "+whoever(l.Creator), moment(l.Created)), known(l.Of("id"), who)})
		lines = append(lines, approvalFacts(l.Approvals, known(l.Of("approvals"), who))...)
		lines = append(lines, noteFacts(l.Notes, who)...)
	}
	return lines
}

func requested(b *provenance.Build) string {
	if name := person(b.RequestedFor); name != "" {
		return "for " + name
	}
	return ""
}

func artifactDigest(a provenance.BuildArtifact) string {
	if a.Digest.IsZero() {
		return "not read: " + a.Note
	}
	return "dirHash " + a.Digest.Short()
}

func approvalFacts(approvals []provenance.Approval, who string) (lines []fact) {
	for _, a := range approvals {
		lines = append(lines, fact{"", join(", ", a.Status+approver(a), a.Of, moment(a.At)), who})
	}
	return lines
}

// approver is who decided. Nobody did where nobody approved or rejected, and none is named.
func approver(a provenance.Approval) string {
	decided := a.Status == "approved" || a.Status == "rejected"
	if !decided && person(a.Approver) == "" {
		return ""
	}
	if a.Group {
		return " by the group " + whoever(a.Approver)
	}
	return " by " + whoever(a.Approver)
}

// trainingFacts are the runs, and what they ran and measured.
func trainingFacts(r provenance.Record) []fact {
	return slices.Concat(databricksFacts(r.Databricks, len(r.Notebooks) > 0), notebookFacts(r.Notebooks), mlflowFacts(r.MLflow))
}

func databricksFacts(run *provenance.DatabricksRun, compared bool) []fact {
	if run == nil {
		return nil
	}
	lines := []fact{{"training", join(", ", "Databricks run "+run.RunID, run.Result, moment(run.Ended)), known(run.Of("result"), "Databricks")}}
	for _, c := range run.Clusters {
		if c.SparkVersion != "" {
			lines = append(lines, fact{"", join(", ", "cluster "+c.SparkVersion, c.NodeType, libraries(c)), known(run.Of("clusters"), "Databricks")})
		}
	}
	if run.Notebook != "" && !compared {
		lines = append(lines, fact{"", "notebook " + run.Notebook, known(run.Of("notebook"), "Databricks")})
	}
	return append(lines, noteFacts(run.Notes, "Databricks")...)
}

func libraries(c provenance.Cluster) string {
	if n := len(c.Libraries); n > 0 {
		return fmt.Sprintf("%d libraries", n)
	}
	return ""
}

// notebookFacts say how what ran compares with the commit.
func notebookFacts(notebooks []provenance.Notebook) (lines []fact) {
	for _, n := range notebooks {
		value := n.Path
		if n.By != "" {
			value = n.How + " " + n.Path
		}
		switch n.Equal {
		case provenance.Matches:
			value += " equals the commit's " + n.File
		case provenance.Differs:
			value += " differs from the commit's " + n.File + ": " + n.Note
		default:
			value += " was not compared with the commit: " + n.Note
		}
		lines = append(lines, fact{"", value, known(n.Of("equal"), "Databricks")})
	}
	return lines
}

func mlflowFacts(run *provenance.MLflowRun) []fact {
	if run == nil {
		return nil
	}
	lines := []fact{{"experiment", join(", ", "MLflow run "+run.RunID, run.Name, run.Status, moment(run.Ended)), known(run.Of("status"), "MLflow")}}
	for _, m := range run.Metrics {
		on := ""
		if m.Dataset != "" {
			on = "on " + m.Dataset
		}
		late := ""
		if m.AfterEnd {
			late = "logged after the run had ended"
		}
		lines = append(lines, fact{"", join("  ", m.Name+" "+m.Value, on, late), known(run.Of("metrics"), "MLflow")})
	}
	for _, in := range run.Inputs {
		lines = append(lines, fact{"", join("  ", "input "+in.Name, in.Source), known(run.Of("inputs"), "MLflow")})
	}
	return append(lines, noteFacts(run.Notes, "MLflow")...)
}

// registeredFacts are the versions of the model in registries.
func registeredFacts(models []provenance.RegisteredModel) (lines []fact) {
	for _, m := range models {
		aliases := ""
		if len(m.Aliases) > 0 {
			aliases = "called " + strings.Join(m.Aliases, ", ")
		}
		run := ""
		if m.RunID != "" {
			run = "of run " + m.RunID
		}
		lines = append(lines, fact{"", join(", ", fmt.Sprintf("registered as %s %s in %s", m.Name, m.Version, registryName(m.Registry)), aliases, run), known(m.Of("version"), registryName(m.Registry))})
		lines = append(lines, noteFacts(m.Notes, registryName(m.Registry))...)
	}
	return lines
}

func registryName(registry string) string {
	if name := map[string]string{"mlflow": "MLflow", "unity-catalog": "Unity Catalog", "azureml": "Azure ML"}[registry]; name != "" {
		return name
	}
	return registry
}
