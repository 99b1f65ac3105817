package source

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// mlflowAsking asks one MLflow server.
type mlflowAsking struct {
	*asking
	base   string // the server's address, as it is recorded
	kind   mlflowKind
	values atomic.Int64 // of histories, so far
}

// mlflowKind is whose MLflow it is. They differ in what they serve beside the common questions.
type mlflowKind int

const (
	plainMLflow mlflowKind = iota
	databricksMLflow
	azureMLflow
)

func (k mlflowKind) String() string {
	return [...]string{"MLflow", "MLflow in Databricks", "MLflow in Azure ML"}[k]
}

// Where Azure ML and Databricks have their hosts.
// Source: https://learn.microsoft.com/azure/machine-learning/how-to-secure-workspace-vnet (hosts of workspaces, by cloud) and
// https://learn.microsoft.com/azure/databricks/workspace/workspace-details
var (
	mlflowAzureHosts      = []string{".api.azureml.ms", ".api.ml.azure.cn", ".api.ml.azure.us"}
	mlflowDatabricksHosts = []string{".azuredatabricks.net", ".databricks.azure.cn", ".databricks.azure.us", ".cloud.databricks.com", ".gcp.databricks.com"}
)

// mlflowAzurePath is the path of a workspace's MLflow.
// Source: https://learn.microsoft.com/azure/machine-learning/how-to-use-mlflow-configure-tracking
var mlflowAzurePath = pattern.New(`(?i)^/mlflow/v[12]\.0/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+$`)

// asking is for the server.
func (m MLflow) asking() (*mlflowAsking, error) {
	base, kind, err := m.server()
	if err != nil {
		return nil, err
	}
	a := &mlflowAsking{asking: &asking{service: kind.String(), used: &tokens{}, anonymous: m.Anonymous}, base: base, kind: kind}
	client := m.Client
	client.Login = mlflowLogin
	a.client, err = httpclient.New(a.service, base, m.authorize(a.used, kind), client)
	return a, err
}

// server is the server's base address, and whose it is.
func (m MLflow) server() (string, mlflowKind, error) {
	const hint = "give https://HOST/PREFIX, the address of a Databricks workspace, or azureml://… as the Azure ML workspace calls it"
	u, err := url.Parse(strings.TrimSpace(m.URI))
	if err != nil || u.Host == "" {
		return "", 0, provenance.Misuse(hint, "%q is not the address of an MLflow server", plain(redact.URL(m.URI)))
	}
	if part := httpclient.Unwanted(u); part != "" {
		return "", 0, provenance.Misuse("leave it out; "+mlflowLogin, "the address of the MLflow server, %q, has %s, which is not shown here", plain(redact.URL(m.URI)), part)
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	switch azure := mlflowHasSuffix(u.Hostname(), mlflowAzureHosts); {
	case u.Scheme == "azureml" && !azure:
		return "", 0, provenance.Misuse(hint, "%s is no host of Azure ML", plain(u.Host))
	case azure && !mlflowAzurePath().MatchString(u.Path):
		return "", 0, provenance.Misuse(hint, "%q is not the path of an Azure ML workspace's MLflow", plain(u.Path))
	case azure:
		u.Scheme = strings.Replace(u.Scheme, "azureml", "https", 1)
		return u.String(), azureMLflow, nil
	case u.Scheme != "https" && u.Scheme != "http":
		return "", 0, provenance.Misuse(hint, "MLflow cannot be asked over %s", plain(u.Scheme))
	case m.Databricks || mlflowHasSuffix(u.Hostname(), mlflowDatabricksHosts):
		if u.Path != "" {
			return "", 0, provenance.Misuse("give the host alone, as https://adb-….azuredatabricks.net", "the Databricks host has a path")
		}
		return u.String(), databricksMLflow, nil
	}
	return u.String(), plainMLflow, nil
}

func mlflowHasSuffix(host string, suffixes []string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(host, s) && len(host) > len(s) })
}

// mlflowLogin says how to log in.
const mlflowLogin = "put a token into MLFLOW_TRACKING_TOKEN, or a name and a password into MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; in Azure Pipelines, map the secret variable to it under env:"

