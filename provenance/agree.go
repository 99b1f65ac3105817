package provenance

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// Disagreement is something that two records say differently, though both may be about the same image.
type Disagreement struct {
	About string // "commit", "data" or "model"
	A, B  string // what each says
}

// Disagreements compares what two records say of commit, data and model: by digest, wherever the things lie.
func Disagreements(a, b Record) (all []Disagreement) {
	for _, about := range []struct {
		what string
		of   func(Record) string
	}{{"commit", commitOf}, {"data", dataOf}, {"model", modelOf}} {
		if x, y := about.of(a), about.of(b); x != y {
			all = append(all, Disagreement{about.what, x, y})
		}
	}
	return all
}

func commitOf(r Record) string { return r.Commit.ID.String() }

// dataOf is what the folders hold, and what each was for.
func dataOf(r Record) string {
	var all []string
	for _, f := range r.Data {
		all = append(all, f.Role+" "+f.Digest.String())
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

func modelOf(r Record) string {
	if r.Model == nil {
		return ""
	}
	return r.Model.Digest.String()
}

// SameBuild tells whether theirs is of the same build as mine and says the same: all is equal but for clocks, for the digests
// of stored answers, which hold clocks of their own, and for whether digests were reused. A digest that was read anew says
// more than one that was reused, so mine may not be known better.
func SameBuild(mine, theirs Record) bool {
	mineBytes, errMine := json.Marshal(mine.timeless())
	theirBytes, errTheirs := json.Marshal(theirs.timeless())
	if errMine != nil || errTheirs != nil || !bytes.Equal(mineBytes, theirBytes) {
		return false
	}
	for i, f := range mine.Data {
		if !theirs.Data[i].Of("digest").AtLeast(f.Of("digest")) {
			return false
		}
	}
	return true
}

// timeless is the record without clocks, without the digests of stored answers, and without what says when and by whom each
// file was read: the indexes of folders, and what was reused.
func (r Record) timeless() Record {
	r.Pipeline.Started, r.Pipeline.Finished = time.Time{}, time.Time{}
	folders := make([]Folder, len(r.Data))
	for i, f := range r.Data {
		folders[i] = f.timeless()
	}
	r.Data = folders
	if r.Model = copyOf(r.Model); r.Model != nil {
		r.Model.Copies = slices.Clone(r.Model.Copies)
		for i := range r.Model.Copies {
			r.Model.Copies[i].Read = time.Time{}
		}
	}
	r.Checks = slices.Clone(r.Checks)
	for i := range r.Checks {
		if r.Checks[i].Name == CheckRoles { // as good as the digests, which may have been reused
			r.Checks[i].Basis = ""
		}
	}
	return r.withoutAnswers()
}

// withoutAnswers leaves out when services were asked, and what they answered to the byte.
func (r Record) withoutAnswers() Record {
	r.Databricks, r.MLflow = copyOf(r.Databricks), copyOf(r.MLflow)
	r.Build, r.Release, r.Review = copyOf(r.Build), copyOf(r.Release), copyOf(r.Review)
	r.Registered = slices.Clone(r.Registered)
	for i := range r.Registered {
		r.Registered[i].timeless()
	}
	if r.Databricks != nil {
		r.Databricks.timeless()
	}
	if r.MLflow != nil {
		r.MLflow.timeless()
	}
	if r.Build != nil {
		r.Build.timeless()
	}
	if r.Release != nil {
		r.Release.timeless()
		r.Release.Logs = Stored{}
	}
	if r.Review != nil {
		r.Review.timeless()
	}
	return r
}

// copyOf is a pointer to a copy.
func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

func (f Folder) timeless() Folder {
	f.Index, f.ProtectionAnswer = Stored{}, Stored{}
	f.Listed, f.Reused, f.Resumed = time.Time{}, nil, 0
	f.BasisOf = maps.Clone(f.BasisOf)
	delete(f.BasisOf, "digest")
	if f.Protection != nil {
		p := *f.Protection
		p.AskedAt, p.RequestID = time.Time{}, ""
		f.Protection = &p
	}
	return f
}
