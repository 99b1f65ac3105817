package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
	page        int64         // bytes of one page of a list
	pages       int           // of one list
	referrers   int           // manifests with the image as their subject
	tags        int           // of a repository, as far as they must be listed
	layers      int           // of one manifest that holds attestations; cosign reads 1000
	members     int           // of an index
	attestation int64         // bytes of one attestation
	total       int64         // bytes of all attestations of an image
	wait        time.Duration // for all attestations of an image
	attempts    int           // of one request
	rounds      int           // of merging the journal into the shared places
	backoff     time.Duration // before the second attempt; doubled each time
	patience    time.Duration // the longest pause that a registry can ask for
}

var defaultLimits = limits{
	manifest:    4 << 20,
	page:        16 << 20,
	pages:       200,
	referrers:   1000,
	tags:        200_000,
	layers:      1000,
	members:     500,
	attestation: 16 << 20,
	total:       128 << 20,
	wait:        2 * time.Minute,
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
		cmp.Or(l.manifest, d.manifest), cmp.Or(l.page, d.page), cmp.Or(l.pages, d.pages), cmp.Or(l.referrers, d.referrers),
		cmp.Or(l.tags, d.tags), cmp.Or(l.layers, d.layers), cmp.Or(l.members, d.members),
		cmp.Or(l.attestation, d.attestation), cmp.Or(l.total, d.total), cmp.Or(l.wait, d.wait), cmp.Or(l.attempts, d.attempts),
		cmp.Or(l.rounds, d.rounds), cmp.Or(l.backoff, d.backoff), cmp.Or(l.patience, d.patience),
	}
}

// deadline is ctx with an end; what ends by it has the LimitError as its cause.
func (l limits) deadline(ctx context.Context, what string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, l.wait, &LimitError{what, l.wait.String()})
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
