package azureml

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// The answers of the workspace's own API, as far as they are read. What the specification of 2019-09-30 lacks, such as createdBy,
// digest and imageDigest, is as the client azureml-core 1.61 reads it.

type amlModel struct {
	ID             string            `json:"id"` // NAME:VERSION
	Name           string            `json:"name"`
	Version        json.Number       `json:"version"`
	URL            string            `json:"url"`
	Tags           map[string]string `json:"kvTags"`
	Properties     map[string]string `json:"properties"`
	ExperimentName string            `json:"experimentName"`
	RunID          string            `json:"runId"`
	Datasets       []dataset         `json:"datasets"`
	CreatedBy      amlUser           `json:"createdBy"`
	CreatedTime    string            `json:"createdTime"`
	ModifiedTime   string            `json:"modifiedTime"`

	url string // as it came
}

// dataset names a dataset by an id of its own; where its files lie is not said. Name is what it was used for: training, …
type dataset struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

type amlUser struct {
	ObjectID string `json:"userObjectId"`
	Name     string `json:"userName"`
}

// amlAsset is what the url of a model points to: files that were uploaded or logged together.
type amlAsset struct {
	Artifacts []struct {
		ID     string `json:"id"`     // ORIGIN/CONTAINER/PATH of one file
		Prefix string `json:"prefix"` // the same, of a file or a folder
	} `json:"artifacts"`
}

type amlImage struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Digest        string    `json:"digest"`
	ImageLocation string    `json:"imageLocation"`
	CreationState string    `json:"creationState"`
	ModelIDs      []string  `json:"modelIds"`
	ModelDetails  []modelID `json:"modelDetails"`
	CreatedTime   string    `json:"createdTime"`
}

type modelID struct {
	ID string `json:"id"`
}

// amlWebService is a service on ACI or AKS, or an AKS endpoint of several versions, which are services themselves.
type amlWebService struct {
	Name              string    `json:"name"`
	ComputeType       string    `json:"computeType"` // ACI, AKS, AKSENDPOINT, …
	ComputeName       string    `json:"computeName"`
	State             string    `json:"state"`
	ImageID           string    `json:"imageId"`
	ImageDigest       string    `json:"imageDigest"`
	ImageDetails      *amlImage `json:"imageDetails"`
	Models            []modelID `json:"models"`
	ScoringURI        string    `json:"scoringUri"`
	TrafficPercentile float64   `json:"trafficPercentile"`
	CreatedBy         amlUser   `json:"createdBy"`
	CreatedTime       string    `json:"createdTime"`

	Versions map[string]amlWebService `json:"versions"`
	Variants []amlWebService          `json:"variants"`
}

// amlV1 is what the v1 API told. Without a model, note says why it told nothing.
type amlV1 struct {
	model    *amlModel
	asset    *amlAsset // that the model's url points to, if it does
	images   []amlImage
	services []amlWebService
	missing  bool // it answers, but has no such model
	note     string
}

// v1Query names the version of the API.
func v1Query(filters ...string) url.Values {
	query := url.Values{"api-version": {"2019-11-01"}}
	for i := 0; i+1 < len(filters); i += 2 {
		query.Set(filters[i], filters[i+1])
	}
	return query
}

// v1ID is how v1 calls the model.
func (w *amlAsker) v1ID() string { return w.name + ":" + w.version }

// askV1 asks the workspace's own API about the model, its images and its services.
func (w *amlAsker) askV1(ctx context.Context, region string) (told amlV1, err error) {
	if w.v1, err = w.newV1(region); err != nil {
		return told, err
	}
	base := "/modelmanagement/v1.0" + w.id
	var gone [3]error // an answer of 404 or 410 is no failure yet: it depends on the others
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return setAside(&gone[0], w.askV1Model(ctx, base, &told)) })
	group.Go(func() (err error) {
		told.images, err = amlList[amlImage](ctx, w.v1, "listing images", base+"/images", v1Query("modelId", w.v1ID(), "expand", "true"))
		return setAside(&gone[1], err)
	})
	group.Go(func() (err error) {
		told.services, err = amlList[amlWebService](ctx, w.v1, "listing services", base+"/services", v1Query("modelId", w.v1ID(), "expand", "true"))
		return setAside(&gone[2], err)
	})
	if err := group.Wait(); err != nil {
		return told, err
	}
	return told, w.weigh(&told, gone)
}

// setAside keeps an answer that says that nothing is there for later, and returns every other error.
func setAside(place *error, err error) error {
	if _, gone := ask.RefusedWith(err, http.StatusNotFound, http.StatusGone); gone {
		*place = err
		return nil
	}
	return err
}

// weigh decides what it means that something was not there. When all is gone, there is no v1 any more. A model may be missing, and one
// whose version is no number has to be. A list cannot.
func (w *amlAsker) weigh(told *amlV1, gone [3]error) error {
	if gone[0] != nil && gone[1] != nil && gone[2] != nil {
		status, _ := ask.RefusedWith(gone[0], http.StatusNotFound, http.StatusGone)
		told.note = fmt.Sprintf("the v1 API of the workspace is gone (status %d): images, services and datasets are not known", status.Status)
		return nil
	}
	if told.missing = gone[0] != nil; told.missing && !allDigits(w.version) {
		told.note = "the v1 API knows no versions that are not numbers: datasets are not known"
	}
	return cmp.Or(gone[1], gone[2])
}

// allDigits tells whether s is a number, of any length.
func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// askV1Model asks for the model, and for the asset that its url names.
func (w *amlAsker) askV1Model(ctx context.Context, base string, told *amlV1) error {
	var m amlModel
	operation := "reading " + w.what()
	raw, err := getAML(w.v1, ctx, operation, base+"/models/"+w.v1ID(), v1Query(), &m)
	if err != nil {
		return err
	}
	m.url = raw.URL
	if m.ID != w.v1ID() || m.Name != w.name || m.Version.String() != w.version {
		return w.v1.Nonsense(operation, fmt.Errorf("it is about %q", foreign.Plain(m.ID)))
	}
	if id, isAsset := strings.CutPrefix(m.url, "aml://asset/"); isAsset {
		asset, err := w.askAsset(ctx, base, id)
		if err != nil {
			return err
		}
		told.asset = asset
	}
	told.model = &m
	return nil
}

// askAsset asks for an asset. One that is not there is no sign that the API is gone.
func (w *amlAsker) askAsset(ctx context.Context, base, id string) (*amlAsset, error) {
	operation := "reading the asset of " + w.what()
	if !amlName().MatchString(id) {
		return nil, w.v1.Nonsense(operation, fmt.Errorf("it is called %q", foreign.Plain(id)))
	}
	var asset amlAsset
	if _, err := getAML(w.v1, ctx, operation, base+"/assets/"+id, v1Query(), &asset); err != nil {
		var aside error
		if setAside(&aside, err) == nil {
			return nil, fmt.Errorf("%w; the model's url names it", hidden{err})
		}
		return nil, err
	}
	return &asset, nil
}

// hidden is an error that is not asked for its status.
type hidden struct{ error }

// names tells whether a list of models has this one. A list that is not there leaves it to the filter that was asked with.
func (w *amlAsker) names(ids []string, details []modelID) bool {
	for _, d := range details {
		ids = append(slices.Clip(ids), d.ID)
	}
	return len(ids) == 0 || slices.Contains(ids, w.v1ID())
}
