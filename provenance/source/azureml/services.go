package azureml

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// services are all images, services and deployments of the model, sorted.
func (w *amlAsker) services(told amlTold) (all []provenance.ModelService, err error) {
	for _, d := range told.deployments {
		if !w.isThisModel(d.Properties.Model, told.workspace.Properties.WorkspaceID) {
			continue
		}
		s, err := w.deployment(d)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	for _, i := range told.v1.images {
		if !w.names(i.ModelIDs, i.ModelDetails) {
			continue
		}
		s := provenance.ModelService{Kind: "image", Name: foreign.Plain(cmp.Or(i.ID, i.Name)), Image: amlPlain(i.ImageLocation), Digest: foreign.Plain(i.Digest), State: foreign.Plain(i.CreationState)}
		if s.Created, err = amlTime(i.CreatedTime); err != nil {
			return nil, w.v1.Nonsense("listing images", err)
		}
		all = append(all, s)
	}
	for _, s := range told.v1.services {
		found, err := w.webServices("", s)
		if err != nil {
			return nil, w.v1.Nonsense("listing services", err)
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b provenance.ModelService) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

func (w *amlAsker) deployment(d amlDeployment) (provenance.ModelService, error) {
	e := d.endpoint
	s := provenance.ModelService{Kind: "deployment", Name: foreign.Plain(e.Name + "/" + d.Name), Compute: foreign.Plain(d.Properties.ComputeType),
		URI: amlPlain(e.Properties.ScoringURI), Traffic: e.Properties.Traffic[d.Name], State: foreign.Plain(d.Properties.ProvisioningState),
		Environment: foreign.Plain(d.Properties.EnvironmentID), Creator: person(d.SystemData.CreatedBy, "")}
	if compute := e.Properties.Compute; compute != "" {
		s.Compute = strings.TrimSpace(s.Compute + " " + foreign.Plain(compute[strings.LastIndex(compute, "/")+1:]))
	}
	var err error
	if s.Created, err = amlTime(d.SystemData.CreatedAt); err != nil {
		return s, w.arm.Nonsense("listing deployments of "+foreign.Plain(e.Name), err)
	}
	return s, nil
}

// webServices are a service that has the model, or the versions of an endpoint that have it.
func (w *amlAsker) webServices(endpoint string, s amlWebService) (all []provenance.ModelService, err error) {
	versions := s.Variants
	for _, name := range slices.Sorted(maps.Keys(s.Versions)) {
		version := s.Versions[name]
		version.Name = cmp.Or(version.Name, name)
		versions = append(versions, version)
	}
	if len(versions) == 0 {
		return w.webService(endpoint, s)
	}
	if endpoint != "" {
		return nil, fmt.Errorf("the endpoint %q lies in another one", foreign.Plain(s.Name))
	}
	for _, version := range versions {
		version.ScoringURI, version.ComputeName = cmp.Or(version.ScoringURI, s.ScoringURI), cmp.Or(version.ComputeName, s.ComputeName)
		found, err := w.webServices(s.Name+"/", version)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (w *amlAsker) webService(endpoint string, s amlWebService) ([]provenance.ModelService, error) {
	image, ids := amlImage{}, []string(nil)
	if s.ImageDetails != nil {
		image, ids = *s.ImageDetails, s.ImageDetails.ModelIDs
	}
	if !w.names(ids, slices.Concat(s.Models, image.ModelDetails)) {
		return nil, nil
	}
	if s.ImageDigest != "" && image.Digest != "" && s.ImageDigest != image.Digest {
		return nil, fmt.Errorf("the service %q has two image digests", foreign.Plain(s.Name))
	}
	out := provenance.ModelService{Kind: "service", Name: foreign.Plain(endpoint + s.Name), Compute: foreign.Plain(strings.TrimSpace(s.ComputeType + " " + s.ComputeName)),
		Image: amlPlain(cmp.Or(image.ImageLocation, s.ImageID)), Digest: foreign.Plain(cmp.Or(s.ImageDigest, image.Digest)), URI: amlPlain(s.ScoringURI),
		State: foreign.Plain(s.State), Creator: person(s.CreatedBy.Name, s.CreatedBy.ObjectID)}
	if s.TrafficPercentile >= 0 && s.TrafficPercentile <= 100 {
		out.Traffic = int(math.Round(s.TrafficPercentile))
	}
	var err error
	out.Created, err = amlTime(s.CreatedTime)
	return []provenance.ModelService{out}, err
}
