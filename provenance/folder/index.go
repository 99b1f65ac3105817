package folder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// IndexEntry is one line of an index: a file as it was listed, and what was hashed then. Times are UTC.
type IndexEntry struct {
	Name     string            // slash-separated, relative to the folder
	Size     int64             // bytes
	ETag     string            // empty for a local file
	Modified time.Time         // as the storage said
	Created  time.Time         // zero for a local file
	SHA256   provenance.Digest // of the bytes
	HashedAt time.Time         // when they were read, to the second
	changed  int64             // storage.Object.Changed while a folder is hashed, else 0
}

// indexLine is an IndexEntry in JSON. 64-bit numbers are strings, as everywhere in this format.
type indexLine struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size,string"`
	ETag     string    `json:"etag,omitempty"`
	Modified time.Time `json:"modified"`
	Created  time.Time `json:"created,omitzero"`
	SHA256   string    `json:"sha256"`
	HashedAt time.Time `json:"hashedAt"`
}

// WriteIndex writes JSON Lines, one for each entry, in the order of entries. The same entries give the same bytes.
func WriteIndex(w io.Writer, entries []IndexEntry) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, e := range entries {
		err := enc.Encode(indexLine{e.Name, e.Size, e.ETag, e.Modified.UTC(), e.Created.UTC(), e.SHA256.Hex(), e.HashedAt.UTC()})
		if err != nil {
			return err
		}
	}
	return nil
}

// ParseIndex reads an index from outside. It is as strict as [ParseManifest]: no unknown or repeated key, no missing one
// but etag and created, names ascending by byte, none twice. Whoever uses the digests checks them with [CheckIndex] first.
func ParseIndex(r io.Reader) ([]IndexEntry, error) {
	var entries []IndexEntry
	err := eachLine(r, "index", func(line []byte) error {
		entry, err := parseIndexLine(line)
		if err == nil && len(entries) > 0 && entries[len(entries)-1].Name >= entry.Name {
			err = fmt.Errorf("%q is not sorted, or twice in it", entry.Name)
		}
		entries = append(entries, entry)
		return err
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

func parseIndexLine(line []byte) (IndexEntry, error) {
	if err := strictjson.Check(line, 1); err != nil {
		return IndexEntry{}, err
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	wire := indexLine{Size: -1}
	if err := dec.Decode(&wire); err != nil {
		return IndexEntry{}, err
	}
	if wire.Name == "" || strings.ContainsRune(wire.Name, '\n') || wire.Size < 0 {
		return IndexEntry{}, errors.New("name or size is missing or wrong")
	}
	if !isDate(wire.Modified) || !isDate(wire.HashedAt) || !wire.Created.IsZero() && !isDate(wire.Created) {
		return IndexEntry{}, errors.New("modified, created or hashedAt is missing or wrong")
	}
	sum, err := provenance.NewDigest(provenance.SHA256, wire.SHA256)
	return IndexEntry{Name: wire.Name, Size: wire.Size, ETag: wire.ETag, Modified: wire.Modified.UTC(), Created: wire.Created.UTC(),
		SHA256: sum, HashedAt: wire.HashedAt.UTC()}, err
}

// isDate tells whether t is there and can be written again in UTC.
func isDate(t time.Time) bool {
	year := t.UTC().Year()
	return !t.IsZero() && 1 <= year && year <= 9999
}

// CheckIndex tells whether the digests of an index recombine to dirHash. If not it is a *provenance.Refused.
func CheckIndex(index []IndexEntry, dirHash provenance.Digest) error {
	got := DirHash(filesOf(index))
	if got.IsZero() || got != dirHash {
		return provenance.Refuse("data.index", "", "the folder's index recombines to %s, not to %s", got, dirHash)
	}
	return nil
}

// filesOf are the lines of the manifest that belongs to an index.
func filesOf(index []IndexEntry) []provenance.File {
	files := make([]provenance.File, len(index))
	for i, e := range index {
		files[i] = provenance.File{Path: e.Name, Size: e.Size, SHA256: e.SHA256}
	}
	return files
}
