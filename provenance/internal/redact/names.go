package redact

import (
	"strings"
	"unicode"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// secretWords mark a name as secret when one of them is a word of it.
var secretWords = words("password passwd pwd passphrase secret secrets apikey accesskey accountkey credential " +
	"credentials bearer authorization cookie jwt connectionstring privatekey pw pgpass")

// weakWords do so, too, but many a name counts or measures what they mean: token_accuracy, pass, sig. A number is no secret there.
var weakWords = words("token pass sig pat sas")

// tokenKinds are the tokens that a tokenizer itself puts into a text: eos_token and pad_token_id are settings of a model.
var tokenKinds = words("eos bos pad mask unk sep cls")

// keyKinds mark a name as secret when "key" follows. A primary key is far more often a column of a table.
var keyKinds = words("api access account private shared storage signing encryption master secondary secret")

// secretParts mark a name as secret wherever they stand in it, whatever the separators.
var secretParts = []string{"password", "passphrase", "secret", "apikey", "accesstoken", "authtoken", "bearertoken",
	"refreshtoken", "connectionstring", "privatekey", "accountkey", "accesskey", "sastoken", "urlsignature",
	"passwd", "pgpass", "dbpass", "storagekey", "sharedkey"}

// secrecy is how surely a value is secret by its name.
type secrecy int

const (
	isPublic secrecy = iota
	isWeak           // unless it is a number
	isStrong
)

// IsSecretName tells whether a value of this name (a parameter, a header, a JSON key) is to be dropped. It knows that
// max_tokens, tokenizer, author and monkey are not secrets.
func IsSecretName(name string) bool { return secrecyOf(name) != isPublic }

// IsSecret tells whether this value of this name is to be dropped: it knows, too, that a number behind token_accuracy or pass is no
// secret, though one behind password or pin is, and an integer behind token alone, and that PWD is a folder.
func IsSecret(name, value string) bool {
	switch secrecyOf(name) {
	case isPublic:
		return false
	case isWeak:
		return !numbers().MatchString(value) || strings.EqualFold(name, "token") && integer().MatchString(value)
	}
	return !isFolder(name, value)
}

// isFolder tells the working folder of a shell from the PWD of a database.
func isFolder(name, value string) bool {
	return (name == "PWD" || name == "OLDPWD") && folder().MatchString(value)
}

var (
	// numbers are one, or several in brackets. A long integer may be a secret that has no letters.
	numbers = pattern.New(`^(?:` + number + `|[\[({][-+\d.,eE\sNan]*[\])}])$`)
	integer = pattern.New(`^-?\d+$`)
	// numberFirst is one, maybe in quotes, before other text.
	numberFirst = pattern.New(`^\\*["']?` + number + `\\*["']?`)
	// folder has more than one step: a password rarely looks like it.
	folder = pattern.New(`^(?:/|(?:[A-Za-z]:)?(?:[\\/]+[\w.@+-]+){2,}[\\/]*)$`)
)

const number = `(?i:[-+]?(?:\d{1,12}(?:\.\d{0,20})?(?:e[-+]?\d{1,3})?(?:/\d{1,12})?%?|nan|inf(?:inity)?))`

// secrecyOf looks at the words of a name, and at its letters without what stands between them.
func secrecyOf(name string) secrecy {
	parts := split(name)
	if len(parts) > 1 && parts[len(parts)-1] == "policy" {
		return isPublic // rules about secrets are none
	}
	joined := strings.Join(parts, "")
	for _, part := range secretParts {
		if strings.Contains(joined, part) {
			return isStrong
		}
	}
	found := isPublic
	for i := range parts {
		found = max(found, secrecyAt(parts, i))
	}
	return found
}

// secrecyAt is what one word of a name says. Only the last may be a PIN: pin_memory is none.
func secrecyAt(parts []string, i int) secrecy {
	word := parts[i]
	before := ""
	if i > 0 {
		before = parts[i-1]
	}
	switch {
	case secretWords[word] || word == "key" && keyKinds[before] || word == "pin" && i == len(parts)-1:
		return isStrong
	case weakWords[word] && !(word == "token" && tokenKinds[before]):
		return isWeak
	}
	return isPublic
}

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

// split cuts a name into lower-case words at separators and at the humps of camelCase.
func split(name string) []string {
	var parts []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			parts = append(parts, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			flush()
			continue
		}
		hump := unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if hump {
			flush()
		}
		word = append(word, r)
	}
	flush()
	return parts
}
