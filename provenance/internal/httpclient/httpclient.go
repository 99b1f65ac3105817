// Package httpclient asks a service over HTTP, politely and in bounds: it repeats what is worth repeating, obeys
// Retry-After, limits time and size, keeps credentials on the one host they are for, and never repeats a secret in an
// error or a debug line.
package httpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// Options are what the caller may set. The zero value of each field stands for the default that is named beside it.
type Options struct {
	Transport      http.RoundTripper // a plain transport, without proxy
	UserAgent      string            // "provenance"
	Attempts       int               // requests for one answer: 6
	Wait           time.Duration     // before the second attempt, doubled for each further one: 500 ms
	Patience       time.Duration     // longest single wait, also when Retry-After asks for more: 60 s
	AttemptTimeout time.Duration     // for one attempt, to the last byte of its answer: 60 s
	MaxBody        int64             // longest answer in bytes: 32 MiB
	Debug          func(string)      // gets one redacted line for each request; nil: nobody
	// Credentials gives further headers that say who asks. They are sent, kept to the base host and masked like the one of
	// Authorize, and asked for before each attempt, too; nil: there are none.
	Credentials func(context.Context) (http.Header, error)
	Login       string           // what to do when the service asks who asks, and nobody said: a hint
	Now         func() time.Time // the clock for Answer.At and for Retry-After's dates: time.Now
}

// Authorize gives the value of the Authorization header. It is asked before each attempt, because tokens expire.
type Authorize func(context.Context) (string, error)

// Client asks one service. It is made by New.
type Client struct {
	service string
	base    *url.URL
	options Options
	http    *retryablehttp.Client
	guard   *guard
}

// Answer is a successful answer of the service, read whole.
type Answer struct {
	Status    int
	Header    http.Header
	Body      []byte
	At        time.Time // when the last byte had arrived
	RequestID string    // the service's name for the request, if it gave one
	what      string    // service and operation, for errors
}

// maxRedirects is how many redirects within the host are followed.
const maxRedirects = 3

// New makes a client of the service at base, which is an https URL; http is allowed on loopback addresses only. authorize
// may be nil. A base that will not do is a *provenance.Misused.
func New(service, base string, authorize Authorize, o Options) (*Client, error) {
	u, err := parseBase(service, base)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	c := &Client{service: service, base: u, options: o}
	c.guard = &guard{base: u, authorize: authorize, further: o.Credentials, next: o.Transport, debug: o.Debug, userAgent: o.UserAgent}
	c.http = c.retrying(&http.Client{Transport: c.guard, CheckRedirect: c.guard.checkRedirect, Timeout: o.AttemptTimeout})
	return c, nil
}

// retrying repeats what is worth repeating.
func (c *Client) retrying(once *http.Client) *retryablehttp.Client {
	return &retryablehttp.Client{HTTPClient: once, RetryMax: c.options.Attempts - 1, CheckRetry: c.worthRepeating, Backoff: c.pause,
		ErrorHandler: retryablehttp.PassthroughErrorHandler}
}

