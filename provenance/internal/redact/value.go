package redact

import (
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

var (
	// quoted is a value in quotes, with the letter that Python may write before them, or in quotes that were never closed.
	quoted = pattern.New(`^(?i:[bruf]{0,2})(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|["'][^\n]*)`)
	// escaped begins a value in quotes that were escaped, as JSON in JSON has them.
	escaped    = pattern.New(`^\\+["']`)
	word       = pattern.New(`^[^\s"';]*[^\s"';,)}\]]`)
	endOfValue = pattern.New("^(?:$|[\\s\"'`,;)}\\]&<\\\\]|\\.(?:\\s|$))")
	// wordAfter goes on behind brackets: {a}}b} is ODBC's, [a]b anybody's.
	wordAfter  = pattern.New(`^(?:[)}\]]\w|[^\s"';,)}\]<])*`)
	headerLine = pattern.New(`^(?:="[^"\n]*"|[^\n\r"'\\]|\\[^\n"'])*`)
)

// maxCall bounds how far the end of brackets inside a word is looked for.
const maxCall = 1 << 10

// valueLen is where the value ends that s begins with. Brackets that are never closed go to the end of the text: it was cut
// off, and nobody knows where.
func valueLen(s string) int {
	switch {
	case s == "":
		return 0
	case strings.IndexByte("[{(", s[0]) >= 0:
		n, _ := brackets(s)
		return n + len(wordAfter().FindString(s[n:]))
	case escaped().MatchString(s):
		return escapedLen(s)
	}
	if n := len(quoted().FindString(s)); n > 0 {
		return n + doubledLen(s[n-1], s[n:])
	}
	return wordLen(s)
}

// doubledLen is the rest of a string in which a quote is written twice, as SQL does, or which has three around it.
func doubledLen(quote byte, s string) (n int) {
	for n < len(s) && s[n] == quote {
		more := len(quoted().FindString(s[n:]))
		n += more
		quote = s[n-1]
	}
	return n
}

// wordLen is the length of a value without quotes: up to white space, but for the brackets of a call.
func wordLen(s string) int {
	n := len(word().FindString(s))
	if open := strings.IndexAny(s[:n], "([{"); open >= 0 {
		if call, closed := brackets(s[open:min(len(s), open+maxCall)]); closed {
			n = open + call
			n += len(wordAfter().FindString(s[n:]))
		}
	}
	if n < len(s) && (s[n] == '"' || s[n] == '\'') { // its backslashes are the quote's
		n = len(strings.TrimRight(s[:n], `\`))
	}
	return n
}

// escapedLen is the length of a string whose quotes are escaped: to its end or the line's.
func escapedLen(s string) int {
	open := len(escaped().FindString(s))
	in := text{quote: s[open-1], slashes: open - 1}
	for i := open; i < len(s) && s[i] != '\n'; i++ {
		if in.read(s, i); in.quote == 0 {
			return i + 1
		}
	}
	if end := strings.IndexByte(s, '\n'); end >= 0 {
		return end
	}
	return len(s)
}

// brackets is the length of what stands in the brackets that s begins with, and whether they are closed.
func brackets(s string) (n int, closed bool) {
	depth := 0
	var in text
	for i := range len(s) {
		if in.read(s, i) {
			continue
		}
		switch s[i] {
		case '[', '{', '(':
			depth++
		case ']', '}', ')':
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(s), false
}

// text knows while it reads whether a byte belongs to a string in quotes.
type text struct {
	quote   byte // of the open string, or none
	slashes int  // how many backslashes stand before its quotes: one in JSON in JSON
	run     int  // of backslashes before this byte
}

// read reads the next byte and tells whether it is part of a string.
func (t *text) read(s string, i int) bool {
	c, run := s[i], t.run
	if c == '\\' {
		t.run++
		return true
	}
	t.run = 0
	switch {
	case t.quote != 0:
		if c == t.quote && run%(2*t.slashes+2) == t.slashes {
			t.quote = 0
		}
		return true
	case c == '"' || c == '\'' && !isApostrophe(s[:i]):
		t.quote, t.slashes = c, run
		return true
	}
	return false
}

// isApostrophe tells the quote of don't from that of b'x'.
func isApostrophe(before string) bool {
	n := len(before)
	if n == 0 || !isWordByte(before[n-1]) {
		return false
	}
	return n > 1 && isWordByte(before[n-2]) || strings.IndexByte("bBrRuUfF", before[n-1]) < 0
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c >= 0x80
}

// ends tells whether no value goes on at the beginning of s.
func ends(s string) bool { return endOfValue().MatchString(s) }
