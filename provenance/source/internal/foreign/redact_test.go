package foreign

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

func TestRedactedURIs(t *testing.T) {
	const want = "https://pkgs.example/x"
	for _, in := range []string{"https://pypi.org/simple https://Hunter2@pkgs.example/x", "https://a.example/x,https://u:Hunter2@pkgs.example/x",
		"--extra-index-url https://Hunter2@pkgs.example/x", "see \"https://Hunter2@pkgs.example/x\""} {
		if got := (&Redactor{}).Text(in); strings.Contains(got, "Hunter2") || !strings.Contains(got, want) {
			t.Errorf("%s: %s", in, got)
		}
	}
	for _, in := range []string{"https://a.example/?x=1, https://b.example/?y=2; ok", "abfss://c@a.dfs.example/p"} {
		if got := (&Redactor{}).Text(in); got != in {
			t.Errorf("%s: %s", in, got)
		}
	}
	if got := (&Redactor{}).Text("https://us er:Hunter2@h/p?sig=abc"); strings.Contains(got, "Hunter2") {
		t.Error(got)
	}
}

// TestRedactedParameters: a parameter that holds a secret is redacted, and the record can be signed.
func TestRedactedParameters(t *testing.T) {
	got := Parameters(map[string]string{"conn": "Server=x;Password=Hu2;", "c2": "Server=x;Password=Hunter2,a&b;", "cfg": "password: Hunter2",
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

// TestParametersThatCount are no secrets.
func TestParametersThatCount(t *testing.T) {
	in := map[string]string{"eos_token": "</s>", "pad_token_id": "0", "sig": "0.05", "pass": "1", "token_limit": "7"}
	if got := Parameters(in); !maps.Equal(got, in) {
		t.Errorf("%q", got)
	}
	got := Parameters(map[string]string{"pass": "Hunter2", "pin": "1234", "password": "1234", "conf": `"password": {"value":"Hunter2"}`, "DB_PASSWORD_PROD": "Hunter2"})
	if text := fmt.Sprint(got); strings.Contains(text, "Hunter2") || strings.Contains(text, "1234") {
		t.Error(text)
	}
	argv := []any{"--pass", "3", "--n-token=5", "--password", "3", "train --pass 3 --password 3"}
	if got := fmt.Sprint((&Redactor{}).Value("$", argv)); got != "[--pass 3 --n-token=5 --password [removed] train --pass 3 --password [removed]]" {
		t.Error(got)
	}
}
