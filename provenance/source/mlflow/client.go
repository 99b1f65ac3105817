package mlflow

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
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// mlflowAsking asks one MLflow server.
type mlflowAsking struct {
	*ask.Asking
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
	azureHosts      = []string{".api.azureml.ms", ".api.ml.azure.cn", ".api.ml.azure.us"}
	databricksHosts = []string{".azuredatabricks.net", ".databricks.azure.cn", ".databricks.azure.us", ".cloud.databricks.com", ".gcp.databricks.com"}
)

// azurePath is the path of a workspace's MLflow.
// Source: https://learn.microsoft.com/azure/machine-learning/how-to-use-mlflow-configure-tracking
var azurePath = pattern.New(`(?i)^/mlflow/v[12]\.0/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices/workspaces/[^/]+$`)

// asking is for the server.
func (m Source) asking() (*mlflowAsking, error) {
	base, kind, err := m.server()
	if err != nil {
		return nil, err
	}
	a := &mlflowAsking{Asking: &ask.Asking{Service: kind.String(), Used: &foreign.Tokens{}, IDsOnly: m.Anonymous}, base: base, kind: kind}
	client := m.Client
	client.Login = login
	a.HTTP, err = httpclient.New(a.Service, base, m.authorize(a.Used, kind), client)
	return a, err
}

// server is the server's base address, and whose it is.
func (m Source) server() (string, mlflowKind, error) {
	const hint = "give https://HOST/PREFIX, the address of a Databricks workspace, or azureml://… as the Azure ML workspace calls it"
	u, err := url.Parse(strings.TrimSpace(m.URI))
	if err != nil || u.Host == "" {
		return "", 0, provenance.Misuse(hint, "%q is not the address of an MLflow server", foreign.Plain(redact.URL(m.URI)))
	}
	if part := httpclient.Unwanted(u); part != "" {
		return "", 0, provenance.Misuse("leave it out; "+login, "the address of the MLflow server, %q, has %s, which is not shown here", foreign.Plain(redact.URL(m.URI)), part)
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	switch azure := hasSuffix(u.Hostname(), azureHosts); {
	case u.Scheme == "azureml" && !azure:
		return "", 0, provenance.Misuse(hint, "%s is no host of Azure ML", foreign.Plain(u.Host))
	case azure && !azurePath().MatchString(u.Path):
		return "", 0, provenance.Misuse(hint, "%q is not the path of an Azure ML workspace's MLflow", foreign.Plain(u.Path))
	case azure:
		u.Scheme = strings.Replace(u.Scheme, "azureml", "https", 1)
		return u.String(), azureMLflow, nil
	case u.Scheme != "https" && u.Scheme != "http":
		return "", 0, provenance.Misuse(hint, "MLflow cannot be asked over %s", foreign.Plain(u.Scheme))
	case m.Databricks || hasSuffix(u.Hostname(), databricksHosts):
		if u.Path != "" {
			return "", 0, provenance.Misuse("give the host alone, as https://adb-….azuredatabricks.net", "the Databricks host has a path")
		}
		return u.String(), databricksMLflow, nil
	}
	return u.String(), plainMLflow, nil
}

func hasSuffix(host string, suffixes []string) bool {
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(host, s) && len(host) > len(s) })
}

// login says how to log in.
const login = "put a token into MLFLOW_TRACKING_TOKEN, or a name and a password into MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; in Azure Pipelines, map the secret variable to it under env:"

// errNoMLflowToken: Databricks and Azure ML answer nobody without one.
var errNoMLflowToken = provenance.Misuse(login, "there is no credential for MLflow")

// authorize makes the Authorization header's value, or is nil when the server asks for none.
func (m Source) authorize(used *foreign.Tokens, kind mlflowKind) httpclient.Authorize {
	switch {
	case m.User != nil && m.Password != nil:
		return basic(used, m.User, m.Password)
	case m.Token != nil:
		return ask.Bearer(used, m.Token, errNoMLflowToken)
	case kind == plainMLflow && m.User == nil && m.Password == nil:
		return nil
	}
	return func(context.Context) (string, error) { return "", errNoMLflowToken }
}

// basic makes the Authorization header's value of a name and a password, and remembers the password.
// Source: https://www.rfc-editor.org/rfc/rfc7617
func basic(t *foreign.Tokens, user, password ask.Token) httpclient.Authorize {
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
		t.Add(secret)
		t.Add(encoded)
		return "Basic " + encoded, nil
	}
}

// ask is one question to the MLflow API.
func (a *mlflowAsking) ask(ctx context.Context, operation, path string, query url.Values, v any) (httpclient.Answer, error) {
	answer, err := a.Get(ctx, operation, "/api/2.0/mlflow/"+path, query, v)
	return answer, a.masked(err)
}

// masked takes a password out of what the server says: the client knows only the header that was made of it.
func (a *mlflowAsking) masked(err error) error {
	var e *httpclient.StatusError
	if errors.As(err, &e) {
		e.Message = a.Used.Mask(e.Message)
	}
	return err
}

// gone recognises the answers that mean "there is no such thing". Older servers, and aliases, answer 400.
// Source: mlflow/store/tracking/sqlalchemy_store.py and mlflow/store/model_registry/sqlalchemy_store.py, mlflow/mlflow
func gone(err error) bool {
	e, refused := ask.RefusedWith(err, http.StatusNotFound, http.StatusBadRequest)
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

// versionNumber is the number of a registered model's version.
var versionNumber = pattern.New(`^[1-9][0-9]{0,17}$`)

// checkNames refuses what is no id, name or version before anything is asked.
func (m Source) checkNames() error {
	if m.RunID != "" && !mlflowRunID().MatchString(m.RunID) {
		return provenance.Misuse("it is the last part of the address of the run's page", "%q is not the id of an MLflow run", foreign.Plain(m.RunID))
	}
	if m.ModelName == "" && m.ModelVersion == "" {
		return nil
	}
	if m.ModelName == "" || len(m.ModelName) > 500 || strings.ContainsAny(m.ModelName, "/:\x00") {
		return provenance.Misuse("give the name under which the model is registered", "%q is not the name of a registered model", foreign.Plain(m.ModelName))
	}
	if alias, is := strings.CutPrefix(m.ModelVersion, "@"); is && alias != "" && !strings.ContainsAny(alias, "/\x00") {
		return nil
	}
	if versionNumber().MatchString(m.ModelVersion) {
		return nil
	}
	return provenance.Misuse("give its number, or an alias as @ALIAS", "%q is not the version of a registered model", foreign.Plain(m.ModelVersion))
}
