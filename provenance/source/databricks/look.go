package databricks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// look completes a run that ended: the iterations of its for-each tasks, the runs that it started, and the source of all that it
// ran. What does not depend on each other is asked for at the same time.
func (a *asker) look(ctx context.Context, r *run) ([]provenance.Notebook, error) {
	r.Tasks = lastAttempts(r.Tasks, func(t task) string { return t.Key })
	c, err := a.newCollection(r)
	if err != nil {
		return nil, err
	}
	group, in := errgroup.WithContext(ctx)
	for i := range r.Tasks {
		group.Go(func() error { return a.lookAtTask(in, c, *r, &r.Tasks[i]) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := c.follow(ctx); err != nil {
		return nil, err
	}
	found := c.sorted()
	if a.IDsOnly {
		discreetSources(found)
	}
	return found, nil
}

// lookAtTask completes one task.
func (a *asker) lookAtTask(ctx context.Context, c *collection, r run, t *task) error {
	if err := a.checkTask(r, *t, "task "+t.Key); err != nil {
		return err
	}
	switch {
	case !t.ran():
		return nil
	case t.ForEach != nil:
		return a.lookAtIterations(ctx, c, r, t)
	}
	return a.lookAtCode(ctx, c, r, t, "task "+foreign.Plain(t.Key))
}

// checkTask refuses a task that failed in a run that succeeded, and an answer that says it still runs, or not how it ended: it is cut.
func (a *asker) checkTask(r run, t task, what string) error {
	if len(t.kinds) > 1 {
		return a.wrong(a.runID, fmt.Errorf("its %s is of several kinds: %s", foreign.Plain(what), t.kind()))
	}
	o, err := outcomeOf(t.Status, t.State)
	switch {
	case err != nil && t.Disabled: // it did not run, and some answers leave it at that
		return nil
	case err != nil:
		return a.wrong(a.runID, fmt.Errorf("it says nothing of how its %s ended", foreign.Plain(what)))
	case o.result == success || slices.Contains(notRun, o.result):
		return nil
	case o.result == "":
		return a.wrong(a.runID, fmt.Errorf("the run has ended, but its %s is %s", foreign.Plain(what), foreign.Plain(o.phase)))
	}
	return provenance.Refuse("databricks.result", "only a run all of whose tasks ended with SUCCESS is recorded",
		"the %s of Databricks run %s ended with %s%s", foreign.Plain(what), a.runID, foreign.Plain(o.result), a.seePage(r))
}

// lookAtIterations asks for the iterations of a for-each task: they stand in the run that the task itself is.
// Source: https://docs.databricks.com/api/workspace/jobs/getrun (iterations: only populated by for-each iterations)
func (a *asker) lookAtIterations(ctx context.Context, c *collection, r run, t *task) error {
	whole, err := a.runOfTask(ctx, t.RunID.String())
	if err != nil {
		return err
	}
	t.iterations = lastAttempts(whole.Iterations, func(i task) string {
		if compareNumbers(i.Original, "0") != 0 {
			return i.Original.String()
		}
		return i.RunID.String()
	})
	stats := t.ForEach.Stats.Runs
	switch {
	case stats.Total == nil && len(t.iterations) == 0:
		return a.wrong(a.runID, fmt.Errorf("its task %s has no iterations, and no number of them", foreign.Plain(t.Key)))
	case stats.Total != nil && *stats.Total > len(t.iterations):
		return a.wrong(a.runID, fmt.Errorf("its task %s has %d iterations, but %d are listed", foreign.Plain(t.Key), *stats.Total, len(t.iterations)))
	}
	group, in := errgroup.WithContext(ctx)
	for k := range t.iterations {
		i := &t.iterations[k]
		group.Go(func() error {
			what := "iteration " + i.RunID.String() + " of task " + t.Key
			if err := a.checkTask(r, *i, what); err != nil || !i.ran() {
				return err
			}
			return a.lookAtCode(in, c, r, i, "task "+foreign.Plain(t.Key))
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if stats.Failed > 0 {
		return provenance.Refuse("databricks.result", "only a run all of whose tasks ended with SUCCESS is recorded",
			"%d iterations of task %s of Databricks run %s failed%s", stats.Failed, foreign.Plain(t.Key), a.runID, a.seePage(r))
	}
	return nil
}

// runOfTask asks for a task as a run of its own.
func (a *asker) runOfTask(ctx context.Context, id string) (run, error) {
	var first run
	answer, err := a.ask(ctx, "reading the iterations of task run "+id, runsAPI, runQuery(id), &first)
	if err != nil {
		return first, a.missing(id, err)
	}
	if err := first.isOf(id); err != nil {
		return first, a.wrong(id, err)
	}
	return a.pages(ctx, id, first, answer)
}

// lookAtCode finds what a task ran, and notes its source.
func (a *asker) lookAtCode(ctx context.Context, c *collection, r run, t *task, how string) error {
	git := t.from(r.inGit(*t)) == fromGit
	from := origin{git: git}
	if git {
		from.commit = r.GitSource.commit()
		if own := t.GitSource.commit(); own != "" {
			from.commit = own
		}
	}
	switch {
	case t.Notebook != nil:
		return a.lookAtNotebook(ctx, c, t, how, from)
	case t.Python != nil:
		return c.takeFile(ctx, t.Python.File, how, from)
	case t.RunJob != nil:
		return a.lookAtStarted(ctx, c, t, how)
	case t.Condition != nil, t.Dashboard != nil:
		return nil // no code of anybody's
	case t.kind() == "power_bi_task":
		return nil
	case t.kind() == "":
		return c.unknown("", how, "", "this version does not know of what kind "+how+" is, so what it ran was not compared")
	case t.runs() == "":
		return c.unknown("", how, "", "this version does not know what a "+t.kind()+" is, so what "+how+" ran was not compared")
	}
	return c.unknown(foreign.Plain(t.runs()), how, "", "a "+t.kind()+" is not compared with the commit")
}

// lookAtStarted asks which run a run_job_task started. That run's own code is looked at when it is recorded itself.
// Source: https://docs.databricks.com/api/workspace/jobs/getrunoutput
func (a *asker) lookAtStarted(ctx context.Context, c *collection, t *task, how string) error {
	var output struct {
		RunJob struct {
			RunID json.Number `json:"run_id"`
		} `json:"run_job_output"`
	}
	id := t.RunID.String()
	_, err := a.ask(ctx, "reading the output of task run "+id, "/api/2.2/jobs/runs/get-output", url.Values{"run_id": {id}}, &output)
	if err != nil {
		return a.missing(id, err)
	}
	if t.started = foreign.Plain(output.RunJob.RunID.String()); t.started == "" {
		return a.wrong(a.runID, errors.New("its task "+foreign.Plain(t.Key)+" does not say which run it started"))
	}
	return c.unknown(foreign.Plain(t.runs()), how, "", "it is a run of its own, whose code is not looked at here")
}
