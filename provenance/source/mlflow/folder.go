package mlflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// mlflowFolder is a folder of artifacts, or a single file, on a server that serves them. It is a storage.Folder.
type mlflowFolder struct {
	asking *mlflowAsking
	uri    string // with a slash at its end, as long as it is a folder
	dir    string // below the root that list and where know; of a single file, its own path
	single bool
	list   lister
	where  func(string) httpclient.Request
}

func (f *mlflowFolder) URI() string { return f.uri }

// workers is how many files are read at the same time: more makes a server with four processes only wait.
const workers = 4

func (f *mlflowFolder) Workers() int { return workers }

// find tells whether there is such a folder or file: servers list what is not there as an empty folder.
func (f *mlflowFolder) find(ctx context.Context) (bool, error) {
	entries, err := listLevel(ctx, f.list, []string{f.dir})
	if err != nil || len(entries) > 0 {
		return err == nil, f.bad(err)
	}
	if f.dir == "" {
		return false, nil
	}
	parent := strings.TrimSuffix(path.Dir(f.dir), ".")
	if entries, err = listLevel(ctx, f.list, []string{parent}); err != nil {
		return false, f.bad(err)
	}
	for _, e := range entries {
		if e.Path == f.dir && !e.IsDir {
			f.single, f.uri = true, strings.TrimSuffix(f.uri, "/")
			return true, nil
		}
	}
	return false, nil
}

// mustFind refuses what is not there.
func (f *mlflowFolder) mustFind(ctx context.Context) error {
	there, err := f.find(ctx)
	if err == nil && !there {
		err = missingModel("there are no files at %s on %s", foreign.Plain(f.uri), f.asking.base)
	}
	return err
}

// bad names the folder in the error for a listing that cannot be right.
func (f *mlflowFolder) bad(err error) error {
	var bad *badListing
	if errors.As(err, &bad) {
		return fmt.Errorf("%s, listing %s: the answer makes no sense: %w", f.asking.Service, foreign.Plain(f.uri), err)
	}
	return err
}

// List yields every file, with the size that the server says it has.
func (f *mlflowFolder) List(ctx context.Context, yield func(storage.Object) error) error {
	files, err := f.files(ctx)
	if err != nil {
		return f.bad(err)
	}
	for _, file := range files {
		if file.size < 0 {
			return f.bad(&badListing{fmt.Sprintf("it says nothing of the size of %q", foreign.Plain(file.Path))})
		}
		if err := yield(storage.Object{Name: f.nameOf(file.Path), Size: file.size}); err != nil {
			return err
		}
	}
	return nil
}

// files are those below the folder, or the single file.
func (f *mlflowFolder) files(ctx context.Context) ([]mlflowFile, error) {
	if !f.single {
		return listAll(ctx, f.list, f.dir)
	}
	entries, err := listLevel(ctx, f.list, []string{strings.TrimSuffix(path.Dir(f.dir), ".")})
	for _, e := range entries {
		if e.Path == f.dir && !e.IsDir {
			return []mlflowFile{e}, nil
		}
	}
	return nil, err
}

// nameOf is a path relative to the folder; of a single file, its base name.
func (f *mlflowFolder) nameOf(p string) string {
	if f.single {
		return path.Base(p)
	}
	return strings.TrimPrefix(strings.TrimPrefix(p, f.dir), "/")
}

// pathOf undoes nameOf.
func (f *mlflowFolder) pathOf(name string) string {
	if f.single {
		return f.dir
	}
	return path.Join(f.dir, name)
}

// Open streams a file. It ends with an error that is storage.ErrChanged when the file has not the size that was listed.
func (f *mlflowFolder) Open(ctx context.Context, o storage.Object) (io.ReadCloser, error) {
	request := f.where(f.pathOf(o.Name))
	request.Operation = "reading " + foreign.Plain(f.pathOf(o.Name)) + " of " + foreign.Plain(f.uri)
	body, err := f.asking.HTTP.Open(ctx, request)
	if err != nil {
		if gone(err) {
			return nil, changedFile(o, "is not there any more")
		}
		return nil, f.asking.masked(err)
	}
	return &sizedBody{body, o, 0}, nil
}

// sizedBody is a body that must have the size of its listing.
type sizedBody struct {
	io.ReadCloser
	object storage.Object
	given  int64
}

func (b *sizedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.given += int64(n)
	switch {
	case b.given > b.object.Size:
		return 0, changedFile(b.object, fmt.Sprintf("is longer than the %d bytes that were listed", b.object.Size))
	case errors.Is(err, io.EOF) && b.given < b.object.Size:
		return n, changedFile(b.object, fmt.Sprintf("has %d bytes, not the %d that were listed", b.given, b.object.Size))
	}
	return n, err
}

// changedModelFile is a refusal that is also storage.ErrChanged.
type changedModelFile struct{ *provenance.Refused }

func (changedModelFile) Is(target error) bool { return target == storage.ErrChanged }
func (e changedModelFile) Unwrap() error      { return e.Refused }

func changedFile(o storage.Object, how string) error {
	return changedModelFile{&provenance.Refused{Code: "model.changed", Detail: "the file " + foreign.Plain(o.Name) + " " + how,
		Hint: "the model must not be written to while it is recorded"}}
}
