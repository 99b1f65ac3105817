// Package vaultdouble is an Azure Key Vault with one key, and the Entra login in front of it, on a loopback port.
//
// The real SDK talks to it unchanged, over TLS, under the real host names: a process that is started with the variables of
// [Vault.Env] reaches vault.azure.net and login.microsoftonline.com through the proxy of package hostproxy, and logs in with
// a client secret (AZURE_*). Other services of Azure can stand beside it, behind the same login.
//
// The shapes are those of https://learn.microsoft.com/rest/api/keyvault/keys (get key, sign, verify; version 7.x), and of
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow.
package vaultdouble

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"sync"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/internal/hostproxy"
)

// What the double is called, and who may use it.
const (
	KeyName = "signing"
	Version = "0123456789abcdef0123456789abcdef"
	tenant  = "11111111-2222-3333-4444-555555555555"
	client  = "66666666-7777-8888-9999-000000000000"
	secret  = "double-client-secret-value"
	token   = "double-access-token-value"
	name    = "doublevault"
)

// Fault is a way in which the vault misbehaves.
type Fault string

// The faults. Each lasts until the next call of Fail.
const (
	None            Fault = ""
	WrongSignature  Fault = "wrong-signature"  // signs something else
	ShortSignature  Fault = "short-signature"  // answers sign with one byte
	Denied          Fault = "denied"           // 403: no role
	Disabled        Fault = "disabled"         // 403: the key is disabled
	Missing         Fault = "missing"          // 404
	Throttled       Fault = "throttled"        // 429, always
	ThrottledOnce   Fault = "throttled-once"   // 429, once
	Broken          Fault = "broken"           // 500, always
	Nonsense        Fault = "nonsense"         // 200 {}
	UnknownCurve    Fault = "unknown-curve"    // the key is on secp256k1
	BadLogin        Fault = "bad-login"        // Entra refuses the client secret
	BadChallenge    Fault = "bad-challenge"    // the 401 names an authority that is no URL
	ForeignResource Fault = "foreign-resource" // the 401 asks for a token for somebody else
)

// Cloud is where the double stands.
type Cloud struct{ Environment, Login, Vaults string }

// The clouds that Key Vault exists in. Environment is the value of AZURE_ENVIRONMENT.
var (
	Public       = Cloud{"", "login.microsoftonline.com", "vault.azure.net"}
	USGovernment = Cloud{"AZUREUSGOVERNMENT", "login.microsoftonline.us", "vault.usgovcloudapi.net"}
)

// Config chooses what differs from a P-256 key in the public cloud.
type Config struct {
	Key   crypto.Signer // *ecdsa.PrivateKey or *rsa.PrivateKey
	Cloud Cloud
	// Others are further services of Azure behind the same proxy and login. Who asks them without the access token, or a
	// shared access signature, is sent away.
	Others map[string]http.Handler
	// Audiences are those that tokens for the others are asked for: https://storage.azure.com.
	Audiences []string
}

// Request is one request that reached the double.
type Request struct {
	Host, Method, Path string
	Bearer             bool // it carried the access token
	Secret             bool // it carried the client secret
}

// Vault is the running double.
type Vault struct {
	cloud     Cloud
	key       crypto.Signer
	audiences []string
	proxy     *hostproxy.Proxy

	mu       sync.Mutex
	fault    Fault
	requests []Request
}

// Start runs a double until the test ends.
func Start(t testing.TB, c Config) *Vault {
	t.Helper()
	v := &Vault{cloud: c.Cloud, key: c.Key}
	if v.cloud == (Cloud{}) {
		v.cloud = Public
	}
	if v.key == nil {
		v.key = newKey(t)
	}
	v.audiences = append([]string{"https://" + v.cloud.Vaults}, c.Audiences...)
	hosts := map[string]http.Handler{v.cloud.Login: http.HandlerFunc(v.serve), v.Host(): http.HandlerFunc(v.serve)}
	for host, other := range c.Others {
		hosts[host] = authorised(other)
	}
	v.proxy = hostproxy.Start(t, hosts)
	return v
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Host is the vault's name.
func (v *Vault) Host() string { return name + "." + v.cloud.Vaults }

// Reference names the key, its newest version, as `--key` takes it.
func (v *Vault) Reference() string { return "azurekms://" + v.Host() + "/" + KeyName }

// Env are the variables with which a process reaches the double.
func (v *Vault) Env() map[string]string {
	env := v.proxy.Env()
	env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"] = tenant, client, secret
	env["AZURE_TOKEN_CREDENTIALS"], env["AZURE_ENVIRONMENT"] = "EnvironmentCredential", v.cloud.Environment
	return env
}

// Secrets must never be repeated by anybody.
func (v *Vault) Secrets() []string { return []string{secret, token} }

// PublicPEM is the public key, as an auditor gets it.
func (v *Vault) PublicPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(v.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// Fail makes the vault misbehave from now on.
func (v *Vault) Fail(f Fault) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fault = f
}

// Requests are all requests until now.
func (v *Vault) Requests() []Request {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]Request(nil), v.requests...)
}

// Refused are the hosts, other than those of the doubles, that somebody tried to reach through the proxy.
func (v *Vault) Refused() []string { return v.proxy.Refused() }

// has tells whether a fault is on; a fault of once is off afterwards.
func (v *Vault) has(f Fault) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	on := v.fault == f
	if on && f == ThrottledOnce {
		v.fault = None
	}
	return on
}
