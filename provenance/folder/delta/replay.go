package delta

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

// replay is a way to a version: a checkpoint, or nothing, and the commits after it.
type replay struct {
	log     *log
	base    *checkpoint
	commits []commit
}

// snapshot replays the log up to a version. Where partition values differ as text, it is read again, to compare them by the types
// that they have for whoever reads that version: only its end tells those.
func (l *log) snapshot(ctx context.Context, version int64) (*state, error) {
	plan, err := l.plan(version)
	if err != nil {
		return nil, err
	}
	s := newState()
	err = s.follow(ctx, plan)
	if err == nil && s.respelled {
		r := readingOf(s.metadata)
		s = newState()
		s.reading = r
		err = s.follow(ctx, plan)
	}
	return s, err
}

// errTypes is about a log of which nobody could tell: it is no refusal.
var errTypes = errors.New("partition columns have changed their types, and values of theirs are spelled differently: they cannot be compared")

// retyped tells whether partition columns have other types by now than those by which they are compared. What then differs may have
// been the same when it was written.
func (s *state) retyped() bool { return !maps.Equal(s.reading.types, readingOf(s.metadata).types) }

// follow reads the log as planned.
func (s *state) follow(ctx context.Context, plan replay) error {
	s.source = plan
	if plan.base != nil {
		if err := s.start(ctx, plan.log, plan.base); err != nil {
			return err
		}
	}
	if err := s.readCommits(ctx, plan); err != nil {
		return err
	}
	for _, c := range plan.commits {
		s.log = append(s.log, c.file)
	}
	s.log = append(s.log, plan.log.within(plan.commits)...)
	if len(plan.commits) > 0 {
		return nil
	}
	return s.ownCommit(ctx, plan.log)
}

// start is the state at a checkpoint. All complete checkpoints of its version must say the same.
func (s *state) start(ctx context.Context, l *log, base *checkpoint) error {
	if err := s.startAt(ctx, l, base); err != nil {
		return err
	}
	for _, other := range l.besides(base) {
		files, err := s.compare(ctx, l, other)
		if err != nil {
			return err
		}
		s.log = append(s.log, files...)
	}
	return nil
}

// startAt is the state at a checkpoint. Where there is another way to it, both must lead to the same.
func (s *state) startAt(ctx context.Context, l *log, base *checkpoint) (err error) {
	other, ok := l.check(base)
	if !ok {
		s.warn("the checkpoint of version %d could not be compared with the log: the commits before it are gone", base.version)
		s.log, err = s.load(ctx, l, base)
		return err
	}
	if other.base != nil {
		if _, err := s.load(ctx, l, other.base); err != nil {
			return err
		}
	}
	if err := s.readCommits(ctx, other); err != nil {
		return err
	}
	s.log, err = s.compare(ctx, l, base)
	return err
}

// ownCommit is about the commit of a version that is a checkpoint's, too. It belongs to what defines the version.
func (s *state) ownCommit(ctx context.Context, l *log) error {
	c, ok := l.commit(s.version)
	if !ok {
		s.warn("the commit of version %d is gone: when and how it was made is not known", s.version)
		return nil
	}
	s.log = append(s.log, c.file)
	if !s.digest.IsZero() {
		return nil // it was read, to compare the checkpoint with
	}
	body, err := l.folder.Open(ctx, c.file)
	if err != nil {
		return err
	}
	defer body.Close() // was read only
	alone := newState()
	if err := alone.readCommit(c, body); err != nil {
		return err
	}
	s.commit, s.digest = alone.commit, alone.digest
	return nil
}

// load takes the state from a checkpoint.
func (s *state) load(ctx context.Context, l *log, c *checkpoint) ([]storage.Object, error) {
	s.begin(c.version)
	files, err := l.readCheckpoint(ctx, c, func(a action) error {
		switch {
		case a.add != nil:
			if s.active.has(a.add.identify().key) {
				return refuse("the checkpoint of version %d has the file %.200q twice", c.version, a.add.path)
			}
			s.added = s.added[:0]
			return s.add(*a.add)
		case a.remove != nil: // a tombstone, for VACUUM
			return nil
		case a.checkpoint != nil:
			return c.checkVersion(*a.checkpoint)
		}
		return s.apply(a)
	})
	if err != nil {
		return nil, err
	}
	return files, s.checkOne(c)
}

