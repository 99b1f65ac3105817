package image

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/seed-3480f271/provenance/provenance"
)

// Find tells where each platform of the image contains the model, in the file system that a container sees: what a later
// layer removes or replaces is not there. Layers are read as streams and never unpacked.
//
// want is the model's manifest. One file is found by its content, under any name; the topmost layer that has it decides, and
// lower layers are not read. Several files are a directory that holds these and no others, recursively; links and devices
// count as others. Of several places, the one with the shortest path is taken, then the first in byte order. A symbolic link
// to the model is not the model.
//
// A platform that does not contain it is a *provenance.Refused: "model.notInImage", or "model.extraFiles" when a directory
// has more than the model. Every other error means that nobody can tell.
func (i *Image) Find(ctx context.Context, want []provenance.File) ([]provenance.Location, error) {
	f, err := newFinder(want, newSearchLimits(maxSearchMemory, maxSearchBytes))
	if err != nil {
		return nil, err
	}
	platforms, err := i.platformImages(ctx)
	if err != nil {
		return nil, err
	}
	name := i.noun.Repository + "@" + i.noun.Digest.String()
	if len(platforms) == 0 {
		return nil, provenance.Refuse("model.notInImage", "all that it has is called unknown/unknown, as BuildKit's attestations are", "%s has no platform that could contain the model", name)
	}
	var found []provenance.Location
	for _, p := range platforms {
		file, miss, err := f.find(ctx, p.Image)
		if err != nil {
			return nil, fmt.Errorf("%s (%s) cannot be searched for the model: %w", name, p.Name, err)
		}
		if miss != nil {
			return nil, miss.refuse(name, p.Name)
		}
		found = append(found, provenance.Location{Platform: p.Name, Path: file})
	}
	return found, nil
}

// wanted is a model, made ready to be compared with.
type wanted struct {
	paths    map[string]*content
	contents map[string]*content // by digest
	sizes    map[int64]bool
	first    string // of the paths
}

func newWanted(files []provenance.File) (*wanted, error) {
	w := &wanted{paths: map[string]*content{}, contents: map[string]*content{}, sizes: map[int64]bool{}}
	for _, f := range files {
		digest := f.SHA256.Hex()
		if f.SHA256.Algorithm() != provenance.SHA256 || w.paths[f.Path] != nil {
			return nil, provenance.Misuse("", "the model's manifest has no single sha256 digest for %q", f.Path)
		}
		if w.contents[digest] == nil {
			w.contents[digest] = &content{digest}
		}
		w.paths[f.Path] = w.contents[digest]
		w.sizes[f.Size] = true
		if w.first == "" || f.Path < w.first {
			w.first = f.Path
		}
	}
	if len(files) == 0 {
		return nil, provenance.Misuse("", "the model has no files that could be found")
	}
	return w, nil
}

// size tells whether a file of n bytes can be of the model; a manifest without sizes has -1.
func (w *wanted) size(n int64) bool { return w.sizes[n] || w.sizes[-1] }

// single tells whether the model is one file, which may have any name.
func (w *wanted) single() bool { return len(w.paths) == 1 }

// finder searches images for one model. A layer is read once, however many images have it.
type finder struct {
	*wanted
	limits searchLimits
	layers map[layerKey]*layerTree
}

// layerKey is what a layer is read by: its type says how to unpack it.
type layerKey struct {
	digest    v1.Hash
	mediaType types.MediaType
}

func keyOf(layer v1.Layer) (layerKey, error) {
	digest, err := layer.Digest()
	if err != nil {
		return layerKey{}, err
	}
	mediaType, err := layer.MediaType()
	return layerKey{digest, mediaType}, err
}

func newFinder(want []provenance.File, limits searchLimits) (*finder, error) {
	w, err := newWanted(want)
	if err != nil {
		return nil, err
	}
	return &finder{w, limits, map[layerKey]*layerTree{}}, nil
}

