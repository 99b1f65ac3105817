package provenance

import (
	"strings"
	"testing"
	"time"
)

// TestTrainedOn: the link is reported only when nothing is missing that would prove it.
func TestTrainedOn(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Folder, *DatabricksRun)
		basis  Basis
		why    string
	}{
		"proved": {func(*Folder, *DatabricksRun) {}, Reported,
			"no file is newer than the run's start, and the sealed listing from before it is the one at recording"},
		"modified at the very start": {func(f *Folder, r *DatabricksRun) { f.Newest = r.Started }, Reported, "no file is newer"},
		"listed at the very start":   {func(f *Folder, r *DatabricksRun) { f.Before.Listed = r.Started }, Reported, "no file is newer"},
		"listing differs": {func(f *Folder, _ *DatabricksRun) { f.Before.Same, f.Before.Changes = false, "1 removed (a.csv)" }, Declared,
			"the listing from before training differs: 1 removed (a.csv)"},
		"nothing kept files": {func(f *Folder, _ *DatabricksRun) { f.Immutability, f.Protection = GradeNone, nil }, Declared,
			"no file is newer than the run's start, and the sealed listing from before it is the one at recording; but nothing kept a file from being added and removed"},
		"locked during training": {func(f *Folder, r *DatabricksRun) {
			f.Protection.Policy.Updates[1].At, f.Protection.LegalHolds = r.Started.Add(time.Second), nil
		}, Declared, "no file is newer"},
		"locked until then only": {func(f *Folder, r *DatabricksRun) {
			f.Protection.Until, f.Protection.LegalHolds = f.Listed, nil
		}, Declared, "no file is newer"},
		"locked, and held": {func(f *Folder, r *DatabricksRun) { f.Protection.Policy.Updates[1].At = r.Ended }, Reported, "no file is newer"},
		"held":             {func(f *Folder, r *DatabricksRun) { f.Immutability, f.Protection.Policy = GradeLegalHold, nil }, Reported, "no file is newer"},
		"held since training": {func(f *Folder, r *DatabricksRun) {
			f.Immutability, f.Protection.Policy, f.Protection.LegalHolds[0].Since = GradeLegalHold, nil, r.Started.Add(time.Second)
		}, Declared, "no file is newer"},
		"versions are kept":      {func(f *Folder, r *DatabricksRun) { f.Immutability = GradeVersionWORM }, Declared, "no file is newer"},
		"protection is declared": {func(f *Folder, r *DatabricksRun) { f.BasisOf["protection"] = Declared }, Declared, "no file is newer"},
		"a table that nothing kept": {func(f *Folder, r *DatabricksRun) {
			f.Immutability, f.Protection, f.Delta = GradeNone, nil, &DeltaTable{}
		}, Declared, "no file is newer"},
		"a version of a table": {func(f *Folder, r *DatabricksRun) { f.Delta = &DeltaTable{Asked: "run start", Version: 4, Newest: 4} }, Reported, "no file is newer"},
		"a table that has moved on": {func(f *Folder, r *DatabricksRun) { f.Delta = &DeltaTable{Asked: "run start", Version: 4, Newest: 5} }, Declared,
			"named by the pipeline; the table has got versions up to 5 since"},
		"a version that was named": {func(f *Folder, r *DatabricksRun) { f.Delta = &DeltaTable{Asked: "version", Version: 4, Newest: 5} }, Reported, "no file is newer"},
		"no start": {func(_ *Folder, r *DatabricksRun) { r.Started = time.Time{} }, Declared,
			"named by the pipeline; the listing from before training is the one at recording; no run says when training started"},
		"no start and no listing": {func(f *Folder, r *DatabricksRun) { f.Before, r.Started = nil, time.Time{} }, Declared,
			"named by the pipeline; no run says when training started"},
		"no times": {func(f *Folder, _ *DatabricksRun) { f.Newest = time.Time{} }, Declared,
			"named by the pipeline; the listing from before training is the one at recording; nobody says when its files were modified"},
		"modified during training": {func(f *Folder, r *DatabricksRun) { f.Newest = r.Started.Add(time.Minute) }, Declared,
			"a file was modified at 2026-11-23T02:02:00Z, after the run had started at 2026-11-23T02:01:00Z"},
		"no listing": {func(f *Folder, _ *DatabricksRun) { f.Before = nil }, Declared,
			"named by the pipeline; no file is newer than the run's start, but no listing from before it tells whether any was removed"},
		"listed during training": {func(f *Folder, r *DatabricksRun) { f.Before.Listed = r.Started.Add(time.Second) }, Declared,
			"the listing was taken at 2026-11-23T02:01:01Z, after the run had started at 2026-11-23T02:01:00Z"},
		"listing not sealed": {func(f *Folder, _ *DatabricksRun) { f.Before.SealedBy = "" }, Declared,
			"named by the pipeline; the listing from before training is the one at recording; but nobody sealed it"},
		"times of a local disk": {func(f *Folder, _ *DatabricksRun) { f.BasisOf["newest"] = Declared }, Declared,
			"named by the pipeline; the listing from before training is the one at recording; the files' times are those of a local disk, which anybody can set"},
	} {
		t.Run(name, func(t *testing.T) {
			f, run := find[Folder](example(t)), find[DatabricksRun](example(t))
			c.change(&f, &run)
			r := Record{Data: []Folder{f}, Databricks: &run}
			r.tieTraining()
			if got := r.Data[0]; !strings.HasPrefix(got.TrainedOn, c.why) || got.Of("trainedOn") != c.basis {
				t.Errorf("%s: %q, want %s: %q", got.Of("trainedOn"), got.TrainedOn, c.basis, c.why)
			}
		})
	}
}

func TestTrainedOnWithoutARun(t *testing.T) {
	r := Record{Data: []Folder{find[Folder](example(t))}}
	r.tieTraining()
	if got := r.Data[0]; got.Of("trainedOn") != Declared || !strings.HasSuffix(got.TrainedOn, "no run says when training started") {
		t.Errorf("%s: %q", got.Of("trainedOn"), got.TrainedOn)
	}
}

// TestTyingLeavesTheEvidence: a caller's own map is not written to.
func TestTyingLeavesTheEvidence(t *testing.T) {
	evidence := example(t)
	f := find[Folder](evidence)
	write(t, evidence...)
	if _, there := f.BasisOf["trainedOn"]; there {
		t.Error("the statement changed its evidence")
	}
}
