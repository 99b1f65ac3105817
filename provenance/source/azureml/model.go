package azureml

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/source/arm"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// ModelSource tells where the files of the registered model lie, as a URI that package storage opens:
// abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH. The path may be a file or a folder. A model that is not registered is a
// *provenance.Refused with the code model.missing; a URI that cannot be traced to a container is an error that says what it is.
//
// The storage is learned from an answer, so mind who gets a credential: a datastore's own keys are not asked for, and a place that is no
// storage account of the configured cloud (https, ACCOUNT.blob.SUFFIX or ACCOUNT.dfs.SUFFIX) is refused. So whoever may write to the
// workspace can only name another account of Azure, and the identity that opens it shows its token to Azure alone.
func (a Source) ModelSource(ctx context.Context) (string, error) {
	w, err := a.asker()
	if err != nil {
		return "", err
	}
	version, err := w.askVersion(ctx)
	if err != nil {
		return "", err
	}
	if err := w.registered(version, amlV1{}); err != nil {
		return "", err
	}
	uris := []string{version.uri}
	if uris[0] == "" && w.skipV1 == "" {
		if uris, err = w.oldURIs(ctx); err != nil {
			return "", err
		}
	}
	if len(uris) != 1 {
		return "", fmt.Errorf("%s, finding %s: it consists of %d artifacts, which are no one folder", amlService, w.what(), len(uris))
	}
	return w.storageOf(ctx, uris[0])
}

// oldURIs are what v1 says.
func (w *amlAsker) oldURIs(ctx context.Context) ([]string, error) {
	region := w.region
	if region == "" {
		workspace, err := w.askWorkspace(ctx)
		if err != nil {
			return nil, err
		}
		region = workspace.region()
	}
	var err error
	if w.v1, err = w.newV1(region); err != nil {
		return nil, err
	}
	var told amlV1
	if err := w.askV1Model(ctx, "/modelmanagement/v1.0"+w.id, &told); err != nil {
		return nil, err
	}
	if told.asset != nil {
		return told.asset.uris(), nil
	}
	return []string{told.model.url}, nil
}

// uris are the artifacts of an asset.
func (a amlAsset) uris() (all []string) {
	for _, artifact := range a.Artifacts {
		all = append(all, "aml://artifact/"+cmp.Or(artifact.ID, artifact.Prefix))
	}
	return all
}

// storageOf turns a model's URI into one of a storage account.
func (w *amlAsker) storageOf(ctx context.Context, uri string) (string, error) {
	place, err := w.parsePlace(uri)
	switch {
	case err != nil:
		return "", provenance.WithHint(fmt.Errorf("%s, finding %s: it lies at %q: %w", amlService, w.what(), w.arm.Used.Mask(redact.URL(uri)), err),
			"give the folder in the storage account as --model")
	case place.storage != "":
		return place.storage, nil
	case place.asset != "":
		return "", fmt.Errorf("%s, finding %s: v2 names an asset of v1", amlService, w.what())
	}
	return w.askDatastore(ctx, place)
}

// amlDatastore is a storage account and a container that a workspace has a name for.
// Source: https://learn.microsoft.com/rest/api/azureml/datastores/get
type amlDatastore struct {
	Properties struct {
		Type       string `json:"datastoreType"` // AzureBlob, AzureDataLakeGen2, AzureFile, …
		Account    string `json:"accountName"`
		Container  string `json:"containerName"`
		Filesystem string `json:"filesystem"` // what a container is called in a data lake
		Endpoint   string `json:"endpoint"`   // suffix of the cloud: core.windows.net
		Protocol   string `json:"protocol"`
	} `json:"properties"`
}

