package sign_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/testtools"
	"github.com/seed-3480f271/provenance/provenance/sign"
)

// statement is the least that stock cosign takes for SLSA provenance; its subject is blob.
const statement = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"blob","digest":{"sha256":` +
	`"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"}}],"predicateType":"https://slsa.dev/provenance/v1",` +
	`"predicate":{"buildDefinition":{"buildType":"https://example.com/build","externalParameters":{"a":"b"}},` +
	`"runDetails":{"builder":{"id":"https://example.com/builder"}}}}`

const blob = "hello\n"

const password = "correct horse"

// emptyRoot is all that cosign needs to know to check a key's signature without any service.
const emptyRoot = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`

// withPassword answers every question with p.
func withPassword(p string) sign.Options {
	return sign.Options{Password: func(context.Context) ([]byte, error) { return []byte(p), nil }}
}

// write puts a file into a folder of the test.
func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newPair is a key pair of ours: the private key's path, and the public key.
func newPair(t *testing.T) (path string, publicPEM []byte) {
	t.Helper()
	privatePEM, publicPEM, err := sign.Generate([]byte(password))
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cosign.key", privatePEM), publicPEM
}

func TestSignFromFileAndVariable(t *testing.T) {
	path, publicPEM := newPair(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	options := withPassword(password)
	options.Getenv = func(name string) string { return map[string]string{"MY_KEY": string(data)}[name] }
	for _, ref := range []string{path, "env://MY_KEY"} {
		key, err := sign.Load(t.Context(), ref, options)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(key.PublicPEM(), publicPEM) {
			t.Errorf("%s: public key\n%s, want\n%s", ref, key.PublicPEM(), publicPEM)
		}
		signed, err := key.Sign(t.Context(), []byte(statement))
		if err != nil {
			t.Fatal(err)
		}
		checkOpens(t, signed, publicPEM)
	}
}

func TestEmptyPassword(t *testing.T) {
	privatePEM, _, err := sign.Generate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sign.Load(t.Context(), write(t, "cosign.key", privatePEM), sign.Options{}); err != nil {
		t.Errorf("without a password: %v", err)
	}
}

// The bundle has the shape that cosign writes, byte for byte but for the signature.
func TestBundleIsCompact(t *testing.T) {
	path, _ := newPair(t)
	key, err := sign.Load(t.Context(), path, withPassword(password))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := key.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	var envelope struct {
		Payload    string
		Signatures []struct{ Sig string }
	}
	if err := json.Unmarshal(signed.Envelope, &envelope); err != nil || len(envelope.Signatures) != 1 {
		t.Fatalf("%v in %s", err, signed.Envelope)
	}
	der, err := x509.MarshalPKIXPublicKey(key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"` + base64SHA256(der) +
		`"}},"dsseEnvelope":{"payload":"` + envelope.Payload + `","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"` +
		envelope.Signatures[0].Sig + `"}]}}`
	if string(signed.Bundle) != want {
		t.Errorf("bundle\n%s, want\n%s", signed.Bundle, want)
	}
}

func base64SHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestSignRefusesWhatDoesNotOpen(t *testing.T) {
	path, _ := newPair(t)
	key, err := sign.Load(t.Context(), path, withPassword(password))
	if err != nil {
		t.Fatal(err)
	}
	var refused *provenance.Refused
	for _, payload := range []string{"", "no JSON", `{"a":1,"A":2}`, `"` + strings.Repeat("x", 8<<20) + `"`} {
		signed, err := key.Sign(t.Context(), []byte(payload))
		if err == nil || errors.As(err, &refused) || len(signed.Bundle)+len(signed.Envelope) > 0 {
			t.Errorf("%.20q: got %v and %.40s; want an error that is no verdict, and nothing signed", payload, err, signed.Bundle)
		}
	}
}

func TestLoadMistakes(t *testing.T) {
	path, publicPEM := newPair(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	garbled := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes[:len(block.Bytes)/2]})
	plain, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(plain)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, ref, password, want, hint string }{
		{"wrong password", path, "wrong horse", "wrong password", "COSIGN_PASSWORD"},
		{"no password", path, "", "wrong password", "COSIGN_PASSWORD"},
		{"missing file", filepath.Join(t.TempDir(), "cosign.key"), "", "no such file", "keygen"},
		{"folder", t.TempDir(), "", "is a directory", "keygen"},
		{"empty path", "", "", "cannot read the key file", "keygen"},
		{"not PEM", write(t, "f", []byte("hello")), "", "it is not PEM", "BEGIN ENCRYPTED"},
		{"empty file", write(t, "f", nil), "", "it is not PEM", "BEGIN ENCRYPTED"},
		{"too large", write(t, "f", bytes.Repeat([]byte("x"), 1<<20)), "", "too large", "keygen"},
		{"garbled", write(t, "f", garbled), password, "damaged", "COSIGN_PASSWORD"},
		{"public key", write(t, "f", publicPEM), "", "is a public key", "private half"},
		{"plain private key", write(t, "f", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), "", "not in cosign's format", "import-key-pair"},
		{"certificate", write(t, "f", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), "", `"CERTIFICATE"`, "cosign key file"},
		{"variable not set", "env://MISSING", "", "is not set", "content of cosign.key"},
		{"unknown scheme", "awskms:///alias/key", "", `"awskms://" is not a kind of key`, "azurekms://"},
		{"vault over http", "azurekms://http://doublevault.vault.azure.net/key", "", "does not name a key", "azurekms://VAULT"},
		{"vault elsewhere", "azurekms://doublevault.vault.azure.net.example.com/key", "", "does not name a key", "azurekms://VAULT"},
		{"vault with user", "azurekms://u:p@doublevault.vault.azure.net/key", "", "does not name a key", "azurekms://VAULT"},
		{"vault with port", "azurekms://doublevault.vault.azure.net:444/key", "", "does not name a key", "azurekms://VAULT"},
		{"vault without key", "azurekms://doublevault.vault.azure.net", "", "does not name a key", "azurekms://VAULT"},
		{"vault with strange version", "azurekms://doublevault.vault.azure.net/key/../other", "", "does not name a key", "azurekms://VAULT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := sign.Load(t.Context(), tt.ref, withPassword(tt.password))
			var misused *provenance.Misused
			if !errors.As(err, &misused) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(misused.Hint, tt.hint) {
				t.Fatalf("got %v with hints %q; want a mistake with %q and the hint %q", err, provenance.Hints(err), tt.want, tt.hint)
			}
			for _, secret := range []string{password, "wrong horse", "u:p@", string(data)} {
				if strings.Contains(err.Error()+misused.Hint, secret) {
					t.Errorf("the error repeats a secret: %v", err)
				}
			}
		})
	}
}

