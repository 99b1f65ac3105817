package delta

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

// shown is how many files an error names.
const shown = 3

// List yields the files of the version, in the order of the folder's listing. A file that is missing, or has another size
// than the log says, is *provenance.Refused, and so is a file of the log that has changed since Open: nobody could tell
// which version the listing shows.
func (t *Table) List(ctx context.Context, yield func(storage.Object) error) error {
	found := t.newFound()
	err := t.folder.List(ctx, func(o storage.Object) error {
		belongs, err := found.see(o)
		if err != nil || !belongs {
			return err
		}
		return yield(o)
	})
	if err != nil {
		return err
	}
	return found.complete(ctx)
}

// found notes which files of a table a listing has shown.
type found struct {
	*Table
	seen  []bool // as files
	left  int    // how many of files were not shown
	log   map[string]bool
	wrong []string // files with another size
	more  int      // those that wrong does not name
}

func (t *Table) newFound() *found {
	return &found{Table: t, seen: make([]bool, len(t.files)), left: len(t.files), log: map[string]bool{}}
}

// see tells whether o belongs to the version.
func (f *found) see(o storage.Object) (bool, error) {
	if was, ok := f.Table.log[o.Name]; ok {
		if f.log[o.Name] {
			return false, errTwice(o)
		}
		f.log[o.Name] = true
		if !same(was, o) {
			return false, refuseHint("the log must not be written to while the table is recorded", "the file %s of the log has changed while it was read", o.Name)
		}
		return true, nil
	}
	i, ok := f.find(o.Name)
	if !ok {
		return false, nil
	}
	if f.seen[i] {
		return false, errTwice(o)
	}
	f.seen[i] = true
	f.left--
	if wrong := f.files[i].wrong(o.Size); wrong != "" {
		if len(f.wrong) == shown {
			f.more++
		} else {
			f.wrong = append(f.wrong, o.Name+" "+wrong)
		}
	}
	return true, nil
}

// find is the place of a data file or a deletion vector.
func (t *Table) find(name string) (int, bool) {
	return slices.BinarySearchFunc(t.files, keyOf(name), wanted.compare)
}

// errTwice refuses a listing that shows a file twice: nobody could tell which of the two is read.
func errTwice(o storage.Object) error {
	return refuse("the storage lists the file %s twice", o.Name)
}

// same tells whether two listings show the same file. Without an ETag it is known by its times.
func same(a, b storage.Object) bool {
	return a.Size == b.Size && a.ETag == b.ETag && a.Modified.Equal(b.Modified) && a.Changed == b.Changed
}

// complete refuses a listing in which something is missing or wrong.
func (f *found) complete(ctx context.Context) error {
	for name := range f.Table.log {
		if !f.log[name] {
			return refuse("the file %s of the log is gone", name)
		}
	}
	if len(f.wrong) > 0 {
		return refuse("files are not as long as the log says: %s", list(f.wrong, f.more))
	}
	if f.left == 0 {
		return nil
	}
	names, err := f.missing(ctx)
	if err != nil {
		return err
	}
	return refuseHint("VACUUM removes the files of old versions; only a retention policy of the container prevents that",
		"version %d of %s cannot be read any more, files are gone: %s", f.noun.Version, f.URI(), list(names, f.left-len(names)))
}

// missing are the names of the first files that were not shown. They are read from the log once more.
func (f *found) missing(ctx context.Context) ([]string, error) {
	keys := map[key]bool{}
	for i, seen := range f.seen {
		if !seen && len(keys) < shown {
			keys[f.files[i].key] = true
		}
	}
	return f.source.names(ctx, func(file fileAction) (string, bool) {
		for _, name := range file.names() {
			if k := keyOf(name); keys[k] {
				delete(keys, k)
				return name, true
			}
		}
		return "", false
	})
}

// list writes names, and how many more there are.
func list(names []string, more int) string {
	text := strings.Join(names, ", ")
	switch {
	case more > 0 && text == "":
		return fmt.Sprintf("%d files", more)
	case more > 0:
		return fmt.Sprintf("%s and %d more", text, more)
	}
	return text
}
