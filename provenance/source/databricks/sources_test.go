package databricks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"

	double "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
)

// commitOf are the files of a commit in memory; "" names the commit.
type commitOf map[string]string

var theCommit = strings.Repeat("ab", 20)

func (c commitOf) Commit(context.Context) (string, error) { return theCommit, nil }

func (c commitOf) Names(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(c)), nil
}

func (c commitOf) Read(_ context.Context, name string) ([]byte, error) {
	data, known := c[name]
	if !known {
		return nil, fmt.Errorf("the commit has no file %q", name)
	}
	return []byte(data), nil
}

// brokenCommit cannot be read.
type brokenCommit struct{ commitOf }

func (brokenCommit) Read(context.Context, string) ([]byte, error) {
	return nil, errors.New("the repository is damaged")
}

const (
	begun  = int64(1795311000000) // when runs of the double begin
	before = begun - 1000
)

// runOf is a run with one notebook task, whose task run is 8.
func runOf(path string, more map[string]any) double.Run {
	task := map[string]any{"task_key": "train", "run_id": 8, "status": ended("SUCCESS"), "notebook_task": map[string]any{"notebook_path": path}}
	maps.Copy(task, more)
	return double.Run{ID: 7, Fields: map[string]any{"tasks": []any{task}}}
}

func ended(code string) map[string]any {
	return map[string]any{"state": "TERMINATED", "termination_details": map[string]any{"code": code}}
}

// fromCommit is the git source of a run or task.
func fromCommit(commit string) map[string]any {
	return map[string]any{"git_url": "https://dev.azure.com/contoso/ml/_git/r", "git_snapshot": map[string]any{"used_commit": commit}}
}

