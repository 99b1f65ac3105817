package pipeline

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"
)

// nightly are the variables of a scheduled run on a hosted agent, with secrets among them.
var nightly = map[string]string{
	"TF_BUILD": "True", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/contoso/", "SYSTEM_TEAMPROJECT": "Home Loans", "SYSTEM_DEFINITIONID": "12",
	"BUILD_BUILDID": "9007199254740993", "BUILD_BUILDNUMBER": "20261122.1", "BUILD_REASON": "Schedule",
	"BUILD_SOURCEBRANCH": "refs/heads/main", "BUILD_SOURCEVERSION": strings.Repeat("AB", 20),
	"BUILD_REPOSITORY_URI": "https://contoso@dev.azure.com/contoso/Home%20Loans/_git/mortgage", "BUILD_REPOSITORY_PROVIDER": "TfsGit",
	"BUILD_REQUESTEDFORID": "00000002-0000-8888-8000-000000000000", "BUILD_REQUESTEDFOREMAIL": "ada@contoso.com",
	"SYSTEM_PIPELINESTARTTIME": "2026-11-22 02:30:00+00:00", "SYSTEM_JOBATTEMPT": "1", "SYSTEM_STAGENAME": "train\x1b[31m",
	"AGENT_NAME": "Azure Pipelines 3", "AGENT_ISSELFHOSTED": "0", "ImageOS": "ubuntu24", "ImageVersion": "20261116.1.0",
	"SYSTEM_ACCESSTOKEN": "planted-access-token", "AZURE_CLIENT_SECRET": "planted-client-secret", "COSIGN_PASSWORD": "planted-password",
	"DATABRICKS_TOKEN": "planted-databricks", "ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN": "planted-endpoint",
}

// with is nightly with some variables changed; an empty value unsets one.
func with(changes map[string]string) func(string) string {
	all := maps.Clone(nightly)
	maps.Copy(all, changes)
	return func(name string) string { return all[name] }
}

func collectPipeline(t *testing.T, p Source) provenance.Pipeline {
	t.Helper()
	evidence, err := p.Collect(t.Context())
	if err != nil {
		t.Fatalf("%v %q", err, provenance.Hints(err))
	}
	return evidence.(provenance.Pipeline)
}

