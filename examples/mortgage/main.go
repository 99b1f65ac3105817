// Command mortgage tells the story of provenance on one machine, with nothing but Go and git: it makes a lake of timestamped
// data folders, trains a small real model on it, builds an image into an OCI layout, and then runs the program as a person
// would, printing every command. Everything stays in examples/mortgage/out to look at.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	if err := story(filepath.Join("examples", "mortgage", "out")); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// story is the whole demo, in the order in which it would happen. It leaves everything in out.
func story(out string) error {
	d := &demo{out: out}
	for _, chapter := range []func() error{d.prepare, d.lake, d.project, d.train, d.image, d.record, d.verify, d.tamper} {
		if err := chapter(); err != nil {
			return err
		}
	}
	fmt.Printf("\nEvery forgery was refused, within %.1f s. Everything is in %s to look at: the lake, the model, the image with its\nattestation, cosign.key (its password is %q) and cosign.pub, release.yaml. The tampered row was put back.\nGo there and type the commands yourself: cd %s && export PATH=$PWD/bin:$PATH COSIGN_PASSWORD=%s\n",
		time.Since(d.started).Seconds(), out, password, out, password)
	return nil
}

// prepare makes an empty folder and builds the program into it.
func (d *demo) prepare() error {
	if _, err := os.Stat("go.mod"); err != nil {
		return fmt.Errorf("run it from the repository's top folder: make demo")
	}
	if err := os.RemoveAll(d.out); err != nil {
		return err
	}
	if err := os.MkdirAll(d.out, 0o755); err != nil {
		return err
	}
	out, err := filepath.Abs(d.out)
	if err != nil {
		return err
	}
	d.out = out
	if err := d.write("go.mod", []byte("module out // what the demo makes is not part of this module\n")); err != nil {
		return err
	}
	d.program = filepath.Join(out, "bin", "provenance")
	fmt.Println("building the program …")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", d.program, "./cmd/provenance")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	d.started = time.Now()
	return nil
}

// record makes a key and records the night's build.
func (d *demo) record() error {
	d.chapter("The pipeline's step: record what went into the image, sign it, attach it")
	if err := d.run(0, "keygen"); err != nil {
		return err
	}
	return d.run(0, "record", "--image", image, "--data", "train=lake/mortgages/20261101T0000/", "--data", "train=lake/mortgages/20261122T0000/",
		"--data", "test=lake/mortgages/20261115T0000/", "--model", "model/model.json", "--model-name", "mortgage", "--model-version", "7",
		"--repo", "project", "--key", "cosign.key", "--builder-id", builder, "--bundle", "mortgage.sigstore.json")
}

// verify is the release gate, with a key alone and with a policy.
func (d *demo) verify() error {
	d.chapter("The release gate: verify it, first with the public key alone, then with a policy")
	if err := os.WriteFile(d.path("release.yaml"), []byte(policy), 0o644); err != nil {
		return err
	}
	if err := d.run(0, "verify", image, "--key", "cosign.pub"); err != nil {
		return err
	}
	if err := d.run(0, "verify", image, "--policy", "release.yaml", "--recheck", "content"); err != nil {
		return err
	}
	d.chapter("The auditor: what is attached, and by whom")
	return d.run(0, "show", image, "--key", "cosign.pub")
}
