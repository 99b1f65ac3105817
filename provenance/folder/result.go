package folder

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// Result is a hashed folder, or a shard of one. What is known of each file lies in files in Options.Dir.
type Result struct {
	URI     string            // of the folder
	Digest  provenance.Digest // dirHash; zero for a shard, which does not know it
	Files   int64             // of the whole folder, of a shard too
	Bytes   int64             // of the whole folder
	Shard   Shard             // which files were hashed
	Entries int64             // how many files were hashed: all of them, or those of the shard
	Newest  time.Time         // when the latest was modified
	Oldest  time.Time         // when the earliest was created; zero for local files
	Listed  time.Time         // when the last listing that showed these files was complete
	Listing provenance.Digest // of names, sizes, ETags and times of the whole folder
	// Reused, Resumed and Imported count the files whose digests were not computed now.
	Reused   *provenance.Reused
	Resumed  int64
	Imported *provenance.Imported
	// RetainUntil is when the first blob loses its own retention; zero when one has none. AllRetained tells whether
	// each has one that is locked.
	RetainUntil time.Time
	AllRetained bool
	Warnings    []string // about names that are easily taken for others

	manifest, text provenance.Stored
	index          *Index // of all files; those of other shards have no digests
	pinned         bool   // every file has an ETag
	reusedBasis    provenance.Basis
	namesOnly      bool // it was read from a manifest
}

// Manifest is the folder's manifest. Its digest has the dirHash's value.
func (r *Result) Manifest() provenance.Stored { return r.manifest }

// Index is the folder's index, to lie beside the image.
func (r *Result) Index() provenance.Stored { return r.text }

// Lines is the folder's index, to be read here. Files of other shards are in it, without digests.
func (r *Result) Lines() *Index { return r.index }

// builder makes a result of sorted entries in one pass.
type builder struct {
	result   *Result
	index    *indexWriter
	manifest *storedWriter // nil when nothing was hashed
	text     *storedWriter
	listing  hash.Hash
	line     []byte
	last     string
}

// build makes a result of what was sorted. hashed tells whether there are digests, or just a listing.
func build(dir string, s *sorter, hashed bool) (*Result, error) {
	b := &builder{result: &Result{pinned: true}, listing: sha256.New()}
	defer b.close()
	var err error
	if b.index, err = newIndexWriter(dir); err == nil && hashed {
		if b.manifest, err = newStoredWriter(dir); err == nil {
			b.text, err = newStoredWriter(dir)
		}
	}
	if err == nil {
		err = s.each(b.record)
	}
	if err != nil {
		return nil, err
	}
	return b.finish()
}

// record takes the next record of the sorter.
func (b *builder) record(key, value []byte) error {
	e, err := readEntry(string(key), value)
	if err != nil {
		return err
	}
	if e.Name == b.last && b.result.Files > 0 {
		return provenance.Refuse("data.changed", "", "the file %s was listed twice", e.Name)
	}
	b.last = e.Name
	b.result.count(e)
	if b.line, err = appendListingLine(b.line[:0], e); err != nil {
		return err
	}
	b.listing.Write(b.line)
	b.index.add(e)
	if b.manifest == nil || e.SHA256.IsZero() {
		return nil
	}
	b.result.Entries++
	b.line = appendManifestLine(b.line[:0], e)
	b.manifest.Write(b.line)
	if b.line, err = appendLine(b.line[:0], e); err != nil {
		return err
	}
	b.text.Write(b.line)
	return nil
}

// count adds a file to what is known of all.
func (r *Result) count(e IndexEntry) {
	r.Files++
	r.Bytes += e.Size
	r.pinned = r.pinned && e.ETag != ""
	if e.Modified.After(r.Newest) {
		r.Newest = e.Modified
	}
	if !e.Created.IsZero() && (r.Oldest.IsZero() || e.Created.Before(r.Oldest)) {
		r.Oldest = e.Created
	}
}

func (b *builder) finish() (_ *Result, err error) {
	r := b.result
	r.Listing = provenance.DigestOf(provenance.SHA256, [sha256.Size]byte(b.listing.Sum(nil)))
	if r.index, err = b.index.finish(); err != nil || b.manifest == nil {
		return r, err
	}
	var both [2]error
	r.manifest, both[0] = b.manifest.finish("manifest.sha256", ManifestMediaType)
	r.text, both[1] = b.text.finish("index.jsonl", IndexMediaType)
	if r.Entries == r.Files && err == nil {
		r.Digest, err = provenance.NewDigest(provenance.DirHash, r.manifest.Digest.Hex())
	}
	return r, errors.Join(both[0], both[1], err)
}

// close removes what was not finished.
func (b *builder) close() {
	if b.index != nil {
		b.index.close()
	}
	b.manifest.close()
	b.text.close()
}

// appendListingLine writes what the digest of a listing is over: SIZE ETAG MODIFIED NAME.
func appendListingLine(b []byte, e IndexEntry) ([]byte, error) {
	b = append(strconv.AppendInt(b, e.Size, 10), ' ')
	if e.ETag == "" {
		b = append(b, '-')
	}
	b, err := e.Modified.UTC().AppendText(append(append(b, e.ETag...), ' '))
	return append(append(append(b, ' '), e.Name...), '\n'), err
}

// storedWriter writes a file that will lie beside the image.
type storedWriter struct {
	file *os.File // nil once it is finished
	hash hash.Hash
	size int64
	w    *bufio.Writer
}

func newStoredWriter(dir string) (*storedWriter, error) {
	file, err := os.CreateTemp(dir, "stored-*")
	if err != nil {
		return nil, temporary(err)
	}
	hash := sha256.New()
	return &storedWriter{file: file, hash: hash, w: bufio.NewWriterSize(io.MultiWriter(file, hash), 64<<10)}, nil
}

// Write appends text. Errors come with finish.
func (s *storedWriter) Write(text []byte) {
	s.size += int64(len(text))
	s.w.Write(text)
}

func (s *storedWriter) finish(name, mediaType string) (provenance.Stored, error) {
	path := s.file.Name()
	err := errors.Join(s.w.Flush(), s.file.Close()) // a bufio.Writer keeps its first error
	s.file = nil
	return provenance.Stored{Name: name, MediaType: mediaType, Size: s.size,
		Digest: provenance.DigestOf(provenance.SHA256, [sha256.Size]byte(s.hash.Sum(nil))),
		Open:   func() (io.ReadCloser, error) { return os.Open(path) }}, temporary(err)
}

// close removes a file that was not finished.
func (s *storedWriter) close() {
	if s != nil && s.file != nil {
		s.file.Close() // is removed
		os.Remove(s.file.Name())
	}
}
