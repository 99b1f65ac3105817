package databricks

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"

	databricks "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"

	double "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
)

// tasksRun is a run with these tasks; each has ended with SUCCESS unless it says otherwise.
func tasksRun(tasks ...map[string]any) double.Run {
	list := []any{}
	for i, t := range tasks {
		task := map[string]any{"task_key": fmt.Sprint("t", i), "run_id": 100 + i, "status": ended("SUCCESS"), "attempt_number": 0}
		maps.Copy(task, t)
		list = append(list, task)
	}
	return double.Run{ID: 7, Fields: map[string]any{"tasks": list, "job_parameters": nil, "overriding_parameters": nil}}
}

type fields = map[string]any

// TestKindsOfTasks: each is named as the Jobs API does, and its code is compared or told to be unchecked.
func TestKindsOfTasks(t *testing.T) {
	for _, c := range []struct {
		task         fields
		kind, runs   string
		from, source string // of the task; the line of its source, if it has any
		parameters   map[string]string
	}{
		{fields{"spark_python_task": fields{"python_file": "src/train.py", "source": "GIT", "parameters": []any{"--rows", "5", "--password", "planted"}}, "git_source": fromCommit(theCommit)},
			"spark_python_task", "src/train.py", "GIT", "task t0 | src/train.py | matches | src/train.py", map[string]string{"parameters": `["--rows","5","--password","[removed]"]`}},
		{fields{"spark_python_task": fields{"python_file": "/Workspace/x/train.py"}}, "spark_python_task", "/Workspace/x/train.py", "WORKSPACE",
			"task t0 | /x/train.py | unknown | it is not in the workspace any more", nil},
		{fields{"spark_python_task": fields{"python_file": "dbfs:/x/train.py"}}, "spark_python_task", "dbfs:/x/train.py", "",
			"task t0 | dbfs:/x/train.py | unknown | it lies outside the workspace and the repository, where it is not read", nil},
		{fields{"python_wheel_task": fields{"package_name": "train", "entry_point": "main", "named_parameters": fields{"rows": "5", "api_key": "planted"}}}, "python_wheel_task", "train main", "",
			"task t0 | train main | unknown | a python_wheel_task is not compared with the commit", map[string]string{"rows": "5", "api_key": "[removed]"}},
		{fields{"spark_jar_task": fields{"main_class_name": "com.contoso.Train", "parameters": []any{"--token=planted"}}}, "spark_jar_task", "com.contoso.Train", "",
			"task t0 | com.contoso.Train | unknown | a spark_jar_task is not compared with the commit", map[string]string{"parameters": `["--token=[removed]"]`}},
		{fields{"spark_submit_task": fields{"parameters": []any{"--class", "Train", "--conf", "spark.password=planted"}}}, "spark_submit_task", "--class Train --conf spark.password=[removed]", "",
			"task t0 | --class Train --conf spark.password=[removed] | unknown | a spark_submit_task is not compared with the commit",
			map[string]string{"parameters": `["--class","Train","--conf","spark.password=[removed]"]`}},
		{fields{"sql_task": fields{"file": fields{"path": "q.sql", "source": "GIT"}, "parameters": fields{"rows": "5", "secret": "planted"}}}, "sql_task", "q.sql", "GIT",
			"task t0 | q.sql | unknown | a sql_task is not compared with the commit", map[string]string{"rows": "5", "secret": "[removed]"}},
		{fields{"sql_task": fields{"query": fields{"query_id": "12"}}}, "sql_task", "query 12", "", "task t0 | query 12 | unknown | a sql_task is not compared with the commit", nil},
		{fields{"dbt_task": fields{"project_directory": "dbt", "commands": []any{"dbt deps", `dbt run --vars '{"password": "planted"}'`}}}, "dbt_task", `dbt dbt deps; dbt run --vars '{"password": [removed]}'`, "WORKSPACE",
			`task t0 | dbt dbt deps; dbt run --vars '{"password": [removed]}' | unknown | a dbt_task is not compared with the commit`,
			map[string]string{"commands": `["dbt deps","dbt run --vars '{\"password\": [removed]}'"]`}},
		{fields{"pipeline_task": fields{"pipeline_id": "p-1"}}, "pipeline_task", "pipeline p-1", "", "task t0 | pipeline p-1 | unknown | a pipeline_task is not compared with the commit", nil},
		{fields{"condition_task": fields{"left": "1", "op": "EQUAL_TO", "right": "1", "outcome": "true"}}, "condition_task", "1 EQUAL_TO 1", "", "", nil},
		{fields{"dashboard_task": fields{"dashboard_id": "d"}}, "dashboard_task", "dashboard d", "", "", nil},
		{fields{"new_kind_task": fields{"x": 1}}, "new_kind_task", "", "", "task t0 | not told | unknown | this version does not know what a new_kind_task is, so what task t0 ran was not compared", nil},
		{fields{"run_job_task": fields{"job_id": 12, "job_parameters": fields{"rows": "5", "token": "planted"}}}, "run_job_task", "run 9007199254740997 of job 12", "",
			"task t0 | run 9007199254740997 of job 12 | unknown | it is a run of its own, whose code is not looked at here", map[string]string{"rows": "5", "token": "[removed]"}},
		{fields{"status": ended("EXCLUDED"), "notebook_task": fields{"notebook_path": "/x"}}, "notebook_task", "/x", "WORKSPACE", "", nil},
		{fields{"clean_rooms_notebook_task": fields{"notebook_name": "x"}}, "clean_rooms_notebook_task", "", "",
			"task t0 | not told | unknown | this version does not know what a clean_rooms_notebook_task is, so what task t0 ran was not compared", nil},
		{fields{}, "", "", "", "task t0 | not told | unknown | this version does not know of what kind task t0 is, so what it ran was not compared", nil},
		{fields{"disabled": true, "status": nil, "notebook_task": fields{"notebook_path": "/x"}}, "notebook_task", "/x", "WORKSPACE", "", nil},
	} {
		w := double.New(t, tasksRun(c.task))
		w.Output(100, fields{"run_job_output": fields{"run_id": 9007199254740997}})
		d := of(w, 7)
		d.Files = commitOf{"src/train.py": "x = 1\n"}
		got, notebooks := collectAll(t, d)
		if n := got.Tasks[0]; n.Kind != c.kind || n.Runs != c.runs || n.From != c.from {
			t.Errorf("%v: %+v", c.task, n)
		}
		if summary(notebooks) != c.source {
			t.Errorf("got  %s\nwant %s", summary(notebooks), c.source)
		}
		if !maps.Equal(got.Parameters, c.parameters) {
			t.Errorf("%s: parameters %q", c.kind, got.Parameters)
		}
		data, _ := json.Marshal([]any{got, notebooks})
		if strings.Contains(string(data)+string(sourcetest.Stored(t, got.Answer)), "planted") {
			t.Errorf("%s: a secret is in %s\n%s", c.kind, data, sourcetest.Stored(t, got.Answer))
		}
	}
}

