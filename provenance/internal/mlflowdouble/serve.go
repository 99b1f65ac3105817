package mlflowdouble

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// problem is an answer with another status.
type problem struct {
	status        int
	code, message string
}

func missing(format string, args ...any) *problem {
	return &problem{http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", fmt.Sprintf(format, args...)}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(out http.ResponseWriter, req *http.Request) {
	time.Sleep(s.Latency)
	fault := s.next(req.URL.RequestURI())
	out.Header().Set("X-Request-Id", "66666666-7777-8888-9999-000000000000")
	where, ours := strings.CutPrefix(req.URL.Path, s.Prefix)
	switch {
	case fault != nil:
		fault(out, req)
	case !s.allowed(req):
		send(out, &problem{http.StatusForbidden, "PERMISSION_DENIED", "Invalid access token."})
	case !ours || req.Method != http.MethodGet:
		send(out, &problem{http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found for " + req.Method + " " + req.URL.Path})
	default:
		s.answer(out, where, req.URL.Query())
	}
}

// answer finds what is asked for.
func (s *Server) answer(out http.ResponseWriter, where string, query url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data, p, isFile := s.file(where, query); isFile {
		if p != nil {
			send(out, p)
			return
		}
		out.Header().Set("Content-Type", "application/octet-stream")
		io.WriteString(out, data) // a client that has gone away is no concern of a double
		return
	}
	answer, p := s.question(where, query)
	if p != nil {
		send(out, p)
		return
	}
	if s.Alter != nil {
		s.Alter(strings.TrimPrefix(where, "/api/2.0/mlflow/"), answer)
	}
	out.Header().Set("Content-Type", "application/json")
	json.NewEncoder(out).Encode(answer)
}

func send(out http.ResponseWriter, p *problem) {
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(p.status)
	json.NewEncoder(out).Encode(map[string]any{"error_code": p.code, "message": p.message})
}

// question answers in JSON.
func (s *Server) question(where string, query url.Values) (map[string]any, *problem) {
	parts := strings.Split(strings.Trim(where, "/"), "/")
	switch {
	case where == "/api/2.0/mlflow/experiments/get":
		return map[string]any{"experiment": map[string]any{"experiment_id": query.Get("experiment_id"), "name": "mortgages"}}, nil
	case where == "/api/2.0/mlflow/model-versions/get":
		return s.version(query.Get("name"), query.Get("version"))
	case where == "/api/2.0/mlflow/registered-models/alias":
		return s.alias(query.Get("name"), query.Get("alias"))
	case strings.HasPrefix(where, "/api/2.1/unity-catalog/models/") && len(parts) == 7:
		return s.catalog(parts[4], parts[5], parts[6])
	case strings.HasPrefix(where, "/api/2.0/mlflow/logged-models/") && len(parts) >= 5:
		return s.model(parts[4], parts[5:], query)
	case where == "/api/2.0/mlflow-artifacts/artifacts":
		return s.proxiedListing(query.Get("path")), nil
	}
	run, known := s.runs[query.Get("run_id")]
	if !known {
		return nil, missing("Run '%s' not found.", query.Get("run_id"))
	}
	switch where {
	case "/api/2.0/mlflow/runs/get":
		return map[string]any{"run": s.run(run)}, nil
	case "/api/2.0/mlflow/metrics/get-history":
		return s.history(run, query)
	case "/api/2.0/mlflow/artifacts/list":
		return s.listing(run.Files, query.Get("path"), query.Get("page_token"), run.URI)
	}
	return nil, &problem{http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found for GET " + where}
}

// int64s are written as the server writes them.
func (s *Server) int64(n int64) any {
	if s.Text {
		return strconv.FormatInt(n, 10)
	}
	return n
}

func pairs(table map[string]string) []any {
	all := []any{}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		all = append(all, map[string]any{"key": key, "value": table[key]})
	}
	return all
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func (s *Server) run(r Run) map[string]any {
	info := map[string]any{"run_id": r.ID, "run_uuid": r.ID, "run_name": "nightly", "experiment_id": ExperimentID, "user_id": "ada@contoso.com",
		"status": or(r.Status, "FINISHED"), "start_time": s.int64(1795311000000), "end_time": s.int64(1795311600000), "artifact_uri": r.URI,
		"lifecycle_stage": or(r.Stage, "active")}
	maps.Copy(info, r.Info)
	metrics := []any{}
	for _, key := range slices.Sorted(maps.Keys(r.Metrics)) {
		metrics = append(metrics, s.metric(key, r.Metrics[key][len(r.Metrics[key])-1]))
	}
	models := []any{}
	for _, id := range r.Models {
		models = append(models, map[string]any{"model_id": id, "step": s.int64(0)})
	}
	return map[string]any{"info": info, "data": map[string]any{"metrics": metrics, "params": pairs(r.Params), "tags": pairs(r.Tags)},
		"inputs": map[string]any{"dataset_inputs": r.Inputs}, "outputs": map[string]any{"model_outputs": models}}
}

func (s *Server) metric(key string, v Value) map[string]any {
	return map[string]any{"key": key, "value": v.Value, "timestamp": s.int64(v.At), "step": s.int64(v.Step)}
}

// PageToken is that of the page which begins at an offset: base64, so that it looks like a secret.
func PageToken(offset int) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"offset": %d, "filler": "0123456789abcdef0123456789abcdef"}`, offset))
}

// page is where a page begins and ends.
func (s *Server) page(given string, total, size int) (from, to int, p *problem) {
	if s.Page > 0 {
		size = s.Page
	}
	if given != "" {
		data, _ := base64.StdEncoding.DecodeString(given)
		if _, err := fmt.Sscanf(string(data), `{"offset": %d,`, &from); err != nil || from > total {
			return 0, 0, &problem{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "Invalid page token " + given}
		}
	}
	return from, min(from+size, total), nil
}

func (s *Server) history(r Run, query url.Values) (map[string]any, *problem) {
	key := query.Get("metric_key")
	size, err := strconv.Atoi(query.Get("max_results"))
	if err != nil {
		size = len(r.Metrics[key])
	}
	from, to, p := s.page(query.Get("page_token"), len(r.Metrics[key]), size)
	if p != nil {
		return nil, p
	}
	answer := map[string]any{}
	metrics := []any{}
	for _, v := range r.Metrics[key][from:to] {
		metrics = append(metrics, s.metric(key, v))
	}
	if len(metrics) > 0 {
		answer["metrics"] = metrics
	}
	if to < len(r.Metrics[key]) {
		answer["next_page_token"] = PageToken(to)
	}
	return answer, nil
}

// listing is one page of a folder. A folder that is not there is an empty one, as on real servers.
func (s *Server) listing(files map[string]string, dir, given, root string) (map[string]any, *problem) {
	entries := s.entries(files, dir)
	from, to, p := s.page(given, len(entries), len(entries))
	if p != nil {
		return nil, p
	}
	answer := map[string]any{"root_uri": root}
	if to > from {
		answer["files"] = entries[from:to]
	}
	if to < len(entries) {
		answer["next_page_token"] = PageToken(to)
	}
	return answer, nil
}

// entries are the files and folders of one folder.
func (s *Server) entries(files map[string]string, dir string) []any {
	entries := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		below, inside := name, dir == ""
		if dir != "" {
			below, inside = strings.CutPrefix(name, dir+"/")
		}
		if !inside {
			continue
		}
		first, _, deeper := strings.Cut(below, "/")
		entry := map[string]any{"path": path.Join(dir, first), "is_dir": deeper}
		if !deeper {
			entry["file_size"] = s.int64(int64(len(files[name])))
		}
		entries[first] = entry
	}
	all := []any{}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		all = append(all, entries[name])
	}
	return all
}

// proxied are all files that the server serves itself, by path.
func (s *Server) proxied() map[string]string {
	all := map[string]string{}
	add := func(uri string, files map[string]string) {
		if root, is := strings.CutPrefix(uri, "mlflow-artifacts:/"); is {
			for name, data := range files {
				all[path.Join(root, name)] = data
			}
		}
	}
	for _, r := range s.runs {
		add(r.URI, r.Files)
	}
	for _, m := range s.models {
		add(m.URI, m.Files)
	}
	return all
}

// proxiedListing names the entries alone.
func (s *Server) proxiedListing(dir string) map[string]any {
	entries := s.entries(s.proxied(), dir)
	for _, e := range entries {
		entry := e.(map[string]any)
		entry["path"] = path.Base(entry["path"].(string))
	}
	return map[string]any{"files": entries}
}

// file answers requests for bytes.
func (s *Server) file(where string, query url.Values) (data string, p *problem, isFile bool) {
	var files map[string]string
	var name string
	parts := strings.Split(where, "/")
	switch {
	case strings.HasPrefix(where, "/api/2.0/mlflow-artifacts/artifacts/"):
		files, name = s.proxied(), strings.TrimPrefix(where, "/api/2.0/mlflow-artifacts/artifacts/")
	case where == "/get-artifact":
		files, name = s.runs[query.Get("run_uuid")].Files, query.Get("path")
	case strings.HasPrefix(where, "/ajax-api/2.0/mlflow/logged-models/") && len(parts) == 8:
		files, name = s.models[parts[5]].Files, query.Get("artifact_file_path")
	default:
		return "", nil, false
	}
	data, known := files[name]
	if !known {
		p = missing("No such artifact: '%s'", name)
	}
	return data, p, true
}

func (s *Server) version(name, number string) (map[string]any, *problem) {
	v, known := s.versions[name+"/"+number]
	if !known {
		return nil, missing("Model Version (name=%s, version=%s) not found", name, number)
	}
	answer := map[string]any{"name": v.Name, "version": v.Version, "creation_timestamp": s.int64(1795311700000),
		"last_updated_timestamp": s.int64(1795311800000), "current_stage": "None", "status": "READY", "user_id": "ada@contoso.com"}
	if len(v.Aliases) > 0 {
		answer["aliases"] = v.Aliases
	}
	maps.Copy(answer, v.Fields)
	return map[string]any{"model_version": answer}, nil
}

// named is the number of the version that has an alias.
func (s *Server) named(name, alias string) string {
	for _, v := range s.versions {
		if v.Name == name && slices.Contains(v.Aliases, alias) {
			return v.Version
		}
	}
	return ""
}

// alias answers 400 for one that is not there, as real servers do.
func (s *Server) alias(name, alias string) (map[string]any, *problem) {
	if number := s.named(name, alias); number != "" {
		return s.version(name, number)
	}
	return nil, &problem{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "Registered model alias " + alias + " not found."}
}

// catalog is Unity Catalog, which has versions of models in a form of its own.
// Source: https://docs.databricks.com/api/workspace/modelversions/get
func (s *Server) catalog(name, by, value string) (map[string]any, *problem) {
	if by == "aliases" {
		value = s.named(name, value)
	}
	v, known := s.versions[name+"/"+value]
	if names := strings.Split(name, "."); known && len(names) == 3 {
		number, _ := strconv.Atoi(v.Version)
		aliases := []any{}
		for _, alias := range v.Aliases {
			aliases = append(aliases, map[string]any{"alias_name": alias, "version_num": number})
		}
		answer := map[string]any{"catalog_name": names[0], "schema_name": names[1], "model_name": names[2], "version": number, "aliases": aliases,
			"status": "READY", "created_at": 1795311700000, "updated_at": 1795311800000, "created_by": "ada@contoso.com", "run_workspace_id": 12345,
			"storage_location": "abfss://models@contoso.dfs.core.windows.net/m/" + v.Version}
		maps.Copy(answer, v.Fields)
		return answer, nil
	}
	return nil, missing("Model version %s %s of %s does not exist.", by, value, name)
}

// model is a logged model, or a listing of its files.
func (s *Server) model(id string, below []string, query url.Values) (map[string]any, *problem) {
	m, known := s.models[id]
	switch {
	case !known:
		return nil, missing("Logged model with ID '%s' not found.", id)
	case strings.Join(below, "/") == "artifacts/directories":
		return s.listing(m.Files, query.Get("artifact_directory_path"), query.Get("page_token"), m.URI)
	}
	return map[string]any{"model": map[string]any{"info": map[string]any{"model_id": m.ID, "name": m.Name, "artifact_uri": m.URI,
		"status": or(m.Status, "LOGGED_MODEL_READY"), "source_run_id": m.RunID}, "data": map[string]any{"metrics": m.Metrics}}}, nil
}
