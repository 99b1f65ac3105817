package azureml

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/azuremldouble"

	faults "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

var now = time.Date(2026, 11, 23, 2, 31, 0, 5, time.UTC)

// amlOf is the source under test, for the model mortgage 7 of a double.
func amlOf(w *azuremldouble.Workspace) Source {
	return Source{Workspace: azuremldouble.ID, ModelName: "mortgage", ModelVersion: "7", ARMBase: w.ARM, APIBase: w.API,
		Token: func(context.Context, string) (string, error) { return azuremldouble.Token, nil },
		Client: ask.Client{Wait: time.Microsecond, Patience: time.Second, MaxBody: 1 << 20, AttemptTimeout: 10 * time.Second,
			Now: func() time.Time { return now }}}
}

func collectModel(t *testing.T, a Source) provenance.RegisteredModel {
	t.Helper()
	evidence, err := a.Collect(t.Context())
	if err != nil {
		t.Fatalf("%v %q", err, provenance.Hints(err))
	}
	return evidence.(provenance.RegisteredModel)
}

func TestAzureML(t *testing.T) {
	w := azuremldouble.New(t)
	got := collectModel(t, amlOf(w))
	ada := provenance.Person{ID: azuremldouble.Ada, Name: "Ada Lovelace"}
	service := func(name, compute, uri string, traffic int) provenance.ModelService {
		return provenance.ModelService{Kind: "service", Name: name, Compute: compute, Image: "contosoml.azurecr.io/mortgage-image:3", Digest: azuremldouble.Digest,
			URI: uri, Traffic: traffic, State: "Healthy", Creator: ada, Created: azuremldouble.Created.Add(3 * time.Minute)}
	}
	want := provenance.RegisteredModel{
		Grounds: provenance.Grounds{Basis: provenance.Reported, BasisOf: map[string]provenance.Basis{"tags": "declared", "properties": "declared",
			"inputs": "declared", "taggedRunId": "declared"}},
		Registry: "azureml", URI: w.ARM + azuremldouble.ID, Name: "mortgage", Version: "7", Kind: "custom_model", Stage: "Production", Status: "Succeeded",
		RunID: azuremldouble.RunID, RunIs: provenance.RunIsMLflow, TaggedRunID: azuremldouble.DatabricksRun, Experiment: "mortgage-nightly",
		Source: "azureml://subscriptions/" + azuremldouble.Subscription + "/resourcegroups/ml-rg/workspaces/mortgage-ws/datastores/workspaceartifactstore/paths/" +
			azuremldouble.ArtifactPath,
		Creator: ada, Created: azuremldouble.Created, Updated: azuremldouble.Created.Add(time.Minute),
		Tags:       map[string]string{"area": "north", "run_id": azuremldouble.DatabricksRun, "db_password": redact.Removed},
		Properties: map[string]string{"framework": "sklearn"},
		Inputs: []provenance.Dataset{{Name: "f2f2f2f2-0000-4000-8000-00000000000d", Kind: "azureml", Role: "training"},
			{Name: "ab12", Kind: "azureml", Role: "test", Version: "november"}},
		Services: []provenance.ModelService{
			{Kind: "deployment", Name: "mortgage-prod/blue", Compute: "Managed", URI: "https://mortgage-prod.westeurope.inference.ml.azure.com/score", Traffic: 90,
				State: "Succeeded", Environment: azuremldouble.ID + "/environments/scoring/versions/3", Creator: provenance.Person{Name: "Grace Hopper"},
				Created: azuremldouble.Created.Add(2 * time.Minute)},
			{Kind: "image", Name: "mortgage-image:3", Image: "contosoml.azurecr.io/mortgage-image:3", Digest: azuremldouble.Digest, State: "Succeeded",
				Created: azuremldouble.Created.Add(2 * time.Minute)},
			service("mortgage-ab/control", "AKS contoso-aks", "http://control.westeurope.azurecontainer.io/score", 80),
			service("mortgage-aks", "AKS contoso-aks", "http://mortgage-aks.westeurope.azurecontainer.io/score", 0),
			service("mortgage-test", "ACI", "http://mortgage-test.westeurope.azurecontainer.io/score", 0),
		},
		Answered: got.Answered,
	}
	if open := got.Answer.Open; open == nil {
		t.Error("the answer cannot be opened")
	}
	got.Answer.Open, want.Answer.Open = nil, nil // functions cannot be compared
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %+v\nwant %+v", got, want)
	}
	if got.Answer.Name != "azureml-model-mortgage-7.json" || got.Answer.MediaType != ask.AnswersMediaType || !got.AskedAt.Equal(now.Truncate(time.Second)) {
		t.Errorf("stored %q as %q, asked at %s", got.Answer.Name, got.Answer.MediaType, got.AskedAt)
	}
	if n := len(w.Requests()); n != 9 {
		t.Errorf("%d requests: %q", n, w.Requests())
	}
}

