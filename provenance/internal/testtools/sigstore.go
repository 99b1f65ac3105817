package testtools

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Fulcio runs a certificate authority for jobs of Azure Pipelines until the test ends, with the configuration of examples/fulcio for
// an issuer of tokens. The answers are its URL, and a file with its chain: the issuing authority and the root.
// Source: https://github.com/sigstore/fulcio/blob/main/docs/setup.md
func Fulcio(t testing.TB, issuer string) (url, chain string) {
	t.Helper()
	dir := t.TempDir()
	chain, key := authority(t, dir)
	config := filepath.Join(dir, "config.yaml")
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "examples", "fulcio", "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, config, []byte(strings.ReplaceAll(string(text), "https://vstoken.dev.azure.com/ORGANISATION-ID", issuer)))
	ports := freePorts(t, 3)
	cmd := exec.Command(Path(t, "fulcio"), "serve", "--ca", "fileca", "--fileca-cert", chain, "--fileca-key", key, "--fileca-key-passwd", keyPassword,
		"--fileca-watch=false", "--ct-log-url", "", "--config-path", config, "--host", "127.0.0.1", "--port", ports[0], "--grpc-host", "127.0.0.1", "--grpc-port", ports[1],
		"--metrics-port", ports[2], "--legacy-unix-domain-socket", "@fulcio-"+ports[1])
	start(t, cmd, regexp.MustCompile(`(127\.0\.0\.1:`+ports[0]+`)`))
	url = "http://127.0.0.1:" + ports[0]
	answers(t, url+"/healthz")
	return url, chain
}

// Timestamps runs a timestamp authority until the test ends. The answers are its URL, with the path, and a file with its chain.
// Source: https://github.com/sigstore/timestamp-authority
func Timestamps(t testing.TB) (url, chain string) {
	t.Helper()
	cmd := exec.Command(Path(t, "timestamp-server"))
	url = "http://" + start(t, cmd, regexp.MustCompile(`http://(127\.0\.0\.1:[0-9]+)`)) + "/api/v1/timestamp"
	chain = filepath.Join(t.TempDir(), "tsa.pem")
	write(t, chain, answers(t, url+"/certchain"))
	return url, chain
}

// Rekor runs a transparency log, of version 2, until the test ends. The answers are its URL, and a file with its public key.
// Source: https://github.com/sigstore/rekor-tiles
func Rekor(t testing.TB) (url, public string) {
	t.Helper()
	dir := t.TempDir()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "rekor.key")
	write(t, key, encode(t, "PRIVATE KEY", private))
	public = filepath.Join(dir, "rekor.pub")
	write(t, public, encode(t, "PUBLIC KEY", &private.PublicKey))
	ports := freePorts(t, 3)
	host := "127.0.0.1:" + ports[0]
	cmd := exec.Command(Path(t, "rekor-server"), "serve", "--http-port", ports[0], "--grpc-port", ports[1], "--http-metrics-port", ports[2], "--signer-filepath", key,
		"--storage-dir", filepath.Join(dir, "tiles"), "--hostname", "127.0.0.1", // the origin of its checkpoints: verifiers expect the host of its URL
		"--checkpoint-interval", "100ms", "--batch-max-age", "10ms")
	start(t, cmd, regexp.MustCompile(`(127\.0\.0\.1:`+ports[0]+`)`))
	answers(t, "http://"+host+"/healthz")
	return "http://" + host, public
}

// freePorts are ports that were free a moment ago, for programs that do not find one by themselves: from below those that systems give
// to whoever asks for any, so that no other test is given one of them meanwhile.
func freePorts(t testing.TB, n int) (ports []string) {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(20000 + mathrand.IntN(12000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		defer l.Close() // all at the end: none is found twice
		if ports = append(ports, port); len(ports) == n {
			return ports
		}
	}
	t.Fatalf("no %d ports are free", n)
	return nil
}

// answers waits until a server answers with 200, and gives what it says.
func answers(t testing.TB, url string) []byte {
	t.Helper()
	for end := time.Now().Add(startTimeout); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(url)
		if err != nil {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && resp.StatusCode == http.StatusOK {
			return body
		}
	}
	t.Fatalf("%s does not answer after %v", url, startTimeout)
	return nil
}

// keyPassword encrypts the key of the authority.
const keyPassword = "correct horse"

// authority makes an issuing certificate authority below a root: a file with both, and one with its key.
func authority(t testing.TB, dir string) (chain, key string) {
	t.Helper()
	certificates, private := newAuthority(t)
	chain, key = filepath.Join(dir, "fulcio.pem"), filepath.Join(dir, "fulcio.key")
	write(t, chain, concat(certificates))
	write(t, key, encrypted(t, private))
	return chain, key
}

// newAuthority makes an issuing certificate authority below a root, in this order, and its key.
func newAuthority(t testing.TB) ([]*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	rootKey, issuingKey := newKey(t), newKey(t)
	began := begin()
	root := issue(t, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Contoso root"}, NotBefore: began, NotAfter: began.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: 1, KeyUsage: x509.KeyUsageCertSign}, nil, &rootKey.PublicKey, rootKey)
	issuing := issue(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Contoso jobs"}, NotBefore: began, NotAfter: root.NotAfter,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}}, root, &issuingKey.PublicKey, rootKey)
	return []*x509.Certificate{issuing, root}, issuingKey
}

// begin is when the authorities began.
func begin() time.Time { return time.Now().Add(-time.Hour) }

// Certify makes a certificate for a key, with the URI as its name, of a new authority: that of the key and its issuer's, and the chain of
// the authorities for a trusted root, all in PEM.
func Certify(t testing.TB, public any, uri string, from, until time.Time) (certificate, chain []byte) {
	t.Helper()
	authorities, key := newAuthority(t)
	name, err := neturl.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	leaf := issue(t, &x509.Certificate{SerialNumber: big.NewInt(3), NotBefore: from, NotAfter: until, URIs: []*neturl.URL{name},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}}, authorities[0], public, key)
	return concat([]*x509.Certificate{leaf, authorities[0]}), concat(authorities)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue signs a certificate; no parent means itself.
func issue(t testing.TB, c, parent *x509.Certificate, public any, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, by)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// concat is certificates in PEM.
func concat(all []*x509.Certificate) (out []byte) {
	for _, c := range all {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// encode is a key in PEM.
func encode(t testing.TB, kind string, key any) []byte {
	t.Helper()
	marshal := x509.MarshalPKCS8PrivateKey
	if kind == "PUBLIC KEY" {
		marshal = x509.MarshalPKIXPublicKey
	}
	der, err := marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// encrypted is a key in the only form that Fulcio reads from a file.
func encrypted(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", der, []byte(keyPassword), x509.PEMCipherAES256) //nolint:staticcheck // Fulcio's, not ours
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

func write(t testing.TB, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
