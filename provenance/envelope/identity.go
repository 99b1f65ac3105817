package envelope

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/seed-3480f271/provenance/provenance"
)

// Identity is whom a certificate names.
type Identity struct {
	// Issuer is the OIDC issuer that Fulcio wrote into the certificate, compared exactly. Empty: the certificate is of another
	// kind of authority, and names none.
	Issuer string `json:"issuer,omitempty"`
	// SAN is the subject alternative name, compared exactly: of a workflow its URI, of a person the email address, of a machine the
	// DNS name, or the user name that Fulcio writes as an otherName. A certificate with several names is nobody's: see [CodeIdentity].
	SAN string `json:"san,omitempty"`
	// SANPattern is a regular expression (RE2) that the whole name has to match, in place of SAN.
	SANPattern string `json:"sanPattern,omitempty"`
}

// Limits of what identities and certificates say, in bytes.
const (
	maxName    = 2048 // of an issuer or a name
	maxPattern = 512
)

// strangers are names that have nothing in common with each other or with any builder's. A pattern that one of them matches
// says of nobody who it is.
func strangers() []string {
	return []string{"", "x", "7", "q7@zq7.invalid", "zq7.invalid", "https://zq7.invalid/q7/q7/q7@refs/heads/q7", "http://zq7.invalid/q7", "spiffe://zq7.invalid/q7/q7", "q7!zq7.invalid",
		// Everybody has a main branch, and the name of a workflow begins with a host that has everybody's.
		"p://zq7/zq7/zq7@refs/heads/main", "https://github.com/zq7/zq7/.github/workflows/zq7.yml@refs/heads/main", "https://gitlab.com/zq7/zq7//.gitlab-ci.yml@refs/heads/main"}
}

// pinned is an identity that the caller believes, ready to be compared.
type pinned struct {
	Identity
	pattern *regexp.Regexp // nil when SAN is compared
}

// NewIdentity pins an identity instead of a key. Open believes it only with a [TrustedRoot] that has the certificate's authority.
// An identity that says less than it must is a *[provenance.Misused].
func NewIdentity(name string, id Identity) (Verifier, error) {
	pattern, err := id.check()
	if err != nil {
		return Verifier{}, provenance.Misuse("name the issuer and the subject as `cosign verify --certificate-oidc-issuer … --certificate-identity …` would take them",
			"%s is not an identity that can be pinned: %v", name, err)
	}
	return Verifier{Name: name, identity: &pinned{id, pattern}}, nil
}

// check tells whether id names somebody, and compiles its pattern.
func (id Identity) check() (*regexp.Regexp, error) {
	for _, text := range []string{id.Issuer, id.SAN, id.SANPattern} {
		if err := checkName(text); err != nil {
			return nil, err
		}
	}
	switch {
	case id.SAN != "" && id.SANPattern != "":
		return nil, errors.New("it has both a subject and a pattern for one")
	case id.SAN == "" && id.SANPattern == "":
		return nil, errors.New("it says nothing of the certificate's subject")
	case id.SAN != "":
		return nil, nil
	}
	return compileName(id.SANPattern)
}

// checkName tells whether a text can stand in a certificate and in a message.
func checkName(text string) error {
	if len(text) > maxName {
		return fmt.Errorf("a name of %d bytes is too long", len(text))
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable) {
		return fmt.Errorf("%.100q has characters that cannot be seen", text)
	}
	return nil
}

// unprintable tells of characters that make two names look the same. A blank at least has a width.
func unprintable(r rune) bool {
	return r != ' ' && !unicode.IsGraphic(r) || r == unicode.ReplacementChar
}

// compileName compiles a pattern that has to match all of a name. The pattern is compiled alone first, so that no bracket of
// its own can end the group that holds it.
func compileName(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("its pattern has %d bytes; at most %d are read", len(pattern), maxPattern)
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, fmt.Errorf("its pattern: %w", err)
	}
	whole, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("its pattern: %w", err)
	}
	if i := slices.IndexFunc(strangers(), whole.MatchString); i >= 0 {
		return nil, fmt.Errorf("its pattern %q matches anybody, such as %q", pattern, strangers()[i])
	}
	return whole, nil
}

// covers tells whether what a certificate says is this identity.
func (p *pinned) covers(id Identity) bool {
	if p.Issuer != id.Issuer || id.SAN == "" || id.SANPattern != "" {
		return false
	}
	if p.pattern != nil {
		return p.pattern.MatchString(id.SAN)
	}
	return p.SAN == id.SAN
}

