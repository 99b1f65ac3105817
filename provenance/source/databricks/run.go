package databricks

import (
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
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// run is what is read of a run. Identifiers are json.Number because they exceed 2^53.
// Source: https://docs.databricks.com/api/workspace/jobs/getrun
type run struct {
	RunID         json.Number    `json:"run_id"`
	JobID         json.Number    `json:"job_id"`
	Name          string         `json:"run_name"`
	Creator       string         `json:"creator_user_name"`
	Trigger       string         `json:"trigger"`
	PageURL       string         `json:"run_page_url"`
	Start         json.Number    `json:"start_time"`
	End           json.Number    `json:"end_time"`
	Status        *runStatus     `json:"status"`
	State         *runState      `json:"state"`
	GitSource     *gitSource     `json:"git_source"`
	JobParameters []jobParameter `json:"job_parameters"`
	Overriding    overriding     `json:"overriding_parameters"`
	ClusterSpec   clusterUse     `json:"cluster_spec"`
	JobClusters   []jobCluster   `json:"job_clusters"`
	Instance      struct {
		ID string `json:"cluster_id"`
	} `json:"cluster_instance"`
	Repairs    []repair `json:"repair_history"`
	Tasks      []task   `json:"tasks"`
	Iterations []task   `json:"iterations"` // of a for-each task that is asked for as a run of its own
}

// overriding are the parameters that were given when the run was started.
type overriding struct {
	Notebook map[string]string `json:"notebook_params"`
	Named    map[string]string `json:"python_named_params"`
	SQL      map[string]string `json:"sql_params"`
	Python   []string          `json:"python_params"`
	Jar      []string          `json:"jar_params"`
	Submit   []string          `json:"spark_submit_params"`
	DBT      []string          `json:"dbt_commands"`
}

// repair is the first run of a run's tasks, or a repair of it.
type repair struct {
	Type   string        `json:"type"`
	ID     json.Number   `json:"id"`
	Status *runStatus    `json:"status"`
	State  *runState     `json:"state"`
	Start  json.Number   `json:"start_time"`
	End    json.Number   `json:"end_time"`
	Tasks  []json.Number `json:"task_run_ids"`
}

type gitSource struct {
	URL      string `json:"git_url"`
	Commit   string `json:"git_commit"`
	Snapshot struct {
		Used string `json:"used_commit"`
	} `json:"git_snapshot"`
}

// commit is the one that was used, and failing that, the one that was asked for.
func (g *gitSource) commit() string {
	switch {
	case g == nil:
		return ""
	case g.Snapshot.Used != "":
		return strings.ToLower(g.Snapshot.Used)
	}
	return strings.ToLower(g.Commit)
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

// mergePage adds the tasks and iterations of a further page to the run. Pages that contradict each other describe no run.
func (r *run) mergePage(page run) error {
	same := page.RunID == r.RunID && page.JobID == r.JobID && page.Name == r.Name && page.Creator == r.Creator && page.Trigger == r.Trigger &&
		page.Start == r.Start && page.End == r.End && page.PageURL == r.PageURL && equalPointees(page.GitSource, r.GitSource) &&
		equalPointees(page.Status, r.Status) && equalPointees(page.State, r.State)
	if !same {
		return errors.New("its pages contradict each other")
	}
	var err error
	if len(r.Iterations) > 0 { // then the for-each task itself stands on every page
		r.Iterations, err = joinTasks(r.Iterations, page.Iterations)
		return err
	}
	r.Tasks, err = joinTasks(r.Tasks, page.Tasks)
	return err
}

// joinTasks adds tasks that must be others.
func joinTasks(tasks, more []task) ([]task, error) {
	known := map[json.Number]bool{}
	for _, t := range tasks {
		known[t.RunID] = true
	}
	for _, t := range more {
		if known[t.RunID] {
			return nil, fmt.Errorf("task run %s stands on two of its pages", foreign.Plain(t.RunID.String()))
		}
	}
	return append(tasks, more...), nil
}

func equalPointees[T comparable](a, b *T) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// inGit tells whether the run or the task has a git source.
func (r run) inGit(t task) bool { return r.GitSource != nil || t.GitSource != nil }

// noun is the run as it is recorded. host is where it was asked for.
func (r run) noun(host string) (provenance.DatabricksRun, error) {
	d := provenance.DatabricksRun{
		Grounds: provenance.Grounds{Basis: provenance.Reported},
		Host:    host, RunID: r.RunID.String(), JobID: r.JobID.String(), Name: foreign.Plain(r.Name), Result: success, Trigger: foreign.Plain(r.Trigger),
		Creator: foreign.User(r.Creator), PageURL: pageURL(r.PageURL, host), Parameters: foreign.Parameters(r.parameters()), Clusters: r.clusters(),
		GitCommit: foreign.Plain(r.GitSource.commit()),
	}
	if r.GitSource != nil {
		d.GitURL = foreign.Plain(redact.URL(r.GitSource.URL))
	}
	if only := r.onlyNotebook(); only != nil {
		d.Notebook = foreign.Plain(only.Notebook.Path)
	}
	var err error
	if d.Started, d.Ended, err = interval(r.Start, r.End); err != nil {
		return d, err
	}
	if len(r.Tasks) == 0 {
		return d, errors.New("it has no tasks")
	}
	for _, t := range r.Tasks {
		d.Tasks = append(d.Tasks, t.noun(r))
	}
	for _, p := range r.Repairs {
		n, err := p.noun()
		if err != nil {
			return d, err
		}
		d.Repairs = append(d.Repairs, n)
	}
	return d, nil
}

// noun is the repair as it is recorded.
func (p repair) noun() (provenance.Repair, error) {
	n := provenance.Repair{Type: foreign.Plain(p.Type), ID: foreign.Plain(p.ID.String())}
	if o, err := outcomeOf(p.Status, p.State); err == nil {
		n.Result = foreign.Plain(o.result)
	}
	for _, id := range p.Tasks {
		n.Tasks = append(n.Tasks, foreign.Plain(id.String()))
	}
	var err error
	n.Started, n.Ended, err = interval(p.Start, p.End)
	return n, err
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

// parameters are the run's parameters, the later ones winning as in Databricks: the tasks' own, those resolved for this run,
// those given at its start, and the job's. Those of the only task, or of the only notebook, stand under their own names; those
// of other tasks under "TASK.NAME".
func (r run) parameters() map[string]string {
	all := map[string]string{}
	only := r.onlyNotebook()
	if len(r.Tasks) == 1 {
		only = &r.Tasks[0]
	}
	for i := range r.Tasks {
		t := &r.Tasks[i]
		given := t.parameters()
		if t.ForEach != nil && t.ForEach.Task != nil {
			given = t.ForEach.Task.parameters()
		}
		if t == only {
			maps.Copy(all, given)
			continue
		}
		for name, value := range given {
			all[t.Key+"."+name] = hideNamed(name, value)
		}
	}
	r.Overriding.addTo(all)
	for _, p := range r.JobParameters {
		all[p.Name] = p.Default
		if p.Value != nil {
			all[p.Name] = *p.Value
		}
	}
	return all
}

// hideNamed drops the value of a secret-looking name.
func hideNamed(name, value string) string {
	return foreign.Parameters(map[string]string{name: value})[foreign.Plain(name)]
}

// addTo adds what was given at the run's start.
func (o overriding) addTo(all map[string]string) {
	maps.Copy(all, o.Notebook)
	maps.Copy(all, o.Named)
	maps.Copy(all, o.SQL)
	for name, list := range map[string][]string{"python_params": o.Python, "jar_params": o.Jar, "spark_submit_params": o.Submit, "dbt_commands": o.DBT} {
		addList(all, name, list)
	}
}

// interval reads two times.
func interval(start, end json.Number) (from, to time.Time, err error) {
	if from, err = foreign.Millis(start); err != nil {
		return from, to, err
	}
	to, err = foreign.Millis(end)
	return from, to, err
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
	if isNumber(workspace) {
		u.RawQuery = "o=" + workspace
	}
	return foreign.Plain(u.String())
}

// isNumber tells whether s is a number as workspaces have it.
func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}
