package databricks

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// dbfs is the Databricks file system.
// Source: https://docs.databricks.com/api/workspace/dbfs
type dbfs struct{ *ask.Asking }

// dbfsInfo is what it says of a file.
type dbfsInfo struct {
	Path     string      `json:"path"`
	IsDir    bool        `json:"is_dir"`
	Size     json.Number `json:"file_size"`
	Modified json.Number `json:"modification_time"`
}

func (i dbfsInfo) file() (f remoteFile, err error) {
	f = remoteFile{path: "dbfs:" + i.Path, isFolder: i.IsDir}
	if !i.IsDir {
		f.size, f.modified, err = sizeAndTime(i.Size, i.Modified)
	}
	return f, err
}

// sizeAndTime reads what every file must have.
func sizeAndTime(size, modified json.Number) (n int64, at time.Time, err error) {
	if n, err = strconv.ParseInt(size.String(), 10, 64); err != nil || n < 0 {
		return 0, at, fmt.Errorf("%q is no size of a file", foreign.Plain(size.String()))
	}
	at, err = foreign.Millis(modified)
	return n, at, err
}

func (d dbfs) stat(ctx context.Context, at string) (remoteFile, error) {
	var info dbfsInfo
	r := fileRequest("looking at", at)
	r.Path, r.Query = "/api/2.0/dbfs/get-status", url.Values{"path": {dbfsPath(at)}}
	if err := askFile(ctx, d.Asking, r, &info); err != nil {
		return remoteFile{}, err
	}
	f, err := info.file()
	if err == nil && strings.TrimSuffix(f.path, "/") != at {
		err = fmt.Errorf("it is about %q", foreign.Plain(f.path))
	}
	if err != nil {
		return f, d.Nonsense(r.Operation, err)
	}
	return f, nil
}

func dbfsPath(at string) string { return strings.TrimPrefix(at, "dbfs:") }

// askFile asks, without keeping the answer.
func askFile(ctx context.Context, a *ask.Asking, r httpclient.Request, v any) error {
	answer, err := a.HTTP.Do(ctx, r)
	if err != nil {
		return notThere(err)
	}
	return answer.JSON(v)
}

func (d dbfs) list(ctx context.Context, dir string, yield func(remoteFile) error) error {
	var listed struct {
		Files []dbfsInfo `json:"files"`
	}
	r := fileRequest("listing", dir)
	r.Path, r.Query = "/api/2.0/dbfs/list", url.Values{"path": {dbfsPath(dir)}}
	if err := askFile(ctx, d.Asking, r, &listed); err != nil {
		return err
	}
	for _, info := range listed.Files {
		f, err := info.file()
		if err != nil {
			return d.Nonsense(r.Operation, err)
		}
		if err := yield(f); err != nil {
			return err
		}
	}
	return nil
}

func (d dbfs) open(ctx context.Context, at string, size int64) (io.ReadCloser, error) {
	return &dbfsReader{ctx: ctx, dbfs: d, at: at, size: size}, nil
}

// dbfsPage is how much of a file one answer holds, in bytes: no more is allowed, and half of it comes when nothing is said.
// Source: https://docs.databricks.com/api/workspace/dbfs/read
const dbfsPage = 1 << 20

// dbfsReader reads a file page by page.
type dbfsReader struct {
	ctx    context.Context
	dbfs   dbfs
	at     string
	size   int64
	offset int64
	page   bytes.Reader
}

