package source

import (
	"regexp"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// namedLiteral is a name, and text in quotes that is assigned to it, passed under it, or follows it as the next argument:
// password = "…", {"password": "…"}, option("password", "…"), --password '…'.
var namedLiteral = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_.-]*)["'\])]*\s*(?:[=:,]|=>|<-|:=)?\s*[rRbBuUfF]{0,2}("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')`)

// redactCode takes secrets out of source code: what looks like one, and what stands in quotes under a secret-looking name.
// The secrets that known are go first.
func redactCode(code string, known ...string) string {
	for _, secret := range known {
		if secret != "" {
			code = strings.ReplaceAll(code, secret, redact.Removed)
		}
	}
	var out strings.Builder
	for rest := code; ; {
		m := namedLiteral.FindStringSubmatchIndex(rest)
		if m == nil {
			return redact.Text(out.String() + rest)
		}
		name, literal := rest[m[2]:m[3]], rest[m[4]:m[5]]
		next := m[5]
		switch {
		case redact.IsSecretName(name) && !harmlessLiteral(literal):
			out.WriteString(rest[:m[4]] + literal[:1] + redact.Removed + literal[len(literal)-1:])
		case len(literal) > 2: // it may itself be the name of the next literal
			next = m[4] + 1
			out.WriteString(rest[:next])
		default:
			out.WriteString(rest[:next])
		}
		rest = rest[next:]
	}
}

// harmlessLiteral is empty, or only says where a secret is.
func harmlessLiteral(literal string) bool {
	text := literal[1 : len(literal)-1]
	return text == "" || text == redact.Removed || isSecretReference(text)
}
