package image

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// session logs in to one repository: one ping, and one token for reading and, when it comes to that, one for writing.
type session struct {
	repo   name.Repository
	keys   authn.Keychain
	guard  *guard
	limits limits

	mu        sync.Mutex
	challenge *transport.Challenge
	clients   map[string]*http.Client // by scope
	azure     *authError              // why Azure gave no credential, and nothing was sent
}

// client is logged in for transport.PullScope or transport.PushScope.
func (s *session) client(ctx context.Context, scope string) (*http.Client, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.challenge == nil {
		challenge, err := transport.Ping(ctx, s.repo.Registry, s.guard)
		if err != nil {
			return nil, "", err
		}
		s.challenge = challenge
	}
	if s.clients[scope] == nil {
		rt, err := s.login(ctx, scope)
		if err != nil {
			return nil, "", err
		}
		s.clients[scope] = &http.Client{Transport: rt, CheckRedirect: fewRedirects}
	}
	scheme := "https"
	if s.challenge.Insecure {
		scheme = "http"
	}
	return s.clients[scope], scheme, nil
}

// login makes the transport that adds the credential, as the registry's challenge wants it. A registry that asks for none
// gets none.
func (s *session) login(ctx context.Context, scope string) (http.RoundTripper, error) {
	auth, token := authn.Anonymous, &transport.Token{}
	if s.keys != nil && s.challenge.Scheme != "" {
		var err error
		auth, err = authn.Resolve(ctx, s.keys, s.repo)
		if errors.As(err, &s.azure) {
			auth, err = authn.Anonymous, nil // the registry may let anybody read
		}
		if err != nil {
			return nil, err
		}
	}
	if strings.EqualFold(s.challenge.Scheme, "bearer") {
		var err error
		if token, err = s.token(ctx, auth, scope); err != nil {
			return nil, err
		}
	}
	return transport.FromToken(s.repo.Registry, auth, s.guard, s.challenge, token)
}

// token asks the registry's realm for a bearer token, unless the keychain holds one.
func (s *session) token(ctx context.Context, auth authn.Authenticator, scope string) (*transport.Token, error) {
	config, err := authn.Authorization(ctx, auth)
	if err != nil {
		return nil, err
	}
	if config.RegistryToken != "" {
		return &transport.Token{Token: config.RegistryToken}, nil
	}
	token, err := transport.Exchange(ctx, s.repo.Registry, auth, s.guard, []string{s.repo.Scope(scope)}, s.challenge)
	if err == nil && token.AccessToken != "" {
		token.Token = token.AccessToken
	}
	return token, err
}

func fewRedirects(_ *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return forbid("", "the registry redirects without end")
	}
	return nil
}

// call is one request to the repository.
type call struct {
	method string
	path   string // below /v2/REPOSITORY/, or a whole URL
	header map[string]string
	body   func() (io.ReadCloser, error) // nil is none
	size   int64                         // of the body
	write  bool                          // needs the right to push
}

// send sends the request, again and again when that is worth it, until the answer has one of the statuses; the caller
// closes its body.
func (s *session) send(ctx context.Context, c call, statuses ...int) (resp *http.Response, err error) {
	err = s.retry(ctx, func() error {
		resp, err = s.once(ctx, c, statuses)
		return err
	})
	return resp, err
}

// read sends the request and reads the whole answer, of at most limit bytes, again when that is worth it. The answer's body
// is closed.
func (s *session) read(ctx context.Context, c call, limit int64, what string, statuses ...int) (raw []byte, resp *http.Response, err error) {
	err = s.retry(ctx, func() error {
		if resp, err = s.once(ctx, c, statuses); err != nil {
			return err
		}
		defer resp.Body.Close()
		if raw, err = readAll(meteredReader{resp.Body, metadataOf(ctx)}, limit, what); err != nil && !errors.As(err, new(*LimitError)) {
			err = s.failed("reading "+what, err)
		}
		return err
	})
	return raw, resp, err
}

// once sends the request once.
func (s *session) once(ctx context.Context, c call, statuses []int) (*http.Response, error) {
	scope := transport.PullScope
	if c.write {
		scope = transport.PushScope
	}
	w := newWatch(ctx, s.limits.stall)
	resp, err := s.do(w, c, scope)
	w.pause()
	if err != nil {
		w.end(nil)
		return nil, err
	}
	w.progress(piece) // the answer is here: its body has the whole limit
	resp.Body = &watchedBody{resp.Body, w}
	for _, status := range statuses {
		if resp.StatusCode == status {
			return resp, nil
		}
	}
	defer resp.Body.Close()
	return nil, s.answered(c, resp)
}

// do logs in, sends the request, and waits for the head of the answer.
func (s *session) do(w *watch, c call, scope string) (*http.Response, error) {
	client, scheme, err := s.client(w.ctx, scope)
	if err != nil {
		return nil, s.failed("login", w.why(err))
	}
	req, err := s.request(w, scheme, c)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, s.failed(c.method+" "+redact.URL(req.URL.Path), w.why(err))
	}
	return resp, nil
}

