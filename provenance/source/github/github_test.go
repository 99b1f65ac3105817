package github

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"

	faults "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"

	double "github.com/seed-3480f271/provenance/provenance/internal/githubdouble"
)

// githubOf is the source under test.
func githubOf(a *double.API) Source {
	return Source{API: a.URL, Repository: double.Repository, Commit: double.Commit, Ref: "refs/heads/main", Token: sourcetest.FixedToken(double.Token), Client: sourcetest.QuickClient()}
}

func githubPerson(id int64, login string) provenance.Person {
	return provenance.Person{ID: fmt.Sprint("github:", id), Name: login}
}

func TestGitHubReview(t *testing.T) {
	for _, size := range []int{0, 1, 2} {
		a := double.New(t)
		a.PageSize = size
		_, got, _, stored := sourcetest.Gather(t, githubOf(a))
		web := strings.TrimSuffix(a.URL, double.Base)
		grace, old := githubPerson(double.Grace, "ghopper"), strings.Repeat("8", 40)
		sourcetest.SameNoun(t, got, &provenance.Review{
			Grounds:  provenance.Grounds{Basis: provenance.Reported, BasisOf: map[string]provenance.Basis{"author": provenance.Declared, "committer": provenance.Declared}},
			Answered: got.Answered, Host: web, Repository: double.Repository, Commit: double.Commit,
			Author: githubPerson(double.Ada, "ada-l"), Committer: githubPerson(19864447, "web-flow"), Pusher: grace, Pushed: sourcetest.ClockAt(1, 30), Verified: "valid",
			PullRequests: []provenance.PullRequest{{ID: "88", URL: web + "/contoso/mortgage/pull/88", Title: "Weight recent applications", State: "merged", Source: "recent", Target: "main",
				Author: githubPerson(double.Ada, "ada-l"), MergedBy: grace, Merged: sourcetest.ClockAt(1, 30), Commit: double.Commit,
				Reviewers: []provenance.Reviewer{
					{Person: grace, Vote: "approved", Of: double.Commit},
					{Person: githubPerson(double.Ada, "ada-l"), Vote: "commented", Of: old},
					{Person: githubPerson(1004, "mallory"), Vote: "dismissed", Of: old},
					{Vote: "approved", Of: old},
					{Person: githubPerson(double.Linus, "linus"), Vote: "no vote"},
					{Person: provenance.Person{ID: "github-team:5", Name: "Risk"}, Vote: "no vote", Group: true},
				}}},
		})
		if got.Answer.Name != "github-commit-"+double.Commit+".json" || len(got.Notes) > 0 || strings.Contains(stored[got.Answer.Name], "planted-patch") ||
			!slices.ContainsFunc(got.Removed, func(s string) bool { return strings.HasSuffix(s, " $.files") }) {
			t.Errorf("answered %+v", got.Answered)
		}
	}
}

// TestGitHubPusher: the newest push of the commit counts; where nobody may know, a note says so.
func TestGitHubPusher(t *testing.T) {
	linus := githubPerson(double.Linus, "linus")
	const none = "the pusher is not known: the commit is the last one of no push that GitHub tells of"
	for name, c := range map[string]struct {
		change func(*double.API, *Source)
		pusher provenance.Person
		note   string
	}{
		"of any ref":        {func(a *double.API, g *Source) { g.Ref = "" }, linus, ""},
		"of a pull request": {func(a *double.API, g *Source) { g.Ref = "refs/pull/88/merge" }, linus, ""},
		"among others":      {func(a *double.API, g *Source) { g.Ref = "refs/heads/other" }, provenance.Person{}, none},
		"a deleted branch": {func(a *double.API, g *Source) {
			a.Activity = a.Activity[2:3]
			a.Activity[0]["activity_type"] = "branch_deletion"
		}, provenance.Person{}, none},
		"not shown": {func(a *double.API, g *Source) {
			a.Fail("/activity", faults.Answer(403, `{"message":"Resource not accessible by integration"}`))
		}, provenance.Person{}, "the pusher is not known: GitHub does not show the activity, status 403"},
		"an old server":           {func(a *double.API, g *Source) { a.Fail("/activity", faults.Answer(404, `{"message":"Not Found"}`)) }, provenance.Person{}, "the pusher is not known: GitHub does not show the activity, status 404"},
		"an account that is gone": {func(a *double.API, g *Source) { a.Activity = a.Activity[2:3]; a.Activity[0]["actor"] = nil }, provenance.Person{}, ""},
		"long ago": {func(a *double.API, g *Source) {
			a.PageSize = 1
			for range pushPages + 1 {
				a.Activity = slices.Insert(a.Activity, 0, a.Activity[0])
			}
		}, provenance.Person{}, none},
	} {
		a := double.New(t)
		g := githubOf(a)
		c.change(a, &g)
		_, v, _, _ := sourcetest.Gather(t, g)
		if v.Pusher != c.pusher || strings.Join(v.Notes, "") != c.note {
			t.Errorf("%s: pusher %+v, notes %q", name, v.Pusher, v.Notes)
		}
	}
}

