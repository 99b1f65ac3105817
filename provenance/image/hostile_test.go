package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// hostile is a registry whose answers a test can replace. It answers with a real registry for the rest.
type hostile struct {
	http.Handler
	answer func(w http.ResponseWriter, r *http.Request) bool
}

func (h *hostile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.answer == nil || !h.answer(w, r) {
		h.Handler.ServeHTTP(w, r)
	}
}

// hostileRegistry has an image with one attestation, and then answers as told.
func hostileRegistry(t *testing.T, referrers bool, l limits, answer func(w http.ResponseWriter, r *http.Request) bool) *Image {
	t.Helper()
	h := &hostile{Handler: ggcr.New(ggcr.WithReferrersSupport(referrers), ggcr.Logger(log.New(io.Discard, "", 0)))}
	ref := pushTo(serve(t, h)+"/team/mortgage")(t, "hostile", single(t))
	attach(t, resolve(t, ref, Options{}), attachment(1))
	l.backoff, l.attempts, l.patience = time.Millisecond, 2, time.Millisecond
	img := resolve(t, ref, Options{limits: l})
	h.answer = answer
	return img
}

// endless writes until the reader has enough.
func endless(w http.ResponseWriter, piece string) {
	for {
		if _, err := io.WriteString(w, strings.Repeat(piece, 1000)); err != nil {
			return
		}
	}
}

func isReferrers(r *http.Request) bool { return strings.Contains(r.URL.Path, "/referrers/") }
func isTags(r *http.Request) bool      { return strings.HasSuffix(r.URL.Path, "/tags/list") }
func isAtt(r *http.Request) bool       { return strings.HasSuffix(r.URL.Path, ".att") }
func isBlob(r *http.Request) bool      { return strings.Contains(r.URL.Path, "/blobs/sha256:") }

