package image

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const someDigest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

// manifestSeeds are manifests as registries send them; the last three are refused.
var manifestSeeds = []string{
	`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"` + someDigest + `"},"layers":[]}`,
	`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,"digest":"` + someDigest + `","platform":{"os":"linux","architecture":"amd64"}}]}`,
	`{"schemaVersion":2}`,
	`{"schemaVersion":2,"LAYers":[]}`,
	`{"layers":[{"size":1,"digest":"` + someDigest + `"}],"manifests":[{"size":1,"digest":"` + someDigest + `"}]}`,
	`{"layers":[],"Layers":[]}`,
	`{"layers":[{"size":1,"digest":"sha256:no"}]}`,
}

func TestManifestSeeds(t *testing.T) {
	for n, seed := range manifestSeeds {
		if _, err := parseManifest([]byte(seed), ""); (err == nil) != (n < 4) {
			t.Errorf("seed %d: %v", n, err)
		}
	}
	if _, err := parseManifest([]byte(manifestSeeds[0]), indexType); err == nil {
		t.Error("an image was taken for an index")
	}
}

// FuzzManifest checks that what is read is either clearly an image or clearly an index, and that adding to it keeps all that
// was there.
func FuzzManifest(f *testing.F) {
	for _, seed := range manifestSeeds {
		f.Add([]byte(seed), "")
		f.Add([]byte(seed), indexType)
	}
	more := v1.Descriptor{MediaType: dsseType, Size: 2, Digest: sum([]byte("{}"))}
	f.Fuzz(func(t *testing.T, raw []byte, mediaType string) {
		m, err := parseManifest(raw, mediaType)
		if err != nil {
			return
		}
		key, before := "layers", m.Layers
		if m.isIndex() {
			key, before = "manifests", m.Manifests
		}
		if m.isIndex() && len(m.Layers) > 0 || !m.isIndex() && len(m.Manifests) > 0 {
			t.Fatalf("%q has layers and manifests", raw)
		}
		out, err := appended(raw, key, []v1.Descriptor{more}, nil)
		if err != nil {
			t.Fatalf("%q was read, and cannot be added to: %v", raw, err)
		}
		again, err := parseManifest(out, mediaType)
		if err != nil {
			t.Fatalf("%q became %q: %v", raw, out, err)
		}
		after := again.Layers
		if m.isIndex() {
			after = again.Manifests
		}
		if len(after) != len(before)+1 || after[len(before)].Digest != more.Digest {
			t.Fatalf("%q became %q", raw, out)
		}
		for n := range before {
			if after[n].Digest != before[n].Digest {
				t.Fatalf("%q became %q", raw, out)
			}
		}
	})
}

var linkSeeds = map[string]string{
	`</v2/a/tags/list?n=1&last=b>; rel="next"`: `/v2/a/tags/list?n=1&last=b`,
	`<a>; rel="prev", <b>; rel=next`:           "b",
	`<a>; title="x"; REL="NEXT"`:               "a",
	`<a>`:                                      "",
	`a; rel="next"`:                            "",
	"":                                         "",
	`<https://other.example/v2/a/tags/list>; rel="next"`: "https://other.example/v2/a/tags/list",
	`<>; rel="next"`: "",
}

