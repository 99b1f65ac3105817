package delta

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// The properties of in-commit timestamps.
// Source: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#in-commit-timestamps
const (
	inCommitEnabled = "delta.enableInCommitTimestamps"
	inCommitSince   = "delta.inCommitTimestampEnablementVersion"
)

// at is when the commit says that it was made; zero, if it does not.
func (c *commitInfo) at() time.Time {
	switch {
	case c.inCommit != nil:
		return time.UnixMilli(*c.inCommit).UTC()
	case c.timestamp != nil:
		return time.UnixMilli(*c.timestamp).UTC()
	}
	return time.Time{}
}

// choose is the version that was asked for.
func (l *log) choose(ctx context.Context, at At) (int64, error) {
	switch {
	case at.Version != nil:
		return *at.Version, nil
	case !at.Before.IsZero():
		return l.before(ctx, at.Before)
	}
	return l.newest(), nil
}

// before is the newest version that was committed at or before a time. Commits have ascending times, so few are read.
func (l *log) before(ctx context.Context, when time.Time) (int64, error) {
	commits := l.dated()
	first := l.firstReadable(commits)
	if first == len(commits) {
		return 0, refuse("when the versions of the table were made is not known, their commits are gone: %s", l.span())
	}
	modified := ascendingTimes(commits)
	low, high := first, len(commits)
	for low < high {
		middle := low + (high-low)/2
		at, err := l.timeOf(ctx, commits[middle], modified[middle])
		switch {
		case err != nil:
			return 0, err
		case at.After(when):
			high = middle
		default:
			low = middle + 1
		}
	}
	if low == first {
		return 0, l.tooEarly(ctx, when, commits[first], modified[first])
	}
	return commits[low-1].version, nil
}

// tooEarly says from when on there are versions.
func (l *log) tooEarly(ctx context.Context, when time.Time, first commit, modified time.Time) error {
	at, err := l.timeOf(ctx, first, modified)
	if err != nil {
		return err
	}
	return refuse("the table has no version as old as %s: the versions %d to %d were made since %s",
		when.UTC().Format(time.RFC3339), first.version, l.newest(), at.Format(time.RFC3339))
}

// dated are the newest commits without a gap.
func (l *log) dated() []commit {
	start := max(0, len(l.commits)-1)
	for start > 0 && l.commits[start-1].version+1 == l.commits[start].version {
		start--
	}
	return l.commits[start:]
}

// firstReadable is the index of the first commit whose version can be read; len(commits), when there is none.
func (l *log) firstReadable(commits []commit) int {
	if len(commits) == 0 || commits[0].version == 0 {
		return 0
	}
	for _, c := range l.checkpoints {
		if index := c.version - commits[0].version; index >= -1 && index < int64(len(commits)) {
			return int(max(index, 0))
		}
	}
	return len(commits)
}

// ascendingTimes are the modification times of commits; one that is not after the time before it counts as a millisecond
// later, as in other readers.
func ascendingTimes(commits []commit) []time.Time {
	times := make([]time.Time, len(commits))
	for i, c := range commits {
		times[i] = c.file.Modified
		if i > 0 && !times[i].After(times[i-1]) {
			times[i] = times[i-1].Add(time.Millisecond)
		}
	}
	return times
}

// errStop ends the reading of a commit.
var errStop = errors.New("enough was read")

// timeOf is the in-commit timestamp of a commit, which is in its first action, or else modified.
func (l *log) timeOf(ctx context.Context, c commit, modified time.Time) (time.Time, error) {
	body, err := l.folder.Open(ctx, c.file)
	if err != nil {
		return time.Time{}, err
	}
	defer body.Close() // was read only
	at := modified
	err = eachLine(c.file.Name, body, func(a action) error {
		if a.commit != nil && a.commit.inCommit != nil {
			at = a.commit.at()
		}
		return errStop
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return at.UTC(), err
}

// checkTime refuses a version that was chosen by the time of its file, while the table keeps times in its commits.
func (s *state) checkTime(at At) error {
	if at.asked() != "run start" || s.metadata.configuration[inCommitEnabled] != "true" {
		return nil
	}
	since, err := strconv.ParseInt(s.metadata.configuration[inCommitSince], 10, 64)
	if err != nil {
		since = 0 // enabled since the table was made
	}
	if s.version >= since && (s.commit == nil || s.commit.inCommit == nil) {
		return refuse("the table keeps the times of commits in them, and the commit of version %d has none", s.version)
	}
	return nil
}
