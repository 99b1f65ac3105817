package folder

import (
	"cmp"
	"strconv"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// Result is a hashed folder, or a shard of one. What is known of each file lies in a file in Options.Dir.
type Result struct {
	URI     string            // of the folder
	Digest  provenance.Digest // dirHash; zero for a shard, which does not know it
	Files   int64             // of the whole folder, of a shard too
	Bytes   int64             // of the whole folder
	Shard   Shard             // which files were hashed
	Entries int64             // how many files were hashed: all of them, or those of the shard
	Newest  time.Time         // when the latest was modified
	Oldest  time.Time         // when the earliest was created; zero for local files, and when that of any is unknown
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
	index          *Index    // of all files; those of other shards have no digests
	pinned         bool      // every file has an ETag
	undated        bool      // it is not known when one was created
	readSince      time.Time // when the first file was read; zero for a listing
	unread         bool      // it is not known when one was read
	reusedBasis    provenance.Basis
	namesOnly      bool // it was read from a manifest
	untouched      bool // no file of an import can have changed since it was hashed
}

// Manifest is the folder's manifest. Its digest has the dirHash's value.
func (r *Result) Manifest() provenance.Stored { return r.manifest }

// Index is the folder's index, to lie beside the image.
func (r *Result) Index() provenance.Stored { return r.text }

// Lines is the folder's index, to be read here. Files of other shards are in it, without digests.
func (r *Result) Lines() *Index { return r.index }

// builder makes a result of sorted entries in one pass.
type builder struct {
	result                  *Result
	index                   *indexWriter
	listing, manifest, text *sum
	sums                    *sums // all three
	last                    string
	memo                    digestMemo
}

// build makes a result of what was sorted: a folder, a shard, or just a listing, whose entries have no digests.
func build(dir string, s *sorter) (*Result, error) {
	index, err := newIndexWriter(dir)
	if err != nil {
		return nil, err
	}
	defer index.close()
	b := &builder{result: &Result{pinned: true}, index: index, listing: newSum(appendListingLine), manifest: newSum(appendManifestLine), text: newSum(appendLine)}
	b.manifest.hashed, b.text.hashed = true, true
	b.sums = startSums(b.listing, b.manifest, b.text)
	err = s.each(b.record)
	if err = cmp.Or(b.sums.wait(), err); err != nil {
		return nil, err
	}
	return b.finish()
}

// record takes the next record of the sorter.
func (b *builder) record(key, value []byte) error {
	e, err := b.memo.readEntry(string(key), value)
	if err != nil {
		return err
	}
	if e.Name == b.last && b.result.Files > 0 {
		return provenance.Refuse("data.changed", "", "the file %s was listed twice", e.Name)
	}
	b.last = e.Name
	b.result.count(e)
	b.index.addRecord(key, value, e.Size)
	return b.sums.add(e)
}

// count adds a file to what is known of all.
func (r *Result) count(e IndexEntry) {
	r.Files++
	r.Bytes += e.Size
	if !e.SHA256.IsZero() {
		r.Entries++
	}
	r.pinned = r.pinned && e.ETag != ""
	switch {
	case e.HashedAt.IsZero():
		r.unread = true
	case r.readSince.IsZero() || e.HashedAt.Before(r.readSince):
		r.readSince = e.HashedAt
	}
	if e.Modified.After(r.Newest) {
		r.Newest = e.Modified
	}
	switch {
	case e.Created.IsZero():
		r.undated = true
	case r.Oldest.IsZero() || e.Created.Before(r.Oldest):
		r.Oldest = e.Created
	}
}

func (b *builder) finish() (_ *Result, err error) {
	r := b.result
	if r.index, err = b.index.finish(); err != nil {
		return nil, err
	}
	if r.undated {
		r.Oldest = time.Time{}
	}
	if r.unread {
		r.readSince = time.Time{}
	}
	r.Listing = b.listing.digest()
	r.manifest, r.text = b.manifest.stored("manifest.sha256", ManifestMediaType, r.index), b.text.stored("index.jsonl", IndexMediaType, r.index)
	if r.Entries == r.Files {
		r.Digest, err = provenance.NewDigest(provenance.DirHash, r.manifest.Digest.Hex())
	}
	return r, err
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
