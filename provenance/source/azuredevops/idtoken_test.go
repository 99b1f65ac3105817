package azuredevops

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	faults "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
	double "github.com/seed-3480f271/provenance/provenance/internal/devopsdouble"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"
)

func TestIDToken(t *testing.T) {
	c := double.New(t)
	token, err := buildOf(c).IDToken(t.Context())
	if err != nil || token != double.JWT(c.Claims) {
		t.Errorf("%v, token %q", err, token)
	}
	if asked := c.Requests(); len(asked) != 1 || strings.Contains(asked[0], "serviceConnectionId") {
		t.Errorf("asked %q, want for the job's own token alone", asked)
	}
}

func TestIDTokenFails(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*double.Collection, *Source)
		misused bool
		want    string
	}{
		"no place": {func(_ *double.Collection, d *Source) { d.OIDC = nil }, true, "where the job's OIDC token is asked for"},
		"another place": {func(_ *double.Collection, d *Source) {
			d.OIDC = &OIDCRequest{URI: "https://evil.example" + double.OIDCPath}
		}, true, "not the host of the collection"},
		"no collection": {func(_ *double.Collection, d *Source) { d.Collection = "dev.azure.com" }, true, ""},
		"denied":        {func(_ *double.Collection, d *Source) { d.Token = sourcetest.FixedToken("expired-token-0123456789") }, false, "status"},
		"broken":        {func(c *double.Collection, _ *Source) { c.Fail("oidctoken", faults.Answer(200, `{"oidcToken":7}`)) }, false, ""},
		"for others":    {func(c *double.Collection, _ *Source) { c.Claims["aud"] = "https://evil.example" }, false, `the token is for "https://evil.example"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := double.New(t)
			d := buildOf(c)
			tt.change(c, &d)
			token, err := d.IDToken(t.Context())
			var misused *provenance.Misused
			if err == nil || token != "" || errors.As(err, &misused) != tt.misused || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("token %q, %T %v; want misused %v with %q", token, err, err, tt.misused, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), double.JWT(c.Claims)) {
				t.Errorf("the token was told: %v", err)
			}
		})
	}
}