// TestParametersOfSeveralTasks: those of others than the only notebook are named by their task.
func TestParametersOfSeveralTasks(t *testing.T) {
	run := tasksRun(fields{"task_key": "a", "notebook_task": fields{"notebook_path": "/a", "base_parameters": fields{"rows": "5", "db_password": "planted"}}},
		fields{"task_key": "b", "notebook_task": fields{"notebook_path": "/b", "base_parameters": fields{"rows": "6", "token": "planted"}},
			"resolved_values": fields{"notebook_task": fields{"base_parameters": fields{"rows": "7"}}}})
	run.Fields["overriding_parameters"] = fields{"python_params": []any{"--password", "planted"}, "python_named_params": fields{"n": "1"}, "sql_params": fields{"s": "2"},
		"dbt_commands": []any{"dbt run"}, "jar_params": []any{"j"}, "spark_submit_params": []any{"--token=planted"}}
	w := double.New(t, run)
	got, _ := collectAll(t, of(w, 7))
	want := map[string]string{"a.rows": "5", "a.db_password": "[removed]", "b.rows": "7", "b.token": "[removed]", "python_params": `["--password","[removed]"]`,
		"n": "1", "s": "2", "dbt_commands": `["dbt run"]`, "jar_params": `["j"]`, "spark_submit_params": `["--token=[removed]"]`}
	if !maps.Equal(got.Parameters, want) || got.Notebook != "" {
		t.Errorf("%q", got.Parameters)
	}
}

