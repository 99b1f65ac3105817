package source

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
)

// Token gives a credential of a service: what stands behind "Bearer". It is asked before each request.
type Token func(context.Context) (string, error)

// asking asks one service about one thing, many questions at a time if need be, and keeps what it answered: redacted, for one
// document beside the image. Everything that is recorded is read from the redacted answers.
type asking struct {
	service string
	client  *httpclient.Client
	used    *tokens
	// Anonymous leaves people's names and addresses out of what is kept.
	anonymous bool

	lock    sync.Mutex
	kept    []keptAnswer
	size    int // bytes of all that is kept
	removed []string
	told    []string // names and addresses of people that were taken out
	first   time.Time
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

// newAsking is for a service at base. token may be nil: then nobody logs in. missing says what to do when the token is empty.
func newAsking(service, base string, token Token, missing error, client Client) (*asking, error) {
	a := &asking{service: service, used: &tokens{}}
	var authorize httpclient.Authorize
	if token != nil {
		authorize = a.used.bearer(token, missing)
	}
	var err error
	a.client, err = httpclient.New(service, base, authorize, client)
	return a, err
}

// bearer makes the Authorization header's value of a token, and remembers it.
func (t *tokens) bearer(token Token, missing error) httpclient.Authorize {
	return func(ctx context.Context) (string, error) {
		value, err := token(ctx)
		if err != nil {
			return "", err
		}
		if value = strings.TrimSpace(value); value == "" {
			return "", missing
		}
		t.add(value)
		return "Bearer " + value, nil
	}
}

// get asks for one thing, keeps the answer, and reads it into v. The answer as it came is returned, too, for what is not kept:
// a token of the next page.
func (a *asking) get(ctx context.Context, operation, path string, query url.Values, v any) (httpclient.Answer, error) {
	return a.do(ctx, httpclient.Request{Operation: operation, Path: path, Query: query}, v)
}

func (a *asking) do(ctx context.Context, r httpclient.Request, v any) (httpclient.Answer, error) {
	answer, err := a.client.Do(ctx, r)
	if err != nil {
		return answer, err
	}
	var decoded json.RawMessage
	if err := answer.JSON(&decoded); err != nil { // strict: no key twice, bounded depth
		return answer, err
	}
	return answer, a.keep(r, answer, v)
}

// keep redacts an answer, keeps it, and reads it into v.
func (a *asking) keep(r httpclient.Request, answer httpclient.Answer, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(answer.Body))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return a.nonsense(r.Operation, err)
	}
	label := requestLabel(r)
	red := &redactor{known: a.used.all(), anonymous: a.anonymous}
	data, err := canonicalJSON(red.value("$", decoded))
	if err != nil {
		return a.nonsense(r.Operation, err)
	}
	a.tell(red.told)
	if err := a.remember(r.Operation, keptAnswer{label, answer.At.UTC().Truncate(time.Second), answer.RequestID, data}, red.removed); err != nil {
		return err
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return a.nonsense(r.Operation, err)
	}
	return nil
}

// tell notes names and addresses of people that were taken out.
func (a *asking) tell(told []string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.told = append(a.told, told...)
}

// remember keeps a redacted answer, and what was removed from it.
func (a *asking) remember(operation string, answer keptAnswer, removed []string) error {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.size += len(answer.Answer); a.size > maxAnswers {
		return a.nonsense(operation, fmt.Errorf("all answers together have more than %d MiB", maxAnswers>>20))
	}
	a.kept = append(a.kept, answer)
	for _, path := range removed {
		a.removed = append(a.removed, answer.Request+" "+path)
	}
	if a.first.IsZero() || answer.AskedAt.Before(a.first) {
		a.first = answer.AskedAt
	}
	return nil
}

// requestLabel is a request as it is stored: without tokens.
func requestLabel(r httpclient.Request) string {
	query := url.Values{}
	for name, values := range r.Query {
		if !redact.IsSecretName(name) && !strings.HasSuffix(strings.ToLower(name), "token") {
			query[name] = values
		}
	}
	label := plain(r.Path)
	if len(query) > 0 {
		label += "?" + plain(query.Encode())
	}
	if r.Method != "" && r.Method != "GET" {
		label = r.Method + " " + label
	}
	return label
}

// nonsense is the error for an answer that cannot be right.
func (a *asking) nonsense(operation string, err error) error {
	var typed *json.UnmarshalTypeError
	text := a.used.mask(err.Error())
	if errors.As(err, &typed) {
		text = fmt.Sprintf("%s is a %s", plain(typed.Field), typed.Value)
	}
	return fmt.Errorf("%s, %s: the answer makes no sense: %s", a.service, operation, text)
}

// AnswersMediaType is the media type of several stored, redacted answers.
const AnswersMediaType = provenance.AnswersMediaType

// answered is everything that was kept, as one document called name.
func (a *asking) answered(name string) (provenance.Answered, error) {
	a.lock.Lock()
	defer a.lock.Unlock()
	slices.SortStableFunc(a.kept, func(x, y keptAnswer) int {
		return cmp.Or(cmp.Compare(x.Request, y.Request), bytes.Compare(x.Answer, y.Answer))
	})
	slices.Sort(a.removed)
	data, err := canonicalJSON(a.kept)
	if err != nil {
		return provenance.Answered{}, err
	}
	return provenance.Answered{AskedAt: a.first.UTC().Truncate(time.Second), Removed: a.removedPaths(), Answer: storedBytes(name, AnswersMediaType, data),
		Told: slices.Compact(slices.Sorted(slices.Values(a.told)))}, nil
}

// maxRemoved bounds the list of what was removed; what is removed is marked in the stored answer anyway.
const maxRemoved = 200

func (a *asking) removedPaths() []string {
	all := slices.Compact(slices.Clone(a.removed))
	if more := len(all) - maxRemoved; more > 0 {
		return append(all[:maxRemoved], fmt.Sprintf("and %d more", more))
	}
	return all
}

// storedBytes is something in memory that lies beside the image.
func storedBytes(name, mediaType string, data []byte) provenance.Stored {
	return provenance.Stored{Name: name, MediaType: mediaType, Digest: provenance.SumSHA256(data), Size: int64(len(data)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// refusedWith tells whether an error is an answer with one of these statuses, and gives it.
func refusedWith(err error, statuses ...int) (*httpclient.StatusError, bool) {
	var e *httpclient.StatusError
	return e, errors.As(err, &e) && slices.Contains(statuses, e.Status)
}
