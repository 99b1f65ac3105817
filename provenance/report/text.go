// Package report shows decisions and records: as text, JSON, Markdown and JUnit, all from the same values.
//
// Commit messages, run names and folder names are foreign text. Whatever this package writes goes through [Safe]; JSON
// writes "#" as \u0023; Markdown and JUnit escape their own markup.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify"
)

// Options are how text is shown.
type Options struct {
	Color bool // with a terminal's colours
}

// maxWarnings is how many warnings are shown to people; JSON has them all.
const maxWarnings = 20

// Text writes a decision for people: the verdict first, one fact a line, how it is known at the end, then the reasons, and
// what to do.
func Text(w io.Writer, r verify.Result, o Options) error {
	t := &text{out: safe(w), color: o.Color}
	t.verdict(r.Verdict)
	t.printf("   %s   %s\n", imageName(r.Repository, r.Image), policyName(r))
	if r.Attestation != nil {
		t.printf("\n")
		t.facts(append(facts(*r.Attestation), otherFacts(r.Others)...))
	}
	t.findings(reasonsTitle(r)+place(r), elsewhere(r))
	t.findings(warningsTitle(r), shown(r.Warnings))
	if left := len(r.Warnings) - maxWarnings; left > 0 {
		t.printf("  and %d more; --format json has them all\n", left)
	}
	return t.err
}

// text writes lines, and keeps the first error.
type text struct {
	out   *safeWriter
	color bool
	err   error
}

func (t *text) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.out, format, args...)
	}
}

// paint writes a word in a colour, when there are colours.
func (t *text) paint(color, word string) {
	if !t.color {
		t.printf("%s", word)
		return
	}
	for _, step := range []func() error{
		func() error { return t.out.raw("\x1b[" + color + "m") },
		func() error { _, err := io.WriteString(t.out, word); return err },
		func() error { return t.out.raw("\x1b[0m") },
	} {
		if t.err == nil {
			t.err = step()
		}
	}
}

// colors are those of a terminal: green, red, yellow, all bold.
var colors = map[verify.Verdict]string{verify.Accepted: "1;32", verify.Refused: "1;31", verify.Undecided: "1;33"}

func (t *text) verdict(v verify.Verdict) { t.paint(colors[v], string(v)) }

// maxColumn is the widest that a value makes its column; longer ones stand out of it.
const maxColumn = 72

// facts writes three columns.
func (t *text) facts(facts []fact) {
	width := 0
	for i, f := range facts {
		facts[i] = fact{f.label, clean(f.value), clean(f.known)}
		if n := utf8.RuneCountInString(facts[i].value); n <= maxColumn {
			width = max(width, n)
		}
	}
	for _, f := range facts {
		t.printf("  %s\n", strings.TrimRight(fmt.Sprintf("%-10s  %s  %s", f.label, pad(f.value, width), f.known), " "))
	}
}

// elsewhere are the reasons without the place of those that are about the attestation that is shown above them.
func elsewhere(r verify.Result) []verify.Finding {
	reasons := slices.Clone(r.Findings)
	for i := range reasons {
		if r.Attestation != nil && slices.Contains(r.Attestation.Where, reasons[i].Where) {
			reasons[i].Where = ""
		}
	}
	return reasons
}

// place says where the reasons were found that do not say it themselves.
func place(r verify.Result) string {
	if r.Attestation == nil || !slices.ContainsFunc(elsewhere(r), func(f verify.Finding) bool { return f.Where == "" }) {
		return ""
	}
	return ", in " + clean(r.Attestation.Where[0])
}

// findings writes a list of findings: code and sentence, then what explains it.
func (t *text) findings(title string, findings []verify.Finding) {
	if len(findings) == 0 {
		return
	}
	t.printf("\n%s:\n", title)
	width := 0
	for _, f := range findings {
		width = max(width, utf8.RuneCountInString(clean(f.Code)))
	}
	for _, f := range findings {
		t.printf("  %s  %s\n", pad(clean(f.Code), width), clean(f.Detail))
		for _, line := range explain(f) {
			t.printf("  %s  %s\n", pad("", width), clean(line))
		}
	}
}

// explain are the lines under a finding.
func explain(f verify.Finding) (lines []string) {
	if f.Expected != "" {
		lines = append(lines, "expected: "+f.Expected)
	}
	if f.Found != "" {
		lines = append(lines, "found:    "+join("   ", f.Found, basisOf(f)))
	}
	if f.Where != "" {
		lines = append(lines, "in:       "+f.Where)
	}
	if f.Undecided {
		lines = append(lines, "verdict:  nobody could tell")
	}
	if f.Hint != "" {
		lines = append(lines, "hint:     "+f.Hint)
	}
	return lines
}

// basisOf says how what was found is known.
func basisOf(f verify.Finding) string {
	if f.Basis == "" || f.Found == string(f.Basis) {
		return ""
	}
	return "(" + string(f.Basis) + ")"
}

// imageName is REPOSITORY@DIGEST.
func imageName(repository string, digest provenance.Digest) string {
	return clean(join("@", repository, digest.String()))
}

// policyName says by which policy it was decided.
func policyName(r verify.Result) string {
	switch {
	case r.PolicyName != "":
		return fmt.Sprintf("policy %s (%s)", clean(r.PolicyName), short(r.PolicyDigest.String()))
	case r.Verdict == verify.Accepted:
		return "signature valid, no policy"
	}
	return "no policy"
}

func reasonsTitle(r verify.Result) string {
	if r.Verdict == verify.Undecided {
		return plural(int64(len(r.Findings)), "reason") + " why nobody can tell"
	}
	return plural(int64(len(r.Findings)), "reason") + " to refuse"
}

func warningsTitle(r verify.Result) string {
	return plural(int64(len(r.Warnings)), "warning")
}

// shown are the warnings that people are shown.
func shown(warnings []verify.Finding) []verify.Finding {
	return warnings[:min(len(warnings), maxWarnings)]
}

// pad fills a string up to a width.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}
