package folder

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
)

// Shard is one of N parts of a folder, counted from 1. A file belongs to shard 1 + (first 8 bytes of the SHA-256 of its name,
// big endian) mod N. The zero Shard is the whole folder, as 1/1 is.
type Shard struct{ I, N int }

// maxShards bounds N.
const maxShards = 100_000

// ParseShard reads I/N. What is none is a *provenance.Misused.
func ParseShard(s string) (Shard, error) {
	i, n, found := strings.Cut(s, "/")
	part, errI := strconv.ParseUint(i, 10, 31)
	parts, errN := strconv.ParseUint(n, 10, 31)
	shard := Shard{int(part), int(parts)}
	if !found || errI != nil || errN != nil || part == 0 || shard.String() != s {
		return Shard{}, provenance.Misuse("write I/N, such as 2/7", "%.40q is no shard", s)
	}
	return shard, shard.check()
}

func (s Shard) check() error {
	if s == (Shard{}) || 1 <= s.I && s.I <= s.N && s.N <= maxShards {
		return nil
	}
	return provenance.Misuse("write I/N, such as 2/7", "there is no shard %d of %d: at most %d are counted from 1", s.I, s.N, maxShards)
}

// String is I/N; the zero Shard is 1/1.
func (s Shard) String() string {
	if s == (Shard{}) {
		return "1/1"
	}
	return fmt.Sprintf("%d/%d", s.I, s.N)
}

// has tells whether the file called name belongs to the shard.
func (s Shard) has(name string) bool {
	if s.N <= 1 {
		return true
	}
	sum := sha256.Sum256([]byte(name))
	return 1+binary.BigEndian.Uint64(sum[:8])%uint64(s.N) == uint64(s.I)
}
