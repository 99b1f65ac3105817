package verify

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
)

// builderID is the builder of the tests' statements.
const builderID = "https://dev.azure.com/contoso/Mortgage/_build?definitionId=7&pool=hosted"

// signer is a builder's key.
type signer struct {
	private  *ecdsa.PrivateKey
	pem      string
	verifier envelope.Verifier
}

func newSigner(t testing.TB, name string) signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	must(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	verifier, err := envelope.ParsePublicKey(name, public)
	must(t, err)
	return signer{private, string(public), verifier}
}

// sign makes a DSSE envelope around a payload.
func (s signer) sign(t testing.TB, payload []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(dsse.PAE(envelope.PayloadType, payload))
	signature, err := ecdsa.SignASN1(rand.Reader, s.private, sum[:])
	must(t, err)
	return marshal(t, dsse.Envelope{PayloadType: envelope.PayloadType, Payload: base64.StdEncoding.EncodeToString(payload),
		Signatures: []dsse.Signature{{Sig: base64.StdEncoding.EncodeToString(signature)}}})
}

// bundle puts an envelope into a Sigstore bundle.
func bundle(t testing.TB, raw []byte) []byte {
	return marshal(t, map[string]any{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{"publicKey": map[string]string{"hint": ""}}, "dsseEnvelope": json.RawMessage(raw)})
}

// candidate opens an envelope as cmd does.
func candidate(where string, raw []byte, verifiers ...envelope.Verifier) Candidate {
	verified, err := envelope.Open(raw, verifiers...)
	c := Candidate{Where: where, Form: verified.Form(), Verified: verified, Err: err}
	return c
}

// night is everything that one build says; tests change it before it is written down.
type night struct {
	image      provenance.Image
	pipeline   provenance.Pipeline
	commit     provenance.Commit
	data       []provenance.Folder
	databricks *provenance.DatabricksRun
	model      *provenance.Model
	build      *provenance.Build
	mlflow     *provenance.MLflowRun
	review     *provenance.Review
	release    *provenance.Release
	notebooks  []provenance.Notebook
	// edit changes the statement's JSON after it was written: what another program could have signed.
	edit func(statement map[string]any)
}

func digest(t testing.TB, algorithm provenance.Algorithm, digit string) provenance.Digest {
	t.Helper()
	n := 64
	if algorithm == provenance.GitCommit || algorithm == provenance.GitTree {
		n = 40
	}
	d, err := provenance.NewDigest(algorithm, strings.Repeat(digit, n))
	must(t, err)
	return d
}

// at is an hour of a day in November 2026.
func at(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }

// sha is a sha256 digest that stands for a manifest.
func sha(t testing.TB, digit string) provenance.Digest { return digest(t, provenance.SHA256, digit) }

// goodNight is a build that the example policy accepts. Its image is an index "1" of "2" and "3".
func goodNight(t testing.TB) *night {
	started := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	return &night{
		image: provenance.Image{Grounds: provenance.Grounds{Basis: provenance.Observed}, Repository: "contoso.azurecr.io/mortgage",
			Reference: "20261123.1", Digest: sha(t, "1"), Platforms: []provenance.Platform{
				{Name: "linux/amd64", Digest: sha(t, "2")}, {Name: "linux/arm64/v8", Digest: sha(t, "3")}}},
		pipeline: provenance.Pipeline{Grounds: provenance.Grounds{Basis: provenance.Declared}, BuilderID: builderID,
			InvocationID: "https://dev.azure.com/contoso/Mortgage/_build/results?buildId=4711",
			Repository:   "https://dev.azure.com/contoso/Mortgage/_git/mortgage", Ref: "refs/heads/main", Started: started, Finished: started.Add(31 * time.Minute)},
		commit: provenance.Commit{Grounds: provenance.Grounds{Basis: provenance.Observed, BasisOf: map[string]provenance.Basis{
			"repository": provenance.Declared, "ref": provenance.Declared, "author": provenance.Declared}},
			Repository: "https://dev.azure.com/contoso/Mortgage/_git/mortgage", Ref: "refs/heads/main",
			ID: digest(t, provenance.GitCommit, "5"), Tree: digest(t, provenance.GitTree, "6"), Files: digest(t, provenance.DirHash, "7"),
			Subject: "Weight recent applications", Author: provenance.Person{Name: "Ada Lovelace"}, Signature: "none"},
		data: []provenance.Folder{folder(t, "train", "abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000/", "b")},
		databricks: &provenance.DatabricksRun{Grounds: provenance.Grounds{Basis: provenance.Reported}, Host: "https://adb-1.2.azuredatabricks.net",
			RunID: "81462", Result: "SUCCESS", PageURL: "https://adb-1.2.azuredatabricks.net/?o=1#job/12/run/9", Answered: provenance.Answered{AskedAt: started,
				Answer: stored(t, "databricks-run-81462.json", "e")}},
		model: &provenance.Model{Grounds: provenance.Grounds{Basis: provenance.Observed}, Name: "mortgage", Version: "7",
			URI: "abfss://models@contoso.dfs.core.windows.net/mortgage/7/model.bin", Digest: digest(t, provenance.DirHash, "f"), Files: 1, Bytes: 40321,
			Locations: []provenance.Location{{Platform: "linux/amd64", Path: "/app/model.bin"}, {Platform: "linux/arm64/v8", Path: "/app/model.bin"}},
			Manifest:  stored(t, "manifest-f.txt", "f")},
	}
}

