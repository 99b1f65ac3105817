package azuredevops

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// oidcClaimNames are the claims that are recorded.
var oidcClaimNames = []string{"iss", "sub", "aud", "iat", "exp", "org_id", "prj_id", "def_id", "rpo_id", "rpo_uri", "rpo_ver", "rpo_ref", "run_id"}

// oidcAudiences are what the tokens of Azure DevOps are for: to be exchanged at Entra, in each of its clouds.
// Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
var oidcAudiences = []string{"api://AzureADTokenExchange", "api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeChina"}

// maxOIDC is how long a token may be, in bytes.
const maxOIDC = 32 << 10

// askClaims asks for the job's OIDC token, and keeps its claims. The signature of the token is not checked: it came over TLS
// from Azure DevOps itself, in answer to the job's own token, so the claims are as good as any other answer, and no better. What
// they add is that Azure DevOps made them for the very job that asks, while a build's id is a variable. The token is not kept.
// Source: https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create
func (b *devopsBuild) askClaims(ctx context.Context, q *devopsQuestion) (err error) {
	if q.site.OIDC != nil {
		b.claims, err = q.claims(ctx, *q.site.OIDC)
	}
	return err
}

func (q *devopsQuestion) claims(ctx context.Context, ask OIDCRequest) (map[string]string, error) {
	_, claims, err := q.issue(ctx, ask)
	return claims, err
}

// IDToken is the job's OIDC token itself, for a certificate authority that takes those of Azure DevOps. It is a secret for the ten
// minutes that it lives: whoever has it can pass for the job. OIDC has to be set; Collect need not have been called.
func (d Source) IDToken(ctx context.Context) (string, error) {
	if d.OIDC == nil {
		return "", provenance.Misuse("it is SYSTEM_OIDCREQUESTURI", "it is not known where the job's OIDC token is asked for")
	}
	site, err := d.site()
	if err != nil {
		return "", err
	}
	q, err := site.question("the job")
	if err != nil {
		return "", err
	}
	token, _, err := q.issue(ctx, *d.OIDC)
	return token, err
}

// issue asks for a token, keeps the answer without it, and reads its claims.
func (q *devopsQuestion) issue(ctx context.Context, ask OIDCRequest) (token string, claims map[string]string, err error) {
	base, path, err := q.site.oidcPlace(ask.URI)
	if err != nil {
		return "", nil, err
	}
	host, err := q.site.host(q, base)
	if err != nil {
		return "", nil, err
	}
	r := httpclient.Request{Operation: "asking for the job's OIDC token", Method: "POST", Path: path, Body: []byte("{}"), Query: url.Values{}}
	if ask.ServiceConnection != "" {
		r.Query.Set("serviceConnectionId", ask.ServiceConnection)
	}
	answer, err := q.raw(ctx, host, &r)
	if err != nil {
		return "", nil, err
	}
	var issued struct {
		Token string `json:"oidcToken"`
	}
	if err := answer.JSON(&issued); err != nil {
		return "", nil, err
	}
	q.Used.Add(issued.Token)
	if err := q.Keep(r, answer, nil); err != nil {
		return "", nil, err
	}
	if claims, err = oidcClaims(issued.Token, q.site.now()); err != nil {
		return "", nil, q.Nonsense(r.Operation, err)
	}
	return issued.Token, claims, nil
}

// now is the time by the client's clock.
func (s devopsSite) now() time.Time {
	if s.Client.Now != nil {
		return s.Client.Now()
	}
	return time.Now()
}

// oidcPlace is where the token is asked for: at the collection's host, or at another one of Azure DevOps Services where the
// collection is one of them. The job's token goes nowhere else.
func (s devopsSite) oidcPlace(uri string) (base, path string, err error) {
	const hint = "it is SYSTEM_OIDCREQUESTURI; was the variable overwritten?"
	u, parseErr := url.Parse(uri)
	home, _ := url.Parse(s.collection) // it was parsed before
	if parseErr != nil || u.User != nil || u.Fragment != "" || u.RawPath != "" || strings.Contains(u.Path, "..") ||
		!strings.HasSuffix(u.Path, "/oidctoken") || !strings.Contains(u.Path, "/_apis/distributedtask/") {
		return "", "", provenance.Misuse(hint, "%q is not where an OIDC token is asked for", foreign.RemoteURL(uri))
	}
	host := strings.ToLower(u.Host)
	same := strings.EqualFold(u.Scheme, home.Scheme) && host == home.Host
	cloud := s.isCloud() && strings.EqualFold(u.Scheme, "https") && isServices(host)
	if !same && !cloud {
		return "", "", provenance.Misuse(hint, "the OIDC token would be asked for at %s, which is not the host of the collection", foreign.Plain(host))
	}
	return strings.ToLower(u.Scheme) + "://" + host, u.Path, nil
}

