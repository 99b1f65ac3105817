// Package github asks GitHub how a commit came into its repository.
package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// Source asks how a commit came into a repository on GitHub, which Azure Pipelines builds: who pushed it, and who reviewed it.
// Source: https://docs.github.com/rest (version 2022-11-28)
type Source struct {
	API        string    // https://api.github.com, which an empty one stands for; of an enterprise server https://HOST/api/v3
	Repository string    // owner/name, as in BUILD_REPOSITORY_NAME
	Commit     string    // in hex
	Ref        string    // that was built, as in BUILD_SOURCEBRANCH: its pushes are looked through for the commit's; empty: those of all refs
	Token      ask.Token // nil for public repositories; then GitHub answers 60 questions an hour
	Anonymous  bool      // names and addresses of people are left out of what is stored and recorded
	Client     ask.Client
}

// githubAPI is GitHub's own.
const githubAPI = "https://api.github.com"

var errNoGitHubToken = provenance.Misuse("put a token that may read the repository into GITHUB_TOKEN, or give none for a public one", "there is no token for GitHub")

// Collect returns a provenance.Review. A commit that is not in the repository is a *provenance.Refused, review.missing; a
// configuration that will not do is a *provenance.Misused; every other error means that nobody could tell. Who pushed is
// known only where GitHub lets the token see the repository's activity, and where the commit was the last one of a push: if not,
// a note says so.
func (g Source) Collect(ctx context.Context) (provenance.Evidence, error) {
	q, err := g.question()
	if err != nil {
		return nil, err
	}
	var v githubReview
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { v.commit, err = q.commit(ctx); return err })
	group.Go(func() (err error) { v.push, err = q.push(ctx); return err })
	group.Go(func() (err error) { v.pulls, err = q.pulls(ctx); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	noun, err := v.noun(q)
	if err != nil {
		return nil, err
	}
	if noun.Answered, err = q.Answered("github-commit-" + q.id + ".json"); err != nil {
		return nil, err
	}
	if q.note != "" {
		noun.Notes = []string{q.note}
	}
	return noun, nil
}

// githubQuestion asks about one commit.
type githubQuestion struct {
	*ask.Asking
	Source
	id   string // of the commit
	base string // path of the API on its host
	web  string // where people look at it
	note string // why the pusher is not known; set by push alone
}

func (g Source) question() (*githubQuestion, error) {
	q := &githubQuestion{Source: g}
	if q.API == "" {
		q.API = githubAPI
	}
	u, err := url.Parse(strings.TrimRight(q.API, "/"))
	if err != nil || u.RawPath != "" || strings.Contains(u.Path, "..") {
		return nil, provenance.Misuse("give it as https://HOST/api/v3", "%q is not the address of GitHub's API", foreign.RemoteURL(q.API))
	}
	if !foreign.OwnerAndName().MatchString(g.Repository) || strings.HasSuffix(g.Repository, "/.") || strings.HasSuffix(g.Repository, "/..") {
		return nil, provenance.Misuse("give it as OWNER/NAME", "%q is not a repository on GitHub", foreign.Plain(g.Repository))
	}
	if q.id, err = foreign.FullCommitID(g.Commit); err != nil {
		return nil, err
	}
	q.base, q.web = u.Path, strings.ToLower(u.Scheme+"://"+strings.TrimPrefix(strings.ToLower(u.Host), "api."))
	q.Asking, err = ask.New("GitHub", q.API, g.Token, errNoGitHubToken, g.Client)
	if err == nil {
		q.IDsOnly = g.Anonymous
	}
	return q, err
}

// path is the path of something of the repository.
func (q *githubQuestion) path(rest string) string { return "/repos/" + q.Repository + "/" + rest }

// ask asks one question.
func (q *githubQuestion) ask(ctx context.Context, r httpclient.Request, v any) (httpclient.Answer, error) {
	r.Accept = "application/vnd.github+json"
	answer, err := q.HTTP.Do(ctx, r)
	if err != nil {
		return answer, q.limited(err)
	}
	var decoded any
	if err := answer.JSON(&decoded); err != nil {
		return answer, err
	}
	if err := q.prune(ask.RequestLabel(r), &answer); err != nil {
		return answer, q.Nonsense(r.Operation, err)
	}
	return answer, q.Keep(r, answer, v)
}

// prune takes out of an answer what is of no use and large, or tells of people: what a commit changed, and whose forks a pull
// request is between. It is listed like what redaction takes out.
func (q *githubQuestion) prune(label string, answer *httpclient.Answer) error {
	decoder := json.NewDecoder(bytes.NewReader(answer.Body))
	decoder.UseNumber()
	var whole any
	if err := decoder.Decode(&whole); err != nil {
		return err
	}
	removed := pruned("$", whole)
	q.Lock.Lock()
	for _, path := range removed {
		q.Removed = append(q.Removed, label+" "+path)
	}
	q.Lock.Unlock()
	var err error
	answer.Body, err = foreign.CanonicalJSON(whole)
	return err
}

// pruned tells what it took out.
func pruned(path string, v any) (removed []string) {
	drop := func(path string, from map[string]any, keys ...string) {
		for _, key := range keys {
			if _, there := from[key]; there {
				delete(from, key)
				removed = append(removed, path+"."+key)
			}
		}
	}
	if list, ok := v.([]any); ok {
		for i, item := range list {
			removed = append(removed, pruned(fmt.Sprintf("%s[%d]", path, i), item)...)
		}
	}
	if object, ok := v.(map[string]any); ok {
		drop(path, object, "files")
		for _, side := range []string{"head", "base"} {
			of, _ := object[side].(map[string]any)
			if repository, ok := of["repo"].(map[string]any); ok && side == "base" { // whose name tells where the pull request belongs
				drop(path+".base.repo", repository, slices.DeleteFunc(foreign.SortedKeys(repository), func(key string) bool { return key == "full_name" })...)
				drop(path+".base", of, "label", "user")
				continue
			}
			drop(path+"."+side, of, "repo", "label", "user")
		}
	}
	return removed
}

// limited adds what to do when GitHub has answered enough questions for now.
// Source: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
func (q *githubQuestion) limited(err error) error {
	e, busy := ask.RefusedWith(err, http.StatusForbidden, http.StatusTooManyRequests)
	if !busy || e.Header.Get("X-Ratelimit-Remaining") != "0" {
		return err
	}
	when := "later"
	if reset, err := strconv.ParseInt(e.Header.Get("X-Ratelimit-Reset"), 10, 64); err == nil && reset > 0 && reset < 1<<40 {
		when = "after " + time.Unix(reset, 0).UTC().Format(time.RFC3339)
	}
	hint := "the limit of questions is used up: try again " + when
	if q.Token == nil {
		hint += ", or give a token, with which the limit is higher"
	}
	return provenance.WithHint(err, hint)
}

// githubPages bounds how many pages are followed; each holds up to 100 things.
const githubPages = 50

// githubAll asks for all pages of a list. The link to the next page has to stay within the API.
func githubAll[T any](ctx context.Context, q *githubQuestion, r httpclient.Request, enough func([]T) bool) ([]T, error) {
	var all []T
	seen := map[string]bool{}
	for range githubPages {
		var page []T
		answer, err := q.ask(ctx, r, &page)
		if err != nil {
			return nil, err
		}
		if page == nil {
			return nil, q.Nonsense(r.Operation, errors.New("it is no list"))
		}
		all = append(all, page...)
		link := nextLink(answer.Header.Get("Link"))
		if link == "" || enough != nil && enough(all) {
			return all, nil
		}
		if seen[link] {
			return nil, q.Nonsense(r.Operation, errors.New("its pages go round in a circle"))
		}
		seen[link] = true
		if r.Path, r.Query, err = q.follow(link); err != nil {
			return nil, q.Nonsense(r.Operation, err)
		}
	}
	return nil, q.Nonsense(r.Operation, fmt.Errorf("it has more than %d pages", githubPages))
}

// nextLink is the link to the next page in a Link header.
// Source: https://www.rfc-editor.org/rfc/rfc8288#section-3
func nextLink(header string) string {
	for _, link := range strings.Split(header, ",") {
		target, parameters, _ := strings.Cut(strings.TrimSpace(link), ";")
		isNext := slices.ContainsFunc(strings.Split(parameters, ";"), func(p string) bool {
			p = strings.ReplaceAll(strings.TrimSpace(p), " ", "")
			return p == `rel="next"` || p == "rel=next"
		})
		if isNext && strings.HasPrefix(target, "<") && strings.HasSuffix(target, ">") {
			return target[1 : len(target)-1]
		}
	}
	return ""
}

// follow is the path and query of a link. One that leads elsewhere is not followed.
func (q *githubQuestion) follow(link string) (string, url.Values, error) {
	u, err := url.Parse(link)
	if err != nil || u.User != nil || u.RawPath != "" || strings.Contains(u.Path, "..") {
		return "", nil, errors.New("the link to its next page is no URL")
	}
	path, within := strings.CutPrefix(u.Path, q.base+"/")
	if !within || !strings.EqualFold(u.Scheme+"://"+u.Host, q.HTTP.Host()) {
		return "", nil, fmt.Errorf("the link to its next page leads to %s, which was not configured", foreign.Plain(u.Scheme+"://"+u.Host))
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", nil, errors.New("the link to its next page is no URL")
	}
	return "/" + path, query, nil
}

// githubPage asks for pages that are as large as they may be.
func githubPage() url.Values { return url.Values{"per_page": {"100"}} }
