package image

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// limited fails the test unless err is a LimitError with this text.
func limited(t testing.TB, err error, text string) {
	t.Helper()
	if !errors.As(err, new(*LimitError)) {
		t.Fatalf("error is %v, want a LimitError", err)
	}
	undecided(t, err, text)
}

// planted is a registry that lists manifests beside the one of hostileRegistry; layers are the JSON of the layers of each.
func planted(t *testing.T, l limits, layers ...string) *Image {
	manifests, list := map[string]string{}, ""
	for n, items := range layers {
		raw := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"annotations":{"n":"%d"},"layers":[%s]}`, manifestType, n, strings.TrimSuffix(items, ","))
		digest := sum([]byte(raw)).String()
		manifests[digest] = raw
		list += fmt.Sprintf(`{"mediaType":%q,"size":%d,"digest":%q},`, manifestType, len(raw), digest)
	}
	var img *Image
	return hostileRegistryOf(t, &img, l, func(w http.ResponseWriter, r *http.Request) bool {
		_, digest, _ := strings.Cut(r.URL.Path, "/manifests/")
		raw, known := manifests[digest]
		switch {
		case isReferrers(r):
			own := ownBundle(t, img)
			io.WriteString(w, indexWith(list+fmt.Sprintf(`{"mediaType":%q,"size":%d,"digest":%q}`, manifestType, len(own.raw), own.digest)))
		case known:
			w.Header().Set("Content-Type", manifestType)
			io.WriteString(w, raw)
		}
		return isReferrers(r) || known
	})
}

// hostileRegistryOf is hostileRegistry for answers that speak of the image.
func hostileRegistryOf(t *testing.T, img **Image, l limits, answer func(http.ResponseWriter, *http.Request) bool) *Image {
	*img = hostileRegistry(t, true, l, answer)
	return *img
}

// ownBundle is the manifest that hostileRegistry attached.
func ownBundle(t *testing.T, img *Image) manifest {
	a := attachment(1)
	return must(bundleManifest(*pointer(img.self.descriptor()), a, &v1.Descriptor{Digest: sum(a.Envelope), Size: int64(len(a.Envelope))}))
}

// bundlesOf are n layers that say they are attestations of so many bytes.
func bundlesOf(k, n, size int) (items string) {
	for i := range n {
		items += fmt.Sprintf(`{"mediaType":%q,"size":%d,"digest":"sha256:%064x"},`, bundleType, size, k*n+i)
	}
	return items
}

func times(n int, f func(k int) string) (list []string) {
	for k := range n {
		list = append(list, f(k))
	}
	return list
}

// TestMetadataIsBounded has manifests that are each within the limits, and together are not.
func TestMetadataIsBounded(t *testing.T) {
	large := times(40, func(k int) string {
		return fmt.Sprintf(`{"mediaType":"x/%s","size":1,"digest":"sha256:%064x"}`, strings.Repeat("x", 9000), k)
	})
	found, err := planted(t, limits{}, large...).Attestations(t.Context())
	if err != nil || len(found) != 2 {
		t.Fatalf("%v, found %d, want the two forms of the attestation", err, len(found))
	}
	_, err = planted(t, limits{metadata: 200_000}, large...).Attestations(t.Context())
	limited(t, err, "takes metadata that exceeds the limit of 200000 bytes")
}

// TestResolveIsBounded has an index whose members' configurations must be read, and a registry that trickles.
func TestResolveIsBounded(t *testing.T) {
	index := indexOf(t)
	for range 10 {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: forPlatform(t, "linux/amd64")})
	}
	for _, p := range []testPlace{{"registry", pushTo(inMemory(t, true) + "/team/mortgage")}, {"layout", pushToLayout(t.TempDir() + "/layout")}} {
		t.Run(p.kind, func(t *testing.T) {
			ref, l := p.push(t, "heavy", index), quick
			resolve(t, ref, Options{})
			l.metadata = 5000
			_, err := Resolve(t.Context(), ref, Options{limits: l})
			limited(t, err, "5000 bytes")
		})
	}
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.URL.Path != "/v2/" && r.Context().Err() == nil {
			io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	}))
	l := quick
	l.wait = 200 * time.Millisecond
	_, err := Resolve(t.Context(), host+"/team/mortgage:x", Options{limits: l})
	limited(t, err, "200ms")
}

// TestCollectingStops has more attestations announced than anybody reads: the rest of the manifests is not asked for.
func TestCollectingStops(t *testing.T) {
	var asked atomic.Int64
	img := planted(t, limits{layers: 50}, times(200, func(k int) string { return bundlesOf(k, 10, 5) })...)
	inner := img.store.(*registry).guard.inner
	img.store.(*registry).guard.inner = roundTrip(func(r *http.Request) (*http.Response, error) {
		asked.Add(1)
		return inner.RoundTrip(r)
	})
	_, err := img.Attestations(t.Context())
	limited(t, err, "50 entries")
	if n := asked.Load(); n > 50 {
		t.Errorf("%d requests, want it to end early", n)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestOneReferrerIsBounded has a manifest of somebody else with many attestations, and one that is too large: each is told as
// one that is broken, and what is ours is found.
func TestOneReferrerIsBounded(t *testing.T) {
	for want, layers := range map[string]string{"16 entries": bundlesOf(0, 500, 5), "524288 bytes": bundlesOf(0, 5000, 5)} {
		found, err := planted(t, limits{}, layers).Attestations(t.Context())
		if err != nil || len(found) > maxBundles+3 {
			t.Fatalf("%v, found %d", err, len(found))
		}
		good, told := 0, false
		for _, f := range found {
			if f.Err == nil {
				good++
			}
			told = told || errors.As(f.Err, new(*LimitError)) && strings.Contains(f.Err.Error(), want)
		}
		if good != 2 || !told {
			t.Errorf("%d are good, want 2; told of %s: %v", good, want, told)
		}
	}
}

// TestSizesThatAreOnlySaid hide nothing: bytes count when they were read.
func TestSizesThatAreOnlySaid(t *testing.T) {
	found, err := planted(t, limits{total: 1 << 20}, times(20, func(k int) string { return bundlesOf(k, 9, 16_000_000) })...).Attestations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for _, f := range found {
		if f.Err == nil {
			good++
		}
	}
	if good != 2 || len(found) != 182 {
		t.Errorf("%d of %d are good, want 2 of 182", good, len(found))
	}
}

// TestBytesOfBrokenAttestationsCount has attestations whose bytes are sent, and are not what they should be.
func TestBytesOfBrokenAttestationsCount(t *testing.T) {
	img := planted(t, limits{total: 4000}, times(3, func(k int) string { return bundlesOf(k, 9, 1000) })...)
	inner := img.store.(*registry).guard.inner
	img.store.(*registry).guard.inner = roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := inner.RoundTrip(r)
		if err == nil && isBlob(r) && resp.StatusCode == http.StatusNotFound {
			resp.Body.Close()
			resp.StatusCode, resp.Body = http.StatusOK, io.NopCloser(strings.NewReader(strings.Repeat("x", 1000)))
		}
		return resp, err
	})
	_, err := img.Attestations(t.Context())
	limited(t, err, "4000 bytes")
}

// TestTrimmed keeps honest entries of a list whole, and of large ones the notes of our own.
func TestTrimmed(t *testing.T) {
	large := strings.Repeat("x", 10_000)
	digest := sum(nil)
	honest := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digest, Size: 3, ArtifactType: "a/b", Annotations: map[string]string{"theirs": "kept"}}
	for name, d := range map[string]v1.Descriptor{
		"annotation": {Annotations: map[string]string{"n": large, envelopeSize: "5"}}, "key": {Annotations: map[string]string{large: "", envelopeSize: "5"}},
		"our annotation": {Annotations: map[string]string{bundlePredicate: large, envelopeSize: "5"}},
		"media type":     {ArtifactType: large, Annotations: map[string]string{envelopeSize: "5"}},
		"data":           {Data: []byte(large), Annotations: map[string]string{envelopeSize: "5"}}, "urls": {URLs: make([]string, 1000), Annotations: map[string]string{envelopeSize: "5"}},
		"platform": {Platform: &v1.Platform{OS: large}, Annotations: map[string]string{envelopeSize: "5"}},
	} {
		d.Digest, d.Size = digest, 7
		got := trimmed([]v1.Descriptor{honest, d})
		if got[0].Annotations["theirs"] != "kept" || got[0].ArtifactType != "a/b" {
			t.Errorf("%s: the honest one is %+v", name, got[0])
		}
		if size(got[1]) > 100 || got[1].Digest != digest || got[1].Size != 7 || got[1].Annotations[envelopeSize] != "5" {
			t.Errorf("%s: the large one is %d bytes, %v", name, size(got[1]), got[1].Annotations)
		}
	}
	if got := trimmed([]v1.Descriptor{{Annotations: map[string]string{}}}); got[0].Annotations != nil {
		t.Error("no annotations are not as if the list had left them out")
	}
}

// TestListsOfReferrersAreTrimmed has a list and a fallback index with a large entry.
func TestListsOfReferrersAreTrimmed(t *testing.T) {
	entry := fmt.Sprintf(`{"mediaType":%q,"size":1,"digest":%q,"annotations":{"n":%q}}`, manifestType, someDigest, strings.Repeat("x", 10_000))
	for referrers, which := range map[bool]func(*http.Request) bool{true: isReferrers, false: isFallback} {
		img := hostileRegistry(t, referrers, limits{}, body(which, indexWith(entry)))
		entries := must(img.store.journal(t.Context(), img.self.digest)).entries
		if len(entries) == 0 || size(entries[0]) > 100 {
			t.Errorf("referrers %v: %d entries, the first has %d bytes", referrers, len(entries), size(entries[0]))
		}
	}
}

// TestListsInManifestsAreBounded has few bytes that would take much memory.
func TestListsInManifestsAreBounded(t *testing.T) {
	list := func(n int) string { return strings.TrimSuffix(strings.Repeat("{},", n), ",") }
	if m, err := parseManifest([]byte(`{"layers":[`+list(maxDescriptors)+`]}`), ""); err != nil || len(m.Layers) != maxDescriptors {
		t.Errorf("%v, %d layers", err, len(m.Layers))
	}
	for _, key := range []string{"layers", "manifests"} {
		_, err := parseManifest([]byte(`{"`+key+`":[`+list(maxDescriptors+1)+`]}`), "")
		limited(t, err, "20000 entries")
	}
	for _, nonsense := range []string{`{"layers":1}`, `{"layers":{}}`, `{"layers":[1]}`, `{"manifests":"x"}`} {
		if _, err := parseManifest([]byte(nonsense), ""); err == nil {
			t.Errorf("%s was read", nonsense)
		}
	}
}

// TestPingIsBounded has a registry that answers the ping without end, where it was asked and where it redirects to.
func TestPingIsBounded(t *testing.T) {
	for _, path := range []string{"/v2/", "/elsewhere"} {
		t.Run(path, func(t *testing.T) {
			inner, ref := withImage(t)
			var sent atomic.Int64
			host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == path:
					for err := error(nil); err == nil && sent.Load() < 512<<20; {
						var n int
						n, err = io.WriteString(w, strings.Repeat("x", 1<<16))
						sent.Add(int64(n))
					}
				case r.URL.Path == "/v2/":
					http.Redirect(w, r, path, http.StatusFound)
				default:
					inner.ServeHTTP(w, r)
				}
			}))
			resolve(t, host+ref, Options{UserAgent: "provenance/1.2.3"})
			if n := sent.Load(); n > 64<<20 {
				t.Errorf("%d MiB were taken", n>>20)
			}
		})
	}
}

// TestLayoutOfManyManifestsIsBounded reads what index.json lists, within the limit.
func TestLayoutOfManyManifestsIsBounded(t *testing.T) {
	ref := pushToLayout(t.TempDir()+"/layout")(t, "one", single(t))
	img := resolve(t, ref, Options{})
	for n := range 20 {
		attach(t, img, attachment(n))
	}
	img.limits.metadata = 10_000
	_, err := img.Attestations(t.Context())
	limited(t, err, "10000 bytes")
}