// TestAzureMLStored: everything that was told is kept, but for what could be somebody's secret.
func TestAzureMLStored(t *testing.T) {
	got := collectModel(t, amlOf(azuremldouble.New(t)))
	data := sourcetest.Stored(t, got.Answer)
	var answers []struct{ Request, RequestID string }
	if err := json.Unmarshal(data, &answers); err != nil || len(answers) != 9 {
		t.Fatalf("%d answers (%v)", len(answers), err)
	}
	if !slices.IsSortedFunc(answers, func(a, b struct{ Request, RequestID string }) int { return strings.Compare(a.Request, b.Request) }) {
		t.Errorf("answers %q", answers)
	}
	base := "/modelmanagement/v1.0" + azuremldouble.ID
	for _, path := range []string{
		base + "/images?api-version=2019-11-01&expand=true&modelId=mortgage%3A7 $.value[0].environment.environmentVariables.REDIS",
		base + "/services?api-version=2019-11-01&expand=true&modelId=mortgage%3A7 $.value[0].sslKey",
		azuremldouble.ID + "/models/mortgage/versions/7?api-version=2024-04-01 $.properties.tags.db_password",
		azuremldouble.ID + "/onlineEndpoints/churn/deployments?api-version=2024-04-01 $.value[0].properties.environmentVariables.REDIS",
	} {
		if !slices.Contains(got.Removed, path) {
			t.Errorf("%q is not among what was removed: %q", path, got.Removed)
		}
	}
	if !bytes.Contains(data, []byte(`"REDIS":"[removed]"`)) || !bytes.Contains(data, []byte("azureml-mortgage")) {
		t.Errorf("stored %s", data)
	}
	checkNoAMLSecret(t, "the stored answer", string(data))
	checkNoAMLSecret(t, "the noun", fmt.Sprintf("%+v", got))
}

func checkNoAMLSecret(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range azuremldouble.Secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s repeats %q", where, secret)
		}
	}
}

func TestAzureMLAnonymous(t *testing.T) {
	a := amlOf(azuremldouble.New(t))
	a.Anonymous = true
	got := collectModel(t, a)
	for _, text := range []string{string(sourcetest.Stored(t, got.Answer)), fmt.Sprintf("%+v", got)} {
		for _, name := range []string{"Lovelace", "Hopper"} {
			if strings.Contains(text, name) {
				t.Errorf("%s is named in %s", name, text)
			}
		}
	}
	if got.Creator != (provenance.Person{ID: azuremldouble.Ada}) {
		t.Errorf("creator %+v", got.Creator)
	}
}

// TestAzureMLSameAnswersSameBytes: nothing in the record depends on the order in which answers arrive.
func TestAzureMLSameAnswersSameBytes(t *testing.T) {
	w := azuremldouble.New(t)
	first := collectModel(t, amlOf(w))
	for range 5 {
		if again := collectModel(t, amlOf(w)); again.Answer.Digest != first.Answer.Digest || !reflect.DeepEqual(again.Services, first.Services) {
			t.Fatal("the same answers have two digests")
		}
	}
}

// TestAzureMLRegion: a region that is given saves a question before v1, and must be the workspace's.
func TestAzureMLRegion(t *testing.T) {
	w := azuremldouble.New(t)
	w.Location = "West Europe"
	a := amlOf(w)
	a.Region = azuremldouble.Region
	if got := collectModel(t, a); got.Experiment == "" {
		t.Error("v1 was not asked")
	}
	a.Region = "eastus"
	_, err := a.Collect(t.Context())
	var misused *provenance.Misused
	if !errors.As(err, &misused) || !strings.Contains(err.Error(), "is in westeurope, not in eastus") {
		t.Errorf("error %v", err)
	}
}

