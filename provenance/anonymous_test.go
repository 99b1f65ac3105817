package provenance

import (
	"reflect"
	"strings"
	"testing"
)

// TestIDsOnly: no name and no address of anybody is left, and every id is.
func TestIDsOnly(t *testing.T) {
	evidence := example(t)
	before := indent(t, gathered(t, evidence...))
	s, data := write(t, append(evidence, IDsOnly{})...)
	for _, name := range []string{"Ada Lovelace", "Grace Hopper", "ada@contoso.com", "grace@contoso.com", "svc-train", "Mortgage]"} {
		if strings.Contains(string(data), name) {
			t.Errorf("the statement names %s", name)
		}
	}
	record, err := Read(s)
	if err != nil {
		t.Fatal(err)
	}
	if r := record.Review; r.Pusher != (Person{ID: ada.ID}) || r.PullRequests[0].Reviewers[0].ID != grace.ID || r.PullRequests[0].Reviewers[0].Vote != "approved" {
		t.Errorf("review %+v", r)
	}
	if after := indent(t, gathered(t, evidence...)); after != before {
		t.Error("the evidence itself was changed")
	}
}

func gathered(t *testing.T, evidence ...Evidence) Record {
	t.Helper()
	r, err := gather(evidence)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestIdentify: the ids that services know for an address are those of the commit's author and committer, too.
func TestIdentify(t *testing.T) {
	s, _ := write(t, changed(func(c *Commit) { c.Author.Email, c.Committer = "ADA@contoso.com", Person{Email: "nobody@contoso.com"} })(example(t))...)
	record, err := Read(s)
	if err != nil {
		t.Fatal(err)
	}
	if c := record.Commit; c.Author.ID != ada.ID || c.Committer.ID != "" || c.Of("author") != Declared {
		t.Errorf("author %+v, committer %+v", c.Author, c.Committer)
	}
}

// TestNoPersonInAMap holds what eachPerson relies on.
func TestNoPersonInAMap(t *testing.T) {
	var look func(of reflect.Type)
	look = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice:
			look(of.Elem())
		case reflect.Map:
			if of.Elem().Kind() != reflect.String && of.Elem() != reflect.TypeFor[Basis]() {
				t.Errorf("a record has a %v", of)
			}
		case reflect.Struct:
			for i := range of.NumField() {
				if of.Field(i).IsExported() {
					look(of.Field(i).Type)
				}
			}
		}
	}
	look(reflect.TypeFor[Record]())
}
