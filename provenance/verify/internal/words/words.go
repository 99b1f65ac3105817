// Package words are what messages about policies and decisions are made of.
package words

import (
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
)

// Clip shortens foreign text for a message.
func Clip(s string) string {
	if runes := []rune(s); len(runes) > 80 {
		return string(runes[:80]) + "…"
	}
	return s
}

// Join lists words.
func Join[T ~string](words []T) string {
	var all []string
	for _, w := range words {
		all = append(all, string(w))
	}
	return strings.Join(all, ", ")
}

// FirstHint is the outermost advice of an error, or nothing.
func FirstHint(err error) string {
	if hints := provenance.Hints(err); len(hints) > 0 {
		return hints[0]
	}
	return ""
}