// isServices tells whether a host is one of Azure DevOps Services: others below the same domains belong to whoever opens a tunnel.
func isServices(host string) bool {
	if service, below := strings.CutSuffix(host, ".dev.azure.com"); below {
		return !strings.Contains(service, ".")
	}
	organisation, isOld := strings.CutSuffix(host, ".visualstudio.com")
	return host == "dev.azure.com" || isOld && !strings.Contains(strings.TrimSuffix(organisation, ".vsrm"), ".")
}

// oidcClaims are the claims of a token that are recorded. One that has expired, or that is for something else, is an error.
func oidcClaims(token string, now time.Time) (map[string]string, error) {
	parts := strings.Split(token, ".")
	if len(token) > maxOIDC || len(parts) != 3 {
		return nil, errors.New("the token is no JSON web token")
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return nil, errors.New("the token's claims are not in base64")
	}
	var all map[string]json.RawMessage
	if err := strictjson.Unmarshal(payload, 8, &all); err != nil {
		return nil, fmt.Errorf("the token's claims: %w", err)
	}
	claims := map[string]string{}
	for _, name := range oidcClaimNames {
		if raw, ok := all[name]; ok {
			if claims[name], err = oidcText(raw); err != nil {
				return nil, fmt.Errorf("the token's claim %s: %w", name, err)
			}
		}
	}
	return claims, checkClaims(claims, now)
}

// oidcText reads a text, a number, or a list of one text.
func oidcText(raw json.RawMessage) (string, error) {
	var list []string
	if json.Unmarshal(raw, &list) == nil && len(list) == 1 {
		return foreign.Plain(list[0]), nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return foreign.Plain(text), nil
	}
	var number int64
	if json.Unmarshal(raw, &number) == nil {
		return strconv.FormatInt(number, 10), nil
	}
	return "", errors.New("it is no text and no whole number")
}

// checkClaims tells whether the token is whole, for Entra, and still good.
func checkClaims(claims map[string]string, now time.Time) error {
	if claims["iss"] == "" || claims["sub"] == "" {
		return errors.New("the token does not say who made it, or for whom")
	}
	if !slices.Contains(oidcAudiences, claims["aud"]) {
		return fmt.Errorf("the token is for %q", claims["aud"])
	}
	expires, err := strconv.ParseInt(claims["exp"], 10, 64)
	if err != nil {
		return errors.New("the token does not say when it expires")
	}
	if at := time.Unix(expires, 0); !now.Before(at) {
		return fmt.Errorf("the token expired at %s, and it is %s now", at.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// agreeClaims compares the claims with what Azure DevOps tells of the build. In a job of a classic release, the run and the
// definition are the release's. The token that Azure DevOps makes for the job itself
// names them; that of a service connection, which Entra makes, does not, and then binds nothing.
func (b *devopsBuild) agreeClaims(s devopsSite) error {
	facts := []struct{ claim, fact, told string }{
		{"prj_id", "project", b.answer.Project.ID}, {"run_id", "run", b.noun.ID}, {"def_id", "definition", b.noun.Definition.ID},
		{"rpo_ver", "commit", b.noun.Commit}, {"rpo_ref", "ref", b.noun.Ref},
	}
	if s.releaseID != "" {
		facts = facts[:1]
		facts = append(facts, struct{ claim, fact, told string }{"run_id", "run", s.releaseID})
	}
	for _, f := range facts {
		if s.OIDC != nil && s.OIDC.ServiceConnection == "" && b.claims[f.claim] == "" && (f.claim == "run_id" || f.claim == "def_id") {
			return provenance.Refuse("pipeline.contradicted", "is it the token of this very job, and did Azure DevOps make it?",
				"the claims of the job's token do not say its %s, so they do not tell that build %s is the job's own", f.fact, s.buildID)
		}
		if said := b.claims[f.claim]; said != "" && !strings.EqualFold(said, f.told) {
			return provenance.Refuse("pipeline.contradicted", "was a variable overwritten by an earlier step? The token is the running job's",
				"the claims of the job's token say that its %s is %q, but build %s has %q", f.fact, said, s.buildID, foreign.Plain(f.told))
		}
	}
	return nil
}
