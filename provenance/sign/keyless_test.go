package sign_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
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

	"github.com/digitorus/timestamp"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/provtest"
	"github.com/seed-3480f271/provenance/provenance/sign"
)

// private is a real Sigstore of one's own, and what is told of the requests to it.
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

// rootOf is a trusted root of some of the parts.
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

// options are those of a keyless key that is stamped and logged; nobody waits for long.
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

// checkSecrets fails when a token was told.
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

// proxy stands before a service. What the handler does not answer, and says so with false, the service answers.
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

func TestKeylessSigns(t *testing.T) {
	p := startPrivate(t)
	key, err := sign.Load(t.Context(), sign.Keyless, p.options())
	if err != nil {
		t.Fatal(err)
	}
	want := envelope.Identity{Issuer: p.Issuer.URL, SAN: provtest.Identity}
	if id := key.Identity(); id == nil || *id != want {
		t.Errorf("identity %+v, want %+v", id, want)
	}
	signed, err := key.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	if signed.Envelope != nil {
		t.Error("there is an envelope for the old form, in which nobody looks at a timestamp")
	}
	pinned, err := envelope.NewIdentity("nightly", want)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := envelope.Trust{Verifiers: []envelope.Verifier{pinned}, Root: p.root}.Open(signed.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	times := verified.Times()
	if string(verified.Payload()) != statement || !verified.Logged() || len(times) != 1 || times[0].Kind != envelope.TimeStamp || times[0].By != p.TimestampURL {
		t.Errorf("payload %s, logged %v, times %+v", verified.Payload(), verified.Logged(), times)
	}
	checkLeafOnly(t, signed.Bundle)
	p.checkSecrets(t, string(signed.Bundle))
	if n := countLines(p, "/api/v2/log/entries"); n != 1 {
		t.Errorf("%d entries were logged, want 1: what Load signs is not logged", n)
	}
}

// checkLeafOnly: verifiers take the authorities from the trusted root.
func checkLeafOnly(t *testing.T, bundle []byte) {
	t.Helper()
	var b struct {
		Material struct {
			Certificate struct{ RawBytes string }
			Chain       any `json:"x509CertificateChain"`
			PublicKey   any
		} `json:"verificationMaterial"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil || b.Material.Certificate.RawBytes == "" || b.Material.Chain != nil || b.Material.PublicKey != nil {
		t.Errorf("material %+v, %v; want the leaf alone", b.Material, err)
	}
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

// TestCertificateIsRenewed: hours lie between the beginning of a run and its signature, and a certificate lives for ten minutes.
func TestCertificateIsRenewed(t *testing.T) {
	p := startPrivate(t)
	branch, calls := provtest.Identity[strings.Index(provtest.Identity, "refs/"):], 0
	o := p.options()
	o.Token = func(ctx context.Context) (string, error) {
		calls++
		return p.token(map[string]any{"rpo_ref": branch, "run_id": fmt.Sprint(calls)})(ctx)
	}
	key, err := sign.Load(t.Context(), sign.Keyless, o)
	if err != nil {
		t.Fatal(err)
	}
	first := key.Leaf()
	if _, err := key.Sign(t.Context(), []byte(statement)); err != nil || calls != 1 || key.Leaf() != first {
		t.Fatalf("%v after %d tokens: a certificate that is valid was renewed", err, calls)
	}
	key.Expire()
	if _, err := key.Sign(t.Context(), []byte(statement)); err != nil || calls != 2 || key.Leaf().Equal(first) {
		t.Fatalf("%v after %d tokens: it was not renewed", err, calls)
	}
	key.Expire()
	branch = "refs/heads/ada/try"
	signed, err := key.Sign(t.Context(), []byte(statement))
	if err == nil || !strings.Contains(err.Error(), "but the run began with one of") || signed.Bundle != nil {
		t.Errorf("another identity signed: %v", err)
	}
	checkUndecided(t, err, "refs/heads/ada/try", "")
}

func TestCertificateCannotBeRenewed(t *testing.T) {
	p := startPrivate(t)
	down := false
	o := p.options()
	o.FulcioURL = proxy(t, p.FulcioURL, func(w http.ResponseWriter, _ *http.Request) bool {
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return down
	})
	key, err := sign.Load(t.Context(), sign.Keyless, o)
	if err != nil {
		t.Fatal(err)
	}
	down = true
	key.Expire()
	if signed, err := key.Sign(t.Context(), []byte(statement)); err == nil || !strings.Contains(err.Error(), "status 503") || signed.Bundle != nil {
		t.Errorf("got %v", err)
	}
}

// says answers with a status and a body.
func says(status int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// chainOf is an answer of Fulcio.
func chainOf(certificate string) string {
	data, _ := json.Marshal(map[string]any{"signedCertificateDetachedSct": map[string]any{"chain": map[string]any{"certificates": []string{certificate}}}})
	return string(data)
}

func TestFulcioFails(t *testing.T) {
	p := startPrivate(t)
	stolen := record(t, p.FulcioURL, func(address string) { // a certificate of another key
		o := p.options()
		o.FulcioURL = address
		if _, err := sign.Load(t.Context(), sign.Keyless, o); err != nil {
			t.Fatal(err)
		}
	})
	elsewhere := ""
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { elsewhere += r.Header.Get("Authorization") + "!" }))
	t.Cleanup(other.Close)
	for name, tt := range map[string]struct {
		handle func(http.ResponseWriter, *http.Request) bool
		want   string
		hint   string
	}{
		"broken":      {says(503, ""), "Fulcio, asking for a certificate: status 503", ""},
		"nonsense":    {says(200, "{"), "the answer makes no sense", ""},
		"a page":      {says(200, "<html>"), "a web page came where JSON was expected", "login page"},
		"nothing":     {says(200, "{}"), "it holds no certificate", ""},
		"not PEM":     {says(200, chainOf("x")), "its certificate is not PEM", ""},
		"not DER":     {says(200, chainOf("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), "its certificate: x509", ""},
		"another key": {says(200, stolen), "its certificate is of another key", ""},
		"endless":     {says(200, strings.Repeat(" ", 2<<20)), "longer than 1048576 bytes", ""},
		"denied":      {echo, "status 401", "the token's issuer"},
		"moved": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
			return true
		}, "redirects to", "new address"},
	} {
		t.Run(name, func(t *testing.T) {
			o := p.options()
			o.FulcioURL = proxy(t, p.FulcioURL, tt.handle)
			_, err := sign.Load(t.Context(), sign.Keyless, o)
			checkUndecided(t, err, tt.want, tt.hint)
			p.checkSecrets(t, fmt.Sprint(err, provenance.Hints(err)))
		})
	}
	if elsewhere != "" {
		t.Errorf("somebody else was asked, with %q", elsewhere)
	}
}

// echo refuses, and repeats what it was sent.
func echo(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": 16, "message": "bad " + r.Header.Get("Authorization")})
	return true
}

// record is what a service answered last, when it was asked through the address.
func record(t *testing.T, to string, ask func(address string)) (answer string) {
	t.Helper()
	ask(proxy(t, to, func(w http.ResponseWriter, r *http.Request) bool {
		answer = forward(t, to, w, r)
		return true
	}))
	return answer
}

// forward asks the service itself, and hands its answer on.
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

// checkUndecided wants an error that is neither a verdict nor a mistake.
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

// TestServicesRecover: one bad answer is not the end.
func TestServicesRecover(t *testing.T) {
	p := startPrivate(t)
	once := func(to string) string {
		asked := 0
		return proxy(t, to, func(w http.ResponseWriter, _ *http.Request) bool {
			if asked++; asked == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return asked == 1
		})
	}
	o := p.options()
	o.FulcioURL, o.TimestampURL, o.RekorURL = once(o.FulcioURL), once(o.TimestampURL), once(o.RekorURL)
	key, err := sign.Load(t.Context(), sign.Keyless, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.Sign(t.Context(), []byte(statement)); err != nil {
		t.Error(err)
	}
}

func TestTokens(t *testing.T) {
	p := startPrivate(t)
	jwt := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	for name, tt := range map[string]struct{ token, want string }{
		"empty":      {"", "it is no JSON web token"},
		"two parts":  {"a.b", "it is no JSON web token"},
		"huge":       {strings.Repeat("a", 33<<10) + ".b.c", "it is no JSON web token"},
		"not base64": {"a.!s3cr3t!.c", "its claims are not in base64"},
		"not JSON":   {jwt("s3cr3t"), "it does not say for whom it is"},
		"nobody":     {jwt(`{"aud":"s3cr3t"}`), "it does not say for whom it is"},
	} {
		t.Run(name, func(t *testing.T) {
			o := p.options()
			o.Token = func(context.Context) (string, error) { return tt.token, nil }
			_, err := sign.Load(t.Context(), sign.Keyless, o)
			var misused *provenance.Misused
			if !errors.As(err, &misused) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("got %v, want one that says %q", err, tt.want)
			}
		})
	}
	o := p.options()
	o.Token = func(context.Context) (string, error) { return "", errors.New("no token to be had") }
	if _, err := sign.Load(t.Context(), sign.Keyless, o); err == nil || err.Error() != "no token to be had" {
		t.Errorf("got %v", err)
	}
	o.Token = func(ctx context.Context) (string, error) {
		token, err := p.token(nil)(ctx)
		return " " + token + "\n", err // as `echo` leaves it in a variable
	}
	if _, err := sign.Load(t.Context(), sign.Keyless, o); err != nil {
		t.Error(err)
	}
}

// stampedOptions are those of a key file.
func (p *private) stampedOptions() sign.Options {
	o := withPassword(password)
	o.TimestampURL, o.Root, o.Client = p.TimestampURL, p.root, p.options().Client
	return o
}

func TestStampedKey(t *testing.T) {
	p := startPrivate(t)
	path, publicPEM := newPair(t)
	o := p.stampedOptions()
	o.RekorURL = p.RekorURL
	key, err := sign.Load(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	if key.Identity() != nil {
		t.Errorf("identity %+v", key.Identity())
	}
	signed, err := key.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	checkOpens(t, signed, publicPEM)
	verified, err := key.Open(signed.Bundle)
	if err != nil || len(verified.Times()) != 1 || !verified.Logged() {
		t.Errorf("%v, times %+v, logged %v", err, verified.Times(), verified.Logged())
	}
	plain, err := sign.Load(t.Context(), path, withPassword(password))
	if err != nil {
		t.Fatal(err)
	}
	bare, err := plain.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Open(bare.Bundle); err != nil {
		t.Error(err)
	}
	if _, err := key.Open(bare.Bundle); err == nil || !strings.Contains(err.Error(), "there is no timestamp of") {
		t.Errorf("what nobody stamped passes for stamped: %v", err)
	}
	stamped := onlyStamped(t, p, path)
	if _, err := key.Open(stamped.Bundle); err == nil || !strings.Contains(err.Error(), "there is no entry of") {
		t.Errorf("what nobody logged passes for logged: %v", err)
	}
	if _, err := key.Open([]byte("{}")); err == nil {
		t.Error("nonsense opens")
	}
}

// onlyStamped is signed without a log.
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

func TestTimestampAuthorityFails(t *testing.T) {
	p := startPrivate(t)
	path, _ := newPair(t)
	earlier := record(t, p.TimestampURL, func(address string) {
		o := p.stampedOptions()
		o.TimestampURL = address
		if _, err := sign.Load(t.Context(), path, o); err != nil {
			t.Fatal(err)
		}
	})
	for name, tt := range map[string]struct {
		handle func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		"broken":          {says(503, ""), "the timestamp authority, asking for a timestamp: status 503"},
		"nonsense":        {says(200, "{}"), "the answer makes no sense"},
		"nothing":         {says(200, ""), "the answer makes no sense"},
		"rejected":        {says(200, "\x30\x05\x30\x03\x02\x01\x02"), "the request is rejected"},
		"of another":      {says(200, earlier), "the timestamp is of something else"},
		"without a nonce": {func(w http.ResponseWriter, r *http.Request) bool { return forgetful(t, p.TimestampURL, w, r) }, "made for another request"},
		"endless":         {says(200, strings.Repeat(" ", 2<<20)), "longer than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			o := p.stampedOptions()
			o.TimestampURL = proxy(t, p.TimestampURL, tt.handle)
			_, err := sign.Load(t.Context(), path, o)
			checkUndecided(t, err, tt.want, "")
		})
	}
	o := p.stampedOptions()
	o.Root = p.rootOf("fulcio", "rekor")
	_, err := sign.Load(t.Context(), path, o)
	checkUndecided(t, err, "there is no timestamp of "+p.TimestampURL+" that root.json lets anybody believe", "name the timestamp authority")
}

// forgetful asks for a timestamp without the nonce.
func forgetful(t *testing.T, to string, w http.ResponseWriter, r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	asked, err := timestamp.ParseRequest(body)
	if err != nil {
		t.Error(err)
		return false
	}
	asked.Nonce = nil
	if body, err = asked.Marshal(); err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	forward(t, to, w, r)
	return true
}

// TestAuthorityGoesAway: what was stamped when the key was loaded does not stand for what is signed later.
func TestAuthorityGoesAway(t *testing.T) {
	p := startPrivate(t)
	down := false
	o := p.stampedOptions()
	o.TimestampURL = proxy(t, p.TimestampURL, func(w http.ResponseWriter, _ *http.Request) bool {
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return down
	})
	path, _ := newPair(t)
	o.Root = p.rootOf("tsa")
	key, err := sign.Load(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	down = true
	signed, err := key.Sign(t.Context(), []byte(statement))
	checkUndecided(t, err, "status 503", "")
	if signed.Bundle != nil || signed.Envelope != nil {
		t.Error("it signed without the timestamp")
	}
}

func TestRekorFails(t *testing.T) {
	p := startPrivate(t)
	path, _ := newPair(t)
	load := func(address string, root *envelope.TrustedRoot) *sign.Key {
		o := p.stampedOptions()
		o.RekorURL, o.Root = address, root
		key, err := sign.Load(t.Context(), path, o)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	earlier := record(t, p.RekorURL, func(address string) {
		if _, err := load(address, p.root).Sign(t.Context(), []byte(statement)); err != nil {
			t.Fatal(err)
		}
	})
	for name, tt := range map[string]struct {
		handle     func(http.ResponseWriter, *http.Request) bool
		want, hint string
	}{
		"broken":           {says(503, ""), "Rekor, adding an entry: status 503", ""},
		"version 1":        {says(404, "{}"), "status 404", "is it Rekor of version 2"},
		"conflict":         {says(409, "{}"), "status 409", "run again"},
		"denied":           {says(400, "{}"), "status 400", ""},
		"nonsense":         {says(201, "["), "the answer makes no sense", ""},
		"nothing":          {says(201, "{}"), "there is no entry of", ""},
		"entry of another": {says(201, earlier), "there is no entry of", ""},
		"endless":          {says(201, strings.Repeat(" ", 2<<20)), "longer than 1048576 bytes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			signed, err := load(proxy(t, p.RekorURL, tt.handle), p.root).Sign(t.Context(), []byte(statement))
			checkUndecided(t, err, tt.want, tt.hint)
			if signed.Bundle != nil || signed.Envelope != nil {
				t.Error("it signed without the entry")
			}
		})
	}
	_, err := load(p.RekorURL, p.rootOf("tsa")).Sign(t.Context(), []byte(statement))
	checkUndecided(t, err, "there is no entry of "+p.RekorURL+" that root.json lets anybody believe", "name the log")
}

func TestOptionsThatDoNotGoTogether(t *testing.T) {
	path, publicPEM := newPair(t)
	certificate, _ := provtest.Certify(t, publicPEM, "https://builds.contoso.com/nightly")
	root, err := envelope.ParseTrustedRoot("root.json", []byte(emptyRoot))
	if err != nil {
		t.Fatal(err)
	}
	token := func(context.Context) (string, error) { t.Error("the token was asked for"); return "", nil }
	const service = "https://service.example.com"
	for name, tt := range map[string]struct {
		ref  string
		o    sign.Options
		want string
	}{
		"keyless without Fulcio":             {sign.Keyless, sign.Options{Token: token, TimestampURL: service, Root: root}, "keyless needs Fulcio"},
		"keyless without a token":            {sign.Keyless, sign.Options{FulcioURL: service, TimestampURL: service, Root: root}, "keyless needs an OIDC token"},
		"keyless without a timestamp":        {sign.Keyless, sign.Options{FulcioURL: service, Token: token, Root: root}, "no timestamp authority is named"},
		"keyless without a root":             {sign.Keyless, sign.Options{FulcioURL: service, Token: token, TimestampURL: service}, "there is no trusted root"},
		"keyless with a certificate":         {sign.Keyless, sign.Options{FulcioURL: service, Token: token, TimestampURL: service, Root: root, Certificate: certificate}, "a key that does not exist yet"},
		"Fulcio for a key":                   {path, sign.Options{FulcioURL: service, TimestampURL: service, Root: root}, "needs no certificate of it"},
		"a certificate without a timestamp":  {path, sign.Options{Certificate: certificate, Root: root}, "no timestamp authority is named"},
		"a certificate without a root":       {path, sign.Options{Certificate: certificate, TimestampURL: service}, "there is no trusted root"},
		"a timestamp without a root":         {path, sign.Options{TimestampURL: service}, "there is no trusted root"},
		"a log without a root":               {path, sign.Options{RekorURL: service}, "there is no trusted root"},
		"a root for nothing":                 {path, sign.Options{Root: root}, "a key signs alone"},
		"a timestamp authority without TLS":  {path, sign.Options{TimestampURL: "http://service.example.com", Root: root}, "is not asked over http"},
		"a timestamp authority with a query": {path, sign.Options{TimestampURL: service + "?sig=s3cr3t", Root: root}, "has a query"},
		"a log that is no URL":               {path, sign.Options{RekorURL: "rekor", Root: root}, "is not the address of a Rekor service"},
		"a Fulcio without TLS":               {sign.Keyless, sign.Options{FulcioURL: "http://service.example.com", TimestampURL: service, Token: someToken, Root: root}, "Fulcio is not asked over http"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.o.Password = withPassword(password).Password
			_, err := sign.Load(t.Context(), tt.ref, tt.o)
			var misused *provenance.Misused
			if !errors.As(err, &misused) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") || len(provenance.Hints(err)) == 0 {
				t.Errorf("got %v with hints %q, want one that says %q", err, provenance.Hints(err), tt.want)
			}
		})
	}
}

func someToken(context.Context) (string, error) {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x"}`)) + ".c2ln", nil
}
