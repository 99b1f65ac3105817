package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/seed-3480f271/provenance/provenance"
)

const secret = "hunter2-hunter2-hunter2"

// keys is a keychain with one credential for everybody who asks.
type keys authn.AuthConfig

func (k keys) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig(k)), nil
}

// witness is a host that writes down what reaches it.
type witness struct {
	mu   sync.Mutex
	seen []*http.Request
	next http.Handler
}

func (s *witness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r.Clone(context.Background()))
	s.mu.Unlock()
	s.next.ServeHTTP(w, r)
}

// elsewhere is a second host: the same machine under another name.
func elsewhere(t *testing.T, next http.HandlerFunc) (*witness, string) {
	s := &witness{next: next}
	return s, strings.Replace(serve(t, s), "127.0.0.1", "localhost", 1)
}

// tokenRegistry is a registry that wants a bearer token from a realm.
type tokenRegistry struct {
	realm string // a URL; empty: /token on the same host
	next  http.Handler
	pings int
	mu    sync.Mutex
	asked []string // at /token: user, and scopes
}

func (s *tokenRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/token" {
		s.token(w, r)
		return
	}
	if r.URL.Path == "/v2/" {
		s.pings++
	}
	need := "pull"
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		need = "push"
	}
	if held := r.Header.Get("Authorization"); !strings.HasPrefix(held, "Bearer ") || !strings.Contains(held, need) {
		realm := s.realm
		if realm == "" {
			realm = "http://" + r.Host + "/token"
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q,service=%q", realm, "registry"))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.next.ServeHTTP(w, r)
}

// token gives a token that spells out what it is for.
func (s *tokenRegistry) token(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	user, _, _ := r.BasicAuth()
	if r.Form.Get("refresh_token") == secret {
		user = "refresh"
	}
	s.asked = append(s.asked, user+" "+r.Form.Get("scope"))
	json.NewEncoder(w).Encode(map[string]string{"access_token": strings.ReplaceAll(r.Form.Get("scope"), " ", "+")})
}

func newMemory() http.Handler {
	return ggcr.New(ggcr.WithReferrersSupport(true), ggcr.Logger(log.New(io.Discard, "", 0)))
}

// withImage is a registry in memory with an image, as handler, and the image's path.
func withImage(t *testing.T) (http.Handler, string) {
	h := newMemory()
	ref := pushTo(serve(t, h)+"/team/mortgage")(t, "x", single(t))
	return h, ref[strings.Index(ref, "/"):]
}

func TestBearerLogin(t *testing.T) {
	for name, k := range map[string]struct {
		keys authn.Keychain
		user string
	}{
		"anonymous": {nil, ""},
		"password":  {keys{Username: "ada", Password: secret}, "ada"},
		"refresh":   {keys{IdentityToken: secret}, "refresh"},
	} {
		t.Run(name, func(t *testing.T) {
			inner, path := withImage(t)
			s := &tokenRegistry{next: inner}
			img := resolve(t, serve(t, s)+path, Options{Keychain: k.keys})
			attach(t, img, attachment(1))
			contents(t, img)
			if s.pings != 1 {
				t.Errorf("%d pings, want 1", s.pings)
			}
			same(t, s.asked, k.user+" repository:team/mortgage:pull", k.user+" repository:team/mortgage:push,pull")
		})
	}
}

func TestRegistryTokenIsUsedAsItIs(t *testing.T) {
	inner, path := withImage(t)
	s := &tokenRegistry{next: inner}
	resolve(t, serve(t, s)+path, Options{Keychain: keys{RegistryToken: "pull"}})
	if len(s.asked) > 0 {
		t.Errorf("a token was asked for: %q", s.asked)
	}
}

func TestBasicLogin(t *testing.T) {
	inner, path := withImage(t)
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ada" || password != secret {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	resolve(t, host+path, Options{Keychain: keys{Username: "ada", Password: secret}})
	_, err := Resolve(t.Context(), host+path, Options{Keychain: keys{Username: "eve", Password: secret}, limits: quick})
	undecided(t, err, "401", "docker login "+host)
	withoutSecret(t, err.Error())
}

func withoutSecret(t testing.TB, text string) {
	t.Helper()
	if strings.Contains(text, secret) {
		t.Errorf("the secret is in %q", text)
	}
}

// TestRealmElsewhere has a registry that sends its visitors' credentials to another host. That host never sees them, unless
// it was configured.
func TestRealmElsewhere(t *testing.T) {
	for name, k := range map[string]keys{
		"password": {Username: "ada", Password: secret}, "refresh token": {IdentityToken: secret}, "encoded": {Auth: "YWRhOmh1bnRlcjI="},
	} {
		t.Run(name, func(t *testing.T) {
			inner, path := withImage(t)
			s := &tokenRegistry{next: inner}
			other, realm := elsewhere(t, s.token)
			s.realm = "http://" + realm + "/token"
			host := serve(t, s)
			_, err := Resolve(t.Context(), host+path, Options{Keychain: k, limits: quick})
			undecided(t, err, "send credentials", realm, "trusted realm")
			withoutSecret(t, err.Error())
			if len(other.seen) > 0 {
				t.Fatalf("the other host was asked: %v", other.seen)
			}
			resolve(t, host+path, Options{Keychain: k, TrustedRealms: []string{realm}})
			if len(other.seen) != 1 {
				t.Errorf("the configured host was asked %d times, want once", len(other.seen))
			}
		})
	}
}

// TestRedirectElsewhere has a registry whose blobs lie on another host, as ACR's and Docker Hub's do: they are read from
// there, without credentials.
func TestRedirectElsewhere(t *testing.T) {
	inner, path := withImage(t)
	for name, challenge := range map[string]string{"basic": `Basic realm="x"`, "bearer": ""} {
		t.Run(name, func(t *testing.T) {
			other, place := elsewhere(t, inner.ServeHTTP)
			redirecting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if isBlob(r) {
					http.Redirect(w, r, "http://"+place+r.URL.Path+"?sig="+secret, http.StatusTemporaryRedirect)
					return
				}
				inner.ServeHTTP(w, r)
			})
			var handler http.Handler = &tokenRegistry{next: redirecting}
			if challenge != "" {
				handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Authorization") == "" {
						w.Header().Set("WWW-Authenticate", challenge)
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					redirecting(w, r)
				})
			}
			resolve(t, serve(t, handler)+path, Options{Keychain: keys{Username: "ada", Password: secret}})
			if len(other.seen) == 0 {
				t.Fatal("nothing was read from the other host")
			}
			for _, r := range other.seen {
				if len(r.Header["Authorization"])+len(r.Header["Cookie"]) > 0 {
					t.Errorf("%s %s came with credentials", r.Method, r.URL)
				}
			}
		})
	}
}

