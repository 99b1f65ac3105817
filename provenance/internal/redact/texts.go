package redact

import "reflect"

// Texts changes every text in what a pointer points to, but for the fields, and the values in maps, whose names it is to skip.
// Times and digests are left alone: their fields are not exported.
func Texts(noun any, change func(string) string, skip ...string) {
	t := texts{change, map[string]bool{}}
	for _, name := range skip {
		t.skip[name] = true
	}
	t.in(reflect.ValueOf(noun).Elem())
}

type texts struct {
	change func(string) string
	skip   map[string]bool
}

func (t texts) in(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			t.in(v.Elem())
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(t.change(v.String()))
		}
	case reflect.Slice:
		for i := range v.Len() {
			t.in(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && !t.skip[field.Name] {
				t.in(v.Field(i))
			}
		}
	case reflect.Map:
		if v.Type().Elem() == reflect.TypeFor[string]() {
			t.values(v)
		}
	}
}

func (t texts) values(table reflect.Value) {
	for key, value := range table.Seq2() {
		if !t.skip[key.String()] {
			table.SetMapIndex(key, reflect.ValueOf(t.change(value.String())))
		}
	}
}
