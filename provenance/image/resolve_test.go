package image

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/seed-3480f271/provenance/provenance"
)

func TestResolveSingle(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			want := forPlatform(t, "linux/arm64/v8")
			ref := p.push(t, "20261123.1", want)
			digest := must(provenance.ParseDigest(must(want.Digest()).String()))
			byTag := resolve(t, ref, Options{}).Noun()
			if byTag.Digest != digest || byTag.Reference != "20261123.1" || byTag.Basis != provenance.Observed || byTag.IsIndex() || byTag.Base != nil {
				t.Errorf("by tag: %+v", byTag)
			}
			if len(byTag.Platforms) != 1 || byTag.Platforms[0] != (provenance.Platform{Name: "linux/arm64/v8", Digest: digest}) {
				t.Errorf("platforms: %+v", byTag.Platforms)
			}
			byDigest := resolve(t, strings.TrimSuffix(ref, ":20261123.1")+"@"+digest.String(), Options{}).Noun()
			if byDigest.Digest != digest || byDigest.Reference != digest.String() || byDigest.Repository != byTag.Repository {
				t.Errorf("by digest: %+v", byDigest)
			}
		})
	}
}

func TestResolveIndex(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			index := indexOf(t, "linux/amd64", "linux/arm64/v8", "unknown/unknown")
			ref := p.push(t, "multi", index)
			noun := resolve(t, ref, Options{}).Noun()
			var names []string
			for _, platform := range noun.Platforms {
				names = append(names, platform.Name)
			}
			if got := strings.Join(names, " "); got != "linux/amd64 linux/arm64/v8 unknown/unknown" || !noun.IsIndex() {
				t.Errorf("platforms: %s", got)
			}
			if got := must(index.Digest()).String(); noun.Digest.String() != got {
				t.Errorf("digest %s, want %s", noun.Digest, got)
			}
			for wanted, n := range map[string]int{"linux/amd64": 0, "linux/arm64": 1, "linux/arm64/v8": 1} {
				one := resolve(t, ref, Options{Platform: wanted}).Noun()
				if one.Digest != noun.Platforms[n].Digest || one.IsIndex() || len(one.Platforms) != 1 {
					t.Errorf("%s: %+v", wanted, one)
				}
			}
			_, err := Resolve(t.Context(), ref, Options{Platform: "linux/s390x"})
			refusedAs(t, err, "image.platform", "linux/s390x", "linux/amd64, linux/arm64/v8")
		})
	}
}

func TestPlatformIsChecked(t *testing.T) {
	ref := pushTo(inMemory(t, true)+"/team/mortgage")(t, "one", single(t))
	resolve(t, ref, Options{Platform: "linux/amd64"})
	_, err := Resolve(t.Context(), ref, Options{Platform: "linux/arm64"})
	refusedAs(t, err, "image.platform", "linux/amd64")
	_, err = Resolve(t.Context(), ref, Options{Platform: "linux"})
	misused(t, err, "linux")
	_, err = Resolve(t.Context(), ref, Options{Platform: "a/b/c/d"})
	misused(t, err, "a/b/c/d")
	ref = pushTo(inMemory(t, true)+"/team/mortgage")(t, "arms", indexOf(t, "linux/arm/v6", "linux/arm/v7"))
	_, err = Resolve(t.Context(), ref, Options{Platform: "linux/arm"})
	misused(t, err, "linux/arm/v6, linux/arm/v7")
}

// TestPlatformThatTheIndexLeavesOut is read from the image's own configuration.
func TestPlatformThatTheIndexLeavesOut(t *testing.T) {
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: forPlatform(t, "linux/ppc64le")})
	ref := pushTo(inMemory(t, true)+"/team/mortgage")(t, "bare", index)
	if got := resolve(t, ref, Options{}).Noun().Platforms[0].Name; got != "linux/ppc64le" {
		t.Errorf("platform %q", got)
	}
}

