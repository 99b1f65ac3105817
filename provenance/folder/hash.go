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
// when it was modified and created, its SHA-256, when it was hashed and in whose run. [Recheck] compares a folder with it
// later. On a local disk [RecheckListing] compares sizes and modification times only, and whoever may write a file may set its
// time back: only [RecheckContent] finds such an edit. (While a folder is hashed the change time is compared too, which nobody
// can set.)
//
// Memory is bounded, whatever the number of files: what is known of each goes into a sorter, which spills sorted runs into
// Options.Dir, and one pass over their merge writes manifest and index. So
//
//	List ─► known already? (Previous, State) ─► yes ──────────────► sorter ─► manifest, index, listing digest
//	                                         └► no ─► workers: Open ─┘
//
// Many machines can share the work: each hashes a [Shard] and writes a digest file ([WriteDigestFile]), [Merge] joins these,
// and [Import] takes their digests for the folder as it is then. The format is spec/folder-digest-v1.md.
package folder

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// Options says how a folder is hashed. Only Dir is required.
type Options struct {
	Workers  int              // files read at the same time; 0 asks the storage
	Progress func(Progress)   // how far it is; called by one goroutine at a time
	Warn     func(string)     // takes the warnings of Collect and Model
	Now      func() time.Time // the clock of IndexEntry.HashedAt and Result.Listed; nil is time.Now
	// Dir is where temporary files and results lie. The caller removes it when nothing of the results is needed any more.
	Dir string
	// State is a folder that survives this process: digests of finished files are written there at once, and a next run with
	// the same State takes them. Empty: none. [ClearState] removes them, when all is done.
	State    string
	Settle   bool      // wait until local files have settled before they are read, 2 s at most: only then an imported digest counts as signed
	Previous *Previous // digests that may be reused; nil: none
	Shard    Shard     // which files are hashed; zero: all
}

// clock is Now, or the time.
func (o Options) clock() time.Time {
	if o.Now != nil {
		return o.Now().UTC()
	}
	return time.Now().UTC()
}

// Hash reads every file of a folder once, several at a time while it is listed, and lists the folder again when it is done,
// if that can tell more than the first listing. Memory is bounded: some 10 MiB, and one buffer for each worker.
//
// Refused, as *provenance.Refused: an empty folder (data.empty), a folder that changed meanwhile in any way (data.changed),
// a name or a time that a record cannot hold (data.name, data.date), a file that cannot have changed and did (data.overwritten), a foreign State
// (data.state).
func Hash(ctx context.Context, f storage.Folder, o Options) (*Result, error) {
	r, err := hashStill(ctx, f, o)
	if err == nil && r.Files == 0 {
		return nil, isEmpty(f)
	}
	return r, err
}

func isEmpty(f storage.Folder) error {
	return provenance.Refuse("data.empty", "is the path right?", "%s holds no files", f.URI())
}

// hashStill hashes a folder, and refuses one that did not keep still.
func hashStill(ctx context.Context, f storage.Folder, o Options) (*Result, error) {
	r, err := newRun(f, o)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.hashAll(ctx); err != nil {
		return nil, err
	}
	result, err := r.result()
	if err != nil || !listAgain(result.pinned, r.listed.Sub(r.started), r.hashed.Sub(r.listed)) {
		return result, err
	}
	changes, err := compareListing(ctx, f, result.index, movedOn)
	if err == nil && !changes.Empty() {
		err = provenance.Refuse("data.changed", "the folder must not be written to while it is recorded",
			"%s changed while it was hashed: %s", f.URI(), changes)
	}
	result.Listed = o.clock()
	return result, err
}

// listAgain tells whether a second listing is worth its time. Blobs are read as they were listed, by their ETags; so it finds
// the others only, which were added or removed after the first listing, and a second one that is no fresher than the first
// was when it ended tells nothing more. Local files can change after they were read.
func listAgain(pinned bool, listing, afterwards time.Duration) bool {
	return !pinned || afterwards > listing
}

// queueSize is how far a listing may run ahead of the workers. A queue that is seldom full or empty spares wake-ups.
const queueSize = 4096

