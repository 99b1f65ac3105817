package report

import (
	"fmt"
	"io"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Safe wraps a writer so that nothing in the text can speak to whoever shows it.
//
// The agent of Azure Pipelines takes "##vso[" anywhere in a line for a command, and "##[" at its start for a format: the
// bracket is moved away by a space. Control characters but newline and tab, terminal escapes, and characters that are not
// seen or that turn the direction of writing, are written as \x1b or \u202e; so are bytes that are not UTF-8. (Unseen
// characters could stand between the letters of a command, and comparisons that know languages ignore them.)
//
// Neither is fooled by text that comes in several Write calls. A character that the last one left incomplete is not
// written. Text that went through Safe goes through it unchanged. Many may write at the same time.
func Safe(w io.Writer) io.Writer { return safe(w) }

// safe is Safe, and wraps nothing twice.
func safe(w io.Writer) *safeWriter {
	if s, ok := w.(*safeWriter); ok {
		return s
	}
	return &safeWriter{w: w}
}

// safeWriter is the writer of Safe.
type safeWriter struct {
	lock    sync.Mutex
	w       io.Writer
	guard   guard
	partial []byte // the beginning of a character
}

// Write writes p, neutralised. It reports the bytes of p that were taken, all of them unless the writer below failed.
func (s *safeWriter) Write(p []byte) (int, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	text := append(s.partial, p...)
	var out []byte
	for len(text) > 0 && utf8.FullRune(text) {
		r, size := utf8.DecodeRune(text)
		out = s.guard.append(out, r, text[:size])
		text = text[size:]
	}
	s.partial = append([]byte{}, text...)
	if _, err := s.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// raw writes this package's own terminal escapes.
func (s *safeWriter) raw(escape string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	_, err := io.WriteString(s.w, escape)
	return err
}

// guard watches a stream of characters for commands.
type guard struct {
	seen int  // how much of "##VSO" was written last
	last rune // what was written last
}

// command is what stands before the bracket of a command of the agent; its first two characters alone before one of a
// format.
const command = "##VSO"

// append adds a character, or what stands for it. raw are its bytes.
func (g *guard) append(out []byte, r rune, raw []byte) []byte {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		g.seen, g.last = 0, 'x'
		return fmt.Appendf(out, `\x%02x`, raw[0])
	case g.unseen(r):
		g.seen, g.last = 0, 'x'
		return append(out, escape(r)...)
	case r == '[' && (g.seen == 2 || g.seen == len(command)):
		out = append(out, ' ')
	}
	g.advance(r)
	g.last = r
	return append(out, raw...)
}

// advance notes how much of a command the text now ends with.
func (g *guard) advance(r rune) {
	switch upper := unicode.ToUpper(r); {
	case r == '#' && g.seen >= 1 && g.seen <= 2:
		g.seen = 2
	case r == '#':
		g.seen = 1
	case g.seen >= 2 && g.seen < len(command) && upper == rune(command[g.seen]):
		g.seen++
	default:
		g.seen = 0
	}
}

// unseen tells whether a character steers a terminal, or is not seen. Within an emoji such characters are part of it: there
// they follow what is not ASCII, and cannot hide in a command.
func (g *guard) unseen(r rune) bool {
	const joiner = '\u200d'
	switch {
	case r == '\n' || r == '\t':
		return false
	case g.last >= utf8.RuneSelf && (r == joiner || unicode.Is(unicode.Variation_Selector, r)):
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Cs, unicode.Zl, unicode.Zp, unicode.Variation_Selector,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point)
}

// escape is how an unseen character is written.
func escape(r rune) string {
	switch {
	case r < utf8.RuneSelf:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// maxText is how many characters of one foreign value are shown to people; JSON has them all.
const maxText = 400

// clean makes foreign text one safe line.
func clean(s string) string {
	var out []byte
	var g guard
	count := 0
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch count++; {
		case count > maxText:
			return string(out) + "…"
		case r == '\n':
			out = append(out, `\n`...)
			g = guard{}
		case r == '\t':
			out = append(out, `\t`...)
			g = guard{}
		default:
			out = g.append(out, r, []byte(s[:size]))
		}
		s = s[size:]
	}
	return string(out)
}
