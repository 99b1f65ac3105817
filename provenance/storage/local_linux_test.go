package storage

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// withoutRights runs f without the rights of root, on this thread. For everybody else it changes nothing.
func withoutRights(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread() // never unlocked on failure: then the thread ends with the test
	must(t, syscall.Setfsuid(65534))
	f()
	must(t, syscall.Setfsuid(0))
	runtime.UnlockOSThread()
}

func TestLocalUnreadable(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o755))
	write(t, dir+"/data/file", "secret")
	must(t, os.Chmod(dir+"/data/file", 0))
	must(t, os.Mkdir(dir+"/closed", 0))
	f := open(t, dir+"/data", Options{})
	o := list(t, f)["file"]
	closed := open(t, dir+"/closed", Options{})
	withoutRights(t, func() {
		_, err := f.Open(t.Context(), o)
		wantUndecided(t, err, "cannot read: open "+dir+"/data/file: permission denied", "must be readable")
		err = closed.List(t.Context(), func(Object) error { return nil })
		wantUndecided(t, err, "permission denied", "must be readable")
		_, err = Open(t.Context(), dir+"/closed/x", Options{})
		wantUndecided(t, err, "permission denied", "must be readable")
	})
}

// TestLocalReadError reads a file whose bytes the system cannot give.
func TestLocalReadError(t *testing.T) {
	f := open(t, "/proc/self/mem", Options{})
	o := list(t, f)["mem"]
	o.Size = 1 // /proc says 0, and reading at 0 fails
	file, err := os.Open("/proc/self/mem")
	must(t, err)
	defer file.Close()
	_, err = (&localReader{file: file, want: o}).Read(make([]byte, 1))
	wantUndecided(t, err, "input/output error", "")
}

// TestLocalEditWithItsTimeSetBack finds an edit by the change time alone.
func TestLocalEditWithItsTimeSetBack(t *testing.T) {
	dir := tree(t, map[string]string{"a": "before"})
	f := open(t, dir, Options{})
	o := list(t, f)["a"]
	for now := o; now.Changed == o.Changed; now = list(t, f)["a"] { // the clock of a file system has coarse ticks
		must(t, os.WriteFile(dir+"/a", []byte("behind"), 0o644))
		must(t, os.Chtimes(dir+"/a", o.Modified, o.Modified))
	}
	_, err := read(t.Context(), f, o)
	wantRefused(t, err, "data.changed", "the file a changed after it was listed")
}
