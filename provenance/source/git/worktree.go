package git

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// workTree compares the files on disk with those of the commit. `git status` would do that, too, but it runs the filter
// programs that a repository configures for itself, and believes marks that say "do not look": so each file is read and
// hashed here, and git is only asked which files it tracks and which attributes they have.
type workTree struct {
	git     runner
	root    *os.Root
	files   treeFiles
	config  gitConfig
	folders map[string]bool // whether a path is a folder, and not a link to one
	rules   map[string]bool // whether the rules of what is ignored in a folder are the commit's
	depth   int             // of submodules
}

// differences are where a work tree is not the commit.
type differences struct {
	changed         map[string]bool
	untracked       listing
	ignored         listing
	assumeUnchanged listing
	skipWorktree    listing
}

// dirty tells whether anything differs that could have reached the build.
func (d differences) dirty() bool { return len(d.changed) > 0 || d.untracked.count > 0 }

// listing is a list of names of which only the first are kept.
type listing struct {
	names []string
	count int
}

func (l *listing) add(name string) error {
	if l.count++; l.count <= provenance.MaxListed {
		l.names = append(l.names, foreign.Plain(name))
	}
	return nil
}

// addBelow adds what was found in a submodule, with its path.
func (d *differences) addBelow(dir string, inner differences) {
	for name := range inner.changed {
		d.changed[dir+"/"+name] = true
	}
	d.untracked.addBelow(dir, inner.untracked)
	d.ignored.addBelow(dir, inner.ignored)
	d.assumeUnchanged.addBelow(dir, inner.assumeUnchanged)
	d.skipWorktree.addBelow(dir, inner.skipWorktree)
}

// addBelow counts also those of which the names were not kept.
func (l *listing) addBelow(dir string, inner listing) {
	for _, name := range inner.names {
		l.add(dir + "/" + name)
	}
	l.count += inner.count - len(inner.names)
}

// firstChanged are the changed names, sorted by byte.
func (d differences) firstChanged() []string {
	var l listing
	names := make([]string, 0, len(d.changed))
	for name := range d.changed {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		l.add(name)
	}
	return l.names
}

// compare finds the differences.
func (w *workTree) compare(ctx context.Context) (differences, error) {
	d := differences{changed: map[string]bool{}}
	skipped, err := w.compareIndex(ctx, &d)
	if err != nil {
		return d, err
	}
	if err := w.compareFiles(ctx, &d, skipped); err != nil {
		return d, err
	}
	return d, w.listOthers(ctx, &d)
}

// listOthers lists what git does not track. Only rules that the commit has, too, hide a file: no list of the repository's or
// the user's own is asked, and what a folder's new or changed .gitignore may have hidden counts as untracked.
func (w *workTree) listOthers(ctx context.Context, d *differences) error {
	others := []string{"ls-files", "-z", "--others", "--exclude-per-directory=" + rulesFile}
	if err := w.git.records(ctx, nil, d.untracked.add, others...); err != nil {
		return err
	}
	var doubtful []string
	err := w.git.records(ctx, nil, func(name string) error {
		if w.committedRules(path.Dir(strings.TrimSuffix(name, "/")), d) {
			return d.ignored.add(name)
		}
		doubtful = append(doubtful, name)
		return nil
	}, append(others, "--ignored")...)
	if err != nil {
		return err
	}
	return w.sortDoubtful(ctx, d, doubtful)
}

// sortDoubtful looks at ignored files below a .gitignore that is not the commit's: which rule ignores each of them? A virtual
// environment brings a .gitignore of its own, but a committed rule above it ignored the whole folder before.
func (w *workTree) sortDoubtful(ctx context.Context, d *differences, names []string) error {
	byCommit, err := w.ignoredByCommit(ctx, d, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if byCommit[name] {
			d.ignored.add(name)
		} else {
			d.untracked.add(name)
		}
	}
	return nil
}

