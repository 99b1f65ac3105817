package databricks

import (
	"strings"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"golang.org/x/text/unicode/norm"
)

// shellRuns is what a line of a shell runs other code with.
var shellRuns = pattern.New(`(?:^|[\s;&|(])(?:python[\d.]*|Rscript|bash|sh|source|spark-submit|eval|exec)(?:\s|$)|(?:^|[;&|(])\s*\.{0,2}/`)

// programs finds what the lines of a shell run: those of a cell with %sh, and those that begin with an exclamation mark.
func programs(c cell, at string) []call {
	isShell := isShell(c.lines)
	for i, line := range c.lines {
		command, escaped := strings.CutPrefix(strings.TrimSpace(line.text), "!")
		if isShell && i == 0 {
			command = strings.TrimPrefix(strings.TrimLeft(command, "%"), "sh")
		}
		if (isShell || escaped) && shellRuns().MatchString(command) {
			return []call{{how: byImport, name: at, computed: "it runs other programs (a shell)"}}
		}
	}
	return nil
}

// isShell tells whether lines are a cell for the shell.
func isShell(lines []codeLine) bool {
	if len(lines) == 0 {
		return false
	}
	magic, _, _ := strings.Cut(strings.TrimSpace(lines[0].text), " ")
	return magic == "%sh" || magic == "%%sh"
}

// asRun is the cell as it is run, for a search: Python ends a line at a carriage return, too, and takes a form feed for a blank and
// letters of other widths and styles for plain ones in names.
// Source: https://docs.python.org/3/reference/lexical_analysis.html
func (c cell) asRun() cell {
	var lines []codeLine
	for _, line := range c.lines {
		text := strings.ReplaceAll(strings.TrimRight(line.text, "\r"), "\f", " ")
		for part := range strings.SplitSeq(text, "\r") {
			lines = append(lines, codeLine{plainLetters(part), line.at})
		}
	}
	c.lines = lines
	return c
}

// plainLetters normalizes letters alone: what a quote becomes would be none to Python.
func plainLetters(s string) string {
	var out strings.Builder
	for _, r := range s {
		if plain := norm.NFKC.String(string(r)); r >= utf8.RuneSelf && inName(plain) {
			out.WriteString(plain)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// inName tells whether s is letters, digits and underscores of ASCII alone.
func inName(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}
