package databricks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"

	double "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
)

// runID does not fit into a float64.
const runID int64 = 9007199254740993

func token(context.Context) (string, error) { return double.Token, nil }

var asked = time.Date(2026, 11, 23, 2, 31, 0, 5, time.UTC)

// of is the source under test, for a run of a double.
func of(w *double.Workspace, id int64) Source {
	return Source{Host: w.URL, RunID: fmt.Sprint(id), Token: token, Client: ask.Client{
		Wait: time.Microsecond, Patience: time.Second, MaxBody: 1 << 20, AttemptTimeout: 10 * time.Second,
		Now: func() time.Time { return asked },
	}}
}

func collectRun(t *testing.T, d Source) provenance.DatabricksRun {
	t.Helper()
	evidence, err := d.Collect(t.Context())
	if err != nil {
		t.Fatalf("%v %q", err, provenance.Hints(err))
	}
	return evidence.(provenance.Several)[0].(provenance.DatabricksRun)
}

// collectAll gives the run and its sources.
func collectAll(t *testing.T, d Source) (provenance.DatabricksRun, []provenance.Notebook) {
	t.Helper()
	evidence, err := d.Collect(t.Context())
	if err != nil {
		t.Fatalf("%v %q", err, provenance.Hints(err))
	}
	var notebooks []provenance.Notebook
	all := evidence.(provenance.Several)
	for _, e := range all[1:] {
		notebooks = append(notebooks, e.(provenance.Notebook))
	}
	return all[0].(provenance.DatabricksRun), notebooks
}

// answerOf is the stored answer to the first request that begins so.
func answerOf(t *testing.T, s provenance.Stored, request string) []byte {
	t.Helper()
	var answers []struct {
		Request string          `json:"request"`
		Answer  json.RawMessage `json:"answer"`
	}
	if err := json.Unmarshal(sourcetest.Stored(t, s), &answers); err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if strings.HasPrefix(a.Request, request) {
			return a.Answer
		}
	}
	t.Fatalf("no answer to %s is stored", request)
	return nil
}

func TestDatabricksRun(t *testing.T) {
	for _, shape := range []double.Shape{double.BothShapes, double.OldShape, double.NewShape} {
		w := double.New(t, double.Run{ID: runID, Shape: shape, Fields: map[string]any{
			"git_source": map[string]any{"git_url": "https://ada:hunter22@dev.azure.com/contoso/ml/_git/r", "git_provider": "azureDevOpsServices",
				"git_branch": "main", "git_snapshot": map[string]any{"used_commit": strings.Repeat("AB", 20)}},
		}})
		got := collectRun(t, of(w, runID))
		want := provenance.DatabricksRun{
			Grounds: provenance.Grounds{Basis: provenance.Reported},
			Host:    w.URL, RunID: "9007199254740993", JobID: "9007199254740995", Name: "nightly training", Result: "SUCCESS", Trigger: "ONE_TIME",
			Creator: provenance.Person{Email: "ada@contoso.com"}, Notebook: "/Repos/ml/train",
			Parameters: map[string]string{"rate": "0.2", "seed": "7", "epochs": "20"},
			Tasks: []provenance.TaskRun{{Key: "step000", RunID: "9007199254740994", Result: "SUCCESS", Kind: "notebook_task", Runs: "/Repos/ml/train",
				From: "WORKSPACE", Cluster: "0923-164208-meows279"}},
			Clusters: []provenance.Cluster{{ID: "0923-164208-meows279"}},
			GitURL:   "https://dev.azure.com/contoso/ml/_git/r", GitCommit: strings.Repeat("ab", 20),
			Started: time.UnixMilli(1795311000000).UTC(), Ended: time.UnixMilli(1795311600000).UTC(),
		}
		want.AskedAt, want.Answer = asked.Truncate(time.Second), got.Answer
		want.Removed = []string{runRequest + " $.git_source.git_url"}
		data := answerOf(t, got.Answer, "/api/2.2/jobs/runs/get")
		got.Answer.Open, want.Answer.Open = nil, nil // functions cannot be compared
		if !reflect.DeepEqual(got, want) {
			t.Errorf("shape %d\ngot  %+v\nwant %+v", shape, got, want)
		}
		if got.Answer.Name != "databricks-run-9007199254740993.json" || got.Answer.MediaType != ask.AnswersMediaType {
			t.Errorf("stored as %q, %q", got.Answer.Name, got.Answer.MediaType)
		}
		if !bytes.Contains(data, []byte(`"run_id":9007199254740993,`)) || bytes.ContainsAny(data, "\n\t") || !json.Valid(data) {
			t.Errorf("stored %s", data)
		}
		query := w.Requests()[0]
		for _, part := range []string{"/api/2.2/jobs/runs/get?", "run_id=9007199254740993", "include_resolved_values=true", "include_history=true"} {
			if !strings.Contains(query, part) {
				t.Errorf("asked %s, without %s", query, part)
			}
		}
	}
}

