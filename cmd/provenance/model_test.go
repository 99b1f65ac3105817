package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// TestNameOf: what a model is called when nobody says so.
func TestNameOf(t *testing.T) {
	for uri, want := range map[string]string{
		"models:/mortgage/5": "mortgage", "models:/mortgage/5/": "mortgage", "models:/mortgage@champion": "mortgage",
		"models:/main.risk.mortgage/12": "main.risk.mortgage", "models:/m-0123abcd/": "m-0123abcd",
		"file:///srv/model.bin": "model.bin", "dbfs:/models/mortgage/": "mortgage", "runs:/4be1/model": "model",
	} {
		if got := nameOf(uri); got != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
}

// TestModelDiffers says where two copies first differ, in words that are true of equal sizes, too.
func TestModelDiffers(t *testing.T) {
	const meta = "hint: MLflow's download adds registered_model_meta"
	for name, c := range map[string]struct{ first, second map[string]string }{
		"model.bin has 3 bytes, not 8, and differs from byte 3 on":  {map[string]string{"model.bin": "weights\n"}, map[string]string{"model.bin": "wei"}},
		"model.bin has 8 bytes in both, and differs from byte 4 on": {map[string]string{"model.bin": "weights\n"}, map[string]string{"model.bin": "weigths\n"}},
		"it has no file registered_model_meta":                      {map[string]string{"model.bin": "weights\n", "registered_model_meta": "x"}, map[string]string{"model.bin": "weights\n"}},
		"it has a file registered_model_meta, too":                  {map[string]string{"model.bin": "weights\n"}, map[string]string{"model.bin": "weights\n", "registered_model_meta": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "referrers")
			for dir, files := range map[string]map[string]string{"first/": c.first, "second/": c.second} {
				for file, text := range files {
					w.write(dir+file, text)
				}
			}
			r := w.must(statusRefused, "record", "--image", w.ref, "--repo", "project", "--key", "cosign.key", "--builder-id", testBuilder, "--model", "first", "--model", "second")
			if !strings.Contains(r.stderr, name) || strings.Contains(r.stderr, meta) != strings.Contains(name, "_meta") {
				t.Error(r.stderr)
			}
		})
	}
}

// TestModelTwice: an alias and a version can be the same place, so both are named; a query is not.
func TestModelTwice(t *testing.T) {
	for given, want := range map[[2]string]string{
		{"models:/m@champion", "models:/m/7"}:        "--model models:/m@champion and --model models:/m/7 are the same place: P",
		{"models:/m/7", "models:/m/7"}:               "--model P is given twice",
		{"https://a/x?sig=one", "https://a/x?sig=2"}: "--model P is given twice",
		{"https://a/x?sig=one", "abfss://x@a/"}:      "--model https://a/x and --model abfss://x@a/ are the same place: P",
	} {
		if got := givenTwice(given[0], given[1], "P").Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestConfigHints: what to write in place of what YAML cannot read.
func TestConfigHints(t *testing.T) {
	for text, want := range map[string]string{
		"data: lake/":                 "write a list",
		"allow-input: x":              "write a list",
		"image: [a]":                  "the keys are those flags",
		"a: 1":                        "the keys are those flags",
		"model-version: @champion":    `model-version: "@champion"`,
		"image: x\ndata: [@champion]": "needs quotes",
		"data:\n- /lake/a\n-":         "is a variable unset?",
		"data: [/lake/a, ~]":          "is a variable unset?",
	} {
		err := parseConfig("p.yaml", []byte(text), new(config))
		if hints := provenance.Hints(err); len(hints) != 1 || !strings.Contains(hints[0], want) {
			t.Errorf("%s: %v, hints %q", text, err, hints)
		}
	}
}

// at is a place of a model that is only called something.
type at struct {
	storage.Folder
	uri string
}

func (a at) URI() string { return a.uri }

// TestNoteRegistered: a registered version is noted to be read only at its own place, and another version of it is refused.
func TestNoteRegistered(t *testing.T) {
	mlflow := provenance.RegisteredModel{Registry: "mlflow", Name: "mortgage", Version: "7", Source: "runs:/4be1/model"}
	azure := provenance.RegisteredModel{Registry: "azureml", Name: "mortgage", Version: "7"}
	for name, c := range map[string]struct {
		model        provenance.RegisteredModel
		asked, place string
		want         string // "" for not read, "refused"
	}{
		"by version":      {mlflow, "models:/mortgage@champion", "models:/mortgage/7/", "models:/mortgage/7/"},
		"by source":       {mlflow, "runs:/4be1/model", "runs:/4be1/model/", "runs:/4be1/model/"},
		"another run's":   {mlflow, "runs:/4be2/model", "runs:/4be2/model/", ""},
		"another model":   {mlflow, "models:/churn/7", "models:/churn/7/", ""},
		"another version": {mlflow, "models:/mortgage/8", "models:/mortgage/8/", "refused"},
		"azureml":         {azure, "azureml", "abfss://c@a/p/", "abfss://c@a/p/"},
		"mlflow, azureml": {mlflow, "azureml", "abfss://c@a/p/", ""},
		"local":           {azure, "model.bin", "file:///model.bin", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{cfg: config{Model: []string{c.asked}}, evidence: []provenance.Evidence{provenance.IDsOnly{}, c.model}}
			err := r.noteRegistered([]storage.Folder{at{uri: c.place}})
			if c.want == "refused" {
				var refused *provenance.Refused
				if !errors.As(err, &refused) || refused.Code != "model.version" || refused.Hint == "" {
					t.Error(err)
				}
				return
			}
			m := r.evidence[1].(provenance.RegisteredModel)
			if err != nil || m.Files != c.want || (m.Of("files") == provenance.Observed) != (c.want != "") {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
}