// fingerprint tells identities apart. Encoding three texts cannot fail.
func (p *pinned) fingerprint() string {
	data, _ := json.Marshal(p.Identity)
	return provenance.SumSHA256(data).String()
}

// String is an identity as messages say it.
func (id Identity) String() string {
	name := fmt.Sprintf("%.300q", id.SAN)
	if id.SANPattern != "" {
		name = fmt.Sprintf("/%.300s/", id.SANPattern)
	}
	if id.Issuer == "" {
		return name + " without an OIDC issuer"
	}
	return fmt.Sprintf("%s of %.300q", name, id.Issuer)
}

// IdentityOf is whom a certificate names, as Open would compare it. Nobody has checked who issued it.
func IdentityOf(leaf *x509.Certificate) (Identity, error) { return identityOf(leaf) }

// identityOf is what a certificate says of its subject: exactly one name. Fulcio never writes two; where another authority
// did, one certificate could be one builder to one rule and another to the next, so it is nobody.
func identityOf(leaf *x509.Certificate) (Identity, error) {
	issuer, err := issuerOf(leaf)
	if err != nil {
		return Identity{}, err
	}
	names, err := namesOf(leaf)
	switch {
	case err != nil:
		return Identity{}, err
	case len(names) == 0:
		return Identity{}, errors.New("the certificate has no subject alternative name")
	case len(names) > 1:
		return Identity{}, fmt.Errorf("the certificate has %d subject alternative names (%.300q, %.300q…); with one alone one can tell whose it is", len(names), names[0], names[1])
	}
	if err := checkName(names[0]); err != nil {
		return Identity{}, fmt.Errorf("the certificate's subject alternative name: %w", err)
	}
	return Identity{Issuer: issuer, SAN: names[0]}, nil
}

// issuerOf is the OIDC issuer that Fulcio wrote, in one or two of its ways; empty when there is none.
// Source: https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md (1.3.6.1.4.1.57264.1.1 and .1.8)
func issuerOf(leaf *x509.Certificate) (string, error) {
	var found []string
	for _, e := range leaf.Extensions {
		var issuer string
		switch {
		case e.Id.Equal(certificate.OIDIssuer):
			issuer = string(e.Value)
		case e.Id.Equal(certificate.OIDIssuerV2):
			if err := certificate.ParseDERString(e.Value, &issuer); err != nil {
				return "", fmt.Errorf("the certificate's OIDC issuer cannot be read: %w", err)
			}
		default:
			continue
		}
		if issuer == "" {
			return "", errors.New("the certificate's OIDC issuer is empty")
		}
		found = append(found, issuer)
	}
	if len(found) == 0 {
		return "", nil
	}
	if len(found) > 1 && found[0] != found[1] {
		return "", fmt.Errorf("the certificate names two OIDC issuers, %.200q and %.200q", found[0], found[1])
	}
	return found[0], checkName(found[0])
}

// The kinds of a subject alternative name.
// Source: https://www.rfc-editor.org/rfc/rfc5280, section 4.2.1.6 (GeneralName)
const (
	nameOther = 0
	nameEmail = 1
	nameDNS   = 2
	nameURI   = 6
)

// namesOf are the subject alternative names of all kinds, as the certificate has them: parsing an address and writing it
// again may change it.
func namesOf(leaf *x509.Certificate) ([]string, error) {
	var names []string
	for _, e := range leaf.Extensions {
		if !e.Id.Equal(cryptoutils.SANOID) {
			continue
		}
		var list []asn1.RawValue
		if rest, err := asn1.Unmarshal(e.Value, &list); err != nil || len(rest) > 0 {
			return nil, errors.New("the certificate's subject alternative names cannot be read")
		}
		for _, raw := range list {
			name, err := nameOf(raw)
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
	}
	return names, nil
}

func nameOf(raw asn1.RawValue) (string, error) {
	if raw.Class == asn1.ClassContextSpecific {
		switch raw.Tag {
		case nameEmail, nameDNS, nameURI:
			return string(raw.Bytes), nil
		case nameOther:
			var other cryptoutils.OtherName
			rest, err := asn1.UnmarshalWithParams(raw.FullBytes, &other, "tag:0")
			if err == nil && len(rest) == 0 && other.ID.Equal(cryptoutils.OIDOtherName) {
				return other.Value, nil
			}
		}
	}
	return "", fmt.Errorf("the certificate has a subject alternative name of a kind that is not compared (%d)", raw.Tag)
}
