package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/seed-3480f271/provenance/provenance"
)

// walk lists a local folder. It asks only below root, which no link leads out of, not even one that takes the place of a
// folder meanwhile.
type walk struct {
	ctx   context.Context
	local localFolder
	root  *os.Root
	base  string // what root is called, in the local folder
	left  *int   // how many folders there may be yet
	yield func(Object) error
}

// subfolder is one that was listed.
type subfolder struct {
	name string // in its folder
	self place
}

// maxFolders is how many folders may lie in one, at any depth: those that are still to be listed are remembered.
const maxFolders = 1_000_000

// MaxName is the longest name of a file that is recorded, in bytes; PATH_MAX of Linux, and four times Azure's 1,024 characters.
const MaxName = 4096

func newWalk(ctx context.Context, local localFolder, root *os.Root, yield func(Object) error) walk {
	left := maxFolders
	return walk{ctx, local, root, "", &left, yield}
}

// folder yields the files below dir, which is the slash-separated name of what was listed as self. It is closed before the folders in
// it are opened, however deep they lie.
func (w walk) folder(dir string, self place) error {
	below, err := w.files(dir, self)
	switch {
	case err != nil:
		return err
	case len(below) > 0 && strings.Count(w.path(dir), string(filepath.Separator)) >= stride:
		return w.deeper(dir, self, below)
	}
	return w.folders(dir, below)
}

func (w walk) folders(dir string, below []subfolder) error {
	for _, sub := range below {
		if err := w.folder(nameIn(dir, sub.name), sub.self); err != nil {
			return err
		}
	}
	return nil
}

// stride is how many folders deep one is kept open: each that is opened costs one step for every folder between the two.
const stride = 64

// deeper goes on from dir, and not from root. It must still lie where it was afterwards.
func (w walk) deeper(dir string, self place, below []subfolder) error {
	root, err := w.root.OpenRoot(w.path(dir))
	if err != nil {
		return w.unopened(dir, err)
	}
	defer root.Close() // was read only
	next := w
	next.root, next.base = root, dir
	if now, err := root.Stat("."); err != nil || placeOf(now) != self {
		return replaced(dir)
	}
	if err := next.folders(dir, below); err != nil {
		return err
	}
	if now, err := w.root.Lstat(w.path(dir)); err != nil || placeOf(now) != self {
		return replaced(dir)
	}
	return nil
}

// path leads from root to what is called name.
func (w walk) path(name string) string {
	return filepath.Join(".", filepath.FromSlash(strings.TrimPrefix(strings.TrimPrefix(name, w.base), "/")))
}

func nameIn(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// files yields the files in dir, piece by piece, and answers with the folders in it.
func (w walk) files(dir string, self place) (below []subfolder, err error) {
	file, err := w.open(dir, self)
	if err != nil {
		return nil, err
	}
	defer file.Close() // was read only
	for {
		entries, err := file.ReadDir(piece)
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, entry := range entries {
			info, err := w.entry(nameIn(dir, entry.Name()), entry)
			if err != nil {
				return nil, err
			}
			if info != nil {
				below = append(below, subfolder{entry.Name(), placeOf(info)})
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return below, nil
		case errors.Is(err, fs.ErrNotExist):
			return nil, replaced(dir)
		case err != nil:
			return nil, w.unreadable(dir, err)
		}
	}
}

// piece is how much of a folder is read at once: one may hold millions of files.
const piece = 4096

// entry yields a file. A folder is answered with.
func (w walk) entry(name string, entry fs.DirEntry) (folder fs.FileInfo, err error) {
	if w.ctx.Err() != nil {
		return nil, w.ctx.Err()
	}
	info, err := entry.Info()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, changed(name, "vanished while its folder was listed")
	case err != nil:
		return nil, w.unreadable(name, err)
	case info.IsDir():
		return info, w.count(name)
	}
	if err := w.local.checkRegular(name, info.Mode()); err != nil {
		return nil, err
	}
	return nil, w.yield(objectOf(name, info))
}

// count refuses folders that nobody could come to the end of. They hold no data themselves, so nothing else counts them.
func (w walk) count(name string) error {
	if *w.left--; *w.left < 0 {
		return provenance.WithHint(fmt.Errorf("%s holds more than %d folders", w.local.URI(), maxFolders), "record the folders in it one by one")
	}
	if len(name) > MaxName {
		return provenance.Refuse("data.name", "rename the folders above it, or leave them out of the folder",
			"the folder name %.80q… in %s has more than %d bytes", name, w.local.URI(), MaxName)
	}
	return nil
}

// open opens dir if it still is what was listed. It does not wait for a writer when dir has become a named pipe.
func (w walk) open(dir string, self place) (*os.File, error) {
	file, err := w.root.OpenFile(w.path(dir), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, w.unopened(dir, err)
	}
	if now, err := file.Stat(); err != nil || dir != "" && placeOf(now) != self {
		file.Close() // was read only
		return nil, replaced(dir)
	}
	return file, nil
}

// unopened tells a folder that cannot be opened from one that is no longer there.
func (w walk) unopened(dir string, err error) error {
	now, gone := w.root.Lstat(w.path(dir))
	if gone == nil && now.IsDir() || isShortage(err) {
		return w.unreadable(dir, err)
	}
	return replaced(dir)
}

// isShortage tells whether this process, or the machine, can open no more files.
func isShortage(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

func replaced(dir string) error {
	return changed(dir, "was replaced or removed while its folder was listed")
}

// unreadable writes the whole path into the error, of which root shows the end only.
func (w walk) unreadable(name string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		at.Path = filepath.Join(w.local.path, filepath.FromSlash(name))
	}
	return unreadable(err)
}
