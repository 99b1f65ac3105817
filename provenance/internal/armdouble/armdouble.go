// Package armdouble is Azure Resource Manager for tests, as far as it knows storage accounts and their containers: the SDK's
// own fake server behind real HTTP, with state, and with faults on request.
//
// It is a handler, for the host management.azure.com of package hostproxy. Sources:
// https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties and /blob-containers/get.
package armdouble

import (
	"fmt"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage/fake"
)

// Where the accounts are, and who changes them.
const (
	Host         = "management.azure.com"
	Audience     = "https://management.core.windows.net/" // of tokens for it
	Subscription = "99999999-8888-7777-6666-555555555555"
	Group        = "data-lake"
	Person       = "0a1b2c3d-0000-4000-8000-00000000000a" // object id
	tenant       = "11111111-2222-3333-4444-555555555555"
)

// Fault is a way in which the double misbehaves.
type Fault string

// The faults. Each lasts until the next call of Fail.
const (
	None          Fault = ""
	Unauthorized  Fault = "unauthorized"   // 401: the token is not accepted
	Denied        Fault = "denied"         // 403: no role
	Missing       Fault = "missing"        // 404: no such account
	NoContainer   Fault = "no-container"   // 404, for the container only
	Throttled     Fault = "throttled"      // 429 with Retry-After, always
	ThrottledOnce Fault = "throttled-once" // the same, once
	ThrottledLong Fault = "throttled-long" // 429 that asks to come back in an hour
	Broken        Fault = "broken"         // 500, always
	BrokenOnce    Fault = "broken-once"    // 500, once
	Huge          Fault = "huge"           // 200 and no end
	Truncated     Fault = "truncated"      // breaks off in the middle
	Redirect      Fault = "redirect"       // 307 to another host
	Silent        Fault = "silent"         // no answer, until the caller leaves
	Page          Fault = "page"           // 200 and a web page
	Empty         Fault = "empty"          // 200 and nothing
	Undated       Fault = "undated"        // as it should be, but without a date
)

// Policy is a container's retention policy.
type Policy struct {
	State     string // Locked or Unlocked
	Days      int32
	Append    bool // append blobs may grow
	AppendAll bool // all blobs may grow
}

// Server is the double.
type Server struct {
	// Alter may change the decoded answer before it is sent; what is "account" or "container". Set it before the first request.
	Alter func(what string, answer map[string]any)

	mu       sync.Mutex
	accounts map[string]*armstorage.Account
	held     map[string]*armstorage.ContainerProperties // by account/container
	fault    Fault
	requests []string
	changes  int

	blobs  *fake.BlobContainersServerTransport
	owners *fake.AccountsServerTransport
}

// New makes a double without accounts.
func New() *Server {
	s := &Server{accounts: map[string]*armstorage.Account{}, held: map[string]*armstorage.ContainerProperties{}}
	s.owners = fake.NewAccountsServerTransport(&fake.AccountsServer{GetProperties: s.account})
	s.blobs = fake.NewBlobContainersServerTransport(&fake.BlobContainersServer{Get: s.container})
	return s
}

// ID is an account's resource ID.
func ID(account string) string {
	return "/subscriptions/" + Subscription + "/resourceGroups/" + Group + "/providers/Microsoft.Storage/storageAccounts/" + account
}

// Account makes an account. hierarchical is nil for an answer that does not tell.
func (s *Server) Account(name string, hierarchical *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	endpoint := "https://" + name + ".blob.core.windows.net/"
	s.accounts[name] = &armstorage.Account{
		ID: to.Ptr(ID(name)), Name: to.Ptr(name), Type: to.Ptr("Microsoft.Storage/storageAccounts"),
		Location: to.Ptr("westeurope"), Kind: to.Ptr(armstorage.KindStorageV2), Tags: map[string]*string{"owner": to.Ptr("mortgages")},
		Properties: &armstorage.AccountProperties{IsHnsEnabled: hierarchical, PrimaryEndpoints: &armstorage.Endpoints{Blob: &endpoint}},
	}
}

// Endpoint moves an account's primary Blob endpoint.
func (s *Server) Endpoint(account, url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[account].Properties.PrimaryEndpoints.Blob = &url
}

