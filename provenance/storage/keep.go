package storage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/seed-3480f271/provenance/provenance"
)

// Keeper writes files into a folder, each once: what is there is never replaced.
type Keeper struct {
	folder Folder
	azure  *azureFolder // nil: it is local
}

// OpenKeeper opens a folder to write into: a local path, or an Azure URI as in [Open]. A local folder has to exist.
func OpenKeeper(ctx context.Context, uri string, o Options) (*Keeper, error) {
	if hasScheme(uri) && uri[len(uri)-1] != '/' {
		uri += "/" // a blob of that name is none of our business
	}
	f, err := Open(ctx, uri, o)
	if err != nil {
		return nil, err
	}
	if l, isLocal := f.(localFolder); isLocal && l.single {
		return nil, provenance.Misuse("name a folder", "%s is a file", f.URI())
	}
	azure, _ := f.(*azureFolder)
	return &Keeper{f, azure}, nil
}

// URI is the folder.
func (k *Keeper) URI() string { return k.folder.URI() }

// Protection is what the storage says of its protection; nil for a local folder.
func (k *Keeper) Protection(ctx context.Context) (*Protection, error) {
	if k.azure == nil {
		return nil, nil
	}
	p, err := k.azure.Protection(ctx)
	return &p, err
}

// Put writes a file whose bytes have the digest. One that is there already is read: when it holds the same bytes, all is well, and
// when not, it is a *provenance.Refused, code evidence.differs. name is slash-separated.
func (k *Keeper) Put(ctx context.Context, name string, digest provenance.Digest, open func() (io.ReadCloser, error)) error {
	body, err := open()
	if err != nil {
		return err
	}
	defer body.Close() // was read only
	sum := sha256.New()
	exists, err := k.write(ctx, name, io.TeeReader(body, sum))
	switch {
	case err != nil:
		return err
	case exists:
		return k.compare(ctx, name, digest)
	case provenance.DigestOf(provenance.SHA256, [sha256.Size]byte(sum.Sum(nil))).Hex() != digest.Hex():
		return fmt.Errorf("%s%s: the bytes changed while they were written", k.URI(), name)
	}
	return nil
}

// write writes a file, unless it exists.
func (k *Keeper) write(ctx context.Context, name string, body io.Reader) (exists bool, err error) {
	if k.azure == nil {
		return writeLocal(k.folder.(localFolder).path, filepath.FromSlash(name), body)
	}
	_, err = k.azure.client.NewBlockBlobClient(k.azure.prefix+name).UploadStream(ctx, body, &blockblob.UploadStreamOptions{
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}})
	if bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet, bloberror.BlobImmutableDueToPolicy) {
		return true, nil
	}
	if err != nil {
		return false, k.azure.failed(ctx, err, name).unwritten()
	}
	return false, nil
}

// unwritten explains why something could not be written.
func (f failure) unwritten() error {
	var answer *azcore.ResponseError
	if errors.As(f.err, &answer) && (answer.StatusCode == 401 || answer.StatusCode == 403) {
		return provenance.WithHint(fmt.Errorf("%s: access denied (%s)", f.subject(), answered(answer)),
			fmt.Sprintf("to write there, the identity needs the role Storage Blob Data Contributor on container %s of storage account %s, or the SAS sp=rcl", f.where.container, f.where.account))
	}
	return f.explain()
}

// writeLocal writes a whole file below a folder, or nothing: no symbolic link that lies there leads out of it.
func writeLocal(folder, path string, body io.Reader) (exists bool, err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return false, unreadable(err)
	}
	defer root.Close() // nothing is written through it any more
	if _, err := root.Lstat(path); err == nil {
		return true, nil
	}
	if err := root.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, unreadable(err)
	}
	part := filepath.Join(filepath.Dir(path), ".keep-"+rand.Text())
	file, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, unreadable(err)
	}
	defer root.Remove(part)
	_, err = io.Copy(file, body)
	if err = errors.Join(err, file.Chmod(0o444), file.Close()); err != nil {
		return false, err
	}
	err = root.Link(part, path) // unlike a rename, it replaces nothing
	if errors.Is(err, fs.ErrExist) {
		return true, nil
	}
	return false, err
}

// compare reads what is there.
func (k *Keeper) compare(ctx context.Context, name string, digest provenance.Digest) error {
	sum, err := k.sum(ctx, name)
	if err != nil {
		return err
	}
	if sum.Hex() != digest.Hex() {
		return provenance.Refuse("evidence.differs", "somebody wrote it before: find out who, and name another folder",
			"%s%s holds something else than %s", k.URI(), name, digest)
	}
	return nil
}

func (k *Keeper) sum(ctx context.Context, name string) (provenance.Digest, error) {
	body, err := k.read(ctx, name)
	if err != nil {
		return provenance.Digest{}, err
	}
	defer body.Close() // was read only
	sum := sha256.New()
	_, err = io.Copy(sum, body)
	return provenance.DigestOf(provenance.SHA256, [sha256.Size]byte(sum.Sum(nil))), err
}

func (k *Keeper) read(ctx context.Context, name string) (io.ReadCloser, error) {
	if k.azure == nil {
		return readLocal(k.folder.(localFolder).path, filepath.FromSlash(name))
	}
	p, err := k.azure.client.NewBlobClient(k.azure.prefix+name).GetProperties(ctx, nil)
	if err != nil {
		return nil, k.azure.failed(ctx, err, name).explain()
	}
	return k.azure.Open(ctx, Object{Name: name, Size: valueOf(p.ContentLength), ETag: strings.Trim(string(valueOf(p.ETag)), `"`)})
}

// readLocal opens a file that lies in a folder itself: bytes at the other end of a link are not kept there.
func readLocal(folder, path string) (io.ReadCloser, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, unreadable(err)
	}
	defer root.Close() // the file outlives it
	info, err := root.Lstat(path)
	if err != nil {
		return nil, unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return nil, provenance.Refuse("evidence.differs", "somebody put it there before: find out who, and name another folder",
			"%s is no regular file, but %s", filepath.Join(folder, path), info.Mode())
	}
	return root.Open(path)
}
