package main

import (
	"errors"
	"fmt"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/image"
	"github.com/seed-3480f271/provenance/provenance/sign"
)

// loadKey starts to load a signing key, which takes a tenth of a second on purpose, and returns how to wait for it. Without a
// reference there is no key, and no error.
func (j *job) loadKey(ref string, o sign.Options) func() (*sign.Key, error) {
	type loaded struct {
		key *sign.Key
		err error
	}
	done := make(chan loaded, 1)
	if ref == "" {
		done <- loaded{}
	} else {
		go func() {
			key, err := sign.Load(j.ctx, ref, o)
			done <- loaded{key, err}
		}()
	}
	return func() (*sign.Key, error) { l := <-done; return l.key, l.err }
}

// attachSigned attaches what a key signed, in every form that it was signed in, with what lies beside it, and reads it back.
func (j *job) attachSigned(img *image.Image, key *sign.Key, signed sign.Signed, predicateType string, stored ...provenance.Stored) error {
	err := img.Attach(j.ctx, image.Attachment{Bundle: signed.Bundle, Envelope: signed.Envelope, PredicateType: predicateType, Blobs: stored})
	if err != nil {
		return err
	}
	return j.readBack(img, key, signed)
}

// readBack asks the registry for what was attached: each form must be there, and open with the key or identity.
func (j *job) readBack(img *image.Image, key *sign.Key, signed sign.Signed) error {
	found, err := img.Attestations(j.ctx)
	if err != nil {
		return fmt.Errorf("read back what was attached: %w", err)
	}
	trust := key.Trust()
	want, err := trust.Open(signed.Bundle)
	if err != nil {
		return err
	}
	missing := map[string]bool{envelope.FormBundle: true}
	if signed.Envelope != nil {
		missing[envelope.FormATT] = true
	}
	for _, f := range found {
		if f.Err != nil {
			continue
		}
		if got, err := trust.Open(f.Bytes); err == nil && string(got.Payload()) == string(want.Payload()) {
			delete(missing, got.Form()) // and not what a manifest calls it
		}
	}
	if len(missing) > 0 {
		return provenance.WithHint(errors.New("the attestation was attached, but reading it back does not find it in every form"),
			"run again: it completes what is missing; if this repeats, the registry does not keep what it accepts")
	}
	return nil
}
