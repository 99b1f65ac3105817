package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// keep writes everything that the statement rests on into the container that --evidence names, so that it can be read in ten years:
// the statement, its bundle, and all that lies beside the image. It comes before anything is attached: a record without its evidence
// is none.
func (r *recorder) keep(payload, bundle []byte, stored []provenance.Stored) error {
	if r.cfg.Evidence == "" {
		return nil
	}
	keeper, err := storage.OpenKeeper(r.ctx, r.cfg.Evidence, r.storageOptions())
	if err != nil {
		return fmt.Errorf("--evidence: %w", err)
	}
	dir := path.Join(r.image.Noun().Digest.Hex(), provenance.SumSHA256(payload).Hex())
	all := append(slices.Clone(stored), inMemory("statement.json", payload), inMemory("bundle.sigstore.json", bundle))
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

// beside lists what the statement names as lying beside the image, and nothing else. A statement that was signed earlier names the
// answers of its own night, not of this one.
func (r *recorder) beside(statement provenance.Statement, again bool) ([]provenance.Stored, error) {
	mine, _, err := provenance.Beside(r.evidence...)
	if err != nil || !again {
		return mine, err
	}
	signed, err := provenance.Read(statement)
	if err != nil {
		return nil, err
	}
	named := signed.Stored()
	missing := make([]string, len(named))
	err = each(r.ctx, named, func(ctx context.Context, i int) (err error) {
		missing[i], err = r.find(ctx, &named[i], mine)
		return err
	})
	if err != nil {
		return nil, err
	}
	missing = slices.DeleteFunc(missing, func(s string) bool { return s == "" })
	if len(missing) > 0 && r.cfg.Evidence != "" {
		return nil, provenance.WithHint(fmt.Errorf("--evidence: the signed statement names what neither lies beside the image nor was read again: %s",
			strings.Join(missing, ", ")), "copy it from where the image was first recorded; or build the image again, and record that")
	}
	return slices.DeleteFunc(named, func(s provenance.Stored) bool { return s.Open == nil }), nil
}

// find finds the bytes of what a signed statement names: among what this run read, or beside the image. missing says what it is that is
// in neither.
func (r *recorder) find(ctx context.Context, s *provenance.Stored, mine []provenance.Stored) (missing string, err error) {
	if i := slices.IndexFunc(mine, func(m provenance.Stored) bool { return m.Digest == s.Digest }); i >= 0 {
		s.Open = mine[i].Open
		return "", nil
	}
	open := func() (io.ReadCloser, error) { return r.image.Blob(r.ctx, s.Digest, s.Size) }
	f, err := r.image.Blob(ctx, s.Digest, s.Size)
	var refused *provenance.Refused
	if errors.As(err, &refused) {
		return s.Name + " " + s.Digest.String(), nil
	}
	if err != nil {
		return "", err
	}
	s.Open = open
	return "", f.Close()
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