const runRequest = "/api/2.2/jobs/runs/get?include_history=true&include_resolved_values=true&run_id=9007199254740993"

func TestDatabricksAsksTwiceAnswersTheSame(t *testing.T) {
	w := double.New(t, double.Run{ID: 7, Tasks: 3})
	if a, b := collectRun(t, of(w, 7)), collectRun(t, of(w, 7)); a.Answer.Digest != b.Answer.Digest {
		t.Error("the same answer has two digests")
	}
}

func TestDatabricksPages(t *testing.T) {
	w := double.New(t, double.Run{ID: 7, Tasks: 250})
	got := collectRun(t, of(w, 7))
	if len(got.Tasks) != 250 || got.Tasks[249].RunID != "257" || got.Tasks[249].Kind != "spark_python_task" || countOf(w, "/api/2.2/jobs/runs/get?") != 3 {
		t.Errorf("%d tasks in %q, the last %+v", len(got.Tasks), w.Requests(), got.Tasks[len(got.Tasks)-1])
	}
	if n := bytes.Count(sourcetest.Stored(t, got.Answer), []byte(`"request":"/api/2.2/jobs/runs/get?`)); n != 3 {
		t.Errorf("%d pages are stored", n)
	}
	if !slices.ContainsFunc(got.Removed, func(p string) bool { return strings.HasSuffix(p, " $.next_page_token") }) {
		t.Errorf("removed %q", got.Removed)
	}
}

