package databricks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// OpenFiles opens a folder or a file that lies in the workspace's DBFS (dbfs:/PATH), among its files (/Workspace/PATH), or in a
// volume of Unity Catalog (/Volumes/CATALOG/SCHEMA/VOLUME/PATH, also behind dbfs:). A trailing slash means a folder; without one it
// is a file of that name, or else a folder. RunID is not needed.
//
// None of these places has an ETag. A file is pinned by its size and the time of its last change, which are compared with the
// listing before the first byte and after the last. A URI, host or token that will not do is a *provenance.Misused; what does not
// exist is a *provenance.Refused, code databricks.missing.
func (d Source) OpenFiles(ctx context.Context, uri string) (storage.Folder, error) {
	at, isFolder, err := parseRemote(uri)
	if err != nil {
		return nil, err
	}
	a, err := d.asking()
	if err != nil {
		return nil, err
	}
	f := &remoteFolder{place: placeOf(a, at), at: at}
	found, err := f.place.stat(ctx, at)
	switch {
	case errors.Is(err, errNotThere):
		return nil, provenance.Refuse("databricks.missing", "is it the path that the run wrote to, in this workspace?", "%s does not exist at %s", foreign.Plain(uri), a.HTTP.Host())
	case err != nil:
		return nil, err
	case isFolder && !found.isFolder:
		return nil, provenance.Misuse("leave out the slash at the end", "%s is a file, not a folder", foreign.Plain(uri))
	case !found.isFolder:
		f.single = &found
	}
	return f, nil
}

// parseRemote gives the path: /Volumes/…, /Workspace/… or dbfs:/….
func parseRemote(uri string) (at string, isFolder bool, err error) {
	const hint = "give dbfs:/PATH, /Volumes/CATALOG/SCHEMA/VOLUME/PATH or /Workspace/PATH"
	p := uri
	if rest, found := strings.CutPrefix(p, "dbfs:"); found {
		if strings.HasPrefix(rest, "//") && !strings.HasPrefix(rest, "///") {
			rest = "" // dbfs://HOST/ names another workspace
		}
		p = "/" + strings.TrimLeft(rest, "/")
		if !strings.HasPrefix(p, "/Volumes/") {
			p = "dbfs:" + p
		}
	} else if rest, found := strings.CutPrefix(p, "/dbfs/"); found { // where clusters see it
		p = "dbfs:/" + rest
	}
	isFolder = strings.HasSuffix(p, "/")
	p = strings.TrimSuffix(p, "/")
	parts := strings.Split(strings.TrimPrefix(p, "dbfs:"), "/")
	proper := len(parts) > 1 && parts[0] == "" && !strings.ContainsAny(p, "?#\\") && !strings.ContainsFunc(p, unicode.IsControl)
	for _, part := range parts[1:] {
		proper = proper && part != "" && part != "." && part != ".."
	}
	switch {
	case !proper:
	case strings.HasPrefix(p, "dbfs:/"), strings.HasPrefix(p, "/Workspace/"), strings.HasPrefix(p, "/Volumes/") && len(parts) >= 5:
		return p, isFolder, nil
	}
	return "", false, provenance.Misuse(hint, "%q is no place of files in Databricks", foreign.Plain(uri))
}

// remoteFile is a file or a folder as Databricks describes it.
type remoteFile struct {
	path     string
	isFolder bool
	size     int64
	modified time.Time
	special  string // what it is instead: neither file nor folder
}

// same tells whether a file is as it was, when times are told no finer than that.
func (f remoteFile) same(size int64, modified time.Time, grain time.Duration) bool {
	return !f.isFolder && f.special == "" && f.size == size && f.modified.Sub(modified).Abs() < grain
}

// grainOf is how finely a place tells times: in milliseconds, but for volumes, where HTTP's times have no fractions of a second.
func grainOf(p filePlace) time.Duration {
	if _, is := p.(volumes); is {
		return time.Second
	}
	return time.Millisecond
}

// filePlace is one of the three services that files are read from.
type filePlace interface {
	// stat looks at one thing; it is errNotThere when there is none.
	stat(ctx context.Context, at string) (remoteFile, error)
	// list yields what is right below a folder.
	list(ctx context.Context, dir string, yield func(remoteFile) error) error
	// open gives the bytes of a file of that size.
	open(ctx context.Context, at string, size int64) (io.ReadCloser, error)
}

// errNotThere is what stat fails with when there is no such thing.
var errNotThere = errors.New("it does not exist")

// notThere makes errNotThere of the answers that mean it.
func notThere(err error) error {
	e, refused := ask.RefusedWith(err, 400, 404)
	if refused && (e.Status == 404 && e.Code != "ENDPOINT_NOT_FOUND" || e.Code == "RESOURCE_DOES_NOT_EXIST") {
		return errNotThere
	}
	return err
}

func placeOf(a *ask.Asking, at string) filePlace {
	switch {
	case strings.HasPrefix(at, "/Volumes/"):
		return volumes{a}
	case strings.HasPrefix(at, "/Workspace/"):
		return workspaceFiles{a}
	}
	return dbfs{a}
}

// remoteFolder is a folder in Databricks, or a single file.
type remoteFolder struct {
	place  filePlace
	at     string
	single *remoteFile
}

// URI is as it was asked for, in one form for each place: dbfs:/…, dbfs:/Volumes/…, /Workspace/….
func (f *remoteFolder) URI() string {
	uri := f.at
	if strings.HasPrefix(uri, "/Volumes/") {
		uri = "dbfs:" + uri
	}
	if f.single != nil {
		return uri
	}
	return strings.TrimSuffix(uri, "/") + "/"
}

