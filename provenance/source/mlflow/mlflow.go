// Package mlflow asks an MLflow server, which can be that of Databricks, Unity Catalog or Azure ML, for a run and for a
// registered model.
package mlflow

import (
	"context"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"golang.org/x/sync/errgroup"
)

// Source asks an MLflow tracking server about a run, a version of a registered model, or both: a plain server, the one in a
// Databricks workspace, or the one of an Azure Machine Learning workspace. Only a run that FINISHED and a version that is
// READY are evidence.
// Source: https://mlflow.org/docs/latest/rest-api.html
type Source struct {
	// URI is the server's: https://HOST/PREFIX, http on loopback addresses only; for Databricks, the workspace's; for Azure ML
	// azureml://REGION.api.azureml.ms/mlflow/v1.0/subscriptions/…/workspaces/NAME, as the workspace calls it.
	URI   string
	RunID string // 32 hex digits; what else the server calls its runs. Empty: no run is asked for
	// ModelName is the registered model's; CATALOG.SCHEMA.NAME in Unity Catalog. Empty: none is asked for.
	ModelName    string
	ModelVersion string // a number, or "@ALIAS"
	// User and Password, or else Token, are the credential, in this order as MLflow's client has it; a plain server may ask for
	// none. They are asked before each request.
	Token    ask.Token
	User     ask.Token
	Password ask.Token
	// Databricks says that URI is a Databricks workspace's, where its host does not say so.
	Databricks bool
	// Anonymous leaves people's names and addresses out of what is stored.
	Anonymous bool
	Client    ask.Client
}

// Collect returns a provenance.MLflowRun, a provenance.RegisteredModel, or provenance.Several of both. What it looked at and
// does not hold is a *provenance.Refused: a run that still runs, failed, was deleted or is not there (mlflow.running,
// mlflow.result, mlflow.deleted, mlflow.missing), artifacts that change while they are read (mlflow.changed), and a version
// that is not ready or not there (model.pending, model.failed, model.missing). An address, id or credential that will not do is
// a *provenance.Misused. Every other error means that nobody could tell.
func (m Source) Collect(ctx context.Context) (provenance.Evidence, error) {
	if m.RunID == "" && m.ModelName == "" {
		return nil, provenance.Misuse("give the id of a run, or the name and version of a registered model", "MLflow is asked for nothing")
	}
	if err := m.checkNames(); err != nil {
		return nil, err
	}
	var found provenance.Several
	var run, model provenance.Evidence
	group, ctx := errgroup.WithContext(ctx)
	if m.RunID != "" {
		group.Go(func() (err error) { run, err = m.collectRun(ctx); return })
	}
	if m.ModelName != "" {
		group.Go(func() (err error) { model, err = m.collectModel(ctx); return })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, e := range []provenance.Evidence{run, model} {
		if e != nil {
			found = append(found, e)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return found, nil
}
