package main

import (
	"fmt"
	"os"
	"sync"
)

// scratch is a folder for what does not fit into memory. It is made when it is first needed, where TMPDIR says.
type scratch struct {
	once sync.Once
	dir  string
	err  error
}

func (s *scratch) path() (string, error) {
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "provenance-"); s.err != nil {
			s.err = fmt.Errorf("no folder for temporary files: %w", s.err)
		}
	})
	return s.dir, s.err
}

// sub is a new folder inside.
func (s *scratch) sub() (string, error) {
	dir, err := s.path()
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(dir, "")
}

// remove removes it, with all that it holds.
func (s *scratch) remove() {
	if s.dir != "" {
		os.RemoveAll(s.dir) // what cannot be removed lies among other temporary files
	}
}
