package httpclient

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/seed-3480f271/provenance/provenance"
)

// Open asks for something large, and returns its bytes as they come; the caller closes them. A body that breaks, or gives no
// byte for AttemptTimeout, is asked for again: the bytes that were given already have to come again, or reading ends with a
// *provenance.Refused, code model.changed. MaxBody does not apply.
func (c *Client) Open(ctx context.Context, r Request) (io.ReadCloser, error) {
	if r.Accept == "" {
		r.Accept = "*/*"
	}
	s := &stream{ctx: ctx, client: c, request: r, sum: sha256.New()}
	return s, s.open()
}

// streaming is the client for bodies without an end in sight: only its answers' heads have to come in time.
func (c *Client) streaming() *retryablehttp.Client {
	return c.retrying(&http.Client{Transport: headTimeout{c.guard, c.options.AttemptTimeout}, CheckRedirect: c.guard.checkRedirect})
}

// headTimeout gives up on an answer whose head does not come.
type headTimeout struct {
	next  http.RoundTripper
	after time.Duration
}

func (h headTimeout) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(h.after, func() { cancel(context.DeadlineExceeded) })
	resp, err := h.next.RoundTrip(req.WithContext(ctx))
	if !timer.Stop() && err != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp.Body = &cancelling{resp.Body, cancel}
	return resp, nil
}

// cancelling is a body that ends its request when it is closed.
type cancelling struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (c *cancelling) Close() error {
	defer c.cancel(nil)
	return c.ReadCloser.Close()
}

// stream is a body that survives the connection that it comes over.
type stream struct {
	ctx     context.Context
	client  *Client
	request Request
	body    io.ReadCloser
	sum     hash.Hash // of what was given
	given   int64
	broken  int // how often
}

// open asks for the body from its beginning.
func (s *stream) open() error {
	req, err := s.client.request(s.ctx, s.request)
	if err != nil {
		return s.client.failed(s.request.Operation, err)
	}
	resp, err := s.client.streaming().Do(req)
	if err != nil {
		return s.client.failed(s.request.Operation, err)
	}
	if resp.StatusCode != http.StatusOK {
		answer := Answer{what: s.client.service + ", " + s.request.Operation}
		if err := s.client.read(resp, &answer); err != nil {
			return s.client.failed(s.request.Operation, err)
		}
		return s.client.refusedBy(s.request.Operation, answer)
	}
	s.body = resp.Body
	return nil
}

func (s *stream) Read(p []byte) (int, error) {
	for {
		n, err := s.readSome(p)
		s.sum.Write(p[:n])
		s.given += int64(n)
		if err == nil || errors.Is(err, io.EOF) {
			return n, err
		}
		if n > 0 {
			return n, nil // the next Read meets the error again
		}
		if err := s.again(err); err != nil {
			return 0, err
		}
	}
}

// readSome reads from the body; a body that gives nothing for too long is closed.
func (s *stream) readSome(p []byte) (int, error) {
	dog := time.AfterFunc(s.client.options.AttemptTimeout, func() { s.body.Close() })
	n, err := s.body.Read(p)
	if !dog.Stop() && err != nil && !errors.Is(err, io.EOF) {
		err = context.DeadlineExceeded
	}
	return n, err
}

// again asks for the body anew, and skips what was given already.
func (s *stream) again(err error) error {
	s.body.Close()
	s.broken++
	if s.ctx.Err() != nil || s.broken >= s.client.options.Attempts {
		return s.client.failed(s.request.Operation, err)
	}
	if err := s.wait(); err != nil {
		return s.client.failed(s.request.Operation, err)
	}
	if err := s.open(); err != nil {
		return err
	}
	sum := sha256.New()
	if n, err := io.CopyN(sum, readerFunc(s.readSome), s.given); err != nil {
		if errors.Is(err, io.EOF) {
			return s.changed(fmt.Sprintf("it has %d bytes only now", n))
		}
		return s.again(err)
	}
	if string(sum.Sum(nil)) != string(s.sum.Sum(nil)) {
		return s.changed("its beginning is another one now")
	}
	return nil
}

func (s *stream) changed(how string) error {
	return provenance.Refuse("model.changed", "it must not be written to while it is recorded",
		"%s, %s: it changed while it was read: %s", s.client.service, s.request.Operation, how)
}

// wait pauses as before any further attempt.
func (s *stream) wait() error {
	timer := time.NewTimer(s.client.pause(0, 0, s.broken-1, nil))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// Close gives the connection back.
func (s *stream) Close() error {
	if s.body == nil {
		return nil
	}
	return s.body.Close()
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
