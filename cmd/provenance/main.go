// Command provenance records the audit trail of a machine-learning model as a signed attestation on its container image,
// and verifies it. README.md shows how; this file only hands the process over to run.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	azlog "github.com/Azure/azure-sdk-for-go/sdk/azcore/log"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The SDK would write to stderr by itself whatever a service answers, if an earlier step of the job set its variable.
	azlog.SetListener(func(azlog.Event, string) {})
	p := process{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv}
	p.collect(collectLate)
	os.Exit(int(run(ctx, os.Args, p)))
}

// process is what the program has of its process: nothing below main knows another stream or environment.
type process struct {
	Stdin          *os.File // for the password prompt
	Stdout, Stderr io.Writer
	LookupEnv      func(string) (string, bool)

	color    bool     // results go to a terminal that shows colours
	terminal *os.File // where Stderr goes, if it is one
}

// getenv is a variable's value, empty if it is not set.
func (p process) getenv(name string) string {
	value, _ := p.LookupEnv(name)
	return value
}
