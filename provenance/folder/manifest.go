package folder

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
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

// maxLine is the longest line of a manifest or index: a path of 4,096 bytes, each written as \u0001, and the rest.
const maxLine = 32 << 10

// WriteManifest writes a line for each file, in the order of files.
func WriteManifest(w io.Writer, files []provenance.File) error {
	b := bufio.NewWriterSize(w, 64<<10)
	for _, f := range files {
		b.WriteString(f.SHA256.Hex())
		b.WriteString("  ")
		b.WriteString(f.Path)
		b.WriteByte('\n')
	}
	return b.Flush() // a bufio.Writer keeps its first error
}

// DirHash is in-toto's dirHash of files: the SHA-256 of their manifest, sorted by byte.
// Source: https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md
func DirHash(files []provenance.File) provenance.Digest {
	if !slices.IsSortedFunc(files, byPath) {
		files = slices.Clone(files)
		slices.SortFunc(files, byPath)
	}
	hash := sha256.New()
	WriteManifest(hash, files) // a hash takes everything
	return provenance.DigestOf(provenance.DirHash, [sha256.Size]byte(hash.Sum(nil)))
}

func byPath(a, b provenance.File) int { return strings.Compare(a.Path, b.Path) }

// ParseManifest reads a manifest from outside. It is strict: lowercase SHA-256 in hex, two spaces, a path in UTF-8, a
// newline; paths ascend by byte, none twice; at least one line and at most [MaxFiles]. So bytes that it accepts are the
// bytes that [WriteManifest] writes. Sizes are not known: they are -1. The memory it takes is bounded by the bytes read.
func ParseManifest(r io.Reader) ([]provenance.File, error) {
	var files []provenance.File
	err := eachLine(r, "manifest", func(line []byte) error {
		file, err := parseManifestLine(line)
		if err == nil && len(files) > 0 && files[len(files)-1].Path >= file.Path {
			err = fmt.Errorf("%q is not sorted, or twice in it", file.Path)
		}
		files = append(files, file)
		return err
	})
	if err != nil {
		return nil, err
	}
	return files, nil
}

func parseManifestLine(line []byte) (provenance.File, error) {
	digest, path, found := strings.Cut(string(line), "  ")
	if !found {
		return provenance.File{}, errors.New("there are no two spaces after the digest")
	}
	sum, err := provenance.NewDigest(provenance.SHA256, digest)
	if err == nil && (path == "" || !utf8.ValidString(path)) {
		err = fmt.Errorf("the path %q is empty or not UTF-8", path)
	}
	return provenance.File{Path: path, Size: -1, SHA256: sum}, err
}

// eachLine calls line for each line, without its newline. Errors name what is read and the line.
func eachLine(r io.Reader, what string, line func([]byte) error) error {
	lines := bufio.NewReaderSize(r, maxLine)
	for n := 1; ; n++ {
		text, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(text) == 0 && n > 1:
			return nil
		case errors.Is(err, io.EOF) && len(text) == 0:
			return fmt.Errorf("the %s is empty", what)
		case errors.Is(err, io.EOF):
			return fmt.Errorf("the %s ends in the middle of line %d", what, n)
		case errors.Is(err, bufio.ErrBufferFull) || n > MaxFiles:
			return fmt.Errorf("the %s has a line of more than %d bytes, or more than %d lines", what, maxLine, MaxFiles)
		case err != nil:
			return fmt.Errorf("reading line %d of the %s: %w", n, what, err)
		}
		if err := line(bytes.TrimSuffix(text, []byte("\n"))); err != nil {
			return fmt.Errorf("line %d of the %s: %w", n, what, err)
		}
	}
}

// stored is text that is kept in memory until it lies beside the image.
func stored(name, mediaType string, text []byte) provenance.Stored {
	return provenance.Stored{Name: name, MediaType: mediaType, Digest: provenance.SumSHA256(text), Size: int64(len(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
}
