package rule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// document is JSON that is parsed when it is first read.
type document func() (any, error)

// parseJSON reads one JSON value.
func parseJSON(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("the predicate cannot be read: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("the predicate cannot be read: something follows its JSON value")
	}
	return value, nil
}

// adapter makes values of CEL of parsed JSON.
type adapter struct {
	path string // of the value, for people
	in   *reading
}

// NativeToValue makes a value of CEL. Numbers are doubles, as in JSON; an integer that a double does not hold exactly is an int, which
// compares well with both.
func (a adapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case ref.Val:
		return v
	case map[string]any:
		return a.object(v)
	case []any:
		return types.NewDynamicList(adapter{a.path + "[]", a.in}, v)
	case json.Number:
		return number(v)
	}
	return types.DefaultTypeAdapter.NativeToValue(value)
}

// object is a JSON object, whose entries know where they are.
func (a adapter) object(v map[string]any) table {
	return table{jsonObject{types.NewStringInterfaceMap(a, v).(traits.Mapper), a, v}, slices.Sorted(maps.Keys(v)), func(key string, value ref.Val) {
		path, text := a.path+selector(key), noteText(value)
		a.in.note(readKey{name: path + "\n" + text}, func() Input { return Input{Path: path, Value: text} })
	}}
}

// jsonObject makes its entries when they are read.
type jsonObject struct {
	traits.Mapper
	adapter adapter
	entries map[string]any
}

// Find finds an entry.
func (o jsonObject) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	value, found := o.entries[string(name)]
	if !found {
		return nil, false
	}
	return adapter{o.adapter.path + selector(string(name)), o.adapter.in}.NativeToValue(value), true
}

// maxExact is the largest integer up to which a double holds every one.
const maxExact = 1 << 53

func number(n json.Number) ref.Val {
	if i, err := n.Int64(); err == nil && (i > maxExact || i < -maxExact) {
		return types.Int(i)
	}
	f, err := n.Float64()
	if err != nil {
		return types.NewErr("the number %.40s is too large", string(n))
	}
	return types.Double(f)
}
