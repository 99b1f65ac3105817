package source

import (
	"fmt"
	"net/url"
	"reflect"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
)

// discreet is a request as it is kept: a path such as /Users/ada@contoso.com/train names a person.
func (a *asker) discreet(r httpclient.Request) httpclient.Request {
	if !a.anonymous {
		return r
	}
	query := url.Values{}
	for name, values := range r.Query {
		for _, value := range values {
			query.Add(name, nobody(value))
		}
	}
	r.Query = query
	return r
}

// withoutPeople takes addresses of people out of all text of a noun: paths in the workspace begin with them.
func withoutPeople(noun any) { eachText(reflect.ValueOf(noun).Elem(), nobody) }

// discreetSources does so with sources, and keeps apart those that only a person's name told apart.
func discreetSources(sources []provenance.Notebook) {
	seen := map[notedAs]int{}
	for i := range sources {
		n := &sources[i]
		withoutPeople(n)
		as := notedAs{n.Path, n.By, n.How, ""}
		if seen[as]++; seen[as] > 1 {
			n.How += fmt.Sprintf(", %d", seen[as])
		}
	}
}

// eachText changes every text in a value. Functions, times and digests are left alone: their fields are not exported.
func eachText(v reflect.Value, change func(string) string) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.SetString(change(v.String()))
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachText(v.Index(i), change)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				eachText(v.Field(i), change)
			}
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			if value.Kind() == reflect.String && value.Type() == reflect.TypeFor[string]() {
				v.SetMapIndex(key, reflect.ValueOf(change(value.String())))
			}
		}
	}
}