// listed is a piece of a list with n referrers, each another one, from the k-th.
func listed(k, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"mediaType":%q,"size":1,"digest":"sha256:%064x"},`, manifestType, k*n+i)
	}
	return b.String()
}

func indexWith(items string) string {
	return `{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[` + strings.TrimSuffix(items, ",") + `]}`
}

// TestLimits has registries that answer without end. Each is noticed, and told apart from "nothing is attached".
func TestLimits(t *testing.T) {
	small := limits{page: 1 << 20, manifest: 1 << 20, pages: 20}
	page := 0
	for _, c := range []struct {
		name      string
		referrers bool
		limits    limits
		answer    func(w http.ResponseWriter, r *http.Request) bool
		want      string
	}{
		{"endless list of referrers", true, small, func(w http.ResponseWriter, r *http.Request) bool {
			if isReferrers(r) {
				w.Header().Set("Content-Type", indexType)
				io.WriteString(w, `{"manifests":[`)
				endless(w, listed(0, 1))
			}
			return isReferrers(r)
		}, "1048576 bytes"},
		{"a million referrers", true, limits{page: 1 << 20}, func(w http.ResponseWriter, r *http.Request) bool {
			if isReferrers(r) {
				page++
				w.Header().Set("Content-Type", indexType)
				w.Header().Set("Link", fmt.Sprintf(`<%s?page=%d>; rel="next"`, r.URL.Path, page))
				io.WriteString(w, indexWith(listed(page, 500)))
			}
			return isReferrers(r)
		}, "1000 entries"},
		{"pages without end", true, small, func(w http.ResponseWriter, r *http.Request) bool {
			if isReferrers(r) {
				page++
				w.Header().Set("Link", fmt.Sprintf(`<?page=%d>; rel="next"`, page))
				io.WriteString(w, indexWith(""))
			}
			return isReferrers(r)
		}, "20 pages"},
		{"a million tags", false, limits{tags: 5000}, func(w http.ResponseWriter, r *http.Request) bool {
			if isTags(r) {
				page++
				tags := make([]string, tagPage)
				for i := range tags {
					tags[i] = fmt.Sprintf("%s%08d", r.URL.Query().Get("last")[:77], page*tagPage+i)
				}
				json.NewEncoder(w).Encode(map[string]any{"tags": tags})
			}
			return isTags(r)
		}, "5000 entries"},
		{"a million layers", true, limits{manifest: 1 << 30, layers: 1000}, func(w http.ResponseWriter, r *http.Request) bool {
			if isAtt(r) {
				w.Header().Set("Content-Type", manifestType)
				io.WriteString(w, `{"schemaVersion":2,"layers":[`)
				for i := range 5000 {
					fmt.Fprintf(w, `{"mediaType":%q,"size":3,"digest":"sha256:%064x"},`, dsseType, i)
				}
				fmt.Fprintf(w, `{"mediaType":%q,"size":3,"digest":"sha256:%064x"}]}`, dsseType, 5000)
			}
			return isAtt(r)
		}, "1000 entries"},
		{"too many bytes in all", true, limits{total: 50}, nil, "50 bytes"},
		{"a body that trickles", true, limits{wait: 300 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) bool {
			if isReferrers(r) {
				for r.Context().Err() == nil {
					io.WriteString(w, " ")
					w.(http.Flusher).Flush()
					time.Sleep(5 * time.Millisecond)
				}
			}
			return isReferrers(r)
		}, "300ms"},
		{".att is endless", true, limits{manifest: 10_000}, func(w http.ResponseWriter, r *http.Request) bool {
			if isAtt(r) {
				endless(w, "x")
			}
			return isAtt(r)
		}, "10000 bytes"},
		{"a blob that trickles", true, limits{wait: 300 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) bool {
			if isBlob(r) {
				for r.Context().Err() == nil {
					w.(http.Flusher).Flush()
					time.Sleep(5 * time.Millisecond)
				}
			}
			return isBlob(r)
		}, "300ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			img := hostileRegistry(t, c.referrers, c.limits, c.answer)
			_, err := img.Attestations(t.Context())
			if !errors.As(err, new(*LimitError)) {
				t.Fatalf("error is %v, want a LimitError", err)
			}
			undecided(t, err, c.want)
		})
	}
}

// TestMemoryIsBounded reads a registry that announces many large attestations, and never holds much of them.
func TestMemoryIsBounded(t *testing.T) {
	img := hostileRegistry(t, true, limits{attestation: 1 << 20, total: 8 << 20}, func(w http.ResponseWriter, r *http.Request) bool {
		if isAtt(r) {
			w.Header().Set("Content-Type", manifestType)
			var layers []string
			for i := range 900 {
				layers = append(layers, fmt.Sprintf(`{"mediaType":%q,"size":%d,"digest":"sha256:%064x"}`, dsseType, 1<<20, i))
			}
			io.WriteString(w, `{"schemaVersion":2,"layers":[`+strings.Join(layers, ",")+`]}`)
			return true
		}
		if isBlob(r) {
			endless(w, "x")
		}
		return isBlob(r)
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := img.Attestations(t.Context())
	runtime.ReadMemStats(&after)
	if !errors.As(err, new(*LimitError)) {
		t.Fatalf("error is %v, want a LimitError", err)
	}
	if total := after.TotalAlloc - before.TotalAlloc; total > 200<<20 {
		t.Errorf("%d MiB were allocated", total>>20)
	}
}

// TestListingErrorsAreErrors has registries where nobody can know what is attached.
func TestListingErrorsAreErrors(t *testing.T) {
	for _, c := range []struct {
		name      string
		referrers bool
		answer    func(w http.ResponseWriter, r *http.Request) bool
		want      string
	}{
		{"referrers fail", true, status(isReferrers, 500), "status 500"},
		{"referrers are denied", true, status(isReferrers, 403), "status 403"},
		{"referrers are nonsense", true, body(isReferrers, "<html>"), "no index"},
		{"referrers are an image", true, body(isReferrers, `{"mediaType":"`+manifestType+`","layers":[]}`), "no index"},
		{"next page elsewhere", true, linked(isReferrers, "http://127.0.0.1:1/v2/"), "not its own"},
		{"pages go round", true, linked(isReferrers, "?page=1"), "no end"},
		{".att fails", true, status(isAtt, 503), "status 503"},
		{"tags fail", false, status(isTags, 500), "status 500"},
		{"tags are nonsense", false, body(isTags, "{"), "not valid"},
		{"fallback fails", false, status(isFallback, 500), "status 500"},
		{"fallback is no index", false, body(isFallback, `{"mediaType":"`+manifestType+`","layers":[]}`), "not an index"},
		{"journal tag fails", false, func(w http.ResponseWriter, r *http.Request) bool {
			return status(isFallback, 404)(w, r) || status(func(r *http.Request) bool { return strings.Contains(r.URL.Path, ".prov-") }, 500)(w, r)
		}, "status 500"},
	} {
		t.Run(c.name, func(t *testing.T) {
			img := hostileRegistry(t, c.referrers, limits{}, c.answer)
			_, err := img.Attestations(t.Context())
			undecided(t, err, c.want)
		})
	}
}

func isFallback(r *http.Request) bool {
	_, hex, found := strings.Cut(r.URL.Path, "/manifests/sha256-")
	return found && len(hex) == 64
}

func status(which func(*http.Request) bool, code int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if which(r) {
			w.WriteHeader(code)
		}
		return which(r)
	}
}

func body(which func(*http.Request) bool, text string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if which(r) {
			w.Header().Set("Content-Type", "")
			io.WriteString(w, text)
		}
		return which(r)
	}
}

func linked(which func(*http.Request) bool, next string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if which(r) {
			w.Header().Set("Link", "<"+next+`>; rel="next"`)
			io.WriteString(w, indexWith(""))
		}
		return which(r)
	}
}

// TestBrokenNeighbours has an attestation beside things that cannot be read: it is found, and they are told.
func TestBrokenNeighbours(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits limits
		answer func(w http.ResponseWriter, r *http.Request) bool
		want   string // of the one that is broken
		form   string // of the one that is found
	}{
		{"manifest is missing", limits{}, status(isBundleManifest, 404), "listed and cannot be read", FormAtt},
		{"manifest has other bytes", limits{}, body(isBundleManifest, "{}"), "other bytes", FormAtt},
		{".att is nonsense", limits{}, body(isAtt, "nonsense"), "not valid", FormBundle},
		{".att is both image and index", limits{}, body(isAtt, `{"layers":[{"mediaType":"a","size":1,"digest":"sha256:`+strings.Repeat("a", 64)+
			`"}],"manifests":[{"mediaType":"a","size":1,"digest":"sha256:`+strings.Repeat("a", 64)+`"}]}`), "neither clearly", FormBundle},
		{"a blob has other bytes", limits{}, bodyOf(attachment(1).Envelope, strings.Repeat("x", len(attachment(1).Envelope))), "other bytes", FormBundle},
		{"a blob is shorter", limits{}, bodyOf(attachment(1).Envelope, "x"), "other bytes", FormBundle},
		{"a blob is longer", limits{}, bodyOf(attachment(1).Envelope, string(attachment(1).Envelope)+"x"), "longer than", FormBundle},
		{"a blob is missing", limits{}, status(isBlobOf(attachment(1).Bundle), 404), "no such thing", FormAtt},
		{"a blob is denied", limits{}, status(isBlobOf(attachment(1).Bundle), 403), "status 403", FormAtt},
		{"a blob is endless", limits{}, func(w http.ResponseWriter, r *http.Request) bool {
			if isBlobOf(attachment(1).Bundle)(r) {
				endless(w, "x")
			}
			return isBlobOf(attachment(1).Bundle)(r)
		}, "longer than", FormAtt},
		{"one is oversize", limits{attestation: int64(len(attachment(1).Envelope))}, nil, "exceeds the limit", FormAtt},
	} {
		t.Run(c.name, func(t *testing.T) {
			img := hostileRegistry(t, true, c.limits, c.answer)
			found, err := img.Attestations(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			good, broken := 0, 0
			for _, f := range found {
				if f.Err != nil {
					broken++
					undecided(t, f.Err, c.want)
				} else if good++; f.Form != c.form {
					t.Errorf("found the form %s", f.Form)
				}
			}
			if good != 1 || broken != 1 {
				t.Errorf("%d are good and %d broken, want one of each: %v", good, broken, found)
			}
		})
	}
}

// isBundleManifest is the request for the manifest of the bundle, by its digest.
func isBundleManifest(r *http.Request) bool {
	return strings.Contains(r.URL.Path, "/manifests/sha256:")
}

func isBlobOf(content []byte) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/blobs/"+sum(content).String()) }
}

func bodyOf(content []byte, instead string) func(http.ResponseWriter, *http.Request) bool {
	return body(isBlobOf(content), instead)
}

// TestCancelled ends when the caller's context ends, as what it is.
func TestCancelled(t *testing.T) {
	img := hostileRegistry(t, true, limits{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := img.Attestations(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if err := img.Attach(ctx, attachment(2)); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

// TestRegistryThatForgets accepts everything and keeps nothing of it: that must not look like success.
func TestRegistryThatForgets(t *testing.T) {
	for name, forgets := range map[string]func(*http.Request) bool{
		"the journal":  func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/sha256:") },
		"the .att tag": isAtt,
	} {
		t.Run(name, func(t *testing.T) {
			img := hostileRegistry(t, true, limits{rounds: 3}, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPut && forgets(r) {
					w.WriteHeader(http.StatusCreated)
					return true
				}
				return false
			})
			undecided(t, img.Attach(t.Context(), attachment(2)), "does not hold what was put there")
		})
	}
}

// TestForeignJournalEntryWithoutItsEnvelope does not spoil the .att tag: registries refuse manifests with missing blobs.
func TestForeignJournalEntryWithoutItsEnvelope(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			img := resolve(t, p.push(t, "dangling", single(t)), Options{})
			bundle := []byte(`{"n":"planted"}`)
			target := *pointer(img.self.descriptor())
			m := must(bundleManifest(target, Attachment{Bundle: bundle}, &v1.Descriptor{Digest: sum([]byte("never pushed")), Size: 12}))
			for _, b := range [][]byte{bundle, emptyConfig} {
				if err := img.store.putBlob(t.Context(), bytesBlob(b)); err != nil {
					t.Fatal(err)
				}
			}
			must(img.store.journal(t.Context(), img.self.digest)) // finds out whether there is the referrers API
			if err := img.store.addToJournal(t.Context(), img.self.digest, m); err != nil {
				t.Fatal(err)
			}
			attach(t, img, attachment(1))
			_, envelopes := contents(t, img)
			same(t, envelopes, string(attachment(1).Envelope))
		})
	}
}

// TestReferrersWithoutAnnotations has a registry whose list leaves out what the manifests say.
func TestReferrersWithoutAnnotations(t *testing.T) {
	inner := ggcr.New(ggcr.WithReferrersSupport(true), ggcr.Logger(log.New(io.Discard, "", 0)))
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isReferrers(r) {
			inner.ServeHTTP(w, r)
			return
		}
		answer := &captured{header: http.Header{}}
		inner.ServeHTTP(answer, r)
		var index v1.IndexManifest
		if err := json.Unmarshal([]byte(answer.body.String()), &index); err != nil {
			t.Error(err)
		}
		for n := range index.Manifests {
			index.Manifests[n].Annotations, index.Manifests[n].ArtifactType = nil, ""
		}
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		json.NewEncoder(w).Encode(index)
	}))
	ref := pushTo(host+"/team/mortgage")(t, "plain", single(t))
	for n := range 3 {
		attach(t, resolve(t, ref, Options{}), attachment(n))
	}
	log := &recorder{}
	attach(t, resolve(t, ref, Options{Transport: log}), attachment(1))
	if w := log.writes(); len(w) > 0 {
		t.Errorf("attaching the same again wrote %q", w)
	}
	bundles, envelopes := contents(t, resolve(t, ref, Options{}))
	if len(bundles) != 3 || len(envelopes) != 3 {
		t.Errorf("it has %q %q", bundles, envelopes)
	}
}

