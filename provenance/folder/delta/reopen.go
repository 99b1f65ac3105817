package delta

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

// Reopen opens a version that was recorded. Nothing keeps files from being added to its log, in a locked container neither,
// and readers prefer a newer checkpoint to the one that was recorded. A log that defines the version by files that are not
// known has to lead to what the known ones alone lead to: the same files, sizes, deletion vectors and partition values, the
// same protocol and metaData. If it does not, that is *provenance.Refused, code data.delta; any other error is that nobody
// could tell.
func Reopen(ctx context.Context, f storage.Folder, version int64, known func(string) bool, dir string) (*Table, error) {
	l, err := listLog(ctx, f, nil, dir)
	if err != nil {
		return nil, err
	}
	at := At{Version: &version}
	s, err := l.open(ctx, at)
	if err != nil {
		return nil, err
	}
	by := readingOf(s.metadata)
	t, err := s.table(f, at)
	if err != nil || t.knows(known) {
		return t, err
	}
	before, err := listLog(ctx, f, known, dir)
	if err != nil {
		return nil, err
	}
	was, err := before.outcome(ctx, version, by)
	if err != nil {
		return nil, err
	}
	now, err := l.outcome(ctx, version, by)
	if err != nil {
		return nil, err
	}
	return t, now.compare(was)
}

// knows tells whether all files of the log that define the version are known.
func (t *Table) knows(known func(string) bool) bool {
	for name := range t.log {
		if !known(name) {
			return false
		}
	}
	return true
}

// outcome is what a replay has led to.
type outcome struct {
	version  int64
	files    fingerprint
	head     [sha256.Size]byte
	unread   bool // partition values of some files are not known
	reading  *reading
	warnings []string
}

// outcome replays the log up to a version, with partition values by their types.
func (l *log) outcome(ctx context.Context, version int64, by *reading) (*outcome, error) {
	plan, err := l.plan(version)
	if err != nil {
		return nil, err
	}
	s := newState()
	s.reading = by
	if err := s.follow(ctx, plan); err != nil {
		return nil, err
	}
	return &outcome{version, s.active.total, s.head(), s.unread, by, s.warnings}, nil
}

// compare refuses an outcome that is another than it was.
func (o *outcome) compare(was *outcome) error {
	doubtful := o.files[certain] == was.files[certain] && (o.files[styles] != was.files[styles] || o.reading.unknown)
	switch {
	case o.head != was.head:
		return refuse("the log has got files since, by which version %d has another protocol or other metaData than was recorded", o.version)
	case o.files[whole] == was.files[whole]:
		return o.doubt(was)
	case doubtful || o.unread || was.unread:
		return errors.New("the log has got files since, by which partition values are spelled differently; they may be the same")
	}
	return refuse("the log has got files since, by which version %d has other files, sizes, deletion vectors or partition values than were recorded", o.version)
}

// doubt is an error, but no refusal, where a file that was added to the log could not be compared.
func (o *outcome) doubt(was *outcome) error {
	for _, warning := range o.warnings {
		if !slices.Contains(was.warnings, warning) {
			return errors.New("the log has got files since, and they could not be compared: " + warning)
		}
	}
	return nil
}

// Recorded shows a version that was recorded in f: the files of its log that are known, and the data files and deletion
// vectors that it has as now says. Without now these are the known ones. A table goes on getting files that do not belong to
// the version.
func Recorded(f storage.Folder, known func(string) bool, now *Table) storage.Folder {
	return recorded{f, func(name string) bool {
		if now == nil || strings.HasPrefix(name, logDir+"/") {
			return known(name)
		}
		_, has := now.find(name)
		return has
	}}
}

// recorded shows some files of a folder.
type recorded struct {
	storage.Folder
	shows func(string) bool
}

func (r recorded) List(ctx context.Context, yield func(storage.Object) error) error {
	return r.Folder.List(ctx, func(o storage.Object) error {
		if !r.shows(o.Name) {
			return nil
		}
		return yield(o)
	})
}
