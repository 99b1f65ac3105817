package envelope_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// otherName is a name of another kind, in UTF-8.
// Source: https://www.rfc-editor.org/rfc/rfc5280, section 4.2.1.6 (OtherName)
func otherName(id asn1.ObjectIdentifier, value string) asn1.RawValue {
	text := mustDER(asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(value)})
	explicit := mustDER(asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: text})
	return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: append(mustDER(id), explicit...)}
}

// oidUserName is the kind of name that Fulcio gives to users.
var oidUserName = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 7}

// says sets what the certificate says of its subject.
func says(issuer []pkix.Extension, names ...pkix.Extension) change {
	return func(s *scene) { s.template.ExtraExtensions = append(issuer, names...) }
}

// pins sets the identity that is believed.
func pins(id envelope.Identity) change { return func(s *scene) { s.identity = id } }

func v1Only(issuer string) []pkix.Extension { return issuerExtensions(issuer, "")[:1] }
func v2Only(issuer string) []pkix.Extension { return issuerExtensions("", issuer)[1:] }

func TestIdentitiesThatMatch(t *testing.T) {
	azure := `https://dev\.azure\.com/contoso/[a-z]+/_build\?definitionId=[0-9]+`
	tests := []struct {
		name   string
		before change
	}{
		{"pattern", pins(envelope.Identity{Issuer: oidcIssuer, SANPattern: azure})},
		{"pattern of two", pins(envelope.Identity{Issuer: oidcIssuer, SANPattern: "https://else.example/|" + azure})},
		{"pattern with anchors", pins(envelope.Identity{Issuer: oidcIssuer, SANPattern: "^" + azure + "$"})},
		{"issuer in the old way only", says(v1Only(oidcIssuer), names(true, uri(pipeline)))},
		{"issuer in the new way only", says(v2Only(oidcIssuer), names(true, uri(pipeline)))},
		{"address", both(says(v2Only(oidcIssuer), names(true, email("ada@contoso.example"))), pins(envelope.Identity{Issuer: oidcIssuer, SAN: "ada@contoso.example"}))},
		{"user name", both(says(v2Only(oidcIssuer), names(true, otherName(oidUserName, "ada!contoso.example"))), pins(envelope.Identity{Issuer: oidcIssuer, SAN: "ada!contoso.example"}))},
		{"own authority: machine", both(says(nil, names(false, dns("build.contoso.example"))), pins(envelope.Identity{SAN: "build.contoso.example"}))},
		{"own authority: address", both(says(nil, names(false, email("build@contoso.example"))), pins(envelope.Identity{SAN: "build@contoso.example"}))},
		{"own authority: URI", both(says(nil, names(false, uri("spiffe://contoso.example/build"))), pins(envelope.Identity{SAN: "spiffe://contoso.example/build"}))},
		{"own authority: pattern", both(says(nil, names(false, dns("agent-7.contoso.example"))), pins(envelope.Identity{SANPattern: `agent-[0-9]+\.contoso\.example`}))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := play(t, tt.before, nil)
			got, err := s.trust().Open(s.raw())
			if err != nil {
				t.Fatal(err)
			}
			checkCertified(t, got, s)
		})
	}
}

