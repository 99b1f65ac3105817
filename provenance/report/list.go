package report

import (
	"io"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify"
)

// Listing is everything that is attached to an image.
type Listing struct {
	Image        provenance.Digest
	Repository   string
	Reference    string
	Attestations []verify.Listed
}

// ListText writes what is attached to an image: each attestation with its signer, or why it does not verify, and what
// those say that do.
func ListText(w io.Writer, l Listing, o Options) error {
	t := &text{out: safe(w), color: o.Color}
	t.printf("%s   %s\n", imageName(l.Repository, l.Image), l.count())
	for _, a := range l.Attestations {
		t.listed(a)
	}
	return t.err
}

// listed writes one attestation.
func (t *text) listed(a verify.Listed) {
	t.printf("\n")
	t.paint(stateColor(a), state(a))
	t.printf("   %s   %s\n", clean(what(a)), clean(by(a)))
	for _, where := range a.Where {
		t.printf("  in %s\n", clean(where))
	}
	for _, f := range a.Findings {
		t.printf("  %s  %s\n", clean(f.Code), clean(f.Detail))
	}
	if a.Record != nil && a.Signer != nil {
		t.facts(append(facts(verify.Attestation{Record: *a.Record, Signer: *a.Signer, Forms: a.Forms, Times: a.Times}), storedFacts(*a.Record)...))
	}
}

// state is what became of an attestation, in one word.
func state(a verify.Listed) string {
	switch {
	case a.Record != nil:
		return "verified"
	case len(a.Findings) > 0 && a.Findings[0].Code == verify.CodeUnchecked:
		return "not checked"
	case len(a.Findings) > 0 && a.Findings[0].Undecided && a.Signer == nil:
		return "unreadable"
	case a.Signer != nil:
		return "signed"
	}
	return "not verified"
}

func stateColor(a verify.Listed) string {
	if a.Record != nil {
		return colors[verify.Accepted]
	}
	return colors[verify.Undecided]
}

// what is the kind of statement, as far as one can tell.
func what(a verify.Listed) string {
	if a.PredicateType == "" {
		return "unknown content"
	}
	return a.PredicateType
}

func by(a verify.Listed) string {
	if a.Signer == nil {
		return "by nobody who is believed"
	}
	return "by " + signerName(*a.Signer)
}

func (l Listing) count() string { return plural(int64(len(l.Attestations)), "attestation") }

// ListJSON writes what is attached to an image for machines, with each signed statement in full.
func ListJSON(w io.Writer, l Listing) error {
	return writeJSON(w, struct {
		Version      int             `json:"version"`
		Image        image           `json:"image"`
		Attestations []verify.Listed `json:"attestations"`
	}{Version, image{l.Repository, l.Reference, l.Image}, notNil(l.Attestations)})
}
