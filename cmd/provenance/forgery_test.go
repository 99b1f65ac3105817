package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/seed-3480f271/provenance/provenance/sign"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	cosignbundle "github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/sigstore/pkg/signature/dsse"
)

// TestForgeries is the table of what must be refused: each forgery ends in status 1, and the verdict names its reason.
func TestForgeries(t *testing.T) {
	for _, f := range []struct {
		name  string
		code  string // of the finding
		forge func(w *world) (args []string)
	}{
		{"wrong key", "signature.key", func(w *world) []string {
			w.must(statusDone, w.recordArgs()...)
			return []string{w.ref, "--key", "other.pub"}
		}},
		{"nothing attached", "signature.none", func(w *world) []string { return []string{w.ref, "--key", "cosign.pub"} }},
		{"edited payload", "signature.invalid", func(w *world) []string {
			signed := w.sign("cosign", w.statement())
			w.attach(w.ref, sign.Signed{Envelope: editPayload(w, signed.Envelope, false), Bundle: editPayload(w, signed.Bundle, true)})
			return []string{w.ref, "--key", "cosign.pub"}
		}},
		{"attestation copied from another image", "subject.mismatch", func(w *world) []string {
			w.must(statusDone, w.recordArgs()...)
			other := w.otherImage()
			bundle := w.bundleOf(w.ref)
			w.attach(other, sign.Signed{Bundle: bundle, Envelope: envelopeOf(w, bundle)})
			return []string{other, "--key", "cosign.pub"}
		}},
		{"subject swapped", "subject.mismatch", resigned(func(w *world, s string) string {
			return strings.ReplaceAll(s, w.digest(w.ref).Hex, strings.Repeat("ab", 32))
		})},
		{"a sha256 subject that is not the image", "subject.foreign", resigned(func(w *world, s string) string {
			return strings.Replace(s, `"subject":[`, `"subject":[{"name":"x","digest":{"sha256":"`+strings.Repeat("ab", 32)+`"}},`, 1)
		})},
		{"a model whose bytes are another image's manifest", "subject.mismatch", func(w *world) []string {
			other := w.otherImage()
			manifest := w.manifest(other)
			w.write("model/model.bin", manifest)
			push(w.t, w.ref, makeImage(w.t, "linux/amd64", layerFiles{"/app/model.bin": []byte(manifest)}))
			w.must(statusDone, w.recordArgs()...)
			bundle := w.bundleOf(w.ref)
			w.attach(other, sign.Signed{Bundle: bundle, Envelope: envelopeOf(w, bundle)})
			return []string{other, "--key", "cosign.pub"}
		}},
		{"payloadType changed", "envelope.payloadType", func(w *world) []string {
			w.attach(w.ref, signAs(w, "application/vnd.other+json", w.statement()))
			return []string{w.ref, "--key", "cosign.pub"}
		}},
		{"predicateType changed", "statement.predicateType", replaced("https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.9")},
		{"_type changed", "statement.type", replaced("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v3")},
		{"buildType changed", "statement.buildType", replaced("azure-pipelines-ml/v1\",\"externalParameters", "other/v1\",\"externalParameters")},
		{"other data chosen than recorded", "statement.malformed", replaced(`"data":[{`, `"data":[{"role":"test","uri":"x"},{`)},
		{"a check that the facts contradict", "statement.contradiction", replaced(`"internalParameters":{`, `"internalParameters":{"commitId":"`+strings.Repeat("6", 40)+`",`)},
		{"unsigned", "envelope.unsigned", func(w *world) []string {
			signed := w.sign("cosign", w.statement())
			w.attach(w.ref, sign.Signed{Envelope: unsign(w, signed.Envelope, false), Bundle: unsign(w, signed.Bundle, true)})
			return []string{w.ref, "--key", "cosign.pub"}
		}},
		{"signed by a second, unpinned key", "signature.key", func(w *world) []string {
			w.attach(w.ref, w.sign("other", w.statement()))
			return []string{w.ref, "--key", "cosign.pub"}
		}},
		{"two valid statements that disagree on the commit", "disagree.commit", func(w *world) []string {
			w.must(statusDone, w.recordArgs()...)
			w.commit("Another commit")
			w.must(statusDone, w.recordArgs()...)
			return []string{w.ref, "--key", "cosign.pub"}
		}},
		{"builder not allowed", "builder.id", withPolicy("id: "+testBuilder, "id: https://example.com/other")},
		{"repository not allowed", "source.repository", withPolicy("repository: https://dev.example.com/team/_git/mortgage", "repository: https://dev.example.com/evil")},
		{"branch not allowed", "source.branch", withPolicy("branches: [main]", "branches: [release/*]")},
		{"data root not allowed", "data.root", withPolicy("/lake/\n", "/lakes/\n")},
		{"no Databricks run", "databricks.missing", withPolicy("model:", "databricks: {result: SUCCESS}\nmodel:")},
		{"model at another path", "model.path", withPolicy("path: /app/model.bin", "path: /app/other.bin")},
		{"dirty work tree", "source.clean", func(w *world) []string {
			w.write("project/train.py", "print('something else')\n")
			return withPolicy("version: 1", "version: 1")(w)
		}},
		{"file added to a folder", "recheck.changed", rechecked(func(w *world) { w.write("lake/train/c.csv", "0\n") })},
		{"file removed from a folder", "recheck.changed", rechecked(func(w *world) { w.remove("lake/train/a.csv") })},
		{"file changed in a folder", "recheck.changed", rechecked(func(w *world) { w.write("lake/train/a.csv", "9,2,3\n") })},
		{"file renamed in a folder", "recheck.changed", rechecked(func(w *world) {
			if err := os.Rename(w.path("lake/train/a.csv"), w.path("lake/train/z.csv")); err != nil {
				w.t.Fatal(err)
			}
		})},
	} {
		t.Run(f.name, func(t *testing.T) {
			w := newWorld(t, "referrers")
			args := append([]string{"verify", "--format", "json"}, f.forge(w)...)
			r := w.must(statusRefused, args...)
			if codes := w.codes(r); !slices.Contains(codes, f.code) {
				t.Errorf("the findings are %q, want %s\n%s", codes, f.code, r.stdout)
			}
			for _, format := range []string{"text", "markdown"} { // the status never depends on the format
				args[2] = format
				w.must(statusRefused, args...)
			}
		})
	}
}

