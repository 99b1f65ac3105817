package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/verify"
)

// Markdown writes a decision as CommonMark with tables, for a pipeline's summary or a pull request.
func Markdown(w io.Writer, r verify.Result) error {
	m := &text{out: safe(w)}
	m.printf("**%s** %s, %s\n", r.Verdict, mark(imageName(r.Repository, r.Image)), mark(policyName(r)))
	m.findingsTable(reasonsTitle(r), r.Findings)
	if r.Attestation != nil {
		m.factsTable(append(facts(*r.Attestation), otherFacts(r.Others)...))
	}
	m.findingsTable(warningsTitle(r), shown(r.Warnings))
	return m.err
}

// table writes a heading row and rows. Cells are markup already.
func (t *text) table(heads []string, rows [][]string) {
	t.printf("\n| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat(" --- |", len(heads)))
	for _, row := range rows {
		t.printf("| %s |\n", strings.Join(row, " | "))
	}
}

func (t *text) factsTable(facts []fact) {
	var rows [][]string
	for _, f := range facts {
		rows = append(rows, []string{mark(f.label), mark(f.value), mark(f.known)})
	}
	t.table([]string{"", "what", "how it is known"}, rows)
}

func (t *text) findingsTable(title string, findings []verify.Finding) {
	if len(findings) == 0 {
		return
	}
	t.printf("\n%s:\n", mark(title))
	var rows [][]string
	for _, f := range findings {
		rows = append(rows, []string{mark(f.Code), mark(join("; ", f.Detail, f.Where)), mark(f.Expected), mark(join(" ", f.Found, basisOf(f))), mark(f.Hint)})
	}
	t.table([]string{"code", "reason", "expected", "found", "hint"}, rows)
}

// markup is every character that means something in Markdown, anywhere or at the start of a line, or that makes a link of
// what follows.
const markup = "\\`*_{}[]()<>#+-.!|~^$&@:="

// mark makes foreign text one line of Markdown that shows as what it is.
func mark(s string) string {
	var b strings.Builder
	for _, r := range clean(s) {
		if strings.ContainsRune(markup, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// ListMarkdown writes what is attached to an image.
func ListMarkdown(w io.Writer, l Listing) error {
	m := &text{out: safe(w)}
	m.printf("%s: %s\n", mark(imageName(l.Repository, l.Image)), mark(l.count()))
	if len(l.Attestations) == 0 {
		return m.err
	}
	var rows [][]string
	for _, a := range l.Attestations {
		reasons := make([]string, 0, len(a.Findings))
		for _, f := range a.Findings {
			reasons = append(reasons, fmt.Sprintf("%s: %s", f.Code, f.Detail))
		}
		rows = append(rows, []string{mark(state(a)), mark(what(a)), mark(by(a)), mark(strings.Join(reasons, "; ")), mark(strings.Join(a.Where, ", "))})
	}
	m.table([]string{"", "statement", "signed by", "why not", "where"}, rows)
	return m.err
}