// find reads layers from the top. A single file ends the search where it is found; of a folder every layer may have a part.
func (f *finder) find(ctx context.Context, img v1.Image) (file string, miss *missing, err error) {
	layers, contents, err := layersOf(img)
	if err != nil {
		return "", nil, err
	}
	step := len(layers)
	if f.single() {
		step = 1
	}
	var trees []*layerTree
	for top := len(layers); top > 0; top -= step {
		read, err := f.read(ctx, layers, top-step, top)
		if err != nil {
			return "", nil, err
		}
		if err := checkContents(read, contents, top-step); err != nil {
			return "", nil, err
		}
		trees = append(read, trees...)
		if read[0].hits == 0 && f.single() && top > 1 {
			continue
		}
		if file, miss, err = f.search(ctx, trees); miss == nil || err != nil {
			return file, nil, err
		}
	}
	return "", cmp.Or(miss, &missing{wanted: f.wanted}), nil
}

// maxLayers is how many layers an image can have; overlayfs stacks 500 at most.
const maxLayers = 512

// layersOf are the layers of an image, and what its configuration says each unpacks to.
func layersOf(img v1.Image) ([]v1.Layer, []v1.Hash, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, nil, err
	}
	config, err := img.ConfigFile()
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("its configuration: %w", err)
	case len(layers) > maxLayers:
		return nil, nil, tooMany("the image's list of layers", maxLayers)
	case len(layers) != len(config.RootFS.DiffIDs):
		return nil, nil, provenance.Refuse("image.diffID", "was it built by hand? container runtimes refuse it too",
			"the image has %d layers, and its configuration says %d", len(layers), len(config.RootFS.DiffIDs))
	}
	return layers, config.RootFS.DiffIDs, nil
}

// checkContents compares layers, from the first-th on, with what the configuration says they unpack to. Without that, a
// layer's type would not be bound to its bytes.
// Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#layer-diffid
func checkContents(layers []*layerTree, contents []v1.Hash, first int) error {
	for n, layer := range layers {
		if want := contents[first+n]; layer.content != want {
			return provenance.Refuse("image.diffID", "was it built by hand? container runtimes refuse it too",
				"layer %d does not unpack to what the image's configuration says: %s, not %s", first+n+1, layer.content, want)
		}
	}
	return nil
}