// summary is one line for each source.
func summary(notebooks []provenance.Notebook) string {
	var lines []string
	for _, n := range notebooks {
		line := fmt.Sprintf("%s | %s", n.How, n.Path)
		if n.By != "" {
			line = fmt.Sprintf("%s of %s | %s", n.How, n.By, n.Path)
		}
		line += " | " + n.Equal
		if n.File != "" {
			line += " | " + n.File
		}
		if n.Note != "" {
			line += " | " + n.Note
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

const header = "# Databricks notebook source\n"

func TestNotebookOfATask(t *testing.T) {
	for name, c := range map[string]struct {
		path  string
		cells []string
		files commitOf
		named string
		want  string // behind the path
	}{
		"the same":         {"/Repos/ada/ml/train", []string{"x = 1"}, commitOf{"train.py": header + "x = 1\n"}, "", "matches | train.py"},
		"another":          {"/Repos/ada/ml/train", []string{"x = 2"}, commitOf{"train.py": header + "x = 1\n"}, "", "differs | train.py | line 2: the commit has “x = 1”, the run had “x = 2”"},
		"of two, the same": {"/Repos/ada/ml/a/train", []string{"x = 2"}, commitOf{"a/train.py": "x = 1", "b/train.py": "x = 2"}, "", "matches | b/train.py"},
		"both the same":    {"/Repos/ada/ml/b/train", []string{"x = 1"}, commitOf{"a/train.py": "x = 1", "b/train.py": "x = 1"}, "", "matches | b/train.py"},
		"of two, none":     {"/x/train", []string{"x = 3"}, commitOf{"a/train.py": "x = 1", "b/train.py": "x = 2"}, "", "unknown | the commit has 2 files of this name, and it equals none of them"},
		"none":             {"/x/train", []string{"x = 3"}, commitOf{"retrain.py": "x = 3", "train.txt": "x = 3"}, "", "unknown | the commit has no file that it may be"},
		"named":            {"/x/train", []string{"x = 3"}, commitOf{"src/main.py": "x = 3", "train.py": "x = 3"}, "src/main.py", "matches | src/main.py"},
		"named, another":   {"/x/train", []string{"x = 3"}, commitOf{"a/train.py": "x = 1", "b/train.py": "x = 2"}, "b/train.py", "differs | b/train.py | line 1: the commit has “x = 2”, the run had “x = 3”"},
		"jupyter":          {"/x/train", []string{"x = 3"}, commitOf{"train.ipynb": `{"nbformat":4,"metadata":{"language_info":{"name":"python"}},"cells":[{"cell_type":"code","source":"x = 3"}]}`}, "", "matches | train.ipynb"},
		"jupyter of no language": {"/x/train", []string{"x = 3"}, commitOf{"train.ipynb": `{"nbformat":4,"cells":[{"cell_type":"code","source":"x = 3"}]}`}, "",
			"unknown | train.ipynb | the language of the commit's file is not known"},
		"jupyter of an unknown language": {"/x/train", []string{"x = 3"}, commitOf{"train.ipynb": `{"nbformat":4,"metadata":{"language_info":{"name":"julia"}},"cells":[{"cell_type":"code","source":"x = 3"}]}`}, "",
			"unknown | train.ipynb | the language of the commit's file is not known"},
		"a raw cell": {"/x/train", []string{"x = 3"}, commitOf{"train.ipynb": `{"nbformat":4,"metadata":{"language_info":{"name":"python"}},"cells":[{"cell_type":"raw","source":"x = 3"}]}`}, "",
			"unknown | train.ipynb | the commit's file cannot be read as a notebook: what Databricks makes of its “raw” cell is not known"},
		"a cell of no type": {"/x/train", []string{"x = 3"}, commitOf{"train.ipynb": `{"nbformat":4,"metadata":{"language_info":{"name":"python"}},"cells":[{"source":"x = 3"}]}`}, "",
			"unknown | train.ipynb | the commit's file cannot be read as a notebook: what Databricks makes of its “” cell is not known"},
		"an empty raw cell": {"/x/train", []string{"x = 3"}, commitOf{"train.ipynb": `{"nbformat":4,"metadata":{"language_info":{"name":"python"}},"cells":[{"cell_type":"raw","source":" \n"},{"cell_type":"code","source":"x = 3"}]}`}, "",
			"matches | train.ipynb"},
		"a Markdown cell that begins like one of Databricks": {"/x/train", []string{"%mdx"}, commitOf{"train.ipynb": `{"nbformat":4,"metadata":{"language_info":{"name":"python"}},"cells":[{"cell_type":"markdown","source":"%mdx"}]}`}, "",
			"differs | train.ipynb | cell 1: the commit has “%md”, the run had “%mdx”\ndbutils.notebook.run of /x/train | cell 1 | unknown | what it runs is not known (%mdx)"},
		"magic without a header":                     {"/x/train", []string{"%sql DROP TABLE a"}, commitOf{"train.py": "# MAGIC %sql DROP TABLE a\n"}, "", "unknown | train.py | " + notMarks},
		"cells without a header":                     {"/x/train", []string{"x = 1", "y = 2"}, commitOf{"train.py": "x = 1\n# COMMAND ----------\ny = 2\n"}, "", "unknown | train.py | " + notMarks},
		"magic without a command":                    {"/x/train", []string{"x = 1"}, commitOf{"train.py": header + "# MAGIC x = 1\n"}, "", "unknown | train.py | " + notMarks},
		"magic beside code":                          {"/x/train", []string{"x = 1\ny = 2"}, commitOf{"train.py": header + "x = 1\n# MAGIC y = 2\n"}, "", "unknown | train.py | " + notMarks},
		"a comment that looks like a mark, the same": {"/x/train", []string{"x = 1\n# MAGIC y = 2"}, commitOf{"train.py": header + "x = 1\n# MAGIC y = 2\n"}, "", "matches | train.py"},
		"a comment that ran as magic":                {"/x/train", []string{"%sql DROP TABLE b"}, commitOf{"train.py": "# MAGIC %sql DROP TABLE a\n"}, "", "differs | train.py | line 1: the commit has “# MAGIC %sql DROP TABLE a”, the run had “%sql DROP TABLE b”"},
		"unreadable":                                 {"/x/train", []string{"x = 3"}, commitOf{"train.ipynb": `no`}, "", "unknown | train.ipynb | the commit's file cannot be read as a notebook: it is no Jupyter notebook"},
		"no text":                                    {"/x/train", []string{"x = 3"}, commitOf{"train.py": "\x00"}, "", "unknown | train.py | the commit's file cannot be read as a notebook: it is no text"},
		"with extension":                             {"/x/train.py", []string{"x = 3"}, commitOf{"train.py": "x = 3"}, "", "matches | train.py"},
		"no commit":                                  {"/Workspace/x/train", []string{"x = 3"}, nil, "", "unknown | there is no commit to compare it with"},
	} {
		w := double.New(t, runOf(c.path, nil))
		w.Export(8, "python", c.cells...)
		d := of(w, 7)
		if d.NotebookFile = c.named; c.files != nil {
			d.Files = c.files
		}
		_, got := collectAll(t, d)
		want := "task train | " + strings.TrimPrefix(c.path, "/Workspace") + " | " + c.want
		if summary(got) != want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, summary(got), want)
		}
		n := got[0]
		source, err := rebuild(double.Page("python", c.cells...))
		if err != nil {
			t.Fatal(err)
		}
		text := source.text()
		if n.Digest != provenance.SumSHA256([]byte(text)) || n.Language != "python" || n.Host != w.URL || n.Basis != provenance.Reported {
			t.Errorf("%s: %+v", name, n)
		}
		if (n.Of("equal") == provenance.Observed) != (n.Equal != provenance.Uncertain) {
			t.Errorf("%s: how it compares is %s", name, n.Of("equal"))
		}
		if n.Equal == provenance.Matches {
			if !n.Text.Digest.IsZero() {
				t.Errorf("%s: the commit's own source is stored", name)
			}
		} else if string(sourcetest.Stored(t, n.Text)) != text {
			t.Errorf("%s: stored %q", name, sourcetest.Stored(t, n.Text))
		}
	}
}

// TestNamedFileIsTheTasks: what the notebook runs in turn is not compared with the file that it is itself.
func TestNamedFileIsTheTasks(t *testing.T) {
	w := double.New(t, runOf("/x/train", nil))
	w.Export(8, "python", "%run ./setup")
	w.PutObject("/x/setup", double.Object{Type: "NOTEBOOK", Language: "PYTHON", Content: "x = 1", Modified: before})
	d := of(w, 7)
	d.Files, d.NotebookFile = commitOf{"main.py": header + "# MAGIC %run ./setup", "setup.py": "x = 1"}, "main.py"
	_, got := collectAll(t, d)
	if want := "task train | /x/train | matches | main.py\n%run of /x/train | /x/setup | matches | setup.py"; summary(got) != want {
		t.Errorf("%s", summary(got))
	}
}

func TestNotebookFileMisused(t *testing.T) {
	w := double.New(t, runOf("/x/train", nil))
	d := of(w, 7)
	d.NotebookFile = "train.py"
	if _, err := d.Collect(t.Context()); sourcetest.KindOf(err) != "misused" {
		t.Error(err)
	}
	d.Files = commitOf{"a.py": ""}
	if _, err := d.Collect(t.Context()); sourcetest.KindOf(err) != "misused" || len(w.Requests()) != 0 {
		t.Error(err)
	}
	d.NotebookFile, d.Files = "", brokenCommit{commitOf{"train.py": ""}}
	if _, err := d.Collect(t.Context()); err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), "damaged") {
		t.Error(err)
	}
}

