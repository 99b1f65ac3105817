package folder

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

// How much of what is sorted lies in memory, and how much of each run while runs are merged.
const (
	runBytes   = 8 << 20
	runRecords = 32 << 10
	mergeBytes = 32 << 10
)

// sorter sorts records by the bytes of their keys, then of their values, in bounded memory: what does not fit goes into a
// temporary file, in sorted runs, which are merged in the end. Records may be added by several goroutines.
type sorter struct {
	dir   string
	mu    sync.Mutex
	arena []byte // keys and values, one behind the other
	spans []span
	file  *os.File // of the runs; nil as long as all of it is in memory
	runs  []int64  // where each of them ends
}

// span is where a record lies in the arena.
type span struct{ start, value, end uint32 }

func newSorter(dir string) *sorter { return &sorter{dir: dir} }

// add takes a copy of a record.
func (s *sorter) add(key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := len(s.arena)
	s.arena = append(append(s.arena, key...), value...)
	return s.added(start, start+len(key))
}

// addEntry takes an entry, whose key is its name.
func (s *sorter) addEntry(e IndexEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := len(s.arena)
	s.arena = append(s.arena, e.Name...)
	value := len(s.arena)
	s.arena = appendEntry(s.arena, e)
	return s.added(start, value)
}

// added notes the record that ends the arena, and spills it when it is full.
func (s *sorter) added(start, value int) error {
	s.spans = append(s.spans, span{uint32(start), uint32(value), uint32(len(s.arena))})
	if len(s.arena) < runBytes && len(s.spans) < runRecords {
		return nil
	}
	return s.spill()
}

// close removes the temporary file.
func (s *sorter) close() {
	if s.file != nil {
		s.file.Close() // is removed
		os.Remove(s.file.Name())
	}
}

func (s *sorter) sort() {
	slices.SortFunc(s.spans, func(a, b span) int {
		return cmp.Or(bytes.Compare(s.arena[a.start:a.value], s.arena[b.start:b.value]),
			bytes.Compare(s.arena[a.value:a.end], s.arena[b.value:b.end]))
	})
}

// spill writes a sorted run.
func (s *sorter) spill() (err error) {
	if s.file == nil {
		if s.file, err = os.CreateTemp(s.dir, "runs-*"); err != nil {
			return temporary(err)
		}
	}
	s.sort()
	w := bufio.NewWriterSize(s.file, mergeBytes)
	for _, at := range s.spans {
		writeRecord(w, s.arena[at.start:at.value], s.arena[at.value:at.end])
	}
	if err := w.Flush(); err != nil { // a bufio.Writer keeps its first error
		return temporary(err)
	}
	end, err := s.file.Seek(0, io.SeekCurrent)
	s.runs = append(s.runs, end)
	s.arena, s.spans = s.arena[:0], s.spans[:0]
	return temporary(err)
}

// each yields all records in order. Key and value are the callee's until it returns.
func (s *sorter) each(yield func(key, value []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		s.sort()
		for _, at := range s.spans {
			if err := yield(s.arena[at.start:at.value], s.arena[at.value:at.end]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	s.arena, s.spans = nil, nil
	return s.merge(yield)
}

// merge merges the runs.
func (s *sorter) merge(yield func(key, value []byte) error) error {
	var runs runHeap
	start := int64(0)
	for _, end := range s.runs {
		run := &recordReader{r: bufio.NewReaderSize(io.NewSectionReader(s.file, start, end-start), mergeBytes)}
		if err := run.next(); err == nil {
			runs = append(runs, run)
		} else if !errors.Is(err, io.EOF) {
			return err
		}
		start = end
	}
	heap.Init(&runs)
	for len(runs) > 0 {
		first := runs[0]
		if err := yield(first.key, first.value); err != nil {
			return err
		}
		switch err := first.next(); {
		case err == nil:
			heap.Fix(&runs, 0)
		case errors.Is(err, io.EOF):
			heap.Pop(&runs)
		default:
			return err
		}
	}
	return nil
}

// runHeap has the run with the first record on top.
type runHeap []*recordReader

func (h runHeap) Len() int { return len(h) }
func (h runHeap) Less(i, j int) bool {
	return cmp.Or(bytes.Compare(h[i].key, h[j].key), bytes.Compare(h[i].value, h[j].value)) < 0
}
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)   { *h = append(*h, x.(*recordReader)) }
func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// writeRecord writes the lengths of key and value, and both. It returns how many bytes it takes; errors are kept by w.
func writeRecord(w *bufio.Writer, key, value []byte) int {
	head := binary.AppendUvarint(binary.AppendUvarint(w.AvailableBuffer(), uint64(len(key))), uint64(len(value)))
	w.Write(head)
	w.Write(key)
	w.Write(value)
	return len(head) + len(key) + len(value)
}

// recordReader reads what writeRecord wrote.
type recordReader struct {
	r          *bufio.Reader
	key, value []byte // the same memory for every record
	both       []byte
}

// next reads a record; io.EOF is the end.
func (r *recordReader) next() error {
	key, err := binary.ReadUvarint(r.r)
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	value, err := binary.ReadUvarint(r.r)
	if err != nil {
		return temporary(err)
	}
	r.both = slices.Grow(r.both[:0], int(key+value))[:key+value]
	if _, err := io.ReadFull(r.r, r.both); err != nil {
		return temporary(err)
	}
	r.key, r.value = r.both[:key], r.both[key:]
	return nil
}

// temporary says where a file could not be written or read.
func temporary(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("a temporary file: %w", err)
}
