package azuredevops

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"

	faults "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"

	double "github.com/seed-3480f271/provenance/provenance/internal/devopsdouble"
)

// TestDevOpsFaults: whatever question meets a fault, what passes is waited for, and what does not is an error that says so.
func TestDevOpsFaults(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		t.Errorf("%s came to another host, with %q", r.URL.Path, r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	questions := []string{"/builds/9007199254740993?", "/definitions/7", "/changes?", "/workitems?%24top", "/wit/workitems?", "/timeline?", "/pipelines/approvals?", "/distributedtask/queues/19",
		"/oidctoken?", "/builds/9007199254740993/artifacts?api-version", "/runs/9007199254740993/artifacts?", "/git/repositories/" + double.RepositoryID + "?", "/commits/", "/pullrequestquery?", "/pullrequests/88",
		"/release/releases/214?", "/release/releases?", "/_apis/identities?"}
	for name, c := range map[string]struct {
		faults []faults.Fault
		says   string // empty: it passes
	}{
		"busy":                        {[]faults.Fault{faults.Busy("0"), faults.Busy("")}, ""},
		"a burst of 503":              {[]faults.Fault{faults.Unavailable, faults.Unavailable, faults.Unavailable}, ""},
		"500 once":                    {[]faults.Fault{faults.Answer(500, `{"message":"TF400898"}`)}, ""},
		"reset":                       {[]faults.Fault{faults.Reset}, ""},
		"cut":                         {[]faults.Fault{faults.Cut}, ""},
		"busy for an hour":            {[]faults.Fault{faults.Busy("3600")}, "status 429"},
		"too long":                    {[]faults.Fault{faults.Huge(2 << 20)}, "longer than 1048576 bytes"},
		"truncated":                   {[]faults.Fault{faults.Answer(200, `{"id":7,"va`)}, "not JSON"},
		"keys twice":                  {[]faults.Fault{faults.Answer(200, `{"id":7,"Id":8}`)}, "stands twice"},
		"no object":                   {[]faults.Fault{faults.Answer(200, `[7]`)}, "makes no sense"},
		"empty":                       {[]faults.Fault{faults.Answer(200, ``)}, "not JSON"},
		"a login page":                {[]faults.Fault{faults.LoginPage}, "a web page came where JSON was expected"},
		"a page to sign in":           {[]faults.Fault{signIn}, "status 203: a page to sign in"},
		"redirected":                  {[]faults.Fault{faults.Redirect(elsewhere.URL + "/x")}, "not the host that was configured"},
		"not found, of another thing": {[]faults.Fault{faults.Answer(404, `{"message":"TF200016: The following project does not exist"}`)}, "status 404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, question := range questions {
				if name == "not found, of another thing" && (strings.Contains(question, "queues") || strings.Contains(question, "/runs/")) {
					continue // is no error: see TestDevOpsPools and TestDevOpsArtifactsThatCannotBeHad
				}
				w := double.New(t)
				w.Timeline = append(w.Timeline, map[string]any{"id": "j2", "type": "Job", "name": "Job", "workerName": "w", "queueId": 19})
				w.Fail(question, c.faults...)
				d := devopsOf(w)
				d.OIDC = &OIDCRequest{URI: w.URL + double.OIDCPath}
				w.Claims["run_id"] = "214"
				evidence, err := d.Collect(t.Context())
				if c.says == "" {
					if err != nil {
						t.Errorf("%s: %v", question, err)
					}
				} else if err == nil || evidence != nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "Azure DevOps, ") || len(err.Error()) > 600 {
					t.Errorf("%s: error %v, want %q", question, err, c.says)
				}
			}
		})
	}
}

// signIn is how Azure DevOps turns a personal access token down.
func signIn(out http.ResponseWriter, _ *http.Request) {
	out.Header().Set("Content-Type", "text/html")
	out.WriteHeader(http.StatusNonAuthoritativeInfo)
	fmt.Fprint(out, "<!DOCTYPE html><html><title>Azure DevOps Services | Sign In</title></html>")
}

