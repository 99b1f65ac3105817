package storage

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
)

// token is a credential that gives itself, or an error.
type token struct {
	text string
	err  error
}

func (t token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: t.text, ExpiresOn: blobdouble.Never}, t.err
}

// overTLS puts a double behind TLS, and notes who asked.
func overTLS(t *testing.T, s *blobdouble.Server) (uri string, o Options, authorization *string) {
	authorization = new(string)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*authorization = r.Header.Get("Authorization")
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	o = fast
	o.Transport = server.Client().Transport
	return server.URL + "/" + blobdouble.Account, o, authorization
}

func TestTokenIsSentOverTLS(t *testing.T) {
	uri, o, authorization := overTLS(t, double(t, map[string]string{"p/a": "1"}))
	o.Credential = token{text: "the-token"}
	if got := contents(t, open(t, uri+"/data/p/", o)); !maps.Equal(got, map[string]string{"a": "1"}) {
		t.Errorf("got %q", got)
	}
	if *authorization != "Bearer the-token" {
		t.Errorf("sent %q", *authorization)
	}
}

func TestEmulatorOverPlainHTTPGetsItsOwnKey(t *testing.T) {
	s := double(t, map[string]string{"p/a": "1"})
	o := fast
	o.Credential = token{err: errors.New("must not be asked")}
	if got := contents(t, open(t, s.URL+"/data/p/", o)); got["a"] != "1" {
		t.Errorf("got %q", got)
	}
}

func TestEmulatorNeverGetsTheDefaultCredential(t *testing.T) {
	o := fast
	o.NewCredential = func() (azcore.TokenCredential, error) { return token{text: "the-token"}, nil }
	_, err := Open(t.Context(), "https://127.0.0.1:1/anotheraccount/data/", o)
	wantUndecided(t, err, "no credential was given", "az login")
}

func TestSharedKey(t *testing.T) {
	uri, o, authorization := overTLS(t, double(t, map[string]string{"p/a": "1"}))
	o.SharedKey = func(account string) string { return map[string]string{"devstoreaccount1": "a2V5"}[account] }
	contents(t, open(t, uri+"/data/p/", o))
	if !strings.HasPrefix(*authorization, "SharedKey devstoreaccount1:") {
		t.Errorf("sent %q", *authorization)
	}
	o.SharedKey = func(string) string { return "not base64" }
	_, err := Open(t.Context(), uri+"/data/p/", o)
	wantMisused(t, err, "is not base64")
}

func TestCredentialFailures(t *testing.T) {
	const uri = "abfss://data@acct.dfs.core.windows.net/p/"
	o := fast
	o.Transport = unreachable{}
	_, err := Open(t.Context(), uri, o)
	wantUndecided(t, err, uri+": no credential was given", "az login")

	o.NewCredential = func() (azcore.TokenCredential, error) { return nil, errors.New("no tenant\nid") }
	_, err = Open(t.Context(), uri, o)
	wantUndecided(t, err, uri+": no tenant id", "service connection")

	o.Credential = token{err: &azidentity.AuthenticationFailedError{}}
	err = open(t, uri, o).List(t.Context(), func(Object) error { return nil })
	wantUndecided(t, err, uri, "az login")
}

// unreachable is a network that is down.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("network is down")
}

func TestNewCredential(t *testing.T) {
	pipeline := map[string]string{"SYSTEM_OIDCREQUESTURI": "https://dev.azure.com/oidc", "SYSTEM_ACCESSTOKEN": "t",
		"AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "c", "AZURESUBSCRIPTION_CLIENT_ID": "i", "AZURESUBSCRIPTION_TENANT_ID": "n"}
	t.Setenv("SYSTEM_OIDCREQUESTURI", pipeline["SYSTEM_OIDCREQUESTURI"]) // azidentity reads it by itself
	getenv := func(name string) string { return pipeline[name] }
	make := NewCredential(getenv, "china", unreachable{})
	first, err := make()
	must(t, err)
	if _, ok := first.(*azidentity.AzurePipelinesCredential); !ok {
		t.Errorf("in a pipeline: got %T", first)
	}
	if second, _ := make(); second != first {
		t.Error("the credential is not shared")
	}
	delete(pipeline, "SYSTEM_ACCESSTOKEN")
	other, err := NewCredential(getenv, "", nil)()
	must(t, err)
	if _, ok := other.(*azidentity.DefaultAzureCredential); !ok {
		t.Errorf("without a mapped token: got %T", other)
	}
	pipeline["SYSTEM_ACCESSTOKEN"], pipeline["AZURESUBSCRIPTION_CLIENT_ID"] = "t", ""
	if _, err := NewCredential(getenv, "", nil)(); err == nil {
		t.Error("a service connection without its client id was accepted")
	}
}

func TestAuthority(t *testing.T) {
	for name, want := range map[string]cloud.Configuration{"": cloud.AzurePublic, "public": cloud.AzurePublic, "China": cloud.AzureChina,
		"usgovernment": cloud.AzureGovernment, "core.example.net": cloud.AzurePublic} {
		if got := authority(name); got.ActiveDirectoryAuthorityHost != want.ActiveDirectoryAuthorityHost {
			t.Errorf("%q: got %s", name, got.ActiveDirectoryAuthorityHost)
		}
	}
}

// TestRedirectsAreNotFollowed sends the client to a host that nobody configured.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	err := open(t, server.URL+"/devstoreaccount1/data/p/?"+testSAS, fast).List(t.Context(), func(Object) error { return nil })
	wantUndecided(t, err, "the storage answered 307", "")
}
