package envelope

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/seed-3480f271/provenance/provenance"
)

// The example of DSSE's own specification: the bytes that are signed, and that its key signed them. Its signature is r and s
// one after the other, where Sigstore and this package have ASN.1.
// Source: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md#test-vectors
func TestSpecificationExample(t *testing.T) {
	raw := []byte(`{"payload": "aGVsbG8gd29ybGQ=",
 "payloadType": "http://example.com/HelloWorld",
 "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}`)
	p, err := parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	message := dsse.PAE(p.envelope.PayloadType, p.envelope.Payload)
	if want := "DSSEv1 29 http://example.com/HelloWorld 11 hello world"; string(message) != want {
		t.Errorf("signed bytes %q, want %q", message, want)
	}
	sig := p.envelope.Signatures[0].Sig
	signature, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
	if err != nil {
		t.Fatal(err)
	}
	v := specificationKey(t)
	if !v.verify(message, signature) {
		t.Error("the specification's signature does not verify")
	}
	if message[0] ^= 1; v.verify(message, signature) {
		t.Error("other bytes verify too")
	}
	var refused *provenance.Refused
	if _, err := Open(raw, v); !errors.As(err, &refused) || refused.Code != CodePayloadType {
		t.Errorf("Open: got %v, want a refusal of the payload type", err)
	}
}

func specificationKey(t *testing.T) Verifier {
	t.Helper()
	point := []byte{4}
	for _, decimal := range []string{
		"46950820868899156662930047687818585632848591499744589407958293238635476079160",
		"5640078356564379163099075877009565129882514886557779369047442380624545832820",
	} {
		n, ok := new(big.Int).SetString(decimal, 10)
		if !ok {
			t.Fatalf("%s is no number", decimal)
		}
		point = append(point, n.FillBytes(make([]byte, 32))...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ParsePublicKey("specification", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
