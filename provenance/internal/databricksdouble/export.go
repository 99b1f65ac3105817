package databricksdouble

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// DefaultNotebook is what notebook tasks ran, unless [Workspace.Export] says otherwise.
const DefaultNotebook = "print(\"training\")"

// Export lets a task run have run a notebook with these cells.
func (w *Workspace) Export(taskRun int64, language string, cells ...string) {
	w.ExportPage(taskRun, Page(language, cells...))
}

// ExportPage lets a task run have been exported as a page; an empty one stands for a run that cannot be exported.
func (w *Workspace) ExportPage(taskRun int64, page string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exports[strconv.FormatInt(taskRun, 10)] = page
}

// Page is a notebook as the Jobs API exports it: a web page with the notebook's model, of which the cells stand in no order.
// Source: https://docs.databricks.com/api/workspace/jobs/exportrun and https://docs.databricks.com/_static/examples/extract.py
func Page(language string, cells ...string) string {
	commands := []any{}
	for i := range cells {
		k := len(cells) - 1 - i
		commands = append(commands, map[string]any{"version": "CommandV1", "guid": fmt.Sprintf("c%d", k), "subtype": "command", "commandType": "auto",
			"position": float64(k) + 0.5, "command": cells[k], "commandTitle": "", "showCommandTitle": false, "results": nil, "state": "finished"})
	}
	model, err := json.Marshal(map[string]any{"version": "NotebookV1", "name": "train", "language": language, "commands": commands, "globalVars": map[string]any{}})
	if err != nil {
		panic(err)
	}
	escaped := strings.ReplaceAll(url.QueryEscape(string(model)), "+", "%20") // as encodeURIComponent does
	return `<!DOCTYPE html><html><head><title>train - Databricks</title><script>window.settings = {"a":1};</script>
<script>var __DATABRICKS_NOTEBOOK_MODEL = '` + base64.StdEncoding.EncodeToString([]byte(escaped)) + `';</script></head><body></body></html>`
}

// export answers with the page of a task run.
func (w *Workspace) export(out http.ResponseWriter, req *http.Request) {
	page, known := w.exports[req.URL.Query().Get("run_id")]
	switch {
	case !known:
		page = Page("python", DefaultNotebook)
	case page == "":
		refuse(out, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "The run cannot be exported.")
		return
	}
	send(out, map[string]any{"views": []any{map[string]any{"content": page, "name": "train", "type": "NOTEBOOK"}}})
}

// Output is what get-output tells of a task run.
func (w *Workspace) Output(taskRun int64, output map[string]any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outputs[strconv.FormatInt(taskRun, 10)] = output
}

// output answers about the output of a task run.
func (w *Workspace) output(out http.ResponseWriter, req *http.Request) {
	id := req.URL.Query().Get("run_id")
	output, known := w.outputs[id]
	if !known {
		refuse(out, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "Run "+id+" does not exist.")
		return
	}
	send(out, output)
}
