package main

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/seed-3480f271/provenance/provenance/provtest"
)

// registryKinds are the registries that everything is tried on: in process with the referrers API and without it, and the
// distribution project's own program.
var registryKinds = []string{"referrers", "plain", "distribution"}

// startRegistry starts one, until the test ends, and returns its host.
func startRegistry(t testing.TB, kind string) string {
	t.Helper()
	switch kind {
	case "distribution":
		return provtest.Registry(t)
	case "referrers", "plain":
		server := httptest.NewServer(registry.New(registry.WithReferrersSupport(kind == "referrers"), registry.Logger(log.New(io.Discard, "", 0))))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	}
	t.Fatalf("there is no registry %q", kind)
	return ""
}

// layerFiles are the files of one layer, by their path in the image.
type layerFiles map[string][]byte

// makeImage builds an image of the given layers.
func makeImage(t testing.TB, platform string, layers ...layerFiles) v1.Image {
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, files := range layers {
		var err error
		if img, err = mutate.AppendLayers(img, makeLayer(t, files)); err != nil {
			t.Fatal(err)
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, _ = strings.Cut(platform, "/")
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

func makeLayer(t testing.TB, files layerFiles) v1.Layer {
	t.Helper()
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for path, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// makeIndex makes an index of images, one for each platform.
func makeIndex(t testing.TB, platforms []string, layers ...layerFiles) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		parsed, err := v1.ParsePlatform(platform)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: makeImage(t, platform, layers...), Descriptor: v1.Descriptor{Platform: parsed}})
	}
	return index
}

// push writes an image or an index to a registry.
func push(t testing.TB, ref string, what remote.Taggable) {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Push(parsed, what); err != nil {
		t.Fatal(err)
	}
}

// scriptImage is the command mkimage.
func scriptImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mkimage REF [-platform P]... FILE=PATH... [layer FILE=PATH...]")
	}
	ref, platforms, layers := args[0], []string{}, []layerFiles{{}}
	for rest := args[1:]; len(rest) > 0; rest = rest[1:] {
		switch {
		case rest[0] == "-platform":
			rest = rest[1:]
			platforms = append(platforms, rest[0])
		case rest[0] == "layer":
			layers = append(layers, layerFiles{})
		default:
			path, file, _ := strings.Cut(rest[0], "=")
			layers[len(layers)-1][path] = []byte{}
			if file != "" {
				layers[len(layers)-1][path] = []byte(ts.ReadFile(file))
			}
		}
	}
	t := scriptTB{ts: ts}
	if dir, tag, found := strings.Cut(strings.TrimPrefix(ref, "oci:"), ":"); found && strings.HasPrefix(ref, "oci:") {
		writeLayout(t, ts.MkAbs(dir), tag, makeImage(t, "linux/amd64", layers...))
		return
	}
	if len(platforms) > 0 {
		push(t, ref, makeIndex(t, platforms, layers...))
		return
	}
	push(t, ref, makeImage(t, "linux/amd64", layers...))
}

// writeLayout adds an image to a layout, which it makes if there is none.
func writeLayout(t testing.TB, dir, tag string, img v1.Image) {
	t.Helper()
	path, err := layout.FromPath(dir)
	if err != nil {
		if path, err = layout.Write(dir, empty.Index); err != nil {
			t.Fatal(err)
		}
	}
	if err := path.AppendImage(img, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag})); err != nil {
		t.Fatal(err)
	}
}

// scriptDigest is the command digest: of a tag, or with -platform of one member of its index.
func scriptDigest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: digest VAR REF [PLATFORM]")
	}
	ref, err := name.ParseReference(args[1])
	ts.Check(err)
	desc, err := remote.Get(ref)
	ts.Check(err)
	digest := desc.Digest
	if len(args) == 3 {
		platform, err := v1.ParsePlatform(args[2])
		ts.Check(err)
		desc, err = remote.Get(ref, remote.WithPlatform(*platform))
		ts.Check(err)
		img, err := desc.Image()
		ts.Check(err)
		digest, err = img.Digest()
		ts.Check(err)
	}
	ts.Setenv(args[0], digest.String())
}

// mustRead reads a file of the test.
func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
