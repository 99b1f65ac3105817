package envelope_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/digitorus/timestamp"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// attack is a bundle that has to be refused.
type attack struct {
	name          string
	before, after change
	want          string // in the sentence
}

// refuse plays the attacks; all are refused with one code.
func refuse(t *testing.T, code string, attacks []attack) {
	t.Helper()
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			s := play(t, a.before, a.after)
			got, err := s.trust().Open(s.raw())
			if codeOf(err) != code || !strings.Contains(err.Error(), a.want) {
				t.Errorf("got %q: %v\nwant %q with %q", codeOf(err), err, code, a.want)
			}
			if err != nil && (strings.ContainsFunc(err.Error(), isOdd) || len(err.Error()) > 1500) {
				t.Errorf("the sentence has %d bytes, or more than one line: %q", len(err.Error()), err)
			}
			if !got.IsZero() || len(got.Times()) > 0 || got.Logged() {
				t.Errorf("something was verified: %+v", got)
			}
		})
	}
}

// isOdd tells of characters that do not belong into a sentence.
func isOdd(r rune) bool { return r == '\u00a0' || unicode.IsControl(r) }

// valid sets the validity of the certificate.
func valid(from, until time.Duration) change {
	return func(s *scene) { s.template.NotBefore, s.template.NotAfter = window(from, until) }
}

// both makes one change of two.
func both(a, b change) change { return func(s *scene) { a(s); b(s) } }

// A timestamp that is put together by hand is one, so that those below are refused for what is wrong with them.
func TestAssembledTimestamp(t *testing.T) {
	s := play(t, nil, func(s *scene) {
		s.beside = object{"timestampVerificationData": stamps(assemble(s.t, s.tsa, crypto.SHA256, s.sig(), noon, s.ca.cert))}
	})
	if got, err := s.trust().Open(s.raw()); err != nil || len(got.Times()) != 1 {
		t.Errorf("%v, %v", got.Times(), err)
	}
}

