package databricks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// shelf is a place where code lies: a commit, or the workspace.
type shelf interface {
	origin() origin
	// fetch reads a notebook or a file of code, and compares it with the commit.
	fetch(ctx context.Context, at string, isNotebook bool) (fetched, error)
	// folder is what lies in a folder; nothing if there is no such folder. why says why that cannot be told.
	folder(ctx context.Context, dir string) (entries map[string]shape, why string, err error)
}

// fetched is a source that was read; why says why it could not be.
type fetched struct {
	source notebookSource
	verdict
	why string
}

func (c *collection) shelf(from origin) shelf {
	if from.git {
		return gitShelf{c, from}
	}
	return c.workspace()
}

func (c *collection) workspace() shelf { return workspaceShelf{c} }

// gitShelf is the commit that a run took its code from.
type gitShelf struct {
	*collection
	from origin
}

func (g gitShelf) origin() origin { return g.from }

// usable says why the files that are at hand are not those of the run, if so.
func (g gitShelf) usable(ctx context.Context) (why string, err error) {
	if g.commit == nil {
		return "there is no commit to compare it with", nil
	}
	if err := g.commit.load(ctx); err != nil {
		return "", err
	}
	switch {
	case g.from.commit == "":
		return "the run does not say which commit it used", nil
	case !strings.EqualFold(g.from.commit, g.commit.id):
		return "the run used commit " + foreign.Plain(g.from.commit) + ", which is another one", nil
	}
	return "", nil
}

func (g gitShelf) fetch(ctx context.Context, at string, isNotebook bool) (fetched, error) {
	why, err := g.usable(ctx)
	if why != "" || err != nil {
		return fetched{why: why}, err
	}
	names := g.commit.inGit(at, isNotebook)
	if len(names) != 1 {
		why := "the commit has no such file"
		if len(names) > 1 {
			why = "the commit has several files that it may be"
		}
		return fetched{why: why}, nil
	}
	data, err := g.commit.files.Read(ctx, names[0])
	if err != nil {
		return fetched{}, err
	}
	n, err := sourceOf(names[0], data, !isNotebook, "python")
	if err != nil {
		return fetched{why: "it cannot be read as a notebook: " + err.Error()}, nil
	}
	if isNotebook && isDoubtful(names[0], data, "python") {
		return fetched{why: notMarks}, nil
	}
	return fetched{source: n, verdict: verdict{provenance.Matches, names[0], ""}}, nil
}

func (g gitShelf) folder(ctx context.Context, dir string) (map[string]shape, string, error) {
	why, err := g.usable(ctx)
	if why != "" || err != nil {
		return nil, why, err
	}
	return g.commit.folders[path.Clean(dir)], "", nil
}

// workspaceShelf is the workspace as it is now.
type workspaceShelf struct{ *collection }

func (w workspaceShelf) origin() origin { return origin{} }

// workspaceObject is what the Workspace API says of one thing.
// Source: https://docs.databricks.com/api/workspace/workspace/getstatus
type workspaceObject struct {
	Type     string      `json:"object_type"`
	Path     string      `json:"path"`
	Language string      `json:"language"`
	Modified json.Number `json:"modified_at"`
	Size     json.Number `json:"size"`
}

// shapes are the objects' types that code can lie in.
var shapes = map[string]shape{"FILE": aFile, "NOTEBOOK": aNotebook, "DIRECTORY": aFolder, "REPO": aFolder}

func (w workspaceShelf) fetch(ctx context.Context, at string, isNotebook bool) (fetched, error) {
	var o workspaceObject
	_, err := w.asker.ask(ctx, "looking at "+foreign.Plain(at), "/api/2.0/workspace/get-status", url.Values{"path": {at}}, &o)
	if _, gone := ask.RefusedWith(err, 400, 404); gone {
		return fetched{why: "it is not in the workspace any more"}, nil
	}
	if err != nil {
		return fetched{}, err
	}
	changed, err := foreign.Millis(o.Modified)
	switch is := shapes[o.Type]; {
	case err != nil:
		return fetched{}, w.asker.wrong(w.asker.runID, err)
	case is != aNotebook && is != aFile:
		return fetched{why: "in the workspace it is a " + foreign.Plain(strings.ToLower(o.Type))}, nil
	case changed.IsZero():
		return fetched{why: "the workspace does not say when it was changed"}, nil
	case !changed.Before(w.started):
		return fetched{why: "it was changed after the run had started"}, nil
	}
	return w.read(ctx, at, o)
}

// read exports what did not change since the run, and compares it.
func (w workspaceShelf) read(ctx context.Context, at string, o workspaceObject) (fetched, error) {
	data, why, err := w.export(ctx, at)
	if why != "" || err != nil {
		return fetched{why: why}, err
	}
	n := plainSource(at, data)
	if shapes[o.Type] == aNotebook {
		language := strings.ToLower(o.Language)
		if n, err = parseSource("", data, language); err != nil {
			return fetched{why: "it cannot be read as a notebook: " + err.Error()}, nil
		}
	}
	v, err := w.compare(ctx, at, n, origin{}, false)
	return fetched{source: n, verdict: v}, err
}

// export reads the source of a notebook or file as it is now.
// Source: https://docs.databricks.com/api/workspace/workspace/export
func (w workspaceShelf) export(ctx context.Context, at string) (data []byte, why string, err error) {
	request := httpclient.Request{Operation: "exporting " + foreign.Plain(at), Path: "/api/2.0/workspace/export", Query: url.Values{"path": {at}, "format": {"SOURCE"}}}
	var exported struct {
		Content *string `json:"content"`
	}
	answer, err := w.asker.askCode(ctx, request, &exported)
	if e, refused := ask.RefusedWith(err, 400, 404); refused {
		return nil, notExported(e), nil
	}
	if err != nil {
		return nil, "", err
	}
	if exported.Content == nil {
		return nil, "", w.asker.Nonsense(request.Operation, errors.New("it has no content"))
	}
	if data, err = base64.StdEncoding.DecodeString(*exported.Content); err != nil {
		return nil, "", w.asker.Nonsense(request.Operation, errors.New("its content is not base64"))
	}
	answer.Body = digestOnly("source", data)
	return data, "", w.asker.Keep(w.asker.discreet(request), answer, nil)
}

// folderListing is one folder of the workspace, asked for once.
type folderListing struct {
	once    sync.Once
	entries map[string]shape
	err     error
}

func (w workspaceShelf) folder(ctx context.Context, dir string) (map[string]shape, string, error) {
	w.lock.Lock()
	known := w.folders[dir]
	if known == nil {
		known = &folderListing{}
		w.folders[dir] = known
	}
	w.lock.Unlock()
	known.once.Do(func() { known.entries, known.err = w.list(ctx, dir) })
	return known.entries, "", known.err
}

// list asks what lies in a folder of the workspace.
// Source: https://docs.databricks.com/api/workspace/workspace/list
func (w workspaceShelf) list(ctx context.Context, dir string) (map[string]shape, error) {
	var listed struct {
		Objects []workspaceObject `json:"objects"`
	}
	_, err := w.asker.ask(ctx, "listing "+foreign.Plain(dir), "/api/2.0/workspace/list", url.Values{"path": {dir}}, &listed)
	if _, gone := ask.RefusedWith(err, 400, 404); gone {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries := map[string]shape{}
	for _, o := range listed.Objects {
		entries[path.Base(o.Path)] = shapes[o.Type]
	}
	return entries, nil
}
