package mlflow

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"golang.org/x/sync/errgroup"
)

const (
	maxPlot  = 1 << 20  // bytes of one plot or curve
	maxPlots = 16 << 20 // bytes of all together
)

// plotTypes are the media types of what is kept, by the end of the name.
var plotTypes = map[string]string{".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml",
	".csv": "text/csv", ".json": "application/json", ".html": "text/html", ".txt": "text/plain"}

// addPlots reads the bytes of small plots and curves, as far as the server itself serves them. They lie beside the image.
func (a *mlflowAsking) addPlots(ctx context.Context, r mlflowRun, files []mlflowFile, all []provenance.Artifact) error {
	where := a.servedAt(r.Info.ArtifactURI, func(p string) httpclient.Request {
		return httpclient.Request{Path: "/get-artifact", Query: url.Values{"path": {p}, "run_uuid": {r.Info.RunID}}}
	})
	if where == nil {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, i := range plotsOf(files) {
		group.Go(func() error {
			request := where(files[i].Path)
			request.Operation = fmt.Sprintf("reading %s of run %s", all[i].Path, r.Info.RunID)
			data, err := a.smallFile(ctx, request, files[i].size)
			if err != nil {
				return err
			}
			a.addPlot(&all[i], data)
			return nil
		})
	}
	return group.Wait()
}

// plotsOf are the indexes of what is read: small, of a known kind, not part of a model, and together not too much.
func plotsOf(files []mlflowFile) []int {
	models := map[string]bool{}
	for _, f := range files {
		if path.Base(f.Path) == "MLmodel" {
			models[path.Dir(f.Path)] = true
		}
	}
	var chosen []int
	total := int64(0)
	for i, f := range files {
		if plotTypes[strings.ToLower(path.Ext(f.Path))] == "" || f.size < 0 || f.size > maxPlot || total+f.size > maxPlots || insideOf(models, f.Path) {
			continue
		}
		total += f.size
		chosen = append(chosen, i)
	}
	return chosen
}

// insideOf tells whether a file lies in one of the folders, or in a folder inside one.
func insideOf(folders map[string]bool, name string) bool {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if folders[dir] {
			return true
		}
		if dir == "." || dir == "/" {
			return false
		}
	}
}

// artifactPath is where a server serves the artifacts that lie under mlflow-artifacts:.
// Source: https://mlflow.org/docs/latest/self-hosting/architecture/artifact-store (proxied access)
const artifactPath = "/api/2.0/mlflow-artifacts/artifacts"

// servedAt tells how the server is asked for a file below uri; otherwise is how a plain server is asked for what it reads from
// storage of its own. It is nil for what lies on other hosts: they are never asked.
func (a *mlflowAsking) servedAt(uri string, otherwise func(string) httpclient.Request) func(string) httpclient.Request {
	u, err := url.Parse(uri)
	if err != nil {
		return nil
	}
	below := func(root string) func(string) httpclient.Request {
		return func(p string) httpclient.Request {
			return httpclient.Request{Path: path.Join(artifactPath, root, p)}
		}
	}
	home, _ := url.Parse(a.base) // it was parsed before
	switch {
	case u.Scheme == "mlflow-artifacts" && (u.Host == "" || strings.EqualFold(u.Host, home.Host)):
		return below(u.Path)
	case u.Scheme == "http" || u.Scheme == "https":
		root, ours := strings.CutPrefix(uri, a.base+artifactPath+"/")
		if !ours || strings.ContainsAny(root, "?#") {
			return nil
		}
		return below(root)
	case a.kind != plainMLflow || u.Scheme == "mlflow-artifacts" || u.Scheme == "dbfs":
		return nil
	}
	return otherwise
}

// smallFile reads a file of the size that was listed.
func (a *mlflowAsking) smallFile(ctx context.Context, request httpclient.Request, size int64) ([]byte, error) {
	body, err := a.HTTP.Open(ctx, request)
	if err != nil {
		return nil, a.masked(err)
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, size+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != size {
		return nil, provenance.Refuse("mlflow.changed", "the run must not be written to while it is recorded",
			"%s, %s: %s bytes came, %d were listed", a.Service, request.Operation, sizeText(data, size), size)
	}
	return data, nil
}

func sizeText(data []byte, size int64) string {
	if int64(len(data)) > size {
		return fmt.Sprintf("more than %d", size)
	}
	return fmt.Sprint(len(data))
}

// addPlot keeps a file, redacted if it is text. What cannot be cleaned surely is only listed, and marked.
func (a *mlflowAsking) addPlot(to *provenance.Artifact, data []byte) {
	mediaType := plotTypes[strings.ToLower(path.Ext(to.Path))]
	clean, sure := a.clean(mediaType, data)
	if to.Redacted = !sure || !bytes.Equal(clean, data); !sure {
		return
	}
	to.Stored = ask.StoredBytes("mlflow-artifacts/"+to.Path, mediaType, clean)
	to.Digest = to.Stored.Digest
}
