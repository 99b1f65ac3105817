package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const nightly = "https://dev.azure.com/contoso/ml/_build?definitionId=7"

func point(t testing.TB, img *Image, pipeline string) {
	t.Helper()
	if err := img.Point(t.Context(), pipeline); err != nil {
		t.Fatal(err)
	}
}

// previousIs fails the test unless the tag points to this bundle.
func previousIs(t testing.TB, img *Image, pipeline string, want []byte) {
	t.Helper()
	found, err := img.Previous(t.Context(), pipeline)
	if err != nil {
		t.Fatal(err)
	}
	if found.Form != FormBundle || found.Err != nil || string(found.Bytes) != string(want) || !strings.HasSuffix(found.Where, ":"+pipelineTag(pipeline)) {
		t.Errorf("got %+v with %q, want %q", found, found.Bytes, want)
	}
}

func TestPipelineTag(t *testing.T) {
	const want = "provenance-2c26b46b68ffc68f" // printf foo | sha256sum
	if got := pipelineTag("foo"); got != want || !validTag(got) || ofAnotherImage(got) {
		t.Errorf("the tag is %s, want %s", got, want)
	}
}

// TestPointAndPrevious follows a pipeline over two nights, and another pipeline beside it.
func TestPointAndPrevious(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			first := resolve(t, p.push(t, "night1", indexOf(t, "linux/amd64", "linux/arm64")), Options{})
			if _, err := first.Previous(t.Context(), nightly); !errors.Is(err, ErrNoPrevious) {
				t.Fatalf("error is %v, want ErrNoPrevious", err)
			}
			attach(t, first, attachment(1))
			if _, err := first.Previous(t.Context(), nightly); !errors.Is(err, ErrNoPrevious) {
				t.Fatalf("error is %v: attaching alone points nowhere", err)
			}
			point(t, first, nightly)
			point(t, first, "another")
			second := resolve(t, p.push(t, "night2", single(t)), Options{})
			previousIs(t, second, nightly, attachment(1).Bundle)
			attach(t, second, attachment(2))
			point(t, second, nightly)
			previousIs(t, first, nightly, attachment(2).Bundle)
			previousIs(t, first, "another", attachment(1).Bundle)
			pointsIntoJournal(t, second, nightly)
			for n, img := range []*Image{first, second} {
				bundles, envelopes := contents(t, resolve(t, img.store.name()+"@"+img.self.digest.String(), Options{}))
				same(t, bundles, string(attachment(n+1).Bundle))
				same(t, envelopes, string(attachment(n+1).Envelope))
			}
		})
	}
}

// pointsIntoJournal checks that the tag has the manifest that the journal lists for the image, once.
func pointsIntoJournal(t testing.TB, img *Image, pipeline string) {
	t.Helper()
	m := must(img.store.manifest(t.Context(), pipelineTag(pipeline)))
	entries := must(img.store.journal(t.Context(), img.self.digest)).entries
	listed := 0
	for _, d := range entries {
		if d.Digest == m.digest {
			listed++
		}
	}
	if listed != 1 || len(entries) != 2 || m.Subject == nil || m.Subject.Digest != img.self.digest {
		t.Errorf("the journal lists %d manifests, and %d times the one with the tag; its subject is %v", len(entries), listed, m.Subject)
	}
}

// TestPointWritesTheTagAlone counts what is written, also when nothing is to be done.
func TestPointWritesTheTagAlone(t *testing.T) {
	for _, p := range places(t)[:3] {
		t.Run(p.kind, func(t *testing.T) {
			log := &recorder{}
			img := resolve(t, p.push(t, "tag", single(t)), Options{Transport: log})
			attach(t, img, attachment(1))
			log.seen = nil
			point(t, img, nightly)
			same(t, log.writes(), "PUT /v2/team/mortgage/manifests/"+pipelineTag(nightly))
			log.seen = nil
			attach(t, img, attachment(1))
			point(t, img, nightly)
			same(t, log.writes())
		})
	}
}

// TestPointKeepsTheLayout checks that a layout is as it was but for one more entry, and still has one image.
func TestPointKeepsTheLayout(t *testing.T) {
	dir := t.TempDir()
	ref := pushToLayout(dir)(t, "only", single(t))
	img := resolve(t, ref, Options{})
	attach(t, img, attachment(1))
	entries := func() (list []v1.Descriptor) {
		return must(img.store.(*layout).index(t.Context())).Manifests
	}
	before := entries()
	for range 2 {
		point(t, img, nightly)
		after := entries()
		if len(after) != len(before)+1 || fmt.Sprint(after[:len(before)]) != fmt.Sprint(before) {
			t.Fatalf("index.json has\n%v\nand had\n%v", after, before)
		}
		last := after[len(before)]
		if last.Annotations[refName] != pipelineTag(nightly) || last.Digest != img.attached.digest {
			t.Errorf("the new entry is %+v", last)
		}
	}
	if only := resolve(t, "oci:"+dir, Options{}); only.self.digest != img.self.digest {
		t.Errorf("the only image is %s, want %s", only.self.digest, img.self.digest)
	}
}

