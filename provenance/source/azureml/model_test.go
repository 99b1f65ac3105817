package azureml

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/seed-3480f271/provenance/provenance/internal/azuremldouble"
	faults "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
)

const inArtifacts = "abfss://azureml@contosoml.dfs.core.windows.net/"

// TestModelSource: from what both APIs write to the container that has the files.
func TestModelSource(t *testing.T) {
	const workspace = "azureml://subscriptions/" + azuremldouble.Subscription + "/resourcegroups/ml-rg/workspaces/mortgage-ws/"
	for uri, want := range map[string]string{
		workspace + "datastores/workspaceartifactstore/paths/" + azuremldouble.ArtifactPath:         inArtifacts + azuremldouble.ArtifactPath,
		workspace + "jobs/plucky_collar/outputs/artifacts/paths/model/":                             inArtifacts + "ExperimentRun/dcid.plucky_collar/model/",
		"azureml:/" + azuremldouble.ID + "/datastores/lake/paths/mortgage/7":                        "abfss://models@contoso.dfs.core.windows.net/mortgage/7",
		"azureml://datastores/lake/paths/mortgage/7/":                                               "abfss://models@contoso.dfs.core.windows.net/mortgage/7/",
		"azureml://datastores/lake/paths/a b/50% off/ü?#x":                                          "abfss://models@contoso.dfs.core.windows.net/a%20b/50%25%20off/%C3%BC%3F%23x",
		"azureml://jobs/plucky_collar/outputs/artifacts/paths/model":                                inArtifacts + "ExperimentRun/dcid.plucky_collar/model",
		"aml://artifact/LocalUpload/251123T022100-ab/model.zip":                                     inArtifacts + "LocalUpload/251123T022100-ab/model.zip",
		"https://contosoml.blob.core.windows.net:443/799d5e80-e/model.zip?sv=1&sig=cGxhbnRlZC1zYXM": "abfss://799d5e80-e@contosoml.dfs.core.windows.net/model.zip",
		"https://contosoml.dfs.core.windows.net/models/a%20b/":                                      "abfss://models@contosoml.dfs.core.windows.net/a%20b/",
		"wasbs://models@contosoml.blob.core.windows.net/mortgage":                                   "abfss://models@contosoml.dfs.core.windows.net/mortgage",
		"abfss://models@contosoml.dfs.core.windows.net/mortgage":                                    "abfss://models@contosoml.dfs.core.windows.net/mortgage",
	} {
		w := azuremldouble.New(t)
		w.Versions["mortgage/7"].Properties.ModelURI = to.Ptr(uri)
		got, err := amlOf(w).ModelSource(t.Context())
		if err != nil || got != want {
			t.Errorf("%s: %s (%v), want %s", uri, got, err, want)
		}
		for _, request := range w.Requests() {
			if strings.Contains(request, "listSecrets") {
				t.Errorf("asked %s", request)
			}
		}
	}
}

// TestModelSourceOfV1: what only v1 says.
func TestModelSourceOfV1(t *testing.T) {
	for name, c := range map[string]struct {
		url       string
		artifacts []any
		want      string
	}{
		"a folder": {"aml://asset/" + azuremldouble.AssetID, []any{map[string]any{"prefix": "LocalUpload/x/model"}}, inArtifacts + "LocalUpload/x/model"},
		"a file":   {"aml://asset/" + azuremldouble.AssetID, []any{map[string]any{"id": "LocalUpload/x/model.pkl", "prefix": nil}}, inArtifacts + "LocalUpload/x/model.pkl"},
		"a SAS":    {"https://contosoml.blob.core.windows.net/azureml/LocalUpload/x/model.pkl?sig=cGxhbnRlZC1zYXM", nil, inArtifacts + "LocalUpload/x/model.pkl"},
	} {
		for _, region := range []string{"", azuremldouble.Region} {
			w := azuremldouble.New(t)
			w.Versions["mortgage/7"].Properties.ModelURI = nil
			w.Models["mortgage:7"]["url"], w.Assets[azuremldouble.AssetID]["artifacts"] = c.url, c.artifacts
			a := amlOf(w)
			a.Region = region
			if got, err := a.ModelSource(t.Context()); err != nil || got != c.want {
				t.Errorf("%s: %s (%v)", name, got, err)
			}
		}
	}
}

