package mlflow

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"

	faults "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"

	double "github.com/seed-3480f271/provenance/provenance/internal/mlflowdouble"
)

const run1 = "4be1c0ffee0000000000000000000001"

var mlflowAsked = time.Date(2026, 11, 23, 2, 31, 0, 5, time.UTC)

func token(context.Context) (string, error) { return double.Token, nil }

// debugLines are those of requests that are made at the same time.
type debugLines struct {
	lock sync.Mutex
	text strings.Builder
}

func (d *debugLines) add(line string) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.text.WriteString(line + "\n")
}

func (d *debugLines) String() string { return d.text.String() }

func textOf(s string) ask.Token { return func(context.Context) (string, error) { return s, nil } }

// mlflowOf is the source under test, for a run of a double.
func mlflowOf(s *double.Server, runID string) Source {
	return Source{URI: s.URL + s.Prefix, RunID: runID, Token: token, Client: ask.Client{Wait: time.Microsecond, Patience: time.Second,
		MaxBody: 1 << 20, AttemptTimeout: 10 * time.Second, Now: func() time.Time { return mlflowAsked }}}
}

// withRun is a server with one run.
func withRun(t *testing.T, r double.Run) *double.Server {
	s := double.New(t)
	r.ID = run1
	s.PutRun(r)
	return s
}

// fullRun has everything that is read of a run.
func fullRun() double.Run {
	return double.Run{
		Metrics: map[string][]double.Value{"auc": {{Value: 0.5, At: 1795311000000}, {Value: 0.8123, Step: 9007199254740993, At: 1795311500000}},
			"loss": {{Value: "NaN", At: 1795311500000}}, "gain": {{Value: "-Infinity", At: 1795311500000}}, "text": {{Value: "1e3"}}, "token_accuracy": {{Value: 0.25}}},
		Params: map[string]string{"max_depth": "7", "db_password": "planted-a"},
		Tags: map[string]string{"area": "north", "mlflow.parentRunId": "4be1", "azureml.git.commit": strings.Repeat("AB", 20),
			"azureml.git.repository_uri": "https://ada:planted-b@dev.azure.com/contoso/ml/_git/r"},
		Inputs: []any{map[string]any{"tags": []any{map[string]any{"key": "mlflow.data.context", "value": "training"}},
			"dataset": map[string]any{"name": "mortgages", "digest": "1f00c0de", "source_type": "delta_table", "source": `{"path":"abfss://lake@contoso.dfs.core.windows.net/m/?sig=planted-c","delta_table_version":3}`}}},
		Models: []string{"m-1"},
		Files:  map[string]string{"roc.png": "\x89PNG", "train.log": "x"},
	}
}

func TestMLflowRun(t *testing.T) {
	for _, text := range []bool{false, true} {
		s := withRun(t, fullRun())
		s.Prefix, s.Text, s.Page = "/ml/flow", text, 1
		s.PutModel(double.Model{ID: "m-1", Name: "model", RunID: run1, Metrics: []any{
			map[string]any{"key": "auc", "value": 0.8123, "step": "9007199254740993", "timestamp": 1795311500000, "run_id": run1, "dataset_name": "test", "dataset_digest": "9c3a"},
			map[string]any{"key": "loss", "value": "NaN", "step": 0, "timestamp": 1795311500000, "run_id": "another", "dataset_name": "test"}}})
		got := collectMLflow(t, mlflowOf(s, run1))
		last := time.UnixMilli(1795311500000).UTC()
		png := provenance.SumSHA256([]byte("\x89PNG"))
		want := provenance.MLflowRun{
			Grounds: provenance.Grounds{Basis: provenance.Reported, BasisOf: map[string]provenance.Basis{"tags": provenance.Declared,
				"parent": provenance.Declared, "gitCommit": provenance.Declared, "gitUrl": provenance.Declared, "started": provenance.Declared, "ended": provenance.Declared, "user": provenance.Declared}},
			URI: s.URL + "/ml/flow", RunID: run1, Name: "nightly", Experiment: provenance.Experiment{ID: "9007199254740993", Name: "mortgages"},
			Status: "FINISHED", User: provenance.Person{Email: "ada@contoso.com"}, Parent: "4be1",
			Metrics: []provenance.Metric{{Name: "auc", Value: "0.8123", Step: 9007199254740993, At: last, Values: 2, Dataset: "test", On: "9c3a"},
				{Name: "gain", Value: "-Infinity", At: last, Values: 1}, {Name: "loss", Value: "NaN", At: last, Values: 1}, {Name: "text", Value: "1000", Values: 1},
				{Name: "token_accuracy", Value: "0.25", Values: 1}},
			Params: map[string]string{"max_depth": "7", "db_password": "[removed]"},
			Tags: map[string]string{"area": "north", "mlflow.parentRunId": "4be1", "azureml.git.commit": strings.Repeat("AB", 20),
				"azureml.git.repository_uri": "https://dev.azure.com/contoso/ml/_git/r"},
			GitURL: "https://dev.azure.com/contoso/ml/_git/r", GitCommit: strings.Repeat("ab", 20),
			Inputs: []provenance.Dataset{{Name: "mortgages", Claimed: "1f00c0de", Kind: "delta_table", Role: "training", Version: "3",
				Source: "abfss://lake@contoso.dfs.core.windows.net/m/"}},
			Artifacts: []provenance.Artifact{{Path: "roc.png", Size: new(int64(4)), Digest: png, Stored: got.Artifacts[0].Stored}, {Path: "train.log", Size: new(int64(1))}},
			Started:   time.UnixMilli(1795311000000).UTC(), Ended: time.UnixMilli(1795311600000).UTC(), Answered: got.Answered,
		}
		if string(sourcetest.Stored(t, got.Artifacts[0].Stored)) != "\x89PNG" || !strings.Contains(string(sourcetest.Stored(t, got.Answer)), `"value":0.5`) {
			t.Error("the picture or the history was not stored")
		}
		for _, r := range []*provenance.MLflowRun{&got, &want} { // functions cannot be compared
			r.Answer.Open, r.Artifacts[0].Stored.Open = nil, nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("text %v\ngot  %+v\nwant %+v", text, got, want)
		}
		if got.Answer.Name != "mlflow-run-"+run1+".json" || got.Answer.MediaType != ask.AnswersMediaType || !got.AskedAt.Equal(mlflowAsked.Truncate(time.Second)) {
			t.Errorf("stored as %q, %q at %v", got.Answer.Name, got.Answer.MediaType, got.AskedAt)
		}
	}
}

func TestMLflowAsksTwiceAnswersTheSame(t *testing.T) {
	s := withRun(t, fullRun())
	s.PutModel(double.Model{ID: "m-1"})
	a, b := collectMLflow(t, mlflowOf(s, run1)), collectMLflow(t, mlflowOf(s, run1))
	if a.Answer.Digest != b.Answer.Digest {
		t.Error("the same answers have two digests")
	}
}

