package delta

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// readParquet yields the actions in a Parquet file of a checkpoint, row by row. Columns that do not matter, statistics
// above all, are not read.
// Source: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#checkpoint-schema
func readParquet(ctx context.Context, r io.ReaderAt, size int64, visit func(action) error) (err error) {
	defer func() {
		if p := recover(); p != nil { // what guard lets through and the library trips over
			err = fmt.Errorf("the Parquet library gave up: %v", p)
		}
	}()
	g := &guard{file: r, size: size}
	if err := g.footer(); err != nil {
		return err
	}
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(64<<10))
	if err != nil {
		return err
	}
	columns, err := findColumns(file.Root())
	if err != nil {
		return err
	}
	for i, group := range file.RowGroups() {
		if group.NumRows() == 0 {
			continue
		}
		if err := g.rowGroup(i, columns.all()); err != nil {
			return err
		}
		if err := columns.read(ctx, group, visit); err != nil {
			return err
		}
	}
	return nil
}

// columns are those that matter. A column that the file has not is nil, and reads as null.
type columns struct {
	add                                               fileColumns
	minReader, minWriter, readFeatures, writeFeatures *column
	id, key, value, schema, partition                 *column
	sidecarPath, sidecarSize, version                 *column
}

type fileColumns struct {
	path, size, storage, vector, offset, vectorSize, key, value *column
	unread                                                      bool // partition values are there by their types only
}

// column is a leaf, and where its reader stands in the row group.
type column struct {
	leaf   *parquet.Column
	pages  parquet.Pages
	values parquet.ValueReader
	page   parquet.Page
	buffer [128]parquet.Value
	unread []parquet.Value
	row    []parquet.Value
}

// finder looks for columns. Some readers do not tell Add from add, and would read a column that is none here.
type finder struct {
	root *parquet.Column
	odd  string // a column whose name others take for one that is looked for
}

// find is the leaf at a path; below an empty name stands the only child, as lists and maps call theirs as they like.
func (f *finder) find(path ...string) *column {
	at := f.root
	for _, name := range path {
		if name == "" && len(at.Columns()) == 1 {
			at = at.Columns()[0]
			continue
		}
		f.look(at, name)
		if at = at.Column(name); at == nil {
			return nil
		}
	}
	if !at.Leaf() {
		return nil
	}
	return &column{leaf: at}
}

// look notes other columns, beside the one of a name, that some readers take for it.
func (f *finder) look(group *parquet.Column, name string) {
	same := 0
	for _, child := range group.Columns() {
		if !strings.EqualFold(child.Name(), name) {
			continue
		}
		if same++; same > 1 || child.Name() != name {
			f.odd = child.Name()
		}
	}
}

func (f *finder) file(kind string) fileColumns {
	const vector, values = "deletionVector", "partitionValues"
	c := fileColumns{path: f.find(kind, "path"), size: f.find(kind, "size"), storage: f.find(kind, vector, "storageType"),
		vector: f.find(kind, vector, "pathOrInlineDv"), offset: f.find(kind, vector, "offset"), vectorSize: f.find(kind, vector, "sizeInBytes"),
		key: f.find(kind, values, "", "key"), value: f.find(kind, values, "", "value")}
	c.unread = c.path != nil && c.key == nil && f.root.Column(kind).Column(values+"_parsed") != nil
	return c
}

func findColumns(root *parquet.Column) (*columns, error) {
	f := &finder{root: root}
	c := &columns{
		add:           f.file("add"),
		minReader:     f.find("protocol", "minReaderVersion"),
		minWriter:     f.find("protocol", "minWriterVersion"),
		readFeatures:  f.find("protocol", "readerFeatures", "", ""),
		writeFeatures: f.find("protocol", "writerFeatures", "", ""),
		id:            f.find("metaData", "id"),
		key:           f.find("metaData", "configuration", "", "key"),
		value:         f.find("metaData", "configuration", "", "value"),
		schema:        f.find("metaData", "schemaString"),
		partition:     cmp.Or(f.find("metaData", "partitionColumns", "", ""), f.find("metaData", "partitionColumns", "")), // old lists have a level less
		sidecarPath:   f.find("sidecar", "path"),
		sidecarSize:   f.find("sidecar", "sizeInBytes"),
		version:       f.find("checkpointMetadata", "version"),
	}
	if f.odd != "" {
		return nil, fmt.Errorf("some readers take its column %.100q for another one", f.odd)
	}
	return c, cmp.Or(c.lists(), c.kinds())
}

