package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/image"
	"github.com/seed-3480f271/provenance/provenance/sign"
)

const (
	testPassword = "correct horse"
	testBuilder  = "https://example.com/nightly"
)

// world is a team with everything: a repository, a lake, a model, a registry with an image, and keys.
type world struct {
	t    *testing.T
	dir  string
	host string
	ref  string // of the image, by tag
	env  map[string]string
}

// newWorld makes one around a registry of a kind.
func newWorld(t *testing.T, kind string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), host: startRegistry(t, kind)}
	w.env = map[string]string{"PATH": os.Getenv("PATH"), "HOME": w.dir, "COSIGN_PASSWORD": testPassword}
	w.ref = w.host + "/mortgage:1"
	w.write("lake/train/a.csv", "1,2,3\n")
	w.write("lake/train/b/b.csv", "4,5,6\n")
	w.write("lake/test/t.csv", "7,8,9\n")
	w.write("model/model.bin", "weights\n")
	w.write("project/train.py", "print('train')\n")
	w.git("init", "-q", "-b", "main")
	w.git("remote", "add", "origin", "https://ada:s3cr3t-pat@dev.example.com/team/_git/mortgage")
	w.commit("Weight recent applications")
	for _, key := range []string{"cosign", "other"} {
		w.generate(key)
	}
	push(t, w.ref, makeImage(t, "linux/amd64", layerFiles{"/app/score.py": []byte("score")}, layerFiles{"/app/model.bin": []byte("weights\n")}))
	return w
}

func (w *world) path(elements ...string) string {
	return filepath.Join(append([]string{w.dir}, elements...)...)
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) git(args ...string) {
	w.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.com"}, args...)...)
	cmd.Dir = w.path("project")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "GIT_CONFIG_NOSYSTEM=1"}
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func (w *world) commit(subject string) {
	w.t.Helper()
	w.git("add", ".")
	w.git("commit", "-q", "--allow-empty", "-m", subject)
}

// generate makes a key pair.
func (w *world) generate(prefix string) {
	w.t.Helper()
	private, public, err := sign.Generate([]byte(testPassword))
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(prefix+".key", string(private))
	w.write(prefix+".pub", string(public))
}

// result is what one run of the program did.
type result struct {
	status         status
	stdout, stderr string
}

// run runs the program in the world's folder, in this process.
func (w *world) run(args ...string) result {
	w.t.Helper()
	w.t.Chdir(w.dir)
	var stdout, stderr bytes.Buffer
	st := run(context.Background(), append([]string{"provenance"}, args...), process{
		Stdout: &stdout, Stderr: &stderr,
		LookupEnv: func(name string) (string, bool) { value, ok := w.env[name]; return value, ok },
	})
	return result{st, stdout.String(), stderr.String()}
}

// must runs the program and insists on its exit status.
func (w *world) must(want status, args ...string) result {
	w.t.Helper()
	r := w.run(args...)
	if r.status != want {
		w.t.Fatalf("provenance %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), r.status, want, r.stdout, r.stderr)
	}
	return r
}

// recordArgs are the arguments of a whole recording.
func (w *world) recordArgs(extra ...string) []string {
	return append([]string{"record", "--image", w.ref, "--repo", "project", "--key", "cosign.key", "--builder-id", testBuilder,
		"--data", "train=lake/train/", "--data", "test=lake/test/", "--model", "model/model.bin", "--model-name", "mortgage"}, extra...)
}

// statement is the statement that a recording would sign, as JSON that a test may change.
func (w *world) statement() string {
	w.t.Helper()
	args := append(w.recordArgs(), "--dry-run", "--statement", "statement.json")
	w.must(statusDone, args...)
	return string(mustRead(w.t, w.path("statement.json")))
}

// key loads one of the world's signing keys.
func (w *world) key(prefix string) *sign.Key {
	w.t.Helper()
	key, err := sign.Load(context.Background(), w.path(prefix+".key"), sign.Options{
		Password: func(context.Context) ([]byte, error) { return []byte(testPassword), nil }})
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

// sign signs any statement with one of the world's keys.
func (w *world) sign(prefix, statement string) sign.Signed {
	w.t.Helper()
	signed, err := w.key(prefix).Sign(context.Background(), []byte(statement))
	if err != nil {
		w.t.Fatal(err)
	}
	return signed
}

// attach attaches any bytes to an image, as a forger with write access to the registry could.
func (w *world) attach(ref string, signed sign.Signed) {
	w.t.Helper()
	img, err := image.Resolve(context.Background(), ref, image.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	err = img.Attach(context.Background(), image.Attachment{Bundle: signed.Bundle, Envelope: signed.Envelope, PredicateType: provenance.PredicateType})
	if err != nil {
		w.t.Fatal(err)
	}
}

// digest is what a reference resolves to.
func (w *world) digest(ref string) v1.Hash {
	w.t.Helper()
	parsed, err := name.ParseReference(ref)
	if err != nil {
		w.t.Fatal(err)
	}
	desc, err := remote.Head(parsed)
	if err != nil {
		w.t.Fatal(err)
	}
	return desc.Digest
}

// codes are the codes of the findings in a verdict's JSON.
func (w *world) codes(r result) []string {
	w.t.Helper()
	var verdict struct {
		Verdict  string
		Findings []struct{ Code string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &verdict); err != nil {
		w.t.Fatalf("%v in %s", err, r.stdout)
	}
	var codes []string
	for _, f := range verdict.Findings {
		codes = append(codes, f.Code)
	}
	return codes
}

// bundleOf is the attested bundle of an image, as its journal has it.
func (w *world) bundleOf(ref string) []byte {
	w.t.Helper()
	img, err := image.Resolve(context.Background(), ref, image.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	found, err := img.Attestations(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range found {
		if f.Form == envelope.FormBundle {
			return f.Bytes
		}
	}
	w.t.Fatalf("%s has no bundle", ref)
	return nil
}
