package delta

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

func (s *state) warn(format string, args ...any) {
	s.warnings = append(s.warnings, fmt.Sprintf(format, args...))
}

// difference is what a checkpoint and the log before it say differently.
type difference struct {
	state      *state
	only       names // files that only the checkpoint has, or with another size
	other      names // files with other partition values
	doubtful   int   // files whose partition values may be the same
	unread     int   // files whose partition values are not known
	seen       int
	checkpoint *state // its protocol and metaData
}

// names are the first of some files, and how many more there are.
type names struct {
	first []string
	more  int
}

func (n *names) add(path string) {
	if len(n.first) == shown {
		n.more++
	} else {
		n.first = append(n.first, fmt.Sprintf("%.200s", path))
	}
}

func (n names) String() string { return list(n.first, n.more) }

// compare refuses a checkpoint that differs from s, which was read another way. Files that were seen are marked meanwhile.
func (s *state) compare(ctx context.Context, l *log, c *checkpoint) ([]storage.Object, error) {
	d := &difference{state: s, checkpoint: newState()}
	files, err := l.readCheckpoint(ctx, c, func(a action) error {
		switch {
		case a.add != nil:
			return d.see(*a.add)
		case a.remove != nil:
		case a.checkpoint != nil:
			return c.checkVersion(*a.checkpoint)
		default:
			return d.checkpoint.apply(a)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := d.checkpoint.checkOne(c); err != nil {
		return nil, err
	}
	s.active.unmark()
	return files, d.judge(c)
}

func (d *difference) see(f fileAction) error {
	id := f.identify()
	was, ok, err := d.state.find(id)
	if err != nil {
		return err
	}
	if !ok || was.size != f.size {
		d.only.add(f.path)
		return nil
	}
	d.state.active.mark(id.key)
	d.seen++
	switch sum, r := f.sum(d.state.reading), d.state.reading; {
	case sum == unknownValues || was.values == unknownValues:
		d.unread++
	case sameValues(sum, was.values):
	case r != nil && r.doubt(sum, was.values):
		d.doubtful++
	default:
		d.other.add(f.path)
	}
	return nil
}

// judge refuses what differs, and warns of what cannot be told.
func (d *difference) judge(c *checkpoint) error {
	what, values := d.what(), d.other.String()
	switch {
	case what != "" || values == "":
	case d.state.reading == nil:
		d.state.respelled = true
		return nil
	case d.state.retyped():
		return errTypes
	default:
		what = "partition values differ in the files " + values
	}
	if what != "" {
		return refuse("the checkpoint of version %d and the log before it disagree: %s", c.version, what)
	}
	const warning = "the partition values of %d files could not be compared between the checkpoint of version %d and the log: "
	if d.doubtful > 0 {
		d.state.warn(warning+"they are spelled differently, and may be the same", d.doubtful, c.version)
	}
	if d.unread > 0 && len(d.checkpoint.metadata.partition) > 0 {
		d.state.warn(warning+"a checkpoint has them as partitionValues_parsed only", d.unread, c.version)
	}
	return nil
}

// what says in what they differ, partition values aside; empty means in nothing.
func (d *difference) what() string {
	var parts []string
	if only := d.only.String(); only != "" {
		parts = append(parts, "only the checkpoint has the files "+only)
	}
	if missing := d.state.active.len() - d.seen; missing > 0 {
		parts = append(parts, fmt.Sprintf("the log has %d files that the checkpoint has not", missing))
	}
	if d.state.protocol == nil || d.state.metadata == nil {
		parts = append(parts, "the log has no protocol or no metaData")
	} else if what := d.state.contradicts(d.checkpoint.protocol, d.checkpoint.metadata); what != "" {
		parts = append(parts, what)
	}
	return strings.Join(parts, "; ")
}

// contradicts says in what a protocol and metaData are others than those of s; empty means in nothing.
func (s *state) contradicts(p *protocol, m *metadata) string {
	switch {
	case !s.protocol.equal(p):
		return "their protocols differ"
	case m.id != s.metadata.id:
		return "they are of different tables"
	case !maps.Equal(m.configuration, s.metadata.configuration):
		return "their configurations differ"
	case !sameSchema(m.schema, s.metadata.schema):
		return "their schemas differ"
	case !slices.Equal(m.partition, s.metadata.partition):
		return "their partition columns differ"
	}
	return ""
}
