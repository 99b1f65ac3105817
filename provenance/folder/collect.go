package folder

import (
	"context"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// untied is why a folder is not known to be what the model was trained on.
const untied = "named by the pipeline; no check tied the run to this folder"

// Collect hashes a data folder and says what is known of it. Errors are those of [Hash], and *provenance.Misused for an
// unknown role.
func Collect(ctx context.Context, role string, f storage.Folder, o Options) (provenance.Folder, error) {
	if err := checkRole(role); err != nil {
		return provenance.Folder{}, err
	}
	r, err := hashAndWarn(ctx, f, o)
	if err != nil {
		return provenance.Folder{}, err
	}
	return provenance.Folder{
		Grounds: provenance.Grounds{Basis: provenance.Observed, BasisOf: map[string]provenance.Basis{
			"role": provenance.Declared, "newest": r.newestBasis(), "immutability": provenance.Declared, "trainedOn": provenance.Declared}},
		Role: role, URI: f.URI(), Digest: r.Digest, Files: int64(len(r.Files)), Bytes: r.Bytes, Newest: r.Newest,
		Immutability: "unknown", TrainedOn: untied, Manifest: r.Manifest(), Index: r.Index(),
	}, nil
}

func checkRole(role string) error {
	for _, known := range provenance.Roles {
		if role == known {
			return nil
		}
	}
	return provenance.Misuse("", "%q is no role of a data folder: %s", role, strings.Join(provenance.Roles, ", "))
}

// newestBasis is reported when a service gave the times. On a local disk anybody who may write a file may set them.
func (r *Result) newestBasis() provenance.Basis {
	for _, e := range r.Entries {
		if e.ETag == "" {
			return provenance.Declared
		}
	}
	return provenance.Reported
}

// Model hashes a trained model, a file or a folder, and returns its files too, to be searched for in the image. Name and
// version are the caller's. The model's Locations are left empty. Errors are those of [Hash].
func Model(ctx context.Context, name, version string, f storage.Folder, o Options) (provenance.Model, []provenance.File, error) {
	r, err := hashAndWarn(ctx, f, o)
	if err != nil {
		return provenance.Model{}, nil, err
	}
	m := provenance.Model{
		Grounds: provenance.Grounds{Basis: provenance.Observed,
			BasisOf: map[string]provenance.Basis{"name": provenance.Declared, "version": provenance.Declared}},
		Name: name, Version: version, URI: f.URI(), Digest: r.Digest, Files: int64(len(r.Files)), Bytes: r.Bytes, Manifest: r.Manifest(),
	}
	if !strings.HasSuffix(f.URI(), "/") { // a single file, not a folder of one
		m.File = r.Files[0].SHA256
	}
	return m, r.Files, nil
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
