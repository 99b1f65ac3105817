package redact

import (
	"regexp"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

var (
	namedPair = pattern.New(`([A-Za-z_][\w.-]*)(\\*["']?\s*[:=]+>?\s*)`)
	flagPair  = pattern.New(`(--?[A-Za-z][\w.-]*)(["']\s*,\s*)`)
	ownQuotes = pattern.New(`^\\*["']`)
	headers   = pattern.New(`(?i)(?:authorization|cookie)$`)
	reference = pattern.New(`^["']?\{\{[^{}]*\}\}["']?$`)
	prose     = pattern.New(`^(?:[a-z]+ )?(?:of|in|for|from|by|with|to|the|a) `)
	sentence  = pattern.New(`[A-Za-z,] $`)
)

// Pairs masks the values of secret-looking names in text that is no strict JSON: NAME=value, name: value, {'name': 'value'},
// ['--name', 'value'].
func Pairs(s string) string {
	return pairsOf(flagPair(), pairsOf(namedPair(), s))
}

// pair is a secret-looking name in a text, what stands around it, and all that follows.
type pair struct{ before, name, between, rest string }

// pairsOf looks for names first, and at a value only behind a secret one. Each value is passed over, a harmless one, too: those
// that are names themselves would be read over and over.
func pairsOf(re *regexp.Regexp, s string) string {
	var out strings.Builder
	written, seen := 0, 0
	for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
		if m[0] < seen || !holdsSecret(s[m[2]:m[3]]) {
			continue
		}
		p := pair{s[max(0, m[0]-2):m[0]], s[m[2]:m[3]], s[m[4]:m[5]], s[m[1]:]}
		value := p.value()
		seen = m[1] + len(value)
		if value == "" || p.harmless(value) {
			continue
		}
		out.WriteString(s[written:m[1]] + p.masked(value))
		written = seen
	}
	return out.String() + s[written:]
}

// aboutSecrets are the last words of names whose values tell something of a secret, and not the secret. Text that somebody wrote is
// full of them.
var aboutSecrets = words("policy classifier classification service model name names scope file path dir folder url uri endpoint type " +
	"kind id ids version count length len limit size budget rate expiry expires expiration ttl days age scanner manager provider vault")

// holdsSecret tells whether a secret stands behind a name in text: token-classifier:v3 is a model and its version.
func holdsSecret(name string) bool {
	parts := split(name)
	return len(parts) > 0 && !aboutSecrets[parts[len(parts)-1]] && IsSecretName(name)
}

// value is what belongs to the name: a number or a mark and nothing more, where it may be one; a header to the end of its line;
// else what values make of it.
func (p pair) value() string {
	if strings.HasPrefix(p.rest, Removed) && ends(p.rest[len(Removed):]) {
		return Removed
	}
	if number := numberFirst().FindString(p.rest); number != "" && !IsSecret(p.name, number) && ends(p.rest[len(number):]) {
		return number
	}
	if strings.Contains(p.between, ":") && headers().MatchString(p.name) && !ownQuotes().MatchString(p.rest) {
		return headerLine().FindString(p.rest)
	}
	return p.rest[:valueLen(p.rest)]
}

// harmless tells what is no secret behind a secret name: nothing, a reference, a number behind a name that may count, the
// working folder, and the prose of "Fix password: handling of it".
func (p pair) harmless(value string) bool {
	bare := strings.Trim(value, `\"'`)
	if bare == "" || slices.Contains(nothing, strings.ToLower(bare)) {
		return true
	}
	if p.name == "PWD" && strings.HasSuffix(p.before, ";") { // of a database's connection string
		return false
	}
	return !IsSecret(p.name, bare) || reference().MatchString(value) || p.between == ": " && sentence().MatchString(p.before) && prose().MatchString(p.rest)
}

// masked keeps the quotes of a value, and gives it those of its name if it has none: the text may be a kind of JSON.
func (p pair) masked(value string) string {
	open := value[:len(value)-len(strings.TrimLeft(value, `\"'`))]
	if len(open) == 0 || len(value) < 2*len(open) || !strings.HasSuffix(value, open) {
		open = ownQuotes().FindString(p.between)
	}
	return open + Removed + open
}
