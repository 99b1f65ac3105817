package delta

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// action is one line of a commit, or one row of a checkpoint. At most one of its fields is set; none is, where the action
// does not matter here.
type action struct {
	add, remove *fileAction
	protocol    *protocol
	metadata    *metadata
	commit      *commitInfo
	sidecar     *sidecar
	checkpoint  *int64 // the version that a V2 checkpoint says it is of
}

// fileAction adds or removes a logical file.
type fileAction struct {
	path   string // percent-encoded
	size   int64  // bytes; of a file that is removed it may be unknown, -1
	vector *vector
	values values // of an add
	unread bool   // its values are there, in a form that is not read
}

// vector describes a deletion vector.
type vector struct {
	storage string // u: a file, named by a UUID; p: a file at an absolute path; i: inline
	path    string
	offset  *int64 // in the file
	size    int64  // bytes, without its length and checksum
}

// protocol says what a reader has to know.
type protocol struct {
	minReader, minWriter           int
	readerFeatures, writerFeatures []string
}

// metadata is what is used of a table's metaData.
type metadata struct {
	id            string
	schema        string   // JSON
	partition     []string // names of columns
	configuration map[string]string
}

// commitInfo is what is used of it.
type commitInfo struct {
	timestamp, inCommit *int64 // milliseconds since 1970
	operation           string
}

// sidecar is a file with a part of a V2 checkpoint.
type sidecar struct {
	path string
	size int64
}

// maxDepth is how deep JSON in a log may be nested.
const maxDepth = 64

// object is a JSON object whose keys are compared as they are: encoding/json would take "Path" for "path".
type object map[string]json.RawMessage

// get decodes a field, and leaves into alone where there is none, or null.
func (o object) get(name string, into any) error {
	raw, ok := o[name]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// parsers read the actions that matter.
var parsers = map[string]func(object, *action) error{
	"add":                parseAdd,
	"remove":             parseRemove,
	"protocol":           parseProtocol,
	"metaData":           parseMetadata,
	"commitInfo":         parseCommitInfo,
	"sidecar":            parseSidecar,
	"checkpointMetadata": parseCheckpoint,
}

// parseAction reads a line. Keys that stand twice are refused, as readers differ in which one counts.
func parseAction(line []byte) (action, error) {
	if err := strictjson.Check(line, maxDepth); err != nil {
		return action{}, err
	}
	var kinds map[string]json.RawMessage
	if err := json.Unmarshal(line, &kinds); err != nil {
		return action{}, err
	}
	var a action
	var known int
	for kind, raw := range kinds {
		parse := parsers[kind]
		if parse == nil || string(raw) == "null" {
			continue
		}
		if known++; known > 1 {
			return action{}, errors.New("several actions in one line")
		}
		var o object
		if err := json.Unmarshal(raw, &o); err != nil {
			return action{}, fmt.Errorf("%s: %w", kind, err)
		}
		if err := parse(o, &a); err != nil {
			return action{}, fmt.Errorf("%s: %w", kind, err)
		}
	}
	return a, nil
}

func parseAdd(o object, a *action) (err error) {
	if a.add, err = parseFile(o); err != nil {
		return err
	}
	if a.add.values, err = parseValues(o); err != nil {
		return err
	}
	return a.add.checkAdd()
}

func parseRemove(o object, a *action) (err error) {
	if a.remove, err = parseFile(o); err != nil {
		return err
	}
	return a.remove.check()
}

func parseFile(o object) (*fileAction, error) {
	f := &fileAction{size: -1}
	var v object
	if err := errors.Join(o.get("path", &f.path), o.get("size", &f.size), o.get("deletionVector", &v)); err != nil {
		return nil, err
	}
	if v == nil {
		return f, nil
	}
	f.vector = &vector{size: -1}
	return f, errors.Join(v.get("storageType", &f.vector.storage), v.get("pathOrInlineDv", &f.vector.path),
		v.get("offset", &f.vector.offset), v.get("sizeInBytes", &f.vector.size))
}

func (f *fileAction) checkAdd() error {
	if f.size < 0 {
		return fmt.Errorf("%.200q has no size", f.path)
	}
	return f.check()
}

// check refuses an action of which it is not clear what file it is about.
func (f *fileAction) check() error {
	if f.path == "" {
		return errors.New("a file without a path")
	}
	if v := f.vector; v != nil {
		return v.check()
	}
	return nil
}

func (v *vector) check() error {
	switch {
	case v.storage != "u" && v.storage != "p" && v.storage != "i":
		return fmt.Errorf("a deletion vector of the unknown kind %.20q", v.storage)
	case v.path == "":
		return errors.New("a deletion vector without a path")
	case v.size < 0 || v.size > math.MaxInt32 || v.offset != nil && (*v.offset < 0 || *v.offset > math.MaxInt32):
		return errors.New("a deletion vector with a size or an offset that cannot be")
	}
	if v.storage == "u" {
		if _, err := vectorFile(v.path); err != nil {
			return fmt.Errorf("the deletion vector %.100q: %w", v.path, err)
		}
	}
	return nil
}

// id distinguishes the vectors of one file.
func (v *vector) id() string {
	if v == nil {
		return ""
	}
	if v.offset == nil {
		return v.storage + v.path
	}
	return v.storage + v.path + "@" + strconv.FormatInt(*v.offset, 10)
}

// file is the name of its file; empty, if it has none inside the table.
func (v *vector) file() string {
	if v == nil || v.storage != "u" {
		return ""
	}
	name, _ := vectorFile(v.path) // was checked
	return name
}

// needs is how long its file is at least: before the vector's bytes stands their length, behind them a checksum.
func (v *vector) needs() int64 {
	if v.offset == nil {
		return v.size
	}
	return *v.offset + 4 + v.size + 4
}

// names are the names of the action's files, in the table.
func (f *fileAction) names() []string {
	var names []string
	if name, wrong := decodePath(f.path); wrong == "" {
		names = append(names, name)
	}
	if name := f.vector.file(); name != "" {
		names = append(names, name)
	}
	return names
}

func parseProtocol(o object, a *action) error {
	p := &protocol{}
	a.protocol = p
	if err := errors.Join(o.get("minReaderVersion", &p.minReader), o.get("minWriterVersion", &p.minWriter),
		o.get("readerFeatures", &p.readerFeatures), o.get("writerFeatures", &p.writerFeatures)); err != nil {
		return err
	}
	return p.checkShape()
}

func parseMetadata(o object, a *action) error {
	m := &metadata{}
	a.metadata = m
	if err := errors.Join(o.get("id", &m.id), o.get("configuration", &m.configuration), o.get("schemaString", &m.schema),
		o.get("partitionColumns", &m.partition)); err != nil {
		return err
	}
	return m.checkShape()
}

// parseCommitInfo takes what it can get: the protocol lets writers put anything into it.
func parseCommitInfo(o object, a *action) error {
	a.commit = &commitInfo{}
	_ = o.get("timestamp", &a.commit.timestamp)
	_ = o.get("operation", &a.commit.operation)
	return o.get("inCommitTimestamp", &a.commit.inCommit)
}

func parseSidecar(o object, a *action) error {
	a.sidecar = &sidecar{size: -1}
	return errors.Join(o.get("path", &a.sidecar.path), o.get("sizeInBytes", &a.sidecar.size))
}

func parseCheckpoint(o object, a *action) error {
	return o.get("version", &a.checkpoint)
}
