package policy

import (
	"maps"
	"slices"
	"strings"
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

// knows is the hint that lists the keys of a mapping.
func knows(fields map[string]setter) string {
	return "it knows " + strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
}
