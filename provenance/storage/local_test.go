package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tree writes files into a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), text)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLocalNamesInEveryScript(t *testing.T) {
	want := texts(names)
	want["empty"] = ""
	dir := tree(t, want)
	must(t, os.Mkdir(filepath.Join(dir, "no files here"), 0o755))
	for _, uri := range []string{dir, dir + "/", dir + "/./"} {
		f := open(t, uri, Options{})
		if f.URI() != dir+"/" {
			t.Errorf("URI of %s is %s", uri, f.URI())
		}
		if got := contents(t, f); !maps.Equal(got, want) {
			t.Errorf("%s: got %q", uri, sortedNames(got))
		}
	}
}

func TestLocalObject(t *testing.T) {
	dir := tree(t, map[string]string{"a": "12345"})
	modified := time.Date(2026, 11, 1, 2, 3, 4, 5678, time.UTC)
	must(t, os.Chtimes(filepath.Join(dir, "a"), modified, modified))
	o := list(t, open(t, dir, Options{}))["a"]
	if o.Size != 5 || !o.Modified.Equal(modified) || o.Modified.Location() != time.UTC || o.ETag != "" || !o.Created.IsZero() {
		t.Errorf("got %+v", o)
	}
}

func TestLocalSingleFile(t *testing.T) {
	dir := tree(t, map[string]string{"models/model.bin": "weights", "models/other": ""})
	f := open(t, filepath.Join(dir, "models", "model.bin"), Options{})
	if got := contents(t, f); len(got) != 1 || got["model.bin"] != "weights" {
		t.Errorf("got %q", got)
	}
	if want := dir + "/models/model.bin"; f.URI() != want {
		t.Errorf("URI is %s, want %s", f.URI(), want)
	}
}

func TestLocalRelativePathIsMadeAbsolute(t *testing.T) {
	dir := tree(t, map[string]string{"data/a": "1"})
	t.Chdir(dir)
	if f := open(t, "data/../data", Options{}); f.URI() != dir+"/data/" || len(list(t, f)) != 1 {
		t.Errorf("URI is %s", f.URI())
	}
	if f := open(t, "/", Options{}); f.URI() != "/" {
		t.Errorf("URI of the root is %s", f.URI())
	}
}

func TestLocalPathsThatAreMistakes(t *testing.T) {
	dir := tree(t, map[string]string{"file": "1", "folder/a": "2"})
	must(t, os.Symlink("folder", filepath.Join(dir, "link")))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "broken")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	for path, part := range map[string]string{
		"":                       "is empty",
		dir + "/missing":         "does not exist",
		dir + "?deltaVersion=3":  "?deltaVersion=N",
		dir + "?x=3":             "takes no query",
		dir + "/file/":           "leave out the slash",
		dir + "/link":            "name what it points to: " + dir + "/folder",
		dir + "/broken":          "points to nothing",
		dir + "/pipe":            "a named pipe",
		"/dev/null":              "a device",
		"dbfs:/mnt/mortgages":    "name the storage behind it",
		"s3://bucket/mortgages/": "no place that this program can read",
	} {
		_, err := Open(t.Context(), path, Options{})
		wantMisused(t, err, part)
	}
}

// TestLocalNamesThatLookLikeQueries are names like others, where there is such a file.
func TestLocalNamesThatLookLikeQueries(t *testing.T) {
	names := []string{"?x", "%3fx", "a?sv=1&sig=secret", "sub/?x", "?"}
	files := map[string]string{}
	for _, name := range names {
		files[name] = "1"
	}
	t.Chdir(tree(t, files))
	for _, name := range append(names, "./?x", "sub/../?x") {
		if got := contents(t, open(t, name, Options{})); len(got) != 1 || got[filepath.Base(name)] != "1" {
			t.Errorf("%s holds %q", name, got)
		}
	}
	for path, want := range map[string]string{
		"?x/":                          "?… is a file, not a folder",
		"?sig=secret":                  "?… does not exist",
		"%3Fsig=secret":                "%3F… does not exist",
		"data?sv=1&sig=secret":         "data?… does not exist",
		"a?sv=1&sig=secret/secret":     "a?… cannot be read",
		"?" + strings.Repeat("x", 300): "?… cannot be read",
	} {
		_, err := Open(t.Context(), path, Options{})
		wantMisused(t, err, want)
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the query: %v", path, err)
		}
	}
}

