// Package folder turns a folder of files into a digest that an auditor can recompute with coreutils.
//
// The digest is in-toto's dirHash, which is Go's dirhash.Hash1 in hex: the SHA-256 of the folder's manifest. A manifest has
// a line for each file, sorted by the bytes of the path:
//
//	<SHA-256 of the file in lowercase hex><space><space><path, with slashes, relative to the folder><newline>
//
// So the SHA-256 of a manifest is the dirHash, sha256sum -c checks a download against it, and this line computes it:
//
//	find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0r sha256sum -- | sha256sum
//
// (sha256sum escapes backslashes and carriage returns in names, and the manifest does not: such names are warned about. A
// newline in a name cannot be written at all, and is refused.)
//
// Beside it stands an index, in JSON Lines and the same order, with what the storage said of each file: name, size, ETag,
// when it was modified and created, its SHA-256 and when it was hashed. [Recheck] compares a folder with it later. On a local
// disk [RecheckListing] compares sizes and modification times only, and whoever may write a file may set its time back: only
// [RecheckContent] finds such an edit. (While a folder is hashed the change time is compared too, which nobody can set.)
package folder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// Options says how a folder is hashed. The zero value is fit for use.
type Options struct {
	Workers  int                      // files read at the same time; 0 asks the storage
	Progress func(files, bytes int64) // what was hashed so far; called by one goroutine at a time
	Warn     func(string)             // takes the warnings of Collect and Model
	Now      func() time.Time         // the clock of IndexEntry.HashedAt; nil is time.Now
}

// Result is a hashed folder.
type Result struct {
	Files    []provenance.File // sorted by byte
	Entries  []IndexEntry      // in the same order
	Digest   provenance.Digest // dirHash
	Bytes    int64             // of all files
	Newest   time.Time         // when the latest was modified
	Warnings []string          // about names that are easily taken for others
}

// Manifest is the folder's manifest. Its digest has the dirHash's value.
func (r *Result) Manifest() provenance.Stored {
	var text bytes.Buffer
	WriteManifest(&text, r.Files) // a buffer takes everything
	return stored("manifest.sha256", ManifestMediaType, text.Bytes())
}

// Index is the folder's index.
func (r *Result) Index() provenance.Stored {
	var text bytes.Buffer
	WriteIndex(&text, r.Entries) // a buffer takes everything, and an entry always marshals
	return stored("index.jsonl", IndexMediaType, text.Bytes())
}

// Hash reads every file of a folder once, several at a time, and lists the folder again when it is done. It holds one
// buffer for each worker, and an entry for each file.
//
// Refused, as *provenance.Refused: an empty folder (data.empty), a folder that changed meanwhile in any way (data.changed),
// a name that a manifest cannot hold (data.name).
func Hash(ctx context.Context, f storage.Folder, o Options) (*Result, error) {
	index, warnings, err := hashStill(ctx, f, o)
	if err != nil {
		return nil, err
	}
	if len(index) == 0 {
		return nil, provenance.Refuse("data.empty", "is the path right?", "%s holds no files", f.URI())
	}
	return newResult(index, warnings), nil
}

// hashStill hashes a folder, lists it again, and refuses one that did not keep still.
func hashStill(ctx context.Context, f storage.Folder, o Options) ([]IndexEntry, []string, error) {
	index, warnings, err := hashAll(ctx, f, o)
	if err != nil {
		return nil, nil, err
	}
	changes, err := compareListing(ctx, f, index)
	if err == nil && !changes.Empty() {
		err = provenance.Refuse("data.changed", "the folder must not be written to while it is recorded",
			"%s changed while it was hashed: %s", f.URI(), changes)
	}
	return index, warnings, err
}

func newResult(index []IndexEntry, warnings []string) *Result {
	r := &Result{Files: filesOf(index), Entries: index, Warnings: warnings}
	r.Digest = DirHash(r.Files)
	for i, e := range index {
		index[i].changed = 0 // means nothing to another run
		r.Bytes += e.Size
		if e.Modified.After(r.Newest) {
			r.Newest = e.Modified
		}
	}
	return r
}

// queueSize is how far a listing may run ahead of the workers. A queue that is seldom full or empty spares wake-ups.
const queueSize = 4096

