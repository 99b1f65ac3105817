package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// registry is a repository in an OCI registry.
type registry struct {
	*session
	noReferrers atomic.Bool // the registry was asked, and does not have the referrers API
}

func newRegistry(repo name.Repository, o Options) *registry {
	return &registry{session: &session{
		repo: repo, keys: o.Keychain, guard: newGuard(repo.RegistryStr(), o), limits: o.limits, clients: map[string]*http.Client{},
	}}
}

func (r *registry) name() string { return r.repo.Name() }

// alone does nothing: registries have no lock.
func (r *registry) alone(context.Context) (func(), error) { return func() {}, nil }

// accepted are the manifests that are asked for.
var accepted = strings.Join([]string{
	string(types.OCIImageIndex), string(types.OCIManifestSchema1), string(types.DockerManifestList), string(types.DockerManifestSchema2),
}, ", ")

func (r *registry) manifest(ctx context.Context, ref string) (manifest, error) {
	return r.manifestUpTo(ctx, ref, r.limits.manifest)
}

func (r *registry) referrer(ctx context.Context, digest v1.Hash) (manifest, error) {
	return r.manifestUpTo(ctx, digest.String(), r.limits.referrer)
}

func (r *registry) manifestUpTo(ctx context.Context, ref string, limit int64) (manifest, error) {
	c := call{method: http.MethodGet, path: "manifests/" + ref, header: map[string]string{"Accept": accepted}}
	raw, resp, err := r.read(ctx, c, limit, fmt.Sprintf("manifest %s of %s", ref, r.name()), http.StatusOK)
	if err != nil {
		return manifest{}, err
	}
	if got := sum(raw); strings.Contains(ref, ":") && got.String() != ref {
		return manifest{}, fmt.Errorf("%s answers the request for manifest %s with other bytes: their digest is %s", r.name(), ref, got)
	}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return parseManifest(raw, strings.TrimSpace(mediaType))
}

func (r *registry) blob(ctx context.Context, digest v1.Hash, size int64) (io.ReadCloser, error) {
	if digest.Algorithm != "sha256" {
		return nil, fmt.Errorf("blob %s: only sha256 digests are checked here", digest)
	}
	s, err := newStream(ctx, r, digest)
	if err != nil {
		return nil, err
	}
	return newVerifiedReader(s, digest, size), nil
}

func (r *registry) hasBlob(ctx context.Context, digest v1.Hash) (there bool, err error) {
	err = r.retry(ctx, func() error {
		there, err = r.askForBlob(ctx, digest)
		return err
	})
	return there, err
}

// askForBlob asks once whether the blob is there.
func (r *registry) askForBlob(ctx context.Context, digest v1.Hash) (bool, error) {
	resp, err := r.once(ctx, call{method: http.MethodHead, path: "blobs/" + digest.String()}, []int{http.StatusOK})
	if errors.Is(err, errMissing) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	resp.Body.Close()
	return true, nil
}

// putBlob sends a blob, unless it is there. What failed may have arrived all the same, so it asks before it sends again.
func (r *registry) putBlob(ctx context.Context, b blob) error {
	ask := b.ask
	return r.retry(ctx, func() error {
		if ask {
			if there, err := r.askForBlob(ctx, b.digest); there || err != nil {
				return err
			}
		}
		ask = true
		return r.upload(ctx, b)
	})
}

// upload sends a blob in one piece, as it is read: no more than a buffer of it is in memory. Its two requests are tried again together: a place for an upload works once.
func (r *registry) upload(ctx context.Context, b blob) error {
	resp, err := r.once(ctx, call{method: http.MethodPost, path: "blobs/uploads/", write: true}, []int{http.StatusAccepted})
	if err != nil {
		return err
	}
	resp.Body.Close()
	place, err := uploadPlace(resp, b.digest)
	if err != nil {
		return fmt.Errorf("%s names no place for an upload: %w", r.name(), err)
	}
	body := func() (io.ReadCloser, error) {
		rc, err := b.open()
		if err != nil {
			return nil, err
		}
		return newVerifiedReader(rc, b.digest, b.size), nil
	}
	resp, err = r.once(ctx, call{
		method: http.MethodPut, path: place, body: body, size: b.size, write: true,
		header: map[string]string{"Content-Type": "application/octet-stream"},
	}, []int{http.StatusCreated})
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// uploadPlace is the URL that the blob is put to. A registry behind a proxy may name its own host with the wrong scheme.
func uploadPlace(resp *http.Response, digest v1.Hash) (string, error) {
	u, err := resp.Location()
	if err != nil {
		return "", err
	}
	if asked := resp.Request.URL; u.Host == asked.Host {
		u.Scheme = asked.Scheme
	}
	q := u.Query()
	q.Set("digest", digest.String())
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func (r *registry) putManifest(ctx context.Context, ref string, m manifest) error {
	body := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(m.raw))), nil }
	resp, err := r.send(ctx, call{
		method: http.MethodPut, path: "manifests/" + ref, body: body, size: int64(len(m.raw)), write: true,
		header: map[string]string{"Content-Type": m.MediaType},
	}, http.StatusCreated, http.StatusOK, http.StatusAccepted)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// addToJournal pushes a manifest under a name that nobody contends for: its digest, where the registry lists referrers by
