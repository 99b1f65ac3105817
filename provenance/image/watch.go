package image

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// piece is how many bytes must move before a request is given more time, and before a broken download is given more attempts:
// what crawls ends like what stands still, and what is large has all the time that it needs.
const piece = 1 << 20

// stalled is a request that was ended because it made no progress. It may go better the next time.
type stalled struct{ limit time.Duration }

func (s *stalled) Error() string { return fmt.Sprintf("less than a MiB moved within %s", s.limit) }

// watch ends a request that makes no progress. Time in which nobody waits for the registry does not count.
type watch struct {
	ctx   context.Context // of the request
	end   context.CancelCauseFunc
	limit time.Duration
	timer *time.Timer

	mu      sync.Mutex
	waiting bool
	since   time.Time     // when waiting began
	left    time.Duration // of the limit, at since
	moved   int64         // bytes of the piece that is under way
}

// newWatch begins to wait.
func newWatch(ctx context.Context, limit time.Duration) *watch {
	w := &watch{limit: limit, waiting: true, since: time.Now(), left: limit}
	w.ctx, w.end = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(limit, func() { w.end(&stalled{limit}) })
	return w
}

// wait goes on waiting.
func (w *watch) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting, w.since = true, time.Now()
	w.timer.Reset(w.left)
}

// pause stops waiting.
func (w *watch) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = false
	w.left -= time.Since(w.since)
	w.timer.Stop()
}

// progress counts bytes; each piece of them is given the whole limit.
func (w *watch) progress(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.moved += int64(n); w.moved < piece {
		return
	}
	w.moved, w.left, w.since = 0, w.limit, time.Now()
	if w.waiting {
		w.timer.Reset(w.limit)
	}
}

// why is the reason for err: that there was no progress, if that ended the request.
func (w *watch) why(err error) error {
	if s, ok := context.Cause(w.ctx).(*stalled); ok && err != nil && err != io.EOF {
		return s
	}
	return err
}

// watchedBody is the body of an answer. The request ends when it is closed.
type watchedBody struct {
	io.ReadCloser
	*watch
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.wait()
	n, err := b.ReadCloser.Read(p)
	b.pause()
	b.progress(n)
	return n, b.why(err)
}

func (b *watchedBody) Close() error {
	defer b.end(nil)
	return b.ReadCloser.Close()
}

// sentBody is the body of a request.
type sentBody struct {
	io.ReadCloser
	*watch
	closed atomic.Bool
}

// Read tells what cannot be read here from what cannot be sent. A body that was closed is neither: the transport may try to
// send it a second time, with a new token, which cannot work, and the whole request is done again.
func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
		b.progress(n)
	case err == io.EOF:
		b.progress(piece) // the registry now has the whole limit to store it
	case !b.closed.Load():
		err = &mismatch{err}
	}
	return n, err
}

func (b *sentBody) Close() error {
	b.closed.Store(true)
	return b.ReadCloser.Close()
}
