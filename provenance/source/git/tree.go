package git

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// The modes of tree entries. Old repositories have 100664, too.
const (
	modeTree      = "40000"
	modeFile      = "100644"
	modeGroupFile = "100664"
	modeProgram   = "100755"
	modeLink      = "120000"
	modeSubmodule = "160000"
)

// entry is one line of a tree.
type entry struct{ mode, name, id string }

// parseTree reads a tree object: "MODE NAME\0" and twenty bytes of object name, again and again. Names that would lead out
// of their folder are refused.
func parseTree(data []byte) ([]entry, error) {
	var entries []entry
	for len(data) > 0 {
		head, rest, found := bytes.Cut(data, []byte{0})
		mode, name, hasName := strings.Cut(string(head), " ")
		if !found || !hasName || len(rest) < 20 {
			return nil, errors.New("a tree of the commit is cut off")
		}
		if !knownMode(mode) || !properName(name) {
			return nil, fmt.Errorf("a tree of the commit is malformed: mode %q, name %q", foreign.Plain(mode), foreign.Plain(name))
		}
		entries = append(entries, entry{mode, name, hex.EncodeToString(rest[:20])})
		data = rest[20:]
	}
	return entries, nil
}

func knownMode(mode string) bool {
	return slices.Contains([]string{modeTree, modeFile, modeGroupFile, modeProgram, modeLink, modeSubmodule}, mode)
}

func properName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.EqualFold(name, ".git") && !strings.Contains(name, "/")
}

// treeFile is one file of the commit.
type treeFile struct {
	mode, path, id string
	blob           blob // zero for a submodule
}

// treeFiles is the content of a commit, by path.
type treeFiles map[string]treeFile

// maxFiles bounds the files of a commit: a small object can unfold to any number of them.
const maxFiles = 1_000_000

// maxTreeDepth bounds the nesting of folders.
const maxTreeDepth = 1000

// walker collects the files below a tree.
type walker struct {
	objects *objects
	files   treeFiles
	blobs   map[string]blob // what stands in two places is read once
	trees   map[string][]entry
	seen    int // entries, folders included
}

// filesOf reads all files of a tree, each object checked by its hash.
func (g runner) filesOf(ctx context.Context, o *objects, tree string) (treeFiles, error) {
	w := &walker{objects: o, files: treeFiles{}, blobs: map[string]blob{}, trees: map[string][]entry{}}
	return w.files, w.walk(ctx, tree, "", 0)
}

// walk adds the files below one tree.
func (w *walker) walk(ctx context.Context, id, prefix string, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := w.entries(id)
	if err != nil {
		return err
	}
	if w.seen += len(entries); w.seen > maxFiles || depth > maxTreeDepth {
		return fmt.Errorf("the commit has more than %d files or more than %d levels of folders", maxFiles, maxTreeDepth)
	}
	for _, e := range entries {
		if e.mode == modeTree {
			err = w.walk(ctx, e.id, prefix+e.name+"/", depth+1)
		} else {
			err = w.add(e, prefix+e.name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entries(id string) ([]entry, error) {
	if known, ok := w.trees[id]; ok {
		return known, nil
	}
	data, err := w.objects.whole(id, "tree")
	if err != nil {
		return nil, err
	}
	w.trees[id], err = parseTree(data)
	return w.trees[id], err
}

// add takes one file.
func (w *walker) add(e entry, path string) (err error) {
	if strings.Contains(path, "\n") {
		return provenance.Refuse("commit.name", "rename it: a digest with one line for each file cannot hold it",
			"the commit has a file with a line break in its name: %q", foreign.Plain(path))
	}
	if _, twice := w.files[path]; twice {
		return fmt.Errorf("a tree of the commit holds %q twice", foreign.Plain(path))
	}
	content := blob{}
	if e.mode != modeSubmodule {
		if content, err = w.content(e.id); err != nil {
			return err
		}
	}
	w.files[path] = treeFile{e.mode, path, e.id, content}
	return nil
}

func (w *walker) content(id string) (blob, error) {
	if known, ok := w.blobs[id]; ok {
		return known, nil
	}
	content, err := w.objects.blob(id)
	w.blobs[id] = content
	return content, err
}

// paths are the files' paths, sorted by byte.
func (f treeFiles) paths() []string {
	paths := make([]string, 0, len(f))
	for path := range f {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// dirHash is the digest of the files as dirhash.Hash1 makes it; a link counts with its target's name. Submodules are left
// out: their commits are listed instead.
func (f treeFiles) dirHash() provenance.Digest {
	sum := sha256.New()
	for _, path := range f.paths() {
		if file := f[path]; file.mode != modeSubmodule {
			fmt.Fprintf(sum, "%x  %s\n", file.blob.sum, path)
		}
	}
	return provenance.DigestOf(provenance.DirHash, [sha256.Size]byte(sum.Sum(nil)))
}

// submodules are "path commit", sorted.
func (f treeFiles) submodules() []string {
	var out []string
	for _, path := range f.paths() {
		if file := f[path]; file.mode == modeSubmodule {
			out = append(out, foreign.Plain(path)+" "+file.id)
		}
	}
	return out
}
