package databricks

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/git"
)

// verdict is how a source compares with the commit.
type verdict struct{ equal, file, note string }

// commitIndex is a commit's files, listed once.
type commitIndex struct {
	files git.CommitFiles

	once    sync.Once
	err     error
	id      string
	names   map[string]bool
	byBase  map[string][]string         // by base name, and by base name without a notebook's extension
	folders map[string]map[string]shape // what lies in each folder
}

// shape is what something in a folder is.
type shape int

const (
	aFile shape = iota + 1
	aNotebook
	aFolder
)

// load lists the commit.
func (c *commitIndex) load(ctx context.Context) error {
	c.once.Do(func() { c.err = c.read(ctx) })
	return c.err
}

func (c *commitIndex) read(ctx context.Context) error {
	names, err := c.files.Names(ctx)
	if err != nil {
		return err
	}
	if c.id, err = c.files.Commit(ctx); err != nil {
		return err
	}
	c.names, c.byBase, c.folders = map[string]bool{}, map[string][]string{}, map[string]map[string]shape{}
	for _, name := range names {
		c.names[name] = true
		base := path.Base(name)
		c.byBase[base] = append(c.byBase[base], name)
		if short := withoutExtension(base); short != base {
			c.byBase[short] = append(c.byBase[short], name)
		}
		c.addFolders(name)
	}
	return nil
}

// addFolders adds a file to its folder, and that to its own.
func (c *commitIndex) addFolders(name string) {
	for is := aFile; name != "."; is = aFolder {
		dir := path.Dir(name)
		if c.folders[dir] == nil {
			c.folders[dir] = map[string]shape{}
		} else if c.folders[dir][path.Base(name)] == aFolder {
			return
		}
		c.folders[dir][path.Base(name)] = is
		name = dir
	}
}

// withoutExtension drops the extension that a notebook's file has.
func withoutExtension(base string) string {
	ext := path.Ext(base)
	if languages[ext] != "" || strings.EqualFold(ext, ".ipynb") {
		return strings.TrimSuffix(base, ext)
	}
	return base
}

// maxCandidates is how many files of the same name are compared with one notebook.
const maxCandidates = 50

// compare compares a source that ran with the files of the commit that may be it. ofTask: a task ran it, so that it may be the one
// whose file was named.
func (c *collection) compare(ctx context.Context, at string, n notebookSource, from origin, ofTask bool) (verdict, error) {
	if c.commit == nil {
		return verdict{provenance.Uncertain, "", "there is no commit to compare it with"}, nil
	}
	if err := c.commit.load(ctx); err != nil {
		return verdict{}, err
	}
	candidates, named := c.candidates(at, n, from), false
	if file := c.asker.source.NotebookFile; file != "" && ofTask && c.isNamed(at, file) {
		candidates, named = []string{file}, true
	}
	switch {
	case len(candidates) == 0:
		return verdict{provenance.Uncertain, "", "the commit has no file that it may be"}, nil
	case len(candidates) > maxCandidates:
		return verdict{provenance.Uncertain, "", fmt.Sprintf("the commit has %d files of this name", len(candidates))}, nil
	}
	var first verdict
	for i, name := range candidates {
		v, err := c.compareWith(ctx, name, n)
		if err != nil || v.equal == provenance.Matches {
			return v, err
		}
		if i == 0 {
			first = v
		}
	}
	if len(candidates) > 1 && !named {
		return verdict{provenance.Uncertain, "", fmt.Sprintf("the commit has %d files of this name, and it equals none of them", len(candidates))}, nil
	}
	return first, nil
}

// candidates are the files of the commit that a source may be, the most likely first.
func (c *collection) candidates(at string, n notebookSource, from origin) []string {
	if from.git {
		return c.commit.inGit(at, !n.plain)
	}
	base := path.Base(at)
	all := slices.Clone(c.commit.byBase[base])
	if !n.plain {
		if short := withoutExtension(base); short != base {
			all = append(all, c.commit.byBase[short]...)
		}
		all = slices.DeleteFunc(all, func(name string) bool { return !mayBeNotebook(name, base) })
	} else {
		all = slices.DeleteFunc(all, func(name string) bool { return path.Base(name) != base })
	}
	slices.Sort(all)
	all = slices.Compact(all)
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(commonSuffix(b, at), commonSuffix(a, at)) })
	return all
}

// isNamed tells whether a notebook is the one whose file was named: the run's only one, or one of the file's name.
func (c *collection) isNamed(at, file string) bool {
	return c.only || withoutExtension(path.Base(at)) == withoutExtension(path.Base(file))
}

// mayBeNotebook tells whether a file may be the notebook of a name.
func mayBeNotebook(name, base string) bool {
	own := path.Base(name)
	return own == base || withoutExtension(own) == base || withoutExtension(own) == withoutExtension(base)
}

// inGit are the files that a path in the repository may mean.
func (c *commitIndex) inGit(at string, isNotebook bool) (all []string) {
	at = strings.TrimPrefix(path.Clean("/"+at), "/")
	if c.names[at] {
		all = append(all, at)
	}
	if !isNotebook {
		return all
	}
	for _, ext := range append(slices.Clone(sourceExtensions), ".ipynb") {
		if c.names[at+ext] {
			all = append(all, at+ext)
		}
	}
	return all
}

// commonSuffix is how many parts two paths have in common at their ends, extensions aside.
func commonSuffix(a, b string) (n int) {
	x, y := strings.Split(withoutExtension(a), "/"), strings.Split(withoutExtension(b), "/")
	for n < len(x) && n < len(y) && x[len(x)-1-n] == y[len(y)-1-n] {
		n++
	}
	return n
}

// compareWith compares a source with one file.
func (c *collection) compareWith(ctx context.Context, name string, n notebookSource) (verdict, error) {
	data, err := c.commit.files.Read(ctx, name)
	if err != nil {
		return verdict{}, err
	}
	file, err := sourceOf(name, data, n.plain, n.language)
	if err != nil {
		return verdict{provenance.Uncertain, name, "the commit's file cannot be read as a notebook: " + err.Error()}, nil
	}
	note := difference(file, n, c.asker.Used.All()...)
	switch {
	case n.plain && note == "":
		return verdict{provenance.Matches, name, ""}, nil
	case n.plain:
		return verdict{provenance.Differs, name, note}, nil
	case note == "" && marks[file.language] == "":
		return verdict{provenance.Uncertain, name, "the language of the commit's file is not known"}, nil
	case note == "":
		return verdict{provenance.Matches, name, ""}, nil
	}
	if loose, err := parseLoosely(name, data, n.language); err == nil && difference(loose, n) == "" {
		return verdict{provenance.Uncertain, name, notMarks}, nil
	}
	return verdict{provenance.Differs, name, note}, nil
}

// notMarks says why a file is not known to be a notebook.
const notMarks = "the commit's file has marks of a notebook that may be mere comments: it has no header, or a cell is marked in part"

// isDoubtful tells whether a notebook's file can be read in two ways.
func isDoubtful(name string, data []byte, language string) bool {
	strict, err := parseSource(name, data, language)
	loose, errLoose := parseLoosely(name, data, language)
	return err == nil && errLoose == nil && difference(strict, loose) != ""
}

// sourceOf reads a file as a notebook or as plain code.
func sourceOf(name string, data []byte, isPlain bool, language string) (notebookSource, error) {
	if isPlain {
		return plainSource(name, data), nil
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return notebookSource{}, fmt.Errorf("it is no text")
	}
	return parseSource(name, data, language)
}
