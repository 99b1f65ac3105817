package report

import (
	"fmt"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify"
)

// dataFacts are what is known of each folder: what it is, what it holds, what became of it, how it is protected, and whether
// the model was trained on it.
func dataFacts(folders []provenance.Folder, rechecks []verify.Rechecked) (lines []fact) {
	if len(folders) == 0 {
		return []fact{{"data", "none recorded", ""}}
	}
	for i, f := range folders {
		label := "data"
		if i > 0 {
			label = ""
		}
		var again verify.Rechecked
		if i < len(rechecks) {
			again = rechecks[i]
		}
		lines = append(lines, fact{label, f.URI, "used for " + f.Role + ": " + known(f.Of("role"), "pipeline")}, digestFact(f, again))
		lines = append(lines, changeFacts(again)...)
		lines = append(lines, readFacts(f)...)
		lines = append(lines, deltaFacts(f)...)
		lines = append(lines, protectionFacts(f)...)
		lines = append(lines, trainedFacts(f)...)
		lines = append(lines, sharedFacts(f)...)
	}
	return lines
}

// digestFact is what a folder held, and whether it still does.
func digestFact(f provenance.Folder, again verify.Rechecked) fact {
	checked := "not re-checked"
	if again.Mode == verify.RecheckListing || again.Mode == verify.RecheckContent {
		checked = string(again.Mode) + " re-checked now"
	}
	if !again.Changes.None() {
		checked += ", and changed"
	}
	return fact{"", join("  ", plural(f.Files, "file"), size(f.Bytes), "dirHash "+f.Digest.Short()), known(f.Of("digest"), digestSource(f)) + "; " + checked}
}

// digestSource is who vouches for a digest that the builder did not compute.
func digestSource(f provenance.Folder) string {
	switch {
	case f.Imported != nil && f.Imported.SealedBy != "":
		return short(f.Imported.SealedBy)
	case f.Imported != nil:
		return "imported"
	case f.Resumed > 0:
		return "resumed"
	case f.Reused != nil:
		return "earlier attestation"
	}
	return "manifest"
}

// changeFacts are the files that changed since, one a line.
func changeFacts(again verify.Rechecked) (lines []fact) {
	for _, kind := range again.Changes.Kinds(again.Recorded) {
		for _, file := range kind.Files {
			lines = append(lines, fact{"", pad(kind.Verb, len("modified")) + "  " + file, "checked now"})
		}
		if kind.More > 0 {
			lines = append(lines, fact{"", fmt.Sprintf("%s  %d more", pad(kind.Verb, len("modified")), kind.More), "checked now"})
		}
	}
	return lines
}

// readFacts say which digests this run of the builder did not compute.
func readFacts(f provenance.Folder) (lines []fact) {
	if r := f.Reused; r != nil {
		since := ""
		if !r.ReadSince.IsZero() {
			since = "read since " + moment(r.ReadSince)
		}
		lines = append(lines, fact{"", join(", ", fmt.Sprintf("%s (%s) reused", plural(r.Files, "digest"), size(r.Bytes)), since),
			known(provenance.Signed, "statement "+short(r.Previous.String()))})
	}
	if i := f.Imported; i != nil {
		line := fact{"", fmt.Sprintf("%s imported from %s", plural(i.Files, "digest"), plural(int64(i.Parts), "part")), "declared: nobody sealed them"}
		if i.SealedBy != "" {
			line.known = known(provenance.Signed, short(i.SealedBy))
		}
		lines = append(lines, line)
	}
	if f.Resumed > 0 {
		lines = append(lines, fact{"", plural(f.Resumed, "digest") + " left behind by an interrupted run", known(provenance.Declared, "agent")})
	}
	return lines
}

// deltaFacts say which snapshot of a Delta table it is.
func deltaFacts(f provenance.Folder) []fact {
	d := f.Delta
	if d == nil {
		return nil
	}
	why := map[string]string{"version": "as asked", "run start": "current when the run started", "now": "current when it was recorded"}[d.Asked]
	committed, vectors := "", ""
	if !d.Committed.IsZero() {
		committed = "committed " + moment(d.Committed)
	}
	if d.DeletionVectors > 0 {
		vectors = plural(d.DeletionVectors, "deletion vector")
	}
	return []fact{{"", join(", ", fmt.Sprintf("Delta table version %d", d.Version), why), known(f.Of("delta"), "Delta log")},
		{"", join(", ", plural(d.DataFiles, "data file"), vectors, committed), known(f.Of("delta"), "Delta log")}}
}

