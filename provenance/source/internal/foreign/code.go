package foreign

import (
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

var (
	codeName = pattern.New(`(?i:\bidentified\s+by\b)|[A-Za-z_][\w.-]*`)
	// codeSecret are names that are secret where something is assigned to them; elsewhere they are of modules and functions.
	codeSecret   = pattern.New(`(?i)(?:^|[._-])(?:auth|creds|passcode|(?:subscription|client|hmac|aes)[_-]?key)$`)
	codeAssigned = pattern.New(`^["'\])]*\s*(?::|=[^=]|=$|<-|,)`)
	codeLiteral  = pattern.New(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`)
	// codeBetween is what stands between a name and its value.
	codeBetween = pattern.New(`^["'\])]*\s*(?:(?::=|=>|<-|==|[:=,])\s*)?`)
	codeNothing = pattern.New(`^(?:[\s()\[\]{},;:]*|["']["']|["']?\{\{secrets/[\w.@ /-]+\}\}["']?)$`)
	// codeReference only says where a secret is.
	codeReference = pattern.New(`dbutils\.secrets\.get\([^()\n]*\)`)
)

// RedactCode takes secrets out of source code: what looks like one, and behind a secret-looking name the rest of the line, and of the
// value that begins there, over as many lines as it takes. It takes rather too much than too little: languages differ in how they write
// a value. The secrets that known are go first.
func RedactCode(code string, known ...string) string {
	lines := strings.Split(redact.Known(code, known...), "\n")
	last := lastQuotes(lines)
	var value literal
	more := false
	for i, line := range lines {
		if more {
			lines[i] = redact.Removed
			blank := strings.TrimSpace(line) == "" && value == literal{}
			value.read(line)
			value.settle(i, last)
			more = blank || value.open() || continues(line)
			continue
		}
		name := secretNameIn(line)
		if name == nil {
			continue
		}
		lines[i] = redactLine(line, name)
		value, more = valueBehind(line, name)
		value.settle(i, last)
		more = more || value.open() || continues(line)
	}
	return redact.Text(CleanURIs(strings.Join(lines, "\n")))
}

// valueBehind is what a line leaves open of the value behind a name. expected tells that there is none yet, though it has to come.
func valueBehind(line string, name []int) (value literal, expected bool) {
	var whole literal
	whole.read(line)
	between := codeBetween().FindString(line[name[1]:])
	rest := line[name[1]+len(between):]
	value.read(rest)
	value.quote = whole.quote // the name may stand in a text that began before it
	return value, strings.TrimSpace(rest) == "" && strings.ContainsAny(between, ":=,-")
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
		if redact.IsSecretName(name) || strings.HasPrefix(strings.ToLower(name), "identified") && strings.ContainsAny(name, " \t") ||
			codeSecret().MatchString(name) && codeAssigned().MatchString(line[at[1]:]) {
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

// continues tells whether a value goes on in the next line.
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
