package azuredevops

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// buildAnswer is what is read of a build.
// Source: https://learn.microsoft.com/rest/api/azure/devops/build/builds/get
type buildAnswer struct {
	ID         json.Number `json:"id"`
	Number     string      `json:"buildNumber"`
	Status     string      `json:"status"`
	Result     string      `json:"result"`
	Reason     string      `json:"reason"`
	Deleted    bool        `json:"deleted"`
	Branch     string      `json:"sourceBranch"`
	Commit     string      `json:"sourceVersion"`
	Definition struct {
		ID       json.Number `json:"id"`
		Name     string      `json:"name"`
		Revision json.Number `json:"revision"`
	} `json:"definition"`
	Project struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"project"`
	Repository         buildRepository   `json:"repository"`
	Queue              agentQueue        `json:"queue"`
	RequestedBy        identityRef       `json:"requestedBy"`
	RequestedFor       identityRef       `json:"requestedFor"`
	Queued             devopsTime        `json:"queueTime"`
	Started            devopsTime        `json:"startTime"`
	Parameters         string            `json:"parameters"` // JSON in a string: variables that were set when it was queued
	TemplateParameters map[string]any    `json:"templateParameters"`
	Trigger            map[string]string `json:"triggerInfo"`
}

type buildRepository struct {
	ID   string `json:"id"`
	Type string `json:"type"` // TfsGit, GitHub, …
	Name string `json:"name"`
	URL  string `json:"url"`
}

// agentQueue is a project's way to a pool of agents.
type agentQueue struct {
	ID   json.Number `json:"id"`
	Pool struct {
		Name   string `json:"name"`
		Hosted bool   `json:"isHosted"`
	} `json:"pool"`
}

// buildDefinition is what is read of a definition.
// Source: https://learn.microsoft.com/rest/api/azure/devops/build/definitions/get
type buildDefinition struct {
	ID       json.Number `json:"id"`
	Revision json.Number `json:"revision"`
	Process  struct {
		YAML string `json:"yamlFilename"`
	} `json:"process"`
}

type buildChange struct {
	ID      string      `json:"id"`
	Message string      `json:"message"`
	Author  identityRef `json:"author"` // looked up by the address in the commit's header
	Pusher  string      `json:"pusher"`
	At      devopsTime  `json:"timestamp"`
}

// devopsBuild is everything that was answered about a build.
type devopsBuild struct {
	answer     buildAnswer
	settled    chan struct{} // closed when it is known whether answer is there
	failed     error         // why it is not
	definition buildDefinition
	repository string // its URL, where the build does not tell
	changes    []buildChange
	items      []provenance.WorkItem
	timeline   devopsTimeline
	approvals  []approvalAnswer
	pools      []agentQueue
	artifacts  []provenance.BuildArtifact
	claims     map[string]string
	noun       provenance.Build
}

// build asks for the build and all that belongs to it.
func (s devopsSite) build(ctx context.Context) (*devopsBuild, error) {
	q, err := s.question("build " + s.buildID)
	if err != nil {
		return nil, err
	}
	b := &devopsBuild{settled: make(chan struct{})}
	if err := b.ask(ctx, q); err != nil {
		return nil, err
	}
	if b.noun, err = b.told(q); err != nil { // this also finds out who is named
		return nil, err
	}
	if err := q.resolve(ctx); err != nil {
		return nil, err
	}
	if b.noun, err = b.told(q); err != nil {
		return nil, err
	}
	if err := b.agreeClaims(s); err != nil {
		return nil, err
	}
	b.noun.Answered, err = q.answered("azure-devops-build-" + s.buildID + ".json")
	return b, err
}

// ask asks everything at the same time, as far as questions do not need the answers of others. Where the build itself cannot be
// had, that is the error, whatever else failed because of it.
func (b *devopsBuild) ask(ctx context.Context, q *devopsQuestion) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, part := range []func(context.Context, *devopsQuestion) error{
		b.askBuild, b.askChanges, b.askWorkItems, b.askTimeline, b.askArtifacts, b.askClaims} {
		group.Go(func() error {
			err := part(ctx, q)
			if err != nil {
				err = cmp.Or(b.wait(), err)
			}
			return err
		})
	}
	return group.Wait()
}

// wait waits for the build itself.
func (b *devopsBuild) wait() error {
	<-b.settled
	return b.failed
}

// buildPath is the path of something of the build.
func (q *devopsQuestion) buildPath(rest string) string {
	return "build/builds/" + q.site.buildID + rest
}

// askBuild asks for the build, and then for its definition as it was.
func (b *devopsBuild) askBuild(ctx context.Context, q *devopsQuestion) error {
	b.failed = b.askItself(ctx, q)
	close(b.settled)
	if b.failed != nil {
		return b.failed
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.askDefinition(ctx, q) })
	group.Go(func() error { return b.askRepository(ctx, q) })
	return group.Wait()
}

func (b *devopsBuild) askItself(ctx context.Context, q *devopsQuestion) error {
	operation := "reading build " + q.site.buildID
	if _, err := q.ask(ctx, operation, q.buildPath(""), nil, &b.answer); err != nil {
		return q.missing(err, "build.missing", q.site.buildID, "was it deleted, or is it a build of another project?")
	}
	err := b.check(q.site)
	var refused *provenance.Refused
	if err == nil || errors.As(err, &refused) {
		return err
	}
	return q.Nonsense(operation, err)
}

func (b *devopsBuild) askDefinition(ctx context.Context, q *devopsQuestion) error {
	of := b.answer.Definition
	operation := "reading definition " + of.ID.String()
	query := url.Values{"revision": {of.Revision.String()}}
	if _, err := q.ask(ctx, operation, "build/definitions/"+of.ID.String(), query, &b.definition); err != nil {
		return err
	}
	if b.definition.ID != of.ID || b.definition.Revision != of.Revision {
		return q.Nonsense(operation, fmt.Errorf("it is about definition %q in revision %q", foreign.Plain(b.definition.ID.String()), foreign.Plain(b.definition.Revision.String())))
	}
	return nil
}

// askRepository asks for the URL of a repository of Azure DevOps, where the build does not tell it.
func (b *devopsBuild) askRepository(ctx context.Context, q *devopsQuestion) error {
	told := b.answer.Repository
	if told.URL != "" || !strings.EqualFold(told.Type, tfsGit) || !foreign.ObjectID().MatchString(told.ID) {
		return nil
	}
	repository, err := q.repository(ctx, told.ID)
	b.repository = repository.RemoteURL
	return err
}

// check looks whether it is the build that was asked for, and whether it holds.
func (b *devopsBuild) check(s devopsSite) error {
	a := &b.answer
	switch {
	case a.ID.String() != s.buildID:
		return fmt.Errorf("it is about build %q", foreign.Plain(a.ID.String()))
	case !strings.EqualFold(a.Project.Name, s.Project) && !strings.EqualFold(a.Project.ID, s.Project):
		return fmt.Errorf("it is a build of project %q", foreign.Plain(a.Project.Name))
	case !foreign.IsServiceID(a.Definition.ID) || !foreign.IsServiceID(a.Definition.Revision) || a.Commit == "" || a.Project.Name == "":
		return errors.New("it lacks its definition, its project or its commit")
	case a.Deleted:
		return provenance.Refuse("build.result", "only a build that is there is recorded", "build %s was deleted", s.buildID)
	}
	return a.holds()
}

// holds tells whether a build is going on, which is how it records itself, or ended well. Steps that are allowed to fail make
// it partiallySucceeded.
func (a *buildAnswer) holds() error {
	going, ended := a.Status == "inProgress", a.Status == "completed"
	switch {
	case a.Result == "failed" || a.Result == "canceled" || a.Status == "cancelling":
		return provenance.Refuse("build.result", "only a build that goes on, or that succeeded, is recorded",
			"build %s ended with %s", a.ID, foreign.Plain(cmp.Or(a.Result, a.Status)))
	case going && (a.Result == "" || a.Result == "none"),
		(going || ended) && (a.Result == "succeeded" || a.Result == "partiallySucceeded"):
		return nil
	}
	return fmt.Errorf("its status is %q and its result %q", foreign.Plain(a.Status), foreign.Plain(a.Result))
}

// askChanges asks what is new in the build.
func (b *devopsBuild) askChanges(ctx context.Context, q *devopsQuestion) (err error) {
	r := httpclient.Request{Operation: "reading the changes of " + q.about, Path: q.site.project(q.buildPath("/changes")), Query: url.Values{"$top": {"200"}}}
	b.changes, err = devopsAll(ctx, q, r, func(c buildChange) string { return c.ID })
	return err
}

// itemBatch is how many work items are asked for at a time: the API's limit.
const itemBatch = 200

// workItem is what is read of a work item; null where it is gone or may not be seen.
// Source: https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/list
type workItem struct {
	ID     json.Number `json:"id"`
	Fields struct {
		Type  string `json:"System.WorkItemType"`
		Title string `json:"System.Title"`
		State string `json:"System.State"`
	} `json:"fields"`
}

// askWorkItems asks which work items the build is associated with, and then what they are.
func (b *devopsBuild) askWorkItems(ctx context.Context, q *devopsQuestion) error {
	r := httpclient.Request{Operation: "reading the work items of " + q.about, Path: q.site.project(q.buildPath("/workitems")), Query: url.Values{"$top": {"1000"}}}
	refs, err := devopsAll(ctx, q, r, func(r struct{ ID json.Number }) string { return r.ID.String() })
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if !foreign.IsServiceID(ref.ID) {
			return q.Nonsense(r.Operation, fmt.Errorf("%q is no id of a work item", foreign.Plain(ref.ID.String())))
		}
		b.items = append(b.items, provenance.WorkItem{ID: ref.ID.String()})
	}
	group, ctx := errgroup.WithContext(ctx)
	for batch := range slices.Chunk(b.items, itemBatch) { // each fills its own part of the list
		group.Go(func() error { return q.describe(ctx, batch) })
	}
	return group.Wait()
}

// describe fills in what work items are. Those that are gone, or that the token may not see, keep their ids only.
func (q *devopsQuestion) describe(ctx context.Context, items []provenance.WorkItem) error {
	var ids []string
	for _, item := range items {
		ids = append(ids, item.ID)
	}
	r := httpclient.Request{Operation: "reading work items", Path: "/_apis/wit/workitems", Query: url.Values{"ids": {strings.Join(ids, ",")},
		"fields": {"System.WorkItemType,System.Title,System.State"}, "errorPolicy": {"omit"}}}
	found, _, err := devopsPage[*workItem](ctx, q, q.home, r)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f == nil {
			continue
		}
		at := slices.Index(ids, f.ID.String())
		if at < 0 {
			return q.Nonsense(r.Operation, fmt.Errorf("work item %q was not asked for", foreign.Plain(f.ID.String())))
		}
		items[at] = provenance.WorkItem{ID: ids[at], Type: foreign.Plain(f.Fields.Type), Title: foreign.Plain(f.Fields.Title), State: foreign.Plain(f.Fields.State)}
	}
	return nil
}

// told is the build as it is recorded.
func (b *devopsBuild) told(q *devopsQuestion) (provenance.Build, error) {
	a, s := b.answer, q.site
	pool, hosted := b.pool()
	noun := provenance.Build{
		Grounds: provenance.Grounds{Basis: provenance.Reported},
		URL:     s.page(a.Project.Name, "_build/results?buildId=", s.buildID), ID: s.buildID, Number: foreign.Plain(a.Number),
		Status: a.Status, Result: strings.TrimPrefix(a.Result, "none"), Reason: pipelineReason(a.Reason), Project: strings.ToLower(foreign.Plain(a.Project.ID)),
		Definition: provenance.Definition{ID: a.Definition.ID.String(), URL: s.page(a.Project.Name, "_build?definitionId=", a.Definition.ID.String()),
			Name: foreign.Plain(a.Definition.Name), Revision: a.Definition.Revision.String(), Path: foreign.Plain(b.definition.Process.YAML)},
		Commit: strings.ToLower(foreign.Plain(a.Commit)), Ref: foreign.Plain(a.Branch), Repository: cmp.Or(a.Repository.address(), foreign.RemoteURL(b.repository)),
		Pool: pool, Hosted: hosted, RequestedBy: q.people.person(a.RequestedBy), RequestedFor: q.people.person(a.RequestedFor),
		Queued: a.Queued.Time, Started: a.Started.Time, Trigger: withoutSender(foreign.Parameters(a.Trigger)),
		WorkItems: b.items, Artifacts: b.artifacts, Claims: b.claims, Approvals: b.decisions(q.people),
	}
	for _, c := range b.changes {
		author := q.people.person(c.Author)
		author.ID = "" // it was looked up by an address that whoever made the commit chose
		noun.Changes = append(noun.Changes, provenance.Change{ID: foreign.Plain(c.ID), Subject: foreign.Plain(subjectLine(c.Message)), Author: author, Pusher: q.people.id(c.Pusher), At: c.At.Time})
	}
	var err error
	if noun.Parameters, err = a.parameters(); err != nil {
		return noun, q.Nonsense("reading build "+s.buildID, err)
	}
	return noun, nil
}

// pipelineReason is the reason of a build as the variable BUILD_REASON writes it, which begins with a capital letter.
func pipelineReason(reason string) string {
	reason = foreign.Plain(reason)
	first, size := utf8.DecodeRuneInString(reason)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + reason[size:]
}

// withoutSender leaves out what was taken out because it names people.
func withoutSender(in map[string]string) map[string]string {
	maps.DeleteFunc(in, func(name, value string) bool {
		return strings.HasPrefix(name, "pr.sender.") && foreign.UnlessRemoved(value) == ""
	})
	return in
}

// subjectLine is the first line of a message.
func subjectLine(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	return line
}

// address is the repository's git URL, as the variable BUILD_REPOSITORY_URI writes it. GitHub's ends in .git in one of the two only.
func (r buildRepository) address() string {
	if !strings.HasPrefix(strings.ToLower(r.Type), "github") {
		return foreign.RemoteURL(r.URL)
	}
	if r.URL == "" && strings.EqualFold(r.Type, "GitHub") && foreign.OwnerAndName().MatchString(r.ID) {
		return "https://github.com/" + r.ID
	}
	return strings.TrimSuffix(foreign.RemoteURL(r.URL), ".git")
}

// parameters are those of the templates, and the variables that were set when the build was queued.
func (a *buildAnswer) parameters() (map[string]string, error) {
	all := map[string]any{}
	if a.Parameters != "" {
		decoder := json.NewDecoder(strings.NewReader(a.Parameters))
		decoder.UseNumber()
		if err := decoder.Decode(&all); err != nil {
			return nil, errors.New("its parameters are not JSON")
		}
	}
	if all == nil { // null is JSON, too
		all = map[string]any{}
	}
	maps.Copy(all, a.TemplateParameters)
	out := make(map[string]string, len(all))
	for name, value := range all {
		text, isText := value.(string)
		if !isText {
			data, err := foreign.CanonicalJSON(value)
			if err != nil {
				return nil, err
			}
			text = string(data)
		}
		out[name] = text
	}
	return foreign.Parameters(out), nil
}