// TestModelSourceUndecided: what cannot be traced to a container of Azure is named, and nobody gets a credential.
func TestModelSourceUndecided(t *testing.T) {
	of := func(uri string) func(*azuremldouble.Workspace) {
		return func(w *azuremldouble.Workspace) { w.Versions["mortgage/7"].Properties.ModelURI = to.Ptr(uri) }
	}
	store := func(s ml.DatastorePropertiesClassification) func(*azuremldouble.Workspace) {
		return func(w *azuremldouble.Workspace) { w.Datastores["workspaceartifactstore"] = s }
	}
	plainHTTP := azuremldouble.Blob("contosoml", "azureml", "core.windows.net")
	plainHTTP.Protocol = to.Ptr("http")
	artifacts := func(all ...any) func(*azuremldouble.Workspace) {
		return func(w *azuremldouble.Workspace) {
			w.Versions["mortgage/7"].Properties.ModelURI = nil
			w.Assets[azuremldouble.AssetID]["artifacts"] = all
		}
	}
	for name, c := range map[string]struct {
		change func(*azuremldouble.Workspace)
		says   string
	}{
		"another workspace":     {of("azureml://subscriptions/" + azuremldouble.Subscription + "/resourcegroups/ml-rg/workspaces/other/datastores/lake/paths/x"), "which is in another workspace"},
		"another subscription":  {of("azureml://subscriptions/11111111-8888-7777-6666-555555555555/resourcegroups/ml-rg/workspaces/mortgage-ws/datastores/lake/paths/x"), "which is in another workspace"},
		"a registry":            {of("azureml://registries/azureml/models/x/versions/1"), "which is in a registry"},
		"a named output":        {of("azureml://jobs/plucky_collar/outputs/model/paths/"), `which is the output "model" of a job`},
		"no path":               {of("azureml://datastores/lake"), "which is no path in a datastore"},
		"an empty path":         {of("azureml://datastores/lake/paths/"), "a segment that is empty"},
		"nothing":               {of("azureml://"), "which is no path in a datastore"},
		"MLflow":                {of("runs:/4be1/model"), "which is no URI of Azure ML or of a storage account"},
		"a local path":          {of("/etc/passwd"), "which is no URI of Azure ML or of a storage account"},
		"plain http":            {of("http://contosoml.blob.core.windows.net/azureml/x"), "which is no URI of Azure ML or of a storage account"},
		"climbing out":          {of("azureml://datastores/lake/paths/a/../../b"), "a segment that is empty"},
		"climbing out of a URL": {of("https://contosoml.blob.core.windows.net/azureml/%2e%2e/x"), "a segment that is empty"},
		"a line break":          {of("azureml://datastores/lake/paths/a\nb"), "that no file can be called by"},
		"an odd datastore":      {of("azureml://datastores/..%2flake/paths/a"), "whose datastore has an impossible name"},
		"a foreign host":        {of("https://contosoml.blob.core.windows.net.evil.com/azureml/x"), "no credential is sent there"},
		"a foreign cloud":       {of("https://contosoml.blob.core.chinacloudapi.cn/azureml/x"), "no credential is sent there"},
		"a port":                {of("https://contosoml.blob.core.windows.net:8443/azureml/x"), "no credential is sent there"},
		"a web site":            {of("https://contosoml.z6.web.core.windows.net/azureml/x"), "which is no place in a storage account"},
		"a user name":           {of("https://ada:hunter2-of-the-scorer@contosoml.blob.core.windows.net/azureml/x"), "which is no place in a storage account"},
		"a password":            {of("abfss://models:hunter2-of-the-scorer@contosoml.dfs.core.windows.net/x"), "which is no place in a storage account"},
		"no container":          {of("abfss://contosoml.dfs.core.windows.net/x"), "which is no place in a storage account"},
		"a secret":              {of("azureml://datastores/lake/paths/x?sv=1&sig=cGxhbnRlZC1zYXMcGxhbnRlZC1zYXM"), "looks like a secret"},
		"no URI":                {of("https://%zz"), "which is no valid URI"},
		"an unknown datastore":  {of("azureml://datastores/nowhere/paths/x"), "reading datastore nowhere: status 404"},
		"a file share":          {of("azureml://datastores/files/paths/x"), `it is of the type "AzureFile"`},
		"an asset in v2":        {of("aml://asset/0a1b"), "v2 names an asset of v1"},
		"half an artifact":      {of("aml://artifact/LocalUpload/x"), "which is no artifact and no asset"},
		"evil endpoint":         {store(azuremldouble.Blob("contosoml", "azureml", "evil.com")), "no credential is sent there"},
		"evil account":          {store(azuremldouble.Blob("evil.com/x", "azureml", "core.windows.net")), "no credential is sent there"},
		"another cloud":         {store(azuremldouble.Blob("contosoml", "azureml", "core.usgovcloudapi.net")), "no credential is sent there"},
		"over http":             {store(plainHTTP), `it is reached over "http"`},
		"odd container":         {store(azuremldouble.Blob("contosoml", "../x", "core.windows.net")), "is not the name of a container"},
		"several artifacts":     {artifacts(map[string]any{"id": "LocalUpload/x/a"}, map[string]any{"id": "LocalUpload/x/b"}), "it consists of 2 artifacts"},
		"no artifacts":          {artifacts(), "it consists of 0 artifacts"},
		"an empty artifact":     {artifacts(map[string]any{}), "which is no artifact and no asset"},
		"v1 is gone, too": {func(w *azuremldouble.Workspace) {
			w.Versions["mortgage/7"].Properties.ModelURI, w.Gone = nil, http.StatusGone
		}, "Azure ML, reading model mortgage version 7: status 410"},
	} {
		t.Run(name, func(t *testing.T) {
			w := azuremldouble.New(t)
			c.change(w)
			got, err := amlOf(w).ModelSource(t.Context())
			undecided(t, err, c.says)
			if got != "" {
				t.Errorf("and yet %s", got)
			}
		})
	}
}

