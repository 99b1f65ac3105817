package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source"
	"github.com/seed-3480f271/provenance/provenance/source/arm"
	"github.com/seed-3480f271/provenance/provenance/source/azuredevops"
	"github.com/seed-3480f271/provenance/provenance/source/azureml"
	"github.com/seed-3480f271/provenance/provenance/source/databricks"
	"github.com/seed-3480f271/provenance/provenance/source/github"
	"github.com/seed-3480f271/provenance/provenance/source/mlflow"
)

// What tokens of Entra are for.
// Sources: https://learn.microsoft.com/azure/databricks/dev-tools/auth/aad-token-manual
const (
	databricksScope = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"
	managementScope = "https://management.core.windows.net//.default"
)

// client is how services are asked.
func (j *job) client() source.Client {
	return source.Client{Transport: transport(), Debug: j.debug(), UserAgent: "provenance/" + version()}
}

// entra is a token of the Azure identity for one scope.
func (j *job) entra(scope string) source.Token {
	return func(ctx context.Context) (string, error) { return j.scoped(ctx, scope) }
}

func (j *job) scoped(ctx context.Context, scope string) (string, error) {
	credential, err := j.identity()
	if err != nil {
		return "", err
	}
	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
	return token.Token, err
}

// management is a token for Azure ML's MLflow server.
func (j *job) management(ctx context.Context) (string, error) {
	scope, err := arm.ManagementScope(j.c.String("cloud"))
	if err != nil {
		return "", err
	}
	return j.scoped(ctx, scope)
}

// variable is a token from the environment: an argument would be readable by every process.
func (j *job) variable(name string) source.Token {
	return func(context.Context) (string, error) { return j.getenv(name), nil }
}

// services are the places that know the run, the model, the build and the people: those that are named, and, in a pipeline, its own.
func (r *recorder) services() ([]provenance.Source, error) {
	var all []provenance.Source
	if r.cfg.DatabricksRun != "" {
		all = append(all, r.databricks())
	}
	if r.cfg.MLflowRun != "" || r.cfg.registered() {
		all = append(all, allowing{r.mlflow(), r.cfg.AllowInput})
	}
	if r.cfg.AzureML != "" {
		all = append(all, r.azureML())
	}
	hosts, err := r.sourceHosts()
	return append(all, hosts...), err
}

// anonymous tells whether people are recorded by their ids only.
func (r *recorder) anonymous() bool { return r.cfg.People == peopleID }

const (
	peopleFull = "full"
	peopleID   = "id"
)

// databricks is the workspace, with a personal access token if there is one, and else the Azure identity, which is for workspaces of
// Azure only.
func (r *recorder) databricks() databricks.Source {
	d := databricks.Source{Host: r.cfg.DatabricksHost, RunID: r.cfg.DatabricksRun, Token: noDatabricksToken, Client: r.client(), Anonymous: r.anonymous(),
		Wait: r.c.Duration("wait"), Progress: func(line string) { r.say("%s", line) }, Files: r.git().Files(), NotebookFile: r.cfg.DatabricksFile}
	switch {
	case r.getenv("DATABRICKS_TOKEN") != "":
		d.Token = r.variable("DATABRICKS_TOKEN")
	case isDatabricks(d.Host):
		d.Token = r.entra(databricksScope)
	}
	if r.cfg.DatabricksID != "" {
		d.ManagementToken, d.ResourceID = r.entra(managementScope), r.cfg.DatabricksID
	}
	return d
}

func noDatabricksToken(context.Context) (string, error) {
	return "", provenance.Misuse("map the secret to DATABRICKS_TOKEN in the step's env:; for a workspace of Azure, the Azure identity does, too",
		"the Databricks run needs a token, and DATABRICKS_TOKEN is not set")
}

// mlflow is the tracking server, and the registry beside it, unless the model is registered in Azure ML.
func (r *recorder) mlflow() mlflow.Source {
	m := mlflow.Source{URI: r.cfg.MLflowURI, RunID: r.cfg.MLflowRun, Anonymous: r.anonymous(), Client: r.client()}
	if r.cfg.registered() {
		m.ModelName, m.ModelVersion = r.cfg.ModelName, r.cfg.ModelVersion
	}
	switch {
	case m.URI == r.cfg.DatabricksHost, isDatabricks(m.URI):
		m.Databricks, m.Token = true, r.databricks().Token
	case strings.HasPrefix(m.URI, "azureml://"):
		m.Token = r.management
	case r.getenv("MLFLOW_TRACKING_TOKEN") != "":
		m.Token = r.variable("MLFLOW_TRACKING_TOKEN")
	case r.getenv("MLFLOW_TRACKING_USERNAME") != "":
		m.User, m.Password = r.variable("MLFLOW_TRACKING_USERNAME"), r.variable("MLFLOW_TRACKING_PASSWORD")
	}
	return m
}

// registered tells whether the model's version is one of MLflow's registry.
func (cfg config) registered() bool {
	return cfg.MLflowURI != "" && cfg.ModelVersion != "" && cfg.AzureML == ""
}

