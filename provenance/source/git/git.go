// Package git reads the commit, and the state of the work tree that it is checked out in.
package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// Source reads the commit that a work tree is at, and how the work tree differs from it. Every object that it reports was
// hashed here; what its headers say (names, dates, subject) is only declared.
//
// It runs the git program, with an environment and a configuration of its own: no GIT_* variable, hook, filter, replace
// ref or graft has any effect, and nothing is fetched.
type Source struct {
	Dir     string              // the work tree, or a folder in it
	Ref     string              // what the pipeline says is built: refs/heads/main; may be empty
	Expect  string              // the commit that the pipeline says it builds; may be empty
	Getenv  func(string) string // where PATH is looked up, to find git; nil: only Program
	Program string              // the git program; empty: git on the PATH
}

// Collect returns a provenance.Commit. *provenance.Refused are commit.mismatch (Expect is not the work tree's commit),
// commit.none (there is no commit yet), commit.sha256 (such repositories are not supported), commit.name (a file name
// with a line break), commit.moved (the work tree went to another commit meanwhile), commit.worktree (the repository claims
// a work tree that is not its own) and commit.outside (Dir is in a repository whose commit does not have it);
// *provenance.Misused: Dir is not in a git work tree.
func (g Source) Collect(ctx context.Context) (provenance.Evidence, error) {
	c, err := g.open(ctx)
	if err != nil {
		return nil, err
	}
	if g.Expect != "" && !strings.EqualFold(g.Expect, c.head) {
		return nil, provenance.Refuse("commit.mismatch",
			"check out the commit that triggered the pipeline, without switching afterwards; with several repositories, name the triggering one",
			"the pipeline builds commit %s, but the work tree is at %s", foreign.Plain(g.Expect), c.head)
	}
	commit, err := c.commit(ctx)
	if err != nil {
		return nil, err
	}
	if g.Ref != "" {
		commit.Ref = foreign.Plain(g.Ref)
	}
	if err := c.unmoved(ctx); err != nil {
		return nil, err
	}
	return commit, nil
}

// open finds git and the work tree.
func (g Source) open(ctx context.Context) (*checkout, error) {
	if info, err := os.Stat(g.Dir); err != nil || !info.IsDir() {
		return nil, provenance.Misuse("name the folder of the source code", "%s is not a folder", foreign.Plain(g.Dir))
	}
	path, program := "", g.Program
	if g.Getenv != nil {
		path = g.Getenv("PATH")
	}
	if program == "" {
		var err error
		if program, err = findGit(path); err != nil {
			return nil, err
		}
	}
	return runner{program: program, dir: g.Dir, path: path}.checkout(ctx)
}

// checkout is a work tree and the commit it is at.
type checkout struct {
	git     runner // its dir is the top of the work tree
	prefix  string // the folder below it that was asked for; empty: the top itself
	head    string // hex
	shallow bool
}

// checkout looks at the repository that dir is in.
func (g runner) checkout(ctx context.Context) (*checkout, error) {
	facts, err := g.facts(ctx)
	if err != nil {
		return nil, err
	}
	place, err := g.place(ctx)
	if err != nil {
		return nil, err
	}
	g.dir = place.top
	if facts.objectFormat != "sha1" {
		return nil, provenance.Refuse("commit.sha256", "convert the repository to SHA-1 names, which the formats of in-toto and Azure DevOps expect",
			"the repository names its objects by %s, which is not supported", foreign.Plain(facts.objectFormat))
	}
	head, err := g.head(ctx)
	if err != nil {
		return nil, err
	}
	return &checkout{g, place.prefix, head, facts.shallow}, nil
}

// repositoryFacts are what git says of a repository as a whole.
type repositoryFacts struct {
	shallow      bool
	objectFormat string
}

// facts also makes sure that there is a repository with a work tree.
func (g runner) facts(ctx context.Context) (repositoryFacts, error) {
	const hint = "name the work tree that the model is built from; in a container, mount it with its .git folder"
	out, err := g.output(ctx, "rev-parse", "--is-bare-repository", "--is-inside-work-tree", "--is-shallow-repository", "--show-object-format")
	var failed *gitError
	if errors.As(err, &failed) && strings.Contains(failed.stderr, "not a git repository") {
		return repositoryFacts{}, provenance.Misuse(hint, "%s is not in a git repository", foreign.Plain(g.dir))
	}
	if err != nil {
		return repositoryFacts{}, provenance.WithHint(err, "git 2.38 or newer is needed")
	}
	lines := strings.Fields(out)
	if len(lines) != 4 {
		return repositoryFacts{}, fmt.Errorf("git answers %q where four facts are expected", foreign.Plain(out))
	}
	if lines[0] == "true" || lines[1] != "true" {
		return repositoryFacts{}, provenance.Misuse(hint, "%s is in a git repository, but not in its work tree", foreign.Plain(g.dir))
	}
	return repositoryFacts{lines[2] == "true", lines[3]}, nil
}

