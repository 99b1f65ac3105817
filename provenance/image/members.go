package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-3480f271/provenance/provenance"
)

// Members lists the manifests of an index of the same repository. It proves that a statement's other subjects are parts of
// the same image. An index that is not there is a *provenance.Refused.
func (i *Image) Members(ctx context.Context, index provenance.Digest) ([]provenance.Digest, error) {
	m, err := i.store.manifest(ctx, hashOf(index).String())
	if errors.Is(err, errMissing) {
		return nil, provenance.Refuse("image.missing", "", "%s has no index %s", i.store.name(), index)
	}
	if err != nil {
		return nil, fmt.Errorf("index %s of %s: %w", index, i.store.name(), err)
	}
	var members []provenance.Digest
	for _, d := range m.Manifests {
		digest, err := digestOf(d.Digest)
		if err != nil {
			return nil, fmt.Errorf("index %s of %s: %w", index, i.store.name(), err)
		}
		members = append(members, digest)
	}
	return members, nil
}
