package provenance

import "strings"

// What the services of the example's night told.

var (
	ada   = Person{ID: "0b7e5e0e-0000-4000-8000-000000000006", Name: "Ada Lovelace", Email: "ada@contoso.com"}
	grace = Person{ID: "0b7e5e0e-0000-4000-8000-000000000001", Name: "Grace Hopper", Email: "grace@contoso.com"}
)

func reported(answer Stored) (Grounds, Answered) {
	return Grounds{Basis: Reported}, Answered{AskedAt: at(2, 30), Notes: []string{"the pusher is not known: status 403"}, Answer: answer}
}

func exampleRun(collection string, answer Stored) DatabricksRun {
	run := DatabricksRun{Host: "https://adb-1.2.azuredatabricks.net", RunID: "9007199254740993", JobID: "12",
		Name: "mortgage nightly", Result: "SUCCESS", Trigger: "ONE_TIME", Creator: Person{Email: "svc-train@contoso.com"},
		PageURL: "https://adb-1.2.azuredatabricks.net/?o=1#job/12/run/9", Notebook: "/Repos/mortgage/train",
		Parameters: map[string]string{"data": "/mnt/mortgages/20261122T0000", "db_password": "[removed]"},
		Tasks: []TaskRun{{Key: "train", RunID: "81463", Result: "SUCCESS", Kind: "notebook_task", Runs: "/Repos/mortgage/train", From: "GIT", Attempt: 1,
			Cluster: "0923-164208-meows279", GitCommit: strings.Repeat("5", 40)}},
		Clusters: []Cluster{{ID: "0923-164208-meows279", SparkVersion: "15.4.x-cpu-ml-scala2.12", NodeType: "Standard_DS3_v2",
			Libraries: []string{"pypi scikit-learn==1.5.0"}, InitScripts: []string{"abfss://init@contoso.dfs.core.windows.net/proxy.sh"}}},
		Repairs: []Repair{{Type: "REPAIR", ID: "734650698524280", Result: "SUCCESS", Started: at(2, 10), Ended: at(2, 20), Tasks: []string{"81463"}}},
		GitURL:  collection + "_git/mortgage", GitCommit: strings.Repeat("5", 40), Started: at(2, 1), Ended: at(2, 20)}
	run.Grounds, run.Answered = reported(answer)
	run.Removed = []string{"job_parameters[1].value"}
	return run
}

func exampleNotebook(path, by, how, equal string, digest Digest) Notebook {
	n := Notebook{Grounds: Grounds{Reported, map[string]Basis{"equal": Observed}}, Path: path, Host: "https://adb-1.2.azuredatabricks.net", How: how, By: by,
		Language: "python", Digest: digest, Equal: equal}
	if equal == Matches {
		n.File = "train.py"
		return n
	}
	n.Note = "it was changed after the run had started"
	n.Text = Stored{Name: "notebook-prepare.py", MediaType: "text/plain", Digest: SumSHA256([]byte(path)), Size: 200}
	return n
}

func exampleMLflow(answer, plot Stored) MLflowRun {
	run := MLflowRun{URI: "https://mlflow.contoso.com", RunID: "4be1c0ffee0000000000000000000001", Name: "nightly", Experiment: Experiment{"3", "mortgage"}, Status: "FINISHED",
		User: Person{Name: "svc-train"}, Parent: "4be1c0ffee0000000000000000000000",
		Metrics: []Metric{{Name: "auc", Value: "0.8123", Step: 9, At: at(2, 18), Values: 10, Dataset: "applications", On: "9c3a1b2d", Partial: true},
			{Name: "f1", Value: "0.7411", At: at(2, 22), Values: 1, AfterEnd: true}},
		Params: map[string]string{"max_depth": "7"}, Tags: map[string]string{"area": "north"},
		GitURL: "https://dev.azure.com/contoso/Mortgage/_git/mortgage", GitCommit: strings.Repeat("5", 40),
		Inputs: []Dataset{{Name: "mortgages", Claimed: "1f00c0de", Kind: "azure_blob", Role: "training", Version: "3",
			Source: "abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000/part-00001.parquet"}},
		Allowed:   []string{"https://example.com/public/"},
		Artifacts: []Artifact{{Path: "roc.png", Size: new(int64(3000)), Digest: plot.Digest, Redacted: true, Stored: plot}, {Path: "model/model.pkl", Size: new(int64(40321))}, {Path: "model/old.pkl"}},
		Started:   at(2, 2), Ended: at(2, 19)}
	run.Grounds, run.Answered = reported(answer)
	return run
}

