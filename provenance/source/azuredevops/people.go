package azuredevops

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// identityRef is how Azure DevOps names somebody. The id is its own, not the one in Entra.
// Source: https://learn.microsoft.com/rest/api/azure/devops/build/builds/get#identityref
type identityRef struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	UniqueName  string `json:"uniqueName"` // an address, or DOMAIN\user
	IsContainer bool   `json:"isContainer"`
	Descriptor  string `json:"descriptor"` // its kind, and an id
}

func (i identityRef) isZero() bool { return i == identityRef{} }

// namesNobody tells whether there is nothing to know somebody by.
func (i identityRef) namesNobody() bool {
	return strings.Trim(i.ID, "0-") == "" && i.DisplayName == "" && i.UniqueName == ""
}

// isGroup tells whether it is a group or a team: newer answers say so in the descriptor alone.
// Source: https://learn.microsoft.com/rest/api/azure/devops/build/builds/get#identityref (isContainer is deprecated)
func (i identityRef) isGroup() bool {
	return i.IsContainer || strings.HasPrefix(i.Descriptor, "vssgp.") || strings.HasPrefix(i.Descriptor, "aadgp.") || strings.HasPrefix(i.UniqueName, "vstfs:///")
}

// devopsPeople are the ids of identities, and what stands for them in the record: the object id in Entra, where there is one. Until
// they are resolved, that is empty.
type devopsPeople map[string]string

// ownID marks ids of Azure DevOps itself: of service accounts, of groups, and of people whom nobody could look up.
const ownID = "azure-devops:"

// id is what stands for an identity in the record.
func (p devopsPeople) id(id string) string {
	id = strings.ToLower(foreign.Plain(id))
	if id == "" || strings.Trim(id, "0-") == "" { // the empty GUID is nobody
		return ""
	}
	if resolved := p[id]; resolved != "" {
		return resolved
	}
	p[id] = ""
	return ownID + id
}

// person is somebody in the record.
func (p devopsPeople) person(i identityRef) provenance.Person {
	person := provenance.Person{ID: p.id(i.ID), Name: foreign.UnlessRemoved(i.DisplayName)}
	if name := foreign.UnlessRemoved(i.UniqueName); strings.Contains(name, "@") {
		person.Email = name
	}
	return person
}

// identityBatch is how many identities are asked for at a time; more would make the URL too long.
const identityBatch = 50

// maxPeople bounds how many people one noun may name.
const maxPeople = 5000

// objectIDProperty is the property of an identity that holds the object id in Entra.
const objectIDProperty = "http://schemas.microsoft.com/identity/claims/objectidentifier"

// identityAnswer is an answer about somebody; null where nobody has that id.
// Source: https://learn.microsoft.com/rest/api/azure/devops/ims/identities/read-identities
type identityAnswer struct {
	ID         string `json:"id"`
	Properties map[string]struct {
		Value any `json:"$value"`
	} `json:"properties"`
}

// resolve looks up the people that were seen. A token that may not read identities is no error: the people keep the ids that
// Azure DevOps gave them, and a note says so.
func (q *devopsQuestion) resolve(ctx context.Context) error {
	ids := slices.Sorted(maps.Keys(q.people))
	if len(ids) > maxPeople {
		return q.Nonsense("reading identities", errors.New("too many people are named"))
	}
	batches := slices.Collect(slices.Chunk(ids, identityBatch))
	found := make([]devopsPeople, len(batches))
	group, ctx := errgroup.WithContext(ctx)
	for i, batch := range batches {
		group.Go(func() (err error) { found[i], err = q.identities(ctx, batch); return err })
	}
	if err := group.Wait(); err != nil {
		if e, denied := ask.RefusedWith(err, http.StatusUnauthorized, http.StatusForbidden); denied {
			q.note("people are named by their ids in Azure DevOps, because the token may not look them up: status %d", e.Status)
			return nil
		}
		return err
	}
	for _, batch := range found {
		maps.Copy(q.people, batch)
	}
	return nil
}

// identities looks up one batch.
func (q *devopsQuestion) identities(ctx context.Context, ids []string) (devopsPeople, error) {
	const operation = "reading identities"
	query := url.Values{"identityIds": {strings.Join(ids, ",")}, "queryMembership": {"None"}, "properties": {objectIDProperty}}
	list, _, err := devopsPage[*identityAnswer](ctx, q, q.directory, httpclient.Request{Operation: operation, Path: "/_apis/identities", Query: query})
	if err != nil {
		return nil, err
	}
	found := devopsPeople{}
	for _, i := range list {
		if i == nil {
			continue
		}
		id := strings.ToLower(i.ID)
		if !slices.Contains(ids, id) {
			return nil, q.Nonsense(operation, errors.New("it tells of somebody else"))
		}
		if object := i.objectID(); object != "" {
			found[id] = object
		}
	}
	return found, nil
}

// objectID is the identity's id in Entra, if it has one.
func (i identityAnswer) objectID() string {
	if value, isText := i.Properties[objectIDProperty].Value.(string); isText && foreign.ObjectID().MatchString(value) {
		return strings.ToLower(value)
	}
	return ""
}
