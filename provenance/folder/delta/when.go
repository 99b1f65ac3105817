package delta

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// The properties of in-commit timestamps.
// Source: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#in-commit-timestamps
const (
	inCommitEnabled = "delta.enableInCommitTimestamps"
	inCommitSince   = "delta.inCommitTimestampEnablementVersion"
	inCommitFrom    = "delta.inCommitTimestampEnablementTimestamp"
)

// never is a version that no table has.
const never = math.MaxInt64

// inCommit is the first version whose commit keeps its own time; never, if the table has not enabled that.
func (m *metadata) inCommit() (int64, error) {
	since, ok := m.configuration[inCommitSince]
	switch enabled := m.configuration[inCommitEnabled]; {
	case enabled == "" || is(enabled, "false"):
		return never, nil
	case !is(enabled, "true"):
		return 0, refuse("the table has the property %s: %.100q, which is neither true nor false", inCommitEnabled, enabled)
	case !ok:
		return 0, nil // enabled since the table was made
	}
	version, err := strconv.ParseInt(since, 10, 64)
	if err != nil || version < 0 || version == never {
		return 0, refuse("the table has the property %s: %.100q, which is no version", inCommitSince, since)
	}
	return version, nil
}

// is tells whether a text is a word of ASCII, in letters of any case. Letters of other scripts, such as the long s of Unicode, take
// more bytes than those that they stand for.
func is(text, word string) bool { return len(text) == len(word) && strings.EqualFold(text, word) }

// at is when the commit says that it was made; zero, if it does not. Its in-commit timestamp counts where the table keeps them.
func (c *commitInfo) at(keeps bool) time.Time {
	switch {
	case keeps && c.inCommit != nil:
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
	clock, err := l.clock(ctx, commits)
	if err != nil {
		return 0, err
	}
	low, high, err := clock.bounds(ctx, first, when)
	if err != nil {
		return 0, err
	}
	first = low
	for low < high {
		middle := low + (high-low)/2
		at, err := clock.at(ctx, middle)
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
		return 0, clock.tooEarly(ctx, when, first)
	}
	return commits[low-1].version, nil
}

// clock tells when commits were made.
type clock struct {
	log      *log
	commits  []commit
	modified []time.Time
	since    int64     // the first version whose commit keeps its own time
	metadata *metadata // the newest, which says so, as in other readers
}

func (l *log) clock(ctx context.Context, commits []commit) (*clock, error) {
	plan, err := l.plan(l.newest())
	if err != nil {
		return nil, err
	}
	c := &clock{log: l, commits: commits, modified: ascendingTimes(commits), metadata: &metadata{}}
	err = plan.each(ctx, func(a action) error {
		if a.metadata != nil {
			c.metadata = a.metadata
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.since, err = c.metadata.inCommit()
	return c, err
}

// bounds are the first commit and the one after the last among which the version of a time is looked for: those that keep
// their own times are from then on when that was enabled, whatever the times of files are.
func (c *clock) bounds(ctx context.Context, first int, when time.Time) (low, high int, err error) {
	low, high = first, len(c.commits)
	if c.since == never || c.since <= c.commits[first].version {
		return low, high, nil
	}
	enabling := int(c.since - c.commits[0].version)
	if c.since > c.commits[high-1].version {
		return 0, 0, refuse("the table keeps the times of commits in them since version %d, which it has not", c.since)
	}
	from, err := c.at(ctx, enabling)
	if err != nil {
		return 0, 0, err
	}
	if said, ok := c.metadata.configuration[inCommitFrom]; ok && said != strconv.FormatInt(from.UnixMilli(), 10) {
		return 0, 0, refuse("the property %s is %.100q, which is not the time of the commit of version %d", inCommitFrom, said, c.since)
	}
	if from.After(when) {
		return low, enabling, nil
	}
	return enabling, high, nil
}

// tooEarly says from when on there are versions.
func (c *clock) tooEarly(ctx context.Context, when time.Time, first int) error {
	at, err := c.at(ctx, first)
	if err != nil {
		return err
	}
	return refuse("the table has no version as old as %s: the versions %d to %d were made since %s",
		when.UTC().Format(time.RFC3339), c.commits[first].version, c.log.newest(), at.Format(time.RFC3339))
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

// at is when a commit was made: the modification time of its file, or the in-commit timestamp in its first action.
func (c *clock) at(ctx context.Context, i int) (time.Time, error) {
	if c.commits[i].version < c.since {
		return c.modified[i].UTC(), nil
	}
	file := c.commits[i].file
	body, err := c.log.folder.Open(ctx, file)
	if err != nil {
		return time.Time{}, err
	}
	defer body.Close() // was read only
	var info *commitInfo
	err = eachLine(file.Name, body, func(a action) error {
		info = a.commit
		return errStop
	})
	if err != nil && !errors.Is(err, errStop) {
		return time.Time{}, err
	}
	if info == nil || info.inCommit == nil {
		return time.Time{}, errNoTime(c.commits[i].version)
	}
	return info.at(true), nil
}

func errNoTime(version int64) error {
	return refuse("the table keeps the times of commits in them, and the commit of version %d has none", version)
}

// keepsTimes tells whether the commit of the version keeps its own time, by the version's own metaData.
func (s *state) keepsTimes() bool {
	since, err := s.metadata.inCommit()
	return err == nil && s.version >= since
}

// checkTime refuses a version that was chosen by the time of its file, while the table keeps times in its commits.
func (s *state) checkTime(at At) error {
	if at.asked() == "run start" && s.keepsTimes() && (s.commit == nil || s.commit.inCommit == nil) {
		return errNoTime(s.version)
	}
	return nil
}