func TestPasswordThatCannotBeAsked(t *testing.T) {
	path, _ := newPair(t)
	noTerminal := errors.New("there is no terminal")
	_, err := sign.Load(t.Context(), path, sign.Options{Password: func(context.Context) ([]byte, error) { return nil, noTerminal }})
	if !errors.Is(err, noTerminal) {
		t.Errorf("got %v, want %v", err, noTerminal)
	}
}

// The password is only asked for when there is something to decrypt.
func TestPasswordIsNotAskedInVain(t *testing.T) {
	asked := false
	options := sign.Options{Password: func(context.Context) ([]byte, error) { asked = true; return nil, nil }}
	if _, err := sign.Load(t.Context(), write(t, "f", []byte("hello")), options); err == nil || asked {
		t.Errorf("got error %v, asked %v", err, asked)
	}
}

// run runs a stock tool without any of this machine's settings.
func run(t *testing.T, tool string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(testtools.Path(t, tool), args...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "COSIGN_PASSWORD=" + password}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", tool, args, err, stderr.Bytes())
	}
	return out
}

// Stock cosign reads our keys, and agrees with our signatures.
func TestCosignAgrees(t *testing.T) {
	path, publicPEM := newPair(t)
	key, err := sign.Load(t.Context(), path, withPassword(password))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := key.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	public, bundle, subject := write(t, "cosign.pub", publicPEM), write(t, "bundle.json", signed.Bundle), write(t, "blob", []byte(blob))
	root := write(t, "root.json", []byte(emptyRoot))
	for _, tool := range []string{"cosign-v2", "cosign-v3"} {
		t.Run(tool, func(t *testing.T) {
			if got := run(t, tool, "public-key", "--key", path); !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(publicPEM)) {
				t.Errorf("public-key says\n%s, want\n%s", got, publicPEM)
			}
			verify := []string{"verify-blob-attestation", "--key", public, "--bundle", bundle, "--trusted-root", root, "--insecure-ignore-tlog",
				"--type", "slsaprovenance1", subject}
			if tool == "cosign-v2" {
				verify = append(verify, "--new-bundle-format")
			}
			run(t, tool, verify...)
		})
	}
}

// Keys that cosign made or imported are used, when cosign would verify what they sign; others are refused.
func TestKeysOfCosign(t *testing.T) {
	dir := t.TempDir()
	run(t, "cosign-v3", "generate-key-pair", "--output-key-prefix", filepath.Join(dir, "p256"))
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	importKey(t, dir, "rsa", key)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	importKey(t, dir, "p384", p384)

	for _, name := range []string{"p256", "rsa"} {
		key, err := sign.Load(t.Context(), filepath.Join(dir, name+".key"), withPassword(password))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := key.Sign(t.Context(), []byte(statement))
		if err != nil {
			t.Fatal(err)
		}
		public := filepath.Join(dir, name+".pub")
		run(t, "cosign-v3", "verify-blob-attestation", "--key", public, "--bundle", write(t, "bundle.json", signed.Bundle),
			"--trusted-root", write(t, "root.json", []byte(emptyRoot)), "--insecure-ignore-tlog", "--type", "slsaprovenance1", write(t, "blob", []byte(blob)))
	}
	var misused *provenance.Misused
	if _, err := sign.Load(t.Context(), filepath.Join(dir, "p384.key"), withPassword(password)); !errors.As(err, &misused) {
		t.Errorf("P-384: got %v, want a mistake", err)
	}
}

func importKey(t *testing.T, dir, name string, key any) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	plain := write(t, "plain.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	run(t, "cosign-v2", "import-key-pair", "--key", plain, "--output-key-prefix", filepath.Join(dir, name))
}
