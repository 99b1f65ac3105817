package folder

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// Retained is what a listing shows of the retention that blobs have of their own, under version-level immutability.
type Retained struct {
	Until time.Time // the earliest end
	All   bool      // every blob has a locked one
}

// Protect grades how well a folder is protected, and records what the grade rests on: what the storage itself says, what Azure
// Resource Manager says (nil: it was not asked), and what the listing shows. f.Oldest must be set.
//
// A boolean never makes a grade but "none", and that only when everything that could protect the folder is known to be absent.
// Where the two contradict each other the grade is unknown, with the reason in Protection.Unknown.
func Protect(f *provenance.Folder, plane storage.Protection, arm *provenance.Protection, own Retained) {
	g := grading{plane, arm, own}
	grade, why := g.grade()
	basis := provenance.Declared
	if g.told() {
		basis = provenance.Reported
	}
	f.Immutability = grade
	f.BasisOf = maps.Clone(f.BasisOf)
	if f.BasisOf == nil {
		f.BasisOf = map[string]provenance.Basis{}
	}
	f.BasisOf["immutability"] = basis
	if f.Protection = g.protection(); f.Protection != nil {
		f.BasisOf["protection"] = basis
		f.Protection.Until = g.until(grade, f.Oldest)
		f.Protection.Unknown = g.unknown(why)
	}
}

// grading is everything that a grade rests on.
type grading struct {
	plane storage.Protection
	arm   *provenance.Protection
	own   Retained
}

// grade is the grade; why is empty unless it is unknown.
func (g grading) grade() (grade, why string) {
	if why := g.contradiction(); why != "" {
		return provenance.GradeUnknown, why
	}
	state, appends := g.policy()
	switch {
	case state == "Locked" && appends:
		return provenance.GradeLockedAppend, ""
	case state == "Locked":
		return provenance.GradeLocked, ""
	case g.own.All:
		return provenance.GradeVersionWORM, ""
	case g.arm != nil && len(g.arm.LegalHolds) > 0:
		return provenance.GradeLegalHold, ""
	case state == "Unlocked":
		return provenance.GradeUnlocked, ""
	case state == "" && g.bare():
		return provenance.GradeNone, ""
	}
	return provenance.GradeUnknown, g.gap()
}

// policy is the state of the container's policy, and whether it lets blobs grow.
func (g grading) policy() (state string, appends bool) {
	if g.arm == nil || g.arm.Policy == nil {
		return "", false
	}
	return g.arm.Policy.State, g.arm.Policy.AppendWrites != ""
}

// contradiction is what the two sides say differently. They are asked one after the other, so it may also be a change between.
func (g grading) contradiction() string {
	if g.own.All && is(g.plane.VersionWORM, false) {
		return "the blobs have retentions of their own, in a container that the storage says has no version-level immutability"
	}
	if g.arm == nil {
		return ""
	}
	complete := g.arm.Unknown == "" // it says that no blob has a retention of its own, and shows the policy if there is one
	switch hold := len(g.arm.LegalHolds) > 0; {
	case g.plane.Account != g.arm.Account || g.plane.Container != g.arm.Container:
		return "the storage and Azure Resource Manager were asked about different containers"
	case complete && is(g.plane.Policy, g.arm.Policy == nil):
		return differ("a retention policy", g.arm.Policy == nil)
	case is(g.plane.Hold, !hold):
		return differ("a legal hold", !hold)
	case is(g.plane.VersionWORM, complete) || complete && g.own.All:
		return differ("version-level immutability", complete)
	case is(g.plane.Hierarchical, g.arm.Namespace == "flat") && g.arm.Namespace != "":
		return differ("a hierarchical namespace", g.arm.Namespace == "flat")
	}
	return ""
}

// differ says who says that there is something.
func differ(what string, plane bool) string {
	if plane {
		return "the storage says that there is " + what + ", and Azure Resource Manager that there is none"
	}
	return "Azure Resource Manager says that there is " + what + ", and the storage that there is none"
}

// is tells whether b is known to be what it is compared with.
func is(b *bool, want bool) bool { return b != nil && *b == want }

// bare tells whether everything that could protect the folder is known to be absent. What is present has been graded before.
func (g grading) bare() bool {
	if g.arm != nil {
		return g.arm.Unknown == ""
	}
	return is(g.plane.Policy, false) && is(g.plane.Hold, false) && is(g.plane.VersionWORM, false)
}

// gap is what would have to be known for a grade.
func (g grading) gap() string {
	switch {
	case is(g.plane.VersionWORM, true) || g.arm != nil && g.arm.Unknown != "":
		return "not every blob is known to have a locked retention of its own"
	case g.arm != nil:
		return "the policy is neither locked nor unlocked"
	case is(g.plane.Policy, true) || is(g.plane.Hold, true):
		return "the storage says that there is a policy or a legal hold, and Azure Resource Manager, which knows of what kind, was not asked"
	}
	return "Azure Resource Manager was not asked"
}

// told tells whether anybody answered anything.
func (g grading) told() bool {
	return g.arm != nil || g.own.All || g.plane.Policy != nil || g.plane.Hold != nil || g.plane.VersionWORM != nil
}

// protection is what is recorded of both sides; nil when there is no container.
func (g grading) protection() *provenance.Protection {
	p := provenance.Protection{Account: g.plane.Account, Container: g.plane.Container, AskedAt: g.plane.AskedAt}
	if g.arm != nil {
		p = *g.arm
	}
	if p.Namespace == "" && g.plane.Hierarchical != nil {
		p.Namespace = "flat"
		if *g.plane.Hierarchical {
			p.Namespace = "hierarchical"
		}
	}
	if p.Account == "" {
		return nil
	}
	return &p
}

// until is when the first file loses its protection by time.
func (g grading) until(grade string, oldest time.Time) time.Time {
	switch {
	case grade == provenance.GradeUnknown:
		return time.Time{}
	case grade == provenance.GradeVersionWORM:
		return g.own.Until
	case g.arm == nil || g.arm.Policy == nil || oldest.IsZero():
		return time.Time{}
	}
	return oldest.AddDate(0, 0, g.arm.Policy.Days)
}

// unknown joins all reasons why something is not known, each once.
func (g grading) unknown(why string) string {
	reasons := []string{why}
	if g.arm != nil {
		reasons = append(reasons, g.arm.Unknown)
	}
	if g.arm == nil || g.arm.Namespace == "" && g.plane.Hierarchical == nil {
		reasons = append(reasons, g.plane.Why)
	}
	reasons = slices.DeleteFunc(reasons, func(s string) bool { return s == "" })
	return strings.Join(slices.Compact(reasons), "; ")
}
