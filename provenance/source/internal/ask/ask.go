// Package ask asks services over HTTP, many questions at a time, and keeps what they answered, redacted.
package ask

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// Token gives a credential of a service: what stands behind "Bearer". It is asked before each request.
type Token func(context.Context) (string, error)

// Asking asks one service about one thing, many questions at a time if need be, and keeps what it answered: redacted, for one
// document beside the image. Everything that is recorded is read from the redacted answers.
type Asking struct {
	Service string
	HTTP    *httpclient.Client
	Used    *foreign.Tokens
	// Anonymous leaves people's names and addresses out of what is kept.
	IDsOnly bool

	Lock    sync.Mutex
	Kept    []keptAnswer
	size    int // bytes of all that is kept
	Removed []string
	Told    []string // names and addresses of people that were taken out
	First   time.Time
}

// maxAnswers bounds the bytes that are kept of one service, whatever number of pages it answers with.
const maxAnswers = 256 << 20

// keptAnswer is one answer as it is stored.
type keptAnswer struct {
	Request   string          `json:"request"` // path and query
	AskedAt   time.Time       `json:"askedAt"`
	RequestID string          `json:"requestId,omitempty"`
	Answer    json.RawMessage `json:"answer"`
}

// New is for a service at base. token may be nil: then nobody logs in. missing says what to do when the token is empty.
func New(service, base string, token Token, missing error, client Client) (*Asking, error) {
	a := &Asking{Service: service, Used: &foreign.Tokens{}}
	var authorize httpclient.Authorize
	if token != nil {
		authorize = Bearer(a.Used, token, missing)
	}
	var err error
	a.HTTP, err = httpclient.New(service, base, authorize, client)
	return a, err
}

// Bearer makes the Authorization header's value of a token, and remembers it.
func Bearer(t *foreign.Tokens, token Token, missing error) httpclient.Authorize {
	return func(ctx context.Context) (string, error) {
		value, err := token(ctx)
		if err != nil {
			return "", err
		}
		if value = strings.TrimSpace(value); value == "" {
			return "", missing
		}
		t.Add(value)
		return "Bearer " + value, nil
	}
}

// Get asks for one thing, keeps the answer, and reads it into v. The answer as it came is returned, too, for what is not kept:
// a token of the next page.
func (a *Asking) Get(ctx context.Context, operation, path string, query url.Values, v any) (httpclient.Answer, error) {
	return a.do(ctx, httpclient.Request{Operation: operation, Path: path, Query: query}, v)
}

func (a *Asking) do(ctx context.Context, r httpclient.Request, v any) (httpclient.Answer, error) {
	answer, err := a.HTTP.Do(ctx, r)
	if err != nil {
		return answer, err
	}
	var decoded json.RawMessage
	if err := answer.JSON(&decoded); err != nil { // strict: no key twice, bounded depth
		return answer, err
	}
	return answer, a.Keep(r, answer, v)
}

// Keep redacts an answer, keeps it, and reads it into v.
func (a *Asking) Keep(r httpclient.Request, answer httpclient.Answer, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(answer.Body))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return a.Nonsense(r.Operation, err)
	}
	label := RequestLabel(r)
	red := &foreign.Redactor{Known: a.Used.All(), IDsOnly: a.IDsOnly}
	data, err := foreign.CanonicalJSON(red.Value("$", decoded))
	if err != nil {
		return a.Nonsense(r.Operation, err)
	}
	a.Tell(red.Told)
	if err := a.remember(r.Operation, keptAnswer{label, answer.At.UTC().Truncate(time.Second), answer.RequestID, data}, red.Removed); err != nil {
		return err
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return a.Nonsense(r.Operation, err)
	}
	return nil
}

// Tell notes names and addresses of people that were taken out.
func (a *Asking) Tell(told []string) {
	a.Lock.Lock()
	defer a.Lock.Unlock()
	a.Told = append(a.Told, told...)
}

