package sign

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/sigstore/cosign/v2/pkg/cosign"

	"github.com/seed-3480f271/provenance/provenance"
)

// maxKeySize bounds the bytes of a key file.
const maxKeySize = 64 << 10

// Options are what [Load] may need beside a reference.
type Options struct {
	Getenv   func(string) string                       // reads env://VAR; nil: there are no variables
	Password func(ctx context.Context) ([]byte, error) // of an encrypted key; asked only for one; nil: the empty password
}

// Load finds the private key that a reference names:
//
//	cosign.key                                      a cosign key file
//	env://VAR                                       the same, in a variable
//	azurekms://VAULT.vault.azure.net/KEY[/VERSION]  a key that never leaves Azure Key Vault
//
// A reference or password that is wrong is a *[provenance.Misused]; a key vault that cannot be reached, or denies access, is
// any other error. No error repeats a password or a key. Decrypting a key file takes a tenth of a second on purpose: callers
// may want to load in the background.
func Load(ctx context.Context, ref string, o Options) (*Key, error) {
	scheme, rest, found := strings.Cut(ref, "://")
	switch {
	case !found:
		return loadFile(ctx, ref, o)
	case scheme == "env":
		return loadVariable(ctx, rest, o)
	case scheme == "azurekms":
		return loadVault(ctx, ref)
	}
	return nil, provenance.Misuse("a key is a cosign key file, env://VAR or azurekms://VAULT.vault.azure.net/KEY",
		"%.40q is not a kind of key", scheme+"://")
}

func loadFile(ctx context.Context, path string, o Options) (*Key, error) {
	data, err := readFile(path)
	if err != nil {
		var failed *fs.PathError
		if errors.As(err, &failed) {
			err = failed.Err // the path is named already
		}
		return nil, provenance.Misuse("`provenance keygen` makes a key pair", "cannot read the key file %s: %v", path, err)
	}
	return loadPEM(ctx, path, data, o)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeySize+1))
	if err == nil && len(data) > maxKeySize {
		err = errors.New("it is too large for a key")
	}
	return data, err
}

func loadVariable(ctx context.Context, name string, o Options) (*Key, error) {
	value := ""
	if o.Getenv != nil {
		value = o.Getenv(name)
	}
	if value == "" {
		return nil, provenance.Misuse("put the content of cosign.key into the variable", "env://%s: the variable is not set", name)
	}
	return loadPEM(ctx, "env://"+name, []byte(value), o)
}

// loadPEM decrypts a cosign key.
func loadPEM(ctx context.Context, name string, data []byte, o Options) (*Key, error) {
	if err := checkPEM(name, data); err != nil {
		return nil, err
	}
	password, err := askPassword(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("asking for the password of %s: %w", name, err)
	}
	sv, err := cosign.LoadPrivateKey(data, password, nil)
	if err != nil { // its text tells a wrong password from a broken file only by accident
		return nil, provenance.Misuse("COSIGN_PASSWORD holds the password", "cannot decrypt %s: wrong password, or the file is damaged", name)
	}
	public, err := sv.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("reading the public key of %s: %w", name, err)
	}
	return newKey(name, sv, public)
}

func askPassword(ctx context.Context, o Options) ([]byte, error) {
	if o.Password == nil {
		return nil, nil
	}
	return o.Password(ctx)
}

// checkPEM names what was given instead of an encrypted cosign key.
func checkPEM(name string, data []byte) error {
	block, _ := pem.Decode(data)
	if block == nil {
		return provenance.Misuse("a cosign key file starts with -----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----", "%s is not a key: it is not PEM", name)
	}
	switch kind := block.Type; {
	case kind == cosign.SigstorePrivateKeyPemType || kind == cosign.CosignPrivateKeyPemType:
		return nil
	case strings.HasSuffix(kind, "PUBLIC KEY"):
		return provenance.Misuse("sign with its private half", "%s is a public key", name)
	case strings.HasSuffix(kind, "PRIVATE KEY"):
		return provenance.Misuse("`cosign import-key-pair --key FILE` makes a cosign key of it",
			"%s is a private key, but not in cosign's format: its PEM type is %.40q", name, kind)
	default:
		return provenance.Misuse("give a cosign key file", "%s is not a private key: its PEM type is %.40q", name, kind)
	}
}
