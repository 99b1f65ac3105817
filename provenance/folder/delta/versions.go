package delta

import (
	"cmp"
	"fmt"
	"slices"
)

func compareInt(a, b int64) int { return cmp.Compare(a, b) }

// newest is the highest version of the log; -1, when it has none.
func (h *history) newest() int64 {
	newest := int64(-1)
	if n := len(h.commits); n > 0 {
		newest = h.commits[n-1].version
	}
	if n := len(h.checkpoints); n > 0 {
		newest = max(newest, h.checkpoints[n-1].version)
	}
	return newest
}

// oldest is the lowest version that could be read; -1, when there is none.
func (h *history) oldest() int64 {
	if len(h.commits) > 0 && h.commits[0].version == 0 {
		return 0
	}
	if len(h.checkpoints) > 0 {
		return h.checkpoints[0].version
	}
	return -1
}

// base is the newest checkpoint up to version, or nil.
func (h *history) base(version int64) *checkpoint {
	i, _ := slices.BinarySearchFunc(h.checkpoints, version+1, func(c checkpoint, v int64) int { return compareInt(c.version, v) })
	if i == 0 {
		return nil
	}
	return &h.checkpoints[i-1]
}

// besides are the other complete checkpoints of the same version: readers differ in which of them they take.
func (h *history) besides(c *checkpoint) (others []*checkpoint) {
	for i := range h.checkpoints {
		if other := &h.checkpoints[i]; other != c && other.version == c.version {
			others = append(others, other)
		}
	}
	return others
}

// between are the commits after the version from, up to the version to. gap is the first that is missing, or -1.
func (h *history) between(from, to int64) (commits []commit, gap int64) {
	start, _ := slices.BinarySearchFunc(h.commits, from+1, func(c commit, v int64) int { return compareInt(c.version, v) })
	next := from + 1
	for _, c := range h.commits[start:] {
		if c.version != next || next > to {
			break
		}
		next++
	}
	gap = -1
	if next <= to {
		gap = next
	}
	return h.commits[start : start+int(next-from-1)], gap
}

// commit is the commit of one version, if it is there.
func (h *history) commit(version int64) (commit, bool) {
	commits, gap := h.between(version-1, version)
	if gap >= 0 {
		return commit{}, false
	}
	return commits[0], true
}

// span writes which versions there are.
func (h *history) span() string {
	if h.oldest() < 0 {
		return "no version of it can be read"
	}
	return fmt.Sprintf("it has the versions %d to %d", h.oldest(), h.newest())
}

// plan is how a version is read.
func (l *log) plan(version int64) (replay, error) {
	if version < l.oldest() || version > l.newest() || l.oldest() < 0 {
		return replay{}, refuseHint("the log is cleaned up after delta.logRetentionDuration",
			"the table has no version %d (any more, or yet): %s", version, l.span())
	}
	from := int64(-1)
	base := l.base(version)
	if base != nil {
		from = base.version
	}
	commits, gap := l.between(from, version)
	if gap >= 0 {
		return replay{}, refuse("version %d cannot be read: the commit of version %d is missing from the log", version, gap)
	}
	return replay{log: l, base: base, commits: commits}, nil
}

// check is another way to the state of a checkpoint, to compare it with: all commits from the first, or else the commits
// since the oldest checkpoint that has them all. There may be none.
func (l *log) check(c *checkpoint) (replay, bool) {
	if commits, gap := l.between(-1, c.version); gap < 0 {
		return replay{log: l, commits: commits}, true
	}
	for i := range l.checkpoints {
		older := &l.checkpoints[i]
		if older.version >= c.version {
			break
		}
		if commits, gap := l.between(older.version, c.version); gap < 0 {
			return replay{log: l, base: older, commits: commits}, true
		}
	}
	return replay{}, false
}
