package folder

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

var update = flag.Bool("update", false, "write golden files")

// threeWays are what a boolean of the storage can be.
var threeWays = []*bool{nil, new(false), new(true)}

// armState is what Azure Resource Manager can say.
type armState struct {
	name string
	says *provenance.Protection
}

func armStates() []armState {
	states := []armState{{"-", nil}}
	for _, hold := range []bool{false, true} {
		for _, p := range []struct {
			name    string
			policy  *provenance.RetentionPolicy
			unknown string
		}{
			{"none", nil, ""},
			{"L", &provenance.RetentionPolicy{State: "Locked", Days: 365}, ""},
			{"L+some", &provenance.RetentionPolicy{State: "Locked", Days: 365, AppendWrites: "append-blobs"}, ""},
			{"L+all", &provenance.RetentionPolicy{State: "Locked", Days: 365, AppendWrites: "all-blobs"}, ""},
			{"U", &provenance.RetentionPolicy{State: "Unlocked", Days: 7}, ""},
			{"version", nil, "each blob's own retention counts"},
		} {
			says := &provenance.Protection{Account: "contoso", Container: "lake", Namespace: "flat", Policy: p.policy, Unknown: p.unknown, AskedAt: november(2)}
			if hold {
				p.name += ",H"
				says.LegalHolds = []provenance.LegalHold{{Tag: "case7"}}
			}
			states = append(states, armState{p.name, says})
		}
	}
	return states
}

func november(n int) time.Time { return time.Date(2026, 11, n, 12, 0, 0, 0, time.UTC) }

// eachCombination calls f for everything that the storage, the listing and Azure Resource Manager can say together.
func eachCombination(f func(row string, arm armState, g grading)) {
	for _, policy := range threeWays {
		for _, hold := range threeWays {
			for _, version := range threeWays {
				for _, all := range []bool{false, true} {
					row := fmt.Sprintf("%-6s %-5s %-7s %-6t", word(policy), word(hold), word(version), all)
					for _, arm := range armStates() {
						plane := storage.Protection{Account: "contoso", Container: "lake", Policy: policy, Hold: hold, VersionWORM: version,
							Hierarchical: new(false), AskedAt: november(3)}
						f(row, arm, grading{plane, arm.says, Retained{november(30), all}})
					}
				}
			}
		}
	}
}

func word(b *bool) string {
	switch {
	case b == nil:
		return "?"
	case *b:
		return "yes"
	}
	return "no"
}

func graded(g grading) provenance.Folder {
	f := provenance.Folder{Oldest: november(1), Grounds: provenance.Grounds{Basis: provenance.Observed, BasisOf: map[string]provenance.Basis{"role": provenance.Declared}}}
	Protect(&f, g.plane, g.arm, g.own)
	return f
}

