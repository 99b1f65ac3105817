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
		f.TrainedOn, f.BasisOf = why, withBasis(f.BasisOf, "trainedOn", basis)
	}
}

// withBasis is a copy of m with one more entry.
func withBasis(m map[string]Basis, name string, basis Basis) map[string]Basis {
	out := map[string]Basis{name: basis}
	for k, v := range m {
		if k != name {
			out[k] = v
		}
	}
	return out
}

// trainedOn tells whether the folder was the same from the run's start to the recording, and why.
func (r *Record) trainedOn(f Folder) (why string, proved bool) {
	const named = "named by the pipeline; "
	switch b := f.Before; {
	case b != nil && !b.Same:
		return "the listing from before training differs: " + b.Changes, false
	case r.Databricks == nil || r.Databricks.Started.IsZero():
		return named + unchanged(b) + "no run says when training started", false
	case f.Newest.IsZero():
		return named + unchanged(b) + "nobody says when its files were modified", false
	case f.Newest.After(r.Databricks.Started):
		return fmt.Sprintf("a file was modified at %s, after the run had started at %s", wireText(f.Newest), wireText(r.Databricks.Started)), false
	case b == nil:
		return named + "no file is newer than the run's start, but no listing from before it tells whether any was removed", false
	case b.Listed.After(r.Databricks.Started):
		return fmt.Sprintf("the listing was taken at %s, after the run had started at %s", wireText(b.Listed), wireText(r.Databricks.Started)), false
	case b.SealedBy == "":
		return named + unchanged(b) + "but nobody sealed it, so it is what the pipeline says", false
	case f.Of("newest") != Reported:
		return named + unchanged(b) + "the files' times are those of a local disk, which anybody can set", false
	}
	if d := f.Delta; d != nil && d.Asked != "version" && d.Newest > d.Version {
		return fmt.Sprintf("%sthe table has got versions up to %d since, and a reader that starts late takes the newest", named, d.Newest), false
	}
	const same = "no file is newer than the run's start, and the sealed listing from before it is the one at recording"
	if f.keptSince(r.Databricks.Started) {
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

func wireText(t time.Time) string { return t.UTC().Format(time.RFC3339) }