func folder(t testing.TB, role, uri, digit string) provenance.Folder {
	return provenance.Folder{Grounds: provenance.Grounds{Basis: provenance.Observed, BasisOf: map[string]provenance.Basis{"trainedOn": provenance.Declared}},
		Role: role, URI: uri, Digest: digest(t, provenance.DirHash, digit), Files: 3, Bytes: 1 << 20, Immutability: "unknown",
		TrainedOn: "named by the pipeline", Manifest: stored(t, "manifest-"+digit+".txt", digit), Index: stored(t, "index-"+digit+".jsonl", "d")}
}

func stored(t testing.TB, name, digit string) provenance.Stored {
	return provenance.Stored{Name: name, MediaType: "text/plain", Digest: sha(t, digit), Size: 100}
}

// confirmedBuild is the pipeline's run as Azure DevOps and the claims of the job's token tell of it.
func confirmedBuild(n *night) {
	definition, _, _ := strings.Cut(builderID, "&")
	answer := provenance.Stored{Name: "build.json", MediaType: "application/json", Digest: provenance.SumSHA256([]byte("build")), Size: 5}
	n.build = &provenance.Build{Grounds: provenance.Grounds{Basis: provenance.Reported}, Answered: provenance.Answered{AskedAt: n.pipeline.Started, Answer: answer},
		URL: n.pipeline.InvocationID, ID: "4711", Status: "inProgress", Definition: provenance.Definition{ID: "7", URL: definition},
		Commit: n.commit.ID.Hex(), Ref: n.pipeline.Ref, Pool: "Azure Pipelines", Hosted: strings.HasSuffix(builderID, "=hosted"),
		Claims: map[string]string{"run_id": "4711", "def_id": "7"}}
}

// payload is the statement's bytes.
func (n *night) payload(t testing.TB) []byte {
	t.Helper()
	evidence := []provenance.Evidence{provenance.Tool{Name: "provenance", Version: "v0.1.0"}, n.image, n.pipeline, n.commit}
	for _, f := range n.data {
		evidence = append(evidence, f)
	}
	if n.databricks != nil {
		evidence = append(evidence, *n.databricks)
	}
	if n.model != nil {
		evidence = append(evidence, *n.model)
	}
	if n.build != nil {
		evidence = append(evidence, *n.build)
	}
	if n.mlflow != nil {
		evidence = append(evidence, *n.mlflow)
	}
	if n.review != nil {
		evidence = append(evidence, *n.review)
	}
	if n.release != nil {
		evidence = append(evidence, *n.release)
	}
	for _, notebook := range n.notebooks {
		evidence = append(evidence, notebook)
	}
	statement, err := provenance.NewStatement(evidence...)
	must(t, err)
	data, err := statement.Bytes()
	must(t, err)
	if n.edit == nil {
		return data
	}
	var fields map[string]any
	must(t, json.Unmarshal(data, &fields))
	n.edit(fields)
	return marshal(t, fields)
}

// members is a registry in which "1" is an index of "2" and "3", and nothing else is an index.
func members(t testing.TB) func(context.Context, provenance.Digest) ([]provenance.Digest, error) {
	return func(_ context.Context, index provenance.Digest) ([]provenance.Digest, error) {
		if index == sha(t, "1") {
			return []provenance.Digest{sha(t, "2"), sha(t, "3")}, nil
		}
		return nil, nil
	}
}

// policy parses a policy whose keys are files of the signers' names.
func policyOf(t testing.TB, text string, signers ...signer) *Policy {
	t.Helper()
	p, err := policy.Parse("policy.yaml", []byte(text), func(path string) ([]byte, error) {
		for _, s := range signers {
			if s.verifier.Name == path {
				return []byte(s.pem), nil
			}
		}
		return nil, provenance.Misuse("", "there is no file %s", path)
	})
	must(t, err)
	return p
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	must(t, err)
	return data
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
