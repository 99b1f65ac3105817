package sign

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/azure"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// vaultReference is a key in Azure Key Vault: the hosts are those of the public cloud, China's and the US government's, and it
// is always https. A token for the vault cannot go anywhere else.
// Source: https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates
var vaultReference = pattern.New(
	`^azurekms://[a-zA-Z0-9-]{3,24}\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)/[a-zA-Z0-9-]{1,127}(/[a-z0-9]{32})?$`)

// loadVault asks Key Vault for the public key. Sigstore's provider reads its credential, its cloud and its proxy from the
// environment, as every Azure tool does (AZURE_*, HTTPS_PROXY): it offers no other way.
func loadVault(ctx context.Context, ref string) (*Key, error) {
	if !vaultReference().MatchString(ref) {
		return nil, provenance.Misuse("the form is azurekms://VAULT.vault.azure.net/KEY[/VERSION]; for another cloud, its own "+
			"vault.azure.cn or vault.usgovcloudapi.net, with AZURE_ENVIRONMENT set", "%.200q does not name a key in Azure Key Vault", redact.URL(ref))
	}
	provider, err := azure.LoadSignerVerifier(ctx, ref)
	if err != nil {
		return nil, explain(ctx, ref, "set up", err)
	}
	signer := vaultSigner{ref, provider}
	public, err := signer.PublicKey()
	if err != nil {
		return nil, explain(ctx, ref, "read the public key", err)
	}
	return newKey(ref, signer, public)
}

// vaultSigner puts the provider's errors into words. It also survives answers that Key Vault never gives: the provider and the
// SDK below it panic at a key without a type, or at a malformed challenge.
type vaultSigner struct {
	ref      string
	provider *azure.SignerVerifier
}

func (s vaultSigner) PublicKey(opts ...signature.PublicKeyOption) (key crypto.PublicKey, err error) {
	defer guard(&err)
	return s.provider.PublicKey(opts...)
}

func (s vaultSigner) SignMessage(message io.Reader, opts ...signature.SignOption) (sig []byte, err error) {
	ctx := context.Background()
	for _, o := range opts {
		o.ApplyContext(&ctx)
	}
	defer func() { err = explain(ctx, s.ref, "sign", err) }()
	defer guard(&err)
	return s.provider.SignMessage(message, opts...)
}

// guard turns a panic into an error.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the answer makes no sense (%v)", r)
	}
}

// The hints of the errors of a vault.
const (
	hintLogin = "in a pipeline, run the step in an AzureCLI@2 task, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; " +
		"elsewhere `az login`"
	hintDenied = "the identity needs the role Key Vault Crypto User (keys/get and keys/sign), the key must be enabled, and the vault's " +
		"firewall must let this agent through"
	hintReach = "check the vault's name, that HTTPS_PROXY and firewalls let this machine through, and that it is logged in: " + hintLogin
)

// explain makes one sentence of an SDK's error, which is a page with the whole answer in it, and picks the hint.
func explain(ctx context.Context, ref, doing string, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: cannot %s: %w", ref, doing, cause)
	}
	var answer *azcore.ResponseError
	var login *azidentity.AuthenticationFailedError
	switch {
	case errors.As(err, &login):
		return vaultError(hintLogin, ref, doing, "Entra did not issue a token: "+reason(login.RawResponse, err))
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return provenance.Misuse("check the names of the vault, the key and the version", "%s: there is no such key", ref)
	case errors.As(err, &answer):
		return vaultError(hintOf(answer.StatusCode), ref, doing, fmt.Sprintf("HTTP %d: %s", answer.StatusCode, reason(answer.RawResponse, err)))
	}
	return vaultError(hintReach, ref, doing, sentence(err.Error()))
}

func vaultError(hint, ref, doing, why string) error {
	return provenance.WithHint(fmt.Errorf("%s: cannot %s: %s", ref, doing, why), hint)
}

func hintOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return hintLogin
	case http.StatusForbidden:
		return hintDenied
	}
	return "it was tried several times; try again later"
}

// reason is the message in the body of an answer of Key Vault or Entra, or else the error's own text.
// Source: https://learn.microsoft.com/azure/key-vault/general/rest-error-codes and
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#error-response
func reason(resp *http.Response, err error) string {
	if resp == nil {
		return sentence(err.Error())
	}
	var vault struct{ Error struct{ Message string } }
	var entra struct {
		Description string `json:"error_description"`
	}
	body, _ := runtime.Payload(resp) // read and kept by the SDK already
	_ = json.Unmarshal(body, &vault) // what does not fit stays empty, and the status is told instead
	_ = json.Unmarshal(body, &entra)
	if text := sentence(vault.Error.Message + entra.Description); text != "" {
		return text
	}
	return http.StatusText(resp.StatusCode)
}

// maxReason is how many bytes of foreign text an error repeats.
const maxReason = 300

// sentence puts foreign text on one line, without secrets and not too long.
func sentence(text string) string {
	text = redact.Text(strings.Join(strings.Fields(text), " "))
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return text
}