func exampleRegistered(answer Stored) RegisteredModel {
	m := RegisteredModel{Registry: "azureml", URI: "https://westeurope.api.azureml.ms/", Name: "mortgage", Version: "7", AskedAs: "champion", Aliases: []string{"champion"}, Kind: "custom_model", Stage: "Production",
		Status: "READY", RunID: "9007199254740993", RunIs: RunIsDatabricks, TaggedRunID: "4be1c0ffee0000000000000000000001", Experiment: "mortgage", Source: "azureml://artifacts/mortgage", Files: "abfss://models@contoso.dfs.core.windows.net/mortgage/7/model.bin", Creator: ada, Created: at(2, 21), Updated: at(2, 22),
		Tags: map[string]string{"area": "north", "run_id": "9007199254740993"}, Properties: map[string]string{"framework": "sklearn"},
		Inputs: []Dataset{{Name: "reference", Source: "abfss://reference@fabrikam.dfs.core.windows.net/applications/"}},
		Services: []ModelService{{Kind: "service", Name: "mortgage-test", Compute: "ACI", Image: "contoso.azurecr.io/mortgage", Digest: "sha256:" + strings.Repeat("1", 64),
			URI: "https://mortgage-test.westeurope.azurecontainer.io/score", Traffic: 100, State: "Healthy",
			Environment: "azureml:mortgage-scoring:3", Creator: grace, Created: at(2, 23)}}}
	m.Grounds, m.Answered = reported(answer)
	m.BasisOf = map[string]Basis{"runId": Declared, "tags": Declared, "files": Observed}
	return m
}

func exampleBuild(collection string, answer Stored) Build {
	b := Build{URL: collection + "_build/results?buildId=4711", ID: "4711", Number: "20261123.1", Status: "inProgress", Result: "succeeded", Reason: "Schedule",
		Definition: Definition{ID: "7", URL: collection + "_build?definitionId=7", Name: "nightly", Revision: "12", Path: "/azure-pipelines.yml"},
		Project:    "0b7e5e0e-0000-4000-8000-000000000007", Commit: strings.Repeat("5", 40), Ref: "refs/heads/main", Repository: collection + "_git/mortgage",
		Pool: "Azure Pipelines", Hosted: true, RequestedBy: Person{ID: "0b7e5e0e-0000-4000-8000-000000000008", Name: "Microsoft.VisualStudio.Services.TFS"}, RequestedFor: ada,
		Queued: at(1, 59), Started: at(2, 0), Parameters: map[string]string{"area": "north"}, Trigger: map[string]string{"ci.message": "Weight recent applications"},
		Changes:   []Change{{ID: strings.Repeat("5", 40), Subject: "Weight recent applications", Author: ada, Pusher: ada.ID, At: at(1, 10)}},
		WorkItems: []WorkItem{{ID: "1815", Type: "User Story", Title: "Recent applications count more", State: "Active"}},
		Approvals: []Approval{{Of: "stage test", Approver: grace, Status: "approved", At: at(1, 58), Comment: "as discussed"},
			{Of: "stage test", Approver: Person{Name: "[Mortgage]\\Risk"}, Status: "skipped", Group: true}},
		Artifacts: []BuildArtifact{{Name: "model", Kind: "PipelineArtifact", Size: new(int64(40321)), RootID: "0A1B2C", Digest: Digest{}, Files: 0, Note: "it is larger than 64 MiB"}},
		Claims:    map[string]string{"rpo_ver": strings.Repeat("5", 40), "sub": "p://contoso/Mortgage/nightly", "run_id": "4711", "def_id": "7"}}
	b.Grounds, b.Answered = reported(answer)
	return b
}

func exampleRelease(collection string, answer, logs Stored) Release {
	r := Release{URL: collection + "_releaseProgress?releaseId=214", ID: "214", Name: "Release-214", Definition: Definition{ID: "3", Name: "mortgage", Revision: "4"},
		Reason: "continuousIntegration", Creator: ada, Created: at(2, 25), Builds: []string{"mortgage nightly 20261123.1 4711"},
		Environments: []Environment{{Name: "test", Status: "inProgress", Trigger: "afterSuccessfulEnvironment", At: at(2, 26)}},
		Approvals:    []Approval{{Of: "test, before deployment", Approver: grace, Status: "approved", At: at(2, 26)}}, LastSuccess: "Release-213", Logs: logs}
	r.Grounds, r.Answered = reported(answer)
	return r
}

func exampleReview(answer Stored) Review {
	v := Review{Host: "https://dev.azure.com/contoso", Repository: "Mortgage/mortgage", Commit: strings.Repeat("5", 40), Author: ada, Committer: grace, Pusher: ada, Pushed: at(1, 30), Verified: "unsigned",
		PullRequests: []PullRequest{{ID: "88", URL: "https://dev.azure.com/contoso/Mortgage/_git/mortgage/pullrequest/88", Title: "Weight recent applications", State: "completed",
			Source: "refs/heads/recent", Target: "refs/heads/main", Author: ada, MergedBy: ada, Merged: at(1, 30), Commit: strings.Repeat("5", 40),
			Reviewers: []Reviewer{{Person: grace, Vote: "approved", Of: strings.Repeat("8", 40), Required: true}, {Person: Person{Name: "[Mortgage]\\Risk"}, Vote: "no vote", Group: true}}}}}
	v.Grounds, v.Answered = reported(answer)
	return v
}
