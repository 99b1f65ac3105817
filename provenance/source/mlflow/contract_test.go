package mlflow

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/internal/testtools"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// mlflowLogged is what testdata/mlflow_runs.py says that it logged.
type mlflowLogged struct {
	Parent, Good, Failed, Running, Deleted, Before string // ids of runs
	Logged                                         string // id of the logged model
	Version                                        string // of the registered model "mortgage"
	AUC                                            float64
}

// TestMLflowContract records what MLflow's own client logged on MLflow's own server.
func TestMLflowContract(t *testing.T) {
	t.Parallel()
	var server string
	t.Run("server", func(t *testing.T) { server = contract(t) })
	if resp, err := http.Get(server + "/health"); err == nil {
		_ = resp.Body.Close()
		t.Errorf("the server still answers with %s", resp.Status)
	}
}

// TestMLflowContractOnDisk: a server that does not hand on artifacts still gives what it reads from its own disk.
func TestMLflowContractOnDisk(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	server := testtools.MLflow(t, "--no-serve-artifacts", "--default-artifact-root", root)
	made := fill(t, server)
	of := Source{URI: server.URL, RunID: made.Good, Client: ask.Client{Wait: time.Millisecond}}
	contractArtifacts(t, of, root)
	contractFiles(t, of, made, root, true)
}

// fill lets MLflow's own client log what the tests record.
func fill(t *testing.T, server testtools.Tracking) mlflowLogged {
	t.Helper()
	script, err := filepath.Abs("testdata/mlflow_runs.py")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(server.Script(t, script, t.TempDir()))), "\n")
	var made mlflowLogged
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &made); err != nil {
		t.Fatal(err)
	}
	return made
}

// contract fills a server, records it, and gives its address.
func contract(t *testing.T) string {
	server := testtools.MLflow(t)
	made := fill(t, server)
	of := Source{URI: server.URL, RunID: made.Good, Client: ask.Client{Wait: time.Millisecond}}
	t.Run("run", func(t *testing.T) { contractRun(t, of, made) })
	t.Run("metrics", func(t *testing.T) { contractMetrics(t, of, made) })
	t.Run("datasets", func(t *testing.T) { contractDatasets(t, of) })
	t.Run("artifacts", func(t *testing.T) { contractArtifacts(t, of, server.Dir) })
	t.Run("secrets", func(t *testing.T) { contractSecrets(t, of) })
	t.Run("other runs", func(t *testing.T) { contractOtherRuns(t, of, made) })
	t.Run("registered model", func(t *testing.T) { contractRegistered(t, of, made) })
	t.Run("model files", func(t *testing.T) { contractFiles(t, of, made, server.Dir, false) })
	return server.URL
}

func collectMLflow(t *testing.T, m Source) provenance.MLflowRun {
	t.Helper()
	evidence, err := m.Collect(t.Context())
	if err != nil {
		t.Fatalf("%v %q", err, provenance.Hints(err))
	}
	return evidence.(provenance.MLflowRun)
}

func contractRun(t *testing.T, of Source, made mlflowLogged) {
	got := collectMLflow(t, of)
	if got.URI != of.URI || got.RunID != made.Good || got.Name != "good one" || got.Status != "FINISHED" || got.Parent != made.Parent ||
		got.Experiment.Name != "nightly mortgages" || got.Experiment.ID == "" || got.User.Name == "" {
		t.Errorf("run %+v", got)
	}
	if got.Started.IsZero() || got.Ended.Before(got.Started) || got.AskedAt.IsZero() {
		t.Errorf("from %v to %v, asked %v", got.Started, got.Ended, got.AskedAt)
	}
	if want := map[string]string{"C": "1.0", "solver": "lbfgs", "db_password": "[removed]"}; !maps.Equal(got.Params, want) {
		t.Errorf("parameters %q", got.Params)
	}
	if got.GitCommit != "0123456789abcdef0123456789abcdef01234567" || got.GitURL != "https://dev.azure.com/contoso/ml/_git/mortgage" || got.Tags["run_id"] != "81462" {
		t.Errorf("commit %s of %s, tags %q", got.GitCommit, got.GitURL, got.Tags)
	}
	for _, fact := range []string{"tags", "gitCommit", "gitUrl", "parent"} {
		if got.Of(fact) != provenance.Declared || got.Of("metrics") != provenance.Reported {
			t.Errorf("%s is %s, metrics are %s", fact, got.Of(fact), got.Of("metrics"))
		}
	}
}

