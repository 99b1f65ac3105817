package databricks

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// task is one task of a run, or one iteration of a for-each task; it has a state of its own.
type task struct {
	Key      string      `json:"task_key"`
	RunID    json.Number `json:"run_id"`
	Original json.Number `json:"original_attempt_run_id"`
	Attempt  int         `json:"attempt_number"`
	Start    json.Number `json:"start_time"`
	Status   *runStatus  `json:"status"`
	State    *runState   `json:"state"`
	Disabled bool        `json:"disabled"`
	clusterUse
	GitSource  *gitSource `json:"git_source"`
	Notebook   *notebook  `json:"notebook_task"`
	Python     *program   `json:"spark_python_task"`
	Wheel      *program   `json:"python_wheel_task"`
	Jar        *program   `json:"spark_jar_task"`
	Submit     *program   `json:"spark_submit_task"`
	SQL        *sqlTask   `json:"sql_task"`
	DBT        *dbtTask   `json:"dbt_task"`
	Pipeline   *named     `json:"pipeline_task"`
	Dashboard  *named     `json:"dashboard_task"`
	Condition  *condition `json:"condition_task"`
	RunJob     *runJob    `json:"run_job_task"`
	ForEach    *forEach   `json:"for_each_task"`
	Resolved   resolved   `json:"resolved_values"`
	kinds      []string   // the names of its members that end with _task: what it runs
	started    string     // id of the run that a run_job_task started
	iterations []task     // of a for_each_task, in their last attempts
}

type notebook struct {
	Path       string            `json:"notebook_path"`
	Source     string            `json:"source"`
	Parameters map[string]string `json:"base_parameters"`
}

// program is a task that runs a program with arguments.
type program struct {
	File       string            `json:"python_file"`
	Source     string            `json:"source"`
	Package    string            `json:"package_name"`
	Entry      string            `json:"entry_point"`
	Class      string            `json:"main_class_name"`
	Parameters []string          `json:"parameters"`
	Named      map[string]string `json:"named_parameters"`
}

type sqlTask struct {
	File struct {
		Path   string `json:"path"`
		Source string `json:"source"`
	} `json:"file"`
	Query struct {
		ID string `json:"query_id"`
	} `json:"query"`
	Alert struct {
		ID string `json:"alert_id"`
	} `json:"alert"`
	Dashboard struct {
		ID string `json:"dashboard_id"`
	} `json:"dashboard"`
	Parameters map[string]string `json:"parameters"`
}

type dbtTask struct {
	Directory string   `json:"project_directory"`
	Source    string   `json:"source"`
	Commands  []string `json:"commands"`
}

// named is a task that only names what it starts.
type named struct {
	Pipeline  string `json:"pipeline_id"`
	Dashboard string `json:"dashboard_id"`
}

type condition struct {
	Left     string `json:"left"`
	Operator string `json:"op"`
	Right    string `json:"right"`
}

type runJob struct {
	JobID      json.Number       `json:"job_id"`
	Parameters map[string]string `json:"job_parameters"`
}

type forEach struct {
	Task  *task `json:"task"`
	Stats struct {
		Runs struct {
			Total  *int `json:"total_iterations"`
			Failed int  `json:"failed_iterations"`
		} `json:"task_run_stats"`
	} `json:"stats"`
}

// resolved are parameters as they were when the task began.
type resolved struct {
	Notebook notebook `json:"notebook_task"`
	Wheel    program  `json:"python_wheel_task"`
	Python   program  `json:"spark_python_task"`
	Jar      program  `json:"spark_jar_task"`
	SQL      sqlTask  `json:"sql_task"`
	RunJob   runJob   `json:"run_job_task"`
}

// UnmarshalJSON also notes what kind of task it is.
func (t *task) UnmarshalJSON(data []byte) error {
	type fields task
	if err := json.Unmarshal(data, (*fields)(t)); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	for name, value := range members {
		if strings.HasSuffix(name, "_task") && len(value) > 0 && value[0] == '{' {
			t.kinds = append(t.kinds, foreign.Plain(name))
		}
	}
	slices.Sort(t.kinds)
	return nil
}

// kind is what the Jobs API calls the task, or empty.
func (t task) kind() string { return strings.Join(t.kinds, " ") }

// result is how the task ended: "unknown" for a disabled one without an outcome.
func (t task) result() string {
	o, err := outcomeOf(t.Status, t.State)
	if err != nil {
		return "unknown"
	}
	return cmp.Or(o.result, o.phase)
}

// ran tells whether the task's code ran, and to its end.
func (t task) ran() bool { return t.result() == success }

// notRun are the outcomes of tasks that did nothing in a run that succeeded.
var notRun = []string{"EXCLUDED", "UPSTREAM_EXCLUDED", "DISABLED", "SKIPPED"}

