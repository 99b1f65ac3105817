package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// maxMemory is what verify may take at its peak, whatever a registry does, in MiB.
const maxMemory = 64

// buildProgram builds the program as `make build` does: a test binary is larger.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "provenance")
	cmd := exec.Command("go", "build", "-tags=urfave_cli_no_docs,grpcnotrace", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// measured runs a program, and gives its exit status and its peak of resident memory in MiB. Python is between, because Linux counts
// the memory of whoever starts a program as the program's.
func measured(t *testing.T, dir, program string, args ...string) (status, mib int, output string) {
	t.Helper()
	const script = `import resource, subprocess, sys
r = subprocess.run(sys.argv[1:], stdout=sys.stderr)
print(r.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)`
	cmd := exec.Command("python3", append([]string{"-c", script, program}, args...)...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	fields := strings.Fields(stdout.String())
	status, _ = strconv.Atoi(fields[0])
	mib, _ = strconv.Atoi(fields[1])
	return status, mib, stderr.String()
}

// before puts a handler before a registry, and gives its host.
func before(t *testing.T, host string, answer func(w http.ResponseWriter, r *http.Request) bool) string {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answer(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return strings.TrimPrefix(server.URL, "http://")
}

const (
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	bundleMedia = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// flood serves so many referrers of every image, each with a bundle of so many bytes that nobody signed.
func flood(count, size int) func(http.ResponseWriter, *http.Request) bool {
	return serve(count, func(k int) []byte { return bundleOf(k, size) })
}

// crumbs serves bundles of so many bytes that are two million log entries in which nothing stands.
func crumbs(count, size int) func(http.ResponseWriter, *http.Request) bool {
	entries := strings.Repeat("{},", size/3) + "{}"
	return serve(count, func(k int) []byte {
		return []byte(strings.Replace(string(bundleOf(k, 0)), `{"publicKey":`, `{"tlogEntries":[`+entries+`],"publicKey":`, 1))
	})
}

// serve makes a bundle of each number.
func serve(count int, bundle func(k int) []byte) func(http.ResponseWriter, *http.Request) bool {
	var list strings.Builder
	known := map[string]func() []byte{} // by digest
	for k := range count {
		blob := bundle(k)
		manifest, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": ociManifest, "artifactType": bundleMedia,
			"config": map[string]any{"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha([]byte("{}")), "size": 2},
			"layers": []any{map[string]any{"mediaType": bundleMedia, "digest": sha(blob), "size": len(blob)}}})
		known[sha(blob)] = func() []byte { return bundle(k) }
		known[sha(manifest)] = func() []byte { return manifest }
		fmt.Fprintf(&list, `%s{"mediaType":%q,"artifactType":%q,"digest":%q,"size":%d}`, strings.Repeat(",", min(k, 1)), ociManifest, bundleMedia, sha(manifest), len(manifest))
	}
	return func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/referrers/") {
			w.Header().Set("Content-Type", ociIndex)
			io.WriteString(w, `{"schemaVersion":2,"mediaType":"`+ociIndex+`","manifests":[`+list.String()+"]}")
			return true
		}
		content := known[path.Base(r.URL.Path)]
		if content == nil {
			return false
		}
		w.Header().Set("Content-Type", ociManifest)
		w.Write(content())
		return true
	}
}

// bundleOf is a bundle of so many bytes: sound JSON, and signed by nobody.
func bundleOf(k, size int) []byte {
	head := fmt.Sprintf(`{"mediaType":%q,"verificationMaterial":{"publicKey":{"hint":"%d"}},"dsseEnvelope":{"payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AAAA"}],"payload":"`, bundleMedia, k)
	return []byte(head + strings.Repeat("QUFB", max(0, size-len(head)-3)/4) + `"}}`)
}

func sha(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// pour writes without end what a request of some kind asks for.
func pour(where, head, piece string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, where) || r.Method != http.MethodGet {
			return false
		}
		if where == "/referrers/" {
			w.Header().Set("Content-Type", ociIndex)
		}
		io.WriteString(w, head)
		for piece := strings.Repeat(piece, 1000); ; {
			if _, err := io.WriteString(w, piece); err != nil {
				return true
			}
		}
	}
}

// TestMemoryOfVerifyIsBounded: whatever a registry serves, verify takes at most so much memory, and says that nobody can tell.
func TestMemoryOfVerifyIsBounded(t *testing.T) {
	program := buildProgram(t)
	w := newWorld(t, "referrers")
	w.must(statusDone, w.recordArgs()...)
	digest := w.digest(w.ref).String()
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"10,000 referrers":              flood(10_000, 200),
		"many large attestations":       flood(200, 2<<20),
		"few attestations at the limit": flood(20, envelope.MaxSize-64),
		"attestations of many parts":    crumbs(20, envelope.MaxSize-1024),
		"an endless list":               pour("/referrers/", `{"manifests":[`, `{"mediaType":"x","size":1,"digest":"sha256:0"},`),
		"an endless blob":               pour("/blobs/", "", "a"),
		"an endless manifest":           pour("/manifests/"+strings.Replace(digest, ":", "-", 1)+".att", `{"layers":[`, `{},`),
	} {
		t.Run(name, func(t *testing.T) {
			host := before(t, w.host, answer)
			status, mib, output := measured(t, w.dir, program, "verify", host+"/mortgage@"+digest, "--key", "cosign.pub", "--timeout", "60s")
			if status != int(statusUndecided) || mib > maxMemory {
				t.Errorf("status %d, want %d; %d MiB, at most %d\n%.600s", status, statusUndecided, mib, maxMemory, output)
			}
			t.Logf("%d MiB", mib)
		})
	}
}
