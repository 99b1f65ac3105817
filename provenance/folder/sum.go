package folder

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/seed-3480f271/provenance/provenance"
)

// sum is the digest of a text that is written anew from the index whenever it is opened: it need not lie in a file, too.
type sum struct {
	hash   hash.Hash
	size   int64
	line   func([]byte, IndexEntry) ([]byte, error)
	hashed bool // the text has lines for entries with a digest only
}

func newSum(line func([]byte, IndexEntry) ([]byte, error)) *sum {
	return &sum{hash: sha256.New(), line: line}
}

// add takes the line of an entry. b is memory to write it to, and is returned.
func (s *sum) add(b []byte, e IndexEntry) ([]byte, error) {
	if s.hashed && e.SHA256.IsZero() {
		return b, nil
	}
	b, err := s.line(b[:0], e)
	if err != nil {
		return b, fmt.Errorf("the file %q: %w", e.Name, err)
	}
	s.size += int64(len(b))
	s.hash.Write(b)
	return b, nil
}

func (s *sum) digest() provenance.Digest {
	return provenance.DigestOf(provenance.SHA256, [sha256.Size]byte(s.hash.Sum(nil)))
}

func (s *sum) stored(name, mediaType string, index *Index) provenance.Stored {
	return provenance.Stored{Name: name, MediaType: mediaType, Digest: s.digest(), Size: s.size,
		Open: func() (io.ReadCloser, error) { return index.text(s.line) }}
}

// sums computes several digests of the same entries, each in a goroutine of its own.
type sums struct {
	group  *errgroup.Group
	ctx    context.Context // ends with the first error
	queues []chan []IndexEntry
	batch  []IndexEntry
}

// sumBatch is how many entries are handed over at once.
const sumBatch = 256

// startSums starts the goroutines; wait ends them.
func startSums(all ...*sum) *sums {
	s := &sums{}
	s.group, s.ctx = errgroup.WithContext(context.Background())
	for _, sum := range all {
		queue := make(chan []IndexEntry, 2)
		s.queues = append(s.queues, queue)
		s.group.Go(func() (err error) {
			var line []byte
			for batch := range queue {
				for _, e := range batch {
					if line, err = sum.add(line, e); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	return s
}

func (s *sums) add(e IndexEntry) error {
	if s.batch = append(s.batch, e); len(s.batch) < sumBatch {
		return nil
	}
	return s.flush()
}

func (s *sums) flush() error {
	for _, queue := range s.queues {
		select {
		case queue <- s.batch:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
	s.batch = make([]IndexEntry, 0, sumBatch)
	return nil
}

// wait hands over the last entries. The error is the first of the goroutines'.
func (s *sums) wait() error {
	_ = s.flush() // fails only after one of the goroutines, whose error comes next
	for _, queue := range s.queues {
		close(queue)
	}
	return s.group.Wait()
}
