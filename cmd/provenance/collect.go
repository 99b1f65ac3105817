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

// askSources asks who and what: the repository, the pipeline, the run, the registry, all at the same time. The first that fails
// ends it: there is no statement with a hole.
func (r *recorder) askSources() error {
	group, ctx := errgroup.WithContext(r.ctx)
	r.add(provenance.Tool{Name: "provenance", Version: version()})
	for _, s := range r.sources() {
		group.Go(func() error {
			e, err := s.Collect(ctx)
			if err == nil {
				r.add(e)
			}
			return err
		})
	}
	group.Go(func() (err error) {
		r.image, err = image.Resolve(ctx, r.cfg.Image, r.imageOptions(r.cfg.Platform))
		return err
	})
	return group.Wait()
}

// readData reads the model and the data folders, all at the same time. What the sources contradict each other in is refused
// before: reading can take hours.
func (r *recorder) readData() error {
	r.add(r.image.Noun())
	if _, err := provenance.NewStatement(r.evidence...); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(r.ctx)
	if r.cfg.Model != "" {
		group.Go(func() error { return r.model(ctx) })
	}
	group.Go(func() error { return r.folders(ctx) })
	return group.Wait()
}

func (r *recorder) add(e provenance.Evidence) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.evidence = append(r.evidence, e)
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

// model hashes the model, and searches it in the image.
func (r *recorder) model(ctx context.Context) error {
	opened, err := storage.Open(ctx, r.cfg.Model, r.storageOptions())
	if err != nil {
		return err
	}
	name := r.cfg.ModelName
	if name == "" {
		name = path.Base(strings.TrimSuffix(opened.URI(), "/"))
	}
	o, err := r.folderOptions(opened.URI())
	if err != nil {
		return err
	}
	model, files, err := folder.Model(ctx, name, r.cfg.ModelVersion, opened, o)
	if err != nil {
		return err
	}
	if model.Locations, err = r.image.Find(ctx, files); err != nil {
		return err
	}
	r.add(model)
	return nil
}

// transport obeys HTTPS_PROXY and NO_PROXY; a private CA is trusted through SSL_CERT_FILE, as everywhere in Go.
var transport = sync.OnceValue(func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	return t
})
