package delta

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// The names of files in a log.
var (
	commitName     = pattern.New(`^([0-9]{20})\.json$`)
	compactedName  = pattern.New(`^([0-9]{20})\.([0-9]{20})\.compacted\.json$`)
	sumName        = pattern.New(`^([0-9]{20})\.crc$`)
	checkpointName = pattern.New(`^([0-9]{20})\.checkpoint\.(?:([0-9]{10})\.([0-9]{10})\.|([0-9A-Za-z-]{36})\.)?(parquet|json)$`)
)

// foreignName is what some readers take for a commit, a compacted log, a checksum or a checkpoint: numbers of any width, and
// anything for a UUID.
// Source: https://github.com/delta-io/delta/blob/master/spark/src/main/scala/org/apache/spark/sql/delta/util/FileNames.scala
var foreignName = pattern.New(`^[0-9]+\.(json|crc|[0-9]+\.compacted\.json|checkpoint((\.[0-9]+\.[0-9]+)?\.parquet|\.[^./]+\.(json|parquet)))$`)

// stagedName is a commit that waits for a catalog.
var stagedName = pattern.New(`^_staged_commits/([0-9]+)\..*json$`)

const (
	stagedDir  = "_staged_commits/"
	sidecarDir = "_sidecars/"
)

// maxLogFiles bounds what a listing of a log may hold, and by it the memory: about 100 MiB.
const maxLogFiles = 500_000

// history is what a listing of a log shows.
type history struct {
	commits     []commit              // by version
	checkpoints []checkpoint          // complete ones, as far as names tell, by version, and the preferred one of a version last
	compacted   map[int64][]compacted // by their first version
	sums        map[int64]storage.Object
	sidecars    map[string]storage.Object
	staged      commit // the first that waits for a catalog; without a file there is none
}

// commit is the file of one version.
type commit struct {
	version int64
	file    storage.Object
}

// checkpoint is the state of a table at one version.
type checkpoint struct {
	version int64
	kind    kind
	parts   []storage.Object
}

// kind is how a checkpoint is named. Of several of one version, the highest is taken, and the others have to say the same.
type kind int

const (
	multiPart kind = iota // deprecated: VERSION.checkpoint.PART.PARTS.parquet
	uuidJSON              // V2: VERSION.checkpoint.UUID.json
	uuidParquet
	classic // VERSION.checkpoint.parquet
)

// collector sorts the files of a log by what they are.
type collector struct {
	history
	parts map[[2]int64][]storage.Object // of multi-part checkpoints, by version and number of parts
	files int
}

func newCollector() *collector {
	return &collector{history: history{compacted: map[int64][]compacted{}, sums: map[int64]storage.Object{}, sidecars: map[string]storage.Object{}},
		parts: map[[2]int64][]storage.Object{}}
}

// add takes one file of the log. Files that it does not know do not matter, unless other readers know them.
func (c *collector) add(o storage.Object) error {
	if c.files++; c.files > maxLogFiles {
		return tooMuch("the log has more than %d files", maxLogFiles)
	}
	switch {
	case strings.HasPrefix(o.Name, stagedDir) && strings.HasSuffix(o.Name, ".json"):
		c.addStaged(o)
		return nil
	case strings.HasPrefix(o.Name, sidecarDir):
		c.sidecars[o.Name] = o
		return nil
	}
	if m := commitName().FindStringSubmatch(o.Name); m != nil {
		version, err := parseVersion(m[1])
		c.commits = append(c.commits, commit{version, o})
		return err
	}
	if m := compactedName().FindStringSubmatch(o.Name); m != nil {
		from, err := parseVersion(m[1])
		to, errTo := parseVersion(m[2])
		if from <= to { // or else it stands for no commits
			c.compacted[from] = append(c.compacted[from], compacted{from, to, o})
		}
		return errors.Join(err, errTo)
	}
	if m := sumName().FindStringSubmatch(o.Name); m != nil {
		version, err := parseVersion(m[1])
		c.sums[version] = o
		return err
	}
	if m := checkpointName().FindStringSubmatch(o.Name); m != nil {
		return c.addCheckpoint(o, m)
	}
	if foreignName().MatchString(o.Name) {
		return refuseHint("no writer gives such names: find out who put it there", "the log has the file %.200q, which some readers would read and others not", o.Name)
	}
	return nil
}

// addStaged takes a commit that waits for a catalog. One whose version cannot be told counts as the first.
func (c *collector) addStaged(o storage.Object) {
	version := int64(0)
	if m := stagedName().FindStringSubmatch(o.Name); m != nil {
		version, _ = strconv.ParseInt(m[1], 10, 64) // beyond numbers it is the highest
	}
	if c.staged.file.Name == "" || version < c.staged.version {
		c.staged = commit{version, o}
	}
}

// addCheckpoint takes a file with the groups of checkpointName.
func (c *collector) addCheckpoint(o storage.Object, m []string) error {
	version, err := parseVersion(m[1])
	if err != nil {
		return err
	}
	isJSON := m[5] == "json"
	switch {
	case m[2] != "" && !isJSON:
		part, _ := strconv.ParseInt(m[2], 10, 64) // ten digits
		of, _ := strconv.ParseInt(m[3], 10, 64)
		if part < 1 || part > of { // some readers only count parts
			return refuse("the log has the file %s, part %d of %d of a checkpoint, which cannot be", o.Name, part, of)
		}
		c.parts[[2]int64{version, of}] = append(c.parts[[2]int64{version, of}], o)
	case m[4] != "" && isJSON:
		c.checkpoints = append(c.checkpoints, checkpoint{version, uuidJSON, []storage.Object{o}})
	case m[4] != "":
		c.checkpoints = append(c.checkpoints, checkpoint{version, uuidParquet, []storage.Object{o}})
	case m[2] == "" && !isJSON:
		c.checkpoints = append(c.checkpoints, checkpoint{version, classic, []storage.Object{o}})
	}
	return nil
}

func parseVersion(digits string) (int64, error) {
	version, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, refuse("the log has a file of version %s, which cannot be", digits)
	}
	return version, nil
}

// finish is the history, in order.
func (c *collector) finish() *history {
	for id, parts := range c.parts {
		if version, of := id[0], id[1]; complete(parts, of) {
			c.checkpoints = append(c.checkpoints, checkpoint{version, multiPart, parts})
		}
	}
	slices.SortFunc(c.commits, func(a, b commit) int { return compareInt(a.version, b.version) })
	slices.SortFunc(c.checkpoints, checkpoint.compare)
	return &c.history
}

// complete tells whether the parts of a checkpoint are all there. Names differ and match, so they are if each of 1 to of
// stands in one. The parts are sorted.
func complete(parts []storage.Object, of int64) bool {
	if int64(len(parts)) != of {
		return false
	}
	slices.SortFunc(parts, func(a, b storage.Object) int { return strings.Compare(a.Name, b.Name) })
	for i, part := range parts {
		if n, _ := strconv.ParseInt(checkpointName().FindStringSubmatch(part.Name)[2], 10, 64); n != int64(i)+1 {
			return false
		}
	}
	return true
}

func (c checkpoint) compare(d checkpoint) int {
	if c.version != d.version {
		return compareInt(c.version, d.version)
	}
	if c.kind != d.kind {
		return int(c.kind - d.kind)
	}
	return strings.Compare(c.parts[0].Name, d.parts[0].Name)
}
