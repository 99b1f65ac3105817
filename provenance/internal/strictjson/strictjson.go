// Package strictjson reads JSON from outside: bounded in depth, and without keys that two readers could take differently.
//
// encoding/json matches keys without regard to case and lets the last of two equal keys win, while other readers let the
// first win. A signed payload with such keys says different things to different verifiers, so it is refused.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// frame is one open object or array.
type frame struct {
	keys  map[string]bool // nil for an array
	isKey bool            // the next token of an object is a key
}

// Check tells whether data is exactly one JSON value, nested at most maxDepth deep, in which no object has the same key
// twice, also when they differ in case only. The caller bounds the size.
func Check(data []byte, maxDepth int) error { return CheckSmall(data, maxDepth, math.MaxInt) }

// ErrTooMany says that there are more tokens than are read.
var ErrTooMany = errors.New("too many values")

// CheckSmall is Check for what has at most so many tokens: values, keys, and brackets. A few bytes of JSON can become a hundred times as
// many in memory, so that a bound on the size alone is none; what has more is [ErrTooMany], however it goes on.
func CheckSmall(data []byte, maxDepth, maxTokens int) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var open []frame
	for n := 0; ; n++ {
		token, err := dec.Token()
		if err != nil {
			return syntaxError(err, dec)
		}
		if n >= maxTokens {
			return fmt.Errorf("%w: only %d tokens are read", ErrTooMany, maxTokens)
		}
		if open, err = step(open, token, maxDepth); err != nil {
			return fmt.Errorf("at byte %d: %w", dec.InputOffset(), err)
		}
		if len(open) == 0 {
			return noMore(dec)
		}
	}
}

// Unmarshal checks data as Check does and decodes it into v. Unknown fields are ignored.
func Unmarshal(data []byte, maxDepth int, v any) error {
	if err := Check(data, maxDepth); err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// step takes one token and returns the frames that are open after it.
func step(open []frame, token json.Token, maxDepth int) ([]frame, error) {
	switch t := token.(type) {
	case json.Delim:
		return stepDelim(open, t, maxDepth)
	case string:
		if n := len(open); n > 0 && open[n-1].isKey {
			return open, open[n-1].addKey(t)
		}
	}
	return valueDone(open), nil
}

// stepDelim opens or closes a frame.
func stepDelim(open []frame, delim json.Delim, maxDepth int) ([]frame, error) {
	switch delim {
	case '{':
		open = append(open, frame{keys: map[string]bool{}, isKey: true})
	case '[':
		open = append(open, frame{})
	default:
		return valueDone(open[:len(open)-1]), nil
	}
	if len(open) > maxDepth {
		return nil, fmt.Errorf("JSON is nested deeper than %d", maxDepth)
	}
	return open, nil
}

// valueDone notes that a value has ended: in an object a key comes next.
func valueDone(open []frame) []frame {
	if n := len(open); n > 0 && open[n-1].keys != nil {
		open[n-1].isKey = true
	}
	return open
}

func (f *frame) addKey(key string) error {
	f.isKey = false
	folded := fold(key)
	if f.keys[folded] {
		return fmt.Errorf("JSON key %.40q stands twice in one object", key)
	}
	f.keys[folded] = true
	return nil
}

// fold maps keys that encoding/json takes for the same to one string. Going through upper case first catches letters such
// as the long s, that fold to ASCII.
func fold(key string) string { return strings.ToLower(strings.ToUpper(key)) }

func syntaxError(err error, dec *json.Decoder) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("not JSON at byte %d: %w", dec.InputOffset(), err)
}

// noMore checks that only white space follows.
func noMore(dec *json.Decoder) error {
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("more than one JSON value: something follows at byte %d", dec.InputOffset())
	}
	return nil
}
