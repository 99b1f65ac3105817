package verify

import (
	"maps"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
)

// clip shortens foreign text for a message.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 80 {
		return string(runes[:80]) + "…"
	}
	return s
}

// join lists words.
func join[T ~string](words []T) string {
	var all []string
	for _, w := range words {
		all = append(all, string(w))
	}
	return strings.Join(all, ", ")
}

// joinDigests lists digests.
func joinDigests(digests []provenance.Digest) string {
	var all []string
	for _, d := range digests {
		all = append(all, d.String())
	}
	return orNothing(strings.Join(all, ", "))
}

// orNothing writes down that there is nothing.
func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// knows is the hint that lists the keys of a mapping.
func knows(fields map[string]setter) string {
	return "it knows " + strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
}
