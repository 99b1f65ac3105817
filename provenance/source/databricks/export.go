package databricks

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// lookAtNotebook rebuilds the source that a notebook task ran, and compares it with the commit.
func (a *asker) lookAtNotebook(ctx context.Context, c *collection, t *task, how string, from origin) error {
	at := t.Notebook.Path
	if !from.git {
		at = inWorkspace(at)
	}
	if !c.mayExport() {
		return c.unknown(foreign.Plain(at), how, "", fmt.Sprintf("no more than %d notebooks of tasks are looked at", maxExports))
	}
	n, why, err := a.export(ctx, t.RunID.String())
	if err != nil {
		return err
	}
	if why != "" {
		return c.unknown(foreign.Plain(at), how, "", why)
	}
	v, err := c.compare(ctx, at, n, from, true)
	if err != nil {
		return err
	}
	noun := c.noun(at, how, "", n, v)
	if v.equal != provenance.Uncertain {
		noun.BasisOf = map[string]provenance.Basis{"equal": provenance.Observed}
	}
	if err := c.note(noun); err != nil {
		return err
	}
	c.take(unit{path: at, from: from, source: n, roots: rootsOf(at, from)})
	return nil
}

// export asks for the notebook as the task run ran it; why says why Databricks does not give it.
// Source: https://docs.databricks.com/api/workspace/jobs/exportrun
func (a *asker) export(ctx context.Context, id string) (n notebookSource, why string, err error) {
	request := httpclient.Request{Operation: "exporting task run " + id, Path: "/api/2.0/jobs/runs/export",
		Query: url.Values{"run_id": {id}, "views_to_export": {"CODE"}}}
	var exported struct {
		Views []struct {
			Type    string `json:"type"`
			Content string `json:"content"`
		} `json:"views"`
	}
	answer, err := a.askCode(ctx, request, &exported)
	if e, refused := ask.RefusedWith(err, 400, 404); refused {
		return n, notExported(e), nil
	}
	if err != nil {
		return n, "", err
	}
	pages := []string{}
	for _, v := range exported.Views {
		if v.Type == "" || strings.EqualFold(v.Type, "NOTEBOOK") {
			pages = append(pages, v.Content)
		}
	}
	if len(pages) != 1 {
		return n, "", a.wrong(id, fmt.Errorf("its export holds %d notebooks, not one", len(pages)))
	}
	if n, err = rebuild(pages[0]); err != nil {
		return n, "", a.wrong(id, err)
	}
	answer.Body = digestOnly("notebook", []byte(n.text()))
	return n, "", a.Keep(a.discreet(request), answer, nil)
}

// notExported says why Databricks does not give a source.
func notExported(e *httpclient.StatusError) string {
	return fmt.Sprintf("Databricks does not export it: status %d %s", e.Status, foreign.ReplaceNamed(foreign.AssignedValue(), cmp.Or(e.Message, e.Code)))
}

// askCode asks for something that is source code: the answer is not kept as it is.
func (a *asker) askCode(ctx context.Context, r httpclient.Request, v any) (httpclient.Answer, error) {
	if err := a.enter(ctx); err != nil {
		return httpclient.Answer{}, err
	}
	defer a.leave()
	answer, err := a.HTTP.Do(ctx, r)
	if err != nil {
		return answer, err
	}
	return answer, answer.JSON(v)
}