// TestMLflowAsksAtTheSameTime what does not depend on each other: nobody is answered before everybody has asked.
func TestMLflowAsksAtTheSameTime(t *testing.T) {
	run := fullRun()
	run.Files = map[string]string{"a/x": "", "b/x": "", "c/x": ""}
	s := withRun(t, run)
	s.PutModel(double.Model{ID: "m-1"})
	meet := func(at string, n int32) {
		var arrived atomic.Int32
		all := make(chan struct{})
		gate := func(out http.ResponseWriter, _ *http.Request) {
			if arrived.Add(1) == n {
				close(all)
			}
			select {
			case <-all:
				out.WriteHeader(http.StatusServiceUnavailable) // and they ask again
			case <-time.After(5 * time.Second):
				out.WriteHeader(http.StatusTeapot)
			}
		}
		s.FailAt(at, slices.Repeat([]double.Fault{gate}, int(n))...)
	}
	meet("path=", 3)
	meet("get-history", 5)
	m := mlflowOf(s, run1)
	collectMLflow(t, m)
	for _, at := range []string{"experiments/get", "artifacts/list", "logged-models"} {
		s.FailAt(at, faults.Unavailable)
	}
	collectMLflow(t, m)
}

// TestMLflowLongHistories are read to a limit, and say so.
func TestMLflowLongHistories(t *testing.T) {
	run := double.Run{Metrics: map[string][]double.Value{}}
	for i := range 50 {
		run.Metrics[fmt.Sprintf("m%02d", i)] = []double.Value{{Value: 1}}
	}
	run.Metrics["m07"] = make([]double.Value, historyPage+1)
	for i := range run.Metrics["m07"] {
		run.Metrics["m07"][i] = double.Value{Value: i, Step: int64(i)}
	}
	got := collectMLflow(t, mlflowOf(withRun(t, run), run1))
	if m := got.Metrics[7]; !m.Partial || m.Values != maxHistories/50 || m.Value != "5000" || got.Metrics[8].Partial {
		t.Errorf("metric %+v", m)
	}
}

const inWorkspace = "/mlflow/v1.0/subscriptions/0b7e5e0e-0000-4000-8000-000000000001/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/ws"

// toDouble sends the requests for some host to a double.
type toDouble struct {
	host   string
	double *url.URL
}

func (d toDouble) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != d.host || r.URL.Scheme != "https" {
		return nil, fmt.Errorf("asked %s", r.URL.Host)
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = d.double.Scheme, d.double.Host
	return http.DefaultTransport.RoundTrip(r)
}

func mlflowAt(t *testing.T, host string, s *double.Server) http.RoundTripper {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return toDouble{host, u}
}

// TestMLflowInAzureML lists artifacts, and leaves their bytes where they are.
func TestMLflowInAzureML(t *testing.T) {
	run := fullRun()
	run.Models, run.URI = nil, "azureml://westeurope.api.azureml.ms/mlflow/v1.0/x/artifacts"
	s := withRun(t, run)
	s.Prefix = inWorkspace
	for _, scheme := range []string{"azureml", "https"} {
		m := mlflowOf(s, run1)
		m.URI = scheme + "://WestEurope.api.azureml.ms" + inWorkspace + "/"
		m.Client.Transport = mlflowAt(t, "westeurope.api.azureml.ms", s)
		got := collectMLflow(t, m)
		if got.URI != "https://westeurope.api.azureml.ms"+inWorkspace || len(got.Artifacts) != 2 || !got.Artifacts[0].Digest.IsZero() || *got.Artifacts[0].Size != 4 {
			t.Errorf("%s: %+v", scheme, got)
		}
	}
	for _, asked := range s.Requests() {
		if !strings.HasPrefix(asked, inWorkspace+"/api/2.0/mlflow/") {
			t.Errorf("asked %s", asked)
		}
	}
}

