package delta

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// state is a table while its log is replayed.
type state struct {
	version  int64
	protocol *protocol
	metadata *metadata
	commit   *commitInfo // of version, if its commit was read

	active  *active             // data files
	vectors map[key]vectorFiles // of those with a deletion vector
	outside map[key]string      // active files that are not inside the table, and why

	added, removed       []key // by the version that is being read
	protocols, metadatas int   // that it has
	limit                int   // of files

	reading   *reading // how partition values are compared; nil: as text
	respelled bool     // as text they differ
	unread    bool     // a checkpoint has them in a form that is not read

	source   replay
	log      []storage.Object  // files that define the version
	digest   provenance.Digest // of the version's commit
	warnings []string
}

// vectorFiles are the files of a data file that has a deletion vector.
type vectorFiles struct {
	data, vector key   // the vector's is zero, when it is inline
	needs        int64 // bytes of the vector's file
}

// maxFiles is how many files a version may have, and add or remove: as many as a folder may hold.
const maxFiles = 5_000_000

// maxOutside is how many files outside the table are remembered until they are removed again.
const maxOutside = 1000

func newState() *state {
	return &state{version: -1, limit: maxFiles, active: newActive(), vectors: map[key]vectorFiles{}, outside: map[key]string{}}
}

// begin starts the next version.
func (s *state) begin(version int64) {
	s.version, s.commit, s.digest = version, nil, provenance.Digest{}
	s.added, s.removed, s.protocols, s.metadatas = s.added[:0], s.removed[:0], 0, 0
}

// apply takes one action of the version.
func (s *state) apply(a action) error {
	switch {
	case a.add != nil:
		return s.add(*a.add)
	case a.remove != nil:
		return s.remove(*a.remove)
	case a.protocol != nil:
		s.protocol = a.protocol
		s.protocols++
	case a.metadata != nil:
		s.metadata = a.metadata
		s.metadatas++
	case a.commit != nil && s.commit == nil:
		s.commit = a.commit
	case a.sidecar != nil || a.checkpoint != nil:
		return errors.New("an action of a checkpoint stands in a commit")
	}
	return nil
}

func (s *state) add(f fileAction) error {
	id := f.identify()
	if _, _, err := s.find(id); err != nil {
		return err
	}
	if id.wrong != "" {
		if s.outside[id.key] = id.wrong; len(s.outside) > maxOutside {
			return s.checkOutside()
		}
	}
	s.unread = s.unread || f.unread
	s.active.put(id.key, file{f.size, f.sum(s.reading), id.spelling})
	if f.vector != nil {
		files := vectorFiles{data: id.data}
		if name := f.vector.file(); name != "" {
			files.vector, files.needs = keyOf(name), f.vector.needs()
		}
		s.vectors[id.key] = files
	}
	if s.active.len() > s.limit {
		return tooMuch("version %d has more than %d files", s.version, s.limit)
	}
	return s.note(&s.added, id.key)
}

func (s *state) remove(f fileAction) error {
	id := f.identify()
	if _, _, err := s.find(id); err != nil {
		return err
	}
	s.active.drop(id.key)
	delete(s.vectors, id.key)
	delete(s.outside, id.key)
	return s.note(&s.removed, id.key)
}

// find is the active file that an action is about. Readers differ where its path is written in another way: some compare
// paths as they are written, java.net.URI takes %c3 for %C3, and a file that one of them removes stays for another.
func (s *state) find(id identity) (file, bool, error) {
	f, ok := s.active.get(id.key)
	if ok && f.spelling != id.spelling {
		return f, ok, refuseHint("rewrite the file, so that one writer's spelling of its path is left",
			"the log writes the path of one file in several ways, one of them %.200q; readers differ in whether these are one file", id.path)
	}
	return f, ok, nil
}

// note remembers what a version adds or removes.
func (s *state) note(keys *[]key, k key) error {
	if *keys = append(*keys, k); len(*keys) > s.limit {
		return tooMuch("version %d adds or removes more than %d files", s.version, s.limit)
	}
	return nil
}

// end refuses a version whose actions say different things in different orders, which the protocol leaves open.
func (s *state) end() error {
	if s.protocols > 1 || s.metadatas > 1 {
		return refuse("version %d has several protocols, or several metaData", s.version)
	}
	slices.SortFunc(s.added, key.compare)
	if len(slices.Compact(slices.Clone(s.added))) != len(s.added) {
		return refuse("version %d adds the same file twice", s.version)
	}
	for _, k := range s.removed {
		if _, both := slices.BinarySearchFunc(s.added, k, key.compare); both {
			return refuse("version %d adds and removes the same file", s.version)
		}
	}
	return nil
}

