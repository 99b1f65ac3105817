package main

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// tools runs the servers of the tests outside of a test.
type tools struct {
	testing.TB // not there: what is called is below
	cleanup    []func()
	failed     bool
}

// failure ends what Fatal ends.
type failure struct{ error }

func (*tools) Helper()                        {}
func (t *tools) Failed() bool                 { return t.failed }
func (t *tools) Cleanup(do func())            { t.cleanup = append(t.cleanup, do) }
func (t *tools) Fatal(args ...any)            { panic(failure{fmt.Errorf("%s", fmt.Sprint(args...))}) }
func (t *tools) Fatalf(f string, args ...any) { panic(failure{fmt.Errorf(f, args...)}) }
func (*tools) Logf(f string, args ...any)     { fmt.Fprintf(os.Stderr, f+"\n", args...) }

// TempDir is a folder that is gone at the end.
func (t *tools) TempDir() string {
	dir, err := os.MkdirTemp("", "provenance-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) // it is temporary: what is left is no harm
	return dir
}

// end stops the servers, and turns a failure into err. It is deferred.
func (t *tools) end(err *error) {
	failed := recover()
	if f, is := failed.(failure); is {
		*err, t.failed, failed = f.error, true, nil
	}
	for _, do := range slices.Backward(t.cleanup) {
		do()
	}
	if failed != nil {
		panic(failed)
	}
}
