package sign_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/provtest"
	"github.com/seed-3480f271/provenance/provenance/sign"
)

type private struct {
	*provtest.Sigstore
	t    *testing.T
	root *envelope.TrustedRoot

	mu    sync.Mutex
	lines []string
}

func startPrivate(t *testing.T) *private {
	t.Helper()
	p := &private{Sigstore: provtest.StartSigstore(t), t: t}
	p.root = p.rootOf()
	return p
}

func (p *private) rootOf(parts ...string) *envelope.TrustedRoot {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "root.json")
	p.TrustedRoot(p.t, file, parts...)
	data, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	root, err := envelope.ParseTrustedRoot("root.json", data)
	if err != nil {
		p.t.Fatal(err)
	}
	return root
}

func (p *private) options() sign.Options {
	return sign.Options{FulcioURL: p.FulcioURL, TimestampURL: p.TimestampURL, RekorURL: p.RekorURL, Root: p.root, Token: p.token(nil),
		Client: sign.Client{Attempts: 2, Wait: time.Millisecond, Debug: p.hear}}
}

func (p *private) hear(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
}

func (p *private) token(claims map[string]any) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return p.Issuer.Token(p.t, claims), nil }
}

func (p *private) checkSecrets(t *testing.T, said string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, token := range p.Issuer.Issued() {
		if strings.Contains(said, token) || strings.Contains(strings.Join(p.lines, "\n"), token) {
			t.Errorf("a token was told: %s", said)
		}
	}
}

func proxy(t *testing.T, to string, handle func(http.ResponseWriter, *http.Request) bool) (address string) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	service := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, target.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !handle(w, r) {
			service.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + target.Path
}

func countLines(p *private, part string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

func says(status int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

func record(t *testing.T, to string, ask func(address string)) (answer string) {
	t.Helper()
	ask(proxy(t, to, func(w http.ResponseWriter, r *http.Request) bool {
		answer = forward(t, to, w, r)
		return true
	}))
	return answer
}

func forward(t *testing.T, to string, w http.ResponseWriter, r *http.Request) string {
	target, _ := url.Parse(to)
	target.Path = r.URL.Path
	req, err := http.NewRequest(r.Method, target.String(), r.Body)
	if err != nil {
		t.Error(err)
		return ""
	}
	req.Header = r.Header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(body)
	return string(body)
}

func checkUndecided(t *testing.T, err error, want, hint string) {
	t.Helper()
	var refused *provenance.Refused
	var misused *provenance.Misused
	if err == nil || !strings.Contains(err.Error(), want) || errors.As(err, &refused) || errors.As(err, &misused) {
		t.Errorf("got %T %v, want an error with %q that is no verdict", err, err, want)
		return
	}
	if hint != "" && !slices.ContainsFunc(provenance.Hints(err), func(h string) bool { return strings.Contains(h, hint) }) {
		t.Errorf("hints %q, want one with %q", provenance.Hints(err), hint)
	}
}

func (p *private) stampedOptions() sign.Options {
	o := withPassword(password)
	o.TimestampURL, o.Root, o.Client = p.TimestampURL, p.root, p.options().Client
	return o
}

func onlyStamped(t *testing.T, p *private, path string) sign.Signed {
	t.Helper()
	key, err := sign.Load(t.Context(), path, p.stampedOptions())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := key.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
