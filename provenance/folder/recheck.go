package folder

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// How [Recheck] compares.
const (
	RecheckListing = "listing" // names, sizes and ETags; without ETags, modification times, which can be set back
	RecheckContent = "content" // names and digests: every file is read again
)

// Changes are the differences between a folder and what was recorded of it, each list sorted by name. A renamed file is one
// that was removed and one that was added. Each list has the first [MaxNamed] files that were found; More counts the rest.
type Changes struct {
	Added    []Change `json:"added,omitempty"`
	Removed  []Change `json:"removed,omitempty"`
	Modified []Change `json:"modified,omitempty"`
	More     Counts   `json:"more,omitzero"`
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

// String names the first files of each kind.
func (c Changes) String() string {
	var parts []string
	total := c.Total()
	for _, kind := range []struct {
		verb    string
		total   int
		changes []Change
	}{{"added", total.Added, c.Added}, {"removed", total.Removed, c.Removed}, {"modified", total.Modified, c.Modified}} {
		if kind.total > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", kind.total, kind.verb, firstNames(kind.changes)))
		}
	}
	if len(parts) == 0 {
		return "nothing changed"
	}
	return strings.Join(parts, ", ")
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

// Recheck compares a folder as it is now with the index of a record, by [RecheckListing] or [RecheckContent]. Changes are
// not an error. A folder that changes while its content is read again is refused, as in [Hash].
func Recheck(ctx context.Context, f storage.Folder, index []IndexEntry, mode string, o Options) (Changes, error) {
	if !slices.IsSortedFunc(index, byName) {
		index = slices.Clone(index)
		slices.SortFunc(index, byName)
	}
	switch mode {
	case RecheckListing:
		return compareListing(ctx, f, index)
	case RecheckContent:
		return compareContent(ctx, f, index, o)
	}
	return Changes{}, provenance.Misuse("write listing or content", "%q is no way to check a folder again", mode)
}

// compareListing compares what the storage says.
func compareListing(ctx context.Context, f storage.Folder, index []IndexEntry) (Changes, error) {
	c := newComparison(index)
	err := listSome(ctx, f, func(o storage.Object) error {
		now := IndexEntry{Name: o.Name, Size: o.Size, ETag: o.ETag, Modified: o.Modified, changed: o.Changed}
		c.see(now, listingDiffers)
		return nil
	})
	if err != nil {
		return Changes{}, err
	}
	return c.changes(), nil
}

// compareContent compares digests.
func compareContent(ctx context.Context, f storage.Folder, index []IndexEntry, o Options) (Changes, error) {
	now, _, err := hashStill(ctx, f, o)
	if err != nil {
		return Changes{}, err
	}
	c := newComparison(index)
	for _, entry := range now {
		c.see(entry, contentDiffers)
	}
	return c.changes(), nil
}

// listingDiffers says in what an entry differs from the listing, or nothing. An ETag changes with every write, so where
// there is one the times need not be compared. The change time is known of a folder that is being hashed, not of a record.
func listingDiffers(was, now IndexEntry) string {
	switch {
	case was.Size != now.Size:
		return "size"
	case was.ETag != now.ETag:
		return "etag"
	case was.ETag == "" && !was.Modified.Equal(now.Modified), was.changed != 0 && was.changed != now.changed:
		return "modified"
	}
	return ""
}

func contentDiffers(was, now IndexEntry) string {
	if was.SHA256 != now.SHA256 {
		return "content"
	}
	return ""
}

// comparison goes through a folder in any order.
type comparison struct {
	index []IndexEntry // sorted
	seen  []bool
	found Changes
}

func newComparison(index []IndexEntry) *comparison {
	return &comparison{index: index, seen: make([]bool, len(index))}
}

// see takes one file that is there now.
func (c *comparison) see(now IndexEntry, differs func(was, now IndexEntry) string) {
	i, known := slices.BinarySearchFunc(c.index, now, byName)
	if !known || c.seen[i] {
		note(&c.found.Added, &c.found.More.Added, Change{Name: now.Name, Since: now.Modified})
		return
	}
	c.seen[i] = true
	if what := differs(c.index[i], now); what != "" {
		note(&c.found.Modified, &c.found.More.Modified, Change{now.Name, what, now.Modified})
	}
}

// note names one more change, or counts it, so that a folder full of strangers takes no memory.
func note(named *[]Change, more *int, change Change) {
	if len(*named) == MaxNamed {
		*more++
		return
	}
	*named = append(*named, change)
}

// changes are all differences, once every file was seen.
func (c *comparison) changes() Changes {
	for i, entry := range c.index {
		if !c.seen[i] {
			note(&c.found.Removed, &c.found.More.Removed, Change{Name: entry.Name})
		}
	}
	for _, list := range [][]Change{c.found.Added, c.found.Modified} {
		slices.SortFunc(list, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	}
	return c.found
}