func (s *session) request(w *watch, scheme string, c call) (*http.Request, error) {
	target := c.path
	if !strings.Contains(target, "://") {
		target = fmt.Sprintf("%s://%s/v2/%s/%s", scheme, s.repo.RegistryStr(), s.repo.RepositoryStr(), c.path)
	}
	req, err := http.NewRequestWithContext(w.ctx, c.method, target, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range c.header {
		req.Header.Set(k, v)
	}
	if c.body != nil {
		body, err := c.body()
		if err != nil {
			return nil, err
		}
		req.Body, req.ContentLength = &sentBody{ReadCloser: body, watch: w}, c.size
		if c.size == 0 {
			req.Body.Close()
			req.Body = http.NoBody
		}
	}
	return req, nil
}

// passing is a failure that may pass.
type passing struct {
	error
	after time.Duration // what the registry asked for
}

func (p *passing) Unwrap() error { return p.error }

// lasting is err without the mark that it may pass: it was tried often enough.
func lasting(err error) error {
	var again *passing
	if errors.As(err, &again) {
		return again.error
	}
	return err
}

// failed makes the error for a request without an answer, and for a login that failed.
func (s *session) failed(operation string, err error) error {
	var status *transport.Error
	var no forbidden
	var other *mismatch
	if errors.As(err, &no) {
		return no.error
	}
	if errors.As(err, &other) {
		return other
	}
	told := because(fmt.Errorf("%s, %s: %s", s.repo.RegistryStr(), operation, describe(err)), err)
	switch {
	case errors.As(err, &status) && !status.Temporary():
		return provenance.WithHint(told, s.loginHint())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return told
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return provenance.WithHint(told, "is this the right host? a certificate authority of your own must be trusted by this machine")
	}
	return &passing{provenance.WithHint(told, "is the registry's name right, and can this machine reach it?"), 0}
}

// describe is what an error says, without the secrets that other libraries leave in it: URLs with their queries, and answers
// of token endpoints.
func describe(err error) string {
	var status *transport.Error
	var inURL *url.Error
	switch {
	case errors.As(err, &status) && len(status.Errors) > 0:
		return clean(fmt.Sprintf("status %d: %s %s", status.StatusCode, status.Errors[0].Code, status.Errors[0].Message))
	case errors.As(err, &status):
		return fmt.Sprintf("status %d", status.StatusCode)
	case errors.As(err, &inURL):
		return clean(inURL.Err.Error())
	case strings.HasPrefix(err.Error(), "no token in bearer response"):
		return "the token endpoint answers without a token"
	}
	return clean(err.Error())
}

// caused is an error whose text was cleaned, and whose cause can still be asked for.
type caused struct {
	error
	cause error
}

func (c caused) Unwrap() error { return c.cause }

// because keeps of the cause only what holds no foreign text.
func because(err, cause error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, io.ErrUnexpectedEOF} {
		if errors.Is(cause, known) {
			return caused{err, known}
		}
	}
	return err
}

// answered makes the error for an answer with another status.
func (s *session) answered(c call, resp *http.Response) error {
	reading := c.method == http.MethodGet || c.method == http.MethodHead
	if resp.StatusCode == http.StatusNotFound && reading {
		return errMissing
	}
	err := fmt.Errorf("%s answers %s %s with status %d%s", s.repo.RegistryStr(), c.method,
		redact.URL(resp.Request.URL.Path), resp.StatusCode, complaint(resp.Body))
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return provenance.WithHint(err, s.loginHint())
	case http.StatusRequestEntityTooLarge:
		return provenance.WithHint(err, "does the registry, or a proxy in front of it, limit the size of a request? the index of a million files has some 300 MB")
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return &passing{err, time.Duration(seconds) * time.Second}
	}
	return err
}

// loginHint says how to get in.
func (s *session) loginHint() string {
	host := s.repo.RegistryStr()
	if !isACR(host) {
		return fmt.Sprintf("log in with `docker login %s`, as somebody who may read (and, to record, write) %s", host, s.repo.RepositoryStr())
	}
	hint := fmt.Sprintf("log in with `az acr login --name %s`; reading needs the role AcrPull, writing AcrPush", host[:strings.Index(host, ".")])
	if s.azure != nil {
		hint += fmt.Sprintf(" (nobody was logged in: %s)", clean(s.azure.Error()))
	}
	return hint
}

// complaint is what the registry said, if it can be understood.
// Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
func complaint(body io.Reader) string {
	var said struct {
		Errors []struct{ Code, Message string } `json:"errors"`
	}
	data, err := readAll(body, 64<<10, "an error message")
	if err != nil || strictjson.Unmarshal(data, maxDepth, &said) != nil || len(said.Errors) == 0 {
		return ""
	}
	return clean(fmt.Sprintf(": %s %s", said.Errors[0].Code, said.Errors[0].Message))
}

// clean masks secrets in foreign text, and makes one short line of it.
func clean(s string) string {
	s = strings.Join(strings.Fields(redact.Text(strings.ToValidUTF8(s[:min(len(s), 4096)], "\uFFFD"))), " ")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, s)
	if len(s) > 400 {
		s = strings.ToValidUTF8(s[:400], "") + "…"
	}
	return s
}

// retry does f again while it fails in a way that may pass.
func (s *session) retry(ctx context.Context, f func() error) error {
	pause := s.limits.backoff
	for attempt := 1; ; attempt++ {
		err := f()
		var again *passing
		if !errors.As(err, &again) {
			return err
		}
		if attempt >= s.limits.attempts || sleep(ctx, max(jitter(pause), min(again.after, s.limits.patience))) != nil {
			return again.error
		}
		pause *= 2
	}
}

// jitter is between half of d and d and a half, so that writers that met once do not meet again.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }

// sleep waits, or ends with ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