// TestAzureMLHosts: without overrides, the hosts are made of the cloud and the region alone.
func TestAzureMLHosts(t *testing.T) {
	for cloud, want := range map[string][3]string{
		"":                       {"https://management.azure.com", "https://westeurope.api.azureml.ms", "https://management.azure.com/.default"},
		"public":                 {"https://management.azure.com", "https://westeurope.api.azureml.ms", "https://management.azure.com/.default"},
		"china":                  {"https://management.chinacloudapi.cn", "https://westeurope.api.ml.azure.cn", "https://management.chinacloudapi.cn/.default"},
		"usgovernment":           {"https://management.usgovcloudapi.net", "https://westeurope.api.ml.azure.us", "https://management.usgovcloudapi.net/.default"},
		"core.usgovcloudapi.net": {"https://management.usgovcloudapi.net", "https://westeurope.api.ml.azure.us", "https://management.usgovcloudapi.net/.default"},
	} {
		var lock sync.Mutex
		var scopes []string
		a := amlOf(azuremldouble.New(t))
		a.ARMBase, a.APIBase, a.Cloud = "", "", cloud
		a.Token = func(_ context.Context, scope string) (string, error) {
			lock.Lock()
			defer lock.Unlock()
			scopes = append(scopes, scope)
			return "", errors.New("no identity")
		}
		w, err := a.asker()
		if err != nil {
			t.Fatal(err)
		}
		v1, err := w.newV1("westeurope")
		if err != nil || w.arm.HTTP.Host() != want[0] || v1.HTTP.Host() != want[1] {
			t.Errorf("cloud %q: %s and %s (%v)", cloud, w.arm.HTTP.Host(), v1.HTTP.Host(), err)
		}
		if _, err := w.askVersion(t.Context()); err == nil || !slices.Equal(slices.Compact(scopes), []string{want[2]}) {
			t.Errorf("cloud %q: scopes %q (%v)", cloud, scopes, err)
		}
	}
}

func TestAzureMLMisuse(t *testing.T) {
	for name, change := range map[string]func(*Source){
		"no workspace":        func(a *Source) { a.Workspace = "" },
		"name of a workspace": func(a *Source) { a.Workspace = "mortgage-ws" },
		"account": func(a *Source) {
			a.Workspace = strings.Replace(a.Workspace, "MachineLearningServices/workspaces", "Storage/storageAccounts", 1)
		},
		"way out":              func(a *Source) { a.Workspace += "/../other" },
		"something below":      func(a *Source) { a.Workspace += "/models" },
		"query":                func(a *Source) { a.Workspace += "?x=y" },
		"region with a dot":    func(a *Source) { a.Region = "evil.com" },
		"region with a slash":  func(a *Source) { a.Region = "evil.com/" },
		"region in capitals":   func(a *Source) { a.Region = "WestEurope" },
		"no name":              func(a *Source) { a.ModelName = "" },
		"name with a slash":    func(a *Source) { a.ModelName = "a/../b" },
		"name of dots":         func(a *Source) { a.ModelName = ".." },
		"name with a colon":    func(a *Source) { a.ModelName = "mortgage:7" },
		"no version":           func(a *Source) { a.ModelVersion = "" },
		"label":                func(a *Source) { a.ModelVersion = "@latest" },
		"version with a space": func(a *Source) { a.ModelVersion = "7 " },
		"cloud":                func(a *Source) { a.Cloud = "moon" },
		"plain http":           func(a *Source) { a.ARMBase = "http://management.example.com" },
		"no token function":    func(a *Source) { a.Token = nil },
		"empty token": func(a *Source) {
			a.Token = func(context.Context, string) (string, error) { return " ", nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := azuremldouble.New(t)
			a := amlOf(w)
			change(&a)
			_, err := a.Collect(t.Context())
			var misused *provenance.Misused
			if !errors.As(err, &misused) || len(provenance.Hints(err)) == 0 || len(w.Requests()) > 0 {
				t.Errorf("%v, hints %q, after %d requests", err, provenance.Hints(err), len(w.Requests()))
			}
			if _, err := a.ModelSource(t.Context()); !errors.As(err, &misused) {
				t.Errorf("ModelSource: %v", err)
			}
		})
	}
}

