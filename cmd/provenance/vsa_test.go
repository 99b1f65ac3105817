package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/image"
	"github.com/seed-3480f271/provenance/provenance/summary"
	"github.com/seed-3480f271/provenance/provenance/verify"
)

// vsaArgs verify an image by the good policy, and ask for a summary.
func (w *world) vsaArgs(ref, key string, extra ...string) []string {
	w.write("release.yaml", goodPolicy(w))
	return append([]string{"verify", ref, "--policy", "release.yaml", "--vsa", "--vsa-key", key}, extra...)
}

// attested is all that is attached to an image.
func (w *world) attested(ref string) []image.Found {
	w.t.Helper()
	img, err := image.Resolve(context.Background(), ref, image.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	found, err := img.Attestations(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// summaries are those that a key signed, by form.
func (w *world) summaries(ref, prefix string) map[string]summary.Summary {
	w.t.Helper()
	found := map[string]summary.Summary{}
	for _, f := range w.attested(ref) {
		v, err := w.key(prefix).Trust().Open(f.Bytes)
		if err != nil {
			continue
		}
		if s, err := summary.Read(v.Payload()); err == nil {
			found[f.Form] = s
		}
	}
	return found
}

// wanted is what a later gate asks of a summary of the good policy.
func (w *world) wanted(image string) summary.Want {
	w.t.Helper()
	digest, err := provenance.ParseDigest(image)
	if err != nil {
		w.t.Fatal(err)
	}
	return summary.Want{Image: digest, PolicyDigests: []provenance.Digest{provenance.SumSHA256([]byte(goodPolicy(w)))},
		VerifierID: "https://example.com/gate", Levels: []string{summary.BuildLevel1}, ResourceURI: summary.ResourceURI(w.host+"/mortgage", digest)}
}

// TestSummaryOfAnAcceptedImage: it says what was decided and by which policy, and names the very bytes that it rests on.
func TestSummaryOfAnAcceptedImage(t *testing.T) {
	w := newWorld(t, "plain")
	w.must(statusDone, w.recordArgs()...)
	var inputs []string
	for _, f := range w.attested(w.ref) {
		inputs = append(inputs, provenance.SumSHA256(f.Bytes).String())
	}
	w.env["VSA_KEY"] = string(mustRead(t, w.path("other.key")))
	r := w.must(statusDone, w.vsaArgs(w.ref, "env://VSA_KEY", "--vsa-verifier", "https://example.com/gate", "--format", "json")...)
	if codes := w.codes(r); len(codes) != 0 || !strings.Contains(r.stderr, "signed a verification summary with env://VSA_KEY") || strings.Contains(r.stderr, "warning: the key") {
		t.Errorf("findings %v\n%s", codes, r.stderr)
	}
	found := w.summaries(w.ref, "other")
	if len(found) != 2 {
		t.Fatalf("the summary is there in the forms %v", found)
	}
	for form, s := range found {
		if problems := s.Check(w.wanted(w.digest(w.ref).String())); problems != nil {
			t.Errorf("%s: %+v", form, problems)
		}
		var named []string
		for _, input := range s.InputAttestations {
			named = append(named, input.Digest[provenance.SHA256].String())
		}
		slices.Sort(named)
		slices.Sort(inputs)
		if !slices.Equal(named, inputs) || len(s.Subjects) != 1 {
			t.Errorf("%s: it rests on %v, want %v; subjects %v", form, named, inputs, s.Subjects)
		}
	}
}

// TestSummaryOfPlatforms: the subjects are what was verified: the index with its platforms, or the one platform.
func TestSummaryOfPlatforms(t *testing.T) {
	platforms := func(n int) verify.Result {
		index := provenance.SumSHA256([]byte("index"))
		record := provenance.Record{Image: provenance.Image{Digest: index}}
		for i := range n {
			record.Image.Platforms = append(record.Image.Platforms, provenance.Platform{Digest: provenance.SumSHA256([]byte{byte(i)})})
		}
		return verify.Result{Image: index, Attestation: &verify.Attestation{Record: record}}
	}
	whole, single, part := platforms(2), platforms(1), platforms(2)
	single.Attestation.Record.Image.Platforms[0].Digest = single.Image
	part.Image = part.Attestation.Record.Image.Platforms[1].Digest
	for name, c := range map[string]struct {
		result verify.Result
		want   int
	}{"an index": {whole, 3}, "a single image": {single, 1}, "one platform": {part, 1}} {
		subjects := verifiedSubjects(c.result)
		if len(subjects) != c.want || subjects[0].Digest[provenance.SHA256] != c.result.Image {
			t.Errorf("%s: %v", name, subjects)
		}
	}
}

// TestOnlyAcceptedImagesGetASummary: what is refused or undecided is left as it was.
func TestOnlyAcceptedImagesGetASummary(t *testing.T) {
	w := newWorld(t, "referrers")
	w.must(statusDone, w.recordArgs()...)
	before := len(w.attested(w.ref))
	w.write("locked.yaml", goodPolicy(w)+"databricks:\n  result: SUCCESS\n")
	w.write("unknown.yaml", strings.Replace(goodPolicy(w), "data:\n", "data:\n  immutability: [locked]\n", 1))
	for policy, want := range map[string]status{"locked.yaml": statusRefused, "unknown.yaml": statusUndecided} {
		r := w.must(want, "verify", w.ref, "--policy", policy, "--vsa", "--vsa-key", "other.key")
		if !strings.Contains(r.stderr, "no verification summary was signed: the image is "+strings.Fields(r.stdout)[0]) {
			t.Errorf("%s: %s", policy, r.stderr)
		}
	}
	if after := len(w.attested(w.ref)); after != before {
		t.Errorf("%d attestations, and %d before", after, before)
	}
}

// TestSummariesAreNeighbours: signed by the builder's own key, they are nobody's reason, and no build.
func TestSummariesAreNeighbours(t *testing.T) {
	w := newWorld(t, "referrers")
	w.must(statusDone, w.recordArgs()...)
	const warning = "warning: the key of the verification summary speaks for builds, too"
	if r := w.must(statusDone, w.vsaArgs(w.ref, "cosign.key")...); !strings.Contains(r.stderr, warning) {
		t.Errorf("no warning of a key for both: %s", r.stderr)
	}
	if found := w.summaries(w.ref, "cosign"); len(found) != 2 {
		t.Fatalf("the summary is there in the forms %v", found)
	}
	r := w.must(statusDone, "verify", w.ref, "--policy", "release.yaml", "--format", "json")
	if codes := w.codes(r); len(codes) != 0 || !strings.Contains(r.stdout, `"statement.predicateType"`) {
		t.Errorf("findings %v\n%s", codes, r.stdout)
	}
	w.write("strict.yaml", goodPolicy(w)+"databricks:\n  result: SUCCESS\n")
	r = w.must(statusRefused, "verify", w.ref, "--policy", "strict.yaml", "--format", "json")
	if codes := w.codes(r); !slices.Equal(codes, []string{"databricks.missing"}) {
		t.Errorf("findings %v", codes)
	}
	if r := w.must(statusDone, w.recordArgs()...); !strings.HasPrefix(r.stdout, "unchanged ") || strings.Contains(r.stderr, "warning: the key") {
		t.Errorf("recorded again:\n%s%s", r.stdout, r.stderr)
	}
	w.must(statusDone, w.recordArgs("--previous", w.ref)...)
	r = w.must(statusDone, "show", w.ref, "--key", "cosign.pub")
	if !strings.Contains(r.stdout, summary.PredicateType) {
		t.Errorf("show does not list it:\n%s", r.stdout)
	}
}

// faultyRegistry serves a registry until what is attached was read; then a fault may change a request, or answer it.
func faultyRegistry(t *testing.T, w *world, fault func(http.ResponseWriter, *http.Request) (answered bool)) {
	handler := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
	var armed, read atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if armed.Load() && strings.Contains(r.URL.Path, "/referrers/") {
			read.Store(true)
		} else if read.Load() && fault(out, r) {
			return
		}
		handler.ServeHTTP(out, r)
	}))
	t.Cleanup(server.Close)
	w.host = strings.TrimPrefix(server.URL, "http://")
	w.ref = w.host + "/mortgage:1"
	push(t, w.ref, makeImage(t, "linux/amd64", layerFiles{"/app/model.bin": []byte("weights\n")}))
	w.otherImage()
	w.must(statusDone, w.recordArgs()...)
	armed.Store(true)
}

