package sign

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortiles "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	sigstore "github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
)

// rekor is a transparency log: Rekor, version 2. It gets the digest of what was signed, the signature, and the key or certificate; never
// the statement.
// Source: https://github.com/sigstore/rekor-tiles/blob/main/api/proto/rekor/v2/rekor_service.proto
type rekor struct {
	url  string
	http *httpclient.Client
}

func newRekor(url string, o httpclient.Options) (*rekor, error) {
	c, err := client("Rekor", url, nil, o)
	return &rekor{url, c}, err
}

// add has the signature of a bundle logged, and puts the log's answer into it. by is the key or certificate, in PEM.
func (l *rekor) add(ctx context.Context, raw []byte, by string) ([]byte, error) {
	b := &protobundle.Bundle{}
	if err := protojson.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("putting the log's entry into the bundle: %w", err)
	}
	library := sigstore.NewRekor(&sigstore.RekorOptions{ClientV2: l, Version: 2})
	if err := library.GetTransparencyLogEntry(ctx, []byte(by), b); err != nil {
		return nil, err
	}
	return protojson.Marshal(b)
}

// Add asks Rekor to take an entry in, for Sigstore's library, which makes it. The answer comes when it is in.
func (l *rekor) Add(ctx context.Context, entry any) (*protorekor.TransparencyLogEntry, error) {
	record, ok := entry.(*rekortiles.HashedRekordRequestV002)
	if !ok {
		return nil, fmt.Errorf("Rekor would get a %T, not a digest and its signature", entry)
	}
	body, err := protojson.Marshal(&rekortiles.CreateEntryRequest{Spec: &rekortiles.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: record}})
	if err != nil {
		return nil, fmt.Errorf("asking Rekor for an entry: %w", err)
	}
	operation := "adding an entry"
	answer, err := l.http.Do(ctx, httpclient.Request{Operation: operation, Method: "POST", Path: "/api/v2/log/entries", Body: body})
	if err != nil {
		return nil, notLogged(err)
	}
	e := &protorekor.TransparencyLogEntry{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(answer.Body, e); err != nil {
		return nil, fmt.Errorf("Rekor, %s: the answer makes no sense: %.200s", operation, strings.ReplaceAll(err.Error(), "\u00a0", " ")) // protobuf varies its spaces at random
	}
	return e, nil
}

// notLogged adds what to do to an error whose status says it.
func notLogged(err error) error {
	var status *httpclient.StatusError
	if !errors.As(err, &status) {
		return err
	}
	switch status.Status {
	case http.StatusNotFound:
		return provenance.WithHint(status, "is it Rekor of version 2, which adds entries at /api/v2/log/entries?")
	case http.StatusConflict:
		return provenance.WithHint(status, "the entry is there, but an answer was lost: run again, which signs anew")
	}
	return err
}
