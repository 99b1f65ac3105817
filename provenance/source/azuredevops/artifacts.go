package azuredevops

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// artifactAnswer is something that the build published.
// Source: https://learn.microsoft.com/rest/api/azure/devops/build/artifacts/list
type artifactAnswer struct {
	Name     string `json:"name"`
	Resource struct {
		Type       string `json:"type"` // PipelineArtifact, Container, FilePath, …
		Properties struct {
			Size json.Number `json:"artifactsize"` // as the service says it
			Root string      `json:"RootId"`
		} `json:"properties"`
	} `json:"resource"`
}

// The kinds of artifacts that Azure DevOps keeps itself.
const (
	artifactOfPipeline  = "PipelineArtifact"
	artifactInContainer = "Container"
)

// maxZip is how large an artifact may be to be read, in bytes: as a zip, and unpacked. maxReading is how many are in
// memory at a time.
const (
	maxZip            = 64 << 20
	maxBuildArtifacts = 1000
	maxReading        = 2
)

// askArtifacts asks what the build published, and reads the contents of what is not too large.
func (b *devopsBuild) askArtifacts(ctx context.Context, q *devopsQuestion) error {
	r := httpclient.Request{Operation: "reading the artifacts of " + q.about, Path: q.site.project(q.buildPath("/artifacts"))}
	list, err := devopsAll(ctx, q, r, func(a artifactAnswer) string { return a.Name })
	if err != nil {
		return err
	}
	if len(list) > maxBuildArtifacts {
		return q.Nonsense(r.Operation, errors.New("there are too many"))
	}
	if err := b.wait(); err != nil {
		return err
	}
	b.artifacts = make([]provenance.BuildArtifact, len(list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxReading)
	for i, a := range list {
		group.Go(func() (err error) { b.artifacts[i], err = b.askArtifact(ctx, q, a); return err })
	}
	err = group.Wait()
	slices.SortFunc(b.artifacts, func(x, y provenance.BuildArtifact) int { return cmp.Compare(x.Name, y.Name) })
	return err
}

// askArtifact is one artifact, with the digest of its files if they can be had.
func (b *devopsBuild) askArtifact(ctx context.Context, q *devopsQuestion, a artifactAnswer) (provenance.BuildArtifact, error) {
	found := provenance.BuildArtifact{Name: foreign.Plain(a.Name), Kind: foreign.Plain(a.Resource.Type), RootID: foreign.Plain(a.Resource.Properties.Root)}
	if size := a.Resource.Properties.Size; size != "" {
		bytes, err := strconv.ParseInt(size.String(), 10, 64)
		if err != nil || bytes < 0 {
			return found, q.Nonsense("reading the artifacts of "+q.about, fmt.Errorf("%q is no size", foreign.Plain(size.String())))
		}
		found.Size = &bytes
	}
	switch {
	case found.Size != nil && *found.Size > maxZip:
		found.Note = errLargeZip.Error()
		return found, nil
	case a.Name == "" || a.Resource.Type != artifactOfPipeline && a.Resource.Type != artifactInContainer:
		found.Note = "its files do not lie in Azure DevOps"
		return found, nil
	}
	return b.sum(ctx, q, a, found)
}

// errLargeZip says why an artifact was not read.
var errLargeZip = fmt.Errorf("it is larger than %d MiB", maxZip>>20)

// sum adds the digest of an artifact's files. What Azure DevOps will not give out, or what is too large, gets a note instead.
func (b *devopsBuild) sum(ctx context.Context, q *devopsQuestion, a artifactAnswer, found provenance.BuildArtifact) (provenance.BuildArtifact, error) {
	data, err := b.download(ctx, q, a)
	if err == nil {
		found.Digest, found.Files, err = zipDirHash(data, a.Name)
	}
	if e, denied := ask.RefusedWith(err, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone); denied {
		found.Note = fmt.Sprintf("its files are not given out: status %d", e.Status)
		return found, nil
	}
	for _, why := range []error{errLargeZip, errManyFiles} {
		if errors.Is(err, why) {
			found.Note = why.Error()
			return found, nil
		}
	}
	var notHeld *notHeldArtifact
	if errors.As(err, &notHeld) {
		return found, provenance.Refuse("build.artifact", "publish it again, with names that every system can write",
			"the artifact %s of %s cannot be summed: %s", found.Name, q.about, notHeld)
	}
	if err != nil {
		err = fmt.Errorf("artifact %s: %w", found.Name, err)
	}
	return found, err
}

// download gets an artifact as a zip: one in a container from Azure DevOps itself, one of the pipeline from where a signed
// URL points.
func (b *devopsBuild) download(ctx context.Context, q *devopsQuestion, a artifactAnswer) ([]byte, error) {
	if a.Resource.Type == artifactOfPipeline {
		return b.downloadSigned(ctx, q, a.Name)
	}
	r := httpclient.Request{Operation: "reading artifact " + foreign.Plain(a.Name), Path: q.site.project(q.buildPath("/artifacts")), Accept: "application/zip",
		Query: url.Values{"artifactName": {a.Name}, "$format": {"zip"}, "api-version": {version}}}
	body, err := q.home.Open(ctx, r)
	if err != nil {
		return nil, q.masked(err)
	}
	return wholeZip(body)
}

// downloadSigned asks where an artifact of the pipeline can be fetched, and fetches it there. The URL is the permission: it goes
// nowhere else, is not kept, and no credential goes with it.
// Source: https://learn.microsoft.com/rest/api/azure/devops/pipelines/artifacts/get
func (b *devopsBuild) downloadSigned(ctx context.Context, q *devopsQuestion, name string) ([]byte, error) {
	r := httpclient.Request{Operation: "reading where artifact " + foreign.Plain(name) + " lies",
		Path:  q.site.project("pipelines/" + b.answer.Definition.ID.String() + "/runs/" + q.site.buildID + "/artifacts"),
		Query: url.Values{"artifactName": {name}, "$expand": {"signedContent"}}}
	answer, err := q.raw(ctx, q.home, &r)
	if err != nil {
		return nil, err
	}
	var where struct {
		Name   string `json:"name"`
		Signed struct {
			URL string `json:"url"`
		} `json:"signedContent"`
	}
	if err := answer.JSON(&where); err != nil {
		return nil, err
	}
	q.Used.Add(where.Signed.URL)
	if u, err := url.Parse(where.Signed.URL); err == nil {
		q.Used.Add(u.RawQuery)
	}
	if err := q.Keep(r, answer, nil); err != nil {
		return nil, err
	}
	if where.Name != name {
		return nil, q.Nonsense(r.Operation, fmt.Errorf("it is about artifact %q", foreign.Plain(where.Name)))
	}
	body, err := fetchSigned(ctx, q.site.Client, where.Signed.URL, "reading artifact "+foreign.Plain(name))
	if err != nil {
		return nil, q.masked(err)
	}
	return wholeZip(body)
}

// wholeZip reads a zip into memory.
func wholeZip(body io.ReadCloser) ([]byte, error) {
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxZip+1))
	if err == nil && len(data) > maxZip {
		err = errLargeZip
	}
	return data, err
}

