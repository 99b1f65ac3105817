package storage

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxAnswer is how many bytes an answer may have that is held in memory: all but the bytes of a blob. The largest honest
// one is a page of 5,000 blobs, each with a name of 1 KiB and 8 KiB of metadata.
const maxAnswer = 64 << 20

// bounded lies below the SDK, which reads listings and errors to their end, and waits for it as long as it takes.
type bounded struct {
	http.RoundTripper
	stall time.Duration
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil && answer.Body != nil && !isDownload(r, answer.StatusCode) {
		answer.Body = &boundedBody{answer.Body, maxAnswer, b.stall}
	}
	return answer, err
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