func contractMetrics(t *testing.T, of Source, made mlflowLogged) {
	got := collectMLflow(t, of)
	values, counts := map[string]string{}, map[string]int64{}
	for _, m := range got.Metrics {
		values[m.Name], counts[m.Name] = m.Value, m.Values
		if m.Partial || m.At.IsZero() {
			t.Errorf("metric %+v", m)
		}
		if on := m.Dataset + m.On; (m.Name == "auc") != strings.HasPrefix(on, "mortgages-test") || m.Name == "auc" && m.On != got.Inputs[1].Claimed {
			t.Errorf("metric %s was measured on %q", m.Name, on)
		}
	}
	// The database has no infinities: the server itself makes the largest number of one.
	auc, _ := foreign.LooseNumber(json.Number(formatFloat(made.AUC))).Decimal()
	if want := map[string]string{"auc": auc, "loss": "0.0006666666666666666", "broken": "NaN", "endless": "-1.7976931348623157e+308",
		"tiny": "1e-300", "large": "1e+21"}; !maps.Equal(values, want) {
		t.Errorf("metrics %q, want %q", values, want)
	}
	if want := map[string]int64{"auc": 1, "loss": 1500, "broken": 1, "endless": 2, "tiny": 1, "large": 1}; !maps.Equal(counts, want) {
		t.Errorf("values %v", counts)
	}
	if history := sourcetest.Stored(t, got.Answer); strings.Count(string(history), `"key":"loss"`) != 1501 { // the run has the last one, too
		t.Errorf("the stored answer has %d values", strings.Count(string(history), `"key":"loss"`))
	}
}

func formatFloat(f float64) string {
	data, _ := json.Marshal(f) // a number always marshals
	return string(data)
}

func contractDatasets(t *testing.T, of Source) {
	var got []string
	for _, d := range collectMLflow(t, of).Inputs {
		got = append(got, strings.Join([]string{d.Name, d.Kind, d.Role, filepath.Base(d.Source)}, " "))
		if len(d.Claimed) != 8 || d.Name == "mortgages-test" && d.Source != "https://lake.example.com/test.csv" {
			t.Errorf("dataset %+v", d)
		}
	}
	if want := []string{"mortgages-train local training train.csv", "mortgages-test http eval test.csv", "numbers code  ."}; !slices.Equal(got, want) {
		t.Errorf("datasets %q", got)
	}
}

// contractArtifacts compares with the files on the server's disk.
func contractArtifacts(t *testing.T, of Source, dir string) {
	got := collectMLflow(t, of)
	root := filepath.Join(dir, got.Experiment.ID, got.RunID, "artifacts")
	kept := map[string]string{"plots/roc.png": "image/png", "plots/roc.svg": "image/svg+xml", "curves/roc.json": "application/json",
		"curves/ roc 100%+ä.csv": "text/csv", "notes/log.txt": "text/plain", "train.log": ""}
	for _, a := range got.Artifacts {
		mediaType, known := kept[a.Path]
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(a.Path)))
		if err != nil || !known || a.Size == nil || *a.Size != int64(len(data)) || a.Digest.IsZero() != (mediaType == "") || a.Redacted != (a.Path == "notes/log.txt") {
			t.Errorf("artifact %+v: %v", a, err)
			continue
		}
		delete(kept, a.Path)
		if a.Digest.IsZero() {
			continue
		}
		if stored := sourcetest.Stored(t, a.Stored); a.Digest != a.Stored.Digest || a.Stored.MediaType != mediaType || !a.Redacted && string(stored) != string(data) {
			t.Errorf("%s is stored as %d bytes of %s", a.Path, len(stored), a.Stored.MediaType)
		}
	}
	if len(kept) != 0 {
		t.Errorf("not listed: %q", kept)
	}
}

func contractSecrets(t *testing.T, of Source) {
	var lines debugLines
	of.Client.Debug = lines.add
	got := collectMLflow(t, of)
	noun, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"noun": string(noun), "answer": string(sourcetest.Stored(t, got.Answer)), "debug": lines.String()}
	for _, a := range got.Artifacts {
		if a.Stored.Open != nil {
			texts[a.Path] = string(sourcetest.Stored(t, a.Stored))
		}
	}
	for where, text := range texts {
		if strings.Contains(text, "planted") || len(redact.Find([]byte(text))) > 0 {
			t.Errorf("a secret is in %s: %s", where, text)
		}
	}
	if len(got.Removed) < 5 || lines.String() == "" {
		t.Errorf("removed %q", got.Removed)
	}
}

