// Package blobdouble is Azure Blob Storage for tests, in process and over real HTTP: the requests that reading a folder
// needs, and what Azurite cannot do: a hierarchical namespace, immutability, a million blobs, and faults on request.
//
// It answers for one account, under a path (http://127.0.0.1:PORT/devstoreaccount1/CONTAINER) and, behind a proxy, under the
// name of a host (https://ACCOUNT.blob.core.windows.net/CONTAINER).
//
// Sources: https://learn.microsoft.com/rest/api/storageservices/list-blobs, /get-blob, /get-container-properties and
// /get-account-information; for the order of listings and the markers of directories, measurements of both kinds of accounts.
package blobdouble

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Never is an expiry date that no test reaches.
var Never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Account is the name of the one account; it is Azurite's.
const Account = "devstoreaccount1"

// Blob is a blob, or in a hierarchical namespace a directory.
type Blob struct {
	Data            []byte
	Metadata        map[string]string
	Directory       bool
	ContentEncoding string

	RetainUntil time.Time // version-level WORM
	RetainMode  string    // Locked, Unlocked or Mutable
	Held        bool      // legal hold

	etag     string
	modified time.Time
}

// Container says how a container is protected. The zero value: not at all.
type Container struct {
	Policy, Hold, VersionWORM bool
	Silent                    bool // answers without a word of it
}

// Server is the double. Its fields are set before the first request.
type Server struct {
	URL      string // of the account, http://127.0.0.1:PORT/devstoreaccount1
	HNS      bool   // a hierarchical namespace: lists in its order
	PageSize int    // of listings; 0 is 5,000, the most that Azure sends
	// SAS is a query without which everything is 403. Its sp decides what may be done; a service SAS (sr=c) may not ask for
	// the container's properties. It is good for SASRequests requests; 0 is for ever.
	SAS         string
	SASRequests int
	// ShowAll lists snapshots, old versions, deleted and uncommitted blobs without being asked to.
	ShowAll bool
	// Fault is asked before each answer. It may change blobs.
	Fault func(Request) Fault

	mu         sync.Mutex
	containers map[string]*container
	tries      map[Request]int
	counts     Counts
	puts       int
	signed     int // requests with the SAS
	done       chan struct{}
}

// container is what is in a container.
type container struct {
	Container
	blobs   map[string]*Blob
	aside   map[string][]Aside
	order   []string          // names of blobs and asides, as they are listed; nil: to be sorted again
	next    map[string]string // continuation markers, with the prefix before them: where the next page begins
	million *generated
}

// New starts a double that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{containers: map[string]*container{}, tries: map[Request]int{}, done: make(chan struct{})}
	server := httptest.NewServer(s)
	t.Cleanup(func() { close(s.done); server.Close() })
	s.URL = server.URL + "/" + Account
	return s
}

// started is the clock's zero: each change of a blob is one second later.
var started = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// Put writes or replaces a blob, and makes the container if need be.
func (s *Server) Put(container, name string, b Blob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.container(container)
	s.puts++
	b.modified = started.Add(time.Duration(s.puts) * time.Second)
	b.etag = fmt.Sprintf("0x8DE%013X", s.puts)
	c.blobs[name], c.order = &b, nil
}

// PutText writes a blob of text.
func (s *Server) PutText(container, name, text string) {
	s.Put(container, name, Blob{Data: []byte(text)})
}

// Delete removes a blob.
func (s *Server) Delete(container, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.container(container)
	delete(c.blobs, name)
	c.order = nil
}

// Aside is what lies beside the blobs: a listing shows it only when it is asked to, or by mistake.
type Aside string

// What can lie beside a blob, or be left of one.
const (
	Snapshot     Aside = "snapshots"
	OldVersion   Aside = "versions"
	Deleted      Aside = "deleted"
	VersionsOnly Aside = "deletedwithversions"
	Uncommitted  Aside = "uncommittedblobs"
)

// PutAside leaves something under a blob's name. There need not be a blob of that name.
func (s *Server) PutAside(container, name string, kind Aside) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.container(container)
	c.aside[name], c.order = append(c.aside[name], kind), nil
}

// Protect says how a container is protected, and makes it if need be.
func (s *Server) Protect(container string, c Container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.container(container).Container = c
}

// container is the container of that name, a new one if need be.
func (s *Server) container(name string) *container {
	if s.containers[name] == nil {
		s.containers[name] = &container{blobs: map[string]*Blob{}, aside: map[string][]Aside{}, next: map[string]string{}}
	}
	return s.containers[name]
}

// Counts are what the double has answered so far.
type Counts struct {
	Lists, Heads, Gets int64 // requests: pages of listings, properties of blobs, bytes of blobs
	Others             int64 // properties of containers and of the account
	Bytes              int64 // of blobs, that went out
}

// Counts is what was answered so far.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Tries is how often a blob was asked for. Generated ones are counted only when there is a Fault.
func (s *Server) Tries(kind, name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries[Request{Kind: kind, Name: name}]
}

// ServeHTTP answers one request. It may also run behind another server, one with TLS.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	name, path, _ := strings.Cut(pathOf(r), "/")
	request := requestOf(r, query, path)
	s.mu.Lock()
	c := s.containers[name]
	s.mu.Unlock()
	fault := s.fault(&request, c)
	switch refusal := s.checkSAS(request, query); {
	case refusal != nil:
		refusal(w)
	case fault.Huge != 0:
		huge(w, fault)
	case fault.Body != "":
		w.Header().Set("Content-Type", "application/xml")
		s.write(w, r, []byte(fault.Body), fault)
	case fault.Status != 0:
		fail(w, fault)
	case request.Kind == "account":
		w.Header().Set("x-ms-is-hns-enabled", fmt.Sprint(s.HNS))
		w.Header().Set("x-ms-account-kind", "StorageV2")
		w.Header().Set("x-ms-sku-name", "Standard_LRS")
	case c == nil:
		fail(w, Fault{Status: http.StatusNotFound, Code: "ContainerNotFound"})
	case request.Kind == "container":
		s.properties(w, c)
	case request.Kind == "list":
		s.list(w, r, c, query, fault)
	default:
		s.get(w, r, c, request, fault)
	}
}

// pathOf is CONTAINER/BLOB of a request.
func pathOf(r *http.Request) string {
	if strings.Contains(r.Host, ".blob.") {
		return strings.TrimPrefix(r.URL.Path, "/")
	}
	return strings.TrimPrefix(r.URL.Path, "/"+Account+"/")
}

func requestOf(r *http.Request, query url.Values, path string) Request {
	request := Request{Kind: "get", Name: path, Range: r.Header.Get("x-ms-range")}
	switch {
	case query.Get("restype") == "account":
		request.Kind, request.Name = "account", ""
	case query.Get("comp") == "list":
		request.Kind, request.Name = "list", query.Get("marker")
	case query.Get("restype") == "container":
		request.Kind = "container"
	case r.Method == http.MethodHead:
		request.Kind = "head"
	}
	return request
}

// properties answers Get Container Properties.
func (s *Server) properties(w http.ResponseWriter, c *container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := w.Header()
	h.Set("ETag", `"0x8DE0000000000000"`)
	h.Set("Last-Modified", started.Format(http.TimeFormat))
	if !c.Silent {
		h.Set("x-ms-has-immutability-policy", fmt.Sprint(c.Policy))
		h.Set("x-ms-has-legal-hold", fmt.Sprint(c.Hold))
		h.Set("x-ms-immutable-storage-with-versioning-enabled", fmt.Sprint(c.VersionWORM))
	}
}
