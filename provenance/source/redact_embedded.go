package source

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// maxEmbedded bounds how often JSON may be written into text in JSON.
const maxEmbedded = 4

// embedded redacts what is written into one string: JSON, as the inputs of a for-each task are, and command lines, as those of
// dbt and of spark-submit are.
func (r *redactor) embedded(s string) string {
	if text := strings.TrimSpace(s); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		if out, isJSON := r.embeddedJSON(text); isJSON {
			return out
		}
	}
	if strings.Contains(s, "--") {
		s = replaceNamed(flagValue, s)
		s = replaceNamed(assignedValue, s)
	}
	if strings.Contains(s, "{") {
		s = inBraces.ReplaceAllStringFunc(s, func(part string) string { return replaceNamed(pairedValue, part) })
	}
	return s
}

// embeddedJSON is the redacted form, if it is JSON; what holds no secret stays as it was written.
func (r *redactor) embeddedJSON(text string) (string, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var decoded any
	if r.depth >= maxEmbedded || decoder.Decode(&decoded) != nil || decoder.More() {
		return "", false
	}
	inner := &redactor{known: r.known, anonymous: r.anonymous, depth: r.depth + 1}
	data, err := canonicalJSON(inner.value("$", decoded))
	if err != nil {
		return "", false
	}
	if len(inner.removed) == 0 {
		return text, true
	}
	return string(data), true
}

var (
	flagValue     = regexp.MustCompile(`(--?[A-Za-z][\w.-]*)(\s+|=)("[^"]*"|'[^']*'|[^\s"'-]\S*)`)
	assignedValue = regexp.MustCompile(`([A-Za-z_][\w.-]*)(=)("[^"]*"|'[^']*'|[^\s"']+)`)
	pairedValue   = regexp.MustCompile(`([A-Za-z_][\w.-]*)(["']?\s*:\s*)("[^"]*"|'[^']*'|[^\s"',}]+)`)
	inBraces      = regexp.MustCompile(`\{[^{}]*\}`)
)

// replaceNamed drops the values (the third group) of secret-looking names (the first).
func replaceNamed(re *regexp.Regexp, s string) string {
	return re.ReplaceAllStringFunc(s, func(match string) string {
		m := re.FindStringSubmatch(match)
		if !redact.IsSecretName(m[1]) || isSecretReference(m[3]) || m[3] == redact.Removed {
			return match
		}
		return m[1] + m[2] + redact.Removed
	})
}
