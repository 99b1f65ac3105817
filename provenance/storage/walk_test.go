package storage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// deep makes folders called name in each other, with one file in the last, and answers with the names of all of them. Together they
// may be longer than a path that the system takes.
func deep(t *testing.T, dir, name string, depth int) []string {
	t.Helper()
	root, err := os.OpenRoot(dir)
	must(t, err)
	names := []string{name}
	for {
		must(t, root.Mkdir(name, 0o755))
		next, err := root.OpenRoot(name)
		must(t, errors.Join(err, root.Close()))
		root = next
		if len(names) == depth {
			break
		}
		names = append(names, names[len(names)-1]+"/"+name)
	}
	must(t, errors.Join(root.WriteFile("f", []byte("1"), 0o644), root.Close()))
	return names
}

// TestLocalDeepFolders lists them, by paths that are longer than the system takes at once.
func TestLocalDeepFolders(t *testing.T) {
	dir := t.TempDir()
	names := deep(t, dir, "d", 2000)
	var got []string
	must(t, open(t, dir, Options{}).List(t.Context(), func(o Object) error { got = append(got, o.Name); return nil }))
	if want := []string{names[1999] + "/f"}; !slices.Equal(got, want) {
		t.Errorf("listed %d files", len(got))
	}
}

func TestLocalFolderNamesAreBounded(t *testing.T) {
	dir := t.TempDir()
	deep(t, dir, strings.Repeat("d", 255), 16) // 4095 bytes with the slashes
	must(t, open(t, dir, Options{}).List(t.Context(), func(Object) error { return nil }))
	dir = t.TempDir()
	deep(t, dir, strings.Repeat("d", 255), 18)
	err := open(t, dir, Options{}).List(t.Context(), func(Object) error {
		t.Error("it was descended into")
		return nil
	})
	wantRefused(t, err, "data.name", "in "+dir+"/ has more than 4096 bytes")
}

func TestLocalFoldersAreBounded(t *testing.T) {
	dir := tree(t, map[string]string{"a/b/f": "1", "c/f": "2"})
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	for left, want := range map[int]string{3: "", 2: dir + "/ holds more than 1000000 folders"} {
		w := newWalk(t.Context(), open(t, dir, Options{}).(localFolder), root, func(Object) error { return nil })
		*w.left = left
		err := w.folder("", place{})
		if want == "" {
			must(t, err)
		} else {
			wantUndecided(t, err, want, "one by one")
		}
	}
}

// TestLocalDeepFolderThatIsSwapped: a folder that is kept open must still lie where it was.
func TestLocalDeepFolderThatIsSwapped(t *testing.T) {
	for name, change := range map[string]func(above string) error{
		"above it":      func(dir string) error { return swapped(dir+"/d/d", dir+"/other") },
		"for a link":    func(dir string) error { return swapped(dir+"/d/d", dir+"/d/d-moved") },
		"and vanishing": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "d")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, map[string]string{"other/x": "1"})
			names := deep(t, dir, "d", 3*stride)
			below := filepath.Join(dir, names[2*stride])
			write(t, below+"/first", "1")
			err := open(t, dir, Options{}).List(t.Context(), func(o Object) error {
				if filepath.Base(o.Name) == "first" {
					return change(dir)
				}
				return nil
			})
			wantRefused(t, err, "data.changed", "was replaced or removed while its folder was listed")
		})
	}
}
