package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// model hashes the model, searches it in the image, and compares it with its copies elsewhere.
func (r *recorder) model(ctx context.Context) error {
	places, err := r.openModels(ctx)
	if err != nil {
		return err
	}
	o, err := r.folderOptions(places[0].URI())
	if err != nil {
		return err
	}
	if err := r.noteRegistered(places); err != nil {
		return err
	}
	name, version := r.modelName(places[0].URI())
	model, files, err := folder.Model(ctx, name, version, places[0], o)
	if err != nil {
		return err
	}
	copies := make([]provenance.Copy, len(places)-1)
	err = each(ctx, copies, func(ctx context.Context, i int) (err error) {
		copies[i], err = r.copyOf(ctx, model, files, places[0], places[i+1])
		return err
	})
	if err != nil {
		return err
	}
	model.Copies = copies
	if model.Locations, err = r.image.Find(ctx, files); err != nil {
		return err
	}
	r.add(model)
	return nil
}

// modelName is what the model is called, and which version it is: of an alias, the one that the registry resolved it to.
func (r *recorder) modelName(uri string) (name, version string) {
	name, version = r.cfg.ModelName, r.cfg.ModelVersion
	if name == "" {
		name = nameOf(uri)
	}
	if strings.HasPrefix(version, "@") {
		version = ""
	}
	for _, e := range r.evidence {
		if m, is := e.(provenance.RegisteredModel); is {
			version = m.Version
		}
	}
	return name, version
}

// noteRegistered notes which of the places hold the files of a registered version, and refuses another version of the same model: the
// record would call it by the wrong number.
func (r *recorder) noteRegistered(places []storage.Folder) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	for i, e := range r.evidence {
		m, is := e.(provenance.RegisteredModel)
		if !is {
			continue
		}
		for n, place := range places {
			switch uri := place.URI(); {
			case filesOf(m, r.cfg.Model[n], uri):
				m.Files = uri
				m.Grounds = m.With("files", provenance.Observed)
			case m.Registry != registryAzureML && nameOf(uri) == m.Name && strings.HasPrefix(uri, "models:/"):
				return provenance.Refuse("model.version", "name one version, by its number: an alias can move", "the model at %s is not the registered version that is recorded, %s %s", uri, m.Name, m.Version)
			}
		}
		r.evidence[i] = m
	}
	return nil
}

// registryAzureML is how records call the registry of Azure ML.
const registryAzureML = "azureml"

// filesOf tells whether a place, as it was asked for and as it is called, holds the files of a registered version.
func filesOf(m provenance.RegisteredModel, asked, place string) bool {
	switch {
	case m.Registry == registryAzureML && asked == "azureml":
		return true
	case m.Registry != registryAzureML && strings.EqualFold(place, "models:/"+m.Name+"/"+m.Version+"/"):
		return true
	}
	return m.Source != "" && strings.TrimSuffix(m.Source, "/") == strings.TrimSuffix(place, "/")
}

// nameOf is what a place calls its model: its last part, but for models:/NAME/VERSION and models:/NAME@ALIAS.
func nameOf(uri string) string {
	if registered, is := strings.CutPrefix(uri, "models:/"); is {
		name, _, _ := strings.Cut(registered, "/")
		name, _, _ = strings.Cut(name, "@")
		return name
	}
	return path.Base(strings.TrimSuffix(uri, "/"))
}

// openModels opens all places of --model.
func (r *recorder) openModels(ctx context.Context) ([]storage.Folder, error) {
	var places []storage.Folder
	for _, uri := range r.cfg.Model {
		place, err := r.openModel(ctx, uri)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(places, func(other storage.Folder) bool { return other.URI() == place.URI() }); i >= 0 {
			return nil, givenTwice(r.cfg.Model[i], uri, place.URI())
		}
		places = append(places, place)
	}
	return places, nil
}

// givenTwice names a place as it was given both times: an alias is another name of a version.
func givenTwice(first, second, place string) error {
	first, _, _ = strings.Cut(first, "?") // a query can be a signature
	second, _, _ = strings.Cut(second, "?")
	if first == second {
		return provenance.Misuse("name each place once", "--model %s is given twice", place)
	}
	return provenance.Misuse("name each place once", "--model %s and --model %s are the same place: %s", first, second, place)
}

// openModel opens one: a path, storage of Azure, or what a service keeps.
func (r *recorder) openModel(ctx context.Context, uri string) (storage.Folder, error) {
	switch {
	case inDatabricks(uri):
		if r.cfg.DatabricksHost == "" {
			return nil, provenance.Misuse("give --databricks-host", "the model lies in a Databricks workspace, which is not named: %s", uri)
		}
		return r.databricks().OpenFiles(ctx, uri)
	case inMLflow(uri):
		if r.cfg.MLflowURI == "" {
			return nil, provenance.Misuse("give --mlflow-uri", "the model lies on an MLflow server, which is not named: %s", uri)
		}
		return r.mlflow().OpenModel(ctx, uri)
	case uri == "azureml":
		if r.cfg.AzureML == "" {
			return nil, provenance.Misuse("give --azureml-workspace", "the model lies in an Azure ML workspace, which is not named")
		}
		registered, err := r.azureML().ModelSource(ctx)
		if err != nil {
			return nil, err
		}
		uri = registered
	}
	return storage.Open(ctx, uri, r.storageOptions())
}

