package provenance

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkCase is one outcome of a cross-check: a fact, none, or a refusal with a code.
type checkCase struct {
	record Record
	fact   *Fact  // nil: nothing to say
	code   string // of a refusal
	says   string // in the refusal
}

// runChecks runs a check on each case.
func runChecks(t *testing.T, check func(Record) (*Fact, error), cases map[string]checkCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := check(c.record)
			if c.code != "" {
				var refused *Refused
				if !errors.As(err, &refused) || refused.Code != c.code || refused.Hint == "" || !strings.Contains(err.Error(), c.says) || got != nil {
					t.Errorf("fact %+v, error %v; want the refusal %s: %s", got, err, c.code, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if (got == nil) != (c.fact == nil) || got != nil && *got != *c.fact {
				t.Errorf("fact %+v, want %+v", got, c.fact)
			}
		})
	}
}

func TestCheckNotebooks(t *testing.T) {
	of := func(by, equal string, basis Basis) Notebook {
		n := Notebook{Grounds: Grounds{Reported, map[string]Basis{"equal": basis}}, Path: "/train", By: by, How: "task train", Equal: equal}
		if equal != Matches {
			n.Note = "line 7"
		}
		return n
	}
	task := func(equal string) Notebook {
		n := of("", equal, Observed)
		n.Digest = digestOf(t, SHA256, "a")
		return n
	}
	unread := Notebook{Grounds: Grounds{Basis: Reported}, Path: "not told", How: "task eval", Equal: Uncertain, Note: "it is of no known kind"}
	called := func(equal string) Notebook { return of("/train", equal, Observed) }
	notebooks := func(all ...Notebook) Record { return Record{Notebooks: all} }
	is := func(name, value string, basis Basis, note string) *Fact { return &Fact{name, value, basis, note} }
	runChecks(t, checkNotebooks, map[string]checkCase{
		"none":                       {record: Record{}},
		"called ones only":           {record: notebooks(called(Differs))},
		"matches":                    {record: notebooks(task(Matches), called(Differs)), fact: is(CheckNotebook, "true", Observed, "")},
		"differs":                    {record: notebooks(task(Matches), task(Differs)), fact: is(CheckNotebook, "false", Observed, "/train: line 7")},
		"unknown":                    {record: notebooks(task(Matches), task(Uncertain)), fact: is(CheckNotebook, "unknown", Declared, "/train: line 7")},
		"differs, then unknown":      {record: notebooks(task(Differs), task(Uncertain)), fact: is(CheckNotebook, "false", Observed, "/train: line 7")},
		"unknown, then differs":      {record: notebooks(task(Uncertain), task(Differs)), fact: is(CheckNotebook, "false", Observed, "/train: line 7")},
		"unknown, then matches":      {record: notebooks(task(Uncertain), task(Matches)), fact: is(CheckNotebook, "unknown", Declared, "/train: line 7")},
		"nobody said how":            {record: notebooks(task(Matches), task("")), fact: is(CheckNotebook, "unknown", Declared, "/train: line 7")},
		"another word":               {record: notebooks(task("Matches")), fact: is(CheckNotebook, "unknown", Declared, "/train: line 7")},
		"somebody says that it does": {record: notebooks(task(Matches), of("", Matches, Declared)), fact: is(CheckNotebook, "true", Declared, "")},
		"the service says it":        {record: notebooks(of("", Matches, Reported)), fact: is(CheckNotebook, "true", Reported, "")},
		"somebody says it does not":  {record: notebooks(of("", Differs, Declared)), fact: is(CheckNotebook, "false", Declared, "/train: line 7")},
	})
	runChecks(t, checkCalled, map[string]checkCase{
		"none":                               {record: Record{}},
		"tasks only":                         {record: notebooks(task(Differs))},
		"matches":                            {record: notebooks(task(Differs), called(Matches)), fact: is(CheckCalled, "true", Observed, "")},
		"differs":                            {record: notebooks(called(Matches), called(Differs)), fact: is(CheckCalled, "false", Observed, "/train: line 7")},
		"a task's was not read":              {record: notebooks(called(Matches), unread), fact: is(CheckCalled, "unknown", Declared, "task eval: it is of no known kind")},
		"only a task's, which was not read":  {record: notebooks(unread), fact: is(CheckCalled, "unknown", Declared, "task eval: it is of no known kind")},
		"differs, and a task's was not read": {record: notebooks(unread, called(Differs)), fact: is(CheckCalled, "false", Observed, "/train: line 7")},
		"unknown":                            {record: notebooks(called(Uncertain)), fact: is(CheckCalled, "unknown", Declared, "/train: line 7")},
	})
}

