package redact

import (
	"regexp"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// literal is a value behind a name: in quotes, in quotes that were escaped or never closed, or one word.
const literal = `^(\\+"[^"\n]*"?|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|["'][^\n]*|(?i:(?:bearer|basic)\s+)?[^\s"';]*[^\s"';,)}\]])`

var (
	namedPair = pattern.New(`([A-Za-z_][\w.-]*)(\\*["']?\s*[:=]+\s*)`)
	flagPair  = pattern.New(`(--?[A-Za-z][\w.-]*)(["']\s*,\s*)`)
	pairValue = pattern.New(literal)
	plainWord = pattern.New(`^[a-z]+$`)
	reference = pattern.New(`^["']?\{\{[^{}]*\}?\}?["']?$`)
)

// Pairs masks the values of secret-looking names in text that is no strict JSON: NAME=value, name: value, {'name': 'value'},
// ['--name', 'value'].
func Pairs(s string) string {
	return pairsOf(flagPair(), pairsOf(namedPair(), s))
}

// pairsOf looks for names first, and at a value only behind a secret one: values that are names themselves would be read over and over.
func pairsOf(re *regexp.Regexp, s string) string {
	var out strings.Builder
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
		if m[0] < last || !endsSecret(s[m[2]:m[3]]) {
			continue
		}
		value := pairValue().FindString(s[m[1]:])
		if value == "" || harmless(s[m[4]:m[5]], value, s[m[1]+len(value):]) {
			continue
		}
		out.WriteString(s[last:m[1]] + masked(value))
		last = m[1] + len(value)
	}
	return out.String() + s[last:]
}

// endsSecret tells whether the last words of a name are secret: token-classifier:3 is a model and its version.
func endsSecret(name string) bool {
	parts := split(name)
	for n := 1; n <= min(2, len(parts)); n++ {
		last := parts[len(parts)-n:]
		if n == 1 && IsSecretName(last[0]) || n == 2 && last[1] == "key" && IsSecretName(strings.Join(last, "_")) {
			return true
		}
	}
	joined := strings.Join(parts, "")
	for _, part := range secretParts {
		if strings.HasSuffix(joined, part) {
			return true
		}
	}
	return false
}

// harmless tells what is no secret behind a secret name: nothing, a reference, and the prose of "password: handling of".
func harmless(between, value, rest string) bool {
	if bare := strings.Trim(value, `\"'`); bare == "" || slices.Contains(nothing, strings.ToLower(bare)) {
		return true
	}
	prose := strings.Contains(between, ":") && strings.HasPrefix(rest, " ") && plainWord().MatchString(value)
	return prose || reference().MatchString(value) || strings.HasPrefix(strings.TrimLeft(value, `\"'`), strings.TrimSuffix(Removed, "]"))
}

// masked keeps the quotes of a value.
func masked(value string) string {
	open := value[:len(value)-len(strings.TrimLeft(value, `\"'`))]
	if len(open) == 0 || len(value) < 2*len(open) || !strings.HasSuffix(value, open) {
		return Removed
	}
	return open + Removed + open
}
