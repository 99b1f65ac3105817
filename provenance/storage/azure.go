package storage

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/seed-3480f271/provenance/provenance"
)

// azureFolder is a prefix of a container, or a single blob.
type azureFolder struct {
	location
	client  *container.Client
	prefix  string // ends with a slash, or is empty
	single  bool   // path is a blob
	workers int
	stall   time.Duration
	trouble *trouble // what the last request met
	keyed   bool     // the account's key opens it

	retentions *atomic.Bool // listings show the retention of each blob; set by Protection
}

// openAzure asks Azure only when the URI leaves open whether it is a blob or a folder.
func openAzure(ctx context.Context, uri string, o Options) (Folder, error) {
	l, err := parseLocation(uri, o.Cloud)
	if err != nil {
		return nil, err
	}
	t := &trouble{}
	client, err := o.client(l, t)
	if err != nil {
		return nil, err
	}
	f := &azureFolder{location: l, client: client, prefix: l.path, workers: o.azureWorkers(), stall: o.stall(), trouble: t, keyed: l.sas == "" && o.key(l) != "", retentions: new(atomic.Bool)}
	if l.path == "" || strings.HasSuffix(l.path, "/") {
		return f, nil
	}
	if f.single, err = f.isBlob(ctx); err != nil {
		return nil, err
	}
	if !f.single {
		f.prefix, f.uri = l.path+"/", f.uri+"/"
	}
	return f, nil
}

// isBlob tells whether the path is a blob that is not the marker of a directory.
func (f *azureFolder) isBlob(ctx context.Context) (bool, error) {
	properties, err := f.client.NewBlobClient(f.path).GetProperties(ctx, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return false, nil
	}
	if err != nil {
		return false, f.failed(ctx, err, "").explain()
	}
	return !marksFolder(properties.Metadata), nil
}

// folderMark is the metadata by which drivers of a hierarchical namespace mark a blob that stands for a directory.
const folderMark = "hdi_isfolder"

// marksFolder tells whether metadata has that mark.
func marksFolder(metadata map[string]*string) bool {
	for name, value := range metadata {
		if strings.EqualFold(name, folderMark) && value != nil && strings.EqualFold(*value, "true") {
			return true
		}
	}
	return false
}

func (f *azureFolder) URI() string  { return f.uri }
func (f *azureFolder) Workers() int { return f.workers }

func (f *azureFolder) List(ctx context.Context, yield func(Object) error) error {
	if f.single {
		return f.listSingle(ctx, yield)
	}
	for pages, marker := newPages(), ""; ; {
		body, err := f.page(ctx, marker)
		if err != nil {
			return f.failed(ctx, err, "").explain()
		}
		var stopped error
		blobs, next, err := readPage(body, func(b listed) error {
			stopped = f.yieldListed(b, yield)
			return stopped
		})
		switch {
		case stopped != nil:
			return stopped
		case err != nil:
			return f.nonsense(err.Error())
		case next == "":
			return nil
		}
		if wrong := pages.check(blobs, next); wrong != "" {
			return f.nonsense(wrong)
		}
		marker = next
	}
}

// page asks for one page of the listing.
func (f *azureFolder) page(ctx context.Context, marker string) (body []byte, err error) {
	worm := f.retentions.Load()
	o := container.ListBlobsFlatOptions{Prefix: &f.prefix,
		Include: container.ListBlobsInclude{Metadata: true, ImmutabilityPolicy: worm, LegalHold: worm}}
	if marker != "" {
		o.Marker = &marker
	}
	_, err = f.client.NewListBlobsFlatPager(&o).NextPage(context.WithValue(ctx, listBody{}, &body))
	return body, err
}

