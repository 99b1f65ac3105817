package rule

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// The values of an Input that only tells whether something is there.
const (
	presentText = "present"
	absentText  = "absent"
)

// maxValue is how many characters of a value people are shown.
const maxValue = 200

// reading notes what an evaluation reads. A nil one notes nothing.
type reading struct {
	inputs []Input
	more   bool
	seen   map[readKey]int // indexes of inputs
}

// readKey is what was read: a field of an object, a key of its table, or a variable.
type readKey struct {
	object *object
	field  *field
	name   string
}

// note notes an input, once; a value takes the place of the word that there is one. Beyond MaxInputs it only says that there were
// more, which costs nothing.
func (r *reading) note(key readKey, input func() Input) {
	if r == nil {
		return
	}
	if i, seen := r.seen[key]; seen {
		if r.inputs[i].Value == presentText {
			r.inputs[i] = input()
		}
		return
	}
	if len(r.inputs) >= MaxInputs {
		r.more = true
		return
	}
	if r.seen == nil {
		r.seen = map[readKey]int{}
	}
	r.seen[key] = len(r.inputs)
	r.inputs = append(r.inputs, input())
}

// input is a field of o as people see it.
func (o *object) input(f *field, value string) Input {
	return Input{Path: o.path() + "." + f.name, Value: value, Basis: o.basisOf(f)}
}

// valueText is a value for people.
func valueText(v ref.Val) string {
	switch v := v.(type) {
	case *types.Err:
		return absentText
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339)
	case traits.Mapper:
		return count(int64(v.Size().(types.Int)), "entry", "entries")
	case traits.Lister:
		return listText(v)
	case types.Null:
		return "null"
	}
	text, ok := v.ConvertToType(types.StringType).(types.String)
	if !ok {
		return v.Type().TypeName()
	}
	return clip(string(text))
}

// listText is a list for people: text in full, and how many things there are of anything else.
func listText(l traits.Lister) string {
	size := int64(l.Size().(types.Int))
	var texts []string
	for i := range min(size, MaxInputs) {
		text, ok := l.Get(types.Int(i)).(types.String)
		if !ok {
			return count(size, "item", "items")
		}
		texts = append(texts, string(text))
	}
	if size == 0 || size > MaxInputs {
		return count(size, "item", "items")
	}
	return clip(strings.Join(texts, ", "))
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// clip shortens foreign text.
func clip(s string) string {
	runes := 0
	for i := range s {
		if runes == maxValue {
			return s[:i] + "…"
		}
		runes++
	}
	return s
}
