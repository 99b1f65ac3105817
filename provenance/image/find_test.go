package image

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ocilayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/testtools"
)

// The models that the tests look for.
var (
	oneFile = manifestOf("model.bin", "MODEL")
	folder  = manifestOf("config.json", "{}", "weights/a", "AAAA", "weights/b", "BBBB", "weights/c", "AAAA")
)

// manifestOf makes a manifest from pairs of path and content.
func manifestOf(pairs ...string) []provenance.File {
	var files []provenance.File
	for n := 0; n < len(pairs); n += 2 {
		files = append(files, provenance.File{Path: pairs[n], Size: int64(len(pairs[n+1])), SHA256: provenance.SumSHA256([]byte(pairs[n+1]))})
	}
	return files
}

// layerOf makes the tar stream of a layer. Each line is an entry:
//
//	file PATH CONTENT    dir PATH    link PATH TARGET    hard PATH TARGET    pipe PATH    device PATH
func layerOf(t testing.TB, lines string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	types := map[string]byte{"file": tar.TypeReg, "dir": tar.TypeDir, "link": tar.TypeSymlink, "hard": tar.TypeLink, "pipe": tar.TypeFifo, "device": tar.TypeChar}
	for line := range strings.Lines(lines) {
		words := append(strings.Fields(line), "", "")
		if words[0] == "" {
			continue
		}
		hdr := &tar.Header{Typeflag: types[words[0]], Name: words[1], Mode: 0o755, Linkname: words[2]}
		if words[0] == "file" {
			hdr.Linkname, hdr.Size = "", int64(len(words[2]))
		}
		if err := w.WriteHeader(hdr); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if words[0] == "file" {
			_, _ = io.WriteString(w, words[2])
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// imageOf makes an image from layers as layerOf takes them, the lowest first.
func imageOf(t testing.TB, layers ...string) v1.Image {
	t.Helper()
	img := empty.Image
	for _, lines := range layers {
		img = appendLayer(t, img, layerOf(t, lines), types.OCIUncompressedLayer)
	}
	return img
}

func appendLayer(t testing.TB, img v1.Image, content []byte, mediaType types.MediaType) v1.Image {
	t.Helper()
	img, err := mutate.Append(img, mutate.Addendum{Layer: packedLayer{static.NewLayer(content, mediaType), sum(unpacked(content))}})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// packedLayer is a layer that is not what it unpacks to.
type packedLayer struct {
	v1.Layer
	content v1.Hash
}

func (p packedLayer) DiffID() (v1.Hash, error) { return p.content, nil }

// unpacked is what the layer unpacks to; itself, if it is broken.
func unpacked(content []byte) []byte {
	if r, err := gzip.NewReader(bytes.NewReader(content)); err == nil {
		if out, err := io.ReadAll(r); err == nil {
			return out
		}
	}
	if r, err := zstd.NewReader(bytes.NewReader(content)); err == nil {
		defer r.Close()
		if out, err := io.ReadAll(r); err == nil {
			return out
		}
	}
	return content
}

// findInImage looks for a model with limits of its own.
func findInImage(ctx context.Context, img v1.Image, want []provenance.File) (string, *missing, error) {
	f, err := newFinder(want, newSearchLimits(maxSearchMemory, maxSearchBytes))
	if err != nil {
		return "", nil, err
	}
	return f.find(ctx, img)
}

func TestFindFile(t *testing.T) {
	for name, test := range map[string]struct {
		layers []string
		want   string // a path, or words of the reason when it begins with "no: "
	}{
		"at the root":                                 {[]string{"file model.bin MODEL"}, "/model.bin"},
		"under another name":                          {[]string{"file app/x MODEL"}, "/app/x"},
		"name with a dot":                             {[]string{"file ./app/model.bin MODEL"}, "/app/model.bin"},
		"absolute name":                               {[]string{"file /app/model.bin MODEL"}, "/app/model.bin"},
		"name with dots inside":                       {[]string{"file app/../srv//./model.bin MODEL"}, "/srv/model.bin"},
		"shortest of several":                         {[]string{"file a/b/model.bin MODEL\nfile z/model.bin MODEL\nfile y/model.bin MODEL"}, "/y/model.bin"},
		"topmost layer wins":                          {[]string{"file a MODEL", "file deep/b MODEL"}, "/deep/b"},
		"in a lower layer":                            {[]string{"file app/model.bin MODEL", "file app/other MODEX", "dir app"}, "/app/model.bin"},
		"nowhere":                                     {[]string{"file app/model.bin MODEX\nfile app/other OTHER2"}, "no: no file in it has the digest"},
		"no layers":                                   {nil, "no: no file in it has the digest"},
		"replaced":                                    {[]string{"file app/model.bin MODEL", "file app/model.bin OTHER"}, `no: "/app/model.bin" was in layer 1, removed by a later one, layer 2 of 2`},
		"replaced and put back":                       {[]string{"file app/model.bin MODEL", "file app/model.bin OTHER", "file app/model.bin MODEL"}, "/app/model.bin"},
		"whited out":                                  {[]string{"file app/model.bin MODEL", "dir app\nfile app/.wh.model.bin"}, `no: was in layer 1, removed by a later one, layer 2 of 2`},
		"whited out, origin in between":               {[]string{"file x X", "file app/model.bin MODEL", "dir app", "file app/.wh.model.bin", "file y Y"}, "no: was in layer 2, removed by a later one, layer 4 of 5"},
		"another name whited out":                     {[]string{"file app/model.bin MODEL", "file app/.wh.model"}, "/app/model.bin"},
		"parent whited out":                           {[]string{"file srv/app/model.bin MODEL", "file .wh.srv"}, "no: was in layer 1, removed"},
		"opaque parent":                               {[]string{"file app/model.bin MODEL", "dir app\nfile app/.wh..wh..opq"}, "no: was in layer 1, removed"},
		"opaque grandparent":                          {[]string{"file srv/app/model.bin MODEL", "file srv/.wh..wh..opq\ndir srv/app"}, "no: was in layer 1, removed"},
		"opaque parent with the model":                {[]string{"file app/model.bin OTHER", "file app/model.bin MODEL\nfile app/.wh..wh..opq"}, "/app/model.bin"},
		"opaque parent after the model":               {[]string{"file app/model.bin OTHER\nfile app/x X", "file app/.wh..wh..opq\ndir app/sub\nfile app/model.bin MODEL\nfile app/.wh.x"}, "/app/model.bin"},
		"opaque root":                                 {[]string{"file app/model.bin MODEL", "file .wh..wh..opq"}, "no: was in layer 1, removed"},
		"bookkeeping of AUFS":                         {[]string{"file app/model.bin MODEL", "dir .wh..wh.plnk\nfile app/.wh..wh.aufs"}, "/app/model.bin"},
		"whiteout is not a model":                     {[]string{"file app/.wh.x MODEL"}, "no: no file in it"},
		"whiteout of nothing":                         {[]string{"file app/model.bin MODEL", "file app/.wh.x", "file app/.wh.x"}, "/app/model.bin"},
		"parent becomes a file":                       {[]string{"file app/model.bin MODEL", "file app X"}, "no: was in layer 1, removed"},
		"parent becomes a link":                       {[]string{"file app/model.bin MODEL", "link app srv"}, "no: was in layer 1, removed"},
		"parent becomes a device":                     {[]string{"file app/model.bin MODEL", "device app"}, "no: was in layer 1, removed"},
		"file becomes a directory":                    {[]string{"file app/model.bin MODEL", "dir app/model.bin"}, "no: was in layer 1, removed"},
		"file becomes a parent":                       {[]string{"file app X", "file app/model.bin MODEL"}, "/app/model.bin"},
		"link becomes a parent":                       {[]string{"link app srv", "file app/model.bin MODEL"}, "/app/model.bin"},
		"below a link of its own layer":               {[]string{"dir srv\nlink app srv\nfile app/model.bin MODEL"}, "/srv/model.bin"},
		"overwritten through a link":                  {[]string{"dir srv\nlink app /x/../srv\nfile srv/m MODEL\nfile app/m OTHER"}, "no: no file in it"},
		"whited out through a link":                   {[]string{"file srv/m MODEL", "dir srv\nlink app srv\nfile app/.wh.m"}, "no: was in layer 1, removed"},
		"link up and down":                            {[]string{"dir a/b\nlink a/b/up ../../c\nfile a/b/up/m MODEL"}, "/c/m"},
		"link out of the root":                        {[]string{"link up ../../..\nfile up/m MODEL"}, "/m"},
		"through a linked directory":                  {[]string{"file srv/model.bin MODEL\nlink app srv"}, "/srv/model.bin"},
		"only a symbolic link":                        {[]string{"link app/model.bin /mnt/model.bin"}, "no: no file in it"},
		"twice in a layer, later wins":                {[]string{"file m MODEL\nfile m OTHER"}, "no: no file in it"},
		"twice in a layer, model last":                {[]string{"file m OTHER\nfile m MODEL"}, "/m"},
		"directory after file":                        {[]string{"file m MODEL\ndir m"}, "no: no file in it"},
		"hard link in its layer":                      {[]string{"file long/name MODEL\nhard h long/name"}, "/h"},
		"hard link outlives its target":               {[]string{"file a/b MODEL\nhard a/h ./a/b\nfile a/b OTHER"}, "/a/h"},
		"hard link to a lower layer":                  {[]string{"file a/b MODEL", "hard h /a/b\nfile .wh.a"}, "/h"},
		"hard link to a lower layer, before its file": {[]string{"file a OTHER", "hard h a\nfile a MODEL"}, "/a"},
		"hard link to nothing":                        {[]string{"hard h a"}, "no: no file in it"},
		"hard link to nothing lower":                  {[]string{"file m MODEL", "hard h a\nfile .wh.m"}, "no: was in layer 1, removed"},
		"hard link to a directory":                    {[]string{"dir a\nhard h a", "hard i a"}, "no: no file in it"},
		"hard link replaces":                          {[]string{"file m MODEL\nfile o OTHER", "hard m o"}, `no: "/m" was in layer 1, removed`},
		"hard link whited out":                        {[]string{"file m MODEL", "hard h m\nfile .wh.m", "file .wh.h"}, `no: "/h" was in layer 2, removed by a later one, layer 3 of 3`},
	} {
		t.Run(name, func(t *testing.T) {
			file, miss, err := findInImage(t.Context(), imageOf(t, test.layers...), oneFile)
			checkFound(t, file, miss, err, test.want)
		})
	}
}

func TestFindFolder(t *testing.T) {
	const all = "file app/m/config.json {}\nfile app/m/weights/a AAAA\nfile app/m/weights/b BBBB\nfile app/m/weights/c AAAA\n"
	for name, test := range map[string]struct {
		layers []string
		want   string
	}{
		"in one layer":                        {[]string{all}, "/app/m"},
		"with empty directories":              {[]string{all + "dir app/m/empty/below"}, "/app/m"},
		"at the root":                         {[]string{strings.ReplaceAll(all, "app/m/", "")}, "/"},
		"in two layers":                       {[]string{"file app/m/config.json {}", strings.TrimPrefix(all, "file app/m/config.json {}\n")}, "/app/m"},
		"shortest of several":                 {[]string{all, strings.ReplaceAll(all, "app/m", "b/m")}, "/b/m"},
		"a whole copy beside one with extras": {[]string{all + "file app/m/extra X", strings.ReplaceAll(all, "app/m", "longer/path")}, "/longer/path"},
		"a file missing":                      {[]string{all, "file app/m/weights/.wh.b"}, `no: "/app/m/weights/b" was in layer 1, removed by a later one, layer 2 of 2`},
		"a file changed":                      {[]string{strings.Replace(all, "BBBB", "BBBX", 1)}, "no: no directory in it has exactly the model's 4 files; 2 of 3 contents"},
		"a file renamed":                      {[]string{strings.Replace(all, "weights/b", "weights/x", 1)}, "no: no directory in it has exactly the model's 4 files; 3 of 3 contents"},
		"two files swapped":                   {[]string{strings.NewReplacer("AAAA", "BBBB", "BBBB", "AAAA").Replace(all)}, "no: 3 of 3 contents"},
		"an extra file":                       {[]string{all + "file app/m/extra X"}, `no: "/app/m" has all its files, and others: "extra"`},
		"an extra file lower":                 {[]string{"file app/m/weights/old X", all}, `no: "/app/m" has all its files, and others: "weights/old"`},
		"an extra file whited out":            {[]string{"file app/m/weights/old X", all + "file app/m/weights/.wh.old"}, "/app/m"},
		"extras under an opaque":              {[]string{"file app/m/weights/old X", all + "file app/m/.wh..wh..opq"}, "/app/m"},
		"an extra link":                       {[]string{all + "link app/m/l config.json"}, `no: others: "l"`},
		"an extra pipe":                       {[]string{all + "pipe app/m/p"}, `no: others: "p"`},
		"an extra copy":                       {[]string{all + "file app/m/copy AAAA"}, `no: others: "copy"`},
		"many extras":                         {[]string{all + "file app/m/1 X\nfile app/m/2 X\nfile app/m/3 X\nfile app/m/4 X\nfile app/m/5 X\nfile app/m/6 X\nfile app/m/weights/7 X"}, `no: others: "1", "2", "3", "4", "5" and 2 more`},
		"a file is a link":                    {[]string{strings.Replace(all, "file app/m/weights/c AAAA", "link app/m/weights/c a", 1)}, "no: no directory in it"},
		"a file is a hard link":               {[]string{strings.Replace(all, "file app/m/weights/c AAAA", "hard app/m/weights/c app/m/weights/a", 1)}, "/app/m"},
		"a hard link to below":                {[]string{"file keep AAAA", strings.Replace(all, "file app/m/weights/c AAAA", "hard app/m/weights/c keep", 1)}, "/app/m"},
		"a file is a directory":               {[]string{all, "dir app/m/weights/a"}, `no: "/app/m/weights/a" was in layer 1, removed`},
		"name ends like the first":            {[]string{strings.ReplaceAll(all, "m/config.json", "m/xconfig.json")}, "no: no directory in it"},
		"directory whited out":                {[]string{all, "file app/.wh.m"}, "no: was in layer 1, removed"},
		"below a link, two layers":            {[]string{"dir srv\nlink app srv", all}, "/app/m"},
		"below a link, same layer":            {[]string{"dir srv\nlink app srv\n" + all}, "/srv/m"},
		"no layers":                           {nil, "no: 0 of 3 contents"},
	} {
		t.Run(name, func(t *testing.T) {
			file, miss, err := findInImage(t.Context(), imageOf(t, test.layers...), folder)
			checkFound(t, file, miss, err, test.want)
		})
	}
}

// checkFound compares with a path, or with words of the reason.
func checkFound(t *testing.T, file string, miss *missing, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	words, wantMiss := strings.CutPrefix(want, "no: ")
	switch {
	case !wantMiss && (file != want || miss != nil):
		t.Errorf("found %q (%+v), want %q", file, miss, want)
	case wantMiss && (file != "" || miss == nil):
		t.Errorf("found %q, want it refused: %s", file, words)
	case wantMiss && !strings.Contains(miss.reason(), words):
		t.Errorf("reason %q, want %q in it", miss.reason(), words)
	}
}

func TestFindIgnoresSizesThatNobodyKnows(t *testing.T) {
	want := manifestOf("model.bin", "MODEL")
	want[0].Size = -1
	file, miss, err := findInImage(t.Context(), imageOf(t, "file a/m MODEL"), want)
	checkFound(t, file, miss, err, "/a/m")
}

func TestFindRefusesUselessManifests(t *testing.T) {
	var misused *provenance.Misused
	for name, want := range map[string][]provenance.File{
		"empty":     nil,
		"no digest": {{Path: "a", Size: 1}},
		"twice":     append(manifestOf("a", "A"), manifestOf("a", "B")...),
	} {
		if _, _, err := findInImage(t.Context(), empty.Image, want); !errors.As(err, &misused) {
			t.Errorf("%s: %v, want a mistake of the caller", name, err)
		}
	}
}

func TestFindReadsEveryCompression(t *testing.T) {
	plain := layerOf(t, "dir app\nfile app/model.bin MODEL")
	zipped, zstandard := gzipped(t, plain), zstandard(t, plain)
	skipped := append([]byte{0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3}, zstandard...)
	half := len(plain) / 2
	for name, layer := range map[string]struct {
		content   []byte
		mediaType types.MediaType
	}{
		"oci gzip":            {zipped, types.OCILayer},
		"oci zstd":            {zstandard, types.OCILayerZStd},
		"oci plain":           {plain, types.OCIUncompressedLayer},
		"docker gzip":         {zipped, types.DockerLayer},
		"docker plain":        {plain, types.DockerUncompressedLayer},
		"docker zstd":         {zstandard, dockerZstd},
		"several gzip parts":  {append(gzipped(t, plain[:half]), gzipped(t, plain[half:])...), types.OCILayer},
		"several zstd frames": {append(bytes.Clone(skipped), skipped[:11]...), types.OCILayerZStd},
		"no end of archive":   {plain[:len(plain)-1024], types.OCIUncompressedLayer},
		"more after the end":  {append(bytes.Clone(plain), layerOf(t, "file app/model.bin OTHER")...), types.OCIUncompressedLayer},
	} {
		t.Run(name, func(t *testing.T) {
			img := appendLayer(t, imageOf(t, "file x X"), layer.content, layer.mediaType)
			img = appendLayer(t, img, nil, types.OCIUncompressedLayer)
			file, miss, err := findInImage(t.Context(), img, oneFile)
			checkFound(t, file, miss, err, "/app/model.bin")
		})
	}
}

func gzipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, content []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(content, nil)
}

// Nothing of this may end in "found" or in a refusal: nobody can tell.
func TestFindIsUndecided(t *testing.T) {
	random := make([]byte, 20_000)
	for n := range random {
		random[n] = byte(rand.Uint32())
	}
	plain := layerOf(t, "file app/model.bin MODEL\nfile big "+fmt.Sprintf("%x", random))
	zipped, zstandard := gzipped(t, plain), zstandard(t, plain)
	flip := func(data []byte, at int) []byte {
		data = bytes.Clone(data)
		data[at] ^= 0xff
		return data
	}
	long := strings.Repeat("d/", 2100) + "x"
	for name, test := range map[string]struct {
		content   []byte
		mediaType types.MediaType
		want      string
	}{
		"gzip cut":                 {zipped[:len(zipped)/2], types.OCILayer, "unexpected EOF"},
		"gzip checksum":            {flip(zipped, len(zipped)-6), types.OCILayer, "gzip: invalid checksum"},
		"gzip and garbage":         {append(bytes.Clone(zipped), "garbage, as long as a header"...), types.OCILayer, "gzip: invalid header"},
		"gzip header only":         {zipped[:3], types.OCILayer, "EOF"},
		"zstd cut":                 {zstandard[:len(zstandard)/2], types.OCILayerZStd, "unexpected EOF"},
		"zstd checksum":            {flip(zstandard, len(zstandard)-1), types.OCILayerZStd, ""},
		"zstd and garbage":         {append(bytes.Clone(zstandard), "garbage"...), types.OCILayerZStd, "magic number"},
		"tar cut in a header":      {plain[:100], types.OCIUncompressedLayer, "unexpected EOF"},
		"tar cut in a file":        {plain[:2000], types.OCIUncompressedLayer, "unexpected EOF"},
		"tar header":               {flip(plain, 10), types.OCIUncompressedLayer, "invalid tar header"},
		"not a tar":                {[]byte(strings.Repeat("not a tar\n", 200)), types.OCIUncompressedLayer, "invalid tar header"},
		"gzip said, zstd is":       {zstandard, types.OCILayer, "not compressed with gzip"},
		"gzip said, plain is":      {plain, types.DockerLayer, "not compressed with gzip"},
		"gzip said, nothing is":    {nil, types.OCILayer, "not compressed with gzip"},
		"zstd said, gzip is":       {zipped, types.OCILayerZStd, "not compressed with zstd"},
		"docker zstd said, plain":  {plain, dockerZstd, "not compressed with zstd"},
		"plain said, gzip is":      {zipped, types.OCIUncompressedLayer, "it is compressed (gzip), though its type says it is not"},
		"docker plain, gzip is":    {zipped, types.DockerUncompressedLayer, "it is compressed (gzip), though its type says it is not"},
		"plain said, zstd is":      {zstandard, types.OCIUncompressedLayer, "it is compressed (zstd), though its type says it is not"},
		"plain said, zstd skips":   {append([]byte{0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3}, zstandard...), types.OCIUncompressedLayer, "it is compressed (zstd)"},
		"plain said, bzip2 is":     {layerOf(t, "file BZh91 MODEL"), types.OCIUncompressedLayer, "it is compressed (bzip2)"},
		"plain said, xz is":        {[]byte("\xfd7zXZ\x00"), types.OCIUncompressedLayer, "it is compressed (xz)"},
		"whited out and there":     {layerOf(t, "file app/m MODEL\nfile app/.wh.m"), types.OCIUncompressedLayer, `entry "app/.wh.m": the layer holds "m" and removes it too`},
		"there and whited out":     {layerOf(t, "file app/.wh.m\nfile app/m MODEL"), types.OCIUncompressedLayer, `entry "app/m": the layer holds "m" and removes it too`},
		"parent whited out":        {layerOf(t, "file .wh.srv\nfile srv/app/m MODEL"), types.OCIUncompressedLayer, `the layer holds "srv" and removes it too`},
		"parent there, whited out": {layerOf(t, "dir srv\nfile .wh.srv"), types.OCIUncompressedLayer, `the layer holds "srv" and removes it too`},
		"foreign":                  {zipped, types.DockerForeignLayer, "layer 1 of 1, sha256:"},
		"not distributable":        {zipped, types.OCIRestrictedLayer, "foreign layer"},
		"not a file system":        {zipped, "application/vnd.cncf.helm.chart.content.v1.tar+gzip", `media type "application/vnd.cncf`},
		"encrypted":                {zipped, types.OCILayer + "+encrypted", "is not one of a file system"},
		"name out of the image":    {layerOf(t, "file ../model.bin MODEL"), types.OCIUncompressedLayer, "leads out of the image"},
		"link out of the image":    {layerOf(t, "hard model.bin ../../model.bin"), types.OCIUncompressedLayer, "leads out of the image"},
		"root is a file":           {layerOf(t, "pipe ."), types.OCIUncompressedLayer, "the root is not a directory"},
		"name too long":            {layerOf(t, "file "+long+" MODEL"), types.OCIUncompressedLayer, "longer than 4096 bytes"},
		"link too long":            {layerOf(t, "link a "+long), types.OCIUncompressedLayer, "longer than 4096 bytes"},
		"links in a circle":        {layerOf(t, "link a b\nlink b a\nfile a/m MODEL"), types.OCIUncompressedLayer, "links that lead nowhere"},
		"links that grow":          {layerOf(t, "link a a/a\nfile a/m MODEL"), types.OCIUncompressedLayer, "links that lead nowhere"},
		"whiteout of no name":      {layerOf(t, "file app/.wh. X"), types.OCIUncompressedLayer, "not a whiteout of any name"},
		"whiteout of the parent":   {layerOf(t, "file app/.wh... X"), types.OCIUncompressedLayer, "not a whiteout of any name"},
		"attribute of overlayfs":   {withRecord(t, "SCHILY.xattr.trusted.overlay.opaque"), types.OCIUncompressedLayer, "with which overlayfs hides files"},
		"attribute without rights": {withRecord(t, "SCHILY.xattr.user.overlay.opaque"), types.OCIUncompressedLayer, "with which overlayfs hides files"},
	} {
		t.Run(name, func(t *testing.T) {
			file, miss, err := findInImage(t.Context(), appendLayer(t, empty.Image, test.content, test.mediaType), folder)
			var refused *provenance.Refused
			if err == nil || errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, %+v, %v, want an error with %q", file, miss, err, test.want)
			}
		})
	}
}

// withRecord makes a layer with a PAX record.
func withRecord(t *testing.T, record string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	hdr := &tar.Header{Typeflag: tar.TypeDir, Name: "app/", PAXRecords: map[string]string{record: "y"}}
	if err := errors.Join(w.WriteHeader(hdr), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFindIgnoresGlobalHeadersAndOtherAttributes(t *testing.T) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	err := errors.Join(
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "m", PAXRecords: map[string]string{"comment": "x"}}),
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "m", Size: 5, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "y"}}))
	_, _ = io.WriteString(w, "MODEL")
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	file, miss, err := findInImage(t.Context(), appendLayer(t, empty.Image, out.Bytes(), types.OCIUncompressedLayer), oneFile)
	checkFound(t, file, miss, err, "/m")
}