// countOf counts the requests that begin so.
func countOf(w *double.Workspace, prefix string) (n int) {
	for _, r := range w.Requests() {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

// TestDatabricksResults: SUCCESS is the only success.
func TestDatabricksResults(t *testing.T) {
	for _, c := range []struct {
		run  double.Run
		code string
		says string
	}{
		{double.Run{Result: "FAILED", Shape: double.OldShape}, "databricks.result", "ended with FAILED"},
		{double.Run{Result: "RUN_EXECUTION_ERROR", Shape: double.NewShape}, "databricks.result", "ended with RUN_EXECUTION_ERROR"},
		{double.Run{Result: "TIMEDOUT"}, "databricks.result", "ended with TIMEDOUT"},
		{double.Run{Result: "CANCELED"}, "databricks.result", "ended with CANCELED"},
		{double.Run{Result: "SUCCESS_WITH_FAILURES"}, "databricks.result", "ended with SUCCESS_WITH_FAILURES"},
		{double.Run{Result: "success"}, "databricks.result", "ended with success"},
		{double.Run{State: "SKIPPED", Shape: double.OldShape}, "databricks.result", "ended with SKIPPED"},
		{double.Run{State: "INTERNAL_ERROR", Shape: double.OldShape}, "databricks.result", "ended with INTERNAL_ERROR"},
		{double.Run{State: "INTERNAL_ERROR", Result: "SUCCESS", Shape: double.OldShape}, "databricks.result", "ended with INTERNAL_ERROR"},
		{double.Run{State: "RUNNING"}, "databricks.running", "it is RUNNING"},
		{double.Run{State: "RUNNING", Result: "SUCCESS"}, "databricks.running", "it is RUNNING"},
		{double.Run{State: "QUEUED", Shape: double.NewShape}, "databricks.running", "it is QUEUED"},
		{double.Run{State: "TERMINATING", Shape: double.OldShape}, "databricks.running", "it is TERMINATING"},
		{double.Run{Fields: map[string]any{"state": map[string]any{"life_cycle_state": "TERMINATED", "result_state": "FAILED"}}},
			"databricks.result", "ended with FAILED"},
		{double.Run{Fields: map[string]any{"status": map[string]any{"state": "RUNNING"}}}, "databricks.running", "it is RUNNING"},
		{double.Run{Fields: map[string]any{"status": nil, "state": nil}}, "", "says nothing of the run's state"},
		{double.Run{Fields: map[string]any{"status": map[string]any{"state": "TERMINATED"}}}, "", "has ended, but not how"},
		{double.Run{Fields: map[string]any{"status": map[string]any{}}}, "", "has ended, but not how"},
		{double.Run{Fields: map[string]any{"state": map[string]any{"life_cycle_state": "TERMINATED"}}}, "", "has ended, but not how"},
	} {
		c.run.ID = 7
		w := double.New(t, c.run)
		evidence, err := of(w, 7).Collect(t.Context())
		if err == nil || evidence != nil || sourcetest.KindOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, error %v, want %q with %q", c.run, evidence, err, c.code, c.says)
		}
	}
}

func TestDatabricksRefusalNamesThePage(t *testing.T) {
	w := double.New(t)
	for page, want := range map[string]string{
		w.URL + "/?o=12345&x=hunter22#job/1/run/2": ", see " + w.URL + "/?o=12345#job/1/run/2",
		w.URL + "/?o=12345&token=hunter22#job/1":   ", see " + w.URL + "/",
		w.URL + "/jobs/1/runs/2?o=x":               ", see " + w.URL + "/jobs/1/runs/2",
		"https://evil.example/":                    "",
		"https://ada:hunter22@127.0.0.1/":          "",
		"::":                                       "",
	} {
		w.Put(double.Run{ID: 7, Result: "FAILED", Fields: map[string]any{"run_page_url": page}})
		_, err := of(w, 7).Collect(t.Context())
		if err == nil || !strings.HasSuffix(err.Error(), "ended with FAILED"+want) {
			t.Errorf("%s: %v", page, err)
		}
	}
}

// TestDatabricksMoves: a run that goes on is asked again, and then recorded.
func TestDatabricksMoves(t *testing.T) {
	w := double.New(t, double.Run{ID: 7, State: "RUNNING"})
	if _, err := of(w, 7).Collect(t.Context()); sourcetest.KindOf(err) != "databricks.running" {
		t.Fatal(err)
	}
	w.Put(double.Run{ID: 7})
	if got := collectRun(t, of(w, 7)); got.Result != "SUCCESS" {
		t.Fatal(got.Result)
	}
}

// TestDatabricksFaults: what passes is waited for; what does not is an error that says so.
func TestDatabricksFaults(t *testing.T) {
	huge := func(out http.ResponseWriter, r *http.Request) { double.Huge(100<<20)(out, r) }
	for name, c := range map[string]struct {
		faults []double.Fault
		code   string
		says   string
	}{
		"busy":               {[]double.Fault{double.Busy("0"), double.Busy("")}, "", ""},
		"a burst of 503":     {[]double.Fault{double.Unavailable, double.Unavailable, double.Unavailable}, "", ""},
		"reset":              {[]double.Fault{double.Reset}, "", ""},
		"cut":                {[]double.Fault{double.Cut}, "", ""},
		"busy for an hour":   {[]double.Fault{double.Busy("3600")}, "", "status 429 REQUEST_LIMIT_EXCEEDED"},
		"100 MB":             {[]double.Fault{huge}, "", "longer than 1048576 bytes"},
		"deep":               {[]double.Fault{double.Answer(200, strings.Repeat(`{"a":`, 100)+"1"+strings.Repeat("}", 100))}, "", "deeper than 64"},
		"duplicate keys":     {[]double.Fault{double.Answer(200, `{"run_id":7,"Run_Id":8}`)}, "", "stands twice"},
		"truncated":          {[]double.Fault{double.Answer(200, `{"run_id":7,"job_`)}, "", "not JSON"},
		"no object":          {[]double.Fault{double.Answer(200, `[7]`)}, "", "makes no sense"},
		"wrong types":        {[]double.Fault{double.Answer(200, `{"run_id":7,"tasks":{"a":1}}`)}, "", "makes no sense"},
		"empty":              {[]double.Fault{double.Answer(200, ``)}, "", "not JSON"},
		"empty object":       {[]double.Fault{double.Answer(200, `{}`)}, "", `about run ""`},
		"another run":        {[]double.Fault{double.Answer(200, `{"run_id":8,"state":{"life_cycle_state":"TERMINATED","result_state":"SUCCESS"}}`)}, "", `about run "8"`},
		"a rounded id":       {[]double.Fault{double.Answer(200, `{"run_id":7.0}`)}, "", `about run "7.0"`},
		"login page":         {[]double.Fault{double.LoginPage}, "", "a web page came where JSON was expected"},
		"expired":            {[]double.Fault{double.Expired}, "", "status 401 UNAUTHENTICATED: Token is expired."},
		"forbidden":          {[]double.Fault{double.Answer(403, `{"error_code":"PERMISSION_DENIED","message":"ada@contoso.com does not have View permission"}`)}, "", "does not have View"},
		"gone":               {[]double.Fault{double.Answer(404, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"x"}`)}, "databricks.missing", "does not exist"},
		"no such API":        {[]double.Fault{double.Answer(404, `{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found"}`)}, "", "status 404"},
		"another bad value":  {[]double.Fault{double.Answer(400, `{"error_code":"INVALID_PARAMETER_VALUE","message":"run_id is malformed"}`)}, "", "status 400"},
		"an impossible time": {[]double.Fault{double.Answer(200, `{"run_id":7,"start_time":1e99,"state":{"life_cycle_state":"TERMINATED","result_state":"SUCCESS"}}`)}, "", "no time in milliseconds"},
		"an impossible end":  {[]double.Fault{double.Answer(200, `{"run_id":7,"end_time":-5,"state":{"life_cycle_state":"TERMINATED","result_state":"SUCCESS"}}`)}, "", "no time in milliseconds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := double.New(t, double.Run{ID: 7})
			w.Fail(c.faults...)
			evidence, err := of(w, 7).Collect(t.Context())
			if c.says == "" {
				if err != nil || countOf(w, "/api/2.2/") != len(c.faults)+1 {
					t.Errorf("%v after %d requests", err, len(w.Requests()))
				}
				return
			}
			if err == nil || evidence != nil || sourcetest.KindOf(err) != c.code || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 600 {
				t.Errorf("error %v, want %q with %q", err, c.code, c.says)
			}
		})
	}
}

func TestDatabricksStall(t *testing.T) {
	w := double.New(t, double.Run{ID: 7})
	w.Fail(double.Stall)
	d := of(w, 7)
	d.Client.AttemptTimeout = 200 * time.Millisecond
	if got := collectRun(t, d); got.Result != "SUCCESS" {
		t.Fatal(got.Result)
	}
}

func TestDatabricksRedirect(t *testing.T) {
	var headers []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		headers = append(headers, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	w := double.New(t, double.Run{ID: 7})
	w.Fail(double.Redirect(elsewhere.URL))
	if _, err := of(w, 7).Collect(t.Context()); err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), "not the host that was configured") {
		t.Error(err)
	}
	if len(headers) != 0 {
		t.Errorf("the other host was asked, with %q", headers)
	}
}

// TestDatabricksPagesThatContradict describe no run.
func TestDatabricksPagesThatContradict(t *testing.T) {
	for name, c := range map[string]struct {
		alter func(int, map[string]any)
		says  string
	}{
		"another name":   {func(p int, a map[string]any) { a["run_name"] = fmt.Sprint(p) }, "contradict"},
		"another job":    {func(p int, a map[string]any) { a["job_id"] = p }, "contradict"},
		"another end":    {func(p int, a map[string]any) { a["end_time"] = 1795311600000 + p }, "contradict"},
		"another commit": {func(p int, a map[string]any) { a["git_source"] = map[string]any{"git_commit": fmt.Sprint(p)} }, "contradict"},
		"another state": {func(p int, a map[string]any) {
			if p == 1 {
				a["state"] = map[string]any{"life_cycle_state": "TERMINATED", "result_state": "FAILED"}
			}
		}, "contradict"},
		"a state missing": {func(p int, a map[string]any) {
			if p == 1 {
				delete(a, "status")
			}
		}, "contradict"},
		"another run":     {func(p int, a map[string]any) { a["run_id"] = 7 + p }, `about run "8"`},
		"the same page":   {func(p int, a map[string]any) { a["next_page_token"] = "page-1" }, "in a circle"},
		"pages for ever":  {func(p int, a map[string]any) { a["tasks"], a["next_page_token"] = []any{}, fmt.Sprint("page-", p+1) }, "more than 60 pages"},
		"the same task":   {func(p int, a map[string]any) { a["tasks"] = []any{map[string]any{"task_key": "a", "run_id": 1}} }, "two of its pages"},
		"a second answer": {func(p int, a map[string]any) { maps.DeleteFunc(a, func(string, any) bool { return p == 1 }) }, `about run ""`},
	} {
		w := double.New(t, double.Run{ID: 7, Tasks: 150, Alter: c.alter})
		if _, err := of(w, 7).Collect(t.Context()); err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func TestDatabricksMissing(t *testing.T) {
	w := double.New(t)
	_, err := of(w, 7).Collect(t.Context())
	if sourcetest.KindOf(err) != "databricks.missing" || !strings.Contains(fmt.Sprint(provenance.Hints(err)), "60 days") {
		t.Fatalf("%v %q", err, provenance.Hints(err))
	}
}

func TestDatabricksMisuse(t *testing.T) {
	w := double.New(t, double.Run{ID: 7})
	for name, change := range map[string]func(*Source){
		"no run":          func(d *Source) { d.RunID = "" },
		"a name":          func(d *Source) { d.RunID = "nightly" },
		"a negative run":  func(d *Source) { d.RunID = "-7" },
		"a huge run":      func(d *Source) { d.RunID = "99999999999999999999" },
		"no host":         func(d *Source) { d.Host = "" },
		"plain http":      func(d *Source) { d.Host = "http://adb-1.2.azuredatabricks.net" },
		"user in host":    func(d *Source) { d.Host = "https://hunter22@adb-1.2.azuredatabricks.net" },
		"path in host":    func(d *Source) { d.Host = "https://adb-1.2.azuredatabricks.net/?o=1#job/hunter22" },
		"a page's path":   func(d *Source) { d.Host = "https://adb-1.2.azuredatabricks.net/jobs/1" },
		"no token source": func(d *Source) { d.Token = nil },
		"empty token":     func(d *Source) { d.Token = func(context.Context) (string, error) { return " \n", nil } },
	} {
		d := of(w, 7)
		change(&d)
		_, err := d.Collect(t.Context())
		if sourcetest.KindOf(err) != "misused" || len(provenance.Hints(err)) == 0 || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v %q", name, err, provenance.Hints(err))
		}
	}
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

func TestDatabricksWrongWorkspace(t *testing.T) {
	w := double.New(t, double.Run{ID: 7})
	d := of(w, 7)
	d.Token = func(context.Context) (string, error) { return "of-another-workspace", nil }
	_, err := d.Collect(t.Context())
	if err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), "status 403 403: Invalid access token") {
		t.Fatal(err)
	}
	d.Token = func(context.Context) (string, error) { return "", errors.New("Entra is down") }
	if _, err = d.Collect(t.Context()); err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), "Entra is down") {
		t.Fatal(err)
	}
}

