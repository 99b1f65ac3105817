package provtest

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/internal/azuremldouble"
	"github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/devopsdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/githubdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/mlflowdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/vaultdouble"
)

// Services are doubles of all places that record can ask: a Databricks workspace, an MLflow server, Azure ML, Azure DevOps, GitHub, and
// Entra. They know one night: run 9007199254740993 of a notebook trained the model mortgage 7, a build put it into an image, and Ada
// pushed the commit, which Grace reviewed. Each has planted secrets in its answers.
type Services struct {
	Databricks *databricksdouble.Workspace
	MLflow     *mlflowdouble.Server
	AzureML    *azuremldouble.Workspace
	DevOps     *devopsdouble.Collection
	GitHub     *githubdouble.API
	vault      *vaultdouble.Vault
}

// Night is what differs from one night to another.
type Night struct {
	Commit   string // that was built
	Notebook string // the source that ran
	Model    []byte // in DBFS and on the MLflow server
	Latency  time.Duration
}

// The names of the night's things.
const (
	NightRun       = azuremldouble.DatabricksRun
	NightTracked   = azuremldouble.RunID
	NightWorkspace = azuremldouble.ID
	NightProject   = devopsdouble.Project
)

// planted are secrets in answers of the services, and in what the run was given.
const planted = "planted-parameter-secret"

// StartServices runs them until the test ends.
func StartServices(t testing.TB, n Night) *Services {
	t.Helper()
	s := &Services{AzureML: azuremldouble.New(t), DevOps: devopsdouble.New(t), GitHub: githubdouble.New(t), MLflow: mlflowdouble.New(t)}
	s.Databricks = databricksdouble.New(t, nightRun())
	s.Databricks.Export(nightTask, "python", strings.TrimPrefix(n.Notebook, "# Databricks notebook source\n"))
	s.Databricks.PutFile("/models/model.bin", databricksdouble.File{Data: n.Model, Modified: 1763863200000})
	s.MLflow.PutRun(nightTracked(n))
	s.built(n.Commit)
	s.GitHub.Commit["sha"] = n.Commit
	s.GitHub.Commit["html_url"] = "https://github.com/" + githubdouble.Repository + "/commit/" + n.Commit
	for _, a := range s.GitHub.Activity {
		if a["after"] == githubdouble.Commit {
			a["after"] = n.Commit
		}
	}
	s.slow(n.Latency)
	s.vault = vaultdouble.Start(t, vaultdouble.Config{
		Audiences: []string{"https://management.azure.com", storageAudience},
		Others: map[string]http.Handler{"management.azure.com": loggedIn(t, s.AzureML.ARM, azuremldouble.Token, n.Latency),
			"westeurope.api.azureml.ms": loggedIn(t, s.AzureML.API, azuremldouble.Token, n.Latency)},
	})
	return s
}

const nightTask = 81463

func nightRun() databricksdouble.Run {
	const run = 9007199254740993
	return databricksdouble.Run{ID: run, Fields: map[string]any{
		"run_name": "nightly", "start_time": 1763863260000, "end_time": 1763864400000, "run_page_url": "",
		"job_parameters": []any{map[string]any{"name": "db_password", "value": planted}},
		"tasks": []any{map[string]any{"task_key": "train", "run_id": nightTask, "attempt_number": 0, "existing_cluster_id": "0923-164208-meows279",
			"notebook_task": map[string]any{"notebook_path": "/Shared/train", "source": "WORKSPACE", "base_parameters": map[string]any{"area": "north", "sas_token": "sv=1&sig=" + planted}},
			"status":        map[string]any{"state": "TERMINATED", "termination_details": map[string]any{"code": "SUCCESS", "type": "SUCCESS"}},
			"libraries":     []any{map[string]any{"pypi": map[string]any{"package": "scikit-learn==1.5.0"}}}}}}}
}

