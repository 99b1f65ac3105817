package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip" // 1.8 times as fast as the standard library's
	"github.com/klauspost/compress/zstd"
)

// layerTree is what one layer says, as far as the search needs it.
type layerTree struct {
	root  *node
	hits  int // files with wanted content
	links int // hard links to lower layers

	content v1.Hash // of the whole layer, unpacked
}

// flatten merges layers, from the lowest to the topmost. removed is told what each hides. It fails only if ctx ends.
func flatten(ctx context.Context, layers []*layerTree, removed func(layer int, at string, lower *node)) (*node, error) {
	root := &node{}
	for n, layer := range layers {
		upper := layer.root
		if layer.links > 0 {
			upper = upper.resolve(root)
		}
		m := merger{ctx, func(at string, lower *node) { removed(n, at, lower) }}
		root = m.merge("/", root, upper)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// searchLimits are what the layers of an image can make us do. They are shared by all layers that are read in one search.
type searchLimits struct {
	memory *allowance // bytes for names
	packed *allowance // bytes of layers, as they are stored
	bytes  *allowance // of unpacked layers
	hashed *allowance // bytes; more than unpacked for sparse files
}

func newSearchLimits(memory, bytes int64) searchLimits {
	return searchLimits{
		newAllowance("the list of the image's files", memory),
		newAllowance("the image, packed,", bytes),
		newAllowance("the image, unpacked,", bytes),
		newAllowance("what has to be hashed in the image", bytes),
	}
}

// Limits of one search. The largest images in use have some 500,000 files, and some 100 GiB.
const (
	maxSearchMemory = 1 << 30
	maxSearchBytes  = 1 << 40
)

// What a node costs in memory, in bytes, beside its name; a little more than measured.
const (
	fileCost      = 160
	directoryCost = 512
)

// dockerZstd is a layer type that builders write and that the library does not know.
const dockerZstd types.MediaType = "application/vnd.docker.image.rootfs.diff.tar.zstd"

// checkLayerType refuses what is not a file system, and what lies elsewhere.
func checkLayerType(mt types.MediaType) error {
	switch {
	case !mt.IsDistributable():
		return fmt.Errorf("it is a foreign layer (%s), which registries do not keep", mt)
	case !mt.IsLayer() && mt != dockerZstd:
		return fmt.Errorf("its media type %q is not one of a file system", mt)
	}
	return nil
}

// readLayer reads a layer to its end, so that its bytes are checked against its digest, and unpacks nothing.
func readLayer(ctx context.Context, layer v1.Layer, w *wanted, limits searchLimits) (*layerTree, error) {
	mediaType, err := layer.MediaType()
	if err != nil {
		return nil, err
	}
	if err := checkLayerType(mediaType); err != nil {
		return nil, err
	}
	stored, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer stored.Close()
	packed := meteredReader{stored, limits.packed} // not all of it need unpack to something
	unpacked, err := decompress(packed, mediaType)
	if err != nil {
		return nil, err
	}
	defer unpacked.Close()
	hash := sha256.New()
	content := io.TeeReader(meteredReader{unpacked, limits.bytes}, hash)
	tree, err := readTar(ctx, content, w, limits)
	if err != nil {
		return nil, cmp.Or(limits.packed.take(0), err) // not every decompressor repeats what its reader said
	}
	for _, rest := range []io.Reader{content, packed} {
		if _, err := io.Copy(io.Discard, rest); err != nil {
			return nil, err
		}
	}
	tree.content = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(hash.Sum(nil))}
	return tree, nil
}

// maxWindow is what one zstd layer can make us hold, in bytes; zstd itself takes no more by default.
const maxWindow = 128 << 20

// decompress unpacks what the media type says, for container runtimes differ: some follow the type, others the first bytes.
// Where the two disagree, one image would be two file systems, so that nobody can tell what is in it.
func decompress(packed io.Reader, mediaType types.MediaType) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(packed, 1<<16)
	magic, err := buffered.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	said, is := saidCompression(mediaType), compressionOf(magic)
	switch {
	case said == "" && is != "":
		return nil, fmt.Errorf("it is compressed (%s), though its type says it is not (%s)", is, mediaType)
	case said != is:
		return nil, fmt.Errorf("it is not compressed with %s, though its type says so (%s)", said, mediaType)
	case said == "gzip":
		return gzip.NewReader(buffered)
	case said == "zstd":
		d, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(buffered), nil
}

// saidCompression is how a layer of this type is compressed; empty is not at all.
func saidCompression(mediaType types.MediaType) string {
	switch mediaType {
	case types.OCILayer, types.DockerLayer:
		return "gzip"
	case types.OCILayerZStd, dockerZstd:
		return "zstd"
	}
	return ""
}

// compressionOf is what container runtimes take the first bytes of a layer for; empty is a plain tar.
// Source: https://www.rfc-editor.org/rfc/rfc8878#section-3.1 for zstd's two magic numbers
func compressionOf(magic []byte) string {
	for name, begin := range map[string]string{"gzip": "\x1f\x8b", "zstd": "\x28\xb5\x2f\xfd", "bzip2": "BZh", "xz": "\xfd7zXZ\x00"} {
		if bytes.HasPrefix(magic, []byte(begin)) {
			return name
		}
	}
	if len(magic) >= 4 && magic[0]&0xf0 == 0x50 && bytes.HasPrefix(magic[1:], []byte{0x2a, 0x4d, 0x18}) { // a frame to skip
		return "zstd"
	}
	return ""
}

// readTar makes the tree of a layer's tar stream; later entries replace earlier ones.
func readTar(ctx context.Context, content io.Reader, w *wanted, limits searchLimits) (*layerTree, error) {
	r := &tarReader{tar: tar.NewReader(content), wanted: w, limits: limits}
	for {
		hdr, err := r.tar.Next()
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = r.enter(hdr)
		}
		switch {
		case err == io.EOF:
			return &layerTree{root: &r.root, hits: r.hits, links: r.links}, nil
		case err != nil && hdr != nil:
			return nil, fmt.Errorf("entry %q: %w", clip(hdr.Name), err)
		case err != nil:
			return nil, err
		}
	}
}

