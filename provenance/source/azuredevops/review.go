package azuredevops

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// devopsRepository is what is read of a repository.
// Source: https://learn.microsoft.com/rest/api/azure/devops/git/repositories/get-repository
type devopsRepository struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	RemoteURL string `json:"remoteUrl"`
	Project   struct {
		Name string `json:"name"`
	} `json:"project"`
}

// devopsCommit is what is read of a commit. Who pushed it is known to Azure DevOps; the author is only what its header says.
// Source: https://learn.microsoft.com/rest/api/azure/devops/git/commits/get
type devopsCommit struct {
	ID   string `json:"commitId"`
	URL  string `json:"url"` // …/_apis/git/repositories/REPOSITORY/commits/COMMIT
	Push push   `json:"push"`
}

type push struct {
	By   identityRef `json:"pushedBy"`
	Date devopsTime  `json:"date"`
}

// devopsPull is what is read of a pull request.
// Source: https://learn.microsoft.com/rest/api/azure/devops/git/pull-requests/get-pull-request
type devopsPull struct {
	ID         json.Number      `json:"pullRequestId"`
	Repository devopsRepository `json:"repository"`
	Title      string           `json:"title"`
	Status     string           `json:"status"`
	Source     string           `json:"sourceRefName"`
	Target     string           `json:"targetRefName"`
	Author     identityRef      `json:"createdBy"`
	ClosedBy   identityRef      `json:"closedBy"`
	Closed     devopsTime       `json:"closedDate"`
	Merge      struct {
		Commit string `json:"commitId"`
	} `json:"lastMergeCommit"`
	Reviewers []struct {
		identityRef
		Vote     json.Number `json:"vote"`
		Required bool        `json:"isRequired"`
	} `json:"reviewers"`
}

// votes are the votes of reviewers.
// Source: https://learn.microsoft.com/rest/api/azure/devops/git/pull-requests/get-pull-request#identityrefwithvote
var votes = map[json.Number]string{"10": "approved", "5": "approved with suggestions", "0": "no vote", "-5": "waiting", "-10": "rejected"}

// devopsReview is everything that was answered about a commit.
type devopsReview struct {
	repository devopsRepository
	commit     devopsCommit
	pulls      []devopsPull
}