func (r *dbfsReader) Read(p []byte) (int, error) {
	if r.page.Len() == 0 {
		if r.offset >= r.size {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	return r.page.Read(p)
}

// next asks for a page. An empty one before the file's end is its end now.
func (r *dbfsReader) next() error {
	var part struct {
		Read json.Number `json:"bytes_read"`
		Data string      `json:"data"`
	}
	q := fileRequest("reading", r.at)
	want := min(dbfsPage, r.size-r.offset)
	q.Path = "/api/2.0/dbfs/read"
	q.Query = url.Values{"path": {dbfsPath(r.at)}, "offset": {strconv.FormatInt(r.offset, 10)}, "length": {strconv.FormatInt(want, 10)}}
	if err := askFile(r.ctx, r.dbfs.Asking, q, &part); err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(part.Data)
	switch {
	case err != nil:
		return r.dbfs.Nonsense(q.Operation, errors.New("its data is not base64"))
	case part.Read.String() != strconv.Itoa(len(data)) || int64(len(data)) > want:
		return r.dbfs.Nonsense(q.Operation, fmt.Errorf("it has %d bytes, says %q, and was asked for %d", len(data), foreign.Plain(part.Read.String()), want))
	case len(data) == 0:
		r.offset = r.size
		return io.EOF
	}
	r.offset += int64(len(data))
	r.page.Reset(data)
	return nil
}

func (r *dbfsReader) Close() error { return nil }

// volumes are those of Unity Catalog.
// Source: https://docs.databricks.com/api/workspace/files
type volumes struct{ *ask.Asking }

// volumeEntry is one line of a folder's listing.
type volumeEntry struct {
	Path     string      `json:"path"`
	IsFolder bool        `json:"is_directory"`
	Size     json.Number `json:"file_size"`
	Modified json.Number `json:"last_modified"`
}

// stat asks for a file of the name first, and then for a folder.
func (v volumes) stat(ctx context.Context, at string) (remoteFile, error) {
	r := fileRequest("looking at", at)
	r.Method, r.Path, r.Accept = http.MethodHead, "/api/2.0/fs/files"+at, "*/*"
	answer, err := v.HTTP.Do(ctx, r)
	if err == nil {
		f, err := headFile(at, answer.Header)
		if err != nil {
			return f, v.Nonsense(r.Operation, err)
		}
		return f, nil
	}
	if err = notThere(err); !errors.Is(err, errNotThere) {
		return remoteFile{}, err
	}
	r.Path = "/api/2.0/fs/directories" + at
	if _, err := v.HTTP.Do(ctx, r); err != nil {
		return remoteFile{}, notThere(err)
	}
	return remoteFile{path: at, isFolder: true}, nil
}

// headFile reads the head of an answer. Files always come as bytes: a web page is a login page.
func headFile(at string, h http.Header) (f remoteFile, err error) {
	if strings.HasPrefix(h.Get("Content-Type"), "text/html") {
		return f, provenance.WithHint(errors.New("a web page came where a file was expected"), "is this the service's own address, and not a login page or a proxy?")
	}
	f.path = at
	if f.size, err = strconv.ParseInt(h.Get("Content-Length"), 10, 64); err != nil || f.size < 0 {
		return f, errors.New("it does not say how large the file is")
	}
	if f.modified, err = http.ParseTime(h.Get("Last-Modified")); err != nil {
		return f, errors.New("it does not say when the file was changed")
	}
	f.modified = f.modified.UTC()
	return f, nil
}

// maxVolumePages bounds the pages of a folder's listing: they have up to 1000 entries.
const maxVolumePages = 10_000

func (v volumes) list(ctx context.Context, dir string, yield func(remoteFile) error) error {
	r := fileRequest("listing", dir)
	r.Path, r.Query = "/api/2.0/fs/directories"+dir, url.Values{}
	seen := map[string]bool{}
	for range maxVolumePages {
		var page struct {
			Contents []volumeEntry `json:"contents"`
			Next     string        `json:"next_page_token"`
		}
		if err := askFile(ctx, v.Asking, r, &page); err != nil {
			return err
		}
		for _, e := range page.Contents {
			f := remoteFile{path: strings.TrimSuffix(e.Path, "/"), isFolder: e.IsFolder}
			var err error
			if !e.IsFolder {
				if f.size, f.modified, err = sizeAndTime(e.Size, e.Modified); err != nil {
					return v.Nonsense(r.Operation, err)
				}
			}
			if err := yield(f); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		if seen[page.Next] {
			return v.Nonsense(r.Operation, errors.New("its pages go round in a circle"))
		}
		seen[page.Next] = true
		r.Query.Set("page_token", page.Next)
	}
	return v.Nonsense(r.Operation, fmt.Errorf("it has more than %d pages", maxVolumePages))
}

func (v volumes) open(ctx context.Context, at string, _ int64) (io.ReadCloser, error) {
	r := fileRequest("reading", at)
	r.Path = "/api/2.0/fs/files" + at
	return v.HTTP.Open(ctx, r)
}

// workspaceFiles are the files among the notebooks.
// Source: https://docs.databricks.com/api/workspace/workspace
type workspaceFiles struct{ *ask.Asking }

func (o workspaceObject) file() (f remoteFile, err error) {
	f = remoteFile{path: "/Workspace" + inWorkspace(o.Path)}
	switch shapes[o.Type] {
	case aFolder:
		f.isFolder = true
	case aFile:
		f.size, f.modified, err = sizeAndTime(o.Size, o.Modified)
	default:
		f.special = "a " + foreign.Plain(strings.ToLower(o.Type))
	}
	return f, err
}

func (w workspaceFiles) stat(ctx context.Context, at string) (remoteFile, error) {
	var o workspaceObject
	r := fileRequest("looking at", at)
	r.Path, r.Query = "/api/2.0/workspace/get-status", url.Values{"path": {inWorkspace(at)}}
	if err := askFile(ctx, w.Asking, r, &o); err != nil {
		return remoteFile{}, err
	}
	f, err := o.file()
	if err == nil && f.path != at {
		err = fmt.Errorf("it is about %q", foreign.Plain(f.path))
	}
	if err != nil {
		return f, w.Nonsense(r.Operation, err)
	}
	return f, nil
}

func (w workspaceFiles) list(ctx context.Context, dir string, yield func(remoteFile) error) error {
	var listed struct {
		Objects []workspaceObject `json:"objects"`
	}
	r := fileRequest("listing", dir)
	r.Path, r.Query = "/api/2.0/workspace/list", url.Values{"path": {inWorkspace(dir)}}
	if err := askFile(ctx, w.Asking, r, &listed); err != nil {
		return err
	}
	for _, o := range listed.Objects {
		f, err := o.file()
		if err != nil {
			return w.Nonsense(r.Operation, err)
		}
		if err := yield(f); err != nil {
			return err
		}
	}
	return nil
}

// open downloads the file itself, whatever its kind; base64 in JSON would end at 10 MB.
// Source: https://docs.databricks.com/api/workspace/workspace/export
func (w workspaceFiles) open(ctx context.Context, at string, _ int64) (io.ReadCloser, error) {
	r := fileRequest("reading", at)
	r.Path, r.Query = "/api/2.0/workspace/export", url.Values{"path": {inWorkspace(at)}, "format": {"AUTO"}, "direct_download": {"true"}}
	body, err := w.HTTP.Open(ctx, r)
	if e, refused := ask.RefusedWith(err, 400); refused && e.Code == "MAX_NOTEBOOK_SIZE_EXCEEDED" {
		return nil, provenance.WithHint(err, "put large files into a volume of Unity Catalog")
	}
	return body, err
}
