package azuremldouble

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

var v1Words = map[string]string{"models": "model", "assets": "asset", "images": "images", "services": "services"}

// serveV1 answers in place of the workspace's own API.
func (w *Workspace) serveV1(out http.ResponseWriter, req *http.Request) {
	about := what(req.URL.Path, v1Words)
	if !w.admit(out, req, about) {
		return
	}
	w.Lock()
	gone := w.Gone
	w.Unlock()
	path, inWorkspace := strings.CutPrefix(req.URL.Path, "/modelmanagement/v1.0"+ID+"/")
	switch {
	case gone != 0:
		refuseV1(out, gone, "NotFound", "The requested API is not available.")
	case !inWorkspace || req.URL.Query().Get("api-version") != "2019-11-01":
		refuseV1(out, http.StatusBadRequest, "BadRequest", "The path or the api-version is invalid.")
	default:
		w.answerV1(out, req, about, path)
	}
}

func (w *Workspace) answerV1(out http.ResponseWriter, req *http.Request, about, path string) {
	_, id, _ := strings.Cut(path, "/")
	w.Lock()
	var answer Object
	switch about {
	case "model":
		answer = w.Models[id]
	case "asset":
		answer = w.Assets[id]
	case "images":
		answer = w.listV1(w.Images, req)
	case "services":
		answer = w.listV1(w.Services, req)
	}
	w.Unlock()
	if answer == nil {
		refuseV1(out, http.StatusNotFound, "ModelNotFound", "It was not found: "+id)
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	w.send(out, about, body)
}

// listV1 is a page of a list, filtered by the model.
func (w *Workspace) listV1(all []Object, req *http.Request) Object {
	query := req.URL.Query()
	found := []Object{}
	for _, o := range all {
		body, _ := json.Marshal(o)
		if strings.Contains(string(body), `"`+query.Get("modelId")+`"`) {
			found = append(found, o)
		}
	}
	page, next := slicePage(found, query.Get("$skipToken"), w.PageSize)
	answer := Object{"value": page}
	if next != "" {
		more := url.Values{"api-version": {"2019-11-01"}, "modelId": {query.Get("modelId")}, "expand": {"true"}, "$skipToken": {next}}
		answer["nextLink"] = w.API + req.URL.Path + "?" + more.Encode()
	}
	return answer
}

// refuseV1 answers with an error as the v1 API writes it.
func refuseV1(out http.ResponseWriter, status int, code, message string) {
	out.WriteHeader(status)
	json.NewEncoder(out).Encode(Object{"code": code, "statusCode": status, "message": message, "details": []Object{}})
}
