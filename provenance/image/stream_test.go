package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/testtools"
)

// pattern is a reader of size bytes that are in no memory.
type pattern struct {
	at, size int64
	seed     byte
	seen     func() // is called for each Read; nil is nobody
}

func (r *pattern) Read(p []byte) (int, error) {
	if r.seen != nil {
		r.seen()
	}
	if r.at >= r.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.size-r.at)]
	for n := range p {
		p[n] = byte((r.at+int64(n))>>8) ^ byte(r.at+int64(n)) ^ r.seed
	}
	r.at += int64(len(p))
	return len(p), nil
}

// large is a Stored of that many bytes; opened counts how often it was opened, and seen is called while it is read.
func large(seed byte, size int64, opened *atomic.Int64, seen func()) provenance.Stored {
	h := sha256.New()
	_, _ = io.Copy(h, &pattern{size: size, seed: seed})
	return provenance.Stored{
		Name: fmt.Sprintf("large %d", seed), MediaType: "text/plain", Size: size,
		Digest: must(provenance.ParseDigest(fmt.Sprintf("sha256:%x", h.Sum(nil)))),
		Open: func() (io.ReadCloser, error) {
			opened.Add(1)
			return io.NopCloser(&pattern{size: size, seed: seed, seen: seen}), nil
		},
	}
}

// heap samples the heap.
type heap struct{ base, peak, calls atomic.Uint64 }

func newHeap() *heap {
	h := &heap{}
	runtime.GC()
	h.sample()
	h.base.Store(h.peak.Load())
	return h
}

// seen samples now and then: it stops the world.
func (h *heap) seen() {
	if h.calls.Add(1)%16 == 0 {
		h.sample()
	}
}

func (h *heap) sample() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	for old := h.peak.Load(); m.HeapAlloc > old && !h.peak.CompareAndSwap(old, m.HeapAlloc); old = h.peak.Load() {
	}
}

// above is how far the peak was above the beginning.
func (h *heap) above() int64 { return int64(h.peak.Load() - h.base.Load()) }

// onDisk runs a registry in this process that holds no blobs in memory.
func onDisk(t *testing.T, referrers bool) string {
	return serve(t, ggcr.New(ggcr.WithReferrersSupport(referrers), ggcr.WithBlobHandler(ggcr.NewDiskBlobHandler(t.TempDir())),
		ggcr.Logger(log.New(io.Discard, "", 0))))
}

// counted is a transport that counts the bytes of bodies that are sent.
func counted(sent *atomic.Int64) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Scheme == "https" {
			return nil, errors.New("no https here")
		}
		sent.Add(r.ContentLength)
		return http.DefaultTransport.RoundTrip(r)
	})
}

// TestLargeBlobsAreStreamed attaches 64 MiB blobs and reads them again, and the next night sends only what is new, all within
// 16 MiB of memory.
func TestLargeBlobsAreStreamed(t *testing.T) {
	const size = 64<<20 + 4711
	for _, p := range []testPlace{
		{"referrers", pushTo(onDisk(t, true) + "/team/mortgage")},
		{"no referrers", pushTo(onDisk(t, false) + "/team/mortgage")},
		{"distribution", pushTo(testtools.Registry(t) + "/team/mortgage")},
		{"layout", pushToLayout(filepath.Join(t.TempDir(), "layout"))},
	} {
		t.Run(p.kind, func(t *testing.T) {
			var opened, sent atomic.Int64
			o := Options{Transport: counted(&sent)}
			first, second := resolve(t, p.push(t, "night1", single(t)), o), resolve(t, p.push(t, "night2", single(t)), o)
			h := newHeap()
			a := attachment(1)
			a.Blobs = []provenance.Stored{large(1, size, &opened, h.seen), large(2, size, &opened, h.seen)}
			attach(t, first, a)
			if opened.Load() != 2 || p.kind != "layout" && sent.Load() < 2*size {
				t.Fatalf("%d bytes were sent, and %d blobs opened", sent.Load(), opened.Load())
			}
			sent.Store(0)
			a.Bundle, a.Envelope = attachment(2).Bundle, attachment(2).Envelope
			attach(t, second, a)
			if opened.Load() != 2 || sent.Load() > 8<<10 {
				t.Errorf("nothing was new, and %d bytes were sent, and %d blobs opened again", sent.Load(), opened.Load()-2)
			}
			for _, s := range a.Blobs {
				readLarge(t, second, s, h)
			}
			t.Logf("the heap was %d KiB above the beginning", h.above()>>10)
			if h.above() > 16<<20 {
				t.Errorf("the heap was %d MiB above the beginning", h.above()>>20)
			}
		})
	}
}

