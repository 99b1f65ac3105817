// Package githubdouble is a stand-in for GitHub's REST API, made from the documented wire format. It knows one repository, with
// one commit and the pull requests that brought it; it checks the token, answers in pages, and misbehaves on demand.
//
// Source: https://docs.github.com/rest (version 2022-11-28)
package githubdouble

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	faults "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
)

// Token is the one that is accepted.
const Token = "ghp_0123456789abcdefghijABCDEFGHIJ012345"

// Base is the path of the API, as an enterprise server has it.
const Base = "/api/v3"

// Repository is the one that is known.
const Repository = "contoso/mortgage"

// Commit is the commit that is known.
var Commit = strings.Repeat("5", 40)

// The numbers of the accounts of the example. Ada's does not fit into a float64.
const (
	Ada   int64 = 9007199254740993
	Grace       = 1002
	Linus       = 1003
)

// API is a running double. It is stopped by its test. Change its fields before asking.
type API struct {
	URL string // of the API, with its path

	Public   bool             // nobody has to log in
	Commit   map[string]any   // as commits/{sha} answers
	Activity []map[string]any // the newest first
	Pulls    []map[string]any
	Reviews  map[string][]map[string]any // by the number of the pull request
	PageSize int                         // 0: what the request asks for
	Latency  time.Duration

	mu       sync.Mutex
	faults   []placed
	requests []string
}

// placed is a fault for one request whose path and query, with a space behind them, contain a text.
type placed struct {
	part  string
	fault faults.Fault
}

// New starts an API with an example.
func New(t testing.TB) *API {
	a := &API{}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.URL = server.URL + Base
	a.fill()
	return a
}

// Fail lets the next requests whose path and query contain part meet these faults, one each.
func (a *API) Fail(part string, all ...faults.Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range all {
		a.faults = append(a.faults, placed{part, f})
	}
}

// Requests are the paths and queries that were asked for, sorted.
func (a *API) Requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(slices.Values(a.requests))
}

// next is the fault that a request meets, if any.
func (a *API) next(req *http.Request) faults.Fault {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, req.URL.RequestURI())
	for i, p := range a.faults {
		if strings.Contains(req.URL.RequestURI()+" ", p.part) {
			a.faults = slices.Delete(a.faults, i, i+1)
			return p.fault
		}
	}
	return nil
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(out http.ResponseWriter, req *http.Request) {
	time.Sleep(a.Latency)
	out.Header().Set("X-Github-Request-Id", "C0DE:1234")
	fault, credential := a.next(req), req.Header.Get("Authorization")
	switch {
	case fault != nil:
		fault(out, req)
	case credential != "" && credential != "Bearer "+Token:
		refuse(out, http.StatusUnauthorized, "Bad credentials")
	case credential == "" && !a.Public:
		refuse(out, http.StatusNotFound, "Not Found")
	default:
		a.route(out, req)
	}
}

// route finds the answer. Later pages have the repository's number in their paths, as GitHub writes its links.
func (a *API) route(out http.ResponseWriter, req *http.Request) {
	path, inRepository := strings.CutPrefix(req.URL.Path, Base+"/repos/"+Repository+"/")
	if !inRepository {
		path, inRepository = strings.CutPrefix(req.URL.Path, Base+"/repositories/4711/")
	}
	number, isReviews := strings.CutSuffix(strings.TrimPrefix(path, "pulls/"), "/reviews")
	sha := fmt.Sprint(a.Commit["sha"])
	switch {
	case !inRepository:
		refuse(out, http.StatusNotFound, "Not Found")
	case path == "commits/"+sha:
		answer(out, a.Commit)
	case path == "commits/"+sha+"/pulls":
		a.page(out, req, path, a.listed())
	case strings.HasPrefix(path, "commits/"):
		refuse(out, http.StatusUnprocessableEntity, "No commit found for SHA: "+strings.TrimPrefix(path, "commits/"))
	case path == "activity":
		a.page(out, req, path, a.activity(req.URL.Query().Get("ref")))
	case isReviews:
		a.page(out, req, path, a.Reviews[number])
	case a.pull(number) != nil:
		answer(out, a.pull(number))
	default:
		refuse(out, http.StatusNotFound, "Not Found")
	}
}

// activity is that of one ref, or of all.
func (a *API) activity(ref string) []map[string]any {
	return slices.DeleteFunc(slices.Clone(a.Activity), func(e map[string]any) bool { return ref != "" && e["ref"] != ref })
}

func (a *API) pull(number string) map[string]any {
	for _, p := range a.Pulls {
		if fmt.Sprint(p["number"]) == number {
			return p
		}
	}
	return nil
}

// listed are the pull requests as a list has them: it does not say who merged, or whether anybody did.
func (a *API) listed() (all []map[string]any) {
	for _, p := range a.Pulls {
		short := maps.Clone(p)
		delete(short, "merged")
		delete(short, "merged_by")
		all = append(all, short)
	}
	return all
}

// page sends one page of a list, and a link to the next.
func (a *API) page(out http.ResponseWriter, req *http.Request, path string, all []map[string]any) {
	query := req.URL.Query()
	size, number := a.PageSize, 1
	if size == 0 {
		size, _ = strconv.Atoi(query.Get("per_page"))
	}
	size = max(size, 1)
	if n, err := strconv.Atoi(query.Get("page")); err == nil {
		number = n
	}
	from := min((number-1)*size, len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		query.Set("page", strconv.Itoa(number+1))
		next := "http://" + req.Host + Base + "/repositories/4711/" + path + "?" + query.Encode()
		out.Header().Set("Link", `<http://`+req.Host+Base+`/x>; rel="first", <`+next+`>; rel="next"`)
	}
	answer(out, append([]map[string]any{}, all[from:to]...))
}

func answer(out http.ResponseWriter, v any) {
	out.Header().Set("Content-Type", "application/json; charset=utf-8")
	json.NewEncoder(out).Encode(v) // a client that has gone away is no concern of a double
}

// refuse is an error as GitHub words it.
func refuse(out http.ResponseWriter, status int, message string) {
	out.Header().Set("Content-Type", "application/json; charset=utf-8")
	out.WriteHeader(status)
	json.NewEncoder(out).Encode(map[string]any{"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)}) // nobody is there to hear of an error
}

// Exhausted is the answer to one question too many.
// Source: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
func Exhausted(status int) faults.Fault {
	return func(out http.ResponseWriter, req *http.Request) {
		out.Header().Set("X-Ratelimit-Remaining", "0")
		out.Header().Set("X-Ratelimit-Reset", "1795404600")
		faults.Answer(status, `{"message":"API rate limit exceeded for 192.0.2.1."}`)(out, req)
	}
}
