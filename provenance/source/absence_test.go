package source

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/devopsdouble"
)

// TestDevOpsParametersNull: null is no table, and the templates' parameters are there all the same.
func TestDevOpsParametersNull(t *testing.T) {
	a := buildAnswer{Parameters: "null", TemplateParameters: map[string]any{"area": "north"}}
	if got, err := a.parameters(); err != nil || got["area"] != "north" {
		t.Errorf("%q, error %v", got, err)
	}
}

// TestGitHubReviewersWhoAreGone: accounts that were deleted are not one reviewer.
func TestGitHubReviewersWhoAreGone(t *testing.T) {
	p := githubPull{reviews: []githubReviewAnswer{{ID: "1", State: "APPROVED"}, {ID: "2", State: "CHANGES_REQUESTED"}, {ID: "3", State: "APPROVED"}}}
	all, err := p.reviewers()
	if err != nil || len(all) != 3 || all[1].Vote != "waiting" {
		t.Errorf("%+v, error %v", all, err)
	}
}

// TestRemoteFileGrain: DBFS and workspace files tell milliseconds, so a change within a second shows.
func TestRemoteFileGrain(t *testing.T) {
	f := remoteFile{size: 3, modified: time.UnixMilli(1795311000000)}
	for _, c := range []struct {
		place filePlace
		later time.Duration
		same  bool
	}{{dbfs{}, 0, true}, {dbfs{}, time.Millisecond, false}, {workspaceFiles{}, 999 * time.Millisecond, false}, {volumes{}, 999 * time.Millisecond, true}, {volumes{}, time.Second, false}} {
		if f.same(3, f.modified.Add(c.later), grainOf(c.place)) != c.same {
			t.Errorf("%T, %s later: not %t", c.place, c.later, c.same)
		}
	}
}

// TestDevOpsQueues: each queue once, and no further than the bound.
func TestDevOpsQueues(t *testing.T) {
	var few, many devopsTimeline
	for i := range 3 * maxPools {
		few.Records = append(few.Records, timelineRecord{Type: "Job", Queue: "7"})
		many.Records = append(many.Records, timelineRecord{Type: "Job", Queue: json.Number(fmt.Sprint(i))})
	}
	if a, b := few.queues(), many.queues(); len(a) != 1 || len(b) != maxPools+1 {
		t.Errorf("%d and %d queues", len(a), len(b))
	}
}

// TestForEachWithoutIterations: that nothing is told of a task's iterations does not mean that it had none.
func TestForEachWithoutIterations(t *testing.T) {
	each := map[string]any{"task_key": "each", "run_id": 8, "status": ended("SUCCESS"), "for_each_task": map[string]any{"inputs": "[1,2]",
		"task": map[string]any{"task_key": "i", "notebook_task": map[string]any{"notebook_path": "/x"}}}}
	w := databricksdouble.New(t, databricksdouble.Run{ID: 7, Fields: map[string]any{"tasks": []any{each}}},
		databricksdouble.Run{ID: 8, Fields: map[string]any{"tasks": []any{}}})
	if _, err := of(w, 7).Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "no iterations, and no number of them") {
		t.Error(err)
	}
}

// TestRunWithoutTasks: a run that nothing was done in says nothing of what trained the model.
func TestRunWithoutTasks(t *testing.T) {
	w := databricksdouble.New(t, databricksdouble.Run{ID: 7, Fields: map[string]any{"tasks": nil}})
	if _, err := of(w, 7).Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "it has no tasks") {
		t.Error(err)
	}
}

// TestDevOpsPullWithoutReviewers: an answer that leaves them out does not say that there were none.
func TestDevOpsPullWithoutReviewers(t *testing.T) {
	w := devopsdouble.New(t)
	for _, p := range w.Pulls {
		delete(p, "reviewers")
	}
	_, v, _, _ := devopsCollect(t, devopsOf(w))
	if !slices.ContainsFunc(v.Notes, func(n string) bool { return strings.Contains(n, "the reviewers of pull request") }) {
		t.Errorf("notes %q", v.Notes)
	}
}
