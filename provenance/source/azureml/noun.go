package azureml

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// noun is the model as it is recorded.
func (w *amlAsker) noun(told amlTold) (m provenance.RegisteredModel, err error) {
	v, v1 := told.version, told.v1
	if err := w.registered(v, v1); err != nil {
		return m, err
	}
	p := v.Properties
	m = provenance.RegisteredModel{
		Grounds:  provenance.Grounds{Basis: provenance.Reported, BasisOf: map[string]provenance.Basis{}},
		Registry: "azureml", URI: w.arm.HTTP.Host() + w.id, Name: w.name, Version: w.version,
		Kind: foreign.Plain(p.ModelType), Stage: foreign.Plain(p.Stage), Status: foreign.Plain(p.ProvisioningState), RunID: foreign.Plain(p.JobName), Source: amlPlain(p.ModelURI),
		Creator: person(v.SystemData.CreatedBy, ""), Tags: foreign.Parameters(p.Tags), Properties: foreign.Parameters(p.Properties),
	}
	if p.IsArchived {
		m.Status = "archived"
	}
	if err := w.addTimes(&m, *v); err != nil {
		return m, err
	}
	if v1.model != nil {
		if err := w.addV1(&m, *v, v1); err != nil {
			return m, err
		}
	}
	addTaggedRun(&m)
	if m.Services, err = w.services(told); err != nil {
		return m, err
	}
	declareAML(&m)
	return m, nil
}

// declareAML says which facts are only what somebody set.
func declareAML(m *provenance.RegisteredModel) {
	set := map[string]bool{"tags": len(m.Tags) > 0, "properties": len(m.Properties) > 0, "inputs": len(m.Inputs) > 0, "taggedRunId": m.TaggedRunID != ""}
	for name, there := range set {
		if there {
			m.BasisOf[name] = provenance.Declared
		}
	}
	if len(m.BasisOf) == 0 {
		m.BasisOf = nil
	}
}

// registered refuses a version that is not there, or not wholly.
func (w *amlAsker) registered(v *amlVersion, v1 amlV1) error {
	switch {
	case v == nil && v1.model != nil:
		return w.contradiction("v1 knows the version, and v2 does not")
	case v == nil:
		return provenance.Refuse("model.missing", "is it registered in another workspace, or with another version?",
			"%s is not registered in the Azure ML workspace %s", w.what(), w.workspace)
	case v1.missing && allDigits(w.version):
		return w.contradiction("v2 knows the version, and v1 does not")
	}
	if state := v.Properties.ProvisioningState; state != "" && state != "Succeeded" {
		return provenance.Refuse("model.state", "record a version that is wholly registered",
			"%s in the Azure ML workspace %s is %s", w.what(), w.workspace, foreign.Plain(state))
	}
	return nil
}

// contradiction is the error for two APIs that do not agree about one model.
func (w *amlAsker) contradiction(how string) error {
	return provenance.WithHint(fmt.Errorf("%s, reading %s: its two APIs contradict each other: %s", amlService, w.what(), w.arm.Used.Mask(how)),
		"was the model registered anew in between? then record again")
}

func (w *amlAsker) addTimes(m *provenance.RegisteredModel, v amlVersion) (err error) {
	if m.Created, err = amlTime(v.SystemData.CreatedAt); err == nil {
		m.Updated, err = amlTime(v.SystemData.LastModifiedAt)
	}
	if err != nil {
		return w.arm.Nonsense("reading "+w.what(), err)
	}
	return nil
}

// addV1 adds what only v1 knows, and compares what both know.
func (w *amlAsker) addV1(m *provenance.RegisteredModel, v amlVersion, v1 amlV1) error {
	old := *v1.model
	if err := w.agree(v, v1); err != nil {
		return err
	}
	m.RunID, m.Source = cmp.Or(m.RunID, foreign.Plain(old.RunID)), cmp.Or(m.Source, amlPlain(old.URL))
	m.Experiment = foreign.Plain(old.ExperimentName)
	m.Creator = person(cmp.Or(old.CreatedBy.Name, v.SystemData.CreatedBy), old.CreatedBy.ObjectID)
	for _, d := range old.Datasets {
		m.Inputs = append(m.Inputs, input(d))
	}
	m.Tags, m.Properties = joinedTables(foreign.Parameters(old.Tags), m.Tags), joinedTables(foreign.Parameters(old.Properties), m.Properties)
	if !m.Created.IsZero() {
		return nil
	}
	var err error
	if m.Created, err = amlTime(old.CreatedTime); err != nil {
		return w.v1.Nonsense("reading "+w.what(), err)
	}
	return nil
}

