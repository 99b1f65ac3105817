package image

import (
	"context"
	"fmt"
	"io"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// stream reads a blob from a registry. When the connection breaks, it goes on where it stopped. It does not look at the
// bytes: whoever reads it checks the digest of all of them.
type stream struct {
	ctx    context.Context // of the call that opened it: a reader has no room for another
	from   *registry
	digest v1.Hash
	body   io.ReadCloser
	at     int64 // bytes that were handed out
	skip   int64 // bytes of body that were handed out before
	length int64 // of the whole blob, as announced; negative: nobody said
	broken int   // how often the connection broke since byte mark
	mark   int64
}

// newStream opens the blob.
func newStream(ctx context.Context, from *registry, digest v1.Hash) (*stream, error) {
	s := &stream{ctx: ctx, from: from, digest: digest, length: -1}
	return s, s.open()
}

// open asks for the blob from byte at on. Registries need not know ranges: those send it all, and the beginning is skipped.
// Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-blobs
func (s *stream) open() error {
	// What is compressed on the way would have another length, and could unpack without end.
	c := call{method: http.MethodGet, path: "blobs/" + s.digest.String(), header: map[string]string{"Accept-Encoding": "identity"}}
	statuses := []int{http.StatusOK}
	if s.at > 0 {
		c.header["Range"] = s.rest()
		statuses = append(statuses, http.StatusPartialContent)
	}
	resp, err := s.from.send(s.ctx, c, statuses...)
	if err != nil {
		return err
	}
	s.body, s.skip = resp.Body, 0
	if resp.StatusCode == http.StatusPartialContent {
		return s.partial(resp.Header.Get("Content-Range"))
	}
	s.skip, s.length = s.at, resp.ContentLength
	return nil
}

// rest is the range from byte at on. Some registries want to be told its end.
func (s *stream) rest() string {
	if s.length > s.at {
		return fmt.Sprintf("bytes=%d-%d", s.at, s.length-1)
	}
	return fmt.Sprintf("bytes=%d-", s.at)
}

// partial checks that the answer begins where it should.
func (s *stream) partial(contentRange string) error {
	var first int64
	if _, err := fmt.Sscanf(contentRange, "bytes %d-", &first); err != nil || first != s.at {
		return mismatched("%s answers the request for blob %s from byte %d on with another range", s.from.name(), s.digest, s.at)
	}
	return nil
}

func (s *stream) Read(p []byte) (int, error) {
	for {
		n, err := s.next(p)
		s.at += int64(n)
		if n > 0 && err != io.EOF {
			return n, nil // an error comes again
		}
		if err == nil || err == io.EOF {
			return n, err
		}
		if err := s.resume(err); err != nil {
			return 0, err
		}
	}
}

// next reads what comes after what is to be skipped.
func (s *stream) next(p []byte) (int, error) {
	if s.skip > 0 {
		n, err := io.CopyN(io.Discard, s.body, s.skip)
		s.skip -= n
		if err == io.EOF {
			return 0, io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
	}
	return s.body.Read(p)
}

// resume opens the blob again after the connection broke, unless it breaks all the time.
func (s *stream) resume(cause error) error {
	s.body.Close()
	if s.at-s.mark >= piece {
		s.mark, s.broken = s.at, 0
	}
	s.broken++
	pause := s.from.limits.backoff << (s.broken - 1)
	if s.broken >= s.from.limits.attempts || sleep(s.ctx, jitter(pause)) != nil {
		return lasting(s.from.failed(fmt.Sprintf("reading blob %s, of which %d bytes came", s.digest, s.at), cause))
	}
	if err := s.open(); err != nil {
		return fmt.Errorf("blob %s, of which %d bytes came: %w", s.digest, s.at, err)
	}
	return nil
}

func (s *stream) Close() error { return s.body.Close() }
