// Package der looks at DER from outside before a library reads it that is less careful: one that also takes BER, say, and reads bytes
// twice that two elements claim, and their bytes four times.
package der

import (
	"encoding/asn1"
	"errors"
)

// Check tells whether data is exactly one DER element whose constructed elements are filled by whole ones, nested at most maxDepth
// deep. What primitive elements hold is not looked at. Each byte is looked at once for each level. The caller bounds the size.
// Source: https://www.itu.int/rec/T-REC-X.690, section 10.1 (definite lengths)
func Check(data []byte, maxDepth int) error {
	if len(data) == 0 {
		return errors.New("it is empty")
	}
	rest, err := check(data, maxDepth)
	if err == nil && len(rest) > 0 {
		err = errors.New("something follows it")
	}
	return err
}

// check looks at one element, and answers with what follows.
func check(data []byte, maxDepth int) (rest []byte, err error) {
	var element asn1.RawValue
	if rest, err = asn1.Unmarshal(data, &element); err != nil || !element.IsCompound {
		return rest, err
	}
	if maxDepth <= 1 {
		return nil, errors.New("its elements are nested too deep")
	}
	for inner := element.Bytes; len(inner) > 0; {
		if inner, err = check(inner, maxDepth-1); err != nil {
			return nil, err
		}
	}
	return rest, nil
}
