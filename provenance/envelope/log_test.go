package envelope_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	ct "github.com/google/certificate-transparency-go"
	cttls "github.com/google/certificate-transparency-go/tls"
	ctx509util "github.com/google/certificate-transparency-go/x509util"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortiles "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	rekornote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/rekor/pkg/types"
	_ "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1" // registers the kind of entry
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore/pkg/signature"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// logEntry is an entry of a log that has nothing else in it.
func logEntry(t testing.TB, log *ecdsa.PrivateKey, kind, version string, body []byte, at time.Time) *protorekor.TransparencyLogEntry {
	id := sha256.Sum256(derOf(t, log.Public()))
	return &protorekor.TransparencyLogEntry{LogIndex: 0, LogId: &protocommon.LogId{KeyId: id[:]}, CanonicalizedBody: body,
		KindVersion: &protorekor.KindVersion{Kind: kind, Version: version}, IntegratedTime: at.Unix()}
}

// entryV1 is an entry of a Rekor v1 log about an envelope, with the promise that the log signs, and its proof. maker is the PEM
// of a certificate or key.
func entryV1(t testing.TB, log *ecdsa.PrivateKey, env object, maker []byte, at time.Time) *protorekor.TransparencyLogEntry {
	t.Helper()
	ctx := context.Background()
	proposed, err := types.NewProposedEntry(ctx, "dsse", "0.0.1", types.ArtifactProperties{ArtifactBytes: marshal(t, env), PublicKeyBytes: [][]byte{maker}, PKIFormat: "x509"})
	if err != nil {
		t.Fatal(err)
	}
	versioned, err := types.CreateVersionedEntry(proposed)
	if err != nil {
		t.Fatal(err)
	}
	body, err := types.CanonicalizeEntry(ctx, versioned)
	if err != nil {
		t.Fatal(err)
	}
	entry := logEntry(t, log, "dsse", "0.0.1", body, at)
	promise(t, log, entry)
	proof(t, log, entry, func(hash []byte, s signature.SignerVerifier) ([]byte, error) {
		return util.CreateAndSignCheckpoint(ctx, "rekor.contoso.example", 17, 1, hash, s)
	})
	return entry
}

// promise signs the time of an entry.
func promise(t testing.TB, log *ecdsa.PrivateKey, entry *protorekor.TransparencyLogEntry) {
	t.Helper()
	payload, err := jsoncanonicalizer.Transform(marshal(t, object{"body": base64.StdEncoding.EncodeToString(entry.CanonicalizedBody),
		"integratedTime": entry.IntegratedTime, "logIndex": entry.LogIndex, "logID": hex.EncodeToString(entry.LogId.KeyId)}))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(payload)
	set, err := ecdsa.SignASN1(rand.Reader, log, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	entry.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: set}
}

// proof proves that an entry is the only one of the log.
func proof(t testing.TB, log *ecdsa.PrivateKey, entry *protorekor.TransparencyLogEntry, checkpoint func([]byte, signature.SignerVerifier) ([]byte, error)) {
	t.Helper()
	signer, err := signature.LoadECDSASignerVerifier(log, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(append([]byte{0}, entry.CanonicalizedBody...))
	text, err := checkpoint(hash[:], signer)
	if err != nil {
		t.Fatal(err)
	}
	entry.InclusionProof = &protorekor.InclusionProof{TreeSize: 1, RootHash: hash[:], Checkpoint: &protorekor.Checkpoint{Envelope: string(text)}}
}

// entryV2 is an entry of a Rekor v2 log about an envelope that a certificate or a key signed. Such a log tells no time.
func entryV2(t testing.TB, log *ecdsa.PrivateKey, env object, maker *rekortiles.Verifier) *protorekor.TransparencyLogEntry {
	t.Helper()
	digest := sha256.Sum256(dsse.PAE(envelope.PayloadType, []byte(statement)))
	maker.KeyDetails = protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
	raw, err := protojson.Marshal(&rekortiles.Entry{Kind: "hashedrekord", ApiVersion: "0.0.2", Spec: &rekortiles.Spec{Spec: &rekortiles.Spec_HashedRekordV002{
		HashedRekordV002: &rekortiles.HashedRekordLogEntryV002{Data: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: digest[:]},
			Signature: &rekortiles.Signature{Content: sigOf(t, env), Verifier: maker}}}}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := jsoncanonicalizer.Transform(raw)
	if err != nil {
		t.Fatal(err)
	}
	entry := logEntry(t, log, "hashedrekord", "0.0.2", body, time.Unix(0, 0))
	proof(t, log, entry, func(hash []byte, s signature.SignerVerifier) ([]byte, error) {
		signer, err := rekornote.NewNoteSigner(context.Background(), "rekor.contoso.example", s)
		if err != nil {
			return nil, err
		}
		return note.Sign(&note.Note{Text: "rekor.contoso.example\n1\n" + base64.StdEncoding.EncodeToString(hash) + "\n"}, signer)
	})
	return entry
}

func byCertificate(leaf holder) *rekortiles.Verifier {
	return &rekortiles.Verifier{Verifier: &rekortiles.Verifier_X509Certificate{X509Certificate: &protocommon.X509Certificate{RawBytes: leaf.cert.Raw}}}
}

func byKey(t testing.TB, key crypto.Signer) *rekortiles.Verifier {
	return &rekortiles.Verifier{Verifier: &rekortiles.Verifier_PublicKey{PublicKey: &rekortiles.PublicKey{RawBytes: derOf(t, key.Public())}}}
}

// entries is how a bundle holds log entries.
func entries(t testing.TB, all ...*protorekor.TransparencyLogEntry) []json.RawMessage {
	t.Helper()
	list := []json.RawMessage{}
	for _, e := range all {
		raw, err := protojson.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, raw)
	}
	return list
}

// vouched is the template of a certificate with the word of a log of certificates that it will be issued.
// Source: https://www.rfc-editor.org/rfc/rfc6962, section 3.2
func vouched(t testing.TB, template x509.Certificate, issuer holder, key *ecdsa.PrivateKey, log *ecdsa.PrivateKey) x509.Certificate {
	t.Helper()
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(noon.UnixNano())
	}
	before := certify(t, template, issuer, key.Public())
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, Timestamp: uint64(noon.UnixMilli()), LogID: ct.LogID{KeyID: sha256.Sum256(derOf(t, log.Public()))}}
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: ct.MerkleTreeLeaf{Version: ct.V1, LeafType: ct.TimestampedEntryLeafType,
		TimestampedEntry: &ct.TimestampedEntry{Timestamp: sct.Timestamp, EntryType: ct.PrecertLogEntryType, PrecertEntry: &ct.PreCert{
			IssuerKeyHash: sha256.Sum256(issuer.cert.RawSubjectPublicKeyInfo), TBSCertificate: before.RawTBSCertificate}}}})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := cttls.CreateSignature(*log, cttls.SHA256, input)
	if err != nil {
		t.Fatal(err)
	}
	sct.Signature = ct.DigitallySigned(signed)
	list, err := ctx509util.MarshalSCTsIntoSCTList([]*ct.SignedCertificateTimestamp{&sct})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := cttls.Marshal(*list)
	if err != nil {
		t.Fatal(err)
	}
	template.ExtraExtensions = append(slices.Clone(template.ExtraExtensions), pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: mustDER(raw)})
	return template
}
