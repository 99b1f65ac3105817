package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/verify/policy"
)

var update = flag.Bool("update", false, "rewrite the README's transcript")

const (
	transcriptBegin = "<!-- transcript: a test runs these commands -->\n"
	transcriptEnd   = "<!-- end -->\n"
	home            = "/home/ada/mortgage" // stands for the folder in which the commands are run
)

// quickstart are the commands of the README, in order; the last is refused.
var quickstart = []string{
	"provenance keygen",
	"provenance record --image oci:image:20261123.1 --data train=lake/20261122T0000/ --data test=lake/20261101T0000/ --model model.bin --model-name mortgage --repo project --key cosign.key --builder-id https://example.com/nightly",
	"provenance verify oci:image:20261123.1 --key cosign.pub --policy release.yaml --recheck content",
	"echo 52.10,180.00,4,0,0 > lake/20261122T0000/part-0.csv",
	"provenance verify oci:image:20261123.1 --key cosign.pub --policy release.yaml --recheck content",
}

// TestReadme: the README's transcript is what the program prints, but for digests and times.
func TestReadme(t *testing.T) {
	readme, err := filepath.Abs("../../README.md") // before the test goes elsewhere
	if err != nil {
		t.Fatal(err)
	}
	got := runQuickstart(t)
	text := string(mustRead(t, readme))
	before, rest, begins := strings.Cut(text, transcriptBegin)
	want, after, ends := strings.Cut(rest, transcriptEnd)
	if !begins || !ends {
		t.Fatal("the README has no transcript")
	}
	if *update {
		if err := os.WriteFile(readme, []byte(before+transcriptBegin+got+transcriptEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if masked(got) != masked(want) {
		t.Errorf("the README's transcript is not what the program prints; -update writes:\n%s", got)
	}
}

// runQuickstart runs the commands and returns them with their output, indented as Markdown wants it.
func runQuickstart(t *testing.T) string {
	w := &world{t: t, dir: t.TempDir()}
	w.env = map[string]string{"PATH": os.Getenv("PATH"), "HOME": w.dir, "COSIGN_PASSWORD": testPassword}
	w.write("project/train.py", "print('train')\n")
	w.git("init", "-q", "-b", "main")
	w.git("remote", "add", "origin", "https://dev.azure.com/contoso/Mortgage/_git/mortgage")
	w.commit("Weight recent applications")
	w.write("lake/20261101T0000/part-0.csv", "61.30,95.00,11,1,1\n")
	w.write("lake/20261122T0000/part-0.csv", "52.10,180.00,4,0,1\n")
	w.write("model.bin", "weights\n")
	w.write("release.yaml", strings.NewReplacer("repository: https://dev.example.com/team/_git/mortgage",
		"repository: https://dev.azure.com/contoso/Mortgage/_git/mortgage").Replace(goodPolicy(w)))
	writeLayout(t, w.path("image"), "20261123.1", makeImage(t, "linux/amd64", layerFiles{"/app/model.bin": []byte("weights\n")}))
	var out strings.Builder
	for i, command := range quickstart {
		out.WriteString("$ " + command + "\n")
		if data, found := strings.CutPrefix(command, "echo "); found {
			text, file, _ := strings.Cut(data, " > ")
			w.write(file, text+"\n")
			continue
		}
		want := statusDone
		if i == len(quickstart)-1 {
			want = statusRefused
		}
		r := w.must(want, strings.Fields(command)[1:]...)
		out.WriteString(r.stderr + shortened(r.stdout, i == 2) + "\n")
	}
	return indented(strings.ReplaceAll(out.String(), mustEval(t, w.dir), home))
}

// shortened leaves out the facts, which the reader sees once.
func shortened(output string, whole bool) string {
	verdict, rest, found := strings.Cut(output, "\n\n  commit ")
	if whole || !found {
		return output
	}
	_, reasons, _ := strings.Cut(rest, "\n\n")
	return strings.TrimSpace(verdict+"\n  …\n"+reasons) + "\n"
}

// mustEval is a folder as the program sees it.
func mustEval(t *testing.T, dir string) string {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return real
}

func indented(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \n"); line != "" {
			line = "    " + line
		}
		out.WriteString(line + "\n")
	}
	return "\n" + strings.TrimRight(out.String(), "\n") + "\n\n"
}

// Digests and times differ in every run; so do the columns that depend on the length of the folder's name.
var (
	hexDigits = regexp.MustCompile(`[0-9a-f]{7,64}`)
	times     = regexp.MustCompile(`\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	spaces    = regexp.MustCompile(` +`)
)

func masked(text string) string {
	return spaces.ReplaceAllString(times.ReplaceAllString(hexDigits.ReplaceAllString(text, "X"), "T"), " ")
}

// TestReadmePolicy: the policy that the README shows is one.
func TestReadmePolicy(t *testing.T) {
	_, rest, found := strings.Cut(string(mustRead(t, "../../README.md")), "\n    version: 1\n")
	if !found {
		t.Fatal("the README shows no policy")
	}
	var text strings.Builder
	text.WriteString("version: 1\n")
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "    ") {
			break
		}
		text.WriteString(line[4:])
	}
	w := &world{t: t, dir: t.TempDir()}
	w.generate("cosign")
	policy, err := policy.Parse("README.md", []byte(text.String()), func(string) ([]byte, error) { return mustRead(t, w.path("cosign.pub")), nil })
	if err != nil {
		t.Fatal(err)
	}
	if len(policy.Builders) != 1 || policy.Source == nil || policy.Data == nil || policy.Databricks == nil || policy.Metrics == nil || policy.Model == nil || policy.Approvals == nil {
		t.Errorf("the policy lacks a section: %+v", policy)
	}
}

// TestExampleConfig: every key of the example is one, and it says all that a recording needs.
func TestExampleConfig(t *testing.T) {
	const file = "../../examples/provenance.yaml"
	var cfg config
	if err := parseConfig(file, mustRead(t, file), &cfg); err != nil {
		t.Fatal(err)
	}
	if err := cfg.check(false); err != nil {
		t.Error(err)
	}
	if folders, err := cfg.askedFolders(); err != nil || len(folders) != 2 || folders[0].role != "train" || folders[1].role != "test" {
		t.Errorf("folders %v, %v", folders, err)
	}
}
