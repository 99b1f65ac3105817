package folder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// recheck runs one mode and writes its changes down.
func recheck(t *testing.T, f storage.Folder, index *Index, mode string) string {
	t.Helper()
	c, err := Recheck(t.Context(), f, index, mode, scratch(t))
	must(t, err)
	text := ""
	for _, a := range c.Added {
		text += "+" + a.Name
	}
	for _, r := range c.Removed {
		text += "-" + r.Name
	}
	for _, m := range c.Modified {
		text += "!" + m.Name + ":" + m.What
	}
	if c.Empty() != (text == "") || c.Empty() != (c.String() == "nothing changed") {
		t.Errorf("%+v is empty: %v, %s", c, c.Empty(), c)
	}
	return text
}

func TestRecheckLocal(t *testing.T) {
	later := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		change           func(dir string) error
		listing, content string
	}{
		"nothing":                    {func(string) error { return nil }, "", ""},
		"added":                      {func(dir string) error { return os.WriteFile(dir+"/zz", nil, 0o644) }, "+zz", "+zz"},
		"removed":                    {func(dir string) error { return os.Remove(dir + "/a-b") }, "-a-b", "-a-b"},
		"renamed":                    {func(dir string) error { return os.Rename(dir+"/Z", dir+"/Y") }, "+Y-Z", "+Y-Z"},
		"emptied":                    {func(dir string) error { return errors.Join(os.RemoveAll(dir+"/a"), os.Remove(dir+"/empty")) }, "-a/b-empty", "-a/b-empty"},
		"another size":               {func(dir string) error { return os.WriteFile(dir+"/z", []byte("longer"), 0o644) }, "!z:size", "!z:content"},
		"touched":                    {func(dir string) error { return os.Chtimes(dir+"/z", later, later) }, "!z:modified", ""},
		"edited, size and time kept": {editKeepingTime, "", "!z:content"},
		"everything removed":         {func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)) }, everything(), everything()},
	} {
		t.Run(name, func(t *testing.T) {
			files := smaller()
			dir, f := tree(t, files)
			r := hashed(t, f)
			must(t, c.change(dir))
			if got := recheck(t, f, r.Lines(), RecheckListing); got != c.listing {
				t.Errorf("listing: got %q, want %q", got, c.listing)
			}

			if got := recheck(t, f, r.Lines(), RecheckContent); got != c.content {
				t.Errorf("content: got %q, want %q", got, c.content)
			}
		})
	}
}

func smaller() map[string]string {
	return map[string]string{"a-b": "1", "a/b": "2", "Z": "3", "z": "4", "empty": ""}
}

// everything is how recheck writes that all of smaller are gone.
func everything() string {
	text := ""
	for _, name := range namesOf(smaller()) {
		text += "-" + name
	}
	return text
}

func editKeepingTime(dir string) error {
	info, err := os.Stat(dir + "/z")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(dir+"/z", []byte("5"), 0o644), os.Chtimes(dir+"/z", info.ModTime(), info.ModTime()))
}

func TestRecheckAzure(t *testing.T) {
	s := blobdouble.New(t)
	for _, name := range []string{"kept", "rewritten", "edited", "removed"} {
		s.PutText("data", "p/"+name, name)
	}
	f := open(t, s.URL+"/data/p/")
	r := hashed(t, f)
	s.PutText("data", "p/rewritten", "rewritten") // the same bytes, another ETag
	s.PutText("data", "p/edited", "EDITED")
	s.PutText("data", "p/added", "")
	s.Delete("data", "p/removed")
	if got, want := recheck(t, f, r.Lines(), RecheckListing), "+added-removed!edited:etag!rewritten:etag"; got != want {
		t.Errorf("listing: got %q, want %q", got, want)
	}
	if got, want := recheck(t, f, r.Lines(), RecheckContent), "+added-removed!edited:content"; got != want {
		t.Errorf("content: got %q, want %q", got, want)
	}
	c, err := Recheck(t.Context(), f, r.Lines(), RecheckListing, scratch(t))
	must(t, err)
	if since := c.Modified[0].Since; !since.After(r.Newest) {
		t.Errorf("%s is said to have changed at %v", c.Modified[0].Name, since)
	}
}

func TestRecheckFails(t *testing.T) {
	dir, f := tree(t, files)
	index := hashed(t, f).Lines()
	_, err := Recheck(t.Context(), f, index, "everything", scratch(t))
	wantMisused(t, err, `"everything" is no way to check a folder again`)
	must(t, os.RemoveAll(dir))
	for _, mode := range []string{RecheckListing, RecheckContent} {
		if c, err := Recheck(t.Context(), f, index, mode, scratch(t)); !errors.Is(err, os.ErrNotExist) || !c.Empty() {
			t.Errorf("%s: got %v, %v", mode, c, err)
		}
	}
}

func TestChangesNameTheFirst(t *testing.T) {
	var c Changes
	for i := range 5 {
		c.Added = append(c.Added, Change{Name: fmt.Sprint(i)})
	}
	c.Removed = []Change{{Name: "x"}}
	if got, want := c.String(), "5 added (0, 1, 2, …), 1 removed (x)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// endless lists new names, as many as it is asked for.
type endless struct {
	storage.Folder
	files int
}

func (e endless) List(_ context.Context, yield func(storage.Object) error) error {
	for i := range e.files {
		if err := yield(storage.Object{Name: fmt.Sprintf("%07d", i), Size: 1, ETag: "0x1"}); err != nil {
			return err
		}
	}
	return nil
}

func (e endless) URI() string { return "https://acct.blob.core.windows.net/data/p/" }

// indexOf is an index of entries in any order.
func indexOf(t testing.TB, entries ...IndexEntry) *Index {
	t.Helper()
	slices.SortFunc(entries, func(a, b IndexEntry) int { return strings.Compare(a.Name, b.Name) })
	w, err := newIndexWriter(t.TempDir())
	must(t, err)
	defer w.close()
	for _, e := range entries {
		w.add(e)
	}
	index, err := w.finish()
	must(t, err)
	return index
}

func TestRecheckNamesTheFirstAndCountsTheRest(t *testing.T) {
	var entries []IndexEntry
	for i := range 2 * MaxNamed {
		entries = append(entries, IndexEntry{Name: fmt.Sprintf("%07d", i)}) // of another size
		entries = append(entries, IndexEntry{Name: fmt.Sprintf("%07d-gone", i)})
	}
	c, err := Recheck(t.Context(), endless{files: 5 * MaxNamed}, indexOf(t, entries...), RecheckListing, scratch(t))
	must(t, err)
	if len(c.Added) != MaxNamed || len(c.Removed) != MaxNamed || len(c.Modified) != MaxNamed {
		t.Errorf("%d, %d and %d are named", len(c.Added), len(c.Removed), len(c.Modified))
	}
	if got, want := c.Total(), (Counts{3 * MaxNamed, 2 * MaxNamed, 2 * MaxNamed}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	const want = "3000 added (0002000, 0002001, 0002002, …), 2000 removed (0000000-gone, 0000001-gone, 0000002-gone, …), " +
		"2000 modified (0000000, 0000001, 0000002, …)"
	if c.String() != want {
		t.Errorf("got %s", c)
	}
}

func TestRecheckEndsAnEndlessListing(t *testing.T) {
	_, err := Recheck(t.Context(), endless{files: MaxFiles + 1}, indexOf(t), RecheckListing, scratch(t))
	if err == nil || !strings.Contains(err.Error(), "holds more than 5000000 files") {
		t.Errorf("got %v", err)
	}
}