// TestMLflowInDatabricks: the same questions, and Unity Catalog's own for names with two dots.
func TestMLflowInDatabricks(t *testing.T) {
	run := fullRun()
	run.Models, run.URI = nil, "dbfs:/databricks/mlflow-tracking/1/2/artifacts"
	s := withRun(t, run)
	s.PutVersion(double.Version{Name: "prod.risk.mortgage", Version: "7", Aliases: []string{"champion"}, Fields: map[string]any{"run_id": run1, "source": "dbfs:/x"}})
	s.PutVersion(double.Version{Name: "mortgage", Version: "3"})
	m := mlflowOf(s, run1)
	m.URI, m.Client.Transport = "https://adb-1.2.azuredatabricks.net", mlflowAt(t, "adb-1.2.azuredatabricks.net", s)
	for _, version := range []string{"7", "@champion"} {
		m.ModelName, m.ModelVersion = "prod.risk.mortgage", version
		evidence, err := m.Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if run := evidence.(provenance.Several)[0].(provenance.MLflowRun); !run.Artifacts[0].Digest.IsZero() || run.URI != m.URI {
			t.Errorf("run %+v", run)
		}
		got := evidence.(provenance.Several)[1].(provenance.RegisteredModel)
		want := provenance.RegisteredModel{Grounds: provenance.Grounds{Basis: provenance.Reported}, Answered: got.Answered, Registry: "unity-catalog", URI: m.URI,
			Name: "prod.risk.mortgage", Version: "7", AskedAs: strings.TrimPrefix(strings.TrimPrefix(version, "7"), "@"), Aliases: []string{"champion"}, Status: "READY",
			RunID: run1, RunIs: provenance.RunIsMLflow, Source: "dbfs:/x", Creator: provenance.Person{Email: "ada@contoso.com"},
			Created: time.UnixMilli(1795311700000).UTC(), Updated: time.UnixMilli(1795311800000).UTC()}
		got.Answer.Open, want.Answer.Open = nil, nil // functions cannot be compared
		if !reflect.DeepEqual(got, want) {
			t.Errorf("version %s\ngot  %+v\nwant %+v", version, got, want)
		}
	}
	m.ModelName, m.ModelVersion, m.RunID = "mortgage", "3", ""
	if evidence, err := m.Collect(t.Context()); err != nil || evidence.(provenance.RegisteredModel).Registry != "mlflow" {
		t.Error(err)
	}
	for _, version := range []string{"8", "@nobody"} {
		m.ModelName, m.ModelVersion = "prod.risk.mortgage", version
		if _, err := m.Collect(t.Context()); sourcetest.KindOf(err) != "model.missing" {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// TestMLflowNobodyLogsIn where the server asks nobody to.
func TestMLflowNobodyLogsIn(t *testing.T) {
	s := withRun(t, double.Run{})
	m := mlflowOf(s, run1)
	m.Token = nil
	if _, err := m.Collect(t.Context()); err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), "status 403") {
		t.Error(err)
	}
	s.Fail(faults.Answer(401, `{"message":"You are not authenticated."}`))
	_, err := m.Collect(t.Context())
	if hints := provenance.Hints(err); len(hints) != 1 || !strings.Contains(hints[0], "MLFLOW_TRACKING_TOKEN") {
		t.Errorf("%v, hints %q", err, hints)
	}
	s.Open = true
	collectMLflow(t, m)
}

// TestMLflowAddresses: an address says which part of it is too much, and repeats no secret.
func TestMLflowAddresses(t *testing.T) {
	for uri, want := range map[string]string{"https://ada:hunter22@h.example": "a user", "https://h.example/ml?token=hunter22": "a query", "https://h.example/#hunter22": "a fragment"} {
		_, err := Source{URI: uri, RunID: run1}.Collect(t.Context())
		if sourcetest.KindOf(err) != "misused" || !strings.Contains(err.Error(), "has "+want) || strings.Contains(fmt.Sprint(err, provenance.Hints(err)), "hunter22") {
			t.Errorf("%s: %v %q", uri, err, provenance.Hints(err))
		}
	}
	for uri, want := range map[string]string{"models:/mortgage/7?token=hunter22": "a query", "runs:/4be1/model#hunter22": "a fragment", "models://ada:hunter22@h/m/7": "is not the address"} {
		_, err := Source{URI: "https://h.example"}.OpenModel(t.Context(), uri)
		if sourcetest.KindOf(err) != "misused" || !strings.Contains(err.Error(), want) || strings.Contains(fmt.Sprint(err, provenance.Hints(err)), "hunter22") {
			t.Errorf("%s: %v %q", uri, err, provenance.Hints(err))
		}
	}
}

func TestMLflowPassword(t *testing.T) {
	run := fullRun()
	run.Tags["note"], run.Models, run.Files = "use "+double.Password, nil, map[string]string{"a.txt": double.Password}
	s := withRun(t, run)
	m := mlflowOf(s, run1)
	var lines debugLines
	m.Token, m.User, m.Password = nil, textOf(double.User), textOf(double.Password)
	m.Client.Debug = lines.add
	got := collectMLflow(t, m)
	s.Fail(faults.Answer(403, `{"error_code":"X","message":"the password `+double.Password+` is wrong"}`))
	_, err := m.Collect(t.Context())
	noun, _ := json.Marshal(got)
	for where, text := range map[string]string{"error": fmt.Sprint(err), "debug": lines.String(), "noun": string(noun),
		"answer": string(sourcetest.Stored(t, got.Answer)), "file": string(sourcetest.Stored(t, got.Artifacts[0].Stored))} {
		if strings.Contains(text, double.Password) || text == "" || text == "<nil>" {
			t.Errorf("%s: %s", where, text)
		}
	}
	if !got.Artifacts[0].Redacted {
		t.Error("the file does not say that it was redacted")
	}
}

func TestMLflowMisuse(t *testing.T) {
	s := withRun(t, double.Run{})
	for name, change := range map[string]func(*Source){
		"nothing":               func(m *Source) { m.RunID = "" },
		"no server":             func(m *Source) { m.URI = "" },
		"a folder":              func(m *Source) { m.URI = "./mlruns" },
		"a database":            func(m *Source) { m.URI = "sqlite:///mlflow.db" },
		"databricks":            func(m *Source) { m.URI = "databricks" },
		"plain http":            func(m *Source) { m.URI = "http://mlflow.contoso.com" },
		"user in the URI":       func(m *Source) { m.URI = "https://ada:hunter22@mlflow.contoso.com" },
		"query in the URI":      func(m *Source) { m.URI = "https://mlflow.contoso.com?token=hunter22" },
		"no host of Azure ML":   func(m *Source) { m.URI = "azureml://evil.example.com" + inWorkspace },
		"a host that ends so":   func(m *Source) { m.URI = "azureml://api.azureml.ms.example.com" + inWorkspace },
		"the bare suffix":       func(m *Source) { m.URI = "azureml://.api.azureml.ms" + inWorkspace },
		"no workspace":          func(m *Source) { m.URI = "azureml://westeurope.api.azureml.ms/mlflow/v1.0" },
		"plain http, Azure ML":  func(m *Source) { m.URI = "http://westeurope.api.azureml.ms" + inWorkspace },
		"a path, Databricks":    func(m *Source) { m.Databricks, m.URI = true, m.URI+"/ml/experiments/1" },
		"a run's page":          func(m *Source) { m.RunID = "https://x/#/experiments/1/runs/2" },
		"a path as run":         func(m *Source) { m.RunID = "../x" },
		"a version alone":       func(m *Source) { m.ModelVersion = "1" },
		"a model alone":         func(m *Source) { m.ModelName = "mortgage" },
		"latest":                func(m *Source) { m.ModelName, m.ModelVersion = "mortgage", "latest" },
		"version 0":             func(m *Source) { m.ModelName, m.ModelVersion = "mortgage", "0" },
		"an empty alias":        func(m *Source) { m.ModelName, m.ModelVersion = "mortgage", "@" },
		"a path as model":       func(m *Source) { m.ModelName, m.ModelVersion = "../mortgage", "1" },
		"an empty token":        func(m *Source) { m.Token = textOf(" \n") },
		"an empty password":     func(m *Source) { m.Token, m.User, m.Password = nil, textOf("ada"), textOf("") },
		"a user alone":          func(m *Source) { m.Token, m.User = nil, textOf("ada") },
		"nobody, in Databricks": func(m *Source) { m.Token, m.Databricks = nil, true },
	} {
		m := mlflowOf(s, run1)
		change(&m)
		_, err := m.Collect(t.Context())
		if sourcetest.KindOf(err) != "misused" || len(provenance.Hints(err)) == 0 || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v %q", name, err, provenance.Hints(err))
		}
	}
	if n := len(s.Requests()); n != 0 {
		t.Errorf("%d requests were made: %q", n, s.Requests())
	}
}

