package databricks

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// Bounds of what a run's code may unfold to.
const (
	maxExports = 1000     // of notebooks of tasks
	maxSources = 200      // that those run in turn, and that are read
	maxDepth   = 10       // of notebooks and modules that run each other
	maxNoted   = 10000    // sources, and places where something is computed
	maxKept    = 64 << 20 // bytes of source code that is not the commit's
)

// collection is all code that a run is known to have run.
type collection struct {
	asker   *asker
	commit  *commitIndex // nil: there is nothing to compare with
	started time.Time    // when the run began
	only    bool         // the run has one notebook task: it is Databricks.NotebookFile

	lock    sync.Mutex
	exports int
	kept    int64 // bytes of source code
	noted   map[notedAs]provenance.Notebook
	sources map[string]*sourceRead // what tasks and sources run in turn, by place
	taken   map[string]bool        // sources that are followed
	next    []unit                 // to be followed
	folders map[string]*folderListing
}

// notedAs tells apart what is noted: by path, by who runs it and how, and by its digest.
type notedAs struct{ path, by, how, digest string }

// sourceRead is a source that is read once, however often it is run.
type sourceRead struct {
	once sync.Once
	fetched
	err error
}

// origin is where code lay: in the commit that the run took from git, or in the workspace.
type origin struct {
	git    bool
	commit string // that was used; may be empty
}

// unit is a source that was read, and is to be searched for what it runs in turn.
type unit struct {
	path   string
	from   origin
	source notebookSource
	roots  []string // folders in which modules are looked for
	depth  int
}

func (a *asker) newCollection(r *run) (*collection, error) {
	started, err := foreign.Millis(r.Start)
	if err != nil {
		return nil, a.wrong(a.runID, err)
	}
	c := &collection{asker: a, started: started, noted: map[notedAs]provenance.Notebook{},
		sources: map[string]*sourceRead{}, taken: map[string]bool{}, folders: map[string]*folderListing{}}
	c.only = r.onlyNotebook() != nil
	if a.source.Files != nil {
		c.commit = &commitIndex{files: a.source.Files}
	}
	return c, nil
}

// note adds one source. Of what is the same but for how it compares, the worse is kept.
func (c *collection) note(n provenance.Notebook) error {
	c.lock.Lock()
	defer c.lock.Unlock()
	as := notedAs{n.Path, n.By, n.How, n.Digest.String()}
	old, known := c.noted[as]
	if !known || worse(n, old) {
		c.noted[as] = n
		c.kept += n.Text.Size - old.Text.Size
	}
	if c.kept > maxKept {
		return fmt.Errorf("the code that Databricks run %s ran, and that is not the commit's, has more than %d bytes", c.asker.runID, maxKept)
	}
	if len(c.noted) > maxNoted {
		return fmt.Errorf("the code of Databricks run %s runs more than %d others", c.asker.runID, maxNoted)
	}
	return nil
}

// worse orders what is told of one source: how it compares first, so that the order of the answers does not matter.
func worse(a, b provenance.Notebook) bool {
	return cmp.Or(cmp.Compare(badness[a.Equal], badness[b.Equal]), cmp.Compare(a.Note, b.Note), cmp.Compare(a.Digest.String(), b.Digest.String())) > 0
}

var badness = map[string]int{provenance.Matches: 0, provenance.Uncertain: 1, provenance.Differs: 2}

// unknown notes a source that nobody could compare.
func (c *collection) unknown(path, how, by, why string) error {
	return c.note(provenance.Notebook{Grounds: provenance.Grounds{Basis: provenance.Reported}, Path: cmp.Or(path, "not told"), Host: c.asker.HTTP.Host(),
		How: how, By: by, Equal: provenance.Uncertain, Note: foreign.Plain(why)})
}

