// Package databricks asks a workspace for a run of a job, and for the source of what it ran.
package databricks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/git"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// Source asks a workspace for one run of a job, and for the source of what it ran. Only a run that ended with SUCCESS is
// evidence.
// Source: https://docs.databricks.com/api/workspace/jobs/getrun
type Source struct {
	Host  string    // of the workspace: https://adb-….azuredatabricks.net
	RunID string    // decimal
	Token ask.Token // a personal access token, or one of Entra
	// ManagementToken and ResourceID let a service principal in that is not in the workspace: a token of Entra for
	// https://management.core.windows.net/, and the workspace's id in Azure Resource Manager. Both or none.
	// Source: https://learn.microsoft.com/azure/databricks/dev-tools/auth/aad-token-manual
	ManagementToken ask.Token
	ResourceID      string

	Wait     time.Duration // how long to wait for the run to end; 0: not at all
	Progress func(string)  // gets a line whenever a run that goes on was looked at; nil: nobody

	Files        git.CommitFiles // what the sources are compared with; nil: nothing is
	NotebookFile string          // which file of the commit the run's only notebook is; empty: the one of its name
	Anonymous    bool            // leave names and addresses of people out of the stored answer
	Client       ask.Client

	clock clock
}

// Collect returns provenance.Several: a provenance.DatabricksRun, and a provenance.Notebook for all source code that it is known
// to have run. A run that failed, still runs, is not there, or is one of another workspace is a *provenance.Refused with the code
// databricks.result, databricks.running, databricks.missing or databricks.workspace; a host, run id, token or file that will not
// do is a *provenance.Misused; every other error means that nobody could tell.
func (d Source) Collect(ctx context.Context) (provenance.Evidence, error) {
	a, err := d.asker()
	if err != nil {
		return nil, err
	}
	if err := d.checkFile(ctx); err != nil {
		return nil, err
	}
	r, err := a.finished(ctx)
	if err != nil {
		return nil, err
	}
	notebooks, err := a.look(ctx, &r)
	if err != nil {
		return nil, err
	}
	found, err := a.noun(r)
	if err != nil {
		return nil, err
	}
	all := provenance.Several{found}
	for _, n := range notebooks {
		all = append(all, n)
	}
	return all, nil
}

// asker asks one workspace for one run.
type asker struct {
	*ask.Asking
	source Source
	runID  string
	slots  chan struct{} // bounds the questions under way
}

// maxAsked is how many questions are under way at once.
const maxAsked = 16

func (d Source) asker() (*asker, error) {
	id, err := strconv.ParseInt(d.RunID, 10, 64)
	if err != nil || id <= 0 {
		return nil, provenance.Misuse("it is the number behind /runs/ in the address of the run's page",
			"%q is not the id of a Databricks run", foreign.Plain(d.RunID))
	}
	a := &asker{source: d, runID: strconv.FormatInt(id, 10), slots: make(chan struct{}, maxAsked)}
	a.Asking, err = d.asking()
	return a, err
}

// asking makes the client of the workspace.
func (d Source) asking() (*ask.Asking, error) {
	if d.Token == nil {
		return nil, errNoToken
	}
	if (d.ManagementToken == nil) != (d.ResourceID == "") {
		return nil, provenance.Misuse("give both, or none if the service principal was added to the workspace",
			"of the management token and the workspace's resource id for Databricks only one is given")
	}
	host := d.Host
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	if u, err := url.Parse(host); err == nil && strings.Trim(u.Path, "/") != "" {
		return nil, provenance.Misuse("give the host alone, as https://adb-….azuredatabricks.net", "the Databricks host has a path")
	}
	var a *ask.Asking
	client := d.Client
	if d.ManagementToken != nil {
		client.Credentials = func(ctx context.Context) (http.Header, error) { return d.principal(ctx, a.Used) }
	}
	a, err := ask.New("Databricks", host, d.Token, errNoToken, client)
	if err != nil {
		return nil, err
	}
	a.IDsOnly = d.Anonymous
	return a, nil
}

var errNoToken = provenance.Misuse("put a token into DATABRICKS_TOKEN; in Azure Pipelines, map the secret variable to it under env:",
	"there is no token for Databricks")

// principal gives the headers that let a service principal of the subscription into the workspace.
func (d Source) principal(ctx context.Context, used *foreign.Tokens) (http.Header, error) {
	token, err := d.ManagementToken(ctx)
	if err != nil {
		return nil, err
	}
	if token = strings.TrimSpace(token); token == "" {
		return nil, errNoToken
	}
	used.Add(token)
	return http.Header{"X-Databricks-Azure-SP-Management-Token": {token}, "X-Databricks-Azure-Workspace-Resource-Id": {d.ResourceID}}, nil
}

