package envelope_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// scene is a statement that a certificate signed, and somebody who should believe it.
type scene struct {
	authorities
	t testing.TB

	// Before it is signed.
	template x509.Certificate // of the certificate
	issuer   holder           // of the certificate
	at       time.Time        // when the timestamp authority saw the signature
	root     object           // the trusted root
	identity envelope.Identity

	// Afterwards.
	leaf   holder
	env    object
	beside object // what stands beside the certificate
	bundle object // in place of all that; a case may set it
}

// newScene is one in which all is well.
func newScene(t testing.TB) *scene {
	a := newAuthorities(t)
	return &scene{authorities: a, t: t, template: leafTemplate(), issuer: a.ca, at: noon, root: a.trustedRoot(t),
		identity: envelope.Identity{Issuer: oidcIssuer, SAN: pipeline}}
}

// sign makes the certificate, the signature and its timestamp.
func (s *scene) sign() {
	s.leaf = issue(s.t, s.template, &s.issuer)
	s.env = good(s.t, s.leaf.key)
	s.stamp(s.at)
}

// stamp puts the timestamps of some times in place of all others.
func (s *scene) stamp(at ...time.Time) {
	var all [][]byte
	for _, when := range at {
		all = append(all, stampOf(s.t, s.tsa, s.sig(), when))
	}
	s.beside = object{"timestampVerificationData": stamps(all...)}
}

func (s *scene) sig() []byte { return sigOf(s.t, s.env) }

// raw is the bundle.
func (s *scene) raw() []byte {
	if s.bundle == nil {
		s.bundle = certified(s.leaf.cert, s.env, s.beside)
	}
	return marshal(s.t, s.bundle)
}

// trust believes the identity and the trusted root.
func (s *scene) trust() envelope.Trust {
	return envelope.Trust{Verifiers: []envelope.Verifier{pinIdentity(s.t, s.identity)}, Root: parseRoot(s.t, s.root)}
}

// change is what a case does to a scene, before or after it is signed.
type change func(s *scene)

// play makes a scene.
func play(t testing.TB, before, after change) *scene {
	s := newScene(t)
	if before != nil {
		before(s)
	}
	s.sign()
	if after != nil {
		after(s)
	}
	return s
}

// reissue makes the authority's certificate anew, with the same name, for another key and another time.
func (s *scene) reissue(from, until time.Duration) {
	template := authorityTemplate("Contoso Signing", x509.ExtKeyUsageCodeSigning)
	template.NotBefore, template.NotAfter = window(from, until)
	s.ca = issue(s.t, template, &s.authorities.root)
	s.issuer = s.ca
	s.root = s.trustedRoot(s.t)
}

// lists of a trusted root.
func (s *scene) list(key string) []object { return s.root[key].([]object) }

// logged puts an entry of the log beside the signature.
func (s *scene) logged(at time.Time) {
	s.beside = with(s.beside, "tlogEntries", entries(s.t, entryV1(s.t, s.log, s.env, s.certPEM(), at)))
}

func (s *scene) certPEM() []byte { return pemOf("CERTIFICATE", s.leaf.cert.Raw) }

