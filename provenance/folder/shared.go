package folder

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/seed-3480f271/provenance/provenance"
)

// Role is a folder that [Shared] looks into.
type Role struct {
	Role  string
	URI   string
	Index *Index
}

// Shared finds files of one content in folders of different roles among train, validation and test: by the number of each
// folder, what others hold, too. Empty files are no content. All digests go through one sorter in dir.
func Shared(ctx context.Context, dir string, folders []Role) (map[int][]provenance.Shared, error) {
	if !severalRoles(folders) {
		return nil, nil
	}
	s := newSorter(dir)
	defer s.close()
	for i, f := range folders {
		if f.Role == "other" {
			continue
		}
		err := f.Index.each(func(e IndexEntry) error {
			if e.Size == 0 || e.SHA256.IsZero() {
				return ctx.Err()
			}
			key := binary.BigEndian.AppendUint32(appendDigest(nil, e.SHA256), uint32(i))
			return cmp.Or(ctx.Err(), s.add(key, []byte(e.Name)))
		})
		if err != nil {
			return nil, err
		}
	}
	found := sharing{folders: folders, pairs: map[pair]*names{}}
	if err := s.each(found.record); err != nil {
		return nil, err
	}
	found.endContent()
	return found.all(), nil
}

// severalRoles tells whether there is anything to compare.
func severalRoles(folders []Role) bool {
	roles := map[string]bool{}
	for _, f := range folders {
		roles[f.Role] = true
	}
	delete(roles, "other")
	return len(roles) > 1
}

// pair is a folder, and another one that holds some of its files, too.
type pair struct{ in, other int }

// names counts files and keeps the first of their names.
type names struct {
	files int64
	first []string
}

func (n *names) add(files int64, first ...string) {
	n.files += files
	n.first = append(n.first, first...)
	slices.Sort(n.first)
	n.first = n.first[:min(len(n.first), provenance.MaxListed)]
}

// sharing goes through all files, sorted by content, then folder, then name.
type sharing struct {
	folders []Role
	content []byte         // digest
	holders map[int]*names // of the content, by folder
	pairs   map[pair]*names
}

func (s *sharing) record(key, name []byte) error {
	content, folder := key[:32], int(binary.BigEndian.Uint32(key[32:]))
	if !bytes.Equal(content, s.content) {
		s.endContent()
		s.content, s.holders = bytes.Clone(content), map[int]*names{}
	}
	holder := s.holders[folder]
	if holder == nil {
		holder = &names{}
		s.holders[folder] = holder
	}
	if holder.files++; len(holder.first) < provenance.MaxListed { // they come sorted
		holder.first = append(holder.first, string(name))
	}
	return nil
}

// endContent adds what folders of different roles hold of one content.
func (s *sharing) endContent() {
	for in, files := range s.holders {
		for other := range s.holders {
			if s.folders[in].Role == s.folders[other].Role {
				continue
			}
			if s.pairs[pair{in, other}] == nil {
				s.pairs[pair{in, other}] = &names{}
			}
			s.pairs[pair{in, other}].add(files.files, files.first...)
		}
	}
}

func (s *sharing) all() map[int][]provenance.Shared {
	all := map[int][]provenance.Shared{}
	order := func(a, b pair) int { return cmp.Or(a.in-b.in, a.other-b.other) }
	for _, p := range slices.SortedFunc(maps.Keys(s.pairs), order) {
		n, other := s.pairs[p], s.folders[p.other]
		all[p.in] = append(all[p.in], provenance.Shared{Role: other.Role, URI: other.URI, Files: n.files, Names: n.first})
	}
	return all
}
