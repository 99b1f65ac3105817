package redact

import (
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// ordinary tells, of what looks like a secret, whether it is none after all: before and after are the text around it.
type ordinary func(before, value, after string) bool

var (
	plainWords  = pattern.New(`^[a-z]{1,20}(?:[./_~-][a-z]{1,20})*$`)
	snakeCase   = pattern.New(`^[a-z]{1,20}(?:_[a-z]{1,20})+$`)
	placeholder = pattern.New(`^(?:\$\([\w.-]+\)|\$\{[\w.-]+\}|\{\{[^{}]*\}\}|<[\w -]+>|\*+)$`)
	codeGets    = pattern.New(`^(?:os\.environ(?:\.get\(|\[)|os\.getenv\(|dbutils\.secrets\.get\(|getpass\.getpass\()`)
	imageDigest = pattern.New(`^@sha256:[0-9a-f]{64}`)
)

// isChecksum: package locks write SHA-512 in base64, which has the length of an account's key.
func isChecksum(before, _, _ string) bool {
	return strings.HasSuffix(before, "sha512-") || strings.HasSuffix(before, "sha512:")
}

// isProse: "basic" and "bearer" are words, and long words may follow.
func isProse(_, value, _ string) bool { return plainWords().MatchString(value) }

// maxParameters is how far the ? or & before a URL's signature is looked for: its name alone stands between the two.
const maxParameters = 64

// isCode: models have a signature, too, that a function makes; in a URL it is a secret.
func isCode(before, value, _ string) bool {
	before = before[max(0, len(before)-maxParameters):]
	name := strings.LastIndexAny(before, "?& ,(")
	inURL := name >= 0 && (before[name] == '?' || before[name] == '&')
	return !inURL && strings.HasSuffix(before, "signature=") && snakeCase().MatchString(value)
}

// isTag: an image may have a tag and a digest, which looks like a user's password and a host.
func isTag(_, _, after string) bool { return imageDigest().MatchString(after) }

// nothing are values of a password that say that there is none.
var nothing = []string{"none", "null", "nil", "true", "false", "undefined", strings.ToLower(Removed)}

// isNoPassword: there is none, or it stands elsewhere, or only its place is shown.
func isNoPassword(_, value, _ string) bool {
	value = strings.TrimLeft(value, "=")
	for _, v := range []string{value, strings.TrimRight(value, ").:"), strings.TrimRight(value, ")].:")} {
		if slices.Contains(nothing, strings.ToLower(v)) || placeholder().MatchString(v) {
			return true
		}
	}
	return codeGets().MatchString(value)
}
