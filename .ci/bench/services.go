package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance/provtest"
)

// latency is what each answer of a service takes.
const latency = 50 * time.Millisecond

// services compares a record that asks all services with the slowest one that asks a single service: they are asked at the same time.
func (b *bed) services() (err error) {
	t := &tools{}
	defer t.end(&err)
	commit, err := b.headCommit()
	if err != nil {
		return err
	}
	s := provtest.StartServices(t, provtest.Night{Commit: commit, Notebook: "train\n", Model: []byte("weights"), Latency: latency})
	for name, value := range s.Env(commit) {
		b.env = append(b.env, name+"="+value)
	}
	defer func() { b.env = nil }()
	ref, err := b.image("services")
	if err != nil {
		return err
	}
	single := map[string][]string{
		"Databricks":   {"--databricks-host", s.Databricks.URL, "--databricks-run", provtest.NightRun, "--azure-devops", "never"},
		"MLflow":       {"--mlflow-uri", s.MLflow.URL, "--mlflow-run", provtest.NightTracked, "--azure-devops", "never"},
		"Azure ML":     {"--azureml-workspace", provtest.NightWorkspace, "--model-name", "mortgage", "--model-version", "7", "--azure-devops", "never"},
		"Azure DevOps": {"--azure-devops", s.DevOps.URL},
	}
	return b.compareServices(ref, single)
}

func (b *bed) compareServices(ref string, single map[string][]string) error {
	record := func(args []string) (cost, error) {
		return b.run(b.program, append([]string{"record", "--dry-run", "--image", ref, "--repo", "project", "--quiet"}, args...)...)
	}
	var all []string
	slowest, which := cost{}, ""
	for name, args := range single {
		one, err := b.medianOf(func() (cost, error) { return record(args) })
		if err != nil {
			return err
		}
		if one.wall > slowest.wall {
			slowest, which = one, name
		}
		if i := slices.Index(args, "never"); i > 0 {
			args = args[:i-1]
		}
		all = append(all, args...)
	}
	together, err := b.medianOf(func() (cost, error) { return record(all) })
	if err != nil {
		return err
	}
	row(fmt.Sprintf("record, all services (%s alone)", which), "ms", milliseconds(together.wall), milliseconds(slowest.wall), "ratio <= 1.5")
	return nil
}

// medianOf runs something several times; the first time does not count.
func (b *bed) medianOf(do func() (cost, error)) (cost, error) {
	var all []cost
	for i := range rounds {
		c, err := do()
		if err != nil {
			return c, err
		}
		if i > 0 {
			all = append(all, c)
		}
	}
	return median(all), nil
}

func (b *bed) headCommit() (string, error) {
	out, err := exec.Command("git", "-C", filepath.Join(b.dir, "project"), "rev-parse", "HEAD").Output()
	return strings.TrimSpace(string(out)), err
}
