package image

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seed-3480f271/provenance/provenance/internal/testtools"
)

func TestAttachAndFind(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			img := resolve(t, p.push(t, "nightly", single(t)), Options{})
			if b, e := contents(t, img); len(b)+len(e) != 0 {
				t.Fatalf("a new image has %q %q", b, e)
			}
			first, second := attachment(1), attachment(2)
			attach(t, img, first)
			attach(t, img, second)
			bundles, envelopes := contents(t, img)
			same(t, bundles, string(first.Bundle), string(second.Bundle))
			same(t, envelopes, string(first.Envelope), string(second.Envelope))
			for _, s := range append(first.Blobs, second.Blobs...) {
				rc, err := img.Blob(t.Context(), s.Digest, 100)
				if err != nil {
					t.Fatal(err)
				}
				if got := readAllOf(t, rc); int64(len(got)) != s.Size {
					t.Fatalf("%s is %q", s.Name, got)
				}
			}
		})
	}
}

// same fails the test unless got is want in any order.
func same(t testing.TB, got []string, want ...string) {
	t.Helper()
	got = slices.Sorted(slices.Values(got))
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Fatalf("got %q\nwant %q", got, want)
	}
}

func TestAttachToIndexAndItsPlatforms(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			ref := p.push(t, "multi", indexOf(t, "linux/amd64", "linux/arm64/v8", "unknown/unknown"))
			img := resolve(t, ref, Options{})
			attach(t, img, attachment(1))
			for _, platform := range []string{"", "linux/amd64", "linux/arm64"} {
				bundles, envelopes := contents(t, resolve(t, ref, Options{Platform: platform}))
				if len(bundles) != 1 || len(envelopes) != 1 {
					t.Errorf("platform %q has %q %q", platform, bundles, envelopes)
				}
			}
			if len(img.targets()) != 3 {
				t.Errorf("attached to %d manifests, want the index and two platforms", len(img.targets()))
			}
		})
	}
}

func TestAttachAgainAddsNothing(t *testing.T) {
	for _, p := range places(t)[:3] {
		t.Run(p.kind, func(t *testing.T) {
			ref := p.push(t, "again", indexOf(t, "linux/amd64", "linux/arm64"))
			a := attachment(1)
			attach(t, resolve(t, ref, Options{}), a)
			log := &recorder{}
			a.Envelope = append(a.Envelope, '\n') // the same bundle, and another spelling of what is in it
			a.Blobs = append(a.Blobs, stored("an answer of today", "application/json", "{}"))
			attach(t, resolve(t, ref, Options{Transport: log}), a)
			if w := log.writes(); len(w) > 0 {
				t.Fatalf("attaching the same again wrote %q", w)
			}
			bundles, envelopes := contents(t, resolve(t, ref, Options{}))
			if len(bundles) != 1 || len(envelopes) != 1 {
				t.Fatalf("it has %q %q", bundles, envelopes)
			}
		})
	}
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	const writers = 16
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			ref := p.push(t, "busy", single(t))
			var group sync.WaitGroup
			errs := make([]error, writers)
			for n := range writers {
				group.Go(func() {
					img, err := Resolve(t.Context(), ref, Options{limits: quick})
					if err == nil {
						err = img.Attach(t.Context(), attachment(n))
					}
					errs[n] = err
				})
			}
			group.Wait()
			for n, err := range errs {
				if err != nil {
					t.Fatalf("writer %d: %v", n, err)
				}
			}
			bundles, envelopes := contents(t, resolve(t, ref, Options{}))
			if len(bundles) != writers || len(envelopes) != writers {
				t.Fatalf("of %d attestations %d are in the journal and %d in the .att tag", writers, len(bundles), len(envelopes))
			}
			if p.kind == "no referrers" || p.kind == "distribution" {
				fallback := inFallback(t, ref)
				if fallback != 2*writers { // each has a bundle and its stored blobs
					t.Fatalf("the fallback index lists %d manifests, want %d", fallback, 2*writers)
				}
			}
		})
	}
}

// inFallback is the number of manifests in the index at the tag sha256-HEX, as another program reads it.
func inFallback(t testing.TB, ref string) int {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	d, err := remote.Head(tag)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(tag.Context().Tag(fallbackTag(d.Digest)))
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return len(m.Manifests)
}

