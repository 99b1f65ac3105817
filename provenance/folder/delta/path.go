package delta

import (
	"encoding/hex"
	"errors"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// absolute is the beginning of a URI with a scheme, or of an absolute path.
var absolute = pattern.New(`^([A-Za-z][A-Za-z0-9+.-]*:|/)`)

// decodePath is the name, inside the table, of a file that the log calls by a percent-encoded URI. wrong says why it is
// none; empty means it is.
func decodePath(uri string) (name, wrong string) {
	if absolute().MatchString(uri) {
		return "", "is absolute"
	}
	if strings.ContainsAny(uri, "?#") { // in a URI they end the path, so that readers would open another file
		return "", "has a query or a fragment"
	}
	name, err := url.PathUnescape(uri)
	if err != nil {
		return "", "is no percent-encoded path"
	}
	return name, wrongName(name)
}

// wrongName says why a name is none of a data file.
func wrongName(name string) string {
	parts := strings.Split(name, "/")
	switch {
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return "is no text"
	case strings.HasPrefix(name, "/"):
		return "is absolute"
	case slices.Contains(parts, ".."):
		return "leads out of the table"
	case slices.Contains(parts, ".") || slices.Contains(parts, ""):
		return "is no plain path"
	case parts[0] == logDir:
		return "lies in the log"
	}
	return ""
}

// z85Alphabet are the digits of Z85.
// Source: https://rfc.zeromq.org/spec/32/
const z85Alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"

// uuidLength is that of a UUID in Z85.
const uuidLength = 20

// vectorFile is the name of the file with a deletion vector: an optional folder, and a UUID in Z85.
func vectorFile(text string) (string, error) {
	if len(text) < uuidLength {
		return "", errors.New("it is too short")
	}
	folder, digits := text[:len(text)-uuidLength], text[len(text)-uuidLength:]
	id, err := decodeZ85(digits)
	if err != nil {
		return "", err
	}
	h := hex.EncodeToString(id)
	name := "deletion_vector_" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:] + ".bin"
	if folder == "" {
		return name, nil
	}
	if wrong := wrongName(folder); wrong != "" {
		return "", errors.New("its folder " + wrong)
	}
	return path.Join(folder, name), nil
}

// decodeZ85 decodes groups of five digits into four bytes each.
func decodeZ85(digits string) ([]byte, error) {
	var out []byte
	for group := range slices.Chunk([]byte(digits), 5) {
		var n uint64
		for _, digit := range group {
			value := strings.IndexByte(z85Alphabet, digit)
			if value < 0 {
				return nil, errors.New("it is not Z85")
			}
			n = n*85 + uint64(value)
		}
		if n>>32 != 0 || len(group) != 5 {
			return nil, errors.New("it is not Z85")
		}
		out = append(out, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return out, nil
}
