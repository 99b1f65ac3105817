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
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
)

// maxKeySize bounds the bytes of a key file.
const maxKeySize = 64 << 10

// Options are what [Load] may need beside a reference.
type Options struct {
	Getenv   func(string) string                       // reads env://VAR; nil: there are no variables
	Password func(ctx context.Context) ([]byte, error) // of an encrypted key; asked only for one; nil: the empty password

	Certificate []byte                                // of an authority of your own, for the key: PEM, the leaf first; nil: none
	FulcioURL   string                                // the certificate authority of keyless
	Token       func(context.Context) (string, error) // the OIDC token that Fulcio gets; of keyless

	TimestampURL string // of an RFC 3161 timestamp authority, with its path; empty: signatures are not stamped
	RekorURL     string // of a log of Rekor, version 2; empty: signatures are not logged
	// Root has the authorities of all of these. Without it nobody could tell whether what they answer is of use.
	Root *envelope.TrustedRoot

	Client Client // how these services are asked
}

// Client says how services are asked over HTTP; its zero value is fit for use.
type Client = httpclient.Options

// Keyless is the reference of a key that is made for one run and forgotten: what stays is whom its certificate names.
const Keyless = "keyless"

// Load finds the private key that a reference names:
//
//	cosign.key                                      a cosign key file
//	env://VAR                                       the same, in a variable
//	azurekms://VAULT.vault.azure.net/KEY[/VERSION]  a key that never leaves Azure Key Vault
//	keyless                                         a new key, with a certificate of Fulcio for an OIDC token
//
// A reference or password that is wrong, and options that do not go together, are a *[provenance.Misused]; a service that cannot be
// reached, denies access, or is not one of the trusted root, is any other error. No error repeats a password, a key or a token.
//
// Where there is a certificate or a timestamp authority, something is signed and forgotten: what would fail after hours of work
// fails now. Nothing is logged by that. Decrypting a key file takes a tenth of a second on purpose: callers may want to load in the
// background.
func Load(ctx context.Context, ref string, o Options) (*Key, error) {
	if err := o.check(ref); err != nil {
		return nil, err
	}
	key, err := load(ctx, ref, o)
	if err != nil {
		return nil, err
	}
	if err := key.witnessed(o); err != nil {
		return nil, err
	}
	if key.certificate != nil || key.authority != nil {
		_, err = key.sign(ctx, []byte("{}"), nil)
	}
	return key, err
}

// load finds the key, and its certificate if there is one.
func load(ctx context.Context, ref string, o Options) (*Key, error) {
	if ref == Keyless {
		return loadKeyless(ctx, o)
	}
	key, err := loadKey(ctx, ref, o)
	if err != nil || o.Certificate == nil {
		return key, err
	}
	return key, key.certify(o.Certificate)
}

// loadKey finds a key that speaks for itself.
func loadKey(ctx context.Context, ref string, o Options) (*Key, error) {
	scheme, rest, found := strings.Cut(ref, "://")
	switch {
	case !found:
		return loadFile(ctx, ref, o)
	case scheme == "env":
		return loadVariable(ctx, rest, o)
	case scheme == "azurekms":
		return loadVault(ctx, ref)
	}
	return nil, provenance.Misuse("a key is a cosign key file, env://VAR, azurekms://VAULT.vault.azure.net/KEY or keyless",
		"%.40q is not a kind of key", scheme+"://")
}

// The hints of options that do not go together.
const (
	hintRoot = "give --trusted-root FILE, which names the certificate, timestamp and log authorities that you believe: " +
		"`cosign trusted-root create` makes one of their certificates"
	hintStamp = "give --timestamp-url: a certificate is valid for a while only, and somebody else has to say that it signed then"
)

// check refuses options that do not go together, before anybody is asked.
func (o Options) check(ref string) error {
	keyless, certified := ref == Keyless, o.Certificate != nil
	switch {
	case keyless && o.FulcioURL == "":
		return provenance.Misuse("give --fulcio-url", "a key without a certificate authority would be nobody's: keyless needs Fulcio")
	case keyless && certified:
		return provenance.Misuse("leave --certificate out, or name its key", "a certificate is given for a key that does not exist yet: keyless asks Fulcio for one")
	case keyless && o.Token == nil:
		return provenance.Misuse("in Azure Pipelines it comes from the job", "keyless needs an OIDC token")
	case !keyless && o.FulcioURL != "":
		return provenance.Misuse("give --key keyless, or leave --fulcio-url out", "Fulcio is named, but the key is %s, which needs no certificate of it", ref)
	case (keyless || certified) && o.TimestampURL == "":
		return provenance.Misuse(hintStamp, "a certificate signs, and no timestamp authority is named")
	case (keyless || certified || o.TimestampURL != "" || o.RekorURL != "") && o.Root == nil:
		return provenance.Misuse(hintRoot, "there is no trusted root, so nobody could tell whether what is signed can be verified")
	case o.Root != nil && !keyless && !certified && o.TimestampURL == "" && o.RekorURL == "":
		return provenance.Misuse("give --timestamp-url, or leave --trusted-root out", "a trusted root is given, but a key signs alone: there is nothing to believe")
	}
	return nil
}

// witnessed adds those who see the signatures.
func (k *Key) witnessed(o Options) (err error) {
	k.root = o.Root
	if o.TimestampURL != "" {
		if k.authority, err = newAuthority(o.TimestampURL, o.Client); err != nil {
			return err
		}
	}
	if o.RekorURL != "" {
		k.log, err = newRekor(o.RekorURL, o.Client)
	}
	return err
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