// joinedTables has the entries of both tables; where both have one, that of the second.
func joinedTables(first, second map[string]string) map[string]string {
	if len(first) == 0 {
		return second
	}
	out := maps.Clone(first)
	maps.Copy(out, second)
	return out
}

// agree compares what both APIs say of the model's run and of its files.
func (w *amlAsker) agree(v amlVersion, v1 amlV1) error {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	old := *v1.model
	if differ(v.Properties.JobName, old.RunID) {
		return w.contradiction(fmt.Sprintf("it comes from run %q, or from run %q", foreign.Plain(v.Properties.JobName), foreign.Plain(old.RunID)))
	}
	if new, old := v.Properties.Tags[runTag], old.Tags[runTag]; differ(new, old) {
		return w.contradiction(fmt.Sprintf("its tag %s is %q, or %q", runTag, foreign.Plain(new), foreign.Plain(old)))
	}
	places := v1.places(w)
	place, err := w.parsePlace(v.uri)
	if err != nil || place.asset != "" {
		return nil // nothing that could be compared
	}
	for _, other := range places {
		if (other.storage == "") == (place.storage == "") && !place.holds(other) && !other.holds(place) {
			return w.contradiction(fmt.Sprintf("its files lie at %s, or at %s", foreign.Plain(place.String()), foreign.Plain(other.String())))
		}
	}
	return nil
}

// places are where v1 says that the model's files lie, as far as that can be read.
func (v amlV1) places(w *amlAsker) (all []amlPlace) {
	uris := []string{v.model.url}
	if v.asset != nil {
		uris = v.asset.uris()
	}
	for _, uri := range uris {
		if place, err := w.parsePlace(uri); err == nil && place.asset == "" {
			all = append(all, place)
		}
	}
	return all
}

// runTag is the tag in which pipelines keep the id of the run that trained a model.
// Source: https://github.com/rebremer/devopsai_databricks
const runTag = "run_id"

// addTaggedRun takes the run that a tag names: of a Databricks job when it is all digits, of MLflow otherwise. It stands in for a run
// that Azure ML does not name; beside one, it is kept apart.
func addTaggedRun(m *provenance.RegisteredModel) {
	tag := m.Tags[runTag]
	if tag == redact.Removed {
		tag = ""
	}
	switch {
	case m.RunID != "":
		m.RunIs = provenance.RunIsMLflow
		if tag != m.RunID {
			m.TaggedRunID = tag
		}
	case tag != "":
		m.RunID, m.RunIs = tag, provenance.RunIsMLflow
		if allDigits(tag) {
			m.RunIs = provenance.RunIsDatabricks
		}
		m.BasisOf["runId"] = provenance.Declared
	}
}

// input is a dataset that the model's author named. Its id is all there is to tell where it lies, unless it is a URI.
func input(d dataset) provenance.Dataset {
	in := provenance.Dataset{Name: amlPlain(d.ID), Kind: "azureml", Role: foreign.Plain(d.Name)}
	if id, snapshot, found := strings.Cut(d.ID, "/datasetSnapshotName/"); found {
		in.Name, in.Version = foreign.Plain(strings.TrimPrefix(id, "/datasetId/")), foreign.Plain(snapshot)
	}
	if strings.Contains(d.ID, "://") {
		in.Source = amlPlain(d.ID)
	}
	return in
}

// amlPlain is a URI without credentials, fit to be recorded.
func amlPlain(uri string) string { return foreign.Plain(redact.URL(uri)) }

// person is somebody with an object id, a name, or both.
func person(name, id string) provenance.Person {
	if name == redact.Removed {
		name = ""
	}
	p := foreign.User(name)
	if foreign.ObjectID().MatchString(id) {
		p.ID = strings.ToLower(id)
	}
	return p
}

// amlTime reads a time; without a zone it is UTC.
func amlTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05.999999999", s)
	}
	if err != nil {
		return time.Time{}, errors.New(`"` + foreign.Plain(s) + `" is no time`)
	}
	return t.UTC().Truncate(time.Second), nil
}
