package source

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// run is what is read of a run. Identifiers are json.Number because they exceed 2^53.
// Source: https://docs.databricks.com/api/workspace/jobs/getrun
type run struct {
	RunID         json.Number    `json:"run_id"`
	JobID         json.Number    `json:"job_id"`
	Name          string         `json:"run_name"`
	Creator       string         `json:"creator_user_name"`
	PageURL       string         `json:"run_page_url"`
	Start         json.Number    `json:"start_time"`
	End           json.Number    `json:"end_time"`
	Status        *runStatus     `json:"status"`
	State         *runState      `json:"state"`
	GitSource     gitSource      `json:"git_source"`
	JobParameters []jobParameter `json:"job_parameters"`
	Overriding    struct {
		Notebook map[string]string `json:"notebook_params"`
	} `json:"overriding_parameters"`
	Tasks []task `json:"tasks"`
	Next  string `json:"next_page_token"`
}

// task is one task of a run; it has a state of its own.
type task struct {
	Key      string       `json:"task_key"`
	RunID    json.Number  `json:"run_id"`
	Status   *runStatus   `json:"status"`
	State    *runState    `json:"state"`
	Notebook *notebook    `json:"notebook_task"`
	Resolved resolvedTask `json:"resolved_values"`
}

type notebook struct {
	Path       string            `json:"notebook_path"`
	Parameters map[string]string `json:"base_parameters"`
}

type resolvedTask struct {
	Notebook notebook `json:"notebook_task"`
}

type gitSource struct {
	URL      string `json:"git_url"`
	Commit   string `json:"git_commit"`
	Snapshot struct {
		Used string `json:"used_commit"`
	} `json:"git_snapshot"`
}

type jobParameter struct {
	Name    string  `json:"name"`
	Value   *string `json:"value"`
	Default string  `json:"default"`
}

// runStatus is the state of a run as the Jobs API writes it since 2.2.
type runStatus struct {
	State       string `json:"state"`
	Termination struct {
		Code string `json:"code"`
	} `json:"termination_details"`
}

// runState is the older, deprecated form, which old workspaces send alone.
type runState struct {
	LifeCycle string `json:"life_cycle_state"`
	Result    string `json:"result_state"`
}

// success is the only result that is one: SUCCESS_WITH_FAILURES is not.
const success = "SUCCESS"

// outcome is how a run ended, or that it has not.
type outcome struct {
	result string // empty while it runs
	phase  string // the state's own name
}

// going are the states of a run that has not ended.
var going = []string{"QUEUED", "PENDING", "RUNNING", "TERMINATING", "BLOCKED", "WAITING", "WAITING_FOR_RETRY"}

// outcomeOf reads both shapes. Where both are there, the worse one counts.
func outcomeOf(status *runStatus, state *runState) (outcome, error) {
	var outcomes []outcome
	if status != nil {
		outcomes = append(outcomes, newOutcome(status.State, status.Termination.Code))
	}
	if state != nil && state.LifeCycle != "" {
		outcomes = append(outcomes, newOutcome(state.LifeCycle, state.Result))
	}
	if len(outcomes) == 0 {
		return outcome{}, errors.New("it says nothing of the run's state")
	}
	for _, o := range outcomes {
		if o.phase == "" || o.phase == "TERMINATED" && o.result == "" {
			return outcome{}, errors.New("it says that the run has ended, but not how")
		}
		if o.result != success {
			return o, nil
		}
	}
	return outcomes[0], nil
}

// newOutcome reads one shape. A run that ended without being terminated (SKIPPED, INTERNAL_ERROR) has its state as result.
func newOutcome(phase, result string) outcome {
	switch {
	case slices.Contains(going, phase):
		return outcome{"", phase}
	case phase == "TERMINATED":
		return outcome{result, phase}
	}
	return outcome{phase, phase}
}

