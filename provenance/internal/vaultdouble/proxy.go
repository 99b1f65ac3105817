package vaultdouble

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

// connect is an HTTP proxy that leads the two hosts of the double to its server, and no other anywhere.
func (v *Vault) connect(server string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		known := r.Host == v.cloud.Login+":443" || r.Host == v.Host()+":443"
		if r.Method != http.MethodConnect || !known {
			v.mu.Lock()
			v.refused = append(v.refused, r.Host)
			v.mu.Unlock()
			http.Error(w, "the double leads nowhere else", http.StatusForbidden)
			return
		}
		inner, err := net.Dial("tcp", server)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		outer, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			inner.Close()
			return
		}
		io.WriteString(outer, "HTTP/1.1 200 Connection established\r\n\r\n")
		go relay(inner, buffered, outer)
		relay(outer, inner, inner)
	}
}

// relay copies until one side ends, and ends both.
func relay(to net.Conn, from io.Reader, source net.Conn) {
	io.Copy(to, from)
	to.Close()
	source.Close()
}

// authority signs the double's certificate, and is trusted by nobody else.
type authority struct {
	root []byte
	leaf tls.Certificate
}

func newAuthority(t testing.TB, hosts ...string) *authority {
	t.Helper()
	rootKey, leafKey := newKey(t), newKey(t)
	root := template("double authority")
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf := template(hosts[0])
	leaf.DNSNames, leaf.ExtKeyUsage = hosts, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, leafKey.Public(), rootKey)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{rootDER, tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}}
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

func (a *authority) config() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.leaf}, MinVersion: tls.VersionTLS12}
}

// file writes the authority's certificate for SSL_CERT_FILE, and returns its path.
func (a *authority) file(t testing.TB, path string) string {
	t.Helper()
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root})
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