// itself; else a tag of its own.
func (r *registry) addToJournal(ctx context.Context, image v1.Hash, m manifest) error {
	if r.noReferrers.Load() {
		return r.putManifest(ctx, journalTag(image, m.digest), m)
	}
	return r.putManifest(ctx, m.digest.String(), m)
}

func (r *registry) journal(ctx context.Context, image v1.Hash) (journal, error) {
	if !r.noReferrers.Load() {
		list, supported, err := r.referrers(ctx, image)
		if supported || err != nil {
			return journal{entries: list}, err
		}
		r.noReferrers.Store(true)
	}
	return r.journalByTag(ctx, image)
}

// referrers asks the referrers API, page by page, and tells whether there is one. It never asks for one artifactType: some
// registries record it wrongly.
func (r *registry) referrers(ctx context.Context, image v1.Hash) (list []v1.Descriptor, supported bool, err error) {
	what := "the list of referrers of " + image.String()
	err = r.pages(ctx, "referrers/"+image.String(), what, func(raw []byte, status int) (string, error) {
		if status != http.StatusOK { // no such API
			return lastPage, nil
		}
		index, err := parseManifest(raw, "")
		if err != nil || !index.isIndex() && index.MediaType != "" {
			return "", fmt.Errorf("%s answers the request for referrers with something that is no index", r.name())
		}
		supported = true
		if len(list)+len(index.Manifests) > r.limits.referrers {
			return "", tooMany(what, r.limits.referrers)
		}
		list = append(list, trimmed(index.Manifests)...)
		return "", nil
	}, http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable)
	return list, supported, err
}

// journalByTag reads the fallback index at the tag sha256-HEX, and the tags sha256-HEX.prov-ID of our own.
// Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
func (r *registry) journalByTag(ctx context.Context, image v1.Hash) (journal, error) {
	j := journal{shared: true}
	fallback, err := r.manifest(ctx, fallbackTag(image))
	switch {
	case err == nil && !fallback.isIndex():
		return j, fmt.Errorf("the tag %s of %s is not an index", fallbackTag(image), r.name())
	case err == nil:
		j.fallback, j.entries = fallback, trimmed(fallback.Manifests)
	case !errors.Is(err, errMissing):
		return j, err
	}
	if len(j.entries) > r.limits.referrers {
		return j, tooMany("the list of referrers of "+image.String(), r.limits.referrers)
	}
	tags, err := r.tagsWithPrefix(ctx, journalPrefix(image))
	if err != nil {
		return j, err
	}
	return j, r.addTagged(ctx, image, &j, tags)
}

// addTagged adds what the tags point to, unless the fallback index lists it already.
func (r *registry) addTagged(ctx context.Context, image v1.Hash, j *journal, tags []string) error {
	listed := map[string]bool{}
	for _, d := range j.entries {
		listed[journalTag(image, d.Digest)] = true
	}
	tags = without(tags, listed)
	if len(j.entries)+len(tags) > r.limits.referrers {
		return tooMany("the list of referrers of "+image.String(), r.limits.referrers)
	}
	found := make([][]v1.Descriptor, len(tags))
	err := inParallel(ctx, len(tags), func(ctx context.Context, n int) error {
		m, err := r.manifestUpTo(ctx, tags[n], r.limits.referrer)
		if errors.Is(err, errMissing) { // listed while it was being written, or deleted since
			return nil
		}
		found[n] = trimmed([]v1.Descriptor{m.descriptor()})
		return err
	})
	if err == nil {
		j.entries = slices.Concat(j.entries, slices.Concat(found...))
	}
	return err
}

// resolve is the place of a next page: on this registry only.
func (r *registry) resolve(asked *url.URL, link string) (string, error) {
	next, err := asked.Parse(link)
	if err != nil || next.Host != asked.Host || next.User != nil {
		return "", fmt.Errorf("%s names a next page that is not its own", r.name())
	}
	next.Scheme = asked.Scheme
	return next.String(), nil
}