// clip shortens a foreign name for an error message.
func clip(name string) string {
	if len(name) > 200 {
		return name[:200] + "…"
	}
	return name
}

// tarReader enters the entries of a tar stream into a tree.
type tarReader struct {
	tar    *tar.Reader
	wanted *wanted
	limits searchLimits
	root   node
	hits   int
	links  int
}

func (r *tarReader) enter(hdr *tar.Header) error {
	if hdr.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	for record := range hdr.PAXRecords {
		if strings.HasPrefix(record, "SCHILY.xattr.") && strings.Contains(record, ".overlay.") {
			return fmt.Errorf("it has the attribute %q, with which overlayfs hides files", clip(record))
		}
	}
	names, err := split(hdr.Name)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		if hdr.Typeflag != tar.TypeDir {
			return errors.New("the root is not a directory")
		}
		return nil
	}
	parent, err := r.parent(names[:len(names)-1])
	if err != nil {
		return err
	}
	return r.enterAt(parent, names[len(names)-1], hdr)
}

// enterAt enters an entry below its parent.
// Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
func (r *tarReader) enterAt(parent *node, name string, hdr *tar.Header) error {
	removed, isWhiteout := strings.CutPrefix(name, ".wh.")
	switch {
	case !isWhiteout:
		n, err := r.node(hdr)
		if err != nil {
			return err
		}
		return r.put(parent, name, n)
	case removed == ".wh..opq":
		parent.opaque = true
	case strings.HasPrefix(removed, ".wh."): // bookkeeping of AUFS, which is never a file
	case removed == "" || removed == "." || removed == "..":
		return errors.New("it is not a whiteout of any name")
	default:
		return r.put(parent, removed, &node{kind: whiteout})
	}
	return nil
}

// put enters a child. A name that one layer both has and removes is there or not, as each runtime likes.
func (r *tarReader) put(parent *node, name string, n *node) error {
	if old := parent.children[name]; old != nil && (old.kind == whiteout) != (n.kind == whiteout) {
		return fmt.Errorf("the layer holds %q and removes it too, so that it is not clear what is there", clip(name))
	}
	cost := int64(fileCost)
	if n.kind == directory {
		cost = directoryCost
	}
	if err := r.limits.memory.take(cost + int64(len(name)+len(n.target))); err != nil {
		return err
	}
	parent.put(name, n)
	return nil
}

// parent is the directory with these names. Directories that have no entry of their own are made; symbolic links of this
// layer are followed, as unpacking does.
func (r *tarReader) parent(names []string) (*node, error) {
	at := []*node{&r.root}
	for steps := 0; len(names) > 0; steps++ {
		here, name := at[len(at)-1], names[0]
		names = names[1:]
		child := here.children[name]
		switch {
		case steps > maxPath:
			return nil, errors.New("it lies below links that lead nowhere")
		case name == "" || name == ".":
		case name == "..":
			at = at[:max(1, len(at)-1)]
		case child != nil && child.kind == symlink:
			if strings.HasPrefix(child.target, "/") {
				at = at[:1]
			}
			names = append(strings.Split(child.target, "/"), names...)
		case child != nil && child.kind == directory:
			at = append(at, child)
		default:
			child = &node{kind: directory}
			if err := r.put(here, name, child); err != nil {
				return nil, err
			}
			at = append(at, child)
		}
	}
	return at[len(at)-1], nil
}

// node is what an entry stands for. Content that may be wanted is hashed.
func (r *tarReader) node(hdr *tar.Header) (*node, error) {
	if len(hdr.Linkname) > maxPath {
		return nil, errors.New("the target of a link is longer than 4096 bytes")
	}
	switch hdr.Typeflag {
	case tar.TypeDir:
		return &node{kind: directory}, nil
	case tar.TypeReg, tar.TypeGNUSparse:
		found, err := r.hash(hdr.Size)
		return &node{kind: regular, wanted: found}, err
	case tar.TypeSymlink:
		return &node{kind: symlink, target: hdr.Linkname}, nil
	case tar.TypeLink:
		return r.hardlink(hdr.Linkname)
	}
	return &node{kind: other}, nil
}

// hardlink is what the link's target is now; what this layer does not have is left for lower layers.
func (r *tarReader) hardlink(target string) (*node, error) {
	names, err := split(target)
	if err != nil {
		return nil, err
	}
	target = strings.Join(names, "/")
	switch there := r.root.lookup(target); {
	case there == nil || there.kind == whiteout || there.kind == hardlink:
		r.links++
		return &node{kind: hardlink, target: target}, nil
	case there.kind == directory:
		return &node{kind: other}, nil
	default:
		copied := *there
		return &copied, nil
	}
}

// hash is the wanted content that the current entry has; nil if it has another.
func (r *tarReader) hash(size int64) (*content, error) {
	if !r.wanted.size(size) {
		return nil, nil
	}
	if err := r.limits.hashed.take(size); err != nil {
		return nil, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, r.tar); err != nil {
		return nil, err
	}
	found := r.wanted.contents[hex.EncodeToString(sum.Sum(nil))]
	if found != nil {
		r.hits++
	}
	return found, nil
}
