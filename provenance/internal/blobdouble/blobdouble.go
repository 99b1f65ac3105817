// Package blobdouble is Azure Blob Storage for tests, in process and over real HTTP: the requests that reading a folder
// needs, and what Azurite cannot do: a hierarchical namespace, and faults on request.
//
// Sources: https://learn.microsoft.com/rest/api/storageservices/list-blobs and /get-blob; for the order of listings and the
// markers of directories, measurements of both kinds of accounts.
package blobdouble

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"
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
	etag            string
	modified        time.Time
}

// Request is what a fault can depend on.
type Request struct {
	Kind  string // "list", "head" or "get"
	Name  string // of the blob; of a listing its marker
	Range string // the range asked for, "bytes=5-"
	Try   int    // how often the same kind and name was asked for, from 1
}

// Fault is what goes wrong with an answer; the zero value is nothing.
type Fault struct {
	Status    int    // answer with this status and Code instead
	Code      string // Azure's error code
	CutAfter  int    // break the connection after so many bytes, when > 0
	Stall     int    // fall silent after so many bytes; -1: before the first; 0: never
	SendBytes int    // send so many bytes only, and say so, when > 0
	ETag      string // claim this ETag
	Marker    string // of a listing: say that it goes on at this marker
	Huge      int    // answer with Status, 200 when it is 0, and an empty listing with so many MiB of space after it
}

// Server is the double. Its fields are set before the first request.
type Server struct {
	URL      string // of the account, http://127.0.0.1:PORT/devstoreaccount1
	HNS      bool   // list in the order of a hierarchical namespace
	PageSize int    // of listings; 0 is 5,000
	SAS      string // a query without which everything is 403
	// Fault is asked before each answer. It may change blobs.
	Fault func(Request) Fault

	mu         sync.Mutex
	containers map[string]map[string]*Blob
	tries      map[Request]int
	puts       int
	done       chan struct{}
}

// New starts a double that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{containers: map[string]map[string]*Blob{}, tries: map[Request]int{}, done: make(chan struct{})}
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
	if s.containers[container] == nil {
		s.containers[container] = map[string]*Blob{}
	}
	s.puts++
	b.modified = started.Add(time.Duration(s.puts) * time.Second)
	b.etag = fmt.Sprintf("0x8DE%013X", s.puts)
	s.containers[container][name] = &b
}

// PutText writes a blob of text.
func (s *Server) PutText(container, name, text string) {
	s.Put(container, name, Blob{Data: []byte(text)})
}

// Delete removes a blob.
func (s *Server) Delete(container, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.containers[container], name)
}

// Tries is how often a blob was asked for.
func (s *Server) Tries(kind, name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries[Request{Kind: kind, Name: name}]
}

// ServeHTTP answers one request. It may also run behind another server, one with TLS.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	container, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"+Account+"/"), "/")
	request := Request{Kind: map[string]string{"GET": "get", "HEAD": "head"}[r.Method], Name: name, Range: r.Header.Get("x-ms-range")}
	if r.URL.Query().Get("comp") == "list" {
		request.Kind, request.Name = "list", r.URL.Query().Get("marker")
	}
	fault := s.fault(&request)
	switch {
	case s.SAS != "" && !strings.Contains(r.URL.RawQuery, s.SAS):
		fail(w, http.StatusForbidden, "AuthenticationFailed")
	case fault.Huge != 0:
		huge(w, fault)
	case fault.Status != 0:
		fail(w, fault.Status, fault.Code)
	case s.missing(container):
		fail(w, http.StatusNotFound, "ContainerNotFound")
	case request.Kind == "list":
		s.list(w, r, container, fault)
	default:
		s.get(w, r, container, request, fault)
	}
}

// fault counts the request and asks for its fault.
func (s *Server) fault(r *Request) Fault {
	s.mu.Lock()
	key := Request{Kind: r.Kind, Name: r.Name}
	s.tries[key]++
	r.Try = s.tries[key]
	s.mu.Unlock()
	if s.Fault == nil {
		return Fault{}
	}
	return s.Fault(*r)
}

