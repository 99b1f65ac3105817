package provenance

import (
	"fmt"
	"slices"
	"time"
)

// tieTraining says for each folder how well it is known that the model was trained on it as it was recorded. The link is
// declared, unless the storage's clock and a sealed listing from before the run prove that nothing changed in between.
func (r *Record) tieTraining() {
	for i := range r.Data {
		f := &r.Data[i]
		why, proved := r.trainedOn(*f)
		basis := Declared
		if proved {
			basis = Reported
		}
		f.TrainedOn, f.Grounds = why, f.With("trainedOn", basis)
	}
}

// trainedOn tells whether the folder was the same from the run's start to the recording, and why.
func (r *Record) trainedOn(f Folder) (why string, proved bool) {
	started := r.trainingStarted()
	named := "named by the pipeline; "
	if r.logged(f) {
		named = "logged by the run as its input; "
	}
	switch b := f.Before; {
	case b != nil && !b.Same:
		return "the listing from before training differs: " + b.Changes, false
	case started.IsZero():
		return named + unchanged(b) + "no run says when training started", false
	case f.Newest.IsZero():
		return named + unchanged(b) + "nobody says when its files were modified", false
	case f.Newest.After(started):
		return fmt.Sprintf("a file was modified at %s, after the run had started at %s", wireText(f.Newest), wireText(started)), false
	case b == nil:
		return named + "no file is newer than the run's start, but no listing from before it tells whether any was removed", false
	case b.Listed.After(started):
		return fmt.Sprintf("the listing was taken at %s, after the run had started at %s", wireText(b.Listed), wireText(started)), false
	case b.SealedBy == "":
		return named + unchanged(b) + "but nobody sealed it, so it is what the pipeline says", false
	case f.Of("newest") != Reported:
		return named + unchanged(b) + "the files' times are those of a local disk, which anybody can set", false
	case r.Databricks == nil || r.Databricks.Started.IsZero():
		return named + unchanged(b) + "but when the run started is what its MLflow client said", false
	}
	if d := f.Delta; d != nil && d.Asked != "version" && d.Newest > d.Version {
		return fmt.Sprintf("%sthe table has got versions up to %d since, and a reader that starts late takes the newest", named, d.Newest), false
	}
	const same = "no file is newer than the run's start, and the sealed listing from before it is the one at recording"
	if f.keptSince(started) {
		return same + "; nothing could be removed in between", true
	}
	return same + "; but nothing kept a file from being added and removed again in between", false
}

// keptSince tells whether no file could be removed from the folder between then and the recording: a policy that was locked before
// then protects its files for longer, or a legal hold has been on since. Azure tells the time of both.
func (f Folder) keptSince(then time.Time) bool {
	p := f.Protection
	if p == nil || !f.Of("protection").AtLeast(Reported) {
		return false
	}
	locked := p.Policy != nil && slices.ContainsFunc(p.Policy.Updates, func(u PolicyUpdate) bool {
		return u.Update == "lock" && !u.At.IsZero() && !u.At.After(then)
	})
	held := slices.ContainsFunc(p.LegalHolds, func(h LegalHold) bool { return !h.Since.IsZero() && !h.Since.After(then) })
	switch f.Immutability {
	case GradeLocked, GradeLockedAppend:
		return held || locked && p.Until.After(f.Listed) && p.Until.After(p.AskedAt)
	case GradeLegalHold, GradeUnlocked:
		return held
	}
	return false
}

func unchanged(b *Before) string {
	if b == nil {
		return ""
	}
	return "the listing from before training is the one at recording; "
}

// trainingStarted is when the first of the recorded runs started; zero if none is recorded.
func (r *Record) trainingStarted() (first time.Time) {
	if r.Databricks != nil {
		first = r.Databricks.Started
	}
	if r.MLflow != nil && (first.IsZero() || !r.MLflow.Started.IsZero() && r.MLflow.Started.Before(first)) {
		first = r.MLflow.Started
	}
	return first
}

// logged tells whether a run, or a registry, names the folder, or something in it, as an input.
func (r *Record) logged(f Folder) bool {
	folder, err := ParsePlace(f.URI)
	return err == nil && slices.ContainsFunc(r.inputs(), func(in Dataset) bool {
		input, err := inputPlace(in.Source)
		return err == nil && input.Within(folder)
	})
}
