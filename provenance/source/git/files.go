package git

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// CommitFiles are the files of one commit, as its objects hold them: nothing of a work tree, no filter, no line ends changed.
// Several may ask at the same time.
type CommitFiles interface {
	// Commit is the commit's name, hex.
	Commit(ctx context.Context) (string, error)
	// Names are the paths of all files, slash-separated and sorted. Links and submodules are none.
	Names(ctx context.Context) ([]string, error)
	// Read gives a file's bytes. One that is not there, or larger than [MaxCommitFile], is an error.
	Read(ctx context.Context, name string) ([]byte, error)
}

// MaxCommitFile is the size in bytes up to which a file of a commit is read into memory.
const MaxCommitFile = 16 << 20

// GitFiles are the files of the commit that a work tree is at. Each object is checked by its hash. It is made by [Git.Files].
type GitFiles struct {
	git Source

	lock  sync.Mutex
	found *gitIndex
}

// gitIndex is the commit and its files.
type gitIndex struct {
	checkout *checkout
	ids      map[string]string // of blobs, by path
	names    []string
}

// Files gives the files of the commit. Nothing is read before it is asked for; the errors are those of Collect.
func (g Source) Files() *GitFiles { return &GitFiles{git: g} }

// Commit implements CommitFiles.
func (f *GitFiles) Commit(ctx context.Context) (string, error) {
	index, err := f.index(ctx)
	if err != nil {
		return "", err
	}
	return index.checkout.head, nil
}

// Names implements CommitFiles.
func (f *GitFiles) Names(ctx context.Context) ([]string, error) {
	index, err := f.index(ctx)
	if err != nil {
		return nil, err
	}
	return index.names, nil
}

// Read implements CommitFiles.
func (f *GitFiles) Read(ctx context.Context, name string) ([]byte, error) {
	index, err := f.index(ctx)
	if err != nil {
		return nil, err
	}
	id, known := index.ids[name]
	if !known {
		return nil, fmt.Errorf("the commit has no file %q", foreign.Plain(name))
	}
	objects, err := index.checkout.git.openObjects(ctx)
	if err != nil {
		return nil, err
	}
	defer objects.close()
	return objects.whole(id, "blob")
}

// index reads the commit and its trees, once; after a failure the next one tries again.
func (f *GitFiles) index(ctx context.Context) (*gitIndex, error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.found != nil {
		return f.found, nil
	}
	c, err := f.git.open(ctx)
	if err != nil {
		return nil, err
	}
	index := &gitIndex{checkout: c, ids: map[string]string{}}
	if err := index.read(ctx); err != nil {
		return nil, err
	}
	f.found = index
	return index, nil
}

// read lists the files of the commit, without their contents.
func (i *gitIndex) read(ctx context.Context) error {
	objects, err := i.checkout.git.openObjects(ctx)
	if err != nil {
		return err
	}
	defer objects.close()
	data, err := objects.whole(i.checkout.head, "commit")
	if err != nil {
		return err
	}
	commit, err := parseCommit(data)
	if err != nil {
		return err
	}
	w := &walker{objects: objects, trees: map[string][]entry{}}
	if err := i.walk(ctx, w, commit.tree, "", 0); err != nil {
		return err
	}
	slices.Sort(i.names)
	return nil
}

// walk adds the files below one tree.
func (i *gitIndex) walk(ctx context.Context, w *walker, id, prefix string, depth int) error {
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
		path := prefix + e.name
		switch e.mode {
		case modeTree:
			err = i.walk(ctx, w, e.id, path+"/", depth+1)
		case modeFile, modeGroupFile, modeProgram:
			err = i.add(path, e.id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (i *gitIndex) add(path, id string) error {
	if _, twice := i.ids[path]; twice {
		return fmt.Errorf("a tree of the commit holds %q twice", foreign.Plain(path))
	}
	i.ids[path] = id
	i.names = append(i.names, path)
	return nil
}

var _ CommitFiles = (*GitFiles)(nil)

// Lacks is the caller's mistake to name a file that the commit does not have.
func Lacks(name string) error {
	return provenance.Misuse("name it relative to the top of the repository, with slashes", "the commit has no file %s", foreign.Plain(name))
}
