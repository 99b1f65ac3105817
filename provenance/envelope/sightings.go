package envelope

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/digitorus/pkcs7"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/seed-3480f271/provenance/provenance/internal/der"
)

// Limits of what a bundle may carry beside its signature. All of it has to be read, and some of it verified, before it shows
// who wrote it.
const (
	maxCertificate       = 64 << 10 // bytes: Fulcio's has 1 KB; a million names would take a hundred bytes of memory for each of theirs
	maxSightings         = 16       // timestamps, and log entries: there are one or two
	maxTimestamp         = 64 << 10 // bytes: one with a long chain of certificates has 8 KB
	maxStampDepth        = 64       // of its DER: one has about 14 levels
	maxStampCertificates = 16       // inside a timestamp: there are up to four
	maxEntry             = 16 << 10 // bytes of a log entry's body: one with Fulcio's certificate has 6 KB
)

// sightings are what those say who saw a signature, as far as the trusted root names them.
type sightings struct {
	times  []Time
	logged bool
	silent bool // a log has it and says no time
	// Why a timestamp, or an entry of a log that the trusted root names, does not count.
	badStamps, badEntries []error
	none                  string // why nobody looked
}

// untimed says why there are no times.
func (s sightings) untimed() string {
	switch {
	case len(s.times) > 0:
		return ""
	case s.none != "":
		return s.none
	}
	reasons := append(slices.Clone(s.badStamps), s.badEntries...)
	if len(reasons) == 0 && s.silent {
		return "it carries no timestamp, and its log says no time"
	}
	if len(reasons) == 0 {
		return "it carries no timestamp of anybody whom the trusted root names"
	}
	return fmt.Sprintf("it carries no timestamp that counts: %.400s", joined(reasons))
}

// joined is the reasons on one line, and without characters that would move a terminal's cursor: they may quote the bundle.
func joined(reasons []error) string {
	var all []string
	for _, r := range reasons {
		all = append(all, strings.Join(strings.Fields(r.Error()), " "))
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return '?'
		}
		return r
	}, strings.Join(all, "; "))
}

// observed is a signature of a signer who is known, with what stands beside it.
type observed struct {
	signature []byte
	content   verify.SignatureContent
	by        maker
	material  *protobundle.VerificationMaterial
}

// sightingsOfKey are those of a signature that a key made. They neither add to nor take from what the key is worth.
func (r *TrustedRoot) sightingsOfKey(v Verifier, s signed, sig []byte) sightings {
	switch {
	case s.material == nil:
		return sightings{none: "an envelope alone carries no timestamp"}
	case len(s.material.GetTimestampVerificationData().GetRfc3161Timestamps())+len(s.material.GetTlogEntries()) == 0:
		return sightings{none: "it carries no timestamp"}
	case r == nil:
		return sightings{none: "there is no trusted root, which says whose timestamps count"}
	}
	key, err := x509.ParsePKIXPublicKey(v.der)
	if err != nil { // it was made from a key
		return sightings{none: err.Error()}
	}
	return r.sightings(observed{sig, s.content(sig), maker{key: key}, s.material})
}

// sightings asks the timestamps and log entries beside a signature.
func (r *TrustedRoot) sightings(o observed) sightings {
	var s sightings
	r.readStamps(o, &s)
	r.readEntries(o, &s)
	slices.SortFunc(s.times, func(a, b Time) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Kind, b.Kind), strings.Compare(a.By, b.By))
	})
	s.times = slices.CompactFunc(s.times, func(a, b Time) bool { return a.At.Equal(b.At) && a.Kind == b.Kind && a.By == b.By })
	return s
}