// ignoredByCommit asks git for the rule that ignores each name, and returns the names whose rule stands in a .gitignore that
// is as in the commit. Four records tell of one name: the rule's file, its line, the rule, and the name.
// Source: https://git-scm.com/docs/git-check-ignore#_output
func (w *workTree) ignoredByCommit(ctx context.Context, d *differences, names []string) (map[string]bool, error) {
	byCommit := map[string]bool{}
	if len(names) == 0 {
		return byCommit, nil
	}
	asked := strings.NewReader("./" + strings.ReplaceAll(strings.Join(names, "\x00./"), "/\x00", "\x00"))
	var record []string
	err := w.git.records(ctx, asked, func(field string) error {
		if record = append(record, field); len(record) < 4 {
			return nil
		}
		file, name := record[0], strings.TrimPrefix(record[3], "./")
		if _, inCommit := w.files[file]; inCommit && !d.changed[file] && path.Base(file) == rulesFile {
			byCommit[name], byCommit[name+"/"] = true, true
		}
		record = nil
		return nil
	}, "-c", "core.excludesFile=", "check-ignore", "--verbose", "-z", "--no-index", "--stdin")
	var failed *gitError
	if errors.As(err, &failed) && failed.status == 1 && failed.stderr == "" {
		err = nil // none of them
	}
	return byCommit, err
}

// rulesFile is the file with a folder's rules of what to ignore.
const rulesFile = ".gitignore"

// committedRules tells whether the .gitignore of dir and of all folders above it are as in the commit, or absent from both.
// d must know by then what has changed.
func (w *workTree) committedRules(dir string, d *differences) bool {
	known, asked := w.rules[dir]
	if !asked {
		file := path.Join(dir, rulesFile)
		_, inCommit := w.files[file]
		known = !d.changed[file] && (inCommit || w.isAbsent(file)) && (dir == "." || w.committedRules(path.Dir(dir), d))
		w.rules[dir] = known
	}
	return known
}

func (w *workTree) isAbsent(file string) bool {
	_, err := w.root.Lstat(filepath.FromSlash(file))
	return errors.Is(err, fs.ErrNotExist)
}

// indexEntry is one line of `git ls-files -v -s -z`: "H 100644 NAME 0\tPATH".
type indexEntry struct{ tag, mode, id, stage, path string }

// parseIndexEntry reads such a line.
// Source: https://git-scm.com/docs/git-ls-files#_output
func parseIndexEntry(record string) (indexEntry, error) {
	head, path, found := strings.Cut(record, "\t")
	fields := strings.Fields(head)
	if !found || len(fields) != 4 || path == "" || len(fields[0]) != 1 {
		return indexEntry{}, fmt.Errorf("git lists %q, which is no line of its index", foreign.Plain(record))
	}
	return indexEntry{fields[0], fields[1], fields[2], fields[3], path}, nil
}

// assumeUnchanged and skipWorktree are marks that make git look away. The tag of the former is in lower case.
func (e indexEntry) assumeUnchanged() bool { return strings.ToLower(e.tag) == e.tag }
func (e indexEntry) skipWorktree() bool    { return strings.EqualFold(e.tag, "S") }

// matches tells whether the index has the file as the commit has it.
func (e indexEntry) matches(f treeFile) bool {
	mode := f.mode
	if mode == modeGroupFile {
		mode = modeFile
	}
	return e.stage == "0" && e.mode == mode && e.id == f.id
}

// compareIndex notes what is staged, and returns the files that git is told to leave out of the work tree.
func (w *workTree) compareIndex(ctx context.Context, d *differences) (skipped map[string]bool, err error) {
	skipped, indexed := map[string]bool{}, map[string]bool{}
	err = w.git.records(ctx, nil, func(record string) error {
		e, err := parseIndexEntry(record)
		if err != nil {
			return err
		}
		indexed[e.path] = true
		if file, inCommit := w.files[e.path]; !inCommit || !e.matches(file) {
			d.changed[e.path] = true
		}
		if e.assumeUnchanged() {
			d.assumeUnchanged.add(e.path)
		}
		if e.skipWorktree() {
			skipped[e.path] = true
			d.skipWorktree.add(e.path)
		}
		return nil
	}, "ls-files", "-v", "-s", "-z")
	for path := range w.files {
		if !indexed[path] {
			d.changed[path] = true
		}
	}
	return skipped, err
}

// state is what the work tree has in place of a file of the commit.
type state int