// TestGitHubPublic: nobody has to log in for a public repository.
func TestGitHubPublic(t *testing.T) {
	a := double.New(t)
	a.Public = true
	g := githubOf(a)
	g.Token = nil
	if _, v, _, _ := sourcetest.Gather(t, g); v.Verified != "valid" {
		t.Errorf("%+v", v)
	}
	a.Public = false
	if _, err := g.Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "status 404") || !strings.Contains(strings.Join(provenance.Hints(err), " "), "may the token read it") {
		t.Errorf("%v %q", err, provenance.Hints(err))
	}
}

func TestGitHubMisuse(t *testing.T) {
	a := double.New(t)
	for name, change := range map[string]func(*Source){
		"an empty token":        func(g *Source) { g.Token = sourcetest.FixedToken("") },
		"no repository":         func(g *Source) { g.Repository = "" },
		"a name alone":          func(g *Source) { g.Repository = "mortgage" },
		"a path":                func(g *Source) { g.Repository = "contoso/mortgage/.." },
		"a name that climbs":    func(g *Source) { g.Repository = "contoso/.." },
		"a query":               func(g *Source) { g.Repository = "contoso/x?y" },
		"no commit":             func(g *Source) { g.Commit = "" },
		"half a commit":         func(g *Source) { g.Commit = "5555555" },
		"plain http":            func(g *Source) { g.API = "http://api.github.com" },
		"a user in the address": func(g *Source) { g.API = "https://ada:hunter22@api.github.com" },
		"no address":            func(g *Source) { g.API = "::" },
	} {
		g := githubOf(a)
		change(&g)
		evidence, err := g.Collect(t.Context())
		if sourcetest.KindOf(err) != "misused" || evidence != nil || strings.Contains(err.Error(), "hunter22") || len(provenance.Hints(err)) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGitHubAddresses: where people look is made from where the API is.
func TestGitHubAddresses(t *testing.T) {
	for api, want := range map[string][2]string{
		"":                                {"https://github.com", ""},
		"https://api.github.com/":         {"https://github.com", ""},
		"https://git.contoso.com/api/v3/": {"https://git.contoso.com", "/api/v3"},
		"https://api.contoso.ghe.com":     {"https://contoso.ghe.com", ""},
	} {
		q, err := Source{API: api, Repository: double.Repository, Commit: double.Commit}.question()
		if err != nil || q.web != want[0] || q.base != want[1] {
			t.Errorf("%s: %+v (%v)", api, q, err)
		}
	}
}

// questions are parts of all requests.
var questions = []string{"/commits/" + double.Commit + "?", "/activity?", "/commits/" + double.Commit + "/pulls", "/pulls/88 ", "/pulls/88/reviews"}

// TestGitHubFaults: whatever question meets a fault, what passes is waited for, and what does not is an error that says so.
func TestGitHubFaults(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		t.Errorf("%s came to another host, with %q", r.URL.Path, r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	for name, c := range map[string]struct {
		faults []faults.Fault
		says   string // empty: it passes
	}{
		"busy":             {[]faults.Fault{faults.Busy("0"), faults.Busy("")}, ""},
		"a burst of 503":   {[]faults.Fault{faults.Unavailable, faults.Unavailable, faults.Unavailable}, ""},
		"500 once":         {[]faults.Fault{faults.Answer(500, `{"message":"oops"}`)}, ""},
		"reset":            {[]faults.Fault{faults.Reset}, ""},
		"cut":              {[]faults.Fault{faults.Cut}, ""},
		"busy for an hour": {[]faults.Fault{faults.Busy("3600")}, "status 429"},
		"too long":         {[]faults.Fault{faults.Huge(2 << 20)}, "longer than 1048576 bytes"},
		"truncated":        {[]faults.Fault{faults.Answer(200, `[{"id":7,"va`)}, "not JSON"},
		"keys twice":       {[]faults.Fault{faults.Answer(200, `{"sha":7,"Sha":8}`)}, "stands twice"},
		"a number":         {[]faults.Fault{faults.Answer(200, `7`)}, "makes no sense"},
		"null":             {[]faults.Fault{faults.Answer(200, `null`)}, "makes no sense"},
		"empty":            {[]faults.Fault{faults.Answer(200, ``)}, "not JSON"},
		"a login page":     {[]faults.Fault{faults.LoginPage}, "a web page came where JSON was expected"},
		"redirected":       {[]faults.Fault{faults.Redirect(elsewhere.URL + "/x")}, "not the host that was configured"},
		"expired":          {[]faults.Fault{faults.Answer(401, `{"message":"Bad credentials `+double.Token+`"}`)}, "status 401: Bad credentials"},
		"used up":          {[]faults.Fault{double.Exhausted(403)}, "status 403: API rate limit exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, question := range questions {
				a := double.New(t)
				a.Fail(question, c.faults...)
				evidence, err := githubOf(a).Collect(t.Context())
				if c.says == "" {
					if err != nil {
						t.Errorf("%s: %v", question, err)
					}
				} else if err == nil || evidence != nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "GitHub, ") || strings.Contains(err.Error(), double.Token) {
					t.Errorf("%s: error %v, want %q", question, err, c.says)
				}
			}
		})
	}
}

