package mlflow

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// mlflowVersion is a version of a registered model, in MLflow's own registry or in Unity Catalog.
// Sources: https://mlflow.org/docs/latest/rest-api.html#modelversion and
// https://docs.databricks.com/api/workspace/modelversions/get
type mlflowVersion struct {
	Name      string              `json:"name"`
	Version   foreign.LooseNumber `json:"version"`
	Stage     string              `json:"current_stage"`
	Status    string              `json:"status"`
	Message   string              `json:"status_message"`
	Source    string              `json:"source"`
	RunID     string              `json:"run_id"`
	UserID    string              `json:"user_id"`
	Tags      []mlflowPair        `json:"tags"`
	Created   foreign.LooseNumber `json:"creation_timestamp"`
	Updated   foreign.LooseNumber `json:"last_updated_timestamp"`
	Aliases   []aliasName         `json:"aliases"`
	Model     string              `json:"model_name"` // from here on: Unity Catalog
	Catalog   string              `json:"catalog_name"`
	Schema    string              `json:"schema_name"`
	Storage   string              `json:"storage_location"`
	CreatedBy string              `json:"created_by"`
	CreatedAt foreign.LooseNumber `json:"created_at"`
	UpdatedAt foreign.LooseNumber `json:"updated_at"`
}

// aliasName is an alias: text in MLflow, an object in Unity Catalog.
type aliasName string

func (a *aliasName) UnmarshalJSON(data []byte) error {
	var object struct {
		Name string `json:"alias_name"`
	}
	if err := json.Unmarshal(data, (*string)(a)); err == nil {
		return nil
	}
	err := json.Unmarshal(data, &object)
	*a = aliasName(object.Name)
	return err
}

// collectModel asks for the version of the registered model.
func (m Source) collectModel(ctx context.Context) (provenance.Evidence, error) {
	a, err := m.asking()
	if err != nil {
		return nil, err
	}
	found, err := a.registered(ctx, m.ModelName, m.ModelVersion)
	if err != nil {
		return nil, err
	}
	found.Answered, err = a.Answered(fmt.Sprintf("%s-model-%s-%s.json", found.Registry, found.Name, found.Version))
	return found, err
}

// registered asks for one version; an alias is resolved now.
func (a *mlflowAsking) registered(ctx context.Context, name, version string) (provenance.RegisteredModel, error) {
	v, err := a.version(ctx, name, version)
	if err != nil {
		return provenance.RegisteredModel{}, err
	}
	found, err := v.noun(a.registryOf(name))
	if err != nil {
		return found, a.Nonsense(readingVersion(name, version), err)
	}
	found.URI = foreign.Plain(a.base)
	if strings.HasPrefix(version, "@") {
		found.AskedAs = foreign.Plain(version[1:])
	}
	return found, nil
}

// registryOf: names with two dots are Unity Catalog's, on Databricks.
func (a *mlflowAsking) registryOf(name string) string {
	if a.kind == databricksMLflow && strings.Count(name, ".") == 2 {
		return "unity-catalog"
	}
	return "mlflow"
}

func readingVersion(name, version string) string {
	return fmt.Sprintf("reading version %s of model %s", foreign.Plain(version), foreign.Plain(name))
}

// version asks for one version, and refuses one that is not ready.
func (a *mlflowAsking) version(ctx context.Context, name, version string) (mlflowVersion, error) {
	ask := a.versionInMLflow
	if a.registryOf(name) == "unity-catalog" {
		ask = a.versionInCatalog
	}
	v, err := ask(ctx, readingVersion(name, version), name, version)
	if gone(err) {
		return v, provenance.Refuse("model.missing", "register it first; or is it in another registry or workspace?",
			"%s has no version %s of model %s at %s", a.Service, foreign.Plain(version), foreign.Plain(name), a.base)
	}
	if err != nil {
		return v, err
	}
	return v, a.ready(name, version, v)
}

func (a *mlflowAsking) versionInMLflow(ctx context.Context, operation, name, version string) (mlflowVersion, error) {
	var answer struct {
		Version mlflowVersion `json:"model_version"`
	}
	path, query := "model-versions/get", url.Values{"name": {name}, "version": {version}}
	if alias, is := strings.CutPrefix(version, "@"); is {
		path, query = "registered-models/alias", url.Values{"name": {name}, "alias": {alias}}
	}
	_, err := a.ask(ctx, operation, path, query, &answer)
	return answer.Version, err
}

