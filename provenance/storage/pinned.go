package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"
)

// pinnedReader gives the bytes of a blob, no more and no fewer than were listed. Below it the SDK's retry reader resumes a
// broken body with a range request that carries If-Match.
type pinnedReader struct {
	ctx    context.Context
	body   io.ReadCloser
	folder *azureFolder
	want   Object
	got    int64

	dog     *time.Timer // closes a body that gives no byte, which makes the retry reader ask again
	mu      sync.Mutex
	reading bool // a Read waits for the body
	stalled bool // the dog has bitten it
}

// forever is longer than a watchdog sleeps before the first Read sets it.
const forever = math.MaxInt64

func newPinnedReader(ctx context.Context, body io.ReadCloser, f *azureFolder, o Object) *pinnedReader {
	r := &pinnedReader{ctx: ctx, body: body, folder: f, want: o}
	r.dog = time.AfterFunc(forever, r.bite)
	return r
}

// watch starts or ends the watch over one Read, and tells whether the body stalled during it.
func (r *pinnedReader) watch(reading bool) (stalled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	stalled, r.stalled, r.reading = r.stalled, false, reading
	if reading {
		r.dog.Reset(r.folder.stall)
	} else {
		r.dog.Stop()
	}
	return stalled
}

// bite runs when a Read has waited too long. The watch goes on: the next body may stall too.
func (r *pinnedReader) bite() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reading {
		r.stalled = true
		r.body.Close()
		r.dog.Reset(r.folder.stall)
	}
}

func (r *pinnedReader) Read(p []byte) (int, error) {
	r.watch(true)
	n, err := r.body.Read(p)
	stalled := r.watch(false)
	r.got += int64(n)
	switch {
	case r.got > r.want.Size || errors.Is(err, io.EOF) && r.got < r.want.Size:
		return 0, changed(r.want.Name, fmt.Sprintf("gave another number of bytes than the %d that were listed", r.want.Size))
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case stalled:
		err = fmt.Errorf("no byte came for %v: %w", r.folder.stall, err)
	}
	return n, r.folder.failed(r.ctx, err, r.want.Name).explain()
}

// Close leaves no timer behind.
func (r *pinnedReader) Close() error {
	r.watch(false)
	return r.body.Close()
}