// TestWhatGitRunsRun: what a run from git runs in turn is the commit's.
func TestWhatGitRunsRun(t *testing.T) {
	files := commitOf{
		"nb/train.py":       header + "# MAGIC %run ./setup\n",
		"nb/setup.py":       header + "# MAGIC %run \"../shared/config\"\n\n# COMMAND ----------\n\nfrom helpers import text\nimport numpy\nimport local\n",
		"shared/config.py":  header + "# MAGIC %run ../nb/setup\n",
		"shared/query.sql":  "-- Databricks notebook source\nSELECT 1\n",
		"helpers/text.py":   "from . import near\nimport tool\n",
		"helpers/near.py":   "x = 1\n",
		"nb/local.py":       "import helpers.deep.er\n",
		"helpers/deep/a.py": "",
		"other/tool.py":     "",
	}
	run := runOf("nb/train", map[string]any{"notebook_task": map[string]any{"notebook_path": "nb/train", "source": "GIT"}})
	run.Fields["git_source"] = fromCommit(strings.ToUpper(theCommit))
	w := double.New(t, run)
	w.Export(8, "python", "%run ./setup", `dbutils.notebook.run("../shared/query", 60)`, `dbutils.notebook.run(x, 60)`, "%run ./gone", "%run ../../out", "%run dbfs:/x")
	d := of(w, 7)
	d.Files = files
	got, notebooks := collectAll(t, d)
	want := `task train | nb/train | differs | nb/train.py | line 3: the commit has nothing more, the run had “dbutils.notebook.run("…", 60)”
import of helpers/text.py | helpers/near.py | matches | helpers/near.py
import of helpers/text.py | tool | unknown | the commit has a module of this name, but it is not known whether the run took it from there
%run of nb/setup | shared/config | matches | shared/config.py
import of nb/setup | helpers/text.py | matches | helpers/text.py
import of nb/setup | nb/local.py | matches | nb/local.py
%run of nb/train | ../../out | unknown | its path leads out of the repository
%run of nb/train | dbfs:/x | unknown | it is not a path in the workspace
%run of nb/train | nb/gone | unknown | the commit has no such file
%run of nb/train | nb/setup | matches | nb/setup.py
dbutils.notebook.run of nb/train | cell 3 | unknown | what it runs is computed
dbutils.notebook.run of nb/train | shared/query | matches | shared/query.sql
%run of shared/config | nb/setup | matches | nb/setup.py`
	if summary(notebooks) != want {
		t.Errorf("got\n%s\nwant\n%s", summary(notebooks), want)
	}
	if got.GitCommit != theCommit || got.Tasks[0].From != "GIT" || got.Tasks[0].GitCommit != "" {
		t.Errorf("%+v", got)
	}
	for _, r := range w.Requests() {
		if strings.Contains(r, "/workspace/") {
			t.Errorf("the workspace was asked: %s", r)
		}
	}
}