// TestDevOpsDenied: but for identities and queues, whatever may not be read is an error.
func TestDevOpsDenied(t *testing.T) {
	for _, question := range []string{"/builds/9007199254740993?", "/definitions/7", "/changes?", "/workitems?%24top", "/wit/workitems?", "/timeline?", "/pipelines/approvals?", "/oidctoken?",
		"/builds/9007199254740993/artifacts?api-version", "/commits/", "/pullrequestquery?", "/pullrequests/88", "/release/releases?", "/logs?"} {
		for _, status := range []int{401, 403} {
			w := double.New(t)
			w.Fail(question, faults.Answer(status, `{"message":"TF401027: You need the Git 'GenericRead' permission. Bearer `+double.Token+`"}`))
			d := devopsOf(w)
			d.OIDC, w.Claims["run_id"] = &OIDCRequest{URI: w.URL + double.OIDCPath}, "214"
			evidence, err := d.Collect(t.Context())
			if err == nil || evidence != nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), fmt.Sprintf("status %d", status)) || strings.Contains(err.Error(), double.Token) || len(provenance.Hints(err)) == 0 {
				t.Errorf("%s: error %v, hints %q", question, err, provenance.Hints(err))
			}
		}
	}
}

func TestDevOpsStall(t *testing.T) {
	w := double.New(t)
	w.Fail("/timeline", faults.Stall)
	d := buildOf(w)
	d.Client.AttemptTimeout = 200 * time.Millisecond
	if b, _, _, _ := sourcetest.Gather(t, d); b.ID == "" {
		t.Error("nothing came")
	}
}

