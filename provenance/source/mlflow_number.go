package source

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// mlflowNumber is a number of an MLflow server as it came: written as a number or as text. Servers write 64-bit integers as
// numbers or as text, as protobuf's JSON does, and what JSON has no number for as text: NaN, Infinity, -Infinity.
// Source: https://protobuf.dev/programming-guides/json/
type mlflowNumber string

// UnmarshalJSON takes a number or a string.
func (n *mlflowNumber) UnmarshalJSON(data []byte) error {
	var number json.Number // which takes both, but of texts only those that are numbers
	if err := json.Unmarshal(data, &number); err == nil {
		*n = mlflowNumber(number)
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("a number is written as %q", plain(string(data)))
	}
	*n = mlflowNumber(text)
	return nil
}

// decimalNumber is what JSON takes for a number. Go's ParseFloat would take more.
var decimalNumber = pattern.New(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// decimal is the value of a metric: the shortest text that gives the same float64, or NaN, Infinity, -Infinity.
func (n mlflowNumber) decimal() (string, error) {
	switch n {
	case "NaN", "Infinity", "-Infinity":
		return string(n), nil
	}
	if !decimalNumber().MatchString(string(n)) {
		return "", fmt.Errorf("%q is no number", plain(string(n)))
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || math.IsInf(f, 0) {
		return "", fmt.Errorf("%q is too large for a number", plain(string(n)))
	}
	return strconv.FormatFloat(f, 'g', -1, 64), nil
}

// integer reads a 64-bit integer; none is 0.
func (n mlflowNumber) integer() (int64, error) {
	if n == "" {
		return 0, nil
	}
	i, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no integer", plain(string(n)))
	}
	return i, nil
}

// size reads a number of bytes.
func (n mlflowNumber) size() (int64, error) {
	i, err := n.integer()
	if err == nil && i < 0 {
		err = fmt.Errorf("%d is no size", i)
	}
	return i, err
}

// at reads a time in milliseconds since 1970; 0 or none is the zero time.
func (n mlflowNumber) at() (time.Time, error) { return millis(json.Number(n)) }
