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

// subfolder is one that was listed.
type subfolder struct {
	name string
	info fs.FileInfo
}

// folder yields the files below dir, which is the slash-separated name of what was listed as self. It is closed before the folders in
// it are opened, however deep they lie.
func (w walk) folder(dir string, self fs.FileInfo) error {
	below, err := w.files(dir, self)
	if err != nil {
		return err
	}
	for _, sub := range below {
		if err := w.folder(sub.name, sub.info); err != nil {
			return err
		}
	}
	return nil
}

// files yields the files in dir, piece by piece, and answers with the folders in it.
func (w walk) files(dir string, self fs.FileInfo) (below []subfolder, err error) {
	file, err := w.open(dir, self)
	if err != nil {
		return nil, err
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
			sub, err := w.entry(name, entry)
			if err != nil {
				return nil, err
			}
			if sub != nil {
				below = append(below, subfolder{name, sub})
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return below, nil
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
		return info, nil
	}
	if err := w.local.checkRegular(name, info.Mode()); err != nil {
		return nil, err
	}
	return nil, w.yield(objectOf(name, info))
}

// open opens dir if it still is what was listed. It does not wait for a writer when dir has become a named pipe.
func (w walk) open(dir string, self fs.FileInfo) (*os.File, error) {
	path := filepath.Join(".", filepath.FromSlash(dir))
	file, err := w.root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		now, gone := w.root.Lstat(path)
		if gone == nil && now.IsDir() || isShortage(err) {
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
