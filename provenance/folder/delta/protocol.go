package delta

import (
	"errors"
	"slices"
	"strings"
)

// readerFeatures are those that do not change which files belong to a version, or that are honoured here. Others are
// refused: "to read a table, readers must implement and respect all features listed in readerFeatures".
var readerFeatures = []string{
	"columnMapping", "timestampNtz", "typeWidening", "typeWidening-preview", "variantType", "variantType-preview",
	"variantShredding", "variantShredding-preview", // how columns are named and read inside the files
	"deletionVectors", "v2Checkpoint", // honoured here
	"vacuumProtocolCheck", // asks something of who removes files
}

// catalogFeatures let a catalog, not the log, decide which commits are valid. Some are features of writers only.
var catalogFeatures = []string{"catalogManaged", "catalogOwned", "catalogOwned-preview", "coordinatedCommits", "coordinatedCommits-preview"}

// coordinator is the beginning of the properties that name such a catalog.
const coordinator = "delta.coordinatedCommits.commitCoordinator"

const (
	maxFeatures = 1000 // features, properties or partition columns of a table
	maxText     = 1000 // bytes of a feature's name, or of an id
)

func (p *protocol) checkShape() error {
	for _, features := range [][]string{p.readerFeatures, p.writerFeatures} {
		if len(features) > maxFeatures {
			return errors.New("too many features")
		}
		if slices.ContainsFunc(features, func(f string) bool { return len(f) > maxText }) {
			return errors.New("a feature with a name too long")
		}
	}
	return nil
}

func (m *metadata) checkShape() error {
	switch {
	case m.id == "" || len(m.id) > maxText:
		return errors.New("a table without an id, or with one too long")
	case len(m.schema) > maxLine:
		return tooMuch("a schema of %d bytes", len(m.schema))
	case len(m.partition) > maxFeatures:
		return errors.New("too many partition columns")
	}
	return nil
}

// equal tells whether two protocols ask for the same.
func (p *protocol) equal(q *protocol) bool {
	return p.minReader == q.minReader && p.minWriter == q.minWriter &&
		slices.Equal(slices.Sorted(slices.Values(p.readerFeatures)), slices.Sorted(slices.Values(q.readerFeatures))) &&
		slices.Equal(slices.Sorted(slices.Values(p.writerFeatures)), slices.Sorted(slices.Values(q.writerFeatures)))
}

// reads tells whether readers have to honour a feature. Before version 3 they know of no readerFeatures.
func (p *protocol) reads(feature string) bool {
	return p.minReader >= 3 && slices.Contains(p.readerFeatures, feature)
}

// check refuses a table that may have to be read in another way than it is here.
func (p *protocol) check() error {
	for _, feature := range slices.Concat(p.readerFeatures, p.writerFeatures) {
		if slices.Contains(catalogFeatures, feature) {
			return refuseCatalog("the table has the feature " + feature)
		}
	}
	switch {
	case p.minReader < 1 || p.minReader > 3:
		return refuse("the table asks for readers of version %d; versions 1 to 3 are known", p.minReader)
	case p.minReader == 3 && p.readerFeatures == nil:
		return refuse("the table asks for readers of version 3 and names no readerFeatures")
	}
	for _, feature := range p.readerFeatures {
		if !slices.Contains(readerFeatures, feature) {
			return refuse("the table has the reader feature %q, which is not known: it may change which files belong to a version", feature)
		}
	}
	return nil
}

func refuseCatalog(why string) error {
	return refuseHint("export the version to a table, or to a folder, that no catalog manages",
		"a catalog decides which commits of the table are valid, and its log alone cannot tell: %s", why)
}

// check refuses what the protocol does not show.
func (m *metadata) check() error {
	for name, value := range m.configuration {
		if strings.HasPrefix(name, coordinator) && value != "" && value != "{}" {
			return refuseCatalog("it has the property " + name)
		}
	}
	return nil
}
