package report

import (
	"cmp"
	"io"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// Digested is what `provenance digest` found out about one folder: all of it, one shard, or its listing only.
type Digested struct {
	URI      string                 `json:"uri"`
	Digest   provenance.Digest      `json:"digest,omitzero"` // of a whole folder
	Shard    string                 `json:"shard,omitempty"` // "2/7" of a shard, "listing" of a listing
	Listing  provenance.Digest      `json:"listing"`         // of the whole folder
	Files    int64                  `json:"files,string"`    // of the whole folder
	Bytes    int64                  `json:"bytes,string"`
	Entries  int64                  `json:"entries,string"` // files that were hashed, or listed
	Newest   time.Time              `json:"newest,omitzero"`
	Resumed  int64                  `json:"resumed,omitempty,string"`
	Delta    *provenance.DeltaTable `json:"delta,omitempty"`
	Output   string                 `json:"output,omitempty"`   // the digest file that was written
	SealedBy string                 `json:"sealedBy,omitempty"` // fingerprint of the key that sealed it
}

// DigestedText writes a line for each folder: the digest in full, for it is what people compare.
func DigestedText(w io.Writer, digested []Digested) error {
	t := &text{out: safe(w)}
	for _, d := range digested {
		t.printf("%s   %s\n", cmp.Or(d.Digest.String(), d.what()+" "+d.Listing.String()), clean(d.URI))
		t.printf("  %s  %s", plural(d.Files, "file"), Size(d.Bytes))
		if d.Shard != "" {
			t.printf(" in all, %d in here", d.Entries)
		}
		if v := d.Delta; v != nil {
			t.printf("; version %d of the Delta table %s", v.Version, clean(v.ID))
		}
		if d.Resumed > 0 {
			t.printf("; %s not read again", plural(d.Resumed, "file"))
		}
		if d.Output != "" {
			t.printf("; written to %s", clean(d.Output))
		}
		if d.SealedBy != "" {
			t.printf(", sealed by %s", short(d.SealedBy))
		}
		t.printf("\n")
	}
	return t.err
}

// what names something that is less than a folder's digest.
func (d Digested) what() string {
	if d.Shard == "listing" {
		return "listing"
	}
	return "shard " + clean(d.Shard) + " of listing"
}

// DigestedJSON writes the same for machines.
func DigestedJSON(w io.Writer, digested []Digested) error {
	return writeJSON(w, struct {
		Version int        `json:"version"`
		Folders []Digested `json:"folders"`
	}{Version, digested})
}

// Size is a number of bytes for people.
func Size(n int64) string { return size(n) }