func TestBaseImage(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for name, c := range map[string]struct {
		annotations map[string]string
		want        provenance.BaseImage
	}{
		"both":    {map[string]string{baseName: "docker.io/library/python:3.13", baseDigest: digest}, provenance.BaseImage{Name: "docker.io/library/python:3.13", Digest: must(provenance.ParseDigest(digest))}},
		"name":    {map[string]string{baseName: "python"}, provenance.BaseImage{Name: "python"}},
		"garbage": {map[string]string{baseName: "python", baseDigest: "latest"}, provenance.BaseImage{Name: "python"}},
	} {
		t.Run(name, func(t *testing.T) {
			image := mutate.Annotations(single(t), c.annotations).(v1.Image)
			got := resolve(t, pushTo(inMemory(t, true)+"/team/mortgage")(t, "based", image), Options{}).Noun().Base
			c.want.Basis = provenance.Declared
			if got == nil || got.Name != c.want.Name || got.Digest != c.want.Digest || got.Basis != c.want.Basis {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestMissingAndMalformed(t *testing.T) {
	host := inMemory(t, true)
	ref := pushTo(host+"/team/mortgage")(t, "there", single(t))
	for _, missing := range []string{
		host + "/team/mortgage:gone", host + "/team/other:there", strings.TrimSuffix(ref, ":there") + "@sha256:" + strings.Repeat("0", 64),
	} {
		_, err := Resolve(t.Context(), missing, Options{limits: quick})
		refusedAs(t, err, "image.missing", "there is no image")
	}
	for _, malformed := range []string{"", "UPPER/Case:x", host + "/a b:c", ref + "@sha256:abc", "team/mortgage@sha512:" + strings.Repeat("0", 128), "https://" + ref} {
		_, err := Resolve(t.Context(), malformed, Options{limits: quick})
		misused(t, err, "reference")
	}
	nested := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: indexOf(t, "linux/amd64")})
	_, err := Resolve(t.Context(), pushTo(host+"/team/mortgage")(t, "nested", nested), Options{limits: quick})
	refusedAs(t, err, "image.nested", "index with another index")
	_, err = Resolve(t.Context(), pushTo(host+"/team/mortgage")(t, "hollow", v1.ImageIndex(empty.Index)), Options{limits: quick})
	refusedAs(t, err, "image.empty", "without any image")
}

func TestUnreachableAndDenied(t *testing.T) {
	_, err := Resolve(t.Context(), "127.0.0.1:1/team/mortgage:x", Options{limits: quick})
	undecided(t, err, "127.0.0.1:1", "can this machine reach it")
	for status, text := range map[int]string{401: "docker login", 403: "docker login", 500: "status 500", 418: "status 418"} {
		host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v2/" {
				w.WriteHeader(status)
				io.WriteString(w, `{"errors":[{"code":"DENIED","message":"not\u001b[31m for you"}]}`)
			}
		}))
		_, err := Resolve(t.Context(), host+"/team/mortgage:x", Options{limits: quick})
		undecided(t, err, text, "DENIED")
		if strings.Contains(err.Error(), "\x1b") {
			t.Errorf("a terminal escape came through: %q", err)
		}
	}
}

func TestTransientFailuresAreRetried(t *testing.T) {
	ref := pushTo(inMemory(t, true)+"/team/mortgage")(t, "flaky", single(t))
	failed := map[string]bool{}
	flaky := &recorder{}
	flaky.fail = func(_ int, req *http.Request) bool { // each request fails once
		key := req.Method + req.URL.String()
		first := !failed[key]
		failed[key] = true
		return first && !strings.Contains(req.URL.Path, "/uploads/") // the place of an upload is new each time
	}
	patient := quick
	patient.attempts = 4
	img := resolve(t, ref, Options{Transport: flaky, limits: patient})
	attach(t, img, attachment(1))
	if bundles, envelopes := contents(t, img); len(bundles) != 1 || len(envelopes) != 1 {
		t.Errorf("it has %q %q", bundles, envelopes)
	}
}

func TestLayoutReferences(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with:colon")
	push := pushToLayout(dir)
	first := single(t)
	push(t, "one", first)
	alone := resolve(t, "oci:"+dir, Options{})
	if got := alone.Noun(); got.Repository != "with:colon" || got.Reference != "" || got.Digest.String() != must(first.Digest()).String() {
		t.Errorf("alone: %+v", got)
	}
	attach(t, alone, attachment(1))
	resolve(t, "oci:"+dir, Options{}) // what is attached is no second image
	push(t, "two", single(t))
	_, err := Resolve(t.Context(), "oci:"+dir, Options{})
	misused(t, err, "holds 2 images", dir+":one", dir+":two")
	resolve(t, "oci:"+dir+":two", Options{})
	_, err = Resolve(t.Context(), "oci:"+dir+":three", Options{})
	refusedAs(t, err, "image.missing", "three")
	_, err = Resolve(t.Context(), "oci:"+dir+"@sha256:"+strings.Repeat("0", 64), Options{})
	refusedAs(t, err, "image.missing")
	_, err = Resolve(t.Context(), "oci:"+dir+"@sha256:12", Options{})
	misused(t, err, "digest")
	_, err = Resolve(t.Context(), "oci:"+t.TempDir(), Options{})
	misused(t, err, "is not an OCI layout")
	_, err = Resolve(t.Context(), "oci:"+filepath.Join(dir, "index.json")+":1", Options{})
	misused(t, err, "is not an OCI layout")
	if hints := provenance.Hints(err); len(hints) != 1 || !strings.Contains(hints[0], "tar -xf FILE -C FOLDER") {
		t.Errorf("hints %q", hints)
	}
	push(t, "one", single(t))
	_, err = Resolve(t.Context(), "oci:"+dir+":one", Options{})
	misused(t, err, "2 images with the tag one")
}

func TestBrokenLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layout")
	ref := pushToLayout(dir)(t, "one", single(t))
	img := resolve(t, ref, Options{})
	blob := filepath.Join(dir, blobPath(img.self.digest))
	if err := os.WriteFile(blob, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Resolve(t.Context(), ref, Options{})
	undecided(t, err, "other bytes")
	if err := os.WriteFile(filepath.Join(dir, "index.json"), []byte("nonsense"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Resolve(t.Context(), ref, Options{})
	undecided(t, err, "index.json")
	_, err = Resolve(t.Context(), "oci:"+dir, Options{})
	undecided(t, err, "index.json")
}

func TestEmptyLayout(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`, "index.json": `{"schemaVersion":2}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Resolve(t.Context(), "oci:"+dir, Options{})
	refusedAs(t, err, "image.missing", "no image")
}

func TestBlob(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			img := resolve(t, p.push(t, "blob", single(t)), Options{})
			attach(t, img, attachment(1))
			s := attachment(1).Blobs[0]
			dirHash := must(provenance.NewDigest(provenance.DirHash, s.Digest.Hex()))
			if got := readAllOf(t, must(img.Blob(t.Context(), dirHash, s.Size))); got != "manifest 1" {
				t.Errorf("got %q", got)
			}
			rc := must(img.Blob(t.Context(), s.Digest, s.Size-1))
			defer rc.Close()
			_, err := io.ReadAll(rc)
			undecided(t, err, "exceeds the limit of 9 bytes")
			_, err = img.Blob(t.Context(), provenance.SumSHA256([]byte("nobody stored this")), 100)
			refusedAs(t, err, "blob.missing")
		})
	}
}

// TestWrongBlobIsNotStored has a Stored whose bytes are not what its digest says, and nothing is attached.
func TestWrongBlobIsNotStored(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			img := resolve(t, p.push(t, "wrong", single(t)), Options{})
			for name, spoil := range map[string]func(*provenance.Stored){
				"digest":  func(s *provenance.Stored) { s.Digest = provenance.SumSHA256([]byte("other")) },
				"size":    func(s *provenance.Stored) { s.Size++ },
				"no open": func(s *provenance.Stored) { s.Open = nil },
				"failing": func(s *provenance.Stored) { s.Open = func() (io.ReadCloser, error) { return nil, io.ErrUnexpectedEOF } },
			} {
				a := attachment(1)
				spoil(&a.Blobs[1])
				if err := img.Attach(t.Context(), a); err == nil {
					t.Errorf("%s: it was attached", name)
				} else {
					undecided(t, err)
				}
			}
			if bundles, envelopes := contents(t, img); len(bundles)+len(envelopes) > 0 {
				t.Errorf("it has %q %q", bundles, envelopes)
			}
		})
	}
}

// TestPlatformImages reads the images that can run, whole.
func TestPlatformImages(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			index := indexOf(t, "linux/amd64", "unknown/unknown", "linux/arm64")
			ref := p.push(t, "lazy", index)
			images, err := resolve(t, ref, Options{}).platformImages(t.Context())
			if err != nil || len(images) != 2 {
				t.Fatalf("%v, %d images, want 2", err, len(images))
			}
			for _, img := range images {
				diffs := must(img.Image.ConfigFile()).RootFS.DiffIDs
				for n, layer := range must(img.Image.Layers()) {
					readAllOf(t, must(layer.Compressed())) // its digest is checked while reading
					if got := must(layer.DiffID()); got != diffs[n] {
						t.Errorf("%s: layer %d has the content %s, want %s", img.Name, n, got, diffs[n])
					}
				}
				if got := must(img.Image.Digest()).String(); got != img.Digest.String() {
					t.Errorf("%s: digest %s, want %s", img.Name, got, img.Digest)
				}
				if config := must(img.Image.ConfigFile()); config.OS+"/"+config.Architecture != img.Name {
					t.Errorf("%s: configuration of %s/%s", img.Name, config.OS, config.Architecture)
				}
			}
			one, err := resolve(t, ref, Options{Platform: "linux/arm64"}).platformImages(t.Context())
			if err != nil || len(one) != 1 || one[0].Name != "linux/arm64" || one[0].Digest != images[1].Digest {
				t.Errorf("%v, %v", err, one)
			}
		})
	}
}
