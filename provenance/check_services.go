package provenance

import (
	"fmt"
	"slices"
	"strings"
)

// checkReview refuses a review of another commit than the recorded one.
func checkReview(r Record) (*Fact, error) {
	if r.Review == nil || strings.EqualFold(r.Review.Commit, r.Commit.ID.Hex()) {
		return nil, nil
	}
	return nil, Refuse("review.commit", "check out the commit that triggered the pipeline, without switching afterwards",
		"the review is of commit %s, but the work tree is at %s", clip(r.Review.Commit), r.Commit.ID.Hex())
}

// checkRelease refuses a release that deploys other builds than the recorded one. A release may name none.
func checkRelease(r Record) (*Fact, error) {
	if r.Release == nil || r.Build == nil || len(r.Release.Builds) == 0 {
		return nil, nil
	}
	isIt := func(build string) bool { return build == r.Build.ID || strings.HasSuffix(build, " "+r.Build.ID) }
	if slices.ContainsFunc(r.Release.Builds, isIt) {
		return nil, nil
	}
	return nil, Refuse("release.build", "record the build that the release deploys",
		"release %s does not deploy build %s, but %s", clip(r.Release.ID), clip(r.Build.ID), clip(listed(r.Release.Builds)))
}

// The tags that MLflow's client sets in a job of Databricks.
// Source: https://github.com/mlflow/mlflow/blob/master/mlflow/utils/mlflow_tags.py
const (
	tagJob    = "mlflow.databricks.jobID"
	tagJobRun = "mlflow.databricks.jobRunID"
)

// checkTracking tells whether the MLflow run was logged by the recorded Databricks run: only its tags can, which the client sets. They
// refuse another run. A run at another time may be the pipeline's own, which logs what the training measured, so that is not refused.
func checkTracking(r Record) (*Fact, error) {
	if r.MLflow == nil || r.Databricks == nil {
		return nil, nil
	}
	job, run := r.tracked()
	var other string
	switch {
	case run == tracksThis:
		return &Fact{CheckTracking, "true", Declared, ""}, nil
	case run == tracksOther:
		other = "run " + clip(r.MLflow.Tags[tagJobRun])
	case job == tracksOther:
		other = "job " + clip(r.MLflow.Tags[tagJob])
	default:
		return &Fact{CheckTracking, "unknown", Declared, r.apart()}, nil
	}
	return nil, Refuse("mlflow.run", "record the MLflow run that this Databricks run logged, or record only one of the two",
		"MLflow run %s cannot be part of Databricks run %s: it says that it belongs to Databricks %s", clip(r.MLflow.RunID), clip(r.Databricks.RunID), other)
}

// tracking is what a tag of an MLflow run tells of the recorded Databricks run.
type tracking int

const (
	tracksUnknown tracking = iota
	tracksThis
	tracksOther
)

// tracked reads the tags. A run in an iteration, in an earlier attempt, or of something that was started in turn has ids that the
// record does not hold.
func (r Record) tracked() (job, run tracking) {
	d := r.Databricks
	if id := r.MLflow.Tags[tagJob]; isDecimal(id) && !r.ranOthers() && id != d.JobID {
		job = tracksOther
	}
	id := r.MLflow.Tags[tagJobRun]
	switch {
	case !isDecimal(id):
	case slices.Contains(d.runIDs(), id):
		run = tracksThis
	case !r.ranOthers() && !mayCountRuns(id, d.RunID):
		run = tracksOther
	}
	return job, run
}

func isDecimal(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// mayCountRuns tells whether what a tag holds may be the number of the run within its job in place of its id: clients in some
// workspaces write 17 for the job's 17th run. Such numbers are short where ids are long; where ids are short, too, they are ids.
// Source: https://docs.databricks.com/api/workspace/jobs/getrun (number_in_job)
func mayCountRuns(tag, runID string) bool { return len(tag) <= 6 && len(runID) > 9 }

// runIDs are those of the run, and of its tasks in whatever repair.
func (d DatabricksRun) runIDs() []string {
	ids := []string{d.RunID}
	for _, t := range d.Tasks {
		ids = append(ids, t.RunID)
	}
	for _, repair := range d.Repairs {
		ids = append(ids, repair.Tasks...)
	}
	return ids
}

// ranOthers tells whether the Databricks run is known to have had runs in it whose ids are not recorded.
func (r Record) ranOthers() bool {
	return slices.ContainsFunc(r.Databricks.Tasks, func(t TaskRun) bool {
		return t.Attempt > 0 || t.Kind == "for_each_task" || t.Kind == "run_job_task"
	}) || slices.ContainsFunc(r.Notebooks, func(n Notebook) bool { return n.How == "dbutils.notebook.run" })
}

// apart says why the two runs may not belong together.
func (r Record) apart() string {
	m, d := r.MLflow, r.Databricks
	switch {
	case !d.Ended.IsZero() && m.Started.After(d.Ended.Add(skew)):
		return fmt.Sprintf("it began at %s, when Databricks run %s had ended at %s", wireText(m.Started), clip(d.RunID), wireText(d.Ended))
	case !m.Ended.IsZero() && d.Started.After(m.Ended.Add(skew)):
		return fmt.Sprintf("it ended at %s, before Databricks run %s began at %s", wireText(m.Ended), clip(d.RunID), wireText(d.Started))
	}
	return "no tag of it names that run"
}

// markLate marks the metrics that were logged after the MLflow run had ended.
func (r *Record) markLate() {
	if r.MLflow == nil || r.MLflow.Ended.IsZero() {
		return
	}
	for i := range r.MLflow.Metrics {
		m := &r.MLflow.Metrics[i]
		m.AfterEnd = m.At.After(r.MLflow.Ended.Add(skew))
	}
}
