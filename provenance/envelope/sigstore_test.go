package envelope_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// sigstoreFile is a file that comes with Sigstore's own library, for its own tests.
func sigstoreFile(t *testing.T, parts ...string) []byte {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/sigstore/sigstore-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(append([]string{strings.TrimSpace(string(dir)), "pkg", "testing", "data"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What the public Sigstore issued, logged and vouched for is believed, with its own trusted root: these tests show that we agree
// with the world, the others only that we agree with ourselves.
func TestPublicSigstore(t *testing.T) {
	release := envelope.Identity{Issuer: "https://token.actions.githubusercontent.com", SAN: "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main"}
	person := envelope.Identity{Issuer: "https://github.com/login/oauth", SAN: "brian@dehamer.com"}
	tests := []struct {
		bundle, root string
		id           envelope.Identity
		code         string // empty: it opens
		at           string
	}{
		{"sigstore.js@2.0.0-provenance.sigstore.json", "public-good.json", release, "", "2023-08-18T16:05:35Z"},
		{"dsse.sigstore.json", "public-good.json", person, "", "2022-11-09T23:00:36Z"},
		{"dsse.sigstore.json", "public-good.json", release, envelope.CodeIdentity, ""},
		{"dsse-2sigs.sigstore.json", "public-good.json", person, envelope.CodeMalformed, ""},
		{"sigstore.js@2.0.0-provenance.sigstore.json", "scaffolding.json", release, envelope.CodeTime, ""},
		{"othername.sigstore.json", "scaffolding.json", release, envelope.CodeForeign, ""},
	}
	for _, tt := range tests {
		root, err := envelope.ParseTrustedRoot(tt.root, sigstoreFile(t, "trusted-roots", tt.root))
		if err != nil {
			t.Fatal(err)
		}
		got, err := envelope.Trust{Verifiers: []envelope.Verifier{pinIdentity(t, tt.id)}, Root: root}.Open(sigstoreFile(t, "bundles", tt.bundle))
		if codeOf(err) != tt.code || (err == nil) != (tt.code == "") {
			t.Errorf("%s by %v: got %q: %v, want %q", tt.bundle, tt.id, codeOf(err), err, tt.code)
			continue
		}
		if err != nil {
			continue
		}
		if times := got.Times(); !got.Logged() || len(times) != 1 || times[0].At.Format(time.RFC3339) != tt.at || times[0].By != "https://rekor.sigstore.dev" || *got.Signer().Identity != tt.id {
			t.Errorf("%s: %v by %v; want %s", tt.bundle, times, got.Signer(), tt.at)
		}
	}
}

// Their key's signature of a file, too.
func TestPublicKeyOfSigstore(t *testing.T) {
	key, err := envelope.ParsePublicKey("public-key-validity.pem", sigstoreFile(t, "public-keys", "public-key-validity.pem"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := envelope.ParseTrustedRoot("root.json", sigstoreFile(t, "trusted-roots", "public-key-validity.json"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := envelope.Trust{Verifiers: []envelope.Verifier{key}, Root: root}.OpenBlob(sigstoreFile(t, "bundles", "public-key-validity.sigstore.json"), []byte("test content"))
	if err != nil || !key.Made(signer) {
		t.Errorf("%+v, %v", signer, err)
	}
}
