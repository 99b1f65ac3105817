package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// bed is the test bed: a registry with the referrers API that counts requests, a repository, a folder and a key.
type bed struct {
	dir, program, cosign string
	env                  []string // further variables of the programs that are measured
	server               *httptest.Server
	requests             atomic.Int64
}

func (b *bed) prepare() error {
	handler := registry.New(registry.WithReferrersSupport(true), registry.Logger(discard))
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.requests.Add(1)
		handler.ServeHTTP(w, r)
	}))
	for file, text := range map[string]string{"project/train.py": "train\n", "data/a.csv": strings.Repeat("1,2,3\n", 10_000), "predicate.json": predicate} {
		if err := b.write(file, text); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = filepath.Join(b.dir, "project")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w\n%s", args[0], err, out)
		}
	}
	_, err := b.run(b.program, "keygen")
	return err
}

// predicate is what the peer attests: SLSA provenance of the size of ours.
const predicate = `{"buildDefinition":{"buildType":"https://example.com/b","externalParameters":{"a":"b"}},"runDetails":{"builder":{"id":"https://example.com/b"}}}`

func (b *bed) write(name, text string) error {
	name = filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644)
}

// image pushes a new image and returns its reference by digest: nothing is attached to it yet.
func (b *bed) image(tag string) (string, error) {
	ref, err := name.NewTag(strings.TrimPrefix(b.server.URL, "http://") + "/bench:" + tag)
	if err != nil {
		return "", err
	}
	layer, err := oneFile("app/"+tag, tag)
	if err != nil {
		return "", err
	}
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layer)
	if err != nil {
		return "", err
	}
	if err := remote.Write(ref, img); err != nil {
		return "", err
	}
	digest, err := img.Digest()
	return ref.Context().Digest(digest.String()).Name(), err
}

func oneFile(path, text string) (v1.Layer, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil })
}

func (b *bed) recordImage(ref string) (cost, error) {
	return b.run(b.program, "record", "--image", ref, "--key", "cosign.key", "--repo", "project", "--data", "data/", "--builder-id", "https://example.com/b")
}

// verify compares the gate with the stock verifier, on an image that we recorded.
func (b *bed) verify() error {
	ref, err := b.image("verify")
	if err != nil {
		return err
	}
	if _, err := b.recordImage(ref); err != nil {
		return err
	}
	ours, peer, err := pair(rounds,
		func(int) (cost, error) { return b.run(b.program, "verify", ref, "--key", "cosign.pub") },
		func(int) (cost, error) {
			return b.run(b.cosign, "verify-attestation", "--type", "slsaprovenance1", "--key", "cosign.pub", "--insecure-ignore-tlog", ref)
		})
	if err != nil {
		return err
	}
	row("verify, wall (peer: cosign verify-attestation)", "ms", milliseconds(ours.wall), milliseconds(peer.wall), "ratio <= 0.6")
	row("verify, peak memory", "Mi", ours.rss, peer.rss, "ratio <= 0.5")
	row("verify, HTTP requests", "", float64(ours.requests), float64(peer.requests), "<= 8")
	return nil
}

// record compares the pipeline's step with the stock signer, each on a new image every time.
func (b *bed) record() error {
	fresh := func(tag string, round int, do func(ref string) (cost, error)) (cost, error) {
		ref, err := b.image(fmt.Sprintf("%s-%d", tag, round))
		if err != nil {
			return cost{}, err
		}
		return do(ref)
	}
	ours, peer, err := pair(rounds,
		func(round int) (cost, error) { return fresh("ours", round, b.recordImage) },
		func(round int) (cost, error) {
			return fresh("peer", round, func(ref string) (cost, error) {
				return b.run(b.cosign, "attest", "--yes", "--key", "cosign.key", "--type", "slsaprovenance1", "--predicate", "predicate.json",
					"--tlog-upload=false", "--use-signing-config=false", ref)
			})
		})
	if err != nil {
		return err
	}
	row("record, wall (peer: cosign attest)", "ms", milliseconds(ours.wall), milliseconds(peer.wall), "ratio <= 1.2")
	row("record, peak memory", "Mi", ours.rss, peer.rss, "")
	row("record, HTTP requests", "", float64(ours.requests), float64(peer.requests), "<= 35")
	return nil
}

func (b *bed) start() error {
	ours, peer, err := pair(rounds,
		func(int) (cost, error) { return b.run(b.program, "--version") },
		func(int) (cost, error) { return b.run(b.cosign, "version") })
	if err != nil {
		return err
	}
	row("start-up (--version), wall", "ms", milliseconds(ours.wall), milliseconds(peer.wall), "<= 20 ms")
	return nil
}

func (b *bed) size() error {
	ours, err := os.Stat(b.program)
	if err != nil {
		return err
	}
	peer, err := os.Stat(b.cosign)
	if err != nil {
		return err
	}
	row("program, stripped", "MB", float64(ours.Size())/1e6, float64(peer.Size())/1e6, "<= 34 MB")
	return nil
}