// TestErrorsHideQueries has redirects to a place that does not exist, and answers with a token in them.
func TestErrorsHideQueries(t *testing.T) {
	inner, path := withImage(t)
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isBlob(r) {
			http.Redirect(w, r, "http://127.0.0.1:1/x?sig="+secret, http.StatusTemporaryRedirect)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	var lines []string
	_, err := Resolve(t.Context(), host+path, Options{limits: quick, Debug: func(s string) { lines = append(lines, s) }})
	undecided(t, err)
	withoutSecret(t, err.Error()+strings.Join(lines, "\n"))
	if len(lines) == 0 {
		t.Error("no debug lines")
	}
	s := &tokenRegistry{next: inner}
	other, realm := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"refresh_token":%q}`, secret)
	})
	s.realm = "http://" + realm + "/token"
	_, err = Resolve(t.Context(), serve(t, s)+path, Options{limits: quick})
	undecided(t, err, "without a token")
	withoutSecret(t, err.Error())
	if len(other.seen) == 0 {
		t.Error("nobody was asked")
	}
}

// TestUploadElsewhere has a registry that wants the blobs sent to another host.
func TestUploadElsewhere(t *testing.T) {
	inner, path := withImage(t)
	other, place := elsewhere(t, inner.ServeHTTP)
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.Header().Set("Location", "http://"+place+"/upload")
			w.WriteHeader(http.StatusAccepted)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	err := resolve(t, host+path, Options{}).Attach(t.Context(), attachment(1))
	undecided(t, err, "data to "+place)
	if len(other.seen) > 0 {
		t.Errorf("the other host got %v", other.seen)
	}
}

func TestUploadWithoutPlace(t *testing.T) {
	inner, path := withImage(t)
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	undecided(t, resolve(t, host+path, Options{}).Attach(t.Context(), attachment(1)), "no place for an upload")
}

func TestRedirectsWithoutEnd(t *testing.T) {
	inner, path := withImage(t)
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isBlob(r) {
			http.Redirect(w, r, r.URL.Path+"?"+r.URL.RawQuery+"x", http.StatusTemporaryRedirect)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	_, err := Resolve(t.Context(), host+path, Options{limits: quick})
	undecided(t, err, "redirects without end")
}

// TestGuard is the guard's table: what may go where.
func TestGuard(t *testing.T) {
	for _, c := range []struct {
		registry, url, method, authorization string
		trusted                              []string
		want                                 string // of the error; empty: let through
	}{
		{"acr.azurecr.io", "https://acr.azurecr.io/v2/", "POST", "Bearer x", nil, ""},
		{"acr.azurecr.io", "https://ACR.azurecr.io:443/v2/", "POST", "Bearer x", nil, ""},
		{"acr.azurecr.io", "https://acr.azurecr.io:8443/v2/", "GET", "Bearer x", nil, "not configured"},
		{"acr.azurecr.io", "http://acr.azurecr.io/v2/", "GET", "", nil, "plain http"},
		{"10.0.0.1:5000", "http://10.0.0.1:5000/v2/", "GET", "", nil, "plain http"},
		{"registry.local", "http://registry.local/v2/", "GET", "", nil, "plain http"},
		{"localhost:5000", "http://localhost:5000/v2/", "PUT", "Basic x", nil, ""},
		{"[::1]:5000", "http://[::1]:5000/v2/", "PUT", "Basic x", nil, ""},
		{"acr.azurecr.io", "https://store.blob.core.windows.net/x?sig=1", "GET", "", nil, ""},
		{"acr.azurecr.io", "https://store.blob.core.windows.net/x", "GET", "Bearer x", nil, "not configured"},
		{"acr.azurecr.io", "https://store.blob.core.windows.net/x", "PUT", "", nil, "not configured"},
		{"acr.azurecr.io", "https://user@evil.example/x", "GET", "", nil, "not configured"},
		{"acr.azurecr.io", "https://evil.example/", "GET", "Basic x", []string{"login.example"}, "not configured"},
		{"acr.azurecr.io", "https://login.example/", "POST", "Basic x", []string{"login.example"}, ""},
		{"index.docker.io", "https://auth.docker.io/token", "POST", "Basic x", nil, ""},
		{"other.example", "https://auth.docker.io/token", "GET", "Basic x", nil, "not configured"},
		{"acr.azurecr.io", "https://169.254.169.254/metadata", "GET", "", nil, "address of this machine"},
		{"acr.azurecr.io", "http://127.0.0.1:10000/x", "GET", "", nil, "address of this machine"},
		{"acr.azurecr.io", "ftp://acr.azurecr.io/x", "GET", "", nil, "neither https nor http"},
	} {
		t.Run(c.registry+" "+c.method+" "+c.url, func(t *testing.T) {
			u, err := url.Parse(c.url)
			if err != nil {
				t.Fatal(err)
			}
			req := &http.Request{Method: c.method, URL: u, Header: http.Header{}}
			if c.authorization != "" {
				req.Header.Set("Authorization", c.authorization)
			}
			err = newGuard(c.registry, Options{TrustedRealms: c.trusted}).check(req)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

// TestUntrustedCertificate is not tried again, and nothing is sent.
func TestUntrustedCertificate(t *testing.T) {
	s := &witness{next: newMemory()}
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	repo := must(parseReference(strings.TrimPrefix(server.URL, "https://")+"/team/mortgage:x", Options{limits: quick})).store.(*registry)
	_, err := (&http.Client{Transport: repo.guard}).Get(server.URL)
	if err = repo.failed("login", err); errors.As(err, new(*passing)) {
		t.Error("it would be tried again")
	}
	undecided(t, err, "certificate", "trusted by this machine")
	if len(s.seen) > 0 {
		t.Errorf("the host got %v", s.seen)
	}
}

func TestUserAgent(t *testing.T) {
	inner, path := withImage(t)
	s := &witness{next: inner}
	resolve(t, serve(t, s)+path, Options{UserAgent: "provenance/1.2.3"})
	for _, r := range s.seen {
		if r.UserAgent() != "provenance/1.2.3" {
			t.Errorf("%s came from %q", r.URL, r.UserAgent())
		}
	}
}

// acrDouble speaks the exchange as Azure Container Registry does.
// Source: https://learn.microsoft.com/rest/api/containerregistry/refresh-tokens/get-from-exchange
func acrDouble(t *testing.T, answer string, code int) *httptest.Server {
	inner, path := withImage(t)
	s := &tokenRegistry{next: inner}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth2/exchange", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		if r.Form.Get("grant_type") != "access_token" || r.Form.Get("service") != r.Host || r.Form.Get("access_token") != "entra" {
			t.Errorf("the exchange was asked with %v", r.Form)
		}
		w.WriteHeader(code)
		io.WriteString(w, answer)
	})
	mux.Handle("/", s)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		if code == 200 && strings.Contains(answer, secret) && (len(s.asked) == 0 || !strings.HasPrefix(s.asked[0], "refresh ")) {
			t.Errorf("the refresh token was not used: %q", s.asked)
		}
	})
	server.URL += path
	return server
}

func entra(context.Context) (string, error) { return "entra", nil }

// onLoopback is the ACR keychain for the double.
func onLoopback(token func(context.Context) (string, error)) authn.Keychain {
	k := ACR(token, nil).(*acr)
	k.scheme, k.mine = "http", func(string) bool { return true }
	return k
}

func TestACRLogin(t *testing.T) {
	ref := strings.TrimPrefix(acrDouble(t, fmt.Sprintf(`{"refresh_token":%q}`, secret), 200).URL, "http://")
	img := resolve(t, ref, Options{Keychain: authn.NewMultiKeychain(authn.NewMultiKeychain(), onLoopback(entra))})
	attach(t, img, attachment(1))
}

// TestACRWithoutLogin falls back to being nobody, whom the registry may let read.
func TestACRWithoutLogin(t *testing.T) {
	ref := strings.TrimPrefix(acrDouble(t, `{}`, 200).URL, "http://")
	resolve(t, ref, Options{Keychain: onLoopback(entra)})
	resolve(t, ref, Options{Keychain: onLoopback(func(context.Context) (string, error) { return "", errors.New("nobody is logged in") })})
}

func TestACRExchangeFails(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		code   int
		want   string
	}{
		"denied":   {secret, 401, "status 401"},
		"redirect": {secret, 307, "status 307"},
		"nonsense": {secret, 200, "without a token"},
		"no token": {`{"access_token":"` + secret + `"}`, 200, "without a token"},
		"endless":  {strings.Repeat(secret, 1<<14), 200, "exceeds the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://localhost:1/")
				w.WriteHeader(c.code)
				io.WriteString(w, c.answer)
			}))
			t.Cleanup(server.Close)
			host := must(url.Parse(server.URL)).Host
			_, err := onLoopback(entra).(*acr).exchange(t.Context(), host, secret)
			undecided(t, err, c.want)
			withoutSecret(t, err.Error()+strings.Join(provenance.Hints(err), ""))
		})
	}
	_, err := onLoopback(entra).(*acr).exchange(t.Context(), "127.0.0.1:1", secret)
	undecided(t, err, "cannot be asked")
	withoutSecret(t, err.Error())
}

func TestACRHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"contoso.azurecr.io": true, "Contoso.AzureCR.io": true, "contoso.azurecr.cn": true, "contoso.azurecr.us": true,
		"azurecr.io": false, ".azurecr.io": false, "contoso.azurecr.io.evil.example": false, "contoso.azurecr.io:8443": false,
		"evilazurecr.io": false, "index.docker.io": false,
	} {
		if isACR(host) != want {
			t.Errorf("isACR(%q) is %v", host, !want)
		}
	}
	asked := false
	k := ACR(func(context.Context) (string, error) { asked = true; return "entra", nil }, nil)
	auth, err := k.Resolve(must(parseReference("docker.io/library/x:1", Options{})).store.(*registry).repo)
	if err != nil || auth != authn.Anonymous || asked {
		t.Errorf("Entra was asked for a token for Docker Hub: %v %v %v", auth, err, asked)
	}
}

func TestLoginHint(t *testing.T) {
	s := must(parseReference("contoso.azurecr.io/mortgage:1", Options{})).store.(*registry).session
	s.azure = &authError{errors.New("no Entra token")}
	if hint := s.loginHint(); !strings.Contains(hint, "az acr login --name contoso") || !strings.Contains(hint, "no Entra token") {
		t.Errorf("hint: %s", hint)
	}
}
