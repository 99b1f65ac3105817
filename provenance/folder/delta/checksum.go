package delta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

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
	for _, f := range s.active.all() {
		bytes += f.size
	}
	switch {
	case *c.files != int64(s.active.len()):
		return fmt.Sprintf("%d files and %d files", *c.files, s.active.len())
	case *c.bytes != bytes:
		return fmt.Sprintf("%d bytes and %d bytes", *c.bytes, bytes)
	case c.vectors != nil && *c.vectors != int64(len(s.vectors)):
		return fmt.Sprintf("%d deletion vectors and %d", *c.vectors, len(s.vectors))
	}
	return ""
}
