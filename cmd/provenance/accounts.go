package main

import (
	"context"
	"path"
	"strings"
	"sync"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source"
	"github.com/seed-3480f271/provenance/provenance/source/arm"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// accounts are the storage accounts that --storage-account-id names. Each container is asked for once.
type accounts struct {
	job *job
	ids map[string]string // by the account's name
	// anonymous leaves names and addresses of people out of what is kept.
	anonymous bool
	lock      sync.Mutex
	asked     map[[2]string]func() (armAnswer, error)
}

// armAnswer is what Azure Resource Manager says of a container.
type armAnswer struct {
	protection provenance.Protection
	stored     provenance.Stored
}

func newAccounts(j *job, ids []string) (*accounts, error) {
	a := &accounts{job: j, ids: map[string]string{}, asked: map[[2]string]func() (armAnswer, error){}}
	for _, id := range ids {
		if err := (arm.StorageAccount{ID: id}).Check(); err != nil {
			return nil, err
		}
		name := path.Base(strings.TrimSuffix(id, "/"))
		if a.ids[name] != "" {
			return nil, provenance.Misuse("", "storage account %s is given twice", name)
		}
		a.ids[name] = id
	}
	return a, nil
}

// ask asks for the container that the storage's answer is of; nil if nobody named its account.
func (a *accounts) ask(ctx context.Context, plane storage.Protection) (*provenance.Protection, provenance.Stored, error) {
	id := a.ids[plane.Account]
	if id == "" {
		return nil, provenance.Stored{}, nil
	}
	answer, err := a.once(ctx, id, plane)()
	return &answer.protection, answer.stored, err
}

func (a *accounts) once(ctx context.Context, id string, plane storage.Protection) func() (armAnswer, error) {
	a.lock.Lock()
	defer a.lock.Unlock()
	key := [2]string{plane.Account, plane.Container}
	if a.asked[key] == nil {
		account := arm.StorageAccount{ID: id, Credential: a.job.identity, Cloud: a.job.c.String("cloud"),
			Anonymous: a.anonymous, Client: source.Client{Transport: transport(), Debug: a.job.debug()}}
		a.asked[key] = sync.OnceValues(func() (armAnswer, error) {
			p, stored, err := account.Container(ctx, plane.Host, plane.Container)
			return armAnswer{p, stored}, err
		})
	}
	return a.asked[key]
}

// used refuses an account that no data folder lies in: somebody believes that it counts.
func (a *accounts) used() error {
	for name, id := range a.ids {
		used := false
		for key := range a.asked {
			used = used || key[0] == name
		}
		if !used {
			return provenance.Misuse("leave it out, or give its folder as --data", "no data folder lies in the storage account %s", id)
		}
	}
	return nil
}