func readLarge(t *testing.T, img *Image, s provenance.Stored, h *heap) {
	t.Helper()
	rc := must(img.Blob(t.Context(), s.Digest, s.Size))
	defer rc.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(sum, writes(h.seen)), rc)
	if err != nil || n != s.Size || fmt.Sprintf("%x", sum.Sum(nil)) != s.Digest.Hex() {
		t.Errorf("%d of %d bytes of %s came, and %v", n, s.Size, s.Name, err)
	}
}

// writes is a writer that calls a function.
type writes func()

func (f writes) Write(p []byte) (int, error) { f(); return len(p), nil }

// withBlob is a registry in this process with a blob of size bytes beside an image; from then on it answers as told.
func withBlob(t *testing.T, size int64, l limits, answer func(w http.ResponseWriter, r *http.Request, real http.Handler)) (*Image, provenance.Stored) {
	t.Helper()
	h := &hostile{Handler: newMemory()}
	ref := pushTo(serve(t, h)+"/team/mortgage")(t, "blob", single(t))
	var opened atomic.Int64
	a := attachment(1)
	a.Blobs = []provenance.Stored{large(3, size, &opened, nil)}
	attach(t, resolve(t, ref, Options{}), a)
	if l.attempts == 0 {
		l.attempts = 3
	}
	l.backoff, l.patience = time.Millisecond, time.Millisecond
	img := resolve(t, ref, Options{limits: l})
	h.answer = func(w http.ResponseWriter, r *http.Request) bool {
		mine := isBlob(r) && r.Method == http.MethodGet
		if mine {
			answer(w, r, h.Handler)
		}
		return mine
	}
	return img, a.Blobs[0]
}

// breaking hands out left bytes of the body, and then cuts the connection.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	n, err := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	if b.left -= n; b.left == 0 {
		b.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// headless is an answer whose head was sent.
type headless struct{ *breaking }

func (headless) WriteHeader(int) {}

// TestBrokenDownloadsGoOn breaks the connection every MiB and a half, on registries that know ranges and others.
func TestBrokenDownloadsGoOn(t *testing.T) {
	const size, each = 8<<20 + 1, 3 << 19
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, n int, real http.Handler)
		times  int // how often it is asked for
	}{
		"with ranges": {func(w http.ResponseWriter, r *http.Request, _ int, real http.Handler) {
			real.ServeHTTP(&breaking{w, each}, r)
		}, 6},
		"without ranges": {func(w http.ResponseWriter, r *http.Request, n int, real http.Handler) {
			r.Header.Del("Range")
			real.ServeHTTP(&breaking{w, n * each}, r)
		}, 6},
		"of unknown length": {func(w http.ResponseWriter, r *http.Request, n int, real http.Handler) {
			w.(http.Flusher).Flush() // no Content-Length
			r.Header.Del("Range")
			real.ServeHTTP(headless{&breaking{w, n * each}}, r)
		}, 6},
		"and busy in between": {func(w http.ResponseWriter, r *http.Request, n int, real http.Handler) {
			if n%2 == 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			real.ServeHTTP(&breaking{w, each}, r)
		}, 11},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			img, s := withBlob(t, size, limits{}, func(w http.ResponseWriter, r *http.Request, real http.Handler) {
				n++
				c.answer(w, r, n, real)
			})
			readLarge(t, img, s, newHeap())
			if n != c.times {
				t.Errorf("the blob was asked for %d times, want %d", n, c.times)
			}
		})
	}
}