func TestIdentitiesOfOthers(t *testing.T) {
	pattern := func(p string) change { return pins(envelope.Identity{Issuer: oidcIssuer, SANPattern: p}) }
	named := func(values ...asn1.RawValue) change {
		return says(issuerExtensions(oidcIssuer, oidcIssuer), names(true, values...))
	}
	own := pins(envelope.Identity{SAN: pipeline})
	refuse(t, envelope.CodeIdentity, []attack{
		{"another issuer", pins(envelope.Identity{Issuer: oidcIssuer + "0", SAN: pipeline}), nil, fmt.Sprintf("is of %q of %q; expected is %q of %q", pipeline, oidcIssuer, pipeline, oidcIssuer+"0")},
		{"another issuer by its case", pins(envelope.Identity{Issuer: strings.ToUpper(oidcIssuer), SAN: pipeline}), nil, "expected is"},
		{"another issuer by a slash", pins(envelope.Identity{Issuer: oidcIssuer + "/", SAN: pipeline}), nil, "expected is"},
		{"another subject", pins(envelope.Identity{Issuer: oidcIssuer, SAN: pipeline + "8"}), nil, fmt.Sprintf("is of %q", pipeline)},
		{"another subject by its case", pins(envelope.Identity{Issuer: oidcIssuer, SAN: strings.ToUpper(pipeline)}), nil, "expected is"},
		{"a pattern that matches only the start", pattern(`https://dev\.azure\.com/contoso`), nil, "expected is"},
		{"a pattern that matches only the end", pattern(`definitionId=[0-9]+`), nil, "expected is"},
		{"a name that starts like ours", both(named(uri(pipeline+"7/../mallory")), pattern(`https://dev\.azure\.com/contoso/risk/_build\?definitionId=[0-9]+`)), nil, "mallory"},
		{"a name that ends like ours", both(named(uri("https://mallory.example/?"+pipeline)), pattern(`https://dev\.azure\.com/contoso/risk/_build\?definitionId=[0-9]+`)), nil, "mallory"},
		{"one of two alternatives, longer", both(named(uri("https://a.example/mallory")), pattern(`https://a\.example/|https://b\.example/`)), nil, "mallory"},
		{"two issuers", says(issuerExtensions(oidcIssuer, "https://mallory.example"), names(true, uri(pipeline))), nil, "two OIDC issuers"},
		{"two issuers, the other way round", says(issuerExtensions("https://mallory.example", oidcIssuer), names(true, uri(pipeline))), nil, "two OIDC issuers"},
		{"an empty issuer beside one", says(issuerExtensions("", oidcIssuer), names(true, uri(pipeline))), nil, "issuer is empty"},
		{"an empty issuer", both(says(v2Only(""), names(true, uri(pipeline))), own), nil, "issuer is empty"},
		{"an issuer that cannot be read", says([]pkix.Extension{{Id: oidIssuerV2, Value: []byte(oidcIssuer)}}, names(true, uri(pipeline))), nil, "cannot be read"},
		{"an issuer with something behind it", says([]pkix.Extension{{Id: oidIssuerV2, Value: append(mustDER(oidcIssuer), 5, 0)}}, names(true, uri(pipeline))), nil, "cannot be read"},
		{"no issuer", says(nil, names(true, uri(pipeline))), nil, "without an OIDC issuer; expected is"},
		{"an issuer, where an own authority's is pinned: old way", both(says(v1Only(oidcIssuer), names(true, uri(pipeline))), own), nil, "expected is"},
		{"an issuer, where an own authority's is pinned: new way", both(says(v2Only(oidcIssuer), names(true, uri(pipeline))), own), nil, "expected is"},
		{"two names", named(uri(pipeline), uri("https://mallory.example/")), nil, "2 subject alternative names"},
		{"two names of two kinds", named(email("ada@contoso.example"), uri(pipeline)), nil, "2 subject alternative names"},
		{"hundreds of names", named(slices.Repeat([]asn1.RawValue{uri(pipeline)}, 900)...), nil, "900 subject alternative names"},
		{"one name twice", named(uri(pipeline), uri(pipeline)), nil, "2 subject alternative names"},
		{"no name", says(issuerExtensions(oidcIssuer, oidcIssuer)), nil, "no subject alternative name"},
		{"no name, but a subject", both(says(nil), func(s *scene) { s.template.Subject = pkix.Name{CommonName: pipeline} }), nil, "no subject alternative name"},
		{"the address of a machine", both(says(nil, names(false, general(7, "\x0a\x00\x00\x01"))), own), nil, "a kind that is not compared (7)"},
		{"another kind of name", both(says(nil, names(true, otherName(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}, pipeline))), own), nil, "a kind that is not compared (0)"},
		{"a name with a line of its own", named(otherName(oidUserName, pipeline+"\n")), nil, "cannot be seen"},
		{"an empty name", named(otherName(oidUserName, "")), nil, "expected is"},
		{"a long name", named(uri("https://a.example/" + strings.Repeat("a", 2048))), nil, "too long"},
	})
}

// Several identities: the first that covers the certificate is the signer.
func TestSeveralIdentities(t *testing.T) {
	s := play(t, nil, nil)
	trust := s.trust()
	other, err := envelope.NewIdentity("other", envelope.Identity{Issuer: oidcIssuer, SAN: "x@contoso.example"})
	if err != nil {
		t.Fatal(err)
	}
	trust.Verifiers = []envelope.Verifier{pin(t, "cosign.pub", newP256(t)), other, trust.Verifiers[0]}
	if got, err := trust.Open(s.raw()); err != nil || got.Signer().Name != "builder" {
		t.Errorf("%+v, %v", got.Signer(), err)
	}
	trust.Verifiers = trust.Verifiers[:2]
	if _, err := trust.Open(s.raw()); codeOf(err) != envelope.CodeIdentity || strings.Contains(err.Error(), "cosign.pub") {
		t.Errorf("got %v", err)
	}
}

