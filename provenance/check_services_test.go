package provenance

import (
	"strings"
	"testing"
	"time"
)

// TestCheckTracking: an MLflow run that says that it belongs to another Databricks run is refused; only its tags can tell that it is this one's.
func TestCheckTracking(t *testing.T) {
	const id = "9007199254740993"
	at := func(minute int) time.Time {
		if minute == 0 {
			return time.Time{}
		}
		return time.Date(2026, 11, 23, 2, minute, 0, 0, time.UTC)
	}
	// The Databricks run went from 02:10 to 02:20.
	with := func(from, to int, tags map[string]string, changes ...func(*Record)) Record {
		r := Record{Databricks: &DatabricksRun{RunID: id, JobID: "12", Started: at(10), Ended: at(20), Tasks: []TaskRun{{Key: "train", RunID: "9007199254740994", Kind: "notebook_task"}},
			Repairs: []Repair{{Type: "REPAIR", Tasks: []string{"9007199254740995"}}}},
			MLflow: &MLflowRun{RunID: "4be1", Started: at(from), Ended: at(to), Tags: tags}}
		for _, change := range changes {
			change(&r)
		}
		return r
	}
	tags := func(run, job string) map[string]string {
		return map[string]string{"mlflow.databricks.jobRunID": run, "mlflow.databricks.jobID": job}
	}
	task := func(kind string, attempt int) func(*Record) {
		return func(r *Record) { r.Databricks.Tasks[0].Kind, r.Databricks.Tasks[0].Attempt = kind, attempt }
	}
	runsNotebook := func(r *Record) { r.Notebooks = []Notebook{{Path: "/x", How: "dbutils.notebook.run", By: "/train"}} }
	short := func(r *Record) { r.Databricks.RunID = "81462" }
	isTrue := &Fact{CheckTracking, "true", Declared, ""}
	unknown := func(note string) *Fact { return &Fact{CheckTracking, "unknown", Declared, note} }
	untold := unknown("no tag of it names that run")
	after := unknown("it began at 2026-11-23T02:40:00Z, when Databricks run " + id + " had ended at 2026-11-23T02:20:00Z")
	const elsewhere = "says that it belongs to Databricks"
	runChecks(t, checkTracking, map[string]checkCase{
		"no MLflow run":                    {record: Record{Databricks: &DatabricksRun{RunID: id}}},
		"no Databricks run":                {record: Record{MLflow: &MLflowRun{RunID: "4be1"}}},
		"within":                           {record: with(11, 19, nil), fact: untold},
		"around":                           {record: with(5, 30, nil), fact: untold},
		"over the end":                     {record: with(19, 40, nil), fact: untold},
		"over the beginning":               {record: with(1, 11, nil), fact: untold},
		"after":                            {record: with(40, 50, nil), fact: after},
		"before":                           {record: with(1, 5, nil), fact: unknown("it ended at 2026-11-23T02:05:00Z, before Databricks run " + id + " began at 2026-11-23T02:10:00Z")},
		"a little after":                   {record: with(22, 30, nil), fact: untold},
		"a little before":                  {record: with(1, 8, nil), fact: untold},
		"no time of its end":               {record: with(1, 0, nil), fact: untold},
		"no time of its end, after":        {record: with(40, 0, nil), fact: after},
		"no times":                         {record: with(0, 0, nil), fact: untold},
		"no times of the other":            {record: with(40, 50, nil, func(r *Record) { r.Databricks.Started, r.Databricks.Ended = time.Time{}, time.Time{} }), fact: untold},
		"tagged with the run":              {record: with(11, 19, tags(id, "12")), fact: isTrue},
		"tagged, by another clock":         {record: with(40, 50, tags(id, "12")), fact: isTrue},
		"tagged with the task's run":       {record: with(11, 19, tags("9007199254740994", "12")), fact: isTrue},
		"tagged with a repair's":           {record: with(11, 19, tags("9007199254740995", "12")), fact: isTrue},
		"tagged with another":              {record: with(11, 19, tags("9007199254740992", "12")), code: "mlflow.run", says: elsewhere + " run 9007199254740992"},
		"of another job":                   {record: with(11, 19, tags("", "13")), code: "mlflow.run", says: elsewhere + " job 13"},
		"tagged with another, of a job":    {record: with(11, 19, tags("17", "13")), code: "mlflow.run", says: elsewhere + " job 13"},
		"another of small ids":             {record: with(11, 19, tags("81461", "12"), short), code: "mlflow.run", says: elsewhere + " run 81461"},
		"numbered within its job":          {record: with(11, 19, tags("17", "12")), fact: untold},
		"numbered within its job, after":   {record: with(40, 50, tags("17", "12")), fact: after},
		"text":                             {record: with(11, 19, tags("none", "none")), fact: untold},
		"of an iteration":                  {record: with(11, 19, tags("9007199254740992", "13"), task("for_each_task", 0)), fact: untold},
		"of a run that it started":         {record: with(11, 19, tags("9007199254740992", "13"), task("run_job_task", 0)), fact: untold},
		"of an earlier attempt":            {record: with(11, 19, tags("9007199254740992", "12"), task("notebook_task", 1)), fact: untold},
		"of a notebook that it ran":        {record: with(11, 19, tags("9007199254740992", "13"), runsNotebook), fact: untold},
		"of a notebook that it ran, after": {record: with(40, 50, tags("9007199254740992", "13"), runsNotebook), fact: after},
	})
}

