package github

import (
	"cmp"
	"context"
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
	"golang.org/x/sync/errgroup"
)

// user is an account; null for one that is gone.
type user struct {
	ID    json.Number `json:"id"`
	Login string      `json:"login"`
}

// githubCommit is what is read of a commit.
// Source: https://docs.github.com/rest/commits/commits#get-a-commit
type githubCommit struct {
	SHA       string `json:"sha"`
	Page      string `json:"html_url"`
	Author    user   `json:"author"` // the account that has the address in the header, if any
	Committer user   `json:"committer"`
	Commit    struct {
		Verification struct {
			Verified bool   `json:"verified"`
			Reason   string `json:"reason"`
		} `json:"verification"`
	} `json:"commit"`
}

// githubPush is one entry of a repository's activity.
// Source: https://docs.github.com/rest/repos/repos#list-repository-activities
type githubPush struct {
	After string    `json:"after"`
	Ref   string    `json:"ref"`
	At    time.Time `json:"timestamp"`
	Type  string    `json:"activity_type"` // push, force_push, branch_creation, branch_deletion, pr_merge, merge_queue_merge
	Actor user      `json:"actor"`
}

// githubPull is what is read of a pull request.
// Source: https://docs.github.com/rest/pulls/pulls#get-a-pull-request
type githubPull struct {
	Number   json.Number `json:"number"`
	Page     string      `json:"html_url"`
	Title    string      `json:"title"`
	State    string      `json:"state"` // open, closed
	Merged   bool        `json:"merged"`
	MergedAt time.Time   `json:"merged_at"`
	MergedBy user        `json:"merged_by"`
	Commit   string      `json:"merge_commit_sha"`
	User     user        `json:"user"`
	Head     struct {
		Ref string `json:"ref"`
	} `json:"head"`
	Base struct {
		Ref  string `json:"ref"`
		Repo struct {
			Name string `json:"full_name"`
		} `json:"repo"`
	} `json:"base"`
	Reviewers []user `json:"requested_reviewers"` // those who have not answered
	Teams     []struct {
		ID   json.Number `json:"id"`
		Name string      `json:"name"`
	} `json:"requested_teams"`
	reviews []reviewAnswer
}

// reviewAnswer is one review. Somebody may give many.
// Source: https://docs.github.com/rest/pulls/reviews#list-reviews-for-a-pull-request
type reviewAnswer struct {
	ID        json.Number `json:"id"`
	User      user        `json:"user"`
	Page      string      `json:"html_url"`
	State     string      `json:"state"`
	Commit    string      `json:"commit_id"`
	Submitted time.Time   `json:"submitted_at"`
}

// githubReview is everything that was answered about a commit.
type githubReview struct {
	commit githubCommit
	push   githubPush
	pulls  []githubPull
}

// commit asks for the commit. What it changed is not kept: it is in the repository.
func (q *githubQuestion) commit(ctx context.Context) (c githubCommit, err error) {
	r := httpclient.Request{Operation: "reading commit " + q.id, Path: q.path("commits/" + q.id), Query: url.Values{"per_page": {"1"}}}
	if _, err = q.ask(ctx, r, &c); err != nil {
		return c, q.missing(err)
	}
	if !strings.EqualFold(c.SHA, q.id) {
		return c, q.Nonsense(r.Operation, fmt.Errorf("it is about commit %q", foreign.Plain(c.SHA)))
	}
	if page := pagePath(c.Page); !q.isPage(page, "commit/"+q.id) {
		return c, provenance.WithHint(q.Nonsense(r.Operation, fmt.Errorf("it is about %q", foreign.Plain(page))), "was the repository renamed?")
	}
	if v := c.Commit.Verification; v.Verified != (v.Reason == "valid") {
		return c, q.Nonsense(r.Operation, fmt.Errorf("the signature is verified: %t, because %q", v.Verified, foreign.Plain(v.Reason)))
	}
	return c, nil
}

// missing recognises the answer for a commit that is not in the repository.
func (q *githubQuestion) missing(err error) error {
	if e, ok := ask.RefusedWith(err, http.StatusUnprocessableEntity, http.StatusNotFound); ok && strings.HasPrefix(e.Message, "No commit found for") {
		return provenance.Refuse("review.missing", "was it pushed, and to this repository?", "commit %s is not in %s at %s", q.id, q.Repository, q.HTTP.Host())
	}
	if _, ok := ask.RefusedWith(err, http.StatusNotFound); ok {
		return provenance.WithHint(err, "GitHub says this of private repositories, too: may the token read it?")
	}
	return err
}

// pushPages bounds how much of the activity is looked through.
const pushPages = 10

