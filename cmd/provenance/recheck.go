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
		opened, err := j.openRecorded(ctx, f, index, o.Dir)
		if err != nil {
			return verify.Changes{}, err
		}
		defer j.startProgress()()
		changes, err := folder.Recheck(ctx, opened.Folder, index, string(mode), o)
		if err = cmp.Or(err, opened.done()); err != nil {
			return verify.Changes{}, err
		}
		if changes.Empty() && opened.wrong != nil {
			return verify.Changes{}, opened.wrong
		}
		return verify.Changes{Added: converted(changes.Added), Removed: converted(changes.Removed), Modified: converted(changes.Modified),
			More: verify.Counts(changes.More)}, nil
	}
}

// recordedFolder is a folder to compare with its record.
type recordedFolder struct {
	storage.Folder
	done  func() error
	wrong error // why its version of a Delta table is not read as it was recorded; changes of recorded files say more
}

// openRecorded opens a recorded folder. Of a Delta table it shows the files of the version that was recorded, and its log is
// read again.
func (j *job) openRecorded(ctx context.Context, f provenance.Folder, index *folder.Index, dir string) (*recordedFolder, error) {
	opened, err := storage.Open(ctx, f.URI, j.storageOptions())
	if err != nil {
		return nil, err
	}
	if opened.URI() != f.URI { // a link has been put into its path
		return nil, provenance.Refuse("recheck.moved", "", "%s leads to %s now", f.URI, opened.URI())
	}
	if f.Delta == nil {
		return &recordedFolder{opened, func() error { return nil }, nil}, nil
	}
	known, done, err := index.Names()
	if err != nil {
		return nil, err
	}
	wrong := delta.Reread(ctx, opened, f.Delta.Version, known, dir)
	return &recordedFolder{delta.Recorded(opened, known), done, wrong}, nil
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
