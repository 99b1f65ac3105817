// Package databricksdouble is a stand-in for the Jobs API of a Databricks workspace, made from the documented wire format.
// It keeps runs, answers in pages, checks the token, and misbehaves on demand.
//
// Source: https://docs.databricks.com/api/workspace/jobs/getrun
package databricksdouble

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Token is the one that the workspace accepts.
const Token = "dapi0123456789abcdef0123456789abcdef"

// Workspace is a running double. It is stopped by its test.
type Workspace struct {
	URL string

	mu       sync.Mutex
	runs     map[string]Run
	faults   []Fault
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
	State  string         // TERMINATED, RUNNING, …; empty: TERMINATED
	Result string         // SUCCESS, FAILED, …; empty: SUCCESS if the state is TERMINATED
	Tasks  int            // 0: one
	Fields map[string]any // further fields, or others in place of the usual ones
	// Alter changes a page before it is sent.
	Alter func(page int, answer map[string]any)
}

// Fault answers one request in place of the workspace.
type Fault func(http.ResponseWriter, *http.Request)

// New starts a workspace with some runs.
func New(t testing.TB, runs ...Run) *Workspace {
	w := &Workspace{runs: map[string]Run{}}
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

// Requests are the paths and queries that were asked for.
func (w *Workspace) Requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.requests)
}

// ServeHTTP answers one request.
func (w *Workspace) ServeHTTP(out http.ResponseWriter, req *http.Request) {
	w.mu.Lock()
	w.requests = append(w.requests, req.URL.RequestURI())
	var fault Fault
	if len(w.faults) > 0 {
		fault, w.faults = w.faults[0], w.faults[1:]
	}
	run, known := w.runs[req.URL.Query().Get("run_id")]
	w.mu.Unlock()
	out.Header().Set("X-Request-Id", "11111111-2222-3333-4444-555555555555")
	switch {
	case fault != nil:
		fault(out, req)
	case req.Header.Get("Authorization") != "Bearer "+Token:
		Answer(http.StatusForbidden, `{"error_code":403,"message":"Invalid access token."}`)(out, req)
	case req.Method != http.MethodGet || req.URL.Path != "/api/2.2/jobs/runs/get":
		Answer(http.StatusNotFound, `{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for '`+req.Method+" "+req.URL.Path+`'"}`)(out, req)
	case !known:
		Answer(http.StatusBadRequest, `{"error_code":"INVALID_PARAMETER_VALUE","message":"Run `+req.URL.Query().Get("run_id")+` does not exist."}`)(out, req)
	default:
		run.page(out, req)
	}
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
	total := max(r.Tasks, 1)
	from, to := min(number*pageSize, total), min((number+1)*pageSize, total)
	tasks := []any{}
	for i := from; i < to; i++ {
		tasks = append(tasks, r.task(i))
	}
	answer["tasks"] = tasks
	if to < total {
		answer["next_page_token"] = fmt.Sprintf("page-%d", number+1)
	}
	maps.Copy(answer, r.Fields)
	if r.Alter != nil {
		r.Alter(number, answer)
	}
	out.Header().Set("Content-Type", "application/json")
	json.NewEncoder(out).Encode(answer) // a client that has gone away is no concern of a double
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

// Answer is a fault that answers JSON of one's own.
func Answer(status int, body string) Fault {
	return func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(status)
		fmt.Fprint(out, body)
	}
}

// Busy is 429 with a Retry-After header, which is left out if it is empty.
func Busy(retryAfter string) Fault {
	return func(out http.ResponseWriter, req *http.Request) {
		if retryAfter != "" {
			out.Header().Set("Retry-After", retryAfter)
		}
		Answer(http.StatusTooManyRequests, `{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"Too many requests."}`)(out, req)
	}
}

// Unavailable is 503, as a load balancer sends it.
func Unavailable(out http.ResponseWriter, _ *http.Request) {
	http.Error(out, "upstream connect error", http.StatusServiceUnavailable)
}

// Expired is 401.
func Expired(out http.ResponseWriter, req *http.Request) {
	Answer(http.StatusUnauthorized, `{"error_code":"UNAUTHENTICATED","message":"Token is expired."}`)(out, req)
}

// Reset cuts the connection before anything is answered.
func Reset(out http.ResponseWriter, _ *http.Request) {
	conn, _, err := out.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// Stall begins an answer and never goes on.
func Stall(out http.ResponseWriter, req *http.Request) {
	fmt.Fprint(out, `{"run_id":`)
	out.(http.Flusher).Flush()
	<-req.Context().Done()
}

// Cut ends in the middle of an answer whose length was announced.
func Cut(out http.ResponseWriter, _ *http.Request) {
	out.Header().Set("Content-Length", "1000")
	fmt.Fprint(out, `{"run_id":`)
}

// Huge is a valid answer of that many bytes.
func Huge(bytes int) Fault {
	return func(out http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(out, `{"run_name":"`)
		block := strings.Repeat("x", 1<<16)
		for sent := 0; sent < bytes; sent += len(block) {
			if _, err := fmt.Fprint(out, block); err != nil {
				return
			}
		}
		fmt.Fprint(out, `"}`)
	}
}

// LoginPage is a web page with status 200, as an identity provider in the way sends it.
func LoginPage(out http.ResponseWriter, _ *http.Request) {
	out.Header().Set("Content-Type", "text/html")
	fmt.Fprint(out, "<!DOCTYPE html><html><title>Sign in</title></html>")
}

// Redirect sends the client elsewhere.
func Redirect(to string) Fault {
	return func(out http.ResponseWriter, req *http.Request) {
		http.Redirect(out, req, to, http.StatusTemporaryRedirect)
	}
}
