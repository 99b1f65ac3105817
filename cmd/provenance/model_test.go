package main

import "testing"

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