// inMLflow tells whether a model lies on an MLflow server.
func inMLflow(uri string) bool {
	return strings.HasPrefix(uri, "runs:") || strings.HasPrefix(uri, "models:") || strings.HasPrefix(uri, "mlflow-artifacts:")
}

// inDatabricks tells whether a model lies in a workspace.
func inDatabricks(uri string) bool {
	return strings.HasPrefix(uri, "dbfs:") || strings.HasPrefix(uri, "/Workspace/") || strings.HasPrefix(uri, "/Volumes/")
}

// isDatabricks tells whether a host, with or without https://, is a workspace of Azure Databricks.
func isDatabricks(host string) bool {
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	return strings.HasPrefix(host, "https://") && isAzures(host)
}

// allowing adds to an MLflow run which inputs the pipeline allows not to be recorded.
type allowing struct {
	provenance.Source
	inputs []string
}

func (a allowing) Collect(ctx context.Context) (provenance.Evidence, error) {
	e, err := a.Source.Collect(ctx)
	if err != nil || len(a.inputs) == 0 {
		return e, err
	}
	var all provenance.Several
	for _, one := range flatten(e) {
		if run, is := one.(provenance.MLflowRun); is {
			run.Allowed = a.inputs
			run.Grounds = run.With("allowed", provenance.Declared)
			one = run
		}
		all = append(all, one)
	}
	return all, nil
}

// flatten lists evidence one by one.
func flatten(e provenance.Evidence) []provenance.Evidence {
	several, is := e.(provenance.Several)
	if !is {
		return []provenance.Evidence{e}
	}
	var all []provenance.Evidence
	for _, one := range several {
		all = append(all, flatten(one)...)
	}
	return all
}

func (r *recorder) azureML() azureml.Source {
	return azureml.Source{Workspace: r.cfg.AzureML, ModelName: r.cfg.ModelName, ModelVersion: r.cfg.ModelVersion, Token: r.scoped, Cloud: r.c.String("cloud"),
		Anonymous: r.anonymous(), Client: r.client()}
}

// What --azure-devops says, beside the URL of a collection.
const (
	azureDevOpsAuto  = "auto"
	azureDevOpsNever = "never"
)

// sourceHosts are Azure DevOps, which knows the build, and the host of the repository, which knows who brought the commit: in a
// pipeline, where a token lets us ask.
func (r *recorder) sourceHosts() (all []provenance.Source, err error) {
	if r.getenv("TF_BUILD") == "" {
		return nil, nil
	}
	switch {
	case r.cfg.AzureDevOps == azureDevOpsNever:
	case r.getenv("SYSTEM_ACCESSTOKEN") == "":
		r.say("warning: Azure DevOps is not asked about the build: SYSTEM_ACCESSTOKEN is not set\n" +
			"hint: map $(System.AccessToken) to it in the step's env:, or give --azure-devops never")
	default:
		devops, err := r.azureDevOps()
		if err != nil {
			return nil, err
		}
		all = append(all, devops)
	}
	if r.getenv("GITHUB_TOKEN") != "" && r.ofGitHub() {
		all = append(all, github.Source{API: r.cfg.GitHubAPI, Repository: r.getenv("BUILD_REPOSITORY_NAME"), Commit: r.getenv("BUILD_SOURCEVERSION"),
			Ref: r.getenv("BUILD_SOURCEBRANCH"), Token: r.variable("GITHUB_TOKEN"), Anonymous: r.anonymous(), Client: r.client()})
	}
	return all, nil
}

// azureDevOps asks with the job's own token, which goes to Microsoft's hosts, or to the collection that a flag names: a variable can
// be set by any earlier step.
func (r *recorder) azureDevOps() (azuredevops.Source, error) {
	collection := r.cfg.AzureDevOps
	if collection == "" || collection == azureDevOpsAuto {
		collection = r.getenv("SYSTEM_COLLECTIONURI")
		if u, err := url.Parse(collection); err != nil || u.Scheme != "https" || u.Host != "dev.azure.com" && !strings.HasSuffix(u.Host, ".visualstudio.com") {
			return azuredevops.Source{}, provenance.Misuse("of a server of your own, give the collection's URL as --azure-devops; or --azure-devops never",
				"SYSTEM_COLLECTIONURI is not an organisation at dev.azure.com, so the job's token is not sent there")
		}
	}
	d := azuredevops.Source{Collection: collection, Project: r.getenv("SYSTEM_TEAMPROJECT"), BuildID: r.getenv("BUILD_BUILDID"),
		RepositoryProvider: r.getenv("BUILD_REPOSITORY_PROVIDER"), RepositoryID: r.getenv("BUILD_REPOSITORY_ID"), Commit: r.getenv("BUILD_SOURCEVERSION"),
		Token: r.variable("SYSTEM_ACCESSTOKEN"), Anonymous: r.anonymous(), Client: r.client()}
	if strings.EqualFold(r.getenv("SYSTEM_HOSTTYPE"), "release") {
		d.ReleaseID = r.getenv("RELEASE_RELEASEID")
	}
	if uri := r.getenv("SYSTEM_OIDCREQUESTURI"); uri != "" {
		d.OIDC = &azuredevops.OIDCRequest{URI: uri, ServiceConnection: r.getenv("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")}
	}
	return d, nil
}

