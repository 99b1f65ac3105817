package verify

import (
	"fmt"
	"math"
	"strconv"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// checkMetrics holds the metrics of the MLflow run against a rule.
func checkMetrics(s policy.Metrics, run *provenance.MLflowRun) []*Finding {
	if run == nil {
		return []*Finding{{Code: "metrics.missing", Detail: "no MLflow run was recorded", Expected: "a run with metrics", Found: "nothing",
			Hint: "record with --mlflow-uri and --mlflow-run"}}
	}
	findings := []*Finding{weak("metrics", fmt.Sprintf("what MLflow run %s measured", run.RunID), run.Of("metrics"), s.Basis)}
	for _, wanted := range s.Values {
		findings = append(findings, checkMetric(s, wanted, run)...)
	}
	return findings
}

// checkMetric holds one metric against its bounds: all values under that name, if the run has it of several datasets.
func checkMetric(s policy.Metrics, wanted policy.Metric, run *provenance.MLflowRun) (findings []*Finding) {
	missing := &Finding{Code: "metric." + wanted.Name, Expected: wanted.Text, Found: "nothing", Hint: "log it in the run that is recorded",
		Detail: fmt.Sprintf("MLflow run %s has no metric %s%s", run.RunID, wanted.Name, ofDataset(s.Dataset))}
	for _, m := range run.Metrics {
		if m.Name != wanted.Name || s.Dataset != "" && m.Dataset != s.Dataset {
			continue
		}
		missing = nil
		findings = append(findings, checkValue(s, wanted, m, run))
	}
	if missing != nil {
		return []*Finding{missing}
	}
	return findings
}

// checkValue holds one value against the bounds of its metric. What is no number can be compared with none.
func checkValue(s policy.Metrics, wanted policy.Metric, m provenance.Metric, run *provenance.MLflowRun) *Finding {
	finding := &Finding{Code: "metric." + m.Name, Expected: wanted.Text, Found: m.Value + ofDataset(m.Dataset), Basis: run.Of("metrics")}
	value, err := strconv.ParseFloat(m.Value, 64)
	switch {
	case err != nil || math.IsNaN(value) || math.IsInf(value, 0):
		finding.Undecided, finding.Detail = true, fmt.Sprintf("the metric %s of MLflow run %s is no number", m.Name, run.RunID)
		finding.Hint = "the training or the evaluation has diverged; look at the run"
		return finding
	case m.AfterEnd && !s.AfterEnd:
		finding.Detail = fmt.Sprintf("the metric %s was logged after MLflow run %s had ended", m.Name, run.RunID)
		finding.Hint = "log it in the run; where another step may measure later, the policy can say afterEnd: true"
		return finding
	}
	for _, bound := range wanted.Bounds {
		if !bound.Holds(value) {
			finding.Detail = fmt.Sprintf("the metric %s of MLflow run %s is out of bounds", m.Name, run.RunID)
			finding.Hint = "the model is not good enough to be released; train it again"
			return finding
		}
	}
	return nil
}

// ofDataset says on what a metric was measured.
func ofDataset(name string) string {
	if name == "" {
		return ""
	}
	return " on " + name
}

func metricInputs(r provenance.Record) (all []rule.Input) {
	if r.MLflow == nil {
		return []rule.Input{input("mlflow", "", "")}
	}
	for _, m := range r.MLflow.Metrics {
		all = append(all, input("mlflow.metrics "+m.Name+ofDataset(m.Dataset), m.Value, r.MLflow.Of("metrics")))
	}
	return all
}
