package azuredevops

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"
	"github.com/seed-3480f271/provenance/provenance/source/pipeline"
	"golang.org/x/mod/sumdb/dirhash"

	faults "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/devopsdouble"

	double "github.com/seed-3480f271/provenance/provenance/internal/devopsdouble"
)

// devopsOf is the source under test, which asks for everything.
func devopsOf(c *double.Collection) Source {
	return Source{Collection: c.URL + "/", Project: double.Project, BuildID: "9007199254740993", RepositoryProvider: "TfsGit", RepositoryID: double.RepositoryID,
		Commit: double.Commit, ReleaseID: "214", Token: sourcetest.FixedToken(double.Token), Client: sourcetest.QuickClient()}
}

// buildOf asks for the build alone, with the job's OIDC token.
func buildOf(c *double.Collection) Source {
	d := devopsOf(c)
	d.RepositoryProvider, d.ReleaseID = "", ""
	d.OIDC = &OIDCRequest{URI: c.URL + double.OIDCPath}
	return d
}

var (
	ada         = provenance.Person{ID: double.AdaObject, Name: "Ada Lovelace", Email: "ada@contoso.com"}
	grace       = provenance.Person{ID: double.GraceObject, Name: "Grace Hopper", Email: "grace@contoso.com"}
	devopsGroup = provenance.Person{ID: "azure-devops:" + double.Group, Name: `[Mortgage ML]\Risk`}
)

func TestDevOpsBuild(t *testing.T) {
	c := double.New(t)
	c.PageSize = 1
	got, _, _, stored := sourcetest.Gather(t, buildOf(c))
	home := c.URL + "/Mortgage%20ML/"
	want := &provenance.Build{
		Grounds: provenance.Grounds{Basis: provenance.Reported}, Answered: got.Answered,
		URL: home + "_build/results?buildId=9007199254740993", ID: "9007199254740993", Number: "20261123.1", Status: "inProgress", Reason: "Schedule",
		Definition: provenance.Definition{ID: "7", URL: home + "_build?definitionId=7", Name: "nightly", Revision: "12", Path: "/azure-pipelines.yml"},
		Project:    double.ProjectID, Commit: double.Commit, Ref: "refs/heads/main", Repository: home + "_git/mortgage", Pool: "Azure Pipelines", Hosted: true,
		RequestedBy:  provenance.Person{ID: "azure-devops:" + double.Service, Name: "Microsoft.VisualStudio.Services.TFS"},
		RequestedFor: ada, Queued: sourcetest.ClockAt(1, 59), Started: sourcetest.ClockAt(2, 0),
		Parameters: map[string]string{"area": "north", "deep": "true", "db_password": "[removed]", "epochs": "20"},
		Trigger:    map[string]string{"ci.message": "Weight recent applications", "pr.sender.name": "Ada Lovelace"},
		Changes: []provenance.Change{
			{ID: double.Commit, Subject: "Weight recent applications", Author: provenance.Person{Name: "Ada Lovelace", Email: "ada@contoso.com"}, Pusher: double.AdaObject, At: sourcetest.ClockAt(1, 10)},
			{ID: strings.Repeat("4", 40), Subject: "Tidy", Author: provenance.Person{Name: "Old Ada", Email: "ada@old.example"}, Pusher: double.GraceObject, At: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)},
		},
		WorkItems: []provenance.WorkItem{{ID: "1815", Type: "User Story", Title: "Recent applications count more", State: "Active"}, {ID: "1816"}},
		Approvals: []provenance.Approval{{Of: "stage test", Approver: grace, Status: "approved", At: sourcetest.ClockAt(1, 58), Comment: "as discussed"}},
		Artifacts: []provenance.BuildArtifact{
			{Name: "drop", Kind: "Container", Size: new(int64(5)), Digest: zipDirHashOf(t, map[string]string{"a.txt": "drop\n"}), Files: 1},
			{Name: "lake", Kind: "PipelineArtifact", Size: new(double.BuildID), RootID: "0A1B2Clake", Note: "it is larger than 64 MiB"},
			{Name: "model", Kind: "PipelineArtifact", Size: new(int64(17)), RootID: "0A1B2Cmodel", Digest: zipDirHashOf(t, map[string]string{"model.bin": "weights", "conf/model.json": `{"name":"m"}`}), Files: 2},
			{Name: "share", Kind: "FilePath", Note: "its files do not lie in Azure DevOps"},
		},
		Claims: map[string]string{"sub": "p://contoso/Mortgage ML/nightly", "aud": "api://AzureADTokenExchange", "org_id": "0b7e5e0e-0000-4000-8000-00000000000a",
			"prj_id": double.ProjectID, "def_id": "7", "rpo_id": double.RepositoryID, "rpo_uri": home + "_git/mortgage", "rpo_ver": double.Commit, "rpo_ref": "refs/heads/main",
			"run_id": "9007199254740993", "iss": "https://vstoken.dev.azure.com/0b7e5e0e-0000-4000-8000-00000000000a", "iat": "1795401000", "exp": "1795401600"},
	}
	sourcetest.SameNoun(t, got, want)
	if got.Answer.Name != "azure-devops-build-9007199254740993.json" || got.Answer.MediaType != ask.AnswersMediaType || got.AskedAt != sourcetest.WhenAsked.Truncate(time.Second) || len(got.Notes) > 0 {
		t.Errorf("answered %+v", got.Answered)
	}
	for _, part := range []string{`"id":9007199254740993`, "/identities?", "/distributedtask/hubs/build/plans/p/jobs/j/oidctoken", `"oidcToken":"[removed]"`} {
		if !strings.Contains(stored[got.Answer.Name], part) {
			t.Errorf("%s is not stored", part)
		}
	}
	if leaked := c.Leaked(); len(leaked) > 0 {
		t.Errorf("the file host got the credential: %q", leaked)
	}
}