func TestCheckInputs(t *testing.T) {
	const lake = "abfss://lake@contoso.dfs.core.windows.net/mortgages/"
	data := []Folder{{Role: "train", URI: lake + "20261122T0000/"}, {Role: "test", URI: "/data/test"}}
	with := func(allowed []string, sources ...string) Record {
		r := Record{Data: data, MLflow: &MLflowRun{Grounds: Grounds{Basis: Reported}, Allowed: allowed}}
		for _, s := range sources {
			r.MLflow.Inputs = append(r.MLflow.Inputs, Dataset{Name: "mortgages", Source: s})
		}
		return r
	}
	registered := func(basis Basis, source string) Record {
		return Record{Data: data, Registered: []RegisteredModel{{Grounds: Grounds{Reported, map[string]Basis{"inputs": basis}}, Registry: "azureml",
			Inputs: []Dataset{{Name: "f2f2", Source: source}}}}}
	}
	known := &Fact{CheckInputs, "true", Reported, ""}
	unknown := func(name, source string) *Fact {
		return &Fact{CheckInputs, "unknown", Declared, "the input " + name + " cannot be compared with a folder: its source is " + source}
	}
	allowed := func(source string) *Fact {
		return &Fact{CheckInputs, "false", Reported, "not recorded, which the pipeline allows: " + source}
	}
	local := func(source string) *Fact {
		return &Fact{CheckInputs, "true", Declared, "a local path, such as " + source + ", names a file on one machine only: that the run's machine is this one, nobody told"}
	}
	const public = "https://example.com/public/"
	runChecks(t, checkInputs, map[string]checkCase{
		"no run":                  {record: Record{Data: data}},
		"no inputs":               {record: with(nil)},
		"a folder":                {record: with(nil, lake+"20261122T0000"), fact: known},
		"a file in a folder":      {record: with(nil, lake+"20261122T0000/part-00001.parquet"), fact: known},
		"in another form":         {record: with(nil, "https://contoso.blob.core.windows.net:443/lake/mortgages/20261122T0000/a"), fact: known},
		"a local file":            {record: with(nil, "/data/test/a.csv"), fact: local("/data/test/a.csv")},
		"a local folder":          {record: with(nil, "/data/test/"), fact: local("/data/test/")},
		"a local URL":             {record: with(nil, "file:///data/test/"), fact: local("file:///data/test/")},
		"a local URL, no slash":   {record: with(nil, "file:///data/test"), fact: local("file:///data/test")},
		"a local URL, one slash":  {record: with(nil, "file:/data/test/a"), fact: local("file:/data/test/a")},
		"another local URL":       {record: with(nil, "file:///data/train"), code: "data.unrecorded"},
		"of another machine":      {record: with(nil, "file://fileserver/data/test"), code: "data.unrecorded"},
		"allowed, seven":          {record: with([]string{public}, public+"1", public+"2", public+"3", public+"4", public+"5", public+"6", public+"7"), fact: allowed(strings.Join([]string{public + "1", public + "2", public + "3", public + "4", public + "5 and 2 more"}, ", "))},
		"another folder":          {record: with(nil, lake+"20261121T0000/"), code: "data.unrecorded", says: lake + "20261121T0000/"},
		"what holds the folder":   {record: with(nil, lake), code: "data.unrecorded", says: "which is not among the data folders"},
		"a longer name":           {record: with(nil, lake+"20261122T0000-evil/a"), code: "data.unrecorded"},
		"another local file":      {record: with(nil, "/data/train.csv"), code: "data.unrecorded"},
		"one of two":              {record: with(nil, lake+"20261122T0000", lake+"x"), code: "data.unrecorded", says: lake + "x"},
		"unknown, and unrecorded": {record: with(nil, "", lake+"x"), code: "data.unrecorded"},
		"no source":               {record: with(nil, ""), fact: unknown("mortgages", "not told")},
		"no place":                {record: with(nil, "delta table"), fact: unknown("mortgages", "delta table")},
		"a mount":                 {record: with(nil, "dbfs:/mnt/mortgages"), fact: unknown("mortgages", "dbfs:/mnt/mortgages")},
		"Azure ML's name":         {record: with(nil, "azureml://datastores/lake/paths/x"), fact: unknown("mortgages", "azureml://datastores/lake/paths/x")},
		"with a query":            {record: with(nil, lake+"?x=y"), fact: unknown("mortgages", lake+"?x=y")},
		"allowed":                 {record: with([]string{public}, public+"rates.csv"), fact: allowed(public + "rates.csv")},
		"allowed, then recorded":  {record: with([]string{public}, public+"rates.csv", lake+"20261122T0000"), fact: allowed(public + "rates.csv")},
		"allowed, then unknown":   {record: with([]string{public}, public+"rates.csv", ""), fact: allowed(public + "rates.csv")},
		"unknown, then allowed":   {record: with([]string{public}, "", public+"rates.csv"), fact: allowed(public + "rates.csv")},
		"beside what is allowed":  {record: with([]string{public}, "https://example.com/private/rates.csv"), code: "data.unrecorded"},
		"a registry's":            {record: registered(Reported, lake+"20261122T0000"), fact: known},
		"a registry's, declared":  {record: registered(Declared, lake+"20261122T0000"), fact: &Fact{CheckInputs, "true", Declared, ""}},
		"a registry's, no source": {record: registered(Declared, ""), fact: unknown("f2f2", "not told")},
		"a registry's other":      {record: registered(Declared, lake+"x"), code: "data.unrecorded"},
	})
}

