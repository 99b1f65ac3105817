package verify

import (
	"fmt"
	"slices"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// checkDatabricks holds the training run against a rule.
func checkDatabricks(s policy.Databricks, r provenance.Record) []*Finding {
	run := r.Databricks
	if run == nil {
		return []*Finding{{Code: "databricks.missing", Detail: "no Databricks run was recorded", Expected: "a run", Found: "nothing",
			Hint: "record with --databricks-host and --databricks-run"}}
	}
	findings := []*Finding{weak("databricks", "the run's result", run.Of("result"), s.Basis)}
	if s.Result != "" && run.Result != s.Result {
		findings = append(findings, &Finding{Code: "databricks.result", Detail: fmt.Sprintf("the Databricks run %s ended otherwise", run.RunID),
			Expected: s.Result, Found: orNothing(run.Result), Basis: run.Of("result"), Hint: "train again, and record the run that succeeded"})
	}
	if s.Notebooks {
		findings = append(findings, checkNotebooks(s, r)...)
	}
	return findings
}

// checkNotebooks wants what ran to be the commit's, and what it ran in turn, and all of it to have been read. A run that called
// nothing has no check of that; a record that lists what was called has one, or nobody made it.
func checkNotebooks(s policy.Databricks, r provenance.Record) []*Finding {
	demands := policy.Checks{Of: map[string]policy.Demand{provenance.CheckNotebook: policy.Required}, Basis: s.Basis}
	checked := func(c provenance.Fact) bool { return c.Name == provenance.CheckCalled }
	called := func(n provenance.Notebook) bool { return n.By != "" }
	if slices.ContainsFunc(r.Checks, checked) || slices.ContainsFunc(r.Notebooks, called) {
		demands.Of[provenance.CheckCalled] = policy.Required
	}
	return checkDemands(demands, r)
}

// comparedWords say how the source of a notebook compares with the commit.
var comparedWords = map[string]string{provenance.Matches: "the commit's", provenance.Differs: "differs from the commit's", provenance.Uncertain: "not compared with the commit's"}

func databricksInputs(r provenance.Record) []rule.Input {
	run := r.Databricks
	if run == nil {
		return []rule.Input{input("databricks", "", "")}
	}
	all := []rule.Input{input("databricks.runId", run.RunID, run.Of("runId")), input("databricks.result", run.Result, run.Of("result"))}
	for _, n := range r.Notebooks {
		all = append(all, input("notebooks "+n.Path, comparedWords[n.Equal], n.Of("equal")))
	}
	return all
}
