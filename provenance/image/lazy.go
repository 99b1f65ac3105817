package image

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// lazyImage is an image in a store, read when it is asked. It is a partial.CompressedImageCore.
type lazyImage struct {
	ctx   context.Context // of the call that made it: the interface has no room for another
	store store
	m     manifest
}

// openImage makes an image of a manifest. Everything it reads is checked against its digest.
func openImage(ctx context.Context, s store, m manifest) (v1.Image, error) {
	return partial.CompressedToImage(&lazyImage{ctx, s, m})
}

func (l *lazyImage) RawManifest() ([]byte, error)        { return l.m.raw, nil }
func (l *lazyImage) MediaType() (types.MediaType, error) { return types.MediaType(l.m.MediaType), nil }

func (l *lazyImage) RawConfigFile() ([]byte, error) {
	return readBlob(l.ctx, l.store, l.m.Config, maxConfig, metadataOf(l.ctx))
}

// LayerByDigest finds a layer, or the configuration, as the interface wants it.
func (l *lazyImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, d := range append([]v1.Descriptor{l.m.Config}, l.m.Layers...) {
		if d.Digest == h {
			return &lazyLayer{l, d}, nil
		}
	}
	return nil, errMissing
}

// lazyLayer is a layer in a store. It is a partial.CompressedLayer.
type lazyLayer struct {
	image *lazyImage
	d     v1.Descriptor
}

func (l *lazyLayer) Digest() (v1.Hash, error)            { return l.d.Digest, nil }
func (l *lazyLayer) Size() (int64, error)                { return l.d.Size, nil }
func (l *lazyLayer) MediaType() (types.MediaType, error) { return l.d.MediaType, nil }

func (l *lazyLayer) Compressed() (io.ReadCloser, error) {
	return l.image.store.blob(l.image.ctx, l.d.Digest, l.d.Size)
}
