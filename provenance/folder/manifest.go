package folder

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance"
)

// Media types of what a folder stores beside the image.
const (
	ManifestMediaType = "application/vnd.provenance.manifest.v1+text"
	IndexMediaType    = "application/vnd.provenance.folder-index.v1+jsonl"
)

// MaxFiles is how many files a folder may have, and a manifest or an index lines.
const MaxFiles = 5_000_000

// appendManifestLine writes a line of a manifest.
func appendManifestLine(b []byte, e IndexEntry) ([]byte, error) {
	return append(append(append(append(b, e.SHA256.Hex()...), "  "...), e.Name...), '\n'), nil
}

// eachManifestLine reads a manifest from outside. It is strict: lowercase SHA-256 in hex, two spaces, a path in UTF-8, a
// newline; paths ascend by byte, none twice; at least one line and at most [MaxFiles]. So bytes that it accepts are the
// bytes that appendManifestLine writes. Only name and digest are known.
func eachManifestLine(r io.Reader, yield func(IndexEntry) error) error {
	var order ascending
	return eachLine(r, "manifest", func(line []byte) error {
		e, err := parseManifestLine(line)
		if err == nil {
			err = order.next(e.Name)
		}
		if err == nil {
			err = yield(e)
		}
		return err
	})
}

func parseManifestLine(line []byte) (IndexEntry, error) {
	digest, path, found := strings.Cut(string(line), "  ")
	if !found {
		return IndexEntry{}, errors.New("there are no two spaces after the digest")
	}
	sum, err := provenance.NewDigest(provenance.SHA256, digest)
	if err == nil && (path == "" || len(path) > maxName || !utf8.ValidString(path)) {
		err = fmt.Errorf("the path %.80q is empty, too long or not UTF-8", path)
	}
	return IndexEntry{Name: path, SHA256: sum}, err
}
