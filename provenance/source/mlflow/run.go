package mlflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// mlflowRun is what is read of a run.
// Source: https://mlflow.org/docs/latest/rest-api.html#mlflowrun
type mlflowRun struct {
	Info struct {
		RunID        string              `json:"run_id"`
		OldID        string              `json:"run_uuid"`
		Name         string              `json:"run_name"`
		ExperimentID json.Number         `json:"experiment_id"`
		UserID       string              `json:"user_id"`
		Status       string              `json:"status"`
		Start        foreign.LooseNumber `json:"start_time"`
		End          foreign.LooseNumber `json:"end_time"`
		ArtifactURI  string              `json:"artifact_uri"`
		Stage        string              `json:"lifecycle_stage"`
	} `json:"info"`
	Data struct {
		Metrics []mlflowMetric `json:"metrics"`
		Params  []mlflowPair   `json:"params"`
		Tags    []mlflowPair   `json:"tags"`
	} `json:"data"`
	Inputs struct {
		Datasets []datasetInput `json:"dataset_inputs"`
		Models   []modelOfRun   `json:"model_inputs"`
	} `json:"inputs"`
	Outputs struct {
		Models []modelOfRun `json:"model_outputs"`
	} `json:"outputs"`
}

type mlflowPair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type modelOfRun struct {
	ID string `json:"model_id"`
}

// mlflowTable makes a table of tags or parameters; none may stand twice.
func mlflowTable(pairs []mlflowPair) (map[string]string, error) {
	table := make(map[string]string, len(pairs))
	for _, p := range pairs {
		if _, twice := table[p.Key]; twice {
			return nil, fmt.Errorf("%q stands twice", foreign.Plain(p.Key))
		}
		table[p.Key] = p.Value
	}
	return table, nil
}

// collectRun asks for the run, and then, at the same time, for all that belongs to it.
func (m Source) collectRun(ctx context.Context) (provenance.Evidence, error) {
	a, err := m.asking()
	if err != nil {
		return nil, err
	}
	r, err := a.run(ctx, m.RunID)
	if err != nil {
		return nil, err
	}
	found, err := r.noun(a.base)
	if err != nil {
		return nil, a.aboutRun(m.RunID, err)
	}
	if err := a.addParts(ctx, r, &found); err != nil {
		return nil, err
	}
	found.Answered, err = a.Answered("mlflow-run-" + found.RunID + ".json")
	return found, err
}

// addParts fills in what takes questions of its own.
func (a *mlflowAsking) addParts(ctx context.Context, r mlflowRun, found *provenance.MLflowRun) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		found.Experiment, err = a.experiment(ctx, r.Info.ExperimentID.String())
		return
	})
	group.Go(func() error { return a.addMetrics(ctx, r, found) })
	group.Go(func() (err error) {
		found.Artifacts, err = a.artifacts(ctx, r)
		return
	})
	return group.Wait()
}

// run asks for a run, and refuses every one that has not FINISHED.
func (a *mlflowAsking) run(ctx context.Context, id string) (mlflowRun, error) {
	var answer struct {
		Run mlflowRun `json:"run"`
	}
	_, err := a.ask(ctx, "reading run "+id, "runs/get", url.Values{"run_id": {id}}, &answer)
	if gone(err) {
		return answer.Run, provenance.Refuse("mlflow.missing", "is it a run of another server or workspace, or was it deleted for good?",
			"%s has no run %s at %s", a.Service, id, a.base)
	}
	if err != nil {
		return answer.Run, err
	}
	return answer.Run, a.finished(id, answer.Run)
}

// finished refuses a run that is still going, failed or was deleted.
// Source: https://mlflow.org/docs/latest/rest-api.html#runstatus
func (a *mlflowAsking) finished(id string, r mlflowRun) error {
	info := r.Info
	if info.RunID != id || info.OldID != "" && info.OldID != id {
		return a.aboutRun(id, fmt.Errorf("it is about run %q", foreign.Plain(info.RunID)))
	}
	switch {
	case info.Stage == "deleted":
		return provenance.Refuse("mlflow.deleted", "restore it, or record another run", "MLflow run %s was deleted", id)
	case info.Stage != "active" && info.Stage != "":
		return provenance.Refuse("mlflow.deleted", "restore it, or record another run", "MLflow run %s is not active: it is %s", id, foreign.Plain(info.Stage))
	case info.Status == "RUNNING" || info.Status == "SCHEDULED":
		return provenance.Refuse("mlflow.running", "record when the run has ended: leave `with mlflow.start_run()`, or call mlflow.end_run()",
			"MLflow run %s has not ended: it is %s", id, info.Status)
	case info.Status == "FAILED" || info.Status == "KILLED":
		return provenance.Refuse("mlflow.result", "only a run that FINISHED is recorded", "MLflow run %s ended with %s", id, info.Status)
	case info.Status != "FINISHED":
		return a.aboutRun(id, fmt.Errorf("its status is %q", foreign.Plain(info.Status)))
	}
	return nil
}

