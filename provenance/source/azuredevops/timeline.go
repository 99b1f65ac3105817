package azuredevops

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

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// devopsTimeline is how far a build is: stages, their checkpoints, jobs, tasks.
// Source: https://learn.microsoft.com/rest/api/azure/devops/build/timeline/get
type devopsTimeline struct {
	Records []timelineRecord `json:"records"`
}

type timelineRecord struct {
	ID     string      `json:"id"`
	Parent string      `json:"parentId"`
	Type   string      `json:"type"`
	Name   string      `json:"name"`
	Worker string      `json:"workerName"`
	Queue  json.Number `json:"queueId"`
}

// approvalAnswer is an approval that a stage waits for, or waited for.
// Source: https://learn.microsoft.com/rest/api/azure/devops/approvalsandchecks/approvals/query
type approvalAnswer struct {
	ID     string         `json:"id"`
	Status string         `json:"status"`
	Steps  []approvalStep `json:"steps"`
}

type approvalStep struct {
	Assigned identityRef `json:"assignedApprover"` // may be a group
	Actual   identityRef `json:"actualApprover"`
	Status   string      `json:"status"`
	Comment  string      `json:"comment"`
	Modified devopsTime  `json:"lastModifiedOn"`
}

// checkpointApproval is the type of a timeline record that stands for an approval. The two have the same id.
const checkpointApproval = "Checkpoint.Approval"

// The API asks for approvals by ids in the URL: this many fit, and that many are enough.
const (
	approvalBatch = 50
	maxApprovals  = 1000
)

// askTimeline asks for the timeline, and then for the approvals and the queues that it names.
func (b *devopsBuild) askTimeline(ctx context.Context, q *devopsQuestion) error {
	operation := "reading the timeline of " + q.about
	if _, err := q.ask(ctx, operation, q.buildPath("/timeline"), nil, &b.timeline); err != nil {
		return err
	}
	if b.timeline.Records == nil {
		return q.Nonsense(operation, errors.New("it has no records"))
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return b.askApprovals(ctx, q) })
	group.Go(func() error { return b.askPools(ctx, q) })
	return group.Wait()
}

// askApprovals asks for the approvals that the timeline names.
func (b *devopsBuild) askApprovals(ctx context.Context, q *devopsQuestion) error {
	const operation = "reading approvals"
	var ids []string
	for _, r := range b.timeline.Records {
		if r.Type == checkpointApproval {
			ids = append(ids, strings.ToLower(r.ID))
		}
	}
	if len(ids) > maxApprovals || slices.ContainsFunc(ids, func(id string) bool { return !foreign.ObjectID().MatchString(id) }) {
		return q.Nonsense(operation, errors.New("the timeline names approvals without end, or by no id"))
	}
	batches := slices.Collect(slices.Chunk(ids, approvalBatch))
	found := make([][]approvalAnswer, len(batches))
	group, ctx := errgroup.WithContext(ctx)
	for i, batch := range batches {
		group.Go(func() (err error) { found[i], err = q.approvals(ctx, operation, batch); return err })
	}
	err := group.Wait()
	b.approvals = slices.Concat(found...)
	return err
}

// approvals asks for one batch. All of them have to come.
func (q *devopsQuestion) approvals(ctx context.Context, operation string, ids []string) ([]approvalAnswer, error) {
	r := httpclient.Request{Operation: operation, Path: q.site.project("pipelines/approvals"),
		Query: url.Values{"approvalIds": {strings.Join(ids, ",")}, "$expand": {"steps"}, "top": {fmt.Sprint(approvalBatch)}}}
	list, _, err := devopsPage[approvalAnswer](ctx, q, q.home, r)
	if err != nil {
		return nil, err
	}
	var told []string
	for _, a := range list {
		told = append(told, strings.ToLower(a.ID))
	}
	slices.Sort(told)
	if !slices.Equal(told, slices.Sorted(slices.Values(ids))) {
		return nil, q.Nonsense(operation, fmt.Errorf("%d approvals were asked for, and others came", len(ids)))
	}
	for _, a := range list {
		if err := a.check(); err != nil {
			return nil, q.Nonsense(operation, err)
		}
	}
	return list, nil
}

// approved is the status of an approval, or of one's part in it, that lets a stage go on.
const approved = "approved"

// check refuses an approval that does not say who had to decide, or, once it is approved, who did.
func (a approvalAnswer) check() error {
	if len(a.Steps) == 0 {
		return fmt.Errorf("approval %s is answered without its steps, which say who decides, though they were asked for", foreign.Plain(a.ID))
	}
	named := a.Status != approved
	for _, step := range a.Steps {
		is := cmp.Or(step.Status, a.Status) == approved
		if is && step.Actual.namesNobody() {
			return byNobody(a.ID)
		}
		named = named || is
	}
	if !named {
		return byNobody(a.ID)
	}
	return nil
}

