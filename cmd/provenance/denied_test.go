package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestDeniedByTheRegistry: a registry that lets nobody in leaves everything undecided, and says what to do.
func TestDeniedByTheRegistry(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="closed"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	w := newWorld(t, "referrers")
	w.ref = strings.TrimPrefix(server.URL, "http://") + "/team/mortgage:1"
	for _, args := range [][]string{w.recordArgs(), {"verify", w.ref, "--key", "cosign.pub"}, {"show", w.ref, "--key", "cosign.pub"}} {
		r := w.must(statusUndecided, args...)
		if r.stdout != "" || !strings.Contains(r.stderr, "401") || !strings.Contains(r.stderr, "hint: ") {
			t.Errorf("%s:\n%s%s", args[0], r.stdout, r.stderr)
		}
	}
}

// TestUnknownHostOfAKeyVault is a mistake of the caller: nothing is sent there.
func TestUnknownHostOfAKeyVault(t *testing.T) {
	w := newWorld(t, "referrers")
	r := w.must(statusMisused, "verify", w.ref, "--key", "azurekms://evil.example/key")
	if !strings.Contains(r.stderr, "evil.example") {
		t.Error(r.stderr)
	}
}
