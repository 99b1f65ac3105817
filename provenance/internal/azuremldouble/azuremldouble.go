// Package azuremldouble is an Azure Machine Learning workspace for tests: the part that Azure Resource Manager tells of (v2), made of
// the SDK's own fake servers behind real HTTP, and the workspace's own API (v1), made by hand. Both have state, answer in pages,
// check the token and misbehave on demand. They are two servers, because they are two hosts.
//
// Sources: https://learn.microsoft.com/rest/api/azureml (2024-04-01), and for v1 modelManagement.json of 2019-09-30 in
// https://github.com/Azure/azure-rest-api-specs, with the fields that azureml-core 1.61 knows beyond it.
package azuremldouble

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
)

// Where the workspace is, and who works in it.
const (
	Token        = "eyJ0eXAiOiJKV1QifQ.eyJhdWQiOiJtYW5hZ2VtZW50In0.c2lnbmF0dXJlLW9mLXRlc3Rz"
	Subscription = "99999999-8888-7777-6666-555555555555"
	Group        = "ml-rg"
	Name         = "mortgage-ws"
	ID           = "/subscriptions/" + Subscription + "/resourceGroups/" + Group + "/providers/Microsoft.MachineLearningServices/workspaces/" + Name
	GUID         = "7c4f1fd2-0000-4000-8000-000000000042" // by which some answers name the workspace
	Region       = "westeurope"
	Ada          = "0b7e5e0e-0000-4000-8000-000000000006" // object id
	RequestID    = "5b1e77c0-0000-4000-8000-000000000002"
)

// Fault answers one request in place of the workspace; package databricksdouble has many.
type Fault = databricksdouble.Fault

// Object is a JSON object of the v1 API.
type Object = map[string]any

// Workspace is a running double. It is stopped by its test. Change it before the first request, or under Lock.
type Workspace struct {
	ARM, API string // addresses of the two servers

	sync.Mutex
	Location    string
	Versions    map[string]*armmachinelearning.ModelVersion // by NAME/VERSION
	Endpoints   []*armmachinelearning.OnlineEndpoint
	Deployments map[string][]*armmachinelearning.OnlineDeployment // by endpoint
	Datastores  map[string]armmachinelearning.DatastorePropertiesClassification
	Models      map[string]Object // of v1, by NAME:VERSION
	Assets      map[string]Object
	Images      []Object
	Services    []Object
	Gone        int // status of every answer of v1, if it is not 0
	PageSize    int // entries of a page; 0: all
	// Alter may change an answer before it is sent. What it is about is one of the words of Fail.
	Alter func(what string, answer Object)

	faults   map[string][]Fault
	requests []string
	waves    []int         // of requests that wait for each other, and how many are still to come
	met      chan struct{} // closed when the first wave is complete

	arm arm
}

// New starts a workspace in which the model mortgage 7 is registered and served. See fixture.go.
func New(t testing.TB) *Workspace {
	w := &Workspace{faults: map[string][]Fault{}}
	w.fill()
	w.arm = newARM(w)
	for _, s := range []struct {
		url   *string
		serve http.HandlerFunc
	}{{&w.ARM, w.serveARM}, {&w.API, w.serveV1}} {
		server := httptest.NewServer(s.serve)
		t.Cleanup(server.Close)
		*s.url = server.URL
	}
	return w
}

// Fail lets the next requests for something meet these faults, one each. What is one of workspace, version, endpoints, deployments,
// datastore (v2), model, asset, images and services (v1).
func (w *Workspace) Fail(what string, faults ...Fault) {
	w.Lock()
	defer w.Unlock()
	w.faults[what] = append(w.faults[what], faults...)
}

// Requests are the paths and queries that were asked for, sorted.
func (w *Workspace) Requests() []string {
	w.Lock()
	defer w.Unlock()
	return slices.Sorted(slices.Values(w.requests))
}

// Meet lets as many requests as each wave has wait for each other, one wave after the other. Who asks one by one what could be asked
// at once waits for ever.
func (w *Workspace) Meet(waves ...int) {
	w.Lock()
	defer w.Unlock()
	w.waves, w.met = waves, make(chan struct{})
}

// arrive counts a request of the present wave, and tells when that is complete.
func (w *Workspace) arrive() <-chan struct{} {
	if len(w.waves) == 0 {
		now := make(chan struct{})
		close(now)
		return now
	}
	met := w.met
	if w.waves[0]--; w.waves[0] == 0 {
		close(met)
		w.waves, w.met = w.waves[1:], make(chan struct{})
	}
	return met
}

// admit notes a request, and answers it when it meets a fault or has no token.
func (w *Workspace) admit(out http.ResponseWriter, req *http.Request, what string) bool {
	w.Lock()
	w.requests = append(w.requests, req.URL.RequestURI())
	var fault Fault
	if faults := w.faults[what]; len(faults) > 0 {
		fault, w.faults[what] = faults[0], faults[1:]
	}
	met := w.arrive()
	w.Unlock()
	select {
	case <-met:
	case <-req.Context().Done():
	}
	out.Header().Set("Content-Type", "application/json")
	out.Header().Set("x-ms-request-id", RequestID)
	switch {
	case fault != nil:
		fault(out, req)
	case req.Header.Get("Authorization") != "Bearer "+Token:
		Refuse(out, http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token is invalid.")
	case req.Method != http.MethodGet:
		Refuse(out, http.StatusMethodNotAllowed, "MethodNotAllowed", "The double is only read.")
	default:
		return true
	}
	return false
}

// what is the word for the last part of a path that has one.
func what(path string, words map[string]string) string {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for _, segment := range slices.Backward(segments) {
		if word := words[segment]; word != "" {
			return word
		}
	}
	return ""
}

func ptrs[T any](in map[string]T) map[string]*T {
	out := map[string]*T{}
	for k, v := range in {
		out[k] = to.Ptr(v)
	}
	return out
}
