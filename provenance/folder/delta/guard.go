package delta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Limits of a Parquet file. Writers make pages of 1 MiB or 20,000 rows; a column that is null nearly everywhere may have
// a row group in one page.
const (
	maxFooter = 16 << 20 // bytes
	maxPage   = 16 << 20 // bytes, uncompressed
	maxValues = 8 << 20  // of a page
	maxRows   = 1 << 25  // of a file
	freeRows  = 100_000  // however short the file is; beyond them, at most
	denseRows = 4        // for each byte of it: a path alone takes more, and rows of nothing but null take none
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
		most := min(maxRows, freeRows+denseRows*g.size)
		if g.rows += group.NumRows; g.rows > most || group.NumRows > most {
			return tooMuch("it has more than %d rows in %d bytes", most, g.size)
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
		return 0, g.dictionary(h, codec, c)
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		return g.pageV1(h, codec, c)
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		return g.pageV2(h, codec, c)
	}
	return 0, errCorrupt
}

func (g *guard) dictionary(h *format.PageHeader, codec format.CompressionCodec, c *column) error {
	d := h.DictionaryPageHeader.V
	if err := g.decompress(codec, g.body, int(h.UncompressedPageSize)); err != nil {
		return err
	}
	if d.Encoding != format.Plain && d.Encoding != format.PlainDictionary {
		return tooMuch("a dictionary in the encoding %v", d.Encoding)
	}
	if d.NumValues < 0 || !plain(g.page, c.leaf.Type().Kind(), d.NumValues) {
		return errCorrupt
	}
	return nil
}

func (g *guard) pageV1(h *format.PageHeader, codec format.CompressionCodec, c *column) (int32, error) {
	d := h.DataPageHeader.V
	if err := checkCount(d.NumValues); err != nil {
		return 0, err
	}
	if err := g.decompress(codec, g.body, int(h.UncompressedPageSize)); err != nil {
		return 0, err
	}
	repetition, definition := c.leaf.MaxRepetitionLevel(), c.leaf.MaxDefinitionLevel()
	if repetition > 0 && d.RepetitionLevelEncoding != format.RLE || definition > 0 && d.DefinitionLevelEncoding != format.RLE {
		return 0, tooMuch("levels that are not in the encoding RLE")
	}
	data, _, ok := levelsV1(g.page, repetition, d.NumValues)
	if !ok {
		return 0, errCorrupt
	}
	data, present, ok := levelsV1(data, definition, d.NumValues)
	if !ok {
		return 0, errCorrupt
	}
	return d.NumValues, checkValues(data, c, d.Encoding, present)
}

// levelsV1 checks levels that begin with their length. It gives what follows them, and how many are the highest.
func levelsV1(data []byte, level int, values int32) (rest []byte, highest int32, ok bool) {
	if level == 0 { // none are written
		return data, values, true
	}
	if len(data) < 4 {
		return nil, 0, false
	}
	length := int64(binary.LittleEndian.Uint32(data))
	if data = data[4:]; length > int64(len(data)) {
		return nil, 0, false
	}
	highest, ok = levels(data[:length], level, values)
	return data[length:], highest, ok
}

func (g *guard) pageV2(h *format.PageHeader, codec format.CompressionCodec, c *column) (int32, error) {
	d := h.DataPageHeaderV2.V
	if err := checkCount(d.NumValues); err != nil {
		return 0, err
	}
	repetition, definition := int(d.RepetitionLevelsByteLength), int(d.DefinitionLevelsByteLength)
	if repetition < 0 || definition < 0 || repetition+definition > min(len(g.body), int(h.UncompressedPageSize)) {
		return 0, errCorrupt
	}
	split := repetition + definition
	_, repeatedOK := levels(g.body[:repetition], c.leaf.MaxRepetitionLevel(), d.NumValues)
	present, definedOK := levels(g.body[repetition:split], c.leaf.MaxDefinitionLevel(), d.NumValues)
	if !repeatedOK || !definedOK || present != d.NumValues-d.NumNulls {
		return 0, errCorrupt
	}
	if d.IsCompressed.Valid && !d.IsCompressed.V {
		codec = format.Uncompressed
	}
	if err := g.decompress(codec, g.body[split:], int(h.UncompressedPageSize)-split); err != nil {
		return 0, err
	}
	return d.NumValues, checkValues(g.page, c, d.Encoding, present)
}