// copyOf reads another place of the model, which has to hold the same bytes. A single file may have another name there.
func (r *recorder) copyOf(ctx context.Context, model provenance.Model, files []provenance.File, first, place storage.Folder) (provenance.Copy, error) {
	o, err := r.folderOptions(place.URI())
	if err != nil {
		return provenance.Copy{}, err
	}
	copied, found, err := folder.Model(ctx, model.Name, "", place, o)
	if err != nil {
		return provenance.Copy{}, err
	}
	if len(files) == 1 && len(found) == 1 {
		found[0].Path = files[0].Path
	}
	if !slices.Equal(files, found) {
		return provenance.Copy{}, r.differs(ctx, first, place, files, found)
	}
	return provenance.Copy{URI: copied.URI, Digest: model.Digest, Read: time.Now().UTC().Truncate(time.Second)}, nil
}

// differs says where two places first differ: in which file, and from which byte on.
func (r *recorder) differs(ctx context.Context, a, b storage.Folder, as, bs []provenance.File) error {
	refuse := func(name, format string, args ...any) error {
		return provenance.Refuse("model.differs", whyDiffers(name), "the model at %s is not the one at %s: %s", b.URI(), a.URI(), fmt.Sprintf(format, args...))
	}
	for i, x := range as {
		if i >= len(bs) || bs[i].Path > x.Path {
			return refuse(x.Path, "it has no file %s", x.Path)
		}
		y := bs[i]
		switch {
		case y.Path < x.Path:
			return refuse(y.Path, "it has a file %s, too", y.Path)
		case y != x:
			at, err := firstDifference(ctx, a, b, i)
			if err != nil {
				return err
			}
			if y.Size == x.Size {
				return refuse(x.Path, "%s has %d bytes in both, and differs from byte %d on", x.Path, x.Size, at)
			}
			return refuse(x.Path, "%s has %d bytes, not %d, and differs from byte %d on", x.Path, y.Size, x.Size, at)
		}
	}
	return refuse(bs[len(as)].Path, "it has a file %s, too", bs[len(as)].Path)
}

// whyDiffers is the hint for a model of which one file differs. MLflow adds a file to what it downloads, which the registry does not have.
// Source: mlflow/store/artifact/utils/models.py and mlflow/store/artifact/models_artifact_repo.py, mlflow/mlflow
func whyDiffers(file string) string {
	if path.Base(file) == "registered_model_meta" {
		return "MLflow's download adds registered_model_meta, which the registry does not have: delete it from the download before the image is built and recorded"
	}
	return "was it cut off when it was copied, or is it another version?"
}

// firstDifference is the offset of the first byte in which the n-th files of two places differ; where one ends before the other, its
// length.
func firstDifference(ctx context.Context, a, b storage.Folder, n int) (offset int64, err error) {
	x, err := openNth(ctx, a, n)
	if err != nil {
		return 0, err
	}
	defer x.Close() // was read only
	y, err := openNth(ctx, b, n)
	if err != nil {
		return 0, err
	}
	defer y.Close() // was read only
	p, q := make([]byte, 256<<10), make([]byte, 256<<10)
	for {
		i, errX := io.ReadFull(x, p)
		j, errY := io.ReadFull(y, q)
		same := min(i, j)
		if !bytes.Equal(p[:same], q[:same]) {
			for p[offset%int64(len(p))] == q[offset%int64(len(q))] {
				offset++
			}
			return offset, nil
		}
		offset += int64(same)
		switch {
		case i != j || i < len(p):
			return offset, ignoreEOF(errX, errY)
		case errX != nil || errY != nil:
			return offset, ignoreEOF(errX, errY)
		}
	}
}

func ignoreEOF(errs ...error) error {
	for _, err := range errs {
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
	}
	return nil
}

// openNth opens the n-th file of a folder, in the order of names.
func openNth(ctx context.Context, f storage.Folder, n int) (io.ReadCloser, error) {
	var all []storage.Object
	err := f.List(ctx, func(o storage.Object) error {
		all = append(all, o)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if n >= len(all) {
		return nil, provenance.Refuse("data.changed", "it must not be written to while it is recorded", "%s changed while it was read", f.URI())
	}
	slices.SortFunc(all, func(a, b storage.Object) int { return strings.Compare(a.Name, b.Name) })
	return f.Open(ctx, all[n])
}
