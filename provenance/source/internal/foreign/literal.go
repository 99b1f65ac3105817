package foreign

import "strings"

// literal is what text in any language of notebooks leaves open: quotes and brackets.
type literal struct {
	quote string // the open quotes: ", ', `, or three of the first two
	depth int    // open brackets less closed ones
}

// read goes on with a line. A backslash escapes; what stands behind a mark of comments is none of it.
func (l *literal) read(line string) {
	for i := 0; i < len(line); i++ {
		rest := line[i:]
		switch {
		case l.quote != "" && rest[0] == '\\':
			i++
		case l.quote != "" && strings.HasPrefix(rest, l.quote):
			i += len(l.quote) - 1
			l.quote = ""
		case l.quote != "":
		case strings.HasPrefix(rest, `"""`), strings.HasPrefix(rest, "'''"):
			l.quote = rest[:3]
			i += 2
		case rest[0] == '"', rest[0] == '\'', rest[0] == '`':
			l.quote = rest[:1]
		case rest[0] == '#', strings.HasPrefix(rest, "//"), strings.HasPrefix(rest, "-- "):
			return
		case strings.ContainsRune("([{", rune(rest[0])):
			l.depth++
		case strings.ContainsRune(")]}", rune(rest[0])):
			l.depth--
		}
	}
}

// open tells whether it goes on.
func (l *literal) open() bool { return l.quote != "" || l.depth > 0 }

// settle takes a quote that no later line closes for an apostrophe.
func (l *literal) settle(line int, last map[string]int) {
	if len(l.quote) == 1 && last[l.quote] <= line {
		l.quote = ""
	}
}

// lastQuotes are the last lines in which quotes stand.
func lastQuotes(lines []string) map[string]int {
	last := map[string]int{}
	for i, line := range lines {
		for _, quote := range []string{`"`, "'", "`"} {
			if strings.Contains(line, quote) {
				last[quote] = i
			}
		}
	}
	return last
}

// InLiteral tells whether the line behind some lines of code begins within quotes.
func InLiteral(before []string) bool {
	var l literal
	for _, line := range before {
		l.read(line)
	}
	return l.quote != ""
}

// MaskLiterals is a line of code with … in place of all text in quotes, of which any may be a secret.
func MaskLiterals(line string) string {
	const here = "\x00"
	line = codeLiteral().ReplaceAllString(strings.ReplaceAll(line, here, ""), here)
	if open := strings.IndexAny(line, "\"'`"); open >= 0 {
		line = line[:open] + here
	}
	return strings.ReplaceAll(line, here, `"…"`)
}
