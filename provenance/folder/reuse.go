package folder

import (
	"fmt"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// Previous is what an earlier attestation recorded of the same folder. The caller has verified it.
type Previous struct {
	Index     *Index
	Statement provenance.Digest // sha256 of the attestation's statement
	NotBefore time.Time         // digests of bytes that were read earlier are read again; zero: none are
	// CompareOnly takes no digest over: they were only declared. What the storage said of the files then is compared all the same.
	CompareOnly bool
	// Immutable is the grade that the folder had then. When files could be neither changed nor removed, those that are other
	// ones now are refused, and those that are gone, until Until.
	Immutable string
	Appends   bool      // the legal hold let files grow
	Until     time.Time // provenance.Protection.Until; zero: unknown
	Partial   bool      // the index is of some files of the folder, as of a table's version, and others may take their place
	// Basis is how the digests were known then. They are known no better now. Empty: better than Signed.
	Basis provenance.Basis
}

// reuse takes digests from an earlier attestation. A nil one takes none.
type reuse struct {
	Previous
	now    time.Time
	finder finder
	seen   bits
	taken  provenance.Reused
}

func newReuse(o Options) (*reuse, error) {
	u := &reuse{Previous: *o.Previous, now: o.clock(), seen: newBits(o.Previous.Index.Files)}
	u.taken.Previous = u.Statement
	var err error
	u.finder, err = u.Index.finder()
	return u, err
}

func (u *reuse) close() {
	if u != nil && u.finder.lookup != nil {
		u.finder.close()
	}
}

// take is the earlier digest of a file, if it may be reused: name, size, ETag and time are what they were. A file that may not
// have changed and did is refused; wanted tells whether a digest is needed beside that. Local files are never reused.
func (u *reuse) take(o storage.Object, wanted bool) (IndexEntry, bool, error) {
	if u == nil {
		return IndexEntry{}, false, nil
	}
	was, place, err := u.finder.find(o.Name)
	if err != nil || place < 0 {
		return IndexEntry{}, false, err
	}
	u.seen.set(place)
	if was.Size != o.Size || was.ETag != o.ETag {
		return IndexEntry{}, false, u.overwritten(was, o)
	}
	if !wanted || u.CompareOnly || o.ETag == "" || !was.Modified.Equal(o.Modified) || was.HashedAt.IsZero() || was.HashedAt.Before(u.NotBefore) ||
		was.HashedAt.After(u.now) { // nobody reads in the future: whoever wrote that tells nothing
		return IndexEntry{}, false, nil
	}
	if was.By.IsZero() {
		was.By = u.Statement
	}
	u.taken.Files++
	u.taken.Bytes += was.Size
	if u.taken.ReadSince.IsZero() || was.HashedAt.Before(u.taken.ReadSince) {
		u.taken.ReadSince = was.HashedAt
	}
	return was, true, nil
}

// fixed tells whether no file can have been changed or removed since. Protected append writes change files. Under version-level
// immutability the bytes stay, as a version, but the name may come to stand for others.
func (u *reuse) fixed() bool {
	switch u.Immutable {
	case provenance.GradeLocked:
		return u.Until.IsZero() || u.now.Before(u.Until)
	case provenance.GradeLegalHold: // it has no end of its own
		return !u.Appends
	}
	return false
}

const overwrittenHint = "somebody got around the protection, or it was not what was recorded: find out before anything is trained on it; " +
	"if a legal hold was cleared on purpose, record once with --reuse never"

func (u *reuse) overwritten(was IndexEntry, now storage.Object) error {
	if !u.fixed() {
		return nil
	}
	return provenance.Refuse("data.overwritten", overwrittenHint,
		"the file %s was overwritten, though it was recorded as immutable (%s): it had %d bytes and the ETag %q, and has %d and %q, since %s",
		was.Name, u.Immutable, was.Size, was.ETag, now.Size, now.ETag, now.Modified.UTC().Format(time.RFC3339))
}

// gone refuses files that are not there any more, and must be.
func (u *reuse) gone() error {
	if u == nil || !u.fixed() || u.Partial {
		return nil
	}
	var gone []Change
	var more int
	place := int64(-1)
	err := u.Index.each(func(e IndexEntry) error {
		if place++; !u.seen.has(place) {
			note(&gone, &more, Change{Name: e.Name})
		}
		return nil
	})
	if err != nil || gone == nil {
		return err
	}
	until := ""
	if !u.Until.IsZero() {
		until = " until " + u.Until.UTC().Format(time.RFC3339)
	}
	return provenance.Refuse("data.overwritten", overwrittenHint, "%s recorded as immutable (%s)%s: %s",
		areGone(len(gone)+more), u.Immutable, until, firstNames(gone))
}

func areGone(n int) string {
	if n == 1 {
		return "1 file is gone that was"
	}
	return fmt.Sprintf("%d files are gone that were", n)
}

// sum is what was reused, nil for nothing, and how well those digests are known.
func (u *reuse) sum() (*provenance.Reused, provenance.Basis) {
	if u == nil || u.taken.Files == 0 {
		return nil, ""
	}
	if u.Basis != "" && !u.Basis.AtLeast(provenance.Signed) {
		return &u.taken, u.Basis
	}
	return &u.taken, provenance.Signed
}