// fetchSigned opens a signed URL, without a credential. It has to be https, but for tests on this machine; redirects to other
// https addresses are followed, because there is nothing to lose.
func fetchSigned(ctx context.Context, client ask.Client, signed, operation string) (io.ReadCloser, error) {
	u, err := url.Parse(signed)
	if err != nil || u.Host == "" || u.User != nil || !isSafeURL(u) {
		return nil, fmt.Errorf("Azure DevOps, %s: the address of its contents makes no sense: it is no https URL", operation)
	}
	client.Transport = signedTransport{exactly: u, next: client.Transport}
	files, err := httpclient.New("Azure DevOps", u.Scheme+"://"+u.Host, nil, client)
	if err != nil {
		return nil, err
	}
	return files.Open(ctx, httpclient.Request{Operation: operation, Path: "/", Accept: "application/zip, */*"})
}

// isSafeURL tells whether nobody reads along on the way.
func isSafeURL(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && httpclient.IsLoopback(u.Hostname())
}

// signedTransport asks for one URL to the letter, as its signature demands.
type signedTransport struct {
	exactly *url.URL
	next    http.RoundTripper // nil: one without a proxy
}

// signedRedirects is how many redirects are followed.
const signedRedirects = 3

func (t signedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	next := t.next
	if next == nil {
		direct := http.DefaultTransport.(*http.Transport).Clone()
		direct.Proxy = nil // it would come from the environment
		next = direct
	}
	to := t.exactly
	for range signedRedirects + 1 {
		once := req.Clone(req.Context())
		once.URL, once.Host = to, to.Host
		once.Header.Del("Authorization")
		resp, err := next.RoundTrip(once)
		if err != nil || resp.StatusCode/100 != 3 {
			return resp, err
		}
		resp.Body.Close()
		if to, err = to.Parse(resp.Header.Get("Location")); err != nil || !isSafeURL(to) || to.User != nil {
			return nil, errors.New("it redirects to no https address")
		}
	}
	return nil, errors.New("it redirects without end")
}
