// Package source is the folder of the places that know how a model came about, one package for each: git, pipeline, databricks, mlflow,
// azureml, azuredevops, github. The type Source of each implements provenance.Source. Azure Resource Manager, package arm, is asked about
// the container of each data folder, and so gives no evidence of its own. The package itself holds what a caller hands to all of them.
//
// A source returns everything that it was asked for, or an error: absence is never success. What it returns says how it is
// known (provenance.Basis), and holds no secrets.
package source

import "github.com/seed-3480f271/provenance/provenance/source/internal/ask"

// Token gives a credential of a service: what stands behind "Bearer". It is asked before each request.
type Token = ask.Token

// Client says how services are asked over HTTP; its zero value is fit for use.
type Client = ask.Client