func TestFindIsBounded(t *testing.T) {
	zeros := make([]byte, 16<<20)
	bomb := gzipped(t, append(layerOf(t, "file app/model.bin MODEL"), zeros...))
	deep := layerOf(t, "file "+strings.Repeat("d/", 1000)+"m MODEL")
	unknown := manifestOf("m", "MODEL")
	unknown[0].Size = -1
	for name, test := range map[string]struct {
		content       []byte
		mediaType     types.MediaType
		memory, bytes int64
		want          string
	}{
		"gzip bomb":   {bomb, types.OCILayer, 1 << 20, 8 << 20, "the image, unpacked, exceeds the limit of 8388608 bytes"},
		"zstd bomb":   {zstandard(t, zeros), types.OCILayerZStd, 1 << 20, 8 << 20, "the image, unpacked, exceeds"},
		"many names":  {layerOf(t, strings.Repeat("file a/.wh.x\nfile a/m MODEL\n", 1000)), types.OCIUncompressedLayer, 100_000, 8 << 20, "the list of the image's files exceeds"},
		"deep names":  {deep, types.OCIUncompressedLayer, 100_000, 8 << 20, "the list of the image's files exceeds"},
		"sparse file": {sparseBomb(), types.OCIUncompressedLayer, 1 << 20, 8 << 20, "what has to be hashed in the image exceeds"},
		"zstd window": {[]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x00}, types.OCILayerZStd, 1 << 20, 8 << 20, "window size exceeded"},
		"zstd filler": {append([]byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 1}, zeros...), types.OCILayerZStd, 1 << 20, 8 << 20, "the image, packed, exceeds"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := newFinder(unknown, newSearchLimits(test.memory, test.bytes))
			if err != nil {
				t.Fatal(err)
			}
			file, miss, err := f.find(t.Context(), appendLayer(t, empty.Image, test.content, test.mediaType))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, %+v, %v, want an error with %q", file, miss, err, test.want)
			}
		})
	}
}