type captured struct {
	header http.Header
	body   strings.Builder
}

func (c *captured) Header() http.Header         { return c.header }
func (c *captured) Write(p []byte) (int, error) { return c.body.Write(p) }
func (c *captured) WriteHeader(int)             {}

// TestOverwrittenByAnother has another program put a .att tag that it read before us: all three writers' envelopes are there in
// the end.
func TestOverwrittenByAnother(t *testing.T) {
	inner := newMemory()
	var stale []byte
	overwritten := false
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		if r.Method == http.MethodPut && isAtt(r) && stale != nil && !overwritten {
			overwritten = true
			put := must(http.NewRequest(http.MethodPut, r.URL.String(), strings.NewReader(string(stale))))
			put.Header.Set("Content-Type", manifestType)
			inner.ServeHTTP(&captured{header: http.Header{}}, put)
		}
	}))
	ref := pushTo(host+"/team/mortgage")(t, "raced", single(t))
	img := resolve(t, ref, Options{})
	repo := must(name.ParseReference(ref)).Context()
	first := must(mutate.AppendLayers(empty.Image, static.NewLayer([]byte("first"), dsseType)))
	second := must(mutate.AppendLayers(empty.Image, static.NewLayer([]byte("second"), dsseType)))
	for tag, image := range map[string]v1.Image{attTag(img.self.digest): first, "another": second} {
		if err := remote.Write(repo.Tag(tag), mutate.MediaType(image, types.OCIManifestSchema1)); err != nil {
			t.Fatal(err)
		}
	}
	stale = must(img.store.manifest(t.Context(), "another")).raw
	attach(t, img, attachment(1))
	_, envelopes := contents(t, img)
	same(t, envelopes, "first", "second", string(attachment(1).Envelope))
	if !overwritten {
		t.Error("nobody overwrote anything")
	}
}

// TestAWrongSizeHidesNothing: whoever can add to the registry cannot hide an attestation behind a second manifest that names the same
// bytes and says that there are more of them.
func TestAWrongSizeHidesNothing(t *testing.T) {
	for _, p := range places(t) {
		t.Run(p.kind, func(t *testing.T) {
			img := resolve(t, p.push(t, "hidden", single(t)), Options{})
			a := attachment(1)
			attach(t, img, a)
			for n := range 8 { // the manifests are read in the order of their digests
				m := must(bundleManifest(*pointer(img.self.descriptor()), a, nil))
				m.Layers[0].Size += int64(n) + 1
				must(img.store.journal(t.Context(), img.self.digest)) // finds out whether there is the referrers API
				if err := img.store.addToJournal(t.Context(), img.self.digest, must(newManifest(m))); err != nil {
					t.Fatal(err)
				}
			}
			found, err := img.Attestations(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(found, func(f Found) bool { return f.Err == nil && string(f.Bytes) == string(a.Bundle) }) {
				t.Errorf("the attestation is not found: %v", found)
			}
		})
	}
}
