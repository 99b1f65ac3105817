package sign_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/sign"
)

func TestRekorFails(t *testing.T) {
	p := startPrivate(t)
	path, _ := newPair(t)
	load := func(address string, root *envelope.TrustedRoot) *sign.Key {
		o := p.stampedOptions()
		o.RekorURL, o.Root = address, root
		key, err := sign.Load(t.Context(), path, o)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	earlier := record(t, p.RekorURL, func(address string) {
		if _, err := load(address, p.root).Sign(t.Context(), []byte(statement)); err != nil {
			t.Fatal(err)
		}
	})
	for name, tt := range map[string]struct {
		handle     func(http.ResponseWriter, *http.Request) bool
		want, hint string
	}{
		"broken":           {says(503, ""), "Rekor, adding an entry: status 503", ""},
		"version 1":        {says(404, "{}"), "status 404", "is it Rekor of version 2"},
		"conflict":         {says(409, "{}"), "status 409", "run again"},
		"denied":           {says(400, "{}"), "status 400", ""},
		"nonsense":         {says(201, "["), "the answer makes no sense", ""},
		"nothing":          {says(201, "{}"), "there is no entry of", ""},
		"entry of another": {says(201, earlier), "there is no entry of", ""},
		"endless":          {says(201, strings.Repeat(" ", 2<<20)), "longer than 1048576 bytes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			signed, err := load(proxy(t, p.RekorURL, tt.handle), p.root).Sign(t.Context(), []byte(statement))
			checkUndecided(t, err, tt.want, tt.hint)
			if signed.Bundle != nil || signed.Envelope != nil {
				t.Error("it signed without the entry")
			}
		})
	}
	_, err := load(p.RekorURL, p.rootOf("tsa")).Sign(t.Context(), []byte(statement))
	checkUndecided(t, err, "there is no entry of "+p.RekorURL+" that root.json lets anybody believe", "name the log")
}