// Container makes a container without any protection, or takes all protection from one.
func (s *Server) Container(account, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[account+"/"+name] = &armstorage.ContainerProperties{
		HasImmutabilityPolicy: to.Ptr(false), HasLegalHold: to.Ptr(false), PublicAccess: to.Ptr(armstorage.PublicAccessNone),
		LegalHold: &armstorage.LegalHoldProperties{HasLegalHold: to.Ptr(false), Tags: []*armstorage.TagProperty{}},
	}
}

// SetPolicy sets a container's policy, and logs how it came to be so: put, and where it is so, lock or extend.
func (s *Server) SetPolicy(account, container string, p Policy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.held[account+"/"+container]
	history := s.history(c.ImmutabilityPolicy, p)
	c.HasImmutabilityPolicy = to.Ptr(true)
	c.ImmutabilityPolicy = &armstorage.ImmutabilityPolicyProperties{
		Etag: to.Ptr(fmt.Sprintf(`"8de%013x"`, s.changes)), UpdateHistory: history,
		Properties: &armstorage.ImmutabilityPolicyProperty{
			State: to.Ptr(armstorage.ImmutabilityPolicyState(p.State)), ImmutabilityPeriodSinceCreationInDays: to.Ptr(p.Days),
			AllowProtectedAppendWrites: to.Ptr(p.Append), AllowProtectedAppendWritesAll: to.Ptr(p.AppendAll)},
	}
}

// history is a policy's history after p was set.
func (s *Server) history(before *armstorage.ImmutabilityPolicyProperties, p Policy) (all []*armstorage.UpdateHistoryProperty) {
	kinds := []armstorage.ImmutabilityPolicyUpdateType{armstorage.ImmutabilityPolicyUpdateTypePut}
	if p.State == string(armstorage.ImmutabilityPolicyStateLocked) {
		kinds = append(kinds, armstorage.ImmutabilityPolicyUpdateTypeLock)
	}
	if before != nil {
		all = append(all, before.UpdateHistory...)
		if *before.Properties.State == armstorage.ImmutabilityPolicyStateLocked {
			kinds = []armstorage.ImmutabilityPolicyUpdateType{armstorage.ImmutabilityPolicyUpdateTypeExtend}
		}
	}
	for _, kind := range kinds {
		all = append(all, &armstorage.UpdateHistoryProperty{
			Update: to.Ptr(kind), ImmutabilityPeriodSinceCreationInDays: to.Ptr(p.Days), Timestamp: to.Ptr(s.tick()),
			ObjectIdentifier: to.Ptr(Person), TenantID: to.Ptr(tenant), Upn: to.Ptr("ada@contoso.com")})
	}
	return all
}

// Hold puts a legal hold with these tags on a container; none clear it.
func (s *Server) Hold(account, container string, tags ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.held[account+"/"+container]
	c.HasLegalHold = to.Ptr(len(tags) > 0)
	c.LegalHold = &armstorage.LegalHoldProperties{HasLegalHold: c.HasLegalHold, Tags: []*armstorage.TagProperty{}}
	for _, tag := range tags {
		c.LegalHold.Tags = append(c.LegalHold.Tags, &armstorage.TagProperty{Tag: to.Ptr(tag), Timestamp: to.Ptr(s.tick()),
			ObjectIdentifier: to.Ptr(Person), TenantID: to.Ptr(tenant), Upn: to.Ptr("ada@contoso.com")})
	}
}

// Version gives the blobs of a container retentions of their own.
func (s *Server) Version(account, container string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[account+"/"+container].ImmutableStorageWithVersioning = &armstorage.ImmutableStorageWithVersioning{Enabled: to.Ptr(true), TimeStamp: to.Ptr(s.tick())}
}

// Shows tells what a container has, as the Blob service would.
func (s *Server) Shows(account, container string) (policy, hold, versions bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.held[account+"/"+container]
	return *c.HasImmutabilityPolicy, *c.HasLegalHold, c.ImmutableStorageWithVersioning != nil
}

// tick is the double's clock: each change is one hour later.
func (s *Server) tick() time.Time {
	s.changes++
	return time.Date(2026, 10, 1, s.changes, 0, 0, 0, time.UTC)
}

// Fail makes the double misbehave from now on.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Requests are the paths that were asked for until now.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}