// plantedSecrets are in an answer in every place that people put them.
var plantedSecrets = []string{"planted-a", "planted-b", "planted-c", "planted-d", "planted-e", "planted-f", "planted-g", "planted-h",
	"planted-i", "planted-j", double.Token, "QWxhZGRpbjpvcGVuIHNlc2FtZQ"}

// secretive is a run full of them.
func secretive() double.Run {
	return double.Run{ID: 7, Fields: map[string]any{
		"run_name":           "nightly with " + double.Token,
		"creator_user_name":  "ada " + double.Token,
		"job_parameters":     []any{map[string]any{"name": "db_password", "default": "planted-a", "value": "planted-b"}, map[string]any{"name": "epochs", "value": "3", "default": "1"}},
		"cluster_spec":       map[string]any{"new_cluster": map[string]any{"spark_env_vars": map[string]any{"API_KEY": "planted-c", "MODE": "x", "DB_PASSWORD": "{{secrets/scope/key}}"}, "spark_conf": map[string]any{"fs.azure.account.key.acct": "planted-d", "spark.note": "Bearer " + double.Token}}},
		"init_scripts":       []any{map[string]any{"abfss": map[string]any{"destination": "https://acct.blob.core.windows.net/c/init.sh?sv=1&sig=QWxhZGRpbjpvcGVuIHNlc2FtZQ%3D%3D"}}},
		"spark_python_task":  map[string]any{"parameters": []any{"--password", "planted-e", "--token=planted-f", "--epochs", "3", "secret=planted-g"}},
		"spark_submit":       []any{"jdbc:sqlserver://h;password=planted-h;x=1", "https://ada:planted-i@host/x"},
		"webhook":            map[string]any{"authorization": map[string]any{"basic": "planted-j", "user": "planted-j"}, "token": 17, "has_secret": true},
		"run_page_url":       "PAGE",
		"overriding_tokens ": nil,
	}}
}