func TestNewIdentityMistakes(t *testing.T) {
	tests := []struct {
		name string
		id   envelope.Identity
		want string
	}{
		{"nothing", envelope.Identity{}, "nothing of the certificate's subject"},
		{"issuer alone", envelope.Identity{Issuer: oidcIssuer}, "nothing of the certificate's subject"},
		{"both", envelope.Identity{SAN: "a", SANPattern: "a"}, "both a subject and a pattern"},
		{"everybody", envelope.Identity{SANPattern: ".*"}, "matches anybody"},
		{"everybody with a name", envelope.Identity{SANPattern: ".+"}, "matches anybody"},
		{"everybody, anchored", envelope.Identity{SANPattern: "^.*$"}, "matches anybody"},
		{"everybody, in lines", envelope.Identity{SANPattern: `(?s:[^\n]*)`}, "matches anybody"},
		{"everybody, by a word", envelope.Identity{SANPattern: `\S+`}, "matches anybody"},
		{"everybody or somebody", envelope.Identity{SANPattern: `ada@contoso\.example|`}, "matches anybody"},
		{"any page", envelope.Identity{SANPattern: "https://.*"}, "matches anybody"},
		{"any address", envelope.Identity{SANPattern: ".*@.*"}, "matches anybody"},
		{"any branch", envelope.Identity{SANPattern: ".*@refs/heads/.*"}, "matches anybody"},
		{"anybody's main branch", envelope.Identity{SANPattern: ".*@refs/heads/main"}, "matches anybody"},
		{"any pipeline's main branch", envelope.Identity{SANPattern: "p://.+/nightly@.*|p://[^/]+/[^/]+/[^/]+@refs/heads/main"}, "matches anybody"},
		{"anybody on a host of everybody", envelope.Identity{SANPattern: `https://github\.com/.*`}, "matches anybody"},
		{"any machine", envelope.Identity{SANPattern: `[a-z0-9.]+`}, "matches anybody"},
		{"no pattern", envelope.Identity{SANPattern: "("}, "missing closing"},
		{"closes our group", envelope.Identity{SANPattern: "a)|(?:.*"}, "unexpected )"},
		{"not of RE2", envelope.Identity{SANPattern: `(?=a)`}, "its pattern"},
		{"too large", envelope.Identity{SANPattern: "a{1000}{1000}"}, "its pattern"},
		{"too long", envelope.Identity{SANPattern: strings.Repeat("a", 513)}, "513 bytes"},
		{"long issuer", envelope.Identity{Issuer: strings.Repeat("a", 2049), SAN: "a"}, "too long"},
		{"a line end", envelope.Identity{Issuer: oidcIssuer + "\n", SAN: "a"}, "cannot be seen"},
		{"a letter without width", envelope.Identity{SAN: "ada\u200b@contoso.example"}, "cannot be seen"},
		{"not UTF-8", envelope.Identity{SAN: "a\xff"}, "cannot be seen"},
	}
	for _, tt := range tests {
		v, err := envelope.NewIdentity("builder", tt.id)
		var misused *provenance.Misused
		if !errors.As(err, &misused) || !strings.Contains(misused.Detail, tt.want) || !strings.Contains(misused.Detail, "builder") || misused.Hint == "" {
			t.Errorf("%s: got %v, want a mistake with %q", tt.name, err, tt.want)
		}
		if _, err := (envelope.Trust{Verifiers: []envelope.Verifier{v}}).Open([]byte("{}")); !errors.As(err, &misused) {
			t.Errorf("%s: opened with: %v", tt.name, err)
		}
	}
}