// sorted are all that were noted. A record knows a source by its path, and by who runs it and how: iterations of one task that
// ran different sources are told apart by their digests; of others the worst is kept.
func (c *collection) sorted() []provenance.Notebook {
	groups := map[notedAs][]provenance.Notebook{}
	for as, n := range c.noted {
		as.digest = ""
		groups[as] = append(groups[as], n)
	}
	var all []provenance.Notebook
	for as, group := range groups {
		slices.SortFunc(group, func(a, b provenance.Notebook) int {
			if worse(a, b) {
				return -1
			}
			return 1
		})
		if as.by != "" || len(group) == 1 {
			all = append(all, group[0])
			continue
		}
		for _, n := range group {
			if !n.Digest.IsZero() {
				n.How += ", source " + n.Digest.Hex()[:12]
			}
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b provenance.Notebook) int {
		return cmp.Or(cmp.Compare(a.By, b.By), cmp.Compare(a.How, b.How), cmp.Compare(a.Path, b.Path))
	})
	return all
}

// noun is a source that was read; what is the commit's own is not stored again.
func (c *collection) noun(path, how, by string, n notebookSource, v verdict) provenance.Notebook {
	text := n.text()
	out := provenance.Notebook{Grounds: provenance.Grounds{Basis: provenance.Reported}, Path: foreign.Plain(path), Host: c.asker.HTTP.Host(), How: how, By: foreign.Plain(by),
		Language: foreign.Plain(n.language), Digest: provenance.SumSHA256([]byte(text)), File: foreign.Plain(v.file), Equal: v.equal, Note: foreign.Plain(v.note)}
	if v.equal != provenance.Matches {
		redacted := foreign.RedactCode(text, c.asker.Used.All()...)
		if c.asker.IDsOnly {
			redacted, path = foreign.Nobody(redacted), foreign.Nobody(path)
		}
		out.Text = ask.StoredBytes("notebook-"+fileName(path, n.language, out.Digest), "text/plain", []byte(redacted))
	}
	return out
}

// extensions are the usual ones.
var extensions = map[string]string{"python": ".py", "sql": ".sql", "scala": ".scala", "r": ".r"}

// fileName is a name for a stored source.
func fileName(p, language string, digest provenance.Digest) string {
	base := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, strings.TrimSuffix(path.Base(p), path.Ext(p)))
	return base[:min(len(base), 60)] + "-" + digest.Hex()[:12] + extensions[language]
}

// take keeps a source to be followed, unless the same one was taken already.
func (c *collection) take(u unit) {
	c.lock.Lock()
	defer c.lock.Unlock()
	key := fmt.Sprintf("%v %s %s", u.from, u.path, provenance.SumSHA256([]byte(u.source.text())))
	if !c.taken[key] {
		c.taken[key] = true
		c.next = append(c.next, u)
	}
}

// fetchOnce reads a source, unless that was done, or unless there are too many.
func (c *collection) fetchOnce(ctx context.Context, s shelf, target string, isNotebook bool) (fetched, error) {
	key := fmt.Sprintf("%v %s %v", s.origin(), target, isNotebook)
	c.lock.Lock()
	r := c.sources[key]
	if r == nil && len(c.sources) < maxSources {
		r = &sourceRead{}
		c.sources[key] = r
	}
	c.lock.Unlock()
	if r == nil {
		return fetched{why: fmt.Sprintf("no more than %d sources are looked at", maxSources)}, nil
	}
	r.once.Do(func() { r.fetched, r.err = s.fetch(ctx, target, isNotebook) })
	return r.fetched, r.err
}

// mayExport counts the notebooks of tasks, and tells whether another one may be asked for.
func (c *collection) mayExport() bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.exports++
	return c.exports <= maxExports
}