// hashAll lists and hashes at the same time, and returns a sorted index. The first error ends everything.
func hashAll(ctx context.Context, f storage.Folder, o Options) ([]IndexEntry, []string, error) {
	workers := o.Workers
	if workers <= 0 {
		workers = max(1, f.Workers())
	}
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan storage.Object, queueSize)
	var odd oddNames
	group.Go(func() error {
		defer close(queue)
		return listInto(ctx, f, queue, &odd)
	})
	meter := &meter{report: o.Progress}
	parts := make([][]IndexEntry, workers)
	for i := range parts {
		group.Go(func() (err error) {
			parts[i], err = newHasher(f, o, meter).hashEach(ctx, queue)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	index, err := sorted(slices.Concat(parts...))
	return index, odd.list(), err
}

// listInto sends each file of a folder to the workers.
func listInto(ctx context.Context, f storage.Folder, queue chan<- storage.Object, odd *oddNames) error {
	return listSome(ctx, f, func(o storage.Object) error {
		if err := checkName(o.Name); err != nil {
			return err
		}
		odd.look(o.Name)
		select {
		case queue <- o:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// listSome lists a folder of at most [MaxFiles].
func listSome(ctx context.Context, f storage.Folder, yield func(storage.Object) error) error {
	files := 0
	return f.List(ctx, func(o storage.Object) error {
		if files++; files > MaxFiles {
			return fmt.Errorf("%s holds more than %d files", f.URI(), MaxFiles)
		}
		return yield(o)
	})
}

// sorted sorts an index by byte and refuses a name that the storage listed twice.
func sorted(index []IndexEntry) ([]IndexEntry, error) {
	slices.SortFunc(index, byName)
	for i := 1; i < len(index); i++ {
		if index[i].Name == index[i-1].Name {
			return nil, provenance.Refuse("data.changed", "", "the file %s was listed twice", index[i].Name)
		}
	}
	return index, nil
}

func byName(a, b IndexEntry) int { return strings.Compare(a.Name, b.Name) }

// bufferSize is how much of a file is read at once. It fits into the processor's cache together with the hash's state.
const bufferSize = 256 << 10

// hasher is one worker.
type hasher struct {
	folder storage.Folder
	meter  *meter
	now    func() time.Time
	hash   hash.Hash
	buffer []byte
}

func newHasher(f storage.Folder, o Options, m *meter) *hasher {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	return &hasher{f, m, now, sha256.New(), make([]byte, bufferSize)}
}

// hashEach hashes files from the queue until it is closed.
func (h *hasher) hashEach(ctx context.Context, queue <-chan storage.Object) ([]IndexEntry, error) {
	var entries []IndexEntry
	for o := range queue {
		entry, err := h.hashOne(ctx, o)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, ctx.Err()
}

func (h *hasher) hashOne(ctx context.Context, o storage.Object) (IndexEntry, error) {
	body, err := h.folder.Open(ctx, o)
	if err != nil {
		return IndexEntry{}, err
	}
	defer body.Close() // was read only
	entry := IndexEntry{Name: o.Name, Size: o.Size, ETag: o.ETag, Modified: o.Modified, Created: o.Created,
		changed: o.Changed, HashedAt: h.now().UTC().Truncate(time.Second)}
	entry.SHA256, err = h.sum(ctx, body)
	return entry, err
}

// sum is the digest of a body.
func (h *hasher) sum(ctx context.Context, body io.Reader) (provenance.Digest, error) {
	h.hash.Reset()
	for {
		n, err := body.Read(h.buffer)
		h.hash.Write(h.buffer[:n])
		switch {
		case errors.Is(err, io.EOF):
			h.meter.add(1, int64(n))
			return provenance.DigestOf(provenance.SHA256, [sha256.Size]byte(h.hash.Sum(nil))), nil
		case err != nil:
			return provenance.Digest{}, err
		case ctx.Err() != nil:
			return provenance.Digest{}, ctx.Err()
		}
		h.meter.add(0, int64(n))
	}
}

// meter counts what all workers hashed.
type meter struct {
	mu           sync.Mutex
	files, bytes int64
	report       func(files, bytes int64)
}

func (m *meter) add(files, bytes int64) {
	if m.report == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files += files
	m.bytes += bytes
	m.report(m.files, m.bytes)
}