// push looks for the push whose last commit it was: the newest one, if there are several. A token that may not see the
// activity is no error: the pusher is not known then.
func (q *githubQuestion) push(ctx context.Context) (githubPush, error) {
	r := httpclient.Request{Operation: "reading the activity of " + q.Repository, Path: q.path("activity"), Query: githubPage()}
	if strings.HasPrefix(q.Ref, "refs/heads/") || strings.HasPrefix(q.Ref, "refs/tags/") {
		r.Query.Set("ref", q.Ref)
	}
	pages := 0
	all, err := githubAll(ctx, q, r, func(all []githubPush) bool {
		pages++
		return pages >= pushPages || slices.ContainsFunc(all, q.brought)
	})
	if e, denied := ask.RefusedWith(err, http.StatusForbidden, http.StatusNotFound); denied && e.Header.Get("X-Ratelimit-Remaining") != "0" {
		q.note = fmt.Sprintf("the pusher is not known: GitHub does not show the activity, status %d", e.Status)
		return githubPush{}, nil
	}
	all = slices.DeleteFunc(all, func(p githubPush) bool { return !q.brought(p) })
	if err != nil || len(all) == 0 {
		q.note = "the pusher is not known: the commit is the last one of no push that GitHub tells of"
		return githubPush{}, err
	}
	return slices.MaxFunc(all, func(x, y githubPush) int { return x.At.Compare(y.At) }), nil
}

// brought tells whether the commit was the last one of a push.
func (q *githubQuestion) brought(p githubPush) bool {
	return strings.EqualFold(p.After, q.id) && p.Type != "branch_deletion"
}

// pulls asks which pull requests brought the commit, and then for each of them and its reviews.
func (q *githubQuestion) pulls(ctx context.Context) ([]githubPull, error) {
	r := httpclient.Request{Operation: "reading the pull requests of commit " + q.id, Path: q.path("commits/" + q.id + "/pulls"), Query: githubPage()}
	list, err := githubAll[githubPull](ctx, q, r, nil)
	if err != nil {
		return nil, q.missing(err)
	}
	if len(list) > foreign.MaxPulls {
		return nil, q.Nonsense(r.Operation, fmt.Errorf("there are more than %d", foreign.MaxPulls))
	}
	all := make([]githubPull, len(list))
	reviews := make([][]reviewAnswer, len(list))
	group, ctx := errgroup.WithContext(ctx)
	for i, p := range list {
		if !foreign.IsServiceID(p.Number) {
			return nil, q.Nonsense(r.Operation, fmt.Errorf("%q is no number of a pull request", foreign.Plain(p.Number.String())))
		}
		group.Go(func() (err error) { all[i], err = q.pull(ctx, p); return err })
		group.Go(func() (err error) { reviews[i], err = q.reviews(ctx, p.Number.String()); return err })
	}
	err = group.Wait()
	for i := range all {
		all[i].reviews = reviews[i]
	}
	slices.SortFunc(all, func(a, b githubPull) int {
		return cmp.Or(cmp.Compare(len(a.Number), len(b.Number)), cmp.Compare(a.Number, b.Number))
	})
	return all, err
}

// pull asks for one pull request. What it says of itself must be what the list said of it.
func (q *githubQuestion) pull(ctx context.Context, listed githubPull) (p githubPull, err error) {
	number := listed.Number.String()
	r := httpclient.Request{Operation: "reading pull request " + number, Path: q.path("pulls/" + number)}
	if _, err = q.ask(ctx, r, &p); err != nil {
		return p, err
	}
	if p.Number != listed.Number || p.User != listed.User || p.State == "" {
		return p, q.Nonsense(r.Operation, errors.New("it contradicts the list that names it"))
	}
	if of := p.Base.Repo.Name; !strings.EqualFold(of, q.Repository) {
		return p, q.Nonsense(r.Operation, fmt.Errorf("it is one of repository %q", foreign.Plain(of)))
	}
	if page := pagePath(p.Page); !q.isPage(page, "pull/"+number) {
		return p, q.Nonsense(r.Operation, fmt.Errorf("it is about %q", foreign.Plain(page)))
	}
	return p, nil
}

// pagePath is the path of the page on which people look at a thing: it names the repository.
func pagePath(page string) string {
	u, err := url.Parse(page)
	if err != nil {
		return ""
	}
	return u.Path
}

// isPage tells whether a path is that of a thing of the repository.
func (q *githubQuestion) isPage(path, thing string) bool {
	return strings.EqualFold(path, "/"+q.Repository+"/"+thing)
}

