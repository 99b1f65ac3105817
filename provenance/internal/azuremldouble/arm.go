package azuremldouble

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4/fake"
)

// arm are the SDK's fakes, each with the name of the method that the SDK would have called.
type arm struct {
	lock sync.Mutex // a fake mixes up two lists of one path that are asked for at once
	do   map[string]route
}

type route struct {
	method string
	do     func(*http.Request) (*http.Response, error)
}

func newARM(w *Workspace) arm {
	return arm{do: map[string]route{
		"workspace":   {"WorkspacesClient.Get", fake.NewWorkspacesServerTransport(&fake.WorkspacesServer{Get: w.workspace}).Do},
		"version":     {"ModelVersionsClient.Get", fake.NewModelVersionsServerTransport(&fake.ModelVersionsServer{Get: w.version}).Do},
		"endpoints":   {"OnlineEndpointsClient.NewListPager", fake.NewOnlineEndpointsServerTransport(&fake.OnlineEndpointsServer{NewListPager: w.endpoints}).Do},
		"deployments": {"OnlineDeploymentsClient.NewListPager", fake.NewOnlineDeploymentsServerTransport(&fake.OnlineDeploymentsServer{NewListPager: w.deployments}).Do},
		"datastore":   {"DatastoresClient.Get", fake.NewDatastoresServerTransport(&fake.DatastoresServer{Get: w.datastore}).Do},
	}}
}

var armWords = map[string]string{"workspaces": "workspace", "versions": "version", "onlineEndpoints": "endpoints", "deployments": "deployments", "datastores": "datastore"}

// serveARM answers in place of Azure Resource Manager.
func (w *Workspace) serveARM(out http.ResponseWriter, req *http.Request) {
	about := what(req.URL.Path, armWords)
	if !w.admit(out, req, about) {
		return
	}
	switch version := req.URL.Query().Get("api-version"); {
	case version != "2024-04-01":
		Refuse(out, http.StatusBadRequest, "InvalidApiVersionParameter", "The api-version '"+version+"' is invalid.")
	case !strings.HasPrefix(strings.ToLower(req.URL.Path), strings.ToLower(ID)):
		Refuse(out, http.StatusNotFound, "ResourceNotFound", "The Resource was not found.")
	default:
		w.answerARM(out, req, about)
	}
}

// answerARM lets the SDK's fake answer.
func (w *Workspace) answerARM(out http.ResponseWriter, req *http.Request, about string) {
	w.arm.lock.Lock()
	defer w.arm.lock.Unlock()
	r := w.arm.do[about]
	answer, err := r.do(req.WithContext(context.WithValue(req.Context(), runtime.CtxAPINameKey{}, r.method)))
	var refused *azcore.ResponseError
	switch {
	case errors.As(err, &refused): // it has no words for what went wrong
		Refuse(out, refused.StatusCode, refused.ErrorCode, "It was not found.")
		return
	case err != nil:
		http.Error(out, err.Error(), http.StatusNotImplemented)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(err)
	}
	w.send(out, about, body)
}

// send lets the test change an answer.
func (w *Workspace) send(out http.ResponseWriter, about string, body []byte) {
	w.Lock()
	defer w.Unlock()
	if w.Alter != nil {
		var decoded Object
		decoder := json.NewDecoder(strings.NewReader(string(body)))
		decoder.UseNumber()
		if err := decoder.Decode(&decoded); err != nil {
			panic(err)
		}
		w.Alter(about, decoded)
		body, _ = json.Marshal(decoded)
	}
	out.Write(body) // a client that leaves is no fault of ours
}

// Refuse answers with an error as Azure writes it.
func Refuse(out http.ResponseWriter, status int, code, message string) {
	out.WriteHeader(status)
	fmt.Fprintf(out, `{"error":{"code":%q,"message":%q}}`, code, message)
}