// checkFile makes sure that the file that the notebook is said to be is there.
func (d Source) checkFile(ctx context.Context) error {
	if d.NotebookFile == "" {
		return nil
	}
	if d.Files == nil {
		return provenance.Misuse("name the repository, too", "a notebook's file is named, but no commit that it is a file of")
	}
	names, err := d.Files.Names(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == d.NotebookFile {
			return nil
		}
	}
	return git.Lacks(d.NotebookFile)
}

// ask asks, keeps the answer, and reads it into v. Many may ask at a time.
func (a *asker) ask(ctx context.Context, operation, path string, query url.Values, v any) (httpclient.Answer, error) {
	if err := a.enter(ctx); err != nil {
		return httpclient.Answer{}, err
	}
	defer a.leave()
	r := httpclient.Request{Operation: operation, Path: path, Query: query}
	answer, err := a.HTTP.Do(ctx, r)
	if err != nil {
		return answer, err
	}
	return answer, a.take(r, answer, v)
}

// take keeps an answer, and reads it into v.
func (a *asker) take(r httpclient.Request, answer httpclient.Answer, v any) error {
	var raw json.RawMessage
	if err := answer.JSON(&raw); err != nil { // strict: no key twice, bounded depth
		return err
	}
	if err := a.Keep(a.discreet(r), answer, nil); err != nil {
		return err
	}
	return a.peek(r, answer, v)
}

// peek reads an answer without keeping it. Secrets are taken out of it; people stay, because paths that name them are asked for.
func (a *asker) peek(r httpclient.Request, answer httpclient.Answer, v any) error {
	aside := &ask.Asking{Service: a.Service, Used: a.Used}
	return aside.Keep(r, answer, v)
}

// enter waits for its turn.
func (a *asker) enter(ctx context.Context) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *asker) leave() { <-a.slots }

// runsAPI is where runs are asked for.
const runsAPI = "/api/2.2/jobs/runs/get"

// maxPages bounds the pages of a run: it has at most 1000 tasks, or 5000 iterations, in pages of 100.
const maxPages = 60

// pages reads a run whose first page is known.
func (a *asker) pages(ctx context.Context, id string, first run, answer httpclient.Answer) (run, error) {
	whole := first
	seen := map[string]bool{}
	for page := 1; ; page++ {
		next, err := nextPage(answer)
		if err != nil || next == "" {
			return whole, err
		}
		if seen[next] {
			return whole, a.wrong(id, errors.New("its pages go round in a circle"))
		}
		if page == maxPages {
			return whole, a.wrong(id, fmt.Errorf("it has more than %d pages", maxPages))
		}
		seen[next] = true
		query := runQuery(id)
		query.Set("page_token", next)
		var more run
		if answer, err = a.ask(ctx, "reading run "+id, runsAPI, query, &more); err != nil {
			return whole, a.missing(id, err)
		}
		if err := more.isOf(id); err != nil {
			return whole, a.wrong(id, err)
		}
		if err := whole.mergePage(more); err != nil {
			return whole, a.wrong(id, err)
		}
	}
}

func runQuery(id string) url.Values {
	return url.Values{"run_id": {id}, "include_resolved_values": {"true"}, "include_history": {"true"}}
}

// nextPage reads the token of the next page from the answer as it came: redaction takes it for a secret.
func nextPage(answer httpclient.Answer) (string, error) {
	var page struct {
		Next string `json:"next_page_token"`
	}
	return page.Next, answer.JSON(&page)
}

// isOf tells whether it is the run that was asked for.
func (r run) isOf(id string) error {
	if r.RunID.String() != id {
		return fmt.Errorf("it is about run %q", foreign.Plain(r.RunID.String()))
	}
	return nil
}

// missing recognises the answers that mean "there is no such run".
// Source: https://docs.databricks.com/api/workspace/jobs/getrun (a missing run is a bad request)
func (a *asker) missing(id string, err error) error {
	e, known := ask.RefusedWith(err, http.StatusBadRequest, http.StatusNotFound)
	if !known {
		return err
	}
	gone := e.Status == http.StatusBadRequest && e.Code == "INVALID_PARAMETER_VALUE" && strings.Contains(e.Message, "does not exist")
	if gone || e.Status == http.StatusNotFound && e.Code == "RESOURCE_DOES_NOT_EXIST" {
		return provenance.Refuse("databricks.missing", "runs vanish after 60 days; or is it a run of another workspace?",
			"Databricks run %s does not exist at %s", id, a.HTTP.Host())
	}
	return err
}

// wrong is the error for an answer that cannot be right.
func (a *asker) wrong(id string, err error) error {
	return fmt.Errorf("the answer of Databricks about run %s makes no sense: %w", id, err)
}

// noun makes the noun out of the run.
func (a *asker) noun(r run) (provenance.DatabricksRun, error) {
	found, err := r.noun(a.HTTP.Host())
	if err != nil {
		return found, a.wrong(a.runID, err)
	}
	if a.IDsOnly {
		found.Creator = provenance.Person{ID: found.Creator.ID}
		withoutPeople(&found)
	}
	found.Answered, err = a.Answered("databricks-run-" + a.runID + ".json")
	return found, err
}