func checkCount(values int32) error {
	switch {
	case values < 0:
		return errCorrupt
	case values > maxValues:
		return tooMuch("a page of %d values", values)
	}
	return nil
}

// checkValues checks the values of a page, nulls left out.
func checkValues(data []byte, c *column, encoding format.Encoding, values int32) error {
	ok := false
	switch encoding {
	case format.Plain:
		ok = plain(data, c.leaf.Type().Kind(), values)
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray:
		ok = packed(data, values)
	case format.PlainDictionary, format.RLEDictionary:
		ok = len(data) == 0 && values == 0 || len(data) > 0 && data[0] <= 32
		if len(data) > 0 {
			_, fits := runs(data[1:], int(data[0]), values, nil)
			ok = ok && fits
		}
	default:
		return tooMuch("values in the encoding %v", encoding)
	}
	if !ok {
		return errCorrupt
	}
	return nil
}

// plain tells whether data are so many values.
func plain(data []byte, kind parquet.Kind, values int32) bool {
	switch kind {
	case parquet.Int32:
		return len(data) == 4*int(values)
	case parquet.Int64:
		return len(data) == 8*int(values)
	}
	for range values {
		if len(data) < 4 {
			return false
		}
		length := int64(binary.LittleEndian.Uint32(data))
		if data = data[4:]; length > int64(len(data)) {
			return false
		}
		data = data[length:]
	}
	return len(data) == 0
}

// maxBlock is how many values a block of packed differences may have; 128 is usual.
const maxBlock = 1 << 16

// packed tells whether packed differences begin with so many values, in blocks that are not too large.
// Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC
func packed(data []byte, values int32) bool {
	var header [3]uint64 // the values of a block, the parts of a block, and all values
	for i := range header {
		n, length := binary.Uvarint(data)
		if length <= 0 {
			return false
		}
		header[i], data = n, data[length:]
	}
	return header[0] <= maxBlock && header[1] <= maxBlock && header[2] == uint64(values)
}

// levels checks the levels of a page, and counts the highest ones, which are those of values that are no null.
func levels(data []byte, highest int, values int32) (int32, bool) {
	if highest == 0 {
		return values, len(data) == 0
	}
	var seen, found int32
	total, ok := runs(data, bits.Len(uint(highest)), values, func(level uint64, n uint64) {
		n = min(n, uint64(values-seen)) // the rest fills up a group
		if seen += int32(n); level == uint64(highest) {
			found += int32(n)
		}
	})
	return found, ok && total >= uint64(values)
}

// runs goes through runs, repeated or bit-packed, of about as many values as there should be: the last group of a bit-packed
// run is filled up to eight, and some writers fill up more. visit, if not nil, gets each value, and how often it comes.
// Source: https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
func runs(data []byte, width int, values int32, visit func(value, n uint64)) (total uint64, ok bool) {
	limit := uint64(values) + 1024
	for len(data) > 0 {
		head, n := binary.Uvarint(data)
		if n <= 0 || head>>1 > limit {
			return total, false
		}
		data = data[n:]
		isPacked, count, length := head&1 == 1, head>>1, uint64(width+7)/8
		if isPacked {
			count, length = count*8, count*uint64(width)
		}
		if total += count; total > limit || length > uint64(len(data)) {
			return total, false
		}
		if visit != nil {
			visitRun(data[:length], isPacked, width, count, visit)
		}
		data = data[length:]
	}
	return total, true
}

// visitRun takes a run of levels apart, which have at most eight bits.
func visitRun(data []byte, isPacked bool, width int, count uint64, visit func(value, n uint64)) {
	if !isPacked {
		visit(uint64(data[0]), count)
		return
	}
	for at := range int(count) {
		var value uint64
		for bit := range width {
			i := at*width + bit
			value |= uint64(data[i/8]>>(i%8)&1) << bit
		}
		visit(value, 1)
	}
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