func contractOtherRuns(t *testing.T, of Source, made mlflowLogged) {
	for id, code := range map[string]string{made.Failed: "mlflow.result", made.Running: "mlflow.running", made.Deleted: "mlflow.deleted",
		strings.Repeat("0", 32): "mlflow.missing"} {
		of.RunID = id
		var refused *provenance.Refused
		if evidence, err := of.Collect(t.Context()); evidence != nil || !errors.As(err, &refused) || refused.Code != code || refused.Hint == "" {
			t.Errorf("run %s: %v, want %s", id, err, code)
		}
	}
	of.RunID = made.Parent
	if got := collectMLflow(t, of); got.Parent != "" || len(got.Metrics)+len(got.Artifacts) != 0 {
		t.Errorf("the run around it: %+v", got)
	}
}

func contractRegistered(t *testing.T, of Source, made mlflowLogged) {
	of.ModelName, of.ModelVersion = "mortgage", "@champion"
	evidence, err := of.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	both := evidence.(provenance.Several)
	if run := both[0].(provenance.MLflowRun); run.RunID != made.Good {
		t.Errorf("run %s", run.RunID)
	}
	got := both[1].(provenance.RegisteredModel)
	if got.Registry != "mlflow" || got.URI != of.URI || got.Name != "mortgage" || got.Version != made.Version || got.AskedAs != "champion" ||
		!slices.Equal(got.Aliases, []string{"champion"}) || got.Status != "READY" || got.Stage != "" || got.Source != "models:/"+made.Logged ||
		got.RunID != made.Good || got.RunIs != provenance.RunIsMLflow || got.Created.IsZero() || got.Updated.IsZero() {
		t.Errorf("model %+v", got)
	}
	if want := map[string]string{"run_id": "81462", "area": "lending"}; !maps.Equal(got.Tags, want) || got.Of("tags") != provenance.Declared {
		t.Errorf("tags %q are %s", got.Tags, got.Of("tags"))
	}
	sourcetest.Stored(t, got.Answer)
	of.RunID = ""
	for _, version := range []string{"9", "@nobody"} {
		of.ModelVersion = version
		var refused *provenance.Refused
		if _, err := of.Collect(t.Context()); !errors.As(err, &refused) || refused.Code != "model.missing" {
			t.Errorf("version %s: %v", version, err)
		}
	}
}

// contractFiles reads models wherever MLflow puts them, and compares with the files on the server's disk.
func contractFiles(t *testing.T, of Source, made mlflowLogged, dir string, onDisk bool) {
	experiment := collectMLflow(t, of).Experiment.ID
	model := filepath.Join(dir, experiment, "models", made.Logged, "artifacts")
	before := filepath.Join(dir, experiment, made.Before, "artifacts", "old", "model")
	for uri, c := range map[string]struct{ dir, says string }{
		"models:/mortgage/1":                            {model, "models:/mortgage/1/"},
		"models:/mortgage@champion":                     {model, "models:/mortgage/1/"},
		"models:/" + made.Logged:                        {model, "models:/" + made.Logged + "/"},
		"runs:/" + made.Good + "/model":                 {model, "runs:/" + made.Good + "/model/"}, // since MLflow 3 it lies beside the run
		"models:/mortgage-before/1":                     {before, "models:/mortgage-before/1/"},
		"runs:/" + made.Before + "/old/model/":          {before, "runs:/" + made.Before + "/old/model/"},
		"runs:/" + made.Before + "/old/model/model.pkl": {filepath.Join(before, "model.pkl"), "runs:/" + made.Before + "/old/model/model.pkl"},
		"mlflow-artifacts:/" + experiment + "/models/" + made.Logged + "/artifacts": {model, "mlflow-artifacts:/" + experiment + "/models/" + made.Logged + "/artifacts/"},
	} {
		if onDisk && strings.HasPrefix(uri, "mlflow-artifacts:") {
			continue
		}
		folder, err := of.OpenModel(t.Context(), uri)
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		got, want := filesOf(t, folder), filesBelow(t, c.dir)
		if len(want) == 0 || !maps.Equal(got, want) || folder.URI() != c.says {
			t.Errorf("%s (%s) holds %d files: %v", uri, folder.URI(), len(got), slices.Sorted(maps.Keys(got)))
		}
	}
	for _, uri := range []string{"models:/mortgage/9", "models:/mortgage@nobody", "models:/m-0", "runs:/" + made.Good + "/nothing"} {
		var refused *provenance.Refused
		if folder, err := of.OpenModel(t.Context(), uri); !errors.As(err, &refused) || refused.Code != "model.missing" || folder != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// filesOf reads a folder through storage.Folder.
func filesOf(t *testing.T, folder storage.Folder) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := folder.List(t.Context(), func(o storage.Object) error {
		r, err := folder.Open(t.Context(), o)
		if err != nil {
			return err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		files[o.Name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// filesBelow reads a folder, or a file, of the disk.
func filesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path) // path lies below dir
		if name == "." {
			name = filepath.Base(dir)
		}
		data, err := os.ReadFile(path)
		files[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
