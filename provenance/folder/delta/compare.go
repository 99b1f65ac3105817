package delta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

func (s *state) warn(format string, args ...any) {
	s.warnings = append(s.warnings, fmt.Sprintf(format, args...))
}

// difference is what a checkpoint and the log before it say differently.
type difference struct {
	state      *state
	only       []string // files that only the checkpoint has, or with another size
	more       int      // those that only does not name
	seen       int
	checkpoint *state // its protocol and metaData
}

// compare refuses a checkpoint that differs from s, which was read another way. Files that were seen have their sizes
// inverted meanwhile: it costs no memory.
func (s *state) compare(ctx context.Context, l *log, c *checkpoint) ([]storage.Object, error) {
	d := &difference{state: s, checkpoint: newState()}
	files, err := l.readCheckpoint(ctx, c, func(a action) error {
		switch {
		case a.add != nil:
			d.see(*a.add)
		case a.remove != nil:
		case a.checkpoint != nil:
			return c.checkVersion(*a.checkpoint)
		default:
			return d.checkpoint.apply(a)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := d.checkpoint.checkOne(c); err != nil {
		return nil, err
	}
	if what := d.what(); what != "" {
		return nil, refuse("the checkpoint of version %d and the log before it disagree: %s", c.version, what)
	}
	for k, size := range s.sizes {
		s.sizes[k] = ^size
	}
	return files, nil
}

func (d *difference) see(f fileAction) {
	k, _, _ := keyOfFile(f)
	if size, ok := d.state.sizes[k]; ok && size == f.size {
		d.state.sizes[k] = ^size
		d.seen++
		return
	}
	if len(d.only) == shown {
		d.more++
	} else {
		d.only = append(d.only, fmt.Sprintf("%.200s", f.path))
	}
}

// what says in what they differ; empty means in nothing.
func (d *difference) what() string {
	var parts []string
	if len(d.only) > 0 {
		parts = append(parts, "only the checkpoint has the files "+list(d.only, d.more))
	}
	if missing := len(d.state.sizes) - d.seen; missing > 0 {
		parts = append(parts, fmt.Sprintf("the log has %d files that the checkpoint has not", missing))
	}
	p, m := d.state.protocol, d.state.metadata
	switch {
	case p == nil || m == nil:
		parts = append(parts, "the log has no protocol or no metaData")
	case !p.equal(d.checkpoint.protocol):
		parts = append(parts, "their protocols differ")
	case m.id != d.checkpoint.metadata.id:
		parts = append(parts, "they are of different tables")
	case !maps.Equal(m.configuration, d.checkpoint.metadata.configuration):
		parts = append(parts, "their configurations differ")
	}
	return strings.Join(parts, "; ")
}

// maxSum is how long a version's checksum file may be; of small tables it holds all files.
const maxSum = 64 << 20

// checksum is what is used of a version's checksum file.
// Source: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#version-checksum-file
type checksum struct {
	files, bytes, vectors *int64
}

// checkSum compares the snapshot with the checksum file that its writer left, if there is one.
func (l *log) checkSum(ctx context.Context, s *state) error {
	o, ok := l.sums[s.version]
	if !ok {
		return nil
	}
	if o.Size > maxSum {
		return tooMuch("the checksum %s in the log is longer than %d bytes", o.Name, maxSum)
	}
	body, err := l.folder.Open(ctx, o)
	if err != nil {
		return err
	}
	defer body.Close() // was read only
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	c, err := parseChecksum(data)
	if err != nil {
		return broken(o.Name, err)
	}
	if what := s.differs(c); what != "" {
		return refuse("the checksum %s and the log disagree: %s", o.Name, what)
	}
	return nil
}

func parseChecksum(data []byte) (c checksum, err error) {
	var o object
	if err := strictjson.Check(data, maxDepth); err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return c, err
	}
	err = errors.Join(o.get("numFiles", &c.files), o.get("tableSizeBytes", &c.bytes), o.get("numDeletionVectorsOpt", &c.vectors))
	if err == nil && (c.files == nil || c.bytes == nil) {
		err = errors.New("numFiles or tableSizeBytes is missing")
	}
	return c, err
}

// differs says in what a checksum differs from the snapshot; empty means in nothing.
func (s *state) differs(c checksum) string {
	var bytes int64
	for _, size := range s.sizes {
		bytes += size
	}
	switch {
	case *c.files != int64(len(s.sizes)):
		return fmt.Sprintf("%d files and %d files", *c.files, len(s.sizes))
	case *c.bytes != bytes:
		return fmt.Sprintf("%d bytes and %d bytes", *c.bytes, bytes)
	case c.vectors != nil && *c.vectors != int64(len(s.vectors)):
		return fmt.Sprintf("%d deletion vectors and %d", *c.vectors, len(s.vectors))
	}
	return ""
}