// head is the name of the commit.
func (g runner) head(ctx context.Context) (string, error) {
	head, err := g.output(ctx, "rev-parse", "--quiet", "--verify", "HEAD")
	var failed *gitError
	if errors.As(err, &failed) && failed.status == 1 && failed.stderr == "" {
		return "", provenance.Refuse("commit.none", "commit the source code first", "the repository at %s has no commit yet", foreign.Plain(g.dir))
	}
	if err != nil {
		return "", err
	}
	return head, checkObjectName(head)
}

// unmoved makes sure that the work tree is still at the commit.
func (c *checkout) unmoved(ctx context.Context) error {
	now, err := c.git.head(ctx)
	if err == nil && now != c.head {
		err = provenance.Refuse("commit.moved", "record when nothing else works in the folder",
			"the work tree went from commit %s to %s while it was read", c.head, now)
	}
	return err
}

// declared are the facts that rest on a header or a file of configuration alone.
var declared = []string{"author", "authored", "committer", "committed", "subject", "remotes", "repository", "ref"}

// commit gathers all facts.
func (c *checkout) commit(ctx context.Context) (provenance.Commit, error) {
	object, files, err := c.read(ctx)
	if err != nil {
		return provenance.Commit{}, err
	}
	if err := c.inside(ctx, files); err != nil {
		return provenance.Commit{}, err
	}
	out, err := newCommit(c.head, object, files)
	if err != nil {
		return out, err
	}
	out.Shallow = c.shallow
	config, err := c.git.config(ctx)
	if err != nil {
		return out, err
	}
	out.Repository, out.Remotes = config.repository(c.git.dir)
	if out.Ref, out.Detached, err = c.git.ref(ctx); err != nil {
		return out, err
	}
	d, err := c.differences(ctx, files, config, 0)
	if err != nil {
		return out, err
	}
	out.Dirty, out.Changed, out.Untracked = d.dirty(), d.firstChanged(), d.untracked.names
	out.AssumeUnchanged, out.SkipWorktree = d.assumeUnchanged.names, d.skipWorktree.names
	out.Ignored, out.IgnoredCount = d.ignored.names, d.ignored.count
	return out, nil
}

// newCommit is what the objects say.
func newCommit(head string, object commitObject, files treeFiles) (provenance.Commit, error) {
	out := provenance.Commit{
		Grounds: provenance.Grounds{Basis: provenance.Observed, BasisOf: map[string]provenance.Basis{}},
		Files:   files.dirHash(), Parents: object.parents, Subject: object.subject, Signature: "none", Submodules: files.submodules(),
		Author: object.author.person, Authored: object.author.when,
		Committer: object.committer.person, Committed: object.committer.when,
	}
	for _, fact := range declared {
		out.BasisOf[fact] = provenance.Declared
	}
	if object.signed {
		out.Signature = "present"
	}
	var err error
	if out.ID, err = provenance.NewDigest(provenance.GitCommit, head); err != nil {
		return out, err
	}
	out.Tree, err = provenance.NewDigest(provenance.GitTree, object.tree)
	return out, err
}

// read reads the commit and all files of its tree.
func (c *checkout) read(ctx context.Context) (commitObject, treeFiles, error) {
	objects, err := c.git.openObjects(ctx)
	if err != nil {
		return commitObject{}, nil, err
	}
	defer objects.close()
	data, err := objects.whole(c.head, "commit")
	if err != nil {
		return commitObject{}, nil, err
	}
	object, err := parseCommit(data)
	if err != nil {
		return object, nil, err
	}
	files, err := c.git.filesOf(ctx, objects, object.tree)
	return object, files, err
}

// differences compares the work tree with the commit's files.
func (c *checkout) differences(ctx context.Context, files treeFiles, config gitConfig, depth int) (differences, error) {
	root, err := os.OpenRoot(c.git.dir)
	if err != nil {
		return differences{}, err
	}
	defer root.Close()
	w := &workTree{git: c.git, root: root, files: files, config: config, folders: map[string]bool{}, rules: map[string]bool{}, depth: depth}
	return w.compare(ctx)
}

// ref is the branch that the work tree is on, or HEAD when it is on none.
func (g runner) ref(ctx context.Context) (ref string, detached bool, err error) {
	ref, err = g.output(ctx, "symbolic-ref", "--quiet", "HEAD")
	var failed *gitError
	if errors.As(err, &failed) && failed.status == 1 {
		return "HEAD", true, nil
	}
	return foreign.Plain(ref), false, err
}
