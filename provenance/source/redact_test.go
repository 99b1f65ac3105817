package source

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	double "github.com/seed-3480f271/provenance/provenance/internal/mlflowdouble"
)

func TestRedactedURIs(t *testing.T) {
	const want = "https://pkgs.example/x"
	for _, in := range []string{"https://pypi.org/simple https://Hunter2@pkgs.example/x", "https://a.example/x,https://u:Hunter2@pkgs.example/x",
		"--extra-index-url https://Hunter2@pkgs.example/x", "see \"https://Hunter2@pkgs.example/x\""} {
		if got := (&redactor{}).text(in); strings.Contains(got, "Hunter2") || !strings.Contains(got, want) {
			t.Errorf("%s: %s", in, got)
		}
	}
	for _, in := range []string{"https://a.example/?x=1, https://b.example/?y=2; ok", "abfss://c@a.dfs.example/p"} {
		if got := (&redactor{}).text(in); got != in {
			t.Errorf("%s: %s", in, got)
		}
	}
	if got := (&redactor{}).text("https://us er:Hunter2@h/p?sig=abc"); strings.Contains(got, "Hunter2") {
		t.Error(got)
	}
}

// TestRedactedParameters: a parameter that holds a secret is redacted, and the record can be signed.
func TestRedactedParameters(t *testing.T) {
	got := parameters(map[string]string{"conn": "Server=x;Password=Hu2;", "c2": "Server=x;Password=Hunter2,a&b;", "cfg": "password: Hunter2",
		"json": `{"password":"Hunter2","x":NaN}`, "primary_key": "loan_id", "password_policy": "strict"})
	text := fmt.Sprint(got)
	if strings.Contains(text, "Hu2") || strings.Contains(text, "Hunter2") || got["primary_key"] != "loan_id" || got["password_policy"] != "strict" {
		t.Error(text)
	}
	if err := provenance.CheckSecrets("it", []byte(text)); err != nil {
		t.Error(err)
	}
	if !strings.Contains(got["conn"], "Server=x") {
		t.Error(got["conn"])
	}
}

// TestMLflowKeptFilesHoldNoSecret: also those that call themselves JSON and are none.
func TestMLflowKeptFilesHoldNoSecret(t *testing.T) {
	files := map[string]string{
		"nan.json":   `{"db_password": "Hunter2", "loss": NaN}`,
		"twice.json": `{"a":1,"a":2,"client_secret":"Hunter2"}`,
		"conf.txt":   "token: Hunter2\nDB_PASSWORD=Hunter2\nrows: 5\n",
		"conf.html":  "<pre>spark.password = 'Hunter2'</pre>",
		"conf.csv":   "name,value\nx,password=Hunter2\n",
		"plain.json": `{"loss": NaN}`,
	}
	e, err := mlflowOf(mlflowWithRun(t, double.Run{Files: maps.Clone(files)}), mlflowRun1).Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{}
	for _, a := range e.(provenance.MLflowRun).Artifacts {
		if a.Stored.Open != nil {
			kept[a.Path] = string(mlflowReadStored(t, a.Stored))
		}
	}
	if len(kept) != 4 || kept["plain.json"] != files["plain.json"] || strings.Contains(fmt.Sprint(kept), "Hunter2") ||
		kept["conf.txt"] != "token: [removed]\nDB_PASSWORD=[removed]\nrows: 5\n" {
		t.Errorf("kept %q", kept)
	}
}
