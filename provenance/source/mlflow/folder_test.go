package mlflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"

	faults "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"

	double "github.com/seed-3480f271/provenance/provenance/internal/mlflowdouble"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

var modelFiles = map[string]string{"MLmodel": "flavors: {}\n", "data/model.pkl": "\x80\x04", "data/a b%.bin": "x"}

// mlflowBelow are the files as they lie in a run's artifacts.
func mlflowBelow(dir string, files map[string]string) map[string]string {
	all := map[string]string{dir + "-other/x": "y", "roc.png": "z"}
	for name, data := range files {
		all[dir+"/"+name] = data
	}
	return all
}

// TestMLflowModelPlaces: models lie in runs, beside them, and in the storage behind the server.
func TestMLflowModelPlaces(t *testing.T) {
	version := func(source string) double.Version {
		return double.Version{Name: "mortgage", Version: "7", Aliases: []string{"champion"}, Fields: map[string]any{"source": source, "run_id": run1}}
	}
	inRun := double.Run{Files: mlflowBelow("model", modelFiles)}
	onDisk := double.Run{URI: "/srv/mlflow/7/r/artifacts", Files: mlflowBelow("model", modelFiles)}
	beside := double.Run{Models: []string{"m-0", "m-1"}}
	for name, c := range map[string]struct {
		run     double.Run
		version double.Version
		model   double.Model
		uri     string
		says    string
	}{
		"run":              {inRun, version(""), double.Model{}, "runs:/" + run1 + "/model", "runs:/" + run1 + "/model/"},
		"run, a slash":     {inRun, version(""), double.Model{}, "runs:/" + run1 + "/model/", "runs:/" + run1 + "/model/"},
		"version of a run": {inRun, version("runs:/" + run1 + "/model"), double.Model{}, "models:/mortgage/7", "models:/mortgage/7/"},
		"alias":            {inRun, version("runs:/" + run1 + "/model"), double.Model{}, "models:/mortgage@champion", "models:/mortgage/7/"},
		"proxied source":   {inRun, version("mlflow-artifacts:/7/" + run1 + "/artifacts/model"), double.Model{}, "models:/mortgage/7", "models:/mortgage/7/"},
		"source on disk":   {onDisk, version("/srv/mlflow/7/r/artifacts/model"), double.Model{}, "models:/mortgage/7", "models:/mortgage/7/"},
		"run on disk":      {onDisk, version(""), double.Model{}, "runs:/" + run1 + "/model", "runs:/" + run1 + "/model/"},
		"logged model":     {beside, version(""), double.Model{Files: modelFiles}, "models:/m-1", "models:/m-1/"},
		"logged, by run":   {beside, version(""), double.Model{Files: modelFiles}, "runs:/" + run1 + "/model", "runs:/" + run1 + "/model/"},
		"logged, version":  {beside, version("models:/m-1"), double.Model{Files: modelFiles}, "models:/mortgage/7", "models:/mortgage/7/"},
		"logged, on disk":  {beside, version(""), double.Model{Files: modelFiles, URI: "/srv/mlflow/7/models/m-1"}, "models:/m-1", "models:/m-1/"},
		"logged, inside":   {beside, version(""), double.Model{Files: mlflowBelow("deep", modelFiles)}, "runs:/" + run1 + "/model/deep", "runs:/" + run1 + "/model/deep/"},
		"the server's own": {inRun, version(""), double.Model{}, "mlflow-artifacts:/7/" + run1 + "/artifacts/model", "mlflow-artifacts:/7/" + run1 + "/artifacts/model/"},
	} {
		s := withRun(t, c.run)
		s.Prefix, s.Page = "/p", 1
		s.PutVersion(c.version)
		c.model.ID, c.model.Name, c.model.RunID = "m-1", "model", run1
		s.PutModel(c.model)
		folder, err := mlflowOf(s, "").OpenModel(t.Context(), c.uri)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := filesOf(t, folder); !maps.Equal(got, modelFiles) || folder.URI() != c.says || folder.Workers() < 1 {
			t.Errorf("%s: %s holds %q", name, folder.URI(), got)
		}
	}
}

