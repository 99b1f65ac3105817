package main

import (
	"context"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// merged are the digests of a folder that other machines computed.
type merged struct {
	*folder.Merged
	sealedBy string // fingerprint; empty: no part has a seal
}

// listing is a listing from before training.
type listing struct {
	*folder.Listing
	file, sealedBy string
}

// readManifests reads the files of --manifest: shards, whole folders, or a plain manifest, which does not say of which folder
// it is, and so must be the only one of the only folder.
func (r *recorder) readManifests(ctx context.Context, asked []askedFolder) (map[string]merged, error) {
	out := map[string]merged{}
	groups, err := folder.GroupByURI(r.cfg.Manifest)
	if err != nil {
		return nil, err
	}
	for uri, parts := range groups {
		m, err := r.merge(ctx, parts)
		if err != nil {
			return nil, err
		}
		if uri == "" {
			if uri, err = r.onlyFolder(ctx, asked, parts); err != nil {
				return nil, err
			}
		}
		out[uri] = m
	}
	return out, nil
}

// onlyFolder is the URI of the only data folder.
func (r *recorder) onlyFolder(ctx context.Context, asked []askedFolder, parts []string) (string, error) {
	if len(asked) != 1 || len(r.cfg.Manifest) != 1 {
		return "", provenance.Misuse("give digest files, which name their folder: `provenance digest --output`",
			"%s is a plain manifest, and does not say of which of %d folders", parts[0], len(asked))
	}
	clean, _, _, err := storage.SplitDelta(asked[0].uri)
	if err != nil {
		return "", err
	}
	f, err := storage.Open(ctx, clean, r.storageOptions())
	if err != nil {
		return "", err
	}
	return f.URI(), nil
}

// merge puts the parts of one folder together, and checks their seals over the very bytes that it used.
func (r *recorder) merge(ctx context.Context, parts []string) (merged, error) {
	m, err := r.mergeParts(ctx, parts)
	if err != nil || r.key == nil {
		return merged{Merged: m}, err
	}
	by, err := sealsOf(m.Parts, r.key)
	return merged{m, by}, err
}

func (j *job) mergeParts(ctx context.Context, parts []string) (*folder.Merged, error) {
	dir, err := j.scratch.sub()
	if err != nil {
		return nil, err
	}
	return folder.Merge(ctx, parts, folder.Options{Dir: dir})
}

// readListings reads the files of --listing.
func (r *recorder) readListings(ctx context.Context) (map[string]listing, error) {
	out := map[string]listing{}
	for _, file := range r.cfg.Listing {
		dir, err := r.scratch.sub()
		if err != nil {
			return nil, err
		}
		l, err := folder.ReadListing(ctx, file, folder.Options{Dir: dir})
		if err != nil {
			return nil, err
		}
		if other, twice := out[l.URI]; twice {
			return nil, provenance.Misuse("give one of them", "%s and %s are both of %s", other.file, file, l.URI)
		}
		var by string
		if r.key != nil {
			if by, err = openSeal(file, l.File, r.key); err != nil {
				return nil, err
			}
		}
		out[l.URI] = listing{l, file, by}
	}
	return out, nil
}
