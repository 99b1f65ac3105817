package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ocilayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/testtools"
)

// quick are limits that do not let a test wait.
var quick = limits{backoff: time.Millisecond, patience: 20 * time.Millisecond, attempts: 2, rounds: 200}

// place of a test: makes references to one kind of store.
type testPlace struct {
	kind string
	// push writes an image or index under a tag and returns its reference.
	push func(t testing.TB, tag string, image any) string
}

// places are one of each kind of store: with the referrers API, without, distribution's binary, and a folder.
func places(t *testing.T) []testPlace {
	return []testPlace{
		{"referrers", pushTo(inMemory(t, true) + "/team/mortgage")},
		{"no referrers", pushTo(inMemory(t, false) + "/team/mortgage")},
		{"distribution", pushTo(testtools.Registry(t) + "/team/mortgage")},
		{"layout", pushToLayout(filepath.Join(t.TempDir(), "layout"))},
	}
}

// inMemory runs a registry in this process.
func inMemory(t testing.TB, referrers bool) string {
	t.Helper()
	return serve(t, ggcr.New(ggcr.WithReferrersSupport(referrers), ggcr.Logger(log.New(io.Discard, "", 0))))
}

// serve runs a handler until the test ends; the answer is its HOST:PORT.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func pushTo(repo string) func(testing.TB, string, any) string {
	return func(t testing.TB, tag string, image any) string {
		t.Helper()
		ref, err := name.NewTag(repo + ":" + tag)
		if err != nil {
			t.Fatal(err)
		}
		switch image := image.(type) {
		case v1.Image:
			err = remote.Write(ref, image)
		case v1.ImageIndex:
			err = remote.WriteIndex(ref, image)
		}
		if err != nil {
			t.Fatal(err)
		}
		return ref.Name()
	}
}

func pushToLayout(dir string) func(testing.TB, string, any) string {
	return func(t testing.TB, tag string, image any) string {
		t.Helper()
		p, err := ocilayout.FromPath(dir)
		if err != nil {
			if p, err = ocilayout.Write(dir, empty.Index); err != nil {
				t.Fatal(err)
			}
		}
		annotation := ocilayout.WithAnnotations(map[string]string{refName: tag})
		switch image := image.(type) {
		case v1.Image:
			err = p.AppendImage(image, annotation)
		case v1.ImageIndex:
			err = p.AppendIndex(image, annotation)
		}
		if err != nil {
			t.Fatal(err)
		}
		return "oci:" + dir + ":" + tag
	}
}

// single is an image for linux/amd64 that is different every time.
func single(t testing.TB) v1.Image { return forPlatform(t, "linux/amd64") }

func forPlatform(t testing.TB, platform string) v1.Image {
	t.Helper()
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	p, err := v1.ParsePlatform(platform)
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, p.Variant
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

// indexOf is an index of images for these platforms; unknown/unknown is like BuildKit's attestation manifests.
func indexOf(t testing.TB, platforms ...string) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, s := range platforms {
		p, err := v1.ParsePlatform(s)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: forPlatform(t, s), Descriptor: v1.Descriptor{Platform: p}})
	}
	return index
}

// resolve resolves, or fails the test.
func resolve(t testing.TB, ref string, o Options) *Image {
	t.Helper()
	if o.limits == (limits{}) {
		o.limits = quick
	}
	img, err := Resolve(t.Context(), ref, o)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// attachment is one attestation with its blobs; n makes it different from others.
func attachment(n int) Attachment {
	return Attachment{
		Bundle:        fmt.Appendf(nil, `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","n":%d}`, n),
		Envelope:      fmt.Appendf(nil, `{"payloadType":"application/vnd.in-toto+json","n":%d}`, n),
		PredicateType: "https://slsa.dev/provenance/v1",
		Blobs: []provenance.Stored{
			stored("manifest of the training data", "application/vnd.provenance.manifest.v1+text", fmt.Sprintf("manifest %d", n)),
			stored("Databricks run", "application/json", fmt.Sprintf(`{"run_id":%d}`, n)),
		},
	}
}

func stored(title, mediaType, content string) provenance.Stored {
	return provenance.Stored{
		Name: title, MediaType: mediaType, Digest: provenance.SumSHA256([]byte(content)), Size: int64(len(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	}
}

func attach(t testing.TB, img *Image, a Attachment) {
	t.Helper()
	if err := img.Attach(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

// contents are what Attestations finds, by form; anything that cannot be read fails the test.
func contents(t testing.TB, img *Image) (bundles, envelopes []string) {
	t.Helper()
	found, err := img.Attestations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		switch {
		case f.Err != nil:
			t.Fatal(f.Err)
		case f.Form == FormBundle:
			bundles = append(bundles, string(f.Bytes))
		case f.Form == FormAtt:
			envelopes = append(envelopes, string(f.Bytes))
		}
	}
	return bundles, envelopes
}

// recorder is a transport that counts, and may fail, requests.
type recorder struct {
	mu   sync.Mutex
	seen []string
	fail func(n int, req *http.Request) bool // n counts from 1
}

var errCut = errors.New("the connection was cut")

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" { // the ping tries https on this machine too
		return nil, errors.New("no https here")
	}
	r.mu.Lock()
	r.seen = append(r.seen, req.Method+" "+req.URL.Path)
	cut := r.fail != nil && r.fail(len(r.seen), req)
	r.mu.Unlock()
	if cut {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, errCut
	}
	return http.DefaultTransport.RoundTrip(req)
}

// writes are the requests that change something.
func (r *recorder) writes() (list []string) {
	for _, s := range r.seen {
		if !strings.HasPrefix(s, "GET ") && !strings.HasPrefix(s, "HEAD ") {
			list = append(list, s)
		}
	}
	return list
}

// refusedAs fails the test unless err is a refusal with this code that says all of the texts.
func refusedAs(t testing.TB, err error, code string, texts ...string) {
	t.Helper()
	var refused *provenance.Refused
	if !errors.As(err, &refused) || refused.Code != code {
		t.Fatalf("error is %v, want a refusal %s", err, code)
	}
	says(t, err, texts...)
}

func misused(t testing.TB, err error, texts ...string) {
	t.Helper()
	if !errors.As(err, new(*provenance.Misused)) {
		t.Fatalf("error is %v, want a misuse", err)
	}
	says(t, err, texts...)
}

// undecided fails the test unless err is an error that is neither a refusal nor a misuse.
func undecided(t testing.TB, err error, texts ...string) {
	t.Helper()
	if err == nil || errors.As(err, new(*provenance.Refused)) || errors.As(err, new(*provenance.Misused)) {
		t.Fatalf("error is %v, want one that leaves it undecided", err)
	}
	says(t, err, texts...)
}

func says(t testing.TB, err error, texts ...string) {
	t.Helper()
	all := err.Error() + "\n" + strings.Join(provenance.Hints(err), "\n")
	for _, text := range texts {
		if !strings.Contains(all, text) {
			t.Fatalf("error is %q, want %q in it", all, text)
		}
	}
}

func readAllOf(t testing.TB, rc io.ReadCloser) string {
	t.Helper()
	defer rc.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, rc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