// TestRepairedRun: of a task that was tried several times the last attempt counts, and what preceded it is kept.
func TestRepairedRun(t *testing.T) {
	failed := fields{"task_key": "train", "run_id": 9007199254740999, "attempt_number": 0, "start_time": begun, "status": ended("RUN_EXECUTION_ERROR"),
		"notebook_task": fields{"notebook_path": "/x/train"}}
	again := fields{"task_key": "train", "run_id": 9007199254741001, "attempt_number": 1, "start_time": begun + 10, "status": ended("SUCCESS"),
		"notebook_task": fields{"notebook_path": "/x/train"}}
	for _, order := range [][]fields{{failed, again}, {again, failed}} {
		run := tasksRun(order...)
		run.Fields["repair_history"] = []any{
			fields{"type": "ORIGINAL", "start_time": begun, "end_time": begun + 5, "state": fields{"life_cycle_state": "TERMINATED", "result_state": "FAILED"}, "task_run_ids": []any{9007199254740999}},
			fields{"type": "REPAIR", "id": 734650698524280, "start_time": begun + 6, "end_time": begun + 20, "status": ended("SUCCESS"), "task_run_ids": []any{9007199254741001}},
		}
		w := double.New(t, run)
		got, notebooks := collectAll(t, of(w, 7))
		if len(got.Tasks) != 1 || got.Tasks[0].RunID != "9007199254741001" || got.Tasks[0].Attempt != 1 || len(notebooks) != 1 {
			t.Errorf("%+v %s", got.Tasks, summary(notebooks))
		}
		want := []provenance.Repair{{Type: "ORIGINAL", Result: "FAILED", Started: time.UnixMilli(begun).UTC(), Ended: time.UnixMilli(begun + 5).UTC(), Tasks: []string{"9007199254740999"}},
			{Type: "REPAIR", ID: "734650698524280", Result: "SUCCESS", Started: time.UnixMilli(begun + 6).UTC(), Ended: time.UnixMilli(begun + 20).UTC(), Tasks: []string{"9007199254741001"}}}
		if !reflect.DeepEqual(got.Repairs, want) {
			t.Errorf("%+v", got.Repairs)
		}
		if countOf(w, "/api/2.0/jobs/runs/export?run_id=9007199254741001") != 1 || countOf(w, "/api/2.0/jobs/runs/export") != 1 {
			t.Errorf("%q", w.Requests())
		}
	}
}

// TestTasksThatContradict: a run cannot have succeeded when a task of it has not.
func TestTasksThatContradict(t *testing.T) {
	for name, c := range map[string]struct {
		task fields
		code string
		says string
	}{
		"failed":        {fields{"status": ended("RUN_EXECUTION_ERROR")}, "databricks.result", "task t0 of Databricks run 7 ended with RUN_EXECUTION_ERROR"},
		"old, failed":   {fields{"status": nil, "state": fields{"life_cycle_state": "TERMINATED", "result_state": "FAILED"}}, "databricks.result", "ended with FAILED"},
		"some failed":   {fields{"status": ended("SUCCESS_WITH_FAILURES")}, "databricks.result", "ended with SUCCESS_WITH_FAILURES"},
		"upstream":      {fields{"status": ended("UPSTREAM_FAILED")}, "databricks.result", "ended with UPSTREAM_FAILED"},
		"runs":          {fields{"status": fields{"state": "RUNNING"}}, "", "the run has ended, but its task t0 is RUNNING"},
		"no status":     {fields{"status": nil, "notebook_task": fields{"notebook_path": "/a"}}, "", "says nothing of how its task t0 ended"},
		"half a status": {fields{"status": fields{"state": "TERMINATED"}, "notebook_task": fields{"notebook_path": "/a"}}, "", "says nothing of how its task t0 ended"},
		"unknown":       {fields{"status": ended("unknown")}, "databricks.result", "ended with unknown"},
		"no state":      {fields{"status": nil, "state": fields{}}, "", "says nothing of how its task t0 ended"},
		"several kinds": {fields{"notebook_task": fields{"notebook_path": "/a"}, "spark_jar_task": fields{"main_class_name": "B"}}, "", "several kinds: notebook_task spark_jar_task"},
		"bad time":      {fields{"run_job_task": fields{"job_id": 1}}, "databricks.missing", "does not exist"},
	} {
		w := double.New(t, tasksRun(c.task))
		if _, err := of(w, 7).Collect(t.Context()); err == nil || sourcetest.KindOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, result := range []string{"EXCLUDED", "UPSTREAM_EXCLUDED", "DISABLED"} {
		w := double.New(t, tasksRun(fields{"status": ended(result)}))
		if got := collectRun(t, of(w, 7)); got.Tasks[0].Result != result {
			t.Errorf("%+v", got.Tasks[0])
		}
	}
	w := double.New(t, tasksRun(fields{"run_job_task": fields{"job_id": 1}}))
	w.Output(100, fields{"metadata": fields{}})
	if _, err := of(w, 7).Collect(t.Context()); err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), "which run it started") {
		t.Error(err)
	}
}