// check refuses a snapshot that not every reader could read in the same way.
func (s *state) check() error {
	s.added, s.removed = nil, nil
	s.active.forget()
	if s.protocol == nil || s.metadata == nil {
		return refuse("version %d has no protocol or no metaData", s.version)
	}
	if err := s.protocol.check(); err != nil {
		return err
	}
	if err := s.metadata.check(); err != nil {
		return err
	}
	if len(s.vectors) > 0 && !s.protocol.reads("deletionVectors") {
		return refuse("version %d has deletion vectors, and its protocol has not the feature deletionVectors", s.version)
	}
	return s.checkOutside()
}

func (s *state) checkOutside() error {
	if len(s.outside) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Values(s.outside))
	first := names[:min(shown, len(names))]
	return refuseHint("a shallow clone keeps its files in another table: make a deep clone",
		"files of version %d are not inside the table's folder: %s", s.version, list(first, len(names)-len(first)))
}

// wanted is a file of the snapshot.
type wanted struct {
	key  key
	size int64 // bytes; negative: at least -1-size, as of a file with deletion vectors
}

func (w wanted) compare(k key) int { return w.key.compare(k) }

// wrong says what is wrong with a size.
func (w wanted) wrong(size int64) string {
	switch {
	case w.size >= 0 && size != w.size:
		return fmt.Sprintf("has %d bytes, not %d", size, w.size)
	case w.size < 0 && size < -1-w.size:
		return fmt.Sprintf("has %d bytes, not at least %d", size, -1-w.size)
	}
	return ""
}

// files are the data files and the deletion vectors, sorted by key.
func (s *state) files() ([]wanted, error) {
	files := make([]wanted, 0, s.active.len()+len(s.vectors))
	for k, f := range s.active.all() {
		v, ok := s.vectors[k]
		if ok {
			k = v.data
		}
		files = append(files, wanted{k, f.size})
		if v.vector != (key{}) {
			files = append(files, wanted{v.vector, -1 - v.needs})
		}
	}
	slices.SortFunc(files, func(a, b wanted) int { return cmp.Or(a.key.compare(b.key), cmp.Compare(b.size, a.size)) })
	return s.merge(files)
}

// merge leaves one claim about each file, and refuses claims that contradict each other. Sizes come before bounds, and the
// lowest of several bounds before the higher ones.
func (s *state) merge(files []wanted) ([]wanted, error) {
	kept := files[:0]
	for _, f := range files {
		n := len(kept)
		switch {
		case n == 0 || kept[n-1].key != f.key:
			kept = append(kept, f)
		case kept[n-1].size < 0:
			kept[n-1] = f
		case f.wrong(kept[n-1].size) != "":
			return nil, refuse("version %d says two sizes of one file", s.version)
		}
	}
	return slices.Clip(kept), nil
}

// noun is what is recorded of the snapshot.
func (s *state) noun(at At) provenance.DeltaTable {
	noun := provenance.DeltaTable{ID: s.metadata.id, Version: s.version, Asked: at.asked(), MinReader: s.protocol.minReader,
		MinWriter: s.protocol.minWriter, ReaderFeatures: s.protocol.readerFeatures, WriterFeatures: s.protocol.writerFeatures,
		Log: s.digest, DataFiles: int64(s.active.len()), DeletionVectors: int64(len(s.vectors))}
	if base := s.source.base; base != nil {
		noun.Checkpoint = strconv.FormatInt(base.version, 10)
	}
	if s.commit != nil {
		noun.Committed = s.commit.at(s.keepsTimes())
		noun.Operation = strings.ToValidUTF8(s.commit.operation[:min(len(s.commit.operation), maxOperation)], "")
	}
	return noun
}

// maxOperation is how many bytes of an operation's name are recorded.
const maxOperation = 100

// table is the finished snapshot.
func (s *state) table(f storage.Folder, at At) (*Table, error) {
	noun := s.noun(at)
	s.outside = nil
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	t := &Table{folder: f, noun: noun, warnings: s.warnings, log: map[string]storage.Object{}, files: files, source: s.source}
	for _, o := range s.log {
		o.Name = logDir + "/" + o.Name
		t.log[o.Name] = o
	}
	return t, nil
}
