package azuredevops

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// devopsQuestion asks about one thing: at several hosts, into one document of answers.
type devopsQuestion struct {
	*ask.Asking
	site      devopsSite
	about     string // "build 4711"
	home      *devopsHost
	directory *devopsHost
	releases  *devopsHost
	people    devopsPeople
	notes     []string // guarded by the asking's lock
}

// authorize makes the Authorization header's value. A personal access token is the password of a user without a name.
// Source: https://learn.microsoft.com/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate
func (s devopsSite) authorize(used *foreign.Tokens) httpclient.Authorize {
	bearer := ask.Bearer(used, s.Token, errNoDevOpsToken)
	if !s.PAT {
		return bearer
	}
	return func(ctx context.Context) (string, error) {
		value, err := bearer(ctx)
		if err != nil {
			return "", err
		}
		encoded := base64.StdEncoding.EncodeToString([]byte(":" + strings.TrimPrefix(value, "Bearer ")))
		used.Add(encoded)
		return "Basic " + encoded, nil
	}
}

// version is the version of the API.
const version = "7.1"

// ask asks one question of the project.
func (q *devopsQuestion) ask(ctx context.Context, what, path string, query url.Values, v any) (httpclient.Answer, error) {
	return q.askAt(ctx, q.home, httpclient.Request{Operation: what, Path: q.site.project(path), Query: query}, v)
}

// askAt asks one question at a host, keeps the answer, and reads it into v.
func (q *devopsQuestion) askAt(ctx context.Context, host *devopsHost, r httpclient.Request, v any) (httpclient.Answer, error) {
	answer, err := q.raw(ctx, host, &r)
	if err != nil {
		return answer, err
	}
	return answer, q.Keep(r, answer, v)
}

// raw asks, and checks that JSON came. It completes r, for keep.
func (q *devopsQuestion) raw(ctx context.Context, host *devopsHost, r *httpclient.Request) (httpclient.Answer, error) {
	query := url.Values{"api-version": {version}}
	for name, values := range r.Query {
		query[name] = values
	}
	r.Query = query
	answer, err := host.Do(ctx, *r)
	if err != nil {
		return answer, q.masked(err)
	}
	var decoded json.RawMessage
	err = answer.JSON(&decoded)
	if answer.Status == http.StatusNonAuthoritativeInfo { // that is how a token is turned down: with a page to sign in
		return answer, provenance.WithHint(fmt.Errorf("%s, %s: status 203: a page to sign in came in place of an answer", q.Service, r.Operation),
			"the token is wrong or has expired; is it a personal access token?")
	}
	r.Path = host.label + r.Path
	return answer, err
}

// masked takes the token out of what the service said: a personal access token is sent in another form than it has.
func (q *devopsQuestion) masked(err error) error {
	var e *httpclient.StatusError
	if errors.As(err, &e) {
		e.Code, e.Message = q.Used.Mask(e.Code), q.Used.Mask(e.Message)
	}
	return err
}

// pages bounds how many pages are followed.
const pages = 50

// devopsList is how lists are answered.
type devopsList[T any] struct {
	Count *int `json:"count"`
	Value []T  `json:"value"`
}

// devopsPage asks for one page of a list. next is empty on the last one.
func devopsPage[T any](ctx context.Context, q *devopsQuestion, host *devopsHost, r httpclient.Request) (page []T, next string, err error) {
	var list devopsList[T]
	answer, err := q.askAt(ctx, host, r, &list)
	if err != nil {
		return nil, "", err
	}
	if list.Value == nil || list.Count != nil && *list.Count != len(list.Value) {
		return nil, "", q.Nonsense(r.Operation, fmt.Errorf("the list holds %d things, and says otherwise", len(list.Value)))
	}
	return list.Value, answer.Header.Get("X-Ms-Continuationtoken"), nil
}

// devopsAll asks for all pages of a list. key tells things apart: none may stand there twice.
func devopsAll[T any](ctx context.Context, q *devopsQuestion, r httpclient.Request, key func(T) string) ([]T, error) {
	var all []T
	query, known, seen := r.Query, map[string]bool{}, map[string]bool{}
	for range pages {
		page, next, err := devopsPage[T](ctx, q, q.home, r)
		if err != nil {
			return nil, err
		}
		for _, thing := range page {
			if known[key(thing)] {
				return nil, q.Nonsense(r.Operation, fmt.Errorf("%q stands in it twice", foreign.Plain(key(thing))))
			}
			known[key(thing)] = true
		}
		if all = append(all, page...); next == "" {
			return all, nil
		}
		if seen[next] {
			return nil, q.Nonsense(r.Operation, errors.New("its pages go round in a circle"))
		}
		seen[next] = true
		r.Query = queryWith(query, "continuationToken", next)
	}
	return nil, q.Nonsense(r.Operation, fmt.Errorf("it has more than %d pages", pages))
}

// queryWith is a copy of query with one more value.
func queryWith(query url.Values, name, value string) url.Values {
	out := url.Values{name: {value}}
	for n, values := range query {
		if n != name {
			out[n] = values
		}
	}
	return out
}

// note remembers what could not be learned.
func (q *devopsQuestion) note(format string, args ...any) {
	q.Lock.Lock()
	defer q.Lock.Unlock()
	q.notes = append(q.notes, foreign.Plain(fmt.Sprintf(format, args...)))
}

// answered is the document of all answers, and the notes.
func (q *devopsQuestion) answered(name string) (provenance.Answered, error) {
	a, err := q.Asking.Answered(name)
	slices.Sort(q.notes)
	a.Notes = slices.Compact(q.notes)
	return a, err
}

// missing makes a refusal of a 404 that names the thing: other ones are about the project, or about permissions.
func (q *devopsQuestion) missing(err error, code, id, hint string) error {
	if e, ok := ask.RefusedWith(err, http.StatusNotFound); ok && strings.Contains(e.Message, id) {
		return provenance.Refuse(code, hint, "%s does not exist at %s", q.about, q.site)
	}
	return err
}

// devopsTime is a time as Azure DevOps writes it; the year 1 is none. It is cut to seconds.
type devopsTime struct{ time.Time }

func (t *devopsTime) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	if s == "" || strings.HasPrefix(s, "0001-01-01T00:00:00") {
		return nil
	}
	parsed, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("%q is no time", foreign.Plain(s))
	}
	t.Time = parsed.UTC().Truncate(time.Second)
	return nil
}
