package foreign

import (
	"regexp"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// CommandLine redacts what is written into one line, as the commands of dbt and of spark-submit are: --password VALUE,
// NAME=VALUE, and --vars '{NAME: VALUE}'.
func CommandLine(s string) string {
	if !strings.Contains(s, "--") {
		return s
	}
	s = ReplaceNamed(flagValue(), s)
	s = ReplaceNamed(AssignedValue(), s)
	return inBraces().ReplaceAllStringFunc(s, func(part string) string { return ReplaceNamed(pairedValue(), part) })
}

var (
	flagValue     = pattern.New(`(--?[A-Za-z][\w.-]*)(\s+|=)("[^"]*"|'[^']*'|[^\s"'-]\S*)`)
	AssignedValue = pattern.New(`([A-Za-z_][\w.-]*)(=)("[^"]*"|'[^']*'|[^\s"']+)`)
	pairedValue   = pattern.New(`([A-Za-z_][\w.-]*)(["']?\s*:\s*)("[^"]*"|'[^']*'|[^\s"',}]+)`)
	inBraces      = pattern.New(`\{[^{}]*\}`)
)

// ReplaceNamed drops the values (the third group) of secret-looking names (the first).
func ReplaceNamed(re *regexp.Regexp, s string) string {
	return re.ReplaceAllStringFunc(s, func(match string) string {
		m := re.FindStringSubmatch(match)
		if !redact.IsSecret(m[1], strings.Trim(m[3], `"'`)) || isSecretReference(m[3]) || harmless[m[3]] {
			return match
		}
		return m[1] + m[2] + redact.Removed
	})
}

// harmless are values that are no secret, whatever their names.
var harmless = map[string]bool{redact.Removed: true, `""`: true, `''`: true, "true": true, "false": true, "null": true}
