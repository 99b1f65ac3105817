// Package devopsdouble is a stand-in for a collection of Azure DevOps, made from the documented wire format. It knows one build,
// the repository that it was made of, and one classic release; it checks the token, answers in pages, and misbehaves on demand.
//
// Source: https://learn.microsoft.com/rest/api/azure/devops/ (version 7.1)
package devopsdouble

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	faults "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
)

// Token is the job's token, and PAT a personal access token, that the collection accepts.
const (
	Token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJuYW1laWQiOiJqb2IifQ.c2lnbmF0dXJl"
	PAT   = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"
)

// Signature is in the query of the URLs that point to the contents of pipeline artifacts. The order of the query matters.
const Signature = "urlSigningMethod=HMACV2&urlExpires=2026-11-23T03%3A00%3A00Z&urlSignature=cGxhbnRlZC1zaWduYXR1cmU%2bx%2F&format=zip"

// Collection is a running double. It is stopped by its test. Its fields are what it knows: change them before asking, or under
// Change.
type Collection struct {
	URL   string // of the collection, with a path
	Files string // URL of the host that signed URLs lead to

	Build      map[string]any
	Definition map[string]any
	Changes    []map[string]any
	WorkItems  []map[string]any // with their fields
	Hidden     []int            // ids of work items that may not be seen
	Timeline   []map[string]any
	Approvals  []map[string]any
	Queues     []map[string]any
	Artifacts  []Artifact
	Identities map[string]string // id: object id in Entra, or empty for one without
	Repository map[string]any
	Commit     map[string]any
	PushData   map[string]any // the commit's push, as the list of commits tells it; nil: none
	Pulls      []map[string]any
	Release    map[string]any
	Earlier    []map[string]any // other releases of the definition, the newest first
	Logs       map[string]string
	Claims     map[string]any                     // of the OIDC token
	Issue      func(claims map[string]any) string // makes the OIDC token; nil: one that nobody can check
	PageSize   int
	Latency    time.Duration

	mu       sync.Mutex
	faults   []placed
	requests []string
	leaked   []string // requests of the file host that came with a credential
}

// Artifact is something that the build published.
type Artifact struct {
	Name  string
	Kind  string // PipelineArtifact, Container, FilePath
	Size  string // as the service says; empty: it does not
	Files map[string]string
	Zip   []byte // in place of one of Files
}

// placed is a fault for one request whose path and query contain a text.
type placed struct {
	part  string
	fault faults.Fault
}

// New starts a collection with an example: see example.go.
func New(t testing.TB) *Collection {
	c := &Collection{PageSize: 100}
	server, files := httptest.NewServer(c), httptest.NewServer(http.HandlerFunc(c.serveFile))
	t.Cleanup(server.Close)
	t.Cleanup(files.Close)
	c.URL, c.Files = server.URL+"/contoso", files.URL
	c.fill()
	return c
}

// Change changes what is known while requests may come.
func (c *Collection) Change(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// Fail lets the next requests whose path and query contain part meet these faults, one each.
func (c *Collection) Fail(part string, all ...faults.Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range all {
		c.faults = append(c.faults, placed{part, f})
	}
}

// Requests are the methods, paths and queries that were asked for, sorted.
func (c *Collection) Requests() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(slices.Values(c.requests))
}

// Leaked are the requests of the file host that came with a credential.
func (c *Collection) Leaked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.leaked)
}

// next is the fault that a request meets, if any.
func (c *Collection) next(req *http.Request) faults.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	uri := req.Method + " " + req.URL.RequestURI()
	c.requests = append(c.requests, uri)
	for i, p := range c.faults {
		if strings.Contains(uri, p.part) {
			c.faults = slices.Delete(c.faults, i, i+1)
			return p.fault
		}
	}
	return nil
}

