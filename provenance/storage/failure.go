package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// failure is an error of the SDK, and where it happened. The SDK's text may hold the URL with its SAS, whole answers and
// several lines, so it never gets out as it is.
type failure struct {
	err   error
	done  error // the context's error, when it had ended
	where location
	file  string // empty: the folder itself
	last  string // what the last request met
	keyed bool   // the account's key was used
}

func (f *azureFolder) failed(ctx context.Context, err error, file string) failure {
	return failure{err, ctx.Err(), f.location, file, f.trouble.text(), f.keyed}
}

const credentialHint = "in a pipeline, run the step with a service connection (AzureCLI@2) and map SYSTEM_ACCESSTOKEN; " +
	"on a workstation, run az login; or put a SAS into the URI"

// explain turns it into a refusal, where the data is not as listed, or into an error that says what failed and what to do.
func (f failure) explain() error {
	if errors.As(f.err, new(anotherBlob)) {
		return changed(f.file, "was replaced or removed after it was listed")
	}
	var answer *azcore.ResponseError
	if !errors.As(f.err, &answer) {
		return f.plain(f.unansweredHint())
	}
	switch answer.StatusCode {
	case http.StatusPreconditionFailed: // a blob that is not there may also be answered so
		return changed(f.file, "was replaced or removed after it was listed")
	case http.StatusNotFound:
		return f.notFound(answer)
	case http.StatusUnauthorized, http.StatusForbidden:
		return provenance.WithHint(fmt.Errorf("%s: access denied (%s)", f.subject(), answered(answer)), f.accessHint(answer.ErrorCode))
	}
	return provenance.WithHint(fmt.Errorf("%s: the storage answered %s", f.subject(), answered(answer)), archivedHint(answer.ErrorCode))
}

// answered is an answer's status and Azure's name for it.
func answered(answer *azcore.ResponseError) string {
	text := fmt.Sprintf("%d %s", answer.StatusCode, redact.Text(answer.ErrorCode))
	return strings.TrimSpace(text)
}

func (f failure) subject() string {
	if f.file == "" {
		return f.where.uri
	}
	return f.where.uri + ": " + f.file
}

// notFound takes Azure's own words only for a refusal: whatever else says 404 need not know.
func (f failure) notFound(answer *azcore.ResponseError) error {
	switch {
	case f.file != "" && answer.ErrorCode == string(bloberror.BlobNotFound):
		return changed(f.file, "vanished after it was listed")
	case answer.ErrorCode == string(bloberror.ContainerNotFound):
		return provenance.Refuse("data.missing", "", "storage account %s has no container %s", f.where.account, f.where.container)
	}
	return fmt.Errorf("%s: the storage answered %s", f.subject(), answered(answer))
}

func (f failure) accessHint(code string) string {
	hint := fmt.Sprintf("the identity needs the role Storage Blob Data Reader on container %s of storage account %s",
		f.where.container, f.where.account)
	switch {
	case f.keyed && code != string(bloberror.AuthorizationPermissionMismatch): // which is about an identity
		hint = "is the key that was given one of storage account " + f.where.account + ", and does the account allow access with keys?"
	case f.where.sas != "":
		hint = "the SAS must not have expired and has to allow reading and listing (sp=rl)"
	}
	if code == string(bloberror.AuthorizationFailure) {
		hint += "; the account's firewall may keep this machine out"
	}
	return hint
}

func archivedHint(code string) string {
	if code == string(bloberror.BlobArchived) || code == string(bloberror.BlobBeingRehydrated) {
		return "rehydrate the blob to the hot or cool tier first"
	}
	return ""
}

// unansweredHint is for errors that came before any answer of the storage.
func (f failure) unansweredHint() string {
	var refused *azidentity.AuthenticationFailedError
	switch {
	case errors.As(f.err, &refused), strings.Contains(f.err.Error(), "Credential"):
		return credentialHint
	}
	return "is " + f.where.service + " the right account, and can this machine reach it?"
}

// plain is the error in one clean line.
func (f failure) plain(hint string) error {
	if f.done != nil {
		if f.last != "" && errors.Is(f.done, context.DeadlineExceeded) {
			return provenance.WithHint(fmt.Errorf("%s: %s: %w", f.subject(), f.last, f.done), hint)
		}
		return fmt.Errorf("%s: %w", f.subject(), f.done)
	}
	cause := f.err
	var inner *url.Error
	if errors.As(cause, &inner) {
		cause = inner.Err
	}
	text := cause.Error()
	if f.where.sas != "" {
		text = strings.ReplaceAll(text, f.where.sas, redact.Removed)
	}
	return provenance.WithHint(fmt.Errorf("%s: %s", f.subject(), oneLine(redact.Text(text))), hint)
}

// maxText is how much of foreign text goes into an error.
const maxText = 400

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return text
}
