package folder

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"sort"
)

// blockBytes is how much of a table is read at once, unless names are long: then a block holds minRecords. One name for each block
// is kept in memory.
const (
	blockBytes = 32 << 10
	minRecords = 64
)

// table is a file of records with ascending keys, none twice. It is found in by a sparse index, one key for each block.
type table struct {
	path   string
	blocks []block
	count  int64 // records
	size   int64 // bytes
}

// block is a part of a table.
type block struct {
	first string // key
	at    int64  // byte
	count int64  // records before it
}

// tableWriter writes a table.
type tableWriter struct {
	file *os.File
	w    *bufio.Writer
	table
}

func newTableWriter(dir string) (*tableWriter, error) {
	file, err := os.CreateTemp(dir, "table-*")
	if err != nil {
		return nil, temporary(err)
	}
	return &tableWriter{file, bufio.NewWriterSize(file, blockBytes), table{path: file.Name()}}, nil
}

// add appends a record, whose key is greater than the one before. Errors come with finish.
func (w *tableWriter) add(key, value []byte) {
	if n := len(w.blocks); n == 0 || w.size-w.blocks[n-1].at >= blockBytes && w.count-w.blocks[n-1].count >= minRecords {
		w.blocks = append(w.blocks, block{string(key), w.size, w.count})
	}
	w.size += int64(writeRecord(w.w, key, value))
	w.count++
}

// finish is the finished table. close may follow.
func (w *tableWriter) finish() (*table, error) {
	err := errors.Join(w.w.Flush(), w.file.Close())
	w.file = nil
	if err != nil {
		os.Remove(w.path)
		return nil, temporary(err)
	}
	return &w.table, nil
}

// close removes a table that was not finished.
func (w *tableWriter) close() {
	if w != nil && w.file != nil {
		w.file.Close() // is removed
		os.Remove(w.path)
	}
}

// each yields all records in order. Key and value are the callee's until it returns.
func (t *table) each(yield func(key, value []byte) error) error {
	file, err := os.Open(t.path)
	if err != nil {
		return temporary(err)
	}
	defer file.Close() // was read only
	r := recordReader{r: bufio.NewReaderSize(file, blockBytes)}
	for {
		switch err := r.next(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := yield(r.key, r.value); err != nil {
			return err
		}
	}
}

// cachedBlocks is how many blocks a lookup keeps. Listings are nearly sorted: one is in use, and few are come back to.
const cachedBlocks = 16

// lookup finds records of a table, for one goroutine.
type lookup struct {
	*table
	file  *os.File
	cache [cachedBlocks]cachedBlock
	next  int // which of the cache is replaced
}

// cachedBlock is a block in memory.
type cachedBlock struct {
	block int // the number of the block, plus 1
	data  []byte
	spans []span
}

func (t *table) lookup() (*lookup, error) {
	file, err := os.Open(t.path)
	if err != nil {
		return nil, temporary(err)
	}
	return &lookup{table: t, file: file}, nil
}

func (l *lookup) close() {
	l.file.Close() // was read only
}

// find is the value of a key and its place in the order, or -1. The value is the caller's until the next call.
func (l *lookup) find(key []byte) (value []byte, place int64, err error) {
	n := sort.Search(len(l.blocks), func(i int) bool { return l.blocks[i].first > string(key) }) - 1
	if n < 0 {
		return nil, -1, nil
	}
	c, err := l.read(n)
	if err != nil {
		return nil, -1, err
	}
	i, found := sort.Find(len(c.spans), func(i int) int { return bytes.Compare(key, c.data[c.spans[i].start:c.spans[i].value]) })
	if !found {
		return nil, -1, nil
	}
	at := c.spans[i]
	return c.data[at.value:at.end], l.blocks[n].count + int64(i), nil
}

// read is a block, from the cache or the file.
func (l *lookup) read(n int) (*cachedBlock, error) {
	for i := range l.cache {
		if l.cache[i].block == n+1 {
			return &l.cache[i], nil
		}
	}
	c := &l.cache[l.next]
	l.next = (l.next + 1) % cachedBlocks
	end := l.size
	if n+1 < len(l.blocks) {
		end = l.blocks[n+1].at
	}
	start := l.blocks[n].at
	if cap(c.data) < int(end-start) {
		c.data = make([]byte, max(end-start, blockBytes+blockBytes/4))
	}
	c.data, c.block = c.data[:end-start], 0
	if _, err := l.file.ReadAt(c.data, start); err != nil {
		return nil, temporary(err)
	}
	if err := c.index(); err != nil {
		return nil, err
	}
	c.block = n + 1
	return c, nil
}

// index finds the records of a block.
func (c *cachedBlock) index() error {
	c.spans = c.spans[:0]
	for d := (decoder{rest: c.data}); len(d.rest) > 0; {
		key, value := d.uvarint(), d.uvarint()
		start := len(c.data) - len(d.rest)
		d.take(key)
		d.take(value)
		if d.bad {
			return temporary(io.ErrUnexpectedEOF)
		}
		c.spans = append(c.spans, span{uint32(start), uint32(start) + uint32(key), uint32(start) + uint32(key+value)})
	}
	return nil
}

// bits is a set of places in a table.
type bits []uint64

func newBits(n int64) bits { return make(bits, (n+63)/64) }

func (b bits) has(i int64) bool { return b[i/64]&(1<<(i%64)) != 0 }
func (b bits) set(i int64)      { b[i/64] |= 1 << (i % 64) }
