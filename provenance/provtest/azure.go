package provtest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	stall sync.Map                      // by account: how many more blobs are sent before the storage falls silent, *atomic.Int64
}

// Azure runs a cloud until the test ends.
func Azure(t testing.TB) *Cloud {
	t.Helper()
	c := &Cloud{arm: armdouble.New(), blobs: map[string]*blobdouble.Server{}}
	for _, account := range []string{Contoso, Fabrikam} {
		c.arm.Account(account, to.Ptr(account == Contoso))
		c.blobs[account] = blobdouble.New(t)
		c.blobs[account].HNS = account == Contoso
		c.blobs[account].Fault = func(r blobdouble.Request) blobdouble.Fault { return c.fault(account, r) }
	}
	c.vault = vaultdouble.Start(t, vaultdouble.Config{
		Audiences: []string{storageAudience, armdouble.Audience},
		Others:    map[string]http.Handler{armdouble.Host: c.arm, "*.blob.core.windows.net": http.HandlerFunc(c.serveBlobs)},
	})
	return c
}

// serveBlobs hands a request to its account.
func (c *Cloud) serveBlobs(w http.ResponseWriter, r *http.Request) {
	account, _, _ := strings.Cut(r.Host, ".")
	if server := c.blobs[account]; server != nil {
		server.ServeHTTP(w, r)
		return
	}
	http.Error(w, "no such account", http.StatusBadGateway)
}

// agree makes the storage say of a container what Azure Resource Manager says.
func (c *Cloud) agree(account, container string) {
	policy, hold, versions := c.arm.Shows(account, container)
	c.blobs[account].Protect(container, blobdouble.Container{Policy: policy, Hold: hold, VersionWORM: versions})
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
func (c *Cloud) Container(account, container string) {
	c.arm.Container(account, container)
	c.agree(account, container)
}

// Put writes blobs into a container, by their whole names.
func (c *Cloud) Put(account, container string, blobs map[string][]byte) {
	for name, data := range blobs {
		c.blobs[account].Put(container, name, blobdouble.Blob{Data: data})
	}
}

// PutRetained writes blobs that have a locked retention of their own.
func (c *Cloud) PutRetained(account, container string, blobs map[string][]byte, until time.Time) {
	for name, data := range blobs {
		c.blobs[account].Put(container, name, blobdouble.Blob{Data: data, RetainUntil: until, RetainMode: "Locked"})
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
	c.agree(account, container)
	return nil
}

// Hold puts a legal hold with these tags on a container; none clear it.
func (c *Cloud) Hold(account, container string, tags ...string) {
	c.arm.Hold(account, container, tags...)
	c.agree(account, container)
}

// Version lets each blob of a container have a retention of its own.
func (c *Cloud) Version(account, container string) {
	c.arm.Version(account, container)
	c.agree(account, container)
}

// Forget makes the storage say that a container is not protected at all, whatever Azure Resource Manager says.
func (c *Cloud) Forget(account, container string) {
	c.blobs[account].Protect(container, blobdouble.Container{})
}

// SAS makes a query the only way into a storage account; it must be called before the account is used.
func (c *Cloud) SAS(account, query string) { c.blobs[account].SAS = query }

// Fail makes Azure Resource Manager misbehave from now on: "denied", "missing", "throttled", "broken" and the other faults of
// package armdouble; empty ends it.
func (c *Cloud) Fail(fault string) { c.arm.Fail(armdouble.Fault(fault)) }

// Asked are the paths that Azure Resource Manager was asked for.
func (c *Cloud) Asked() []string { return c.arm.Requests() }

// Read is how many bytes of blobs an account has sent.
func (c *Cloud) Read(account string) int64 { return c.blobs[account].Counts().Bytes }

// Stall lets an account fall silent in the place of every blob after so many; 0 ends it.
func (c *Cloud) Stall(account string, after int64) {
	if after == 0 {
		c.stall.Delete(account)
		return
	}
	left := &atomic.Int64{}
	left.Store(after)
	c.stall.Store(account, left)
}

// fault makes a request for a blob stall.
func (c *Cloud) fault(account string, r blobdouble.Request) blobdouble.Fault {
	left, stalls := c.stall.Load(account)
	if r.Kind == "get" && stalls && left.(*atomic.Int64).Add(-1) < 0 {
		return blobdouble.Fault{Stall: -1}
	}
	return blobdouble.Fault{}
}
