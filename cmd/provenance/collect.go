package main

import (
	"context"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/image"
	"github.com/seed-3480f271/provenance/provenance/source"
	"github.com/seed-3480f271/provenance/provenance/storage"
	"golang.org/x/sync/errgroup"
)

// dataFolder is a folder that was asked for.
type dataFolder struct{ role, uri string }

// collect asks all sources at the same time. The first that fails ends it: there is no statement with a hole.
func (r *recorder) collect() error {
	folders, err := r.folders()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(r.ctx)
	var lock sync.Mutex
	add := func(e provenance.Evidence, err error) error {
		if err != nil {
			return err
		}
		lock.Lock()
		defer lock.Unlock()
		r.evidence = append(r.evidence, e)
		return nil
	}
	r.evidence = append(r.evidence, provenance.Tool{Name: "provenance", Version: version()})
	for _, s := range r.sources() {
		group.Go(func() error { return add(s.Collect(ctx)) })
	}
	group.Go(func() error { return r.imageAndModel(ctx, add) })
	for _, f := range folders {
		group.Go(func() error { return add(r.folder(ctx, f)) })
	}
	return group.Wait()
}

// sources are the places that are asked, one line each.
func (r *recorder) sources() []provenance.Source {
	ref := ""
	if r.getenv("TF_BUILD") != "" { // Azure Pipelines checks out a commit, not a branch, and only it can say which branch that is
		ref = r.getenv("BUILD_SOURCEBRANCH")
	}
	sources := []provenance.Source{
		source.Git{Dir: r.cfg.Repo, Ref: ref, Expect: r.getenv("BUILD_SOURCEVERSION"), Getenv: r.getenv},
		source.Pipeline{Getenv: r.getenv, BuilderID: r.cfg.BuilderID, Now: time.Now},
	}
	if r.cfg.DatabricksRun != "" {
		sources = append(sources, source.Databricks{
			Host: r.cfg.DatabricksHost, RunID: r.cfg.DatabricksRun, Token: r.token,
			Client: source.Client{Transport: transport(), Debug: r.debug()},
		})
	}
	return sources
}

// imageAndModel resolves the image, hashes the model, and searches the one in the other.
func (r *recorder) imageAndModel(ctx context.Context, add func(provenance.Evidence, error) error) error {
	group, both := errgroup.WithContext(ctx)
	var model provenance.Model
	var files []provenance.File
	group.Go(func() (err error) {
		r.image, err = image.Resolve(both, r.cfg.Image, r.imageOptions(r.cfg.Platform))
		return err
	})
	if r.cfg.Model != "" {
		group.Go(func() (err error) {
			model, files, err = r.model(both)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if r.cfg.Model == "" {
		return add(r.image.Noun(), nil)
	}
	var err error
	if model.Locations, err = r.image.Find(ctx, files); err != nil {
		return err
	}
	return add(r.image.Noun(), add(model, nil))
}

func (r *recorder) model(ctx context.Context) (provenance.Model, []provenance.File, error) {
	opened, err := storage.Open(ctx, r.cfg.Model, r.storageOptions())
	if err != nil {
		return provenance.Model{}, nil, err
	}
	name := r.cfg.ModelName
	if name == "" {
		name = path.Base(strings.TrimSuffix(opened.URI(), "/"))
	}
	return folder.Model(ctx, name, r.cfg.ModelVersion, opened, r.folderOptions(opened.URI()))
}

func (r *recorder) folder(ctx context.Context, f dataFolder) (provenance.Evidence, error) {
	opened, err := storage.Open(ctx, f.uri, r.storageOptions())
	if err != nil {
		return nil, err
	}
	return folder.Collect(ctx, f.role, opened, r.folderOptions(opened.URI()))
}

// folders are those of --data and of --data-list.
func (r *recorder) folders() ([]dataFolder, error) {
	asked := r.cfg.Data
	if r.cfg.DataList != "" {
		data, err := readSmall(r.cfg.DataList, maxConfig)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				asked = append(asked, line)
			}
		}
		if len(asked) == len(r.cfg.Data) {
			return nil, provenance.Misuse("", "%s names no folder", r.cfg.DataList)
		}
	}
	var folders []dataFolder
	for _, a := range asked {
		folders = append(folders, parseData(a))
	}
	return folders, nil
}

// parseData reads [ROLE=]URI. An equals sign further inside belongs to the URI.
func parseData(s string) dataFolder {
	role, uri, found := strings.Cut(s, "=")
	if !found || strings.ContainsAny(role, "/:.\\?") {
		return dataFolder{"train", s}
	}
	return dataFolder{role, uri}
}

// progressEvery is how often a pipeline's log is told how far a folder is.
const progressEvery = 30 * time.Second

func (j *job) folderOptions(uri string) folder.Options {
	var lock sync.Mutex
	last := time.Now()
	return folder.Options{Warn: func(warning string) { j.say("warning: %s: %s", uri, warning) }, Progress: func(files, bytes int64) {
		lock.Lock()
		defer lock.Unlock()
		if time.Since(last) >= progressEvery {
			last = time.Now()
			j.say("%s: %d files, %.1f MiB hashed", uri, files, float64(bytes)/(1<<20))
		}
	}}
}

// transport obeys HTTPS_PROXY and NO_PROXY; a private CA is trusted through SSL_CERT_FILE, as everywhere in Go.
var transport = sync.OnceValue(func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	return t
})
