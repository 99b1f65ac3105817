package source

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/internal/armdouble"
	databricks "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
)

// TestNobody: addresses of people go, and what only looks like one stays: an input has to be compared with the data.
func TestNobody(t *testing.T) {
	for in, want := range map[string]string{
		"/Users/ada@contoso.com/x":                             "/Users/[removed]/x",
		"path=%2FUsers%2Fada%40contoso.com%2Fx":                "path=%2FUsers%2F[removed]%2Fx",
		"guest_x.com#EXT#@contoso.onmicrosoft.com":             "[removed]",
		"abfss://lake@contoso.dfs.core.windows.net/2026/":      "abfss://lake@contoso.dfs.core.windows.net/2026/",
		"u=wasbs%3A%2F%2Flake@contoso.blob.core.windows.net/x": "u=wasbs%3A%2F%2Flake@contoso.blob.core.windows.net/x",
		"git@ssh.dev.azure.com:v3/contoso/m":                   "git@ssh.dev.azure.com:v3/contoso/m",
		"ABFSS://a@b.example ada@contoso.com":                  "ABFSS://a@b.example [removed]",
		"Reviewed-by: Ada\nx":                                  "Reviewed-by: [removed]\nx",
	} {
		if got := nobody(in); got != want {
			t.Errorf("%q became %q, not %q", in, got, want)
		}
	}
}

// TestStorageAccountAnonymous: who set a policy or a hold is named by their id alone.
func TestStorageAccountAnonymous(t *testing.T) {
	d, s, _ := lake(t)
	d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 365})
	d.Hold("contoso", "lake", "case7")
	for _, s.Anonymous = range []bool{false, true} {
		_, answer := askLake(t, s)
		text := string(stored(t, answer))
		if strings.Contains(text, "ada@contoso.com") == s.Anonymous || !strings.Contains(text, armdouble.Person) {
			t.Errorf("anonymous %v: %s", s.Anonymous, text)
		}
	}
}

// TestTold: names that were taken out are told to whoever looks for them elsewhere; with names, nothing is.
func TestTold(t *testing.T) {
	run := mlflowFullRun()
	run.Tags["mlflow.user"] = "ada@contoso.com"
	run.Inputs = []any{map[string]any{"dataset": map[string]any{"name": "n", "source_type": "azure_blob", "source": `{"uri":"abfss://lake@contoso.dfs.core.windows.net/2026/"}`}}}
	run.Files = map[string]string{"notes.txt": "x", "who.json": `{"displayName":"Ada Lovelace"}`, "who.csv": "by,ada@contoso.com\n"}
	s := mlflowWithRun(t, run)
	m := mlflowOf(s, mlflowRun1)
	if got := collectMLflow(t, m); got.Told != nil {
		t.Errorf("told %q", got.Told)
	}
	m.Anonymous = true
	got := collectMLflow(t, m)
	if !slices.Contains(got.Told, "ada@contoso.com") || !slices.Contains(got.Told, "Ada Lovelace") {
		t.Errorf("told %q", got.Told)
	}
	if got.Inputs[0].Source != "abfss://lake@contoso.dfs.core.windows.net/2026/" {
		t.Errorf("the input lies at %s", got.Inputs[0].Source)
	}
	for _, a := range got.Artifacts {
		if a.Stored.Open != nil && strings.Contains(string(mlflowReadStored(t, a.Stored)), "ada@") {
			t.Errorf("%s names her", a.Path)
		}
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