// zipDirHashOf is what Go's own dirhash says of the files.
func zipDirHashOf(t *testing.T, files map[string]string) provenance.Digest {
	t.Helper()
	var names []string
	for name := range files {
		names = append(names, name)
	}
	h1, err := dirhash.Hash1(names, func(name string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(files[name])), nil })
	if err != nil {
		t.Fatal(err)
	}
	digest, err := provenance.NewDigest(provenance.DirHash, sourcetest.HexOfH1(t, h1))
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// TestDevOpsConfirmsThePipeline: what the variables say and what the service says have to be comparable.
func TestDevOpsConfirmsThePipeline(t *testing.T) {
	c := double.New(t)
	variables := map[string]string{"TF_BUILD": "True", "SYSTEM_COLLECTIONURI": c.URL + "/", "SYSTEM_TEAMPROJECT": double.Project, "SYSTEM_DEFINITIONID": "7",
		"BUILD_BUILDID": "9007199254740993", "BUILD_REPOSITORY_URI": strings.Replace(c.URL, "http://", "http://contoso@", 1) + "/Mortgage%20ML/_git/mortgage",
		"BUILD_SOURCEBRANCH": "refs/heads/main", "BUILD_SOURCEVERSION": double.Commit, "BUILD_REASON": "Schedule", "AGENT_ISSELFHOSTED": "0"}
	evidence, err := pipeline.Source{Getenv: func(name string) string { return variables[name] }}.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := evidence.(provenance.Pipeline)
	b, _, _, _ := sourcetest.Gather(t, buildOf(c))
	if p.InvocationID != b.URL || p.Definition != b.Definition.URL || p.CommitID != b.Commit || p.Ref != b.Ref || p.Reason != b.Reason || p.Repository != b.Repository || !b.Confirms(p) {
		t.Errorf("the variables say %+v\nthe service says %+v", p, b)
	}
}

