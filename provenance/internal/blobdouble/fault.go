package blobdouble

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Request is what a fault can depend on. The first page of a listing has no Name, so that its Try counts the listings.
type Request struct {
	Kind  string // "list", "head", "get", "container" or "account"
	Name  string // of the blob; of a listing its marker
	Range string // the range asked for, "bytes=5-"
	Try   int    // how often the same kind and name was asked for, from 1
}

// Fault is what goes wrong with an answer; the zero value is nothing.
type Fault struct {
	Status     int           // answer with this status and Code instead
	Code       string        // Azure's error code
	RetryAfter string        // of such an answer: the header, in seconds; "-" is none; empty is a millisecond, in Azure's own header
	Body       string        // answer with this XML instead
	CutAfter   int           // break the connection after so many bytes, when > 0
	Stall      int           // fall silent after so many bytes; -1: before the first; 0: never
	Trickle    int           // send so many bytes at a time, when > 0
	Pause      time.Duration // between them
	SendBytes  int           // send so many bytes only, and say so, when > 0
	ETag       string        // claim this ETag
	Marker     string        // of a listing: say that it goes on at this marker
	Huge       int           // answer with Status, 200 when it is 0, and an empty listing with so many MiB of space after it
}

// fault counts the request and asks for its fault.
func (s *Server) fault(r *Request, c *container) Fault {
	s.mu.Lock()
	switch r.Kind {
	case "list":
		s.counts.Lists++
	case "head":
		s.counts.Heads++
	case "get":
		s.counts.Gets++
	default:
		s.counts.Others++
	}
	if s.Fault != nil || c == nil || c.million == nil {
		key := Request{Kind: r.Kind, Name: r.Name}
		s.tries[key]++
		r.Try = s.tries[key]
	}
	s.mu.Unlock()
	if s.Fault == nil {
		return Fault{}
	}
	return s.Fault(*r)
}

// checkSAS is how a request is refused; nil when it is not.
func (s *Server) checkSAS(r Request, query url.Values) func(http.ResponseWriter) {
	if s.SAS == "" {
		return nil
	}
	want, err := url.ParseQuery(s.SAS)
	if err != nil {
		panic(err)
	}
	for name, values := range want {
		if !slices.Equal(query[name], values) {
			return unsigned("Signature did not match.")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.signed++; s.SASRequests > 0 && s.signed > s.SASRequests {
		return unsigned("Signature not valid in the specified time frame: Start [Sun, 01 Nov 2026 00:00:00 GMT] - " +
			"Expiry [Sun, 01 Nov 2026 01:00:00 GMT] - Current [Sun, 01 Nov 2026 01:00:01 GMT]")
	}
	if !permits(want, r.Kind) {
		return func(w http.ResponseWriter) {
			fail(w, Fault{Status: http.StatusForbidden, Code: "AuthorizationPermissionMismatch"})
		}
	}
	return nil
}

// permits tells whether a SAS allows a kind of request. One without permissions, as tests write it, allows all.
func permits(sas url.Values, kind string) bool {
	permissions := sas.Get("sp")
	switch {
	case permissions == "" || kind == "account":
		return true
	case kind == "container":
		return sas.Get("sr") == ""
	case kind == "list":
		return strings.Contains(permissions, "l")
	}
	return strings.Contains(permissions, "r")
}

// unsigned is how Azure answers a signature that is wrong, or not valid any more.
func unsigned(detail string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("x-ms-error-code", "AuthenticationFailed")
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to "+
			"authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.\n"+
			"RequestId:00000000-0000-0000-0000-000000000000\nTime:2026-11-01T01:00:01.0000000Z</Message>"+
			"<AuthenticationErrorDetail>%s</AuthenticationErrorDetail></Error>", detail)
	}
}

// fail answers as Azure does.
func fail(w http.ResponseWriter, f Fault) {
	h := w.Header()
	switch f.RetryAfter {
	case "":
		h.Set("x-ms-retry-after-ms", "1")
	case "-":
	default:
		h.Set("Retry-After", f.RetryAfter)
	}
	h.Set("x-ms-error-code", f.Code)
	h.Set("Content-Type", "application/xml")
	w.WriteHeader(f.Status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>The request failed.</Message></Error>", f.Code)
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
