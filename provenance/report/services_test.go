package report

import (
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

var (
	moment1 = time.Date(2026, 11, 22, 16, 40, 0, 0, time.UTC)
	adaID   = provenance.Person{ID: "0b7e5e0e-0000-4000-8000-000000000006", Name: "Ada Lovelace"}
	graceID = provenance.Person{ID: "0b7e5e0e-0000-4000-8000-000000000001", Email: "grace@contoso.com"}
	byTold  = provenance.Grounds{Basis: provenance.Reported}
)

func notebooks() []provenance.Notebook {
	compared := provenance.Grounds{Basis: provenance.Reported, BasisOf: map[string]provenance.Basis{"equal": provenance.Observed}}
	return []provenance.Notebook{{Grounds: compared, Path: "/Repos/mortgage/train", How: "task train", Equal: provenance.Matches, File: "train.py"},
		{Grounds: compared, Path: "/Repos/mortgage/prepare", How: "%run", By: "/Repos/mortgage/train", Equal: provenance.Differs, File: "prepare.py", Note: "line 3"},
		{Grounds: byTold, Path: "/Repos/mortgage/extra", How: "import", By: "/Repos/mortgage/train", Equal: provenance.Uncertain, Note: "it was changed after the run had started"}}
}

func experiment() *provenance.MLflowRun {
	return &provenance.MLflowRun{Grounds: byTold, RunID: "4be1c0ffee", Name: "nightly", Status: "FINISHED", Ended: moment1,
		Metrics: []provenance.Metric{{Name: "auc", Value: "0.8123", Dataset: "applications"}, {Name: "loss", Value: "NaN"},
			{Name: "f1", Value: "0.9999", AfterEnd: true}},
		Inputs: []provenance.Dataset{{Name: "mortgages", Source: "abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000/"}}}
}

func registered() provenance.RegisteredModel {
	return provenance.RegisteredModel{Grounds: byTold, Registry: "azureml", Name: "mortgage", Version: "7", Aliases: []string{"champion"}, RunID: "81462",
		Answered: provenance.Answered{Notes: []string{"the v1 API is gone"}}}
}

func build() *provenance.Build {
	return &provenance.Build{Grounds: byTold, Number: "20261123.1", Definition: provenance.Definition{Name: "nightly", Revision: "12"}, RequestedFor: adaID,
		Approvals: []provenance.Approval{{Of: "stage test", Approver: graceID, Status: "approved", At: moment1},
			{Of: "stage test", Approver: provenance.Person{Name: `[Mortgage]\Risk`}, Status: "pending", Group: true}, {Of: "stage test", Status: "skipped"}},
		Artifacts: []provenance.BuildArtifact{{Name: "model", Note: "it is larger than 64 MiB"}}}
}

func release() *provenance.Release {
	return &provenance.Release{Grounds: byTold, Name: "Release-214", Creator: adaID, Created: moment1,
		Approvals: []provenance.Approval{{Of: "test", Approver: graceID, Status: "approved"}}}
}

func review() *provenance.Review {
	return &provenance.Review{Grounds: byTold, Host: "https://dev.azure.com/contoso", Pusher: adaID, Pushed: moment1,
		PullRequests: []provenance.PullRequest{{ID: "88", Title: "Weight recent applications", State: "completed",
			Reviewers: []provenance.Reviewer{{Person: graceID, Vote: "approved"}, {Person: adaID, Vote: "no vote"}}}, {ID: "89", State: "active"}}}
}

// TestReviewersWithoutNames: a vote counts, also when it is not recorded whose it is.
func TestReviewersWithoutNames(t *testing.T) {
	got := reviewers([]provenance.Reviewer{{Vote: "approved"}, {Vote: "approved"}, {Vote: "no vote"}})
	const somebody = "approved by somebody whose name is not recorded"
	if got != somebody+", "+somebody {
		t.Error(got)
	}
	if lines := approvalFacts([]provenance.Approval{{Of: "test", Status: "approved"}}, "x"); lines[0].value != somebody+", test" {
		t.Errorf("%+v", lines)
	}
}