// sparseBomb is a layer with a sparse file of the old GNU format: 1 TiB that is nothing but a hole.
func sparseBomb() []byte {
	header := make([]byte, 512)
	copy(header, "m")
	copy(header[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00        S")
	copy(header[257:], "ustar  \x00")
	real := []byte{0x80, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0} // 1<<40, base 256
	copy(header[386:], real)                              // the only fragment: at the end, of no bytes
	copy(header[398:], "00000000000\x00")
	copy(header[483:], real)
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
	return append(header, make([]byte, 1024)...)
}

func TestFindStopsWhenNobodyWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if file, _, err := findInImage(ctx, imageOf(t, "file m MODEL"), oneFile); !errors.Is(err, context.Canceled) {
		t.Errorf("got %q, %v", file, err)
	}
}

// countedLayer counts how often it is read.
type countedLayer struct {
	v1.Layer
	reads *int
}

func (c countedLayer) Compressed() (io.ReadCloser, error) {
	*c.reads++
	return c.Layer.Compressed()
}

func TestFindReadsLayersOnce(t *testing.T) {
	shared, below := 0, 0
	layer := countedLayer{static.NewLayer(layerOf(t, "file app/m MODEL"), types.OCIUncompressedLayer), &shared}
	base := countedLayer{static.NewLayer(layerOf(t, "file bin/sh SH"), types.OCIUncompressedLayer), &below}
	f, err := newFinder(oneFile, newSearchLimits(maxSearchMemory, maxSearchBytes))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		img, err := mutate.AppendLayers(empty.Image, base, layer, layer)
		if err != nil {
			t.Fatal(err)
		}
		file, miss, err := f.find(t.Context(), img)
		checkFound(t, file, miss, err, "/app/m")
	}
	if shared != 1 || below != 0 {
		t.Errorf("the shared layer was read %d times, the one below %d times; want 1 and 0", shared, below)
	}
}

