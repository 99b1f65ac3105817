package delta

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

// compacted is a compacted log: readers may take it instead of the commits of a range of versions. Some that honest writers
// made are wrong: deltalake leaves out removes that are older than delta.deletedFileRetentionDuration, and who reads such a
// log sees files that were removed.
// Source: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#log-compaction-files
type compacted struct {
	from, to int64
	file     storage.Object
}

// compaction is a compacted log whose commits are being read, and what they have to lead to. Sums tell it, so that nothing is
// remembered of either side.
type compaction struct {
	compacted
	files fingerprint
	head  [sha256.Size]byte
}

// compactions are those compacted logs of a replay that were begun, and not compared yet, by their last version.
type compactions struct {
	log  *log
	last int64 // version of the replay
	open map[int64][]*compaction
}

// begin reads the compacted logs that begin with the next version.
func (o *compactions) begin(ctx context.Context, s *state, version int64) error {
	for _, c := range o.log.compacted[version] {
		if c.to > o.last {
			continue
		}
		begun, err := o.log.readCompacted(ctx, s, c)
		if err != nil {
			return err
		}
		o.open[c.to] = append(o.open[c.to], begun)
	}
	return nil
}

// readCompacted says what a compacted log makes of s.
func (l *log) readCompacted(ctx context.Context, s *state, c compacted) (*compaction, error) {
	after := newState()
	after.version, after.protocol, after.metadata = c.to, s.protocol, s.metadata
	out := &compaction{compacted: c, files: s.active.total}
	body, err := l.folder.Open(ctx, c.file)
	if err != nil {
		return nil, err
	}
	defer body.Close() // was read only
	err = eachLine(c.file.Name, body, func(a action) error {
		switch {
		case a.add != nil:
			id := a.add.identify()
			out.files.add(id.key, file{a.add.size, a.add.sum(s.reading), id.spelling})
			return errors.Join(after.note(&after.added, id.key), out.replace(s, id))
		case a.remove != nil:
			id := a.remove.identify()
			return errors.Join(after.note(&after.removed, id.key), out.replace(s, id))
		}
		return after.apply(a)
	})
	if err != nil {
		return nil, err
	}
	out.head = after.head()
	return out, c.end(after)
}

// replace takes away a file that was active before.
func (c *compaction) replace(s *state, id identity) error {
	f, ok, err := s.find(id)
	if ok {
		c.files.take(id.key, f)
	}
	return err
}

// end refuses a compacted log that says two things of one file.
func (c compacted) end(after *state) error {
	err := after.end()
	slices.SortFunc(after.removed, key.compare)
	all := len(after.removed)
	switch {
	case err != nil:
		return refuse("the compacted log %s contradicts itself: %v", c.file.Name, err)
	case len(slices.Compact(after.removed)) < all:
		return refuse("the compacted log %s removes the same file twice", c.file.Name)
	}
	return nil
}

// finish compares the compacted logs that end with the version of s.
func (o *compactions) finish(s *state) error {
	for _, c := range o.open[s.version] {
		if err := c.compare(s); err != nil {
			return err
		}
	}
	delete(o.open, s.version)
	return nil
}

// compare refuses a compacted log that leads to another state than its commits did.
func (c *compaction) compare(s *state) error {
	what, total := "", s.active.total
	switch {
	case s.protocol == nil || s.metadata == nil:
		return refuse("version %d has no protocol or no metaData", s.version)
	case c.head != s.head():
		what = "their protocols or metaData differ"
	case c.files[whole] == total[whole]:
		return nil
	case c.files[bare] != total[bare]:
		what = "they have other files, sizes or deletion vectors"
	case s.reading == nil:
		s.respelled = true
		return nil
	case c.files[certain] == total[certain] && (c.files[styles] != total[styles] || s.reading.unknown):
		s.warn("partition values could not be compared between the compacted log %s and the commits: they are spelled differently, and may be the same", c.file.Name)
		return nil
	case s.retyped():
		return errTypes
	default:
		what = "they have other partition values"
	}
	return refuseHint("no reader needs a compacted log, and it may be removed",
		"the compacted log %s and the commits of the versions %d to %d disagree: %s", c.file.Name, c.from, c.to, what)
}

// head is a digest of the protocol and the metaData.
func (s *state) head() (sum [sha256.Size]byte) {
	h := sha256.New()
	if p := s.protocol; p != nil {
		fmt.Fprintf(h, "%d %d %q %q", p.minReader, p.minWriter, slices.Sorted(slices.Values(p.readerFeatures)), slices.Sorted(slices.Values(p.writerFeatures)))
	}
	if m := s.metadata; m != nil {
		fmt.Fprintf(h, "%q %q %q %x", m.id, m.configuration, m.partition, schemaSum(m.schema))
	}
	h.Sum(sum[:0])
	return sum
}

// within are the compacted logs that readers may take for some of the commits.
func (h *history) within(commits []commit) (files []storage.Object) {
	if len(commits) == 0 {
		return nil
	}
	first, last := commits[0].version, commits[len(commits)-1].version
	for from, all := range h.compacted {
		for _, c := range all {
			if from >= first && c.to <= last {
				files = append(files, c.file)
			}
		}
	}
	return files
}
