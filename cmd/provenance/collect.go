package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/image"
	"github.com/seed-3480f271/provenance/provenance/source/git"
	"github.com/seed-3480f271/provenance/provenance/source/pipeline"
	"golang.org/x/sync/errgroup"
)

// askSources asks who and what: the repository, the pipeline, the run, the registry, all at the same time. The first that fails
// ends it: there is no statement with a hole.
func (r *recorder) askSources() error {
	sources, err := r.sources()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(r.ctx)
	r.add(provenance.Tool{Name: "provenance", Version: version()})
	if r.anonymous() {
		r.add(provenance.IDsOnly{})
	}
	for _, s := range sources {
		group.Go(func() error {
			e, err := s.Collect(ctx)
			if err == nil {
				r.add(e)
			}
			return err
		})
	}
	group.Go(func() error { return r.resolve(ctx) })
	return group.Wait()
}

// resolve finds the image, and when it was built, if there is a run to compare that with.
func (r *recorder) resolve(ctx context.Context) (err error) {
	if r.image, err = image.Resolve(ctx, r.cfg.Image, r.imageOptions(r.cfg.Platform)); err != nil {
		return err
	}
	noun := r.image.Noun()
	if r.cfg.DatabricksRun+r.cfg.MLflowRun != "" {
		if noun.Created, err = r.image.Created(ctx); err != nil {
			return err
		}
		noun.Grounds = noun.With("created", provenance.Declared)
	}
	r.add(noun)
	return nil
}

// readData reads the model and the data folders, all at the same time. What the sources contradict each other in is refused
// before: reading can take hours.
func (r *recorder) readData() error {
	if _, err := provenance.NewStatement(append(slices.Clone(r.evidence), provenance.DataFollows{})...); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(r.ctx)
	if len(r.cfg.Model) > 0 {
		group.Go(func() error { return r.model(ctx) })
	}
	group.Go(func() error { return r.folders(ctx) })
	return group.Wait()
}

func (r *recorder) add(e provenance.Evidence) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.evidence = append(r.evidence, flatten(e)...)
}

// sources are the places that are asked: the work tree, the pipeline's variables, and services.
func (r *recorder) sources() ([]provenance.Source, error) {
	services, err := r.services()
	return append(services, r.git(), pipeline.Source{Getenv: r.getenv, BuilderID: r.cfg.BuilderID, Now: time.Now}), err
}

// git is the work tree. Azure Pipelines checks out a commit, not a branch, and only it can say which branch that is.
func (r *recorder) git() git.Source {
	g := git.Source{Dir: r.cfg.Repo, Expect: r.getenv("BUILD_SOURCEVERSION"), Getenv: r.getenv}
	if r.getenv("TF_BUILD") != "" {
		g.Ref = r.getenv("BUILD_SOURCEBRANCH")
	}
	return g
}

// transport obeys HTTPS_PROXY and NO_PROXY; a private CA is trusted through SSL_CERT_FILE, as everywhere in Go.
var transport = sync.OnceValue(func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	return t
})