// TestDatabricksHoldsNoSecret: not in the noun, the stored answer, the debug lines or an error.
func TestDatabricksHoldsNoSecret(t *testing.T) {
	run := secretive()
	w := double.New(t)
	run.Fields["run_page_url"] = w.URL + "/?o=1&token=planted-a#job/1"
	w.Put(run)
	var lines strings.Builder
	d := of(w, 7)
	d.Client.Debug = func(line string) { lines.WriteString(line + "\n") }
	got := collectRun(t, d)
	noun, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w.Put(double.Run{ID: 7, Result: "FAILED " + double.Token, Fields: run.Fields})
	_, refused := d.Collect(t.Context())
	w.Fail(double.Answer(403, `{"error_code":"X","message":"Bearer `+double.Token+` https://h/?sig=QWxhZGRpbjpvcGVuIHNlc2FtZQ%3D%3D"}`))
	_, denied := d.Collect(t.Context())
	if refused == nil || denied == nil || lines.Len() == 0 {
		t.Fatal("an error or the debug lines are missing")
	}
	for where, text := range map[string]string{"noun": string(noun), "answer": string(sourcetest.Stored(t, got.Answer)), "debug": lines.String(),
		"refusal": refused.Error(), "denial": denied.Error()} {
		for _, secret := range plantedSecrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in the %s: %s", secret, where, text)
			}
		}
	}
	if want := map[string]string{"db_password": "[removed]", "epochs": "3", "rate": "0.2", "seed": "7"}; !maps.Equal(got.Parameters, want) {
		t.Errorf("parameters %q", got.Parameters)
	}
}