// loop is a for-each task, and the run that it is, with iterations that run a notebook.
func loop(stats fields, iterations ...fields) (double.Run, double.Run) {
	outer := tasksRun(fields{"task_key": "loop", "for_each_task": fields{"inputs": `[{"password": "planted"}]`, "stats": fields{"task_run_stats": stats},
		"task": fields{"task_key": "each", "notebook_task": fields{"notebook_path": "/x/each", "base_parameters": fields{"i": "{{input}}"}}}}})
	inner := double.Run{ID: 100, Iterations: []fields{}}
	for i, it := range iterations {
		all := fields{"task_key": "each", "run_id": 1000 + i, "attempt_number": 0, "status": ended("SUCCESS"), "notebook_task": fields{"notebook_path": "/x/each"}}
		maps.Copy(all, it)
		inner.Iterations = append(inner.Iterations, all)
	}
	return outer, inner
}

func TestForEachTask(t *testing.T) {
	outer, inner := loop(fields{"total_iterations": 250}, slices.Repeat([]fields{{}}, 250)...)
	w := double.New(t, outer, inner)
	w.Export(1100, "python", "x = 'another'")
	d := of(w, 7)
	d.Files = commitOf{"each.py": double.DefaultNotebook}
	got, notebooks := collectAll(t, d)
	if n := got.Tasks[0]; len(got.Tasks) != 1 || n.Kind != "for_each_task" || n.Runs != "250 times notebook_task /x/each" {
		t.Errorf("%+v", got.Tasks)
	}
	if countOf(w, "/api/2.2/jobs/runs/get?") != 4 || countOf(w, "/api/2.0/jobs/runs/export?") != 250 {
		t.Errorf("%d pages and %d exports", countOf(w, "/api/2.2/jobs/runs/get?"), countOf(w, "/api/2.0/jobs/runs/export?"))
	}
	if len(notebooks) != 2 || notebooks[0].Equal != provenance.Differs && notebooks[1].Equal != provenance.Differs ||
		!strings.HasPrefix(notebooks[0].How, "task loop, source ") || notebooks[0].How == notebooks[1].How {
		t.Errorf("%s", summary(notebooks))
	}
	if got.Parameters["loop.i"] != "{{input}}" && got.Parameters["i"] != "{{input}}" || strings.Contains(string(sourcetest.Stored(t, got.Answer)), "planted") {
		t.Errorf("%q", got.Parameters)
	}
}

