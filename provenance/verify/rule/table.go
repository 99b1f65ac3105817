package rule

import (
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// table is a map whose keys come in the order of their bytes, so that an evaluation gives the same every time, and that notes which
// of them are read.
type table struct {
	traits.Mapper
	keys []string // sorted
	note func(key string, value ref.Val)
}

// Find finds the value of a key.
func (t table) Find(key ref.Val) (ref.Val, bool) {
	value, found := t.Mapper.Find(key)
	if name, ok := key.(types.String); ok {
		if !found {
			value = nil
		}
		t.note(string(name), value)
	}
	return value, found
}

// Get is the value of a key, or an error.
func (t table) Get(key ref.Val) ref.Val {
	value, found := t.Find(key)
	if !found {
		return types.ValOrErr(value, "no such key: %v", key)
	}
	return value
}

// Contains tells whether there is a key.
func (t table) Contains(key ref.Val) ref.Val {
	value, found := t.Find(key)
	if value != nil && types.IsUnknownOrError(value) {
		return value
	}
	return types.Bool(found)
}

// Equal tells whether another map has the same entries.
func (t table) Equal(other ref.Val) ref.Val {
	o, ok := other.(traits.Mapper)
	if !ok || o.Size() != t.Size() {
		return types.False
	}
	for _, key := range t.keys {
		mine, _ := t.Find(types.String(key))
		its, found := o.Find(types.String(key))
		if !found {
			return types.False
		}
		if equal := types.Equal(mine, its); equal != types.True {
			return equal
		}
	}
	return types.True
}

// Iterator gives the keys.
func (t table) Iterator() traits.Iterator { return types.NewStringList(adapter{}, t.keys).Iterator() }

// identifier matches a key that can follow a dot.
var identifier = pattern.New(`^[A-Za-z_][A-Za-z0-9_]*$`)

// selector is how an expression reads a key: .name or ["a name"].
func selector(key string) string {
	if identifier().MatchString(key) {
		return "." + key
	}
	return "[" + strconv.Quote(key) + "]"
}

// textTable is a map of text, in a field of o.
func textTable(v reflect.Value, o *object, f *field) table {
	entries := make(map[string]string, v.Len())
	for key, value := range v.Seq2() {
		entries[key.String()] = value.String()
	}
	return table{types.NewStringStringMap(adapter{}, entries), slices.Sorted(maps.Keys(entries)), func(key string, value ref.Val) {
		o.in.note(readKey{o, f, key}, func() Input {
			input := o.input(f, noteText(value))
			input.Path += selector(key)
			return input
		})
	}}
}

// noteText is the value of a key for people; nil is absent.
func noteText(value ref.Val) string {
	if value == nil {
		return absentText
	}
	return valueText(value)
}

// attestationTable is the variable attestations.
func attestationTable(all map[string]*attestation, in *reading) table {
	values := make(map[string]any, len(all))
	for name, a := range all {
		values[name] = rootObject("attestations"+selector(name), a, in)
	}
	return table{types.NewStringInterfaceMap(adapter{}, values), slices.Sorted(maps.Keys(values)), func(key string, value ref.Val) {
		text := presentText
		if value == nil {
			text = absentText
		}
		path := "attestations" + selector(key)
		in.note(readKey{name: path}, func() Input { return Input{Path: path, Value: text} })
	}}
}