// run hashes a folder once.
type run struct {
	folder   storage.Folder
	o        Options
	meter    *meter
	sorter   *sorter
	reuse    *reuse // nil: nothing is reused
	state    *state // nil: none is kept
	odd      oddNames
	retained retention

	started, listed, hashed time.Time // with the monotonic clock
	listedAt                time.Time // by Options.Now
}

func newRun(f storage.Folder, o Options) (_ *run, err error) {
	if o.Dir == "" {
		return nil, errors.New("no folder for temporary files is named")
	}
	if err := o.Shard.check(); err != nil {
		return nil, err
	}
	r := &run{folder: f, o: o, meter: &meter{report: o.Progress}, sorter: newSorter(o.Dir)}
	if o.Previous != nil {
		r.reuse, err = newReuse(o)
	}
	if err == nil && o.State != "" {
		r.state, err = openState(o.State, o.Dir, f.URI())
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *run) close() {
	r.sorter.close()
	r.reuse.close()
	r.state.close()
}

// hashAll lists and hashes at the same time. The first error ends everything.
func (r *run) hashAll(ctx context.Context) error {
	workers := r.o.Workers
	if workers <= 0 {
		workers = max(1, r.folder.Workers())
	}
	r.started = time.Now()
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan storage.Object, queueSize)
	group.Go(func() error {
		defer close(queue)
		return r.list(ctx, queue)
	})
	for range workers {
		group.Go(func() error { return newHasher(r).hashEach(ctx, queue) })
	}
	err := group.Wait()
	r.hashed = time.Now()
	return err
}

