package provenance

import (
	"errors"
	"fmt"
	"slices"
)

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
	known := r.known()
	if r.idsOnly {
		r.forgetNames()
	}
	if err := r.conclude(); err != nil {
		return err
	}
	return r.withhold(known)
}

// conclude makes the checks. It changes folders and metrics in place.
func (r *Record) conclude() error {
	r.tieTraining()
	r.markLate()
	confirmed, err := r.confirm()
	if err != nil {
		return err
	}
	if r.Checks, err = crossCheck(*r); err == nil && confirmed != nil {
		r.Checks = append([]Fact{*confirmed}, r.Checks...)
	}
	return err
}

// Contradiction makes the cross-checks again, because who signs could write any, and tells what contradicts itself: two facts, a
// check that says true where the facts say false, or something that is said to be known better than the record shows. A later version
// may be able to tell more or less than the one that wrote the record, and say it in other words; that is none.
func (r Record) Contradiction() error {
	again := r
	again.Pipeline.Grounds = Grounds{Basis: Declared} // before anybody confirms it
	again.Data = slices.Clone(r.Data)
	if again.MLflow = copyOf(r.MLflow); again.MLflow != nil {
		again.MLflow.Metrics = slices.Clone(r.MLflow.Metrics)
	}
	if err := again.conclude(); err != nil {
		return err
	}
	for _, now := range again.Checks {
		for _, said := range r.Checks {
			if said.Name == now.Name && said.Value == "true" && now.Value == "false" {
				return fmt.Errorf("the check %s says true, and by the facts it is false: %s", said.Name, now.Note)
			}
			if said.Name == now.Name && said.Value == "true" && now.Value == "true" && !now.Basis.AtLeast(said.Basis) {
				return overstated("the check "+said.Name, said.Basis, now.Basis)
			}
		}
	}
	return errors.Join(r.overstatesPipeline(again), r.overstatesTraining(again))
}

// overstatesPipeline tells what of the pipeline is said to be known better than anything in the record confirms it.
func (r Record) overstatesPipeline(again Record) error {
	facts := []string{"builderId"}
	for _, c := range r.claims() {
		facts = append(facts, c.fact)
	}
	for _, fact := range facts {
		if said, now := r.Pipeline.Of(fact), again.Pipeline.Of(fact); !now.AtLeast(said) {
			return overstated("the pipeline's "+fact, said, now)
		}
	}
	return nil
}

// overstatesTraining tells the same of the links between folders and training.
func (r Record) overstatesTraining(again Record) error {
	for i, f := range r.Data {
		if said, now := f.Of("trainedOn"), again.Data[i].Of("trainedOn"); !now.AtLeast(said) {
			return overstated("that the model was trained on "+f.URI, said, now)
		}
	}
	return nil
}

func overstated(what string, said, now Basis) error {
	return fmt.Errorf("%s is said to be %s, and by the record it is %s", clip(what), said, now)
}
