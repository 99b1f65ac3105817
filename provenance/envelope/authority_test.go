package envelope_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"testing"
	"time"

	"github.com/digitorus/pkcs7"
	"github.com/digitorus/timestamp"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// holder is a certificate and its key.
type holder struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate with a new key; without an issuer it is self-signed.
func issue(t testing.TB, template x509.Certificate, issuer *holder) holder {
	t.Helper()
	return issueFor(t, template, issuer, newP256(t))
}

func issueFor(t testing.TB, template x509.Certificate, issuer *holder, key *ecdsa.PrivateKey) holder {
	t.Helper()
	h := holder{&template, key}
	if issuer == nil {
		issuer = &h
	}
	return holder{certify(t, template, *issuer, key.Public()), key}
}

// certify makes a certificate for any kind of key.
func certify(t testing.TB, template x509.Certificate, issuer holder, key crypto.PublicKey) *x509.Certificate {
	t.Helper()
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(time.Now().UnixNano())
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, issuer.cert, key, issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// noon is the middle of all windows of these tests. The authorities' library writes the present into each timestamp, beside
// the time that it is asked for, and wants its certificate to be valid at both.
var noon = time.Now().UTC().Truncate(time.Second)

// window is a validity.
func window(from, until time.Duration) (notBefore, notAfter time.Time) {
	return noon.Add(from), noon.Add(until)
}

// authorityTemplate is of an authority's certificate that is valid for two days.
func authorityTemplate(name string, usage ...x509.ExtKeyUsage) x509.Certificate {
	c := x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, ExtKeyUsage: usage}
	c.NotBefore, c.NotAfter = window(-24*time.Hour, 24*time.Hour)
	return c
}

// stamperTemplate is of a timestamp authority's certificate: its only usage is critical.
func stamperTemplate(name string) x509.Certificate {
	c := x509.Certificate{Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{usageExtension(oidTimeStamping)}}
	c.NotBefore, c.NotAfter = window(-24*time.Hour, 24*time.Hour)
	return c
}

var (
	oidTimeStamping = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
	oidIssuer       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}
	oidIssuerV2     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}
	oidSAN          = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// usageExtension is a critical extended key usage.
func usageExtension(usages ...asn1.ObjectIdentifier) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: mustDER(usages)}
}

// mustDER encodes what can be encoded.
func mustDER(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return der
}

// issuerExtensions are the OIDC issuer in both of Fulcio's ways.
func issuerExtensions(v1, v2 string) []pkix.Extension {
	return []pkix.Extension{{Id: oidIssuer, Value: []byte(v1)}, {Id: oidIssuerV2, Value: mustDER(asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(v2)})}}
}

// The identity of these tests.
const (
	oidcIssuer = "https://vstoken.dev.azure.com/9f1c7d3e"
	pipeline   = "https://dev.azure.com/contoso/risk/_build?definitionId=17"
)

// leafTemplate is of a certificate as Fulcio writes it, for ten minutes.
func leafTemplate() x509.Certificate {
	c := x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: append(issuerExtensions(oidcIssuer, oidcIssuer), names(true, uri(pipeline)))}
	c.NotBefore, c.NotAfter = window(-5*time.Minute, 5*time.Minute)
	return c
}

// names are subject alternative names, as they come.
func names(critical bool, values ...asn1.RawValue) pkix.Extension {
	return pkix.Extension{Id: oidSAN, Critical: critical, Value: mustDER(values)}
}

func general(tag int, value string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(value)}
}

func email(value string) asn1.RawValue { return general(1, value) }
func dns(value string) asn1.RawValue   { return general(2, value) }
func uri(value string) asn1.RawValue   { return general(6, value) }

// authorities are everybody whom a trusted root names: a certificate authority with an intermediate one, a timestamp authority,
// a transparency log, and a log of certificates.
type authorities struct {
	root, ca     holder
	tsaRoot, tsa holder
	log, ctlog   *ecdsa.PrivateKey
}

func newAuthorities(t testing.TB) authorities {
	t.Helper()
	a := authorities{root: issue(t, authorityTemplate("Contoso Root"), nil), tsaRoot: issue(t, authorityTemplate("Contoso Time Root"), nil),
		log: newP256(t), ctlog: newP256(t)}
	a.ca = issue(t, authorityTemplate("Contoso Signing", x509.ExtKeyUsageCodeSigning), &a.root)
	a.tsa = issue(t, stamperTemplate("Contoso Time"), &a.tsaRoot)
	return a
}

// Addresses of the authorities.
const (
	caURI  = "https://fulcio.contoso.example"
	tsaURI = "https://tsa.contoso.example/api/v1/timestamp"
	logURI = "https://rekor.contoso.example"
)