// TestForgeriesThatRecordRefuses never become a statement, and nothing is attached.
func TestForgeriesThatRecordRefuses(t *testing.T) {
	for _, f := range []struct {
		name, want string
		forge      func(w *world) []string
	}{
		{"model not in the image", "the model is not in", func(w *world) []string {
			w.write("model/model.bin", "other weights\n")
			return w.recordArgs()
		}},
		{"model whited out in a later layer", "removed by a later", func(w *world) []string {
			push(w.t, w.ref, makeImage(w.t, "linux/amd64", layerFiles{"/app/model.bin": []byte("weights\n")}, layerFiles{"/app/.wh.model.bin": nil}))
			return w.recordArgs()
		}},
		{"commit that the pipeline does not build", "builds commit", func(w *world) []string {
			w.env["BUILD_SOURCEVERSION"] = strings.Repeat("c0ffee42", 5)
			return w.recordArgs()
		}},
		{"secret in what the pipeline says", "SAS signature", func(w *world) []string {
			return w.recordArgs("--model-version", "sig="+strings.Repeat("Ab", 20)+"%3D")
		}},
		{"secret of this process", "a secret of this process", func(w *world) []string {
			w.env["SYSTEM_ACCESSTOKEN"] = "hunter-22-hunter"
			return w.recordArgs("--model-version", "hunter-22-hunter")
		}},
		{"empty folder", "no files", func(w *world) []string {
			if err := os.Mkdir(w.path("empty"), 0o755); err != nil {
				w.t.Fatal(err)
			}
			return w.recordArgs("--data", "empty/")
		}},
		{"name with a newline", "newline", func(w *world) []string {
			w.write("lake/train/a\nb.csv", "1\n")
			return w.recordArgs()
		}},
		{"image without the wanted platform", "linux/s390x", func(w *world) []string { return w.recordArgs("--platform", "linux/s390x") }},
	} {
		t.Run(f.name, func(t *testing.T) {
			w := newWorld(t, "referrers")
			r := w.must(statusRefused, f.forge(w)...)
			if !strings.Contains(r.stderr, f.want) || r.stdout != "" {
				t.Errorf("want an error with %q and no result, got:\n%s%s", f.want, r.stdout, r.stderr)
			}
			delete(w.env, "BUILD_SOURCEVERSION")
			if codes := w.codes(w.must(statusRefused, "verify", w.ref, "--key", "cosign.pub", "--format", "json")); !slices.Equal(codes, []string{"signature.none"}) {
				t.Errorf("something was attached: %q", codes)
			}
		})
	}
}

// resigned forges a statement and signs it with the right key.
func resigned(forge func(w *world, statement string) string) func(*world) []string {
	return func(w *world) []string {
		before := w.statement()
		after := forge(w, before)
		if after == before {
			w.t.Fatal("the forgery changed nothing")
		}
		w.attach(w.ref, w.sign("cosign", after))
		return []string{w.ref, "--key", "cosign.pub"}
	}
}