// ServeHTTP answers one request.
func (c *Collection) ServeHTTP(out http.ResponseWriter, req *http.Request) {
	time.Sleep(c.Latency)
	out.Header().Set("X-Vss-E2eid", "11111111-2222-3333-4444-555555555555")
	fault := c.next(req)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(":"+PAT))
	credential := req.Header.Get("Authorization")
	switch {
	case fault != nil:
		fault(out, req)
	case credential != "Bearer "+Token && credential != basic:
		faults.Answer(http.StatusUnauthorized, `{"$id":"1","message":"TF400813: The user '' is not authorized to access this resource."}`)(out, req)
	case !strings.HasPrefix(req.URL.Query().Get("api-version"), "7.1"):
		refuse(out, http.StatusBadRequest, "No api-version was supplied for the request.")
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.route(out, req)
	}
}

// route finds the answer.
func (c *Collection) route(out http.ResponseWriter, req *http.Request) {
	path := strings.TrimPrefix(req.URL.Path, "/contoso")
	project, inProject := strings.CutPrefix(path, "/Mortgage ML/_apis/")
	switch {
	case req.Method == http.MethodPost && strings.HasSuffix(path, "/oidctoken"):
		c.oidc(out, req)
	case path == "/_apis/wit/workitems":
		c.workItems(out, req)
	case path == "/_apis/identities":
		c.identities(out, req)
	case !inProject:
		refuse(out, http.StatusNotFound, "TF200016: The following project does not exist: "+path)
	case strings.HasPrefix(project, "build/"), strings.HasPrefix(project, "pipelines/"), strings.HasPrefix(project, "distributedtask/"):
		c.pipelines(out, req, project)
	case strings.HasPrefix(project, "git/repositories/"):
		c.git(out, req, project)
	case strings.HasPrefix(project, "release/"):
		c.releases(out, req, project)
	default:
		refuse(out, http.StatusNotFound, "The controller for path '"+path+"' was not found.")
	}
}

// refuse is an error as Azure DevOps words it.
func refuse(out http.ResponseWriter, status int, message string) {
	out.Header().Set("Content-Type", "application/json; charset=utf-8")
	out.WriteHeader(status)
	json.NewEncoder(out).Encode(map[string]any{"$id": "1", "innerException": nil, "message": message, "typeKey": "VssException", "errorCode": 0}) // nobody is there to hear of an error
}

// answer sends JSON.
func answer(out http.ResponseWriter, v any) {
	out.Header().Set("Content-Type", "application/json; charset=utf-8; api-version=7.1")
	json.NewEncoder(out).Encode(v) // a client that has gone away is no concern of a double
}

// page sends one page of a list.
func page[T any](c *Collection, out http.ResponseWriter, req *http.Request, all []T) {
	from := 0
	if token := req.URL.Query().Get("continuationToken"); token != "" {
		if _, err := fmt.Sscanf(token, "page-%d", &from); err != nil {
			refuse(out, http.StatusBadRequest, "The continuation token is invalid.")
			return
		}
	}
	to := min(from+c.PageSize, len(all))
	if to < len(all) {
		out.Header().Set("X-Ms-Continuationtoken", fmt.Sprintf("page-%d", to))
	}
	list(out, all[min(from, to):to])
}

func list[T any](out http.ResponseWriter, all []T) {
	if all == nil {
		all = []T{}
	}
	answer(out, map[string]any{"count": len(all), "value": all})
}

// find is the thing whose field has that value.
func find(all []map[string]any, field, value string) map[string]any {
	for _, thing := range all {
		if strings.EqualFold(fmt.Sprint(thing[field]), value) {
			return thing
		}
	}
	return nil
}

// zipped makes a zip of files, with their folder in front.
func zipped(folder string, files map[string]string) []byte {
	var buffer bytes.Buffer
	w := zip.NewWriter(&buffer)
	for name, content := range files {
		f, err := w.Create(folder + name)
		if err == nil {
			_, err = f.Write([]byte(content))
		}
		if err != nil {
			panic(err) // it is in memory
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buffer.Bytes()
}