func TestPointWithoutAttachment(t *testing.T) {
	img := resolve(t, pushToLayout(t.TempDir())(t, "x", single(t)), Options{})
	undecided(t, img.Point(t.Context(), nightly), "nothing was attached")
	failed := resolve(t, pushTo(inMemory(t, true)+"/team/mortgage")(t, "x", single(t)), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := failed.Attach(ctx, attachment(1)); err == nil {
		t.Fatal("it was attached")
	}
	undecided(t, failed.Point(t.Context(), nightly), "nothing was attached")
}

// TestPointIsRefused has registries whose tags do not move. The attestation is there all the same.
func TestPointIsRefused(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusConflict:         "TAG_INVALID the tag is immutable",
		http.StatusBadRequest:       "are tags of this repository immutable?",
		http.StatusMethodNotAllowed: "status 405",
		http.StatusForbidden:        "log in",
		http.StatusBadGateway:       "status 502",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			img := hostileRegistry(t, true, limits{}, func(w http.ResponseWriter, r *http.Request) bool {
				refused := r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/provenance-")
				if refused {
					w.WriteHeader(status)
					io.WriteString(w, `{"errors":[{"code":"TAG_INVALID","message":"the tag is immutable"}]}`)
				}
				return refused
			})
			attach(t, img, attachment(1))
			undecided(t, img.Point(t.Context(), nightly), pipelineTag(nightly), "cannot be written", want)
			if bundles, _ := contents(t, img); len(bundles) != 1 {
				t.Errorf("%d attestations", len(bundles))
			}
		})
	}
}

// TestPointsRace has pipelines that write one tag at the same time: one of them wins, whole.
func TestPointsRace(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			const writers = 6
			images, errs := make([]*Image, writers), make([]error, writers)
			for n := range images {
				images[n] = resolve(t, p.push(t, fmt.Sprintf("race%d", n), single(t)), Options{})
				attach(t, images[n], attachment(n))
			}
			var group sync.WaitGroup
			for n, img := range images {
				group.Go(func() { errs[n] = img.Point(t.Context(), nightly) })
			}
			group.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			found := must(images[0].Previous(t.Context(), nightly))
			winner := -1
			for n := range images {
				if string(found.Bytes) == string(attachment(n).Bundle) {
					winner = n
				}
			}
			if winner < 0 {
				t.Errorf("it points to %q", found.Bytes)
			}
		})
	}
}

// TestPreviousIsBounded has tags that point to nonsense, or to too much.
func TestPreviousIsBounded(t *testing.T) {
	isTag := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/provenance-") }
	layer := func(mediaType string, size int) string {
		return fmt.Sprintf(`{"mediaType":%q,"size":%d,"digest":%q}`, mediaType, size, sum([]byte("x")))
	}
	withLayers := func(layers ...string) string {
		return `{"schemaVersion":2,"mediaType":"` + manifestType + `","layers":[` + strings.Join(layers, ",") + `]}`
	}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		"no attestation":   {body(isTag, withLayers(layer("text/plain", 1))), "exactly one"},
		"two attestations": {body(isTag, withLayers(layer(bundleType, 1), layer(bundleType, 1))), "exactly one"},
		"an envelope":      {body(isTag, withLayers(layer(dsseType, 1))), "exactly one"},
		"an index":         {body(isTag, indexWith("")), "exactly one"},
		"no JSON":          {body(isTag, "nonsense"), "not valid"},
		"a large one":      {body(isTag, withLayers(layer(bundleType, 9<<20))), "exceeds the limit"},
		"a lost one":       {body(isTag, withLayers(layer(bundleType, 1))), "there is no such thing"},
		"an error":         {status(isTag, http.StatusForbidden), "status 403"},
		"endless": {func(w http.ResponseWriter, r *http.Request) bool {
			if isTag(r) {
				endless(w, " ")
			}
			return isTag(r)
		}, "exceeds the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			img := hostileRegistry(t, true, limits{}, c.answer)
			_, err := img.Previous(t.Context(), nightly)
			undecided(t, err, c.want)
			if errors.Is(err, ErrNoPrevious) {
				t.Error("there is one")
			}
		})
	}
}

// TestPreviousOfAnImage has a tag that somebody gave to an image.
func TestPreviousOfAnImage(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			img := resolve(t, p.push(t, pipelineTag(nightly), single(t)), Options{})
			_, err := img.Previous(t.Context(), nightly)
			undecided(t, err, "exactly one")
		})
	}
}

// TestOthersReadTheTag reads the tag with another program, which finds the very manifest of the journal.
func TestOthersReadTheTag(t *testing.T) {
	repo := inMemory(t, true) + "/team/mortgage"
	img := resolve(t, pushTo(repo)(t, "others", single(t)), Options{})
	attach(t, img, attachment(1))
	point(t, img, nightly)
	d := must(remote.Get(must(name.ParseReference(repo + ":" + pipelineTag(nightly)))))
	var m manifest
	if err := json.Unmarshal(d.Manifest, &m); err != nil || d.Digest != img.attached.digest || m.Layers[0].Digest != sum(attachment(1).Bundle) {
		t.Errorf("%v, %s: %s", err, d.Digest, d.Manifest)
	}
	refs := must(must(remote.Referrers(must(name.NewDigest(repo + "@" + img.self.digest.String())))).IndexManifest())
	if len(refs.Manifests) != 2 {
		t.Errorf("the registry lists %d referrers, want the bundle and the stored blobs", len(refs.Manifests))
	}
}