func TestDevOpsReview(t *testing.T) {
	c := double.New(t)
	d := devopsOf(c)
	d.ReleaseID = ""
	_, got, _, _ := sourcetest.Gather(t, d)
	sourcetest.SameNoun(t, got, &provenance.Review{
		Grounds: provenance.Grounds{Basis: provenance.Reported}, Answered: got.Answered, Host: c.URL, Repository: "Mortgage ML/mortgage", Commit: double.Commit,
		Pusher: ada, Pushed: sourcetest.ClockAt(1, 30),
		PullRequests: []provenance.PullRequest{{ID: "88", URL: c.URL + "/Mortgage%20ML/_git/mortgage/pullrequest/88", Title: "Weight recent applications", State: "completed",
			Source: "refs/heads/recent", Target: "refs/heads/main", Author: ada, MergedBy: grace, Merged: sourcetest.ClockAt(1, 30), Commit: double.Commit,
			Reviewers: []provenance.Reviewer{{Person: grace, Vote: "approved", Required: true}, {Person: devopsGroup, Vote: "no vote", Group: true}, {Person: ada, Vote: "waiting"}}}},
	})
	if got.Answer.Name != "azure-devops-commit-"+double.Commit+".json" {
		t.Errorf("stored as %q", got.Answer.Name)
	}
}

func TestDevOpsRelease(t *testing.T) {
	c := double.New(t)
	c.PageSize = 1
	_, _, got, stored := sourcetest.Gather(t, devopsOf(c))
	home := c.URL + "/Mortgage%20ML/"
	sourcetest.SameNoun(t, got, &provenance.Release{
		Grounds: provenance.Grounds{Basis: provenance.Reported}, Answered: got.Answered, Logs: got.Logs,
		URL: home + "_releaseProgress?releaseId=214", ID: "214", Name: "Release-214", Definition: provenance.Definition{ID: "3", URL: home + "_release?definitionId=3", Name: "mortgage release", Revision: "4"},
		Reason: "continuousIntegration", Creator: ada, Created: sourcetest.ClockAt(2, 25), Builds: []string{"mortgage nightly 20261123.1 9007199254740993"},
		Environments: []provenance.Environment{{Name: "test", Status: "succeeded", Trigger: "After release creation", At: sourcetest.ClockAt(2, 27)},
			{Name: "production", Status: "inProgress", Trigger: "After successful environment", At: sourcetest.ClockAt(2, 28)}},
		Approvals: []provenance.Approval{{Of: "test, after deployment", Approver: grace, Status: "approved", At: sourcetest.ClockAt(2, 26), Comment: "go"},
			{Of: "production, before deployment", Approver: grace, Status: "approved", At: sourcetest.ClockAt(2, 26), Comment: "go"}},
		LastSuccess: "Release-212",
	})
	want := "==== 1_test/1_Job/1_init.log ====\nok\n==== 2_production/1_Job/2_deploy.log ====\n2026-11-23T02:28:00Z ##[section]Starting\n" +
		"login with Bearer [removed]\n[removed]\n[removed]\n[removed]\ndone[31m\n"
	if log := stored["azure-devops-release-214.log"]; log != want || got.Logs.MediaType != LogsMediaType {
		t.Errorf("logs %q\nwant %q", log, want)
	}
	if !slices.Contains(got.Removed, "2_production/1_Job/2_deploy.log line 4") {
		t.Errorf("removed %q", got.Removed)
	}
}

// TestDevOpsPAT: a personal access token goes as the password of nobody.
func TestDevOpsPAT(t *testing.T) {
	c := double.New(t)
	d := devopsOf(c)
	d.Token, d.PAT = sourcetest.FixedToken(double.PAT), true
	b, v, l, _ := sourcetest.Gather(t, d)
	if b == nil || v == nil || l == nil {
		t.Error("something is missing")
	}
	d.PAT = false
	if _, err := d.Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "status 401") || strings.Contains(err.Error(), double.PAT) {
		t.Errorf("as a bearer: %v", err)
	}
}