// TestGitHubLimit: when the questions are used up, the hint says until when, and how to have more.
func TestGitHubLimit(t *testing.T) {
	for _, status := range []int{403, 429} {
		a := double.New(t)
		a.Public = true
		g := githubOf(a)
		g.Token, g.Client.Attempts = nil, 1
		a.Fail("/commits/", double.Exhausted(status))
		_, err := g.Collect(t.Context())
		hints := strings.Join(provenance.Hints(err), " ")
		if err == nil || !strings.Contains(hints, "after 2026-11-23T03:30:00Z") || !strings.Contains(hints, "give a token") {
			t.Errorf("%d: %v, hints %q", status, err, hints)
		}
	}
}

// TestGitHubRefusals: what GitHub says clearly is refused, and what contradicts itself is an error.
func TestGitHubRefusals(t *testing.T) {
	verification := func(a *double.API) map[string]any {
		return a.Commit["commit"].(map[string]any)["verification"].(map[string]any)
	}
	for name, c := range map[string]struct {
		change func(*double.API, *Source)
		code   string
		says   string
	}{
		"a commit that is not there": {func(a *double.API, g *Source) { g.Commit = strings.Repeat("9", 40) }, "review.missing", "is not in contoso/mortgage"},
		"no such repository":         {func(a *double.API, g *Source) { g.Repository = "contoso/other" }, "", "status 404"},
		"another commit": {func(a *double.API, g *Source) {
			a.Fail("/commits/"+double.Commit+"?", faults.Answer(200, `{"sha":"66"}`))
		}, "", `about commit "66"`},
		"a commit of another repository": {func(a *double.API, g *Source) {
			a.Commit["html_url"] = "https://github.com/contoso/other/commit/" + double.Commit
		}, "", `about "/contoso/other/commit/`},
		"a commit without its page": {func(a *double.API, g *Source) { delete(a.Commit, "html_url") }, "", `about ""`},
		"a page of another commit": {func(a *double.API, g *Source) {
			a.Commit["html_url"] = "https://github.com/contoso/mortgage/commit/" + strings.Repeat("6", 40)
		}, "", "about "},
		"a pull request of another repository": {func(a *double.API, g *Source) {
			a.Pulls[0]["base"] = map[string]any{"ref": "main", "repo": map[string]any{"full_name": "contoso/other"}}
		}, "", `one of repository "contoso/other"`},
		"a pull request of no repository": {func(a *double.API, g *Source) { a.Pulls[0]["base"] = map[string]any{"ref": "main"} }, "", `one of repository ""`},
		"a pull request with another's page": {func(a *double.API, g *Source) {
			a.Pulls[0]["html_url"] = "https://github.com/contoso/mortgage/pull/89"
		}, "", `about "/contoso/mortgage/pull/89"`},
		"a review of another pull request": {func(a *double.API, g *Source) {
			a.Reviews["88"][0]["html_url"] = "https://github.com/contoso/mortgage/pull/89#pullrequestreview-1"
		}, "", `review "1" is one of "/contoso/mortgage/pull/89"`},
		"a review of no pull request": {func(a *double.API, g *Source) { delete(a.Reviews["88"][0], "html_url") }, "", `review "1" is one of ""`},
		"verified for no reason":      {func(a *double.API, g *Source) { verification(a)["verified"] = false }, "", `verified: false, because "valid"`},
		"unsigned and verified":       {func(a *double.API, g *Source) { verification(a)["reason"] = "unsigned" }, "", `verified: true, because "unsigned"`},
		"another pull request": {func(a *double.API, g *Source) {
			a.Fail("/pulls/88 ", faults.Answer(200, `{"number":89,"state":"open"}`))
		}, "", "contradicts the list"},
		"another author": {func(a *double.API, g *Source) {
			a.Fail("/pulls/88 ", faults.Answer(200, `{"number":88,"state":"open","user":{"id":2}}`))
			a.Fail("/commits/"+double.Commit+"/pulls", faults.Answer(200, `[{"number":88,"user":{"id":1}}]`))
		}, "", "contradicts the list"},
		"no number": {func(a *double.API, g *Source) {
			a.Fail("/commits/"+double.Commit+"/pulls", faults.Answer(200, `[{"number":1.5}]`))
		}, "", "no number of a pull request"},
		"an unknown review": {func(a *double.API, g *Source) { a.Reviews["88"][0]["state"] = "LAUGHED" }, "", `"LAUGHED" is no state`},
		"a review on two pages": {func(a *double.API, g *Source) {
			a.PageSize = 1
			a.Reviews["88"] = append(a.Reviews["88"], a.Reviews["88"][0])
		}, "", "stands in it twice"},
		"pages in a circle": {func(a *double.API, g *Source) {
			a.Fail("/reviews", linked(a.URL+"/repos/contoso/mortgage/pulls/88/reviews?a=1"), linked(a.URL+"/repos/contoso/mortgage/pulls/88/reviews?a=1"), linked(""))
		}, "", "in a circle"},
		"a page of another host": {func(a *double.API, g *Source) { a.Fail("/reviews", linked("https://evil.example/api/v3/x")) }, "", "leads to https://evil.example"},
		"a page outside the API": {func(a *double.API, g *Source) {
			a.Fail("/reviews", linked(strings.TrimSuffix(a.URL, "/v3")+"/x"))
		}, "", "which was not configured"},
		"a page that climbs": {func(a *double.API, g *Source) { a.Fail("/reviews", linked(a.URL+"/../x")) }, "", "no URL"},
		"pages without end":  {func(a *double.API, g *Source) { a.Fail("/reviews", endless(a)...) }, "", "more than 50 pages"},
		"too many pull requests": {func(a *double.API, g *Source) {
			for n := range foreign.MaxPulls {
				a.Pulls = append(a.Pulls, map[string]any{"number": 100 + n})
			}
		}, "", "more than 50"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := double.New(t)
			g := githubOf(a)
			c.change(a, &g)
			evidence, err := g.Collect(t.Context())
			if err == nil || evidence != nil || sourcetest.KindOf(err) != c.code || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 600 {
				t.Errorf("error %v, want %q with %q", err, c.code, c.says)
			}
		})
	}
}