// TestAzureMLRun: which run the model is said to come from, and how that is known.
func TestAzureMLRun(t *testing.T) {
	const own, job, other = azuremldouble.RunID, azuremldouble.DatabricksRun, "4be1c0ffee0000000000000000000001"
	for name, c := range map[string]struct {
		v2, v1, tag          string
		run, is, tagged      string
		basis, basisOfTagged provenance.Basis
	}{
		"its own, and a tag":             {own, own, job, own, "mlflow", job, "reported", "declared"},
		"only v2 names it":               {own, "", job, own, "mlflow", job, "reported", "declared"},
		"only v1 names it":               {"", own, job, own, "mlflow", job, "reported", "declared"},
		"its own, and a tag of the same": {own, own, own, own, "mlflow", "", "reported", "reported"},
		"its own, and a tag of MLflow":   {own, own, other, own, "mlflow", other, "reported", "declared"},
		"its own, and no tag":            {own, own, "", own, "mlflow", "", "reported", "reported"},
		"a tag of Databricks alone":      {"", "", job, job, "databricks", "", "declared", "reported"},
		"a tag of MLflow alone":          {"", "", other, other, "mlflow", "", "declared", "reported"},
		"digits without end":             {"", "", strings.Repeat("9", 40), strings.Repeat("9", 40), "databricks", "", "declared", "reported"},
		"nothing":                        {"", "", "", "", "", "", "reported", "reported"},
	} {
		t.Run(name, func(t *testing.T) {
			w := azuremldouble.New(t)
			v := w.Versions["mortgage/7"].Properties
			v.JobName, v.Tags["run_id"] = &c.v2, &c.tag
			w.Models["mortgage:7"]["runId"], w.Models["mortgage:7"]["kvTags"] = c.v1, map[string]any{"run_id": c.tag}
			got := collectModel(t, amlOf(w))
			if got.RunID != c.run || got.RunIs != c.is || got.TaggedRunID != c.tagged || got.Of("runId") != c.basis || got.Of("taggedRunId") != c.basisOfTagged {
				t.Errorf("run %q (%s, %s), tagged %q (%s)", got.RunID, got.RunIs, got.Of("runId"), got.TaggedRunID, got.Of("taggedRunId"))
			}
		})
	}
}

// TestAzureMLMissing: what is not registered, or not wholly, is refused.
func TestAzureMLMissing(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*azuremldouble.Workspace, *Source)
		code   string
		says   string
	}{
		"another version": {func(_ *azuremldouble.Workspace, a *Source) { a.ModelVersion = "8" }, "model.missing", "model mortgage version 8 is not registered"},
		"another name":    {func(_ *azuremldouble.Workspace, a *Source) { a.ModelName = "Mortgage" }, "model.missing", "model Mortgage version 7 is not registered"},
		"without v1": {func(w *azuremldouble.Workspace, a *Source) { a.ModelVersion, w.Gone = "8", http.StatusGone }, "model.missing",
			"model mortgage version 8 is not registered"},
		"creating": {func(w *azuremldouble.Workspace, _ *Source) {
			w.Versions["mortgage/7"].Properties.ProvisioningState = to.Ptr(ml.AssetProvisioningStateCreating)
		}, "model.state", "is Creating"},
		"failed": {func(w *azuremldouble.Workspace, _ *Source) {
			w.Versions["mortgage/7"].Properties.ProvisioningState = to.Ptr(ml.AssetProvisioningStateFailed)
		}, "model.state", "is Failed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := azuremldouble.New(t)
			a := amlOf(w)
			c.change(w, &a)
			for _, ask := range []func() error{
				func() error { _, err := a.Collect(t.Context()); return err },
				func() error { _, err := a.ModelSource(t.Context()); return err },
			} {
				err := ask()
				var refused *provenance.Refused
				if !errors.As(err, &refused) || refused.Code != c.code || refused.Hint == "" || !strings.Contains(err.Error(), c.says) {
					t.Errorf("error %v", err)
				}
			}
		})
	}
}

func TestAzureMLArchived(t *testing.T) {
	w := azuremldouble.New(t)
	w.Versions["mortgage/7"].Properties.IsArchived = to.Ptr(true)
	if got := collectModel(t, amlOf(w)); got.Status != "archived" {
		t.Errorf("status %q", got.Status)
	}
}

// TestAzureMLWithoutV1: the note says what could not be asked.
func TestAzureMLWithoutV1(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusGone} {
		w := azuremldouble.New(t)
		w.Gone = status
		got := collectModel(t, amlOf(w))
		if want := fmt.Sprintf("the v1 API of the workspace is gone (status %d): images, services and datasets are not known", status); !slices.Equal(got.Notes, []string{want}) {
			t.Errorf("notes %q", got.Notes)
		}
		if len(got.Services) != 1 || got.RunID != azuremldouble.RunID || got.Creator != (provenance.Person{Name: "Ada Lovelace"}) {
			t.Errorf("got %+v", got)
		}
	}
}

// TestAzureMLV2Only: v1 is left alone, also by ModelSource, and the notes say so.
func TestAzureMLV2Only(t *testing.T) {
	w := azuremldouble.New(t)
	a := amlOf(w)
	a.V2Only, a.Region, a.APIBase = true, azuremldouble.Region, "http://127.0.0.1:1"
	got := collectModel(t, a)
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "was not asked") || len(got.Services) != 1 || len(w.Requests()) != 5 {
		t.Errorf("notes %q, services %+v after %q", got.Notes, got.Services, w.Requests())
	}
	w.Versions["mortgage/7"].Properties.ModelURI = nil
	_, err := a.ModelSource(t.Context())
	undecided(t, err, "which is no URI of Azure ML or of a storage account")
}

