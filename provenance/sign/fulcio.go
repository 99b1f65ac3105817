package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore/pkg/oauthflow"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
)

// maxAnswer bounds what Fulcio, a timestamp authority or a log may answer, in bytes. They answer with less than 32 KiB.
const maxAnswer = 1 << 20

// client asks one of the services that take part in a signature.
func client(service, url string, authorize httpclient.Authorize, o httpclient.Options) (*httpclient.Client, error) {
	o.MaxBody = maxAnswer
	return httpclient.New(service, url, authorize, o)
}

// loadKeyless makes a key, and asks Fulcio whose it is.
func loadKeyless(ctx context.Context, o Options) (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	signer, err := signature.LoadECDSASigner(private, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	key, err := newKey(Keyless, signer, &private.PublicKey)
	if err != nil {
		return nil, err
	}
	f := fulcio{o, private, key.publicPEM}
	leaf, err := f.certificate(ctx)
	if err != nil {
		return nil, err
	}
	if err := key.carry(leaf, f.certificate); err != nil {
		return nil, fmt.Errorf("Fulcio's certificate: %s", err.Error()) // a refusal would be a verdict
	}
	return key, nil
}

// fulcio asks for certificates for one key.
type fulcio struct {
	options   Options
	private   *ecdsa.PrivateKey
	publicPEM []byte
}

// The request and the answer.
// Source: https://github.com/sigstore/fulcio/blob/main/fulcio.proto (CreateSigningCertificateRequest, SigningCertificate)
type (
	certificateRequest struct {
		PublicKeyRequest publicKeyRequest `json:"publicKeyRequest"`
	}
	publicKeyRequest struct {
		PublicKey         publicKey `json:"publicKey"`
		ProofOfPossession []byte    `json:"proofOfPossession"`
	}
	publicKey struct {
		Algorithm string `json:"algorithm"`
		Content   string `json:"content"`
	}
	certificateAnswer struct {
		Embedded issued `json:"signedCertificateEmbeddedSct"`
		Detached issued `json:"signedCertificateDetachedSct"`
	}
	issued struct {
		Chain struct {
			Certificates []string `json:"certificates"`
		} `json:"chain"`
	}
)

// certificate asks Fulcio for a certificate. The token goes to Fulcio only, in a header.
func (f fulcio) certificate(ctx context.Context) (*x509.Certificate, error) {
	token, err := f.options.Token(ctx)
	if err != nil {
		return nil, err
	}
	token = strings.TrimSpace(token)
	request, err := f.request(token)
	if err != nil {
		return nil, err
	}
	c, err := client("Fulcio", f.options.FulcioURL, func(context.Context) (string, error) { return "Bearer " + token, nil }, f.options.Client)
	if err != nil {
		return nil, err
	}
	operation := "asking for a certificate"
	answer, err := c.Do(ctx, httpclient.Request{Operation: operation, Method: "POST", Path: "/api/v2/signingCert", Body: request})
	if err != nil {
		return nil, denied(err)
	}
	var a certificateAnswer
	if err := answer.JSON(&a); err != nil {
		return nil, err
	}
	leaf, err := f.leaf(append(a.Embedded.Chain.Certificates, a.Detached.Chain.Certificates...), token)
	if err != nil {
		return nil, fmt.Errorf("Fulcio, %s: the answer makes no sense: %w", operation, err)
	}
	return leaf, nil
}

// denied adds what to look at when Fulcio does not like the token.
func denied(err error) error {
	var status *httpclient.StatusError
	if errors.As(err, &status) && status.Status >= 400 && status.Status < 500 {
		return provenance.WithHint(status, "does Fulcio's configuration have the token's issuer, its audience as client-id, and templates that the token's claims fill?")
	}
	return err
}

// request proves that the key is at hand: it signs the token's subject.
func (f fulcio) request(token string) ([]byte, error) {
	subject, err := subjectOf(token)
	if err != nil {
		return nil, provenance.Misuse("in Azure Pipelines it comes from the job; elsewhere SIGSTORE_ID_TOKEN holds it", "the OIDC token is of no use: %v", err)
	}
	sum := sha256.Sum256([]byte(subject))
	proof, err := ecdsa.SignASN1(rand.Reader, f.private, sum[:])
	if err != nil {
		return nil, fmt.Errorf("proving to Fulcio that the key is at hand: %w", err)
	}
	return json.Marshal(certificateRequest{publicKeyRequest{publicKey{"ECDSA", string(f.publicPEM)}, proof}})
}

// maxToken is how long a token may be, in bytes.
const maxToken = 32 << 10

// subjectOf is whom a token names. Its signature is Fulcio's to check. No error repeats anything of it.
func subjectOf(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return "", errors.New("it is no JSON web token")
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", errors.New("its claims are not in base64")
	}
	subject, err := oauthflow.SubjectFromUnverifiedToken(claims)
	if err != nil {
		return "", errors.New("it does not say for whom it is")
	}
	return subject, nil
}

// leaf reads the certificate, which has to be of this key. What it says is told, and is published with the signature: one that repeats
// the token is not even parsed.
func (f fulcio) leaf(chain []string, token string) (*x509.Certificate, error) {
	if len(chain) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	block, _ := pem.Decode([]byte(chain[0]))
	if block == nil {
		return nil, errors.New("its certificate is not PEM")
	}
	if bytes.Contains(block.Bytes, []byte(token)) {
		return nil, errors.New("its certificate repeats the token")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("its certificate: %w", err)
	}
	if !samePublic(leaf.PublicKey, f.private.Public()) {
		return nil, errors.New("its certificate is of another key")
	}
	return leaf, nil
}
