package provtest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"

	"github.com/seed-3480f271/provenance/provenance/internal/armdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/vaultdouble"
)

// The storage accounts of a [Cloud].
const (
	Contoso  = "contoso"  // has a hierarchical namespace
	Fabrikam = "fabrikam" // is flat
)

// storageAudience is what tokens for storage are asked for, in every cloud.
const storageAudience = "https://storage.azure.com"

// Cloud is a double of Azure: Entra, a Key Vault, Azure Resource Manager, and two storage accounts without containers. The real
// SDKs reach it over TLS, under Azure's own host names, in a process that has the variables of Env.
type Cloud struct {
	vault *vaultdouble.Vault
	arm   *armdouble.Server
	blobs map[string]*blobdouble.Server // by account
	lie   atomic.Value                  // what the storage says wrongly of its containers
}

// Azure runs a cloud until the test ends.
func Azure(t testing.TB) *Cloud {
	t.Helper()
	c := &Cloud{arm: armdouble.New(), blobs: map[string]*blobdouble.Server{}}
	c.Contradict("")
	for _, account := range []string{Contoso, Fabrikam} {
		c.arm.Account(account, to.Ptr(account == Contoso))
		c.blobs[account] = blobdouble.New(t)
		c.blobs[account].HNS = account == Contoso
	}
	c.vault = vaultdouble.Start(t, vaultdouble.Config{
		Audiences: []string{storageAudience, armdouble.Audience},
		Others:    map[string]http.Handler{armdouble.Host: c.arm, "*.blob.core.windows.net": http.HandlerFunc(c.serveBlobs)},
	})
	return c
}

// serveBlobs hands a request to its account, in the form of an emulator: /ACCOUNT/CONTAINER/PATH.
func (c *Cloud) serveBlobs(w http.ResponseWriter, r *http.Request) {
	account, _, _ := strings.Cut(r.Host, ".")
	server := c.blobs[account]
	if server == nil {
		http.Error(w, "no such account", http.StatusBadGateway)
		return
	}
	switch query := r.URL.Query(); {
	case query.Get("restype") == "account":
		w.Header().Set("x-ms-is-hns-enabled", strconv.FormatBool(account == Contoso))
	case query.Get("restype") == "container" && query.Get("comp") == "":
		c.showContainer(w, account, strings.Trim(r.URL.Path, "/"))
	default:
		inner := r.Clone(r.Context())
		inner.Host, inner.URL.RawPath = "127.0.0.1", ""
		inner.URL.Path = "/" + blobdouble.Account + r.URL.Path
		server.ServeHTTP(w, inner)
	}
}

// showContainer answers Get Container Properties. The storage knows nothing else than Azure Resource Manager does.
// Source: https://learn.microsoft.com/rest/api/storageservices/get-container-properties
func (c *Cloud) showContainer(w http.ResponseWriter, account, container string) {
	policy, hold, versions, found := c.arm.Shows(account, container)
	if !found {
		w.Header().Set("x-ms-error-code", "ContainerNotFound")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("x-ms-has-immutability-policy", strconv.FormatBool(policy != (c.lie.Load() == "policy")))
	h.Set("x-ms-has-legal-hold", strconv.FormatBool(hold != (c.lie.Load() == "hold")))
	h.Set("x-ms-immutable-storage-with-versioning-enabled", strconv.FormatBool(versions))
}

// Env are the variables with which a process finds the cloud, and logs in.
func (c *Cloud) Env() map[string]string { return c.vault.Env() }

// Key is a reference to the vault's key, and its public half.
func (c *Cloud) Key(t testing.TB) (reference string, publicPEM []byte) {
	return c.vault.Reference(), c.vault.PublicPEM(t)
}

// Secrets must never be repeated by anybody.
func (c *Cloud) Secrets() []string { return c.vault.Secrets() }

// Refused are the hosts, other than the cloud's, that somebody tried to reach.
func (c *Cloud) Refused() []string { return c.vault.Refused() }

// AccountID is a storage account's resource ID.
func (c *Cloud) AccountID(account string) string { return armdouble.ID(account) }

// Container makes a container without protection, or takes all protection from one.
func (c *Cloud) Container(account, container string) { c.arm.Container(account, container) }

// Put writes blobs into a container, by their whole names.
func (c *Cloud) Put(account, container string, blobs map[string][]byte) {
	for name, data := range blobs {
		c.blobs[account].Put(container, name, blobdouble.Blob{Data: data})
	}
}

// Delete removes a blob.
func (c *Cloud) Delete(account, container, name string) { c.blobs[account].Delete(container, name) }

// Protect gives a container a retention policy: "locked", "locked-append" (existing blobs may grow) or "unlocked".
func (c *Cloud) Protect(account, container, how string, days int) error {
	p := armdouble.Policy{State: "Locked", Days: int32(days), AppendAll: how == "locked-append"}
	switch how {
	case "unlocked":
		p.State = "Unlocked"
	case "locked", "locked-append":
	default:
		return fmt.Errorf("%q is no kind of policy: locked, locked-append, unlocked", how)
	}
	c.arm.SetPolicy(account, container, p)
	return nil
}

// Hold puts a legal hold with these tags on a container; none clear it.
func (c *Cloud) Hold(account, container string, tags ...string) {
	c.arm.Hold(account, container, tags...)
}

// Version gives the blobs of a container retentions of their own. (None is set: that is for the storage's own double.)
func (c *Cloud) Version(account, container string) { c.arm.Version(account, container) }

// Contradict makes the storage say the contrary of Azure Resource Manager about "policy" or "hold"; empty ends it.
func (c *Cloud) Contradict(about string) { c.lie.Store(about) }

// Fail makes Azure Resource Manager misbehave from now on: "denied", "missing", "throttled", "broken" and the other faults of
// package armdouble; empty ends it.
func (c *Cloud) Fail(fault string) { c.arm.Fail(armdouble.Fault(fault)) }

// Asked are the paths that Azure Resource Manager was asked for.
func (c *Cloud) Asked() []string { return c.arm.Requests() }
