package image

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/seed-3480f271/provenance/provenance"
)

// place is where a reference points: a store, and a tag or digest in it.
type place struct {
	store      store
	repository string // for the statement
	identifier string // a tag, a digest (sha256:HEX), or empty: the only image of a layout
}

// isDigest tells whether the identifier is a digest.
func (p place) isDigest() bool { return strings.HasPrefix(p.identifier, "sha256:") }

// parseReference understands REGISTRY/REPO:TAG, REGISTRY/REPO@sha256:HEX, oci:DIR, oci:DIR:TAG and oci:DIR@sha256:HEX.
func parseReference(ref string, o Options) (place, error) {
	if rest, found := strings.CutPrefix(ref, "oci:"); found {
		return parseLayout(rest, o)
	}
	if isLayout(ref) {
		return place{}, provenance.Misuse("write oci:"+clean(ref), "%q is an OCI layout on disk, and is named with oci: in front", clean(ref))
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return place{}, provenance.Misuse("write REGISTRY/REPOSITORY:TAG, REGISTRY/REPOSITORY@sha256:DIGEST, or oci:FOLDER for a layout on disk",
			"the image reference %q is not valid", clean(ref))
	}
	p := place{newRegistry(parsed.Context(), o), parsed.Context().Name(), parsed.Identifier()}
	if strings.Contains(p.identifier, ":") && !p.isDigest() {
		return place{}, provenance.Misuse("", "the image reference %q has a digest that is not sha256", clean(ref))
	}
	return p, nil
}

// parseLayout understands what follows oci:. A folder's name may have a colon in it, so the file system decides.
func parseLayout(rest string, o Options) (place, error) {
	dir, identifier := rest, ""
	if !isFolder(rest) {
		if before, digest, found := strings.Cut(rest, "@"); found {
			dir, identifier = before, digest
			if _, err := provenance.ParseDigest(digest); err != nil {
				return place{}, provenance.Misuse("", "the image reference %q has a wrong digest: %v", "oci:"+clean(rest), err)
			}
		} else if colon := strings.LastIndex(rest, ":"); colon >= 0 {
			dir, identifier = rest[:colon], rest[colon+1:]
		}
	}
	if !isLayout(dir) {
		return place{}, provenance.Misuse(layoutHint(dir), "%s is not an OCI layout", dir)
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return place{}, err
	}
	return place{&layout{dir: dir, limits: o.limits}, filepath.Base(absolute), identifier}, nil
}

func layoutHint(dir string) string {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return "if it is the tar file that docker buildx writes, unpack it into a folder: tar -xf FILE -C FOLDER"
	}
	return "an OCI layout is a folder with the files oci-layout and index.json, and the folder blobs"
}

func isLayout(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "oci-layout"))
	return err == nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