// TestAnotherCommitThanUsed: then the files at hand say nothing of what ran.
func TestAnotherCommitThanUsed(t *testing.T) {
	for commit, why := range map[string]string{strings.Repeat("cd", 20): "the run used commit " + strings.Repeat("cd", 20) + ", which is another one",
		"": "the run does not say which commit it used"} {
		run := runOf("train", map[string]any{"git_source": fromCommit(commit)})
		w := double.New(t, run)
		w.Export(8, "python", "%run ./setup", "import helpers, numpy")
		d := of(w, 7)
		d.Files = commitOf{"train.py": header + "# MAGIC %run ./setup\n\n# COMMAND ----------\n\nimport helpers, numpy", "setup.py": "", "helpers.py": ""}
		run2, notebooks := collectAll(t, d)
		want := "task train | train | matches | train.py\n%run of train | setup | unknown | " + why +
			"\nimport of train | helpers | unknown | the commit has a module of this name, but it is not known whether the run took it from there"
		if summary(notebooks) != want {
			t.Errorf("got\n%s\nwant\n%s", summary(notebooks), want)
		}
		if run2.Tasks[0].GitCommit != commit {
			t.Errorf("%+v", run2.Tasks[0])
		}
		d.Files = nil
		_, notebooks = collectAll(t, d)
		if want := `task train | train | unknown | there is no commit to compare it with
%run of train | setup | unknown | there is no commit to compare it with
import of train | modules | unknown | what it imports cannot be looked up: there is no commit to compare it with`; summary(notebooks) != want {
			t.Errorf("got\n%s\nwant\n%s", summary(notebooks), want)
		}
	}
}

