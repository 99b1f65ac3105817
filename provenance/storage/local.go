package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// localFolder is a folder on this machine, or a single file.
type localFolder struct {
	path    string // absolute, without links
	single  bool
	workers int
}

// openLocal looks at what path names. A symbolic link is the caller's mistake and not followed: the record would name the
// link, which may point elsewhere tomorrow. Links before the last component are resolved, so that URI says where it lies.
func openLocal(path string, o Options) (Folder, error) {
	if path == "" {
		return nil, provenance.Misuse("", "the path of the folder is empty")
	}
	abs, info, err := resolve(path)
	path, query := withoutQuery(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, provenance.Misuse(missingHint(query), "%s does not exist", path)
	case err != nil && query != "":
		return nil, provenance.Misuse(missingHint(query), "%s cannot be read", path)
	case err != nil:
		return nil, unreadable(err)
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, provenance.Misuse(linkHint(abs), "%s is a symbolic link", path)
	case info.IsDir():
		return localFolder{abs, false, o.localWorkers()}, nil
	case !info.Mode().IsRegular():
		return nil, provenance.Misuse("", "%s is %s, neither a file nor a folder", path, kind(info.Mode()))
	case os.IsPathSeparator(path[len(path)-1]):
		return nil, provenance.Misuse("leave out the slash at the end", "%s is a file, not a folder", path)
	}
	return localFolder{abs, true, 1}, nil
}

// resolve is the absolute path without links before its last component, and what is there.
func resolve(path string) (string, fs.FileInfo, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", nil, err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", nil, err
	}
	abs = filepath.Join(parent, filepath.Base(abs))
	info, err := os.Lstat(abs)
	return abs, info, err
}

// withoutQuery cuts what could be a shared access signature from what is taken for a path because it is no URI: the scheme is
// mistyped, or there is a space in front of it.
func withoutQuery(path string) (shown, query string) {
	at := queryMark().FindStringIndex(path)
	if at == nil {
		return redact.Text(path), ""
	}
	return redact.Text(path[:at[0]]), path[at[0]:]
}

var queryMark = pattern.New(`(?i)\?|%3f`)

func missingHint(query string) string {
	switch {
	case strings.Contains(strings.ToLower(query), "deltaversion"):
		return "the version of a Delta table is written ?deltaVersion=N"
	case query != "":
		return "a local path takes no query; " + forms
	}
	return ""
}

func linkHint(abs string) string {
	if target, err := filepath.EvalSymlinks(abs); err == nil {
		return "name what it points to: " + target
	}
	return "it points to nothing"
}

// kind names what is neither file nor folder.
func kind(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// URI is the absolute path.
func (l localFolder) URI() string {
	uri := filepath.ToSlash(l.path)
	if l.single || strings.HasSuffix(uri, "/") {
		return uri
	}
	return uri + "/"
}

func (l localFolder) Workers() int { return l.workers }

func (l localFolder) List(ctx context.Context, yield func(Object) error) error {
	if l.single {
		return l.listSingle(yield)
	}
	root, err := os.OpenRoot(l.path)
	if err != nil {
		return unreadable(err)
	}
	defer root.Close() // was read only
	if err := l.samePlace(root); err != nil {
		return err
	}
	if err := (walk{ctx, l, root, yield}).folder("", nil); err != nil {
		return err
	}
	return l.samePlace(root)
}

// listSingle yields the one file.
func (l localFolder) listSingle(yield func(Object) error) error {
	info, err := os.Lstat(l.path)
	if err != nil {
		return unreadable(err)
	}
	name := filepath.Base(l.path)
	if err := l.checkRegular(name, info.Mode()); err != nil {
		return err
	}
	return yield(objectOf(name, info))
}

// samePlace tells whether root is what the folder's path leads to, and that through no link.
func (l localFolder) samePlace(root *os.Root) error {
	here, err := root.Stat(".")
	if err != nil {
		return unreadable(err)
	}
	there, err := os.Lstat(l.path)
	if err != nil {
		return unreadable(err)
	}
	parent := filepath.Dir(l.path)
	resolved, err := filepath.EvalSymlinks(parent)
	if err != nil {
		return unreadable(err)
	}
	if resolved != parent || !os.SameFile(here, there) {
		return changedError{&provenance.Refused{Code: "data.changed", Hint: "the folder must not be moved while it is recorded",
			Detail: l.URI() + " is another folder than the one that was opened"}}
	}
	return nil
}

func (l localFolder) checkRegular(name string, mode fs.FileMode) error {
	if mode.IsRegular() {
		return nil
	}
	return provenance.Refuse("data.special", "put the files themselves into the folder",
		"%s in %s is %s, and only files can be recorded", name, l.URI(), kind(mode))
}

func objectOf(name string, info fs.FileInfo) Object {
	o := Object{Name: name, Size: info.Size(), Modified: info.ModTime().UTC(), Changed: changedAt(info)}
	o.device, o.Inode = inodeOf(info)
	return o
}

// Open does not wait for a writer when the file has become a named pipe.
func (l localFolder) Open(_ context.Context, o Object) (io.ReadCloser, error) {
	path := l.path
	if !l.single {
		path += string(filepath.Separator) + filepath.FromSlash(o.Name)
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, changed(o.Name, "vanished after it was listed")
	}
	if err != nil {
		return nil, unreadable(err)
	}
	reader := &localReader{file: file, want: o}
	now, err := reader.check()
	if err == nil && now.Changed != o.Changed {
		err = changed(o.Name, "changed after it was listed")
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return reader, nil
}

// localReader gives the bytes of a file that has to stay as it was listed.
type localReader struct {
	file *os.File
	want Object
	got  int64
}

// check compares the file with the listing, but for the change time, which removing or renaming the file moves too.
func (r *localReader) check() (now Object, err error) {
	info, err := r.file.Stat()
	if err != nil {
		return now, unreadable(err)
	}
	now = objectOf(r.want.Name, info)
	if !info.Mode().IsRegular() || now.Size != r.want.Size || !now.Modified.Equal(r.want.Modified) || now.Inode != r.want.Inode || now.device != r.want.device {
		err = changed(r.want.Name, "changed after it was listed")
	}
	return now, err
}

// Read looks at the file again with its last byte, which spares the empty read that a reader to the end needs.
func (r *localReader) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	r.got += int64(n)
	switch {
	case r.got > r.want.Size:
		return 0, changed(r.want.Name, "grew while it was read")
	case r.got == r.want.Size:
		if _, err := r.check(); err != nil {
			return 0, err
		}
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return 0, changed(r.want.Name, "shrank while it was read")
	case err != nil:
		return n, unreadable(err)
	}
	return n, nil
}

func (r *localReader) Close() error { return r.file.Close() }

// unreadable is a file or folder that is there and cannot be read.
func unreadable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return provenance.WithHint(fmt.Errorf("cannot read: %w", err), "every file of the folder must be readable")
	}
	return fmt.Errorf("cannot read: %w", err)
}
