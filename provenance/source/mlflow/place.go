package mlflow

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// modelPlace is what a URI of MLflow's names.
type modelPlace struct {
	run, path     string // runs:/RUN/PATH
	name, version string // models:/NAME/VERSION or models:/NAME@ALIAS
	logged        string // models:/m-…: a logged model
	proxied       string // mlflow-artifacts:/PATH
}

// parseMLflowURI reads a URI as MLflow's client does, but for stages and "latest", which name another version every day.
// Source: https://mlflow.org/docs/latest/concepts (artifact and model URIs)
func parseMLflowURI(uri string) (modelPlace, error) {
	if i := strings.IndexAny(uri, "?#"); i >= 0 {
		return modelPlace{}, provenance.Misuse("leave it out: the address ends before it", "the address of a model in MLflow, %q, has %s, which is not shown here",
			foreign.Plain(datasetPlace(uri[:i])), map[byte]string{'?': "a query", '#': "a fragment"}[uri[i]])
	}
	scheme, rest, found := strings.Cut(uri, ":")
	rest, rooted := strings.CutPrefix(rest, "/")
	first, below, deeper := strings.Cut(rest, "/")
	bad := provenance.Misuse("give runs:/RUN_ID/PATH, models:/NAME/VERSION, models:/NAME@ALIAS or mlflow-artifacts:/PATH",
		"%q is not the address of a model in MLflow", foreign.Plain(datasetPlace(uri)))
	if !found || !rooted || rest == "" || strings.ContainsAny(rest, "\x00\n\r\\") || path.Clean("/"+rest) != "/"+strings.TrimSuffix(rest, "/") {
		return modelPlace{}, bad
	}
	below = strings.TrimSuffix(below, "/")
	name, alias, aliased := strings.Cut(first, "@")
	switch {
	case scheme == "runs" && mlflowRunID().MatchString(first) && below != "":
		return modelPlace{run: first, path: below}, nil
	case scheme == "mlflow-artifacts":
		return modelPlace{proxied: strings.TrimSuffix(rest, "/")}, nil
	case scheme == "models" && aliased && name != "" && alias != "" && below == "":
		return modelPlace{name: name, version: "@" + alias}, nil
	case scheme == "models" && versionNumber().MatchString(below) && !aliased:
		return modelPlace{name: first, version: below}, nil
	case scheme == "models" && !deeper && strings.HasPrefix(first, "m-") && mlflowRunID().MatchString(first):
		return modelPlace{logged: first}, nil
	}
	return modelPlace{}, bad
}

// OpenModel opens the files of a model that the server itself serves: runs:/RUN_ID/PATH, models:/NAME/VERSION,
// models:/NAME@ALIAS (resolved now), models:/m-… (a logged model) and mlflow-artifacts:/PATH. It keeps the promises of
// [storage.Folder], but that the server has no ETags: what is opened must have the size that was listed. RunID, ModelName and
// ModelVersion of m do not matter.
//
// A URI that will not do, and one whose files lie where the server does not serve them, is a *provenance.Misused; a model that
// is not there is a *provenance.Refused, model.missing.
func (m Source) OpenModel(ctx context.Context, uri string) (storage.Folder, error) {
	place, err := parseMLflowURI(uri)
	if err != nil {
		return nil, err
	}
	a, err := m.asking()
	if err != nil {
		return nil, err
	}
	folder, err := a.open(ctx, place)
	if err != nil {
		return nil, err
	}
	return folder, nil
}

// open finds where the model's files lie.
func (a *mlflowAsking) open(ctx context.Context, p modelPlace) (*mlflowFolder, error) {
	switch {
	case p.run != "":
		return a.openRun(ctx, p.run, p.path)
	case p.logged != "":
		return a.openLogged(ctx, p.logged, "")
	case p.proxied != "":
		return a.openProxied(ctx, p.proxied)
	}
	v, err := a.version(ctx, p.name, p.version)
	if err != nil {
		return nil, err
	}
	f, err := a.openSource(ctx, v)
	if err != nil {
		return nil, err
	}
	f.uri = "models:/" + p.name + "/" + string(v.Version) + "/"
	return f, nil
}

// openSource opens what a version of a registered model was made of.
func (a *mlflowAsking) openSource(ctx context.Context, v mlflowVersion) (*mlflowFolder, error) {
	place, err := parseMLflowURI(v.Source)
	switch {
	case err == nil && place.run != "":
		return a.openRun(ctx, place.run, place.path)
	case err == nil && place.logged != "":
		return a.openLogged(ctx, place.logged, "")
	case err == nil && place.proxied != "" && a.kind == plainMLflow:
		return a.openProxied(ctx, place.proxied)
	case v.RunID == "" || a.kind != plainMLflow:
		return nil, a.elsewhere("the model "+foreign.Plain(v.Name), v.Source)
	}
	r, err := a.run(ctx, v.RunID) // the source is a path in the storage of the run's artifacts
	if err != nil {
		return nil, err
	}
	below, inside := strings.CutPrefix(v.Source, strings.TrimSuffix(r.Info.ArtifactURI, "/")+"/")
	if !inside || path.Clean("/"+below) != "/"+below {
		return nil, a.elsewhere("the model "+foreign.Plain(v.Name), v.Source)
	}
	return a.openRun(ctx, v.RunID, below)
}

