package image

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// guard is the transport under everything that speaks to a registry. Whatever an answer names (a token realm, a redirect,
// the place of an upload, a next page), credentials go to trusted hosts only, and plain http to loopback only.
type guard struct {
	inner     http.RoundTripper
	registry  string   // HOST or HOST:PORT
	trusted   []string // further hosts that may see credentials
	userAgent string
	debug     func(string)
}

// knownRealms are the hosts to which well-known registries leave login.
var knownRealms = map[string][]string{
	"index.docker.io":     {"auth.docker.io"},
	"registry.gitlab.com": {"gitlab.com"},
}

func newGuard(registry string, o Options) *guard {
	g := &guard{
		inner: o.Transport, registry: registry, userAgent: o.UserAgent, debug: o.Debug,
		trusted: slices.Concat(knownRealms[registry], o.TrustedRealms),
	}
	if g.inner == nil {
		g.inner = http.DefaultTransport
	}
	return g
}

// forbidden is a request that the guard did not let through. Trying again does not help.
type forbidden struct{ error }

func (f forbidden) Unwrap() error { return f.error }

func forbid(hint, format string, args ...any) error {
	return forbidden{provenance.WithHint(fmt.Errorf(format, args...), hint)}
}

// RoundTrip sends the request, unless it would go where it must not.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := g.check(req); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	if g.userAgent != "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", g.userAgent)
	}
	start := time.Now()
	resp, err := g.inner.RoundTrip(req)
	if g.debug != nil {
		g.debug(fmt.Sprintf("%s %s: %s (%d ms)", req.Method, redact.URL(req.URL.String()), outcome(resp, err), time.Since(start).Milliseconds()))
	}
	if err == nil && isPing(req) {
		resp.Body = &cutBody{io.LimitReader(resp.Body, maxPing), resp.Body}
	}
	return resp, err
}

// maxPing is how many bytes of the answer to a ping are read: the library reads it to its end, and looks at nothing of it.
// The answers of token endpoints it bounds by itself.
const maxPing = 64 << 10

// isPing tells whether the request is one for /v2/, or where that was redirected to.
func isPing(req *http.Request) bool {
	for req.Response != nil && req.Response.Request != nil {
		req = req.Response.Request
	}
	return strings.TrimSuffix(req.URL.Path, "/") == "/v2"
}

// cutBody is a body that ends early.
type cutBody struct {
	io.Reader
	io.Closer
}

// check decides whether the request may go out.
func (g *guard) check(req *http.Request) error {
	host, name := req.URL.Host, req.URL.Hostname()
	switch {
	case req.URL.Scheme != "https" && req.URL.Scheme != "http":
		return forbid("", "%s sends to %s, which is neither https nor http", g.registry, redact.URL(req.URL.String()))
	case req.URL.Scheme == "http" && !loopback(name):
		return forbid("does it speak https? plain http is for registries on this machine only", "%s would be asked over plain http", host)
	case g.trusts(req.URL):
		return nil
	case linkLocal(name) || loopback(name) && !loopback(hostname(g.registry)):
		return forbid("", "%s sends to %s, an address of this machine or network", g.registry, host)
	case req.URL.User != nil || len(req.Header["Authorization"])+len(req.Header["Cookie"]) > 0,
		req.Method != http.MethodGet && req.Method != http.MethodHead:
		return forbid("if the registry really leaves login to that host, name it as a trusted realm",
			"%s asks to send credentials or data to %s, which was not configured", g.registry, host)
	}
	return nil
}

// trusts tells whether the host was configured, or belongs to the registry.
func (g *guard) trusts(u *url.URL) bool {
	same := func(configured string) bool { return withPort(configured, u.Scheme) == withPort(u.Host, u.Scheme) }
	return same(g.registry) || slices.ContainsFunc(g.trusted, same)
}

// withPort is the host in lower case with its port, which may be the scheme's own.
func withPort(host, scheme string) string {
	u := url.URL{Host: strings.ToLower(host)}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func hostname(host string) string { return (&url.URL{Host: host}).Hostname() }

// loopback tells whether the name is this machine.
func loopback(name string) bool {
	name = strings.ToLower(name)
	ip := net.ParseIP(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || ip != nil && ip.IsLoopback()
}

func linkLocal(name string) bool {
	ip := net.ParseIP(name)
	return ip != nil && (ip.IsLinkLocalUnicast() || ip.IsUnspecified())
}

func outcome(resp *http.Response, err error) string {
	if err != nil {
		return redact.Text(err.Error())
	}
	return strconv.Itoa(resp.StatusCode) // the words behind it are the registry's, and may hold what it was sent
}
