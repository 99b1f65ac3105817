package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is how an OCI layout names a tag.
// Source: https://github.com/opencontainers/image-spec/blob/main/annotations.md
const refName = "org.opencontainers.image.ref.name"

// image builds the scoring image with the model in it, and three others for the tampering that follows.
func (d *demo) image() error {
	d.chapter("The image, as an OCI layout on disk")
	model, err := os.ReadFile(d.path("model", "model.json"))
	if err != nil {
		return err
	}
	files := [][]file{
		{{"app/score.txt", []byte("scores with /app/model.json\n")}},
		{{"app/model.json", model}},
	}
	good, err := build(files...)
	if err != nil {
		return err
	}
	other, err := build(append(files, []file{{"app/extra.txt", []byte("not what was recorded\n")}})...)
	if err != nil {
		return err
	}
	removed, err := build(append(files, []file{{"app/.wh.model.json", nil}})...)
	if err != nil {
		return err
	}
	path, err := layout.Write(d.path("image"), empty.Index)
	if err != nil {
		return err
	}
	for tag, img := range map[string]v1.Image{"20261123.1": good, "other": other, "removed": removed} {
		if err := path.AppendImage(img, layout.WithAnnotations(map[string]string{refName: tag})); err != nil {
			return err
		}
	}
	digest, err := good.Digest()
	fmt.Printf("  %s is %s\n", image, digest)
	return err
}

// file is a file of a layer.
type file struct {
	name string
	data []byte
}

// build makes a linux/amd64 image of one layer for each list of files.
func build(layers ...[]file) (v1.Image, error) {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	for _, files := range layers {
		layer, err := layerOf(files)
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, err
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	return mutate.ConfigFile(img, config)
}

func layerOf(files []file) (v1.Layer, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data)), Typeflag: tar.TypeReg}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}
