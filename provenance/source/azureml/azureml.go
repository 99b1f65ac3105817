// Package azureml asks Azure ML for a version of a model, and for what serves it.
package azureml

import (
	"context"
	"fmt"
	"net/http"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// Source asks an Azure Machine Learning workspace about one version of a registered model: what it is, which run made it, and
// what serves it. Two APIs are asked. Azure Resource Manager (v2) knows models and online endpoints, and needs the role Reader on the
// workspace; the workspace's own API (v1) knows images and the services on ACI and AKS.
//
// A model's tags can be changed by anybody who may write to the workspace, and its properties and datasets are what its author said:
// all three are declared. Its run is the one that registered it, as Azure ML says. When Azure ML names none, the tag run_id stands in
// for it, declared; when there are both, the tag's is recorded beside the other, so that either can be compared with a recorded run.
//
// Sources: https://learn.microsoft.com/rest/api/azureml/model-versions/get (v2) and, for v1, specification/machinelearningservices/
// data-plane/Microsoft.MachineLearningServices/preview/2019-09-30/modelManagement.json of https://github.com/Azure/azure-rest-api-specs.
type Source struct {
	Workspace    string // resource ID: /subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W
	Region       string // of the workspace, as in westeurope; empty: it is asked for first, which takes one answer longer
	ModelName    string
	ModelVersion string
	// Token gives a token of Entra for a scope, which is the address of Azure Resource Manager and "/.default". It is asked before
	// each request. Both APIs want the same.
	Token     func(ctx context.Context, scope string) (string, error)
	Cloud     string // public (or empty), china, usgovernment, or the storage suffix of one of them
	V2Only    bool   // the v1 API is not asked, and the notes say so: for a workspace that it cannot be reached for any more
	Anonymous bool   // leaves names and addresses of people out of the stored answers, and out of the record
	// Client bounds the requests. MaxBody is 4 MiB when it is 0.
	Client ask.Client
	// ARMBase and APIBase stand in for https://management.azure.com and https://REGION.api.azureml.ms. They get tokens.
	ARMBase string
	APIBase string
}

// Limits of what a workspace may answer. An honest page of a list has some dozens of entries.
const (
	maxAMLPages   = 50
	maxAMLBody    = 4 << 20
	maxAMLEntries = 5000 // of one list
	atOnce        = 16   // endpoints whose deployments are asked for at the same time
)

// Collect returns a provenance.RegisteredModel. A version that is not there, or that is not fully registered, is a
// *provenance.Refused with the code model.missing or model.state; a workspace, region, name or token that will not do is a
// *provenance.Misused; every other error, such as answers of the two APIs that contradict each other, means that nobody could tell.
//
// The v1 API may be switched off for a workspace. When all of it is gone (404 or 410) and v2 knows the model, the record says so in
// its notes; when only a part of it fails, that is an error.
func (a Source) Collect(ctx context.Context) (provenance.Evidence, error) {
	w, err := a.asker()
	if err != nil {
		return nil, err
	}
	told, err := w.ask(ctx)
	if err != nil {
		return nil, err
	}
	found, err := w.noun(told)
	if err != nil {
		return nil, err
	}
	if found.Answered, err = w.answered(); err != nil {
		return nil, err
	}
	if told.v1.note != "" {
		found.Notes = []string{told.v1.note}
	}
	return found, nil
}

// amlTold is everything that a workspace told of a model.
type amlTold struct {
	workspace   workspaceAnswer
	version     *amlVersion // nil: v2 does not know it
	deployments []amlDeployment
	v1          amlV1
}

// ask asks at the same time whatever does not depend on another answer.
func (w *amlAsker) ask(ctx context.Context) (told amlTold, err error) {
	var v1Error error
	told.v1.note = w.skipV1
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { told.version, err = w.askVersion(ctx); return err })
	group.Go(func() (err error) { told.deployments, err = w.askDeployments(ctx); return err })
	group.Go(func() (err error) {
		if told.workspace, err = w.askWorkspace(ctx); err == nil && w.region == "" && w.skipV1 == "" {
			told.v1, err = w.askV1(ctx, told.workspace.region())
		}
		return err
	})
	if w.region != "" && w.skipV1 == "" { // its errors are told last: the region may be wrong, which is the better explanation
		group.Go(func() error { told.v1, v1Error = w.askV1(ctx, w.region); return nil })
	}
	if err := group.Wait(); err != nil {
		return told, err
	}
	return told, v1Error
}

// askVersion asks v2 for the model; nil means that it is not there.
func (w *amlAsker) askVersion(ctx context.Context) (*amlVersion, error) {
	var v amlVersion
	raw, err := getAML(w.arm, ctx, "reading "+w.what(), w.id+"/models/"+w.name+"/versions/"+w.version, armQuery(), &v)
	if _, missing := ask.RefusedWith(err, http.StatusNotFound); missing {
		return nil, nil
	}
	if err != nil {
		return nil, w.explain(err)
	}
	if !w.isThisModel(v.ID, "") || v.Name != w.version {
		return nil, w.arm.Nonsense("reading "+w.what(), fmt.Errorf("it is about %q", foreign.Plain(v.ID)))
	}
	v.uri = raw.Properties.ModelURI
	return &v, nil
}

// askWorkspace asks for the workspace itself, and so for its region.
func (w *amlAsker) askWorkspace(ctx context.Context) (workspaceAnswer, error) {
	var told workspaceAnswer
	operation := "reading workspace " + w.workspace
	if _, err := getAML(w.arm, ctx, operation, w.id, armQuery(), &told); err != nil {
		return told, w.explain(err)
	}
	region := told.region()
	switch {
	case !amlRegion().MatchString(region):
		return told, w.arm.Nonsense(operation, fmt.Errorf("its location is %q", foreign.Plain(told.Location)))
	case w.region != "" && w.region != region:
		return told, provenance.Misuse("leave the region out, and it is asked for", "workspace %s is in %s, not in %s", w.workspace, region, w.region)
	}
	return told, nil
}

// askDeployments asks for all online endpoints, and then for the deployments of each.
func (w *amlAsker) askDeployments(ctx context.Context) (all []amlDeployment, err error) {
	endpoints, err := amlList[amlEndpoint](ctx, w.arm, "listing online endpoints", w.id+"/onlineEndpoints", armQuery())
	if err != nil {
		return nil, w.explain(err)
	}
	each := make([][]amlDeployment, len(endpoints))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range endpoints {
		group.Go(func() (err error) { each[i], err = w.deploymentsOf(ctx, endpoints[i]); return err })
	}
	if err := group.Wait(); err != nil {
		return nil, w.explain(err)
	}
	for _, deployments := range each {
		all = append(all, deployments...)
	}
	return all, nil
}

func (w *amlAsker) deploymentsOf(ctx context.Context, e amlEndpoint) ([]amlDeployment, error) {
	if !amlName().MatchString(e.Name) {
		return nil, w.arm.Nonsense("listing online endpoints", fmt.Errorf("an endpoint is called %q", foreign.Plain(e.Name)))
	}
	deployments, err := amlList[amlDeployment](ctx, w.arm, "listing deployments of "+e.Name, w.id+"/onlineEndpoints/"+e.Name+"/deployments", armQuery())
	for i := range deployments {
		deployments[i].endpoint = e
	}
	return deployments, err
}
