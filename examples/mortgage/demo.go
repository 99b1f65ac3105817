package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	image   = "oci:image:20261123.1"
	builder = "https://example.com/mortgage/nightly"

	password = "demo" // of the keys that it makes; a person would be asked for it
)

// policy is what the release manager asks for. The folders are local, so their roots are file paths.
const policy = `version: 1
builders:
  - id: https://example.com/mortgage/nightly
    keys: [cosign.pub]
source:
  branches: [main]
  clean: true
model:
  inImage: true
`

// demo is where the story happens.
type demo struct {
	out     string // absolute
	program string
	started time.Time

	factsShown bool
}

func (d *demo) path(elements ...string) string {
	return filepath.Join(append([]string{d.out}, elements...)...)
}

func (d *demo) chapter(title string) { fmt.Printf("\n== %s\n", title) }

// run types a command as a person would, and insists on its exit status.
func (d *demo) run(want int, args ...string) error {
	return d.runWith(nil, want, args...)
}

// runWith runs with further environment variables, which are printed in front of the command.
func (d *demo) runWith(env []string, want int, args ...string) error {
	fmt.Printf("\n$ %s\n", strings.Join(append(append([]string{}, env...), append([]string{"provenance"}, args...)...), " "))
	cmd := exec.Command(d.program, args...)
	var printed strings.Builder
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.out, &printed, &printed
	cmd.Env = append(cleanEnvironment(), append(env, "COSIGN_PASSWORD="+password)...)
	err := cmd.Run()
	fmt.Print(d.shortened(printed.String()))
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	got := cmd.ProcessState.ExitCode()
	fmt.Printf("(exit status %d)\n", got)
	if got != want {
		return fmt.Errorf("the exit status is %d, and should be %d", got, want)
	}
	return nil
}

// shortened leaves out the facts of a verdict, once they have been shown in full.
func (d *demo) shortened(output string) string {
	verdict, rest, found := strings.Cut(output, "\n\n  commit ")
	if !found || !d.factsShown {
		d.factsShown = d.factsShown || found
		return output
	}
	if _, reasons, found := strings.Cut(rest, "\n\n"); found {
		return verdict + "\n  … the facts, as above\n\n" + reasons
	}
	return verdict + "\n  … the facts, as above\n"
}

// cleanEnvironment is this process's environment without a pipeline around it: the demo is the same everywhere.
func cleanEnvironment() []string {
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		switch prefix, _, _ := strings.Cut(name, "_"); prefix {
		case "BUILD", "SYSTEM", "AGENT", "TF", "RELEASE":
		default:
			env = append(env, pair)
		}
	}
	return env
}

// git runs git in the project, as the people of the story.
func (d *demo) git(args ...string) error {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stderr = d.path("project"), os.Stderr
	cmd.Env = append(cleanEnvironment(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada Lovelace", "GIT_AUTHOR_EMAIL=ada@contoso.example", "GIT_AUTHOR_DATE=2026-11-22T16:10:00Z",
		"GIT_COMMITTER_NAME=Grace Hopper", "GIT_COMMITTER_EMAIL=grace@contoso.example", "GIT_COMMITTER_DATE=2026-11-22T16:40:00Z")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("git %s: %w", args[0], err)
	}
	return nil
}

// write writes a file below out, with its folders.
func (d *demo) write(name string, data []byte) error {
	name = d.path(filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}