func (w *amlAsker) askDatastore(ctx context.Context, place amlPlace) (string, error) {
	operation := "reading datastore " + place.datastore
	var store amlDatastore
	if _, err := getAML(w.arm, ctx, operation, w.id+"/datastores/"+place.datastore, armQuery(), &store); err != nil {
		return "", w.explain(err)
	}
	p := store.Properties
	container := p.Container
	switch p.Type {
	case "AzureBlob":
	case "AzureDataLakeGen2":
		container = p.Filesystem
	default:
		return "", fmt.Errorf("%s, %s: it is of the type %q, which holds no blobs that this program can read", arm.Service, operation, foreign.Plain(p.Type))
	}
	if p.Protocol != "" && !strings.EqualFold(p.Protocol, "https") {
		return "", fmt.Errorf("%s, %s: it is reached over %q: the credentials could be read on the way", arm.Service, operation, foreign.Plain(p.Protocol))
	}
	uri, err := w.storageURI(p.Account, strings.ToLower(cmp.Or(p.Endpoint, amlStorage[w.cloud][0])), container, place.path)
	if err != nil {
		return "", fmt.Errorf("%s, %s: %w", arm.Service, operation, err)
	}
	return uri, nil
}

// amlStorage are the suffixes of the storage accounts of each cloud.
var amlStorage = map[string][]string{"public": {"core.windows.net", "storage.azure.net"}, "china": {"core.chinacloudapi.cn"}, "usgovernment": {"core.usgovcloudapi.net"}}

// The names of accounts, and of containers.
var (
	amlAccount    = pattern.New(`^[a-z0-9]{3,24}$`)
	datastoreName = pattern.New(`^[A-Za-z0-9][A-Za-z0-9_-]{0,254}$`)
)

// storageURI writes the URI of a path in a container, if that is one of the configured cloud.
func (w *amlAsker) storageURI(account, suffix, container, path string) (string, error) {
	switch {
	case !amlAccount().MatchString(account), !slices.Contains(amlStorage[w.cloud], suffix):
		return "", provenance.WithHint(fmt.Errorf("%q is no storage account of the cloud %s: no credential is sent there", foreign.Plain(account+".*."+suffix), w.cloud),
			"for a sovereign cloud, set the cloud to china or usgovernment")
	case !arm.ContainerName().MatchString(container):
		return "", fmt.Errorf("%q is not the name of a container", foreign.Plain(container))
	}
	if err := checkAMLPath(path); err != nil {
		return "", err
	}
	u := url.URL{Scheme: "abfss", User: url.User(container), Host: account + ".dfs." + suffix, Path: "/" + path}
	return u.String(), nil
}

// checkAMLPath refuses a path that could mean another place than it seems to.
func checkAMLPath(path string) error {
	for segment := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '\uFFFD' }) {
			return fmt.Errorf("the path %q has a segment that is empty, `.` or `..`, or that no file can be called by", foreign.Plain(path))
		}
	}
	if redact.Text(path) != path {
		return errors.New("the path has something in it that looks like a secret")
	}
	return nil
}

// amlPlace is where files lie: a path in a datastore, an asset of v1, or a URI of a storage account.
type amlPlace struct {
	datastore, path string
	asset           string
	storage         string // as storageURI writes it
}

func (p amlPlace) String() string {
	return cmp.Or(p.storage, p.asset, p.datastore+"/"+p.path)
}

// holds tells whether other is this place, or lies in it.
func (p amlPlace) holds(other amlPlace) bool {
	if p.storage != "" || other.storage != "" {
		return provenance.Within(other.storage, []string{p.storage})
	}
	return p.datastore == other.datastore && strings.HasPrefix(strings.TrimSuffix(other.path, "/")+"/", strings.TrimSuffix(p.path, "/")+"/")
}

// artifactStore is the datastore in which Azure ML keeps what runs log and what people upload.
const artifactStore = "workspaceartifactstore"

// parsePlace reads the URI of a model. These are known:
//
//	azureml://datastores/STORE/paths/PATH
//	azureml://jobs/RUN/outputs/artifacts/paths/PATH
//	azureml://subscriptions/S/resourcegroups/G/workspaces/W/ and one of the two
//	aml://artifact/ORIGIN/CONTAINER/PATH
//	aml://asset/ID
//	https://ACCOUNT.blob.SUFFIX/CONTAINER/PATH, with or without a SAS, which is left out
//	abfss://CONTAINER@ACCOUNT.dfs.SUFFIX/PATH, and the same with wasbs://
//
// Paths behind azureml:// and aml:// are not percent-encoded.
// Source: https://learn.microsoft.com/azure/machine-learning/how-to-manage-models, azureml-core 1.61 (azureml.core.model)
func (w *amlAsker) parsePlace(uri string) (amlPlace, error) {
	scheme, rest, _ := strings.Cut(uri, "://")
	switch strings.ToLower(scheme) {
	case "azureml":
		return w.parseAzureML(rest)
	case "aml":
		return parseAML(rest)
	case "https", "abfss", "wasbs":
		return w.parseStorage(uri)
	}
	return amlPlace{}, errors.New("which is no URI of Azure ML or of a storage account")
}

