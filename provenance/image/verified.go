package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// verifiedReader ends with an error unless everything read had the digest, and the size if it is not negative. It never
// hands out more bytes than the size.
type verifiedReader struct {
	io.ReadCloser
	want v1.Hash
	size int64
	read int64
	sum  hash.Hash
}

// newVerifiedReader checks what rc gives; only sha256 is known.
func newVerifiedReader(rc io.ReadCloser, want v1.Hash, size int64) io.ReadCloser {
	return &verifiedReader{ReadCloser: rc, want: want, size: size, sum: sha256.New()}
}

// mismatch says that bytes are not what they should be. Trying again does not help.
type mismatch struct{ error }

func (m *mismatch) Unwrap() error { return m.error }

func mismatched(format string, args ...any) error { return &mismatch{fmt.Errorf(format, args...)} }

func (v *verifiedReader) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.read += int64(n)
	if v.size >= 0 && v.read > v.size {
		return 0, mismatched("blob %s is longer than the %d bytes that were announced", v.want, v.size)
	}
	v.sum.Write(p[:n])
	if err != io.EOF {
		return n, err
	}
	if got := hex.EncodeToString(v.sum.Sum(nil)); got != v.want.Hex {
		return 0, mismatched("blob %s has other bytes: their digest is sha256:%s", v.want, got)
	}
	if v.size >= 0 && v.read != v.size {
		return 0, mismatched("blob %s has %d bytes, not the %d that were announced", v.want, v.read, v.size)
	}
	return n, err
}

// readBlob reads a whole blob of at most limit bytes, against an allowance.
func readBlob(ctx context.Context, s store, d v1.Descriptor, limit int64, a *allowance) ([]byte, error) {
	what := "blob " + d.Digest.String()
	if d.Size > limit {
		return nil, tooLarge(what, limit)
	}
	rc, err := s.blob(ctx, d.Digest, d.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer rc.Close()
	return readSized(meteredReader{rc, a}, d.Size, limit, what)
}