const (
	same state = iota
	absent
	different
	doubtful // other bytes, which may stand for the same content
)

// compareFiles looks at each file of the commit. That a sparse checkout leaves a file out is no change.
func (w *workTree) compareFiles(ctx context.Context, d *differences, skipped map[string]bool) error {
	var doubts []treeFile
	for _, path := range w.files.paths() {
		if err := ctx.Err(); err != nil {
			return err
		}
		file := w.files[path]
		found, err := w.state(ctx, file, d)
		if err != nil {
			return fmt.Errorf("cannot compare %q with the commit: %w", foreign.Plain(path), err)
		}
		if found == doubtful {
			doubts = append(doubts, file)
		}
		if found == different || found == absent && !skipped[path] {
			d.changed[path] = true
		}
	}
	return w.settle(ctx, doubts, d)
}

// state compares one file. What a submodule has inside is added to d.
func (w *workTree) state(ctx context.Context, f treeFile, d *differences) (state, error) {
	if !w.isFolder(path.Dir(f.path)) {
		return absent, nil
	}
	info, err := w.root.Lstat(filepath.FromSlash(f.path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return absent, nil
	case err != nil:
		return different, err
	case f.mode == modeSubmodule:
		return w.submoduleState(ctx, f, info, d)
	case info.Mode().Type() == fs.ModeSymlink:
		return w.linkState(f)
	case !info.Mode().IsRegular():
		return different, nil
	case f.mode == modeLink && w.config.symlinks: // without them, git writes the target's name into a file
		return different, nil
	case f.mode != modeLink && w.config.fileMode && (info.Mode()&0o100 != 0) != (f.mode == modeProgram):
		return different, nil
	}
	return w.fileState(f)
}

// isFolder tells whether dir and all folders above it are folders, and not links: a file behind a link is another file.
func (w *workTree) isFolder(dir string) bool {
	if dir == "." {
		return true
	}
	known, asked := w.folders[dir]
	if !asked {
		info, err := w.root.Lstat(filepath.FromSlash(dir))
		known = err == nil && info.IsDir() && w.isFolder(path.Dir(dir))
		w.folders[dir] = known
	}
	return known
}

func (w *workTree) linkState(f treeFile) (state, error) {
	target, err := w.root.Readlink(filepath.FromSlash(f.path))
	if err != nil {
		return different, err
	}
	if f.mode == modeLink && sha256.Sum256([]byte(filepath.ToSlash(target))) == f.blob.sum {
		return same, nil
	}
	return different, nil
}

func (w *workTree) fileState(f treeFile) (state, error) {
	sum := sha256.New()
	if err := w.copy(f, sum); err != nil {
		return different, err
	}
	if [sha256.Size]byte(sum.Sum(nil)) == f.blob.sum {
		return same, nil
	}
	return doubtful, nil
}

// copy streams the file's bytes.
func (w *workTree) copy(f treeFile, to io.Writer) error {
	file, err := w.root.Open(filepath.FromSlash(f.path))
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(to, file)
	return err
}

// attributes of one file that bear on its bytes: text, crlf (its old name), eol, filter.
type attributes map[string]string

// settle decides the doubtful files by their attributes: line ends, and files kept in Git LFS.
func (w *workTree) settle(ctx context.Context, doubts []treeFile, d *differences) error {
	attributes, err := w.attributes(ctx, doubts)
	if err != nil {
		return err
	}
	for _, f := range doubts {
		equal, err := w.equivalent(f, attributes[f.path])
		if err != nil {
			return fmt.Errorf("cannot compare %q with the commit: %w", foreign.Plain(f.path), err)
		}
		if !equal {
			d.changed[f.path] = true
		}
	}
	return nil
}

// attributes asks git, which reads .gitattributes and runs nothing.
func (w *workTree) attributes(ctx context.Context, of []treeFile) (map[string]attributes, error) {
	all := map[string]attributes{}
	if len(of) == 0 {
		return all, nil
	}
	var paths bytes.Buffer
	for _, f := range of {
		all[f.path] = attributes{}
		paths.WriteString(f.path + "\x00")
	}
	var fields []string // path, attribute, value
	err := w.git.records(ctx, &paths, func(record string) error {
		if fields = append(fields, record); len(fields) == 3 {
			if a, asked := all[fields[0]]; asked {
				a[fields[1]] = fields[2]
			}
			fields = nil
		}
		return nil
	}, "check-attr", "-z", "--stdin", "text", "crlf", "eol", "filter")
	return all, err
}

// equivalent tells whether a file's other bytes stand for the same content.
func (w *workTree) equivalent(f treeFile, a attributes) (bool, error) {
	if a["filter"] == "lfs" && f.blob.pointer != "" {
		sum := sha256.New()
		err := w.copy(f, sum)
		return fmt.Sprintf("%x", sum.Sum(nil)) == f.blob.pointer, err
	}
	convert, unlessBinary := a.lineEnds(w.config.autoCRLF)
	if !convert || f.mode == modeLink {
		return false, nil
	}
	sum := sha256.New()
	text := &unixText{to: sum}
	if err := w.copy(f, text); err != nil {
		return false, err
	}
	text.end()
	return [sha256.Size]byte(sum.Sum(nil)) == f.blob.sum && !(unlessBinary && text.binary), nil
}

// lineEnds tells whether git takes CRLF in the file for LF, and whether only unless it is binary.
// Source: https://git-scm.com/docs/gitattributes#_text
func (a attributes) lineEnds(autoCRLF bool) (convert, unlessBinary bool) {
	text := a["text"]
	if text == "unspecified" {
		text = a["crlf"]
	}
	switch text {
	case "set", "input":
		return true, false
	case "unset":
		return false, false
	case "auto":
		return true, true
	}
	if a["eol"] == "lf" || a["eol"] == "crlf" {
		return true, false
	}
	return autoCRLF, true
}

// unixText passes text on with CRLF as LF, and notes whether it is binary.
type unixText struct {
	to     io.Writer
	cr     bool // a CR is held back
	binary bool // there is a NUL
}

func (u *unixText) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p)+1)
	for _, b := range p {
		if u.cr && b != '\n' {
			out = append(out, '\r')
		}
		if u.cr = b == '\r'; !u.cr {
			out = append(out, b)
		}
		u.binary = u.binary || b == 0
	}
	_, err := u.to.Write(out)
	return len(p), err
}

