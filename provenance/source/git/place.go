package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// gitPlace is where a folder lies in its repository.
type gitPlace struct {
	top    string // the top of the work tree, as a path without links
	prefix string // the folder below it, with slashes and without one at the end; empty: the top itself
}

// place makes sure that the work tree it finds belongs to the repository that the folder is in.
func (g runner) place(ctx context.Context) (gitPlace, error) {
	var p gitPlace
	var err error
	if p.top, err = g.top(ctx); err != nil {
		return p, err
	}
	prefix, err := g.output(ctx, "rev-parse", "--show-prefix")
	if err != nil {
		return p, err
	}
	p.prefix = strings.TrimSuffix(prefix, "/")
	if err := g.sameRepository(ctx, p.top); err != nil {
		return p, err
	}
	return p, p.noneBetween()
}

// top is the top of the work tree, as a path without links. A configuration can put it anywhere; only where there is a .git
// does git find a repository again.
func (g runner) top(ctx context.Context) (string, error) {
	top, err := g.output(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return "", err
	}
	top = filepath.FromSlash(top)
	if _, err := os.Lstat(filepath.Join(top, ".git")); err != nil {
		return "", provenance.Misuse("remove core.worktree from the repository's configuration",
			"the repository of %s has its work tree in a place without .git", foreign.Plain(g.dir))
	}
	return top, nil
}

// worktreeHint helps against core.worktree.
const worktreeHint = "remove core.worktree from the repository's configuration, or check the source code out anew"

// sameRepository refuses a top folder whose repository is not the one of g.dir, and a repository that says by itself where
// its work tree is, unless its .git is a file: then it is a submodule's, which has to say so.
func (g runner) sameRepository(ctx context.Context, top string) error {
	own, err := g.output(ctx, "rev-parse", "--absolute-git-dir")
	if err != nil {
		return err
	}
	atTop := g
	atTop.dir = top
	other, err := atTop.output(ctx, "rev-parse", "--absolute-git-dir")
	if err != nil {
		return err
	}
	if own != other {
		return provenance.Refuse("commit.worktree", worktreeHint,
			"the repository of %s claims the work tree %s, which belongs to another repository", foreign.Plain(g.dir), foreign.Plain(top))
	}
	set, err := g.setsWorktree(ctx)
	if err != nil || !set {
		return err
	}
	if info, err := os.Lstat(filepath.Join(top, ".git")); err != nil || !info.Mode().IsRegular() {
		return provenance.Refuse("commit.worktree", worktreeHint,
			"the repository of %s moves its work tree by core.worktree, and it is neither a submodule nor a linked work tree", foreign.Plain(g.dir))
	}
	return nil
}

// setsWorktree tells whether the repository's configuration has core.worktree, whatever its value.
func (g runner) setsWorktree(ctx context.Context) (set bool, err error) {
	err = g.records(ctx, nil, func(string) error { set = true; return nil }, "config", "-z", "--get-all", "core.worktree")
	var failed *gitError
	if errors.As(err, &failed) && failed.status == 1 && failed.stderr == "" {
		err = nil
	}
	return set, err
}

// outsideHint helps whoever named a folder that another repository surrounds.
const outsideHint = "name the top of the work tree that the model is built from, with its .git, or a folder that its commit has"

// noneBetween refuses a folder that has, or is below, a .git that git passed over on the way to the top.
func (p gitPlace) noneBetween() error {
	for dir := p.prefix; dir != "" && dir != "."; dir = path.Dir(dir) {
		_, err := os.Lstat(filepath.Join(p.top, filepath.FromSlash(dir), ".git"))
		if err == nil {
			return provenance.Refuse("commit.outside", outsideHint,
				"%s has a .git of its own, but git takes it for a part of the work tree %s", foreign.Plain(dir), foreign.Plain(p.top))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// inside refuses a folder that is not a part of the commit: the repository that git finds above it says nothing of it.
func (c *checkout) inside(ctx context.Context, files treeFiles) error {
	if c.prefix == "" {
		return nil
	}
	if !files.below(c.prefix) {
		return provenance.Refuse("commit.outside", outsideHint,
			"%s is below the work tree %s, whose commit has no file in it", foreign.Plain(c.prefix), foreign.Plain(c.git.dir))
	}
	ignored, err := c.git.ignores(ctx, c.prefix)
	if err == nil && ignored {
		err = provenance.Refuse("commit.outside", outsideHint,
			"%s is below the work tree %s, whose repository ignores it", foreign.Plain(c.prefix), foreign.Plain(c.git.dir))
	}
	return err
}

// below tells whether there is a file in the folder. Where names that differ in case are one, git hands on the caller's.
func (f treeFiles) below(dir string) bool {
	for path := range f {
		if len(path) <= len(dir) || path[len(dir)] != '/' {
			continue
		}
		if path[:len(dir)] == dir || foldsCase() && strings.EqualFold(path[:len(dir)], dir) {
			return true
		}
	}
	return false
}

// ignores tells whether any rule ignores the path, tracked or not. "./" keeps a path that begins with a colon from being a
// pattern.
func (g runner) ignores(ctx context.Context, path string) (bool, error) {
	_, err := g.output(ctx, "check-ignore", "--quiet", "--no-index", "--", "./"+path)
	var failed *gitError
	if errors.As(err, &failed) && failed.status == 1 && failed.stderr == "" {
		return false, nil
	}
	return err == nil, err
}
