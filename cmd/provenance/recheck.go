package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/image"
	"github.com/seed-3480f271/provenance/provenance/storage"
	"github.com/seed-3480f271/provenance/provenance/verify"
)

// maxIndex bounds a folder's index: a million files take some 300 MB.
const maxIndex = 1 << 30

// recheck asks the storage whether a folder is still what the verified statement says of it. The index that it compares
// with lies beside the image; its digest, and that its digests recombine to the folder's, comes from the statement.
func (j *job) recheck(img *image.Image) verify.Recheck {
	return func(ctx context.Context, f provenance.Folder, mode verify.Mode) (verify.Changes, error) {
		index, err := fetchIndex(ctx, img, f)
		if err != nil {
			return verify.Changes{}, err
		}
		opened, err := storage.Open(ctx, f.URI, j.storageOptions())
		if err != nil {
			return verify.Changes{}, err
		}
		if opened.URI() != f.URI { // a link has been put into its path
			return verify.Changes{}, provenance.Refuse("recheck.moved", "", "%s leads to %s now", f.URI, opened.URI())
		}
		changes, err := folder.Recheck(ctx, opened, index, string(mode), j.folderOptions(f.URI))
		if err != nil {
			return verify.Changes{}, err
		}
		more := changes.More
		return verify.Changes{Added: names(changes.Added, more.Added), Removed: names(changes.Removed, more.Removed),
			Modified: names(changes.Modified, more.Modified)}, nil
	}
}

func fetchIndex(ctx context.Context, img *image.Image, f provenance.Folder) ([]folder.IndexEntry, error) {
	blob, err := img.Blob(ctx, f.Index.Digest, maxIndex)
	if err != nil {
		return nil, fmt.Errorf("fetch the index of %s: %w", f.URI, err)
	}
	defer blob.Close()
	index, err := folder.ParseIndex(blob)
	if err != nil {
		return nil, fmt.Errorf("read the index of %s: %w", f.URI, err)
	}
	return index, folder.CheckIndex(index, f.Digest)
}

// names are the changed files, with the time since when; more is how many there are beside them.
func names(changes []folder.Change, more int) []string {
	var out []string
	for _, c := range changes {
		name := c.Name
		if c.What != "" {
			name += " (" + c.What + ")"
		}
		if !c.Since.IsZero() {
			name += " since " + c.Since.UTC().Format(time.RFC3339)
		}
		out = append(out, name)
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("(and %d more)", more))
	}
	return out
}