// TestBrokenDownloadsEnd has blobs that cannot be had; nobody takes what came of them for all of it.
func TestBrokenDownloadsEnd(t *testing.T) {
	const size = 2 << 20
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, n int, real http.Handler)
		want   string
		times  int
	}{
		"it breaks all the time": {func(w http.ResponseWriter, r *http.Request, _ int, real http.Handler) {
			real.ServeHTTP(&breaking{w, 1000}, r)
		}, "of which 3000 bytes came", 3},
		"it breaks at the same place": {func(w http.ResponseWriter, r *http.Request, _ int, real http.Handler) {
			r.Header.Del("Range")
			real.ServeHTTP(&breaking{w, 1000}, r)
		}, "of which 1000 bytes came", 3},
		"it is gone": {func(w http.ResponseWriter, r *http.Request, n int, real http.Handler) {
			if n > 1 {
				http.NotFound(w, r)
				return
			}
			real.ServeHTTP(&breaking{w, 1000}, r)
		}, "there is no such thing", 2},
		"the rest is forbidden": {func(w http.ResponseWriter, r *http.Request, n int, real http.Handler) {
			if n > 1 {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			real.ServeHTTP(&breaking{w, 1000}, r)
		}, "status 403", 2},
		"another range": {func(w http.ResponseWriter, r *http.Request, n int, real http.Handler) {
			if n > 1 {
				r.Header.Set("Range", "bytes=999-2000")
			}
			real.ServeHTTP(&breaking{w, 1000}, r)
		}, "with another range", 2},
		"other bytes": {func(w http.ResponseWriter, r *http.Request, n int, real http.Handler) {
			if n == 1 {
				real.ServeHTTP(&breaking{w, 1000}, r)
				return
			}
			w.Header().Set("Content-Range", "bytes 1000-")
			w.WriteHeader(http.StatusPartialContent)
			io.Copy(w, &pattern{size: size - 1000, seed: 7})
		}, "has other bytes", 2},
		"less": {func(w http.ResponseWriter, r *http.Request, n int, _ http.Handler) {
			io.Copy(w, &pattern{size: size - 1, seed: 3})
		}, "has other bytes", 1},
		"the rest is empty": {func(w http.ResponseWriter, r *http.Request, n int, real http.Handler) {
			if n == 1 {
				real.ServeHTTP(&breaking{w, 1000}, r)
			}
		}, "of which 1000 bytes came", 3},
		"more, without end": {func(w http.ResponseWriter, r *http.Request, _ int, _ http.Handler) {
			endless(w, "x")
		}, "exceeds the limit", 1},
		"more, without end, and it breaks": {func(w http.ResponseWriter, r *http.Request, n int, _ http.Handler) {
			if r.Header.Get("Range") != "" {
				w.Header().Set("Content-Range", "bytes "+strings.TrimPrefix(r.Header.Get("Range"), "bytes="))
				w.WriteHeader(http.StatusPartialContent)
			}
			endless(&breaking{w, piece}, "x")
		}, "exceeds the limit", 3},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			img, s := withBlob(t, size, limits{}, func(w http.ResponseWriter, r *http.Request, real http.Handler) {
				n++
				c.answer(w, r, n, real)
			})
			rc := must(img.Blob(t.Context(), s.Digest, s.Size))
			defer rc.Close()
			got, err := io.Copy(io.Discard, rc)
			undecided(t, err, c.want)
			if got > s.Size || n != c.times {
				t.Errorf("%d of %d bytes came, and it was asked for %d times, want %d", got, s.Size, n, c.times)
			}
		})
	}
}