// TestDevOpsRefusals: what Azure DevOps says clearly is refused, with a code.
func TestDevOpsRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*double.Collection, *Source)
		code   string // empty: nobody can tell
		says   string
	}{
		"a build that is not there": {func(w *double.Collection, d *Source) { d.BuildID = "12" }, "build.missing", "build 12 does not exist"},
		"a build of another project": {func(w *double.Collection, d *Source) {
			w.Build["project"] = map[string]any{"id": "x", "name": "Other"}
		}, "", `a build of project "Other"`},
		"another build": {func(w *double.Collection, d *Source) {
			w.Fail("/builds/9007199254740993?", faults.Answer(200, `{"id":9007199254740992}`))
		}, "", `about build "9007199254740992"`},
		"a rounded id": {func(w *double.Collection, d *Source) {
			w.Fail("/builds/9007199254740993?", faults.Answer(200, `{"id":9.007199254740993e15}`))
		}, "", "about build"},
		"a failed build": {func(w *double.Collection, d *Source) {
			w.Build["status"], w.Build["result"] = "completed", "failed"
		}, "build.result", "ended with failed"},
		"a canceled build": {func(w *double.Collection, d *Source) {
			w.Build["status"], w.Build["result"] = "completed", "canceled"
		}, "build.result", "ended with canceled"},
		"a build on its way out":          {func(w *double.Collection, d *Source) { w.Build["status"] = "cancelling" }, "build.result", "ended with cancelling"},
		"a deleted build":                 {func(w *double.Collection, d *Source) { w.Build["deleted"] = true }, "build.result", "was deleted"},
		"an ended build without a result": {func(w *double.Collection, d *Source) { w.Build["status"] = "completed" }, "", `status is "completed"`},
		"a build that waits":              {func(w *double.Collection, d *Source) { w.Build["status"] = "notStarted" }, "", `status is "notStarted"`},
		"a build without a commit":        {func(w *double.Collection, d *Source) { delete(w.Build, "sourceVersion") }, "", "lacks"},
		"a broken time":                   {func(w *double.Collection, d *Source) { w.Build["startTime"] = "yesterday" }, "", `no time`},
		"broken parameters":               {func(w *double.Collection, d *Source) { w.Build["parameters"] = `{"a":` }, "", "parameters are not JSON"},
		"another definition": {func(w *double.Collection, d *Source) {
			w.Fail("/definitions/7", faults.Answer(200, `{"id":7,"revision":13}`))
		}, "", `in revision "13"`},
		"a list that is cut": {func(w *double.Collection, d *Source) {
			w.Fail("/changes", faults.Answer(200, `{"count":3,"value":[]}`))
		}, "", "says otherwise"},
		"no list": {func(w *double.Collection, d *Source) { w.Fail("/changes", faults.Answer(200, `{"count":0}`)) }, "", "says otherwise"},
		"a change on two pages": {func(w *double.Collection, d *Source) {
			w.PageSize, w.Changes = 1, append(w.Changes, w.Changes[0])
		}, "", "stands in it twice"},
		"pages in a circle": {func(w *double.Collection, d *Source) {
			w.Fail("/changes", circle(1), circle(2), circle(3))
		}, "", "in a circle"},
		"pages without end": {func(w *double.Collection, d *Source) { w.Fail("/changes", endless()...) }, "", "more than 50 pages"},
		"another work item": {func(w *double.Collection, d *Source) {
			w.Fail("/wit/workitems", faults.Answer(200, `{"value":[{"id":3}]}`))
		}, "", "was not asked for"},
		"no timeline":                   {func(w *double.Collection, d *Source) { w.Fail("/timeline", faults.Answer(200, `{}`)) }, "", "no records"},
		"an approval that lacks":        {func(w *double.Collection, d *Source) { w.Approvals = nil }, "", "others came"},
		"an approval without its steps": {func(w *double.Collection, d *Source) { delete(w.Approvals[0], "steps") }, "", "is answered without its steps"},
		"an approval with no steps":     {func(w *double.Collection, d *Source) { w.Approvals[0]["steps"] = []any{} }, "", "is answered without its steps"},
		"an approval by nobody": {func(w *double.Collection, d *Source) {
			devopsStep(w)["actualApprover"], devopsStep(w)["assignedApprover"] = nil, nil
		}, "", "is approved, and does not say by whom"},
		"an approval by whoever was asked": {func(w *double.Collection, d *Source) { delete(devopsStep(w), "actualApprover") }, "", "is approved, and does not say by whom"},
		"an approval by the empty id": {func(w *double.Collection, d *Source) {
			devopsStep(w)["actualApprover"] = map[string]any{"id": "00000000-0000-0000-0000-000000000000"}
		}, "", "is approved, and does not say by whom"},
		"an approval that nobody approved":   {func(w *double.Collection, d *Source) { devopsStep(w)["status"] = "pending" }, "", "is approved, and does not say by whom"},
		"an approval of a release by nobody": {func(w *double.Collection, d *Source) { devopsDecision(w)["approvedBy"] = nil }, "", "is approved, and does not say by whom"},
		"an approval by no id":               {func(w *double.Collection, d *Source) { w.Timeline[2]["id"] = "a,b" }, "", "by no id"},
		"another queue": {func(w *double.Collection, d *Source) {
			w.Timeline[4]["queueId"] = 19
			w.Fail("/queues/19", faults.Answer(200, `{"id":18}`))
		}, "", `about queue "18"`},
		"somebody else": {func(w *double.Collection, d *Source) {
			w.Fail("/_apis/identities", faults.Answer(200, `{"value":[{"id":"`+double.Approval+`"}]}`))
		}, "", "somebody else"},
		"a size that is none": {func(w *double.Collection, d *Source) { w.Artifacts[0].Size = "-1" }, "", "no size"},
		"another repository": {func(w *double.Collection, d *Source) {
			w.Build["repository"] = map[string]any{"id": "x", "type": "TfsGit", "name": "y", "url": "https://x/y"}
		}, "pipeline.contradicted", "repository"},
		"another commit":             {func(w *double.Collection, d *Source) { w.Build["sourceVersion"] = strings.Repeat("6", 40) }, "pipeline.contradicted", "commit"},
		"a commit that is not there": {func(w *double.Collection, d *Source) { d.Commit = strings.Repeat("9", 40) }, "review.missing", "does not exist"},
		"no such repository":         {func(w *double.Collection, d *Source) { d.RepositoryID = "other" }, "", "status 404"},
		"the answer about another commit": {func(w *double.Collection, d *Source) {
			w.Fail("/commits/", faults.Answer(200, `{"commitId":"66"}`))
		}, "", `about commit "66"`},
		"half an answer about pulls": {func(w *double.Collection, d *Source) {
			w.Fail("/pullrequestquery", faults.Answer(200, `{"results":[{}]}`))
		}, "", "1 of 2"},
		"a pull request of another commit": {func(w *double.Collection, d *Source) {
			w.Fail("/pullrequestquery", faults.Answer(200, `{"results":[{"abc":[{"pullRequestId":88}]},{}]}`))
		}, "", "not one of that commit"},
		"another pull request": {func(w *double.Collection, d *Source) {
			w.Fail("/pullrequests/88", faults.Answer(200, `{"pullRequestId":89,"status":"completed"}`))
		}, "", `about pull request "89"`},
		"a vote that is none":            {func(w *double.Collection, d *Source) { w.Pulls[0]["reviewers"] = []any{map[string]any{"vote": 7}} }, "", `"7" is no vote`},
		"a release that is not there":    {func(w *double.Collection, d *Source) { d.ReleaseID = "12" }, "release.missing", "release 12 does not exist"},
		"an abandoned release":           {func(w *double.Collection, d *Source) { w.Release["status"] = "abandoned" }, "release.result", "is abandoned"},
		"a draft of a release":           {func(w *double.Collection, d *Source) { w.Release["status"] = "draft" }, "release.result", "is draft"},
		"a release of unknown status":    {func(w *double.Collection, d *Source) { w.Release["status"] = "x" }, "", `status is "x"`},
		"a release without environments": {func(w *double.Collection, d *Source) { w.Release["environments"] = []any{} }, "", "lacks"},
		"another release":                {func(w *double.Collection, d *Source) { w.Fail("/releases/214?", faults.Answer(200, `{"id":215}`)) }, "", `about release "215"`},
		"a release of another build":     {func(w *double.Collection, d *Source) { w.Build["id"], d.BuildID = 4711, "4711" }, "release.build", "release 214 does not deploy build 4711"},
		"another repository for the name": {func(w *double.Collection, d *Source) {
			w.Fail("/git/repositories/"+double.RepositoryID+"?", faults.Answer(200, `{"id":"x","name":"`+double.RepositoryID+`","project":{"name":"Mortgage ML"}}`))
		}, "", "about repository"},
		"a commit of another repository": {func(w *double.Collection, d *Source) {
			w.Commit["url"] = strings.Replace(w.Commit["url"].(string), double.RepositoryID, double.ProjectID, 1)
		}, "", "it is about a commit of another repository"},
		"a commit without its address": {func(w *double.Collection, d *Source) { delete(w.Commit, "url") }, "", "does not say which repository"},
		"a pull request of another repository": {func(w *double.Collection, d *Source) {
			w.Pulls[0]["repository"].(map[string]any)["id"] = double.ProjectID
		}, "", "pull request 88 is one of repository"},
		"a pull request of no repository": {func(w *double.Collection, d *Source) { delete(w.Pulls[0], "repository") }, "", "pull request 88 is one of repository"},
		"a release of another definition": {func(w *double.Collection, d *Source) {
			w.Earlier[0]["releaseDefinition"] = map[string]any{"id": 4}
		}, "", "another definition"},
		"logs that are no zip":       {func(w *double.Collection, d *Source) { w.Fail("/logs", faults.Answer(200, "x")) }, "", "no zip"},
		"an artifact that is no zip": {func(w *double.Collection, d *Source) { w.Artifacts[0].Zip = []byte("x") }, "", "artifact model: it is no zip"},
		"an artifact cut short":      {func(w *double.Collection, d *Source) { w.Artifacts[0].Zip = brokenZip(t) }, "", "cannot be unpacked"},
		"an artifact that climbs":    {func(w *double.Collection, d *Source) { w.Artifacts[0].Files = map[string]string{"../x": ""} }, "build.artifact", "name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := double.New(t)
			d := devopsOf(w)
			c.change(w, &d)
			evidence, err := d.Collect(t.Context())
			if err == nil || evidence != nil || sourcetest.KindOf(err) != c.code || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 600 {
				t.Errorf("error %v, want %q with %q", err, c.code, c.says)
			}
		})
	}
}

