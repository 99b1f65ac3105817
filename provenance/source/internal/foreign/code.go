package foreign

import (
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

var (
	codeName    = pattern.New(`(?i:\bidentified\s+by\b)|[A-Za-z_][\w.-]*`)
	codeLiteral = pattern.New(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`)
	// codeBetween is what stands between a name and its value.
	codeBetween = pattern.New(`^["'\])]*\s*(?:(?::=|=>|<-|==|[:=,])\s*)?`)
	codeNothing = pattern.New(`^(?:[\s()\[\]{},;:]*|["']["']|["']?\{\{secrets/[\w.@ /-]+\}\}["']?)$`)
	// codeReference only says where a secret is.
	codeReference = pattern.New(`dbutils\.secrets\.get\([^()\n]*\)`)
)

// RedactCode takes secrets out of source code: what looks like one, and the rest of each line behind a secret-looking name. It
// takes rather too much than too little: languages differ in how they write a value. The secrets that known are go first.
func RedactCode(code string, known ...string) string {
	lines := strings.Split(redact.Known(code, known...), "\n")
	quotes, goesOn := "", false
	for i, line := range lines {
		switch {
		case quotes != "":
			lines[i] = redact.Removed
			if strings.Contains(line, quotes) {
				quotes = ""
			}
		case goesOn:
			lines[i], quotes, goesOn = redact.Removed, openQuotes(line), continues(line)
		default:
			name := secretNameIn(line)
			if name == nil {
				continue
			}
			lines[i] = redactLine(line, name)
			quotes, goesOn = openQuotes(line[name[1]:]), continues(line)
		}
	}
	return redact.Text(CleanURIs(strings.Join(lines, "\n")))
}

// secretNameIn is where the first secret-looking name of a line stands. Where a secret is fetched from is none.
func secretNameIn(line string) []int {
	references := codeReference().FindAllStringIndex(line, -1)
next:
	for _, at := range codeName().FindAllStringIndex(line, -1) {
		for _, r := range references {
			if r[0] <= at[0] && at[1] <= r[1] {
				continue next
			}
		}
		name := line[at[0]:at[1]]
		if redact.IsSecretName(name) || strings.HasPrefix(strings.ToLower(name), "identified") && strings.ContainsAny(name, " \t") {
			return at
		}
	}
	return nil
}

// redactLine keeps what stands before a name, but for its literals, and drops what follows it.
func redactLine(line string, name []int) string {
	head := codeLiteral().ReplaceAllString(line[:name[0]], redact.Removed) + line[name[0]:name[1]]
	tail := line[name[1]:]
	between := codeBetween().FindString(tail)
	if codeNothing().MatchString(tail[len(between):]) {
		return head + tail
	}
	return head + between + redact.Removed
}

// openQuotes are the triple quotes that a text opens and does not close.
func openQuotes(text string) string {
	for _, quotes := range []string{`"""`, "'''"} {
		if strings.Count(text, quotes)%2 == 1 {
			return quotes
		}
	}
	return ""
}

// continues tells whether a value may stand on the next line.
func continues(line string) bool {
	line = strings.TrimSpace(line)
	return line != "" && strings.Contains(`\([{=+`, line[len(line)-1:])
}

// NamesSecret tells, with doubts for yes, whether a text may be about a secret.
func NamesSecret(text string) bool {
	lower := strings.ToLower(text)
	for _, word := range []string{"passw", "passphrase", "pwd", "secret", "token", "credential", "identified by"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return secretNameIn(text) != nil
}