// checkServices refuses flags that do not go together.
func (cfg config) checkServices() error {
	switch {
	case cfg.DatabricksRun != "" && cfg.DatabricksHost == "":
		return provenance.Misuse("give --databricks-host", "a Databricks run is named, but no workspace")
	case cfg.DatabricksHost != "" && cfg.DatabricksRun == "" && cfg.MLflowURI != cfg.DatabricksHost && !slices.ContainsFunc(cfg.Model, inDatabricks):
		return provenance.Misuse("give --databricks-run", "a Databricks workspace is named, but no run")
	case cfg.DatabricksID != "" && cfg.DatabricksHost == "", cfg.DatabricksFile != "" && cfg.DatabricksRun == "":
		return provenance.Misuse("give --databricks-host and --databricks-run", "something is said of a Databricks run, but none is named")
	case cfg.MLflowRun != "" && cfg.MLflowURI == "":
		return provenance.Misuse("give --mlflow-uri", "an MLflow run is named, but no server")
	case cfg.AzureML != "" && (cfg.ModelName == "" || cfg.ModelVersion == ""):
		return provenance.Misuse("give --model-name and --model-version", "an Azure ML workspace is named, but not which version of which model")
	case cfg.AzureML != "" && strings.HasPrefix(cfg.ModelVersion, "@"):
		return provenance.Misuse("give the version's number", "Azure ML has no aliases")
	case cfg.MLflowURI == "" && strings.HasPrefix(cfg.ModelVersion, "@"):
		return provenance.Misuse("give --mlflow-uri, or the version's number", "the model's version is an alias, but no registry that knows it is named")
	case cfg.MLflowURI != "" && cfg.MLflowRun == "" && !cfg.registered() && !slices.ContainsFunc(cfg.Model, inMLflow):
		return provenance.Misuse("give --mlflow-run, or --model-name and --model-version", "an MLflow server is named, but nothing to ask it for")
	case cfg.MLflowURI != "" && cfg.ModelVersion != "" && cfg.ModelName == "":
		return provenance.Misuse("give --model-name: what it is called in the registry", "the version of a registered model is named, but not the model")
	case len(cfg.AllowInput) > 0 && cfg.MLflowRun == "":
		return provenance.Misuse("give --mlflow-uri and --mlflow-run", "inputs are allowed not to be recorded, but no run that logged any is named")
	case cfg.People != "" && cfg.People != peopleFull && cfg.People != peopleID:
		return provenance.Misuse("", "--people is %q; it is full or id", cfg.People)
	}
	return nil
}

// checkAsked refuses a source that is asked for, and that this process could not ask: it would silently be left out.
func (r *recorder) checkAsked() error {
	if err := r.checkWait(); err != nil {
		return err
	}
	if api := r.cfg.GitHubAPI; api != "" {
		if err := r.inPipeline("--github-api", "GITHUB_TOKEN"); err != nil {
			return err
		}
		if !r.ofGitHub() {
			return provenance.Misuse("leave --github-api out", "--github-api is given, but BUILD_REPOSITORY_PROVIDER does not say that the repository is on GitHub")
		}
	}
	switch devops := r.cfg.AzureDevOps; {
	case devops == "", devops == azureDevOpsAuto, devops == azureDevOpsNever:
		return nil
	case !isURL(devops):
		return provenance.Misuse("", "--azure-devops is not understood; it is auto, never, or an URL")
	}
	return r.inPipeline("--azure-devops", "SYSTEM_ACCESSTOKEN")
}

// inPipeline refuses a flag that needs a pipeline, and a token in it.
func (r *recorder) inPipeline(flag, token string) error {
	switch {
	case r.getenv("TF_BUILD") == "":
		return provenance.Misuse("leave it out, or run in a pipeline", "%s is for a pipeline, and TF_BUILD is not set", flag)
	case r.getenv(token) == "":
		return provenance.Misuse("map the secret to "+token+" in the step's env:", "%s needs a token, and %s is not set", flag, token)
	}
	return nil
}

func (r *recorder) ofGitHub() bool {
	return strings.HasPrefix(r.getenv("BUILD_REPOSITORY_PROVIDER"), "GitHub")
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// checkWait refuses to wait for nothing, and longer than there is time.
func (r *recorder) checkWait() error {
	wait, timeout := r.c.Duration("wait"), r.c.Duration("timeout")
	switch {
	case !r.c.IsSet("wait"):
		return nil
	case r.cfg.DatabricksRun == "":
		return provenance.Misuse("give --databricks-host and --databricks-run", "--wait is given, but no run to wait for")
	case wait < 0:
		return provenance.Misuse("", "--wait cannot be negative")
	case wait >= timeout:
		return provenance.Misuse("the rest of the work needs time, too", "--wait %s needs a longer --timeout than %s: give --timeout %s",
			brief(wait), brief(timeout), brief(wait+time.Hour))
	}
	return nil
}

// brief is a duration as people write it: 2h, not 2h0m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
