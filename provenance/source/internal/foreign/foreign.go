// Package foreign makes what services and files say fit to be recorded: valid text of one line and of bounded length, numbers and names of
// known forms, and no secrets. What is taken out is listed.
package foreign

import (
	"strings"
	"unicode"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// MaxText is how much of one piece of foreign text is recorded, in bytes.
const MaxText = 1000

// Plain makes foreign text fit to be recorded: valid UTF-8, one line, no control or formatting characters, no secret that
// has a known look, and an end.
func Plain(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), 1<<16)], "\uFFFD")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(redact.Text(s))
	if len(s) > MaxText {
		s = strings.ToValidUTF8(s[:MaxText], "") + "…"
	}
	return s
}

// Parameters makes a table of parameters fit to be recorded: the values of secret-looking names are dropped, their names
// stay.
func Parameters(in map[string]string) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, len(in))
	for name, value := range in {
		if redact.IsSecret(name, value) && !isSecretReference(value) {
			value = redact.Removed
		}
		out[Plain(name)] = Plain((&Redactor{}).Value("$", value).(string)) // a text stays one
	}
	return out
}

// ObjectID is the form of ids in Entra: of users, and of the applications that service principals belong to.
var ObjectID = pattern.New(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// User is a person of whom a service tells one name only: an address, an object id, or what else it calls them.
func User(name string) provenance.Person {
	switch name = Plain(name); {
	case ObjectID().MatchString(name):
		return provenance.Person{ID: strings.ToLower(name)}
	case strings.Contains(name, "@"):
		return provenance.Person{Email: name}
	}
	return provenance.Person{Name: name}
}
