package provenance

import "io"

// Stored is something that lies beside the image in the registry, as a blob under its own digest: a folder's manifest, a
// service's redacted answer. Open gives its bytes at record time; it is nil in a Record that was read back.
type Stored struct {
	Name      string                        `json:"name"`
	MediaType string                        `json:"mediaType"`
	Digest    Digest                        `json:"digest"` // sha256 of the bytes
	Size      int64                         `json:"size,string"`
	Open      func() (io.ReadCloser, error) `json:"-"`
}

// File is one line of a folder's manifest.
type File struct {
	Path   string // slash-separated, relative to the folder
	Size   int64  // bytes; -1 when the manifest alone is known
	SHA256 Digest
}
