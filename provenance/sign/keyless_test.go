package sign_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/provtest"
	"github.com/seed-3480f271/provenance/provenance/sign"
)

// private is a real Sigstore of one's own, and what is told of the requests to it.
// rootOf is a trusted root of some of the parts.
// options are those of a keyless key that is stamped and logged; nobody waits for long.
// checkSecrets fails when a token was told.
// proxy stands before a service. What the handler does not answer, and says so with false, the service answers.
func TestKeylessSigns(t *testing.T) {
	p := startPrivate(t)
	key, err := sign.Load(t.Context(), sign.Keyless, p.options())
	if err != nil {
		t.Fatal(err)
	}
	want := envelope.Identity{Issuer: p.Issuer.URL, SAN: provtest.Identity}
	if id := key.Identity(); id == nil || *id != want {
		t.Errorf("identity %+v, want %+v", id, want)
	}
	signed, err := key.Sign(t.Context(), []byte(statement))
	if err != nil {
		t.Fatal(err)
	}
	if signed.Envelope != nil {
		t.Error("there is an envelope for the old form, in which nobody looks at a timestamp")
	}
	pinned, err := envelope.NewIdentity("nightly", want)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := envelope.Trust{Verifiers: []envelope.Verifier{pinned}, Root: p.root}.Open(signed.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	times := verified.Times()
	if string(verified.Payload()) != statement || !verified.Logged() || len(times) != 1 || times[0].Kind != envelope.TimeStamp || times[0].By != p.TimestampURL {
		t.Errorf("payload %s, logged %v, times %+v", verified.Payload(), verified.Logged(), times)
	}
	checkLeafOnly(t, signed.Bundle)
	p.checkSecrets(t, string(signed.Bundle))
	if n := countLines(p, "/api/v2/log/entries"); n != 1 {
		t.Errorf("%d entries were logged, want 1: what Load signs is not logged", n)
	}
}

// checkLeafOnly: verifiers take the authorities from the trusted root.
func checkLeafOnly(t *testing.T, bundle []byte) {
	t.Helper()
	var b struct {
		Material struct {
			Certificate struct{ RawBytes string }
			Chain       any `json:"x509CertificateChain"`
			PublicKey   any
		} `json:"verificationMaterial"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil || b.Material.Certificate.RawBytes == "" || b.Material.Chain != nil || b.Material.PublicKey != nil {
		t.Errorf("material %+v, %v; want the leaf alone", b.Material, err)
	}
}

// TestCertificateIsRenewed: hours lie between the beginning of a run and its signature, and a certificate lives for ten minutes.
// says answers with a status and a body.
// chainOf is an answer of Fulcio.
// echo refuses, and repeats what it was sent.
// record is what a service answered last, when it was asked through the address.
// forward asks the service itself, and hands its answer on.
// checkUndecided wants an error that is neither a verdict nor a mistake.
// TestServicesRecover: one bad answer is not the end.
func TestServicesRecover(t *testing.T) {
	p := startPrivate(t)
	once := func(to string) string {
		asked := 0
		return proxy(t, to, func(w http.ResponseWriter, _ *http.Request) bool {
			if asked++; asked == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return asked == 1
		})
	}
	o := p.options()
	o.FulcioURL, o.TimestampURL, o.RekorURL = once(o.FulcioURL), once(o.TimestampURL), once(o.RekorURL)
	key, err := sign.Load(t.Context(), sign.Keyless, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.Sign(t.Context(), []byte(statement)); err != nil {
		t.Error(err)
	}
}

// stampedOptions are those of a key file.
// onlyStamped is signed without a log.
// forgetful asks for a timestamp without the nonce.
// TestAuthorityGoesAway: what was stamped when the key was loaded does not stand for what is signed later.
func TestOptionsThatDoNotGoTogether(t *testing.T) {
	path, publicPEM := newPair(t)
	certificate, _ := provtest.Certify(t, publicPEM, "https://builds.contoso.com/nightly")
	root, err := envelope.ParseTrustedRoot("root.json", []byte(emptyRoot))
	if err != nil {
		t.Fatal(err)
	}
	token := func(context.Context) (string, error) { t.Error("the token was asked for"); return "", nil }
	const service = "https://service.example.com"
	for name, tt := range map[string]struct {
		ref  string
		o    sign.Options
		want string
	}{
		"keyless without Fulcio":             {sign.Keyless, sign.Options{Token: token, TimestampURL: service, Root: root}, "keyless needs Fulcio"},
		"keyless without a token":            {sign.Keyless, sign.Options{FulcioURL: service, TimestampURL: service, Root: root}, "keyless needs an OIDC token"},
		"keyless without a timestamp":        {sign.Keyless, sign.Options{FulcioURL: service, Token: token, Root: root}, "no timestamp authority is named"},
		"keyless without a root":             {sign.Keyless, sign.Options{FulcioURL: service, Token: token, TimestampURL: service}, "there is no trusted root"},
		"keyless with a certificate":         {sign.Keyless, sign.Options{FulcioURL: service, Token: token, TimestampURL: service, Root: root, Certificate: certificate}, "a key that does not exist yet"},
		"Fulcio for a key":                   {path, sign.Options{FulcioURL: service, TimestampURL: service, Root: root}, "needs no certificate of it"},
		"a certificate without a timestamp":  {path, sign.Options{Certificate: certificate, Root: root}, "no timestamp authority is named"},
		"a certificate without a root":       {path, sign.Options{Certificate: certificate, TimestampURL: service}, "there is no trusted root"},
		"a timestamp without a root":         {path, sign.Options{TimestampURL: service}, "there is no trusted root"},
		"a log without a root":               {path, sign.Options{RekorURL: service}, "there is no trusted root"},
		"a root for nothing":                 {path, sign.Options{Root: root}, "a key signs alone"},
		"a timestamp authority without TLS":  {path, sign.Options{TimestampURL: "http://service.example.com", Root: root}, "is not asked over http"},
		"a timestamp authority with a query": {path, sign.Options{TimestampURL: service + "?sig=s3cr3t", Root: root}, "has a query"},
		"a log that is no URL":               {path, sign.Options{RekorURL: "rekor", Root: root}, "is not the address of a Rekor service"},
		"a Fulcio without TLS":               {sign.Keyless, sign.Options{FulcioURL: "http://service.example.com", TimestampURL: service, Token: someToken, Root: root}, "Fulcio is not asked over http"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.o.Password = withPassword(password).Password
			_, err := sign.Load(t.Context(), tt.ref, tt.o)
			var misused *provenance.Misused
			if !errors.As(err, &misused) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cr3t") || len(provenance.Hints(err)) == 0 {
				t.Errorf("got %v with hints %q, want one that says %q", err, provenance.Hints(err), tt.want)
			}
		})
	}
}

func someToken(context.Context) (string, error) {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x"}`)) + ".c2ln", nil
}
