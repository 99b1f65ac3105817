package policy

import (
	"errors"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

func TestParseMode(t *testing.T) {
	for _, s := range []string{"none", "listing", "content"} {
		if m, err := ParseMode(s); err != nil || string(m) != s {
			t.Errorf("%q: %q %v", s, m, err)
		}
	}
	var misused *provenance.Misused
	for _, s := range []string{"", "all", "Listing"} {
		if _, err := ParseMode(s); !errors.As(err, &misused) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
