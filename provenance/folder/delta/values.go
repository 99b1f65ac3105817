package delta

import (
	"encoding/json"
	"errors"
	"hash/maphash"
	"maps"
	"slices"
)

// values are the partition values of a file, by column. Null is left out, as readers take what is missing for null, and so
// is an empty text: "an empty string for any type translates to a null partition value".
// Source: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#partition-value-serialization
type values map[string]string

func (v values) set(column, value string) {
	if value != "" {
		v[column] = value
	}
}

// parseValues takes partition values out of an add. Some readers take a number for its text, so that it is done here.
func parseValues(o object) (values, error) {
	var raw map[string]json.RawMessage
	if err := o.get("partitionValues", &raw); err != nil {
		return nil, err
	}
	if len(raw) > maxFeatures {
		return nil, errors.New("too many partition values")
	}
	v := make(values, len(raw))
	for column, value := range raw {
		text := string(value)
		if value[0] == '"' {
			if err := json.Unmarshal(value, &text); err != nil {
				return nil, err
			}
		} else if text == "null" {
			continue
		}
		v.set(column, text)
	}
	return v, nil
}

// seed is of this process: nobody can look for values that have the same sum as others.
var seed = maphash.MakeSeed()

// Sums of partition values have 64 bits. Of values as text, all are a hash. Of values by their types, the upper half is the
// hash of values of which there is no doubt, then come the hash of doubtful values, and one bit, their style.
const (
	unknownValues = 0 // the sum of what is not known
	noValues      = 1 << 32
	styleBit      = 1
)

// sameValues tells whether sums are of the same values.
func sameValues(a, b uint64) bool { return a&^styleBit == b&^styleBit }

// sum is the sum of the file's partition values.
func (f *fileAction) sum(r *reading) uint64 {
	switch {
	case f.unread:
		return unknownValues
	case len(f.values) == 0:
		return noValues
	case r == nil:
		return max(hashOf(f.values), noValues)
	}
	return r.sum(f.values)
}

// hashOf is the hash of keys and their values.
func hashOf(v values) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, column := range slices.Sorted(maps.Keys(v)) {
		maphash.WriteComparable(&h, column)
		maphash.WriteComparable(&h, v[column])
	}
	return h.Sum64()
}

// fingerprint has sums over files.
type fingerprint [4]uint64

const (
	certain = iota // of all but doubtful values
	styles         // of how those are spelled
	whole          // of all values, however they are spelled
	bare           // without values
)

func fingerprintOf(k key, f file) fingerprint {
	return fingerprint{maphash.Comparable(seed, pair{k, file{f.size, f.values >> 32, f.spelling}}),
		maphash.Comparable(seed, pair{k, file{0, f.values & styleBit, 0}}),
		maphash.Comparable(seed, pair{k, file{f.size, f.values &^ styleBit, f.spelling}}),
		maphash.Comparable(seed, pair{k, file{f.size, 0, f.spelling}})}
}

type pair struct {
	key  key
	file file
}

func (p *fingerprint) add(k key, f file) {
	for i, n := range fingerprintOf(k, f) {
		p[i] += n
	}
}

func (p *fingerprint) take(k key, f file) {
	for i, n := range fingerprintOf(k, f) {
		p[i] -= n
	}
}
