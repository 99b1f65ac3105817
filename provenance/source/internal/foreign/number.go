package foreign

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// LooseNumber is a number of an MLflow server as it came: written as a number or as text. Servers write 64-bit integers as
// numbers or as text, as protobuf's JSON does, and what JSON has no number for as text: NaN, Infinity, -Infinity.
// Source: https://protobuf.dev/programming-guides/json/
type LooseNumber string

// UnmarshalJSON takes a number or a string.
func (n *LooseNumber) UnmarshalJSON(data []byte) error {
	var number json.Number // which takes both, but of texts only those that are numbers
	if err := json.Unmarshal(data, &number); err == nil {
		*n = LooseNumber(number)
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("a number is written as %q", Plain(string(data)))
	}
	*n = LooseNumber(text)
	return nil
}

// decimalNumber is what JSON takes for a number. Go's ParseFloat would take more.
var decimalNumber = pattern.New(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// Decimal is the value of a metric: the shortest text that gives the same float64, or NaN, Infinity, -Infinity.
func (n LooseNumber) Decimal() (string, error) {
	switch n {
	case "NaN", "Infinity", "-Infinity":
		return string(n), nil
	}
	if !decimalNumber().MatchString(string(n)) {
		return "", fmt.Errorf("%q is no number", Plain(string(n)))
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || math.IsInf(f, 0) {
		return "", fmt.Errorf("%q is too large for a number", Plain(string(n)))
	}
	return strconv.FormatFloat(f, 'g', -1, 64), nil
}

// Integer reads a 64-bit integer; none is 0.
func (n LooseNumber) Integer() (int64, error) {
	if n == "" {
		return 0, nil
	}
	i, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no integer", Plain(string(n)))
	}
	return i, nil
}

// Size reads a number of bytes.
func (n LooseNumber) Size() (int64, error) {
	i, err := n.Integer()
	if err == nil && i < 0 {
		err = fmt.Errorf("%d is no size", i)
	}
	return i, err
}

// At reads a time in milliseconds since 1970; 0 or none is the zero time.
func (n LooseNumber) At() (time.Time, error) { return Millis(json.Number(n)) }

// Millis reads a time in milliseconds since 1970; 0 or none is the zero time.
func Millis(n json.Number) (time.Time, error) {
	if n == "" || n == "0" {
		return time.Time{}, nil
	}
	ms, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil || ms < 0 || ms > time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).UnixMilli() {
		return time.Time{}, fmt.Errorf("%q is no time in milliseconds", Plain(n.String()))
	}
	return time.UnixMilli(ms).UTC(), nil
}

func IsServiceID(n json.Number) bool {
	id, err := DecimalID("", "", n.String())
	return err == nil && id == n.String() && id != ""
}

// devopsID reads a decimal id; empty is fine.
func DecimalID(what, variable, s string) (string, error) {
	if s == "" {
		return "", nil
	}
	id, err := strconv.ParseUint(s, 10, 63)
	if err != nil || id == 0 {
		return "", provenance.Misuse("it is "+variable, "%q is not the id of a %s of Azure DevOps", Plain(s), what)
	}
	return strconv.FormatUint(id, 10), nil
}