// TestCheckRelease: the release deploys the build that is recorded, as far as it names builds.
func TestCheckRelease(t *testing.T) {
	with := func(build *Build, builds ...string) Record {
		return Record{Build: build, Release: &Release{ID: "214", Builds: builds}}
	}
	b := &Build{ID: "4711"}
	runChecks(t, checkRelease, map[string]checkCase{
		"no release":          {record: Record{Build: b}},
		"no build":            {record: with(nil, "mortgage nightly 20261123.1 4711")},
		"no builds":           {record: with(b)},
		"the build":           {record: with(b, "mortgage nightly 20261123.1 4711")},
		"one of several":      {record: with(b, "other nightly 1 12", "mortgage nightly 20261123.1 4711")},
		"another":             {record: with(b, "mortgage nightly 4711 4712"), code: "release.build", says: "release 214 does not deploy build 4711"},
		"another, at its end": {record: with(b, "mortgage nightly 1 14711"), code: "release.build", says: "does not deploy"},
	})
}

// TestCheckReview: whoever looked at another commit did not look at this one.
func TestCheckReview(t *testing.T) {
	with := func(id string) Record {
		return Record{Commit: Commit{ID: digestOf(t, GitCommit, "a")}, Review: &Review{Commit: id}}
	}
	runChecks(t, checkReview, map[string]checkCase{
		"none":            {record: Record{Commit: Commit{ID: digestOf(t, GitCommit, "a")}}},
		"the commit":      {record: with(strings.Repeat("a", 40))},
		"in another case": {record: with(strings.Repeat("A", 40))},
		"another":         {record: with(strings.Repeat("b", 40)), code: "review.commit", says: "the review is of commit bbbb"},
	})
}

// TestMetricsAfterTheEnd are marked: whoever may write the experiment can log one whenever they like.
func TestMetricsAfterTheEnd(t *testing.T) {
	end := time.Date(2026, 11, 23, 2, 19, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		ended, at time.Time
		want      bool
	}{
		"before":            {end, end.Add(-time.Minute), false},
		"by another clock":  {end, end.Add(skew), false},
		"after":             {end, end.Add(skew + time.Second), true},
		"no time":           {end, time.Time{}, false},
		"no end of the run": {time.Time{}, end, false},
	} {
		evidence := example(t)
		for i, e := range evidence {
			if run, is := e.(MLflowRun); is {
				run.Ended = c.ended
				run.Metrics = []Metric{{Name: "auc", Value: "0.8", At: c.at}}
				evidence[i] = run
			}
		}
		statement, err := NewStatement(evidence...)
		if err != nil {
			t.Fatal(err)
		}
		record, err := Read(statement)
		if err != nil {
			t.Fatal(err)
		}
		if got := record.MLflow.Metrics[0].AfterEnd; got != c.want {
			t.Errorf("%s: marked %t", name, got)
		}
	}
}
