package delta

import (
	"errors"
	"io"
	"os"
)

// spooled is a copy of a checkpoint: Parquet is read from its end.
type spooled struct {
	*os.File
	size int64
}

// spool copies body to a new file in dir.
func spool(dir string, body io.Reader) (*spooled, error) {
	file, err := os.CreateTemp(dir, "checkpoint-*")
	if err != nil {
		return nil, err
	}
	s := &spooled{File: file}
	if s.size, err = io.Copy(file, body); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

func (s *spooled) remove() error { return errors.Join(s.Close(), os.Remove(s.Name())) }