func (o Options) withDefaults() Options {
	if o.Transport == nil {
		plain := http.DefaultTransport.(*http.Transport).Clone()
		plain.Proxy = nil // it would come from the environment
		o.Transport = plain
	}
	if o.UserAgent == "" {
		o.UserAgent = "provenance"
	}
	if o.Debug == nil {
		o.Debug = func(string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Attempts = orDefault(o.Attempts, 6)
	o.Wait = orDefault(o.Wait, 500*time.Millisecond)
	o.Patience = orDefault(o.Patience, time.Minute)
	o.AttemptTimeout = orDefault(o.AttemptTimeout, time.Minute)
	o.MaxBody = orDefault(o.MaxBody, 32<<20)
	return o
}

func orDefault[T int | int64 | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// parseBase reads the URL under which the service is.
func parseBase(service, base string) (*url.URL, error) {
	const hint = "give it as https://HOST, without user, query or fragment"
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, provenance.Misuse(hint, "%q is not the address of a %s service", clean(redact.URL(base)), service)
	}
	if part := Unwanted(u); part != "" {
		return nil, provenance.Misuse("leave it out: https://HOST", "the address of %s, %q, has %s, which is not shown here", service, clean(redact.URL(base)), part)
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if u.Scheme == "https" || u.Scheme == "http" && IsLoopback(u.Hostname()) {
		u.Path = strings.TrimRight(u.Path, "/")
		return u, nil
	}
	return nil, provenance.Misuse(hint, "%s is not asked over %s: the credentials could be read on the way", service, clean(u.Scheme))
}

// Unwanted names the part of a URL that the address of a service cannot have, and that may hold a secret; empty if there is none.
func Unwanted(u *url.URL) string {
	switch {
	case u.User != nil:
		return "a user"
	case u.RawQuery != "" || u.ForceQuery:
		return "a query"
	case u.Fragment != "":
		return "a fragment"
	}
	return ""
}

// IsLoopback tells whether host is this machine: the only one that is spoken to without TLS.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Host is the scheme and host that are asked, as in https://adb-1.2.azuredatabricks.net.
func (c *Client) Host() string { return c.base.Scheme + "://" + c.base.Host }

// Request is one question.
type Request struct {
	Operation   string     // says in an error what was attempted: "reading run 7"
	Method      string     // GET when empty
	Path        string     // relative to the base, decoded
	Query       url.Values // nil: none
	Body        []byte     // nil: none
	ContentType string     // of the body; application/json when empty
	Accept      string     // application/json when empty
}

// Get asks for path, which is relative to the base, and returns a whole answer with a status of 200 to 299. operation says
// in an error what was attempted: "reading run 7". Any other status is a *StatusError; no error is a *provenance.Refused.
func (c *Client) Get(ctx context.Context, operation, path string, query url.Values) (Answer, error) {
	return c.Do(ctx, Request{Operation: operation, Path: path, Query: query})
}

// Do is Get for any request. It is repeated like a Get: it must not change anything.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	req, err := c.request(ctx, r)
	if err != nil {
		return Answer{}, c.failed(r.Operation, err)
	}
	req, last := withTrouble(req)
	answer := Answer{what: c.service + ", " + r.Operation}
	req.SetResponseHandler(func(resp *http.Response) error { return c.read(resp, &answer) })
	resp, err := c.http.Do(req)
	if err == nil && answer.Status == 0 { // the last attempt was worth repeating, too: nobody has read it yet
		err = c.read(resp, &answer)
	}
	if err != nil {
		return Answer{}, c.failed(r.Operation, last.after(err))
	}
	if answer.Status < 200 || answer.Status > 299 {
		return Answer{}, c.refusedBy(r.Operation, answer)
	}
	return answer, nil
}

// request makes the HTTP request.
func (c *Client) request(ctx context.Context, r Request) (*retryablehttp.Request, error) {
	u := *c.base
	u.Path += r.Path
	u.RawQuery = r.Query.Encode()
	var body any
	if r.Body != nil {
		body = r.Body
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodGet), u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", cmp.Or(r.Accept, "application/json"))
	if r.Body != nil {
		req.Header.Set("Content-Type", cmp.Or(r.ContentType, "application/json"))
	}
	return req, nil
}

// read takes the answer in, to its last byte or the limit.
func (c *Client) read(resp *http.Response, answer *Answer) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.options.MaxBody+1))
	if err != nil {
		return err
	}
	if int64(len(body)) > c.options.MaxBody {
		return &permanent{fmt.Errorf("the answer is longer than %d bytes", c.options.MaxBody), ""}
	}
	answer.Status, answer.Header, answer.Body, answer.At = resp.StatusCode, resp.Header, body, c.options.Now()
	answer.RequestID = clean(requestID(resp.Header))
	return nil
}

// requestID is the service's name for the request: most call it X-Request-Id, Azure DevOps and GitHub do not.
func requestID(h http.Header) string {
	return cmp.Or(h.Get("X-Request-Id"), h.Get("X-Vss-E2eid"), h.Get("X-Github-Request-Id"), h.Get("X-Ms-Request-Id"))
}

// maxDepth bounds the nesting of JSON answers.
const maxDepth = 64

// JSON decodes the answer into v, strictly: see package strictjson. A web page in its place is named as such.
func (a Answer) JSON(v any) error {
	err := strictjson.Unmarshal(a.Body, maxDepth, v)
	if err == nil {
		return nil
	}
	if strings.HasPrefix(strings.TrimSpace(string(a.Body[:min(len(a.Body), 200)])), "<") {
		return provenance.WithHint(fmt.Errorf("%s: a web page came where JSON was expected", a.what),
			"is this the service's own address, and not a login page or a proxy?")
	}
	return fmt.Errorf("%s: the answer makes no sense: %s", a.what, clean(err.Error()))
}

// permanent is a failure that another attempt would not mend.
type permanent struct {
	error
	hint string
}

func (p *permanent) Unwrap() error { return p.error }

// worthRepeating decides after each attempt. Waits that nobody would wait for are not begun.
func (c *Client) worthRepeating(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		var p *permanent
		if errors.As(err, &p) {
			return false, err
		}
		noteTrouble(ctx, c.guard.mask(withoutURL(err).Error()), err)
		return retryablehttp.ErrorPropagatedRetryPolicy(ctx, nil, err)
	}
	if !temporary(resp.StatusCode) {
		return false, nil
	}
	noteTrouble(ctx, "status "+strconv.Itoa(resp.StatusCode), nil) // the words behind it are the server's
	wait, asked := c.retryAfter(resp)
	deadline, bounded := ctx.Deadline()
	return !asked || wait <= c.options.Patience && (!bounded || time.Until(deadline) > wait), nil
}

// temporary tells whether a status may be gone at the next attempt.
func temporary(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests ||
		status >= 500 && status != http.StatusNotImplemented
}
