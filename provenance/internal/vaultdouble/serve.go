package vaultdouble

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// serve is both hosts.
func (v *Vault) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	authorised := r.Header.Get("Authorization") == "Bearer "+token
	v.note(r, body, authorised)
	switch {
	case r.Host == v.cloud.Login:
		v.login(w, r, string(body))
	case !authorised:
		v.challenge(w)
	default:
		v.vault(w, r, body)
	}
}

func (v *Vault) note(r *http.Request, body []byte, bearer bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests = append(v.requests, Request{r.Host, r.Method, r.URL.Path, bearer, strings.Contains(string(body), secret)})
}

// login is Entra: it tells where its endpoints are, and issues a token to who knows the client secret.
func (v *Vault) login(w http.ResponseWriter, r *http.Request, body string) {
	base := "https://" + v.cloud.Login + "/" + tenant
	switch {
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		answer(w, http.StatusOK, object{"tenant_discovery_endpoint": base + "/v2.0/.well-known/openid-configuration",
			"metadata": []object{{"preferred_network": v.cloud.Login, "preferred_cache": v.cloud.Login, "aliases": []string{v.cloud.Login}}}})
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		answer(w, http.StatusOK, object{"issuer": base + "/v2.0", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
			"token_endpoint": base + "/oauth2/v2.0/token"})
	case v.has(BadLogin) || !strings.Contains(body, secret) || !v.isAudience(body):
		answer(w, http.StatusUnauthorized, object{"error": "invalid_client",
			"error_description": "AADSTS7000215: Invalid client secret provided. Trace ID: 0 Timestamp: 0"})
	default:
		answer(w, http.StatusOK, object{"token_type": "Bearer", "expires_in": 3599, "access_token": token})
	}
}

// isAudience tells whether the form of a login asks for a token for one of the doubles.
func (v *Vault) isAudience(form string) bool {
	values, err := url.ParseQuery(form)
	audience, _, found := strings.Cut(values.Get("scope"), "/.default")
	return err == nil && found && slices.Contains(v.audiences, audience)
}

