package azuredevops

import (
	"slices"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// TestRedactsJSONInStrings: JSON inside a string is redacted like JSON; where nothing in it is secret, it stays to the letter.
func TestRedactsJSONInStrings(t *testing.T) {
	for in, want := range map[string]string{
		`{"epochs": "20",  "a": 1.0}`:                       `{"epochs": "20",  "a": 1.0}`,
		` {"db_password":"x","epochs":20}`:                  `{"db_password":"[removed]","epochs":20}`,
		`[{"name":"api_key","value":"x"},9007199254740993]`: `[{"name":"api_key","value":"[removed]"},9007199254740993]`,
		`{"deep":"{\"token\":\"x\"}"}`:                      `{"deep":"{\"token\":\"[removed]\"}"}`,
		`{"a":"hunter22"}`:                                  `{"a":"[removed]"}`,
		`{"db_password":"x"`:                                `{"db_password":"[removed]"`, // it was cut off
		`{"password":"a","password":"b"}`:                   `[removed]`,
		`[removed]`:                                         `[removed]`,
		`{}`:                                                `{}`,
		``:                                                  ``,
	} {
		r := &foreign.Redactor{Known: []string{"hunter22"}}
		if got := r.Value("$", in); got != want || (len(r.Removed) > 0) != (want != in) {
			t.Errorf("%s: %s, removed %q, want %s", in, got, r.Removed, want)
		}
		if again := (&foreign.Redactor{}).Value("$", want); again != want {
			t.Errorf("%s: redacted again it is %s", want, again)
		}
	}
}

// TestAnonymousAnswers: what names somebody is taken out; ids, times and kinds stay.
func TestAnonymousAnswers(t *testing.T) {
	in := map[string]any{
		"account":  map[string]any{"login": "ada-l", "id": 7, "html_url": "https://github.com/ada-l", "type": "User"},
		"header":   map[string]any{"name": "Ada", "email": "ada@contoso.com", "date": "2026-11-23T01:10:00Z"},
		"signed":   map[string]any{"payload": "author Ada", "signature": "x", "reason": "valid", "verified": true},
		"message":  "Fix\n\nCo-authored-by: Ada <ada@contoso.com>\nWritten by ada@contoso.com",
		"artifact": map[string]any{"name": "model", "id": 3},
	}
	r := &foreign.Redactor{IDsOnly: true}
	got, err := foreign.CanonicalJSON(r.Value("$", in))
	want := `{"account":{"html_url":"[removed]","id":7,"login":"[removed]","type":"User"},"artifact":{"id":3,"name":"model"},` +
		`"header":{"date":"2026-11-23T01:10:00Z","email":"[removed]","name":"[removed]"},"message":"Fix\n\nCo-authored-by: [removed]\nWritten by [removed]",` +
		`"signed":{"payload":"[removed]","reason":"valid","signature":"[removed]","verified":true}}`
	if err != nil || string(got) != want || !slices.Contains(r.Removed, "$.message") {
		t.Errorf("%s (%v), removed %q\nwant %s", got, err, r.Removed, want)
	}
}

// TestLogsWithoutKeys: also without those of PGP.
func TestLogsWithoutKeys(t *testing.T) {
	k := &logKeeper{}
	for _, line := range []string{"-----BEGIN PGP PRIVATE" + " KEY BLOCK-----", "Hunter2", "-----END PGP PRIVATE" + " KEY BLOCK-----"} {
		if got := k.line("x", line); got != "[removed]" {
			t.Error(got)
		}
	}
	if got := k.line("x", "DB_PASSWORD_PROD=Hunter2 PWD=/azp/_work"); got != "DB_PASSWORD_PROD=[removed] PWD=/azp/_work" {
		t.Error(got)
	}
}
