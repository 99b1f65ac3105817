// Package delta shows the files of one version of a Delta table as a [storage.Folder]: its data files, its deletion
// vectors, and the files of the log that define the version. A table's folder holds the files of many versions, and of
// commits that failed; a digest over all of them would say nothing of what a model was trained on.
//
// The log is replayed as the protocol says (https://github.com/delta-io/delta/blob/master/PROTOCOL.md): from the newest
// complete checkpoint that is not newer than the version, then commit by commit. What would let two readers see different
// files is refused, code data.delta: a missing commit, a feature that is not known, a catalog that decides on commits, a
// checkpoint that says something else than the commits before it, a compacted log that says something else than the commits
// it stands for, a checksum that does not fit, a file outside the folder, a file that is gone or has another size, a file of
// the log whose name only some readers know, a column of a checkpoint that only some of them read.
//
// A file is opened by its decoded path, and removed by its path as it is written: "p%61rt" and "part" are one file to open, and
// two to remove, at least for some readers. So an action whose path is that of an active file, but is written in another way,
// is refused. An in-commit timestamp says when a version was made where the newest metaData has enabled it, from the version
// on that it names; else the time of the commit's file does.
//
// Compared are the files, their sizes, deletion vectors and partition values, the protocol, the table's id, its schema, its
// partition columns and its configuration. Partition values are compared as text, and where texts differ by the types that they
// have in the version: writers spell a value in several ways. It is a warning, and no refusal, where it cannot be told whether
// two values are the same: a timestamp with a zone and one without, which are not the same in UTC; binary, escaped and not; a
// type that is not known; values that a checkpoint has as partitionValues_parsed only. An error it is where they differ, and
// where their types were others when they were written.
//
// What a checkpoint has beyond partition values is not compared: statistics, and partitionValues_parsed beside
// partitionValues. A reader that skips files by forged ones could read fewer rows. Every file of the log that defines the
// version is in the digest; a compacted log is, where readers may take it instead of commits after the checkpoint. A retention
// policy keeps those files as they are, but it lets others be added, and readers may prefer those: a later checkpoint above
// all. [Reread] finds out, at the time when it is asked.
//
// A log is foreign text. Lines of JSON, pages of Parquet, depths and counts are bounded before they are read. Memory is
// about 70 MiB for a million active files: they are known by 128 bits of the SHA-256 of their names, and their partition
// values by a hash of 64 bits until they have been compared. It has a key of this process, so that nobody can look for other
// values with the same; the hash of 32 bits of a path as it is written has it, too. A version of more files than a folder may
// have is not read.
package delta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// logDir is the folder of a table's log.
const logDir = "_delta_log"

// At chooses a version. The zero value is the newest.
type At struct {
	Version *int64
	// Before chooses the newest version that was committed at or before it, where Version is nil. A commit's time is its
	// in-commit timestamp, if the table has enabled those, or else the modification time of its file, of which Azure tells
	// whole seconds.
	Before time.Time
}

// asked is the reason for the version, as [provenance.DeltaTable] writes it.
func (a At) asked() string {
	switch {
	case a.Version != nil:
		return "version"
	case !a.Before.IsZero():
		return "run start"
	}
	return "now"
}

// Table is one version of a Delta table, and a [storage.Folder] of its files.
type Table struct {
	folder   storage.Folder
	noun     provenance.DeltaTable
	warnings []string
	log      map[string]storage.Object // the files that define the version, by their names in the table
	files    []wanted                  // data files and deletion vectors, by key
	source   replay                    // where their names can be read again
}

// Is tells whether f has a Delta log. It looks at one file of it. A file that is called like the log is none: who reads tables finds
// no commits below it, and a storage that knows no folders shows none.
func Is(ctx context.Context, f storage.Folder) (bool, error) {
	found := errors.New("found")
	err := storage.Sub(f, logDir).List(ctx, func(storage.Object) error { return found })
	switch {
	case errors.Is(err, found):
		return true, nil
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return false, nil
	}
	return false, fmt.Errorf("looking whether it is a Delta table: %w", err)
}

// Open reads the log of the table in f. Checkpoints are copied into dir, and removed from it again.
//
// What does not hold, a version that is not there included, is *provenance.Refused, code data.delta.
func Open(ctx context.Context, f storage.Folder, at At, dir string) (*Table, error) {
	l, err := listLog(ctx, f, nil, dir)
	if err != nil {
		return nil, err
	}
	s, err := l.open(ctx, at)
	if err != nil {
		return nil, err
	}
	t, err := s.table(f, at)
	if err == nil {
		t.noun.Newest = l.newest()
	}
	return t, err
}

// open is the state of a version, checked.
func (l *log) open(ctx context.Context, at At) (*state, error) {
	if err := l.checkStaged(at); err != nil {
		return nil, err
	}
	version, err := l.choose(ctx, at)
	if err != nil {
		return nil, err
	}
	s, err := l.snapshot(ctx, version)
	if err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := s.checkTime(at); err != nil {
		return nil, err
	}
	return s, l.checkSum(ctx, s)
}

// checkStaged refuses a log with commits that wait for a catalog. They do not matter to a version before them that is named.
func (l *log) checkStaged(at At) error {
	if l.staged.file.Name == "" || at.Version != nil && *at.Version < l.staged.version {
		return nil
	}
	return refuseCatalog("it has the staged commit " + l.staged.file.Name)
}

// refuse is the one kind of refusal of this package.
func refuse(format string, args ...any) error {
	return refuseHint("", format, args...)
}

func refuseHint(hint, format string, args ...any) error {
	return provenance.Refuse("data.delta", hint, format, args...)
}

// errLimit is a log that is beyond what is read here. It may be valid, so it is not refused.
var errLimit = errors.New("beyond the limits of this program")

func tooMuch(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errLimit}, args...)...)
}

// Noun is what is recorded of the version.
func (t *Table) Noun() provenance.DeltaTable { return t.noun }

// Warnings say what could not be checked.
func (t *Table) Warnings() []string { return t.warnings }

// URI is the table's folder.
func (t *Table) URI() string { return t.folder.URI() }

// Workers is how many files one should read at the same time.
func (t *Table) Workers() int { return t.folder.Workers() }

// Open opens a file of List.
func (t *Table) Open(ctx context.Context, o storage.Object) (io.ReadCloser, error) {
	return t.folder.Open(ctx, o)
}