func replaced(old, new string) func(*world) []string {
	return resigned(func(_ *world, s string) string { return strings.Replace(s, old, new, 1) })
}

// goodPolicy accepts what the world records.
func goodPolicy(w *world) string {
	return `version: 1
builders:
  - id: ` + testBuilder + `
    keys: [cosign.pub]
source:
  repository: https://dev.example.com/team/_git/mortgage
  branches: [main]
  clean: true
data:
  roots:
    - ` + w.path("lake") + `/
model:
  inImage: true
  path: /app/model.bin
`
}

// withPolicy records, and verifies with a policy that differs in one line.
func withPolicy(old, new string) func(*world) []string {
	return func(w *world) []string {
		good := goodPolicy(w)
		if !strings.Contains(good, old) {
			w.t.Fatalf("the policy has no %q", old)
		}
		w.write("policy.yaml", strings.Replace(good, old, new, 1))
		w.must(statusDone, w.recordArgs()...)
		return []string{w.ref, "--policy", "policy.yaml"}
	}
}

func rechecked(change func(*world)) func(*world) []string {
	return func(w *world) []string {
		w.must(statusDone, w.recordArgs()...)
		w.must(statusDone, "verify", w.ref, "--key", "cosign.pub", "--recheck", "content")
		change(w)
		return []string{w.ref, "--key", "cosign.pub", "--recheck", "content"}
	}
}

// TestGoodPolicyAccepts: the policy that the forgeries vary accepts what was recorded.
func TestGoodPolicyAccepts(t *testing.T) {
	w := newWorld(t, "plain")
	w.write("policy.yaml", goodPolicy(w))
	w.must(statusDone, w.recordArgs()...)
	w.must(statusDone, "verify", w.ref, "--policy", "policy.yaml", "--recheck", "content", "--format", "json")
}

func (w *world) remove(name string) {
	if err := os.Remove(w.path(name)); err != nil {
		w.t.Fatal(err)
	}
}

// otherImage pushes another image and returns its reference.
func (w *world) otherImage() string {
	ref := w.host + "/mortgage:other"
	push(w.t, ref, makeImage(w.t, "linux/amd64", layerFiles{"/app/other": []byte("other")}))
	return ref
}

// manifest is an image's manifest, as text.
func (w *world) manifest(ref string) string {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		w.t.Fatal(err)
	}
	desc, err := remote.Get(parsed)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(desc.Manifest)
}

// changeEnvelope changes the DSSE envelope of a bundle, or an envelope alone.
func changeEnvelope(w *world, data []byte, inBundle bool, change func(envelope map[string]any)) []byte {
	var outer map[string]any
	if err := json.Unmarshal(data, &outer); err != nil {
		w.t.Fatal(err)
	}
	inner := outer
	if inBundle {
		inner = outer["dsseEnvelope"].(map[string]any)
	}
	change(inner)
	out, err := json.Marshal(outer)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func editPayload(w *world, data []byte, inBundle bool) []byte {
	return changeEnvelope(w, data, inBundle, func(e map[string]any) {
		payload, err := base64.StdEncoding.DecodeString(e["payload"].(string))
		if err != nil {
			w.t.Fatal(err)
		}
		e["payload"] = base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(payload), "Ada Lovelace", "Eve Lovelace", 1)))
	})
}

func unsign(w *world, data []byte, inBundle bool) []byte {
	return changeEnvelope(w, data, inBundle, func(e map[string]any) { e["signatures"] = []any{} })
}

func envelopeOf(w *world, bundle []byte) []byte {
	var outer struct{ DsseEnvelope json.RawMessage }
	if err := json.Unmarshal(bundle, &outer); err != nil {
		w.t.Fatal(err)
	}
	return outer.DsseEnvelope
}

// signAs signs with the right key under another payload type.
func signAs(w *world, payloadType, payload string) sign.Signed {
	signer, err := cosign.LoadPrivateKey(mustRead(w.t, w.path("cosign.key")), []byte(testPassword), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	env, err := dsse.WrapSigner(signer, payloadType).SignMessage(strings.NewReader(payload))
	if err != nil {
		w.t.Fatal(err)
	}
	public, err := signer.PublicKey()
	if err != nil {
		w.t.Fatal(err)
	}
	bundle, err := cosignbundle.MakeNewBundle(public, nil, []byte(payload), env, nil, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return sign.Signed{Envelope: env, Bundle: bundle}
}
