package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// walk lists a local folder. It asks only below root, which no link leads out of, not even one that takes the place of a
// folder meanwhile.
type walk struct {
	ctx   context.Context
	local localFolder
	root  *os.Root
	yield func(Object) error
}

// folder yields the files below dir, which is the slash-separated name of what was listed as self.
func (w walk) folder(dir string, self fs.FileInfo) error {
	file, err := w.open(dir, self)
	if err != nil {
		return err
	}
	defer file.Close() // was read only
	for {
		entries, err := file.ReadDir(piece)
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, entry := range entries {
			name := entry.Name()
			if dir != "" {
				name = dir + "/" + name
			}
			if err := w.entry(name, entry); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return w.unreadable(dir, err)
		}
	}
}

// piece is how much of a folder is read at once: one may hold millions of files.
const piece = 4096

func (w walk) entry(name string, entry fs.DirEntry) error {
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	info, err := entry.Info()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return changed(name, "vanished while its folder was listed")
	case err != nil:
		return w.unreadable(name, err)
	case info.IsDir():
		return w.folder(name, info)
	}
	if err := w.local.checkRegular(name, info.Mode()); err != nil {
		return err
	}
	return w.yield(objectOf(name, info))
}

// open opens dir if it still is what was listed. It does not wait for a writer when dir has become a named pipe.
func (w walk) open(dir string, self fs.FileInfo) (*os.File, error) {
	path := filepath.Join(".", filepath.FromSlash(dir))
	file, err := w.root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if now, gone := w.root.Lstat(path); gone == nil && now.IsDir() {
			return nil, w.unreadable(dir, err)
		}
		return nil, replaced(dir)
	}
	if now, err := file.Stat(); err != nil || self != nil && !os.SameFile(now, self) {
		file.Close() // was read only
		return nil, replaced(dir)
	}
	return file, nil
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
