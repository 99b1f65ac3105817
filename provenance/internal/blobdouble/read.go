package blobdouble

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// get answers for one blob.
func (s *Server) get(w http.ResponseWriter, r *http.Request, c *container, request Request, fault Fault) {
	w = counter{w, s}
	if c.million != nil {
		s.getGenerated(w, r, c.million, request.Name, fault)
		return
	}
	s.mu.Lock()
	found := c.blobs[request.Name]
	s.mu.Unlock()
	if found == nil {
		fail(w, Fault{Status: http.StatusNotFound, Code: "BlobNotFound"})
	} else if matches(w, r, found.etag) {
		s.send(w, r, *found, fault)
	}
}

// matches answers when the blob is not the one that was asked for.
func matches(w http.ResponseWriter, r *http.Request, etag string) bool {
	match := strings.Trim(r.Header.Get("If-Match"), `"`)
	if match != "" && match != etag {
		fail(w, Fault{Status: http.StatusPreconditionFailed, Code: "ConditionNotMet"})
		return false
	}
	return true
}

// send writes headers and the part of the body that was asked for.
func (s *Server) send(w http.ResponseWriter, r *http.Request, b Blob, fault Fault) {
	start, status := startOf(w, r, int64(len(b.Data)))
	body := b.Data[start:]
	if fault.SendBytes > 0 {
		body = slices.Concat(body, make([]byte, fault.SendBytes))[:fault.SendBytes]
	}
	etag := b.etag
	if fault.ETag != "" {
		etag = fault.ETag
	}
	headers(w.Header(), b)
	standing(w.Header(), etag, b.modified, int64(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		s.write(w, r, body, fault)
	}
}

// startOf is where the asked range begins. It says so in the header.
func startOf(w http.ResponseWriter, r *http.Request, size int64) (start int64, status int) {
	from, found := strings.CutPrefix(r.Header.Get("x-ms-range"), "bytes=")
	if !found {
		return 0, http.StatusOK
	}
	start, _ = strconv.ParseInt(strings.TrimSuffix(from, "-"), 10, 64)
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, size-1, size))
	return min(start, size), http.StatusPartialContent
}

// headers are those that not every blob has.
func headers(h http.Header, b Blob) {
	for name, value := range b.Metadata {
		h.Set("x-ms-meta-"+name, value)
	}
	if b.Directory {
		h.Set("x-ms-meta-hdi_isfolder", "true")
	}
	if b.ContentEncoding != "" {
		h.Set("Content-Encoding", b.ContentEncoding)
	}
	if b.RetainMode != "" {
		h.Set("x-ms-immutability-policy-mode", b.RetainMode)
	}
	if !b.RetainUntil.IsZero() {
		h.Set("x-ms-immutability-policy-until-date", b.RetainUntil.UTC().Format(http.TimeFormat))
	}
	if b.Held {
		h.Set("x-ms-legal-hold", "true")
	}
}

// standing are those that every blob has.
func standing(h http.Header, etag string, modified time.Time, length int64) {
	h.Set("ETag", `"`+etag+`"`)
	h.Set("Last-Modified", modified.Format(http.TimeFormat))
	h.Set("x-ms-creation-time", started.Format(http.TimeFormat))
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	h.Set("Content-Type", "application/octet-stream")
}

// write sends the body, or its beginning. A client that leaves is no fault of ours.
func (s *Server) write(w http.ResponseWriter, r *http.Request, body []byte, fault Fault) {
	stop := max(fault.CutAfter, fault.Stall)
	if stop == 0 && fault.Stall == 0 || stop >= len(body) {
		s.trickle(w, r, body, fault)
		return
	}
	w.Write(body[:stop])
	http.NewResponseController(w).Flush()
	if fault.Stall != 0 {
		s.wait(r, 0)
	}
	panic(http.ErrAbortHandler) // breaks the connection
}

// trickle sends the body, a little at a time if the fault wants it so.
func (s *Server) trickle(w http.ResponseWriter, r *http.Request, body []byte, fault Fault) {
	for fault.Trickle > 0 && len(body) > fault.Trickle {
		w.Write(body[:fault.Trickle])
		http.NewResponseController(w).Flush()
		if !s.wait(r, fault.Pause) {
			return
		}
		body = body[fault.Trickle:]
	}
	w.Write(body)
}

// wait tells whether client and test are still there after a time; 0 waits until one is not.
func (s *Server) wait(r *http.Request, d time.Duration) bool {
	var timer <-chan time.Time
	if d > 0 {
		timer = time.After(d)
	}
	select {
	case <-timer:
		return true
	case <-r.Context().Done():
	case <-s.done:
	}
	return false
}

// counter counts the bytes of blobs that go out.
type counter struct {
	http.ResponseWriter
	s *Server
}

func (c counter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.counts.Bytes += int64(n)
	return n, err
}

func (c counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
