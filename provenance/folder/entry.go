package folder

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// IndexEntry is one line of an index: a file as it was listed, and what was hashed then. Times are UTC.
type IndexEntry struct {
	Name     string            // slash-separated, relative to the folder
	Size     int64             // bytes
	ETag     string            // empty for a local file
	Modified time.Time         // as the storage said
	Created  time.Time         // zero for a local file
	SHA256   provenance.Digest // of the bytes; zero in a listing
	HashedAt time.Time         // when they were read, to the second; zero when nobody said it
	By       provenance.Digest // sha256 of the statement whose run read them; zero: the one that this index belongs to
	changed  int64             // storage.Object.Changed while a folder is hashed, else 0
	inode    uint64            // storage.Object.Inode, the same
}

// listedEntry is a file before it is hashed.
func listedEntry(o storage.Object) IndexEntry {
	return IndexEntry{Name: o.Name, Size: o.Size, ETag: o.ETag, Modified: o.Modified, Created: o.Created, changed: o.Changed, inode: o.Inode}
}

// hashedLike is now with the digest of was.
func hashedLike(now, was IndexEntry) IndexEntry {
	now.SHA256, now.HashedAt, now.By = was.SHA256, was.HashedAt, was.By
	return now
}

// The parts of a binary entry that may be missing.
const (
	hasCreated = 1 << iota
	hasDigest
	hasHashedAt
	hasBy
)

// appendEntry writes all of an entry but its name, in the compact form of temporary files and journals: a byte that says
// which parts follow, then size, modification time, change time, inode and ETag, then those parts.
func appendEntry(b []byte, e IndexEntry) []byte {
	at := len(b)
	b = append(b, 0)
	b = binary.AppendVarint(b, e.Size)
	b = appendTime(b, e.Modified)
	b = binary.AppendVarint(b, e.changed)
	b = binary.AppendUvarint(b, e.inode)
	b = binary.AppendUvarint(b, uint64(len(e.ETag)))
	b = append(b, e.ETag...)
	if !e.Created.IsZero() {
		b[at] |= hasCreated
		b = appendTime(b, e.Created)
	}
	if !e.SHA256.IsZero() {
		b[at] |= hasDigest
		b = appendDigest(b, e.SHA256)
	}
	if !e.HashedAt.IsZero() {
		b[at] |= hasHashedAt
		b = appendTime(b, e.HashedAt)
	}
	if !e.By.IsZero() {
		b[at] |= hasBy
		b = appendDigest(b, e.By)
	}
	return b
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, t.Unix()), uint64(t.Nanosecond()))
}

// appendDigest writes the 32 bytes of a digest, which is hex by construction.
func appendDigest(b []byte, d provenance.Digest) []byte {
	b, _ = hex.AppendDecode(b, []byte(d.Hex()))
	return b
}

var errEntry = errors.New("an entry is damaged")

// readEntry reads what appendEntry wrote.
func readEntry(name string, value []byte) (IndexEntry, error) {
	return new(digestMemo).readEntry(name, value)
}

// digestMemo is a digest that was read before: most files of an index name the same attestation.
type digestMemo struct {
	raw    [32]byte
	digest provenance.Digest
}

// of is the digest of these bytes.
func (m *digestMemo) of(raw []byte) provenance.Digest {
	if m.digest.IsZero() || m.raw != [32]byte(raw) {
		m.raw = [32]byte(raw)
		m.digest = provenance.DigestOf(provenance.SHA256, m.raw)
	}
	return m.digest
}

func (m *digestMemo) readEntry(name string, value []byte) (IndexEntry, error) {
	d := decoder{rest: value}
	flags := d.take(1)
	e := IndexEntry{Name: name, Size: d.varint(), Modified: d.time(), changed: d.varint(), inode: d.uvarint()}
	e.ETag = string(d.take(d.uvarint()))
	if d.bad {
		return IndexEntry{}, errEntry
	}
	if flags[0]&hasCreated != 0 {
		e.Created = d.time()
	}
	if flags[0]&hasDigest != 0 {
		e.SHA256 = d.digest()
	}
	if flags[0]&hasHashedAt != 0 {
		e.HashedAt = d.time()
	}
	if flags[0]&hasBy != 0 {
		if by := d.take(32); !d.bad {
			e.By = m.of(by)
		}
	}
	if d.bad || len(d.rest) > 0 || e.Size < 0 {
		return IndexEntry{}, errEntry
	}
	return e, nil
}

// decoder takes parts from the beginning of rest. Once something is wrong, it is bad for ever and gives zeros.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.rest)) {
		d.bad = true
		return nil
	}
	part := d.rest[:n]
	d.rest = d.rest[n:]
	return part
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.took(n)
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.took(n)
	return v
}

// took moves over a number of n bytes; none or fewer say that there is none.
func (d *decoder) took(n int) {
	d.take(uint64(max(n, 0)))
	d.bad = d.bad || n <= 0
}

func (d *decoder) time() time.Time {
	seconds, nanoseconds := d.varint(), d.uvarint()
	if d.bad || nanoseconds >= uint64(time.Second) {
		d.bad = true
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanoseconds)).UTC()
}

func (d *decoder) digest() provenance.Digest {
	sum := d.take(32)
	if d.bad {
		return provenance.Digest{}
	}
	return provenance.DigestOf(provenance.SHA256, [32]byte(sum))
}
