package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// acrHosts are the login servers of Azure Container Registry, in the public cloud and the sovereign ones.
var acrHosts = []string{".azurecr.io", ".azurecr.cn", ".azurecr.us"}

// isACR tells whether the host is an Azure container registry. A host with a port is not.
func isACR(host string) bool {
	for _, suffix := range acrHosts {
		if name, found := strings.CutSuffix(strings.ToLower(host), suffix); found && name != "" {
			return true
		}
	}
	return false
}

// acr is an authn.Keychain for Azure Container Registry.
type acr struct {
	token     func(context.Context) (string, error)
	transport http.RoundTripper
	mine      func(host string) bool
	scheme    string
}

// ACR is a keychain for Azure container registries: it exchanges an Entra access token, which token gives, for a refresh token
// of the registry, with which the registry's own token endpoint then gives access. For all other hosts it knows nothing. The
// token is sent to the registry that was named, and nowhere else. transport may be nil.
//
// Put it behind docker's keychain: authn.NewMultiKeychain(authn.DefaultKeychain, image.ACR(token, transport)).
// Source: https://learn.microsoft.com/rest/api/containerregistry/refresh-tokens/get-from-exchange
func ACR(token func(context.Context) (string, error), transport http.RoundTripper) authn.Keychain {
	return &acr{token, transport, isACR, "https"}
}

// authError is a login to Azure that failed. Registries that anybody may read need none.
type authError struct{ error }

func (e *authError) Unwrap() error { return e.error }

// Resolve is ResolveContext without a context.
func (a *acr) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return a.ResolveContext(context.Background(), target)
}

// ResolveContext makes the credential for a registry.
func (a *acr) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	host := target.RegistryStr()
	if !a.mine(host) {
		return authn.Anonymous, nil
	}
	token, err := a.token(ctx)
	if err != nil {
		return nil, &authError{fmt.Errorf("no Entra token for %s: %w", host, err)}
	}
	refresh, err := a.exchange(ctx, host, token)
	if err != nil {
		return nil, &authError{err}
	}
	return authn.FromConfig(authn.AuthConfig{IdentityToken: refresh}), nil
}

// exchange turns the Entra token into a refresh token of the registry.
func (a *acr) exchange(ctx context.Context, host, token string) (string, error) {
	form := url.Values{"grant_type": {"access_token"}, "service": {host}, "access_token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.scheme+"://"+host+"/oauth2/exchange", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := &http.Client{Transport: a.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("%s cannot be asked to exchange the Entra token: %s", host, describe(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", provenance.WithHint(fmt.Errorf("%s does not exchange the Entra token: status %d", host, resp.StatusCode),
			"has the identity a role on this registry, and is it of the registry's tenant?")
	}
	return refreshToken(resp.Body, host)
}

// refreshToken reads the answer. Its text is never repeated: it is a secret.
func refreshToken(body io.Reader, host string) (string, error) {
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	raw, err := readAll(body, 64<<10, "the answer of "+host)
	if err != nil {
		return "", err
	}
	if strictjson.Unmarshal(raw, maxDepth, &answer) != nil || answer.RefreshToken == "" {
		return "", errors.New(host + " answers the exchange of the Entra token without a token")
	}
	return answer.RefreshToken, nil
}