// read reads the layers from (including) and to (excluding), several at a time, but for those that were read before.
func (f *finder) read(ctx context.Context, layers []v1.Layer, from, to int) ([]*layerTree, error) {
	trees := make([]*layerTree, to-from)
	keys := make([]layerKey, to-from)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for n := range trees {
		key, err := keyOf(layers[from+n])
		if err != nil {
			return nil, err
		}
		keys[n] = key
		if f.layers[key] != nil || slices.Contains(keys[:n], key) {
			continue
		}
		group.Go(func() (err error) {
			if trees[n], err = readLayer(ctx, layers[from+n], f.wanted, f.limits); err != nil {
				err = fmt.Errorf("layer %d of %d, %s: %w", from+n+1, len(layers), key.digest, err)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for n, key := range keys {
		if trees[n] != nil {
			f.layers[key] = trees[n]
		}
		trees[n] = f.layers[key]
	}
	return trees, nil
}

// search looks for the model in what the layers are together. It fails only if ctx ends.
func (f *finder) search(ctx context.Context, trees []*layerTree) (file string, miss *missing, err error) {
	miss = &missing{wanted: f.wanted, trees: trees}
	root, err := flatten(ctx, trees, miss.removedBy)
	switch {
	case err != nil:
		return "", nil, err
	case f.single():
		file, miss = f.searchFile(root, miss)
	default:
		file, miss = f.searchFolder(ctx, root, miss)
	}
	return file, miss, ctx.Err()
}

// searchFile looks for the only file of the model.
func (f *finder) searchFile(root *node, miss *missing) (string, *missing) {
	best := ""
	root.walk("/", func(file string, n *node) {
		if n.wanted != nil && before(file, best) {
			best = file
		}
	})
	if best == "" {
		return "", miss
	}
	return best, nil
}

// before tells whether a path is the better one to name; an empty best is none yet.
func before(file, best string) bool {
	return best == "" || cmp.Or(cmp.Compare(len(file), len(best)), strings.Compare(file, best)) < 0
}

// searchFolder looks for directories that hold the model's first file in its place, and compares them.
func (f *finder) searchFolder(ctx context.Context, root *node, miss *missing) (string, *missing) {
	best := ""
	seen := map[*content]bool{}
	root.walk("/", func(file string, n *node) {
		if n.wanted != nil {
			seen[n.wanted] = true
		}
		dir, inPlace := strings.CutSuffix(file, "/"+f.first)
		if !inPlace || n.wanted != f.paths[f.first] || ctx.Err() != nil {
			return
		}
		dir = cmp.Or(dir, "/")
		complete, extras := f.compare(root.lookup(dir))
		if complete && len(extras) == 0 && before(dir, best) {
			best = dir
		} else if complete && before(dir, miss.dir) {
			miss.dir, miss.extras = dir, extras
		}
	})
	if best == "" {
		miss.contents = len(seen)
		return "", miss
	}
	return best, nil
}

// maxExtras is how many names a directory may have beside the model's before we stop counting them.
const maxExtras = 1000

// compare tells whether a directory has all files of the model in their places, and what else it has.
func (f *finder) compare(dir *node) (complete bool, extras []string) {
	have, visits := 0, 0
	var visit func(at string, d *node)
	visit = func(at string, d *node) {
		for _, name := range sortedNames(d) {
			if visits++; visits > 2*len(f.paths)+maxExtras {
				return
			}
			file, n := path.Join(at, name), d.children[name]
			switch {
			case n.kind == directory:
				visit(file, n)
			case n.kind == whiteout:
			case n.wanted != nil && n.wanted == f.paths[file]:
				have++
			default:
				extras = append(extras, file)
			}
		}
	}
	visit("", dir)
	return have == len(f.paths), extras
}

func sortedNames(d *node) []string {
	names := make([]string, 0, len(d.children))
	for name := range d.children {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// missing is what is known about a model that an image does not contain.
type missing struct {
	*wanted
	trees    []*layerTree
	removed  string   // a file of it that was there
	remover  int      // index of the layer that removed it
	dir      string   // a directory that has all of it
	extras   []string // and these
	contents int      // how many of its contents are there, anywhere
}

// removedBy notes the last removal of a file of the model.
func (m *missing) removedBy(layer int, at string, lower *node) {
	note := func(file string, n *node) {
		if n.wanted != nil && (layer > m.remover || before(file, m.removed)) {
			m.removed, m.remover = file, layer
		}
	}
	if lower.kind == directory {
		lower.walk(at, note)
		return
	}
	note(at, lower)
}

// refuse says why the image does not hold the model.
func (m *missing) refuse(image, platform string) error {
	code, hint := "model.notInImage", "copy the model into the image unchanged, in the last layers, and name that same model to record"
	if m.dir != "" {
		code, hint = "model.extraFiles", "copy the model into a directory of its own"
	}
	return provenance.Refuse(code, hint, "the model is not in %s (%s): %s", image, platform, m.reason())
}

func (m *missing) reason() string {
	switch {
	case m.dir != "":
		return fmt.Sprintf("%q has all its files, and others: %s", m.dir, some(m.extras))
	case m.removed != "":
		return fmt.Sprintf("%q was in layer %d, removed by a later one, layer %d of %d", m.removed, m.origin()+1, m.remover+1, len(m.trees))
	case m.single():
		return "no file in it has the digest sha256:" + m.paths[m.first].hex
	}
	return fmt.Sprintf("no directory in it has exactly the model's %d files; %d of %d contents are somewhere in it",
		len(m.paths), m.contents, len(m.wanted.contents))
}

// origin is the index of the layer that had the removed file.
func (m *missing) origin() int {
	for n := m.remover - 1; n > 0; n-- {
		if there := m.trees[n].root.lookup(m.removed); there != nil && (there.wanted != nil || there.kind == hardlink) {
			return n
		}
	}
	return 0
}

// some quotes the first few names.
func some(names []string) string {
	shown := names[:min(len(names), 5)]
	quoted := make([]string, len(shown))
	for n, name := range shown {
		quoted[n] = fmt.Sprintf("%q", clip(name))
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
