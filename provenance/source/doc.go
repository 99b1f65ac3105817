// Package source asks the places that know how a model came about: git, the pipeline, Databricks. There is one file for
// each place, whose type implements provenance.Source. Azure Resource Manager is asked about the container of each data
// folder, and so gives no evidence of its own.
//
// A source returns everything that it was asked for, or an error: absence is never success. What it returns says how it is
// known (provenance.Basis), and holds no secrets.
package source

import (
	"strings"
	"unicode"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// maxText is how much of one piece of foreign text is recorded, in bytes.
const maxText = 1000

// plain makes foreign text fit to be recorded: valid UTF-8, one line, no control or formatting characters, no secret that
// has a known look, and an end.
func plain(s string) string {
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
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// parameters makes a table of parameters fit to be recorded: the values of secret-looking names are dropped, their names
// stay.
func parameters(in map[string]string) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, len(in))
	for name, value := range in {
		if redact.IsSecret(name, value) && !isSecretReference(value) {
			value = redact.Removed
		}
		out[plain(name)] = plain((&redactor{}).value("$", value).(string)) // a text stays one
	}
	return out
}

// objectID is the form of ids in Entra: of users, and of the applications that service principals belong to.
var objectID = pattern.New(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// user is a person of whom a service tells one name only: an address, an object id, or what else it calls them.
func user(name string) provenance.Person {
	switch name = plain(name); {
	case objectID().MatchString(name):
		return provenance.Person{ID: strings.ToLower(name)}
	case strings.Contains(name, "@"):
		return provenance.Person{Email: name}
	}
	return provenance.Person{Name: name}
}
