// Package databricksdouble is a stand-in for a Databricks workspace: its jobs, the folders of its notebooks, DBFS and the volumes
// of Unity Catalog, made from the documented wire format. It keeps what was put into it, answers in pages, checks the token, and
// misbehaves on demand.
//
// Sources: https://docs.databricks.com/api/workspace/jobs, …/workspace, …/dbfs and …/files
package databricksdouble

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Token is the one that the workspace accepts.
const Token = "dapi0123456789abcdef0123456789abcdef"

// Workspace is a running double. It is stopped by its test.
type Workspace struct {
	URL string

	// Principal, when set, is the management token and the resource id that every request has to bring along.
	Principal [2]string
	OrgID     string        // the workspace's number, sent with every answer
	Latency   time.Duration // of every answer
	// Before is called with each request before it is answered.
	Before func(*http.Request)

	mu       sync.Mutex
	runs     map[string]Run
	exports  map[string]string // pages, by id of a task run
	outputs  map[string]map[string]any
	objects  map[string]Object
	files    map[string]File // in DBFS and in volumes
	faults   []Fault
	faultsAt map[string][]Fault
	requests []string
}

// Shape says how a workspace writes the state of a run.
type Shape int

// Current workspaces write both forms, old ones only the older.
const (
	BothShapes Shape = iota
	OldShape
	NewShape
)

// Run is a run of a job, with one notebook task unless it has more.
type Run struct {
	ID     int64
	Shape  Shape
	State  string // TERMINATED, RUNNING, …; empty: TERMINATED
	Result string // SUCCESS, FAILED, …; empty: SUCCESS if the state is TERMINATED
	Tasks  int    // 0: one
	// Iterations make it the run of a for-each task: pages of them stand beside the one task.
	Iterations []map[string]any
	Fields     map[string]any // further fields, or others in place of the usual ones
	// Alter changes a page before it is sent.
	Alter func(page int, answer map[string]any)
}

// New starts a workspace with some runs.
func New(t testing.TB, runs ...Run) *Workspace {
	w := &Workspace{runs: map[string]Run{}, exports: map[string]string{}, outputs: map[string]map[string]any{}, objects: map[string]Object{},
		files: map[string]File{}, faultsAt: map[string][]Fault{}}
	for _, r := range runs {
		w.Put(r)
	}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

// Put adds a run, or changes it.
func (w *Workspace) Put(r Run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs[strconv.FormatInt(r.ID, 10)] = r
}

// Fail lets the next requests meet these faults, one each.
func (w *Workspace) Fail(faults ...Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, faults...)
}

// FailAt lets the next requests for paths that begin so meet these faults.
func (w *Workspace) FailAt(path string, faults ...Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faultsAt[path] = append(w.faultsAt[path], faults...)
}

// fault takes the next one for a path, if there is any.
func (w *Workspace) fault(path string) (next Fault) {
	if len(w.faults) > 0 {
		next, w.faults = w.faults[0], w.faults[1:]
		return next
	}
	for prefix, faults := range w.faultsAt {
		if len(faults) > 0 && strings.HasPrefix(path, prefix) {
			next, w.faultsAt[prefix] = faults[0], faults[1:]
			return next
		}
	}
	return nil
}

// Requests are the paths and queries that were asked for.
func (w *Workspace) Requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests)
}

// ServeHTTP answers one request.
func (w *Workspace) ServeHTTP(out http.ResponseWriter, req *http.Request) {
	if w.Before != nil {
		w.Before(req)
	}
	time.Sleep(w.Latency)
	w.mu.Lock()
	w.requests = append(w.requests, req.URL.RequestURI())
	fault := w.fault(req.URL.Path)
	w.mu.Unlock()
	out.Header().Set("X-Request-Id", "11111111-2222-3333-4444-555555555555")
	if w.OrgID != "" {
		out.Header().Set("X-Databricks-Org-Id", w.OrgID)
	}
	switch {
	case fault != nil:
		fault(out, req)
	case req.Header.Get("Authorization") != "Bearer "+Token, w.Principal[0] != "" && w.stranger(req):
		Answer(http.StatusForbidden, `{"error_code":403,"message":"Invalid access token."}`)(out, req)
	default:
		w.answer(out, req)
	}
}

// stranger tells whether a request lacks the headers of a service principal that is not in the workspace.
func (w *Workspace) stranger(req *http.Request) bool {
	return req.Header.Get("X-Databricks-Azure-SP-Management-Token") != w.Principal[0] ||
		req.Header.Get("X-Databricks-Azure-Workspace-Resource-Id") != w.Principal[1]
}

// answer finds who answers a path.
func (w *Workspace) answer(out http.ResponseWriter, req *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := req.URL.Path
	isRead := req.Method == http.MethodGet || req.Method == http.MethodHead && strings.HasPrefix(p, "/api/2.0/fs/")
	switch {
	case !isRead:
	case p == "/api/2.2/jobs/runs/get":
		w.run(out, req)
		return
	case p == "/api/2.2/jobs/runs/get-output":
		w.output(out, req)
		return
	case p == "/api/2.0/jobs/runs/export":
		w.export(out, req)
		return
	case strings.HasPrefix(p, "/api/2.0/workspace/"):
		w.workspace(out, req)
		return
	case strings.HasPrefix(p, "/api/2.0/dbfs/"):
		w.dbfs(out, req)
		return
	case strings.HasPrefix(p, "/api/2.0/fs/"):
		w.volume(out, req)
		return
	}
	Answer(http.StatusNotFound, `{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for '`+req.Method+" "+p+`'"}`)(out, req)
}

