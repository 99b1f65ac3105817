package folder

import (
	"context"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// Collect hashes a data folder and says what is known of it. What protects it is not known here: see grade.go. Errors are those
// of [Hash], and *provenance.Misused for an unknown role.
func Collect(ctx context.Context, role string, f storage.Folder, o Options) (provenance.Folder, *Result, error) {
	if err := checkRole(role); err != nil {
		return provenance.Folder{}, nil, err
	}
	r, err := hashAndWarn(ctx, f, o)
	if err != nil {
		return provenance.Folder{}, nil, err
	}
	noun, err := r.Folder(role)
	return noun, r, err
}

// Folder is what is known of a folder that was hashed or imported. A wrong role, and a shard, are *provenance.Misused.
func (r *Result) Folder(role string) (provenance.Folder, error) {
	if err := checkRole(role); err != nil {
		return provenance.Folder{}, err
	}
	if r.Digest.IsZero() {
		return provenance.Folder{}, provenance.Misuse("merge all shards", "shard %s of %s is not the whole folder", r.Shard, r.URI)
	}
	basisOf := map[string]provenance.Basis{"role": provenance.Declared, "listed": provenance.Declared, "immutability": provenance.Declared, "protection": provenance.Declared,
		"trainedOn": provenance.Declared}
	for _, fact := range []string{"newest", "oldest"} {
		basisOf[fact] = r.timeBasis()
	}
	if basis := r.digestBasis(); basis != provenance.Observed {
		basisOf["digest"] = basis
	}
	return provenance.Folder{
		Grounds: provenance.Grounds{Basis: provenance.Observed, BasisOf: basisOf},
		Role:    role, URI: r.URI, Digest: r.Digest, Files: r.Files, Bytes: r.Bytes, Newest: r.Newest, Oldest: r.Oldest, Listed: r.Listed,
		Reused: r.Reused, Imported: r.Imported, Resumed: r.Resumed,
		Immutability: provenance.GradeUnknown, Manifest: r.Manifest(), Index: r.Index(),
	}, nil
}

func checkRole(role string) error {
	if slices.Contains(provenance.Roles, role) {
		return nil
	}
	return provenance.Misuse("", "%q is no role of a data folder: %s", role, strings.Join(provenance.Roles, ", "))
}

// timeBasis is reported when a service gave the times. On a local disk anybody who may write a file may set them.
func (r *Result) timeBasis() provenance.Basis {
	if r.pinned {
		return provenance.Reported
	}
	return provenance.Declared
}

// digestBasis is that of the digest which is known worst. The state of an interrupted run lies where anybody on the agent can
// write, and so do files of other machines, unless they are sealed and every file still is the one that was hashed.
func (r *Result) digestBasis() provenance.Basis {
	switch {
	case r.Resumed > 0, r.Imported != nil && (r.Imported.SealedBy == "" || !r.untouched):
		return provenance.Declared
	case r.Imported != nil:
		return provenance.Signed
	case r.Reused != nil:
		return r.reusedBasis
	}
	return provenance.Observed
}

// maxModelFiles is how many files a model may have: they are searched for in every layer of the image.
const maxModelFiles = 100_000

// Model hashes a trained model, a file or a folder, and returns its files too, to be searched for in the image. Name and
// version are the caller's. The model's Locations are left empty. Errors are those of [Hash]; more than 100,000 files are
// Refused as model.files.
func Model(ctx context.Context, name, version string, f storage.Folder, o Options) (provenance.Model, []provenance.File, error) {
	o.Previous, o.State, o.Shard, o.timeless = nil, "", Shard{}, true // every byte is read now
	r, err := hashAndWarn(ctx, f, o)
	if err != nil {
		return provenance.Model{}, nil, err
	}
	files, err := modelFiles(r)
	if err != nil {
		return provenance.Model{}, nil, err
	}
	m := provenance.Model{
		Grounds: provenance.Grounds{Basis: provenance.Observed,
			BasisOf: map[string]provenance.Basis{"name": provenance.Declared, "version": provenance.Declared}},
		Name: name, Version: version, URI: f.URI(), Digest: r.Digest, Files: r.Files, Bytes: r.Bytes, Manifest: r.Manifest(),
	}
	if !strings.HasSuffix(f.URI(), "/") { // a single file, not a folder of one
		m.File = files[0].SHA256
	}
	return m, files, nil
}

func modelFiles(r *Result) ([]provenance.File, error) {
	if r.Files > maxModelFiles {
		return nil, provenance.Refuse("model.files", "is the path right?", "the model %s has %d files, more than %d", r.URI, r.Files, maxModelFiles)
	}
	var files []provenance.File
	for e, err := range r.index.Entries() {
		if err != nil {
			return nil, err
		}
		files = append(files, provenance.File{Path: e.Name, Size: e.Size, SHA256: e.SHA256})
	}
	return files, nil
}

func hashAndWarn(ctx context.Context, f storage.Folder, o Options) (*Result, error) {
	r, err := Hash(ctx, f, o)
	if err == nil && o.Warn != nil {
		for _, warning := range r.Warnings {
			o.Warn(warning)
		}
	}
	return r, err
}