// protectionFacts say how a folder is protected, and what weakens that.
func protectionFacts(f provenance.Folder) []fact {
	who := known(f.Of("immutability"), "Azure")
	until := ", nobody says until when"
	if p := f.Protection; p != nil && !p.Until.IsZero() {
		until = " until " + day(p.Until)
	}
	switch f.Immutability {
	case provenance.GradeLocked:
		return []fact{{"", "locked" + until, who}}
	case provenance.GradeLockedAppend:
		return []fact{{"", "locked" + until, who}, {"", "warning: append writes are allowed" + appendTo(f.Protection) + ": files can grow", who}}
	case provenance.GradeVersionWORM:
		return []fact{{"", "every file locked" + until, who}}
	case provenance.GradeUnlocked:
		return []fact{{"", "not locked: its retention policy" + period(f.Protection) + " can be shortened or deleted", who}}
	case provenance.GradeLegalHold:
		return []fact{{"", "not locked: a legal hold" + holds(f.Protection) + ", which can be cleared at any time", who}}
	case provenance.GradeNone:
		return []fact{{"", "not locked: nothing protects it", who}}
	case provenance.GradeUnknown, "":
		return []fact{{"", "not known whether it is locked" + unknown(f.Protection), ""}}
	}
	return []fact{{"", "immutability " + f.Immutability, who}}
}

func appendTo(p *provenance.Protection) string {
	if p == nil || p.Policy == nil || p.Policy.AppendWrites == "" {
		return ""
	}
	return " (" + p.Policy.AppendWrites + ")"
}

func period(p *provenance.Protection) string {
	if p == nil || p.Policy == nil || p.Policy.Days == 0 {
		return ""
	}
	return " of " + plural(int64(p.Policy.Days), "day")
}

func holds(p *provenance.Protection) string {
	var tags []string
	if p != nil {
		for _, h := range p.LegalHolds {
			tags = append(tags, h.Tag)
		}
	}
	if tags == nil {
		return ""
	}
	return " (" + strings.Join(tags, ", ") + ")"
}

func unknown(p *provenance.Protection) string {
	if p == nil || p.Unknown == "" {
		return ""
	}
	return ": " + p.Unknown
}

// trainedFacts say how well the link between folder and model is known, and why.
func trainedFacts(f provenance.Folder) []fact {
	link := "link to the model"
	if f.Role == "train" {
		link = "trained on it"
	}
	line := fact{"", link + ": " + f.TrainedOn, known(f.BasisOf["trainedOn"], "pipeline")}
	if f.Of("trainedOn") == provenance.Reported {
		line.known = known(provenance.Reported, "storage, Databricks")
	}
	if f.Before == nil {
		return []fact{line}
	}
	before := fact{"", "listed before training, " + moment(f.Before.Listed) + ", and the same since", "declared: nobody sealed it"}
	if !f.Before.Same {
		before.value = "listed before training, " + moment(f.Before.Listed) + ", and changed since"
	}
	if f.Before.SealedBy != "" {
		before.known = known(provenance.Signed, short(f.Before.SealedBy))
	}
	return []fact{line, before}
}

// sharedFacts name the files that folders of other roles hold, too.
func sharedFacts(f provenance.Folder) (lines []fact) {
	for _, s := range f.Shared {
		names := strings.Join(s.Names[:min(len(s.Names), verify.MaxNamed)], ", ")
		if int64(min(len(s.Names), verify.MaxNamed)) < s.Files {
			names += ", …"
		}
		lines = append(lines, fact{"", fmt.Sprintf("warning: %s also in %s %s: %s", plural(s.Files, "file"), s.Role, s.URI, names), known(f.Of("digest"), digestSource(f))})
	}
	return lines
}