func TestTimesThatDoNotHold(t *testing.T) {
	only := func(stamp func(s *scene) []byte) change {
		return func(s *scene) { s.beside = object{"timestampVerificationData": stamps(stamp(s))} }
	}
	// by makes the timestamp with another certificate of the same authority, which is known by its root only.
	by := func(make func(s *scene) holder) change {
		return func(s *scene) {
			s.root["timestampAuthorities"] = []object{authority(tsaURI, s.tsaRoot)}
			s.tsa = make(s)
			s.stamp(noon)
		}
	}
	refuse(t, envelope.CodeTime, []attack{
		{"expired certificate", valid(-20*time.Minute, -10*time.Minute), nil, "its certificate was valid from"},
		{"certificate of the future", valid(10*time.Minute, 20*time.Minute), nil, "its certificate was valid from"},
		{"a second too late", func(s *scene) { s.at = s.template.NotAfter.Add(time.Second) }, nil, tsaURI + " saw the signature at"},
		{"a second too early", func(s *scene) { s.at = s.template.NotBefore.Add(-time.Second) }, nil, tsaURI + " saw the signature at"},
		{"one of two times outside", nil, func(s *scene) { s.stamp(noon, noon.Add(time.Hour)) }, "its certificate was valid from"},
		{"the log saw it too late", nil, func(s *scene) { s.logged(noon.Add(6 * time.Minute)) }, logURI + " saw the signature at"},
		{"no timestamp", nil, func(s *scene) { s.beside = nil }, "nobody says when the certificate signed: it carries no timestamp"},
		{"an empty list", nil, func(s *scene) { s.beside = object{"timestampVerificationData": stamps()} }, "it carries no timestamp"},
		{"no timestamp authority", func(s *scene) { s.root["timestampAuthorities"] = []object{} }, nil, "names no timestamp authority"},
		{"an unknown authority with the same name", nil, only(func(s *scene) []byte { return stampOf(s.t, newAuthorities(s.t).tsa, s.sig(), noon) }), "is not by " + tsaURI},
		{"over another signature", nil, only(func(s *scene) []byte { return stampOf(s.t, s.tsa, sigOf(s.t, good(s.t, s.leaf.key)), noon) }), "don't match"},
		{"over the statement", nil, only(func(s *scene) []byte { return stampOf(s.t, s.tsa, []byte(statement), noon) }), "don't match"},
		{"changed", nil, only(func(s *scene) []byte { b := stampOf(s.t, s.tsa, s.sig(), noon); b[len(b)-1] ^= 1; return b }), "is not by"},
		{"garbage", nil, only(func(*scene) []byte { return []byte("12:00") }), "cannot be read"},
		{"empty", nil, only(func(*scene) []byte { return nil }), "cannot be read"},
		{"a refusal of the timestamp authority", nil, only(func(s *scene) []byte {
			refusal, err := timestamp.CreateErrorResponse(timestamp.Rejection, timestamp.SystemFailure)
			if err != nil {
				s.t.Fatal(err)
			}
			return refusal
		}), "cannot be read"},
		{"a certificate inside with a key to wait hours for", nil, only(func(s *scene) []byte {
			slow := certify(s.t, stamperTemplate("Contoso Time"), s.tsaRoot, hugeRSA())
			return assemble(s.t, s.tsa, crypto.SHA256, s.sig(), noon, slow)
		}), "too large"},
		{"two signers", nil, only(func(s *scene) []byte { return assembleBy(s.t, []holder{s.tsa, s.tsa}, crypto.SHA256, s.sig(), noon) }), "2 signers"},
		{"more certificates than anybody needs", nil, only(func(s *scene) []byte {
			return assemble(s.t, s.tsa, crypto.SHA256, s.sig(), noon, slices.Repeat([]*x509.Certificate{s.ca.cert}, 16)...)
		}), "17 certificates"},
		{"elements to read for years", nil, only(func(*scene) []byte { return overlapping(1000) }), "cannot be read"},
		{"too large", nil, only(func(*scene) []byte { return make([]byte, 64<<10+1) }), "65537 bytes"},
		{"too many", nil, func(s *scene) {
			one := stampOf(s.t, s.tsa, s.sig(), noon)
			var all [][]byte
			for range 17 {
				all = append(all, one)
			}
			s.beside = object{"timestampVerificationData": stamps(all...)}
		}, "17 timestamps; at most 16"},
		{"the timestamp authority's certificate was not valid yet", both(valid(-3*time.Hour, time.Hour), func(s *scene) {
			template := stamperTemplate("Contoso Time")
			template.NotBefore, template.NotAfter = window(-time.Hour, time.Hour)
			s.tsa = issue(s.t, template, &s.tsaRoot)
			s.root, s.at = s.trustedRoot(s.t), noon.Add(-2*time.Hour)
		}), nil, "expired or is not yet valid"},
		{"the timestamp authority's certificate had expired", both(valid(-time.Hour, 3*time.Hour), func(s *scene) {
			template := stamperTemplate("Contoso Time")
			template.NotBefore, template.NotAfter = window(-time.Hour, time.Hour)
			s.tsa = issue(s.t, template, &s.tsaRoot)
			s.root, s.at = s.trustedRoot(s.t), noon.Add(2*time.Hour)
		}), nil, "expired or is not yet valid"},
		{"the timestamp authority's root had expired", func(s *scene) {
			template := authorityTemplate("Contoso Time Root")
			template.NotBefore, template.NotAfter = window(-24*time.Hour, -time.Hour)
			s.tsaRoot = issue(s.t, template, nil)
			s.tsa = issue(s.t, stamperTemplate("Contoso Time"), &s.tsaRoot)
			s.root = s.trustedRoot(s.t)
		}, nil, "expired or is not yet valid"},
		{"the timestamp authority is not believed any more", func(s *scene) { s.list("timestampAuthorities")[0]["validFor"] = validFor(-24*time.Hour, -time.Second) }, nil, "after the validity period end"},
		{"the timestamp authority is not believed yet", func(s *scene) { s.list("timestampAuthorities")[0]["validFor"] = validFor(time.Second, time.Hour) }, nil, "before the validity period start"},
		{"CVE-2026-39984: a certificate that is for other things, beside a forged one", nil, by(func(s *scene) holder {
			template := stamperTemplate("www.contoso.example")
			template.ExtraExtensions = []pkix.Extension{usageExtension(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1})}
			server := issue(s.t, template, &s.tsaRoot)
			forged := issue(s.t, stamperTemplate("Contoso Time"), nil)
			s.bundle = certified(s.leaf.cert, s.env, object{"timestampVerificationData": stamps(assemble(s.t, server, crypto.SHA256, s.sig(), noon, forged.cert))})
			return server
		}), "incompatible key usage"},
		{"CVE-2026-49835: a weak hash", nil, only(func(s *scene) []byte { return assemble(s.t, s.tsa, crypto.SHA1, s.sig(), noon) }), "weak hash"},
		{"CVE-2026-49835: an intermediate authority that is for other things", nil, by(func(s *scene) holder {
			ca := issue(s.t, authorityTemplate("Contoso Servers", x509.ExtKeyUsageServerAuth), &s.tsaRoot)
			tsa := issue(s.t, stamperTemplate("Contoso Time"), &ca)
			s.bundle = certified(s.leaf.cert, s.env, object{"timestampVerificationData": stamps(assemble(s.t, tsa, crypto.SHA256, s.sig(), noon, ca.cert))})
			return tsa
		}), "incompatible key usage"},
		{"a timestamp authority that is for two things", nil, by(func(s *scene) holder {
			template := stamperTemplate("Contoso Time")
			template.ExtraExtensions = []pkix.Extension{usageExtension(oidTimeStamping, asn1.ObjectIdentifier{1, 2, 3, 4})}
			return issue(s.t, template, &s.tsaRoot)
		}), "2 extended key usages"},
		{"a timestamp authority whose certificate is an authority's", nil, by(func(s *scene) holder {
			template := stamperTemplate("Contoso Time")
			template.IsCA, template.BasicConstraintsValid = true, true
			return issue(s.t, template, &s.tsaRoot)
		}), "not a CA"},
		{"the certificate authority as a timestamp authority", nil, only(func(s *scene) []byte {
			tsa := issue(s.t, stamperTemplate("Contoso Time"), &s.authorities.root)
			return stampOf(s.t, tsa, s.sig(), noon)
		}), "does not match the provided TSA certificate"},
		{"a promise of a log that the trusted root does not name, v0.1", func(s *scene) { s.root["tlogs"] = []object{} }, func(s *scene) {
			e := entryV1(s.t, s.log, s.env, s.certPEM(), noon)
			e.InclusionProof = nil
			s.bundle = with(certified(s.leaf.cert, s.env, object{"tlogEntries": entries(s.t, e)}), "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1")
		}, "whom the trusted root names"},
		{"a log of version 2 only, which tells no time", nil, func(s *scene) {
			e := entryV2(s.t, s.log, s.env, byCertificate(s.leaf))
			e.IntegratedTime = noon.Unix()
			s.beside = object{"tlogEntries": entries(s.t, e)}
		}, "its log says no time"},
		{"a proof without a promise, whose time nobody signed", nil, func(s *scene) {
			e := entryV1(s.t, s.log, s.env, s.certPEM(), noon)
			e.InclusionPromise = nil
			s.beside = object{"tlogEntries": entries(s.t, e)}
		}, "its log says no time"},
	})
}