// trustedRoot is the file that names them, without the log of certificates.
func (a authorities) trustedRoot(t testing.TB) object {
	return object{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"certificateAuthorities": []object{authority(caURI, a.ca, a.root)},
		"timestampAuthorities":   []object{authority(tsaURI, a.tsa, a.tsaRoot)},
		"tlogs":                  []object{transparencyLog(t, logURI, a.log)}}
}

// authority is an entry of a trusted root, believed for two days.
func authority(address string, chain ...holder) object {
	var certs []object
	for _, h := range chain {
		certs = append(certs, object{"rawBytes": h.cert.Raw})
	}
	return object{"uri": address, "certChain": object{"certificates": certs}, "validFor": validFor(-24*time.Hour, 24*time.Hour)}
}

func validFor(from, until time.Duration) object {
	start, end := window(from, until)
	return object{"start": start.Format(time.RFC3339), "end": end.Format(time.RFC3339)}
}

func transparencyLog(t testing.TB, address string, key *ecdsa.PrivateKey) object {
	der := derOf(t, key.Public())
	id := sha256.Sum256(der)
	return object{"baseUrl": address, "hashAlgorithm": "SHA2_256", "logId": object{"keyId": id[:]},
		"publicKey": object{"rawBytes": der, "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": validFor(-24*time.Hour, 24*time.Hour)}}
}

// parseRoot reads a trusted root that is one.
func parseRoot(t testing.TB, root object) *envelope.TrustedRoot {
	t.Helper()
	r, err := envelope.ParseTrustedRoot("root.json", marshal(t, root))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// stampOf is a timestamp over a signature.
func stampOf(t testing.TB, by holder, sig []byte, at time.Time) []byte {
	t.Helper()
	sum := sha256.Sum256(sig)
	stamp := timestamp.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: at, Policy: policyOID, AddTSACertificate: true}
	der, err := stamp.CreateResponseWithOpts(by.cert, by.key, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

var policyOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}

// tstInfo is what a timestamp authority signs.
// Source: https://www.rfc-editor.org/rfc/rfc3161, section 2.4.2 (TSTInfo)
type tstInfo struct {
	Version int
	Policy  asn1.ObjectIdentifier
	Imprint struct {
		Algorithm pkix.AlgorithmIdentifier
		Hash      []byte
	}
	Serial *big.Int
	Time   time.Time `asn1:"generalized"`
}

// assemble is a timestamp that no library would make: with certificates before that of its signer, or with a weak hash.
func assemble(t testing.TB, by holder, hash crypto.Hash, sig []byte, at time.Time, before ...*x509.Certificate) []byte {
	t.Helper()
	return assembleBy(t, []holder{by}, hash, sig, at, before...)
}

// assembleBy is one with several signers.
func assembleBy(t testing.TB, by []holder, hash crypto.Hash, sig []byte, at time.Time, before ...*x509.Certificate) []byte {
	t.Helper()
	h := hash.New()
	h.Write(sig)
	info := tstInfo{Version: 1, Policy: policyOID, Serial: big.NewInt(1), Time: at}
	info.Imprint.Hash = h.Sum(nil)
	info.Imprint.Algorithm.Algorithm = map[crypto.Hash]asn1.ObjectIdentifier{crypto.SHA1: pkcs7.OIDDigestAlgorithmSHA1, crypto.SHA256: pkcs7.OIDDigestAlgorithmSHA256}[hash]
	data, err := pkcs7.NewSignedData(mustDER(info))
	if err != nil {
		t.Fatal(err)
	}
	data.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	data.SetContentType(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4})
	for _, cert := range before {
		data.AddCertificate(cert)
	}
	for _, signer := range by {
		if err := data.AddSigner(signer.cert, signer.key, pkcs7.SignerInfoConfig{}); err != nil {
			t.Fatal(err)
		}
	}
	token, err := data.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return mustDER(struct {
		Status struct{ Status int }
		Token  asn1.RawValue
	}{Token: asn1.RawValue{FullBytes: token}})
}

// stamps is how a bundle holds timestamps.
func stamps(all ...[]byte) object {
	list := []object{}
	for _, s := range all {
		list = append(list, object{"signedTimestamp": s})
	}
	return object{"rfc3161Timestamps": list}
}

// sigOf is the first signature of an envelope.
func sigOf(t testing.TB, env object) []byte {
	t.Helper()
	sig, err := base64.StdEncoding.DecodeString(env["signatures"].([]object)[0]["sig"].(string))
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// certified is a bundle with a certificate in place of a key, and what stands beside the signature.
func certified(leaf *x509.Certificate, env, beside object) object {
	return with(bundleOf("", env), "verificationMaterial", with(beside, "certificate", object{"rawBytes": leaf.Raw}))
}

// pinIdentity is the verifier of an identity.
func pinIdentity(t testing.TB, id envelope.Identity) envelope.Verifier {
	t.Helper()
	v, err := envelope.NewIdentity("builder", id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