// mergeTasks adds the tasks of a further page to the run. Pages that contradict each other describe no run.
func (r *run) mergeTasks(page run) error {
	same := page.RunID == r.RunID && page.JobID == r.JobID && page.Name == r.Name && page.Creator == r.Creator &&
		page.Start == r.Start && page.End == r.End && page.GitSource == r.GitSource &&
		equalPointees(page.Status, r.Status) && equalPointees(page.State, r.State)
	if !same {
		return errors.New("its pages contradict each other")
	}
	known := map[json.Number]bool{}
	for _, t := range r.Tasks {
		known[t.RunID] = true
	}
	for _, t := range page.Tasks {
		if known[t.RunID] {
			return fmt.Errorf("task run %s stands on two of its pages", plain(t.RunID.String()))
		}
	}
	r.Tasks = append(r.Tasks, page.Tasks...)
	return nil
}

func equalPointees[T comparable](a, b *T) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// noun is the run as it is recorded. host is where it was asked for.
func (r run) noun(host string) (provenance.DatabricksRun, error) {
	d := provenance.DatabricksRun{
		Grounds: provenance.Grounds{Basis: provenance.Reported},
		Host:    host, RunID: r.RunID.String(), JobID: r.JobID.String(), Name: plain(r.Name), Result: success,
		Creator: user(r.Creator), PageURL: pageURL(r.PageURL, host), Parameters: parameters(r.parameters()),
		GitURL: plain(redact.URL(r.GitSource.URL)), GitCommit: plain(r.commit()),
	}
	if only := r.onlyNotebook(); only != nil {
		d.Notebook = plain(only.Notebook.Path)
	}
	var err error
	if d.Started, err = millis(r.Start); err != nil {
		return d, err
	}
	if d.Ended, err = millis(r.End); err != nil {
		return d, err
	}
	for _, t := range r.Tasks {
		d.Tasks = append(d.Tasks, t.noun())
	}
	return d, nil
}

// commit is the one that was used, and failing that, the one that was asked for.
func (r run) commit() string {
	if used := r.GitSource.Snapshot.Used; used != "" {
		return strings.ToLower(used)
	}
	return strings.ToLower(r.GitSource.Commit)
}

// noun is the task as it is recorded. One without an outcome, such as a disabled one, is "unknown".
func (t task) noun() provenance.TaskRun {
	result := "unknown"
	if o, err := outcomeOf(t.Status, t.State); err == nil {
		result = cmp.Or(o.result, o.phase)
	}
	return provenance.TaskRun{Key: plain(t.Key), RunID: t.RunID.String(), Result: plain(result)}
}

// onlyNotebook is the run's notebook task, if there is exactly one.
func (r run) onlyNotebook() *task {
	var only *task
	for i := range r.Tasks {
		if r.Tasks[i].Notebook == nil {
			continue
		}
		if only != nil {
			return nil
		}
		only = &r.Tasks[i]
	}
	return only
}

// parameters are the run's parameters, the later ones winning as in Databricks: the notebook's own, those resolved for this
// run, those given at its start, and the job's.
func (r run) parameters() map[string]string {
	all := map[string]string{}
	if only := r.onlyNotebook(); only != nil {
		maps.Copy(all, only.Notebook.Parameters)
		maps.Copy(all, only.Resolved.Notebook.Parameters)
	}
	maps.Copy(all, r.Overriding.Notebook)
	for _, p := range r.JobParameters {
		all[p.Name] = p.Default
		if p.Value != nil {
			all[p.Name] = *p.Value
		}
	}
	return all
}

// millis reads a time in milliseconds since 1970; 0 or none is the zero time.
func millis(n json.Number) (time.Time, error) {
	if n == "" || n == "0" {
		return time.Time{}, nil
	}
	ms, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil || ms < 0 || ms > time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).UnixMilli() {
		return time.Time{}, fmt.Errorf("%q is no time in milliseconds", plain(n.String()))
	}
	return time.UnixMilli(ms).UTC(), nil
}

// pageURL is the run's page, for people to look at: nobody here follows it. It is left out if it lies on another host. Of
// its query only the workspace id stays.
func pageURL(page, host string) string {
	u, err := url.Parse(page)
	if err != nil || u.User != nil || !strings.EqualFold(u.Scheme+"://"+u.Host, host) {
		return ""
	}
	workspace := u.Query().Get("o")
	u.RawQuery, u.ForceQuery = "", false
	if _, err := strconv.ParseUint(workspace, 10, 64); err == nil {
		u.RawQuery = "o=" + workspace
	}
	return plain(u.String())
}