// TestWhatWorkspaceRunsRun: the workspace tells only what lies there now.
func TestWhatWorkspaceRunsRun(t *testing.T) {
	w := double.New(t, runOf("/Workspace/Repos/ada/ml/nb/train", nil))
	w.Export(8, "python", "%run ./setup", "%run ./changed", "%run ./gone", "%run ./folder", "%run ./silent", "%run /Shared/other", "%run /Workspace/Shared/q",
		"import util, numpy, lost\nfrom pkg import mod, name\nfrom nbmodule import x")
	put := func(path, content string, at int64) {
		w.PutObject(path, double.Object{Type: "NOTEBOOK", Language: "PYTHON", Content: content, Modified: at})
	}
	file := func(path, content string, at int64) {
		w.PutObject(path, double.Object{Content: content, Modified: at})
	}
	put("/Repos/ada/ml/nb/setup", header+"x = 1\n", before)
	put("/Repos/ada/ml/nb/changed", header+"x = 1\n", begun)
	put("/Repos/ada/ml/nb/silent", header+"x = 1\n", 0)
	put("/Repos/ada/ml/nb/folder/x", "", before)
	put("/Shared/other", header+"y = 1\n\n# COMMAND ----------\n\nimport shared", before)
	w.PutObject("/Shared/q", double.Object{Type: "NOTEBOOK", Language: "SQL", Content: "-- Databricks notebook source\nSELECT 1", Modified: before})
	file("/Repos/ada/ml/nb/util.py", "a = 1\n", before)
	file("/Repos/ada/ml/pkg/__init__.py", "", before)
	file("/Repos/ada/ml/pkg/mod.py", "import util\n", before)
	put("/Repos/ada/ml/nbmodule", header+"n = 1\n", before)
	d := of(w, 7)
	d.Files = commitOf{"nb/train.py": "", "nb/setup.py": header + "x = 1\n", "nb/changed.py": header + "x = 1\n", "other.py": header + "y = 2\n", "q.sql": "SELECT 1\n",
		"nb/util.py": "a = 1\r\n", "pkg/__init__.py": "", "pkg/mod.py": "import utils\n", "src/lost.py": ""}
	_, notebooks := collectAll(t, d)
	want := `task train | /Repos/ada/ml/nb/train | differs | nb/train.py | cell 1: the commit has nothing more, the run had “%run ./setup”
%run of /Repos/ada/ml/nb/train | /Repos/ada/ml/nb/changed | unknown | it was changed after the run had started
%run of /Repos/ada/ml/nb/train | /Repos/ada/ml/nb/folder | unknown | in the workspace it is a directory
%run of /Repos/ada/ml/nb/train | /Repos/ada/ml/nb/gone | unknown | it is not in the workspace any more
%run of /Repos/ada/ml/nb/train | /Repos/ada/ml/nb/setup | matches | nb/setup.py
%run of /Repos/ada/ml/nb/train | /Repos/ada/ml/nb/silent | unknown | the workspace does not say when it was changed
%run of /Repos/ada/ml/nb/train | /Shared/other | differs | other.py | line 2: the commit has “y = 2”, the run had “y = 1”
%run of /Repos/ada/ml/nb/train | /Shared/q | matches | q.sql
import of /Repos/ada/ml/nb/train | /Repos/ada/ml/nb/util.py | matches | nb/util.py
import of /Repos/ada/ml/nb/train | /Repos/ada/ml/nbmodule | unknown | the commit has no file that it may be
import of /Repos/ada/ml/nb/train | /Repos/ada/ml/pkg/__init__.py | matches | pkg/__init__.py
import of /Repos/ada/ml/nb/train | /Repos/ada/ml/pkg/mod.py | differs | pkg/mod.py | line 1: the commit has “import utils”, the run had “import util”
import of /Repos/ada/ml/nb/train | lost | unknown | the commit has a module of this name, but it is not known whether the run took it from there
import of /Repos/ada/ml/pkg/mod.py | /Repos/ada/ml/nb/util.py | matches | nb/util.py`
	if summary(notebooks) != want {
		t.Errorf("got\n%s\nwant\n%s", summary(notebooks), want)
	}
	for _, n := range notebooks[1:] {
		if n.Of("equal") != provenance.Reported {
			t.Errorf("%s: how it compares is %s", n.Path, n.Of("equal"))
		}
	}
}

// TestManySources: what goes too deep or too far is told, not left out.
func TestManySources(t *testing.T) {
	files := commitOf{"n0.py": ""}
	for i := range 20 {
		files[fmt.Sprintf("n%d.py", i)] = header + fmt.Sprintf("# MAGIC %%run ./n%d\n", i+1)
	}
	run := runOf("n0", map[string]any{"git_source": fromCommit(theCommit)})
	w := double.New(t, run)
	w.Export(8, "python", "%run ./n1")
	d := of(w, 7)
	d.Files = files
	_, notebooks := collectAll(t, d)
	last := notebooks[len(notebooks)-1]
	if len(notebooks) != 12 || strings.Count(summary(notebooks), "no more than 10 levels") != 1 {
		t.Errorf("%d: %+v", len(notebooks), last)
	}
	var wide []string
	for i := range 300 {
		wide = append(wide, fmt.Sprintf("%%run ./w%03d", i))
		files[fmt.Sprintf("w%03d.py", i)] = "x = 1"
	}
	w.Export(8, "python", wide...)
	_, notebooks = collectAll(t, d)
	if len(notebooks) != 301 || strings.Count(summary(notebooks), "no more than 200 sources") != 100 {
		t.Errorf("%d notebooks, %d too many", len(notebooks), strings.Count(summary(notebooks), "no more than 200 sources"))
	}
}