// elsewhere is for files that the server only knows of.
func (a *mlflowAsking) elsewhere(what, uri string) error {
	return provenance.Misuse("give the address of the files themselves", "%s does not serve the files of %s: they lie at %s", a.Service, what, foreign.Plain(datasetPlace(uri)))
}

// openRun opens a folder or a file that a run logged. A name without one is that of a model that the run logged: since MLflow 3
// models lie beside the run.
func (a *mlflowAsking) openRun(ctx context.Context, runID, dir string) (*mlflowFolder, error) {
	r, err := a.run(ctx, runID)
	if err != nil {
		return nil, err
	}
	f := &mlflowFolder{asking: a, uri: "runs:/" + runID + "/" + dir + "/", dir: dir, list: a.listRun(runID),
		where: a.servedAt(r.Info.ArtifactURI, func(p string) httpclient.Request {
			return httpclient.Request{Path: "/get-artifact", Query: url.Values{"path": {p}, "run_uuid": {runID}}}
		})}
	if there, err := f.find(ctx); err != nil || there {
		if err == nil && f.where == nil {
			err = a.elsewhere("run "+runID, r.Info.ArtifactURI)
		}
		return f, err
	}
	name, below, _ := strings.Cut(dir, "/")
	for _, id := range r.modelsOf() {
		model, err := a.loggedModel(ctx, id)
		if err == nil && model.Info.Name == name && model.Info.RunID == runID {
			found, err := a.openLogged(ctx, id, below)
			if found != nil {
				found.uri = f.uri
			}
			return found, err
		}
		if err != nil && !gone(err) {
			return nil, err
		}
	}
	return nil, missingModel("run %s has no artifact %s", runID, foreign.Plain(dir))
}

func missingModel(format string, args ...any) error {
	return provenance.Refuse("model.missing", "look at the run's artifacts; was it logged under another name?", format, args...)
}

// openLogged opens a logged model, or a folder in it.
func (a *mlflowAsking) openLogged(ctx context.Context, id, dir string) (*mlflowFolder, error) {
	model, err := a.loggedModel(ctx, id)
	if gone(err) {
		return nil, missingModel("%s has no logged model %s at %s", a.Service, foreign.Plain(id), a.base)
	}
	if err != nil {
		return nil, err
	}
	if model.Info.Status != "LOGGED_MODEL_READY" && model.Info.Status != "READY" {
		return nil, provenance.Refuse("model.pending", "record when it is READY", "logged model %s is not ready: it is %s", foreign.Plain(id), foreign.Plain(model.Info.Status))
	}
	f := &mlflowFolder{asking: a, uri: "models:/" + id + "/", dir: dir, list: a.listModel(id),
		where: a.servedAt(model.Info.ArtifactURI, func(p string) httpclient.Request {
			return httpclient.Request{Path: "/ajax-api/2.0/mlflow/logged-models/" + id + "/artifacts/files", Query: url.Values{"artifact_file_path": {p}}}
		})}
	if f.where == nil {
		return nil, a.elsewhere("logged model "+id, model.Info.ArtifactURI)
	}
	return f, f.mustFind(ctx)
}

// openProxied opens a folder or a file below the server's own artifacts.
func (a *mlflowAsking) openProxied(ctx context.Context, dir string) (*mlflowFolder, error) {
	f := &mlflowFolder{asking: a, uri: "mlflow-artifacts:/" + dir + "/", dir: dir, list: a.listProxied,
		where: a.servedAt("mlflow-artifacts:/", nil)}
	return f, f.mustFind(ctx)
}

// listProxied lists one folder of the server's artifacts. Its answers name the entries alone.
// Source: https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store
func (a *mlflowAsking) listProxied(ctx context.Context, dir string) ([]mlflowFile, error) {
	var answer listing
	operation := fmt.Sprintf("listing %s", foreign.Plain(dir))
	got, err := a.HTTP.Get(ctx, operation, artifactPath, url.Values{"path": {dir}})
	if err != nil {
		return nil, a.masked(err)
	}
	if err := got.JSON(&answer); err != nil {
		return nil, err
	}
	for i := range answer.Files {
		if dir != "" {
			answer.Files[i].Path = dir + "/" + answer.Files[i].Path
		}
	}
	return answer.Files, nil
}
