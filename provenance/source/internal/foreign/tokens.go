package foreign

import (
	"slices"
	"strings"
	"sync"

	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// Tokens are those that were used: nothing that is stored or told may repeat one.
type Tokens struct {
	lock sync.Mutex
	used []string
}

// Add notes one. Of a signed URL, the query is the permission: it may be repeated without the rest, and be short.
func (t *Tokens) Add(token string) {
	t.lock.Lock()
	defer t.lock.Unlock()
	all := []string{token}
	if address, _, _ := strings.Cut(token, "#"); strings.Contains(address, "://") {
		if _, query, signed := strings.Cut(address, "?"); signed && query != "" {
			all = append(all, "?"+query)
		}
	}
	for _, one := range all {
		if one != "" && !slices.Contains(t.used, one) {
			t.used = append(t.used, one)
		}
	}
}

func (t *Tokens) All() []string {
	t.lock.Lock()
	defer t.lock.Unlock()
	return slices.Clone(t.used)
}

// Mask makes foreign text fit for an error.
func (t *Tokens) Mask(s string) string {
	for _, token := range t.All() {
		s = strings.ReplaceAll(s, token, redact.Removed)
	}
	return Plain(s)
}