// end passes on what was held back.
func (u *unixText) end() {
	if u.cr {
		u.to.Write([]byte{'\r'}) // a hash never fails
	}
}

// maxSubmodules bounds the nesting of submodules.
const maxSubmodules = 10

// submoduleState compares a submodule: it may be left out, or be at the commit that is named, without a change of its own.
func (w *workTree) submoduleState(ctx context.Context, f treeFile, info fs.FileInfo, d *differences) (state, error) {
	if !info.IsDir() || w.depth >= maxSubmodules {
		return different, nil
	}
	if empty, err := w.isEmpty(f.path); empty || err != nil {
		return same, err
	}
	sub := w.git
	sub.dir = filepath.Join(w.git.dir, filepath.FromSlash(f.path))
	at := sub.dir
	c, err := sub.checkout(ctx)
	var refused *provenance.Refused
	if errors.As(err, &refused) { // it has no commit, or is no repository of its own: then it is not at the one that is named
		return different, nil
	}
	if err != nil {
		return different, err
	}
	if c.git.dir != at { // without a .git of its own it is the outer repository that answers
		return different, nil
	}
	inner, err := c.compare(ctx, w.depth+1)
	if err != nil {
		return different, err
	}
	d.addBelow(f.path, inner)
	if c.head != f.id || inner.dirty() {
		return different, nil
	}
	return same, nil
}

// compare compares a submodule's work tree with its own commit.
func (c *checkout) compare(ctx context.Context, depth int) (differences, error) {
	_, files, err := c.read(ctx)
	if err != nil {
		return differences{}, err
	}
	config, err := c.git.config(ctx)
	if err != nil {
		return differences{}, err
	}
	return c.differences(ctx, files, config, depth)
}

func (w *workTree) isEmpty(dir string) (bool, error) {
	file, err := w.root.Open(filepath.FromSlash(dir))
	if err != nil {
		return false, err
	}
	defer file.Close()
	_, err = file.ReadDir(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}
