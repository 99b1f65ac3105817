package provenance

import (
	"slices"
	"strings"
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