// overlapping is an answer of a timestamp authority whose token has elements that claim bytes of their neighbours: who follows both
// reads the last of them as often as a Fibonacci number says.
func overlapping(pairs int) []byte {
	inner := append(bytes.Repeat([]byte{0x30, 6, 0x30, 2}, pairs), bytes.Repeat([]byte{5, 0}, 6)...)
	return mustDER(struct {
		Status struct{ Status int }
		Token  asn1.RawValue
	}{Token: asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: inner}})
}

// hugeRSA looks like a key with which it takes long to verify.
func hugeRSA() *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), 16391)
	return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
}

func TestAuthoritiesThatDoNotHold(t *testing.T) {
	refuse(t, envelope.CodeAuthority, []attack{
		{"CVE-2026-24122, GO-2026-4529: the issuing authority had expired, the certificate had not", func(s *scene) { s.reissue(-24*time.Hour, -time.Minute) }, nil, "expired"},
		{"GO-2026-4529: the issuing authority expired within the certificate's life", func(s *scene) { s.reissue(-24*time.Hour, time.Minute); s.at = noon.Add(2 * time.Minute) }, nil, "expired"},
		{"GO-2026-4529: so by one of two times", func(s *scene) { s.reissue(-24*time.Hour, time.Minute) }, func(s *scene) { s.stamp(noon, noon.Add(2*time.Minute)) }, "expired"},
		{"GO-2026-4529: so by the log alone", func(s *scene) { s.reissue(-24*time.Hour, time.Minute) }, func(s *scene) { s.beside = nil; s.logged(noon.Add(2 * time.Minute)) }, "expired"},
		{"the issuing authority was not valid yet", func(s *scene) { s.reissue(time.Minute, time.Hour) }, nil, "does not lead to"},
		{"the root had expired", func(s *scene) {
			template := authorityTemplate("Contoso Root")
			template.NotBefore, template.NotAfter = window(-24*time.Hour, -time.Minute)
			s.authorities.root = issue(s.t, template, nil)
			s.reissue(-24*time.Hour, 24*time.Hour)
		}, nil, "expired"},
		{"not believed any more", func(s *scene) {
			s.list("certificateAuthorities")[0]["validFor"] = validFor(-24*time.Hour, -time.Second)
		}, nil, "no longer valid"},
		{"not believed yet", func(s *scene) { s.list("certificateAuthorities")[0]["validFor"] = validFor(time.Second, time.Hour) }, nil, "not valid yet"},
		{"another authority of the same name", func(s *scene) { s.issuer = newAuthorities(s.t).ca }, nil, `does not lead to "CN=Contoso Signing"`},
		{"an unknown authority", func(s *scene) { s.issuer = issue(s.t, authorityTemplate("Mallory"), nil) }, nil, `"CN=Mallory", which root.json does not name`},
		{"no authority", func(s *scene) { s.root["certificateAuthorities"] = []object{} }, nil, "does not name"},
		{"the timestamp authority", func(s *scene) { s.issuer = s.tsaRoot }, nil, "does not name"},
		{"an authority for other things", func(s *scene) {
			s.ca = issue(s.t, authorityTemplate("Contoso Signing", x509.ExtKeyUsageServerAuth), &s.authorities.root)
			s.issuer, s.root = s.ca, s.trustedRoot(s.t)
		}, nil, "does not lead to"},
		{"an intermediate authority that only the bundle has", func(s *scene) { s.root["certificateAuthorities"] = []object{authority(caURI, s.authorities.root)} }, func(s *scene) {
			s.bundle = with(with(certified(s.leaf.cert, s.env, nil), "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.2"), "verificationMaterial",
				with(s.beside, "x509CertificateChain", object{"certificates": []object{{"rawBytes": s.leaf.cert.Raw}, {"rawBytes": s.ca.cert.Raw}}}))
		}, "does not name"},
		{"its own", nil, func(s *scene) { s.leaf = issueFor(s.t, s.template, nil, s.leaf.key) }, "does not name"},
		{"a certificate that is no authority", func(s *scene) {
			s.template.Subject = pkix.Name{CommonName: "Contoso Signing"}
			s.issuer = issue(s.t, s.template, &s.ca)
			s.root["certificateAuthorities"] = []object{authority(caURI, s.issuer, s.ca, s.authorities.root)}
		}, nil, "does not lead to"},
	})
	// When the certificate had expired too, that is said.
	refuse(t, envelope.CodeTime, []attack{
		{"GO-2026-4529: the issuing authority had expired, and the certificate too", both(valid(-24*time.Hour, -2*time.Minute), func(s *scene) { s.reissue(-24*time.Hour, -time.Minute) }), nil, "its certificate was valid from"},
	})
}