func TestPipeline(t *testing.T) {
	got := collectPipeline(t, Source{Getenv: with(nil), Path: "azure-pipelines.yml",
		TemplateParameters: map[string]string{"epochs": "20", "registryPassword": "planted-parameter", "note": "a\nb"}})
	definition := "https://dev.azure.com/contoso/Home%20Loans/_build?definitionId=12"
	want := provenance.Pipeline{
		Grounds:   provenance.Grounds{Basis: provenance.Declared},
		BuilderID: definition + "&pool=hosted", InvocationID: "https://dev.azure.com/contoso/Home%20Loans/_build/results?buildId=9007199254740993",
		Definition: definition, Path: "azure-pipelines.yml", Repository: "https://dev.azure.com/contoso/Home%20Loans/_git/mortgage",
		Ref: "refs/heads/main", Reason: "Schedule", CommitID: strings.Repeat("ab", 20), Started: time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC),
		TemplateParameters: map[string]string{"epochs": "20", "registryPassword": "[removed]", "note": "a b"},
		Internal: map[string]string{
			"agentName": "Azure Pipelines 3", "buildId": "9007199254740993", "buildNumber": "20261122.1", "definitionId": "12", "poolKind": "hosted",
			"imageOS": "ubuntu24", "imageVersion": "20261116.1.0", "jobAttempt": "1", "project": "Home Loans", "repositoryProvider": "TfsGit",
			"requestedForId": "00000002-0000-8888-8000-000000000000", "stageName": "train[31m",
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if data, err := json.Marshal(got); err != nil || strings.Contains(string(data), "planted-") || strings.Contains(string(data), "ada@") {
		t.Errorf("a secret or an address is in %s (%v)", data, err)
	}
}

// TestPipelineBuilder: hosted and self-hosted pools are different builders, and unknown ones earn less trust.
func TestPipelineBuilder(t *testing.T) {
	for value, pool := range map[string]string{"0": "hosted", "False": "hosted", "1": "self-hosted", "true": "self-hosted", "": "self-hosted", "maybe": "self-hosted"} {
		got := collectPipeline(t, Source{Getenv: with(map[string]string{"AGENT_ISSELFHOSTED": value})})
		if !strings.HasSuffix(got.BuilderID, "&pool="+pool) || got.Internal["poolKind"] != pool {
			t.Errorf("%q: builder %s, kind %s", value, got.BuilderID, got.Internal["poolKind"])
		}
		if said := got.Internal["poolKindNote"] != ""; said != (value == "") {
			t.Errorf("%q: note %q", value, got.Internal["poolKindNote"])
		}
	}
	got := collectPipeline(t, Source{Getenv: with(nil), BuilderID: "https://contoso.com/nightly"})
	if got.BuilderID != "https://contoso.com/nightly" || !strings.Contains(got.Definition, "definitionId=12") {
		t.Errorf("builder %s of %s", got.BuilderID, got.Definition)
	}
}

func TestPipelineURLs(t *testing.T) {
	for name, c := range map[string]struct {
		change                 map[string]string
		definition, invocation string
	}{
		"the older variable": {map[string]string{"SYSTEM_COLLECTIONURI": "", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://contoso.visualstudio.com"},
			"https://contoso.visualstudio.com/Home%20Loans/_build?definitionId=12", "https://contoso.visualstudio.com/Home%20Loans/_build/results?buildId=9007199254740993"},
		"a server, and secrets in its URL": {map[string]string{"SYSTEM_COLLECTIONURI": "http://ada:planted@tfs:8080/tfs/Default/?t=planted"},
			"http://tfs:8080/tfs/Default/Home%20Loans/_build?definitionId=12", "http://tfs:8080/tfs/Default/Home%20Loans/_build/results?buildId=9007199254740993"},
		"an odd project": {map[string]string{"SYSTEM_TEAMPROJECT": "a/b?c#d é", "BUILD_BUILDID": "1&x=2"},
			"https://dev.azure.com/contoso/a%2Fb%3Fc%23d%20%C3%A9/_build?definitionId=12", "https://dev.azure.com/contoso/a%2Fb%3Fc%23d%20%C3%A9/_build/results?buildId=1%26x%3D2"},
		"a classic release": {map[string]string{"SYSTEM_HOSTTYPE": "release", "RELEASE_DEFINITIONID": "3", "RELEASE_RELEASEID": "214", "BUILD_BUILDID": ""},
			"https://dev.azure.com/contoso/Home%20Loans/_release?definitionId=3", "https://dev.azure.com/contoso/Home%20Loans/_releaseProgress?releaseId=214"},
	} {
		got := collectPipeline(t, Source{Getenv: with(c.change)})
		if got.Definition != c.definition || got.InvocationID != c.invocation {
			t.Errorf("%s: definition %s, invocation %s", name, got.Definition, got.InvocationID)
		}
	}
}

func TestPipelineRelease(t *testing.T) {
	got := collectPipeline(t, Source{Getenv: with(map[string]string{"RELEASE_RELEASEID": "214", "RELEASE_ATTEMPTNUMBER": "2",
		"RELEASE_RELEASEWEBURL": "https://ada:planted@dev.azure.com/contoso/_release?releaseId=214&t=planted"})})
	if got.Internal["releaseId"] != "214" || got.Internal["releaseAttempt"] != "2" || got.Internal["releaseUrl"] != "https://dev.azure.com/contoso/_release" {
		t.Errorf("%q", got.Internal)
	}
}

func TestPipelineOutside(t *testing.T) {
	got := collectPipeline(t, Source{BuilderID: "https://contoso.com/laptop"})
	if want := (provenance.Pipeline{Grounds: provenance.Grounds{Basis: provenance.Declared}, BuilderID: "https://contoso.com/laptop"}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	unset := with(map[string]string{"TF_BUILD": ""})
	got = collectPipeline(t, Source{Getenv: unset, BuilderID: "https://contoso.com/laptop", InvocationID: "https://contoso.com/runs/7"})
	if got.InvocationID != "https://contoso.com/runs/7" || got.CommitID != "" || got.Internal != nil {
		t.Errorf("left-over variables were read outside a pipeline: %+v", got)
	}
}

func TestPipelineMisuse(t *testing.T) {
	for name, p := range map[string]Source{
		"no builder":         {},
		"no run":             {Getenv: with(map[string]string{"BUILD_BUILDID": ""})},
		"no definition":      {Getenv: with(map[string]string{"SYSTEM_DEFINITIONID": ""})},
		"no project":         {Getenv: with(map[string]string{"SYSTEM_TEAMPROJECT": ""}), BuilderID: "https://contoso.com/x"},
		"no collection":      {Getenv: with(map[string]string{"SYSTEM_COLLECTIONURI": ""})},
		"a broken URL":       {Getenv: with(map[string]string{"SYSTEM_COLLECTIONURI": "javascript:alert(1)"})},
		"a release of none":  {Getenv: with(map[string]string{"SYSTEM_HOSTTYPE": "Release"})},
		"a builder's name":   {BuilderID: "laptop"},
		"a secret builder":   {BuilderID: "https://ada:planted@contoso.com/x"},
		"a SAS as builder":   {BuilderID: "https://contoso.com/x?sig=QWxhZGRpbjpvcGVuIHNlc2FtZQ%3D%3D"},
		"a broken builder":   {BuilderID: "https://contoso.com/%zz"},
		"a secret run":       {BuilderID: "https://contoso.com/x", InvocationID: "https://ada:planted@contoso.com/x"},
		"a builder of lines": {BuilderID: "https://contoso.com/\nx"},
	} {
		evidence, err := p.Collect(t.Context())
		if sourcetest.KindOf(err) != "misused" || evidence != nil || strings.Contains(err.Error(), "planted") || strings.Contains(err.Error(), "QWxh") {
			t.Errorf("%s: %v, %v", name, evidence, err)
		}
	}
}

func TestPipelineStart(t *testing.T) {
	want := time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC)
	for s, known := range map[string]bool{"2026-11-22 02:30:00+00:00": true, "2026-11-22 03:30:00+01:00": true, "2026-11-22T02:30:00Z": true,
		"2026-11-22 02:30:00Z": true, "": false, "yesterday": false} {
		if got := startTime(s); got.Equal(want) != known || got.IsZero() == known {
			t.Errorf("%q: %s", s, got)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"  a\tb\r\nc ": "a b  c", "\x1b[31m\x00\x7f": "[31m", "a\u202eb\u2066": "ab", "\xff": "\uFFFD", "pwd=hunter2222": "pwd=[removed]",
		strings.Repeat("a", 2000): strings.Repeat("a", 1000) + "…", "": "",
	} {
		if got := foreign.Plain(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestPipelineFinished(t *testing.T) {
	now := time.Date(2026, 11, 23, 3, 31, 0, 500, time.FixedZone("", 3600))
	e, err := Source{BuilderID: "https://example.com/b", Now: func() time.Time { return now }}.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := e.(provenance.Pipeline).Finished; got.Format(time.RFC3339Nano) != "2026-11-23T02:31:00Z" {
		t.Errorf("finished %s", got)
	}
}
