package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// keep writes everything that the statement rests on into the container that --evidence names, so that it can be read in ten years:
// the statement, its bundle, and all that lies beside the image. It comes before anything is attached: a record without its evidence
// is none.
func (r *recorder) keep(payload, bundle []byte) error {
	if r.cfg.Evidence == "" {
		return nil
	}
	keeper, err := storage.OpenKeeper(r.ctx, r.cfg.Evidence, r.storageOptions())
	if err != nil {
		return fmt.Errorf("--evidence: %w", err)
	}
	all, _, err := provenance.Beside(r.evidence...)
	if err != nil {
		return err
	}
	dir := path.Join(r.image.Noun().Digest.Hex(), provenance.SumSHA256(payload).Hex())
	all = append(all, inMemory("statement.json", payload), inMemory("bundle.sigstore.json", bundle))
	err = each(r.ctx, all, func(ctx context.Context, i int) error {
		name := path.Join(dir, all[i].Name)
		if i < len(all)-2 { // several may have one name
			name = path.Join(dir, "stored", all[i].Digest.Hex(), all[i].Name)
		}
		return keeper.Put(ctx, name, all[i].Digest, all[i].Open)
	})
	if err != nil {
		return fmt.Errorf("--evidence: %w", err)
	}
	r.say("kept %s at %s%s/", counted(int64(len(all)), "file"), keeper.URI(), dir)
	return r.warnUnlocked(keeper)
}

// warnUnlocked tells when nothing keeps the evidence from being removed again.
func (r *recorder) warnUnlocked(keeper *storage.Keeper) error {
	p, err := keeper.Protection(r.ctx)
	if err != nil {
		return fmt.Errorf("--evidence: %w", err)
	}
	switch {
	case p == nil:
		r.say("warning: %s is a local folder: nothing keeps the evidence there", keeper.URI())
	case isFalse(p.Policy) && isFalse(p.Hold) && isFalse(p.VersionWORM):
		r.say("warning: %s has neither a retention policy nor a legal hold: nothing keeps the evidence there", keeper.URI())
	}
	return nil
}

func isFalse(b *bool) bool { return b != nil && !*b }

func inMemory(name string, data []byte) provenance.Stored {
	return provenance.Stored{Name: name, Digest: provenance.SumSHA256(data), Size: int64(len(data)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}