// TestAzureMLVersionsThatAreNoNumbers: v2 allows any, v1 has none of them.
func TestAzureMLVersionsThatAreNoNumbers(t *testing.T) {
	w := azuremldouble.New(t)
	w.Versions["mortgage/1.0.0"] = azuremldouble.Version("mortgage", "1.0.0")
	a := amlOf(w)
	a.ModelVersion = "1.0.0"
	if got := collectModel(t, a); len(got.Notes) != 1 || !strings.HasPrefix(got.Notes[0], "the v1 API knows no versions that are not numbers") || got.Version != "1.0.0" {
		t.Errorf("got %+v", got)
	}
}

// TestAzureMLUndecided: answers that do not fit together are never evidence, and neither is a part of the answers.
func TestAzureMLUndecided(t *testing.T) {
	alter := func(what string, change func(azuremldouble.Object)) func(*azuremldouble.Workspace) {
		return func(w *azuremldouble.Workspace) {
			w.Alter = func(about string, answer azuremldouble.Object) {
				if about == what {
					change(answer)
				}
			}
		}
	}
	first := func(list any) azuremldouble.Object { return list.([]any)[0].(azuremldouble.Object) }
	for name, c := range map[string]struct {
		change func(*azuremldouble.Workspace)
		says   string
	}{
		"other run": {func(w *azuremldouble.Workspace) { w.Models["mortgage:7"]["runId"] = "another" }, `it comes from run "mortgage_1763865060_c0ffee42", or from run "another"`},
		"other tag": {func(w *azuremldouble.Workspace) { w.Models["mortgage:7"]["kvTags"] = map[string]any{"run_id": "12"} }, `its tag run_id is "9007199254740993", or "12"`},
		"other url": {func(w *azuremldouble.Workspace) {
			w.Models["mortgage:7"]["url"] = "aml://artifact/LocalUpload/x/model.zip"
		}, "its files lie at workspaceartifactstore/ExperimentRun"},
		"other asset": {func(w *azuremldouble.Workspace) {
			w.Assets[azuremldouble.AssetID]["artifacts"] = []any{map[string]any{"id": "LocalUpload/x/model.zip"}}
		}, "or at workspaceartifactstore/LocalUpload/x/model.zip"},
		"v1 alone":    {func(w *azuremldouble.Workspace) { clear(w.Versions) }, "v1 knows the version, and v2 does not"},
		"v2 alone":    {func(w *azuremldouble.Workspace) { clear(w.Models) }, "v2 knows the version, and v1 does not"},
		"no asset":    {func(w *azuremldouble.Workspace) { clear(w.Assets) }, "the model's url names it"},
		"no images":   {func(w *azuremldouble.Workspace) { w.Fail("images", faults.Answer(404, "{}")) }, "Azure ML, listing images: status 404"},
		"no services": {func(w *azuremldouble.Workspace) { w.Fail("services", faults.Answer(410, "{}")) }, "Azure ML, listing services: status 410"},
		"v1 denied": {func(w *azuremldouble.Workspace) {
			w.Fail("model", faults.Answer(403, `{"code":"Forbidden","message":"no"}`))
		}, "Azure ML, reading model mortgage version 7: status 403 Forbidden: no"},
		"other version": {alter("version", func(o azuremldouble.Object) { o["name"] = "8" }), "the answer makes no sense"},
		"other model":   {alter("version", func(o azuremldouble.Object) { o["id"] = azuremldouble.ID + "/models/churn/versions/7" }), "it is about"},
		"other workspace": {alter("version", func(o azuremldouble.Object) {
			o["id"] = strings.Replace(o["id"].(string), "mortgage-ws", "churn-ws", 1)
		}), "it is about"},
		"other id in v1":     {alter("model", func(o azuremldouble.Object) { o["id"] = "mortgage:8" }), "it is about"},
		"other version v1":   {alter("model", func(o azuremldouble.Object) { o["version"] = 9007199254740993 }), "it is about"},
		"location":           {alter("workspace", func(o azuremldouble.Object) { o["location"] = "evil.com/" }), "its location is"},
		"no location":        {alter("workspace", func(o azuremldouble.Object) { delete(o, "location") }), "its location is"},
		"time":               {alter("version", func(o azuremldouble.Object) { o["systemData"].(azuremldouble.Object)["createdAt"] = "yesterday" }), `"yesterday" is no time`},
		"time of a service":  {alter("services", func(o azuremldouble.Object) { first(o["value"])["createdTime"] = "soon" }), `"soon" is no time`},
		"time of an image":   {alter("images", func(o azuremldouble.Object) { first(o["value"])["createdTime"] = "soon" }), `"soon" is no time`},
		"no list":            {alter("endpoints", func(o azuremldouble.Object) { delete(o, "value") }), "it has no list"},
		"null list":          {alter("services", func(o azuremldouble.Object) { o["value"] = nil }), "it has no list"},
		"list of texts":      {alter("images", func(o azuremldouble.Object) { o["value"] = []string{"x"} }), "the answer makes no sense"},
		"endpoint with path": {alter("endpoints", func(o azuremldouble.Object) { first(o["value"])["name"] = "../../x" }), "an endpoint is called"},
		"endpoint in endpoint": {alter("services", func(o azuremldouble.Object) {
			inner := map[string]any{"name": "inner", "versions": map[string]any{"x": map[string]any{}}}
			o["value"] = []any{map[string]any{"name": "outer", "versions": map[string]any{"inner": inner}}}
		}), "lies in another one"},
		"two digests":    {alter("services", func(o azuremldouble.Object) { first(o["value"])["imageDigest"] = "sha256:2" }), "has two image digests"},
		"asset's name":   {func(w *azuremldouble.Workspace) { w.Models["mortgage:7"]["url"] = "aml://asset/../services/x" }, "the answer makes no sense"},
		"tags are lists": {alter("version", func(o azuremldouble.Object) { o["properties"].(azuremldouble.Object)["tags"] = []any{} }), "the answer makes no sense"},
		"array":          {func(w *azuremldouble.Workspace) { w.Fail("version", faults.Answer(200, "[]")) }, "it is no JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			w := azuremldouble.New(t)
			c.change(w)
			_, err := amlOf(w).Collect(t.Context())
			undecided(t, err, c.says)
		})
	}
}

