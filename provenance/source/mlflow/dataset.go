package mlflow

import (
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// datasetInput is a dataset that a run logged, and what for.
// Source: https://mlflow.org/docs/latest/rest-api.html#datasetinput
type datasetInput struct {
	Tags    []mlflowPair `json:"tags"`
	Dataset struct {
		Name       string `json:"name"`
		Digest     string `json:"digest"`
		SourceType string `json:"source_type"`
		Source     string `json:"source"` // JSON, by type
	} `json:"dataset"`
}

// mlflowSource is what is read of a dataset's source, whatever its type: to_dict in mlflow/data/*_dataset_source.py, mlflow/mlflow.
// Of "code" and of a query nothing is read that one could find the data by.
type mlflowSource struct {
	URI     string              `json:"uri"` // local, and every kind of blob storage, whose type is the URI's scheme
	URL     string              `json:"url"` // http
	Path    string              `json:"path"`
	Table   string              `json:"table_name"`
	Delta   string              `json:"delta_table_name"`
	Version foreign.LooseNumber `json:"delta_table_version"`
}

// datasets are the inputs, as they are recorded.
func datasets(inputs []datasetInput) []provenance.Dataset {
	var all []provenance.Dataset
	for _, in := range inputs {
		d := provenance.Dataset{Name: foreign.Plain(in.Dataset.Name), Claimed: foreign.Plain(in.Dataset.Digest), Kind: foreign.Plain(in.Dataset.SourceType)}
		d.Source, d.Version = datasetSource(in.Dataset.Source)
		for _, tag := range in.Tags {
			if tag.Key == "mlflow.data.context" {
				d.Role = foreign.Plain(tag.Value)
			}
		}
		all = append(all, d)
	}
	return all
}

// datasetSource finds where a dataset lies, and the version of its Delta table. What is not written as MLflow's own client
// does says nothing: the stored answer has it.
func datasetSource(text string) (source, version string) {
	var s mlflowSource
	if strictjson.Unmarshal([]byte(text), 64, &s) != nil {
		return "", ""
	}
	for _, place := range []string{s.URI, s.URL, s.Path, s.Delta, s.Table} {
		if place != "" {
			return foreign.Plain(datasetPlace(place)), foreign.Plain(string(s.Version))
		}
	}
	return "", ""
}

// datasetPlace is a URI without what may be secret in it; text that is no URI stays.
func datasetPlace(place string) string {
	if strings.Contains(place, "://") {
		return redact.URL(place)
	}
	return place
}