// The fingerprint tells identities apart, and never is that of a key.
func TestIdentityFingerprint(t *testing.T) {
	seen := map[string]envelope.Identity{}
	for _, id := range []envelope.Identity{{SAN: "a@b.example"}, {SANPattern: "a@b.example"}, {Issuer: "a@b.example", SAN: "x"}, {Issuer: oidcIssuer, SAN: "a@b.example"}} {
		f := pinIdentity(t, id).Fingerprint()
		if other, again := seen[f]; again || f != pinIdentity(t, id).Fingerprint() || !strings.HasPrefix(f, "sha256:") {
			t.Errorf("%v and %v have the fingerprint %s", id, other, f)
		}
		seen[f] = id
	}
	want := provenance.SumSHA256([]byte(`{"san":"a@b.example"}`)).String()
	if got := pinIdentity(t, envelope.Identity{SAN: "a@b.example"}).Fingerprint(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A key that speaks for itself, and those whose certificates have it, are all different signers.
func TestWho(t *testing.T) {
	key := "sha256:" + strings.Repeat("0", 64)
	all := map[string]envelope.Signer{}
	for _, s := range []envelope.Signer{
		{Fingerprint: key},
		{Fingerprint: "sha256:" + strings.Repeat("1", 64)},
		{Fingerprint: key, Identity: &envelope.Identity{SAN: pipeline}},
		{Fingerprint: key, Identity: &envelope.Identity{Issuer: oidcIssuer, SAN: pipeline}},
		{Fingerprint: key, Identity: &envelope.Identity{Issuer: pipeline, SAN: oidcIssuer}},
	} {
		if other, has := all[s.Who()]; has {
			t.Errorf("%+v passes for %+v", s, other)
		}
		all[s.Who()] = s
		s.Name = "another name"
		if _, has := all[s.Who()]; !has {
			t.Errorf("%+v is another one by its name", s)
		}
	}
}

func TestMade(t *testing.T) {
	key := newP256(t)
	k := pin(t, "cosign.pub", key)
	id := envelope.Identity{Issuer: oidcIssuer, SAN: pipeline}
	i, pattern := pinIdentity(t, id), pinIdentity(t, envelope.Identity{Issuer: oidcIssuer, SANPattern: `https://dev\.azure\.com/contoso/.*`})
	byKey := envelope.Signer{Name: "x", Fingerprint: k.Fingerprint()}
	byIdentity := envelope.Signer{Name: "y", Fingerprint: k.Fingerprint(), Identity: &id}
	other := envelope.Signer{Fingerprint: k.Fingerprint(), Identity: &envelope.Identity{Issuer: oidcIssuer, SAN: "https://dev.azure.com/contoso/"}}
	noIssuer := envelope.Signer{Fingerprint: k.Fingerprint(), Identity: &envelope.Identity{SAN: pipeline}}
	asFingerprint := envelope.Signer{Fingerprint: i.Fingerprint()}
	asPattern := envelope.Signer{Identity: &envelope.Identity{Issuer: oidcIssuer, SAN: pipeline, SANPattern: "x"}}
	tests := []struct {
		name string
		v    envelope.Verifier
		want []envelope.Signer
	}{
		{"key", k, []envelope.Signer{byKey}},
		{"another key", pin(t, "k", newP256(t)), nil},
		{"identity", i, []envelope.Signer{byIdentity}},
		{"pattern", pattern, []envelope.Signer{byIdentity, other}},
		{"none", envelope.Verifier{}, nil},
	}
	for _, tt := range tests {
		for _, s := range []envelope.Signer{byKey, byIdentity, other, noIssuer, asFingerprint, asPattern, {}} {
			want := false
			for _, w := range tt.want {
				want = want || w == s
			}
			if got := tt.v.Made(s); got != want {
				t.Errorf("%s made %+v: got %v", tt.name, s, got)
			}
		}
	}
}

// TestCovers: what narrows a list of verifiers is one of them, or somebody whom one of them names.
func TestCovers(t *testing.T) {
	identity := func(issuer, san, pattern string) envelope.Verifier {
		v, err := envelope.NewIdentity("x", envelope.Identity{Issuer: issuer, SAN: san, SANPattern: pattern})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const issuer, name = "https://token.contoso.com", "https://dev.azure.com/contoso/a"
	a, b := pin(t, "a", newP256(t)), pin(t, "b", newP256(t))
	exact, pattern, other := identity(issuer, name, ""), identity(issuer, "", `https://dev\.azure\.com/contoso/[a-z]`), identity(issuer, "", `https://dev\.azure\.com/contoso/[a-y]`)
	for what, c := range map[string]struct {
		v, other envelope.Verifier
		want     bool
	}{
		"the same key": {a, a, true}, "another key": {a, b, false}, "a key and an identity": {a, exact, false}, "an identity and a key": {exact, a, false},
		"the same identity": {exact, exact, true}, "a pattern and one of its names": {pattern, exact, true}, "a name and its pattern": {exact, pattern, false},
		"the same pattern": {pattern, pattern, true}, "another pattern": {pattern, other, false},
		"another issuer": {pattern, identity("https://other", name, ""), false}, "another name": {pattern, identity(issuer, name+"7", ""), false},
	} {
		if got := c.v.Covers(c.other); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}