func (w *Workspace) workspace(_ context.Context, _, _ string, _ *ml.WorkspacesClientGetOptions) (found azfake.Responder[ml.WorkspacesClientGetResponse], missing azfake.ErrorResponder) {
	w.Lock()
	defer w.Unlock()
	found.SetResponse(http.StatusOK, ml.WorkspacesClientGetResponse{Workspace: ml.Workspace{ID: to.Ptr(ID), Name: to.Ptr(Name), Location: &w.Location,
		Properties: &ml.WorkspaceProperties{WorkspaceID: to.Ptr(GUID), FriendlyName: to.Ptr("Mortgages")}}}, nil)
	return found, missing
}

func (w *Workspace) version(_ context.Context, _, _, name, version string, _ *ml.ModelVersionsClientGetOptions) (found azfake.Responder[ml.ModelVersionsClientGetResponse], missing azfake.ErrorResponder) {
	w.Lock()
	defer w.Unlock()
	v := w.Versions[name+"/"+version]
	if v == nil {
		missing.SetResponseError(http.StatusNotFound, "UserError")
		return found, missing
	}
	found.SetResponse(http.StatusOK, ml.ModelVersionsClientGetResponse{ModelVersion: *v}, nil)
	return found, missing
}

func (w *Workspace) datastore(_ context.Context, _, _, name string, _ *ml.DatastoresClientGetOptions) (found azfake.Responder[ml.DatastoresClientGetResponse], missing azfake.ErrorResponder) {
	w.Lock()
	defer w.Unlock()
	properties := w.Datastores[name]
	if properties == nil {
		missing.SetResponseError(http.StatusNotFound, "UserError")
		return found, missing
	}
	found.SetResponse(http.StatusOK, ml.DatastoresClientGetResponse{Datastore: ml.Datastore{ID: to.Ptr(ID + "/datastores/" + name), Name: &name, Properties: properties}}, nil)
	return found, missing
}

func (w *Workspace) endpoints(_, _ string, o *ml.OnlineEndpointsClientListOptions) (pager azfake.PagerResponder[ml.OnlineEndpointsClientListResponse]) {
	w.Lock()
	defer w.Unlock()
	skip := ""
	if o != nil && o.Skip != nil {
		skip = *o.Skip
	}
	page, next := slicePage(w.Endpoints, skip, w.PageSize)
	var answer ml.OnlineEndpointsClientListResponse
	answer.Value, answer.NextLink = page, w.nextLink("/onlineEndpoints", next)
	pager.AddPage(http.StatusOK, answer, nil)
	return pager
}

func (w *Workspace) deployments(_, _, endpoint string, o *ml.OnlineDeploymentsClientListOptions) (pager azfake.PagerResponder[ml.OnlineDeploymentsClientListResponse]) {
	w.Lock()
	defer w.Unlock()
	skip := ""
	if o != nil && o.Skip != nil {
		skip = *o.Skip
	}
	page, next := slicePage(w.Deployments[endpoint], skip, w.PageSize)
	var answer ml.OnlineDeploymentsClientListResponse
	answer.Value, answer.NextLink = page, w.nextLink("/onlineEndpoints/"+endpoint+"/deployments", next)
	pager.AddPage(http.StatusOK, answer, nil)
	return pager
}

// nextLink is an absolute address.
func (w *Workspace) nextLink(path, next string) *string {
	if next == "" {
		return nil
	}
	return to.Ptr(w.ARM + ID + path + "?" + url.Values{"api-version": {"2024-04-01"}, "$skip": {next}}.Encode())
}

// slicePage is the part of a list that begins where skip says, and where the next part begins. What stands there looks like a
// token.
func slicePage[T any](all []T, skip string, size int) (page []T, next string) {
	from, _ := strconv.Atoi(strings.TrimPrefix(skip, "continue-at-"))
	from = min(from, len(all))
	to := len(all)
	if size > 0 && from+size < to {
		to = from + size
		next = "continue-at-" + strconv.Itoa(to)
	}
	return append([]T{}, all[from:to]...), next
}