// authorised lets only callers with the access token or a shared access signature through.
func authorised(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token && !r.URL.Query().Has("sig") {
			refuse(w, http.StatusUnauthorized, "AuthenticationFailed", "Authentication failed.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// challenge sends a caller without a token to the login.
// Source: https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
func (v *Vault) challenge(w http.ResponseWriter) {
	authority, resource := "https://"+v.cloud.Login+"/"+tenant, "https://"+v.cloud.Vaults
	if v.has(BadChallenge) {
		authority = "nowhere"
	}
	if v.has(ForeignResource) {
		resource = "https://vault.example.com"
	}
	w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization="%s", resource="%s"`, authority, resource))
	refuse(w, http.StatusUnauthorized, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
}

// vault answers get key, sign and verify, or misbehaves.
func (v *Vault) vault(w http.ResponseWriter, r *http.Request, body []byte) {
	operation, found := strings.CutPrefix(r.URL.Path, "/keys/"+KeyName+"/")
	operation = strings.TrimPrefix(strings.TrimPrefix(operation, Version), "/")
	switch {
	case v.has(Throttled) || v.has(ThrottledOnce):
		w.Header().Set("retry-after-ms", "1")
		refuse(w, http.StatusTooManyRequests, "Throttled", "Request was not processed because too many requests were received.")
	case v.has(Broken):
		w.Header().Set("retry-after-ms", "1")
		refuse(w, http.StatusInternalServerError, "InternalServerError", "An unexpected error occurred.")
	case v.has(Denied):
		refuse(w, http.StatusForbidden, "Forbidden", "Caller is not authorized to perform action on resource.")
	case v.has(Disabled):
		refuse(w, http.StatusForbidden, "Forbidden", "Operation get is not allowed on a disabled key.")
	case v.has(Nonsense):
		answer(w, http.StatusOK, object{})
	case !found || v.has(Missing):
		refuse(w, http.StatusNotFound, "KeyNotFound", "A key with (name/id) "+KeyName+" was not found in this key vault.")
	case r.Method == http.MethodGet && operation == "":
		answer(w, http.StatusOK, object{"key": v.jwk(), "attributes": object{"enabled": true}})
	case r.Method == http.MethodPost && operation == "sign":
		v.sign(w, body)
	case r.Method == http.MethodPost && operation == "verify":
		v.verify(w, body)
	default:
		refuse(w, http.StatusBadRequest, "BadParameter", "The double does not know this operation.")
	}
}

// call is the body of sign and verify.
type call struct{ Alg, Value, Digest string }

// hashes are the algorithms of Key Vault that the double knows.
var hashes = map[string]crypto.Hash{"ES256": crypto.SHA256, "RS256": crypto.SHA256, "RS384": crypto.SHA384}

func (v *Vault) sign(w http.ResponseWriter, body []byte) {
	var c call
	hash, digest, err := c.read(body, func() string { return c.Value })
	if err == nil && v.has(WrongSignature) {
		digest[0] ^= 1
	}
	var signature []byte
	if err == nil {
		signature, err = v.signDigest(hash, digest)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "BadParameter", err.Error())
		return
	}
	if v.has(ShortSignature) {
		signature = signature[:1]
	}
	answer(w, http.StatusOK, object{"kid": v.kid(), "value": encode(signature)})
}

// read decodes a call, and checks that its digest is as long as its algorithm says.
func (c *call) read(body []byte, digestOf func() string) (crypto.Hash, []byte, error) {
	if err := json.Unmarshal(body, c); err != nil {
		return 0, nil, err
	}
	hash, known := hashes[c.Alg]
	digest, err := base64.RawURLEncoding.DecodeString(digestOf())
	if !known || err != nil || len(digest) != hash.Size() {
		return 0, nil, fmt.Errorf("the algorithm %q is not known, or the digest has a wrong length", c.Alg)
	}
	return hash, digest, nil
}

// signDigest signs as Key Vault does: ECDSA signatures are r and s, one after the other.
func (v *Vault) signDigest(hash crypto.Hash, digest []byte) ([]byte, error) {
	signature, err := v.key.Sign(rand.Reader, digest, hash)
	key, isEC := v.key.(*ecdsa.PrivateKey)
	if err != nil || !isEC {
		return signature, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &pair); err != nil {
		return nil, err
	}
	size := (key.Params().BitSize + 7) / 8
	return append(pair.R.FillBytes(make([]byte, size)), pair.S.FillBytes(make([]byte, size))...), nil
}

func (v *Vault) verify(w http.ResponseWriter, body []byte) {
	var c call
	hash, digest, err := c.read(body, func() string { return c.Digest })
	signature, badSignature := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || badSignature != nil {
		refuse(w, http.StatusBadRequest, "BadParameter", "Property has invalid value.")
		return
	}
	answer(w, http.StatusOK, object{"value": v.verifyDigest(hash, digest, signature)})
}

func (v *Vault) verifyDigest(hash crypto.Hash, digest, signature []byte) bool {
	switch key := v.key.Public().(type) {
	case *ecdsa.PublicKey:
		half := len(signature) / 2
		r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
		return ecdsa.Verify(key, digest, r, s)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
	}
	return false
}

// jwk is the public key as Key Vault tells it.
func (v *Vault) jwk() object {
	jwk := object{"kid": v.kid(), "key_ops": []string{"sign", "verify"}}
	switch key := v.key.Public().(type) {
	case *ecdsa.PublicKey:
		point, _ := key.Bytes() // 4, x, y; a key on a NIST curve always encodes
		half := 1 + len(point)/2
		jwk["kty"], jwk["crv"], jwk["x"], jwk["y"] = "EC-HSM", key.Params().Name, encode(point[1:half]), encode(point[half:])
		if v.has(UnknownCurve) {
			jwk["crv"] = "P-256K"
		}
	case *rsa.PublicKey:
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", encode(key.N.Bytes()), encode(big.NewInt(int64(key.E)).Bytes())
	}
	return jwk
}

func (v *Vault) kid() string { return "https://" + v.Host() + "/keys/" + KeyName + "/" + Version }

type object map[string]any

func answer(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, object{"error": object{"code": code, "message": message}})
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