// listSingle yields the one blob.
func (f *azureFolder) listSingle(ctx context.Context, yield func(Object) error) error {
	name := path.Base(f.path)
	p, err := f.client.NewBlobClient(f.path).GetProperties(ctx, nil)
	if err != nil {
		return f.failed(ctx, err, name).explain()
	}
	if p.ContentLength == nil || p.ETag == nil || p.LastModified == nil {
		return f.nonsense("no size, ETag or date for " + name)
	}
	o := Object{Name: name, Size: *p.ContentLength, ETag: strings.Trim(string(*p.ETag), `"`), Modified: p.LastModified.UTC(),
		Created: valueOf(p.CreationTime).UTC(), Held: valueOf(p.LegalHold)}
	return yield(o.retained(valueOf(p.ImmutabilityPolicyExpiresOn), string(valueOf(p.ImmutabilityPolicyMode))))
}

// valueOf is what p points to, or nothing.
func valueOf[T any](p *T) (value T) {
	if p != nil {
		value = *p
	}
	return value
}

// yieldListed yields what a listing shows, unless it is a directory.
func (f *azureFolder) yieldListed(b listed, yield func(Object) error) error {
	name, inside := strings.CutPrefix(b.name, f.prefix)
	slash := name == "" || strings.HasSuffix(name, "/")
	switch {
	case b.name == "" || !inside:
		return f.nonsense("a listing with a blob that was not asked for")
	case b.aside != "":
		return f.nonsense(fmt.Sprintf("a listing with %s that was not asked for: %q", b.aside, name))
	case b.directory:
		return nil
	case b.size < 0 || b.etag == "" || b.modified.IsZero():
		return f.nonsense(fmt.Sprintf("no size, ETag or date for %q", name))
	case b.size == 0 && (slash || b.marker):
		return nil
	case slash:
		return provenance.Refuse("data.name", "rename or remove the blob", "the blob %q in %s has data and a name that ends like a folder's",
			b.name, f.uri)
	}
	o := Object{Name: name, Size: b.size, ETag: b.etag, Modified: b.modified, Created: b.created, Held: b.held}
	return yield(o.retained(b.retainUntil, b.retainMode))
}

// retained adds the blob's own retention. A date without a mode, or a mode without a date, is none.
func (o Object) retained(until time.Time, mode string) Object {
	if mode = strings.ToLower(mode); !until.IsZero() && (mode == "locked" || mode == "unlocked") {
		o.RetainUntil, o.RetainMode = until.UTC(), mode
	}
	return o
}

func (f *azureFolder) Open(ctx context.Context, o Object) (io.ReadCloser, error) {
	name := f.prefix + o.Name
	if f.single {
		name = f.path
	}
	if o.ETag == "" {
		return nil, fmt.Errorf("the file %s in %s has no ETag to pin it by", o.Name, f.uri)
	}
	response, err := f.client.NewBlobClient(name).DownloadStream(ctx, &blob.DownloadStreamOptions{
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{
			IfMatch: to.Ptr(azcore.ETag(`"` + o.ETag + `"`))}}})
	if err != nil {
		return nil, f.failed(ctx, err, o.Name).explain()
	}
	if err := f.sameBlob(response, o); err != nil {
		response.Body.Close()
		return nil, err
	}
	return newPinnedReader(ctx, response.NewRetryReader(ctx, nil), f, o), nil
}

// sameBlob compares the headers of an answer with the listing, in case something between us and Azure ignored If-Match.
func (f *azureFolder) sameBlob(r blob.DownloadStreamResponse, o Object) error {
	if r.ETag == nil {
		return f.nonsense("no ETag for " + o.Name)
	}
	if strings.Trim(string(*r.ETag), `"`) != o.ETag {
		return changed(o.Name, "was replaced or removed after it was listed")
	}
	if r.ContentLength == nil || *r.ContentLength != o.Size {
		return changed(o.Name, fmt.Sprintf("has another length than the %d bytes that were listed", o.Size))
	}
	return nil
}

// nonsense is an answer that Azure would not give.
func (f *azureFolder) nonsense(what string) error {
	return fmt.Errorf("%s: the storage answered %s", f.uri, what)
}
