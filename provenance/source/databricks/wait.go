package databricks

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// clock is what waiting needs of time; nil stands for the real one.
type clock struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
}

func (c clock) orReal() clock {
	if c.now == nil {
		c.now = time.Now
	}
	if c.sleep == nil {
		c.sleep = sleep
	}
	return c
}

// sleep waits, unless ctx ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// The pauses between two looks at a run that goes on: they grow by half.
const (
	firstPause = 5 * time.Second
	lastPause  = 30 * time.Second
)

// finished reads the run when it has ended, and refuses every run but one that ended with SUCCESS.
func (a *asker) finished(ctx context.Context) (run, error) {
	c := a.source.clock.orReal()
	begun := c.now()
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		r, going, err := a.lookAtRun(ctx)
		if err != nil || !going {
			return r, err
		}
		waited := c.now().Sub(begun)
		left := a.source.Wait - waited
		if left <= 0 {
			return r, a.notEnded(r, waited)
		}
		a.tell(r, waited)
		if err := c.sleep(ctx, min(pause, left)); err != nil { // the last look is at the very end
			return r, err
		}
	}
}

// tell writes a line of progress.
func (a *asker) tell(r run, waited time.Duration) {
	if a.source.Progress != nil {
		o, _ := outcomeOf(r.Status, r.State) // was looked at before
		a.source.Progress(fmt.Sprintf("Databricks run %s is %s, after %s", a.runID, foreign.Plain(o.phase), waited.Round(time.Second)))
	}
}

// lookAtRun asks for the run. The answer about a run that goes on is not kept, and its further pages are not asked for.
func (a *asker) lookAtRun(ctx context.Context) (r run, going bool, err error) {
	request := httpclient.Request{Operation: "reading run " + a.runID, Path: runsAPI, Query: runQuery(a.runID)}
	answer, err := a.HTTP.Do(ctx, request)
	if err != nil {
		return r, false, a.missing(a.runID, err)
	}
	var raw json.RawMessage
	if err := answer.JSON(&raw); err != nil {
		return r, false, err
	}
	if r, err = a.firstPage(answer); err != nil {
		return r, false, err
	}
	o, err := outcomeOf(r.Status, r.State)
	if err != nil {
		return r, false, a.wrong(a.runID, err)
	}
	if err := a.sameWorkspace(r, answer); err != nil {
		return r, false, err
	}
	switch o.result {
	case "":
		return r, true, nil
	case success:
	default:
		return r, false, provenance.Refuse("databricks.result", "only a run that ended with SUCCESS is recorded",
			"Databricks run %s ended with %s%s", a.runID, foreign.Plain(o.result), a.seePage(r))
	}
	if err := a.Keep(request, answer, nil); err != nil {
		return r, false, err
	}
	r, err = a.pages(ctx, a.runID, r, answer)
	return r, false, err
}

// firstPage reads a run from the redacted answer, without keeping it.
func (a *asker) firstPage(answer httpclient.Answer) (r run, err error) {
	if err := a.peek(httpclient.Request{Operation: "reading run " + a.runID}, answer, &r); err != nil {
		return r, err
	}
	if err := r.isOf(a.runID); err != nil {
		return r, a.wrong(a.runID, err)
	}
	return r, nil
}

func (a *asker) notEnded(r run, waited time.Duration) error {
	o, _ := outcomeOf(r.Status, r.State) // was looked at before
	after := ""
	if a.source.Wait > 0 {
		after = " after " + waited.Round(time.Second).String()
	}
	return provenance.Refuse("databricks.running", "record when the run has ended, or wait longer for it",
		"Databricks run %s has not ended%s: it is %s%s", a.runID, after, foreign.Plain(o.phase), a.seePage(r))
}

func (a *asker) seePage(r run) string {
	if page := pageURL(r.PageURL, a.HTTP.Host()); page != "" {
		return ", see " + page
	}
	return ""
}

// orgHeader names the workspace that answers, by its number.
const orgHeader = "X-Databricks-Org-Id"

// sameWorkspace refuses a run whose page lies in another workspace, where that can be told: by the numbers of the workspaces, or
// by hosts of which each is one workspace.
func (a *asker) sameWorkspace(r run, answer httpclient.Answer) error {
	page, err := url.Parse(r.PageURL)
	if err != nil || page.Host == "" {
		return nil
	}
	host := strings.TrimPrefix(strings.TrimPrefix(a.HTTP.Host(), "https://"), "http://")
	ofHost, ofPage := workspaceOf(host), workspaceOf(page.Hostname())
	asked, answering := ofHost, answer.Header.Get(orgHeader)
	number := cmp.Or(page.Query().Get("o"), ofPage)
	differs := isNumber(number) && (isNumber(asked) && asked != number || isNumber(answering) && answering != number) ||
		ofHost != "" && ofPage != "" && ofHost != ofPage
	if !differs {
		return nil
	}
	return provenance.Refuse("databricks.workspace", "name the host of the workspace that the run is in",
		"Databricks run %s is one of another workspace than %s: its page lies at %s", a.runID, a.HTTP.Host(), foreign.Plain(page.Scheme+"://"+page.Host))
}

// workspaceOf tells which workspace a host is: its number on Azure and Google Cloud, its name on AWS; empty where a host has
// several workspaces, or is not one of Databricks.
// Source: https://learn.microsoft.com/azure/databricks/workspace/workspace-details
func workspaceOf(host string) string {
	host = strings.ToLower(host)
	for _, domain := range []string{".azuredatabricks.net", ".databricks.azure.cn", ".databricks.azure.us"} {
		if name, found := strings.CutSuffix(host, domain); found {
			number, _, _ := strings.Cut(strings.TrimPrefix(name, "adb-"), ".")
			if strings.HasPrefix(name, "adb-") && isNumber(number) {
				return number
			}
			return ""
		}
	}
	if name, found := strings.CutSuffix(host, ".gcp.databricks.com"); found {
		number, _, _ := strings.Cut(name, ".")
		return number
	}
	if name, found := strings.CutSuffix(host, ".cloud.databricks.com"); found {
		return name
	}
	return ""
}
