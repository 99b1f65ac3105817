package verify

import (
	"fmt"
	"strings"
	"time"
)

// Changes are the files that differ from the signed record of a folder, each list sorted by name. Long lists are cut; More
// counts the rest. A renamed file is one that was removed and one that was added.
type Changes struct {
	Added    []Change `json:"added,omitempty"`
	Removed  []Change `json:"removed,omitempty"`
	Modified []Change `json:"modified,omitempty"`
	More     Counts   `json:"more,omitzero"`
}

// Change is one file that differs.
type Change struct {
	Name  string    `json:"name"`
	What  string    `json:"what,omitempty"` // of a modified file: what differs, "size", "etag", "modified" or "content"
	Since time.Time `json:"since,omitzero"` // when the file that is there now was modified; zero for a removed file
}

// Counts are numbers of files of each kind.
type Counts struct {
	Added    int `json:"added,omitempty"`
	Removed  int `json:"removed,omitempty"`
	Modified int `json:"modified,omitempty"`
}

// String is "1 added, 2 modified".
func (n Counts) String() string {
	var parts []string
	for _, kind := range []struct {
		n    int
		verb string
	}{{n.Added, "added"}, {n.Removed, "removed"}, {n.Modified, "modified"}} {
		if kind.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", kind.n, kind.verb))
		}
	}
	return orNothing(strings.Join(parts, ", "))
}

// Total is how many files changed, those that are not named included.
func (c Changes) Total() Counts {
	return Counts{len(c.Added) + c.More.Added, len(c.Removed) + c.More.Removed, len(c.Modified) + c.More.Modified}
}

// None tells whether the folder is what it was.
func (c Changes) None() bool { return c.Total() == Counts{} }

// MaxNamed is how many files of each kind people are shown.
const MaxNamed = 10

// Kind is the changes of one kind, for people.
type Kind struct {
	Verb  string   // added, removed, modified
	Files []string // the first MaxNamed, each with what is known of it
	More  int      // beside them
}

// Kinds are the changes by kind, without those that there are none of. recorded is when the folder was listed for the record;
// zero when nobody says so.
func (c Changes) Kinds(recorded time.Time) (kinds []Kind) {
	gone := ""
	if !recorded.IsZero() {
		gone = "last seen " + moment(recorded) // when it was removed, no storage tells
	}
	total := c.Total()
	for _, k := range []struct {
		verb    string
		changes []Change
		total   int
		note    string
	}{{"added", c.Added, total.Added, ""}, {"removed", c.Removed, total.Removed, gone}, {"modified", c.Modified, total.Modified, ""}} {
		kind := Kind{Verb: k.verb, More: k.total}
		for _, change := range k.changes[:min(MaxNamed, len(k.changes))] {
			kind.Files = append(kind.Files, change.text(k.note))
			kind.More--
		}
		if k.total > 0 {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// text is a file with what is known of its change: "a.csv (content, since 23 Nov 2026 08:00 UTC)".
func (c Change) text(note string) string {
	since := ""
	if !c.Since.IsZero() {
		since = "since " + moment(c.Since)
	}
	if notes := nonEmpty(c.What, since, note); len(notes) > 0 {
		return fmt.Sprintf("%s (%s)", c.Name, strings.Join(notes, ", "))
	}
	return c.Name
}

// Text names the changes on one line: what was added, removed, modified, and since when.
func (c Changes) Text(recorded time.Time) string {
	var parts []string
	for _, k := range c.Kinds(recorded) {
		part := k.Verb + " " + strings.Join(k.Files, ", ")
		if k.More > 0 {
			part += fmt.Sprintf(" and %d more", k.More)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}
