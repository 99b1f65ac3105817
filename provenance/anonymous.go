package provenance

import (
	"reflect"
	"slices"
	"strings"
)

// IDsOnly is Evidence that the record is to be without names and addresses of people: signatures are for ever. Who has no id is left
// out, and so is an entry of a list that says nothing else; what somebody decided stays, without who. What people wrote themselves
// (messages, titles, comments) stays.
type IDsOnly struct{}

func (IDsOnly) addTo(r *Record) error {
	r.idsOnly = true
	return nil
}

// identify gives the commit's author and committer the ids that the services know for their addresses. It says who such an address
// belongs to, and not who made the commit: anybody can write any address into one.
func (r *Record) identify() {
	byEmail := map[string]string{}
	eachPerson(reflect.ValueOf(r).Elem(), func(p *Person) {
		if p.ID != "" && p.Email != "" {
			byEmail[strings.ToLower(p.Email)] = p.ID
		}
	})
	for _, p := range []*Person{&r.Commit.Author, &r.Commit.Committer} {
		if p.ID == "" {
			p.ID = byEmail[strings.ToLower(p.Email)]
		}
	}
}

// forgetNames leaves nothing of people but their ids.
func (r *Record) forgetNames() {
	eachPerson(reflect.ValueOf(r).Elem(), func(p *Person) { *p = Person{ID: p.ID} })
	for _, v := range r.pullRequests() {
		v.Reviewers = slices.DeleteFunc(v.Reviewers, func(w Reviewer) bool { return w == Reviewer{} })
	}
	if r.MLflow != nil {
		for name := range r.MLflow.Tags {
			if personTags[name] {
				delete(r.MLflow.Tags, name)
			}
		}
	}
}

func (r *Record) pullRequests() (all []*PullRequest) {
	if r.Review != nil {
		for i := range r.Review.PullRequests {
			all = append(all, &r.Review.PullRequests[i])
		}
	}
	return all
}

// personTags are tags in which the MLflow client names who runs it.
var personTags = map[string]bool{"mlflow.user": true, "mlflow.databricks.notebook.userName": true}

// eachPerson visits every Person in a value, so that no noun can be forgotten. Persons in maps are not looked for: there are none.
func eachPerson(v reflect.Value, visit func(*Person)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachPerson(v.Elem(), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachPerson(v.Index(i), visit)
		}
	case reflect.Struct:
		if p, is := v.Addr().Interface().(*Person); is {
			visit(p)
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				eachPerson(v.Field(i), visit)
			}
		}
	}
}

// copyPeople makes copies of what forgetNames and identify change: evidence belongs to its source.
func (r *Record) copyPeople() {
	*r = deepCopy(reflect.ValueOf(*r)).Interface().(Record)
}

// deepCopy copies pointers, slices and maps of strings, however deep.
func deepCopy(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(deepCopy(v.Elem()))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(deepCopy(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
			for key, value := range v.Seq2() {
				out.SetMapIndex(key, value)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(deepCopy(v.Field(i)))
			}
		}
	}
	return out
}