// lists refuses lists where the protocol has none.
func (c *columns) lists() error {
	lists := map[*column]bool{c.readFeatures: true, c.writeFeatures: true, c.key: true, c.value: true,
		c.partition: true, c.add.key: true, c.add.value: true}
	for _, column := range c.all() {
		if repeated := column.leaf.MaxRepetitionLevel(); repeated > 1 || repeated == 1 && !lists[column] {
			return fmt.Errorf("the column %v is a list", column.leaf.Path())
		}
	}
	return nil
}

// all are the columns that are there.
func (c *columns) all() []*column {
	var there []*column
	for _, column := range []*column{c.add.path, c.add.size, c.add.storage, c.add.vector, c.add.offset, c.add.vectorSize,
		c.add.key, c.add.value, c.minReader, c.minWriter, c.readFeatures, c.writeFeatures, c.id, c.key, c.value,
		c.schema, c.partition, c.sidecarPath, c.sidecarSize, c.version} {
		if column != nil {
			there = append(there, column)
		}
	}
	return there
}

// kinds refuses columns of another type than the protocol says.
func (c *columns) kinds() error {
	numbers := map[*column]bool{c.add.size: true, c.add.offset: true, c.add.vectorSize: true, c.minReader: true, c.minWriter: true,
		c.sidecarSize: true, c.version: true}
	for _, column := range c.all() {
		kind := column.leaf.Type().Kind()
		if number := kind == parquet.Int32 || kind == parquet.Int64; number != numbers[column] || !number && kind != parquet.ByteArray {
			return fmt.Errorf("the column %v has the type %v", column.leaf.Path(), kind)
		}
	}
	return nil
}

// read yields the actions of a row group.
func (c *columns) read(ctx context.Context, group parquet.RowGroup, visit func(action) error) (err error) {
	chunks, all := group.ColumnChunks(), c.all()
	for _, column := range all {
		column.open(chunks[column.leaf.Index()])
		defer func() { err = errors.Join(err, column.close()) }()
	}
	for row := range group.NumRows() {
		if row%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for _, column := range all {
			if err := column.next(); err != nil {
				return fmt.Errorf("row %d of column %v: %w", row, column.leaf.Path(), err)
			}
		}
		if err := c.yield(visit); err != nil {
			return err
		}
	}
	for _, column := range all {
		if more, err := column.fill(); more || err != nil {
			return errors.Join(fmt.Errorf("the column %v has more rows than its row group", column.leaf.Path()), err)
		}
	}
	return nil
}

// yield makes actions of the current row.
func (c *columns) yield(visit func(action) error) error {
	if path, ok := c.add.path.text(); ok {
		add, err := c.add.action(path)
		if err != nil {
			return err
		}
		return visit(action{add: add})
	}
	if _, ok := c.minReader.number(); ok {
		return c.yieldProtocol(visit)
	}
	if id, ok := c.id.text(); ok {
		return c.yieldMetadata(id, visit)
	}
	if path, ok := c.sidecarPath.text(); ok {
		size, known := c.sidecarSize.number()
		if !known {
			size = -1
		}
		return visit(action{sidecar: &sidecar{path, size}})
	}
	if version, ok := c.version.number(); ok {
		return visit(action{checkpoint: &version})
	}
	return nil
}

func (c *columns) yieldProtocol(visit func(action) error) error {
	reader, _ := c.minReader.number()
	writer, _ := c.minWriter.number()
	if max(reader, writer) > math.MaxInt32 {
		return errors.New("a protocol that cannot be")
	}
	p := &protocol{int(reader), int(writer), c.readFeatures.texts(), c.writeFeatures.texts()}
	if err := p.checkShape(); err != nil {
		return err
	}
	return visit(action{protocol: p})
}

func (c *columns) yieldMetadata(id string, visit func(action) error) error {
	m := &metadata{id: id, partition: c.partition.texts(), configuration: map[string]string{}}
	m.schema, _ = c.schema.text()
	err := eachPair(c.key, c.value, func(key, value string) { m.configuration[key] = value })
	if err == nil {
		err = m.checkShape()
	}
	if err != nil {
		return err
	}
	return visit(action{metadata: m})
}

