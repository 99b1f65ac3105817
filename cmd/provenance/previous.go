package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/image"
)

// earlier is an attestation of the same pipeline, whose digests may be reused. Its signature was verified with the key that
// signs now.
type earlier struct {
	record    provenance.Record
	statement provenance.Digest // sha256 of its payload
	image     *image.Image      // lies in the repository that holds its indexes
}

// reuse is what --reuse says: whether digests are reused, and how old they may be.
type reuse struct {
	never  bool
	maxAge time.Duration // 0: any
}

func parseReuse(s string) (reuse, error) {
	switch s {
	case "", "auto":
		return reuse{}, nil
	case "never":
		return reuse{never: true}, nil
	}
	age, err := time.ParseDuration(s)
	if err != nil || age <= 0 {
		return reuse{}, provenance.Misuse("write auto, never, or how old a digest may be, such as 720h", "--reuse %q is not known", s)
	}
	return reuse{maxAge: age}, nil
}

// notBefore is when the bytes of a reused digest must have been read at the earliest.
func (u reuse) notBefore(now time.Time) time.Time {
	if u.maxAge == 0 {
		return time.Time{}
	}
	return now.Add(-u.maxAge)
}

// findEarlier looks for the attestation whose digests may be reused: the one that --previous names, or else the last one of
// this pipeline in the image's repository. Without one, everything is read; nil says so.
func (r *recorder) findEarlier(ctx context.Context) (*earlier, error) {
	if r.reuse.never || r.key == nil {
		return nil, nil
	}
	if r.cfg.Previous != "" {
		return r.namedEarlier(ctx)
	}
	found, err := r.image.Previous(ctx, r.pipelineID())
	if errors.Is(err, image.ErrNoPrevious) {
		return nil, nil
	}
	var e *earlier
	if err == nil {
		e, err = r.openEarlier(r.image, found)
	}
	if err != nil { // nobody asked for it, and reading everything is always right
		r.say("warning: the last attestation of this pipeline cannot be used, so every file is read: %v", err)
		return nil, nil
	}
	return e, nil
}

// namedEarlier is the newest attestation of this pipeline on the image that --previous names.
func (r *recorder) namedEarlier(ctx context.Context) (*earlier, error) {
	img, err := image.Resolve(ctx, r.cfg.Previous, r.imageOptions(""))
	if err != nil {
		return nil, fmt.Errorf("--previous: %w", err)
	}
	found, err := img.Attestations(ctx)
	if err != nil {
		return nil, fmt.Errorf("--previous: %w", err)
	}
	var newest *earlier
	for _, f := range found {
		e, err := r.openEarlier(img, f)
		if err == nil && (newest == nil || e.record.Pipeline.Finished.After(newest.record.Pipeline.Finished)) {
			newest = e
		}
	}
	if newest == nil {
		return nil, provenance.Refuse("previous.none", "without --previous, the last one of this pipeline in the image's repository is used; --reuse never reads everything",
			"%s carries no attestation that was signed with %s by the builder %s", r.cfg.Previous, r.cfg.Key, r.pipelineID())
	}
	return newest, nil
}

// openEarlier verifies an attestation, and that it is of this pipeline.
func (r *recorder) openEarlier(img *image.Image, f image.Found) (*earlier, error) {
	if f.Err != nil {
		return nil, f.Err
	}
	statement, payload, err := openStatement(f.Bytes, r.key.Trust())
	if err != nil {
		return nil, err
	}
	record, err := provenance.Read(statement)
	if err != nil {
		return nil, err
	}
	if record.Pipeline.BuilderID != r.pipelineID() {
		return nil, provenance.Refuse("previous.builder", "", "it is of the builder %s, not of %s", record.Pipeline.BuilderID, r.pipelineID())
	}
	return &earlier{record, provenance.SumSHA256(payload), img}, nil
}

// pipelineID tells pipelines apart. Hosted and self-hosted pools earn different trust, so their digests are not mixed.
func (r *recorder) pipelineID() string {
	for _, e := range r.evidence {
		if p, ok := e.(provenance.Pipeline); ok {
			return p.BuilderID
		}
	}
	return ""
}

// digests are those that the earlier attestation has of a folder; nil if it has none.
func (e *earlier) digests(ctx context.Context, uri, dir string, notBefore time.Time) (*folder.Previous, error) {
	if e == nil {
		return nil, nil
	}
	for _, f := range e.record.Data {
		if f.URI != uri || f.Index.Digest.IsZero() {
			continue
		}
		index, err := fetchIndex(ctx, e.image, f, dir)
		if err != nil {
			return nil, err
		}
		return &folder.Previous{Index: index, Statement: e.statement, NotBefore: notBefore, CompareOnly: !f.Of("digest").AtLeast(provenance.Signed),
			Immutable: f.Immutability, Appends: f.Protection != nil && f.Protection.HoldAppendWrites, Until: until(f), Basis: f.Of("digest")}, nil
	}
	return nil, nil
}

// until is when the folder's first file loses its protection; zero: unknown.
func until(f provenance.Folder) time.Time {
	if f.Protection == nil {
		return time.Time{}
	}
	return f.Protection.Until
}