// aboutRun is the error for an answer that cannot be right.
func (a *mlflowAsking) aboutRun(id string, err error) error {
	return fmt.Errorf("the answer of %s about run %s makes no sense: %w", a.Service, id, err)
}

// noun is the run as it is recorded, but for what takes further questions.
func (r mlflowRun) noun(base string) (provenance.MLflowRun, error) {
	found := provenance.MLflowRun{Grounds: provenance.Grounds{Basis: provenance.Reported}, URI: foreign.Plain(base), RunID: r.Info.RunID,
		Name: foreign.Plain(r.Info.Name), Status: "FINISHED", User: person(r.Info.UserID)}
	if err := r.addTables(&found); err != nil {
		return found, err
	}
	var err error
	if found.Started, err = r.Info.Start.At(); err != nil {
		return found, err
	}
	if found.Ended, err = r.Info.End.At(); err != nil {
		return found, err
	}
	if !found.Ended.IsZero() && found.Ended.Before(found.Started) {
		return found, errors.New("it ended before it began")
	}
	found.BasisOf = declareToo(found.BasisOf, map[string]bool{"started": !found.Started.IsZero(), "ended": !found.Ended.IsZero(), "user": found.User != provenance.Person{}})
	found.Inputs = datasets(r.Inputs.Datasets)
	return found, nil
}

// addTables adds parameters, tags, and what the tags say. Clients set tags as they like.
func (r mlflowRun) addTables(found *provenance.MLflowRun) error {
	params, err := mlflowTable(r.Data.Params)
	if err != nil {
		return fmt.Errorf("parameter %w", err)
	}
	tags, err := mlflowTable(r.Data.Tags)
	if err != nil {
		return fmt.Errorf("tag %w", err)
	}
	found.Params, found.Tags = foreign.Parameters(params), foreign.Parameters(tags)
	found.Parent = foreign.Plain(tags["mlflow.parentRunId"])
	found.GitCommit = strings.ToLower(foreign.Plain(firstOf(tags, "mlflow.source.git.commit", "azureml.git.commit")))
	found.GitURL = foreign.Plain(redact.URL(firstOf(tags, "mlflow.source.git.repoURL", "azureml.git.repository_uri")))
	if found.Name == "" {
		found.Name = foreign.Plain(tags["mlflow.runName"]) // where servers kept it before they had run_name
	}
	found.BasisOf = declaredFields(map[string]bool{"tags": len(tags) > 0, "parent": found.Parent != "",
		"gitCommit": found.GitCommit != "", "gitUrl": found.GitURL != ""})
	return nil
}

func firstOf(table map[string]string, keys ...string) string {
	for _, key := range keys {
		if value := table[key]; value != "" {
			return value
		}
	}
	return ""
}

// declaredFields are the exceptions to Reported: those of the fields that are there.
func declaredFields(there map[string]bool) map[string]provenance.Basis {
	fields := map[string]provenance.Basis{}
	for name, is := range there {
		if is {
			fields[name] = provenance.Declared
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return fields
}

// declareToo adds the fields that are there. Times and user of a run are what its client sent: the server takes any.
// Source: https://mlflow.org/docs/latest/rest-api.html#create-run
func declareToo(fields map[string]provenance.Basis, there map[string]bool) map[string]provenance.Basis {
	more := declaredFields(there)
	if more == nil {
		return fields
	}
	maps.Copy(more, fields)
	return more
}

// person is whom the server names, unless that was removed.
func person(name string) provenance.Person {
	if name == redact.Removed || name == "" {
		return provenance.Person{}
	}
	return foreign.User(name)
}

// experiment asks for the experiment's name.
func (a *mlflowAsking) experiment(ctx context.Context, id string) (provenance.Experiment, error) {
	if id == "" {
		return provenance.Experiment{}, nil
	}
	var answer struct {
		Experiment struct {
			ID   json.Number `json:"experiment_id"`
			Name string      `json:"name"`
		} `json:"experiment"`
	}
	if _, err := a.ask(ctx, "reading experiment "+foreign.Plain(id), "experiments/get", url.Values{"experiment_id": {id}}, &answer); err != nil {
		return provenance.Experiment{}, err
	}
	if got := answer.Experiment.ID.String(); got != id {
		return provenance.Experiment{}, fmt.Errorf("the answer of %s about experiment %s makes no sense: it is about %q", a.Service, foreign.Plain(id), foreign.Plain(got))
	}
	return provenance.Experiment{ID: foreign.Plain(id), Name: foreign.Plain(answer.Experiment.Name)}, nil
}

// modelsOf are the ids of the logged models that a run made or read, each once.
func (r mlflowRun) modelsOf() []string {
	var ids []string
	known := map[string]bool{}
	for _, m := range slices.Concat(r.Outputs.Models, r.Inputs.Models) {
		if m.ID != "" && !known[m.ID] {
			known[m.ID] = true
			ids = append(ids, m.ID)
		}
	}
	return ids
}
