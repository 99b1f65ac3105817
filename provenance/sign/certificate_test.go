package sign_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/provtest"
	"github.com/seed-3480f271/provenance/provenance/sign"
)

const builds = "https://builds.contoso.com/nightly"

func TestOwnCertificate(t *testing.T) {
	p := startPrivate(t)
	path, publicPEM := newPair(t)
	certificate, chain := provtest.Certify(t, publicPEM, builds)
	file := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, chain, 0o600); err != nil {
		t.Fatal(err)
	}
	o := p.stampedOptions()
	o.Certificate, o.Root = certificate, p.rootOf("ca="+file, "tsa")
	key, err := sign.Load(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := key.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	if signed.Envelope != nil {
		t.Error("there is an envelope for the old form")
	}
	checkLeafOnly(t, signed.Bundle)
	verified, err := key.Open(signed.Bundle)
	want := envelope.Identity{SAN: builds}
	if err != nil || verified.Signer().Identity == nil || *verified.Signer().Identity != want || *key.Identity() != want {
		t.Errorf("%v, signer %+v", err, verified.Signer())
	}
	o.Root = p.rootOf("fulcio", "tsa")
	_, err = sign.Load(t.Context(), path, o)
	checkUndecided(t, err, "does not open again", "")
}

func TestCertificateMistakes(t *testing.T) {
	path, publicPEM := newPair(t)
	_, otherPEM := newPair(t)
	other, _ := provtest.Certify(t, otherPEM, builds)
	root, err := envelope.ParseTrustedRoot("root.json", []byte(emptyRoot))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	name := func(c *x509.Certificate) { u, _ := url.Parse(builds); c.URIs = []*url.URL{u} }
	window := func(from, until time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { name(c); c.NotBefore, c.NotAfter = now.Add(from), now.Add(until) }
	}
	for label, tt := range map[string]struct {
		certificate []byte
		want        string
	}{
		"empty":       {[]byte(" \n"), "it is empty"},
		"not PEM":     {[]byte("certificate"), "it is not PEM"},
		"a key":       {publicPEM, `it holds a "PUBLIC KEY"`},
		"not DER":     {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "x509: "},
		"too large":   {make([]byte, 65<<10), "too large"},
		"another key": {other, "is of another key than " + path},
		"ended":       {selfSigned(t, publicPEM, window(-2*time.Hour, -time.Hour)), "not now"},
		"not begun":   {selfSigned(t, publicPEM, window(time.Hour, 2*time.Hour)), "not now"},
		"nobody":      {selfSigned(t, publicPEM, func(*x509.Certificate) {}), "no subject alternative name"},
		"two names":   {selfSigned(t, publicPEM, func(c *x509.Certificate) { name(c); c.DNSNames = []string{"contoso.com"} }), "2 subject alternative names"},
		"junk behind": {append(selfSigned(t, publicPEM, name), "junk"...), "it is not PEM"},
	} {
		t.Run(label, func(t *testing.T) {
			o := withPassword(password)
			o.Certificate, o.TimestampURL, o.Root = tt.certificate, "https://tsa.example.com", root
			_, err := sign.Load(t.Context(), path, o)
			var misused *provenance.Misused
			if !errors.As(err, &misused) || !strings.Contains(err.Error(), tt.want) || len(provenance.Hints(err)) == 0 {
				t.Errorf("got %v, want one that says %q", err, tt.want)
			}
		})
	}
}

// selfSigned is a certificate for a key, that another one signed.
func selfSigned(t *testing.T, publicPEM []byte, change func(*x509.Certificate)) []byte {
	t.Helper()
	public, err := cryptoutils.UnmarshalPEMToPublicKey(publicPEM)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