// TestDevOpsAnswersTheSameTwice: the time of asking aside, the same facts are stored as the same bytes.
func TestDevOpsAnswersTheSameTwice(t *testing.T) {
	c := double.New(t)
	b1, v1, l1, _ := sourcetest.Gather(t, devopsOf(c))
	b2, v2, l2, _ := sourcetest.Gather(t, devopsOf(c))
	if b1.Answer.Digest != b2.Answer.Digest || v1.Answer.Digest != v2.Answer.Digest || l1.Answer.Digest != l2.Answer.Digest || l1.Logs.Digest != l2.Logs.Digest {
		t.Error("the same answers have two digests")
	}
}

// TestDevOpsPools: a build is hosted only if all its jobs are, whatever its default queue is.
func TestDevOpsPools(t *testing.T) {
	job := func(queue any) map[string]any {
		return map[string]any{"id": "j2", "type": "Job", "name": "Job", "workerName": "w", "queueId": queue}
	}
	for name, c := range map[string]struct {
		jobs   []map[string]any
		fault  int
		pool   string
		hosted bool
		note   string
	}{
		"all hosted":              {[]map[string]any{job(18), job(18)}, 0, "Azure Pipelines", true, ""},
		"one self-hosted":         {[]map[string]any{job(18), job(19)}, 0, "Azure Pipelines, lab", false, ""},
		"a queue that is hidden":  {[]map[string]any{job(18), job(19)}, 403, "Azure Pipelines, queue 19", false, "the pool of queue 19 is not known, and counts as self-hosted: status 403"},
		"a queue without a name":  {[]map[string]any{job(nil)}, 0, "queue unknown", false, "a pool is not known: its job names no queue"},
		"no job has started":      {[]map[string]any{{"id": "j", "type": "Job", "name": "Job", "queueId": nil}}, 0, "Azure Pipelines", false, ""},
		"a queue of another kind": {[]map[string]any{job(0)}, 0, "queue 0", false, "a pool is not known: its job names no queue"},
	} {
		w := double.New(t)
		w.Timeline = c.jobs
		if c.fault != 0 {
			w.Fail("distributedtask/queues/", faults.Answer(c.fault, `{"message":"VS800075"}`))
		}
		b, _, _, _ := sourcetest.Gather(t, buildOf(w))
		if b.Pool != c.pool || b.Hosted != c.hosted || strings.Join(b.Notes, "") != c.note {
			t.Errorf("%s: pool %q, hosted %t, notes %q", name, b.Pool, b.Hosted, b.Notes)
		}
	}
}

// TestDevOpsPeopleWithoutLookup: a token that may not read identities costs the ids in Entra, and nothing else.
func TestDevOpsPeopleWithoutLookup(t *testing.T) {
	for _, status := range []int{401, 403} {
		c := double.New(t)
		c.Fail("/_apis/identities", faults.Answer(status, `{"message":"no"}`), faults.Answer(status, `{"message":"no"}`), faults.Answer(status, `{"message":"no"}`))
		b, v, l, _ := sourcetest.Gather(t, devopsOf(c))
		own := provenance.Person{ID: "azure-devops:" + double.Ada, Name: "Ada Lovelace", Email: "ada@contoso.com"}
		if b.RequestedFor != own || v.Pusher != own || l.Creator != own || b.Changes[0].Pusher != own.ID {
			t.Errorf("%+v %+v %+v", b.RequestedFor, v.Pusher, l.Creator)
		}
		for _, notes := range [][]string{b.Notes, v.Notes, l.Notes} {
			if len(notes) != 1 || !strings.Contains(notes[0], "by their ids in Azure DevOps") {
				t.Errorf("notes %q", notes)
			}
		}
	}
}

