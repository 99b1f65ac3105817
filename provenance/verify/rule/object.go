package rule

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/seed-3480f271/provenance/provenance"
)

// object is a struct as a value of CEL. It knows where it is, so that what is read of it can be told to people.
//
// It has no way to read a field by a name that is not known before: so no fact is read that [Rule.Weaker] does not know of.
type object struct {
	class *class
	value reflect.Value // of the struct
	owner *object       // whose field it is; nil for a variable
	field *field
	index int    // in the field's list; -1 when it is no list
	root  string // the variable's name
	in    *reading
	made  map[*field]ref.Val // lists and objects that were read before
}

// rootObject is a variable that is a struct.
func rootObject(name string, pointer any, in *reading) *object {
	value := reflect.ValueOf(pointer).Elem()
	return &object{class: view().of(value.Type()), value: value, root: name, index: -1, in: in}
}

// child is an object in a field of o.
func (o *object) child(f *field, index int, value reflect.Value) *object {
	return &object{class: view().of(f.element), value: value, owner: o, field: f, index: index, in: o.in}
}

// absentError says that something that an expression reads is not there.
type absentError struct{ path, hint string }

func (e *absentError) Error() string { return e.path + " is not there; " + e.hint }

// noField is the error of a field that is not there.
func noField(path string) error { return &absentError{path, "has() tells whether it is"} }

// noVariable is the value of a variable that is not known.
func noVariable(name, why string) ref.Val { return types.WrapErr(&absentError{name, why}) }

// has tells whether JSON shows a field.
func (o *object) has(f *field) bool {
	v := o.raw(f)
	present := !(f.optional || f.strict(v)) || !isEmpty(v)
	text := presentText
	if !present {
		text = absentText
	}
	o.in.note(readKey{object: o, field: f}, func() Input { return o.input(f, text) })
	return present
}

// isEmpty tells whether encoding/json would leave a value out.
func isEmpty(v reflect.Value) bool {
	switch {
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Map:
		return v.Len() == 0
	case v.Type() == timeType:
		return v.Interface().(time.Time).IsZero()
	}
	return v.IsZero()
}

// get is the value of a field.
func (o *object) get(f *field) (ref.Val, error) {
	v := o.raw(f)
	if f.strict(v) && isEmpty(v) {
		o.in.note(readKey{object: o, field: f}, func() Input { return o.input(f, absentText) })
		return nil, noField(o.path() + "." + f.name)
	}
	if made, ok := o.made[f]; ok {
		return made, nil
	}
	value, err := o.adapt(f, reflect.Indirect(v))
	if err != nil {
		return nil, err
	}
	if f.kind != isObject && f.kind != isDocument {
		o.in.note(readKey{object: o, field: f}, func() Input { return o.input(f, valueText(value)) })
	}
	if f.kind >= isObject {
		if o.made == nil {
			o.made = map[*field]ref.Val{}
		}
		o.made[f] = value
	}
	return value, nil
}

// raw is the Go value of a field.
func (o *object) raw(f *field) reflect.Value { return o.value.FieldByIndex(f.index) }

// adapt makes a value of CEL.
func (o *object) adapt(f *field, v reflect.Value) (ref.Val, error) {
	switch f.kind {
	case isObject:
		return o.child(f, -1, v), nil
	case isObjects:
		items := make([]ref.Val, v.Len())
		for i := range items {
			items[i] = o.child(f, i, v.Index(i))
		}
		return types.NewRefValList(adapter{}, items), nil
	case isList:
		return types.NewStringList(adapter{}, v.Interface().([]string)), nil
	case isTable:
		return textTable(v, o, f), nil
	case isDocument:
		value, err := v.Interface().(document)()
		if err != nil {
			return nil, err
		}
		return adapter{o.path() + "." + f.name, o.in}.NativeToValue(value), nil
	}
	return scalar(v), nil
}

// scalar makes a value of CEL of text, a number, a truth, a time or a digest.
func scalar(v reflect.Value) ref.Val {
	switch {
	case v.Type() == digestType:
		return types.String(v.Interface().(provenance.Digest).String())
	case v.Kind() == reflect.String:
		return types.String(v.String())
	case v.CanInt():
		return types.Int(v.Int())
	}
	return types.DefaultTypeAdapter.NativeToValue(v.Interface())
}

// path is where the object is: record.data[0].
func (o *object) path() string {
	if o.owner == nil {
		return o.root
	}
	path := o.owner.path() + "." + o.field.name
	if o.index >= 0 {
		path += "[" + strconv.Itoa(o.index) + "]"
	}
	return path
}

// ConvertToNative refuses: nothing outside takes objects.
func (o *object) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a %s cannot become a %s", o.class.name, t)
}

// ConvertToType tells the type, and nothing else.
func (o *object) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return types.NewObjectType(o.class.name)
	}
	return types.NewErr("a %s cannot become a %s", o.class.name, t.TypeName())
}

// Equal is an error: examine refuses such comparisons, and this is what is left of them behind values of unknown type.
func (o *object) Equal(ref.Val) ref.Val {
	return types.NewErr("a %s cannot be compared; compare its fields", o.class.name)
}

// Type is the object's type.
func (o *object) Type() ref.Type { return types.NewObjectType(o.class.name) }

// Value is the object itself.
func (o *object) Value() any { return o }

var _ ref.Val = (*object)(nil)
var _ traits.Mapper = table{}
