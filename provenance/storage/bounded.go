package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// maxAnswer is how many bytes an answer may have that is held in memory: all but the bytes of a blob. The largest honest
// one is a page of 5,000 blobs, each with a name of 1 KiB and 8 KiB of metadata.
const maxAnswer = 64 << 20

// bounded lies below the SDK, which reads listings and errors to their end, and waits for it as long as it takes.
type bounded struct {
	http.RoundTripper
	stall   time.Duration
	trouble *trouble
	debug   func(string) // nil: nobody
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	b.trouble.note(answer, err)
	b.tell(r, answer, err)
	if err == nil && isDownload(r, answer.StatusCode) && isAnother(answer, r.Header.Get("If-Match")) {
		answer.Body.Close()
		return nil, anotherBlob{}
	}
	if err == nil && answer.Body != nil && !isDownload(r, answer.StatusCode) {
		answer.Body = &boundedBody{answer.Body, maxAnswer, b.stall}
	}
	return answer, err
}

// tell writes a line about a request, without its query.
func (b bounded) tell(r *http.Request, answer *http.Response, err error) {
	if b.debug == nil {
		return
	}
	outcome := ""
	if err != nil {
		outcome = oneLine(redact.Text(err.Error()))
	} else {
		outcome = answer.Status
	}
	b.debug(r.Method + " " + redact.URL(r.URL.String()) + ": " + outcome)
}

// anotherBlob is an answer that ignored If-Match, the first one or one that resumes a broken body: something stands between us
// and Azure.
type anotherBlob struct{}

// isAnother tells it from the ETag. The first answer, which is whole, is looked at again by whoever asked.
func isAnother(answer *http.Response, want string) bool {
	etag := answer.Header.Get("ETag")
	return etag != want && (etag != "" || answer.StatusCode == http.StatusPartialContent)
}

func (anotherBlob) Error() string { return "the answer has another ETag than was asked for" }
func (anotherBlob) NonRetriable() {}

// trouble is why the last request has to be repeated. When the time is up while the SDK waits, it tells the context's error only.
type trouble struct {
	lock sync.Mutex
	last string
}

func (t *trouble) note(answer *http.Response, err error) {
	if t == nil {
		return
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	switch t.last = ""; {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case err != nil:
		t.last = oneLine(redact.Text(err.Error()))
	case worthRepeating(answer, nil):
		t.last = "the storage answered " + answer.Status
	}
}

func (t *trouble) text() string {
	if t == nil {
		return ""
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.last
}

// worthRepeating is the SDK's own choice, but for a host that does not exist: no wait mends a name.
func worthRepeating(answer *http.Response, err error) bool {
	var unknown *net.DNSError
	if err != nil {
		return !errors.As(err, &unknown) || !unknown.IsNotFound
	}
	return slices.Contains([]int{http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout}, answer.StatusCode)
}

// isDownload tells whether an answer is the bytes of a blob, which are read piece by piece. Only downloads are conditional.
func isDownload(r *http.Request, status int) bool {
	return r.Method == http.MethodGet && !r.URL.Query().Has("comp") && r.Header.Get("If-Match") != "" &&
		(status == http.StatusOK || status == http.StatusPartialContent)
}

// boundedBody is a body that fails, rather than ends, when it is too long or gives no byte for too long.
type boundedBody struct {
	io.ReadCloser
	left  int
	stall time.Duration
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLong{}
	}
	dog := time.AfterFunc(b.stall, func() { b.ReadCloser.Close() })
	n, err := b.ReadCloser.Read(p)
	if !dog.Stop() && err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("no byte came for %v: %w", b.stall, err)
	}
	if b.left -= n; b.left < 0 {
		return 0, tooLong{}
	}
	return n, err
}

// tooLong is an error that the SDK does not try again after.
type tooLong struct{}

func (tooLong) Error() string { return fmt.Sprintf("the answer has more than %d MiB", maxAnswer>>20) }
func (tooLong) NonRetriable() {}