// errNoMLflowToken: Databricks and Azure ML answer nobody without one.
var errNoMLflowToken = provenance.Misuse(mlflowLogin, "there is no credential for MLflow")

// authorize makes the Authorization header's value, or is nil when the server asks for none.
func (m MLflow) authorize(used *tokens, kind mlflowKind) httpclient.Authorize {
	switch {
	case m.User != nil && m.Password != nil:
		return used.basic(m.User, m.Password)
	case m.Token != nil:
		return used.bearer(m.Token, errNoMLflowToken)
	case kind == plainMLflow && m.User == nil && m.Password == nil:
		return nil
	}
	return func(context.Context) (string, error) { return "", errNoMLflowToken }
}

// basic makes the Authorization header's value of a name and a password, and remembers the password.
// Source: https://www.rfc-editor.org/rfc/rfc7617
func (t *tokens) basic(user, password Token) httpclient.Authorize {
	return func(ctx context.Context) (string, error) {
		name, err := user(ctx)
		if err != nil {
			return "", err
		}
		secret, err := password(ctx)
		if err != nil {
			return "", err
		}
		if name == "" || secret == "" || strings.Contains(name, ":") {
			return "", errNoMLflowToken
		}
		encoded := base64.StdEncoding.EncodeToString([]byte(name + ":" + secret))
		t.add(secret)
		t.add(encoded)
		return "Basic " + encoded, nil
	}
}

// ask is one question to the MLflow API.
func (a *mlflowAsking) ask(ctx context.Context, operation, path string, query url.Values, v any) (httpclient.Answer, error) {
	answer, err := a.get(ctx, operation, "/api/2.0/mlflow/"+path, query, v)
	return answer, a.masked(err)
}

// masked takes a password out of what the server says: the client knows only the header that was made of it.
func (a *mlflowAsking) masked(err error) error {
	var e *httpclient.StatusError
	if errors.As(err, &e) {
		e.Message = a.used.mask(e.Message)
	}
	return err
}

// mlflowGone recognises the answers that mean "there is no such thing". Older servers, and aliases, answer 400.
// Source: mlflow/store/tracking/sqlalchemy_store.py and mlflow/store/model_registry/sqlalchemy_store.py, mlflow/mlflow
func mlflowGone(err error) bool {
	e, refused := refusedWith(err, http.StatusNotFound, http.StatusBadRequest)
	if !refused {
		return false
	}
	switch e.Code {
	case "RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "ALIAS_DOES_NOT_EXIST", "MODEL_VERSION_DOES_NOT_EXIST", "REGISTERED_MODEL_DOES_NOT_EXIST":
		return true
	case "INVALID_PARAMETER_VALUE":
		return strings.Contains(e.Message, "not found") || strings.Contains(e.Message, "does not exist")
	}
	return false
}

// mlflowRunID is how servers call their runs: a plain one and Databricks with 32 hex digits, Azure ML freely.
var mlflowRunID = pattern.New(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,255}$`)

// mlflowVersionNumber is the number of a registered model's version.
var mlflowVersionNumber = pattern.New(`^[1-9][0-9]{0,17}$`)

// checkNames refuses what is no id, name or version before anything is asked.
func (m MLflow) checkNames() error {
	if m.RunID != "" && !mlflowRunID().MatchString(m.RunID) {
		return provenance.Misuse("it is the last part of the address of the run's page", "%q is not the id of an MLflow run", plain(m.RunID))
	}
	if m.ModelName == "" && m.ModelVersion == "" {
		return nil
	}
	if m.ModelName == "" || len(m.ModelName) > 500 || strings.ContainsAny(m.ModelName, "/:\x00") {
		return provenance.Misuse("give the name under which the model is registered", "%q is not the name of a registered model", plain(m.ModelName))
	}
	if alias, is := strings.CutPrefix(m.ModelVersion, "@"); is && alias != "" && !strings.ContainsAny(alias, "/\x00") {
		return nil
	}
	if mlflowVersionNumber().MatchString(m.ModelVersion) {
		return nil
	}
	return provenance.Misuse("give its number, or an alias as @ALIAS", "%q is not the version of a registered model", plain(m.ModelVersion))
}