// TestMLflowRefuses every run but one that FINISHED.
func TestMLflowRefuses(t *testing.T) {
	for _, c := range []struct {
		run  double.Run
		code string
	}{
		{double.Run{Status: "RUNNING"}, "mlflow.running"}, {double.Run{Status: "SCHEDULED"}, "mlflow.running"},
		{double.Run{Status: "FAILED"}, "mlflow.result"}, {double.Run{Status: "KILLED"}, "mlflow.result"},
		{double.Run{Stage: "deleted"}, "mlflow.deleted"}, {double.Run{Stage: "deleted", Status: "RUNNING"}, "mlflow.deleted"},
		{double.Run{Status: "DONE"}, ""}, {double.Run{Info: map[string]any{"status": nil}}, ""},
	} {
		s := withRun(t, c.run)
		evidence, err := mlflowOf(s, run1).Collect(t.Context())
		if err == nil || evidence != nil || sourcetest.KindOf(err) != c.code || len(s.Requests()) != 1 {
			t.Errorf("%+v: %v after %d requests", c.run, err, len(s.Requests()))
		}
	}
	for stage, want := range map[string]string{"deleted": "MLflow run " + run1 + " was deleted", "frozen": "MLflow run " + run1 + " is not active: it is frozen"} {
		if _, err := mlflowOf(withRun(t, double.Run{Stage: stage}), run1).Collect(t.Context()); err == nil || err.Error() != want {
			t.Errorf("%s: %v", stage, err)
		}
	}
	s := withRun(t, double.Run{})
	for status, body := range map[int]string{404: `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Run '4' not found."}`, 400: `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"x"}`} {
		s.Fail(faults.Answer(status, body))
		if _, err := mlflowOf(s, run1).Collect(t.Context()); sourcetest.KindOf(err) != "mlflow.missing" || len(provenance.Hints(err)) == 0 {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestMLflowMoves: a run that goes on is asked again, and then recorded.
func TestMLflowMoves(t *testing.T) {
	s := withRun(t, double.Run{Status: "RUNNING"})
	if _, err := mlflowOf(s, run1).Collect(t.Context()); sourcetest.KindOf(err) != "mlflow.running" {
		t.Fatal(err)
	}
	s.PutRun(double.Run{ID: run1})
	collectMLflow(t, mlflowOf(s, run1))
}

// mlflowFaults are what every question can meet. says is part of the error; empty: what passes is waited for.
var mlflowFaults = map[string]struct {
	faults []double.Fault
	says   string
}{
	"busy":              {[]double.Fault{faults.Busy("0"), faults.Busy("")}, ""},
	"a burst of 503":    {[]double.Fault{faults.Unavailable, faults.Unavailable, faults.Unavailable}, ""},
	"an error inside":   {[]double.Fault{faults.Answer(500, `{"error_code":"INTERNAL_ERROR","message":"x"}`)}, ""},
	"reset":             {[]double.Fault{faults.Reset}, ""},
	"cut":               {[]double.Fault{faults.Cut}, ""},
	"busy for an hour":  {[]double.Fault{faults.Busy("3600")}, "status 429 REQUEST_LIMIT_EXCEEDED"},
	"100 MB":            {[]double.Fault{faults.Huge(100 << 20)}, "longer than 1048576 bytes"},
	"deep":              {[]double.Fault{faults.Answer(200, strings.Repeat(`{"a":`, 100)+"1"+strings.Repeat("}", 100))}, "deeper than 64"},
	"duplicate keys":    {[]double.Fault{faults.Answer(200, `{"run":{"info":{"run_id":"7","Run_Id":"8"}}}`)}, "stands twice"},
	"truncated":         {[]double.Fault{faults.Answer(200, `{"run":{"inf`)}, "not JSON"},
	"no object":         {[]double.Fault{faults.Answer(200, `[7]`)}, "makes no sense"},
	"empty":             {[]double.Fault{faults.Answer(200, ``)}, "not JSON"},
	"login page":        {[]double.Fault{faults.LoginPage}, "a web page came where JSON was expected"},
	"expired":           {[]double.Fault{faults.Expired}, "status 401 UNAUTHENTICATED: Token is expired."},
	"forbidden":         {[]double.Fault{faults.Answer(403, `{"error_code":"PERMISSION_DENIED","message":"ada@contoso.com does not have View permission"}`)}, "does not have View"},
	"no such API":       {[]double.Fault{faults.Answer(404, `{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found"}`)}, "status 404"},
	"no such API, HTML": {[]double.Fault{faults.Answer(404, `<html>`)}, "status 404"},
	"another bad value": {[]double.Fault{faults.Answer(400, `{"error_code":"INVALID_PARAMETER_VALUE","message":"it is malformed"}`)}, "status 400"},
}

// TestMLflowFaults: every question meets every fault.
func TestMLflowFaults(t *testing.T) {
	for _, at := range []string{"runs/get", "experiments/get", "metrics/get-history", "artifacts/list?run", "artifacts/list?path", "logged-models/", "model-versions/get"} {
		for name, c := range mlflowFaults {
			t.Run(at+" "+name, func(t *testing.T) {
				t.Parallel()
				run := fullRun()
				run.Metrics, run.Files = map[string][]double.Value{"auc": {{Value: 1}}}, map[string]string{"a/b": "x"}
				s := withRun(t, run)
				s.PutModel(double.Model{ID: "m-1"})
				s.PutVersion(double.Version{Name: "mortgage", Version: "7"})
				s.FailAt(at, c.faults...)
				m := mlflowOf(s, run1)
				m.ModelName, m.ModelVersion = "mortgage", "7"
				evidence, err := m.Collect(t.Context())
				if c.says == "" {
					if err != nil || len(s.Requests()) != len(c.faults)+7 {
						t.Errorf("%v after %d requests", err, len(s.Requests()))
					}
					return
				}
				if err == nil || evidence != nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 600 {
					t.Errorf("error %v, want %q", err, c.says)
				}
			})
		}
	}
}

func TestMLflowStall(t *testing.T) {
	s := withRun(t, double.Run{})
	s.Fail(faults.Stall)
	m := mlflowOf(s, run1)
	m.Client.AttemptTimeout = 200 * time.Millisecond
	collectMLflow(t, m)
}

// TestMLflowKeepsCredentialsAtHome: no redirect and no address in an answer brings them elsewhere.
func TestMLflowKeepsCredentialsAtHome(t *testing.T) {
	var visits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer elsewhere.Close()
	for _, at := range []string{"runs/get", "artifacts/list", "mlflow-artifacts"} {
		s := withRun(t, double.Run{Files: map[string]string{"roc.png": "x"}})
		s.FailAt(at, faults.Redirect(elsewhere.URL))
		if _, err := mlflowOf(s, run1).Collect(t.Context()); err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), "not the host that was configured") {
			t.Errorf("%s: %v", at, err)
		}
	}
	host := strings.TrimPrefix(elsewhere.URL, "http://")
	for _, uri := range []string{elsewhere.URL + "/api/2.0/mlflow-artifacts/artifacts/1/2/artifacts", "mlflow-artifacts://" + host + "/1/2/artifacts",
		elsewhere.URL + "@" + host, "://"} {
		s := withRun(t, double.Run{URI: uri, Files: map[string]string{"roc.png": "x"}})
		if got := collectMLflow(t, mlflowOf(s, run1)); !got.Artifacts[0].Digest.IsZero() {
			t.Errorf("%s: %+v", uri, got.Artifacts)
		}
	}
	if visits.Load() != 0 {
		t.Error("the other host was asked")
	}
}

// TestMLflowSizes: a size that the listing does not tell is none, and an empty file's is 0.
func TestMLflowSizes(t *testing.T) {
	s := withRun(t, double.Run{})
	s.Alter = func(asked string, answer map[string]any) {
		if asked == "artifacts/list" {
			answer["files"] = []any{map[string]any{"path": "a.bin"}, map[string]any{"path": "b.bin", "file_size": nil}, map[string]any{"path": "c.bin", "file_size": 0}}
		}
	}
	got, err := json.Marshal(collectMLflow(t, mlflowOf(s, run1)).Artifacts)
	if want := `[{"path":"a.bin"},{"path":"b.bin"},{"path":"c.bin","size":"0"}]`; err != nil || string(got) != want {
		t.Errorf("%s, want %s (%v)", got, want, err)
	}
}

// TestMLflowContradictions are no facts.
func TestMLflowContradictions(t *testing.T) {
	at := func(endpoint string, change func(map[string]any)) func(string, map[string]any) {
		return func(asked string, answer map[string]any) {
			if asked == endpoint {
				change(answer)
			}
		}
	}
	info := func(key string, value any) func(string, map[string]any) {
		return at("runs/get", func(a map[string]any) { a["run"].(map[string]any)["info"].(map[string]any)[key] = value })
	}
	data := func(key string, value ...any) func(string, map[string]any) {
		return at("runs/get", func(a map[string]any) { a["run"].(map[string]any)["data"].(map[string]any)[key] = value })
	}
	files := func(value ...any) func(string, map[string]any) {
		return at("artifacts/list", func(a map[string]any) { a["files"] = value })
	}
	history := func(key string, value any) func(string, map[string]any) {
		return at("metrics/get-history", func(a map[string]any) { a[key] = value })
	}
	metric := func(value any) map[string]any { return map[string]any{"key": "auc", "value": value} }
	file := func(path string, size any) map[string]any { return map[string]any{"path": path, "file_size": size} }
	for name, c := range map[string]struct {
		alter func(string, map[string]any)
		says  string
	}{
		"another run":             {info("run_id", "8"), `about run "8"`},
		"two runs":                {info("run_uuid", "8"), "about run"},
		"no run":                  {at("runs/get", func(a map[string]any) { clear(a) }), `about run ""`},
		"an impossible time":      {info("start_time", "1e99"), "no time in milliseconds"},
		"an end before the begin": {info("end_time", 1), "ended before it began"},
		"text as time":            {info("end_time", "soon"), "no time in milliseconds"},
		"a flag as time":          {info("end_time", true), "makes no sense"},
		"the same metric twice":   {data("metrics", metric(1), metric(1)), "stands twice"},
		"a metric that is text":   {data("metrics", metric("much")), "is no number"},
		"a metric that is hex":    {data("metrics", metric("0x1p-2")), "is no number"},
		"a metric too large":      {data("metrics", metric("1e999")), "too large"},
		"an impossible step":      {data("metrics", map[string]any{"key": "auc", "value": 1, "step": 1.5}), "no integer"},
		"a metric without value":  {data("metrics", map[string]any{"key": "auc"}), "is no number"},
		"the same tag twice":      {data("tags", map[string]any{"key": "a"}, map[string]any{"key": "a"}), "stands twice"},
		"the same parameter":      {data("params", map[string]any{"key": "a"}, map[string]any{"key": "a"}), "stands twice"},
		"another experiment":      {at("experiments/get", func(a map[string]any) { a["experiment"] = map[string]any{"experiment_id": "9007199254740992"} }), "about"},
		"no history":              {history("metrics", []any{}), "lacks its last value"},
		"another history":         {history("metrics", []any{metric(2)}), "lacks its last value"},
		"another metric's":        {history("metrics", []any{map[string]any{"key": "f1", "value": 1}}), "about metric"},
		"history in a circle":     {history("next_page_token", "again"), "Invalid page token"},
		"the same file twice":     {files(file("a", 1), file("a", 1)), "stands twice"},
		"a file above":            {files(file("../a", 1)), "is no name"},
		"a file at the root":      {files(file("/etc/passwd", 1)), "is no name"},
		"a file further down":     {files(file("a/b", 1)), "is no name"},
		"a name with a line":      {files(file("a\nb", 1)), "is no name"},
		"no name":                 {files(file("", 1)), "is no name"},
		"a negative size":         {files(file("a", -1)), "no size"},
		"a size that is text":     {files(file("a", "big")), "no integer"},
		"folders for ever": {func(asked string, a map[string]any) {
			if asked == "artifacts/list" {
				deepest := "d"
				if files, is := a["files"].([]any); is {
					deepest = files[0].(map[string]any)["path"].(string)
				}
				a["files"] = []any{map[string]any{"path": deepest, "is_dir": true}}
			}
		}, "is no entry of"},
	} {
		s := withRun(t, double.Run{Metrics: map[string][]double.Value{"auc": {{Value: 1}}}})
		s.Alter = c.alter
		if evidence, err := mlflowOf(s, run1).Collect(t.Context()); err == nil || evidence != nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// TestMLflowPagesWithoutEnd are given up.
func TestMLflowPagesWithoutEnd(t *testing.T) {
	deep := strings.Repeat("d/", maxArtifactDepth+2) + "x"
	for name, c := range map[string]struct {
		run   double.Run
		alter func(string, map[string]any)
		says  string
	}{
		"deep": {double.Run{Files: map[string]string{deep: ""}}, nil, "deeper than 32"},
		"the same page": {double.Run{Files: map[string]string{"a": "", "b": ""}}, func(asked string, a map[string]any) {
			if asked == "artifacts/list" {
				a["next_page_token"] = double.PageToken(1)
			}
		}, "in a circle"},
		"another root": {double.Run{Files: map[string]string{"a": "", "b": ""}}, func(asked string, a map[string]any) {
			if asked == "artifacts/list" && a["next_page_token"] == nil {
				a["root_uri"] = "dbfs:/elsewhere"
			}
		}, "contradict"},
	} {
		s := withRun(t, c.run)
		s.Page, s.Alter = 1, c.alter
		if _, err := mlflowOf(s, run1).Collect(t.Context()); err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	many := map[string]string{}
	for i := range maxArtifacts + 1 {
		many[fmt.Sprint(i)] = ""
	}
	m := mlflowOf(withRun(t, double.Run{Files: many}), run1)
	if _, err := m.Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 10000 entries") {
		t.Error(err)
	}
}

// TestMLflowHoldsNoSecret: not in the noun, the stored answers and files, the debug lines or an error.
func TestMLflowHoldsNoSecret(t *testing.T) {
	planted := []string{"planted-a", "planted-b", "planted-c", "planted-d", "planted-e", "planted-f", "planted-g", "planted-h", double.Token, "QWxhZGRpbjpvcGVuIHNlc2FtZQ"}
	sas := "https://acct.blob.core.windows.net/c/x.csv?sv=1&sig=QWxhZGRpbjpvcGVuIHNlc2FtZQ%3D%3D"
	run := fullRun()
	run.Info = map[string]any{"run_name": "with " + double.Token, "user_id": "ada " + double.Token}
	run.Tags["api_token"], run.Tags["note"], run.Tags["mlflow.log-model.history"] = "planted-d", sas, `[{"flavors":{"password":"planted-e","a":"`+double.Token+`"}}]`
	run.Params["where"] = "jdbc:sqlserver://h;password=planted-f;x=1"
	run.Metrics["m "+double.Token] = []double.Value{{Value: 1}}
	run.Files = map[string]string{"a.json": `{"db_password":"planted-g","x":[1.50,2]}`, "b.txt": "see " + sas + " or <a href='https://ada:planted-h@host/x'>", "c.csv": "x\n" + double.Token,
		"d.html": "Bearer " + double.Token, "e.png": "\x89PNG" + double.Token, "f " + double.Token + ".txt": "x", "g.svg": sas, "h.json": `{"x": [1.50, NaN], "t": "` + double.Token + `"}`}
	s := withRun(t, run)
	s.PutModel(double.Model{ID: "m-1", Metrics: []any{map[string]any{"key": "token", "value": "planted-a"}}})
	s.PutVersion(double.Version{Name: "mortgage", Version: "7", Fields: map[string]any{"source": sas, "description": double.Token,
		"tags": []any{map[string]any{"key": "secret", "value": "planted-a"}}, "run_link": "https://x/?token=planted-b"}})
	var lines debugLines
	m := mlflowOf(s, run1)
	m.ModelName, m.ModelVersion = "mortgage", "7"
	m.Client.Debug = lines.add
	evidence, err := m.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, model := evidence.(provenance.Several)[0].(provenance.MLflowRun), evidence.(provenance.Several)[1].(provenance.RegisteredModel)
	noun, _ := json.Marshal(evidence)
	s.Fail(faults.Answer(403, `{"error_code":"X","message":"Bearer `+double.Token+` `+sas+`"}`))
	_, denied := m.Collect(t.Context())
	texts := map[string]string{"noun": string(noun), "answer": string(sourcetest.Stored(t, got.Answer)), "model": string(sourcetest.Stored(t, model.Answer)), "debug": lines.String(), "error": fmt.Sprint(denied)}
	kept := 0
	for _, a := range got.Artifacts {
		if a.Stored.Open != nil {
			kept++
			texts[a.Path] = string(sourcetest.Stored(t, a.Stored)) + a.Stored.Name
			if a.Redacted == strings.HasPrefix(a.Path, "f ") {
				t.Errorf("%s is redacted: %v", a.Path, a.Redacted)
			}
		}
	}
	for where, text := range texts {
		for _, secret := range planted {
			if strings.Contains(text, secret) && !(where == "debug" && secret == double.Token && strings.Contains(text, "%20")) {
				t.Errorf("%s is in the %s: %s", secret, where, text)
			}
		}
	}
	if kept != 7 || texts["a.json"] != `{"db_password":"[removed]","x":[1.50,2]}mlflow-artifacts/a.json` {
		t.Errorf("%d are kept; a.json is %s", kept, texts["a.json"])
	}
	if m := got.Metrics[3]; m.Name != "m [removed]" || !m.Partial || m.Values != 0 {
		t.Errorf("metric %+v", m)
	}
	if len(got.Removed) == 0 || len(model.Removed) == 0 {
		t.Errorf("removed %q, %q", got.Removed, model.Removed)
	}
}

// TestMLflowAnonymous leaves out who people are, wherever the server writes it.
func TestMLflowAnonymous(t *testing.T) {
	run := fullRun()
	run.Tags["mlflow.user"] = "ada@contoso.com"
	run.Inputs = []any{map[string]any{"dataset": map[string]any{"name": "n", "source_type": "code", "source": `{"tags":{"mlflow.user":"ada@contoso.com","mlflow.source.type":"LOCAL"}}`}}}
	s := withRun(t, run)
	s.PutModel(double.Model{ID: "m-1"})
	s.PutVersion(double.Version{Name: "mortgage", Version: "7"})
	m := mlflowOf(s, run1)
	m.Anonymous, m.ModelName, m.ModelVersion = true, "mortgage", "7"
	evidence, err := m.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, model := evidence.(provenance.Several)[0].(provenance.MLflowRun), evidence.(provenance.Several)[1].(provenance.RegisteredModel)
	noun, _ := json.Marshal(evidence)
	for where, text := range map[string]string{"noun": string(noun), "answer": string(sourcetest.Stored(t, got.Answer)), "model": string(sourcetest.Stored(t, model.Answer))} {
		if strings.Contains(text, "ada@") {
			t.Errorf("the %s names her: %s", where, text)
		}
	}
	if got.User != (provenance.Person{}) || model.Creator != (provenance.Person{}) || !strings.Contains(string(sourcetest.Stored(t, got.Answer)), `mlflow.source.type\":\"LOCAL`) {
		t.Errorf("user %+v, creator %+v", got.User, model.Creator)
	}
}

// TestMLflowPlots: small ones of known kinds, not parts of models, and not too much.
func TestMLflowPlots(t *testing.T) {
	mega := strings.Repeat("x", maxPlot)
	files := map[string]string{"model/MLmodel": "x", "model/data/a.json": "x", "model/b.png": "x", "ROC.PNG": "x", "empty.csv": "", "c.log": "x", "large.csv": mega + "x"}
	for i := range 17 {
		files[fmt.Sprintf("m%02d.jpg", i)] = mega
	}
	m := mlflowOf(withRun(t, double.Run{Files: files}), run1)
	got := collectMLflow(t, m)
	var kept []string
	for _, a := range got.Artifacts {
		if !a.Digest.IsZero() {
			kept = append(kept, a.Path)
		}
	}
	want := []string{"ROC.PNG", "empty.csv"}
	for i := range 15 {
		want = append(want, fmt.Sprintf("m%02d.jpg", i))
	}
	if len(got.Artifacts) != len(files) || !slices.Equal(kept, want) {
		t.Errorf("kept %q of %d", kept, len(got.Artifacts))
	}
}

// TestMLflowServesArtifacts in several places.
func TestMLflowServesArtifacts(t *testing.T) {
	for name, c := range map[string]struct {
		uri   func(*double.Server) string
		asked string
	}{
		"proxied":       {func(*double.Server) string { return "" }, "/p/api/2.0/mlflow-artifacts/artifacts/7/" + run1 + "/artifacts/a%20b/roc%25.csv"},
		"its own host":  {func(s *double.Server) string { return s.URL + "/p/api/2.0/mlflow-artifacts/artifacts/7/r/artifacts" }, "/p/api/2.0/mlflow-artifacts/artifacts/7/r/artifacts/a%20b/roc%25.csv"},
		"local storage": {func(*double.Server) string { return "/srv/mlflow/7/r/artifacts" }, "/p/get-artifact?path=a+b%2Froc%25.csv&run_uuid=" + run1},
		"blob storage":  {func(*double.Server) string { return "wasbs://c@acct.blob.core.windows.net/7/r/artifacts" }, "/p/get-artifact?path=a+b%2Froc%25.csv&run_uuid=" + run1},
	} {
		s := double.New(t)
		s.Prefix = "/p"
		s.PutRun(double.Run{ID: run1, URI: c.uri(s), Files: map[string]string{"a b/roc%.csv": "x"}})
		if name == "its own host" {
			s.FailAt("/7/r/artifacts/", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprint(out, "x") })
		}
		got := collectMLflow(t, mlflowOf(s, run1))
		if got.Artifacts[0].Digest != provenance.SumSHA256([]byte("x")) || !slices.Contains(s.Requests(), c.asked) {
			t.Errorf("%s: asked %q", name, s.Requests())
		}
	}
}

// TestMLflowPlotFaults: bytes that do not come as they were listed are not recorded.
func TestMLflowPlotFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault      double.Fault
		code, says string
	}{
		"unavailable": {faults.Unavailable, "", ""},
		"reset":       {faults.Reset, "", ""},
		"longer":      {faults.Answer(200, "12345"), "mlflow.changed", "more than 4 bytes came, 4 were listed"},
		"shorter":     {faults.Answer(200, "123"), "mlflow.changed", "3 bytes came, 4 were listed"},
		"login page":  {faults.LoginPage, "mlflow.changed", "were listed"},
		"100 MB":      {faults.Huge(100 << 20), "mlflow.changed", "more than 4 bytes"},
		"gone":        {faults.Answer(404, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"x"}`), "", "status 404"},
		"forbidden":   {faults.Answer(403, `{"error_code":"PERMISSION_DENIED","message":"x"}`), "", "status 403"},
	} {
		s := withRun(t, double.Run{Files: map[string]string{"roc.png": "1234"}})
		s.FailAt("mlflow-artifacts", c.fault)
		evidence, err := mlflowOf(s, run1).Collect(t.Context())
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || evidence != nil || sourcetest.KindOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q with %q", name, err, c.code, c.says)
		}
	}
}

// TestMLflowAliases: what an alias is resolved to has to be called by it, where the answer tells; and to be of that model.
func TestMLflowAliases(t *testing.T) {
	other := []any{map[string]any{"alias_name": "challenger"}}
	const plain, catalog = "mortgage", "ml.prod.mortgage"
	for name, c := range map[string]struct {
		model  string
		fields map[string]any
		says   string
	}{
		"plain":                  {plain, nil, ""},
		"without aliases":        {plain, map[string]any{"aliases": nil}, ""},
		"called otherwise":       {plain, map[string]any{"aliases": []any{"challenger"}}, "is not called champion"},
		"another model":          {plain, map[string]any{"name": "other"}, `of model "other"`},
		"in the catalog":         {catalog, nil, ""},
		"asked in another case":  {"ML.prod.Mortgage", map[string]any{"catalog_name": "ml", "model_name": "mortgage"}, ""},
		"another of the catalog": {catalog, map[string]any{"model_name": "other"}, `of model "ml.prod.other"`},
		"of another schema":      {catalog, map[string]any{"schema_name": "dev"}, `of model "ml.dev.mortgage"`},
		"called otherwise there": {catalog, map[string]any{"aliases": other}, "is not called champion"},
		"nameless there":         {catalog, map[string]any{"model_name": nil}, `of model ""`},
	} {
		s := double.New(t)
		s.PutVersion(double.Version{Name: c.model, Version: "7", Aliases: []string{"champion"}, Fields: c.fields})
		m := mlflowOf(s, "")
		m.ModelName, m.ModelVersion, m.Databricks = c.model, "@champion", c.model != plain
		evidence, err := m.Collect(t.Context())
		if (err == nil) != (c.says == "") || err != nil && (evidence != nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// TestMLflowRegistered: only a version that is READY, and is the one that was asked for.
func TestMLflowRegistered(t *testing.T) {
	pair := map[string]any{"key": "run_id", "value": "81462"}
	for name, c := range map[string]struct {
		fields     map[string]any
		code, says string
	}{
		"ready":           {map[string]any{"tags": []any{pair}}, "", ""},
		"no status":       {map[string]any{"status": nil, "tags": []any{pair}}, "", ""},
		"pending":         {map[string]any{"status": "PENDING_REGISTRATION"}, "model.pending", "is not ready"},
		"failed":          {map[string]any{"status": "FAILED_REGISTRATION", "status_message": "no files"}, "model.failed", "no files"},
		"another status":  {map[string]any{"status": "MAYBE"}, "", "MAYBE"},
		"another model":   {map[string]any{"name": "other"}, "", `of model "other"`},
		"another case":    {map[string]any{"name": "Mortgage"}, "", `of model "Mortgage"`},
		"no name":         {map[string]any{"name": nil}, "", `of model ""`},
		"another version": {map[string]any{"version": "8"}, "", "about version 8"},
		"no version":      {map[string]any{"version": nil}, "", "about version"},
		"tags twice":      {map[string]any{"tags": []any{pair, pair}}, "", "stands twice"},
		"a wrong time":    {map[string]any{"creation_timestamp": -1}, "", "no time"},
	} {
		s := double.New(t)
		s.PutVersion(double.Version{Name: "mortgage", Version: "7", Fields: c.fields})
		m := mlflowOf(s, "")
		m.ModelName, m.ModelVersion = "mortgage", "7"
		evidence, err := m.Collect(t.Context())
		if c.says != "" {
			if err == nil || evidence != nil || sourcetest.KindOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %q with %q", name, err, c.code, c.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := evidence.(provenance.RegisteredModel); got.RunID != "" || got.RunIs != "" || got.AskedAs != "" || !maps.Equal(got.Tags, map[string]string{"run_id": "81462"}) || got.Of("tags") != provenance.Declared {
			t.Errorf("%s: a tag is more than a tag: %+v", name, got)
		}
	}
}

// TestMLflowKeptFilesHoldNoSecret: also those that call themselves JSON and are none.
func TestMLflowKeptFilesHoldNoSecret(t *testing.T) {
	files := map[string]string{
		"nan.json":   `{"db_password": "Hunter2", "loss": NaN}`,
		"twice.json": `{"a":1,"a":2,"client_secret":"Hunter2"}`,
		"conf.txt":   "token: Hunter2\nDB_PASSWORD=Hunter2\nrows: 5\n",
		"conf.html":  "<pre>spark.password = 'Hunter2'</pre>",
		"conf.csv":   "name,value\nx,password=Hunter2\n",
		"plain.json": `{"loss": NaN}`,
	}
	e, err := mlflowOf(withRun(t, double.Run{Files: maps.Clone(files)}), run1).Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{}
	for _, a := range e.(provenance.MLflowRun).Artifacts {
		if a.Stored.Open != nil {
			kept[a.Path] = string(sourcetest.Stored(t, a.Stored))
		}
	}
	if len(kept) != 4 || kept["plain.json"] != files["plain.json"] || strings.Contains(fmt.Sprint(kept), "Hunter2") ||
		kept["conf.txt"] != "token: [removed]\nDB_PASSWORD=[removed]\nrows: 5\n" {
		t.Errorf("kept %q", kept)
	}
}

// TestTold: names that were taken out are told to whoever looks for them elsewhere; with names, nothing is.
func TestTold(t *testing.T) {
	run := fullRun()
	run.Tags["mlflow.user"] = "ada@contoso.com"
	run.Inputs = []any{map[string]any{"dataset": map[string]any{"name": "n", "source_type": "azure_blob", "source": `{"uri":"abfss://lake@contoso.dfs.core.windows.net/2026/"}`}}}
	run.Files = map[string]string{"notes.txt": "x", "who.json": `{"displayName":"Ada Lovelace"}`, "who.csv": "by,ada@contoso.com\n"}
	s := withRun(t, run)
	m := mlflowOf(s, run1)
	if got := collectMLflow(t, m); got.Told != nil {
		t.Errorf("told %q", got.Told)
	}
	m.Anonymous = true
	got := collectMLflow(t, m)
	if !slices.Contains(got.Told, "ada@contoso.com") || !slices.Contains(got.Told, "Ada Lovelace") {
		t.Errorf("told %q", got.Told)
	}
	if got.Inputs[0].Source != "abfss://lake@contoso.dfs.core.windows.net/2026/" {
		t.Errorf("the input lies at %s", got.Inputs[0].Source)
	}
	for _, a := range got.Artifacts {
		if a.Stored.Open != nil && strings.Contains(string(sourcetest.Stored(t, a.Stored)), "ada@") {
			t.Errorf("%s names her", a.Path)
		}
	}
}

// TestMLflowCleansOrLeavesOut: of a file that names a secret, nothing of the secret is kept; that of which nobody can tell where it
// stands is only listed, and what only counts stays.
func TestMLflowCleansOrLeavesOut(t *testing.T) {
	const cr = "\r\n"
	for name, c := range map[string]struct{ in, want string }{ // without want it is not kept
		"a.txt":  {"train --password Hunter2 --rows 5\n" + `"passwords": ["Hunter2"]`, "train --password [removed] --rows 5\n" + `"passwords": "[removed]"`},
		"b.txt":  {"p\x00a\x00s\x00s\x00w\x00o\x00r\x00d\x00=\x00H\x00u\x00n\x00t\x00e\x00r\x002\x00", ""},
		"c.txt":  {"caf\xe9 password=Hunter2", ""},
		"d.txt":  {"os.environ['DB_PASSWORD'] = 'Hunter2'", ""},
		"e.txt":  {"loss_per_token: 2.3\ntests pass: 14\nPWD=/azp/_work\n", "same"},
		"a.html": {"<password>Hunter2</password>", ""},
		"b.html": {"<td>password</td><td>Hunter2</td>", ""},
		"c.html": {"&quot;password&quot;: &quot;Hunter2&quot;", ""},
		"d.html": {`<script>d={"passwords":["Hunter2"],"password":{"value":"Hunter2"}}</script>`, `<script>d={"passwords":"[removed]","password":"[removed]"}</script>`},
		"e.html": {"<b>password:</b> Hunter2", ""},
		"f.html": {"<p>password:&nbsp;Hunter2</p>", ""},
		"g.html": {`<input name="token" value="Hunter2">`, ""},
		"h.html": {`<script>t={"columns":["user","password"],"data":[["bob","Hunter2"]]}</script>`, ""},
		"i.html": {`<td>token</td><td>0.91</td><p class="token">the password policy</p>`, "same"},
		"j.html": {"<p>password=Hunter2</p>", ""},
		"k.html": {"&lt;token&gt;Hunter2&lt;/token&gt;", ""},
		"a.svg":  {"<svg><!-- token_accuracy --><text>password: <tspan>Hunter2</tspan></text></svg>", ""},
		"b.svg":  {"<svg><!-- token_accuracy --><text>0.5</text></svg>", "same"},
		"a.csv":  {"user,password,age\nbob,Hunter2,5\neve,Password1,\n", "user,password,age\nbob,[removed],5\neve,[removed],\n"},
		"b.csv":  {"user;pass;n" + cr + "bob;Hunter2;5" + cr, "user;pass;n" + cr + "bob;[removed];5" + cr},
		"c.csv":  {"name,value\nrows,5\npassword,Hunter2\n", "name,value\nrows,5\npassword,[removed]\n"},
		"d.csv":  {"password,Hunter2\nrows,5\n", ""},
		"e.csv":  {"step,token_accuracy\n1,0.9\n2,NaN\n", "same"},
		"f.csv":  {"# by us\nuser,password\nbob,Hunter2\n", "# by us\nuser,password\nbob,[removed]\n"},
		"g.csv":  {"a,b,c\nx,password=Hunter2,y\n", "a,b,c\nx,password=[removed],y\n"},
		"a.json": {`{"columns":["user","password"],"data":[["bob","Hunter2"]]}`, `{"columns":["user","password"],"data":[["bob","[removed]"]]}`},
		"b.json": {`{"Name":"password","Value":"Hunter2"}`, `{"Name":"password","Value":"[removed]"}`},
		"c.json": {`{"param":"password","val":"Hunter2"}`, ""},
		"d.json": {`{"cells":[{"header":["password"],"values":["Hunter2"]}]}`, ""},
		"i.json": {`{"name":"password","values":["Hunter2"]}`, ""},
		"e.json": {`{"token_accuracy": 0.91, "eval_token_f1": [0.1, {"a": 2}], "pass": 12, "sig": 0.05, "eos_token": "</s>"}`, "same"},
		"f.json": {`{"password":1234,"secrets":[1],"token":["Hunter2",1],"pin":1234}`, `{"password":"[removed]","pin":"[removed]","secrets":"[removed]","token":"[removed]"}`},
		"g.json": {"{\x00\"\x00p\x00a\x00s\x00s\x00\"\x00:\x001\x00}\x00", ""},
		"h.json": {`{"columns":[{"name":"n"},{"name":"api_key"},["x","token"]],"data":[[1,2,0.5],"x"]}`, `{"columns":[{"name":"n"},{"name":"api_key"},["x","token"]],"data":[[1,"[removed]",0.5],"x"]}`},
	} {
		a := &mlflowAsking{Asking: &ask.Asking{Used: &foreign.Tokens{}}}
		to := provenance.Artifact{Path: name}
		a.addPlot(&to, []byte(c.in))
		got := ""
		if to.Stored.Open != nil {
			got = string(sourcetest.Stored(t, to.Stored))
		}
		if c.want == "same" && got == c.in && !to.Redacted {
			continue
		}
		if got != c.want || !to.Redacted || to.Digest.IsZero() != (c.want == "") {
			t.Errorf("%s: %q, redacted %v\nwant %q", name, got, to.Redacted, c.want)
		}
	}
}