func TestLocalSpecialFilesAreRefused(t *testing.T) {
	for _, c := range []struct {
		kind string
		make func(path string) error
	}{
		{"a symbolic link", func(path string) error { return os.Symlink("a", path) }},
		{"a symbolic link", func(path string) error { return os.Symlink("/etc", path) }},
		{"a symbolic link", func(path string) error { return os.Symlink("dangling", path) }},
		{"a named pipe", func(path string) error { return syscall.Mkfifo(path, 0o644) }},
		{"a socket", func(path string) error {
			listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err == nil {
				listener.SetUnlinkOnClose(false)
				err = listener.Close()
			}
			return err
		}},
	} {
		dir := tree(t, map[string]string{"a": "1"})
		t.Chdir(dir) // a socket's path is short
		must(t, os.Mkdir("sub", 0o755))
		must(t, c.make("sub/special"))
		err := open(t, dir, Options{}).List(t.Context(), func(Object) error { return nil })
		wantRefused(t, err, "data.special", "sub/special in "+dir+"/ is "+c.kind)
	}
}

func TestLocalChangesAreSeen(t *testing.T) {
	const text = "as it was listed"
	for name, c := range map[string]struct {
		change func(path string) error
		part   string
	}{
		"removed":  {os.Remove, "vanished"},
		"longer":   {func(path string) error { return os.WriteFile(path, []byte(text+"!"), 0o644) }, "changed after"},
		"touched":  {func(path string) error { return os.Chtimes(path, time.Now(), time.Now().Add(time.Hour)) }, "changed after"},
		"replaced": {replaceKeepingTimes, "changed after"},
		"a link":   {func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.Symlink("elsewhere", path)) }, "changed after"},
		"a pipe":   {func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o644)) }, "changed after"},
		"a folder": {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) }, "changed after"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, map[string]string{"a": text, "elsewhere": text})
			f := open(t, dir, Options{})
			o := list(t, f)["a"]
			must(t, c.change(filepath.Join(dir, "a")))
			_, err := read(t.Context(), f, o)
			wantRefused(t, err, "data.changed", "the file a "+c.part)
		})
	}
}

// replaceKeepingTimes puts another file with the same size and time into the place of path.
func replaceKeepingTimes(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	other := path + ".new"
	return errors.Join(os.WriteFile(other, []byte(strings.Repeat("x", int(info.Size()))), 0o644),
		os.Chtimes(other, info.ModTime(), info.ModTime()), os.Rename(other, path))
}

func TestLocalChangesWhileReadingAreSeen(t *testing.T) {
	for name, c := range map[string]struct {
		change func(path string) error
		part   string
	}{
		"grows":   {func(path string) error { return os.WriteFile(path, []byte("0123456789ab"), 0o644) }, "grew while it was read"},
		"shrinks": {func(path string) error { return os.Truncate(path, 5) }, "shrank while it was read"},
		"rewritten": {func(path string) error {
			return errors.Join(os.WriteFile(path, []byte("0123xxxxxx"), 0o644), os.Chtimes(path, time.Now(), time.Now().Add(time.Second)))
		}, "changed after it was listed"},
		"appended after the last byte": {func(path string) error {
			file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = file.WriteString("!")
			return errors.Join(err, file.Close())
		}, "grew while it was read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t, map[string]string{"a": "0123456789"})
			f := open(t, dir, Options{})
			body, err := f.Open(t.Context(), list(t, f)["a"])
			must(t, err)
			defer body.Close()
			_, err = io.ReadFull(body, make([]byte, 4))
			must(t, err)
			must(t, c.change(filepath.Join(dir, "a")))
			_, err = io.ReadAll(body)
			wantRefused(t, err, "data.changed", "the file a "+c.part)
		})
	}
}

func TestLocalListingEnds(t *testing.T) {
	f := open(t, tree(t, texts(names)), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.List(ctx, func(Object) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	stop := errors.New("stop")
	if err := f.List(t.Context(), func(Object) error { return stop }); err != stop {
		t.Errorf("yield's error: got %v", err)
	}
}

func TestLocalFileThatVanishesDuringTheListing(t *testing.T) {
	dir := tree(t, map[string]string{"a": "1", "b": "2"})
	f := open(t, dir, Options{})
	err := f.List(t.Context(), func(o Object) error {
		_, err := read(t.Context(), f, o)
		return errors.Join(err, os.RemoveAll(filepath.Join(dir, "b")))
	})
	wantRefused(t, err, "data.changed", "the file b vanished")
}

func TestLocalFolderThatVanishes(t *testing.T) {
	dir := tree(t, map[string]string{"sub/a": "1"})
	f := open(t, dir+"/sub", Options{})
	must(t, os.RemoveAll(dir+"/sub"))
	err := f.List(t.Context(), func(Object) error { return nil })
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	wantUndecided(t, err, "cannot read", "")
}

func TestWorkers(t *testing.T) {
	dir := tree(t, nil)
	if got := open(t, dir, Options{Workers: 3}).Workers(); got != 3 {
		t.Errorf("got %d workers, want those of the options", got)
	}
	if got := open(t, dir, Options{}).Workers(); got < 1 {
		t.Errorf("got %d workers", got)
	}
	if got := (Options{}).azureWorkers(); got < 8 {
		t.Errorf("got %d workers for Azure", got)
	}
}
