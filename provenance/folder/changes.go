package folder

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Changes are the differences between a folder and what was recorded of it, each list sorted by name. A renamed file is one
// that was removed and one that was added. Each list has the first [MaxNamed] files that were found; More counts the rest.
type Changes struct {
	Added    []Change `json:"added,omitempty"`
	Removed  []Change `json:"removed,omitempty"`
	Modified []Change `json:"modified,omitempty"`
	More     Counts   `json:"more,omitzero"`
	// Listed is when the files of the record were listed: since then, at the earliest, the removed ones are gone. Zero is
	// unknown.
	Listed time.Time `json:"-"`
}

// MaxNamed is how many files of each kind [Changes] names.
const MaxNamed = 1000

// Counts are numbers of files of each kind.
type Counts struct {
	Added    int `json:"added,omitempty"`
	Removed  int `json:"removed,omitempty"`
	Modified int `json:"modified,omitempty"`
}

// Total is how many files changed, those that are not named included.
func (c Changes) Total() Counts {
	return Counts{len(c.Added) + c.More.Added, len(c.Removed) + c.More.Removed, len(c.Modified) + c.More.Modified}
}

// Change is one file that differs.
type Change struct {
	Name  string    `json:"name"`
	What  string    `json:"what,omitempty"` // of a modified file: "size", "etag", "modified" or "content"
	Since time.Time `json:"since,omitzero"` // when the file that is there now was modified; zero for a removed file
}

// Empty tells whether nothing changed.
func (c Changes) Empty() bool { return len(c.Added)+len(c.Removed)+len(c.Modified) == 0 }

// String names the first files of each kind. Of removed ones it says since when, as far as that is known.
func (c Changes) String() string {
	var parts []string
	total := c.Total()
	for _, kind := range []struct {
		verb    string
		total   int
		changes []Change
	}{{"added", total.Added, c.Added}, {c.gone(), total.Removed, c.Removed}, {"modified", total.Modified, c.Modified}} {
		if kind.total > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", kind.total, kind.verb, firstNames(kind.changes)))
		}
	}
	if len(parts) == 0 {
		return "nothing changed"
	}
	return strings.Join(parts, ", ")
}

// gone is what is said of removed files.
func (c Changes) gone() string {
	if c.Listed.IsZero() {
		return "removed"
	}
	return "gone since " + c.Listed.UTC().Format(time.RFC3339)
}

// shown is how many names Changes.String writes of each kind.
const shown = 3

func firstNames(changes []Change) string {
	var names []string
	for _, c := range changes[:min(shown, len(changes))] {
		names = append(names, c.Name)
	}
	if len(changes) > shown {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// note names one more change, or counts it, so that a folder full of strangers takes no memory.
func note(named *[]Change, more *int, change Change) {
	if len(*named) == MaxNamed {
		*more++
		return
	}
	*named = append(*named, change)
}

// sort sorts what was found in any order.
func (c *Changes) sort() {
	for _, list := range [][]Change{c.Added, c.Removed, c.Modified} {
		slices.SortFunc(list, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	}
}
