package der_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/internal/der"
)

func TestCheck(t *testing.T) {
	for name, data := range map[string][]byte{
		"a number":          {2, 1, 7},
		"an empty sequence": {0x30, 0},
		"nested":            {0x30, 7, 0x31, 3, 2, 1, 7, 5, 0},
		"explicit":          {0xa0, 3, 2, 1, 7},
		"a long length":     append([]byte{4, 0x81, 200}, make([]byte, 200)...),
		"as deep as may be": {0x30, 4, 0x30, 2, 5, 0},
	} {
		if err := der.Check(data, 3); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":                    {nil, "empty"},
		"half":                       {[]byte{0x30, 5, 2}, "truncated"},
		"more":                       {[]byte{5, 0, 5, 0}, "something follows"},
		"an indefinite length":       {[]byte{0x30, 0x80, 0, 0}, "indefinite length"},
		"one inside":                 {[]byte{0x30, 4, 0x30, 0x80, 0, 0}, "indefinite length"},
		"a length that is too long":  {[]byte{0x30, 0x81, 0}, "leading zeros in length"},
		"a child beyond its parent":  {[]byte{0x30, 2, 0x30, 2, 5, 0}, "truncated"},
		"a second one beyond it":     {[]byte{0x30, 4, 5, 0, 0x30, 2, 5, 0}, "truncated"},
		"too deep":                   {[]byte{0x30, 6, 0x30, 4, 0x30, 2, 5, 0}, "too deep"},
		"as deep as bytes let it be": {nest(2000), "too deep"},
		"bytes that two claim":       {overlapping(10000), "too deep"},
	} {
		if err := der.Check(tt.data, 3); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, not %q", name, err, tt.want)
		}
	}
}

// nest is an element so many levels deep.
func nest(levels int) []byte {
	data := []byte{5, 0}
	for range levels {
		data = append(header(len(data)), data...)
	}
	return data
}

func header(length int) []byte {
	switch {
	case length < 0x80:
		return []byte{0x30, byte(length)}
	case length < 0x100:
		return []byte{0x30, 0x81, byte(length)}
	}
	return []byte{0x30, 0x82, byte(length >> 8), byte(length)}
}

// overlapping are elements that claim bytes of their neighbours: a reader who follows both reads what comes after them as often as a
// Fibonacci number says.
func overlapping(pairs int) []byte {
	inner := append(bytes.Repeat([]byte{0x30, 6, 0x30, 2}, pairs), bytes.Repeat([]byte{5, 0}, 6)...)
	return append(header(len(inner)), inner...)
}
