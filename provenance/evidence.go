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

// Evidence is what one source found out: one noun of the Record, or [Several]. It is implemented, by value, by [Image],
// [Pipeline], [Commit], [Folder], [DatabricksRun], [Notebook], [MLflowRun], [RegisteredModel], [Model], [Build], [Release],
// [Review], [Tool] and [IDsOnly].
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

// Several are nouns that one source found out together.
type Several []Evidence

func (s Several) addTo(r *Record) error {
	for _, e := range s {
		if err := e.addTo(r); err != nil {
			return err
		}
	}
	return nil
}

// addOnce puts the only noun of its kind into its place.
func addOnce[T any](place **T, noun T, what string) error {
	if *place != nil {
		return fmt.Errorf("%s %w", what, errTwice)
	}
	*place = &noun
	return nil
}

func (d DatabricksRun) addTo(r *Record) error { return addOnce(&r.Databricks, d, "Databricks run") }
func (m MLflowRun) addTo(r *Record) error     { return addOnce(&r.MLflow, m, "MLflow run") }
func (m Model) addTo(r *Record) error         { return addOnce(&r.Model, m, "model") }
func (b Build) addTo(r *Record) error         { return addOnce(&r.Build, b, "build") }
func (l Release) addTo(r *Record) error       { return addOnce(&r.Release, l, "release") }
func (w Review) addTo(r *Record) error        { return addOnce(&r.Review, w, "review") }

// addTo lets a notebook be run in several ways: what counts is who runs it, and how.
func (n Notebook) addTo(r *Record) error {
	for _, other := range r.Notebooks {
		if other.Path == n.Path && other.By == n.By && other.How == n.How {
			return fmt.Errorf("notebook %s %w", n.Path, errTwice)
		}
	}
	r.Notebooks = append(r.Notebooks, n)
	return nil
}

func (m RegisteredModel) addTo(r *Record) error {
	for _, other := range r.Registered {
		if other.Registry == m.Registry {
			return fmt.Errorf("model registered in %s %w", m.Registry, errTwice)
		}
	}
	r.Registered = append(r.Registered, m)
	return nil
}

func (t Tool) addTo(r *Record) error {
	r.Tool = t
	return nil
}

// Beside lists what lies beside the image, each digest once; redacted is the part of it that services or people wrote, and that
// could hold a secret of theirs.
func Beside(evidence ...Evidence) (all, redacted []Stored, err error) {
	var r Record
	for _, e := range evidence {
		if err := e.addTo(&r); err != nil {
			return nil, nil, err
		}
	}
	r.copyPeople()
	if err := r.withhold(r.known()); err != nil {
		return nil, nil, err
	}
	return r.Stored(), r.Answers(), nil
}

// gather joins evidence into one record. The order of the evidence does not matter: lists are sorted.
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
	slices.SortStableFunc(record.Notebooks, func(a, b Notebook) int {
		return cmp.Or(cmp.Compare(a.By, b.By), cmp.Compare(a.How, b.How), cmp.Compare(a.Path, b.Path))
	})
	slices.SortStableFunc(record.Registered, func(a, b RegisteredModel) int { return cmp.Compare(a.Registry, b.Registry) })
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
