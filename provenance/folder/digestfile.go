package folder

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// A digest file is what machines hand to each other: the digests of a shard or of a whole folder, or a listing, in JSON Lines.
// The first line is a header. Its page is spec/folder-digest-v1.md.

// digestHeader is the first line. files, bytes and listing are of the whole folder, entries is the number of lines that follow.
type digestHeader struct {
	Format   string    `json:"format"`
	URI      string    `json:"uri"`
	Shard    string    `json:"shard"` // I/N, or isListing
	Listing  string    `json:"listing"`
	Files    int64     `json:"files,string"`
	Bytes    int64     `json:"bytes,string"`
	Entries  int64     `json:"entries,string"`
	ListedAt time.Time `json:"listedAt"`
	Resumed  int64     `json:"resumed,omitempty,string"`
}

// isListing stands in the place of the shard.
const isListing = "listing"

// WriteDigestFile writes the digests of a folder, or of a shard of it.
func WriteDigestFile(w io.Writer, r *Result) error {
	if r.namesOnly {
		return provenance.Misuse("", "a manifest has no sizes and times, which a digest file needs")
	}
	return writeDigestFile(w, digestHeader{provenance.FolderDigestType, r.URI, r.Shard.String(), r.Listing.Hex(),
		r.Files, r.Bytes, r.Entries, r.Listed.UTC(), r.Resumed}, r.index)
}

// writeDigestFile writes the header, and those entries that belong under it.
func writeDigestFile(w io.Writer, header digestHeader, index *Index) error {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(header); err != nil {
		return err
	}
	var line []byte
	err := index.each(func(e IndexEntry) (err error) {
		if header.Shard == isListing {
			e = hashedLike(e, IndexEntry{})
			e.changed = 0
		} else if e.SHA256.IsZero() {
			return nil
		}
		if line, err = appendDigestLine(line[:0], e); err == nil {
			_, err = out.Write(line)
		}
		return err
	})
	return errors.Join(err, out.Flush())
}

// readDigestFile reads a digest file from outside, to its end. It is as strict as [ReadIndex]. open is told the header first.
func readDigestFile(r io.Reader, open func(digestHeader) error, yield func(IndexEntry) error) error {
	var header digestHeader
	var shard Shard
	var entries, lines int64
	var order ascending
	err := eachLine(r, "digest file", func(line []byte) (err error) {
		if lines++; lines == 1 {
			if header, shard, err = parseHeader(line); err == nil {
				err = open(header)
			}
			return err
		}
		e, err := parseLine(line, header.Shard != isListing)
		switch entries++; {
		case err != nil:
			return err
		case entries > header.Entries:
			return fmt.Errorf("the header says that %d lines follow", header.Entries)
		case header.Shard != isListing && e.HashedAt.IsZero():
			return errors.New("hashedAt is missing")
		case !e.By.IsZero():
			return errors.New("it names an attestation (by), but whoever writes a digest file has read the bytes")
		case !shard.has(e.Name):
			return fmt.Errorf("%q does not belong to shard %s", e.Name, header.Shard)
		}
		if err := order.next(e.Name); err != nil {
			return err
		}
		return yield(e)
	})
	if err == nil && entries != header.Entries {
		err = fmt.Errorf("the digest file has %d lines, and its header says that %d follow", entries, header.Entries)
	}
	return err
}

func parseHeader(line []byte) (header digestHeader, shard Shard, err error) {
	if err := strictjson.Check(line, 1); err != nil {
		return header, shard, err
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	header = digestHeader{Files: -1, Bytes: -1, Entries: -1}
	if err := dec.Decode(&header); err != nil {
		return header, shard, err
	}
	if header.Format != provenance.FolderDigestType {
		return header, shard, fmt.Errorf("the format is %.100q, not %s", header.Format, provenance.FolderDigestType)
	}
	if header.Shard != isListing {
		if shard, err = ParseShard(header.Shard); err != nil {
			return header, shard, errors.New(err.Error()) // a file is wrong, not the command line
		}
	}
	header.ListedAt = header.ListedAt.UTC()
	_, err = provenance.NewDigest(provenance.SHA256, header.Listing)
	if err == nil && (header.URI == "" || !isDate(header.ListedAt) || header.Files <= 0 || header.Bytes < 0 ||
		header.Entries < 0 || header.Entries > header.Files || header.Files > MaxFiles || header.Resumed < 0 || header.Resumed > header.Entries) {
		err = errors.New("uri, files, bytes, entries, listedAt or resumed is missing or wrong")
	}
	return header, shard, err
}
