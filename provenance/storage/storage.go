// Package storage reads folders of files, on the local disk or in Azure Blob Storage, so that nothing can change under the
// reader unnoticed: [Folder.List] says what is there, and [Folder.Open] opens exactly what was listed, or refuses.
//
// A blob is pinned by the ETag of the listing: every request for its bytes, a resumed one too, carries it as If-Match. A
// local file is pinned by size and modification time, and on Unix by device and inode, looked at before the first byte and
// after the last. Its change time (Linux, macOS), which nobody can set back, is compared before the first byte; whoever
// lists again afterwards finds it in [Object].
//
// Nothing is followed and nothing is skipped silently. Directories, and the zero-byte blobs that mark directories, are not
// files. A symbolic link, a device, a socket or a pipe inside a local folder is refused: its target may lie outside the
// folder and move without a file in it changing, so a digest of the folder would promise more than it holds. Links on the
// way to a local folder are resolved when it is opened: [Folder.URI] says where the bytes really lie.
//
// Names and URIs in Azure's forms are percent-decoded: a blob "100%" is written 100%25. A SAS in a URI is used, and never
// appears in URI(), in an error or in a log.
package storage

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/seed-3480f271/provenance/provenance"
)

// Object is one file of a folder, as a listing shows it.
type Object struct {
	Name     string    // slash-separated, relative to the folder
	Size     int64     // bytes
	ETag     string    // without quotes; empty for a local file
	Modified time.Time // UTC
	Created  time.Time // UTC; zero for a local file
	// RetainUntil is until when the blob itself must not change (version-level WORM), and RetainMode whether that can be
	// shortened: "locked", "unlocked", or "" when there is no such retention. Held is a legal hold on the blob itself.
	// They are known after [Protected] was asked, and always for a single blob.
	RetainUntil time.Time
	RetainMode  string
	Held        bool
	// Changed is when a local file's data, name or rights last changed (ctime), in nanoseconds since 1970; 0 is unknown.
	Changed int64
	// Inode is the number of a local file in its file system, which another file that is put in its place has not; 0 is unknown.
	Inode  uint64
	device uint64 // of the file system
}

// Folder is a place that holds files.
type Folder interface {
	// URI names the folder: no query, no user-info. A folder's ends with a slash, a single file's does not.
	URI() string
	// List yields every file, in any order, markers of directories left out. An error of yield ends it and is returned.
	List(ctx context.Context, yield func(Object) error) error
	// Open opens o as it was listed. When the file is not that any more, or while it is read ceases to be, Open or Read
	// fail with an error that is [ErrChanged] and a *provenance.Refused.
	Open(ctx context.Context, o Object) (io.ReadCloser, error)
	// Workers is how many files one should read at the same time.
	Workers() int
}

// Options says how storage is reached. The zero value reads local folders, Azure with a SAS, and Azurite.
type Options struct {
	// Credential is used where a URI has no SAS. It may be nil: then NewCredential is asked, once for each [Open].
	Credential    azcore.TokenCredential
	NewCredential func() (azcore.TokenCredential, error)
	// SharedKey gives the key of an account, base64; empty means none. Azurite's public account needs no SharedKey.
	SharedKey func(account string) string
	// Cloud is "public" (or empty), "china", "usgovernment", or the suffix of a storage endpoint, "core.example.net".
	Cloud string
	// Workers is what Folder.Workers answers, at most [MaxWorkers]; 0 means one for each core, and for Azure four, but at
	// least eight.
	Workers int
	// Transport carries the requests to Azure. An *http.Transport (with a proxy, a CA) is copied and sized to the workers;
	// anything else is used as it is. Nil is a transport without proxy.
	Transport http.RoundTripper
	// Stall is how long a body may give no byte before it is asked for again; 0 means 30 seconds.
	Stall time.Duration
	// Debug gets a line for each request to Azure, without its query; it may be called by many at the same time. Nil: nobody.
	Debug func(string)

	retryDelay time.Duration // before the first retry; 0 is the SDK's 0.8 s
}

// ErrChanged is what errors of Folder are when a file is not as it was listed.
var ErrChanged = errors.New("changed since it was listed")

// changedError is a refusal that is also ErrChanged.
type changedError struct{ *provenance.Refused }

func (changedError) Is(target error) bool { return target == ErrChanged }
func (e changedError) Unwrap() error      { return e.Refused }

// changed refuses the file called name; how continues the sentence.
func changed(name, how string) error {
	return changedError{&provenance.Refused{Code: "data.changed", Detail: "the file " + name + " " + how,
		Hint: "the folder must not be written to while it is recorded"}}
}

// Open opens a local path or an Azure URI. A trailing slash means a folder. Without one it is a file of that exact name, or
// else a folder; a single file is a folder of one object, called by its base name. A folder in Azure that holds nothing
// cannot be told from one that does not exist: both open, and list nothing.
//
// A wrong URI, a missing local path and an impossible number of workers are *provenance.Misused.
func Open(ctx context.Context, uri string, o Options) (Folder, error) {
	if o.Workers < 0 || o.Workers > MaxWorkers {
		return nil, provenance.Misuse("", "%d workers are not between 1 and %d", o.Workers, MaxWorkers)
	}
	if !hasScheme(uri) {
		return openLocal(uri, o)
	}
	return openAzure(ctx, uri, o)
}

// MaxWorkers is how many files one may want to read at the same time: more connections only make a storage account throttle.
const MaxWorkers = 256

// localWorkers is one for each core: hashing needs the processor, not the disk.
func (o Options) localWorkers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return min(runtime.GOMAXPROCS(0), MaxWorkers)
}

// azureWorkers hides the latency of requests.
func (o Options) azureWorkers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return min(max(8, 4*runtime.GOMAXPROCS(0)), MaxWorkers)
}

const defaultStall = 30 * time.Second

func (o Options) stall() time.Duration {
	if o.Stall > 0 {
		return o.Stall
	}
	return defaultStall
}