// undecided checks that an error is neither a refusal nor a misuse, says something, and repeats no secret.
func undecided(t *testing.T, err error, says string) {
	t.Helper()
	var refused *provenance.Refused
	var misused *provenance.Misused
	if err == nil || errors.As(err, &refused) || errors.As(err, &misused) || !strings.Contains(err.Error(), says) {
		t.Fatalf("error %v, not one that says %q", err, says)
	}
	checkNoAMLSecret(t, "the error", err.Error()+strings.Join(provenance.Hints(err), " "))
	if strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("the error has several lines: %q", err)
	}
}

// TestAzureMLFaults: every question meets every fault.
func TestAzureMLFaults(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked, with credentials: %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	hints := func(parts ...string) []string { return parts }
	for name, c := range map[string]struct {
		fault func(http.ResponseWriter, *http.Request)
		says  string
		hints []string
	}{
		"expired token":     {faults.Expired, "status 401 UNAUTHENTICATED: Token is expired.", hints("token")},
		"denied":            {faults.Answer(403, `{"error":{"code":"AuthorizationFailed","message":"no role"}}`), "status 403 AuthorizationFailed: no role", nil},
		"busy for an hour":  {faults.Busy("3600"), "status 429 REQUEST_LIMIT_EXCEEDED", hints("1h0m0s")},
		"reset":             {faults.Reset, "connection reset", nil},
		"stall":             {faults.Stall, "no whole answer came in time", nil},
		"cut":               {faults.Cut, "unexpected EOF", nil},
		"100 MB":            {faults.Huge(100 << 20), "longer than", nil},
		"login page":        {faults.LoginPage, "a web page came where JSON was expected", nil},
		"redirect":          {faults.Redirect(elsewhere.URL + "/x"), "which is not the host that was configured", nil},
		"key twice":         {faults.Answer(200, `{"value":[],"Value":[],"id":"x"}`), "makes no sense", nil},
		"no JSON":           {faults.Answer(200, `{"value":`), "makes no sense", nil},
		"deep":              {faults.Answer(200, strings.Repeat(`{"a":`, 100)+"1"+strings.Repeat("}", 100)), "makes no sense", nil},
		"secret in message": {faults.Answer(400, `{"error":{"code":"Bad","message":"the token `+azuremldouble.Token+` is bad"}}`), "status 400 Bad: the token [removed] is bad", nil},
	} {
		for _, what := range []string{"workspace", "version", "endpoints", "deployments", "model", "asset", "images", "services"} {
			t.Run(name+", "+what, func(t *testing.T) {
				w := azuremldouble.New(t)
				w.Fail(what, slices.Repeat([]azuremldouble.Fault{c.fault}, 20)...) // net/http repeats some of them by itself
				a := amlOf(w)
				a.Client.Attempts, a.Client.AttemptTimeout = 3, 2*time.Second
				if name == "stall" {
					a.Client.Attempts, a.Client.AttemptTimeout = 1, 100*time.Millisecond
				}
				var lock sync.Mutex
				var lines []string
				a.Client.Debug = func(line string) { lock.Lock(); defer lock.Unlock(); lines = append(lines, line) }
				_, err := a.Collect(t.Context())
				undecided(t, err, c.says)
				for _, hint := range c.hints {
					if !strings.Contains(strings.Join(provenance.Hints(err), " "), hint) {
						t.Errorf("hints %q", provenance.Hints(err))
					}
				}
				lock.Lock()
				defer lock.Unlock()
				checkNoAMLSecret(t, "a debug line", strings.Join(lines, "\n"))
			})
		}
	}
}

