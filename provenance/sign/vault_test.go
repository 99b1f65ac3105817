package sign_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore/pkg/signature/kms/azure"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/internal/vaultdouble"
	"github.com/seed-3480f271/provenance/provenance/sign"
)

// childRef makes the test binary load the key of this reference, sign, and print an outcome: the proxy and the trusted
// authority of the double can only be given to a new process.
const childRef = "SIGN_TEST_REFERENCE"

// outcome is what the child tells.
type outcome struct {
	LoadError, SignError string
	Misused, Refused     bool
	Hints                []string
	PublicPEM            []byte
	Signed               sign.Signed
	Verify, VerifyOther  string // what the vault says of the signature, and of the signature on another message
}

func TestMain(m *testing.M) {
	if ref := os.Getenv(childRef); ref != "" {
		if err := json.NewEncoder(os.Stdout).Encode(signInChild(ref)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func signInChild(ref string) (o outcome) {
	ctx, cancel := context.WithCancel(context.Background())
	key, err := sign.Load(ctx, ref, sign.Options{})
	cancel() // what Load was given is over when Sign is called
	if err != nil {
		o.LoadError = err.Error()
	} else {
		o.PublicPEM = key.PublicPEM()
		if o.Signed, err = key.Sign(context.Background(), []byte(statement)); err != nil {
			o.SignError = err.Error()
		} else {
			o.Verify, o.VerifyOther = askVault(ref, o.Signed, statement), askVault(ref, o.Signed, "{}")
		}
	}
	var misused *provenance.Misused
	var refused *provenance.Refused
	o.Misused, o.Refused, o.Hints = errors.As(err, &misused), errors.As(err, &refused), provenance.Hints(err)
	return o
}

// askVault lets the vault itself verify the signature of an envelope over a payload.
func askVault(ref string, signed sign.Signed, payload string) string {
	var env dsse.Envelope
	if err := json.Unmarshal(signed.Envelope, &env); err != nil {
		return err.Error()
	}
	signature, err := base64.StdEncoding.DecodeString(env.Signatures[0].Sig)
	if err != nil {
		return err.Error()
	}
	provider, err := azure.LoadSignerVerifier(context.Background(), ref)
	if err != nil {
		return err.Error()
	}
	message := dsse.PAE(env.PayloadType, []byte(payload))
	if err := provider.VerifySignature(bytes.NewReader(signature), bytes.NewReader(message)); err != nil {
		return err.Error()
	}
	return "verified"
}

// signWith runs the child against a double, with more or other variables. The double's secrets are never told.
func signWith(t *testing.T, v *vaultdouble.Vault, ref string, variables ...string) outcome {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{childRef + "=" + ref, "HOME=" + t.TempDir()}
	for name, value := range v.Env() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, variables...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the child failed: %v\n%s", err, stderr.Bytes())
	}
	for _, secret := range v.Secrets() {
		if bytes.Contains(out, []byte(secret)) || bytes.Contains(stderr.Bytes(), []byte(secret)) {
			t.Errorf("the secret %q was told:\n%s%s", secret, out, stderr.Bytes())
		}
	}
	var o outcome
	if err := json.Unmarshal(out, &o); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return o
}

func TestVaultSigns(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		config  vaultdouble.Config
		fault   vaultdouble.Fault
		version string
	}{
		{name: "P-256"},
		{name: "one version", version: "/" + vaultdouble.Version},
		{name: "RSA", config: vaultdouble.Config{Key: rsaKey}},
		{name: "US government", config: vaultdouble.Config{Cloud: vaultdouble.USGovernment}},
		{name: "throttled once", fault: vaultdouble.ThrottledOnce},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := vaultdouble.Start(t, tt.config)
			v.Fail(tt.fault)
			o := signWith(t, v, v.Reference()+tt.version)
			if o.LoadError != "" || o.SignError != "" {
				t.Fatalf("load %q, sign %q; requests %+v; refused %q", o.LoadError, o.SignError, v.Requests(), v.Refused())
			}
			if !bytes.Equal(o.PublicPEM, v.PublicPEM(t)) {
				t.Errorf("public key\n%s, want\n%s", o.PublicPEM, v.PublicPEM(t))
			}
			if o.Verify != "verified" || o.VerifyOther != "failed vault verification" {
				t.Errorf("the vault says %q, and of another message %q", o.Verify, o.VerifyOther)
			}
			checkOpens(t, o.Signed, v.PublicPEM(t))
			checkSecretsStayed(t, v)
		})
	}
}

// checkOpens opens both forms with a public key that did not come from the signer.
func checkOpens(t *testing.T, signed sign.Signed, publicPEM []byte) {
	t.Helper()
	verifier, err := envelope.ParsePublicKey("vault.pub", publicPEM)
	if err != nil {
		t.Fatal(err)
	}
	for form, raw := range map[string][]byte{envelope.FormATT: signed.Envelope, envelope.FormBundle: signed.Bundle} {
		verified, err := envelope.Open(raw, verifier)
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		if verified.Form() != form || string(verified.Payload()) != statement {
			t.Errorf("form %q with payload %s, want %q with %s", verified.Form(), verified.Payload(), form, statement)
		}
	}
}

