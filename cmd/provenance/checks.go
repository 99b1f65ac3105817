package main

import "github.com/seed-3480f271/provenance/provenance"

// warnOfChecks tells at once which checks the gate will refuse. Files in two roles were named when they were found, and a policy can
// allow them.
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
	return nil
}
