package rule

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/cel-go/common/types"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// class is a struct type of Go as a type of CEL.
type class struct {
	name    string
	goType  reflect.Type
	fields  map[string]*field // by their JSON names
	nouns   []*field          // those that hold nouns, by name
	grounds []int             // where its Grounds are; nil when it has none
	isFact  bool              // each Fact has a basis of its own
}

// field is a field of a class.
type field struct {
	name     string
	index    []int // of the Go field
	kind     kind
	celType  *types.Type
	optional bool         // JSON leaves its zero value out
	element  reflect.Type // of an object, or of a list of them
	isNoun   bool         // element says how its facts are known
	access   *types.FieldType
}

// kind says how a Go value becomes one of CEL.
type kind int

const (
	isScalar kind = iota
	isTime
	isDigest
	isObject
	isObjects // a list of objects
	isList    // of scalars
	isTable
	isDocument
)

// strict tells whether reading the zero value is an error rather than a value: nothing to compare with is there.
func (f *field) strict(v reflect.Value) bool {
	return f.kind == isTime || f.kind == isDigest || v.Kind() == reflect.Pointer || f.kind == isObject && f.optional
}

// classes are the types of the view. Each is made when it is first asked for: most expressions name few.
type classes struct {
	mu     sync.Mutex
	byName map[string]reflect.Type
	byType map[reflect.Type]*class
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	digestType   = reflect.TypeFor[provenance.Digest]()
	documentType = reflect.TypeFor[document]()
	groundsType  = reflect.TypeFor[provenance.Grounds]()
	factType     = reflect.TypeFor[provenance.Fact]()
)

func newClasses() *classes {
	c := &classes{byName: map[string]reflect.Type{}, byType: map[reflect.Type]*class{}}
	for _, t := range []reflect.Type{reflect.TypeFor[provenance.Record](), reflect.TypeFor[envelope.Signer](), reflect.TypeFor[attestation]()} {
		c.byName[typeName(t)] = t
	}
	return c
}

// typeName is the name that a Go type has in expressions' error messages.
func typeName(t reflect.Type) string { return strings.ToUpper(t.Name()[:1]) + t.Name()[1:] }

// named is the class of a name; nil when there is none.
func (c *classes) named(name string) *class {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, known := c.byName[name]
	if !known {
		return nil
	}
	return c.make(t)
}

// of is the class of a Go type.
func (c *classes) of(t reflect.Type) *class {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.make(t)
}

// make makes a class, once.
func (c *classes) make(t reflect.Type) *class {
	if made, ok := c.byType[t]; ok {
		return made
	}
	made := &class{name: typeName(t), goType: t, fields: map[string]*field{}, isFact: t == factType}
	c.byName[made.name], c.byType[t] = t, made
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous && f.Type == groundsType {
			made.grounds = f.Index
		}
		if field := c.field(f); field != nil {
			made.fields[field.name] = field
			if field.isNoun {
				made.nouns = append(made.nouns, field)
			}
		}
	}
	slices.SortFunc(made.nouns, func(a, b *field) int { return strings.Compare(a.name, b.name) })
	return made
}

// field is a Go field as JSON shows it; nil when JSON does not.
func (c *classes) field(f reflect.StructField) *field {
	tag, tagged := f.Tag.Lookup("json")
	name, options, _ := strings.Cut(tag, ",")
	if f.Anonymous && !tagged || !f.IsExported() || name == "-" {
		return nil
	}
	if name == "" {
		name = f.Name
	}
	out := &field{name: name, index: f.Index, optional: strings.Contains(options, "omit")}
	if !c.typed(out, f.Type) {
		return nil
	}
	out.access = &types.FieldType{Type: out.celType,
		IsSet:   func(target any) bool { return target.(*object).has(out) },
		GetFrom: func(target any) (any, error) { return target.(*object).get(out) }}
	return out
}

// typed gives a field its type in CEL, if there is one.
func (c *classes) typed(f *field, t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == timeType:
		f.kind, f.celType = isTime, types.TimestampType
	case t == digestType:
		f.kind, f.celType = isDigest, types.StringType
	case t == documentType:
		f.kind, f.celType = isDocument, types.DynType
	case t.Kind() == reflect.Struct:
		f.kind, f.celType, f.element = isObject, c.object(t), t
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && t.Elem() != timeType && t.Elem() != digestType:
		f.kind, f.celType, f.element = isObjects, types.NewListType(c.object(t.Elem())), t.Elem()
	case t == reflect.TypeFor[[]string]():
		f.kind, f.celType = isList, types.NewListType(types.StringType)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String:
		f.kind, f.celType = isTable, types.NewMapType(types.StringType, types.StringType)
	default:
		f.celType = scalarTypes[t.Kind()]
	}
	f.isNoun = f.element != nil && isNoun(f.element)
	return f.celType != nil
}

// isNoun tells whether a struct says how its facts are known.
func isNoun(t reflect.Type) bool {
	f, ok := t.FieldByName("Grounds")
	return t == factType || ok && f.Anonymous && f.Type == groundsType
}

// scalarTypes are the types of what is neither a list nor a struct.
var scalarTypes = map[reflect.Kind]*types.Type{reflect.String: types.StringType, reflect.Bool: types.BoolType, reflect.Int: types.IntType,
	reflect.Int64: types.IntType, reflect.Float64: types.DoubleType}

// object is the type of a struct, which can be asked for by its name from now on.
func (c *classes) object(t reflect.Type) *types.Type {
	c.byName[typeName(t)] = t
	return types.NewObjectType(typeName(t))
}

// names are the names of a class's fields, sorted.
func (c *class) names() []string { return slices.Sorted(maps.Keys(c.fields)) }