// TestAzureMLPassingFaults: what is worth repeating is repeated.
func TestAzureMLPassingFaults(t *testing.T) {
	w := azuremldouble.New(t)
	w.Fail("workspace", faults.Unavailable, faults.Answer(500, ""))
	w.Fail("version", faults.Busy("0"), faults.Busy(""))
	w.Fail("endpoints", faults.Reset)
	w.Fail("deployments", faults.Cut)
	w.Fail("model", faults.Unavailable)
	w.Fail("asset", faults.Busy("0"))
	w.Fail("images", faults.Answer(500, `{"code":"InternalServerError"}`))
	w.Fail("services", faults.Reset, faults.Cut)
	if got := collectModel(t, amlOf(w)); len(got.Services) != 5 || len(w.Requests()) != 9+11 {
		t.Errorf("%d services after %d requests", len(got.Services), len(w.Requests()))
	}
}

func TestAzureMLPages(t *testing.T) {
	w := azuremldouble.New(t)
	w.PageSize = 1
	got := collectModel(t, amlOf(w))
	if len(got.Services) != 5 {
		t.Errorf("services %+v", got.Services)
	}
	if bytes.Contains(sourcetest.Stored(t, got.Answer), []byte("continue-at-1\"")) {
		t.Error("the token of a page is stored")
	}
}

// TestAzureMLNextLinks: a link is followed on the host that was asked, a bounded number of times, and nowhere else.
func TestAzureMLNextLinks(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked, with credentials: %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	for _, what := range []string{"endpoints", "deployments", "images", "services"} {
		for name, c := range map[string]struct {
			link func(w *azuremldouble.Workspace, n int) any
			says string
		}{
			"another host": {func(*azuremldouble.Workspace, int) any { return elsewhere.URL + "/next" }, "its next page lies at http://127.0.0.1"},
			"the other API": {func(w *azuremldouble.Workspace, _ int) any {
				if what == "endpoints" || what == "deployments" {
					return w.API + "/next"
				}
				return w.ARM + "/next"
			}, "which is not the host that was asked"},
			"a user name": {func(w *azuremldouble.Workspace, _ int) any {
				return strings.Replace(w.ARM, "//", "//ada:hunter2-of-the-scorer@", 1)
			}, "is no URL"},
			"a relative link": {func(*azuremldouble.Workspace, int) any { return "/next" }, "is no URL"},
			"no link at all":  {func(*azuremldouble.Workspace, int) any { return "http://%zz" }, "is no URL"},
			"a circle":        {func(w *azuremldouble.Workspace, _ int) any { return aimed(w, what, "1") }, "its pages go round in a circle"},
			"no end":          {func(w *azuremldouble.Workspace, n int) any { return aimed(w, what, fmt.Sprint(n)) }, "it has more than 50 pages"},
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				w := azuremldouble.New(t)
				n := 0
				w.Alter = func(about string, answer azuremldouble.Object) {
					if about == what {
						n++
						answer["nextLink"] = c.link(w, n)
					}
				}
				_, err := amlOf(w).Collect(t.Context())
				undecided(t, err, c.says)
			})
		}
	}
}

// aimed is a link to a further page of a list.
func aimed(w *azuremldouble.Workspace, what, token string) string {
	arm := w.ARM + azuremldouble.ID + "/onlineEndpoints"
	switch what {
	case "endpoints":
		return arm + "?api-version=2024-04-01&$skip=" + token
	case "deployments":
		return arm + "/mortgage-prod/deployments?api-version=2024-04-01&$skip=" + token
	}
	return w.API + "/modelmanagement/v1.0" + azuremldouble.ID + "/" + what + "?api-version=2019-11-01&$skipToken=" + token
}

// TestAzureMLManyEntries: a list has an end.
func TestAzureMLManyEntries(t *testing.T) {
	w := azuremldouble.New(t)
	w.Alter = func(about string, answer azuremldouble.Object) {
		if about == "images" {
			answer["value"] = slices.Repeat([]any{map[string]any{"id": "x"}}, maxAMLEntries+1)
		}
	}
	_, err := amlOf(w).Collect(t.Context())
	undecided(t, err, "it has more than 5000 entries")
}