// TestDevOpsCompanions: the token's other hosts are made by rule, and only for the addresses of Azure DevOps Services.
func TestDevOpsCompanions(t *testing.T) {
	for collection, want := range map[string][3]string{
		"https://dev.azure.com/contoso/":                     {"https://dev.azure.com/contoso", "https://vssps.dev.azure.com/contoso", "https://vsrm.dev.azure.com/contoso"},
		"https://Contoso.VisualStudio.com":                   {"https://contoso.visualstudio.com", "https://contoso.vssps.visualstudio.com", "https://contoso.vsrm.visualstudio.com"},
		"https://contoso.visualstudio.com/DefaultCollection": {"https://contoso.visualstudio.com/DefaultCollection", "https://contoso.vssps.visualstudio.com", "https://contoso.vsrm.visualstudio.com"},
		"https://tfs.contoso.com/tfs/Main/":                  {"https://tfs.contoso.com/tfs/Main", "https://tfs.contoso.com/tfs/Main", "https://tfs.contoso.com/tfs/Main"},
		"https://dev.azure.com.evil.example/contoso":         {"https://dev.azure.com.evil.example/contoso", "https://dev.azure.com.evil.example/contoso", "https://dev.azure.com.evil.example/contoso"},
		"https://dev.azure.com/":                             {},
		"https://dev.azure.com/contoso/project":              {},
		"https://a.b.visualstudio.com/":                      {},
		"https://contoso.visualstudio.com/project":           {},
		"https://ada:hunter22@dev.azure.com/contoso":         {},
		"https://dev.azure.com/contoso?x=1":                  {},
		"https://dev.azure.com/contoso%2f..":                 {},
		"https://tfs.contoso.com/tfs/../x":                   {},
		"::":                                                 {},
	} {
		self, identities, releases, err := hosts(collection)
		if want == [3]string{} {
			if sourcetest.KindOf(err) != "misused" || strings.Contains(err.Error(), "hunter22") {
				t.Errorf("%s: %v", collection, err)
			}
		} else if got := [3]string{self, identities, releases}; err != nil || got != want {
			t.Errorf("%s: %q, %v", collection, got, err)
		}
	}
}

func TestDevOpsMisuse(t *testing.T) {
	c := double.New(t)
	for name, change := range map[string]func(*Source){
		"no token":                func(d *Source) { d.Token = nil },
		"an empty token":          func(d *Source) { d.Token = sourcetest.FixedToken(" ") },
		"plain http":              func(d *Source) { d.Collection = "http://tfs.contoso.com/x" },
		"no collection":           func(d *Source) { d.Collection = "" },
		"no project":              func(d *Source) { d.Project = "" },
		"a project with a path":   func(d *Source) { d.Project = "../other" },
		"a project with a break":  func(d *Source) { d.Project = "a\nb" },
		"a build that is no id":   func(d *Source) { d.BuildID = "20261123.1" },
		"build 0":                 func(d *Source) { d.BuildID = "0" },
		"a release that is no id": func(d *Source) { d.ReleaseID = "-1" },
		"nothing to ask":          func(d *Source) { d.BuildID, d.ReleaseID = "", "" },
		"no repository":           func(d *Source) { d.RepositoryID = "" },
		"a repository elsewhere":  func(d *Source) { d.RepositoryID = "../../x" },
		"no commit":               func(d *Source) { d.Commit = "" },
		"half a commit":           func(d *Source) { d.Commit = "55555" },
		"a PAT for OIDC":          func(d *Source) { d.OIDC, d.PAT = &OIDCRequest{URI: c.URL + double.OIDCPath}, true },
		"OIDC without a build":    func(d *Source) { d.OIDC, d.BuildID = &OIDCRequest{URI: c.URL + double.OIDCPath}, "" },
		"OIDC elsewhere":          func(d *Source) { d.OIDC = &OIDCRequest{URI: "https://evil.example" + double.OIDCPath} },
		"OIDC at the cloud":       func(d *Source) { d.OIDC = &OIDCRequest{URI: "https://dev.azure.com/x" + double.OIDCPath} },
		"OIDC at another port":    func(d *Source) { d.OIDC = &OIDCRequest{URI: "http://127.0.0.1:1" + double.OIDCPath} },
		"OIDC of another service": func(d *Source) { d.OIDC = &OIDCRequest{URI: c.URL + "/_apis/build/oidctoken"} },
	} {
		d := devopsOf(c)
		change(&d)
		evidence, err := d.Collect(t.Context())
		if sourcetest.KindOf(err) != "misused" || evidence != nil || len(provenance.Hints(err)) == 0 && name != "no collection" {
			t.Errorf("%s: %v, hints %q", name, err, provenance.Hints(err))
		}
	}
}

