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

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// releaseAnswer is what is read of a classic release.
// Source: https://learn.microsoft.com/rest/api/azure/devops/release/releases/get-release
type releaseAnswer struct {
	ID         json.Number `json:"id"`
	Name       string      `json:"name"`
	Status     string      `json:"status"` // active, draft, abandoned
	Reason     string      `json:"reason"`
	CreatedBy  identityRef `json:"createdBy"`
	Created    devopsTime  `json:"createdOn"`
	Definition struct {
		ID   json.Number `json:"id"`
		Name string      `json:"name"`
	} `json:"releaseDefinition"`
	Revision json.Number `json:"releaseDefinitionRevision"`
	Project  struct {
		Name string `json:"name"`
	} `json:"projectReference"`
	Artifacts    []releaseArtifact    `json:"artifacts"`
	Environments []releaseEnvironment `json:"environments"`
}

type releaseArtifact struct {
	Alias      string `json:"alias"`
	Type       string `json:"type"` // Build, Git, …
	References map[string]struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"definitionReference"`
}

type releaseEnvironment struct {
	Name     string            `json:"name"`
	Status   string            `json:"status"`
	Trigger  string            `json:"triggerReason"`
	Modified devopsTime        `json:"modifiedOn"`
	Before   []releaseApproval `json:"preDeployApprovals"`
	After    []releaseApproval `json:"postDeployApprovals"`
}

type releaseApproval struct {
	ID        json.Number `json:"id"`
	Approver  identityRef `json:"approver"`   // who was asked, perhaps a group
	By        identityRef `json:"approvedBy"` // who answered
	Status    string      `json:"status"`
	Comments  string      `json:"comments"`
	Automated bool        `json:"isAutomated"` // nobody was asked
	Modified  devopsTime  `json:"modifiedOn"`
}

// devopsRelease is everything that was answered about a release.
type devopsRelease struct {
	answer      releaseAnswer
	lastSuccess string
	logs        provenance.Stored
	logsRemoved []string
	noun        provenance.Release
}

// release asks for the release, for those before it, and for its logs.
func (s devopsSite) release(ctx context.Context) (*devopsRelease, error) {
	q, err := s.question("release " + s.releaseID)
	if err != nil {
		return nil, err
	}
	l := &devopsRelease{}
	if err := l.ask(ctx, q); err != nil {
		return nil, err
	}
	l.told(q) // this finds out who is named
	if err := q.resolve(ctx); err != nil {
		return nil, err
	}
	l.noun = l.told(q)
	l.noun.Answered, err = q.answered("azure-devops-release-" + s.releaseID + ".json")
	l.noun.Removed = append(l.noun.Removed, l.logsRemoved...)
	return l, err
}

// ask asks for the release first: what is wrong with it is more telling than that its logs are not there.
func (l *devopsRelease) ask(ctx context.Context, q *devopsQuestion) error {
	id := q.site.releaseID
	operation := "reading release " + id
	r := httpclient.Request{Operation: operation, Path: q.site.project("release/releases/" + id)}
	if _, err := q.askAt(ctx, q.releases, r, &l.answer); err != nil {
		return q.missing(err, "release.missing", id, "was it deleted, or is it a release of another project?")
	}
	if err := l.check(q.site); err != nil {
		var refused *provenance.Refused
		if errors.As(err, &refused) {
			return err
		}
		return q.Nonsense(operation, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.askEarlier(ctx, q) })
	group.Go(func() error { return l.askLogs(ctx, q) })
	return group.Wait()
}

// check looks whether it is the release that was asked for, and whether it holds.
func (l *devopsRelease) check(s devopsSite) error {
	a := l.answer
	switch {
	case a.ID.String() != s.releaseID:
		return fmt.Errorf("it is about release %q", foreign.Plain(a.ID.String()))
	case !foreign.IsServiceID(a.Definition.ID) || len(a.Environments) == 0:
		return errors.New("it lacks its definition or its environments")
	case a.Status == "abandoned" || a.Status == "draft":
		return provenance.Refuse("release.result", "only a release that is active is recorded", "release %s is %s", s.releaseID, a.Status)
	case a.Status != "active":
		return fmt.Errorf("its status is %q", foreign.Plain(a.Status))
	}
	for _, e := range a.Environments {
		for _, decision := range slices.Concat(e.Before, e.After) {
			if !decision.Automated && decision.Status == approved && decision.By.namesNobody() {
				return byNobody(decision.ID.String())
			}
		}
	}
	return nil
}

// earlierPages is how many pages of earlier releases are looked through, of earlierTop releases each.
const (
	earlierPages = 10
	earlierTop   = 50
)

// askEarlier looks for the newest release of the definition before this one that succeeded everywhere.
// Source: https://learn.microsoft.com/rest/api/azure/devops/release/releases/list
func (l *devopsRelease) askEarlier(ctx context.Context, q *devopsQuestion) error {
	query := url.Values{"definitionId": {l.answer.Definition.ID.String()}, "statusFilter": {"active"}, "queryOrder": {"descending"},
		"$expand": {"environments"}, "$top": {fmt.Sprint(earlierTop)}}
	r := httpclient.Request{Operation: "reading earlier releases", Path: q.site.project("release/releases"), Query: query}
	seen := map[string]bool{}
	for range earlierPages {
		page, next, err := devopsPage[releaseAnswer](ctx, q, q.releases, r)
		if err != nil {
			return err
		}
		for _, earlier := range page {
			if earlier.Definition.ID != l.answer.Definition.ID {
				return q.Nonsense(r.Operation, errors.New("it tells of a release of another definition"))
			}
			if isBeforeID(earlier.ID, l.answer.ID) && earlier.succeeded() {
				l.lastSuccess = foreign.Plain(earlier.Name)
				return nil
			}
		}
		if next == "" {
			return nil
		}
		if seen[next] {
			return q.Nonsense(r.Operation, errors.New("its pages go round in a circle"))
		}
		seen[next] = true
		r.Query = queryWith(query, "continuationToken", next)
	}
	q.note("none of the last %d releases succeeded in all its environments; older ones were not looked at", earlierPages*earlierTop)
	return nil
}

// isBeforeID compares decimal ids.
func isBeforeID(a, b json.Number) bool {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0
}

func (a releaseAnswer) succeeded() bool {
	return len(a.Environments) > 0 && !slices.ContainsFunc(a.Environments, func(e releaseEnvironment) bool { return e.Status != "succeeded" })
}

// deploys tells whether a build is among the release's artifacts, as far as these are builds.
func (l *devopsRelease) deploys(buildID string) bool {
	builds := 0
	for _, a := range l.answer.Artifacts {
		if a.Type == "Build" {
			builds++
			if a.References["version"].ID == buildID {
				return true
			}
		}
	}
	return builds == 0
}

// told is the release as it is recorded.
func (l *devopsRelease) told(q *devopsQuestion) provenance.Release {
	a, s := l.answer, q.site
	project := cmp.Or(foreign.Plain(a.Project.Name), s.Project)
	noun := provenance.Release{
		Grounds: provenance.Grounds{Basis: provenance.Reported},
		URL:     s.page(project, "_releaseProgress?releaseId=", s.releaseID), ID: s.releaseID, Name: foreign.Plain(a.Name),
		Definition: provenance.Definition{ID: a.Definition.ID.String(), URL: s.page(project, "_release?definitionId=", a.Definition.ID.String()),
			Name: foreign.Plain(a.Definition.Name), Revision: foreign.Plain(a.Revision.String())},
		Reason: foreign.Plain(a.Reason), Creator: q.people.person(a.CreatedBy), Created: a.Created.Time, LastSuccess: l.lastSuccess, Logs: l.logs,
	}
	for _, artifact := range a.Artifacts {
		if artifact.Type == "Build" {
			of := artifact.References
			noun.Builds = append(noun.Builds, foreign.Plain(strings.Join([]string{artifact.Alias, of["definition"].Name, of["version"].Name, of["version"].ID}, " ")))
		}
	}
	for _, e := range a.Environments {
		noun.Environments = append(noun.Environments, provenance.Environment{Name: foreign.Plain(e.Name), Status: foreign.Plain(e.Status), Trigger: foreign.Plain(e.Trigger), At: e.Modified.Time})
		noun.Approvals = append(noun.Approvals, releaseDecisions(q.people, foreign.Plain(e.Name)+", before deployment", e.Before)...)
		noun.Approvals = append(noun.Approvals, releaseDecisions(q.people, foreign.Plain(e.Name)+", after deployment", e.After)...)
	}
	return noun
}

// releaseDecisions are approvals as they are recorded. Those that nobody was asked for are none.
func releaseDecisions(p devopsPeople, of string, approvals []releaseApproval) (all []provenance.Approval) {
	for _, a := range approvals {
		if a.Automated {
			continue
		}
		who := a.By
		if who.isZero() {
			who = a.Approver
		}
		all = append(all, provenance.Approval{Of: of, Approver: p.person(who), Status: foreign.Plain(a.Status), At: a.Modified.Time, Comment: foreign.Plain(a.Comments), Group: who.isGroup()})
	}
	return all
}