func TestNextLink(t *testing.T) {
	for header, want := range linkSeeds {
		if got := nextLink([]string{header}); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

// FuzzNextLink checks that a next page is always on the same registry.
func FuzzNextLink(f *testing.F) {
	for header := range linkSeeds {
		f.Add(header)
	}
	asked := must(http.NewRequest(http.MethodGet, "https://acr.azurecr.io/v2/a/referrers/x?n=1", nil)).URL
	r := must(parseReference("acr.azurecr.io/a:b", Options{})).store.(*registry)
	f.Fuzz(func(t *testing.T, header string) {
		next, err := r.resolve(asked, nextLink([]string{header}))
		if err != nil {
			return
		}
		if !strings.HasPrefix(next, "https://acr.azurecr.io/") && !strings.HasPrefix(next, "https://acr.azurecr.io?") && next != "https://acr.azurecr.io" {
			t.Errorf("%q leads to %q", header, next)
		}
	})
}

func TestTagPages(t *testing.T) {
	prefix := "sha256-ab.prov-"
	for _, c := range []struct {
		name, page string
		found      int
		next       string
	}{
		{"in order, and past ours", `{"tags":["sha256-ab.prov-1","sha256-ab.prov-2","v1"]}`, 2, lastPage},
		{"in order, and ends with ours", `{"tags":["sha256-ab.prov-1"]}`, 1, ""},
		{"in no order", `{"tags":["v1","sha256-ab.prov-1","a"]}`, 1, ""},
		{"from the beginning", `{"tags":["a","sha256-ab.prov-1","v1"]}`, 1, ""},
		{"none", `{"tags":null}`, 0, ""},
		{"full page", fullPage(prefix), tagPage, tagPath(prefix + "00000999")},
		{"no tag at all", `{"tags":["sha256-ab.prov-/../../x"]}`, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := tagLister{prefix: prefix, last: prefix, limit: 10_000}
			next, err := l.page([]byte(c.page))
			if err != nil || len(l.found) != c.found || next != c.next {
				t.Errorf("%v, found %d, next %q", err, len(l.found), next)
			}
		})
	}
}

func fullPage(prefix string) string {
	var tags []string
	for n := range tagPage {
		tags = append(tags, fmt.Sprintf("%s%08d", prefix, n))
	}
	return string(must(json.Marshal(map[string]any{"tags": tags})))
}

// FuzzTagPage checks that only tags with the prefix are found, that each could be one, and that paging makes progress.
func FuzzTagPage(f *testing.F) {
	f.Add([]byte(`{"tags":["sha256-ab.prov-1","v1"]}`))
	f.Add([]byte(`{"tags":["sha256-ab.prov-a/b"]}`))
	f.Add([]byte(fullPage("sha256-ab.prov-")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l := tagLister{prefix: "sha256-ab.prov-", last: "sha256-ab.prov-", limit: 10_000}
		next, err := l.page(raw)
		if err != nil {
			return
		}
		for _, tag := range l.found {
			if !strings.HasPrefix(tag, l.prefix) || strings.ContainsAny(tag, "/?#% \n") {
				t.Errorf("%q was found", tag)
			}
		}
		if next != "" && next != lastPage && l.last <= l.prefix {
			t.Errorf("after %q the next page is %q", raw, next)
		}
	})
}

// FuzzIndexJSON checks that listing something in a layout's index.json keeps everything else.
func FuzzIndexJSON(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"`+someDigest+`","size":2,"annotations":{"org.opencontainers.image.ref.name":"a"},"foreign":1}],"other":[1]}`), "a")
	f.Add([]byte(`{}`), "")
	f.Fuzz(func(t *testing.T, raw []byte, tag string) {
		d := v1.Descriptor{MediaType: types.OCIManifestSchema1, Size: 3, Digest: sum([]byte("new"))}
		if tag != "" {
			d.Annotations = map[string]string{refName: tag}
		}
		before, ok := items(raw)
		out, err := replaced(raw, d)
		if err != nil || !ok {
			return
		}
		after, _ := items(out)
		if len(after) == 0 || len(after) > len(before)+1 {
			t.Fatalf("%q became %q", raw, out)
		}
		for _, item := range before {
			var old v1.Descriptor
			if json.Unmarshal([]byte(item), &old) == nil && old.Annotations[refName] == tag {
				continue
			}
			if !slices.Contains(after, item) {
				t.Fatalf("%q became %q: %s is gone", raw, out, item)
			}
		}
	})
}

// items are the members of manifests, each as it is written.
func items(raw []byte) (list []string, ok bool) {
	var index struct {
		Manifests []json.RawMessage `json:"manifests"`
	}
	if json.Unmarshal(raw, &index) != nil {
		return nil, false
	}
	for _, item := range index.Manifests {
		list = append(list, string(must(json.Marshal(item))))
	}
	return list, true
}

// FuzzReference checks that no reference makes the parser panic, and that what it accepts is complete.
func FuzzReference(f *testing.F) {
	for _, seed := range []string{"acr.azurecr.io/mortgage:20261123.1", "a/b@" + someDigest, "oci:dir", "oci:dir:tag", "oci:dir@" + someDigest, "oci:", "oci::", ":", "@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		p, err := parseReference(ref, Options{})
		if err != nil {
			misused(t, err)
			return
		}
		if p.store == nil || p.repository == "" || p.identifier == "" && !strings.HasPrefix(ref, "oci:") {
			t.Errorf("%q became %+v", ref, p)
		}
	})
}