func TestCheckModelRun(t *testing.T) {
	const own, job = "4be1c0ffee0000000000000000000001", "9007199254740993"
	model := func(id, kind, tagged string, basis Basis) RegisteredModel {
		return RegisteredModel{Grounds: Grounds{Reported, map[string]Basis{"runId": basis, "taggedRunId": Declared}}, Registry: "azureml", Name: "mortgage", Version: "7",
			RunID: id, RunIs: kind, TaggedRunID: tagged}
	}
	with := func(databricks, mlflow string, models ...RegisteredModel) Record {
		r := Record{Registered: models}
		if databricks != "" {
			r.Databricks = &DatabricksRun{RunID: databricks}
		}
		if mlflow != "" {
			r.MLflow = &MLflowRun{RunID: mlflow}
		}
		return r
	}
	yes := func(basis Basis) *Fact { return &Fact{CheckModelRun, "true", basis, ""} }
	unknown := func(why string) *Fact {
		return &Fact{CheckModelRun, "unknown", Declared, "mortgage 7 in azureml: " + why}
	}
	runChecks(t, checkModelRun, map[string]checkCase{
		"nothing registered":   {record: with(job, own)},
		"no run":               {record: with(job, own, model("", "", "", Reported)), fact: unknown("it names no run")},
		"nothing recorded":     {record: with("", "", model(own, RunIsMLflow, job, Reported)), fact: unknown("its run " + own + " was not recorded")},
		"its own":              {record: with("", own, model(own, RunIsMLflow, "", Reported)), fact: yes(Reported)},
		"its own, of no kind":  {record: with("", own, model(own, "", "", Reported)), fact: yes(Reported)},
		"another run":          {record: with("", "x", model(own, RunIsMLflow, "", Reported)), code: "model.run", says: "comes from run " + own + ", but the recorded run is x"},
		"only a job recorded":  {record: with(job, "", model(own, RunIsMLflow, "", Reported)), fact: unknown("its run " + own + " was not recorded")},
		"a tag alone":          {record: with(job, "", model(job, RunIsDatabricks, "", Declared)), fact: yes(Declared)},
		"a tag of another job": {record: with("5", "", model(job, RunIsDatabricks, "", Declared)), code: "model.run", says: "but the recorded run is 5"},
		"a tag, no job":        {record: with("", own, model(job, RunIsDatabricks, "", Declared)), fact: unknown("its run " + job + " was not recorded")},

		"its own and a tag, both recorded":  {record: with(job, own, model(own, RunIsMLflow, job, Reported)), fact: yes(Reported)},
		"its own and a tag, the job":        {record: with(job, "", model(own, RunIsMLflow, job, Reported)), fact: yes(Declared)},
		"its own and a tag, the run":        {record: with("", own, model(own, RunIsMLflow, job, Reported)), fact: yes(Reported)},
		"the tag names another job":         {record: with("5", own, model(own, RunIsMLflow, job, Reported)), code: "model.run", says: "comes from run " + job},
		"it comes from another run":         {record: with(job, "x", model(own, RunIsMLflow, job, Reported)), code: "model.run", says: "comes from run " + own},
		"the tag names the recorded MLflow": {record: with("", "x", model(own, RunIsMLflow, "x", Reported)), fact: yes(Declared)},
		"neither is the recorded MLflow":    {record: with("", "x", model(own, RunIsMLflow, "y", Reported)), code: "model.run", says: "but the recorded run is x"},

		"two registries":           {record: with("", own, model(own, RunIsMLflow, "", Declared), model(own, RunIsMLflow, "", Reported)), fact: yes(Declared)},
		"two, the other unknown":   {record: with("", own, model(own, RunIsMLflow, "", Reported), model("", "", "", Reported)), fact: unknown("it names no run")},
		"two, the first unknown":   {record: with("", own, model("", "", "", Reported), model(own, RunIsMLflow, "", Reported)), fact: unknown("it names no run")},
		"two, the other from afar": {record: with("", own, model(own, RunIsMLflow, "", Reported), model("x", RunIsMLflow, "", Reported)), code: "model.run"},
	})
}

