package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/seed-3480f271/provenance/provenance"
)

// ErrNoPrevious says that the repository has no tag for the pipeline: it was looked at, and there is none.
var ErrNoPrevious = errors.New("no earlier attestation of this pipeline is known in this repository")

// pipelineTag is the tag that points to a pipeline's last attestation: provenance-, and 16 hex digits of the sha256 of what
// identifies the pipeline.
func pipelineTag(pipeline string) string {
	s := sha256.Sum256([]byte(pipeline))
	return "provenance-" + hex.EncodeToString(s[:8])
}

// Point makes the pipeline's tag in the image's repository point to the attestation that Attach has just attached to the
// image, for Previous to find. Only the tag is new: the manifest is that of the journal. When several write it the last one
// wins.
//
// The tag is a hint. A registry that lets no tag move gives an error, and the attestation is attached all the same.
func (i *Image) Point(ctx context.Context, pipeline string) error {
	tag := pipelineTag(pipeline)
	if i.attached == nil {
		return fmt.Errorf("nothing was attached to %s@%s, so the tag %s has nothing to point to", i.store.name(), i.self.digest, tag)
	}
	err := i.point(ctx, tag, *i.attached)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("the tag %s of %s cannot be written: %w", tag, i.store.name(), err)
	if len(provenance.Hints(err)) == 0 {
		err = provenance.WithHint(err, "are tags of this repository immutable? this one moves with every run")
	}
	return err
}

// point writes the tag, unless it is right already.
func (i *Image) point(ctx context.Context, tag string, m manifest) error {
	release, err := i.store.alone(ctx)
	if err != nil {
		return err
	}
	defer release()
	if now, err := i.store.manifest(ctx, tag); err == nil && now.digest == m.digest {
		return nil
	}
	return i.store.putManifest(ctx, tag, m)
}

// Previous reads the attestation that the pipeline's tag in the image's repository points to; ErrNoPrevious if there is no
// such tag. Anybody who may push could have written it: whoever uses it verifies it, and what it is an attestation of.
func (i *Image) Previous(ctx context.Context, pipeline string) (Found, error) {
	tag := pipelineTag(pipeline)
	where := i.store.name() + ":" + tag
	ctx, _, cancel := i.limits.begin(ctx, "reading "+where)
	defer cancel()
	m, err := i.store.manifest(ctx, tag)
	if errors.Is(err, errMissing) {
		return Found{}, ErrNoPrevious
	}
	if err != nil {
		return Found{}, orLimit(ctx, fmt.Errorf("%s: %w", where, err))
	}
	found := inLayers(m, where, 2)
	if len(found) != 1 || found[0].Form != FormBundle {
		return Found{}, fmt.Errorf("%s points to something that does not hold exactly one attestation", where)
	}
	found[0].Bytes, err = i.fetchOne(ctx, found[0], nil)
	if err != nil {
		return Found{}, err
	}
	return found[0], nil
}
