package provenance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Algorithm names a digest algorithm as in-toto does.
// Source: https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md
type Algorithm string

// The algorithms that statements of this build type use.
const (
	SHA256    Algorithm = "sha256"
	DirHash   Algorithm = "dirHash"   // Go's dirhash.Hash1 as lowercase hex
	GitCommit Algorithm = "gitCommit" // SHA-1 object name
	GitTree   Algorithm = "gitTree"   // SHA-1 object name
)

// hexLength is the number of hex digits of each known algorithm.
var hexLength = map[Algorithm]int{SHA256: 64, DirHash: 64, GitCommit: 40, GitTree: 40}

// Digest is a parsed digest: a wrong one cannot be constructed. The zero value means "none".
type Digest struct {
	algorithm Algorithm
	hex       string
}

// NewDigest checks that value is the lowercase hex of a digest of a known algorithm.
func NewDigest(algorithm Algorithm, value string) (Digest, error) {
	want, known := hexLength[algorithm]
	if !known {
		return Digest{}, fmt.Errorf("digest algorithm %q is not known", algorithm)
	}
	if len(value) != want || strings.Trim(value, "0123456789abcdef") != "" {
		return Digest{}, fmt.Errorf("%q is not a %s digest: it has %d lowercase hex digits", clip(value), algorithm, want)
	}
	return Digest{algorithm, value}, nil
}

// ParseDigest reads the form ALGORITHM:HEX, as OCI writes it.
func ParseDigest(s string) (Digest, error) {
	algorithm, value, found := strings.Cut(s, ":")
	if !found {
		return Digest{}, fmt.Errorf("%q is not a digest: want sha256:HEX", clip(s))
	}
	return NewDigest(Algorithm(algorithm), value)
}

// SumSHA256 is the SHA-256 digest of data.
func SumSHA256(data []byte) Digest {
	return DigestOf(SHA256, sha256.Sum256(data))
}

// DigestOf makes a digest from a SHA-256 sum; algorithm is SHA256 or DirHash.
func DigestOf(algorithm Algorithm, sum [sha256.Size]byte) Digest {
	return Digest{algorithm, hex.EncodeToString(sum[:])}
}

// Algorithm is the digest's algorithm, empty for the zero value.
func (d Digest) Algorithm() Algorithm { return d.algorithm }

// Hex is the digest's value in lowercase hex, empty for the zero value.
func (d Digest) Hex() string { return d.hex }

// Short is the beginning of the value, for people.
func (d Digest) Short() string { return d.hex[:min(len(d.hex), 12)] }

// IsZero tells whether there is no digest.
func (d Digest) IsZero() bool { return d.hex == "" }

// String is ALGORITHM:HEX, or empty for the zero value.
func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return string(d.algorithm) + ":" + d.hex
}

// MarshalText writes ALGORITHM:HEX.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads ALGORITHM:HEX; empty text is the zero value.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	*d = Digest{}
	if len(text) > 0 {
		*d, err = ParseDigest(string(text))
	}
	return err
}

// DigestSet is a set of digests of one thing, by algorithm: a DigestSet of in-toto, of parsed values.
type DigestSet map[Algorithm]Digest

// Digests makes a set of the digests that are not zero.
func Digests(digests ...Digest) DigestSet {
	set := DigestSet{}
	for _, d := range digests {
		if !d.IsZero() {
			set[d.algorithm] = d
		}
	}
	return set
}

// wire is the set as in-toto's types hold it.
func (s DigestSet) wire() map[string]string {
	if len(s) == 0 {
		return nil
	}
	out := make(map[string]string, len(s))
	for algorithm, d := range s {
		out[string(algorithm)] = d.hex
	}
	return out
}

// parseDigestSet reads a set from the wire. Algorithms that this package does not know are left out: they cannot be
// compared with anything.
func parseDigestSet(wire map[string]string) (DigestSet, error) {
	set := DigestSet{}
	for algorithm, value := range wire {
		if _, known := hexLength[Algorithm(algorithm)]; !known {
			continue
		}
		d, err := NewDigest(Algorithm(algorithm), value)
		if err != nil {
			return nil, err
		}
		set[d.algorithm] = d
	}
	return set, nil
}

// MarshalJSON writes {"sha256":"HEX"}, as in-toto does.
func (s DigestSet) MarshalJSON() ([]byte, error) { return json.Marshal(s.wire()) }

// UnmarshalJSON reads {"sha256":"HEX"}.
func (s *DigestSet) UnmarshalJSON(data []byte) (err error) {
	var wire map[string]string
	if err = json.Unmarshal(data, &wire); err == nil {
		*s, err = parseDigestSet(wire)
	}
	return err
}

// clip shortens foreign text for an error message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
