package provenance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Source is a place that is asked for evidence. Collect returns everything it was asked for or an error: an answer that
// could not be had is never left out silently.
type Source interface {
	Collect(context.Context) (Evidence, error)
}

// Evidence is what one source found out: one noun of the Record. It is implemented by [Image], [Pipeline], [Commit],
// [Folder], [DatabricksRun], [Model] and [Tool], by value.
type Evidence interface {
	addTo(*Record) error
}

var errTwice = errors.New("was collected twice")

func (i Image) addTo(r *Record) error {
	if !r.Image.Digest.IsZero() {
		return fmt.Errorf("image %w", errTwice)
	}
	r.Image = i
	return nil
}

func (p Pipeline) addTo(r *Record) error {
	if r.Pipeline.BuilderID != "" {
		return fmt.Errorf("pipeline %w", errTwice)
	}
	r.Pipeline = p
	return nil
}

func (c Commit) addTo(r *Record) error {
	if !r.Commit.ID.IsZero() {
		return fmt.Errorf("commit %w", errTwice)
	}
	r.Commit = c
	return nil
}

func (f Folder) addTo(r *Record) error {
	for _, other := range r.Data {
		if other.Role == f.Role && other.URI == f.URI {
			return Misuse("name each folder once for a role", "data folder %s is given twice as %s", f.URI, f.Role)
		}
	}
	r.Data = append(r.Data, f)
	return nil
}

func (d DatabricksRun) addTo(r *Record) error {
	if r.Databricks != nil {
		return fmt.Errorf("Databricks run %w", errTwice)
	}
	r.Databricks = &d
	return nil
}

func (m Model) addTo(r *Record) error {
	if r.Model != nil {
		return fmt.Errorf("model %w", errTwice)
	}
	r.Model = &m
	return nil
}

func (t Tool) addTo(r *Record) error {
	r.Tool = t
	return nil
}

// gather joins evidence into one record. The order of the evidence does not matter: folders are sorted.
func gather(evidence []Evidence) (Record, error) {
	record := Record{Data: []Folder{}, Checks: []Fact{}}
	for _, e := range evidence {
		if err := e.addTo(&record); err != nil {
			return Record{}, err
		}
	}
	slices.SortStableFunc(record.Data, func(a, b Folder) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.URI, b.URI))
	})
	return record, record.complete()
}

// complete refuses a record without the facts that no statement may lack.
func (r Record) complete() error {
	switch {
	case r.Image.Digest.Algorithm() != SHA256 || len(r.Image.Platforms) == 0:
		return errors.New("no image was collected: a statement must have a subject")
	case r.Commit.ID.IsZero():
		return errors.New("no commit was collected: a statement must name one")
	case r.Pipeline.BuilderID == "":
		return Misuse("give --builder-id", "no builder id is known: a statement must name its builder")
	}
	return nil
}