// review asks who pushed the commit, and which pull requests brought it.
func (s devopsSite) review(ctx context.Context) (*provenance.Review, error) {
	q, err := s.question("commit " + s.commit)
	if err != nil {
		return nil, err
	}
	var v devopsReview
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { v.repository, err = q.repository(groupCtx, s.RepositoryID); return err })
	group.Go(func() (err error) { v.commit, err = q.commit(groupCtx); return err })
	group.Go(func() (err error) { v.pulls, err = q.pulls(groupCtx); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := v.check(q); err != nil {
		return nil, err
	}
	if _, err := v.noun(q); err != nil { // this finds out who is named
		return nil, err
	}
	if err := q.resolve(ctx); err != nil {
		return nil, err
	}
	noun, err := v.noun(q)
	if err != nil {
		return nil, err
	}
	noun.Answered, err = q.answered("azure-devops-commit-" + s.commit + ".json")
	return &noun, err
}

// repository asks for a repository by its id or name.
func (q *devopsQuestion) repository(ctx context.Context, id string) (r devopsRepository, err error) {
	operation := "reading repository " + foreign.Plain(id)
	if _, err = q.ask(ctx, operation, "git/repositories/"+id, nil, &r); err != nil {
		return r, err
	}
	asked := r.Name
	if foreign.ObjectID().MatchString(id) { // a name may look like the id of another one
		asked = r.ID
	}
	if !strings.EqualFold(asked, id) || r.ID == "" || r.Name == "" || r.Project.Name == "" {
		return r, q.Nonsense(operation, fmt.Errorf("it is about repository %q", foreign.Plain(r.Name)))
	}
	return r, nil
}

// check refuses a commit and pull requests that are of another repository than the one that was asked about.
func (v *devopsReview) check(q *devopsQuestion) error {
	operation := "reading commit " + q.site.commit
	_, place, found := strings.Cut(v.commit.URL, "/_apis/git/repositories/")
	of, _, found2 := strings.Cut(place, "/commits/")
	switch {
	case !found || !found2:
		return q.Nonsense(operation, errors.New("it does not say which repository the commit is in"))
	case !strings.EqualFold(of, v.repository.ID):
		return q.Nonsense(operation, fmt.Errorf("it is about a commit of another repository, %q", foreign.Plain(of)))
	}
	for _, p := range v.pulls {
		if id := p.ID.String(); !strings.EqualFold(p.Repository.ID, v.repository.ID) {
			return q.Nonsense("reading pull request "+id, fmt.Errorf("pull request %s is one of repository %q", id, foreign.Plain(p.Repository.ID)))
		}
	}
	return nil
}

// gitPath is the path of something in the repository.
func (q *devopsQuestion) gitPath(rest string) string {
	return "git/repositories/" + q.site.RepositoryID + "/" + rest
}

// commit asks for the commit and its push.
func (q *devopsQuestion) commit(ctx context.Context) (c devopsCommit, err error) {
	operation := "reading commit " + q.site.commit
	if _, err = q.ask(ctx, operation, q.gitPath("commits/"+q.site.commit), nil, &c); err != nil {
		return c, q.missing(err, "review.missing", q.site.commit, "was it pushed, and to this repository?")
	}
	if !strings.EqualFold(c.ID, q.site.commit) {
		return c, q.Nonsense(operation, fmt.Errorf("it is about commit %q", foreign.Plain(c.ID)))
	}
	if c.Push.By.isZero() {
		c.Push, err = q.pushed(ctx)
	}
	return c, err
}

// pushed asks for the commit's push where the commit alone does not tell it.
// Source: https://learn.microsoft.com/rest/api/azure/devops/git/commits/get-commits
func (q *devopsQuestion) pushed(ctx context.Context) (push, error) {
	r := httpclient.Request{Operation: "reading the push of commit " + q.site.commit, Path: q.site.project(q.gitPath("commits")),
		Query: url.Values{"searchCriteria.ids": {q.site.commit}, "searchCriteria.includePushData": {"true"}}}
	list, _, err := devopsPage[devopsCommit](ctx, q, q.home, r)
	if err != nil {
		return push{}, err
	}
	for _, c := range list {
		if len(list) > 1 || !strings.EqualFold(c.ID, q.site.commit) {
			return push{}, q.Nonsense(r.Operation, errors.New("it is not about that commit alone"))
		}
		if !c.Push.By.isZero() {
			return c.Push, nil
		}
	}
	q.note("the pusher is not known: Azure DevOps does not tell") // as of the commit that tries a pull request out
	return push{}, nil
}

// pulls asks which pull requests brought the commit: by merging it, or as the commit that their merge made; and then for each
// of them, with its reviewers.
// Source: https://learn.microsoft.com/rest/api/azure/devops/git/pull-request-query/get
func (q *devopsQuestion) pulls(ctx context.Context) ([]devopsPull, error) {
	ids, err := q.pullIDs(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]devopsPull, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	for i, id := range ids {
		group.Go(func() error {
			operation := "reading pull request " + id
			if _, err := q.ask(ctx, operation, q.gitPath("pullrequests/"+id), nil, &all[i]); err != nil {
				return err
			}
			if all[i].ID.String() != id || all[i].Status == "" {
				return q.Nonsense(operation, fmt.Errorf("it is about pull request %q", foreign.Plain(all[i].ID.String())))
			}
			return nil
		})
	}
	return all, group.Wait()
}

// pullIDs are the ids of the pull requests, in order.
func (q *devopsQuestion) pullIDs(ctx context.Context) ([]string, error) {
	r := httpclient.Request{Operation: "reading the pull requests of commit " + q.site.commit, Method: "POST", Path: q.site.project(q.gitPath("pullrequestquery")),
		Body: fmt.Appendf(nil, `{"queries":[{"type":"lastMergeCommit","items":[%q]},{"type":"commit","items":[%q]}]}`, q.site.commit, q.site.commit)}
	var found struct {
		Results []map[string][]struct {
			ID json.Number `json:"pullRequestId"`
		} `json:"results"`
	}
	if _, err := q.askAt(ctx, q.home, r, &found); err != nil {
		return nil, err
	}
	if len(found.Results) != 2 {
		return nil, q.Nonsense(r.Operation, fmt.Errorf("it answers %d of 2 questions", len(found.Results)))
	}
	var ids []string
	for _, result := range found.Results {
		for commit, pulls := range result {
			for _, p := range pulls {
				if !strings.EqualFold(commit, q.site.commit) || !foreign.IsServiceID(p.ID) {
					return nil, q.Nonsense(r.Operation, fmt.Errorf("pull request %q is not one of that commit", foreign.Plain(p.ID.String())))
				}
				ids = append(ids, p.ID.String())
			}
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	if ids = slices.Compact(ids); len(ids) > foreign.MaxPulls {
		return nil, q.Nonsense(r.Operation, fmt.Errorf("there are more than %d", foreign.MaxPulls))
	}
	return ids, nil
}

// noun is the review as it is recorded.
func (v *devopsReview) noun(q *devopsQuestion) (provenance.Review, error) {
	s := q.site
	noun := provenance.Review{Grounds: provenance.Grounds{Basis: provenance.Reported}, Host: s.collection,
		Repository: foreign.Plain(v.repository.Project.Name + "/" + v.repository.Name), Commit: s.commit,
		Pusher: q.people.person(v.commit.Push.By), Pushed: v.commit.Push.Date.Time}
	for _, p := range v.pulls {
		pull, err := p.noun(q)
		if err != nil {
			return noun, err
		}
		noun.PullRequests = append(noun.PullRequests, pull)
	}
	return noun, nil
}

func (p devopsPull) noun(q *devopsQuestion) (provenance.PullRequest, error) {
	id := p.ID.String()
	pull := provenance.PullRequest{ID: id, Title: foreign.Plain(p.Title), State: foreign.Plain(p.Status), Source: foreign.Plain(p.Source), Target: foreign.Plain(p.Target),
		Author: q.people.person(p.Author), MergedBy: q.people.person(p.ClosedBy), Merged: p.Closed.Time, Commit: strings.ToLower(foreign.Plain(p.Merge.Commit))}
	if r := p.Repository; r.Name != "" && r.Project.Name != "" {
		pull.URL = q.site.page(foreign.Plain(r.Project.Name), "_git/"+url.PathEscape(foreign.Plain(r.Name))+"/pullrequest/", id)
	}
	if p.Status != "completed" { // it was closed, if at all, without being merged
		pull.MergedBy, pull.Merged = provenance.Person{}, time.Time{}
	}
	if p.Reviewers == nil {
		q.note("the reviewers of pull request %s are not known: Azure DevOps does not tell", id)
	}
	for _, r := range p.Reviewers {
		vote, known := votes[r.Vote]
		if !known {
			return pull, q.Nonsense("reading pull request "+id, fmt.Errorf("%q is no vote", foreign.Plain(r.Vote.String())))
		}
		pull.Reviewers = append(pull.Reviewers, provenance.Reviewer{Person: q.people.person(r.identityRef), Vote: vote, Required: r.Required, Group: r.isGroup()})
	}
	return pull, nil
}
