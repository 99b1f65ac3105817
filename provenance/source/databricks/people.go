package databricks

import (
	"fmt"
	"net/url"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// discreet is a request as it is kept: a path such as /Users/ada@contoso.com/train names a person.
func (a *asker) discreet(r httpclient.Request) httpclient.Request {
	if !a.IDsOnly {
		return r
	}
	query := url.Values{}
	for name, values := range r.Query {
		for _, value := range values {
			query.Add(name, foreign.Nobody(value))
		}
	}
	r.Query = query
	return r
}

// withoutPeople takes addresses of people out of all text of a noun: paths in the workspace begin with them.
func withoutPeople(noun any) { redact.Texts(noun, foreign.Nobody) }

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