// TestExportFaults: a notebook that Databricks does not give is unknown; everything else is an error.
func TestExportFaults(t *testing.T) {
	answer := func(content string) double.Fault {
		data, _ := json.Marshal(map[string]any{"views": []any{map[string]any{"content": content, "name": "n", "type": "NOTEBOOK"}}})
		return double.Answer(200, string(data))
	}
	for name, c := range map[string]struct {
		at    string
		fault double.Fault
		says  string // of an error
		note  string
	}{
		"not exported":     {"/api/2.0/jobs", double.Answer(400, `{"error_code":"INVALID_PARAMETER_VALUE","message":"The run cannot be exported, token=hunter22"}`), "", "status 400 The run cannot be exported"},
		"not there":        {"/api/2.0/jobs", double.Answer(404, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"gone"}`), "", "status 404 gone"},
		"forbidden":        {"/api/2.0/jobs", double.Answer(403, `{"error_code":"PERMISSION_DENIED","message":"no"}`), "exporting task run 8: status 403", ""},
		"expired":          {"/api/2.0/jobs", double.Expired, "status 401", ""},
		"busy for an hour": {"/api/2.0/jobs", double.Busy("3600"), "status 429", ""},
		"503":              {"/api/2.0/jobs", double.Unavailable, "", "no commit"},
		"reset":            {"/api/2.0/jobs", double.Reset, "", "no commit"},
		"cut":              {"/api/2.0/jobs", double.Cut, "", "no commit"},
		"100 MB":           {"/api/2.0/jobs", double.Huge(100 << 20), "longer than", ""},
		"login page":       {"/api/2.0/jobs", double.LoginPage, "a web page came", ""},
		"no views":         {"/api/2.0/jobs", double.Answer(200, `{"views":[]}`), "0 notebooks", ""},
		"a dashboard":      {"/api/2.0/jobs", double.Answer(200, `{"views":[{"type":"DASHBOARD","content":""}]}`), "0 notebooks", ""},
		"no notebook":      {"/api/2.0/jobs", answer("<html></html>"), "0 notebooks", ""},
		"keys twice":       {"/api/2.0/jobs", double.Answer(200, `{"views":[],"Views":[]}`), "stands twice", ""},
		"redirect":         {"/api/2.0/jobs", double.Redirect("https://evil.example/"), "not the host that was configured", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := double.New(t, runOf("/x/train", nil))
			w.FailAt(c.at, c.fault)
			evidence, err := of(w, 7).Collect(t.Context())
			if c.says != "" {
				if err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), c.says) || evidence != nil {
					t.Errorf("%v, want %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			n := evidence.(provenance.Several)[1].(provenance.Notebook)
			if n.Equal != provenance.Uncertain || !strings.Contains(n.Note, c.note) || strings.Contains(n.Note, "hunter22") {
				t.Errorf("%+v", n)
			}
		})
	}
}

// TestWorkspaceFaults: what the workspace does not tell is an error, unless it says that it is not there.
func TestWorkspaceFaults(t *testing.T) {
	for name, c := range map[string]struct {
		at    string
		fault double.Fault
		says  string
	}{
		"forbidden":          {"/api/2.0/workspace/get-status", double.Answer(403, `{"error_code":"PERMISSION_DENIED","message":"no"}`), "looking at /x/setup: status 403"},
		"an impossible time": {"/api/2.0/workspace/get-status", double.Answer(200, `{"object_type":"NOTEBOOK","modified_at":-1}`), "no time"},
		"not base64":         {"/api/2.0/workspace/export", double.Answer(200, `{"content":"!"}`), "not base64"},
		"no content":         {"/api/2.0/workspace/export", double.Answer(200, `{}`), "no content"},
		"login page":         {"/api/2.0/workspace/export", double.LoginPage, "a web page"},
		"listing forbidden":  {"/api/2.0/workspace/list", double.Answer(403, `{"error_code":"PERMISSION_DENIED","message":"no"}`), "listing /x: status 403"},
		"listing redirected": {"/api/2.0/workspace/list", double.Redirect("https://evil.example/"), "not the host that was configured"},
	} {
		w := double.New(t, runOf("/x/train", nil))
		w.Export(8, "python", "%run ./setup", "import helpers")
		w.PutObject("/x/setup", double.Object{Type: "NOTEBOOK", Language: "PYTHON", Content: "x = 1", Modified: before})
		w.FailAt(c.at, c.fault)
		if _, err := of(w, 7).Collect(t.Context()); err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// TestSourcesHoldNoSecret: what a notebook has written out is in no noun, stored text or answer.
func TestSourcesHoldNoSecret(t *testing.T) {
	const planted = "hunter22secret"
	w := double.New(t, runOf("/x/train", nil))
	w.Export(8, "python", `password = "`+planted+`"`, `token = "`+double.Token+`"`, "%run ./setup")
	w.PutObject("/x/setup", double.Object{Type: "NOTEBOOK", Language: "PYTHON", Content: `df.option("password", "` + planted + `")`, Modified: before})
	d := of(w, 7)
	d.Files = commitOf{"train.py": `password = "` + planted + `1"`, "setup.py": `df.option("password", "` + planted + `2")`}
	var lines strings.Builder
	d.Client.Debug = func(line string) { lines.WriteString(line + "\n") }
	run, notebooks := collectAll(t, d)
	all := map[string]string{"answers": string(sourcetest.Stored(t, run.Answer)), "debug": lines.String()}
	for _, n := range notebooks {
		data, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		all["noun "+n.Path], all["text "+n.Path] = string(data), string(sourcetest.Stored(t, n.Text))
	}
	for where, text := range all {
		if strings.Contains(text, planted) || strings.Contains(text, double.Token) {
			t.Errorf("a secret is in the %s: %s", where, text)
		}
	}
	if len(notebooks) != 2 || notebooks[0].Equal != provenance.Differs || !strings.Contains(all["text /x/train"], `password = [removed]`) {
		t.Errorf("%s\n%s", summary(notebooks), all["text /x/train"])
	}
}

// TestSourcesAreAskedForTogether: notebooks of several tasks are exported at the same time.
func TestSourcesAreAskedForTogether(t *testing.T) {
	tasks := []any{}
	const many = 8
	for i := range many {
		tasks = append(tasks, map[string]any{"task_key": fmt.Sprint("t", i), "run_id": 100 + i, "status": ended("SUCCESS"), "notebook_task": map[string]any{"notebook_path": fmt.Sprint("/x/n", i)}})
	}
	w := double.New(t, double.Run{ID: 7, Fields: map[string]any{"tasks": tasks}})
	var together sync.WaitGroup
	together.Add(many)
	w.Before = func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/export") {
			together.Done()
			together.Wait() // for ever, if they are asked for one after the other
		}
	}
	d := of(w, 7)
	d.Client.AttemptTimeout, d.Client.Attempts = 5*time.Second, 1
	if _, notebooks := collectAll(t, d); len(notebooks) != many {
		t.Errorf("%d notebooks", len(notebooks))
	}
}

// TestMillionsOfImports: a source of any length is searched in bounds.
func TestMillionsOfImports(t *testing.T) {
	run := runOf("train", map[string]any{"git_source": fromCommit(theCommit)})
	w := double.New(t, run)
	w.Export(8, "python", strings.Repeat("import numpy, helpers\n", 20_000)+strings.Repeat("import a.a.a.a\n", 1000))
	d := of(w, 7)
	d.Client.MaxBody = 8 << 20
	d.Files = commitOf{"helpers.py": "x = 1"}
	_, notebooks := collectAll(t, d)
	if len(notebooks) != 2 || notebooks[1].Path != "helpers.py" {
		t.Errorf("%s", summary(notebooks))
	}
}

// TestMarksWithoutHeader: of what the commit has in two readings nobody knows what it runs.
func TestMarksWithoutHeader(t *testing.T) {
	w := double.New(t, runOf("train", map[string]any{"git_source": fromCommit(theCommit)}))
	w.Export(8, "python", "%run ./setup")
	d := of(w, 7)
	d.Files = commitOf{"train.py": header + "# MAGIC %run ./setup\n", "setup.py": "# MAGIC %run ./more\n", "more.py": "x = 1"}
	_, notebooks := collectAll(t, d)
	if want := "task train | train | matches | train.py\n%run of train | setup | unknown | " + notMarks; summary(notebooks) != want {
		t.Errorf("got  %s\nwant %s", summary(notebooks), want)
	}
}