func TestOpenCertificate(t *testing.T) {
	stamped := envelope.Time{At: noon, Kind: envelope.TimeStamp, By: tsaURI}
	logged := envelope.Time{At: noon.Add(time.Minute), Kind: envelope.TimeLog, By: logURI}
	tests := []struct {
		name          string
		before, after change
		times         []envelope.Time
		logged        bool
	}{
		{"timestamp", nil, nil, []envelope.Time{stamped}, false},
		{"at the first second", func(s *scene) { s.at = s.template.NotBefore }, nil, []envelope.Time{{At: noon.Add(-5 * time.Minute), Kind: envelope.TimeStamp, By: tsaURI}}, false},
		{"at the last second", func(s *scene) { s.at = s.template.NotAfter }, nil, []envelope.Time{{At: noon.Add(5 * time.Minute), Kind: envelope.TimeStamp, By: tsaURI}}, false},
		{"long ago, when all was valid", func(s *scene) {
			valid(-20*time.Minute, -10*time.Minute)(s)
			s.reissue(-24*time.Hour, -10*time.Minute)
			s.at = noon.Add(-15 * time.Minute)
		}, nil, []envelope.Time{{At: noon.Add(-15 * time.Minute), Kind: envelope.TimeStamp, By: tsaURI}}, false},
		{"log only", nil, func(s *scene) { s.beside = nil; s.logged(noon.Add(time.Minute)) }, []envelope.Time{logged}, true},
		{"log's promise without proof, v0.1", nil, func(s *scene) {
			e := entryV1(s.t, s.log, s.env, s.certPEM(), noon.Add(time.Minute))
			e.InclusionProof = nil
			s.bundle = with(certified(s.leaf.cert, s.env, object{"tlogEntries": entries(s.t, e)}), "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1")
		}, []envelope.Time{logged}, true},
		{"both, the earliest first", nil, func(s *scene) { s.logged(noon.Add(time.Minute)) }, []envelope.Time{stamped, logged}, true},
		{"log of version 2", nil, func(s *scene) {
			s.beside = with(s.beside, "tlogEntries", entries(s.t, entryV2(s.t, s.log, s.env, byCertificate(s.leaf))))
		}, []envelope.Time{stamped}, true},
		{"two timestamps", nil, func(s *scene) { s.stamp(noon.Add(time.Minute), noon) },
			[]envelope.Time{stamped, {At: noon.Add(time.Minute), Kind: envelope.TimeStamp, By: tsaURI}}, false},
		{"CVE-2026-49834: a repeated timestamp or entry counts once", nil, func(s *scene) {
			s.stamp(noon, noon, noon)
			e := entryV1(s.t, s.log, s.env, s.certPEM(), noon.Add(time.Minute))
			s.beside["tlogEntries"] = entries(s.t, e, e)
		}, []envelope.Time{stamped, logged}, true},
		{"a timestamp of somebody else beside a good one", nil, func(s *scene) {
			s.beside = object{"timestampVerificationData": stamps(stampOf(s.t, newAuthorities(s.t).tsa, s.sig(), noon), stampOf(s.t, s.tsa, s.sig(), noon), []byte("?"))}
		}, []envelope.Time{stamped}, false},
		{"an entry of an unknown log, of any kind", nil, func(s *scene) {
			e := logEntry(s.t, newP256(s.t), "what", "9", []byte("?"), noon)
			s.beside = with(s.beside, "tlogEntries", entries(s.t, e))
		}, []envelope.Time{stamped}, false},
		{"log without an address", func(s *scene) { s.list("tlogs")[0]["baseUrl"] = "" }, func(s *scene) { s.beside = nil; s.logged(noon.Add(time.Minute)) },
			[]envelope.Time{{At: noon.Add(time.Minute), Kind: envelope.TimeLog, By: "its id"}}, true},
		{"timestamp authority without an address", func(s *scene) { s.list("timestampAuthorities")[0]["uri"] = "" }, nil,
			[]envelope.Time{{At: noon, Kind: envelope.TimeStamp, By: "CN=Contoso Time"}}, false},
		{"timestamp authority known by its root only", func(s *scene) { s.root["timestampAuthorities"] = []object{authority("", s.tsaRoot)} }, nil,
			[]envelope.Time{{At: noon, Kind: envelope.TimeStamp, By: "CN=Contoso Time Root"}}, false},
		{"the second window of an authority", func(s *scene) {
			old := with(s.list("certificateAuthorities")[0], "validFor", validFor(-24*time.Hour, -time.Hour))
			s.root["certificateAuthorities"] = append([]object{old}, s.list("certificateAuthorities")...)
			old = with(s.list("timestampAuthorities")[0], "validFor", validFor(-24*time.Hour, -time.Hour))
			s.root["timestampAuthorities"] = append([]object{old}, s.list("timestampAuthorities")...)
		}, nil, []envelope.Time{stamped}, false},
		{"a chain, of which the leaf is read", nil, func(s *scene) {
			b := certified(s.leaf.cert, s.env, nil)
			s.bundle = with(with(b, "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.2"), "verificationMaterial",
				with(s.beside, "x509CertificateChain", object{"certificates": []object{{"rawBytes": s.leaf.cert.Raw}, {"rawBytes": "AAAA"}}}))
		}, []envelope.Time{stamped}, false},
		{"a certificate of its own, that the trusted root names", func(s *scene) {
			s.leaf = issue(s.t, s.template, nil)
		}, func(s *scene) {
			s.leaf = issue(s.t, s.template, nil)
			s.env = good(s.t, s.leaf.key)
			s.stamp(noon)
			s.root["certificateAuthorities"] = []object{authority("", s.leaf)}
		}, []envelope.Time{stamped}, false},
		{"vouched for by a log of certificates", func(s *scene) {
			s.root["ctlogs"] = []object{transparencyLog(s.t, "https://ctfe.contoso.example", s.ctlog)}
		}, func(s *scene) {
			key := newP256(s.t)
			s.leaf = issueFor(s.t, vouched(s.t, s.template, s.ca, key, s.ctlog), &s.ca, key)
			s.env = good(s.t, key)
			s.stamp(noon)
		}, []envelope.Time{stamped}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := play(t, tt.before, tt.after)
			raw := s.raw()
			got, err := s.trust().Open(raw)
			if err != nil {
				t.Fatal(err)
			}
			for i := range tt.times {
				if tt.times[i].By == "its id" {
					tt.times[i].By = strings.TrimPrefix(pin(t, "log", s.log).Fingerprint(), "sha256:")
				}
			}
			checkTimes(t, got, tt.times, tt.logged)
			checkCertified(t, got, s)
		})
	}
}

