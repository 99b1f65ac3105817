package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/folder/delta"
	"github.com/seed-3480f271/provenance/provenance/image"
	"github.com/seed-3480f271/provenance/provenance/storage"
	"github.com/seed-3480f271/provenance/provenance/verify"
)

// maxIndex bounds a folder's index: a million files take some 300 MB, and there may be five.
const maxIndex = 2 << 30

// recheck asks the storage whether a folder is still what the verified statement says of it. The index that it compares
// with lies beside the image; its digest, and that its digests recombine to the folder's, comes from the statement.
func (j *job) recheck(img *image.Image) verify.Recheck {
	return func(ctx context.Context, f provenance.Folder, mode verify.Mode) (verify.Changes, error) {
		o, err := j.folderOptions(f.URI)
		if err != nil {
			return verify.Changes{}, err
		}
		index, err := fetchIndex(ctx, img, f, o.Dir)
		if err != nil {
			return verify.Changes{}, err
		}
		opened, done, err := j.openRecorded(ctx, f, index)
		if err != nil {
			return verify.Changes{}, err
		}
		defer j.startProgress()()
		changes, err := folder.Recheck(ctx, opened, index, string(mode), o)
		if err = cmp.Or(err, done()); err != nil {
			return verify.Changes{}, err
		}
		return verify.Changes{Added: converted(changes.Added), Removed: converted(changes.Removed), Modified: converted(changes.Modified),
			More: verify.Counts(changes.More)}, nil
	}
}

// openRecorded opens a recorded folder; of a Delta table only the files of the version that was recorded. done ends that.
func (j *job) openRecorded(ctx context.Context, f provenance.Folder, index *folder.Index) (opened storage.Folder, done func() error, err error) {
	done = func() error { return nil }
	if opened, err = storage.Open(ctx, f.URI, j.storageOptions()); err != nil {
		return nil, nil, err
	}
	if opened.URI() != f.URI { // a link has been put into its path
		return nil, nil, provenance.Refuse("recheck.moved", "", "%s leads to %s now", f.URI, opened.URI())
	}
	if f.Delta == nil {
		return opened, done, nil
	}
	known, done, err := index.Names()
	return delta.Recorded(opened, known), done, err
}

// fetchIndex reads a folder's index from beside the image into dir.
func fetchIndex(ctx context.Context, img *image.Image, f provenance.Folder, dir string) (*folder.Index, error) {
	blob, err := img.Blob(ctx, f.Index.Digest, maxIndex)
	if err != nil {
		return nil, fmt.Errorf("fetch the index of %s: %w", f.URI, err)
	}
	defer blob.Close()
	index, err := folder.ReadIndex(blob, dir, f.Digest)
	if err != nil {
		return nil, fmt.Errorf("read the index of %s: %w", f.URI, err)
	}
	index.Listed = f.Listed
	return index, nil
}

// converted are the same changes in verify's words, which knows no storage.
func converted(changes []folder.Change) (out []verify.Change) {
	for _, c := range changes {
		out = append(out, verify.Change(c))
	}
	return out
}
