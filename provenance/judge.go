package provenance

import "fmt"

// NewStatement joins evidence, makes the cross-checks and writes the statement. Evidence that contradicts itself is a
// *Refused; evidence that lacks an image, a commit or a builder is an error.
func NewStatement(evidence ...Evidence) (Statement, error) {
	record, err := gather(evidence)
	if err != nil {
		return Statement{}, err
	}
	if err := record.judge(); err != nil {
		return Statement{}, err
	}
	return record.statement()
}

// judge concludes from all facts together what none of them says alone.
func (r *Record) judge() error {
	r.copyPeople()
	r.identify()
	if r.idsOnly {
		r.forgetNames()
	}
	r.tieTraining()
	confirmed, err := r.confirm()
	if err != nil {
		return err
	}
	if r.Checks, err = crossCheck(*r); err == nil && confirmed != nil {
		r.Checks = append([]Fact{*confirmed}, r.Checks...)
	}
	return err
}

// Contradiction makes the cross-checks again, because who signs could write any, and tells what contradicts itself: two facts, or a
// check that says true where the facts say false. A later version may be able to tell more or less than the one that wrote the
// record, and say it in other words; that is none.
func (r Record) Contradiction() error {
	again := r
	if err := again.judge(); err != nil {
		return err
	}
	for _, now := range again.Checks {
		for _, said := range r.Checks {
			if said.Name == now.Name && said.Value == "true" && now.Value == "false" {
				return fmt.Errorf("the check %s says true, and by the facts it is false: %s", said.Name, now.Note)
			}
		}
	}
	return nil
}
