package delta

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// reading is how partition values are compared by their types, where their texts differ: writers spell the same value in
// several ways, and some spell it anew when they write a checkpoint.
type reading struct {
	types   map[string]string // of partition columns, by the key that partitionValues has for them
	unknown bool              // one of them is of a type that is not known
}

// schema is what is used of a table's schema.
type schema struct {
	Fields []struct {
		Name     string                     `json:"name"`
		Type     json.RawMessage            `json:"type"`
		Metadata map[string]json.RawMessage `json:"metadata"`
	} `json:"fields"`
}

// readingOf finds the types of partition columns. With column mapping, partition values go by physical names, though
// deltalake lets them go by the names of the schema.
func readingOf(m *metadata) *reading {
	r := &reading{types: map[string]string{}}
	if m == nil {
		return r
	}
	var s schema
	if err := json.Unmarshal([]byte(m.schema), &s); err != nil {
		return r // all are compared as text
	}
	mode, mapped := m.configuration["delta.columnMapping.mode"], map[string]string{}
	for _, field := range s.Fields {
		if !slices.Contains(m.partition, field.Name) {
			continue
		}
		var physical, kind string
		_ = json.Unmarshal(field.Type, &kind) // or else the type is not known
		kind, _, _ = strings.Cut(kind, "(")   // of a decimal
		r.types[field.Name] = kind
		if json.Unmarshal(field.Metadata["delta.columnMapping.physicalName"], &physical) == nil && mode != "" && mode != "none" {
			mapped[physical] = kind
		}
		r.unknown = r.unknown || normal[kind] == nil
	}
	maps.Copy(r.types, mapped)
	return r
}

// sum is the sum of values by their types.
func (r *reading) sum(v values) uint64 {
	sure, doubtful, style := values{}, values{}, uint64(0)
	for column, value := range v {
		kind, ok := r.types[column]
		if !ok { // readers do not look at it
			kind = "string"
		}
		into := sure
		if kind == "timestamp" || kind == "binary" || normal[kind] == nil {
			into = doubtful
			sure[column] = "" // not null
		}
		if kind == "timestamp" && zone().MatchString(value) || kind == "binary" && escaped().MatchString(value) {
			style = styleBit
		}
		into[column] = spell(kind, value)
	}
	return max(hashOf(sure)>>32, 1)<<32 | hashOf(doubtful)>>32&^styleBit | style
}

// spell is the one spelling of a value. Others than those of its type are not taken for any of them.
func spell(kind, value string) string {
	if normal, ok := normal[kind]; ok {
		if text, ok := normal(value); ok {
			return "=" + text
		}
	}
	return "?" + value
}

// doubt tells whether two sums differ in such a way that they may stand for the same values: a timestamp without a zone is
// of the zone of whoever wrote it, which nobody knows any more.
func (r *reading) doubt(a, b uint64) bool {
	return a>>32 == b>>32 && (a&styleBit != b&styleBit || r.unknown)
}

// normal gives one spelling to all spellings of a value; false is what is no value of the type.
var normal = map[string]func(string) (string, bool){
	"string": func(s string) (string, bool) { return s, true }, "boolean": boolean, "binary": unescape,
	"byte": integer, "short": integer, "integer": integer, "long": integer, "decimal": decimal, "float": float(32), "double": float(64),
	"date": local, "timestamp": moment, "timestamp_ntz": local,
}

func boolean(s string) (string, bool) {
	s = strings.ToLower(s)
	return s, s == "true" || s == "false"
}

// What numbers look like. It bounds what is computed with.
var (
	integral   = pattern.New(`^[+-]?[0-9]{1,100}(\.0{0,100})?$`)
	fractional = pattern.New(`^[+-]?[0-9]{1,100}(\.[0-9]{0,100})?([eE][+-]?[0-9]{1,2})?$`)
)

// integer spells a number as decimal does: a column of integers may become one of decimals.
func integer(s string) (string, bool) {
	if !integral().MatchString(s) {
		return "", false
	}
	return decimal(s)
}

func decimal(s string) (string, bool) {
	if !fractional().MatchString(s) {
		return "", false
	}
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		return "", false
	}
	return n.RatString(), true
}

func float(bits int) func(string) (string, bool) {
	return func(s string) (string, bool) {
		f, err := strconv.ParseFloat(s, bits)
		if err != nil || strings.ContainsAny(s, "xX_") { // as Go writes numbers, and others do not
			return "", false
		}
		return strconv.FormatFloat(f+0, 'g', -1, bits), true // +0: of the two zeros one
	}
}

// zone is the end of a timestamp that says its zone.
var zone = pattern.New(`:[0-9.]+(Z|[+-][0-9]{2}:?[0-9]{2})$`)

// layouts are those of dates and timestamps; fractions of seconds are read without being asked for.
var (
	localLayouts = []string{"2006-1-2", "2006-1-2 15:4:5", "2006-1-2T15:4:5", "2006-1-2 15:4"}
	layouts      = append([]string{"2006-1-2T15:4:5Z07:00", "2006-1-2T15:4:5Z0700", "2006-1-2 15:4:5Z07:00"}, localLayouts...)
)

// moment spells a date, or a timestamp in UTC, of which readers know microseconds. Midnight is spelled as the date: a column
// of dates may become one of timestamps.
func moment(s string) (string, bool) { return spellTime(s, layouts) }

// local is moment for dates and timestamps without a zone. One that is written with a zone is what readers differ in.
func local(s string) (string, bool) { return spellTime(s, localLayouts) }

// clockwork is what dates and timestamps look like. Go reads more than that: a comma before the fraction, a zone of 24 hours.
var clockwork = pattern.New(`^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-7]):?[0-5][0-9]|[+-]18:?00)?)?$`)

func spellTime(s string, layouts []string) (string, bool) {
	if !clockwork().MatchString(s) {
		return "", false
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			text := t.UTC().Truncate(time.Microsecond).Format("2006-01-02 15:04:05.999999")
			return strings.TrimSuffix(text, " 00:00:00"), true
		}
	}
	return "", false
}

// escaped is a byte of binary, as the protocol spells it.
var escaped = pattern.New(`\\u00[0-9A-Fa-f]{2}`)

// unescape makes of each escaped byte the character of its number.
func unescape(s string) (string, bool) {
	return escaped().ReplaceAllStringFunc(s, func(code string) string {
		n, _ := strconv.ParseUint(code[2:], 16, 8) // two digits, after zeros
		return string(rune(n))
	}), true
}
