package source

import (
	"fmt"
	"net/url"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
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
func withoutPeople(noun any) { redact.Texts(noun, nobody) }

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
