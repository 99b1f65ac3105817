package provtest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/seed-3480f271/provenance/provenance/internal/oidcdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/testtools"
)

// Sigstore is a private Sigstore: a Fulcio that certifies jobs of Azure Pipelines, a timestamp authority, and a Rekor, all of them
// the real programs, with an issuer of tokens like those of Azure DevOps.
type Sigstore struct {
	FulcioURL, TimestampURL, RekorURL string
	Issuer                            *oidcdouble.Issuer

	fulcioChain, stampChain, rekorKey string
}

// Identity is whom the certificates of the issuer's jobs name.
const Identity = oidcdouble.Subject + "@" + oidcdouble.Ref

// StartSigstore runs it until the test ends.
func StartSigstore(t testing.TB) *Sigstore {
	t.Helper()
	s := &Sigstore{Issuer: oidcdouble.New(t)}
	s.FulcioURL, s.fulcioChain = testtools.Fulcio(t, s.Issuer.URL)
	s.TimestampURL, s.stampChain = testtools.Timestamps(t)
	s.RekorURL, s.rekorKey = testtools.Rekor(t)
	return s
}

// Certify makes a certificate of a new authority for a public key in PEM, that names a URI and is valid for an hour around now. The answers
// are the key's certificate with its issuer's, and the authority's chain, in PEM.
func Certify(t testing.TB, publicPEM []byte, uri string) (certificate, chain []byte) {
	t.Helper()
	public, err := cryptoutils.UnmarshalPEMToPublicKey(publicPEM)
	if err != nil {
		t.Fatal(err)
	}
	return testtools.Certify(t, public, uri, time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
}

// Serve lets the double of Azure DevOps give the jobs tokens of this issuer.
func (s *Sigstore) Serve(t testing.TB, services *Services) {
	services.DevOps.Change(func() {
		services.DevOps.Claims["iss"] = s.Issuer.URL
		services.DevOps.Issue = func(claims map[string]any) string { return s.Issuer.Sign(t, claims) }
	})
}

// TrustedRoot writes a trusted root of what is named ("fulcio", "tsa", "rekor", or "ca=FILE" for a chain of another authority) with
// stock cosign. Nothing named: all three.
func (s *Sigstore) TrustedRoot(t testing.TB, file string, parts ...string) {
	t.Helper()
	if len(parts) == 0 {
		parts = []string{"fulcio", "tsa", "rekor"}
	}
	args := []string{"trusted-root", "create", "--out", file}
	for _, part := range parts {
		args = append(args, s.part(part))
	}
	if out, err := exec.Command(testtools.Path(t, "cosign-v3"), args...).CombinedOutput(); err != nil {
		t.Fatalf("cosign %v: %v\n%s", args, err, out)
	}
}

func (s *Sigstore) part(name string) string {
	began := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	switch chain, isCA := strings.CutPrefix(name, "ca="); {
	case isCA:
		return "--fulcio=url=https://ca.example.com,certificate-chain=" + filepath.ToSlash(chain)
	case name == "fulcio":
		return "--fulcio=url=" + s.FulcioURL + ",certificate-chain=" + s.fulcioChain
	case name == "tsa":
		return "--tsa=url=" + s.TimestampURL + ",certificate-chain=" + s.stampChain
	}
	return "--rekor=url=" + s.RekorURL + ",public-key=" + s.rekorKey + ",start-time=" + began + ",origin=127.0.0.1"
}
