package main

import (
	"errors"
	"os"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/sign"
	"github.com/urfave/cli/v2"
)

func keygenCommand(p process) *cli.Command {
	return &cli.Command{
		Name:  "keygen",
		Usage: "make a key pair in cosign's own format: PREFIX.key, encrypted with a password, and PREFIX.pub",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output-key-prefix", Usage: "write `PREFIX`.key and PREFIX.pub", Value: "cosign"},
		},
		Action: p.action(0, keygen),
	}
}

func keygen(j *job) error {
	prefix := j.c.String("output-key-prefix")
	private, public := prefix+".key", prefix+".pub"
	for _, name := range []string{private, public} {
		if _, err := os.Lstat(name); err == nil {
			return provenance.Misuse("move it away, or choose another --output-key-prefix", "%s exists and is not overwritten", name)
		}
	}
	password, err := j.newPassword(j.ctx)
	if err != nil {
		return err
	}
	privatePEM, publicPEM, err := sign.Generate(password)
	if err != nil {
		return err
	}
	err = createFile(private, privatePEM, 0o600)
	if err == nil {
		err = createFile(public, publicPEM, 0o644)
	}
	if err != nil {
		return provenance.Misuse("does the folder of --output-key-prefix exist, and may one write there?", "the key pair cannot be written: %v", err)
	}
	j.say("wrote %s (keep it secret) and %s (hand it to auditors)", private, public)
	return nil
}

// createFile writes a file that must not exist yet.
func createFile(name string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