// TestInterruptedAtAnyRequest cuts the connection at each request, for one request and for good. What readers see is all of
// the attestation or nothing, and attaching again completes it.
func TestInterruptedAtAnyRequest(t *testing.T) {
	real := testtools.Registry(t)
	for _, c := range []struct {
		kind      string
		forGood   bool
		host      func() string
		platforms []string // of the index; distribution's disk is slow, so there it is a single image
	}{
		{"referrers", true, func() string { return inMemory(t, true) }, []string{"linux/amd64", "linux/arm64"}},
		{"referrers", false, func() string { return inMemory(t, true) }, []string{"linux/amd64", "linux/arm64"}},
		{"no referrers", true, func() string { return inMemory(t, false) }, []string{"linux/amd64", "linux/arm64"}},
		{"no referrers", false, func() string { return inMemory(t, false) }, []string{"linux/amd64", "linux/arm64"}},
		{"distribution", true, func() string { return real }, nil},
	} {
		t.Run(fmt.Sprintf("%s, for good %v", c.kind, c.forGood), func(t *testing.T) {
			cut := 1
			for cutAt(t, c.host(), cut, c.forGood, c.platforms) {
				cut++
			}
			if cut < 20 {
				t.Fatalf("only %d requests were cut", cut)
			}
		})
	}
}

