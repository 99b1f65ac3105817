package rule

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

// leaf is a value of a record that an expression can compare.
type leaf struct {
	path  string
	value string // in CEL
}

// leaves walks JSON and the classes side by side: the names have to be the same. It gives every value that can be compared.
func leaves(t *testing.T, path string, c *class, object map[string]any) (all []leaf) {
	t.Helper()
	if got, want := c.names(), slices.Sorted(maps.Keys(object)); !slices.Equal(got, want) {
		t.Errorf("%s: an expression can name %q, and JSON has %q", path, got, want)
		return nil
	}
	for name, value := range object {
		all = append(all, leavesOf(t, path+"."+name, c.fields[name], value)...)
	}
	return all
}

func leavesOf(t *testing.T, path string, f *field, value any) []leaf {
	t.Helper()
	switch f.kind {
	case isObject:
		return append(leaves(t, path, view().of(f.element), value.(map[string]any)), leaf{path: path})
	case isObjects:
		return append(leaves(t, path+"[0]", view().of(f.element), value.([]any)[0].(map[string]any)), leaf{path: path})
	case isTime:
		return []leaf{{path, fmt.Sprintf("timestamp(%q)", value)}}
	case isList:
		return []leaf{{path, fmt.Sprintf("[%q]", value.([]any)[0])}}
	case isTable:
		return []leaf{{path + ".key", fmt.Sprintf("%q", value.(map[string]any)["key"])}, {path: path}}
	}
	if f.celType.TypeName() == "string" {
		return []leaf{{path, fmt.Sprintf("%q", value)}}
	}
	return []leaf{{path, strings.Trim(fmt.Sprint(value), `"`)}} // a number, perhaps written as text, or a truth
}

// TestViewIsJSON: an expression can name each field that the JSON of a record has, and no other, and reads the same value there.
func TestViewIsJSON(t *testing.T) {
	record := full(t)
	data, err := json.Marshal(record)
	must(t, err)
	var object map[string]any
	must(t, json.Unmarshal(data, &object))
	all := leaves(t, "record", view().of(reflect.TypeFor[provenance.Record]()), object)
	if len(all) < 300 {
		t.Fatalf("only %d values were found", len(all))
	}
	facts := Facts{Record: record}.View()
	for _, l := range all {
		expression := "has(" + l.path + ")"
		if l.value != "" {
			expression += " && " + l.path + " == " + l.value
		}
		out, err := compile(t, expression).Eval(t.Context(), facts)
		if err != nil || !out.Holds {
			t.Errorf("%s: %v, %v", expression, out.Holds, err)
		}
	}
}

// TestNothingIsThere: of an empty record nothing is true that JSON does not say, and what is not there is undecided when it is read.
func TestNothingIsThere(t *testing.T) {
	data, err := json.Marshal(provenance.Record{})
	must(t, err)
	var object map[string]any
	must(t, json.Unmarshal(data, &object))
	facts := Facts{}.View()
	c := view().of(reflect.TypeFor[provenance.Record]())
	for name, f := range c.fields {
		_, inJSON := object[name]
		out, err := compile(t, "has(record."+name+")").Eval(t.Context(), facts)
		if err != nil || out.Holds != inJSON {
			t.Errorf("has(record.%s): %v, %v; in JSON: %v", name, out.Holds, err, inJSON)
		}
		if f.kind != isObject || inJSON {
			continue
		}
		for field := range view().of(f.element).fields {
			out, err := compile(t, fmt.Sprintf("type(record.%s.%s) != type(null)", name, field)).Eval(t.Context(), facts)
			if err == nil || out.Holds || !strings.Contains(err.Error(), "record."+name+" is not there") {
				t.Errorf("record.%s.%s: %v, %v", name, field, out.Holds, err)
			}
		}
	}
}

// TestClassNames: two Go types never share a name, because a class is found by it.
func TestClassNames(t *testing.T) {
	seen := map[string]reflect.Type{}
	var visit func(reflect.Type)
	visit = func(goType reflect.Type) {
		name := typeName(goType)
		if other, ok := seen[name]; ok {
			if other != goType {
				t.Errorf("%s and %s are both %s", other, goType, name)
			}
			return
		}
		seen[name] = goType
		for _, f := range view().of(goType).fields {
			if f.element != nil {
				visit(f.element)
			}
		}
	}
	for _, name := range []string{recordType, signerType, attestationType} {
		visit(view().named(name).goType)
	}
	if len(seen) < 30 {
		t.Errorf("only %d types were found", len(seen))
	}
}