// devopsStep is the step of the build's only approval.
func devopsStep(w *double.Collection) map[string]any {
	return w.Approvals[0]["steps"].([]any)[0].(map[string]any)
}

// devopsDecision is the approval of the release before its production.
func devopsDecision(w *double.Collection) map[string]any {
	return w.Release["environments"].([]any)[1].(map[string]any)["preDeployApprovals"].([]any)[0].(map[string]any)
}

// TestDevOpsApprovals: nobody has to have decided where nobody did, and a group is not a person.
func TestDevOpsApprovals(t *testing.T) {
	w := double.New(t)
	group := map[string]any{"id": double.Group, "displayName": `[Mortgage ML]\Risk`, "isContainer": true}
	w.Approvals[0]["status"] = "pending"
	devopsStep(w)["status"], devopsStep(w)["assignedApprover"], devopsStep(w)["actualApprover"] = "pending", group, nil
	devopsDecision(w)["status"], devopsDecision(w)["approvedBy"], devopsDecision(w)["approver"] = "skipped", nil, nil
	b, _, l, _ := sourcetest.Gather(t, devopsOf(w))
	if a := b.Approvals; len(a) != 1 || a[0].Status != "pending" || !a[0].Group || a[0].Approver != devopsGroup {
		t.Errorf("of the build: %+v", a)
	}
	if a := l.Approvals; len(a) != 2 || a[0].Group || a[1].Status != "skipped" || a[1].Approver != (provenance.Person{}) {
		t.Errorf("of the release: %+v", a)
	}
	for _, same := range []map[string]any{{"descriptor": "vssgp.Uy0xLTk"}, {"descriptor": "aadgp.Uy0xLTk"}, {"uniqueName": `vstfs:///Classification/TeamProject/x\Risk`}} {
		same["id"], same["displayName"] = double.Group, `[Mortgage ML]\Risk`
		devopsDecision(w)["status"], devopsDecision(w)["approvedBy"] = "approved", same
		if _, _, l, _ := sourcetest.Gather(t, devopsOf(w)); !l.Approvals[1].Group {
			t.Errorf("%v: %+v", same, l.Approvals[1])
		}
	}
}