// parseAzureML reads what stands behind azureml://.
func (w *amlAsker) parseAzureML(rest string) (amlPlace, error) {
	segments := strings.Split(rest, "/")
	if i := slices.IndexFunc(segments, func(s string) bool { return strings.EqualFold(s, "workspaces") }); i >= 0 && i+2 < len(segments) &&
		strings.EqualFold(segments[0], "subscriptions") {
		if !w.isThisWorkspace(segments[:i+2], "") {
			return amlPlace{}, errors.New("which is in another workspace")
		}
		segments = segments[i+2:]
	}
	path := func(from int) string { return strings.Join(segments[from:], "/") }
	switch {
	case len(segments) > 3 && segments[0] == "datastores" && segments[2] == "paths":
		return newPlace(segments[1], path(3))
	case len(segments) > 5 && segments[0] == "jobs" && segments[2] == "outputs" && segments[3] == "artifacts" && segments[4] == "paths":
		return newPlace(artifactStore, "ExperimentRun/dcid."+segments[1]+"/"+path(5))
	case len(segments) > 3 && segments[0] == "jobs" && segments[2] == "outputs":
		return amlPlace{}, fmt.Errorf("which is the output %q of a job: only the job's definition says where that lies", foreign.Plain(segments[3]))
	case segments[0] == "registries":
		return amlPlace{}, errors.New("which is in a registry, whose storage is not open")
	}
	return amlPlace{}, errors.New("which is no path in a datastore")
}

// parseAML reads what stands behind aml://.
func parseAML(rest string) (amlPlace, error) {
	kind, id, _ := strings.Cut(rest, "/")
	switch {
	case (kind == "artifact" || kind == "artifactId") && strings.Count(id, "/") >= 2:
		return newPlace(artifactStore, id)
	case kind == "asset" && amlName().MatchString(id):
		return amlPlace{asset: id}, nil
	}
	return amlPlace{}, errors.New("which is no artifact and no asset")
}

func newPlace(datastore, path string) (amlPlace, error) {
	if !datastoreName().MatchString(datastore) {
		return amlPlace{}, errors.New("whose datastore has an impossible name")
	}
	if err := checkAMLPath(path); err != nil {
		return amlPlace{}, err
	}
	return amlPlace{datastore: datastore, path: path}, nil
}

// parseStorage reads the URI of a storage account. Its query, a SAS as a rule, is not used.
func (w *amlAsker) parseStorage(uri string) (amlPlace, error) {
	u, err := url.Parse(uri)
	if err != nil { // its text repeats the URI
		return amlPlace{}, errors.New("which is no valid URI")
	}
	host, path := strings.ToLower(u.Host), strings.TrimPrefix(u.Path, "/")
	if strings.EqualFold(u.Scheme, "https") {
		host = strings.TrimSuffix(host, ":443")
	}
	account, rest, _ := strings.Cut(host, ".")
	kind, suffix, _ := strings.Cut(rest, ".")
	container, _, _ := strings.Cut(path, "/")
	if u.User != nil {
		container = u.User.Username()
	} else {
		path = strings.TrimPrefix(strings.TrimPrefix(path, container), "/")
	}
	_, hasPassword := u.User.Password()
	if hasPassword || (u.User == nil) != strings.EqualFold(u.Scheme, "https") || kind != "blob" && kind != "dfs" {
		return amlPlace{}, errors.New("which is no place in a storage account")
	}
	storage, err := w.storageURI(account, suffix, container, path)
	return amlPlace{storage: storage}, err
}