// TestDatabricksSaysWhatItRemoved, and leaves the rest.
func TestDatabricksSaysWhatItRemoved(t *testing.T) {
	w := double.New(t, secretive())
	got := collectRun(t, of(w, 7))
	want := []string{
		"$.cluster_spec.new_cluster.spark_conf.\"fs.azure.account.key.acct\"", "$.cluster_spec.new_cluster.spark_conf.\"spark.note\"",
		"$.cluster_spec.new_cluster.spark_env_vars.API_KEY", "$.creator_user_name", "$.init_scripts[0].abfss.destination",
		"$.job_parameters[0].default", "$.job_parameters[0].value", "$.run_name",
		"$.spark_python_task.parameters[1]", "$.spark_python_task.parameters[2]", "$.spark_python_task.parameters[5]",
		"$.spark_submit[0]", "$.spark_submit[1]", "$.webhook.authorization", "$.webhook.token",
	}
	var removed []string
	for _, r := range got.Removed {
		_, at, _ := strings.Cut(r, " ")
		removed = append(removed, at)
	}
	if !slices.Equal(removed, want) {
		t.Errorf("removed %q\nwant    %q", removed, want)
	}
	for _, kept := range []string{`"DB_PASSWORD":"{{secrets/scope/key}}"`, `"MODE":"x"`, `"has_secret":true`, `"https://acct.blob.core.windows.net/c/init.sh"`,
		`"--password","[removed]","--token=[removed]","--epochs","3","secret=[removed]"`} {
		if data := sourcetest.Stored(t, got.Answer); !bytes.Contains(data, []byte(kept)) {
			t.Errorf("%s is not in %s", kept, data)
		}
	}
}