func (a *mlflowAsking) versionInCatalog(ctx context.Context, operation, name, version string) (mlflowVersion, error) {
	var v mlflowVersion
	path := "/api/2.1/unity-catalog/models/" + name + "/versions/" + version
	if alias, is := strings.CutPrefix(version, "@"); is {
		path = "/api/2.1/unity-catalog/models/" + name + "/aliases/" + alias
	}
	_, err := a.Get(ctx, operation, path, url.Values{"include_aliases": {"true"}}, &v)
	if v.Model != "" {
		v.Name = strings.Join([]string{v.Catalog, v.Schema, v.Model}, ".")
	}
	v.UserID, v.Created, v.Updated = v.CreatedBy, v.CreatedAt, v.UpdatedAt
	v.Source = cmp.Or(v.Source, v.Storage)
	return v, a.masked(err)
}

// ready refuses a version that is not, and an answer about another.
// Source: https://mlflow.org/docs/latest/rest-api.html#modelversionstatus
func (a *mlflowAsking) ready(name, version string, v mlflowVersion) error {
	n, err := v.Version.Integer()
	same := err == nil && n > 0 && (strings.HasPrefix(version, "@") || version == string(v.Version))
	if !same || !a.sameModel(v.Name, name) {
		return a.Nonsense(readingVersion(name, version), fmt.Errorf("it is about version %s of model %q", foreign.Plain(string(v.Version)), foreign.Plain(v.Name)))
	}
	if alias, is := strings.CutPrefix(version, "@"); is && len(v.Aliases) > 0 && !slices.Contains(v.Aliases, aliasName(alias)) {
		return a.Nonsense(readingVersion(name, version), fmt.Errorf("version %s is not called %s", foreign.Plain(string(v.Version)), foreign.Plain(alias)))
	}
	switch v.Status {
	case "READY", "":
		return nil
	case "PENDING_REGISTRATION":
		return provenance.Refuse("model.pending", "record when it is READY", "version %s of model %s is not ready: it is %s", foreign.Plain(version), foreign.Plain(name), v.Status)
	case "FAILED_REGISTRATION":
		return provenance.Refuse("model.failed", "register the model again", "version %s of model %s could not be registered: %s", foreign.Plain(version), foreign.Plain(name),
			cmp.Or(foreign.Plain(v.Message), v.Status))
	}
	return a.Nonsense(readingVersion(name, version), fmt.Errorf("its status is %q", foreign.Plain(v.Status)))
}

// sameModel compares names. In Unity Catalog their case does not matter.
// Source: https://docs.databricks.com/sql/language-manual/sql-ref-names.html
func (a *mlflowAsking) sameModel(answered, asked string) bool {
	if a.registryOf(asked) == "unity-catalog" {
		return strings.EqualFold(answered, asked)
	}
	return answered == asked
}

// noun is the version as it is recorded. Tags are set by whoever may: one called run_id is no more than a tag.
func (v mlflowVersion) noun(registry string) (provenance.RegisteredModel, error) {
	found := provenance.RegisteredModel{Grounds: provenance.Grounds{Basis: provenance.Reported}, Registry: registry, Name: foreign.Plain(v.Name),
		Version: string(v.Version), Status: foreign.Plain(v.Status), RunID: foreign.Plain(v.RunID), Source: foreign.Plain(datasetPlace(v.Source)), Creator: person(v.UserID)}
	if v.Stage != "None" {
		found.Stage = foreign.Plain(v.Stage)
	}
	if v.RunID != "" {
		found.RunIs = provenance.RunIsMLflow
	}
	for _, alias := range v.Aliases {
		found.Aliases = append(found.Aliases, foreign.Plain(string(alias)))
	}
	slices.Sort(found.Aliases)
	tags, err := mlflowTable(v.Tags)
	if err != nil {
		return found, fmt.Errorf("tag %w", err)
	}
	found.Tags = foreign.Parameters(tags)
	found.BasisOf = declaredFields(map[string]bool{"tags": len(tags) > 0})
	if found.Created, err = v.Created.At(); err != nil {
		return found, err
	}
	found.Updated, err = v.Updated.At()
	return found, err
}