func TestCheckOrder(t *testing.T) {
	with := func(databricks, mlflow, built time.Time) Record {
		r := Record{Image: Image{Created: built}}
		if !databricks.IsZero() {
			r.Databricks = &DatabricksRun{Ended: databricks}
		}
		if !mlflow.IsZero() {
			r.MLflow = &MLflowRun{Ended: mlflow}
		}
		return r
	}
	var none time.Time
	yes := &Fact{CheckOrder, "true", Declared, ""}
	no := &Fact{CheckOrder, "false", Declared, "the run ended at 2026-11-23T02:20:00Z, and the image says that it was built at 2026-11-23T02:10:00Z"}
	unknown := &Fact{CheckOrder, "unknown", Declared, "the image does not say when it was built"}
	runChecks(t, checkOrder, map[string]checkCase{
		"no run":                       {record: with(none, none, at(2, 24))},
		"a run without an end":         {record: Record{Databricks: &DatabricksRun{}, MLflow: &MLflowRun{}, Image: Image{Created: at(2, 24)}}},
		"before":                       {record: with(at(2, 20), none, at(2, 24)), fact: yes},
		"at once":                      {record: with(at(2, 20), none, at(2, 20)), fact: yes},
		"clocks apart":                 {record: with(at(2, 20), none, at(2, 18)), fact: yes},
		"clocks too far apart":         {record: with(at(2, 20), none, at(2, 18).Add(-time.Second)), fact: &Fact{CheckOrder, "false", Declared, "the run ended at 2026-11-23T02:20:00Z, and the image says that it was built at 2026-11-23T02:17:59Z"}},
		"after":                        {record: with(at(2, 20), none, at(2, 10)), fact: no},
		"MLflow, before":               {record: with(none, at(2, 20), at(2, 24)), fact: yes},
		"MLflow, after":                {record: with(none, at(2, 20), at(2, 10)), fact: no},
		"the last of two ended after":  {record: with(at(2, 1), at(2, 20), at(2, 10)), fact: no},
		"the first of two ended after": {record: with(at(2, 20), at(2, 1), at(2, 10)), fact: no},
		"no time":                      {record: with(at(2, 20), none, none), fact: unknown},
		"a reproducible time":          {record: with(at(2, 20), none, time.Unix(0, 0)), fact: unknown},
	})
}

func TestCheckCommits(t *testing.T) {
	commit := Commit{ID: digestOf(t, GitCommit, "5")}
	same, other := strings.Repeat("5", 40), strings.Repeat("6", 40)
	grounds := Grounds{Basis: Reported}
	tracked := func(id string) Record {
		return Record{Commit: commit, MLflow: &MLflowRun{Grounds: Grounds{Reported, map[string]Basis{"gitCommit": Declared}}, RunID: "4be1", GitCommit: id}}
	}
	runChecks(t, checkTrackedCommit, map[string]checkCase{
		"no run":          {record: Record{Commit: commit}},
		"no tag":          {record: tracked("")},
		"same":            {record: tracked(same), fact: &Fact{CheckTracked, "true", Declared, ""}},
		"in another case": {record: Record{Commit: Commit{ID: digestOf(t, GitCommit, "a")}, MLflow: &MLflowRun{Grounds: grounds, GitCommit: strings.Repeat("A", 40)}}, fact: &Fact{CheckTracked, "true", Reported, ""}},
		"another":         {record: tracked(other), code: "mlflow.commit", says: "MLflow run 4be1 used commit " + other},
		"abbreviated":     {record: tracked(same[:7]), code: "mlflow.commit"},
	})
	run := func(id string, tasks ...string) Record {
		d := &DatabricksRun{Grounds: grounds, RunID: "81462", GitCommit: id}
		for _, c := range tasks {
			d.Tasks = append(d.Tasks, TaskRun{Key: "t", GitCommit: c})
		}
		return Record{Commit: commit, Databricks: d}
	}
	runChecks(t, checkRunCommit, map[string]checkCase{
		"no run":                  {record: Record{Commit: commit}},
		"no commit":               {record: run("", "", ""), fact: &Fact{CheckRunCommit, "unknown", Declared, "the run names no commit"}},
		"same":                    {record: run(same), fact: &Fact{CheckRunCommit, "true", Reported, ""}},
		"another":                 {record: run(other), code: "databricks.commit", says: "Databricks run 81462 used commit " + other},
		"a task's, same":          {record: run("", "", same), fact: &Fact{CheckRunCommit, "true", Reported, ""}},
		"a task's, another":       {record: run("", "", other), code: "databricks.commit", says: other},
		"the run's, not a task's": {record: run(same, same, other), code: "databricks.commit", says: other},
	})
}

