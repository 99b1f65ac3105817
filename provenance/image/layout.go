package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// layout is an OCI layout on disk. Its index.json lists everything: images by their tags, the .att image by its tag, and the
// journal without tags. Files appear whole, by renaming; writers of ours wait for each other at a lock file.
// Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
type layout struct {
	dir    string
	limits limits
}

const lockFile = "index.json.lock"

func (l *layout) name() string { return "oci:" + l.dir }

// index reads index.json.
func (l *layout) index(ctx context.Context) (manifest, error) {
	raw, err := l.readFile(ctx, "index.json", l.limits.page)
	if err != nil {
		return manifest{}, err
	}
	m := manifest{raw: raw}
	if err := strictjson.Unmarshal(raw, maxDepth, &m); err != nil {
		return manifest{}, fmt.Errorf("index.json of %s is not valid: %w", l.name(), err)
	}
	return m, nil
}

func (l *layout) readFile(ctx context.Context, name string, limit int64) ([]byte, error) {
	f, err := os.Open(filepath.Join(l.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errMissing
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(meteredReader{f, metadataOf(ctx)}, limit, name+" of "+l.name())
}

func (l *layout) manifest(ctx context.Context, ref string) (manifest, error) {
	if !strings.Contains(ref, ":") {
		index, err := l.index(ctx)
		if err != nil {
			return manifest{}, err
		}
		tagged := slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool { return d.Annotations[refName] != ref })
		if len(tagged) == 0 {
			return manifest{}, errMissing
		}
		if slices.ContainsFunc(tagged, func(d v1.Descriptor) bool { return d.Digest != tagged[0].Digest }) {
			return manifest{}, provenance.Misuse("name the image by its digest: oci:FOLDER@sha256:HEX", "%s holds %d images with the tag %s", l.name(), len(tagged), ref)
		}
		return l.read(ctx, tagged[0].Digest, string(tagged[0].MediaType))
	}
	digest, err := v1.NewHash(ref)
	if err != nil {
		return manifest{}, err
	}
	return l.read(ctx, digest, "")
}

func (l *layout) referrer(ctx context.Context, digest v1.Hash) (manifest, error) {
	return l.readUpTo(ctx, digest, "", l.limits.referrer)
}

// read reads a manifest by its digest.
func (l *layout) read(ctx context.Context, digest v1.Hash, mediaType string) (manifest, error) {
	return l.readUpTo(ctx, digest, mediaType, l.limits.manifest)
}

func (l *layout) readUpTo(ctx context.Context, digest v1.Hash, mediaType string, limit int64) (manifest, error) {
	raw, err := l.readFile(ctx, blobPath(digest), limit)
	if err != nil {
		return manifest{}, err
	}
	if got := sum(raw); got != digest {
		return manifest{}, fmt.Errorf("manifest %s of %s has other bytes: their digest is %s", digest, l.name(), got)
	}
	return parseManifest(raw, mediaType)
}

// blobPath is where a blob lies. The parts of a parsed hash are letters and digits.
func blobPath(digest v1.Hash) string { return filepath.Join("blobs", digest.Algorithm, digest.Hex) }

func (l *layout) blob(_ context.Context, digest v1.Hash, size int64) (io.ReadCloser, error) {
	if digest.Algorithm != "sha256" {
		return nil, fmt.Errorf("blob %s: only sha256 digests are checked here", digest)
	}
	f, err := os.Open(filepath.Join(l.dir, blobPath(digest)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errMissing
	}
	if err != nil {
		return nil, err
	}
	return newVerifiedReader(f, digest, size), nil
}

func (l *layout) hasBlob(_ context.Context, digest v1.Hash) (bool, error) {
	_, err := os.Stat(filepath.Join(l.dir, blobPath(digest)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// journal looks into each manifest that index.json lists: it says nothing of subjects itself.
func (l *layout) journal(ctx context.Context, image v1.Hash) (journal, error) {
	index, err := l.index(ctx)
	if err != nil {
		return journal{}, err
	}
	var j journal
	seen := map[v1.Hash]bool{}
	for _, d := range index.Manifests {
		if seen[d.Digest] { // it has a tag, too
			continue
		}
		seen[d.Digest] = true
		m, err := l.read(ctx, d.Digest, "")
		if ctx.Err() != nil {
			return journal{}, ctx.Err()
		}
		if err != nil || m.Subject == nil || m.Subject.Digest != image {
			continue // a broken manifest names no image
		}
		if j.entries = append(j.entries, trimmed([]v1.Descriptor{m.descriptor()})...); len(j.entries) > l.limits.referrers {
			return j, tooMany("the list of referrers of "+image.String(), l.limits.referrers)
		}
	}
	return j, nil
}

// images are the entries of index.json that are images, not what is attached to one.
func (l *layout) images(ctx context.Context) ([]v1.Descriptor, error) {
	index, err := l.index(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(index.Manifests, func(d v1.Descriptor) bool {
		if ofAnotherImage(d.Annotations[refName]) {
			return true
		}
		m, err := l.read(ctx, d.Digest, "")
		return err == nil && m.Subject != nil
	}), nil
}

// alone takes the layout's lock.
func (l *layout) alone(context.Context) (func(), error) {
	return lockedfile.MutexAt(filepath.Join(l.dir, lockFile)).Lock()
}

// putBlob writes a blob, unless the same bytes are there: a damaged file is replaced.
func (l *layout) putBlob(ctx context.Context, b blob) error {
	if there, err := l.blob(ctx, b.digest, b.size); err == nil {
		_, err = io.Copy(io.Discard, cancelReader{ctx, there})
		if there.Close(); err == nil {
			return nil
		}
	}
	rc, err := b.open()
	if err != nil {
		return err
	}
	rc = newVerifiedReader(rc, b.digest, b.size)
	defer rc.Close()
	return l.writeFile(blobPath(b.digest), cancelReader{ctx, rc})
}

// cancelReader ends with ctx.
type cancelReader struct {
	ctx context.Context
	io.Reader
}

func (c cancelReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}

// writeFile makes a file appear whole, or not at all.
func (l *layout) writeFile(name string, from io.Reader) (err error) {
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing is left of it once it was renamed
	_, err = io.Copy(f, from)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (l *layout) putManifest(ctx context.Context, tag string, m manifest) error {
	d := m.descriptor()
	d.Annotations = map[string]string{refName: tag}
	return l.list(ctx, m, d)
}

func (l *layout) addToJournal(ctx context.Context, _ v1.Hash, m manifest) error {
	return l.list(ctx, m, m.descriptor())
}

// list writes a manifest and lists it in index.json, in place of what had its tag.
func (l *layout) list(ctx context.Context, m manifest, d v1.Descriptor) error {
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(m.raw))), nil }
	if err := l.putBlob(ctx, blob{m.digest, int64(len(m.raw)), open, false}); err != nil {
		return err
	}
	index, err := l.index(ctx)
	if err != nil {
		return err
	}
	raw, err := replaced(index.raw, d)
	if err != nil {
		return fmt.Errorf("index.json of %s is not valid: %w", l.name(), err)
	}
	return l.writeFile("index.json", strings.NewReader(string(raw)))
}

// replaced is index.json with d in it, and without what had d's tag, or d's digest if it has no tag.
func replaced(raw []byte, d v1.Descriptor) ([]byte, error) {
	var index struct {
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, err
	}
	tag := d.Annotations[refName]
	kept := slices.DeleteFunc(index.Manifests, func(item json.RawMessage) bool {
		var old v1.Descriptor
		if json.Unmarshal(item, &old) != nil {
			return false
		}
		return tag == old.Annotations[refName] && (tag != "" || old.Digest == d.Digest)
	})
	return appended(raw, "manifests", []v1.Descriptor{d}, map[string]any{"manifests": kept})
}

// only is the only image of the layout.
func (l *layout) only(ctx context.Context) (manifest, error) {
	images, err := l.images(ctx)
	if err != nil {
		return manifest{}, fmt.Errorf("reading %s: %w", l.name(), err)
	}
	switch len(images) {
	case 0:
		return manifest{}, provenance.Refuse("image.missing", "was it built?", "there is no image in %s", l.name())
	case 1:
		m, err := l.read(ctx, images[0].Digest, string(images[0].MediaType))
		if err != nil {
			return manifest{}, fmt.Errorf("reading image %s of %s: %w", images[0].Digest, l.name(), err)
		}
		return m, nil
	}
	var choices []string
	for _, d := range images {
		if tag := d.Annotations[refName]; tag != "" {
			choices = append(choices, l.name()+":"+tag)
		} else {
			choices = append(choices, l.name()+"@"+d.Digest.String())
		}
	}
	return manifest{}, provenance.Misuse("name one of them: "+strings.Join(choices, ", "), "%s holds %d images", l.name(), len(images))
}