func TestCertificatesThatDoNotCount(t *testing.T) {
	signBy := func(key crypto.Signer, hash crypto.Hash) change {
		return func(s *scene) {
			s.leaf.cert = certify(s.t, s.template, s.ca, key.Public())
			s.env = dsseOf(envelope.PayloadType, statement, signed(s.t, key, hash, envelope.PayloadType, statement))
			s.stamp(noon)
		}
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	refuse(t, envelope.CodeCertificate, []attack{
		{"without a usage", func(s *scene) { s.template.ExtKeyUsage = nil }, nil, "not for code signing"},
		{"for servers", func(s *scene) { s.template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, nil, "not for code signing"},
		{"for anything", func(s *scene) { s.template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }, nil, "not for code signing"},
		{"for encryption", func(s *scene) { s.template.KeyUsage = x509.KeyUsageKeyEncipherment }, nil, "not for digital signatures"},
		{"an authority's", func(s *scene) { s.template.IsCA, s.template.BasicConstraintsValid = true, true }, nil, "that of an authority"},
		{"a weak key", nil, signBy(p224, crypto.SHA256), "cannot be used"},
		{"a million names", says(nil, names(true, slices.Repeat([]asn1.RawValue{uri("a:")}, 20_000)...)), nil, "at most 65536 are read"},
		{"a key to wait hours for", nil, func(s *scene) { s.leaf.cert = certify(s.t, s.template, s.ca, hugeRSA()) }, "RSA key of 16392 bits is too large"},
	})
}

func TestSignaturesOfOthers(t *testing.T) {
	pinned := newP256(t)
	refuse(t, envelope.CodeInvalid, []attack{
		{"another key's", nil, func(s *scene) { s.env = good(s.t, newP256(s.t)); s.stamp(noon) }, "did not make its signature"},
		{"another certificate of the same builder", nil, func(s *scene) { s.leaf = issue(s.t, s.template, &s.ca) }, "did not make its signature"},
		{"changed statement", nil, func(s *scene) {
			s.env = with(s.env, "payload", base64.StdEncoding.EncodeToString([]byte(strings.Replace(statement, "blob", "blab", 1))))
		}, "did not make its signature"},
		{"empty signature", nil, func(s *scene) { s.env = dsseOf(envelope.PayloadType, statement, object{"sig": ""}) }, "did not make its signature"},
	})
	refuse(t, envelope.CodeMalformed, []attack{
		{"no certificate inside", nil, func(s *scene) {
			s.bundle = with(bundleOf("", s.env), "verificationMaterial", object{"certificate": object{}})
		}, "its certificate"},
		{"an empty chain", nil, func(s *scene) {
			s.bundle = with(bundleOf("", s.env), "verificationMaterial", object{"x509CertificateChain": object{}})
		}, "its certificate"},
		{"two signatures", nil, func(s *scene) {
			s.env = dsseOf(envelope.PayloadType, statement, append(s.env["signatures"].([]object), signed(s.t, pinned, crypto.SHA256, envelope.PayloadType, statement))...)
		}, "one signature, not 2"},
		{"CVE-2026-39395: a payload that cannot be read, truly signed", nil, func(s *scene) {
			s.env = dsseOf(envelope.PayloadType, `{"a":1,"A":2}`, signed(s.t, s.leaf.key, crypto.SHA256, envelope.PayloadType, `{"a":1,"A":2}`))
			s.stamp(noon)
		}, "the payload that builder signed"},
	})
	refuse(t, envelope.CodePayloadType, []attack{
		{"CVE-2026-39395: another type of payload, truly signed", nil, func(s *scene) {
			s.env = dsseOf("text/plain", statement, signed(s.t, s.leaf.key, crypto.SHA256, "text/plain", statement))
			s.stamp(noon)
		}, "text/plain"},
	})
	// Keys do not speak for identities.
	refuse(t, envelope.CodeKey, []attack{
		{"re-wrapped alone", nil, func(s *scene) { s.bundle = s.env }, "it carries no certificate"},
		{"re-labelled as a key's", nil, func(s *scene) {
			s.bundle = with(bundleOf("", s.env), "verificationMaterial", with(s.beside, "publicKey", object{"hint": hintOf(s.t, s.leaf.key)}))
		}, "it names the key"},
		{"without material", nil, func(s *scene) { s.bundle = with(bundleOf("", s.env), "verificationMaterial", nil) }, "it carries no certificate"},
	})
}

// GHSA-fx35-mq7g-6g98: a key and a certificate together. A signature with a certificate beside it is the certificate's or nobody's.
func TestKeyBesideACertificate(t *testing.T) {
	key := newP256(t)
	s := play(t, nil, nil)
	foreign := certified(s.leaf.cert, good(t, key), object{"timestampVerificationData": stamps(stampOf(t, s.tsa, sigOf(t, good(t, key)), noon))})
	trust := s.trust()
	trust.Verifiers = append(trust.Verifiers, pin(t, "cosign.pub", key))
	twoMaterials := with(foreign, "verificationMaterial", object{"certificate": object{"rawBytes": s.leaf.cert.Raw}, "publicKey": object{"hint": hintOf(t, key)}})
	tests := []struct {
		name  string
		trust envelope.Trust
		in    object
		code  string
	}{
		{"a certificate put beside the pinned key's signature", trust, foreign, envelope.CodeInvalid},
		{"so, with keys pinned only", envelope.Trust{Verifiers: trust.Verifiers[1:], Root: trust.Root}, foreign, envelope.CodeCertificate},
		{"both", trust, twoMaterials, envelope.CodeMalformed},
		{"its key pinned, without the identity", envelope.Trust{Verifiers: []envelope.Verifier{pin(t, "leaf.pub", s.leaf.key)}, Root: trust.Root},
			certified(s.leaf.cert, s.env, s.beside), envelope.CodeCertificate},
		{"no trusted root", envelope.Trust{Verifiers: trust.Verifiers}, certified(s.leaf.cert, s.env, s.beside), envelope.CodeCertificate},
	}
	for _, tt := range tests {
		if got, err := tt.trust.Open(marshal(t, tt.in)); codeOf(err) != tt.code || !got.IsZero() {
			t.Errorf("%s: got %q: %v; want %q", tt.name, codeOf(err), err, tt.code)
		}
	}
	if got, err := trust.Open(marshal(t, bundleOf("", good(t, key)))); err != nil || got.Signer().Identity != nil || got.Signer().Name != "cosign.pub" {
		t.Errorf("the pinned key alone: %+v, %v", got.Signer(), err)
	}
}

func TestLogsThatDoNotHold(t *testing.T) {
	// entry changes the entry of the log.
	entry := func(edit func(s *scene, e *protorekor.TransparencyLogEntry)) change {
		return func(s *scene) {
			e := entryV1(s.t, s.log, s.env, s.certPEM(), noon)
			edit(s, e)
			s.beside = with(s.beside, "tlogEntries", entries(s.t, e))
		}
	}
	put := func(make func(s *scene) *protorekor.TransparencyLogEntry) change {
		return func(s *scene) { s.beside = with(s.beside, "tlogEntries", entries(s.t, make(s))) }
	}
	window := func(from, until time.Duration) change {
		return func(s *scene) { s.list("tlogs")[0]["publicKey"].(object)["validFor"] = validFor(from, until) }
	}
	ctlogs := func(s *scene) {
		s.root["ctlogs"] = []object{transparencyLog(s.t, "https://ctfe.contoso.example", s.ctlog)}
	}
	// recertify makes the certificate with the word of a log of certificates.
	recertify := func(make func(s *scene, key *ecdsa.PrivateKey) x509.Certificate) change {
		return func(s *scene) {
			key := newP256(s.t)
			s.leaf = issueFor(s.t, make(s, key), &s.ca, key)
			s.env = good(s.t, key)
			s.stamp(noon)
		}
	}
	refuse(t, envelope.CodeLog, []attack{
		{"CVE-2026-22703: an entry about another signature of the same certificate", nil, put(func(s *scene) *protorekor.TransparencyLogEntry {
			return entryV1(s.t, s.log, good(s.t, s.leaf.key), s.certPEM(), noon)
		}), "about another signature"},
		{"CVE-2026-22703: an entry about somebody else's signature", nil, put(func(s *scene) *protorekor.TransparencyLogEntry {
			other := issue(s.t, s.template, &s.ca)
			return entryV1(s.t, s.log, good(s.t, other.key), pemOf("CERTIFICATE", other.cert.Raw), noon)
		}), "about another signature"},
		{"CVE-2026-22703: an entry about this signature by the bare key", nil, put(func(s *scene) *protorekor.TransparencyLogEntry {
			return entryV1(s.t, s.log, s.env, pemOf("PUBLIC KEY", derOf(s.t, s.leaf.key.Public())), noon)
		}), "about another signer"},
		{"CVE-2026-22703: an entry of version 2 about another signature", nil, put(func(s *scene) *protorekor.TransparencyLogEntry {
			return entryV2(s.t, s.log, good(s.t, s.leaf.key), byCertificate(s.leaf))
		}), "about another signature"},
		{"an entry of version 2 about the bare key", nil, put(func(s *scene) *protorekor.TransparencyLogEntry {
			return entryV2(s.t, s.log, s.env, byKey(s.t, s.leaf.key))
		}), "about another signer"},
		{"another time than the log signed", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) { e.IntegratedTime++ }), "does not verify"},
		{"another place than the log signed", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) { e.LogIndex++ }), "does not verify"},
		{"a promise of somebody else", nil, entry(func(s *scene, e *protorekor.TransparencyLogEntry) { promise(s.t, newP256(s.t), e) }), "does not verify"},
		{"neither promise nor proof", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) { e.InclusionPromise, e.InclusionProof = nil, nil }), "does not verify"},
		{"a proof of another entry", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) { e.InclusionProof.RootHash[0] ^= 1 }), "does not verify"},
		{"no checkpoint", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) { e.InclusionProof.Checkpoint = nil }), "checkpoint"},
		{"a proof of version 2 of another entry", nil, put(func(s *scene) *protorekor.TransparencyLogEntry {
			e := entryV2(s.t, s.log, s.env, byCertificate(s.leaf))
			e.InclusionProof.Checkpoint = entryV2(s.t, s.log, good(s.t, s.leaf.key), byCertificate(s.leaf)).InclusionProof.Checkpoint
			return e
		}), "does not verify"},
		{"version 2 with a promise of version 1", nil, put(func(s *scene) *protorekor.TransparencyLogEntry {
			e := entryV2(s.t, s.log, s.env, byCertificate(s.leaf))
			promise(s.t, s.log, e)
			return e
		}), "does not verify"},
		{"a large body", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) { e.CanonicalizedBody = make([]byte, 16<<10+1) }), "16385 bytes"},
		{"no body", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) { e.CanonicalizedBody = nil }), "does not verify"},
		{"a body without signatures", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) {
			e.CanonicalizedBody = []byte(`{"apiVersion":"0.0.1","kind":"dsse","spec":{"signatures":[],"envelopeHash":{"algorithm":"sha256","value":"` + strings.Repeat("a", 64) + `"},"payloadHash":{"algorithm":"sha256","value":"` + strings.Repeat("a", 64) + `"}}}`)
		}), "does not verify"},
		{"a body with a null for a signature", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) {
			e.CanonicalizedBody = []byte(`{"apiVersion":"0.0.1","kind":"dsse","spec":{"signatures":[null],"envelopeHash":{"algorithm":"sha256","value":"` + strings.Repeat("a", 64) + `"},"payloadHash":{"algorithm":"sha256","value":"` + strings.Repeat("a", 64) + `"}}}`)
		}), "does not verify"},
		{"a body of version 2 with nothing inside", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) {
			e.CanonicalizedBody = []byte(`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{}}}`)
		}), "missing signature"},
		{"a body that would colour a terminal", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) {
			e.CanonicalizedBody = []byte("{\"kind\":\"\\u001b[31m\\u0007\"}")
		}), "[31m"},
		{"a body of another kind", nil, entry(func(_ *scene, e *protorekor.TransparencyLogEntry) { e.CanonicalizedBody = []byte(`{"kind":"rpm"}`) }), "does not verify"},
		{"the log is not believed any more", window(-24*time.Hour, -time.Second), func(s *scene) { s.logged(noon) }, "does not verify"},
		{"the log is not believed yet", window(time.Second, time.Hour), func(s *scene) { s.logged(noon) }, "does not verify"},
		{"a log of version 2 that was not believed any more when the signature was seen", window(-24*time.Hour, -time.Second),
			put(func(s *scene) *protorekor.TransparencyLogEntry {
				return entryV2(s.t, s.log, s.env, byCertificate(s.leaf))
			}), "nobody saw the signature before"},
		{"too many entries", nil, func(s *scene) {
			var all []*protorekor.TransparencyLogEntry
			for range 17 {
				all = append(all, logEntry(s.t, s.log, "dsse", "0.0.1", []byte("{}"), noon))
			}
			s.beside = with(s.beside, "tlogEntries", entries(s.t, all...))
		}, "17 log entries; at most 16"},
		{"no log of certificates has it", ctlogs, nil, "vouches for its certificate"},
		{"another log of certificates has it", ctlogs, recertify(func(s *scene, key *ecdsa.PrivateKey) x509.Certificate {
			return vouched(s.t, s.template, s.ca, key, newP256(s.t))
		}), "vouches for its certificate"},
		{"a log of certificates has another one", ctlogs, recertify(func(s *scene, key *ecdsa.PrivateKey) x509.Certificate {
			return vouched(s.t, s.template, s.ca, newP256(s.t), s.ctlog)
		}), "vouches for its certificate"},
		{"a log of certificates that is not believed any more", both(ctlogs, func(s *scene) {
			s.list("ctlogs")[0]["publicKey"].(object)["validFor"] = validFor(-24*time.Hour, -time.Second)
		}), recertify(func(s *scene, key *ecdsa.PrivateKey) x509.Certificate {
			return vouched(s.t, s.template, s.ca, key, s.ctlog)
		}), "vouches for its certificate"},
	})
}
