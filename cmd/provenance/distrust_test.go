package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/image"
)

// TestRecordReadsBack: a registry that takes everything and does not give it back is no success.
func TestRecordReadsBack(t *testing.T) {
	handler := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
	var forgetful atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ".att") {
			forgetful.Store(true)
		}
		if forgetful.Load() && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			http.NotFound(out, r)
			return
		}
		handler.ServeHTTP(out, r)
	}))
	t.Cleanup(server.Close)
	w := newWorld(t, "referrers")
	w.ref = strings.TrimPrefix(server.URL, "http://") + "/team/mortgage:1"
	push(t, w.ref, makeImage(t, "linux/amd64", layerFiles{"/app/model.bin": []byte("weights\n")}))
	r := w.must(statusUndecided, w.recordArgs("--bundle", "bundle.json")...)
	if r.stdout != "" || !strings.Contains(r.stderr, "reading it back does not find it") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
	if _, err := os.Stat(w.path("bundle.json")); err == nil {
		t.Error("a bundle was written")
	}
}

// TestRecheckOfAFolderThatMoved: a link in the folder's path leads elsewhere, and is not followed there silently.
func TestRecheckOfAFolderThatMoved(t *testing.T) {
	w := newWorld(t, "referrers")
	w.must(statusDone, w.recordArgs()...)
	if err := os.Rename(w.path("lake"), w.path("elsewhere")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(w.path("elsewhere"), w.path("lake")); err != nil {
		t.Fatal(err)
	}
	r := w.must(statusRefused, "verify", w.ref, "--key", "cosign.pub", "--recheck", "content", "--format", "json")
	if codes := w.codes(r); !slices.Contains(codes, "recheck.moved") {
		t.Errorf("findings %q", codes)
	}
}

// TestRecheckWithAnIndexOfOtherDigests: an index that does not recombine to the folder's digest proves nothing, even when a
// signed statement names it: the folder could be compared with anything.
func TestRecheckWithAnIndexOfOtherDigests(t *testing.T) {
	w := newWorld(t, "referrers")
	w.must(statusDone, w.recordArgs("--statement", "recorded.json")...)
	statement, err := provenance.ParseStatement(mustRead(t, w.path("recorded.json")))
	if err != nil {
		t.Fatal(err)
	}
	record, err := provenance.Read(statement)
	if err != nil {
		t.Fatal(err)
	}
	good := w.fetch(record.Data[0].Index.Digest)
	var entry struct{ SHA256 string }
	if err := json.Unmarshal(good[:bytes.IndexByte(good, '\n')], &entry); err != nil || entry.SHA256 == "" {
		t.Fatalf("%v in %s", err, good)
	}
	forged := bytes.Replace(good, []byte(entry.SHA256), []byte(strings.Repeat("ab", 32)), 1)
	digest := provenance.SumSHA256(forged)
	text := strings.ReplaceAll(string(mustRead(t, w.path("recorded.json"))), record.Data[0].Index.Digest.Hex(), digest.Hex())

	ref := w.host + "/mortgage:forged"
	push(t, ref, makeImage(t, "linux/amd64", layerFiles{"/app/forged": []byte("x")}))
	text = strings.ReplaceAll(text, w.digest(w.ref).Hex, w.digest(ref).Hex)
	img, err := image.Resolve(context.Background(), ref, image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	signed := w.sign("cosign", text)
	err = img.Attach(context.Background(), image.Attachment{Bundle: signed.Bundle, Envelope: signed.Envelope, PredicateType: provenance.PredicateType,
		Blobs: []provenance.Stored{{Name: "index", MediaType: "text/plain", Digest: digest, Size: int64(len(forged)),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(forged)), nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	r := w.must(statusRefused, "verify", ref, "--key", "cosign.pub", "--recheck", "listing", "--format", "json")
	if codes := w.codes(r); !slices.Contains(codes, "data.index") {
		t.Errorf("findings %q\n%s", codes, r.stdout)
	}
}

// fetch is a blob that lies beside the world's image.
func (w *world) fetch(digest provenance.Digest) []byte {
	w.t.Helper()
	img, err := image.Resolve(context.Background(), w.ref, image.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	blob, err := img.Blob(context.Background(), digest, 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	defer blob.Close()
	data, err := io.ReadAll(blob)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}