// reviews asks for the reviews of a pull request, the oldest first.
func (q *githubQuestion) reviews(ctx context.Context, number string) ([]reviewAnswer, error) {
	r := httpclient.Request{Operation: "reading the reviews of pull request " + number, Path: q.path("pulls/" + number + "/reviews"), Query: githubPage()}
	all, err := githubAll[reviewAnswer](ctx, q, r, nil)
	known := map[json.Number]bool{}
	for _, a := range all {
		if known[a.ID] {
			return nil, q.Nonsense(r.Operation, fmt.Errorf("review %q stands in it twice", foreign.Plain(a.ID.String())))
		}
		if page := pagePath(a.Page); !q.isPage(page, "pull/"+number) {
			return nil, q.Nonsense(r.Operation, fmt.Errorf("review %q is one of %q", foreign.Plain(a.ID.String()), foreign.Plain(page)))
		}
		known[a.ID] = true
	}
	slices.SortStableFunc(all, func(a, b reviewAnswer) int { return a.Submitted.Compare(b.Submitted) })
	return all, err
}

// votes are the states of reviews that count, in the words of this record. Who asks for changes, waits for the author.
var votes = map[string]string{"APPROVED": "approved", "CHANGES_REQUESTED": "waiting", "COMMENTED": "commented", "DISMISSED": "dismissed"}

// noun is the review as it is recorded. Who wrote the commit is what its header says, so it is declared.
func (v githubReview) noun(q *githubQuestion) (provenance.Review, error) {
	noun := provenance.Review{
		Grounds: provenance.Grounds{Basis: provenance.Reported, BasisOf: map[string]provenance.Basis{"author": provenance.Declared, "committer": provenance.Declared}},
		Host:    q.web, Repository: q.Repository, Commit: q.id, Author: v.commit.Author.person(), Committer: v.commit.Committer.person(),
		Pusher: v.push.Actor.person(), Pushed: v.push.At.UTC(), Verified: foreign.Plain(v.commit.Commit.Verification.Reason),
	}
	for _, p := range v.pulls {
		pull, err := p.noun(q)
		if err != nil {
			return noun, err
		}
		noun.PullRequests = append(noun.PullRequests, pull)
	}
	return noun, nil
}

// person is an account in the record. Its number stays when it is renamed.
func (u user) person() provenance.Person {
	person := provenance.Person{Name: foreign.UnlessRemoved(u.Login)}
	if foreign.IsServiceID(u.ID) {
		person.ID = "github:" + u.ID.String()
	}
	return person
}

func (p githubPull) noun(q *githubQuestion) (provenance.PullRequest, error) {
	number := p.Number.String()
	pull := provenance.PullRequest{ID: number, URL: q.web + "/" + q.Repository + "/pull/" + number, Title: foreign.Plain(p.Title), State: foreign.Plain(p.State),
		Source: foreign.Plain(p.Head.Ref), Target: foreign.Plain(p.Base.Ref), Author: p.User.person(), Commit: strings.ToLower(foreign.Plain(p.Commit))}
	if p.Merged {
		pull.State, pull.MergedBy, pull.Merged = "merged", p.MergedBy.person(), p.MergedAt.UTC()
	}
	var err error
	if pull.Reviewers, err = p.reviewers(); err != nil {
		return pull, q.Nonsense("reading the reviews of pull request "+number, err)
	}
	return pull, nil
}

// reviewers are those who reviewed, with the last word of each, and those who were asked and did not answer. A comment does
// not take a decision back.
func (p githubPull) reviewers() ([]provenance.Reviewer, error) {
	var all []provenance.Reviewer
	who := map[user]int{} // where each stands in all
	for _, review := range p.reviews {
		if review.State == "PENDING" { // nobody has sent it yet
			continue
		}
		vote, known := votes[review.State]
		if !known {
			return nil, fmt.Errorf("%q is no state of a review", foreign.Plain(review.State))
		}
		told := provenance.Reviewer{Person: review.User.person(), Vote: vote, Of: strings.ToLower(foreign.Plain(review.Commit))}
		at, before := who[review.User]
		switch {
		case review.User == user{}: // accounts that are gone are not one person, so each word of theirs stands alone
			all = append(all, told)
		case !before:
			who[review.User], all = len(all), append(all, told)
		case vote != "commented" || all[at].Vote == "commented":
			all[at] = told
		}
	}
	for _, asked := range p.Reviewers {
		if _, answered := who[asked]; !answered {
			all = append(all, provenance.Reviewer{Person: asked.person(), Vote: "no vote"})
		}
	}
	for _, team := range p.Teams {
		person := user{ID: team.ID, Login: team.Name}.person()
		person.ID = strings.Replace(person.ID, "github:", "github-team:", 1)
		all = append(all, provenance.Reviewer{Person: person, Vote: "no vote", Group: true})
	}
	return all, nil
}
