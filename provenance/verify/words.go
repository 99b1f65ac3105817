package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// joinDigests lists digests.
func joinDigests(digests []provenance.Digest) string {
	var all []string
	for _, d := range digests {
		all = append(all, d.String())
	}
	return orNothing(strings.Join(all, ", "))
}

// atMost lists the first names of so many.
func atMost(n int, names []string, total int64) string {
	shown := names[:min(n, len(names))]
	all := strings.Join(shown, ", ")
	if more := total - int64(len(shown)); more > 0 {
		all += fmt.Sprintf(" and %d more", more)
	}
	return all
}

// nonEmpty leaves out what is empty.
func nonEmpty(words ...string) []string {
	return slices.DeleteFunc(words, func(s string) bool { return s == "" })
}

// moment is a time for people.
func moment(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04 UTC") }

// hours is a duration as a policy writes it: 720h, not 720h0m0s.
func hours(d time.Duration) string {
	s := d.Round(time.Second).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// orNothing writes down that there is nothing.
func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