// readStamps verifies the RFC 3161 timestamps.
func (r *TrustedRoot) readStamps(o observed, s *sightings) {
	stamps := o.material.GetTimestampVerificationData().GetRfc3161Timestamps()
	if len(stamps) > maxSightings {
		s.badStamps = append(s.badStamps, fmt.Errorf("it has %d timestamps; at most %d are read", len(stamps), maxSightings))
		return
	}
	for _, stamp := range stamps {
		at, err := r.readStamp(stamp.GetSignedTimestamp(), o.signature)
		if err != nil {
			s.badStamps = append(s.badStamps, err)
			continue
		}
		s.times = append(s.times, at)
	}
}

// readStamp finds the timestamp authority that made a timestamp of the signature.
func (r *TrustedRoot) readStamp(stamp, sig []byte) (Time, error) {
	if len(stamp) > maxTimestamp {
		return Time{}, fmt.Errorf("a timestamp has %d bytes; at most %d are read", len(stamp), maxTimestamp)
	}
	if err := checkStamp(stamp); err != nil {
		return Time{}, err
	}
	authorities := r.material.TimestampingAuthorities()
	if len(authorities) == 0 {
		return Time{}, errors.New("the trusted root names no timestamp authority")
	}
	var reasons []error
	for _, authority := range authorities {
		found, err := authority.Verify(stamp, sig)
		if err == nil {
			return Time{found.Time.UTC(), TimeStamp, nameOfStamper(authority)}, nil
		}
		reasons = append(reasons, fmt.Errorf("by %.100s: %w", nameOfStamper(authority), err))
	}
	return Time{}, fmt.Errorf("a timestamp is not %s", joined(reasons))
}

