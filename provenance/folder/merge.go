package folder

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
)

// Merged is what digest files say of a whole folder. [Import] takes it for the folder; until then it is what somebody wrote.
type Merged struct {
	*Result
	Parts []Part
}

// Part is a file that was merged.
type Part struct {
	Path   string
	Digest provenance.Digest // sha256 of its bytes as they were used, to check a seal against
}

// Merge reads the digest files of all shards of a folder, or of the whole folder, each once. Or it reads one manifest, which
// tells names and digests only.
//
// Refused, as data.shards: what is no digest file, is cut off or contradicts its header, a shard that is missing or there twice,
// a file in a shard that it does not belong to, and parts of other folders, other listings, or another number of shards.
func Merge(ctx context.Context, parts []string, o Options) (*Merged, error) {
	if len(parts) == 0 {
		return nil, provenance.Misuse("name the digest files of all shards", "there is nothing to merge")
	}
	m := &merger{ctx: ctx, sorter: newSorter(o.Dir), shards: map[string]string{}}
	defer m.sorter.close()
	for _, path := range parts {
		if err := m.read(path, len(parts)); err != nil {
			return nil, err
		}
	}
	if err := m.complete(); err != nil {
		return nil, err
	}
	r, err := build(o.Dir, m.sorter)
	if err != nil {
		return nil, err
	}
	return m.check(r)
}

// merger merges digest files. first is the header of the first of them; none for a manifest.
type merger struct {
	ctx      context.Context
	sorter   *sorter
	first    *digestHeader
	shards   map[string]string // path, by shard
	parts    []Part
	manifest bool
	resumed  int64
}

const shardsHint = "write the digest files again, all from the same state of the folder"

// badShards refuses what is read.
func badShards(format string, args ...any) error {
	return provenance.Refuse("data.shards", shardsHint, format, args...)
}

// read reads one file. Its digest is of exactly the bytes that were read.
func (m *merger) read(path string, of int) error {
	file, err := openRegular(path)
	if err != nil {
		return err
	}
	defer file.Close() // was read only
	hash := sha256.New()
	in := bufio.NewReaderSize(io.TeeReader(file, hash), 64<<10)
	if first, err := in.Peek(1); err == nil && first[0] != '{' {
		if m.manifest = true; of > 1 {
			return badShards("%s is no digest file, and a manifest is of a whole folder", path)
		}
		err = eachManifestLine(in, m.add)
		return m.took(path, hash.Sum(nil), err)
	}
	err = readDigestFile(in, func(h digestHeader) error { return m.open(path, h) }, m.add)
	return m.took(path, hash.Sum(nil), err)
}

// took notes a part that was read to its end, or refuses it.
func (m *merger) took(path string, sum []byte, err error) error {
	var refused *provenance.Refused
	var misused *provenance.Misused
	var unreadable *fs.PathError
	switch {
	case err == nil:
		m.parts = append(m.parts, Part{path, provenance.DigestOf(provenance.SHA256, [sha256.Size]byte(sum))})
		return nil
	case m.ctx.Err() != nil, errors.As(err, &refused), errors.As(err, &misused), errors.As(err, &unreadable):
		return err
	}
	return badShards("%s: %v", path, err)
}

func (m *merger) add(e IndexEntry) error {
	if m.ctx.Err() != nil {
		return m.ctx.Err()
	}
	return m.sorter.addEntry(e)
}

// open compares a header with those before.
func (m *merger) open(path string, h digestHeader) error {
	if h.Shard == isListing {
		return provenance.Refuse("data.shards", "record takes a listing as --listing", "%s is a listing, without digests", path)
	}
	if m.first == nil {
		m.first = &h
	}
	switch was := *m.first; {
	case h.URI != was.URI:
		return badShards("%s is of %s, but other parts are of %s", path, h.URI, was.URI)
	case parts(h) != parts(was):
		return badShards("%s is shard %s, but another part is shard %s", path, h.Shard, was.Shard)
	case m.shards[h.Shard] == path:
		return provenance.Misuse("name each file once", "%s is given twice", path)
	case m.shards[h.Shard] != "":
		return badShards("%s and %s are both shard %s", m.shards[h.Shard], path, h.Shard)
	case h.Listing != was.Listing || h.Files != was.Files || h.Bytes != was.Bytes:
		return badShards("%s comes from another listing of the folder than other parts: the folder changed in between", path)
	}
	m.shards[h.Shard] = path
	m.resumed += h.Resumed
	if h.ListedAt.After(m.first.ListedAt) {
		m.first.ListedAt = h.ListedAt
	}
	return nil
}

// parts is how many shards there are.
func parts(h digestHeader) string {
	_, n, _ := strings.Cut(h.Shard, "/")
	return n
}

// complete refuses what has gaps.
func (m *merger) complete() error {
	if m.manifest {
		return nil
	}
	first, err := ParseShard(m.first.Shard)
	var missing []string
	for i := 1; i <= first.N; i++ {
		if s := (Shard{i, first.N}).String(); m.shards[s] == "" && len(missing) < shown {
			missing = append(missing, s)
		}
	}
	if gaps := first.N - len(m.shards); err == nil && gaps > 0 {
		verb := "are"
		if gaps == 1 {
			verb = "is"
		}
		return provenance.Refuse("data.shards", "name its file, too; or, if there is none, run that shard again", "%d of %d shards %s missing: %s", gaps, first.N, verb, strings.Join(missing, ", "))
	}
	return err
}

// check compares the sum of all parts with their headers.
func (m *merger) check(r *Result) (*Merged, error) {
	if m.manifest {
		r.namesOnly, r.Listing, r.pinned = true, provenance.Digest{}, false
		return &Merged{r, m.parts}, nil
	}
	h := m.first
	if r.Files != h.Files || r.Bytes != h.Bytes || r.Listing.Hex() != h.Listing {
		return nil, badShards("the parts of %s together have %d files, %d bytes and the listing %s, but their headers say %d, %d and %s",
			h.URI, r.Files, r.Bytes, r.Listing.Short(), h.Files, h.Bytes, h.Listing[:12])
	}
	r.URI, r.Listed, r.Resumed = h.URI, h.ListedAt.UTC(), m.resumed
	return &Merged{r, m.parts}, nil
}

// openRegular opens a file that the user named.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, provenance.Misuse("", "%s does not exist", path)
	}
	if err == nil && !info.Mode().IsRegular() {
		return nil, provenance.Misuse("", "%s is not a file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read: %w", err)
	}
	return os.Open(path)
}