// remember keeps a redacted answer, and what was removed from it.
func (a *Asking) remember(operation string, answer keptAnswer, removed []string) error {
	a.Lock.Lock()
	defer a.Lock.Unlock()
	if a.size += len(answer.Answer); a.size > maxAnswers {
		return a.Nonsense(operation, fmt.Errorf("all answers together have more than %d MiB", maxAnswers>>20))
	}
	a.Kept = append(a.Kept, answer)
	for _, path := range removed {
		a.Removed = append(a.Removed, answer.Request+" "+path)
	}
	if a.First.IsZero() || answer.AskedAt.Before(a.First) {
		a.First = answer.AskedAt
	}
	return nil
}

// RequestLabel is a request as it is stored: without tokens.
func RequestLabel(r httpclient.Request) string {
	query := url.Values{}
	for name, values := range r.Query {
		if !redact.IsSecretName(name) && !strings.HasSuffix(strings.ToLower(name), "token") {
			query[name] = values
		}
	}
	label := foreign.Plain(r.Path)
	if len(query) > 0 {
		label += "?" + foreign.Plain(query.Encode())
	}
	if r.Method != "" && r.Method != "GET" {
		label = r.Method + " " + label
	}
	return label
}

// Nonsense is the error for an answer that cannot be right.
func (a *Asking) Nonsense(operation string, err error) error {
	var typed *json.UnmarshalTypeError
	text := a.Used.Mask(err.Error())
	if errors.As(err, &typed) {
		text = fmt.Sprintf("%s is a %s", foreign.Plain(typed.Field), typed.Value)
	}
	return fmt.Errorf("%s, %s: the answer makes no sense: %s", a.Service, operation, text)
}

// AnswersMediaType is the media type of several stored, redacted answers.
const AnswersMediaType = provenance.AnswersMediaType

// Answered is everything that was kept, as one document called name.
func (a *Asking) Answered(name string) (provenance.Answered, error) {
	a.Lock.Lock()
	defer a.Lock.Unlock()
	slices.SortStableFunc(a.Kept, func(x, y keptAnswer) int {
		return cmp.Or(cmp.Compare(x.Request, y.Request), bytes.Compare(x.Answer, y.Answer))
	})
	slices.Sort(a.Removed)
	data, err := foreign.CanonicalJSON(a.Kept)
	if err != nil {
		return provenance.Answered{}, err
	}
	return provenance.Answered{AskedAt: a.First.UTC().Truncate(time.Second), Removed: a.removedPaths(), Answer: StoredBytes(name, AnswersMediaType, data),
		Told: slices.Compact(slices.Sorted(slices.Values(a.Told)))}, nil
}

// MaxRemoved bounds the list of what was removed; what is removed is marked in the stored answer anyway.
const MaxRemoved = 200

func (a *Asking) removedPaths() []string {
	all := slices.Compact(slices.Clone(a.Removed))
	if more := len(all) - MaxRemoved; more > 0 {
		return append(all[:MaxRemoved], fmt.Sprintf("and %d more", more))
	}
	return all
}

// StoredBytes is something in memory that lies beside the image.
func StoredBytes(name, mediaType string, data []byte) provenance.Stored {
	return provenance.Stored{Name: name, MediaType: mediaType, Digest: provenance.SumSHA256(data), Size: int64(len(data)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// RefusedWith tells whether an error is an answer with one of these statuses, and gives it.
func RefusedWith(err error, statuses ...int) (*httpclient.StatusError, bool) {
	var e *httpclient.StatusError
	return e, errors.As(err, &e) && slices.Contains(statuses, e.Status)
}

// AnswerMediaType is the media type of a service's stored, redacted answer: one JSON document with sorted keys and without
// white space, in which "[removed]" stands for what was a secret.
const AnswerMediaType = "application/vnd.provenance.answer.v1+json"

// Client says how services are asked over HTTP; its zero value is fit for use.
type Client = httpclient.Options
