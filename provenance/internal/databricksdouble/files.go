package databricksdouble

import (
	"encoding/base64"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// File is a file in DBFS or in a volume.
type File struct {
	Data     []byte
	Modified int64 // milliseconds since 1970
}

// PutFile adds a file, or changes it. Paths in volumes begin with /Volumes/, all others are in DBFS.
func (w *Workspace) PutFile(path string, f File) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[path] = f
}

// RemoveFile removes a file.
func (w *Workspace) RemoveFile(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.files, path)
}

// What one request may read of a file in DBFS, in bytes.
// Source: https://docs.databricks.com/api/workspace/dbfs/read
const (
	readDefault = 512 << 10
	readLimit   = 1 << 20
)

// dbfs answers the DBFS API.
func (w *Workspace) dbfs(out http.ResponseWriter, req *http.Request) {
	at := req.URL.Query().Get("path")
	f, isFile := w.files[at]
	isFolder := w.isFolder(at)
	switch action := path.Base(req.URL.Path); {
	case !isFile && !isFolder:
		refuse(out, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "No file or directory exists on path "+at+".")
	case action == "get-status":
		send(out, fileInfo(at, f, isFile))
	case action == "list":
		list := []any{}
		if isFile {
			list = append(list, fileInfo(at, f, true))
		}
		for _, p := range w.below(at) {
			child, is := w.files[p]
			list = append(list, fileInfo(p, child, is))
		}
		send(out, map[string]any{"files": list})
	case action == "read" && isFile:
		f.read(out, req)
	default:
		refuse(out, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "Not a file.")
	}
}

func fileInfo(at string, f File, isFile bool) map[string]any {
	if !isFile {
		return map[string]any{"path": at, "is_dir": true, "file_size": 0, "modification_time": 0}
	}
	return map[string]any{"path": at, "is_dir": false, "file_size": len(f.Data), "modification_time": f.Modified}
}

func (f File) read(out http.ResponseWriter, req *http.Request) {
	length := readDefault
	if asked := req.URL.Query().Get("length"); asked != "" {
		length, _ = strconv.Atoi(asked)
	}
	offset, _ := strconv.Atoi(req.URL.Query().Get("offset"))
	if length > readLimit || length < 1 || offset < 0 {
		refuse(out, http.StatusBadRequest, "MAX_READ_SIZE_EXCEEDED", "Cannot read more than 1048576 bytes at once.")
		return
	}
	from := min(offset, len(f.Data))
	part := f.Data[from:min(from+length, len(f.Data))]
	send(out, map[string]any{"bytes_read": len(part), "data": base64.StdEncoding.EncodeToString(part)})
}

func (w *Workspace) isFolder(at string) bool { return len(w.below(at)) > 0 }

// below are the files and folders right below a folder, sorted.
func (w *Workspace) below(dir string) (all []string) {
	prefix := strings.TrimSuffix(dir, "/") + "/"
	for _, p := range slices.Sorted(maps.Keys(w.files)) {
		if rest, found := strings.CutPrefix(p, prefix); found {
			name, _, _ := strings.Cut(rest, "/")
			all = append(all, prefix+name)
		}
	}
	return slices.Compact(all)
}

// volumePage is how many entries a page of a folder in a volume has here.
const volumePage = 3

// volume answers the Files API.
// Source: https://docs.databricks.com/api/workspace/files
func (w *Workspace) volume(out http.ResponseWriter, req *http.Request) {
	if at, found := strings.CutPrefix(req.URL.Path, "/api/2.0/fs/files"); found {
		f, known := w.files[at]
		if !known {
			refuse(out, http.StatusNotFound, "NOT_FOUND", "The file being accessed is not found.")
			return
		}
		out.Header().Set("Content-Type", "application/octet-stream")
		out.Header().Set("Last-Modified", time.UnixMilli(f.Modified).UTC().Format(http.TimeFormat))
		out.Header().Set("Content-Length", strconv.Itoa(len(f.Data)))
		_, _ = out.Write(f.Data) // of an answer to HEAD the server leaves the body out
		return
	}
	at := strings.TrimSuffix(strings.TrimPrefix(req.URL.Path, "/api/2.0/fs/directories"), "/")
	if !w.isFolder(at) {
		refuse(out, http.StatusNotFound, "NOT_FOUND", "The directory being accessed is not found.")
		return
	}
	if req.Method == http.MethodGet {
		w.listVolume(out, req, at)
	}
}

// listVolume sends a page of a folder.
func (w *Workspace) listVolume(out http.ResponseWriter, req *http.Request, at string) {
	all := w.below(at)
	from, _ := strconv.Atoi(strings.TrimPrefix(req.URL.Query().Get("page_token"), "from-"))
	to := min(from+volumePage, len(all))
	contents := []any{}
	for _, p := range all[min(from, to):to] {
		f, isFile := w.files[p]
		entry := map[string]any{"path": p, "name": path.Base(p), "is_directory": !isFile}
		if isFile {
			entry["file_size"], entry["last_modified"] = len(f.Data), f.Modified
		}
		contents = append(contents, entry)
	}
	answer := map[string]any{"contents": contents}
	if to < len(all) {
		answer["next_page_token"] = "from-" + strconv.Itoa(to)
	}
	send(out, answer)
}
