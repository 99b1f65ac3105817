package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify"
)

// Version is the version of the JSON shapes of this package. Fields may be added within a version; readers ignore those
// that they do not know.
const Version = 1

// decision is the JSON shape of a decision.
type decision struct {
	Version     int                 `json:"version"`
	Verdict     verify.Verdict      `json:"verdict"` // accepted, refused, undecided
	Summary     string              `json:"summary"` // for people
	Image       image               `json:"image"`
	Policy      *policy             `json:"policy"` // null: none
	Recheck     verify.Mode         `json:"recheck"`
	Time        time.Time           `json:"time"`
	Findings    []verify.Finding    `json:"findings"` // why it is not accepted
	Warnings    []verify.Finding    `json:"warnings"`
	Rules       []verify.Outcome    `json:"rules"`
	Others      []verify.Other      `json:"others"`      // other attestations that the policy asks for
	Attestation *verify.Attestation `json:"attestation"` // what was judged; null: nothing by a believed builder
}

type image struct {
	Repository string            `json:"repository"`
	Reference  string            `json:"reference"`
	Digest     provenance.Digest `json:"digest"`
}

type policy struct {
	Name   string            `json:"name"`
	Digest provenance.Digest `json:"digest"`
}

// JSON writes a decision for machines, in the shape that spec/policy-v1.md describes.
func JSON(w io.Writer, r verify.Result) error {
	d := decision{Version: Version, Verdict: r.Verdict, Summary: summary(r), Image: image{r.Repository, r.Reference, r.Image},
		Recheck: r.Recheck, Time: r.Time.UTC(), Findings: notNil(r.Findings), Warnings: notNil(r.Warnings), Rules: notNil(r.Rules), Others: notNil(r.Others), Attestation: r.Attestation}
	if r.PolicyName != "" {
		d.Policy = &policy{r.PolicyName, r.PolicyDigest}
	}
	return writeJSON(w, d)
}

// summary is the decision in a few words.
func summary(r verify.Result) string {
	if r.Verdict == verify.Accepted {
		return policyName(r)
	}
	return reasonsTitle(r)
}

// notNil makes an empty list [] and not null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// writeJSON writes indented JSON in which no string holds what Safe would have to change.
func writeJSON(w io.Writer, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err = safe(w).Write(append(safeJSON(data), '\n'))
	return err
}

// safeJSON escapes "#" and unseen characters. Both stand in strings only, where \u means the same to every reader.
func safeJSON(data []byte) []byte {
	var out []byte
	var g guard
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, `\ufffd`...)
		case r == '#' || g.unseen(r):
			out = appendUnit(out, r)
		default:
			out = append(out, data[:size]...)
		}
		g.last = r
		data = data[size:]
	}
	return out
}

// appendUnit writes a character as one or two UTF-16 units.
func appendUnit(out []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
