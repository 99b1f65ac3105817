package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/digitorus/timestamp"
	ssldsse "github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/seed-3480f271/provenance/provenance/internal/der"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
)

// authority is a timestamp authority.
// Source: https://www.rfc-editor.org/rfc/rfc3161
type authority struct {
	url  string
	http *httpclient.Client
}

func newAuthority(url string, o httpclient.Options) (*authority, error) {
	c, err := client("the timestamp authority", url, nil, o)
	return &authority{url, c}, err
}

// stamp is the answer to a request for the signature of an envelope, in DER; nil when there is no authority to ask. Whether it can be
// believed is for who opens the bundle; here it has to be an answer to what was asked.
func (a *authority) stamp(ctx context.Context, env []byte) ([]byte, error) {
	if a == nil {
		return nil, nil
	}
	signature, err := signatureOf(env)
	if err != nil {
		return nil, err
	}
	request, err := newStampRequest(signature)
	if err != nil {
		return nil, err
	}
	body, err := request.Marshal()
	if err != nil {
		return nil, fmt.Errorf("asking for a timestamp: %w", err)
	}
	operation := "asking for a timestamp"
	answer, err := a.http.Do(ctx, httpclient.Request{Operation: operation, Method: "POST", Body: body,
		ContentType: "application/timestamp-query", Accept: "application/timestamp-reply"})
	if err != nil {
		return nil, err
	}
	if err := isAnswer(answer.Body, request); err != nil {
		return nil, fmt.Errorf("the timestamp authority, %s: the answer makes no sense: %w", operation, err)
	}
	return answer.Body, nil
}

// newStampRequest asks for a timestamp of a signature, with the authority's certificate in it, so that who renews that one spoils
// nothing.
func newStampRequest(signature []byte) (*timestamp.Request, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return nil, fmt.Errorf("asking for a timestamp: %w", err)
	}
	sum := sha256.Sum256(signature)
	return &timestamp.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Certificates: true, Nonce: nonce}, nil
}

// maxStampDepth bounds the DER of a timestamp, which has about 14 levels.
const maxStampDepth = 64

// isAnswer tells whether a timestamp is the one that was asked for. The library panics at some that no authority makes, and would
// read some others for years, as BER.
func isAnswer(answer []byte, asked *timestamp.Request) (err error) {
	defer guard(&err)
	if err := der.Check(answer, maxStampDepth); err != nil {
		return fmt.Errorf("%.200s", err)
	}
	got, err := timestamp.ParseResponse(answer)
	switch {
	case err != nil:
		return fmt.Errorf("%.200s", err)
	case got.HashAlgorithm != asked.HashAlgorithm || !bytes.Equal(got.HashedMessage, asked.HashedMessage):
		return errors.New("the timestamp is of something else")
	case got.Nonce == nil || got.Nonce.Cmp(asked.Nonce) != 0:
		return errors.New("the timestamp was made for another request")
	}
	return nil
}

// signatureOf is the signature in an envelope that was just made.
func signatureOf(env []byte) ([]byte, error) {
	var e ssldsse.Envelope
	if err := json.Unmarshal(env, &e); err != nil || len(e.Signatures) != 1 {
		return nil, errors.New("the envelope that was signed does not have one signature")
	}
	return base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
}