// list sends each file of the folder to the workers, or, when its digest is known, to the sorter.
func (r *run) list(ctx context.Context, queue chan<- storage.Object) error {
	group, ctx := errgroup.WithContext(ctx)
	listed := make(chan []storage.Object, 2)
	group.Go(func() error {
		defer close(listed)
		return batched(ctx, r.folder, listed)
	})
	group.Go(func() error {
		for batch := range listed {
			if err := r.dispatch(ctx, batch, queue); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	r.listed, r.listedAt = time.Now(), r.o.clock()
	r.meter.listedAll()
	return r.reuse.gone()
}

// listBatch is how many files a listing hands over at once: reading pages and looking files up go on at the same time.
const listBatch = 256

// batched lists a folder.
func batched(ctx context.Context, f storage.Folder, to chan<- []storage.Object) error {
	var batch []storage.Object
	send := func() error {
		select {
		case to <- batch:
			batch = make([]storage.Object, 0, listBatch)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := listSome(ctx, f, func(o storage.Object) error {
		if batch = append(batch, o); len(batch) < listBatch {
			return nil
		}
		return send()
	})
	if err != nil {
		return err
	}
	return send()
}

// dispatch sends files where they belong.
func (r *run) dispatch(ctx context.Context, batch []storage.Object, queue chan<- storage.Object) error {
	for _, o := range batch {
		r.odd.look(o.Name)
		r.retained.look(o)
		done, err := r.known(o)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		select {
		case queue <- o:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// known sorts a file that need not be read, and tells whether it did.
func (r *run) known(o storage.Object) (bool, error) {
	was, reused, err := r.reuse.take(o, r.o.Shard.has(o.Name))
	switch {
	case err != nil:
		return false, err
	case !r.o.Shard.has(o.Name):
		return true, r.sort(listedEntry(o))
	case !reused:
		var resumed bool
		if was, resumed, err = r.state.take(o); err != nil || !resumed {
			r.meter.add(Progress{ListedFiles: 1, ListedBytes: o.Size})
			return false, err
		}
	}
	r.meter.add(Progress{Files: 1, Bytes: o.Size, ListedFiles: 1, ListedBytes: o.Size})
	return true, r.sort(hashedLike(listedEntry(o), was))
}

func (r *run) sort(e IndexEntry) error {
	return r.sorter.addEntry(e)
}

// result is what was hashed.
func (r *run) result() (*Result, error) {
	result, err := build(r.o.Dir, r.sorter)
	if err != nil {
		return nil, err
	}
	result.URI, result.Shard, result.Listed, result.Warnings = r.folder.URI(), r.o.Shard, r.listedAt, r.odd.list()
	result.RetainUntil, result.AllRetained = r.retained.all()
	result.Reused, result.reusedBasis = r.reuse.sum()
	result.Resumed = r.state.count()
	return result, nil
}

// listSome lists a folder of at most [MaxFiles], whose names and ETags an index can hold.
func listSome(ctx context.Context, f storage.Folder, yield func(storage.Object) error) error {
	files := 0
	return f.List(ctx, func(o storage.Object) error {
		if files++; files > MaxFiles {
			return fmt.Errorf("%s holds more than %d files", f.URI(), MaxFiles)
		}
		if err := checkName(o.Name); err != nil {
			return err
		}
		if err := checkETag(o.ETag); err != nil {
			return fmt.Errorf("%s: the file %q: %w", f.URI(), o.Name, err)
		}
		if !isDate(o.Modified) && (o.Inode != 0 || !o.Modified.IsZero()) { // anybody can set it on a local disk; some services tell none
			return provenance.Refuse("data.date", "touch it", "%s: the file %q was modified in a year that cannot be recorded, %d", f.URI(), o.Name, o.Modified.UTC().Year())
		}
		return yield(o)
	})
}

// How much of a file is read at once, at the most. From a disk, as much as stays in the processor's cache until it is hashed; from
// a network more, because each call takes what has arrived, and wakes the sender.
const (
	leastBuffer  = 16 << 10
	localBuffer  = 256 << 10
	remoteBuffer = 1 << 20
)

// hasher is one worker.
type hasher struct {
	*run
	hash   hash.Hash
	buffer []byte
}

func newHasher(r *run) *hasher { return &hasher{run: r, hash: sha256.New()} }

// grow makes the buffer large enough for a file, and no larger than the largest file so far needs.
func (h *hasher) grow(o storage.Object) {
	most := int64(localBuffer)
	if o.ETag != "" {
		most = remoteBuffer
	}
	if want := max(leastBuffer, min(o.Size, most)); int64(len(h.buffer)) < want {
		h.buffer = make([]byte, want)
	}
}

// hashEach hashes files from the queue until it is closed.
func (h *hasher) hashEach(ctx context.Context, queue <-chan storage.Object) error {
	for o := range queue {
		entry, err := h.hashOne(ctx, o)
		if err == nil {
			err = errors.Join(h.state.append(entry), h.sort(entry))
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (h *hasher) hashOne(ctx context.Context, o storage.Object) (IndexEntry, error) {
	body, err := h.folder.Open(ctx, o)
	if err != nil {
		return IndexEntry{}, err
	}
	defer body.Close() // was read only
	h.grow(o)
	entry := listedEntry(o)
	if h.o.Settle {
		settle(ctx, o)
	}
	entry.HashedAt = h.o.clock().Truncate(time.Second)
	entry.SHA256, err = h.sum(ctx, body)
	return entry, err
}

// settle waits until a change of a local file that comes later would show. The time of hashing is kept in whole seconds.
func settle(ctx context.Context, o storage.Object) {
	wait := time.Until(time.Unix(0, o.Changed).Add(settled + time.Second))
	if o.Changed == 0 || wait <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(min(wait, settled+time.Second)): // a clock may be ahead of this one
	}
}

// sum is the digest of a body.
func (h *hasher) sum(ctx context.Context, body io.Reader) (provenance.Digest, error) {
	h.hash.Reset()
	for {
		n, err := body.Read(h.buffer)
		h.hash.Write(h.buffer[:n])
		switch {
		case errors.Is(err, io.EOF):
			h.meter.add(Progress{Files: 1, Bytes: int64(n)})
			return provenance.DigestOf(provenance.SHA256, [sha256.Size]byte(h.hash.Sum(nil))), nil
		case err != nil:
			return provenance.Digest{}, err
		case ctx.Err() != nil:
			return provenance.Digest{}, ctx.Err()
		}
		h.meter.add(Progress{Bytes: int64(n)})
	}
}
