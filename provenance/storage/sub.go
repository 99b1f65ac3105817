package storage

import (
	"context"
	"io"
	"net/url"
	"path/filepath"
	"strings"
)

// Sub is the folder called dir inside f: a slash-separated name, without a slash at its end. Azure is asked for the blobs
// below it only. What does not exist there lists nothing; a local folder that does not exist cannot be listed, and the
// error is fs.ErrNotExist, or syscall.ENOTDIR where something else is called so. Objects of Sub are named relative to it.
func Sub(f Folder, dir string) Folder {
	switch f := f.(type) {
	case localFolder:
		if !f.single {
			return localFolder{filepath.Join(f.path, filepath.FromSlash(dir)), false, f.workers}
		}
	case *azureFolder:
		if !f.single {
			sub := *f
			sub.prefix, sub.path = f.prefix+dir+"/", f.prefix+dir+"/"
			sub.uri += (&url.URL{Path: dir}).EscapedPath() + "/"
			return &sub
		}
	}
	return below{f, dir + "/"}
}

// below shows the files of any folder whose names begin with prefix. All of it is listed.
type below struct {
	Folder
	prefix string
}

func (b below) URI() string {
	return strings.TrimSuffix(b.Folder.URI(), "/") + "/" + (&url.URL{Path: b.prefix}).EscapedPath()
}

func (b below) List(ctx context.Context, yield func(Object) error) error {
	return b.Folder.List(ctx, func(o Object) error {
		name, inside := strings.CutPrefix(o.Name, b.prefix)
		if !inside {
			return nil
		}
		o.Name = name
		return yield(o)
	})
}

func (b below) Open(ctx context.Context, o Object) (io.ReadCloser, error) {
	o.Name = b.prefix + o.Name
	return b.Folder.Open(ctx, o)
}
