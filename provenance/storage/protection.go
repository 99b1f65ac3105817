package storage

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// Protection is what the Blob service itself says of the protection of a folder's container: booleans only. Whether a
// policy is locked, and for how long, Azure Resource Manager knows.
// Source: https://learn.microsoft.com/rest/api/storageservices/get-container-properties and /get-account-information
type Protection struct {
	Account      string
	Container    string
	Host         string    // of the Blob endpoint, contoso.blob.core.windows.net
	Hierarchical *bool     // the account has a hierarchical namespace; nil, as with the others: unknown
	Policy       *bool     // the container has a time-based retention policy
	Hold         *bool     // it has a legal hold
	VersionWORM  *bool     // each of its blobs can have a retention of its own
	Why          string    // why something is unknown
	AskedAt      time.Time // by the storage's clock
}

// Protected is a folder that knows how it is protected. Local folders are none.
type Protected interface {
	// Protection asks for it. What may not be asked, or is not answered, stays unknown; that nobody can be reached, or that
	// the container does not exist, is an error. When each blob can have a retention of its own, a List that follows shows
	// it in Object.RetainUntil, RetainMode and Held.
	Protection(ctx context.Context) (Protection, error)
}

// Protection asks for the container's properties and for the account's.
func (f *azureFolder) Protection(ctx context.Context) (Protection, error) {
	p := Protection{Account: f.account, Container: f.container, Host: hostOf(f.service)}
	var answer *http.Response
	container, err := f.client.GetProperties(policy.WithCaptureResponse(ctx, &answer), nil)
	if err := p.ask("the container's protection", f.failed(ctx, err, "")); err != nil {
		return Protection{}, err
	}
	p.Policy, p.Hold, p.VersionWORM = container.HasImmutabilityPolicy, container.HasLegalHold, container.IsImmutableStorageWithVersioningEnabled
	p.AskedAt = dateOf(answer)
	account, err := f.client.GetAccountInfo(ctx, nil)
	if err := p.ask("the account's namespace", f.failed(ctx, err, "")); err != nil {
		return Protection{}, err
	}
	p.Hierarchical = account.IsHierarchicalNamespaceEnabled
	p.explainSilence()
	f.retentions.Store(p.VersionWORM != nil && *p.VersionWORM)
	return p, nil
}

// ask notes that a question was denied, and returns any other failure.
func (p *Protection) ask(question string, f failure) error {
	if f.err == nil {
		return nil
	}
	var answer *azcore.ResponseError
	if !errors.As(f.err, &answer) || !denies(answer) {
		return f.explain()
	}
	p.because(question + ": the storage answered " + answered(answer))
	return nil
}

// denies tells whether an answer means that one may not know, or that the question makes no sense there.
func denies(answer *azcore.ResponseError) bool {
	switch answer.StatusCode {
	case http.StatusNotFound:
		return answer.ErrorCode != string(bloberror.ContainerNotFound)
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusConflict,
		http.StatusNotImplemented:
		return true
	}
	return false
}

// explainSilence names what an answer that came did not tell.
func (p *Protection) explainSilence() {
	if p.Why != "" {
		return
	}
	if p.Policy == nil || p.Hold == nil || p.VersionWORM == nil {
		p.because("the container's protection: the storage did not tell all of it")
	}
	if p.Hierarchical == nil {
		p.because("the account's namespace: the storage did not tell it")
	}
}

func (p *Protection) because(why string) {
	p.Why = strings.TrimPrefix(p.Why+"; "+why, "; ")
}

// dateOf is when an answer was given, by the server's clock if it told.
func dateOf(answer *http.Response) time.Time {
	if answer != nil {
		if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
			return date.UTC()
		}
	}
	return time.Now().UTC()
}

// hostOf is the host of an endpoint, with its port on an emulator.
func hostOf(service string) string {
	u, err := url.Parse(service)
	if err != nil {
		return ""
	}
	return u.Host
}
