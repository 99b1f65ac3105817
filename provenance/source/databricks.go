package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
)

// AnswerMediaType is the media type of a service's stored, redacted answer: one JSON document with sorted keys and without
// white space, in which "[removed]" stands for what was a secret.
const AnswerMediaType = "application/vnd.provenance.answer.v1+json"

// Client says how services are asked over HTTP; its zero value is fit for use.
type Client = httpclient.Options

// Databricks asks a workspace for one run of a job. Only a run that ended with SUCCESS is evidence.
// Source: https://docs.databricks.com/api/workspace/jobs/getrun
type Databricks struct {
	Host   string                                // of the workspace: https://adb-….azuredatabricks.net
	RunID  string                                // decimal
	Token  func(context.Context) (string, error) // a personal access token, or one of Entra; asked before each request
	Client Client
}

// maxPages bounds the pages of tasks: a run has at most 1000 tasks, in pages of 100.
const maxPages = 20

// Collect returns a provenance.DatabricksRun. A run that failed, still runs or is not there is a *provenance.Refused with
// the code databricks.result, databricks.running or databricks.missing; a host, run id or token that will not do is a
// *provenance.Misused; every other error means that nobody could tell.
func (d Databricks) Collect(ctx context.Context) (provenance.Evidence, error) {
	asker, err := d.asker()
	if err != nil {
		return nil, err
	}
	answers, err := asker.pages(ctx)
	if err != nil {
		return nil, err
	}
	found, err := asker.read(answers)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// asker asks one workspace for one run.
type asker struct {
	client *httpclient.Client
	runID  string
	tokens map[string]bool // used so far: no answer that is stored may repeat one
}

func (d Databricks) asker() (*asker, error) {
	id, err := strconv.ParseInt(d.RunID, 10, 64)
	if err != nil || id <= 0 {
		return nil, provenance.Misuse("it is the number behind /runs/ in the address of the run's page",
			"%q is not the id of a Databricks run", plain(d.RunID))
	}
	a := &asker{runID: strconv.FormatInt(id, 10), tokens: map[string]bool{}}
	host := d.Host
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	if u, err := url.Parse(host); err == nil && strings.Trim(u.Path, "/") != "" {
		return nil, provenance.Misuse("give the host alone, as https://adb-….azuredatabricks.net", "the Databricks host has a path")
	}
	a.client, err = httpclient.New("Databricks", host, a.authorize(d.Token), d.Client)
	return a, err
}

// authorize makes the Authorization header's value of a token.
func (a *asker) authorize(token func(context.Context) (string, error)) httpclient.Authorize {
	return func(ctx context.Context) (string, error) {
		if token == nil {
			return "", errNoToken
		}
		value, err := token(ctx)
		if err != nil {
			return "", err
		}
		if value = strings.TrimSpace(value); value == "" {
			return "", errNoToken
		}
		a.tokens[value] = true
		return "Bearer " + value, nil
	}
}

var errNoToken = provenance.Misuse("put a token into DATABRICKS_TOKEN; in Azure Pipelines, map the secret variable to it under env:",
	"there is no token for Databricks")

// pages asks for all pages of the run.
func (a *asker) pages(ctx context.Context) ([]httpclient.Answer, error) {
	query := url.Values{"run_id": {a.runID}, "include_resolved_values": {"true"}, "include_history": {"true"}}
	var answers []httpclient.Answer
	seen := map[string]bool{}
	for len(answers) < maxPages {
		answer, err := a.client.Get(ctx, "reading run "+a.runID, "/api/2.2/jobs/runs/get", query)
		if err != nil {
			return nil, a.missing(err)
		}
		var page struct {
			Next string `json:"next_page_token"`
		}
		if err := answer.JSON(&page); err != nil {
			return nil, err
		}
		answers = append(answers, answer)
		if page.Next == "" {
			return answers, nil
		}
		if seen[page.Next] {
			return nil, a.nonsense(errors.New("its pages go round in a circle"))
		}
		seen[page.Next] = true
		query.Set("page_token", page.Next)
	}
	return nil, a.nonsense(fmt.Errorf("it has more than %d pages", maxPages))
}

// missing recognises the answers that mean "there is no such run".
// Source: https://docs.databricks.com/api/workspace/jobs/getrun (a missing run is a bad request)
func (a *asker) missing(err error) error {
	var e *httpclient.StatusError
	if !errors.As(err, &e) {
		return err
	}
	gone := e.Status == http.StatusBadRequest && e.Code == "INVALID_PARAMETER_VALUE" && strings.Contains(e.Message, "does not exist")
	if gone || e.Status == http.StatusNotFound && e.Code == "RESOURCE_DOES_NOT_EXIST" {
		return provenance.Refuse("databricks.missing", "runs vanish after 60 days; or is it a run of another workspace?",
			"Databricks run %s does not exist at %s", a.runID, a.client.Host())
	}
	return err
}

// nonsense is the error for an answer that cannot be right.
func (a *asker) nonsense(err error) error {
	return fmt.Errorf("the answer of Databricks about run %s makes no sense: %w", a.runID, err)
}

// read makes the noun out of all pages. They are redacted before anything else is read from them.
func (a *asker) read(answers []httpclient.Answer) (provenance.DatabricksRun, error) {
	r := &redactor{known: slices.Sorted(maps.Keys(a.tokens))}
	pages, err := a.redact(answers, r)
	if err != nil {
		return provenance.DatabricksRun{}, err
	}
	whole, err := a.merge(pages)
	if err != nil {
		return provenance.DatabricksRun{}, err
	}
	if err := a.succeeded(whole); err != nil {
		return provenance.DatabricksRun{}, err
	}
	found, err := whole.noun(a.client.Host())
	if err != nil {
		return found, a.nonsense(err)
	}
	found.AskedAt = answers[0].At.UTC().Truncate(time.Second)
	found.Answer, found.Removed = a.store(pages), r.removed
	return found, nil
}

// redact gives each page as redacted, canonical JSON.
func (a *asker) redact(answers []httpclient.Answer, r *redactor) ([][]byte, error) {
	var pages [][]byte
	for i, answer := range answers {
		decoder := json.NewDecoder(bytes.NewReader(answer.Body))
		decoder.UseNumber()
		var decoded any
		if err := decoder.Decode(&decoded); err != nil {
			return nil, a.nonsense(err)
		}
		path := "$"
		if len(answers) > 1 {
			path = fmt.Sprintf("$[%d]", i)
		}
		page, err := canonicalJSON(r.value(path, decoded))
		if err != nil {
			return nil, a.nonsense(err)
		}
		pages = append(pages, page)
	}
	return pages, nil
}

// merge joins the pages of tasks into one run.
func (a *asker) merge(pages [][]byte) (run, error) {
	var whole run
	for i, data := range pages {
		var page run
		if err := json.Unmarshal(data, &page); err != nil {
			return whole, a.nonsense(err)
		}
		if page.RunID.String() != a.runID {
			return whole, a.nonsense(fmt.Errorf("it is about run %q", plain(page.RunID.String())))
		}
		if i == 0 {
			whole = page
		} else if err := whole.mergeTasks(page); err != nil {
			return whole, a.nonsense(err)
		}
	}
	return whole, nil
}

// succeeded refuses every run but one that ended with SUCCESS.
func (a *asker) succeeded(r run) error {
	o, err := outcomeOf(r.Status, r.State)
	if err != nil {
		return a.nonsense(err)
	}
	switch o.result {
	case success:
		return nil
	case "":
		return provenance.Refuse("databricks.running", "record when the run has ended",
			"Databricks run %s has not ended: it is %s%s", a.runID, plain(o.phase), a.seePage(r))
	}
	return provenance.Refuse("databricks.result", "only a run that ended with SUCCESS is recorded",
		"Databricks run %s ended with %s%s", a.runID, plain(o.result), a.seePage(r))
}

func (a *asker) seePage(r run) string {
	if page := pageURL(r.PageURL, a.client.Host()); page != "" {
		return ", see " + page
	}
	return ""
}

// store makes one document of the pages: an array if there are several.
func (a *asker) store(pages [][]byte) provenance.Stored {
	data := pages[0]
	if len(pages) > 1 {
		data = slices.Concat([]byte("["), bytes.Join(pages, []byte(",")), []byte("]"))
	}
	return provenance.Stored{
		Name: "databricks-run-" + a.runID + ".json", MediaType: AnswerMediaType,
		Digest: provenance.SumSHA256(data), Size: int64(len(data)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}
}
