package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// mlflowFolder is a folder of artifacts, or a single file, on a server that serves them. It is a storage.Folder.
type mlflowFolder struct {
	asking *mlflowAsking
	uri    string // with a slash at its end, as long as it is a folder
	dir    string // below the root that list and where know; of a single file, its own path
	single bool
	list   mlflowLister
	where  func(string) httpclient.Request
}

func (f *mlflowFolder) URI() string { return f.uri }

// mlflowWorkers is how many files are read at the same time: more makes a server with four processes only wait.
const mlflowWorkers = 4

func (f *mlflowFolder) Workers() int { return mlflowWorkers }

// find tells whether there is such a folder or file: servers list what is not there as an empty folder.
func (f *mlflowFolder) find(ctx context.Context) (bool, error) {
	entries, err := mlflowListLevel(ctx, f.list, []string{f.dir})
	if err != nil || len(entries) > 0 {
		return err == nil, f.bad(err)
	}
	if f.dir == "" {
		return false, nil
	}
	parent := strings.TrimSuffix(path.Dir(f.dir), ".")
	if entries, err = mlflowListLevel(ctx, f.list, []string{parent}); err != nil {
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
		err = mlflowMissingModel("there are no files at %s on %s", plain(f.uri), f.asking.base)
	}
	return err
}

// bad names the folder in the error for a listing that cannot be right.
func (f *mlflowFolder) bad(err error) error {
	var bad *mlflowBadListing
	if errors.As(err, &bad) {
		return fmt.Errorf("%s, listing %s: the answer makes no sense: %w", f.asking.service, plain(f.uri), err)
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
			return f.bad(&mlflowBadListing{fmt.Sprintf("it says nothing of the size of %q", plain(file.Path))})
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
		return mlflowListAll(ctx, f.list, f.dir)
	}
	entries, err := mlflowListLevel(ctx, f.list, []string{strings.TrimSuffix(path.Dir(f.dir), ".")})
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
	request.Operation = "reading " + plain(f.pathOf(o.Name)) + " of " + plain(f.uri)
	body, err := f.asking.client.Open(ctx, request)
	if err != nil {
		if mlflowGone(err) {
			return nil, mlflowChangedFile(o, "is not there any more")
		}
		return nil, f.asking.masked(err)
	}
	return &mlflowSizedBody{body, o, 0}, nil
}

// mlflowSizedBody is a body that must have the size of its listing.
type mlflowSizedBody struct {
	io.ReadCloser
	object storage.Object
	given  int64
}

func (b *mlflowSizedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.given += int64(n)
	switch {
	case b.given > b.object.Size:
		return 0, mlflowChangedFile(b.object, fmt.Sprintf("is longer than the %d bytes that were listed", b.object.Size))
	case errors.Is(err, io.EOF) && b.given < b.object.Size:
		return n, mlflowChangedFile(b.object, fmt.Sprintf("has %d bytes, not the %d that were listed", b.given, b.object.Size))
	}
	return n, err
}

// mlflowChangedModelFile is a refusal that is also storage.ErrChanged.
type mlflowChangedModelFile struct{ *provenance.Refused }

func (mlflowChangedModelFile) Is(target error) bool { return target == storage.ErrChanged }
func (e mlflowChangedModelFile) Unwrap() error      { return e.Refused }

func mlflowChangedFile(o storage.Object, how string) error {
	return mlflowChangedModelFile{&provenance.Refused{Code: "model.changed", Detail: "the file " + plain(o.Name) + " " + how,
		Hint: "the model must not be written to while it is recorded"}}
}