func byNobody(id string) error {
	return fmt.Errorf("approval %s is approved, and does not say by whom", foreign.Plain(id))
}

// decisions are the approvals as they are recorded: one for each who had to decide.
func (b *devopsBuild) decisions(p devopsPeople) (all []provenance.Approval) {
	records := b.timeline.byID()
	for _, a := range b.approvals {
		of := records.stageOf(a.ID)
		for _, step := range a.Steps {
			who := step.Actual
			if who.isZero() {
				who = step.Assigned
			}
			all = append(all, provenance.Approval{Of: of, Approver: p.person(who), Status: foreign.Plain(cmp.Or(step.Status, a.Status)), At: step.Modified.Time,
				Comment: foreign.Plain(step.Comment), Group: who.isGroup()})
		}
	}
	slices.SortStableFunc(all, func(x, y provenance.Approval) int {
		return cmp.Or(cmp.Compare(x.Of, y.Of), x.At.Compare(y.At), cmp.Compare(x.Approver.ID, y.Approver.ID))
	})
	return all
}

// timelineRecords are records by their ids, in lower case.
type timelineRecords map[string]timelineRecord

// byID makes the records findable. Of those with one id the first counts.
func (t devopsTimeline) byID() timelineRecords {
	all := make(timelineRecords, len(t.Records))
	for _, r := range t.Records {
		id := strings.ToLower(r.ID)
		if _, known := all[id]; !known {
			all[id] = r
		}
	}
	return all
}

// stageOf names the stage that a record belongs to.
func (t timelineRecords) stageOf(id string) string {
	for range 10 { // records are nested four deep
		r, known := t[strings.ToLower(id)]
		if !known {
			break
		}
		if r.Type == "Stage" {
			return "stage " + foreign.Plain(r.Name)
		}
		id = r.Parent
	}
	return "pipeline"
}

// maxPools bounds how many pools one build may run in.
const maxPools = 100

// askPools finds out which pools the jobs ran in so far. The queue that a build names is only its default, which each job of
// a YAML pipeline may overrule.
func (b *devopsBuild) askPools(ctx context.Context, q *devopsQuestion) error {
	ids := b.timeline.queues()
	if len(ids) > maxPools {
		return q.Nonsense("reading queues", errors.New("the build runs in too many pools"))
	}
	b.pools = make([]agentQueue, len(ids))
	if err := b.wait(); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, id := range ids {
		group.Go(func() (err error) { b.pools[i], err = b.askPool(ctx, q, id); return err })
	}
	return group.Wait()
}

// queues are those that the jobs ran in, each once, and no more than one too many.
func (t devopsTimeline) queues() (ids []json.Number) {
	known := map[json.Number]bool{}
	for _, r := range t.Records {
		if r.Type != "Job" || r.Queue == "" && r.Worker == "" || known[r.Queue] {
			continue
		}
		known[r.Queue] = true
		if ids = append(ids, r.Queue); len(ids) > maxPools {
			break
		}
	}
	return ids
}

// askPool asks for one queue, unless the build told of it already. A token that may not see queues is no error: the pool then
// counts as self-hosted, which earns less trust.
func (b *devopsBuild) askPool(ctx context.Context, q *devopsQuestion, id json.Number) (agentQueue, error) {
	if known := b.answer.Queue; id != "" && id == known.ID && known.Pool.Name != "" {
		return known, nil
	}
	unknown := agentQueue{ID: id}
	if !foreign.IsServiceID(id) {
		q.note("a pool is not known: its job names no queue")
		return unknown, nil
	}
	var queue agentQueue
	operation := "reading queue " + id.String()
	_, err := q.ask(ctx, operation, "distributedtask/queues/"+id.String(), nil, &queue)
	if e, denied := ask.RefusedWith(err, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound); denied {
		q.note("the pool of queue %s is not known, and counts as self-hosted: status %d", id, e.Status)
		return unknown, nil
	}
	if err == nil && queue.ID != id {
		err = q.Nonsense(operation, fmt.Errorf("it is about queue %q", foreign.Plain(queue.ID.String())))
	}
	return queue, err
}

// pool names the pools that the jobs ran in, and tells whether all of them are Microsoft's.
func (b *devopsBuild) pool() (names string, hosted bool) {
	var all []string
	hosted = len(b.pools) > 0
	for _, p := range b.pools {
		hosted = hosted && p.Pool.Hosted && p.Pool.Name != ""
		all = append(all, cmp.Or(foreign.Plain(p.Pool.Name), "queue "+cmp.Or(foreign.Plain(p.ID.String()), "unknown")))
	}
	if len(all) == 0 {
		return foreign.Plain(b.answer.Queue.Pool.Name), false
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", "), hosted
}