func TestCheckCommit(t *testing.T) {
	with := func(asked string, basis Basis) Record {
		return Record{Commit: Commit{ID: digestOf(t, GitCommit, "5")}, Pipeline: Pipeline{Grounds: Grounds{Declared, map[string]Basis{"commitId": basis}}, CommitID: asked}}
	}
	runChecks(t, checkCommit, map[string]checkCase{
		"no pipeline": {record: with("", Declared), fact: &Fact{CheckCommit, "unknown", Declared, "no pipeline says which commit it builds"}},
		"declared":    {record: with(strings.Repeat("5", 40), Declared), fact: &Fact{CheckCommit, "true", Declared, ""}},
		"confirmed":   {record: with(strings.Repeat("5", 40), Reported), fact: &Fact{CheckCommit, "true", Reported, ""}},
		"another":     {record: with(strings.Repeat("6", 40), Reported), code: "commit.mismatch", says: "the work tree is at " + strings.Repeat("5", 40)},
	})
}

func TestCheckModel(t *testing.T) {
	digest, other := digestOf(t, DirHash, "a"), digestOf(t, DirHash, "b")
	image := Image{Platforms: []Platform{{"linux/amd64", digestOf(t, SHA256, "1")}, {"linux/arm64", digestOf(t, SHA256, "2")}, {UnknownPlatform, digestOf(t, SHA256, "3")}}}
	at := func(platforms ...string) Record {
		m := &Model{Name: "mortgage", URI: "/out/model", Digest: digest}
		for _, p := range platforms {
			m.Locations = append(m.Locations, Location{p, "/app/model"})
		}
		return Record{Image: image, Model: m}
	}
	runChecks(t, checkModel, map[string]checkCase{
		"no model":        {record: Record{Image: image}},
		"everywhere":      {record: at("linux/amd64", "linux/arm64"), fact: &Fact{CheckModel, "true", Observed, ""}},
		"not in all":      {record: at("linux/amd64"), code: "model.notInImage", says: "linux/arm64 does not contain the model mortgage"},
		"nowhere":         {record: at(), code: "model.notInImage"},
		"in no image's":   {record: at("linux/amd64", "windows/amd64"), code: "model.notInImage"},
		"in nothing runs": {record: at("linux/amd64", "linux/arm64", UnknownPlatform), fact: &Fact{CheckModel, "true", Observed, ""}},
	})
	copies := func(all ...Digest) Record {
		r := at()
		for _, d := range all {
			r.Model.Copies = append(r.Model.Copies, Copy{URI: "dbfs:/model", Digest: d})
		}
		return r
	}
	runChecks(t, checkCopies, map[string]checkCase{
		"no model":   {record: Record{}},
		"no copies":  {record: copies()},
		"the same":   {record: copies(digest, digest), fact: &Fact{CheckCopies, "true", Observed, ""}},
		"one is not": {record: copies(digest, other), code: "model.differs", says: "the model at dbfs:/model is not the one at /out/model"},
		"no digest":  {record: copies(Digest{}), code: "model.differs"},
	})
}

// TestDataFollows: before the folders are read, an input is not missed; afterwards it is.
func TestDataFollows(t *testing.T) {
	var evidence []Evidence
	for _, e := range example(t) {
		if _, is := e.(Folder); !is {
			evidence = append(evidence, e)
		}
	}
	if _, err := NewStatement(append(slices.Clone(evidence), DataFollows{})...); err != nil {
		t.Error(err)
	}
	var refused *Refused
	if _, err := NewStatement(evidence...); !errors.As(err, &refused) || refused.Code != "data.unrecorded" {
		t.Errorf("without folders: %v", err)
	}
}
