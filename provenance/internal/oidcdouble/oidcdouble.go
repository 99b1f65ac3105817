// Package oidcdouble is an issuer of OIDC tokens as Azure DevOps makes them for jobs: a real server with discovery and keys, whose
// tokens every verifier can check. Only its address is another one than https://vstoken.dev.azure.com/ORGANISATION-ID.
//
// Source: https://openid.net/specs/openid-connect-discovery-1_0.html
package oidcdouble

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// Audience is what the tokens of Azure DevOps are for.
const Audience = "api://AzureADTokenExchange"

// Subject is the pipeline of [Issuer.Claims], Ref its branch.
const (
	Subject = "p://contoso/Mortgages/nightly"
	Ref     = "refs/heads/main"
)

// Issuer is a running issuer. It ends with its test.
type Issuer struct {
	URL     string // iss of its tokens
	private *rsa.PrivateKey

	mu     sync.Mutex
	issued []string
}

// Issued are all tokens that were made. They are secrets.
func (i *Issuer) Issued() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.issued)
}

// New starts an issuer with a key of its own.
func New(t testing.TB) *Issuer {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{private: private}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.keys)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"},
		"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"}, "authorization_endpoint": i.URL + "/none"})
}

// keys answers with the public key.
// Source: https://www.rfc-editor.org/rfc/rfc7518#section-6.3.1
func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	public := i.private.PublicKey
	answer(w, map[string]any{"keys": []any{map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "job",
		"n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes())}}})
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked has gone away
}

// Claims are those of a job of the pipeline contoso/Mortgages/nightly on main.
func (i *Issuer) Claims() map[string]any {
	now := time.Now()
	return map[string]any{"iss": i.URL, "sub": Subject, "aud": Audience,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), "jti": "0b7e5e0e-0000-4000-8000-0000000000aa",
		"org_id": "0b7e5e0e-0000-4000-8000-000000000001", "prj_id": "0b7e5e0e-0000-4000-8000-000000000002", "def_id": "7", "run_id": "4711",
		"rpo_id": "0b7e5e0e-0000-4000-8000-000000000003", "rpo_uri": "https://dev.azure.com/contoso/Mortgages/_git/mortgage",
		"rpo_ver": "e670024c7b6f0d1f7c8d5b0a2f7b0a55a0f6d1aa", "rpo_ref": Ref}
}

// Token is a signed token with the claims of a job, changed by more; a nil value removes a claim.
func (i *Issuer) Token(t testing.TB, more map[string]any) string {
	t.Helper()
	claims := i.Claims()
	maps.Copy(claims, more)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return i.Sign(t, claims)
}

// Sign makes a token of claims.
func (i *Issuer) Sign(t testing.TB, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed := encode([]byte(`{"typ":"JWT","alg":"RS256","kid":"job"}`)) + "." + encode(payload)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.private, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	token := signed + "." + encode(signature)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.issued = append(i.issued, token)
	return token
}