// checkStamp tells whether a timestamp is something to verify. The library reads BER, in a time that can be exponential, and verifies
// with the certificates inside, for each signer that there is, before it knows whose they are.
// Source: https://www.rfc-editor.org/rfc/rfc3161, section 2.4.2 (TimeStampResp: it has the signature of the authority only)
func checkStamp(stamp []byte) error {
	if err := der.Check(stamp, maxStampDepth); err != nil {
		return fmt.Errorf("a timestamp cannot be read: %w", err)
	}
	var response struct {
		Status asn1.RawValue
		Token  asn1.RawValue `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(stamp, &response); err != nil {
		return fmt.Errorf("a timestamp cannot be read: %w", err)
	}
	token, err := pkcs7.Parse(response.Token.FullBytes)
	if err != nil {
		return fmt.Errorf("a timestamp cannot be read: %w", err)
	}
	if len(token.Signers) != 1 || len(token.Certificates) > maxStampCertificates {
		return fmt.Errorf("a timestamp has %d signers and %d certificates; there has to be one, with at most %d", len(token.Signers), len(token.Certificates), maxStampCertificates)
	}
	for _, cert := range token.Certificates {
		if _, err := schemesOf(cert.PublicKey); err != nil {
			return fmt.Errorf("a timestamp has a certificate whose key cannot be used: %w", err)
		}
	}
	return nil
}

// readEntries verifies the entries of logs that the trusted root names. Others are nobody's word.
func (r *TrustedRoot) readEntries(o observed, s *sightings) {
	entries := o.material.GetTlogEntries()
	if len(entries) > maxSightings {
		s.badEntries = append(s.badEntries, fmt.Errorf("it has %d log entries; at most %d are read", len(entries), maxSightings))
		return
	}
	for _, entry := range entries {
		log, named := r.material.RekorLogs()[hex.EncodeToString(entry.GetLogId().GetKeyId())]
		if !named {
			continue
		}
		at, err := r.readEntry(entry, o)
		if err == nil && at.IsZero() {
			err = s.addSilent(log)
		}
		switch {
		case err != nil:
			s.badEntries = append(s.badEntries, fmt.Errorf("the entry of the log %.100s does not verify: %w", nameOfLog(log), err))
		case !at.IsZero():
			s.logged = true
			s.times = append(s.times, Time{at.UTC(), TimeLog, nameOfLog(log)})
		}
	}
}

// addSilent notes an entry of a log that says no time. When the log's key was withdrawn, its word counts only for what somebody
// else saw before; when nobody saw it, nobody can tell.
func (s *sightings) addSilent(log *root.TransparencyLog) error {
	s.silent = true
	end := log.ValidityPeriodEnd
	switch {
	case end.IsZero() || slices.ContainsFunc(s.times, func(t Time) bool { return !t.At.After(end) }):
		s.logged = true
	case len(s.times) > 0:
		return fmt.Errorf("the log was believed until %s, and nobody saw the signature before", end.UTC().Format(time.RFC3339))
	}
	return nil
}

// readEntry verifies one entry: that it is about this signature and signer, and that the log has it. Only a promise that the log
// signed tells the time; a proof alone does not.
func (r *TrustedRoot) readEntry(raw *protorekor.TransparencyLogEntry, o observed) (time.Time, error) {
	if n := len(raw.GetCanonicalizedBody()); n > maxEntry {
		return time.Time{}, fmt.Errorf("its body has %d bytes; at most %d are read", n, maxEntry)
	}
	entry, err := tlog.ParseTransparencyLogEntry(raw)
	if err != nil {
		return time.Time{}, err
	}
	if err := checkAbout(entry, o); err != nil {
		return time.Time{}, err
	}
	times, err := verify.VerifyTlogEntry(&entity{content: o.content, by: o.by, entry: entry}, believed{r.material, o.by}, 1, true)
	if err != nil || len(times) == 0 {
		return time.Time{}, err
	}
	return times[0].Time, nil
}

// checkAbout tells whether an entry is about this signature and its signer. The library asks that only of some kinds of entries.
func checkAbout(entry *tlog.Entry, o observed) error {
	if err := tlog.ValidateEntry(entry); err != nil {
		return err
	}
	if !bytes.Equal(entry.Signature(), o.signature) {
		return errors.New("it is about another signature")
	}
	if !o.by.CompareKey(entry.PublicKey(), nil) {
		return errors.New("it is about another signer")
	}
	return nil
}

// entity is a signature with one log entry, for Sigstore's library.
type entity struct {
	verify.BaseSignedEntity
	content verify.SignatureContent
	by      maker
	entry   *tlog.Entry
}

func (e *entity) SignatureContent() (verify.SignatureContent, error)       { return e.content, nil }
func (e *entity) VerificationContent() (verify.VerificationContent, error) { return e.by, nil }
func (e *entity) TlogEntries() ([]*tlog.Entry, error)                      { return []*tlog.Entry{e.entry}, nil }

// maker is who made a signature, as Sigstore's library wants it: a certificate, or else a key.
type maker struct {
	leaf *x509.Certificate
	key  crypto.PublicKey
}

// CompareKey tells whether a log entry names the maker.
func (m maker) CompareKey(key any, _ root.TrustedMaterial) bool {
	if m.leaf != nil {
		cert, ok := key.(*x509.Certificate)
		return ok && m.leaf.Equal(cert)
	}
	k, ok := key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(m.key)
}

// ValidAtTime leaves it to the caller to compare times: with the whole chain, and for keys by the policy.
func (m maker) ValidAtTime(time.Time, root.TrustedMaterial) bool { return true }

// Certificate is nil when a key signed.
func (m maker) Certificate() *x509.Certificate { return m.leaf }

// Intermediates are none: those of a bundle are anybody's.
func (m maker) Intermediates() []*x509.Certificate { return nil }

// PublicKey is nil when a certificate signed.
func (m maker) PublicKey() verify.PublicKeyProvider {
	if m.leaf != nil {
		return nil
	}
	return m
}

// Hint is not asked: there is one key.
func (m maker) Hint() string { return "" }

// believed is the trusted root, with the key that made the signature.
type believed struct {
	*root.TrustedRoot
	by maker
}

// PublicKeyVerifier is the key that made the signature, whatever its hint.
func (b believed) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	v, err := signature.LoadVerifier(b.by.key, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return root.NewExpiringKey(v, time.Time{}, time.Time{}), nil
}