// TestModelSourceFaults: a fault of either question leaves the place unknown.
func TestModelSourceFaults(t *testing.T) {
	for _, what := range []string{"version", "datastore"} {
		for name, c := range map[string]struct {
			fault func(http.ResponseWriter, *http.Request)
			says  string
		}{
			"expired":    {faults.Expired, "status 401"},
			"denied":     {faults.Answer(403, `{"error":{"code":"AuthorizationFailed","message":"no role"}}`), "status 403 AuthorizationFailed"},
			"busy":       {faults.Busy("3600"), "status 429"},
			"100 MB":     {faults.Huge(100 << 20), "longer than"},
			"login page": {faults.LoginPage, "a web page came"},
			"redirect":   {faults.Redirect("https://management.example.com/x"), "which is not the host that was configured"},
			"key twice":  {faults.Answer(200, `{"properties":{},"Properties":{}}`), "makes no sense"},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				w := azuremldouble.New(t)
				w.Fail(what, c.fault)
				got, err := amlOf(w).ModelSource(t.Context())
				undecided(t, err, c.says)
				if got != "" {
					t.Errorf("and yet %s", got)
				}
			})
		}
	}
}

// TestModelSourceInAnotherCloud: each cloud has its own storage accounts.
func TestModelSourceInAnotherCloud(t *testing.T) {
	w := azuremldouble.New(t)
	w.Datastores["workspaceartifactstore"] = azuremldouble.Blob("contosoml", "azureml", "core.chinacloudapi.cn")
	a := amlOf(w)
	a.Cloud = "china"
	if got, err := a.ModelSource(t.Context()); err != nil || got != "abfss://azureml@contosoml.dfs.core.chinacloudapi.cn/"+azuremldouble.ArtifactPath {
		t.Errorf("%s (%v)", got, err)
	}
}

// FuzzParsePlace: whatever a workspace says, what comes out is a datastore's name and a path that stays in it, or a storage account
// of the configured cloud.
func FuzzParsePlace(f *testing.F) {
	seeds := []string{"azureml://datastores/lake/paths/a/b", "azureml://jobs/j/outputs/artifacts/paths/m",
		"azureml://subscriptions/" + azuremldouble.Subscription + "/resourceGroups/ml-rg/workspaces/mortgage-ws/datastores/lake/paths/a", "azureml:/" + azuremldouble.ID + "/datastores/lake/paths/a",
		"aml://artifact/a/b/c", "aml://asset/1", "https://acc.blob.core.windows.net/con/p?sig=x", "abfss://con@acc.dfs.core.windows.net/p", "wasbs://con@acc.blob.core.windows.net/p/",
		"https://acc.blob.core.windows.net:443/c/../d", "abfss://c:p@acc.dfs.core.windows.net/p"}
	a := Source{Workspace: azuremldouble.ID, ModelName: "m", ModelVersion: "1"}
	w, err := a.asker()
	if err != nil {
		f.Fatal(err)
	}
	known := 0
	for _, seed := range seeds {
		if _, err := w.parsePlace(seed); err == nil {
			known++
		}
		f.Add(seed)
	}
	if known < 8 {
		f.Fatalf("only %d of %d seeds are read", known, len(seeds))
	}
	f.Fuzz(func(t *testing.T, uri string) {
		place, err := w.parsePlace(uri)
		if err != nil {
			return
		}
		if place.storage != "" {
			u, err := url.Parse(place.storage)
			if err != nil || u.Scheme != "abfss" || !strings.HasSuffix(u.Host, ".dfs.core.windows.net") && !strings.HasSuffix(u.Host, ".dfs.storage.azure.net") ||
				strings.Contains(strings.TrimSuffix(u.Host, ".net"), "/") || u.RawQuery != "" || checkAMLPath(strings.TrimPrefix(u.Path, "/")) != nil {
				t.Errorf("%q became %q", uri, place.storage)
			}
			return
		}
		if place.asset == "" && (!datastoreName().MatchString(place.datastore) || checkAMLPath(place.path) != nil) || place.asset != "" && !amlName().MatchString(place.asset) {
			t.Errorf("%q became %+v", uri, place)
		}
	})
}