// The digest of every layer is checked, also when the model was found: the bytes come from a store that may lie.
func TestFindChecksLayersAgainstTheirDigests(t *testing.T) {
	dir := t.TempDir()
	path, err := ocilayout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	img := onPlatform(t, imageOf(t, "file app/model.bin OTHER"), "arm64")
	if err := path.AppendImage(img); err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	swapped := layerOf(t, "file app/model.bin MODEL")
	if err := os.WriteFile(filepath.Join(dir, "blobs", "sha256", digest.Hex), swapped, 0o600); err != nil {
		t.Fatal(err)
	}
	resolved, err := Resolve(t.Context(), "oci:"+dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := resolved.Find(t.Context(), oneFile)
	if err == nil || !strings.Contains(err.Error(), digest.Hex) || !strings.Contains(err.Error(), "other bytes") {
		t.Errorf("got %v, %v, want the digest's error", found, err)
	}
}

// onPlatform is the image with a configuration that says where it runs.
func onPlatform(t testing.TB, img v1.Image, architecture string) v1.Image {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture = "linux", architecture
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

// layoutOf writes images into an index, in a layout; an architecture "unknown" is one of BuildKit's attestations.
func layoutOf(t testing.TB, images map[string]v1.Image) string {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, architecture := range slices.Sorted(maps.Keys(images)) {
		platform := v1.Platform{OS: "linux", Architecture: architecture}
		if architecture == "unknown" {
			platform.OS = "unknown"
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: images[architecture], Descriptor: v1.Descriptor{Platform: &platform}})
	}
	dir := t.TempDir()
	path, err := ocilayout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendIndex(index); err != nil {
		t.Fatal(err)
	}
	return "oci:" + dir
}

func TestFindLooksAtEveryPlatform(t *testing.T) {
	const shared, other = "file app/model.bin MODEL", "file app/model.bin OTHER"
	for name, test := range map[string]struct {
		images map[string]v1.Image
		want   []string // locations, or words of the refusal
	}{
		"all have it": {map[string]v1.Image{
			"amd64": imageOf(t, "file bin/sh A", shared), "arm64": imageOf(t, "file bin/sh B", shared), "s390x": imageOf(t, "file srv/m MODEL")},
			[]string{"linux/amd64 /app/model.bin", "linux/arm64 /app/model.bin", "linux/s390x /srv/m"}},
		"one has another": {map[string]v1.Image{"amd64": imageOf(t, shared), "arm64": imageOf(t, other)},
			[]string{"the model is not in ", "(linux/arm64)", "no file in it has the digest"}},
		"removed on one": {map[string]v1.Image{"amd64": imageOf(t, shared, "file .wh.app"), "arm64": imageOf(t, shared)},
			[]string{"(linux/amd64)", "was in layer 1, removed by a later one"}},
		"attestations are left out": {map[string]v1.Image{"amd64": imageOf(t, shared), "unknown": imageOf(t, "file intoto.json {}")},
			[]string{"linux/amd64 /app/model.bin"}},
		"nothing that runs": {map[string]v1.Image{"unknown": imageOf(t, shared)},
			[]string{"has no platform that could contain the model"}},
	} {
		t.Run(name, func(t *testing.T) {
			img, err := Resolve(t.Context(), layoutOf(t, test.images), Options{})
			if err != nil {
				t.Fatal(err)
			}
			found, err := img.Find(t.Context(), oneFile)
			checkLocations(t, img, found, err, test.want)
		})
	}
}

// checkLocations compares with locations, or with words of a refusal that names the image.
func checkLocations(t *testing.T, img *Image, found []provenance.Location, err error, want []string) {
	t.Helper()
	var refused *provenance.Refused
	if errors.As(err, &refused) {
		for _, words := range append(want, img.Noun().Digest.String()) {
			if !strings.Contains(refused.Detail, words) {
				t.Errorf("refused with %q, want %q in it", refused.Detail, words)
			}
		}
		if refused.Code != "model.notInImage" || refused.Hint == "" || found != nil {
			t.Errorf("code %q, hint %q, found %v", refused.Code, refused.Hint, found)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range found {
		got = append(got, l.Platform+" "+l.Path)
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestFindNamesExtraFiles(t *testing.T) {
	img, err := Resolve(t.Context(), layoutOf(t, map[string]v1.Image{"amd64": imageOf(t, "file m/a A\nfile m/b B\nfile m/##vso[x] X")}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := img.Find(t.Context(), manifestOf("a", "A", "b", "B"))
	var refused *provenance.Refused
	if !errors.As(err, &refused) || refused.Code != "model.extraFiles" || !strings.Contains(refused.Detail, `"/m" has all its files, and others: "##vso[x]"`) {
		t.Errorf("got %v, %v", found, err)
	}
}

// The same with the tools and the formats of others: layers that tar wrote, put into a registry by crane.
func TestFindInImagesOfOthers(t *testing.T) {
	dir, host := t.TempDir(), testtools.Registry(t)
	deep := filepath.Join(strings.Repeat("directory-with-a-long-name/", 9), "weights of the model, é.bin")
	content := string(append(make([]byte, 1<<20), "end"...))
	writeFile(t, filepath.Join(dir, "lower", deep), 1<<20, "end") // with a hole
	writeFile(t, filepath.Join(dir, "upper", "etc", "hosts"), 0, "x")
	run(t, "tar", "-C", filepath.Join(dir, "upper"), "-cf", filepath.Join(dir, "upper.tar"), ".")
	for name, flags := range map[string][]string{
		"gnu":          {"--format=gnu"},
		"pax":          {"--format=pax"},
		"oldgnu":       {"--format=oldgnu"},
		"gnu-sparse":   {"--format=gnu", "--sparse", "--hole-detection=raw"},
		"pax-sparse-0": {"--format=pax", "--sparse", "--hole-detection=raw", "--sparse-version=0.0"},
		"pax-sparse-1": {"--format=pax", "--sparse", "--hole-detection=raw", "--sparse-version=1.0"},
		"gzip":         {"--gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			lower, ref := filepath.Join(dir, name+".tar"), host+"/images/"+name+":1"
			run(t, "tar", append(flags, "-C", filepath.Join(dir, "lower"), "-cf", lower, ".")...)
			if info, err := os.Stat(lower); err != nil {
				t.Fatal(err)
			} else if strings.Contains(name, "sparse") && info.Size() > 1<<16 {
				t.Fatalf("tar wrote %d bytes, which is not sparse", info.Size())
			}
			run(t, testtools.Path(t, "crane"), "append", "--oci-empty-base", "-f", lower+","+filepath.Join(dir, "upper.tar"), "-t", ref)
			run(t, testtools.Path(t, "crane"), "mutate", "--set-platform", "linux/arm64", "-t", ref, ref)
			img, err := Resolve(t.Context(), ref, Options{})
			if err != nil {
				t.Fatal(err)
			}
			found, err := img.Find(t.Context(), manifestOf("model", content))
			checkLocations(t, img, found, err, []string{"linux/arm64 /" + deep})
		})
	}
}

// writeFile makes a file with content at an offset.
func writeFile(t *testing.T, name string, offset int64, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.WriteAt([]byte(content), offset); errors.Join(err, f.Close()) != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

// What the layers of an image are together is what go-containerregistry's flattening says, which was written by others.
func TestFlattenAgreesWithOthers(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		var layers []string
		var want []provenance.File
		for layer := range 1 + random.IntN(5) {
			var lines strings.Builder
			for file, content := range randomLayer(random, layer) {
				fmt.Fprintln(&lines, "file", file, content)
				want = append(want, manifestOf(fmt.Sprint(layer, file), content)...)
			}
			layers = append(layers, lines.String())
		}
		img := imageOf(t, layers...)
		if got, want := ourFiles(t, img, want), theirFiles(t, img); !maps.Equal(got, want) {
			t.Fatalf("seed %d: layers %q are %v, want %v", seed, layers, got, want)
		}
	}
}

// randomLayer is some files, and some whiteouts of names that the layer itself does not have.
func randomLayer(random *rand.Rand, layer int) map[string]string {
	files := map[string]string{}
	for range 1 + random.IntN(5) {
		file := "f" + strconv.Itoa(random.IntN(3))
		for range random.IntN(3) {
			file = "d" + strconv.Itoa(random.IntN(2)) + "/" + file
		}
		files[file] = fmt.Sprint(layer, ":", file)
	}
	for range random.IntN(3) {
		name := []string{"f0", "f1", "d0", "d1", "d0/f0", "d0/d1", "d1/f2"}[random.IntN(7)]
		clash := func(file string) bool {
			return file == name || strings.HasPrefix(file, name+"/") || strings.HasPrefix(name, strings.Replace(file, ".wh.", "", 1)+"/")
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(files)), clash) {
			files[path.Join(path.Dir(name), ".wh."+path.Base(name))] = ""
		}
	}
	return files
}

func ourFiles(t *testing.T, img v1.Image, want []provenance.File) map[string]string {
	t.Helper()
	f, err := newFinder(want, newSearchLimits(maxSearchMemory, maxSearchBytes))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	trees, err := f.read(t.Context(), layers, 0, len(layers))
	if err != nil {
		t.Fatal(err)
	}
	root, err := flatten(t.Context(), trees, func(int, string, *node) {})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	root.walk("", func(file string, n *node) { files[file] = n.wanted.hex })
	return files
}

func theirFiles(t *testing.T, img v1.Image) map[string]string {
	t.Helper()
	content := mutate.Extract(img)
	defer content.Close()
	files := map[string]string{}
	for r := tar.NewReader(content); ; {
		hdr, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[path.Clean(hdr.Name)] = provenance.SumSHA256(data).Hex()
	}
}

// FuzzReadLayer reads foreign layers. Whatever they are, reading them ends, within the limits, and reading them again says
// the same.
func FuzzReadLayer(f *testing.F) {
	seeds := [][]byte{
		layerOf(f, "dir app\nfile app/model.bin MODEL\nfile app/.wh.x\nfile app/.wh..wh..opq"),
		layerOf(f, "link a b\nfile a/m MODEL\nhard h b/m\nhard i lower\ndevice d\npipe p"),
		gzipped(f, layerOf(f, "file m MODEL")), zstandard(f, layerOf(f, "file m MODEL")), sparseBomb(), nil,
	}
	for _, seed := range seeds {
		f.Add(seed)
	}
	w, err := newWanted(oneFile)
	if err != nil {
		f.Fatal(err)
	}
	read := func(t *testing.T, data []byte) (string, error) {
		limits := newSearchLimits(1<<20, 16<<20)
		mediaType := map[string]types.MediaType{"gzip": types.OCILayer, "zstd": types.OCILayerZStd}[compressionOf(data)]
		tree, err := readLayer(t.Context(), static.NewLayer(data, cmp.Or(mediaType, types.OCIUncompressedLayer)), w, limits)
		if err != nil {
			return "", err
		}
		finder := &finder{w, limits, nil}
		file, miss, err := finder.search(t.Context(), []*layerTree{tree, tree})
		if err != nil {
			t.Error(err)
		}
		if (file == "") == (miss == nil) || file != "" && tree.hits == 0 {
			t.Errorf("found %q with %d hits, %+v", file, tree.hits, miss)
		}
		return file, nil
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := read(t, data)
		again, errAgain := read(t, data)
		if file != again || fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Errorf("%q, %v, and then %q, %v", file, err, again, errAgain)
		}
	})
}

// What a layer unpacks to must be what the image's configuration says: container runtimes check it, so an image that they
// would take for another has no such configuration.
func TestFindChecksWhatLayersUnpackTo(t *testing.T) {
	plain := layerOf(t, "file app/model.bin MODEL")
	lying := func(content v1.Hash) v1.Image {
		img, err := mutate.AppendLayers(imageOf(t, "file x X"), packedLayer{static.NewLayer(gzipped(t, plain), types.OCILayer), content})
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	file, miss, err := findInImage(t.Context(), lying(sum(plain)), oneFile)
	checkFound(t, file, miss, err, "/app/model.bin")
	_, _, err = findInImage(t.Context(), lying(sum(layerOf(t, "file app/model.bin OTHER"))), oneFile)
	refusedAs(t, err, "image.diffID", "layer 2 does not unpack to what the image's configuration says", sum(plain).Hex)
	_, _, err = findInImage(t.Context(), lying(sum(nil)), folder)
	refusedAs(t, err, "image.diffID", "layer 2 does not")
	for _, count := range []int{0, 1, 3} {
		img := lying(sum(plain))
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, sum(plain))[:count]
		if img, err = mutate.ConfigFile(img, config); err != nil {
			t.Fatal(err)
		}
		_, _, err = findInImage(t.Context(), img, oneFile)
		refusedAs(t, err, "image.diffID", fmt.Sprintf("2 layers, and its configuration says %d", count))
	}
}

// One layer under two types is two layers: what was read as one of them says nothing of the other.
func TestFindReadsLayersByTheirTypes(t *testing.T) {
	plain := layerOf(t, "file app/model.bin MODEL")
	f, err := newFinder(oneFile, newSearchLimits(maxSearchMemory, maxSearchBytes))
	if err != nil {
		t.Fatal(err)
	}
	file, miss, err := f.find(t.Context(), appendLayer(t, empty.Image, plain, types.OCIUncompressedLayer))
	checkFound(t, file, miss, err, "/app/model.bin")
	_, _, err = f.find(t.Context(), appendLayer(t, empty.Image, plain, types.OCILayer))
	undecided(t, err, "not compressed with gzip")
}

func TestFindCountsLayers(t *testing.T) {
	layer := packedLayer{static.NewLayer(nil, types.OCIUncompressedLayer), sum(nil)}
	layers := slices.Repeat([]v1.Layer{layer}, maxLayers+1)
	img, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = findInImage(t.Context(), img, folder); !errors.As(err, new(*LimitError)) {
		t.Fatalf("error is %v, want a LimitError", err)
	}
	undecided(t, err, "512 entries")
}

// Layers that were read are put together, and looked through, only while somebody waits.
func TestSearchStopsWhenNobodyWaits(t *testing.T) {
	f, err := newFinder(folder, newSearchLimits(maxSearchMemory, maxSearchBytes))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := imageOf(t, "file a/x X", "file a/x Y").Layers()
	if err != nil {
		t.Fatal(err)
	}
	trees, err := f.read(t.Context(), layers, 0, len(layers))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	merger{ctx, func(string, *node) { t.Error("it merged") }}.merge("/", trees[0].root, trees[1].root)
	if _, err := flatten(ctx, trees, func(int, string, *node) { t.Error("it merged") }); !errors.Is(err, context.Canceled) {
		t.Errorf("flatten: %v", err)
	}
	if file, miss, err := f.search(ctx, trees); !errors.Is(err, context.Canceled) {
		t.Errorf("search: %q, %+v, %v", file, miss, err)
	}
}

// Only what BuildKit calls unknown/unknown is not searched. What says less than that, runtimes run.
func TestFindLooksAtPlatformsThatAreNotSpecified(t *testing.T) {
	for name, platform := range map[string]v1.Platform{
		"unspecified/amd64": {Architecture: "amd64"}, "unspecified/unspecified": {}, "linux/unspecified": {OS: "linux"},
		"unknown/amd64": {OS: "unknown", Architecture: "amd64"}, "linux/unknown": {OS: "linux", Architecture: "unknown"},
		"unknown/unspecified": {OS: "unknown"}, "unknown/unknown/v8": {OS: "unknown", Architecture: "unknown", Variant: "v8"},
	} {
		t.Run(name, func(t *testing.T) {
			hidden := imageOf(t, "file app/model.bin OTHER")
			index := mutate.AppendManifests(empty.Index,
				mutate.IndexAddendum{Add: onPlatform(t, imageOf(t, "file app/model.bin MODEL"), "amd64"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
				mutate.IndexAddendum{Add: hidden, Descriptor: v1.Descriptor{Platform: &platform}})
			img := resolve(t, pushToLayout(t.TempDir()+"/layout")(t, "hiding", index), Options{})
			if got := img.Noun().Platforms[1].Name; got != name {
				t.Errorf("it is called %q", got)
			}
			_, err := img.Find(t.Context(), oneFile)
			refusedAs(t, err, "model.notInImage", "("+name+")")
			digest := must(hidden.Digest())
			if !slices.ContainsFunc(img.targets(), func(d v1.Descriptor) bool { return d.Digest == digest }) {
				t.Error("nothing would be attached to it")
			}
		})
	}
}

// An image whose configuration is silent about its platform runs as well.
func TestFindLooksAtASingleImageWithoutPlatform(t *testing.T) {
	for layer, want := range map[string]string{"file m MODEL": "", "file m OTHER": "(unspecified/unspecified)"} {
		img := resolve(t, pushToLayout(t.TempDir()+"/layout")(t, "silent", imageOf(t, layer)), Options{})
		found, err := img.Find(t.Context(), oneFile)
		if want != "" {
			refusedAs(t, err, "model.notInImage", want)
		} else if err != nil || len(found) != 1 || found[0].Platform != "unspecified/unspecified" {
			t.Errorf("%v, %v", found, err)
		}
	}
}
