package envelope

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// Trust says whose signatures count, and whose clocks.
type Trust struct {
	Verifiers []Verifier
	// Root names the certificate authorities, timestamp authorities and transparency logs that are believed. Nil: none, so that no
	// certificate can be believed and no time of a signature is known. Each of its certificate authorities may name any issuer and any
	// subject: an authority of the company's own could write Fulcio's extensions too.
	Root *TrustedRoot
}

// TrustedRoot is a Sigstore trusted root file. [ParseTrustedRoot] makes it.
// Source: https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto (TrustedRoot)
type TrustedRoot struct {
	Name   string            // the file, for messages
	Digest provenance.Digest // sha256 of its bytes

	material *root.TrustedRoot
}

// MaxTrustedRoot bounds the bytes of a trusted root file. Sigstore's own has 7 KB.
const MaxTrustedRoot = 1 << 20

// ParseTrustedRoot reads a trusted root file. name is what messages call it. Everything that is not one is a *[provenance.Misused].
func ParseTrustedRoot(name string, data []byte) (*TrustedRoot, error) {
	material, err := decodeRoot(data)
	if err != nil {
		return nil, provenance.Misuse("`cosign trusted-root create` makes one, of the certificates of your authorities",
			"%s is not a Sigstore trusted root: %.300s", name, strings.ReplaceAll(err.Error(), "\u00a0", " ")) // protobuf varies its spaces at random
	}
	return &TrustedRoot{name, provenance.SumSHA256(data), material}, nil
}

func decodeRoot(data []byte) (*root.TrustedRoot, error) {
	if len(data) > MaxTrustedRoot {
		return nil, fmt.Errorf("it has %d bytes", len(data))
	}
	if err := strictjson.Check(data, maxDepth); err != nil {
		return nil, err
	}
	// An unknown field could be one that narrows what is trusted: it is an error here.
	proto, err := root.NewTrustedRootProtobuf(data)
	if err != nil {
		return nil, err
	}
	material, err := root.NewTrustedRootFromProtobuf(proto)
	if err != nil {
		return nil, err
	}
	if len(material.RekorLogs()) != len(proto.GetTlogs()) || len(material.CTLogs()) != len(proto.GetCtlogs()) {
		return nil, fmt.Errorf("two logs have the same id")
	}
	return material, checkStampers(material)
}

// checkStampers tells whether each timestamp authority can be believed at all: its chain has to end in an authority.
func checkStampers(material *root.TrustedRoot) error {
	for i, authority := range material.TimestampingAuthorities() {
		if a, ok := authority.(*root.SigstoreTimestampingAuthority); !ok || a.Root == nil {
			return fmt.Errorf("the chain of timestamp authority %d has no certificate of an authority", i+1)
		}
	}
	return nil
}

// nameOfStamper is the address that the trusted root gives for a timestamp authority, or else what its certificate says.
func nameOfStamper(authority root.TimestampingAuthority) string {
	a, ok := authority.(*root.SigstoreTimestampingAuthority)
	switch {
	case !ok:
		return "a timestamp authority"
	case a.URI != "":
		return a.URI
	case a.Leaf != nil && a.Leaf.Subject.String() != "":
		return a.Leaf.Subject.String()
	}
	return a.Root.Subject.String()
}

// nameOfLog is the address that the trusted root gives for a log, or else its id in hex.
func nameOfLog(log *root.TransparencyLog) string {
	if log.BaseURL != "" {
		return log.BaseURL
	}
	return hex.EncodeToString(log.ID)
}

// The kinds of a [Time].
const (
	TimeStamp = "timestamp" // RFC 3161, by a timestamp authority
	TimeLog   = "log"       // the time at which a transparency log took the signature in
)

// Time is when a signature was there, as somebody says whom the trusted root names. It may have been made earlier.
type Time struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`
	By   string    `json:"by"` // the authority's or log's name in the trusted root
}

// Times are the verified times of the signature, the earliest first.
func (v Verified) Times() []Time { return slices.Clone(v.seen.times) }

// Untimed says why there are no verified times; empty when there are some.
func (v Verified) Untimed() string {
	if v.IsZero() {
		return "nothing was verified"
	}
	return v.seen.untimed()
}

// Logged tells whether a transparency log that the trusted root names has the signature.
func (v Verified) Logged() bool { return v.seen.logged }