// cutAt attaches to a new image with the n-th request cut, and tells whether there was one.
func cutAt(t *testing.T, host string, n int, forGood bool, platforms []string) bool {
	var image any = single(t)
	if platforms != nil {
		image = indexOf(t, platforms...)
	}
	ref := pushTo(fmt.Sprintf("%s/cut/at%d", host, n))(t, "nightly", image)
	once := quick
	once.attempts = 1
	img := resolve(t, ref, Options{limits: once})
	log := &recorder{fail: func(k int, _ *http.Request) bool { return k == n || forGood && k > n }}
	img.store.(*registry).guard.inner = log
	err := img.Attach(t.Context(), attachment(1))
	if len(log.seen) < n {
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	undecided(t, err)
	wholeOrNothing(t, ref)
	attach(t, resolve(t, ref, Options{}), attachment(1))
	for _, platform := range append(platforms, "") {
		bundles, envelopes := contents(t, resolve(t, ref, Options{Platform: platform}))
		if len(bundles) != 1 || len(envelopes) != 1 {
			t.Fatalf("cut at request %d (%s), and attached again: %q has %q %q", n, log.seen[n-1], platform, bundles, envelopes)
		}
	}
	return true
}

func wholeOrNothing(t testing.TB, ref string) {
	t.Helper()
	want := attachment(1)
	img := resolve(t, ref, Options{})
	bundles, envelopes := contents(t, img)
	if len(bundles) > 1 || len(envelopes) > len(bundles) {
		t.Fatalf("after an interruption it has %q %q", bundles, envelopes)
	}
	if len(bundles) == 0 {
		return
	}
	same(t, bundles, string(want.Bundle))
	for _, s := range want.Blobs {
		rc, err := img.Blob(t.Context(), s.Digest, 100)
		if err != nil {
			t.Fatalf("the attestation is there, and %s is not: %v", s.Name, err)
		}
		readAllOf(t, rc)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	ref := pushTo(inMemory(t, true)+"/team/mortgage")(t, "counted", single(t))
	log := &recorder{}
	img := resolve(t, ref, Options{Transport: log})
	if found, err := img.Attestations(t.Context()); err != nil || len(found) > 0 { // is it there already?
		t.Fatal(found, err)
	}
	images, err := img.platformImages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	layers, err := images[0].Image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	rc, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	readAllOf(t, rc)
	before := len(log.seen)
	a := attachment(1)
	a.Blobs = append(a.Blobs, stored("index", "application/jsonl", "{}\n{}"))
	attach(t, img, a)
	attaching := len(log.seen) - before
	contents(t, img) // read back
	record := len(log.seen)
	if attaching > 22 || len(log.seen) > 35 {
		t.Errorf("attaching took %d requests, the whole record %d:\n%s", attaching, len(log.seen), strings.Join(log.seen, "\n"))
	}
	log = &recorder{}
	contents(t, resolve(t, ref, Options{Transport: log}))
	if len(log.seen) > 8 {
		t.Errorf("reading took %d requests:\n%s", len(log.seen), strings.Join(log.seen, "\n"))
	}
	t.Logf("attaching took %d requests, the whole record %d, reading %d", attaching, record, len(log.seen))
}

func TestTagMoved(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			ref := p.push(t, "moving", single(t))
			img := resolve(t, ref, Options{})
			if p.kind == "layout" {
				index := strings.ReplaceAll(string(must(img.store.(*layout).index(t.Context())).raw), "moving", "gone")
				if err := img.store.(*layout).writeFile("index.json", strings.NewReader(index)); err != nil {
					t.Fatal(err)
				}
				refusedAs(t, img.Attach(t.Context(), attachment(1)), "image.moved", "moving", img.top.digest.String(), "gone")
			}
			other := single(t)
			p.push(t, "moving", other)
			digest, err := other.Digest()
			if err != nil {
				t.Fatal(err)
			}
			refusedAs(t, img.Attach(t.Context(), attachment(1)), "image.moved", img.top.digest.String(), digest.String())
			if b, e := contents(t, img); len(b)+len(e) > 0 {
				t.Fatalf("it was refused and is there: %q %q", b, e)
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestForeignEntriesAreKept has somebody else's layers in the .att tag and referrers in the fallback index.
func TestForeignEntriesAreKept(t *testing.T) {
	for _, p := range places(t)[:3] {
		t.Run(p.kind, func(t *testing.T) {
			ref := p.push(t, "foreign", single(t))
			img := resolve(t, ref, Options{})
			repo := must(name.ParseReference(ref)).Context()
			theirs := must(mutate.Append(empty.Image, mutate.Addendum{
				Layer: static.NewLayer([]byte("their envelope"), dsseType), Annotations: map[string]string{"theirs": "yes"},
			}))
			if err := remote.Write(repo.Tag(attTag(img.self.digest)), theirs); err != nil {
				t.Fatal(err)
			}
			referrer := mutate.Subject(mutate.Annotations(mutate.ConfigMediaType(single(t), "application/vnd.example.sbom"),
				map[string]string{"kept": "yes"}).(v1.Image), *pointer(img.self.descriptor())).(v1.Image)
			if err := remote.Write(repo.Digest(must(referrer.Digest()).String()), referrer); err != nil {
				t.Fatal(err)
			}
			attach(t, img, attachment(1))
			bundles, envelopes := contents(t, img)
			same(t, bundles, string(attachment(1).Bundle))
			same(t, envelopes, "their envelope", string(attachment(1).Envelope))
			att := must(must(remote.Image(repo.Tag(attTag(img.self.digest)))).Manifest())
			if att.Layers[0].Annotations["theirs"] != "yes" || att.Layers[1].Annotations[attPredicate] != attachment(1).PredicateType {
				t.Errorf("annotations of the layers: %v", att.Layers)
			}
			if list := must(remote.Referrers(repo.Digest(img.self.digest.String()))); len(must(list.IndexManifest()).Manifests) != 3 {
				t.Errorf("referrers: %v", must(list.IndexManifest()).Manifests)
			}
		})
	}
}

// TestAsCosignReadsIt compares what is written with the table in cosign's specifications.
func TestAsCosignReadsIt(t *testing.T) {
	ref := pushTo(inMemory(t, true)+"/team/mortgage")(t, "table", single(t))
	img, a := resolve(t, ref, Options{}), attachment(1)
	attach(t, img, a)
	att := must(img.store.manifest(t.Context(), attTag(img.self.digest)))
	if att.MediaType != manifestType || att.Config.MediaType != types.OCIConfigJSON || len(att.Layers) != 1 ||
		att.Layers[0].MediaType != dsseType || att.Layers[0].Annotations[attPredicate] != a.PredicateType {
		t.Errorf(".att is %s", att.raw)
	}
	if signature, there := att.Layers[0].Annotations[attSignature]; !there || signature != "" {
		t.Errorf(".att has no empty signature: %s", att.raw)
	}
	var bundle manifest
	for _, d := range must(img.store.journal(t.Context(), img.self.digest)).entries {
		if m := must(img.store.manifest(t.Context(), d.Digest.String())); m.ArtifactType == bundleType {
			bundle = m
		}
	}
	if len(bundle.Layers) != 1 || bundle.Layers[0].MediaType != bundleType || bundle.Config.MediaType != emptyType ||
		bundle.Subject.Digest != img.self.digest || bundle.Annotations[bundleContent] != "dsse-envelope" ||
		bundle.Annotations[bundlePredicate] != a.PredicateType || bundle.Annotations[created] == "" {
		t.Errorf("the bundle's manifest is %s", bundle.raw)
	}
}

// TestAttachBundleOnly: an attestation that has no old form leaves the .att tag as it is, and what is there is put back without it.
func TestAttachBundleOnly(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			ref := p.push(t, "keyless", indexOf(t, "linux/amd64", "linux/arm64"))
			img := resolve(t, ref, Options{})
			a := attachment(1)
			a.Envelope = nil
			attach(t, img, a)
			bundles, envelopes := contents(t, img)
			same(t, bundles, string(a.Bundle))
			same(t, envelopes)
			if err := img.Point(t.Context(), "pipeline"); err != nil {
				t.Error(err)
			}
			log := &recorder{}
			attach(t, resolve(t, ref, Options{Transport: log}), a)
			if w := log.writes(); len(w) > 0 {
				t.Errorf("attaching the same again wrote %q", w)
			}
			both := attachment(2)
			attach(t, img, both)
			for _, platform := range []string{"", "linux/arm64"} {
				bundles, envelopes = contents(t, resolve(t, ref, Options{Platform: platform}))
				same(t, bundles, string(a.Bundle), string(both.Bundle))
				same(t, envelopes, string(both.Envelope))
			}
		})
	}
}
