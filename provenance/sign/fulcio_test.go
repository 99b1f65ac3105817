package sign_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/provtest"
	"github.com/seed-3480f271/provenance/provenance/sign"
)

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
		"the token":   {gossip, "its certificate repeats the token", ""},
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

// gossip answers with what a parser of certificates would repeat: the token as a name that is no URI.
func gossip(w http.ResponseWriter, r *http.Request) bool {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	der := "\x30\x82" + string([]byte{byte(len(token) >> 8), byte(len(token))}) + token
	return says(200, chainOf(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(der)}))))(w, r)
}

func echo(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": 16, "message": "bad " + r.Header.Get("Authorization")})
	return true
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
