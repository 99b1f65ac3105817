package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/seed-3480f271/provenance/provenance"
	"golang.org/x/term"
)

// passwordVariable is where cosign, too, looks for the password of its keys.
const passwordVariable = "COSIGN_PASSWORD"

// password is the password of an existing key: from the environment, or asked for on a terminal.
func (j *job) password(context.Context) ([]byte, error) {
	if value, set := j.passwordFromEnvironment(); set {
		return value, nil
	}
	return j.ask("Password of the key: ")
}

// newPassword is the password for a new key; on a terminal it is asked for twice.
func (j *job) newPassword(context.Context) ([]byte, error) {
	if value, set := j.passwordFromEnvironment(); set {
		return value, nil
	}
	first, err := j.ask("Password for the new key: ")
	if err != nil {
		return nil, err
	}
	again, err := j.ask("Once more: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, again) {
		return nil, provenance.Misuse("", "the two passwords differ")
	}
	return first, nil
}

// passwordFromEnvironment tells an empty password, which is one, from none.
func (j *job) passwordFromEnvironment() ([]byte, bool) {
	value, set := j.LookupEnv(passwordVariable)
	return []byte(value), set
}

func (j *job) ask(prompt string) ([]byte, error) {
	if j.Stdin == nil || !term.IsTerminal(int(j.Stdin.Fd())) {
		return nil, provenance.Misuse("set "+passwordVariable+", as for cosign", "the key needs a password, and there is no terminal to ask for it")
	}
	fmt.Fprint(j.Stderr, prompt)
	value, err := term.ReadPassword(int(j.Stdin.Fd()))
	fmt.Fprintln(j.Stderr)
	if err != nil {
		return nil, provenance.Misuse("set "+passwordVariable, "the password cannot be read: %v", err)
	}
	return value, nil
}