func (s *Server) missing(container string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.containers[container] == nil
}

// fail answers as Azure does. The client may try again at once.
func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("x-ms-error-code", code)
	w.Header().Set("x-ms-retry-after-ms", "1")
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>The request failed.</Message></Error>", code)
}

// huge answers until the client has had enough.
func huge(w http.ResponseWriter, fault Fault) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(max(fault.Status, http.StatusOK))
	_, err := io.WriteString(w, `<?xml version="1.0"?><EnumerationResults><Blobs/></EnumerationResults>`)
	for i := 0; i < fault.Huge && err == nil; i++ {
		_, err = w.Write(bytes.Repeat([]byte(" "), 1<<20))
	}
}

// get answers for one blob.
func (s *Server) get(w http.ResponseWriter, r *http.Request, container string, request Request, fault Fault) {
	s.mu.Lock()
	found := s.containers[container][request.Name]
	s.mu.Unlock()
	match := strings.Trim(r.Header.Get("If-Match"), `"`)
	switch {
	case found == nil:
		fail(w, http.StatusNotFound, "BlobNotFound")
	case match != "" && match != found.etag:
		fail(w, http.StatusPreconditionFailed, "ConditionNotMet")
	default:
		s.send(w, r, *found, fault)
	}
}

// send writes headers and the part of the body that was asked for.
func (s *Server) send(w http.ResponseWriter, r *http.Request, b Blob, fault Fault) {
	body, status := b.Data, http.StatusOK
	if from, found := strings.CutPrefix(r.Header.Get("x-ms-range"), "bytes="); found {
		start, _ := strconv.Atoi(strings.TrimSuffix(from, "-"))
		body, status = body[min(start, len(body)):], http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(b.Data)-1, len(b.Data)))
	}
	if fault.SendBytes > 0 {
		body = slices.Concat(body, make([]byte, fault.SendBytes))[:fault.SendBytes]
	}
	headers(w.Header(), b, fault, len(body))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		s.write(w, r, body, fault)
	}
}

func headers(h http.Header, b Blob, fault Fault, length int) {
	for name, value := range b.Metadata {
		h.Set("x-ms-meta-"+name, value)
	}
	if b.Directory {
		h.Set("x-ms-meta-hdi_isfolder", "true")
	}
	if b.ContentEncoding != "" {
		h.Set("Content-Encoding", b.ContentEncoding)
	}
	etag := b.etag
	if fault.ETag != "" {
		etag = fault.ETag
	}
	h.Set("ETag", `"`+etag+`"`)
	h.Set("Last-Modified", b.modified.Format(http.TimeFormat))
	h.Set("x-ms-creation-time", started.Format(http.TimeFormat))
	h.Set("Content-Length", strconv.Itoa(length))
	h.Set("Content-Type", "application/octet-stream")
}

// write sends the body, or its beginning.
func (s *Server) write(w http.ResponseWriter, r *http.Request, body []byte, fault Fault) {
	stop := max(fault.CutAfter, fault.Stall)
	if stop == 0 && fault.Stall == 0 || stop >= len(body) {
		w.Write(body) // a client that leaves is no fault of ours
		return
	}
	w.Write(body[:stop])
	http.NewResponseController(w).Flush()
	if fault.Stall != 0 {
		select {
		case <-r.Context().Done():
		case <-s.done:
		}
	}
	panic(http.ErrAbortHandler) // breaks the connection
}

// names are the names with a prefix, in the account's order.
func (s *Server) names(container, prefix string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.containers[container])) {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	order := func(a, b string) int { return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b))) }
	if s.HNS { // the tree's: a directory's children before the siblings that sort after it
		order = func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) }
	}
	slices.SortStableFunc(names, order)
	return names
}