// Workers is few: these services allow few requests at a time.
func (f *remoteFolder) Workers() int { return 4 }

// Bounds of a folder.
const (
	maxRemoteFiles = 100_000
	maxRemoteDepth = 64
)

// List implements storage.Folder.
func (f *remoteFolder) List(ctx context.Context, yield func(storage.Object) error) error {
	if f.single != nil {
		now, err := f.place.stat(ctx, f.at)
		if err != nil {
			return vanished(path.Base(f.at), err)
		}
		return f.yield(now, path.Base(f.at), yield)
	}
	count := 0
	return f.walk(ctx, f.at, 0, &count, yield)
}

// walk lists one folder and those below it.
func (f *remoteFolder) walk(ctx context.Context, dir string, depth int, count *int, yield func(storage.Object) error) error {
	if depth > maxRemoteDepth {
		return fmt.Errorf("%s has more than %d levels of folders", foreign.Plain(f.URI()), maxRemoteDepth)
	}
	var folders []string
	err := f.place.list(ctx, dir, func(r remoteFile) error {
		if *count++; *count > maxRemoteFiles {
			return fmt.Errorf("%s holds more than %d files and folders", foreign.Plain(f.URI()), maxRemoteFiles)
		}
		if path.Dir(r.path) != dir || path.Base(r.path) == ".." {
			return fmt.Errorf("the listing of %s makes no sense: it holds %q", foreign.Plain(f.URI()), foreign.Plain(r.path))
		}
		if r.isFolder {
			folders = append(folders, r.path)
			return nil
		}
		return f.yield(r, strings.TrimPrefix(r.path, strings.TrimSuffix(f.at, "/")+"/"), yield)
	})
	if err != nil {
		return vanished(dir, err)
	}
	for _, folder := range folders {
		if err := f.walk(ctx, folder, depth+1, count, yield); err != nil {
			return err
		}
	}
	return nil
}

func (f *remoteFolder) yield(r remoteFile, name string, yield func(storage.Object) error) error {
	if r.special != "" || r.isFolder {
		return provenance.Refuse("data.special", "put files alone into the folder", "%s in %s is %s, and only files can be recorded",
			foreign.Plain(name), foreign.Plain(f.URI()), cmp.Or(r.special, "a folder"))
	}
	return yield(storage.Object{Name: name, Size: r.size, Modified: r.modified})
}

// Open implements storage.Folder.
func (f *remoteFolder) Open(ctx context.Context, o storage.Object) (io.ReadCloser, error) {
	at := f.at
	if f.single == nil {
		at = strings.TrimSuffix(f.at, "/") + "/" + o.Name
	}
	p := &pinnedFile{ctx: ctx, place: f.place, at: at, want: o}
	if err := p.check(); err != nil {
		return nil, err
	}
	var err error
	p.body, err = f.place.open(ctx, at, o.Size)
	if err != nil {
		return nil, vanished(o.Name, notThere(err))
	}
	return p, nil
}

// pinnedFile gives the bytes of a file that has to stay as it was listed.
type pinnedFile struct {
	ctx   context.Context
	place filePlace
	at    string
	want  storage.Object
	body  io.ReadCloser
	got   int64
	ended bool
}

// check compares the file with the listing.
func (p *pinnedFile) check() error {
	now, err := p.place.stat(p.ctx, p.at)
	if err != nil {
		return vanished(p.want.Name, err)
	}
	if !now.same(p.want.Size, p.want.Modified, grainOf(p.place)) {
		return changedFile(p.want.Name, "changed after it was listed")
	}
	return nil
}

// Read looks at the file again before it tells that it ends.
func (p *pinnedFile) Read(b []byte) (int, error) {
	if p.ended {
		return 0, io.EOF
	}
	n, err := p.body.Read(b)
	p.got += int64(n)
	var refused *provenance.Refused
	switch {
	case p.got > p.want.Size:
		return 0, changedFile(p.want.Name, fmt.Sprintf("gave more than the %d bytes that were listed", p.want.Size))
	case errors.As(err, &refused) && refused.Code == "model.changed":
		return 0, changedFile(p.want.Name, "changed while it was read")
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF):
		return n, vanished(p.want.Name, notThere(err))
	case p.got < p.want.Size:
		return 0, changedFile(p.want.Name, fmt.Sprintf("gave %d bytes only, of the %d that were listed", p.got, p.want.Size))
	}
	if err := p.check(); err != nil {
		return 0, err
	}
	p.ended = true
	return n, io.EOF
}

func (p *pinnedFile) Close() error { return p.body.Close() }

// fileChanged is a refusal that is also storage.ErrChanged.
type fileChanged struct{ *provenance.Refused }

func (fileChanged) Is(target error) bool { return target == storage.ErrChanged }
func (e fileChanged) Unwrap() error      { return e.Refused }

func changedFile(name, how string) error {
	return fileChanged{&provenance.Refused{Code: "data.changed", Detail: "the file " + foreign.Plain(name) + " " + how,
		Hint: "the folder must not be written to while it is recorded"}}
}

// vanished makes a change of errNotThere.
func vanished(name string, err error) error {
	if errors.Is(err, errNotThere) {
		return changedFile(name, "vanished after it was listed")
	}
	return err
}

// fileRequest is a question about a file.
func fileRequest(doing, at string) httpclient.Request {
	return httpclient.Request{Operation: doing + " " + foreign.Plain(at)}
}
