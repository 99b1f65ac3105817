package image

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// LimitError says that a registry, or what is attached to an image, is larger or slower than anything honest. Nobody looked
// at the rest, so it means "undecided".
type LimitError struct {
	What  string // "the list of referrers of …"
	Limit string // "1000 entries"
}

// Error is the sentence.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s exceeds the limit of %s", e.What, e.Limit)
}

func tooMany(what string, limit int) error {
	return &LimitError{what, fmt.Sprintf("%d entries", limit)}
}

func tooLarge(what string, limit int64) error {
	return &LimitError{what, fmt.Sprintf("%d bytes", limit)}
}

// limits are what a registry can make us read and wait.
type limits struct {
	manifest    int64         // bytes of one manifest or index; registries take 4 MiB
	referrer    int64         // bytes of one manifest that refers to an image
	metadata    int64         // bytes of all manifests, lists and configurations that one call reads
	page        int64         // bytes of one page of a list
	pages       int           // of one list
	referrers   int           // manifests with the image as their subject
	tags        int           // of a repository, as far as they must be listed
	layers      int           // of one manifest that holds attestations; cosign reads 1000
	members     int           // of an index
	attestation int64         // bytes of one attestation
	total       int64         // bytes of all attestations of an image
	wait        time.Duration // for finding an image, and for all attestations of one
	stall       time.Duration // for a request in which nothing moves, and for each MiB of a large blob
	attempts    int           // of one request
	rounds      int           // of merging the journal into the shared places
	backoff     time.Duration // before the second attempt; doubled each time
	patience    time.Duration // the longest pause that a registry can ask for
}

var defaultLimits = limits{
	manifest:    4 << 20,
	referrer:    512 << 10,
	metadata:    64 << 20,
	page:        4 << 20,
	pages:       200,
	referrers:   1000,
	tags:        200_000,
	layers:      1000,
	members:     500,
	attestation: 6 << 20,
	total:       64 << 20,
	wait:        2 * time.Minute,
	stall:       3 * time.Minute,
	attempts:    4,
	rounds:      40,
	backoff:     200 * time.Millisecond,
	patience:    30 * time.Second,
}

// maxConfig is how many bytes an image's configuration may have.
const maxConfig = 8 << 20

// orDefault fills what is zero.
func (l limits) orDefault() limits {
	d := defaultLimits
	return limits{
		cmp.Or(l.manifest, d.manifest), cmp.Or(l.referrer, d.referrer), cmp.Or(l.metadata, d.metadata), cmp.Or(l.page, d.page), cmp.Or(l.pages, d.pages), cmp.Or(l.referrers, d.referrers),
		cmp.Or(l.tags, d.tags), cmp.Or(l.layers, d.layers), cmp.Or(l.members, d.members),
		cmp.Or(l.attestation, d.attestation), cmp.Or(l.total, d.total), cmp.Or(l.wait, d.wait), cmp.Or(l.stall, d.stall),
		cmp.Or(l.attempts, d.attempts), cmp.Or(l.rounds, d.rounds), cmp.Or(l.backoff, d.backoff), cmp.Or(l.patience, d.patience),
	}
}

// budget is what one call may still read. What goes beyond it ends the call, for then nobody knows what else there is.
type budget struct {
	metadata *allowance // bytes
	end      context.CancelCauseFunc
}

type budgetKey struct{}

// begin is ctx for one call: it ends in time, and at what it may read. What ends so has the LimitError as its cause.
func (l limits) begin(ctx context.Context, what string) (context.Context, *budget, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	r := &budget{newAllowance(what+" takes metadata that", l.metadata), end}
	r.metadata.exceeded = end
	ctx = context.WithValue(ctx, budgetKey{}, r)
	ctx, cancel := context.WithTimeoutCause(ctx, l.wait, &LimitError{what, l.wait.String()})
	return ctx, r, func() { cancel(); end(nil) }
}

// metadataOf is the allowance of the call; nil, which has no end, if ctx is of none.
func metadataOf(ctx context.Context) *allowance {
	if r, found := ctx.Value(budgetKey{}).(*budget); found {
		return r.metadata
	}
	return nil
}

// orLimit is the LimitError that ended ctx, if one did; else err.
func orLimit(ctx context.Context, err error) error {
	var limit *LimitError
	if err != nil && errors.As(context.Cause(ctx), &limit) {
		return limit
	}
	return err
}

// readAll reads at most limit bytes.
func readAll(r io.Reader, limit int64, what string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = tooLarge(what, limit)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// readSized is readAll for content of a size that somebody said: it takes that much memory at once, and not twice as much in steps.
func readSized(r io.Reader, size, limit int64, what string) ([]byte, error) {
	if size < 0 || size > limit {
		return readAll(r, limit, what)
	}
	data := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := data.ReadFrom(io.LimitReader(r, limit+1))
	if err == nil && int64(data.Len()) > limit {
		err = tooLarge(what, limit)
	}
	if err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// cappedReader hands out at most left bytes and then fails with err, unless the end is reached first.
type cappedReader struct {
	io.ReadCloser
	left int64
	err  error
}

func (l *cappedReader) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p[:min(int64(len(p)), l.left+1)])
	if l.left -= int64(n); l.left < 0 {
		return 0, l.err
	}
	return n, err
}

// allowance is an amount that is used up. A nil allowance has no end.
type allowance struct {
	what     string
	limit    int64
	left     atomic.Int64
	exceeded func(error) // is told; nil is nobody
}

func newAllowance(what string, limit int64) *allowance {
	a := &allowance{what: what, limit: limit}
	a.left.Store(limit)
	return a
}

// take uses up n, or says that there is not so much left.
func (a *allowance) take(n int64) error {
	if a == nil || n <= a.limit && a.left.Add(-n) >= 0 {
		return nil
	}
	err := tooLarge(a.what, a.limit)
	if a.exceeded != nil {
		a.exceeded(err)
	}
	return err
}

// meteredReader reads against an allowance.
type meteredReader struct {
	io.Reader
	*allowance
}

func (r meteredReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if exceeded := r.take(int64(n)); exceeded != nil {
		return 0, exceeded
	}
	return n, err
}
