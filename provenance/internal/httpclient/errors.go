package httpclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"unicode"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// StatusError is an answer with a status other than 200 to 299. Message and Code are foreign text, redacted and clipped.
type StatusError struct {
	Service   string
	Operation string
	Status    int
	Code      string // the service's own: RESOURCE_DOES_NOT_EXIST; empty if the answer had none
	Message   string
	RequestID string
	Header    http.Header // of the answer: foreign text, as it came
}

// Error is the sentence.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s, %s: status %d", e.Service, e.Operation, e.Status)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	return s
}

// hints by status; 5xx needs none.
var hints = map[int]string{
	401: "the token is wrong or has expired",
	403: "the token's owner may not read this, or the token is for another place",
	404: "is this the right host?",
	429: "the service is busy: try again later",
}

// refusedBy makes the error for an answer with another status.
func (c *Client) refusedBy(operation string, a Answer) error {
	code, message := c.complaint(a)
	e := &StatusError{Service: c.service, Operation: operation, Status: a.Status, Code: code, Message: message, RequestID: a.RequestID, Header: a.Header}
	if wait, asked := c.retryAfter(&http.Response{Header: a.Header}); asked {
		return provenance.WithHint(e, fmt.Sprintf("the service asks to wait %s before the next attempt", wait))
	}
	if (a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden) && c.guard.authorize == nil && c.guard.further == nil {
		return provenance.WithHint(e, cmp.Or(c.options.Login, "the service asks who asks, and no credential was given"))
	}
	return provenance.WithHint(e, hints[a.Status])
}

// complaint finds what the service said: error_code (or code) and message of a JSON answer, code and message of the error in it (as
// Azure Resource Manager writes them), or short plain text.
func (c *Client) complaint(a Answer) (code, message string) {
	var said struct {
		Code    any    `json:"error_code"` // text, but a number in some answers about tokens
		Message string `json:"message"`
	}
	var azure struct {
		Code  string
		Error struct{ Code, Message string }
	}
	if len(a.Body) < 1<<20 && strictjson.Check(a.Body, maxDepth) == nil && json.Unmarshal(a.Body, &said) == nil {
		if said.Code == nil && said.Message == "" && json.Unmarshal(a.Body, &azure) == nil {
			return c.guard.mask(azure.Error.Code), c.guard.mask(azure.Error.Message)
		}
		if said.Code != nil {
			code = c.guard.mask(fmt.Sprint(said.Code))
		} else if json.Unmarshal(a.Body, &azure) == nil {
			code = c.guard.mask(azure.Code)
		}
		return code, c.guard.mask(said.Message)
	}
	if strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") {
		return "", c.guard.mask(string(a.Body[:min(len(a.Body), 1000)]))
	}
	return "", ""
}

// failure is an error without an answer. Its text is redacted; what caused it can be asked for with errors.Is.
type failure struct {
	text  string
	cause error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.cause }

// failed makes the error for an attempt that brought no answer. The URL that net/http puts into its errors is left out: it
// has a query.
func (c *Client) failed(operation string, err error) error {
	err = withoutURL(err)
	var timeout net.Error
	text := c.guard.mask(err.Error())
	var late *lateError
	switch {
	case errors.As(err, &late):
		text = "no whole answer came in time; the last attempt ended with: " + late.last
	case errors.Is(err, context.Canceled):
		text = "it was cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		text = "no whole answer came in time"
	}
	f := &failure{fmt.Sprintf("%s, %s: %s", c.service, operation, text), safeCause(err)}
	var p *permanent
	if errors.As(err, &p) {
		return provenance.WithHint(f, p.hint)
	}
	return provenance.WithHint(f, c.unreachable(err))
}

// unreachable is the hint for an error of somebody whom nobody could reach; empty for any other.
func (c *Client) unreachable(err error) string {
	var late *lateError
	if errors.As(err, &late) && late.cause != nil {
		err = late.cause
	}
	var name *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "is it running, and is " + c.Host() + " its address?"
	case errors.As(err, &name) && name.IsNotFound:
		return "is " + c.Host() + " its address?"
	}
	return ""
}

// withoutURL is an error of net/http without the URL that it repeats.
func withoutURL(err error) error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		return inURL.Err
	}
	return err
}

// trouble is how the last attempt of a request ended, masked. When the time is up while the client waits, nothing else tells it.
type trouble struct {
	last  string
	cause error // nil when an answer came
}

// troubleKey is where a request's context has its trouble.
type troubleKey struct{}

func withTrouble(req *retryablehttp.Request) (*retryablehttp.Request, *trouble) {
	t := &trouble{}
	return req.WithContext(context.WithValue(req.Context(), troubleKey{}, t)), t
}

func noteTrouble(ctx context.Context, text string, cause error) {
	if t, has := ctx.Value(troubleKey{}).(*trouble); has {
		t.last, t.cause = text, cause
	}
}

// after adds the trouble to an error that only says that the time was up.
func (t *trouble) after(err error) error {
	if t.last == "" || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &lateError{*t, err}
}

// lateError is an error of the clock, with what had happened before.
type lateError struct {
	trouble
	error
}

func (l *lateError) Unwrap() error { return l.error }

// safeCause keeps of an error's chain only what holds no foreign text.
func safeCause(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return known
		}
	}
	var misused *provenance.Misused
	if errors.As(err, &misused) {
		return misused
	}
	return nil
}

// maxText is how much of foreign text an error repeats, in bytes.
const maxText = 300

// clean masks secrets, replaces control characters and clips.
func clean(s string) string {
	s = redact.Text(strings.ToValidUTF8(s[:min(len(s), 1<<16)], "\uFFFD"))
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == ' ' }), " ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}