// TestDevOpsOIDCPlaces: the job's token goes to the collection's host, or to one of Azure DevOps Services for a collection there.
func TestDevOpsOIDCPlaces(t *testing.T) {
	for uri, want := range map[string]string{
		"https://dev.azure.com/contoso" + double.OIDCPath:                "https://dev.azure.com",
		"https://Pipelines.dev.azure.com/contoso" + double.OIDCPath:      "https://pipelines.dev.azure.com",
		"https://contoso.visualstudio.com" + double.OIDCPath:             "https://contoso.visualstudio.com",
		"https://evildev.azure.com/contoso" + double.OIDCPath:            "",
		"https://dev.azure.com.evil.example" + double.OIDCPath:           "",
		"https://visualstudio.com" + double.OIDCPath:                     "",
		"https://contoso.vsrm.visualstudio.com" + double.OIDCPath:        "https://contoso.vsrm.visualstudio.com",
		"https://a.tunnels.api.visualstudio.com" + double.OIDCPath:       "",
		"https://a.b.dev.azure.com" + double.OIDCPath:                    "",
		"http://dev.azure.com/contoso" + double.OIDCPath:                 "",
		"https://dev.azure.com:8443/contoso" + double.OIDCPath:           "",
		"https://a:b@dev.azure.com/contoso" + double.OIDCPath:            "",
		"https://dev.azure.com/contoso/../x" + double.OIDCPath:           "",
		"https://dev.azure.com/contoso/_apis/distributedtask/hubs/build": "",
		"https://dev.azure.com/contoso" + double.OIDCPath + "#x":         "",
	} {
		s := devopsSite{collection: "https://dev.azure.com/contoso", identities: "https://vssps.dev.azure.com/contoso"}
		base, _, err := s.oidcPlace(uri)
		if base != want || (err == nil) != (want != "") || want == "" && sourcetest.KindOf(err) != "misused" {
			t.Errorf("%s: %q, %v", uri, base, err)
		}
	}
}

// TestDevOpsParametersNull: null is no table, and the templates' parameters are there all the same.
func TestDevOpsParametersNull(t *testing.T) {
	a := buildAnswer{Parameters: "null", TemplateParameters: map[string]any{"area": "north"}}
	if got, err := a.parameters(); err != nil || got["area"] != "north" {
		t.Errorf("%q, error %v", got, err)
	}
}

// TestDevOpsQueues: each queue once, and no further than the bound.
func TestDevOpsQueues(t *testing.T) {
	var few, many devopsTimeline
	for i := range 3 * maxPools {
		few.Records = append(few.Records, timelineRecord{Type: "Job", Queue: "7"})
		many.Records = append(many.Records, timelineRecord{Type: "Job", Queue: json.Number(fmt.Sprint(i))})
	}
	if a, b := few.queues(), many.queues(); len(a) != 1 || len(b) != maxPools+1 {
		t.Errorf("%d and %d queues", len(a), len(b))
	}
}

// TestDevOpsPullWithoutReviewers: an answer that leaves them out does not say that there were none.
func TestDevOpsPullWithoutReviewers(t *testing.T) {
	w := devopsdouble.New(t)
	for _, p := range w.Pulls {
		delete(p, "reviewers")
	}
	_, v, _, _ := sourcetest.Gather(t, devopsOf(w))
	if !slices.ContainsFunc(v.Notes, func(n string) bool { return strings.Contains(n, "the reviewers of pull request") }) {
		t.Errorf("notes %q", v.Notes)
	}
}
