// Package mlflowdouble is a stand-in for an MLflow tracking server, a plain one, Databricks' or Azure ML's, made from the
// documented wire format and from what a real one answers. It keeps runs, models and files, answers in pages, checks the
// credential, and misbehaves on demand.
//
// Sources: https://mlflow.org/docs/latest/rest-api.html, https://docs.databricks.com/api/workspace/modelversions/get
package mlflowdouble

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The credentials that a server accepts.
const (
	Token    = "dapi89abcdef0123456789abcdef01234567"
	User     = "ada"
	Password = "planted-basic-password"
)

// Fault answers one request in place of the server; databricksdouble has those that every service knows.
type Fault = func(http.ResponseWriter, *http.Request)

// Server is a running double. It is stopped by its test. Its exported fields are set before the first request.
type Server struct {
	URL    string
	Prefix string // of all paths
	Open   bool   // nobody has to log in
	Text   bool   // 64-bit integers are written as text
	Page   int    // entries of histories and listings in one answer; 0: all
	// Latency is how long each answer takes.
	Latency time.Duration
	// Alter changes an answer before it is sent; endpoint is what follows /api/2.0/mlflow/.
	Alter func(endpoint string, answer map[string]any)

	mu       sync.Mutex
	runs     map[string]Run
	versions map[string]Version
	models   map[string]Model
	faults   []fault
	requests []string
}

// Run is a run of an experiment.
type Run struct {
	ID      string
	Status  string // empty: FINISHED
	Stage   string // empty: active
	URI     string // of its artifacts; empty: mlflow-artifacts:/7/ID/artifacts
	Metrics map[string][]Value
	Params  map[string]string
	Tags    map[string]string
	Inputs  []any    // dataset_inputs, as they are on the wire
	Models  []string // ids of the logged models that it made
	Files   map[string]string
	Info    map[string]any // further fields of info, or others in place of the usual ones
}

// Value is one value of a metric: a number, or text for what JSON has no number for.
type Value struct {
	Value any
	Step  int64
	At    int64 // milliseconds since 1970
}

// Version is a version of a registered model.
type Version struct {
	Name, Version string
	Aliases       []string
	Fields        map[string]any // further fields, or others in place of the usual ones
}

// Model is a logged model.
type Model struct {
	ID, Name, RunID string
	Status          string // empty: LOGGED_MODEL_READY
	URI             string // of its files; empty: mlflow-artifacts:/7/models/ID/artifacts
	Metrics         []any  // as they are on the wire
	Files           map[string]string
}

type fault struct {
	at     string // part of the path and query; empty: everywhere
	answer Fault
}

// ExperimentID is the experiment of every run. It does not fit into a float64.
const ExperimentID = "9007199254740993"

// New starts a server.
func New(t testing.TB) *Server {
	s := &Server{runs: map[string]Run{}, versions: map[string]Version{}, models: map[string]Model{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// PutRun adds a run, or changes it.
func (s *Server) PutRun(r Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URI == "" {
		r.URI = "mlflow-artifacts:/7/" + r.ID + "/artifacts"
	}
	s.runs[r.ID] = r
}

// PutVersion adds a version of a registered model, or changes it.
func (s *Server) PutVersion(v Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions[v.Name+"/"+v.Version] = v
}

// PutModel adds a logged model, or changes it.
func (s *Server) PutModel(m Model) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.URI == "" {
		m.URI = "mlflow-artifacts:/7/models/" + m.ID + "/artifacts"
	}
	s.models[m.ID] = m
}

// Fail lets the next requests meet these faults, one each.
func (s *Server) Fail(faults ...Fault) { s.FailAt("", faults...) }

// FailAt is Fail for requests whose path and query contain a text.
func (s *Server) FailAt(at string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.faults = append(s.faults, fault{at, f})
	}
}

// Requests are the paths and queries that were asked for.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// next notes a request, and takes the fault that is meant for it.
func (s *Server) next(uri string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, uri)
	for i, f := range s.faults {
		if strings.Contains(uri, f.at) {
			s.faults = slices.Delete(s.faults, i, i+1)
			return f.answer
		}
	}
	return nil
}

// allowed tells whether a request carries a credential that will do.
func (s *Server) allowed(req *http.Request) bool {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(User+":"+Password))
	given := req.Header.Get("Authorization")
	return s.Open || given == "Bearer "+Token || given == basic
}