// TestSummaryThatCannotBeAttached: the image was accepted, and says so; but what was asked for was not done, which is undecided,
// whatever the cause.
func TestSummaryThatCannotBeAttached(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(http.ResponseWriter, *http.Request) bool
		says  string
	}{
		"nobody may write": {func(out http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				return false
			}
			out.WriteHeader(http.StatusForbidden)
			return true
		}, "403"},
		"the tag was moved": {func(_ http.ResponseWriter, r *http.Request) bool {
			r.URL.Path = strings.Replace(r.URL.Path, "/manifests/1", "/manifests/other", 1)
			return false
		}, "points to"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "referrers")
			faultyRegistry(t, w, c.fault)
			image := w.host + "/mortgage@" + w.digest(w.ref).String()
			r := w.must(statusUndecided, w.vsaArgs(w.ref, "other.key")...)
			if !strings.HasPrefix(r.stdout, "accepted ") || !strings.Contains(r.stderr, "the image was accepted, but no verification summary is on it") ||
				!strings.Contains(r.stderr, c.says) {
				t.Errorf("%s%s", r.stdout, r.stderr)
			}
			if found := w.summaries(image, "other"); len(found) != 0 {
				t.Errorf("there is a summary: %v", found)
			}
		})
	}
}

// TestSummaryWithoutItsKey: a key store that does not answer takes nothing from the verdict, but an accepted image is left without
// its summary. By then nothing is a refusal, or a mistake of the caller.
func TestSummaryWithoutItsKey(t *testing.T) {
	var stderr bytes.Buffer
	accepted := verify.Result{Verdict: verify.Accepted}
	vsa := func(err error) *summarizer {
		return &summarizer{job: &job{process: process{Stderr: &stderr}}, keyErr: err}
	}
	offline := provenance.WithHint(errors.New("the vault does not answer"), "try again")
	err := vsa(offline).conclude(nil, verify.Input{}, accepted)
	if statusOf(err) != statusUndecided || !slices.Equal(provenance.Hints(err), []string{"try again"}) {
		t.Errorf("%v, hints %v", err, provenance.Hints(err))
	}
	for _, cause := range []error{provenance.Refuse("image.moved", "again", "it moved"), provenance.Misuse("again", "no such key"), context.DeadlineExceeded} {
		if err := vsa(cause).conclude(nil, verify.Input{}, accepted); statusOf(err) != statusUndecided || !strings.Contains(err.Error(), cause.Error()) {
			t.Errorf("%v: %v", cause, err)
		}
	}
	for _, v := range []verify.Verdict{verify.Refused, verify.Undecided, ""} {
		if err := vsa(offline).conclude(nil, verify.Input{}, verify.Result{Verdict: v}); err != nil || !strings.Contains(stderr.String(), "no verification summary") {
			t.Errorf("%s: %v, %q", v, err, stderr.String())
		}
	}
}

// TestSummaryRestsOnSomething: a decision that does not name its attestation is not signed.
func TestSummaryRestsOnSomething(t *testing.T) {
	s := &summarizer{}
	_, err := s.summary(verify.Input{Candidates: []verify.Candidate{{Where: "x", Err: errors.New("unread")}, {Where: "y"}}},
		verify.Result{Verdict: verify.Accepted, Attestation: &verify.Attestation{Statement: provenance.SumSHA256([]byte("s"))}})
	if err == nil || statusOf(err) != statusUndecided {
		t.Error(err)
	}
}