func nightTracked(n Night) mlflowdouble.Run {
	value := func(v any, step int64) mlflowdouble.Value {
		return mlflowdouble.Value{Value: v, Step: step, At: 1763864000000 + step}
	}
	return mlflowdouble.Run{ID: NightTracked, Info: map[string]any{"start_time": 1763863300000, "end_time": 1763864300000},
		Metrics: map[string][]mlflowdouble.Value{"auc": {value(0.79, 1), value(0.8123, 2)}, "loss": {value("NaN", 1)},
			"tuned": {{Value: 0.9999, Step: 3, At: 1763864900000}}}, // ten minutes after the run had ended
		Params: map[string]string{"max_depth": "7", "db_password": planted},
		Tags:   map[string]string{"mlflow.user": "ada@contoso.com", "mlflow.runName": "nightly of Ada Lovelace", "asked": "Grace Hopper", "mlflow.source.git.commit": n.Commit},
		Files:  map[string]string{"roc.json": `{"auc":0.8123}`, "model.bin": string(n.Model)}}
}

// built lets Azure DevOps know the commit.
func (s *Services) built(commit string) {
	s.DevOps.Build["sourceVersion"] = commit
	s.DevOps.Claims["rpo_ver"] = commit
	s.DevOps.Claims["iat"], s.DevOps.Claims["exp"] = time.Now().Add(-time.Minute).Unix(), time.Now().Add(9*time.Minute).Unix()
	s.DevOps.Commit["commitId"] = commit
	s.DevOps.Changes[0]["id"] = commit
	s.DevOps.Pulls[0]["lastMergeCommit"] = map[string]any{"commitId": commit}
}

func (s *Services) slow(latency time.Duration) {
	s.Databricks.Latency, s.DevOps.Latency, s.GitHub.Latency = latency, latency, latency
	s.MLflow.Latency = latency
}

// loggedIn hands requests on that come with the token of the double of Entra, whose check they have passed already.
func loggedIn(t testing.TB, to, token string, latency time.Duration) http.Handler {
	t.Helper()
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		time.Sleep(latency)
		r.SetURL(at)
		r.Out.Header.Set("Authorization", "Bearer "+token)
	}}
}

// Env are the variables of a job of the night's pipeline.
func (s *Services) Env(commit string) map[string]string {
	env := s.vault.Env()
	for name, value := range map[string]string{
		"DATABRICKS": s.Databricks.URL, "MLFLOW": s.MLflow.URL, "DEVOPS": s.DevOps.URL, "GITHUB": s.GitHub.URL, "GITHUBTOKEN": githubdouble.Token, "AZUREML": NightWorkspace,
		"DATABRICKS_TOKEN": databricksdouble.Token, "MLFLOW_TRACKING_TOKEN": mlflowdouble.Token, "SYSTEM_ACCESSTOKEN": devopsdouble.Token,
		"TF_BUILD": "True", "SYSTEM_COLLECTIONURI": s.DevOps.URL + "/", "SYSTEM_TEAMPROJECT": NightProject, "SYSTEM_DEFINITIONID": fmt.Sprint(devopsdouble.DefinitionID),
		"BUILD_BUILDID": fmt.Sprint(devopsdouble.BuildID), "BUILD_REASON": "Schedule", "BUILD_SOURCEBRANCH": "refs/heads/main", "BUILD_SOURCEVERSION": commit,
		"BUILD_REPOSITORY_PROVIDER": "TfsGit", "BUILD_REPOSITORY_ID": devopsdouble.RepositoryID, "BUILD_REPOSITORY_URI": s.DevOps.URL + "/Mortgage%20ML/_git/mortgage",
		"AGENT_ISSELFHOSTED": "0", "BUILD_REPOSITORY_NAME": githubdouble.Repository,
		"SYSTEM_OIDCREQUESTURI": strings.TrimSuffix(s.DevOps.URL, "/contoso") + devopsdouble.OIDCPath,
	} {
		env[name] = value
	}
	return env
}

// Secrets must never be repeated by anybody: the credentials, and what is planted in answers.
func (s *Services) Secrets() []string {
	all := append(s.vault.Secrets(), databricksdouble.Token, mlflowdouble.Token, devopsdouble.Token, githubdouble.Token, devopsdouble.Signature, planted,
		"planted-parameter", "planted-variable", "planted-release", "planted-oidc-signature", "cGxhbnRlZC1zaWduYXR1cmU")
	return append(all, azuremldouble.Secrets...)
}
