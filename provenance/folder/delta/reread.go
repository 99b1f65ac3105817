package delta

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

// Reread reads a version again that was recorded, and gives no error where it is still the same. Nothing keeps files from being
// added to its log, in a locked container neither, and readers prefer a newer checkpoint to the one that was recorded. Where
// files define the version that are not known, all have to lead to what the known ones alone lead to: the same files, sizes,
// deletion vectors and partition values, the same protocol and metaData. If they do not, that is *provenance.Refused, code
// data.delta; any other error is that nobody could tell. Whether the known files are still there, and the same, is not looked at.
func Reread(ctx context.Context, f storage.Folder, version int64, known func(string) bool, dir string) error {
	l, err := listLog(ctx, f, nil, dir)
	if err != nil {
		return err
	}
	s, err := l.open(ctx, At{Version: &version})
	if err != nil || s.knows(known) {
		return err
	}
	by := readingOf(s.metadata)
	before, err := listLog(ctx, f, known, dir)
	if err != nil {
		return err
	}
	was, err := before.outcome(ctx, version, by)
	if err != nil {
		return err
	}
	now, err := l.outcome(ctx, version, by)
	if err != nil {
		return err
	}
	return now.compare(was)
}

// knows tells whether all files of the log that define the version are known.
func (s *state) knows(known func(string) bool) bool {
	return !slices.ContainsFunc(s.log, func(o storage.Object) bool { return !known(logDir + "/" + o.Name) })
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
	case o.files[bare] != was.files[bare]:
		return refuse("the log has got files since, by which version %d has other files, sizes or deletion vectors than were recorded", o.version)
	case o.files[whole] == was.files[whole]:
		return o.doubt(was)
	case doubtful || o.unread || was.unread:
		return errors.New("the log has got files since, by which partition values are spelled differently; they may be the same")
	}
	return refuse("the log has got files since, by which version %d has other partition values than were recorded", o.version)
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

// Recorded shows only those files of f whose names are known: a table goes on getting files, which do not belong to the
// version that was recorded. Of files that were added to its log, and do, [Reread] tells.
func Recorded(f storage.Folder, known func(string) bool) storage.Folder {
	return recorded{f, known}
}

type recorded struct {
	storage.Folder
	known func(string) bool
}

func (r recorded) List(ctx context.Context, yield func(storage.Object) error) error {
	return r.Folder.List(ctx, func(o storage.Object) error {
		if !r.known(o.Name) {
			return nil
		}
		return yield(o)
	})
}
