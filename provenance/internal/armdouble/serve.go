package armdouble

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage"
)

// RequestID is the name that the double gives to every request.
const RequestID = "5b1e77c0-0000-4000-8000-000000000001"

// Now is the double's date.
var Now = time.Date(2026, 11, 23, 2, 31, 0, 0, time.UTC)

// ServeHTTP answers one request, or misbehaves.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", Now.Format(http.TimeFormat))
	w.Header().Set("x-ms-request-id", RequestID)
	w.Header().Set("Content-Type", "application/json")
	what := "account"
	if strings.Contains(r.URL.Path, "/blobServices/") {
		what = "container"
	}
	switch fault := s.note(r, what); fault {
	case None:
	case Undated:
		w.Header()["Date"] = nil // else the server sets it
	default:
		misbehave(w, r, fault)
		return
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		fail(w, http.StatusUnauthorized, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
		return
	}
	if !strings.HasPrefix(r.URL.Path, "/subscriptions/"+Subscription+"/") {
		fail(w, http.StatusNotFound, "SubscriptionNotFound", "The subscription could not be found.")
		return
	}
	s.answer(w, r, what)
}

// note counts a request, and tells its fault.
func (s *Server) note(r *http.Request, what string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.URL.Path)
	fault := s.fault
	if fault == ThrottledOnce || fault == BrokenOnce {
		s.fault = None
	}
	if fault == NoContainer && what != "container" {
		return None
	}
	return fault
}

// answer lets the SDK's fake answer. It wants to know the name of the method that the SDK would have called.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, what string) {
	method, do := "AccountsClient.GetProperties", s.owners.Do
	if what == "container" {
		method, do = "BlobContainersClient.Get", s.blobs.Do
	}
	answer, err := do(r.WithContext(context.WithValue(r.Context(), runtime.CtxAPINameKey{}, method)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && s.Alter != nil && answer.StatusCode == http.StatusOK {
		body, err = s.alter(what, body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if answer.StatusCode != http.StatusOK { // the fake has no words for what went wrong
		fail(w, answer.StatusCode, answer.Header.Get("x-ms-error-code"), "The resource under resource group '"+Group+"' was not found.")
		return
	}
	w.Write(body) // a client that leaves is no fault of ours
}

func (s *Server) alter(what string, body []byte) ([]byte, error) {
	var decoded map[string]any
	if err := json.Unmarshal(body, &decoded); err != nil {
		return nil, err
	}
	s.Alter(what, decoded)
	return json.Marshal(decoded)
}

// account is the fake's AccountsClient.GetProperties.
func (s *Server) account(_ context.Context, group, name string, _ *armstorage.AccountsClientGetPropertiesOptions) (
	found azfake.Responder[armstorage.AccountsClientGetPropertiesResponse], missing azfake.ErrorResponder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if account := s.accounts[name]; account != nil && group == Group {
		found.SetResponse(http.StatusOK, armstorage.AccountsClientGetPropertiesResponse{Account: *account}, nil)
		return found, missing
	}
	missing.SetResponseError(http.StatusNotFound, "ResourceNotFound")
	return found, missing
}

// container is the fake's BlobContainersClient.Get.
func (s *Server) container(_ context.Context, group, account, name string, _ *armstorage.BlobContainersClientGetOptions) (
	found azfake.Responder[armstorage.BlobContainersClientGetResponse], missing azfake.ErrorResponder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	properties := s.held[account+"/"+name]
	if properties == nil || group != Group {
		missing.SetResponseError(http.StatusNotFound, "ContainerNotFound")
		return found, missing
	}
	copied := *properties
	found.SetResponse(http.StatusOK, armstorage.BlobContainersClientGetResponse{BlobContainer: armstorage.BlobContainer{
		ID: to.Ptr(ID(account) + "/blobServices/default/containers/" + name), Name: to.Ptr(name),
		Type: to.Ptr("Microsoft.Storage/storageAccounts/blobServices/containers"), ContainerProperties: &copied}}, nil)
	return found, missing
}

// refusals are the faults that are an error's answer.
var refusals = map[Fault]struct {
	status        int
	code, message string
}{
	Unauthorized: {http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token is invalid."},
	Denied: {http.StatusForbidden, "AuthorizationFailed", "The client '" + Person + "' does not have authorization to perform action " +
		"'Microsoft.Storage/storageAccounts/read'."},
	Missing:       {http.StatusNotFound, "ResourceNotFound", "The resource was not found."},
	NoContainer:   {http.StatusNotFound, "ContainerNotFound", "The specified container does not exist."},
	Throttled:     {http.StatusTooManyRequests, "TooManyRequests", "The request is being throttled."},
	ThrottledOnce: {http.StatusTooManyRequests, "TooManyRequests", "The request is being throttled."},
	ThrottledLong: {http.StatusTooManyRequests, "TooManyRequests", "The request is being throttled."},
	Broken:        {http.StatusInternalServerError, "InternalServerError", "Encountered internal server error."},
	BrokenOnce:    {http.StatusInternalServerError, "InternalServerError", "Encountered internal server error."},
}

func misbehave(w http.ResponseWriter, r *http.Request, fault Fault) {
	if refusal, is := refusals[fault]; is {
		if fault == ThrottledLong {
			w.Header().Set("Retry-After", "3600")
		} else if refusal.status >= http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
			w.Header().Set("retry-after-ms", "1") // which the SDK prefers
		}
		fail(w, refusal.status, refusal.code, refusal.message)
		return
	}
	switch fault {
	case Huge:
		for piece := bytes.Repeat([]byte(" "), 1<<16); ; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	case Truncated:
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `{"id":`)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // breaks the connection
	case Redirect:
		w.Header().Set("Location", "https://management.example.com"+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	case Silent:
		<-r.Context().Done()
	case Page:
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html><body>Sign in</body></html>")
	}
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("x-ms-failure-cause", "gateway")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%q,"message":%q}}`, code, message)
}