// runs names what the task ran.
func (t task) runs() string {
	switch {
	case t.Notebook != nil:
		return t.Notebook.Path
	case t.Python != nil:
		return redact.URL(t.Python.File)
	case t.Wheel != nil:
		return strings.TrimSpace(t.Wheel.Package + " " + t.Wheel.Entry)
	case t.Jar != nil:
		return t.Jar.Class
	case t.Submit != nil:
		return strings.Join(t.Submit.Parameters, " ")
	case t.SQL != nil:
		return t.SQL.runs()
	case t.DBT != nil:
		return strings.TrimSpace(t.DBT.Directory + " " + strings.Join(t.DBT.Commands, "; "))
	case t.Pipeline != nil:
		return "pipeline " + t.Pipeline.Pipeline
	case t.Dashboard != nil:
		return "dashboard " + t.Dashboard.Dashboard
	case t.Condition != nil:
		return strings.Join([]string{t.Condition.Left, t.Condition.Operator, t.Condition.Right}, " ")
	case t.RunJob != nil:
		return fmt.Sprintf("run %s of job %s", cmp.Or(t.started, "unknown"), t.RunJob.JobID)
	case t.ForEach != nil && t.ForEach.Task != nil:
		return fmt.Sprintf("%d times %s %s", len(t.iterations), t.ForEach.Task.kind(), t.ForEach.Task.runs())
	}
	return ""
}

func (s sqlTask) runs() string {
	switch {
	case s.File.Path != "":
		return s.File.Path
	case s.Query.ID != "":
		return "query " + s.Query.ID
	case s.Alert.ID != "":
		return "alert " + s.Alert.ID
	}
	return "dashboard " + s.Dashboard.ID
}

// from is GIT or WORKSPACE where the task says, or its kind implies, where its code lies. inGit: the run or the task has a
// git source, which then is the default.
func (t task) from(inGit bool) string {
	said, lies := "", true
	switch {
	case t.Notebook != nil:
		said = t.Notebook.Source
	case t.Python != nil:
		said, lies = t.Python.Source, !strings.Contains(t.Python.File, ":/")
	case t.SQL != nil && t.SQL.File.Path != "":
		said = t.SQL.File.Source
	case t.DBT != nil:
		said = t.DBT.Source
	default:
		lies = false
	}
	switch {
	case said != "" || !lies:
		return foreign.Plain(said)
	case inGit:
		return fromGit
	}
	return fromWorkspace
}

// Where code lies, as the Jobs API calls it.
const (
	fromGit       = "GIT"
	fromWorkspace = "WORKSPACE"
)

// noun is the task as it is recorded.
func (t task) noun(of run) provenance.TaskRun {
	n := provenance.TaskRun{Key: foreign.Plain(t.Key), RunID: t.RunID.String(), Result: foreign.Plain(t.result()), Kind: t.kind(), Runs: foreign.Plain(t.runs()),
		From: t.from(of.inGit(t)), Attempt: t.Attempt, Cluster: foreign.Plain(t.clusterID())}
	if commit := t.GitSource.commit(); commit != of.GitSource.commit() {
		n.GitCommit = foreign.Plain(commit)
	}
	return n
}

// lastAttempts keeps of tasks that were tried several times the last attempt. key tells what is the same task.
func lastAttempts(tasks []task, key func(task) string) []task {
	last := map[string]int{}
	var out []task
	for _, t := range tasks {
		i, known := last[key(t)]
		switch {
		case !known:
			last[key(t)] = len(out)
			out = append(out, t)
		case laterAttempt(t, out[i]):
			out[i] = t
		}
	}
	return out
}

// laterAttempt tells whether a came after b.
func laterAttempt(a, b task) bool {
	return cmp.Or(cmp.Compare(a.Attempt, b.Attempt), compareNumbers(a.Start, b.Start), compareNumbers(a.RunID, b.RunID)) > 0
}

// compareNumbers compares integers; what is none counts as zero.
func compareNumbers(a, b json.Number) int {
	x, _ := strconv.ParseInt(a.String(), 10, 64)
	y, _ := strconv.ParseInt(b.String(), 10, 64)
	return cmp.Compare(x, y)
}

// parameters are what the task was given, by name; a list of arguments stands as JSON under the name that the Jobs API has for
// it. What was resolved when the task began wins.
func (t task) parameters() map[string]string {
	all := map[string]string{}
	if t.Notebook != nil {
		maps.Copy(all, t.Notebook.Parameters)
		maps.Copy(all, t.Resolved.Notebook.Parameters)
	}
	for _, p := range []struct {
		given    *program
		resolved program
	}{{t.Wheel, t.Resolved.Wheel}, {t.Python, t.Resolved.Python}, {t.Jar, t.Resolved.Jar}, {t.Submit, program{}}} {
		if p.given != nil {
			maps.Copy(all, p.given.Named)
			maps.Copy(all, p.resolved.Named)
			addList(all, "parameters", p.given.Parameters)
			addList(all, "parameters", p.resolved.Parameters)
		}
	}
	if t.SQL != nil {
		maps.Copy(all, t.SQL.Parameters)
		maps.Copy(all, t.Resolved.SQL.Parameters)
	}
	if t.DBT != nil {
		addList(all, "commands", t.DBT.Commands)
	}
	if t.RunJob != nil {
		maps.Copy(all, t.RunJob.Parameters)
		maps.Copy(all, t.Resolved.RunJob.Parameters)
	}
	return all
}

// addList adds a list of arguments, unless it is empty.
func addList(all map[string]string, name string, list []string) {
	if len(list) > 0 {
		data, _ := foreign.CanonicalJSON(list) // a list of strings can always be written
		all[name] = string(data)
	}
}
