package main

import (
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// warnOfChecks tells at once which checks the gate will refuse. Files in two roles were named when they were found, and a policy can
// allow them. It also tells which metrics somebody logged when the run was over.
func (r *recorder) warnOfChecks(s provenance.Statement) error {
	record, err := provenance.Read(s)
	if err != nil {
		return err
	}
	for _, c := range record.Checks {
		if c.Value == "false" && c.Name != provenance.CheckRoles {
			r.say("warning: the check %s is false, which verify refuses: %s", c.Name, c.Note)
		}
	}
	if record.MLflow == nil {
		return nil
	}
	for _, m := range record.MLflow.Metrics {
		if m.AfterEnd {
			r.say("warning: the metric %s of MLflow run %s was logged at %s, after the run had ended at %s\nhint: who logged it? the run itself cannot have measured it",
				m.Name, record.MLflow.RunID, m.At.Format(time.RFC3339), record.MLflow.Ended.Format(time.RFC3339))
		}
	}
	return nil
}
