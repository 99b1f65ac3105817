package databricksdouble

import (
	"encoding/base64"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Object is a notebook or a file of the workspace.
type Object struct {
	Type     string // NOTEBOOK or FILE; empty: FILE
	Language string // of a notebook: PYTHON, SQL, SCALA, R
	Content  string // its source
	Modified int64  // milliseconds since 1970; 0: not told
}

// PutObject adds an object to the workspace, or changes it; /Workspace is left out of its path.
func (w *Workspace) PutObject(path string, o Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects[path] = o
}

// RemoveObject removes an object.
func (w *Workspace) RemoveObject(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.objects, path)
}

// workspace answers the Workspace API.
// Source: https://docs.databricks.com/api/workspace/workspace
func (w *Workspace) workspace(out http.ResponseWriter, req *http.Request) {
	at := strings.TrimPrefix(req.URL.Query().Get("path"), "/Workspace")
	o, known := w.objects[at]
	isFolder := slices.ContainsFunc(slices.Collect(maps.Keys(w.objects)), func(p string) bool { return strings.HasPrefix(p, at+"/") })
	switch action := path.Base(req.URL.Path); {
	case !known && !isFolder:
		refuse(out, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Path ("+at+") doesn't exist.")
	case action == "get-status":
		send(out, describe(at, o, known))
	case action == "list":
		send(out, map[string]any{"objects": w.listObjects(at)})
	case action == "export" && known:
		exportObject(out, req, o)
	default:
		refuse(out, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "not supported")
	}
}

func describe(at string, o Object, known bool) map[string]any {
	if !known {
		return map[string]any{"object_type": "DIRECTORY", "path": at, "object_id": 1}
	}
	d := map[string]any{"object_type": "FILE", "path": at, "object_id": 2, "created_at": 1}
	if o.Type != "" {
		d["object_type"] = o.Type
	}
	if o.Modified != 0 {
		d["modified_at"] = o.Modified
	}
	if o.Language != "" {
		d["language"] = o.Language
	}
	if d["object_type"] == "FILE" {
		d["size"] = len(o.Content)
	}
	return d
}

// listObjects are the objects and folders right below a folder.
func (w *Workspace) listObjects(dir string) []any {
	list := []any{}
	seen := map[string]bool{}
	for _, p := range slices.Sorted(maps.Keys(w.objects)) {
		rest, below := strings.CutPrefix(p, strings.TrimSuffix(dir, "/")+"/")
		if !below {
			continue
		}
		name, _, deeper := strings.Cut(rest, "/")
		if seen[name] {
			continue
		}
		seen[name] = true
		list = append(list, describe(path.Join(dir, name), w.objects[p], !deeper))
	}
	return list
}

func exportObject(out http.ResponseWriter, req *http.Request, o Object) {
	if req.URL.Query().Get("direct_download") == "true" {
		out.Header().Set("Content-Length", strconv.Itoa(len(o.Content)))
		_, _ = out.Write([]byte(o.Content))
		return
	}
	send(out, map[string]any{"content": base64.StdEncoding.EncodeToString([]byte(o.Content)), "file_type": "py"})
}
