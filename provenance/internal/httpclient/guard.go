package httpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// guard is the transport under the client. It adds the credential to requests for the base host, and to no others, lets
// nothing else through, and writes the debug lines.
type guard struct {
	base      *url.URL
	authorize Authorize
	further   func(context.Context) (http.Header, error) // credentials in headers of their own; nil: none
	next      http.RoundTripper
	debug     func(string)
	userAgent string

	mu   sync.Mutex
	used []string // the credentials sent so far: no error or debug line may repeat one
}

// RoundTrip is one request and its answer's head.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if !g.atHome(req.URL) {
		return nil, g.elsewhere(req.URL)
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", g.userAgent)
	if err := g.addCredential(req); err != nil {
		return nil, &permanent{fmt.Errorf("no credential could be had: %w", err), ""}
	}
	resp, err := g.next.RoundTrip(req)
	if ended := req.Context().Err(); err != nil && ended != nil { // the transport would tell why others were cancelled
		err = ended
	}
	line := req.Method + " " + redact.URL(req.URL.String()) + ": "
	if err != nil {
		g.debug(line + g.mask(err.Error()))
		return nil, err
	}
	g.debug(line + strconv.Itoa(resp.StatusCode)) // the words behind it are the server's, and may hold what it was sent
	return resp, nil
}

// addCredential asks for the credentials and remembers them, to be masked.
func (g *guard) addCredential(req *http.Request) error {
	if g.authorize != nil {
		value, err := g.authorize(req.Context())
		if err != nil {
			return err
		}
		if err := g.set(req, "Authorization", value); err != nil {
			return err
		}
	}
	if g.further == nil {
		return nil
	}
	headers, err := g.further(req.Context())
	if err != nil {
		return err
	}
	for name, values := range headers {
		for _, value := range values {
			if err := g.set(req, name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// set puts one credential into a header.
func (g *guard) set(req *http.Request, name, value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("it holds a character that no header can carry: a line break, perhaps")
	}
	g.remember(value)
	req.Header.Set(name, value)
	return nil
}

// remember keeps the last part of a header: what stands behind "Bearer".
func (g *guard) remember(value string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	secret := value[strings.LastIndex(value, " ")+1:]
	if !slices.Contains(g.used, secret) {
		g.used = append(g.used, secret)
	}
}

// mask makes foreign text fit for an error or a debug line: no secret, no control character, no end in sight.
func (g *guard) mask(s string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, secret := range g.used {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, redact.Removed)
		}
	}
	return clean(s)
}

// atHome tells whether u is on the host that the credential is for.
func (g *guard) atHome(u *url.URL) bool {
	return u.Scheme == g.base.Scheme && strings.EqualFold(u.Host, g.base.Host)
}

// checkRedirect follows a few redirects within the host.
func (g *guard) checkRedirect(req *http.Request, via []*http.Request) error {
	if !g.atHome(req.URL) {
		return g.elsewhere(req.URL)
	}
	if len(via) > maxRedirects {
		return &permanent{fmt.Errorf("more than %d redirects", maxRedirects), ""}
	}
	return nil
}

func (g *guard) elsewhere(u *url.URL) error {
	return &permanent{fmt.Errorf("it redirects to %s, which is not the host that was configured", clean(u.Scheme+"://"+u.Host)),
		"if the service has moved, configure its new address"}
}
