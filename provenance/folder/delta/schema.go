package delta

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// maxSchemaDepth is how deep the JSON of a schema may be nested, to be compared as such: a struct in a struct takes three
// levels.
const maxSchemaDepth = 1000

// sameSchema tells whether two schemas are the same JSON, in whatever order their objects have their keys.
func sameSchema(a, b string) bool { return a == b || schemaSum(a) == schemaSum(b) }

// schemaSum is a digest of a schema. Of what is no JSON, or could be read in several ways, it is one of the text.
func schemaSum(schema string) [sha256.Size]byte {
	if strictjson.Check([]byte(schema), maxSchemaDepth) != nil {
		return sha256.Sum256([]byte(schema))
	}
	return hashJSON(decoder(schema))
}

func decoder(text string) *json.Decoder {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d
}

// hashJSON is a digest of the next value of valid JSON. There is no tree in memory.
func hashJSON(d *json.Decoder) (sum [sha256.Size]byte) {
	token, _ := d.Token()
	delim, nested := token.(json.Delim)
	if !nested {
		scalar, _ := json.Marshal(token)
		return sha256.Sum256(scalar)
	}
	h := sha256.New()
	h.Write([]byte{byte(delim)})
	if delim == '{' {
		for _, pair := range hashPairs(d) {
			h.Write(pair[:])
		}
	}
	for d.More() {
		part := hashJSON(d)
		h.Write(part[:])
	}
	_, _ = d.Token() // the end
	h.Sum(sum[:0])
	return sum
}

// hashPairs are the digests of an object's keys and values, sorted.
func hashPairs(d *json.Decoder) (pairs [][sha256.Size]byte) {
	for d.More() {
		name, _ := d.Token()
		value := hashJSON(d)
		if name == "metadata" && value == noMetadata { // some writers leave it out
			continue
		}
		key := sha256.Sum256([]byte(name.(string)))
		pairs = append(pairs, sha256.Sum256(append(key[:], value[:]...)))
	}
	slices.SortFunc(pairs, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	return pairs
}

// noMetadata is the digest of an empty object.
var noMetadata = sha256.Sum256([]byte("{"))
