package sign_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/digitorus/timestamp"

	"github.com/seed-3480f271/provenance/provenance/sign"
)

func TestStampedKey(t *testing.T) {
	p := startPrivate(t)
	path, publicPEM := newPair(t)
	o := p.stampedOptions()
	o.RekorURL = p.RekorURL
	key, err := sign.Load(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	if key.Identity() != nil {
		t.Errorf("identity %+v", key.Identity())
	}
	signed, err := key.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	checkOpens(t, signed, publicPEM)
	verified, err := key.Open(signed.Bundle)
	if err != nil || len(verified.Times()) != 1 || !verified.Logged() {
		t.Errorf("%v, times %+v, logged %v", err, verified.Times(), verified.Logged())
	}
	plain, err := sign.Load(t.Context(), path, withPassword(password))
	if err != nil {
		t.Fatal(err)
	}
	bare, err := plain.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Open(bare.Bundle); err != nil {
		t.Error(err)
	}
	if _, err := key.Open(bare.Bundle); err == nil || !strings.Contains(err.Error(), "there is no timestamp of") {
		t.Errorf("what nobody stamped passes for stamped: %v", err)
	}
	stamped := onlyStamped(t, p, path)
	if _, err := key.Open(stamped.Bundle); err == nil || !strings.Contains(err.Error(), "there is no entry of") {
		t.Errorf("what nobody logged passes for logged: %v", err)
	}
	if _, err := key.Open([]byte("{}")); err == nil {
		t.Error("nonsense opens")
	}
}

func TestTimestampAuthorityFails(t *testing.T) {
	p := startPrivate(t)
	path, _ := newPair(t)
	earlier := record(t, p.TimestampURL, func(address string) {
		o := p.stampedOptions()
		o.TimestampURL = address
		if _, err := sign.Load(t.Context(), path, o); err != nil {
			t.Fatal(err)
		}
	})
	for name, tt := range map[string]struct {
		handle func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		"broken":            {says(503, ""), "the timestamp authority, asking for a timestamp: status 503"},
		"nonsense":          {says(200, "{}"), "the answer makes no sense"},
		"nothing":           {says(200, ""), "the answer makes no sense"},
		"rejected":          {says(200, "\x30\x05\x30\x03\x02\x01\x02"), "the request is rejected"},
		"of another":        {says(200, earlier), "the timestamp is of something else"},
		"without a nonce":   {func(w http.ResponseWriter, r *http.Request) bool { return forgetful(t, p.TimestampURL, w, r) }, "made for another request"},
		"to read for years": {says(200, "\x30\x82\x0f\xb5\x30\x03\x02\x01\x00\x30\x82\x0f\xac"+strings.Repeat("\x30\x06\x30\x02", 1000)+strings.Repeat("\x05\x00", 6)), "truncated"},
		"endless":           {says(200, strings.Repeat(" ", 2<<20)), "longer than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			o := p.stampedOptions()
			o.TimestampURL = proxy(t, p.TimestampURL, tt.handle)
			_, err := sign.Load(t.Context(), path, o)
			checkUndecided(t, err, tt.want, "")
		})
	}
	o := p.stampedOptions()
	o.Root = p.rootOf("fulcio", "rekor")
	_, err := sign.Load(t.Context(), path, o)
	checkUndecided(t, err, "there is no timestamp of "+p.TimestampURL+" that root.json lets anybody believe", "name the timestamp authority")
}

func forgetful(t *testing.T, to string, w http.ResponseWriter, r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	asked, err := timestamp.ParseRequest(body)
	if err != nil {
		t.Error(err)
		return false
	}
	asked.Nonce = nil
	if body, err = asked.Marshal(); err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	forward(t, to, w, r)
	return true
}

func TestAuthorityGoesAway(t *testing.T) {
	p := startPrivate(t)
	down := false
	o := p.stampedOptions()
	o.TimestampURL = proxy(t, p.TimestampURL, func(w http.ResponseWriter, _ *http.Request) bool {
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return down
	})
	path, _ := newPair(t)
	o.Root = p.rootOf("tsa")
	key, err := sign.Load(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	down = true
	signed, err := key.Sign(t.Context(), []byte(statement))
	checkUndecided(t, err, "status 503", "")
	if signed.Bundle != nil || signed.Envelope != nil {
		t.Error("it signed without the timestamp")
	}
}