// Certificates for every kind of key, with the hashes that it signs with.
func TestCertifiedKeys(t *testing.T) {
	ders := otherKeys(t)
	for name, hashes := range map[string][]crypto.Hash{"p384": {crypto.SHA256, crypto.SHA384}, "p521": {crypto.SHA512}, "rsa3072": {crypto.SHA256, crypto.SHA512}, "ed25519": {0, crypto.SHA512}} {
		key, err := x509.ParsePKCS8PrivateKey(ders[name])
		if err != nil {
			t.Fatal(err)
		}
		for _, hash := range hashes {
			s := play(t, nil, func(s *scene) {
				s.leaf.cert = certify(s.t, s.template, s.ca, key.(crypto.Signer).Public())
				s.env = dsseOf(envelope.PayloadType, statement, signed(s.t, key.(crypto.Signer), hash, envelope.PayloadType, statement))
				s.stamp(noon)
			})
			got, err := s.trust().Open(s.raw())
			if err != nil || got.Signer().Fingerprint != pin(t, name, key.(crypto.Signer)).Fingerprint() {
				t.Errorf("%s with %v: %+v, %v", name, hash, got.Signer(), err)
			}
		}
	}
}

// No bit of a certificate's bundle can be flipped so that something else is believed. Every fifth is enough, with what the test
// for keys does.
func TestFlippedBitsOfACertificate(t *testing.T) {
	s := play(t, nil, func(s *scene) { s.logged(noon) })
	raw, trust := s.raw(), s.trust()
	believed := 0
	for bit := 0; bit < len(raw)*8; bit += 5 {
		flipped := bytes.Clone(raw)
		flipped[bit/8] ^= 1 << (bit % 8)
		got, err := trust.Open(flipped)
		if err != nil {
			if codeOf(err) == "" {
				t.Fatalf("bit %d: %v is no refusal", bit, err)
			}
			continue
		}
		believed++
		checkCertified(t, got, s)
		for _, at := range got.Times() {
			if !at.At.Equal(noon) {
				t.Fatalf("bit %d: seen at %v", bit, at)
			}
		}
	}
	if all := len(raw) * 8 / 5; believed > all/4 {
		t.Errorf("%d of %d flips change nothing: the test does not test", believed, all)
	}
}

// What a caller does with the signer does not change who it is.
func TestSignerIsACopy(t *testing.T) {
	s := play(t, nil, nil)
	got, err := s.trust().Open(s.raw())
	if err != nil {
		t.Fatal(err)
	}
	got.Signer().Identity.SAN = "mallory"
	checkCertified(t, got, s)
}

// checkTimes compares the times that were verified.
func checkTimes(t *testing.T, got envelope.Verified, want []envelope.Time, logged bool) {
	t.Helper()
	if len(got.Times()) != len(want) || got.Logged() != logged || (got.Untimed() == "") != (len(want) > 0) {
		t.Fatalf("times %v, logged %v, untimed %q; want %v, %v", got.Times(), got.Logged(), got.Untimed(), want, logged)
	}
	for i, at := range got.Times() {
		if !at.At.Equal(want[i].At) || at.At.Location() != time.UTC || at.Kind != want[i].Kind || at.By != want[i].By {
			t.Errorf("time %d: %v, want %v", i, at, want[i])
		}
	}
}

// checkCertified checks the payload and the signer of a scene.
func checkCertified(t *testing.T, got envelope.Verified, s *scene) {
	t.Helper()
	signer := got.Signer()
	want := envelope.Signer{Name: "builder", Fingerprint: pin(t, "leaf", s.leaf.key).Fingerprint(), Identity: signer.Identity}
	if string(got.Payload()) != statement || got.Form() != envelope.FormBundle || signer != want || signer.Identity == nil {
		t.Fatalf("form %q, payload %s, signer %+v", got.Form(), got.Payload(), signer)
	}
	if id := *signer.Identity; id.Issuer != s.identity.Issuer || id.SANPattern != "" || s.identity.SAN != "" && id.SAN != s.identity.SAN {
		t.Errorf("identity %v, want %v", id, s.identity)
	}
	if !s.trust().Verifiers[0].Made(signer) || pin(t, "leaf", s.leaf.key).Made(signer) {
		t.Error("the identity does not speak for its signer, or its key does")
	}
}
