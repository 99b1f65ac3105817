package report

import (
	"io"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// Recorded is what one run of record did.
type Recorded struct {
	Record    provenance.Record
	Statement provenance.Digest // sha256 of the payload; of the one that was there already, when Again
	Signer    *envelope.Signer  // nil when nothing was signed
	Times     []envelope.Time   // of the signature
	Again     bool              // the same attestation was attached before: nothing was added
}

// recorded is the JSON shape of Recorded.
type recorded struct {
	Version   int               `json:"version"`
	Result    string            `json:"result"` // recorded, unchanged, dry-run
	Image     image             `json:"image"`
	Statement provenance.Digest `json:"statement"`
	Signer    *envelope.Signer  `json:"signer"` // null: nothing was signed
	Times     []envelope.Time   `json:"times,omitempty"`
	Record    provenance.Record `json:"record"`
}

// result says in a word what was done.
func (r Recorded) result() string {
	switch {
	case r.Signer == nil:
		return "dry-run"
	case r.Again:
		return "unchanged"
	}
	return "recorded"
}

// form says in which form it was attached, if not in both.
func (r Recorded) form() string {
	if r.Signer.Identity != nil {
		return "as bundle only: the .att tag has no place for its timestamp"
	}
	return ""
}

// RecordedJSON writes what was recorded for machines.
func RecordedJSON(w io.Writer, r Recorded) error {
	i := r.Record.Image
	out := recorded{Version: Version, Result: r.result(), Image: image{i.Repository, i.Reference, i.Digest}, Statement: r.Statement, Record: r.Record,
		Signer: r.Signer, Times: r.Times}
	return writeJSON(w, out)
}

// resultNotes explain a result to people.
var resultNotes = map[string]string{
	"recorded":  "signed, attached and read back",
	"unchanged": "the same attestation was attached before",
	"dry-run":   "nothing was signed or attached",
}

// now turns what a verifier would say into the words of the one who records: it is the builder.
var now = strings.NewReplacer("observed by the builder", "observed now", "; not re-checked", "")

// RecordedText writes what was recorded for people.
func RecordedText(w io.Writer, r Recorded, o Options) error {
	t := &text{out: safe(w), color: o.Color}
	t.paint("1;32", r.result())
	t.printf("   %s   %s\n\n", imageName(r.Record.Image.Repository, r.Record.Image.Digest), resultNotes[r.result()])
	lines := append(recordFacts(r.Record, nil), fact{"statement", short(r.Statement.String()), ""})
	for i := range lines {
		lines[i].known = now.Replace(lines[i].known)
	}
	if r.Signer != nil {
		signature := signatureFacts(*r.Signer, r.Times, r.form())
		if r.Signer.Identity == nil {
			signature[0].label = "key"
		}
		lines = append(lines, signature...)
	}
	t.facts(lines)
	return t.err
}

// StatementJSON writes a statement's JSON on one line. Characters that could command a terminal or an agent are written as
// JSON escapes: the same statement to every reader, though not always the same bytes that were signed.
func StatementJSON(w io.Writer, statement []byte) error {
	_, err := safe(w).Write(append(safeJSON(statement), '\n'))
	return err
}
