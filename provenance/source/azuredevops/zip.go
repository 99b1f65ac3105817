package azuredevops

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// maxZipFiles bounds how many files a zip may hold.
const maxZipFiles = 100_000

// notHeldArtifact is why a digest with one line for each file cannot stand for an artifact.
type notHeldArtifact struct{ why string }

func (n *notHeldArtifact) Error() string { return n.why }

// errManyFiles says the same of a zip of too many files.
var errManyFiles = fmt.Errorf("it holds more than %d files", maxZipFiles)

// openZip reads the directory of a zip, unless that would take much memory. What the records at the zip's end say of the number of
// files is not believed: archive/zip reads on for as long as entries follow each other, and compares the last 16 bits alone. But it
// can find no more of them than the bytes hold marks of entries.
// Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3.12)
func openZip(data []byte) (*zip.Reader, error) {
	if bytes.Count(data, []byte("PK\x01\x02")) > maxZipFiles {
		return nil, errManyFiles
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("it is no zip: %w", err)
	}
	return archive, nil
}

// zipDirHash is the dirHash of the files in a zip, and their number. Paths are relative to the artifact's folder, which is the
// first step of all of them in the zips that Azure DevOps makes: folder is taken off where it leads all paths. A name that is not
// clean, or that stands there twice, is a *notHeldArtifact; more than maxZip bytes are errLargeZip, and more than maxZipFiles
// files errManyFiles.
func zipDirHash(data []byte, folder string) (provenance.Digest, int64, error) {
	archive, err := openZip(data)
	if err != nil {
		return provenance.Digest{}, 0, err
	}
	files, err := zipFiles(archive)
	if err != nil {
		return provenance.Digest{}, 0, err
	}
	prefix := folder + "/"
	if slices.ContainsFunc(files, func(f *zip.File) bool { return !strings.HasPrefix(f.Name, prefix) }) {
		prefix = ""
	}
	lines := make([]string, 0, len(files))
	left := int64(maxZip)
	for _, f := range files {
		sum, size, err := zipSum(f, left)
		if err != nil {
			return provenance.Digest{}, 0, err
		}
		left -= size
		lines = append(lines, strings.TrimPrefix(f.Name, prefix)+"\x00"+sum) // sorts by path
	}
	slices.Sort(lines)
	manifest := sha256.New()
	for _, line := range lines {
		path, sum, _ := strings.Cut(line, "\x00")
		fmt.Fprintf(manifest, "%s  %s\n", sum, path)
	}
	return provenance.DigestOf(provenance.DirHash, [sha256.Size]byte(manifest.Sum(nil))), int64(len(lines)), nil
}

// zipFiles are the files of a zip, without folders.
func zipFiles(archive *zip.Reader) ([]*zip.File, error) {
	seen := map[string]bool{}
	var files []*zip.File
	for _, f := range archive.File {
		name := strings.TrimSuffix(f.Name, "/")
		if !isCleanZipName(name) {
			return nil, &notHeldArtifact{fmt.Sprintf("it holds a file with the name %q", foreign.Plain(f.Name))}
		}
		if seen[name] {
			return nil, &notHeldArtifact{fmt.Sprintf("it holds %q twice", foreign.Plain(f.Name))}
		}
		if seen[name] = true; name == f.Name {
			files = append(files, f)
		}
	}
	return files, nil
}

// isCleanZipName tells whether a name is a relative path that means the same everywhere.
func isCleanZipName(name string) bool {
	drive := len(name) > 1 && name[1] == ':'
	return fs.ValidPath(name) && name != "." && !drive && !strings.ContainsAny(name, "\n\r\x00\\")
}

// zipSum is the SHA-256 of a file in hex, and its size. At most limit bytes are unpacked.
func zipSum(f *zip.File, limit int64) (string, int64, error) {
	file, err := f.Open()
	if err != nil {
		return "", 0, fmt.Errorf("%q cannot be unpacked: %w", foreign.Plain(f.Name), err)
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, io.LimitReader(file, limit+1))
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("%q cannot be unpacked: %w", foreign.Plain(f.Name), err)
	case size > limit:
		return "", 0, errLargeZip
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), size, nil
}
