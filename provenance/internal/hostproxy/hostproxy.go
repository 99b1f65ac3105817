// Package hostproxy lets tests stand in for hosts of the internet: the real SDKs talk to doubles unchanged, over TLS and under
// the real host names, and reach nobody else.
//
// A process that is started with the variables of [Proxy.Env] finds the hosts through a proxy on loopback (HTTPS_PROXY) and
// trusts the doubles' own authority (SSL_CERT_FILE). Go reads both once per process: the test's own process uses
// [Proxy.Transport].
package hostproxy

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Proxy is a running proxy, and the doubles behind it.
type Proxy struct {
	hosts     map[string]http.Handler
	url       *url.URL
	authority *authority
	file      string

	mu      sync.Mutex
	refused []string
}

// Start runs a proxy until the test ends. hosts are who answers for a host; "*.example.com" is for all hosts with one label
// more than example.com.
func Start(t testing.TB, hosts map[string]http.Handler) *Proxy {
	t.Helper()
	p := &Proxy{hosts: hosts, authority: newAuthority(t, slices.Sorted(maps.Keys(hosts))...)}
	p.file = p.authority.file(t, filepath.Join(t.TempDir(), "ca.pem"))
	server := httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	server.TLS = p.authority.config()
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(http.HandlerFunc(p.connect(server.Listener.Addr().String())))
	t.Cleanup(proxy.Close)
	var err error
	if p.url, err = url.Parse(proxy.URL); err != nil {
		t.Fatal(err)
	}
	return p
}

// Env are the variables with which a process reaches the doubles, and nobody else.
func (p *Proxy) Env() map[string]string {
	return map[string]string{"HTTPS_PROXY": p.url.String(), "NO_PROXY": "", "SSL_CERT_FILE": p.file}
}

// Transport reaches the doubles from this process.
func (p *Proxy) Transport() *http.Transport {
	roots := x509.NewCertPool()
	roots.AddCert(p.authority.root)
	return &http.Transport{Proxy: http.ProxyURL(p.url), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
}

// Refused are the hosts that somebody tried to reach, and that nobody answers for.
func (p *Proxy) Refused() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.refused)
}

// handler is who answers for a host, or nil.
func (p *Proxy) handler(host string) http.Handler {
	if h, found := p.hosts[host]; found {
		return h
	}
	_, parent, _ := strings.Cut(host, ".")
	return p.hosts["*."+parent]
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	if h := p.handler(r.Host); h != nil {
		h.ServeHTTP(w, r)
		return
	}
	http.Error(w, "nobody answers for this host", http.StatusMisdirectedRequest)
}

// connect leads the known hosts to the server, and no other anywhere.
func (p *Proxy) connect(server string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host, known := strings.CutSuffix(r.Host, ":443")
		if r.Method != http.MethodConnect || !known || p.handler(host) == nil {
			p.mu.Lock()
			p.refused = append(p.refused, r.Host)
			p.mu.Unlock()
			http.Error(w, "the doubles lead nowhere else", http.StatusForbidden)
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