// TestStalledDownload has a registry that stops in the middle and keeps the connection.
func TestStalledDownload(t *testing.T) {
	n := 0
	img, s := withBlob(t, 4096, limits{stall: 50 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		n++
		w.Write([]byte("x"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	rc := must(img.Blob(t.Context(), s.Digest, s.Size))
	defer rc.Close()
	_, err := io.Copy(io.Discard, rc)
	undecided(t, err, "less than a MiB moved within 50ms")
	if n != 3 {
		t.Errorf("it was asked for %d times, want 3", n)
	}
}

// TestSilentRegistry has one that takes the request and never answers.
func TestSilentRegistry(t *testing.T) {
	img, s := withBlob(t, 4096, limits{stall: 50 * time.Millisecond, attempts: 2}, func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		<-r.Context().Done()
	})
	_, err := img.Blob(t.Context(), s.Digest, s.Size)
	undecided(t, err, "less than a MiB moved within 50ms")
}

// TestCancelledDownload ends with whoever asked for it, and is not tried again.
func TestCancelledDownload(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	img, s := withBlob(t, 4096, limits{}, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		n++
		w.Write([]byte("x"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	rc := must(img.Blob(ctx, s.Digest, s.Size))
	defer rc.Close()
	if _, err := io.ReadFull(rc, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, rc); !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("error is %v, after %d requests", err, n)
	}
}

// TestWatch counts only the time in which somebody waits, and gives each piece the whole limit.
func TestWatch(t *testing.T) {
	w := newWatch(t.Context(), time.Hour)
	w.pause()
	w.mu.Lock()
	w.left = time.Minute
	w.mu.Unlock()
	w.progress(piece - 1)
	if w.left != time.Minute {
		t.Errorf("%v are left after less than a piece", w.left)
	}
	w.progress(1)
	if w.left != time.Hour || w.waiting || w.ctx.Err() != nil {
		t.Errorf("%v are left after a piece", w.left)
	}
	w.left = -time.Second
	w.wait()
	<-w.ctx.Done()
	if err := w.why(context.Canceled); !errors.As(err, new(*stalled)) {
		t.Errorf("error is %v", err)
	}
	if w.why(io.EOF) != io.EOF || w.why(nil) != nil {
		t.Error("what went well went well")
	}
}

// uploading attaches the blob, in a registry that answers the PUT of it as told.
func uploading(t *testing.T, s provenance.Stored, l limits, answer func(w http.ResponseWriter, r *http.Request, real http.Handler)) (*Image, error) {
	t.Helper()
	h := &hostile{Handler: newMemory()}
	ref := pushTo(serve(t, h)+"/team/mortgage")(t, "up", single(t))
	h.answer = func(w http.ResponseWriter, r *http.Request) bool {
		mine := r.Method == http.MethodPut && r.URL.Query().Get("digest") == "sha256:"+s.Digest.Hex()
		if mine {
			answer(w, r, h.Handler)
		}
		return mine
	}
	if l.attempts == 0 {
		l.attempts = 3
	}
	l.backoff, l.patience = time.Millisecond, time.Millisecond
	img := resolve(t, ref, Options{limits: l})
	a := attachment(1)
	a.Blobs = []provenance.Stored{s}
	return img, img.Attach(t.Context(), a)
}

// TestBrokenUploadsAreDoneAgain opens the blob again for each attempt, but not when the first one had arrived.
func TestBrokenUploadsAreDoneAgain(t *testing.T) {
	const size = 2 << 20
	for name, c := range map[string]struct {
		first  func(w http.ResponseWriter, r *http.Request, real http.Handler)
		opened int64
	}{
		"cut in the middle": {func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
			io.CopyN(io.Discard, r.Body, size/2)
			panic(http.ErrAbortHandler)
		}, 2},
		"refused before it was read": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 2},
		"the answer is lost": {func(_ http.ResponseWriter, r *http.Request, real http.Handler) {
			real.ServeHTTP(&captured{header: http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var opened atomic.Int64
			n := 0
			s := large(4, size, &opened, nil)
			img, err := uploading(t, s, limits{}, func(w http.ResponseWriter, r *http.Request, real http.Handler) {
				if n++; n == 1 {
					c.first(w, r, real)
					return
				}
				if r.ContentLength != size || len(r.TransferEncoding) > 0 {
					t.Errorf("it was sent with the length %d (%q)", r.ContentLength, r.TransferEncoding)
				}
				real.ServeHTTP(w, r)
			})
			if err != nil {
				t.Fatal(err)
			}
			readLarge(t, img, s, newHeap())
			if opened.Load() != c.opened {
				t.Errorf("it was opened %d times, want %d", opened.Load(), c.opened)
			}
		})
	}
}

// TestStalledUpload has a registry that takes the beginning and keeps the connection.
func TestStalledUpload(t *testing.T) {
	var opened atomic.Int64
	done := make(chan struct{})
	defer close(done)
	_, err := uploading(t, large(5, 64<<20, &opened, nil), limits{stall: 200 * time.Millisecond, attempts: 2},
		func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
			io.CopyN(io.Discard, r.Body, 1<<20)
			<-done
		})
	undecided(t, err, "less than a MiB moved within 200ms")
	if opened.Load() != 2 {
		t.Errorf("it was opened %d times, want 2", opened.Load())
	}
}

// TestUploadTooLarge has a proxy that takes small requests only: it is not asked again.
func TestUploadTooLarge(t *testing.T) {
	var opened atomic.Int64
	_, err := uploading(t, large(7, 2<<20, &opened, nil), limits{}, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})
	undecided(t, err, "status 413", "limit the size of a request")
	if opened.Load() != 1 {
		t.Errorf("it was opened %d times, want once", opened.Load())
	}
}

var errDisk = errors.New("the disk is broken")

// failing ends with errDisk.
type failing struct{ io.Reader }

func (failing) Close() error { return nil }

// TestUnreadableBlobIsNotTriedAgain has a file that cannot be read to its end: that is no failure of the registry.
func TestUnreadableBlobIsNotTriedAgain(t *testing.T) {
	var opened atomic.Int64
	s := large(6, 2<<20, &opened, nil)
	broken := s
	broken.Open = func() (io.ReadCloser, error) {
		opened.Add(1)
		return failing{io.MultiReader(&pattern{size: 1 << 20, seed: 6}, brokenReader{})}, nil
	}
	img, err := uploading(t, broken, limits{}, func(w http.ResponseWriter, r *http.Request, real http.Handler) { real.ServeHTTP(w, r) })
	undecided(t, err, "writing blob sha256:"+s.Digest.Hex(), "the disk is broken")
	if !errors.Is(err, errDisk) || opened.Load() != 1 || len(provenance.Hints(err)) > 0 {
		t.Errorf("it was opened %d times: %v %q", opened.Load(), err, provenance.Hints(err))
	}
	if bundles, envelopes := contents(t, img); len(bundles)+len(envelopes) > 0 {
		t.Errorf("it has %q %q", bundles, envelopes)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errDisk }

// TestTokenExpiresBeforeTheBlob has a token that ends between the two requests of an upload.
func TestTokenExpiresBeforeTheBlob(t *testing.T) {
	var opened atomic.Int64
	s := large(8, 2<<20, &opened, nil)
	file := filepath.Join(t.TempDir(), "blob")
	rc := must(s.Open())
	if err := os.WriteFile(file, must(io.ReadAll(rc)), 0o600); err != nil {
		t.Fatal(err)
	}
	opened.Store(0)
	s.Open = func() (io.ReadCloser, error) { opened.Add(1); return os.Open(file) }
	inner, path := withImage(t)
	expired := 0
	h := &hostile{Handler: &tokenRegistry{next: inner}, answer: func(w http.ResponseWriter, r *http.Request) bool {
		mine := r.Method == http.MethodPut && r.ContentLength == s.Size && expired == 0
		if mine {
			expired++
			io.CopyN(io.Discard, r.Body, s.Size/2)
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q,service=%q", "http://"+r.Host+"/token", "registry"))
			w.WriteHeader(http.StatusUnauthorized)
		}
		return mine
	}}
	img := resolve(t, serve(t, h)+path, Options{})
	a := attachment(1)
	a.Blobs = []provenance.Stored{s}
	attach(t, img, a)
	readLarge(t, img, s, newHeap())
	if expired != 1 || opened.Load() != 2 {
		t.Errorf("%d tokens ended, and it was opened %d times, want 2", expired, opened.Load())
	}
}

// TestLayoutKeepsBlobs writes nothing that is there, and replaces what is damaged.
func TestLayoutKeepsBlobs(t *testing.T) {
	dir := t.TempDir()
	img := resolve(t, pushToLayout(dir)(t, "x", single(t)), Options{})
	var opened atomic.Int64
	s := large(9, 2<<20, &opened, nil)
	b := blob{hashOf(s.Digest), s.Size, s.Open, true}
	put := func(want int64) {
		t.Helper()
		if err := img.store.putBlob(t.Context(), b); err != nil || opened.Load() != want {
			t.Fatalf("%v, and it was opened %d times, want %d", err, opened.Load(), want)
		}
		readLarge(t, img, s, newHeap())
	}
	put(1)
	put(1)
	file := filepath.Join(dir, blobPath(b.digest))
	damaged := must(os.ReadFile(file))
	damaged[1<<20] ^= 1
	for n, content := range [][]byte{damaged, damaged[:100], bytes.Repeat(damaged, 2)} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		put(int64(n) + 2)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.digest = sum([]byte("other"))
	if err := img.store.putBlob(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if left := must(filepath.Glob(filepath.Join(dir, "blobs", "sha256", ".tmp-*"))); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