// checkOne refuses a checkpoint that is not the whole of a table's state.
func (s *state) checkOne(c *checkpoint) error {
	if s.protocols != 1 || s.metadatas != 1 {
		return refuse("the checkpoint of version %d has %d protocols and %d metaData, not one of each", c.version, s.protocols, s.metadatas)
	}
	return nil
}

func (c *checkpoint) checkVersion(version int64) error {
	if version != c.version {
		return refuse("the checkpoint of version %d says that it is of version %d", c.version, version)
	}
	return nil
}

// readCommits applies the commits of a replay, and compares compacted logs with those that they stand for.
func (s *state) readCommits(ctx context.Context, r replay) error {
	if len(r.commits) == 0 {
		return nil
	}
	o := &compactions{r.log, r.commits[len(r.commits)-1].version, map[int64][]*compaction{}}
	return r.log.eachCommit(ctx, r.commits, func(c commit, body io.Reader) error {
		if err := o.begin(ctx, s, c.version); err != nil {
			return err
		}
		if err := s.readCommit(c, body); err != nil {
			return err
		}
		return o.finish(s)
	})
}

// smallCommit is how long a commit may be that is fetched before its turn.
const smallCommit = 256 << 10

// fetched is a commit that was opened, and read if it is small.
type fetched struct {
	commit
	body io.ReadCloser
	err  error
}

// eachCommit opens commits, in order. Small ones are fetched ahead: a log has thousands, and each costs a request.
func (l *log) eachCommit(ctx context.Context, commits []commit, visit func(commit, io.Reader) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ahead := make(chan chan fetched, max(1, l.folder.Workers()))
	go func() {
		defer close(ahead)
		for _, c := range commits {
			one := make(chan fetched, 1)
			select {
			case ahead <- one:
				go func() { one <- l.fetch(ctx, c) }()
			case <-ctx.Done():
				return
			}
		}
	}()
	visited := 0
	for one := range ahead {
		if err := l.visit(ctx, <-one, visit); err != nil {
			return err
		}
		visited++
	}
	if visited < len(commits) {
		return ctx.Err()
	}
	return nil
}

// fetch reads a small commit, and leaves others to visit.
func (l *log) fetch(ctx context.Context, c commit) fetched {
	if c.file.Size > smallCommit {
		return fetched{commit: c}
	}
	body, err := l.folder.Open(ctx, c.file)
	if err != nil {
		return fetched{commit: c, err: err}
	}
	data, err := io.ReadAll(body) // as long as was listed
	return fetched{c, io.NopCloser(bytes.NewReader(data)), errors.Join(err, body.Close())}
}

func (l *log) visit(ctx context.Context, f fetched, visit func(commit, io.Reader) error) error {
	if f.err == nil && f.body == nil {
		f.body, f.err = l.folder.Open(ctx, f.file)
	}
	if f.err != nil {
		return f.err
	}
	defer f.body.Close() // was read only
	return visit(f.commit, f.body)
}

// each reads all actions of the way once more.
func (r replay) each(ctx context.Context, look func(action) error) error {
	if r.base != nil {
		if _, err := r.log.readCheckpoint(ctx, r.base, look); err != nil {
			return err
		}
	}
	return r.log.eachCommit(ctx, r.commits, func(c commit, body io.Reader) error { return eachLine(c.file.Name, body, look) })
}

// names reads the log once more, for the names that pick chooses; nobody remembers all of them.
func (r replay) names(ctx context.Context, pick func(fileAction) (string, bool)) ([]string, error) {
	var names []string
	look := func(a action) error {
		if a.add != nil {
			for name, ok := pick(*a.add); ok; name, ok = pick(*a.add) {
				names = append(names, name)
			}
		}
		return nil
	}
	return names, r.each(ctx, look)
}