var answerSeeds = []string{
	`{"run_id":7,"job_id":1,"start_time":1,"end_time":2,"state":{"life_cycle_state":"TERMINATED","result_state":"SUCCESS"},"tasks":[{"task_key":"a","run_id":8,"notebook_task":{"notebook_path":"/x"}}]}`,
	`{"run_id":"7","status":{"state":"TERMINATED","termination_details":{"code":"SUCCESS"}},"job_parameters":[{"name":"password","value":"x"}]}`,
	`{"run_id":7,"state":{"life_cycle_state":"RUNNING"}}`, `{"run_id":7,"overriding_parameters":{"notebook_params":{"a":"\u0000\ud800"}}}`,
	`{"parameters":["--token","x","--secret"],"https://a:b@c":{"sig":[1,null,true]}}`, `[]`, ``,
}

// FuzzDatabricksAnswer: what is read is about the run, ended with SUCCESS, and is stored as JSON that redaction leaves as it is.
func FuzzDatabricksAnswer(f *testing.F) {
	if len(answerSeeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, seed := range answerSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, data, err := readAnswer(body)
		if err != nil {
			return
		}
		if got.RunID != "7" || got.Result != success {
			t.Errorf("run %q, %q", got.RunID, got.Result)
		}
		again, data2, err := readAnswer(data)
		if err != nil || !bytes.Equal(data, data2) {
			t.Errorf("%q is stored as %q, which is read as %+v (%v)", body, data, again, err)
		}
	})
}

// readAnswer reads one answer as if it had come for run 7, and gives it as it is stored.
func readAnswer(body []byte) (found provenance.DatabricksRun, data []byte, err error) {
	serve := roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, nil
	})
	d := Source{Host: "https://adb-1.2.azuredatabricks.net", RunID: "7", Token: token, Client: ask.Client{Transport: serve, Attempts: 1}}
	a, err := d.asker()
	if err != nil {
		return found, nil, err
	}
	r, err := a.finished(context.Background())
	if err != nil {
		return found, nil, err
	}
	if found, err = a.noun(r); err != nil {
		return found, nil, err
	}
	return found, a.Kept[0].Answer, nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
