package main

import (
	"errors"
	"fmt"
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
// the key did not make is refused: somebody put it there. No identity seals, so none opens a seal.
func openSeal(file string, digest provenance.Digest, key *sign.Key) (string, error) {
	if _, err := os.Lstat(file + sealSuffix); errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if key.Identity() != nil {
		return "", provenance.Misuse("record with the key that made the seals, without a certificate; or remove them, and the digests are declared",
			"%s has a seal, which only its key opens, and what is recorded is signed with a certificate", file)
	}
	data, err := readSmall(file+sealSuffix, envelope.MaxSize)
	if err != nil {
		return "", err
	}
	verified, err := key.Trust().Open(data)
	if err != nil {
		return "", provenance.Refuse("data.seal", "name the key that sealed it with --key", "the seal of %s does not verify: %v", file, err)
	}
	if err := provenance.CheckSeal(verified.Payload(), digest); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return key.Fingerprint(), nil
}

// unopenedSeals are the parts with a seal that nobody can check without a key. A seal that is over another file is refused even so:
// it tells that the file was changed, or written again without one.
func unopenedSeals(parts []folder.Part) (sealed []string, err error) {
	for _, part := range parts {
		if _, err := os.Lstat(part.Path + sealSuffix); errors.Is(err, os.ErrNotExist) {
			continue
		}
		data, err := readSmall(part.Path+sealSuffix, envelope.MaxSize)
		if err != nil {
			return nil, err
		}
		payload, err := envelope.UnverifiedPayloadOf(data)
		if err == nil {
			err = provenance.CheckSeal(payload, part.Digest)
		}
		if err != nil {
			return nil, provenance.Refuse("data.seal", "was the file changed after it was sealed?", "the seal of %s is not over it: %v", part.Path, err)
		}
		sealed = append(sealed, part.Path)
	}
	return sealed, nil
}

// isSeal tells whether a file is a seal of a digest file, and not something else of that name.
func isSeal(name string) bool {
	data, err := readSmall(name, envelope.MaxSize)
	if err != nil {
		return false
	}
	payload, err := envelope.UnverifiedPayloadOf(data)
	if err != nil {
		return false
	}
	header, err := provenance.ParseHeader(payload)
	return err == nil && header.PredicateType == provenance.FolderDigestType
}

// removeSeal removes the seal of a file that was written again without one: it is over what the file held before.
func removeSeal(file string) error {
	if !isSeal(file + sealSuffix) {
		return nil
	}
	if err := os.Remove(file + sealSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the seal of the former %s: %w", file, err)
	}
	return nil
}

// sealsOf is the fingerprint of the key that sealed all of the parts; empty if none has a seal. Some sealed and some not are
// refused: the digests of one folder are known in one way.
func sealsOf(parts []folder.Part, key *sign.Key) (string, error) {
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