// checkSecretsStayed checks in the double's log that the token went to the vault only, the client secret to the login only, and
// that nobody else was called.
func checkSecretsStayed(t *testing.T, v *vaultdouble.Vault) {
	t.Helper()
	var tokens, secrets int
	for _, r := range v.Requests() {
		isVault := r.Host == v.Host()
		if r.Bearer && !isVault || r.Secret && isVault {
			t.Errorf("a secret went to the wrong host: %+v", r)
		}
		if r.Bearer {
			tokens++
		}
		if r.Secret {
			secrets++
		}
	}
	if tokens == 0 || secrets == 0 {
		t.Errorf("the log has %d tokens and %d secrets: the double was not used as it is meant to", tokens, secrets)
	}
	if refused := v.Refused(); len(refused) > 0 {
		t.Errorf("somebody else was called: %q", refused)
	}
}

func TestVaultFails(t *testing.T) {
	t.Parallel()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa3072, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		key     crypto.Signer
		fault   vaultdouble.Fault
		misused bool
		want    string // in the error
		hint    string // in one of the hints
	}{
		{name: "signs something else", fault: vaultdouble.WrongSignature, want: "does not verify with its own public key"},
		{name: "signs with one byte", fault: vaultdouble.ShortSignature, want: "does not verify with its own public key"},
		{name: "no role", fault: vaultdouble.Denied, want: "HTTP 403: Caller is not authorized", hint: "Key Vault Crypto User"},
		{name: "disabled", fault: vaultdouble.Disabled, want: "HTTP 403: Operation get is not allowed on a disabled key", hint: "must be enabled"},
		{name: "no such key", fault: vaultdouble.Missing, misused: true, want: "there is no such key", hint: "names of the vault"},
		{name: "throttled", fault: vaultdouble.Throttled, want: "HTTP 429: Request was not processed", hint: "several times"},
		{name: "broken", fault: vaultdouble.Broken, want: "HTTP 500: An unexpected error", hint: "several times"},
		{name: "nonsense", fault: vaultdouble.Nonsense, want: "the answer makes no sense"},
		{name: "nonsense challenge", fault: vaultdouble.BadChallenge, want: "the answer makes no sense"},
		{name: "challenge of another vault", fault: vaultdouble.ForeignResource, want: "doesn't match the requested domain"},
		{name: "wrong client secret", fault: vaultdouble.BadLogin, want: "Entra did not issue a token: AADSTS7000215", hint: "AZURE_CLIENT_SECRET"},
		{name: "secp256k1", fault: vaultdouble.UnknownCurve, want: "cannot read the public key"},
		{name: "P-384", key: p384, misused: true, want: "is ECDSA P-384: stock cosign does not verify", hint: "P-256"},
		{name: "RSA 3072", key: rsa3072, misused: true, want: "is RSA of 3072 bits: stock cosign does not verify", hint: "P-256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := vaultdouble.Start(t, vaultdouble.Config{Key: tt.key})
			v.Fail(tt.fault)
			o := signWith(t, v, v.Reference())
			said := o.LoadError + o.SignError
			if !strings.Contains(said, tt.want) || strings.Contains(said, "\n") || len(said) > 600 {
				t.Errorf("error %q, want one sentence with %q", said, tt.want)
			}
			if o.Misused != tt.misused || o.Refused {
				t.Errorf("misused %v, refused %v; want misused %v, never refused: %s", o.Misused, o.Refused, tt.misused, said)
			}
			if len(o.Signed.Bundle)+len(o.Signed.Envelope) > 0 {
				t.Errorf("something was signed: %+v", o.Signed)
			}
			if !slices.ContainsFunc(o.Hints, func(h string) bool { return strings.Contains(h, tt.hint) }) && tt.hint != "" {
				t.Errorf("hints %q, want one with %q", o.Hints, tt.hint)
			}
		})
	}
}

// Without a usable login nothing is asked of the vault but its challenge, and the hint says how to log in.
func TestVaultWithoutLogin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ variable, want string }{
		{"AZURE_TOKEN_CREDENTIALS=nonsense", "invalid AZURE_TOKEN_CREDENTIALS value"},
		{"AZURE_CLIENT_SECRET=", "EnvironmentCredential"},
		{"AZURE_TENANT_ID=", "AZURE_TENANT_ID"},
	} {
		v := vaultdouble.Start(t, vaultdouble.Config{})
		o := signWith(t, v, v.Reference(), tt.variable)
		if o.Misused || o.Refused || !strings.Contains(o.LoadError, tt.want) || strings.Contains(o.LoadError, "\n") {
			t.Errorf("%s: got %+v, want an error with %q", tt.variable, o, tt.want)
		}
		if len(o.Hints) != 1 || !strings.Contains(o.Hints[0], "az login") {
			t.Errorf("%s: hints %q", tt.variable, o.Hints)
		}
		for _, r := range v.Requests() {
			if r.Bearer || r.Secret {
				t.Errorf("%s: %+v", tt.variable, r)
			}
		}
	}
}

// A vault that cannot be reached is undecided, not a mistake of the caller.
func TestVaultUnreachable(t *testing.T) {
	t.Parallel()
	v := vaultdouble.Start(t, vaultdouble.Config{})
	o := signWith(t, v, "azurekms://elsewhere.vault.azure.net/signing")
	if o.Misused || o.Refused || !strings.Contains(o.LoadError, "cannot read the public key") {
		t.Errorf("got %+v", o)
	}
	if want := "elsewhere.vault.azure.net:443"; !slices.Contains(v.Refused(), want) {
		t.Errorf("the proxy refused %q, want %q", v.Refused(), want)
	}
}

func TestVaultCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := sign.Load(ctx, "azurekms://doublevault.vault.azure.net/signing", sign.Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
