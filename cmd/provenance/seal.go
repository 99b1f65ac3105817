package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/sign"
)

// sealSuffix is what the seal of a digest file is called after the file.
const sealSuffix = ".sigstore.json"

// writeSeal signs over a digest file, and writes the bundle beside it.
func (j *job) writeSeal(key *sign.Key, file string, digest provenance.Digest) error {
	payload, err := provenance.Seal(filepath.Base(file), digest)
	if err != nil {
		return err
	}
	signed, err := key.Sign(j.ctx, payload)
	if err != nil {
		return err
	}
	return writeFile(file+sealSuffix, signed.Bundle)
}

// openSeal is the fingerprint of the key that sealed a file with that digest; empty if there is no seal beside it. A seal that
// the key did not make is refused: somebody put it there.
func openSeal(file string, digest provenance.Digest, key envelope.Verifier) (string, error) {
	if _, err := os.Lstat(file + sealSuffix); errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	data, err := readSmall(file+sealSuffix, envelope.MaxSize)
	if err != nil {
		return "", err
	}
	verified, err := envelope.Open(data, key)
	if err != nil {
		return "", provenance.Refuse("data.seal", "name the key that sealed it with --key", "the seal of %s does not verify: %v", file, err)
	}
	return key.Fingerprint(), provenance.CheckSeal(verified.Payload(), digest)
}

// sealsOf is the fingerprint of the key that sealed all of the parts; empty if none has a seal. Some sealed and some not are
// refused: the digests of one folder are known in one way.
func sealsOf(parts []folder.Part, key envelope.Verifier) (string, error) {
	sealed, unsealed := "", ""
	for _, part := range parts {
		by, err := openSeal(part.Path, part.Digest, key)
		if err != nil {
			return "", err
		}
		if by == "" {
			unsealed = part.Path
		} else {
			sealed = by
		}
	}
	if sealed != "" && unsealed != "" {
		return "", provenance.Refuse("data.seal", "seal all parts, or none", "%s has no seal, but other parts of its folder have one", unsealed)
	}
	return sealed, nil
}

// writeFile writes a file that the user named.
func writeFile(name string, data []byte) error {
	return createWith(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