// eachPair visits the pairs of a map whose values are no null. Readers differ in which of two equal keys counts.
func eachPair(keys, values *column, visit func(key, value string)) error {
	if keys == nil || values == nil || keys.row[0].IsNull() {
		return nil
	}
	if len(keys.row) != len(values.row) {
		return fmt.Errorf("the map %v has %d keys and %d values", keys.leaf.Path(), len(keys.row), len(values.row))
	}
	seen := make(map[string]bool, len(keys.row))
	for i, value := range values.row {
		key := string(keys.row[i].ByteArray())
		if seen[key] {
			return fmt.Errorf("the map %v has the key %.100q twice", keys.leaf.Path(), key)
		}
		if seen[key] = true; !value.IsNull() {
			visit(key, string(value.ByteArray()))
		}
	}
	return nil
}

func (f fileColumns) action(path string) (*fileAction, error) {
	a := &fileAction{path: path, size: -1, vector: f.vectorOf(), values: values{}, unread: f.unread}
	if size, ok := f.size.number(); ok {
		a.size = size
	}
	if err := eachPair(f.key, f.value, a.values.set); err != nil {
		return nil, err
	}
	return a, a.checkAdd()
}

// vectorOf is the deletion vector of the row, or nil.
func (f fileColumns) vectorOf() *vector {
	storage, ok := f.storage.text()
	if !ok {
		return nil
	}
	v := &vector{storage: storage, size: -1}
	v.path, _ = f.vector.text()
	if size, ok := f.vectorSize.number(); ok {
		v.size = size
	}
	if offset, ok := f.offset.number(); ok {
		v.offset = &offset
	}
	return v
}

// open begins a row group.
func (c *column) open(chunk parquet.ColumnChunk) {
	c.pages, c.values, c.page, c.unread = chunk.Pages(), nil, nil, nil
}

func (c *column) close() error {
	parquet.Release(c.page)
	c.page = nil
	return c.pages.Close()
}

// fill makes sure that something is unread, unless the row group ends.
func (c *column) fill() (bool, error) {
	for len(c.unread) == 0 {
		if c.values == nil {
			parquet.Release(c.page)
			page, err := c.pages.ReadPage()
			if errors.Is(err, io.EOF) {
				c.page = nil
				return false, nil
			}
			if err != nil {
				return false, err
			}
			c.page, c.values = page, page.Values()
		}
		n, err := c.values.ReadValues(c.buffer[:])
		c.unread = c.buffer[:n]
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			c.values, err = nil, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// next reads the values of one row: one, or of a list as many as it has.
func (c *column) next() error {
	c.row = c.row[:0]
	for {
		more, err := c.fill()
		if err != nil {
			return err
		}
		if len(c.row) > 0 && (!more || c.unread[0].RepetitionLevel() == 0) {
			return nil
		}
		if !more {
			return io.ErrUnexpectedEOF
		}
		value := c.unread[0]
		if c.leaf.MaxRepetitionLevel() == 0 {
			c.row, c.unread = append(c.row, value), c.unread[1:]
			return nil
		}
		if len(c.row) == maxFeatures {
			return fmt.Errorf("a list of more than %d values", maxFeatures)
		}
		c.row, c.unread = append(c.row, value.Clone()), c.unread[1:]
	}
}

// text is the value of the row; false is null.
func (c *column) text() (string, bool) {
	if c == nil || c.row[0].IsNull() {
		return "", false
	}
	return string(c.row[0].ByteArray()), true
}

func (c *column) number() (int64, bool) {
	if c == nil || c.row[0].IsNull() {
		return 0, false
	}
	if c.row[0].Kind() == parquet.Int32 {
		return int64(c.row[0].Int32()), true
	}
	return c.row[0].Int64(), true
}

// texts are the values of a list; nil is null, and so is a list of nothing.
func (c *column) texts() []string {
	if c == nil || c.row[0].IsNull() {
		return nil
	}
	var out []string
	for _, value := range c.row {
		out = append(out, string(value.ByteArray()))
	}
	return out
}
