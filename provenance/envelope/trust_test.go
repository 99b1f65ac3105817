package envelope_test

import (
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/envelope"
)

func TestOpenCertified(t *testing.T) {
	a := newAuthorities(t)
	leaf := issue(t, leafTemplate(), &a.ca)
	env := good(t, leaf.key)
	raw := marshal(t, certified(leaf.cert, env, object{"timestampVerificationData": stamps(stampOf(t, a.tsa, sigOf(t, env), noon)),
		"tlogEntries": entries(t, entryV1(t, a.log, env, pemOf("CERTIFICATE", leaf.cert.Raw), noon.Add(time.Minute)), entryV2(t, a.log, env, byCertificate(leaf)))}))
	trust := envelope.Trust{Verifiers: []envelope.Verifier{pinIdentity(t, envelope.Identity{Issuer: oidcIssuer, SAN: pipeline})}, Root: parseRoot(t, a.trustedRoot(t))}
	got, err := trust.Open(raw)
	t.Logf("%+v %v %v", got.Signer(), got.Times(), err)
	if err != nil {
		t.Fatal(err)
	}
}
