package envelope_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/internal/testtools"
)

// cosign is a stock cosign in a folder with a key pair, a blob and the statement about it.
type cosign struct {
	tool, dir string
}

func newCosign(t *testing.T, tool string) cosign {
	t.Helper()
	c := cosign{testtools.Path(t, tool), t.TempDir()}
	for name, content := range map[string]string{"blob": blob, "statement.json": statement} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.run(t, "generate-key-pair")
	return c
}

// run runs cosign without any of this machine's settings, and answers with its output.
func (c cosign) run(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(c.tool, args...)
	cmd.Dir, cmd.Env = c.dir, []string{"HOME=" + c.dir, "COSIGN_PASSWORD=pw"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", filepath.Base(c.tool), args, err, stderr.Bytes())
	}
	return out
}

func (c cosign) read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (c cosign) verifier(t *testing.T, name string) envelope.Verifier {
	t.Helper()
	v, err := envelope.ParsePublicKey(name, c.read(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// offlineCosign is a stock cosign with flags that keep it from the network, and those that make it write a bundle.
type offlineCosign struct {
	tool            string
	offline, bundle []string
}

func offlineCosigns() []offlineCosign {
	return []offlineCosign{
		{"cosign-v2", []string{"--tlog-upload=false", "--yes"}, []string{"--new-bundle-format"}},
		{"cosign-v3", []string{"--tlog-upload=false", "--use-signing-config=false", "--yes"}, nil},
	}
}

// What stock cosign signs, in both forms, is opened, and by its key only. What it signs that is no attestation is foreign.
func TestCosignsEnvelopes(t *testing.T) {
	for _, tt := range offlineCosigns() {
		t.Run(tt.tool, func(t *testing.T) {
			c := newCosign(t, tt.tool)
			flags := append([]string{"--key", "cosign.key", "--bundle", "bundle.json"}, append(tt.offline, tt.bundle...)...)
			c.run(t, append(append([]string{"attest-blob", "--statement", "statement.json"}, flags...), "blob")...)
			raw := c.read(t, "bundle.json")
			checkCosigns(t, c, raw, envelope.FormBundle)
			att, predicateType, err := envelope.UnverifiedEnvelopeOf(raw)
			if err != nil || predicateType != "https://slsa.dev/provenance/v1" {
				t.Fatalf("%q, %v", predicateType, err)
			}
			checkCosigns(t, c, att, envelope.FormATT)

			c.run(t, append(append([]string{"sign-blob"}, flags...), "blob")...)
			if _, err := envelope.Open(c.read(t, "bundle.json"), c.verifier(t, "cosign.pub")); codeOf(err) != envelope.CodeForeign {
				t.Errorf("sign-blob: got %v, want a refusal as foreign", err)
			}
		})
	}
}

// Cosign 2 prints the envelope that it would attach to an image.
func TestCosignsPrintedEnvelope(t *testing.T) {
	c := newCosign(t, "cosign-v2")
	raw := c.run(t, "attest-blob", "--statement", "statement.json", "--key", "cosign.key", "--tlog-upload=false", "--yes", "blob")
	checkCosigns(t, c, raw, envelope.FormATT)
	got, _, err := envelope.UnverifiedEnvelopeOf(raw)
	if err != nil || !bytes.Equal(got, bytes.TrimSpace(raw)) {
		t.Errorf("%v: our envelope differs from cosign's:\n%s\n%s", err, got, raw)
	}
}

func checkCosigns(t *testing.T, c cosign, raw []byte, form string) {
	t.Helper()
	got, err := envelope.Open(raw, c.verifier(t, "cosign.pub"))
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	if got.Form() != form || string(got.Payload()) != statement {
		t.Errorf("form %q, payload %s; want %q, %s", got.Form(), got.Payload(), form, statement)
	}
	if _, err := envelope.Open(raw, pin(t, "other.pub", newP256(t))); codeOf(err) != envelope.CodeKey {
		t.Errorf("another key: got %v, want a refusal", err)
	}
}

// Keys of other kinds that cosign imports sign envelopes that are opened, though stock cosign verifies none of these but RSA.
func TestCosignsOtherKeys(t *testing.T) {
	c := newCosign(t, "cosign-v3")
	for name, der := range otherKeys(t) {
		if err := os.WriteFile(filepath.Join(c.dir, name+".pem"), pemOf("PRIVATE KEY", der), 0o600); err != nil {
			t.Fatal(err)
		}
		c.run(t, "import-key-pair", "--key", name+".pem", "--output-key-prefix", name)
		c.run(t, "attest-blob", "--statement", "statement.json", "--key", name+".key", "--bundle", name+".json",
			"--tlog-upload=false", "--use-signing-config=false", "--yes", "blob")
		got, err := envelope.Open(c.read(t, name+".json"), c.verifier(t, name+".pub"))
		if err != nil || string(got.Payload()) != statement {
			t.Errorf("%s: %v", name, err)
		}
	}
}
