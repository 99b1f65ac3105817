package testtools

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/internal/oidcdouble"
)

func TestSigstoreServers(t *testing.T) {
	var fulcio, stamps, rekor string
	t.Run("inner", func(t *testing.T) {
		var chain, stampChain, key string
		fulcio, chain = Fulcio(t, oidcdouble.New(t).URL)
		stamps, stampChain = Timestamps(t)
		rekor, key = Rekor(t)
		for file, want := range map[string]int{chain: 2, stampChain: 3, key: 1} {
			if n := blocksIn(t, file); n != want {
				t.Errorf("%s has %d PEM blocks, want %d", file, n, want)
			}
		}
		if other, _ := Timestamps(t); other == stamps {
			t.Errorf("two authorities have the same address %s", other)
		}
		if other, _ := Rekor(t); other == rekor {
			t.Errorf("two logs have the same address %s", other)
		}
	})
	for _, url := range []string{fulcio, stamps, rekor} {
		if resp, err := http.Get(url); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s still answers with %s", url, resp.Status)
		}
	}
}

func blocksIn(t *testing.T, file string) (n int) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		n++
	}
	return n
}

func TestSigstoreVersions(t *testing.T) {
	for name, want := range map[string]string{
		"timestamp-server": "github.com/sigstore/timestamp-authority/v2\tv2.1.3",
		"rekor-server":     "github.com/sigstore/rekor-tiles/v2\tv2.3.0",
	} {
		info, err := exec.Command("go", "version", "-m", Path(t, name)).CombinedOutput()
		if err != nil || !strings.Contains(string(info), want) {
			t.Errorf("%s: %v, want %q in\n%s", name, err, want, info)
		}
	}
}

func TestCertify(t *testing.T) {
	key := newKey(t)
	certificate, chain := Certify(t, &key.PublicKey, "https://builds.contoso.com/nightly", begin(), begin().AddDate(0, 0, 1))
	block, rest := pem.Decode(certificate)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	between.AppendCertsFromPEM(rest)
	_, root := pem.Decode(chain)
	roots.AppendCertsFromPEM(root)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}}); err != nil {
		t.Error(err)
	}
}
