package folder

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"iter"
	"os"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// Index is what is known of each file of a folder, sorted by the bytes of their names. It lies in a file, in the folder that
// was named for it, and takes little memory.
type Index struct {
	Files  int64     // entries
	Bytes  int64     // the sum of their sizes
	Listed time.Time // when the files were listed, if the caller knows; [Recheck] tells it of files that are gone
	table  *table
}

// ReadIndex reads an index from outside, which lies beside an image, into a file in dir. It is strict: one JSON object a line,
// no unknown, repeated or missing key but etag, created, hashedAt and by, names ascending by byte, none twice, at most
// [MaxFiles]. An index whose digests do not recombine to dirHash is Refused as data.index.
func ReadIndex(r io.Reader, dir string, dirHash provenance.Digest) (*Index, error) {
	w, err := newIndexWriter(dir)
	if err != nil {
		return nil, err
	}
	defer w.close()
	var order ascending
	manifest, line := newSum(appendManifestLine), []byte(nil)
	err = eachLine(r, "index", func(text []byte) error {
		e, err := parseLine(text, true)
		e.changed = 0 // it is about the folder that was hashed then
		if err == nil {
			err = order.next(e.Name)
		}
		if err == nil {
			w.add(e)
			line, err = manifest.add(line, e)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if got := manifest.digest().Hex(); got != dirHash.Hex() || dirHash.Algorithm() != provenance.DirHash {
		return nil, provenance.Refuse("data.index", "", "the folder's index recombines to %s, not to %s", got, dirHash)
	}
	return w.finish()
}

// Entries are all files, in the order of the bytes of their names. An error is the last that it yields.
func (x *Index) Entries() iter.Seq2[IndexEntry, error] {
	return func(yield func(IndexEntry, error) bool) {
		err := x.each(func(e IndexEntry) error {
			if !yield(e, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(IndexEntry{}, err)
		}
	}
}

var errStop = errors.New("the reader has seen enough")

// each is Entries for a callback.
func (x *Index) each(yield func(IndexEntry) error) error {
	return x.table.each(func(key, value []byte) error {
		e, err := readEntry(string(key), value)
		if err != nil {
			return err
		}
		return yield(e)
	})
}

// text is a text that has a line for each entry with a digest. It is written while it is read.
func (x *Index) text(line func([]byte, IndexEntry) ([]byte, error)) (io.ReadCloser, error) {
	file, err := os.Open(x.table.path)
	if err != nil {
		return nil, temporary(err)
	}
	return &textReader{file: file, records: recordReader{r: bufio.NewReaderSize(file, blockBytes)}, line: line}, nil
}

// textReader writes a text while it is read.
type textReader struct {
	file         *os.File
	records      recordReader
	line         func([]byte, IndexEntry) ([]byte, error)
	buffer, rest []byte
	err          error // after rest
}

func (t *textReader) Read(p []byte) (int, error) {
	if len(t.rest) == 0 && t.err == nil && len(p) > 0 {
		t.buffer, t.err = t.fill(t.buffer[:0])
		t.rest = t.buffer
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	if len(t.rest) > 0 {
		return n, nil
	}
	return n, t.err
}

// fill writes the next lines. io.EOF comes with the last of them.
func (t *textReader) fill(b []byte) ([]byte, error) {
	for len(b) < blockBytes {
		if err := t.records.next(); err != nil {
			return b, err
		}
		e, err := readEntry(string(t.records.key), t.records.value)
		if err == nil && !e.SHA256.IsZero() {
			b, err = t.line(b, e)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (t *textReader) Close() error { return t.file.Close() }

// indexWriter writes an index.
type indexWriter struct {
	index Index
	table *tableWriter
	value []byte
}

func newIndexWriter(dir string) (*indexWriter, error) {
	if dir == "" {
		return nil, errors.New("no folder for temporary files is named")
	}
	table, err := newTableWriter(dir)
	return &indexWriter{table: table}, err
}

// add appends an entry, whose name is greater than the one before. Errors come with finish.
func (w *indexWriter) add(e IndexEntry) {
	w.value = appendEntry(w.value[:0], e)
	w.addRecord([]byte(e.Name), w.value, e.Size)
}

// addRecord appends an entry as it is written, of a file of that size.
func (w *indexWriter) addRecord(name, value []byte, size int64) {
	w.index.Files++
	w.index.Bytes += size
	w.table.add(name, value)
}

func (w *indexWriter) finish() (_ *Index, err error) {
	w.index.table, err = w.table.finish()
	return &w.index, err
}

// close removes what was not finished.
func (w *indexWriter) close() { w.table.close() }

// finder finds entries of an index, for one goroutine.
type finder struct{ *lookup }

func (x *Index) finder() (finder, error) {
	l, err := x.table.lookup()
	return finder{l}, err
}

// Names tells which names are in the index, in bounded memory, for one goroutine at a time. An index that cannot be read any
// more knows no name; close tells why.
func (x *Index) Names() (known func(name string) bool, close func() error, err error) {
	f, err := x.finder()
	if err != nil {
		return nil, nil, err
	}
	var failed error
	known = func(name string) bool {
		_, place, err := f.find(name)
		failed = cmp.Or(failed, err)
		return err == nil && place >= 0
	}
	return known, func() error { f.close(); return failed }, nil
}

// find is an entry and its place in the index, or -1.
func (f finder) find(name string) (IndexEntry, int64, error) {
	value, place, err := f.lookup.find([]byte(name))
	if err != nil || place < 0 {
		return IndexEntry{}, -1, err
	}
	e, err := readEntry(name, value)
	return e, place, err
}