// TestAzureMLAsksAtOnce: no question waits for an answer that it does not need. The double answers none of a wave before all of it have
// come.
func TestAzureMLAsksAtOnce(t *testing.T) {
	for region, waves := range map[string][]int{
		// version, endpoints, workspace, model, images, services; the deployments of two endpoints, the asset
		azuremldouble.Region: {6, 3},
		// version, endpoints, workspace; the deployments, and v1; the asset
		"": {3, 5, 1},
	} {
		w := azuremldouble.New(t)
		w.Meet(waves...)
		a := amlOf(w)
		a.Region = region
		a.Client.AttemptTimeout, a.Client.Attempts = 5*time.Second, 1
		collectModel(t, a)
	}
}

// TestAzureMLModelReferences: how a deployment may name the model.
func TestAzureMLModelReferences(t *testing.T) {
	const place = "subscriptions/" + azuremldouble.Subscription + "/resourceGroups/" + azuremldouble.Group
	for ref, want := range map[string]bool{
		"azureml:mortgage:7":                                                                              true,
		azuremldouble.ID + "/models/mortgage/versions/7":                                                  true,
		"azureml:" + azuremldouble.ID + "/models/mortgage/versions/7":                                     true,
		strings.ToUpper(azuremldouble.ID) + "/models/mortgage/versions/7":                                 true,
		azuremldouble.ID + "/Models/mortgage/Versions/7/":                                                 true,
		"azureml://" + place + "/workspaces/mortgage-ws/models/mortgage/versions/7":                       true,
		"azureml://" + strings.ToLower(place) + "/workspaces/Mortgage-WS/models/mortgage/versions/7":      true,
		"azureml://locations/westeurope/workspaces/" + azuremldouble.GUID + "/models/mortgage/versions/7": true,

		"":                     false,
		"azureml:mortgage:6":   false,
		"azureml:mortgage":     false,
		"azureml:mortgage:7:x": false,
		"azureml:Mortgage:7":   false,
		"mortgage:7":           false,
		azuremldouble.ID + "/models/mortgage/versions/77":                                                           false,
		azuremldouble.ID + "/models/mortgage/versions/7/x":                                                          false,
		azuremldouble.ID + "/models/the-mortgage/versions/7":                                                        false,
		azuremldouble.ID + "/environments/mortgage/versions/7":                                                      false,
		"/models/mortgage/versions/7":                                                                               false,
		"azureml://registries/azureml/models/mortgage/versions/7":                                                   false,
		"azureml://" + place + "/workspaces/other/models/mortgage/versions/7":                                       false,
		"azureml://locations/westeurope/workspaces/11111111-0000-4000-8000-000000000042/models/mortgage/versions/7": false,
	} {
		w := azuremldouble.New(t)
		w.Deployments = map[string][]*ml.OnlineDeployment{"mortgage-prod": {azuremldouble.Deployment("blue", ref)}}
		w.Gone = http.StatusGone
		if got := collectModel(t, amlOf(w)); len(got.Services) == 1 != want {
			t.Errorf("%q: %v", ref, !want)
		}
	}
}

func TestAzureMLTimes(t *testing.T) {
	at := time.Date(2026, 11, 23, 2, 21, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{"": {}, "2026-11-23T02:21:00Z": at, "2026-11-23T03:21:00.1234567+01:00": at, "2026-11-23T02:21:00.123": at} {
		if got, err := amlTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s (%v)", text, got, err)
		}
	}
	for _, text := range []string{"23.11.2026", "2026-11-23", "2026-13-23T02:21:00Z", "now"} {
		if _, err := amlTime(text); err == nil {
			t.Errorf("%q is a time", text)
		}
	}
}

// TestAzureMLStatusErrors: the service's own code is in the error.
func TestAzureMLStatusErrors(t *testing.T) {
	w := azuremldouble.New(t)
	a := amlOf(w)
	a.Workspace = strings.Replace(a.Workspace, "mortgage-ws", "no-such-ws", 1)
	_, err := a.Collect(t.Context())
	undecided(t, err, "Azure Resource Manager, ")
	if e, is := ask.RefusedWith(err, http.StatusNotFound); !is || e.Code != "ResourceNotFound" {
		t.Errorf("%+v", e)
	}
	if hints := strings.Join(provenance.Hints(err), " "); !strings.Contains(hints, "is "+a.Workspace+" the workspace") {
		t.Errorf("hints %q", hints)
	}
}