// TestGrades compares the grade of every combination with testdata/grades.txt, which people have read.
func TestGrades(t *testing.T) {
	var table strings.Builder
	last := ""
	fmt.Fprintf(&table, "the storage says     each   Azure Resource Manager says\npolicy hold  version locked")
	for _, s := range armStates() {
		fmt.Fprintf(&table, " %-13s", s.name)
	}
	eachCombination(func(row string, _ armState, g grading) {
		if row != last {
			fmt.Fprintf(&table, "\n%s", row)
			last = row
		}
		fmt.Fprintf(&table, " %-13s", graded(g).Immutability)
	})
	got := regexp.MustCompile(` +\n`).ReplaceAllString(table.String()+"\n", "\n")
	if *update {
		if err := os.WriteFile("testdata/grades.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/grades.txt")
	if err != nil || got != string(want) {
		t.Errorf("%v: the grades are not those of testdata/grades.txt:\n%s", err, got)
	}
}

// TestGradesRest holds what must be true of every combination, whatever the table says.
func TestGradesRest(t *testing.T) {
	seen := map[string]int{}
	eachCombination(func(row string, arm armState, g grading) {
		f := graded(g)
		p, grade := f.Protection, f.Immutability
		seen[grade]++
		for rule, holds := range map[string]bool{
			"locked only by Azure Resource Manager": !strings.HasPrefix(grade, "locked") ||
				arm.says != nil && arm.says.Policy != nil && arm.says.Policy.State == "Locked" && !is(g.plane.Policy, false),
			"locked only if nothing grows":       grade != provenance.GradeLocked || arm.says.Policy.AppendWrites == "",
			"none only if nobody says otherwise": grade != provenance.GradeNone || !is(g.plane.Policy, true) && !is(g.plane.Hold, true) && !is(g.plane.VersionWORM, true) && !g.own.All,
			"none only if it is known": grade != provenance.GradeNone || arm.says != nil ||
				is(g.plane.Policy, false) && is(g.plane.Hold, false) && is(g.plane.VersionWORM, false),
			"version-worm only by every blob":  grade != provenance.GradeVersionWORM || g.own.All,
			"unknown has a reason":             grade != provenance.GradeUnknown || p.Unknown != "",
			"unknown and none promise no time": grade != provenance.GradeUnknown && grade != provenance.GradeNone || p.Until.IsZero(),
			"reported, or nobody was asked":    f.Of("immutability") == provenance.Reported || grade == provenance.GradeUnknown && arm.says == nil,
			"the ground stays":                 f.Of("role") == provenance.Declared && f.Of("protection") == f.Of("immutability"),
			"the container is named":           p.Account == "contoso" && p.Container == "lake" && p.Namespace == "flat",
			"the answer is left alone":         arm.says == nil || arm.says.Until.IsZero() && p != arm.says,
		} {
			if !holds {
				t.Errorf("%s, %s is %s: not %s (%+v)", row, arm.name, grade, rule, p)
			}
		}
	})
	for _, grade := range provenance.Grades {
		if seen[grade] == 0 {
			t.Errorf("no combination is %s", grade)
		}
	}
}

func TestProtectUntil(t *testing.T) {
	holds := []provenance.LegalHold{{Tag: "case7"}}
	for name, tt := range map[string]struct {
		arm    provenance.Protection
		own    Retained
		oldest time.Time
		grade  string
		want   time.Time
	}{
		"locked":                  {provenance.Protection{Policy: &provenance.RetentionPolicy{State: "Locked", Days: 365}}, Retained{}, november(1), "locked", november(1).AddDate(1, 0, 0)},
		"unlocked":                {provenance.Protection{Policy: &provenance.RetentionPolicy{State: "Unlocked", Days: 7}}, Retained{}, november(1), "unlocked", november(8)},
		"a hold":                  {provenance.Protection{LegalHolds: holds}, Retained{}, november(1), "legal-hold", time.Time{}},
		"a hold and unlocked":     {provenance.Protection{LegalHolds: holds, Policy: &provenance.RetentionPolicy{State: "Unlocked", Days: 7}}, Retained{}, november(1), "legal-hold", november(8)},
		"no creation time":        {provenance.Protection{Policy: &provenance.RetentionPolicy{State: "Locked", Days: 365}}, Retained{}, time.Time{}, "locked", time.Time{}},
		"each blob":               {provenance.Protection{Unknown: "x"}, Retained{november(20), true}, november(1), "version-worm", november(20)},
		"some blobs":              {provenance.Protection{Unknown: "x"}, Retained{november(20), false}, november(1), "unknown", time.Time{}},
		"a state of another time": {provenance.Protection{Policy: &provenance.RetentionPolicy{State: "Expired", Days: 7}}, Retained{}, november(1), "unknown", time.Time{}},
	} {
		f := provenance.Folder{Oldest: tt.oldest}
		Protect(&f, storage.Protection{}, &tt.arm, tt.own)
		// without an account nothing is recorded
		if f.Protection != nil || f.Immutability != tt.grade {
			t.Errorf("%s: %s %+v, want %s", name, f.Immutability, f.Protection, tt.grade)
		}
		tt.arm.Account = "contoso"
		Protect(&f, storage.Protection{Account: "contoso"}, &tt.arm, tt.own)
		if f.Immutability != tt.grade || !f.Protection.Until.Equal(tt.want) {
			t.Errorf("%s: %s until %s, want %s until %s", name, f.Immutability, f.Protection.Until, tt.grade, tt.want)
		}
	}
}

func TestProtectSaysWhatIsNotKnown(t *testing.T) {
	locked := func() *provenance.Protection {
		return &provenance.Protection{Account: "contoso", Container: "lake", Namespace: "hierarchical",
			Policy: &provenance.RetentionPolicy{State: "Locked", Days: 365}, AskedAt: november(2)}
	}
	lake := storage.Protection{Account: "contoso", Container: "lake", AskedAt: november(3)}
	with := func(change func(*storage.Protection)) storage.Protection { p := lake; change(&p); return p }
	held := locked()
	held.LegalHolds = []provenance.LegalHold{{Tag: "case7"}}
	for name, tt := range map[string]struct {
		plane storage.Protection
		arm   *provenance.Protection
		own   Retained
		want  string
	}{
		"locked, and the storage says no policy": {with(func(p *storage.Protection) { p.Policy = new(false) }), locked(), Retained{},
			"Azure Resource Manager says that there is a retention policy, and the storage that there is none"},
		"held, and the storage says no hold": {with(func(p *storage.Protection) { p.Hold = new(false) }), held, Retained{},
			"Azure Resource Manager says that there is a legal hold"},
		"a hold that only the storage knows": {with(func(p *storage.Protection) { p.Hold = new(true) }), locked(), Retained{},
			"the storage says that there is a legal hold, and Azure Resource Manager that there is none"},
		"another namespace":  {with(func(p *storage.Protection) { p.Hierarchical = new(false) }), locked(), Retained{}, "there is a hierarchical namespace"},
		"another container":  {with(func(p *storage.Protection) { p.Container = "swamp" }), locked(), Retained{}, "different containers"},
		"another account":    {with(func(p *storage.Protection) { p.Account = "fabrikam" }), locked(), Retained{}, "different containers"},
		"blobs against ARM":  {lake, locked(), Retained{november(9), true}, "version-level immutability"},
		"blobs against both": {with(func(p *storage.Protection) { p.VersionWORM = new(false) }), nil, Retained{november(9), true}, "retentions of their own"},
		"nobody was asked":   {lake, nil, Retained{}, "was not asked"},
		"the SAS may not":    {with(func(p *storage.Protection) { p.Why = "a service SAS cannot read the container" }), nil, Retained{}, "was not asked; a service SAS cannot read the container"},
		"only a boolean":     {with(func(p *storage.Protection) { p.Policy = new(true) }), nil, Retained{}, "which knows of what kind, was not asked"},
	} {
		f := provenance.Folder{Oldest: november(1)}
		Protect(&f, tt.plane, tt.arm, tt.own)
		if f.Immutability != provenance.GradeUnknown || !strings.Contains(f.Protection.Unknown, tt.want) || !f.Protection.Until.IsZero() {
			t.Errorf("%s: %s, %+v; want unknown, %q", name, f.Immutability, f.Protection, tt.want)
		}
	}
}

func TestProtectJoinsBothSides(t *testing.T) {
	arm := provenance.Protection{Account: "contoso", Container: "lake", Policy: &provenance.RetentionPolicy{State: "Locked", Days: 1},
		ResourceID: "/subscriptions/…", RequestID: "5b1e", AskedAt: november(2)}
	f := provenance.Folder{Oldest: november(1)}
	Protect(&f, storage.Protection{Account: "contoso", Container: "lake", Hierarchical: new(true), Policy: new(true), AskedAt: november(3)}, &arm, Retained{})
	want := arm
	want.Namespace, want.Until = "hierarchical", november(2)
	if f.Immutability != provenance.GradeLocked || !reflect.DeepEqual(*f.Protection, want) {
		t.Errorf("got  %+v\nwant %+v", *f.Protection, want)
	}
	Protect(&f, storage.Protection{}, nil, Retained{}) // a local folder
	if f.Immutability != provenance.GradeUnknown || f.Protection != nil || f.Of("immutability") != provenance.Declared {
		t.Errorf("a local folder: %+v", f)
	}
}