// linked is an empty page with a link to a next one.
func linked(to string) faults.Fault {
	return func(out http.ResponseWriter, req *http.Request) {
		out.Header().Set("Link", "<"+to+`>; rel="next"`)
		faults.Answer(200, `[]`)(out, req)
	}
}

func endless(a *double.API) (all []faults.Fault) {
	for n := range githubPages + 1 {
		all = append(all, linked(fmt.Sprintf("%s/repos/contoso/mortgage/pulls/88/reviews?page=%d", a.URL, n)))
	}
	return all
}

var seeds = []string{
	`<https://api.github.com/x?page=2>; rel="next", <https://api.github.com/x?page=5>; rel="last"`, `<https://a/>; rel="prev"`, `<https://a/>;rel=next`, `garbage`, ``, `<a,b>; rel="next"`,
}

// FuzzGitHubLink: a link to the next page stays within the API, whatever a server writes.
func FuzzGitHubLink(f *testing.F) {
	if len(seeds) < 5 {
		f.Fatal("no seeds")
	}
	if next := nextLink(seeds[0]); next != "https://api.github.com/x?page=2" {
		f.Fatal(next)
	}
	for _, seed := range seeds {
		f.Add(seed)
	}
	q, err := Source{API: "https://git.contoso.com/api/v3", Repository: double.Repository, Commit: double.Commit}.question()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		link := nextLink(header)
		path, _, err := q.follow(link)
		if err == nil && (!strings.HasPrefix(strings.ToLower(link), "https://git.contoso.com/") || !strings.HasPrefix(path, "/") || strings.Contains(path, "..")) {
			t.Errorf("%q leads to %q", link, path)
		}
	})
}

