package delta

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"syscall"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// log is a table's _delta_log.
type log struct {
	folder storage.Folder
	dir    string // for copies of checkpoints
	*history
}

// maxLine is how long one action may be: an add has statistics of every column in it.
const maxLine = 16 << 20

// listLog lists the log of the table in f; only the files that are known, unless known is nil.
func listLog(ctx context.Context, f storage.Folder, known func(string) bool, dir string) (*log, error) {
	l := &log{folder: storage.Sub(f, logDir), dir: dir}
	c := newCollector()
	err := l.folder.List(ctx, func(o storage.Object) error {
		if known != nil && !known(logDir+"/"+o.Name) {
			return nil
		}
		return c.add(o)
	})
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && c.files == 0:
		return nil, refuse("%s is no Delta table: it has no %s", f.URI(), logDir)
	case errors.Is(err, syscall.ENOTDIR):
		return nil, refuse("%s is no Delta table: its %s is no folder", f.URI(), logDir)
	case err != nil:
		return nil, err
	}
	l.history = c.finish()
	return l, nil
}

// eachLine parses the actions of a commit, or of a checkpoint in JSON.
func eachLine(name string, body io.Reader, visit func(action) error) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		a, err := parseAction(lines.Bytes())
		if err == nil {
			err = visit(a)
		}
		if err != nil {
			return broken(fmt.Sprintf("line %d of %s", n, name), err)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return tooMuch("line %d of %s in the log is longer than %d bytes", n+1, name, maxLine)
	}
	if lines.Err() == nil && n == 0 {
		return refuse("the file %s of the log is empty", name)
	}
	return lines.Err()
}

// broken refuses what is no valid log. An error that is about something else stays as it is.
func broken(where string, err error) error {
	var refused *provenance.Refused
	var disk *fs.PathError
	if errors.As(err, &refused) || errors.As(err, &disk) {
		return err
	}
	for _, kind := range []error{errLimit, errStop, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, kind) {
			return err
		}
	}
	return refuse("%s in the log cannot be read: %v", where, err)
}

// readCommit applies one commit to s.
func (s *state) readCommit(c commit, body io.Reader) error {
	s.begin(c.version)
	sum := sha256.New()
	if err := eachLine(c.file.Name, io.TeeReader(body, sum), s.apply); err != nil {
		return err
	}
	s.digest = provenance.DigestOf(provenance.SHA256, [sha256.Size]byte(sum.Sum(nil)))
	return s.end()
}

// readCheckpoint yields the actions of a checkpoint, those in its sidecars too, and says which files it consists of.
func (l *log) readCheckpoint(ctx context.Context, c *checkpoint, visit func(action) error) ([]storage.Object, error) {
	side := map[string]storage.Object{}
	files := c.parts
	for _, part := range c.parts {
		err := l.readPart(ctx, part, func(a action) error {
			if a.sidecar == nil {
				return visit(a)
			}
			o, err := l.sidecar(c, *a.sidecar)
			if _, twice := side[o.Name]; twice && err == nil {
				err = fmt.Errorf("the sidecar %s is named twice", o.Name)
			}
			side[o.Name] = o
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(side)) {
		files = append(files[:len(files):len(files)], side[name])
		if err := l.readPart(ctx, side[name], onlyFiles(visit)); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// sidecar is the file that a checkpoint names. Its path may be absolute, but all of them lie in the log's _sidecars.
func (l *log) sidecar(c *checkpoint, s sidecar) (storage.Object, error) {
	name := sidecarDir + path.Base(s.path)
	o, ok := l.sidecars[name]
	if !ok {
		return o, refuse("the checkpoint of version %d is not complete: its sidecar %.200s is gone", c.version, name)
	}
	if o.Size != s.size {
		return o, refuse("the sidecar %s has %d bytes, and the checkpoint of version %d says %d", name, o.Size, c.version, s.size)
	}
	return o, nil
}

// onlyFiles refuses in a sidecar what does not belong there.
func onlyFiles(visit func(action) error) func(action) error {
	return func(a action) error {
		if a.protocol != nil || a.metadata != nil || a.sidecar != nil || a.checkpoint != nil {
			return errors.New("a sidecar has actions that are not about files")
		}
		return visit(a)
	}
}

// readPart yields the actions of one file of a checkpoint.
func (l *log) readPart(ctx context.Context, o storage.Object, visit func(action) error) (err error) {
	body, err := l.folder.Open(ctx, o)
	if err != nil {
		return err
	}
	defer body.Close() // was read only
	if path.Ext(o.Name) == ".json" {
		return eachLine(o.Name, body, visit)
	}
	file, err := spool(l.dir, body)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.remove()) }()
	if err := readParquet(ctx, file, file.size, visit); err != nil {
		return broken(o.Name, err)
	}
	return nil
}