func TestMLflowModelOfOneFile(t *testing.T) {
	s := withRun(t, double.Run{Files: map[string]string{"a/model.pkl": "x", "top.pkl": "y"}})
	for path, want := range map[string]map[string]string{"a/model.pkl": {"model.pkl": "x"}, "top.pkl": {"top.pkl": "y"}} {
		folder, err := mlflowOf(s, "").OpenModel(t.Context(), "runs:/"+run1+"/"+path)
		if err != nil {
			t.Fatal(err)
		}
		if got := filesOf(t, folder); !maps.Equal(got, want) || folder.URI() != "runs:/"+run1+"/"+path {
			t.Errorf("%s holds %q", folder.URI(), got)
		}
	}
}

// TestMLflowModelRefuses what is no model, not there, not ready, or not served.
func TestMLflowModelRefuses(t *testing.T) {
	for uri, code := range map[string]string{
		"": "misused", "model": "misused", "runs:/" + run1: "misused", "runs:/" + run1 + "/": "misused", "runs:/" + run1 + "/../x": "misused",
		"runs:/" + run1 + "/a//b": "misused", "models:/mortgage": "misused", "models:/mortgage/Production": "misused", "models:/mortgage/latest": "misused",
		"models:/mortgage/0": "misused", "models:/mortgage@": "misused", "models:/@a": "misused", "models:/a/1/b": "misused", "models:/a@b/1": "misused",
		"mlflow-artifacts:/": "misused", "mlflow-artifacts://evil.example.com/x": "misused", "https://x/y": "misused", "dbfs:/x": "misused", "runs:/x/y?sig=1": "misused",
		"runs:/" + run1 + "/nothing": "model.missing", "runs:/ffff/model": "mlflow.missing", "models:/mortgage/9": "model.missing", "models:/mortgage@nobody": "model.missing",
		"models:/m-9": "model.missing", "models:/m-2": "model.pending", "mlflow-artifacts:/nothing": "model.missing", "models:/m-3": "misused", "models:/elsewhere/1": "misused",
		"models:/above/1": "misused", "models:/pending/1": "model.pending", "models:/norun/1": "misused",
	} {
		s := withRun(t, double.Run{URI: "/srv/r", Files: modelFiles})
		s.PutModel(double.Model{ID: "m-2", Status: "LOGGED_MODEL_PENDING"})
		s.PutModel(double.Model{ID: "m-3", URI: "dbfs:/x", Files: modelFiles})
		for name, fields := range map[string]map[string]any{"mortgage": {"source": "/srv/r/data", "run_id": run1}, "elsewhere": {"source": "s3://b/x", "run_id": run1},
			"above": {"source": "/srv/r/../x", "run_id": run1}, "pending": {"status": "PENDING_REGISTRATION"}, "norun": {"source": "https://ada:hunter22@h/x"}} {
			s.PutVersion(double.Version{Name: name, Version: "1", Fields: fields})
		}
		folder, err := mlflowOf(s, "").OpenModel(t.Context(), uri)
		if err == nil || folder != nil || sourcetest.KindOf(err) != code || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v, want %s", uri, err, code)
		}
	}
	s := withRun(t, double.Run{URI: "dbfs:/x", Files: mlflowBelow("model", modelFiles)})
	s.PutVersion(double.Version{Name: "prod.risk.mortgage", Version: "1"})
	for _, uri := range []string{"runs:/" + run1 + "/model", "models:/prod.risk.mortgage/1"} {
		m := mlflowOf(s, "")
		m.Databricks = true
		if _, err := m.OpenModel(t.Context(), uri); sourcetest.KindOf(err) != "misused" || !strings.Contains(err.Error(), "does not serve the files") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// TestMLflowModelChanges: what is read is what was listed, or an error that says so.
func TestMLflowModelChanges(t *testing.T) {
	for name, c := range map[string]struct {
		fault   double.Fault
		changed bool
		says    string
	}{
		"longer":      {faults.Answer(200, "12345"), true, "longer than the 4 bytes"},
		"shorter":     {faults.Answer(200, "123"), true, "has 3 bytes, not the 4"},
		"nothing":     {faults.Answer(200, ""), true, "has 0 bytes"},
		"gone":        {faults.Answer(404, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"x"}`), true, "is not there any more"},
		"login page":  {faults.LoginPage, true, "longer than the 4 bytes"},
		"forbidden":   {faults.Answer(403, `{"error_code":"PERMISSION_DENIED","message":"x"}`), false, "status 403"},
		"expired":     {faults.Expired, false, "status 401"},
		"unavailable": {faults.Unavailable, false, ""},
		"cut": {func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Length", "4")
			fmt.Fprint(out, "12")
		}, false, ""},
	} {
		s := withRun(t, double.Run{Files: map[string]string{"model/x": "1234"}})
		folder, err := mlflowOf(s, "").OpenModel(t.Context(), "runs:/"+run1+"/model")
		if err != nil {
			t.Fatal(err)
		}
		s.FailAt("mlflow-artifacts", c.fault)
		data, err := readObject(t.Context(), folder, storage.Object{Name: "x", Size: 4})
		if c.says == "" {
			if err != nil || string(data) != "1234" {
				t.Errorf("%s: %q, %v", name, data, err)
			}
			continue
		}
		code := ""
		if c.changed {
			code = "model.changed"
		}
		if errors.Is(err, storage.ErrChanged) != c.changed || sourcetest.KindOf(err) != code || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func readObject(ctx context.Context, folder storage.Folder, o storage.Object) ([]byte, error) {
	r, err := folder.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// TestMLflowModelIsStreamed: a model is longer than any answer may be.
func TestMLflowModelIsStreamed(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MiB
	s := withRun(t, double.Run{Files: map[string]string{"model/x": string(large)}})
	folder, err := mlflowOf(s, "").OpenModel(t.Context(), "runs:/"+run1+"/model")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readObject(t.Context(), folder, storage.Object{Name: "x", Size: int64(len(large))}); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestMLflowModelListings that cannot be right end the listing.
func TestMLflowModelListings(t *testing.T) {
	s := withRun(t, double.Run{Files: mlflowBelow("model", modelFiles)})
	folder, err := mlflowOf(s, "").OpenModel(t.Context(), "runs:/"+run1+"/model")
	if err != nil {
		t.Fatal(err)
	}
	list := func() error { return folder.List(t.Context(), func(storage.Object) error { return nil }) }
	for body, says := range map[string]string{
		`{"files":[{"path":"model/a"}]}`:                     "nothing of the size",
		`{"files":[{"path":"other/a","file_size":1}]}`:       "is no entry of",
		`{"files":[{"path":"model/../a","file_size":1}]}`:    "is no name",
		`{"files":[{"path":"model/a","file_size":"large"}]}`: "no integer",
		`<html>`: "a web page came",
	} {
		s.FailAt("artifacts/list", faults.Answer(200, body))
		if err := list(); err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "MLflow, listing ") {
			t.Errorf("%s: %v", body, err)
		}
	}
	enough := errors.New("enough")
	if err := folder.List(t.Context(), func(storage.Object) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
	if err := list(); err != nil {
		t.Error(err)
	}
}

func TestMLflowDecimal(t *testing.T) {
	for in, want := range map[string]string{"1": "1", "0.10": "0.1", "1e3": "1000", "-0": "-0", "1E+21": "1e+21", "NaN": "NaN", "Infinity": "Infinity", "-Infinity": "-Infinity",
		"0.1000000000000000055": "0.1", "9007199254740993": "9.007199254740992e+15",
		"": "", "nan": "", "inf": "", "0x1p-2": "", "1_0": "", "1e999": "", " 1": "", "1.": "", "+1": "", "--1": ""} {
		if got, err := foreign.LooseNumber(in).Decimal(); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestMLflowDatasetSources(t *testing.T) {
	for in, want := range map[string][2]string{
		`{"uri":"/data/a.csv"}`: {"/data/a.csv", ""}, `{"url":"https://ada:x@h/a?sig=s#f"}`: {"https://h/a", ""},
		`{"path":"dbfs:/a","delta_table_version":"12"}`: {"dbfs:/a", "12"}, `{"delta_table_name":"prod.lake.m","delta_table_version":12,"is_databricks_uc_table":true}`: {"prod.lake.m", "12"},
		`{"table_name":"m"}`: {"m", ""}, `{"uri":"wasbs://c@a.blob.core.windows.net/x?sv=1"}`: {"wasbs://c@a.blob.core.windows.net/x", ""},
		`{"sql":"select 1"}`: {"", ""}, `{"tags":{"mlflow.user":"ada"}}`: {"", ""}, `{"path":null}`: {"", ""}, `{"path":7}`: {"", ""}, `[]`: {"", ""}, `x`: {"", ""}, ``: {"", ""},
	} {
		if source, version := datasetSource(in); source != want[0] || version != want[1] {
			t.Errorf("%s: %q at version %q", in, source, version)
		}
	}
}

var uriSeeds = []string{"runs:/0123/a/b", "models:/m/1", "models:/m@a", "models:/m-1", "mlflow-artifacts:/a/b/", "runs:/0123/../x", "models:/a/b/c", "runs://h/x", "models:/a@b@c", ":/", ""}

// FuzzMLflowModelURI: a place is one thing, and its paths stay below their roots.
func FuzzMLflowModelURI(f *testing.F) {
	if len(uriSeeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, seed := range uriSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		p, err := parseMLflowURI(uri)
		if err != nil {
			if sourcetest.KindOf(err) != "misused" || p != (modelPlace{}) {
				t.Errorf("%q: %v", uri, err)
			}
			return
		}
		kinds := 0
		for _, is := range []bool{p.run != "" && p.path != "", p.name != "" && p.version != "", p.logged != "", p.proxied != ""} {
			if is {
				kinds++
			}
		}
		if kinds != 1 || strings.Contains("/"+p.path+"/"+p.proxied+"/", "/../") || strings.HasPrefix(p.path+p.proxied, "/") {
			t.Errorf("%q is %+v", uri, p)
		}
	})
}

var datasetSeeds = []string{`{"uri":"https://ada:x@h/a?sig=s#f"}`, `{"path":"dbfs:/a","delta_table_version":"12"}`, `{"url":"::"}`, `{"uri":"x://a:b@c"}`, `{"table_name":"\u0000"}`, `[`, ``}

// FuzzMLflowDatasetSource: no query and no password is left, and what is left is one line.
func FuzzMLflowDatasetSource(f *testing.F) {
	if len(datasetSeeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, seed := range datasetSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		source, version := datasetSource(text)
		if foreign.Plain(source) != source || foreign.Plain(version) != version {
			t.Errorf("%q: %q, %q", text, source, version)
		}
		if strings.Contains(source, "://") && strings.Contains(source, "?") {
			t.Errorf("%q: %q has a query", text, source)
		}
	})
}

// FuzzMLflowNumber: what is taken for a number is one, and stays the same.
func FuzzMLflowNumber(f *testing.F) {
	seeds := []string{`1`, `"1e3"`, `"NaN"`, `-0.5`, `"x"`, `null`, `{}`, `"9007199254740993"`}
	if len(seeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var n foreign.LooseNumber
		if n.UnmarshalJSON(data) != nil {
			return
		}
		text, err := n.Decimal()
		if err != nil {
			return
		}
		if again, err := foreign.LooseNumber(text).Decimal(); err != nil || again != text {
			t.Errorf("%s is %q, and then %q (%v)", data, text, again, err)
		}
	})
}
