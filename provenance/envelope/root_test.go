package envelope_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

func TestParseTrustedRoot(t *testing.T) {
	a := newAuthorities(t)
	for name, root := range map[string]object{
		"full": a.trustedRoot(t), "empty": {"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"},
	} {
		raw := marshal(t, root)
		got, err := envelope.ParseTrustedRoot("root.json", raw)
		if err != nil || got.Name != "root.json" || got.Digest != provenance.SumSHA256(raw) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestParseTrustedRootMistakes(t *testing.T) {
	a := newAuthorities(t)
	root := a.trustedRoot(t)
	list := func(key string, edit func(o object) object) object {
		return with(root, key, []object{edit(root[key].([]object)[0])})
	}
	raw := marshal(t, root)
	tests := []struct {
		name string
		in   any
		want string
	}{
		{"empty", rawJSON(""), "not JSON"},
		{"text", rawJSON("trust me"), "not JSON"},
		{"array", []object{root}, "unexpected token"},
		{"null", rawJSON("null"), "unexpected token"},
		{"no type", with(root, "mediaType", ""), "unsupported TrustedRoot media type"},
		{"another type", with(root, "mediaType", "application/vnd.dev.sigstore.bundle.v0.3+json"), "unsupported TrustedRoot media type"},
		{"a later version", with(root, "mediaType", "application/vnd.dev.sigstore.trustedroot+json;version=0.2"), "unsupported TrustedRoot media type"},
		{"an unknown field", with(root, "narrowed", true), "unknown field"},
		{"an unknown field inside", list("tlogs", func(o object) object { return with(o, "narrowed", true) }), "unknown field"},
		{"a key twice", rawJSON(`{"tlogs":[],` + string(raw[1:])), "stands twice"},
		{"a key twice, by its other name", with(root, "media_type", root["mediaType"]), "media_type"},
		{"two values", rawJSON(string(raw) + "{}"), "more than one"},
		{"too deep", rawJSON(strings.Repeat("[", 100) + strings.Repeat("]", 100)), "nested deeper"},
		{"too large", rawJSON(string(raw) + strings.Repeat(" ", envelope.MaxTrustedRoot)), "bytes"},
		{"authority without a chain", list("certificateAuthorities", func(o object) object { return with(o, "certChain", nil) }), "missing cert chain"},
		{"authority with an empty chain", list("certificateAuthorities", func(o object) object { return with(o, "certChain", object{}) }), "chain is empty"},
		{"authority with a broken certificate", list("certificateAuthorities", func(o object) object {
			return with(o, "certChain", object{"certificates": []object{{"rawBytes": "AAAA"}}})
		}), "failed to parse certificate"},
		{"authority with a broken window", list("certificateAuthorities", func(o object) object { return with(o, "validFor", object{"start": "noon"}) }), "Timestamp value"},
		{"timestamp authority without an authority", with(root, "timestampAuthorities", []object{authority(tsaURI, a.tsa)}), "timestamp authority 1 has no certificate of an authority"},
		{"log without a key", list("tlogs", func(o object) object { return with(o, "publicKey", nil) }), "missing public key"},
		{"log without an id", list("tlogs", func(o object) object { return with(o, "logId", nil) }), "missing log ID"},
		{"log without a window", list("tlogs", func(o object) object { return with(o, "publicKey", with(o["publicKey"].(object), "validFor", nil)) }), "validity period"},
		{"log with another kind of key", list("tlogs", func(o object) object {
			return with(o, "publicKey", with(o["publicKey"].(object), "keyDetails", "PKIX_ED25519"))
		}), "tlog public key"},
		{"two logs of one id", with(root, "tlogs", append(root["tlogs"].([]object), root["tlogs"].([]object)...)), "same id"},
	}
	for _, tt := range tests {
		got, err := envelope.ParseTrustedRoot("root.json", marshalRaw(t, tt.in))
		var misused *provenance.Misused
		if !errors.As(err, &misused) || got != nil {
			t.Errorf("%s: got %v, want a mistake", tt.name, err)
			continue
		}
		if !strings.Contains(misused.Detail, tt.want) || !strings.HasPrefix(misused.Detail, "root.json is not") || strings.ContainsAny(misused.Detail, "\n\u00a0") {
			t.Errorf("%s: got %q, want %q", tt.name, misused.Detail, tt.want)
		}
		if !strings.Contains(misused.Hint, "cosign trusted-root create") {
			t.Errorf("%s: the hint is %q", tt.name, misused.Hint)
		}
	}
}

// A trusted root that nobody parsed believes nobody, and is a mistake rather than a refusal.
func TestZeroTrustedRoot(t *testing.T) {
	key := newP256(t)
	trust := envelope.Trust{Verifiers: []envelope.Verifier{pin(t, "k", key)}, Root: &envelope.TrustedRoot{Name: "root.json"}}
	var misused *provenance.Misused
	if got, err := trust.Open(marshal(t, good(t, key))); !errors.As(err, &misused) || !got.IsZero() {
		t.Errorf("got %v, want a mistake", err)
	}
}

// CVE-2026-24137: a client of update repositories wrote files outside its folder. Trusted roots are files of the caller's here,
// and that client is no part of this package.
func TestNoClientOfUpdateRepositories(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	found := false
	for _, dep := range deps {
		found = found || dep == "github.com/sigstore/sigstore-go/pkg/verify"
		if dep == "github.com/sigstore/sigstore/pkg/tuf" {
			t.Errorf("%s is linked", dep)
		}
	}
	if !found {
		t.Errorf("the list of packages does not have what it should: %d packages", len(deps))
	}
}

// What stands beside the signature of a key tells when it was there. It never makes the signature good or bad.
func TestKeySightings(t *testing.T) {
	a, key := newAuthorities(t), newP256(t)
	env := good(t, key)
	sig, pub := sigOf(t, env), pemOf("PUBLIC KEY", derOf(t, key.Public()))
	v1 := entryV1(t, a.log, env, pub, noon.Add(time.Minute))
	late := entryV1(t, a.log, env, pub, noon.Add(time.Minute))
	late.IntegratedTime--
	other := newP256(t)
	foreign := entryV1(t, a.log, good(t, other), pemOf("PUBLIC KEY", derOf(t, other.Public())), noon)
	stamped := envelope.Time{At: noon, Kind: envelope.TimeStamp, By: tsaURI}
	logged := envelope.Time{At: noon.Add(time.Minute), Kind: envelope.TimeLog, By: logURI}
	good, stranger := stampOf(t, a.tsa, sig, noon), stampOf(t, newAuthorities(t).tsa, sig, noon)
	far := stampOf(t, a.tsa, sig, noon.Add(23*time.Hour))
	root := a.trustedRoot(t)
	endless := with(root, "tlogs", []object{transparencyLog(t, logURI, a.log)})
	delete(endless["tlogs"].([]object)[0]["publicKey"].(object)["validFor"].(object), "end")
	var crowd [][]byte
	for range 17 {
		crowd = append(crowd, good)
	}
	tests := []struct {
		name    string
		root    object
		beside  object
		times   []envelope.Time
		logged  bool
		untimed string
	}{
		{"nothing", root, object{}, nil, false, "it carries no timestamp"},
		{"no trusted root", nil, object{"timestampVerificationData": stamps(good)}, nil, false, "there is no trusted root"},
		{"timestamp", root, object{"timestampVerificationData": stamps(good)}, []envelope.Time{stamped}, false, ""},
		{"a timestamp of the future", root, object{"timestampVerificationData": stamps(far)}, []envelope.Time{{At: noon.Add(23 * time.Hour), Kind: envelope.TimeStamp, By: tsaURI}}, false, ""},
		{"log", root, object{"tlogEntries": entries(t, v1)}, []envelope.Time{logged}, true, ""},
		{"both", root, object{"timestampVerificationData": stamps(good), "tlogEntries": entries(t, v1)}, []envelope.Time{stamped, logged}, true, ""},
		{"log of version 2", root, object{"timestampVerificationData": stamps(good), "tlogEntries": entries(t, entryV2(t, a.log, env, byKey(t, key)))}, []envelope.Time{stamped}, true, ""},
		{"log of version 2 alone", endless, object{"tlogEntries": entries(t, entryV2(t, a.log, env, byKey(t, key)))}, nil, true, "its log says no time"},
		{"log of version 2 alone, with an end", root, object{"tlogEntries": entries(t, entryV2(t, a.log, env, byKey(t, key)))}, nil, false, "its log says no time"},
		{"a stranger's timestamp", root, object{"timestampVerificationData": stamps(stranger)}, nil, false, "is not by " + tsaURI},
		{"a stranger's and a good one", root, object{"timestampVerificationData": stamps(stranger, good)}, []envelope.Time{stamped}, false, ""},
		{"too many timestamps", root, object{"timestampVerificationData": stamps(crowd...)}, nil, false, "17 timestamps"},
		{"a changed time", root, object{"tlogEntries": entries(t, late)}, nil, false, "does not verify"},
		{"CVE-2026-22703: an entry about another signature", root, object{"tlogEntries": entries(t, foreign)}, nil, false, "about another signature"},
		{"so, beside a timestamp", root, object{"timestampVerificationData": stamps(good), "tlogEntries": entries(t, foreign)}, []envelope.Time{stamped}, false, ""},
		{"an unknown log", with(root, "tlogs", []object{}), object{"tlogEntries": entries(t, v1)}, nil, false, "whom the trusted root names"},
		{"CVE-2026-54787: no time but a verified one counts for a key", with(root, "timestampAuthorities", []object{}), object{"timestampVerificationData": stamps(good)}, nil, false, "names no timestamp authority"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			trust := envelope.Trust{Verifiers: []envelope.Verifier{pin(t, "cosign.pub", key)}}
			if tt.root != nil {
				trust.Root = parseRoot(t, tt.root)
			}
			got, err := trust.Open(marshal(t, with(bundleOf("", env), "verificationMaterial", with(tt.beside, "publicKey", object{"hint": hintOf(t, key)}))))
			if err != nil {
				t.Fatal(err)
			}
			checkTimes(t, got, tt.times, tt.logged)
			if !strings.Contains(got.Untimed(), tt.untimed) || got.Signer().Identity != nil || strings.Contains(got.Untimed(), "\n") {
				t.Errorf("untimed: %q, want %q; signer %+v", got.Untimed(), tt.untimed, got.Signer())
			}
			others := envelope.Trust{Verifiers: []envelope.Verifier{pin(t, "other.pub", other)}, Root: trust.Root}
			if _, err := others.Open(marshal(t, with(bundleOf("", env), "verificationMaterial", tt.beside))); codeOf(err) != envelope.CodeKey {
				t.Errorf("another key: got %v", err)
			}
		})
	}
	trust := envelope.Trust{Verifiers: []envelope.Verifier{pin(t, "cosign.pub", key)}, Root: parseRoot(t, root)}
	if got, err := trust.Open(marshal(t, env)); err != nil || got.Untimed() != "an envelope alone carries no timestamp" || len(got.Times()) > 0 || got.Logged() {
		t.Errorf("alone: %q, %v", got.Untimed(), err)
	}
}

// What a caller does with the times does not change what was verified.
func TestTimesAreACopy(t *testing.T) {
	s := play(t, nil, nil)
	got, err := s.trust().Open(s.raw())
	if err != nil {
		t.Fatal(err)
	}
	got.Times()[0].By = "mallory"
	if got.Times()[0].By != tsaURI {
		t.Errorf("times are now %v", got.Times())
	}
	raw, err := json.Marshal(got.Times())
	want := []byte(`[{"at":"` + noon.Format(time.RFC3339) + `","kind":"timestamp","by":"` + tsaURI + `"}]`)
	if err != nil || !bytes.Equal(raw, want) {
		t.Errorf("%s, %v; want %s", raw, err, want)
	}
}