// follow searches what was taken for what it runs, and that in turn, one level at a time.
func (c *collection) follow(ctx context.Context) error {
	for len(c.next) > 0 {
		level := c.next
		c.next = nil
		group, in := errgroup.WithContext(ctx)
		for _, u := range level {
			group.Go(func() error { return c.search(in, u) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// search notes what one source runs.
func (c *collection) search(ctx context.Context, u unit) error {
	group, in := errgroup.WithContext(ctx)
	group.SetLimit(2 * maxAsked) // a source can hold any number of calls
	for _, call := range callsOf(u.source) {
		group.Go(func() error {
			switch {
			case call.computed != "":
				return c.unknown(foreign.Plain(call.name), call.how, foreign.Plain(u.path), call.computed)
			case call.how == byImport:
				return c.followImport(in, u, call)
			}
			return c.followNotebook(in, u, call)
		})
	}
	return group.Wait()
}

// followNotebook notes a notebook that another one runs.
func (c *collection) followNotebook(ctx context.Context, u unit, call call) error {
	s, target, why := c.resolve(u, call.name)
	if why != "" {
		return c.unknown(foreign.Plain(call.name), call.how, foreign.Plain(u.path), why)
	}
	return c.takeCalled(ctx, s, u, target, call.how, true)
}

// resolve finds the place of a notebook by a path that is relative to the one that runs it.
func (c *collection) resolve(u unit, name string) (s shelf, target, why string) {
	if strings.HasPrefix(name, "/") {
		return c.workspace(), inWorkspace(path.Clean(name)), ""
	}
	if strings.Contains(name, ":") {
		return nil, "", "it is not a path in the workspace"
	}
	target = path.Join(path.Dir(u.path), name)
	if target == ".." || strings.HasPrefix(target, "../") {
		return nil, "", "its path leads out of the repository"
	}
	return c.shelf(u.from), target, ""
}

// takeCalled reads, compares and notes what a source runs, and takes it to be followed.
func (c *collection) takeCalled(ctx context.Context, s shelf, u unit, target, how string, isNotebook bool) error {
	if u.depth >= maxDepth {
		return c.unknown(foreign.Plain(target), how, foreign.Plain(u.path), fmt.Sprintf("no more than %d levels of sources are looked at", maxDepth))
	}
	next := unit{path: target, from: s.origin(), roots: u.roots, depth: u.depth + 1}
	if isNotebook {
		next.roots = rootsOf(target, s.origin())
	}
	return c.takeFrom(ctx, s, next, how, u.path, isNotebook)
}

// takeFrom reads u from a shelf, and notes and takes it.
func (c *collection) takeFrom(ctx context.Context, s shelf, u unit, how, by string, isNotebook bool) error {
	f, err := c.fetchOnce(ctx, s, u.path, isNotebook)
	if err != nil {
		return err
	}
	if f.why != "" {
		return c.unknown(foreign.Plain(u.path), how, foreign.Plain(by), f.why)
	}
	if err := c.note(c.noun(u.path, how, by, f.source, f.verdict)); err != nil {
		return err
	}
	u.source = f.source
	c.take(u)
	return nil
}

// rootsOf are the folders in which the modules of a notebook or program are looked for: its own, and the top of the repository.
// Source: https://docs.databricks.com/files/workspace-modules.html
func rootsOf(at string, from origin) []string {
	own := path.Dir(at)
	top := ""
	switch {
	case from.git:
		top = "."
	case strings.HasPrefix(at, "/Repos/"):
		if parts := strings.SplitN(at, "/", 5); len(parts) == 5 {
			top = strings.Join(parts[:4], "/")
		}
	}
	if top == "" || top == own {
		return []string{own}
	}
	return []string{own, top}
}

// takeFile notes a Python file that a task ran.
func (c *collection) takeFile(ctx context.Context, file, how string, from origin) error {
	s := c.shelf(from)
	switch {
	case strings.Contains(file, ":") || strings.HasPrefix(file, "/Volumes/") || strings.HasPrefix(file, "/dbfs/"):
		return c.unknown(foreign.Plain(file), how, "", "it lies outside the workspace and the repository, where it is not read")
	case strings.HasPrefix(file, "/"):
		s = c.workspace()
		file = inWorkspace(path.Clean(file))
	default:
		file = path.Clean(file)
	}
	return c.takeFrom(ctx, s, unit{path: file, from: s.origin(), roots: rootsOf(file, s.origin())}, how, "", false)
}

// inWorkspace is a path as the Workspace API has it: without the folder under which clusters see the workspace.
func inWorkspace(p string) string {
	if rest, found := strings.CutPrefix(p, "/Workspace"); found && strings.HasPrefix(rest, "/") {
		return rest
	}
	return p
}

// digestOnly is kept in place of an answer that is source code, and says what it was: the code is stored by itself, redacted.
func digestOnly(kind string, data []byte) []byte {
	out, _ := json.Marshal(map[string]string{"kind": kind, "sha256": provenance.SumSHA256(data).Hex()}) // strings can always be written
	return out
}