// send answers JSON.
func send(out http.ResponseWriter, v any) {
	out.Header().Set("Content-Type", "application/json")
	json.NewEncoder(out).Encode(v) // a client that has gone away is no concern of a double
}

// refuse answers an error as Databricks does.
func refuse(out http.ResponseWriter, status int, code, message string) {
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	json.NewEncoder(out).Encode(map[string]string{"error_code": code, "message": message})
}

// run answers about a run.
func (w *Workspace) run(out http.ResponseWriter, req *http.Request) {
	id := req.URL.Query().Get("run_id")
	run, known := w.runs[id]
	if !known {
		refuse(out, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "Run "+id+" does not exist.")
		return
	}
	run.page(out, req)
}

// pageSize is how many tasks an answer holds.
const pageSize = 100

// page sends one page of a run.
func (r Run) page(out http.ResponseWriter, req *http.Request) {
	number := 0
	if token := req.URL.Query().Get("page_token"); token != "" {
		var err error
		if number, err = strconv.Atoi(strings.TrimPrefix(token, "page-")); err != nil {
			Answer(http.StatusBadRequest, `{"error_code":"INVALID_PARAMETER_VALUE","message":"Invalid page token."}`)(out, req)
			return
		}
	}
	answer := r.fields()
	total := max(r.Tasks, len(r.Iterations), 1)
	from, to := min(number*pageSize, total), min((number+1)*pageSize, total)
	tasks := []any{}
	for i := from; i < to && r.Iterations == nil; i++ {
		tasks = append(tasks, r.task(i))
	}
	if r.Iterations != nil {
		tasks = append(tasks, map[string]any{"task_key": "loop", "run_id": r.ID, "for_each_task": map[string]any{}})
		answer["iterations"] = r.Iterations[min(from, len(r.Iterations)):min(to, len(r.Iterations))]
	}
	answer["tasks"] = tasks
	if to < total {
		answer["next_page_token"] = fmt.Sprintf("page-%d", number+1)
	}
	maps.Copy(answer, r.Fields)
	if r.Alter != nil {
		r.Alter(number, answer)
	}
	send(out, answer)
}

// JobID is the job of every run. It does not fit into a float64.
const JobID int64 = 9007199254740995

// fields are those of a run, but for its tasks.
func (r Run) fields() map[string]any {
	answer := map[string]any{
		"run_id": r.ID, "job_id": JobID, "number_in_job": r.ID, "original_attempt_run_id": r.ID, "attempt_number": 0,
		"run_name": "nightly training", "run_type": "JOB_RUN", "format": "MULTI_TASK", "creator_user_name": "ada@contoso.com",
		"start_time": 1795311000000, "setup_duration": 0, "execution_duration": 600000, "end_time": 1795311600000,
		"run_page_url":          "https://adb-1.2.azuredatabricks.net/?o=12345#job/1/run/2",
		"job_parameters":        []any{map[string]any{"name": "epochs", "default": "10", "value": "20"}},
		"overriding_parameters": map[string]any{"notebook_params": map[string]any{"seed": "7"}},
		"trigger":               "ONE_TIME", "has_more": false,
	}
	r.addState(answer)
	return answer
}

// task is one task of the run.
func (r Run) task(i int) map[string]any {
	task := map[string]any{
		"task_key": fmt.Sprintf("step%03d", i), "run_id": r.ID + 1 + int64(i), "attempt_number": 0,
		"start_time": 1795311000000, "end_time": 1795311600000, "existing_cluster_id": "0923-164208-meows279",
		"cluster_instance": map[string]any{"cluster_id": "0923-164208-meows279", "spark_context_id": "4348585301701786933"},
	}
	if i == 0 {
		task["notebook_task"] = map[string]any{"notebook_path": "/Repos/ml/train", "source": "WORKSPACE",
			"base_parameters": map[string]any{"rate": "0.1", "seed": "1"}}
		task["resolved_values"] = map[string]any{"notebook_task": map[string]any{"base_parameters": map[string]any{"rate": "0.2"}}}
	} else {
		task["spark_python_task"] = map[string]any{"python_file": "/Repos/ml/step.py"}
	}
	r.addState(task)
	return task
}

// addState writes the run's state in its shape.
func (r Run) addState(answer map[string]any) {
	state, result := r.State, r.Result
	if state == "" {
		state = "TERMINATED"
	}
	if result == "" && state == "TERMINATED" {
		result = "SUCCESS"
	}
	if r.Shape != OldShape {
		status := map[string]any{"state": state}
		if state == "TERMINATED" {
			status["termination_details"] = map[string]any{"code": result, "type": "SUCCESS", "message": ""}
		}
		answer["status"] = status
	}
	if r.Shape != NewShape {
		answer["state"] = map[string]any{"life_cycle_state": state, "result_state": result, "state_message": "", "user_cancelled_or_timedout": false}
	}
}