// TestGitHubHoldsNoSecret: not in the noun, the answers, the debug lines or an error.
func TestGitHubHoldsNoSecret(t *testing.T) {
	a := double.New(t)
	a.Pulls[0]["title"] = "with " + double.Token
	a.Pulls[0]["body"] = "password=planted-body https://ada:planted-url@host/"
	g := githubOf(a)
	var lines sourcetest.DebugLines
	g.Client.Debug = lines.Add
	_, v, _, texts := sourcetest.Gather(t, g)
	noun, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	a.Fail("/reviews", faults.Answer(400, `{"message":"Bearer `+double.Token+`"}`))
	_, failed := g.Collect(t.Context())
	if failed == nil {
		t.Fatal("no error")
	}
	texts["noun"], texts["debug"], texts["error"] = string(noun), lines.String(), failed.Error()
	for where, text := range texts {
		for _, secret := range []string{double.Token, "planted-"} {
			if strings.Contains(text, secret) || text == "" {
				t.Errorf("%s is in the %s: %s", secret, where, text)
			}
		}
	}
}

// TestGitHubAnonymous: nobody's name or address is recorded or stored; the numbers of accounts are.
func TestGitHubAnonymous(t *testing.T) {
	a := double.New(t)
	g := githubOf(a)
	g.Anonymous = true
	_, v, _, texts := sourcetest.Gather(t, g)
	noun, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	texts["noun"] = string(noun)
	for where, text := range texts {
		for _, person := range []string{"Lovelace", "ada-l", "ghopper", "linus", "mallory", "@contoso.com"} {
			if strings.Contains(text, person) {
				t.Errorf("%s is in the %s: %s", person, where, text)
			}
		}
	}
	if v.Pusher != (provenance.Person{ID: "github:1002"}) || v.Verified != "valid" || v.Author.ID != "github:9007199254740993" {
		t.Errorf("%+v", v)
	}
}

// TestGitHubAsksAtTheSameTime: at least three questions are under way together.
func TestGitHubAsksAtTheSameTime(t *testing.T) {
	a := double.New(t)
	a.Latency = 20 * time.Millisecond
	g := githubOf(a)
	waves := &sourcetest.WaveCounter{Next: http.DefaultTransport}
	g.Client.Transport = waves
	sourcetest.Gather(t, g)
	if waves.Most < 3 {
		t.Errorf("at most %d questions were asked at the same time", waves.Most)
	}
}

// TestGitHubReviewersWhoAreGone: accounts that were deleted are not one reviewer.
func TestGitHubReviewersWhoAreGone(t *testing.T) {
	p := githubPull{reviews: []reviewAnswer{{ID: "1", State: "APPROVED"}, {ID: "2", State: "CHANGES_REQUESTED"}, {ID: "3", State: "APPROVED"}}}
	all, err := p.reviewers()
	if err != nil || len(all) != 3 || all[1].Vote != "waiting" {
		t.Errorf("%+v, error %v", all, err)
	}
}
