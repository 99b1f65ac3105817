package delta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Limits of a Parquet file. Writers make pages of 1 MiB or 20,000 rows; a column that is null nearly everywhere may have
// a row group in one page.
const (
	maxFooter = 16 << 20 // bytes
	maxPage   = 16 << 20 // bytes, uncompressed
	maxValues = 8 << 20  // of a page
	maxRows   = 1 << 27  // of a file
	maxChunks = 1 << 20  // columns × row groups
	maxHeader = 64 << 10 // bytes of a page's header
	maxSchema = 10_000   // columns and groups of columns
)

// guard looks at the sizes that a Parquet file claims, before the library believes them and allocates: of lists in its
// metadata, of pages before and after compression, of runs of equal values. The pages that are read later are gone through
// once more, which costs their decompression. DELTA_BYTE_ARRAY is not read: its values may be as long as all before them.
type guard struct {
	file  io.ReaderAt
	size  int64
	meta  format.FileMetaData
	rows  int64
	page  []byte // uncompressed
	body  []byte // compressed
	zstd  *zstd.Decoder
	plain thrift.CompactProtocol
}

var errCorrupt = errors.New("it is not a valid Parquet file")

// footer checks the metadata at the end.
func (g *guard) footer() error {
	var tail [8]byte
	if g.size < 12 || !g.read(tail[:], g.size-8) || string(tail[4:]) != "PAR1" {
		return errCorrupt
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if length > maxFooter {
		return tooMuch("its footer has %d bytes", length)
	}
	if length > g.size-12 {
		return errCorrupt
	}
	footer := make([]byte, length)
	if !g.read(footer, g.size-8-length) {
		return errCorrupt
	}
	if n, err := thriftLength(footer); err != nil || n != len(footer) {
		return errors.Join(errThrift, err)
	}
	if err := thrift.Unmarshal(&g.plain, footer, &g.meta); err != nil {
		return err
	}
	return g.shape()
}

// shape checks the schema and the row groups.
func (g *guard) shape() error {
	leaves, depth := 0, 0
	open := []int32{} // children that are still to come, by level
	for _, element := range g.meta.Schema {
		if children := element.NumChildren; element.Type.Valid {
			leaves++
		} else if children.V > 0 {
			open = append(open, children.V+1)
		} else if children.V < 0 {
			return errCorrupt
		}
		for len(open) > 0 {
			if open[len(open)-1]--; open[len(open)-1] > 0 {
				break
			}
			open = open[:len(open)-1]
		}
		depth = max(depth, len(open))
	}
	if len(g.meta.Schema) > maxSchema || depth > maxThriftDepth || leaves*len(g.meta.RowGroups) > maxChunks {
		return tooMuch("its schema has %d columns, %d levels deep, in %d row groups", leaves, depth, len(g.meta.RowGroups))
	}
	for _, group := range g.meta.RowGroups {
		if len(group.Columns) != leaves || group.NumRows < 0 {
			return errCorrupt
		}
		if g.rows += group.NumRows; g.rows > maxRows || group.NumRows > maxRows {
			return tooMuch("it has more than %d rows", maxRows)
		}
	}
	return nil
}

// rowGroup checks the pages of some columns. The library takes the compression of a column from the first row group.
func (g *guard) rowGroup(i int, columns []*column) error {
	group := g.meta.RowGroups[i]
	for _, c := range columns {
		chunk := &group.Columns[c.leaf.Index()].MetaData
		if chunk.Codec != g.meta.RowGroups[0].Columns[c.leaf.Index()].MetaData.Codec {
			return tooMuch("the column %v is compressed in several ways", c.leaf.Path())
		}
		values, err := g.chunk(chunk, c)
		if err != nil {
			return fmt.Errorf("column %v: %w", c.leaf.Path(), err)
		}
		if c.leaf.MaxRepetitionLevel() == 0 && values != group.NumRows {
			return fmt.Errorf("column %v: %d values in %d rows", c.leaf.Path(), values, group.NumRows)
		}
	}
	return nil
}

// chunk checks the pages of a column in a row group, and counts their values.
func (g *guard) chunk(chunk *format.ColumnMetaData, c *column) (values int64, err error) {
	at := chunk.DataPageOffset
	if chunk.DictionaryPageOffset != 0 {
		at = chunk.DictionaryPageOffset
	}
	if at < 4 || chunk.TotalCompressedSize < 0 || chunk.TotalCompressedSize > g.size || at > g.size-chunk.TotalCompressedSize {
		return 0, errCorrupt
	}
	for end := at + chunk.TotalCompressedSize; at < end; {
		header, length, err := g.header(at, end)
		if err != nil {
			return 0, err
		}
		at += length
		g.body = grow(g.body, int(header.CompressedPageSize))
		if int64(len(g.body)) > end-at || !g.read(g.body, at) {
			return 0, errCorrupt
		}
		at += int64(len(g.body))
		n, err := g.check(header, chunk.Codec, c)
		if err != nil {
			return 0, err
		}
		values += int64(n)
	}
	return values, nil
}

// header reads the header of the page at an offset.
func (g *guard) header(at, end int64) (*format.PageHeader, int64, error) {
	data := make([]byte, min(maxHeader, end-at))
	if !g.read(data, at) {
		return nil, 0, errCorrupt
	}
	n, err := thriftLength(data)
	if err != nil {
		return nil, 0, err
	}
	header := &format.PageHeader{}
	if err := thrift.Unmarshal(&g.plain, data[:n], header); err != nil {
		return nil, 0, err
	}
	if compressed, plain := header.CompressedPageSize, header.UncompressedPageSize; compressed < 0 || plain < 0 {
		return nil, 0, errCorrupt
	} else if compressed > maxPage || plain > maxPage {
		return nil, 0, tooMuch("a page of %d bytes", max(compressed, plain))
	}
	return header, int64(n), nil
}

// check looks at a page, and says how many values it has.
func (g *guard) check(h *format.PageHeader, codec format.CompressionCodec, c *column) (int32, error) {
	switch {
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		return 0, g.dictionary(h, codec)
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		return g.pageV1(h, codec, c)
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		return g.pageV2(h, codec, c)
	}
	return 0, errCorrupt
}

func (g *guard) dictionary(h *format.PageHeader, codec format.CompressionCodec) error {
	d := h.DictionaryPageHeader.V
	if err := g.decompress(codec, g.body, int(h.UncompressedPageSize)); err != nil {
		return err
	}
	if d.Encoding != format.Plain && d.Encoding != format.PlainDictionary {
		return tooMuch("a dictionary in the encoding %v", d.Encoding)
	}
	if d.NumValues < 0 || int(d.NumValues) > len(g.page)/4 { // each has four bytes at least
		return errCorrupt
	}
	return nil
}

func (g *guard) pageV1(h *format.PageHeader, codec format.CompressionCodec, c *column) (int32, error) {
	d := h.DataPageHeader.V
	if err := g.decompress(codec, g.body, int(h.UncompressedPageSize)); err != nil {
		return 0, err
	}
	data, ok := g.page, true
	levels := []struct {
		max      int
		encoding format.Encoding
	}{{c.leaf.MaxRepetitionLevel(), d.RepetitionLevelEncoding}, {c.leaf.MaxDefinitionLevel(), d.DefinitionLevelEncoding}}
	for _, level := range levels {
		if level.max == 0 {
			continue
		}
		if level.encoding != format.RLE {
			return 0, tooMuch("levels in the encoding %v", level.encoding)
		}
		if data, ok = g.levelsV1(data, level.max, d.NumValues); !ok {
			return 0, errCorrupt
		}
	}
	return d.NumValues, checkValues(data, d.Encoding, d.NumValues)
}

// levelsV1 checks levels that begin with their length, and is what follows them.
func (g *guard) levelsV1(data []byte, level int, values int32) ([]byte, bool) {
	if len(data) < 4 {
		return nil, false
	}
	length := int64(binary.LittleEndian.Uint32(data))
	if data = data[4:]; length > int64(len(data)) {
		return nil, false
	}
	return data[length:], runs(data[:length], bitsOf(level), values)
}

func (g *guard) pageV2(h *format.PageHeader, codec format.CompressionCodec, c *column) (int32, error) {
	d := h.DataPageHeaderV2.V
	repetition, definition := int(d.RepetitionLevelsByteLength), int(d.DefinitionLevelsByteLength)
	if repetition < 0 || definition < 0 || repetition > len(g.body) || definition > len(g.body)-repetition || d.NumNulls < 0 || d.NumNulls > d.NumValues ||
		repetition+definition > int(h.UncompressedPageSize) {
		return 0, errCorrupt
	}
	levels, values := g.body[:repetition+definition], g.body[repetition+definition:]
	if !runs(levels[:repetition], bitsOf(c.leaf.MaxRepetitionLevel()), d.NumValues) || !runs(levels[repetition:], bitsOf(c.leaf.MaxDefinitionLevel()), d.NumValues) {
		return 0, errCorrupt
	}
	if d.IsCompressed.Valid && !d.IsCompressed.V {
		codec = format.Uncompressed
	}
	if err := g.decompress(codec, values, int(h.UncompressedPageSize)-len(levels)); err != nil {
		return 0, err
	}
	return d.NumValues, checkValues(g.page, d.Encoding, d.NumValues)
}

// checkValues checks the values of a page, their levels aside.
func checkValues(data []byte, encoding format.Encoding, values int32) error {
	switch {
	case values < 0:
		return errCorrupt
	case values > maxValues:
		return tooMuch("a page of %d values", values)
	case encoding == format.Plain:
		return nil
	case encoding == format.DeltaBinaryPacked || encoding == format.DeltaLengthByteArray:
		if !packed(data, values) {
			return errCorrupt
		}
		return nil
	case encoding != format.PlainDictionary && encoding != format.RLEDictionary:
		return tooMuch("values in the encoding %v", encoding)
	case len(data) == 0:
		return nil
	case data[0] > 32 || !runs(data[1:], int(data[0]), values):
		return errCorrupt
	}
	return nil
}

// maxBlock is how many values a block of packed differences may have; 128 is usual.
const maxBlock = 1 << 16

// packed tells whether packed differences begin with no more values than there should be.
// Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC
func packed(data []byte, values int32) bool {
	for _, limit := range []uint64{maxBlock, maxBlock, uint64(max(values, 0))} { // of a block, of its parts, of all of it
		n, length := binary.Uvarint(data)
		if length <= 0 || n > limit {
			return false
		}
		data = data[length:]
	}
	return true
}

// bitsOf is how many bits a level takes.
func bitsOf(level int) int {
	bits := 0
	for ; level > 0; level >>= 1 {
		bits++
	}
	return bits
}

// runs tells whether data are runs, repeated or bit-packed, of about as many values as there should be: the last group of a
// bit-packed run is filled up to eight, and some writers fill up more.
// Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
func runs(data []byte, bits int, values int32) bool {
	limit := uint64(max(values, 0)) + 1024
	var total uint64
	for len(data) > 0 {
		head, n := binary.Uvarint(data)
		if n <= 0 {
			return false
		}
		data = data[n:]
		count, length := head>>1, uint64(bits+7)/8
		if count > limit {
			return false
		}
		if head&1 == 1 {
			length = count * uint64(bits)
			count *= 8
		}
		if total += count; total > limit || length > uint64(len(data)) {
			return false
		}
		data = data[length:]
	}
	return true
}

// decompress fills g.page, if that gives as many bytes as the page says.
func (g *guard) decompress(codec format.CompressionCodec, data []byte, size int) error {
	g.page = grow(g.page, size)
	switch codec {
	case format.Uncompressed:
		if len(data) != size {
			return errCorrupt
		}
		copy(g.page, data)
		return nil
	case format.Snappy:
		if n, err := snappy.DecodedLen(data); err != nil || n != size {
			return errCorrupt
		}
		_, err := snappy.Decode(g.page, data)
		return err
	case format.Gzip:
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return err
		}
		return exactly(r, g.page)
	case format.Zstd:
		if err := g.openZstd(data); err != nil {
			return err
		}
		return exactly(g.zstd, g.page)
	}
	return tooMuch("the compression %v", codec)
}

func (g *guard) openZstd(data []byte) (err error) {
	if g.zstd != nil {
		return g.zstd.Reset(bytes.NewReader(data))
	}
	g.zstd, err = zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxPage), zstd.WithDecoderLowmem(true))
	return err
}

// exactly reads all of r, which must fill page.
func exactly(r io.Reader, page []byte) error {
	if _, err := io.ReadFull(r, page); err != nil {
		return errCorrupt
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return errCorrupt
	}
	return nil
}

func (g *guard) read(p []byte, at int64) bool {
	n, err := g.file.ReadAt(p, at)
	return n == len(p) && (err == nil || errors.Is(err, io.EOF))
}

// grow is a buffer of n bytes, an old one if it is large enough.
func grow(buffer []byte, n int) []byte {
	if cap(buffer) < n {
		return make([]byte, n)
	}
	return buffer[:n]
}