// circle is a page whose next page is itself.
func circle(n int) faults.Fault { return pageWithNext(n, "again") }

// endless are pages that go on and on.
func endless() (all []faults.Fault) {
	for n := range pages + 1 {
		all = append(all, pageWithNext(n, fmt.Sprint("p", n)))
	}
	return all
}

func pageWithNext(n int, next string) faults.Fault {
	return func(out http.ResponseWriter, req *http.Request) {
		out.Header().Set("X-Ms-Continuationtoken", next)
		faults.Answer(200, fmt.Sprintf(`{"count":1,"value":[{"id":"%040d"}]}`, n))(out, req)
	}
}

// brokenZip is a zip whose file does not have the sum that is said of it.
func brokenZip(t *testing.T) []byte {
	t.Helper()
	data := storedZip(t, "model/a", strings.Repeat("weights", 100))
	at := bytes.Index(data, []byte("weights"))
	data[at] ^= 1
	return data
}

// storedZip is a zip of files that are not compressed, given as name and content in turn.
func storedZip(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	w := zip.NewWriter(&buffer)
	for i := 0; i < len(pairs); i += 2 {
		f, err := w.CreateHeader(&zip.FileHeader{Name: pairs[i], Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(pairs[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// TestDevOpsBuildEnds: a build that goes on is recorded as such, and one that ended well too.
func TestDevOpsBuildEnds(t *testing.T) {
	w := double.New(t)
	for _, result := range []string{"none", "succeeded", "partiallySucceeded"} {
		if w.Build["result"] = result; result != "none" {
			w.Build["status"] = "completed"
		}
		b, _, _, _ := sourcetest.Gather(t, buildOf(w))
		if b.Status != w.Build["status"] || b.Result != strings.TrimPrefix(result, "none") {
			t.Errorf("%s: status %q, result %q", result, b.Status, b.Result)
		}
	}
}

// TestDevOpsRepositories: the URL is comparable with the variable, whatever the build tells.
func TestDevOpsRepositories(t *testing.T) {
	w := double.New(t)
	for _, c := range []struct {
		repository map[string]any
		want       string
	}{
		{map[string]any{"id": double.RepositoryID, "type": "TfsGit", "name": "mortgage", "url": nil}, w.URL + "/Mortgage%20ML/_git/mortgage"},
		{map[string]any{"id": "contoso/mortgage", "type": "GitHub", "url": "https://github.com/contoso/mortgage.git"}, "https://github.com/contoso/mortgage"},
		{map[string]any{"id": "contoso/mortgage", "type": "GitHub"}, "https://github.com/contoso/mortgage"},
		{map[string]any{"id": "7", "type": "Git", "url": "https://ada:planted-url@git.contoso.com/mortgage.git"}, "https://git.contoso.com/mortgage.git"},
		{map[string]any{"id": "7", "type": "Svn"}, ""},
	} {
		w.Build["repository"] = c.repository
		b, _, _, stored := sourcetest.Gather(t, buildOf(w))
		if b.Repository != c.want || strings.Contains(stored[b.Answer.Name], "planted-url") {
			t.Errorf("%v: %q, want %q", c.repository, b.Repository, c.want)
		}
	}
}

// TestDevOpsPusherElsewhere: where the commit alone does not tell who pushed it, the list does; or nobody does.
func TestDevOpsPusherElsewhere(t *testing.T) {
	w := double.New(t)
	delete(w.Commit, "push")
	_, v, _, _ := sourcetest.Gather(t, devopsOf(w))
	if v.Pusher != ada || v.Pushed != sourcetest.ClockAt(1, 30) || len(v.Notes) > 0 {
		t.Errorf("pusher %+v at %s, notes %q", v.Pusher, v.Pushed, v.Notes)
	}
	w.PushData = nil
	_, v, _, _ = sourcetest.Gather(t, devopsOf(w))
	if v.Pusher != (provenance.Person{}) || !slices.Equal(v.Notes, []string{"the pusher is not known: Azure DevOps does not tell"}) {
		t.Errorf("pusher %+v, notes %q", v.Pusher, v.Notes)
	}
}

// TestDevOpsClaims: what the job's token claims must be what Azure DevOps tells of the build.
func TestDevOpsClaims(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]any)
		code   string
		says   string
	}{
		"another run":           {func(m map[string]any) { m["run_id"] = "9007199254740992" }, "pipeline.contradicted", "its run is"},
		"another commit":        {func(m map[string]any) { m["rpo_ver"] = strings.Repeat("6", 40) }, "pipeline.contradicted", "its commit is"},
		"another ref":           {func(m map[string]any) { m["rpo_ref"] = "refs/heads/evil" }, "pipeline.contradicted", "its ref is"},
		"another definition":    {func(m map[string]any) { m["def_id"] = 8 }, "pipeline.contradicted", "its definition is"},
		"another project":       {func(m map[string]any) { m["prj_id"] = double.Approval }, "pipeline.contradicted", "its project is"},
		"no run":                {func(m map[string]any) { delete(m, "run_id") }, "pipeline.contradicted", "do not say its run"},
		"no definition":         {func(m map[string]any) { delete(m, "def_id") }, "pipeline.contradicted", "do not say its definition"},
		"expired":               {func(m map[string]any) { m["exp"] = 1795401060 }, "", "expired at 2026-11-23T02:31:00Z"},
		"without an end":        {func(m map[string]any) { delete(m, "exp") }, "", "when it expires"},
		"for somebody else":     {func(m map[string]any) { m["aud"] = "https://evil.example" }, "", `the token is for "https://evil.example"`},
		"for several":           {func(m map[string]any) { m["aud"] = []string{"api://AzureADTokenExchange", "x"} }, "", "claim aud: it is no text"},
		"by nobody":             {func(m map[string]any) { delete(m, "iss") }, "", "who made it"},
		"a claim of a bad kind": {func(m map[string]any) { m["run_id"] = map[string]any{"a": 1} }, "", "claim run_id"},
	} {
		w := double.New(t)
		c.change(w.Claims)
		evidence, err := buildOf(w).Collect(t.Context())
		if err == nil || evidence != nil || sourcetest.KindOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q with %q", name, err, c.code, c.says)
		}
	}
	w := double.New(t)
	w.Claims = map[string]any{"iss": "https://login.microsoftonline.com/x/v2.0", "sub": "/eid1/c/pub/t/x", "aud": []string{"api://AzureADTokenExchange"}, "exp": 1795401600}
	d := buildOf(w)
	d.OIDC.ServiceConnection = "0b7e5e0e-0000-4000-8000-000000000010"
	if b, _, _, _ := sourcetest.Gather(t, d); b.Claims["sub"] != "/eid1/c/pub/t/x" {
		t.Errorf("claims %q", b.Claims)
	}
	if !slices.ContainsFunc(w.Requests(), func(r string) bool { return strings.Contains(r, "serviceConnectionId="+d.OIDC.ServiceConnection) }) {
		t.Error("the service connection was not named")
	}
}

var oidcSeeds = []string{
	`{"iss":"i","sub":"s","aud":"api://AzureADTokenExchange","exp":99999999999,"run_id":"7"}`, `{"iss":"i","sub":"s","aud":["api://AzureADTokenExchange"],"exp":1e3}`,
	`{"iss":"i","iss":"j"}`, `[]`, ``, `{"iss":7,"sub":"a\u0000b","aud":"api://AzureADTokenExchange","exp":"99999999999"}`,
}

// FuzzOIDCClaims: only claims of a whole, living token for Entra are recorded, and they are plain.
func FuzzOIDCClaims(f *testing.F) {
	if len(oidcSeeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, seed := range oidcSeeds {
		f.Add("h." + base64.RawURLEncoding.EncodeToString([]byte(seed)) + ".s")
	}
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := oidcClaims(token, sourcetest.WhenAsked)
		if err != nil {
			return
		}
		for name, value := range claims {
			if !slices.Contains(oidcClaimNames, name) || foreign.Plain(value) != value {
				t.Errorf("%q is %q", name, value)
			}
		}
		if claims["iss"] == "" || claims["sub"] == "" || !slices.Contains(oidcAudiences, claims["aud"]) {
			t.Errorf("%q", claims)
		}
	})
}

// planted are secrets that nothing may repeat.
var planted = []string{double.Token, double.PAT, "planted-", "cGxhbnRlZC1zaWduYXR1cmU", base64.StdEncoding.EncodeToString([]byte(":" + double.PAT)), "MIIEvplanted"}

// TestDevOpsHoldsNoSecret: not in a noun, an answer, the logs, the debug lines or an error.
func TestDevOpsHoldsNoSecret(t *testing.T) {
	for _, pat := range []bool{false, true} {
		w := double.New(t)
		w.Claims["run_id"] = "214"
		w.Build["buildNumber"] = "nightly " + double.Token
		w.Pulls[0]["title"] = "use " + double.PAT + " as https://ada:planted-title@host/x"
		w.Approvals[0]["steps"].([]any)[0].(map[string]any)["comment"] = "password=planted-comment"
		w.Build["templateParameters"] = map[string]any{"api_key": "planted-template", "nested": `{"deep":{"client_secret":"planted-nested"}}`}
		d := devopsOf(w)
		if d.OIDC = (&OIDCRequest{URI: w.URL + double.OIDCPath}); pat {
			d.OIDC, d.Token, d.PAT = nil, sourcetest.FixedToken(double.PAT), true
		}
		var lines sourcetest.DebugLines
		d.Client.Debug = lines.Add
		texts := map[string]string{}
		b, v, l, stored := sourcetest.Gather(t, d)
		for name, text := range stored {
			texts[name] = text
		}
		nouns, err := json.Marshal([]any{b, v, l})
		if err != nil {
			t.Fatal(err)
		}
		texts["nouns"] = string(nouns)
		for _, question := range []string{"/builds/9007199254740993?", "/content?", "/logs?", "/oidctoken"} {
			w.Fail(question, faults.Answer(400, `{"error_code":"`+double.PAT+`","message":"Bearer `+double.Token+` `+double.PAT+` `+w.Files+`/x?`+double.Signature+`"}`))
			_, err := d.Collect(t.Context())
			if err == nil && !(pat && question == "/oidctoken") {
				t.Errorf("%s met no error", question)
			} else if err != nil {
				texts["error of "+question] = err.Error() + strings.Join(provenance.Hints(err), " ")
			}
		}
		texts["debug"] = lines.String()
		for where, text := range texts {
			for _, secret := range planted {
				if strings.Contains(text, secret) {
					t.Errorf("%s is in the %s: %s", secret, where, text)
				}
			}
		}
		if lines.String() == "" || b.Parameters["nested"] != `{"deep":{"client_secret":"[removed]"}}` || !slices.ContainsFunc(b.Removed, func(s string) bool { return strings.HasSuffix(s, " $.parameters.db_password") }) {
			t.Errorf("parameters %q, removed %q", b.Parameters, b.Removed)
		}
	}
}

// TestDevOpsAnonymous: nobody's name or address is recorded or stored; their ids are.
func TestDevOpsAnonymous(t *testing.T) {
	w := double.New(t)
	d := devopsOf(w)
	d.Anonymous = true
	w.Logs["2_production/1_Job/2_deploy.log"] += "\nstarted by ada@contoso.com"
	b, v, l, stored := sourcetest.Gather(t, d)
	nouns, err := json.Marshal([]any{b, v, l})
	if err != nil {
		t.Fatal(err)
	}
	stored["nouns"] = string(nouns)
	for where, text := range stored {
		for _, person := range []string{"Lovelace", "Hopper", "Some One", "Old Ada", "@contoso.com", "@old.example"} {
			if strings.Contains(text, person) {
				t.Errorf("%s is in %s: %s", person, where, text)
			}
		}
	}
	if b.RequestedFor != (provenance.Person{ID: double.AdaObject}) || v.PullRequests[0].MergedBy != (provenance.Person{ID: double.GraceObject}) || l.Approvals[0].Approver != (provenance.Person{ID: double.GraceObject}) {
		t.Errorf("%+v %+v %+v", b.RequestedFor, v.PullRequests[0].MergedBy, l.Approvals[0])
	}
	if b.Trigger["pr.sender.name"] != "" || b.Changes[0].Author != (provenance.Person{}) {
		t.Errorf("trigger %q, author %+v", b.Trigger, b.Changes[0].Author)
	}
}

// TestDevOpsAsksAtTheSameTime: with latency, the time is that of the longest chain of questions that need each other's answers,
// not that of all of them. Chains are counted, not timed: no more than so many questions may wait for others.
func TestDevOpsAsksAtTheSameTime(t *testing.T) {
	w := double.New(t)
	w.Claims["run_id"] = "214"
	d := devopsOf(w)
	d.OIDC = &OIDCRequest{URI: w.URL + double.OIDCPath}
	waves := &sourcetest.WaveCounter{Next: http.DefaultTransport}
	d.Client.Transport = waves
	w.Latency = 30 * time.Millisecond
	sourcetest.Gather(t, d)
	if waves.Most < 9 {
		t.Errorf("at most %d questions were asked at the same time", waves.Most)
	}
}

// TestDevOpsArtifactsThatCannotBeHad get a note, which says why.
func TestDevOpsArtifactsThatCannotBeHad(t *testing.T) {
	w := double.New(t)
	w.Artifacts = append(w.Artifacts, double.Artifact{Name: "none", Kind: "PipelineArtifact"}, double.Artifact{Name: "gone", Kind: "Container"})
	w.Fail("/none/content", faults.Answer(403, `{"message":"expired"}`))
	w.Fail("artifactName=gone", faults.Answer(410, `{"message":"gone"}`))
	w.Artifacts = append(w.Artifacts, double.Artifact{Name: "huge", Kind: "Container"})
	w.Fail("artifactName=huge", faults.Huge(100<<20))
	b, _, _, _ := sourcetest.Gather(t, buildOf(w))
	notes := map[string]string{}
	for _, a := range b.Artifacts {
		notes[a.Name] = a.Note
	}
	if notes["none"] != "its files are not given out: status 403" || notes["gone"] != "its files are not given out: status 410" || notes["model"] != "" ||
		notes["huge"] != "it is larger than 64 MiB" {
		t.Errorf("notes %q", notes)
	}
}

// TestDevOpsSignedURLs: contents are fetched over https only, without a credential, wherever that leads.
func TestDevOpsSignedURLs(t *testing.T) {
	w := double.New(t)
	for _, signed := range []string{"http://files.example/content?sig=x", "https://a:b@files.example/x", "ftp://files.example/", "file:///etc/passwd", "", "::"} {
		w.Fail("/runs/", faults.Answer(200, fmt.Sprintf(`{"name":"model","signedContent":{"url":%q}}`, signed)))
		if _, err := buildOf(w).Collect(t.Context()); err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), "no https URL") {
			t.Errorf("%q: %v", signed, err)
		}
	}
	w.Fail("/model/content", faults.Redirect("http://files.example/x"), faults.Redirect("http://files.example/x"), faults.Redirect("http://files.example/x"),
		faults.Redirect("http://files.example/x"), faults.Redirect("http://files.example/x"), faults.Redirect("http://files.example/x"))
	if _, err := buildOf(w).Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "no https address") {
		t.Errorf("redirected to plain http: %v", err)
	}
	w.Fail("/model/content", faults.Redirect(w.Files+"/A%2Fb/model/content?"+double.Signature))
	b, _, _, _ := sourcetest.Gather(t, buildOf(w))
	if b.Artifacts[2].Digest.IsZero() || len(w.Leaked()) > 0 {
		t.Errorf("%+v, leaked %q", b.Artifacts[2], w.Leaked())
	}
}

// TestDevOpsManyApprovals: what a stage is called is not looked for in the whole timeline again for each approval.
func TestDevOpsManyApprovals(t *testing.T) {
	b := &devopsBuild{}
	for i := range 200_000 {
		b.timeline.Records = append(b.timeline.Records, timelineRecord{ID: fmt.Sprintf("%08d", i), Type: "Task"})
	}
	b.timeline.Records = append(b.timeline.Records, timelineRecord{ID: "STAGE", Type: "Stage", Name: "test"}, timelineRecord{ID: "check", Type: "Checkpoint", Parent: "stage"})
	for i := range maxApprovals {
		id := fmt.Sprintf("a%07d", i)
		b.timeline.Records = append(b.timeline.Records, timelineRecord{ID: id, Type: checkpointApproval, Parent: "Check"})
		b.approvals = append(b.approvals, approvalAnswer{ID: strings.ToUpper(id), Status: "pending", Steps: []approvalStep{{}}})
	}
	began := time.Now()
	all := b.decisions(devopsPeople{})
	if took := time.Since(began); len(all) != maxApprovals || all[0].Of != "stage test" || all[maxApprovals-1].Of != "stage test" || took > time.Second {
		t.Errorf("%d decisions after %s", len(all), took)
	}
}