func TestForEachFaults(t *testing.T) {
	for name, c := range map[string]struct {
		stats      fields
		iterations []fields
		alter      func(int, map[string]any)
		code, says string // no code and nothing said: it passes
	}{
		"failed":            {nil, []fields{{}, {"status": ended("RUN_EXECUTION_ERROR")}}, nil, "databricks.result", "iteration 1001 of task loop"},
		"tried again":       {fields{"total_iterations": 1}, []fields{{"original_attempt_run_id": 1000, "status": ended("RUN_EXECUTION_ERROR")}, {"original_attempt_run_id": 1000, "attempt_number": 1}}, nil, "", ""},
		"told to be failed": {fields{"total_iterations": 1, "failed_iterations": 1}, []fields{{}}, nil, "databricks.result", "1 iterations of task loop"},
		"truncated":         {fields{"total_iterations": 3}, []fields{{}, {}}, nil, "", "has 3 iterations, but 2 are listed"},
		"says not how":      {nil, []fields{{"status": nil}}, nil, "", "says nothing of how its iteration 1000 of task loop ended"},
		"of no known kind":  {nil, []fields{{"notebook_task": nil}}, nil, "", ""},
		"still runs":        {nil, []fields{{"status": fields{"state": "RUNNING"}}}, nil, "", "is RUNNING"},
		"another run":       {nil, []fields{{}}, func(_ int, a map[string]any) { a["run_id"] = 7 }, "", `about run "7"`},
		"none":              {fields{"total_iterations": 0}, nil, nil, "", ""},
		"twice":             {nil, slices.Repeat([]fields{{"run_id": 5}}, 150), nil, "", "two of its pages"},
	} {
		outer, inner := loop(c.stats, c.iterations...)
		inner.Alter = c.alter
		w := double.New(t, outer, inner)
		_, err := of(w, 7).Collect(t.Context())
		if (err == nil) != (c.says == "") || sourcetest.KindOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	outer, _ := loop(nil, fields{})
	w := double.New(t, outer)
	if _, err := of(w, 7).Collect(t.Context()); sourcetest.KindOf(err) != "databricks.missing" {
		t.Error(err)
	}
}

func TestClusters(t *testing.T) {
	spec := fields{"spark_version": "15.4.x-cpu-ml-scala2.12", "node_type_id": "Standard_DS3_v2", "init_scripts": []any{
		fields{"workspace": fields{"destination": "/Shared/init.sh"}}, fields{"abfss": fields{"destination": "abfss://init@contoso.dfs.core.windows.net/proxy.sh?sig=planted"}}, fields{"volumes": fields{}}}}
	run := tasksRun(fields{"task_key": "a", "new_cluster": spec, "cluster_instance": fields{"cluster_id": "c-1"}, "libraries": []any{fields{"pypi": fields{"package": "scikit-learn==1.5.0"}},
		fields{"whl": "dbfs:/libs/a.whl"}, fields{"maven": fields{"coordinates": "a:b:1", "repo": "https://ada:planted@maven.contoso.com/r"}}, fields{"jar": "dbfs:/b.jar"}, fields{"new": fields{}}}},
		fields{"task_key": "b", "job_cluster_key": "shared", "cluster_instance": fields{"cluster_id": "c-2"}},
		fields{"task_key": "c", "job_cluster_key": "shared", "cluster_instance": fields{"cluster_id": "c-2"}, "libraries": []any{fields{"cran": fields{"package": "ggplot2"}}, fields{"requirements": "/Workspace/r.txt"}}},
		fields{"task_key": "d", "existing_cluster_id": "c-3"}, fields{"task_key": "e"}, fields{"task_key": "f", "job_cluster_key": "shared"})
	run.Fields["job_clusters"] = []any{fields{"job_cluster_key": "shared", "new_cluster": fields{"spark_version": "14.3.x-scala2.12", "node_type_id": "Standard_F4"}}}
	run.Fields["cluster_spec"] = fields{"existing_cluster_id": "c-3", "libraries": []any{fields{"egg": "dbfs:/c.egg"}}}
	w := double.New(t, run)
	got := collectRun(t, of(w, 7))
	want := []provenance.Cluster{
		{SparkVersion: "14.3.x-scala2.12", NodeType: "Standard_F4"},
		{ID: "c-1", SparkVersion: "15.4.x-cpu-ml-scala2.12", NodeType: "Standard_DS3_v2", Libraries: []string{"jar dbfs:/b.jar", "maven a:b:1 from https://maven.contoso.com/r", "pypi scikit-learn==1.5.0", "unknown", "whl dbfs:/libs/a.whl"},
			InitScripts: []string{"/Workspace/Shared/init.sh", "abfss://init@contoso.dfs.core.windows.net/proxy.sh"}},
		{ID: "c-2", SparkVersion: "14.3.x-scala2.12", NodeType: "Standard_F4", Libraries: []string{"cran ggplot2", "requirements /Workspace/r.txt"}},
		{ID: "c-3", Libraries: []string{"egg dbfs:/c.egg"}},
	}
	if !reflect.DeepEqual(got.Clusters, want) {
		t.Errorf("got  %+v\nwant %+v", got.Clusters, want)
	}
	if got.Tasks[0].Cluster != "c-1" || got.Tasks[3].Cluster != "c-3" {
		t.Errorf("%+v", got.Tasks)
	}
}

// ticking is a clock that only sleeping moves.
func ticking(sleeps *[]time.Duration) clock {
	now := asked
	return clock{now: func() time.Time { return now }, sleep: func(ctx context.Context, d time.Duration) error {
		*sleeps = append(*sleeps, d)
		now = now.Add(d)
		return ctx.Err()
	}}
}

// TestWait: a run that goes on is asked for again, ever more slowly, until it ends.
func TestWait(t *testing.T) {
	w := double.New(t, double.Run{ID: 7, State: "QUEUED", Tasks: 150})
	var lines []string
	var sleeps []time.Duration
	looks := 0
	w.Before = func(r *http.Request) {
		switch looks++; looks {
		case 3:
			w.Put(double.Run{ID: 7, State: "RUNNING", Tasks: 150})
		case 8:
			w.Put(double.Run{ID: 7})
		}
	}
	d := of(w, 7)
	d.Wait, d.clock = time.Hour, ticking(&sleeps)
	d.Progress = func(line string) { lines = append(lines, line) }
	got := collectRun(t, d)
	if fmt.Sprint(sleeps) != "[5s 7.5s 11.25s 16.875s 25.3125s 30s 30s]" || looks != 9 {
		t.Errorf("slept %v in %d requests", sleeps, looks)
	}
	if len(lines) != 7 || lines[0] != "Databricks run 7 is QUEUED, after 0s" || lines[6] != "Databricks run 7 is RUNNING, after 1m36s" {
		t.Errorf("%q", lines)
	}
	if strings.Contains(string(sourcetest.Stored(t, got.Answer)), "RUNNING") {
		t.Error("an answer about a run that goes on is stored")
	}
}

func TestWaitEnds(t *testing.T) {
	w := double.New(t, double.Run{ID: 7, State: "RUNNING"})
	var sleeps []time.Duration
	d := of(w, 7)
	d.Wait, d.clock = 20*time.Second, ticking(&sleeps)
	_, err := d.Collect(t.Context())
	if sourcetest.KindOf(err) != "databricks.running" || !strings.Contains(err.Error(), "has not ended after 20s: it is RUNNING") || fmt.Sprint(sleeps) != "[5s 7.5s 7.5s]" {
		t.Errorf("%v, slept %v", err, sleeps)
	}
	w.Before = func(*http.Request) { w.Put(double.Run{ID: 7, Result: "FAILED"}) }
	if _, err := d.Collect(t.Context()); sourcetest.KindOf(err) != "databricks.result" {
		t.Error(err)
	}
	w.Before = nil
	w.Put(double.Run{ID: 7, State: "RUNNING"})
	ctx, cancel := context.WithCancel(t.Context())
	d.clock = clock{}
	d.Wait, d.Progress = time.Hour, func(string) { cancel() }
	if _, err := d.Collect(ctx); err == nil || sourcetest.KindOf(err) != "" {
		t.Error(err)
	}
}

func TestAnotherWorkspace(t *testing.T) {
	for _, c := range []struct {
		host, page, org string
		refused         bool
	}{
		{"https://adb-1.2.azuredatabricks.net", "https://adb-1.2.azuredatabricks.net/?o=1#job/1/run/2", "", false},
		{"https://adb-1.2.azuredatabricks.net", "https://adb-3.2.azuredatabricks.net/?o=3#job/1/run/2", "", true},
		{"https://adb-1.2.azuredatabricks.net", "https://adb-1.2.azuredatabricks.net/?o=3#job/1/run/2", "", true},
		{"https://adb-1.2.azuredatabricks.net", "https://adb-3.4.azuredatabricks.net/jobs/1", "", true},
		{"https://westeurope.azuredatabricks.net", "https://adb-3.2.azuredatabricks.net/?o=3#job/1/run/2", "", false},
		{"https://westeurope.azuredatabricks.net", "https://adb-3.2.azuredatabricks.net/?o=3#job/1/run/2", "3", false},
		{"https://westeurope.azuredatabricks.net", "https://adb-3.2.azuredatabricks.net/?o=3#job/1/run/2", "1", true},
		{"https://westeurope.azuredatabricks.net", "https://adb-3.2.azuredatabricks.net/jobs/1", "1", true},
		{"https://databricks.contoso.com", "https://adb-3.2.azuredatabricks.net/?o=3#job/1/run/2", "", false},
		{"https://adb-1.2.azuredatabricks.net", "https://databricks.contoso.com/?o=3", "", true},
		{"https://dbc-a.cloud.databricks.com", "https://dbc-b.cloud.databricks.com/jobs/1", "", true},
		{"https://dbc-a.cloud.databricks.com", "https://dbc-a.cloud.databricks.com/?o=5", "5", false},
		{"https://1.2.gcp.databricks.com", "https://3.2.gcp.databricks.com/jobs/1", "", true},
		{"https://adb-1.2.azuredatabricks.net", "::", "7", false},
		{"https://adb-1.2.azuredatabricks.net", "", "", false},
	} {
		w := double.New(t, double.Run{ID: 7, Fields: map[string]any{"run_page_url": c.page}})
		w.OrgID = c.org
		d := of(w, 7)
		d.Host, d.Client.Transport = c.host, roundTripper(func(r *http.Request) (*http.Response, error) {
			r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(w.URL, "http://")
			return http.DefaultTransport.RoundTrip(r)
		})
		_, err := d.Collect(t.Context())
		if (sourcetest.KindOf(err) == "databricks.workspace") != c.refused || !c.refused && err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestPrincipal: a service principal that is not in the workspace shows two more headers.
func TestPrincipal(t *testing.T) {
	const management, resource = "planted-management-token", "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w"
	w := double.New(t, double.Run{ID: 7, Fields: map[string]any{"run_name": "with " + management}})
	w.Principal = [2]string{management, resource}
	if _, err := of(w, 7).Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "status 403") {
		t.Fatal(err)
	}
	d := of(w, 7)
	d.ManagementToken = func(context.Context) (string, error) { return management + "\n", nil }
	if _, err := d.Collect(t.Context()); sourcetest.KindOf(err) != "misused" {
		t.Error(err)
	}
	d.ResourceID = resource
	got := collectRun(t, d)
	if got.Name != "with [removed]" || strings.Contains(string(sourcetest.Stored(t, got.Answer)), management) {
		t.Errorf("%q", got.Name)
	}
	w.Fail(double.Answer(400, `{"error_code":"BAD","message":"`+management+`"}`))
	if _, err := d.Collect(t.Context()); err == nil || strings.Contains(err.Error(), management) {
		t.Error(err)
	}
	d.ManagementToken = func(context.Context) (string, error) { return "", nil }
	if _, err := d.Collect(t.Context()); sourcetest.KindOf(err) != "misused" {
		t.Error(err)
	}
}

// TestAnonymous leaves out who ran it, unless it is an id.
func TestAnonymous(t *testing.T) {
	const id = "0b7e5e0e-0000-4000-8000-000000000006"
	for creator, want := range map[string]provenance.Person{"ada@contoso.com": {}, id: {ID: id}} {
		w := double.New(t, double.Run{ID: 7, Fields: map[string]any{"creator_user_name": creator}})
		d := of(w, 7)
		d.Anonymous = true
		got := collectRun(t, d)
		if got.Creator != want || strings.Contains(string(sourcetest.Stored(t, got.Answer)), "ada@") {
			t.Errorf("%+v", got.Creator)
		}
	}
}

// TestAnonymousPaths: folders of people are asked for by their names, and recorded without.
func TestAnonymousPaths(t *testing.T) {
	w := double.New(t, tasksRun(fields{"task_key": "a", "notebook_task": fields{"notebook_path": "/Users/ada@contoso.com/train", "base_parameters": fields{"to": "/Users/ada@contoso.com/out"}}},
		fields{"task_key": "b", "notebook_task": fields{"notebook_path": "/Users/ada@contoso.com/train"}}))
	for i := range int64(2) {
		w.Export(100+i, "python", "%run ./setup", "%run /Users/ada@contoso.com/other", "%run /Users/grace@contoso.com/other")
	}
	w.PutObject("/Users/ada@contoso.com/setup", double.Object{Type: "NOTEBOOK", Language: "PYTHON", Content: "x = 'by ada@contoso.com'", Modified: before})
	d := of(w, 7)
	d.Anonymous, d.Files = true, commitOf{"setup.py": "y"}
	got, notebooks := collectAll(t, d)
	const by, gone = " of /Users/[removed]/train | /Users/[removed]/", " | unknown | it is not in the workspace any more\n"
	want := "task a | /Users/[removed]/train | unknown | the commit has no file that it may be\ntask b | /Users/[removed]/train | unknown | the commit has no file that it may be\n" +
		"%run" + by + "other" + gone + "%run" + by + "setup | differs | setup.py | line 1: the commit has “y”, the run had “x = \"…\"”\n" +
		"%run, 2" + by + strings.TrimSpace("other"+gone)
	if summary(notebooks) != want {
		t.Errorf("got\n%s\nwant\n%s", summary(notebooks), want)
	}
	all, _ := json.Marshal([]any{got, notebooks})
	text := string(all) + string(sourcetest.Stored(t, got.Answer))
	for _, n := range notebooks {
		if n.Text.Open != nil {
			text += string(sourcetest.Stored(t, n.Text))
		}
	}
	if strings.Contains(text, "contoso.com") || !strings.Contains(text, "setup") {
		t.Errorf("%s", text)
	}
}

// TestReferencePipeline replays the pipeline that all this is for: the build pushes the notebook with workspace/import, creates a
// new job, runs it, and takes the model from DBFS. The run names no commit, but its source is the commit's.
func TestReferencePipeline(t *testing.T) {
	const notebookFile = "# Databricks notebook source\nimport pickle\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC # Train\n\n# COMMAND ----------\n\nmodel.save('/dbfs/mortgage/model.zip')\n"
	cells := []string{"import pickle", "%md\n# Train", "model.save('/dbfs/mortgage/model.zip')"}
	model := bytesOf(1<<20 + 300_000)
	for build := range int64(2) {
		job := int64(9007199254740993) + build
		run := tasksRun(fields{"task_key": "train", "run_id": 200 + build, "notebook_task": fields{"notebook_path": "/Shared/mortgage/train", "base_parameters": fields{"area": "north"}},
			"new_cluster": fields{"spark_version": "15.4.x-cpu-ml-scala2.12", "node_type_id": "Standard_DS3_v2"}, "cluster_instance": fields{"cluster_id": fmt.Sprint("c-", build)}})
		run.Fields["job_id"] = job
		w := double.New(t, run)
		w.Export(200+build, "python", cells...)
		w.PutObject("/Shared/mortgage/train", double.Object{Type: "NOTEBOOK", Language: "PYTHON", Content: notebookFile, Modified: before})
		w.PutFile("/mortgage/model.zip", double.File{Data: model, Modified: writtenAt})
		d := of(w, 7)
		d.Client.MaxBody = 4 << 20
		d.Files = commitOf{"notebooks/train.py": notebookFile, "README.md": ""}
		got, notebooks := collectAll(t, d)
		if got.JobID != fmt.Sprint(job) || got.GitCommit != "" || got.GitURL != "" || got.Notebook != "/Shared/mortgage/train" || got.Parameters["area"] != "north" {
			t.Errorf("%+v", got)
		}
		if want := "task train | /Shared/mortgage/train | matches | notebooks/train.py"; summary(notebooks) != want || notebooks[0].Of("equal") != provenance.Observed {
			t.Errorf("%s", summary(notebooks))
		}
		files, _, err := readAll(t, d, "dbfs:/mortgage/model.zip")
		if err != nil || files["model.zip"] != string(model) {
			t.Errorf("%d bytes of the model, error %v", len(files["model.zip"]), err)
		}
	}
}

// TestForEachWithoutIterations: that nothing is told of a task's iterations does not mean that it had none.
func TestForEachWithoutIterations(t *testing.T) {
	each := map[string]any{"task_key": "each", "run_id": 8, "status": ended("SUCCESS"), "for_each_task": map[string]any{"inputs": "[1,2]",
		"task": map[string]any{"task_key": "i", "notebook_task": map[string]any{"notebook_path": "/x"}}}}
	w := databricksdouble.New(t, databricksdouble.Run{ID: 7, Fields: map[string]any{"tasks": []any{each}}},
		databricksdouble.Run{ID: 8, Fields: map[string]any{"tasks": []any{}}})
	if _, err := of(w, 7).Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "no iterations, and no number of them") {
		t.Error(err)
	}
}

// TestRunWithoutTasks: a run that nothing was done in says nothing of what trained the model.
func TestRunWithoutTasks(t *testing.T) {
	w := databricksdouble.New(t, databricksdouble.Run{ID: 7, Fields: map[string]any{"tasks": nil}})
	if _, err := of(w, 7).Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "it has no tasks") {
		t.Error(err)
	}
}

// TestAnonymousFileNames: a stored notebook is not called by an address.
func TestAnonymousFileNames(t *testing.T) {
	w := databricks.New(t, tasksRun(fields{"task_key": "a", "notebook_task": fields{"notebook_path": "/Shared/by-ada@contoso.com"}}))
	w.Export(100, "python", "x = 1")
	d := of(w, 7)
	d.Anonymous, d.Files = true, commitOf{"setup.py": "y"}
	_, notebooks := collectAll(t, d)
	if len(notebooks) != 1 || !strings.HasPrefix(notebooks[0].Text.Name, "notebook-removed-") {
		t.Errorf("%+v", notebooks)
	}
}
