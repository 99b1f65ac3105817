package storage

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestLocalLinksInThePathAreResolved opens what lies behind a link, as what it is.
func TestLocalLinksInThePathAreResolved(t *testing.T) {
	dir := tree(t, map[string]string{"real/data/a": "1"})
	must(t, os.Symlink("real", filepath.Join(dir, "link")))
	must(t, os.Symlink("link", filepath.Join(dir, "link2")))
	must(t, os.Symlink("data", filepath.Join(dir, "real", "last")))
	t.Chdir(dir)
	for path, uri := range map[string]string{
		dir + "/link/data":   dir + "/real/data/",
		dir + "/link2/data/": dir + "/real/data/",
		"link/data/a":        dir + "/real/data/a",
	} {
		f := open(t, path, Options{})
		if got := contents(t, f); f.URI() != uri || len(got) != 1 || got["a"] != "1" {
			t.Errorf("%s is %s and holds %q, want %s", path, f.URI(), got, uri)
		}
	}
	_, err := Open(t.Context(), dir+"/link/last", Options{})
	wantMisused(t, err, "name what it points to: "+dir+"/real/data")
	_, err = Open(t.Context(), dir+"/link/missing/a", Options{})
	wantMisused(t, err, "does not exist")
}

// TestLocalWayBackOutOfALink is another way for the system than for who reads the path.
func TestLocalWayBackOutOfALink(t *testing.T) {
	dir := tree(t, map[string]string{"here/data/a": "near", "far/data/a": "far", "far/in/a": "in"})
	must(t, os.Symlink("../far/in", filepath.Join(dir, "here", "lnk")))
	t.Chdir(dir + "/here")
	const behind = " has a .. behind "
	for path, want := range map[string]string{
		"lnk/../data":                    "lnk/../data" + behind + "lnk, which is a symbolic link",
		"./lnk/../../here":               behind + "lnk,",
		"data/../lnk//./../data":         behind + "lnk,",
		dir + "/here/lnk/../data":        behind + dir + "/here/lnk,",
		"lnk/in/../../data":              behind + "lnk,",
		"lnk/../data?sv=1&sig=secret":    "lnk/../data?…" + behind + "lnk,",
		dir + "/far/../here/lnk/../data": behind + dir + "/here/lnk,",
	} {
		_, err := Open(t.Context(), path, Options{})
		wantMisused(t, err, want)
	}
	for path, want := range map[string]string{"data/../data": "near", "../here/data": "near"} {
		if got := contents(t, open(t, path, Options{})); got["a"] != want {
			t.Errorf("%s holds %q", path, got)
		}
	}
}

// TestLocalWayBackOutOfTheWorkingFolder leads to where the folder lies, not to where the link lies through which the shell came.
func TestLocalWayBackOutOfTheWorkingFolder(t *testing.T) {
	dir := tree(t, map[string]string{"data/a": "near", "far/data/a": "far", "far/in/a": "in"})
	must(t, os.Symlink("far/in", filepath.Join(dir, "lnk")))
	t.Chdir(dir + "/lnk")
	t.Setenv("PWD", dir+"/lnk")
	f := open(t, "../data", Options{})
	if got := contents(t, f); f.URI() != dir+"/far/data/" || got["a"] != "far" {
		t.Errorf("%s holds %q", f.URI(), got)
	}
}

// swapped moves a folder away and puts a link to another one into its place.
func swapped(path, target string) error {
	return errors.Join(os.Rename(path, path+"-moved"), os.Symlink(target, path))
}

// TestLocalFolderThatIsSwapped puts a link into the path of an open folder.
func TestLocalFolderThatIsSwapped(t *testing.T) {
	for name, path := range map[string]string{"itself": "parent/data", "its parent": "parent"} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, map[string]string{"parent/data/a": "1"})
			f := open(t, dir+"/parent/data", Options{})
			o := list(t, f)["a"]
			swap := func() error { return swapped(filepath.Join(dir, path), filepath.Join(dir, path+"-moved")) }
			during := f.List(t.Context(), func(Object) error { return swap() })
			wantRefused(t, during, "data.changed", f.URI()+" is another folder")
			after := f.List(t.Context(), func(Object) error { return nil })
			wantRefused(t, after, "data.changed", f.URI()+" is another folder")
			if text, err := read(t.Context(), f, o); text != "1" || err != nil { // the very file that was listed
				t.Errorf("got %q, %v", text, err)
			}
		})
	}
}

// TestLocalFileWhoseFolderIsSwapped puts a link into the path of an open file, one in the place of another.
func TestLocalFileWhoseFolderIsSwapped(t *testing.T) {
	dir := tree(t, map[string]string{"a/b/f": "good", "evil/f": "evil"})
	f := open(t, dir+"/a/b/f", Options{})
	o := list(t, f)["f"]
	must(t, swapped(dir+"/a/b", dir+"/evil"))
	const want = "/a/b/f is another file than the one that was opened"
	wantRefused(t, f.List(t.Context(), func(Object) error { return nil }), "data.changed", dir+want)
	_, err := read(t.Context(), f, o)
	wantRefused(t, err, "data.changed", "the file f changed after it was listed")
	must(t, os.Remove(dir+"/a/b"))
	must(t, os.Symlink(dir+"/a/b-moved", dir+"/a/b"))
	_, err = read(t.Context(), f, o) // the very file, but the path is no longer what the record would say
	wantRefused(t, err, "data.changed", dir+want)
}

// TestLocalSubfolderThatIsSwapped puts a link to a folder outside, or inside, into the place of a folder that is listed.
func TestLocalSubfolderThatIsSwapped(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"outside": func(dir string) error { return swapped(dir+"/in/sub", dir+"/out") },
		"inside":  func(dir string) error { return swapped(dir+"/in/sub", "other") },
		"a folder": func(dir string) error {
			return errors.Join(os.Rename(dir+"/in/sub", dir+"/x"), os.Mkdir(dir+"/in/sub", 0o755))
		},
		"a file": func(dir string) error {
			return errors.Join(os.Rename(dir+"/in/sub", dir+"/x"), os.WriteFile(dir+"/in/sub", nil, 0o644))
		},
		"vanishing": func(dir string) error { return os.RemoveAll(dir + "/in/sub") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, map[string]string{"in/a": "1", "in/sub/b": "2", "in/other/b": "3", "out/b": "4"})
			seen := 0
			err := open(t, dir+"/in", Options{}).List(t.Context(), func(o Object) error {
				if seen++; o.Name == "a" {
					return change(dir)
				}
				return nil
			})
			wantRefused(t, err, "data.changed", "the file sub was replaced or removed while its folder was listed")
			if seen != 2 { // a and other/b
				t.Errorf("saw %d files", seen)
			}
		})
	}
}

// TestLocalParentSwappedBeforeOpen opens a listed file by a path that leads elsewhere by now.
func TestLocalParentSwappedBeforeOpen(t *testing.T) {
	dir := tree(t, map[string]string{"in/sub/b": "2", "out/b": "4"})
	f := open(t, dir+"/in", Options{})
	o := list(t, f)["sub/b"]
	must(t, os.Chtimes(dir+"/out/b", o.Modified, o.Modified))
	must(t, swapped(dir+"/in/sub", dir+"/out"))
	_, err := read(t.Context(), f, o)
	wantRefused(t, err, "data.changed", "the file sub/b changed after it was listed")
}
