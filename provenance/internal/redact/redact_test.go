package redact

import (
	"slices"
	"strings"
	"testing"
)

func TestURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://ada:s3cret@dev.azure.com/o/p/_git/r":        "https://dev.azure.com/o/p/_git/r",
		"https://acct.blob.core.windows.net/c/p/?sv=1&sig=x": "https://acct.blob.core.windows.net/c/p/",
		"wasbs://c:pw@acct.blob.core.windows.net/p":          "wasbs://c@acct.blob.core.windows.net/p",
		"https://h/p#frag":                          "https://h/p",
		"ssh://git@ssh.dev.azure.com/v3/o/p/r":      "ssh://ssh.dev.azure.com/v3/o/p/r",
		"git@github.com:o/r.git":                    "git@github.com:o/r.git",
		"git:tok@github.com:o/r.git":                "github.com:o/r.git",
		"https://us er:p%zz@h/p?sig=abc":            "https://h/p",
		"/local/path/with@sign:and/colon":           "/local/path/with@sign:and/colon",
		"abfss://c@acct.dfs.core.windows.net/p?x=1": "abfss://c@acct.dfs.core.windows.net/p",
	} {
		if got := URL(in); got != want {
			t.Errorf("URL(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestIsSecretName(t *testing.T) {
	for _, name := range strings.Fields("password DB_PASSWORD clientSecret access_token API-Key apiKey storageAccountKey " +
		"SAS sasToken connection_string AZURE_CLIENT_SECRET pat Authorization spark.hadoop.fs.azure.account.key.x privateKey") {
		if !IsSecretName(name) {
			t.Errorf("%s is not taken for a secret", name)
		}
	}
	for _, name := range strings.Fields("max_tokens tokenizer author monkey key keys path pattern sass date cosignature " +
		"learning_rate hidden_key_size primary run_id compass") {
		if IsSecretName(name) {
			t.Errorf("%s is taken for a secret", name)
		}
	}
}

// planted are made-up secrets of every kind, in parts so that no scanner takes this file for a leak.
var planted = map[string]string{
	"private key":         "-----BEGIN EC PRIVATE" + " KEY-----\nMHcCAQ\n-----END",
	"SAS signature":       "https://a.blob.core.windows.net/c?se=1&sig=" + "aGVsbG8gd29ybGQgaGVsbG8%3D",
	"storage account key": "AccountKey=" + strings.Repeat("Ab1+", 21) + "Ab==",
	"bearer token":        "Authorization: Bearer " + "0123456789abcdefXYZ",
	"JSON web token":      "eyJ" + "hbGciOiJSUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0In0.c2ln",
	"Databricks token":    "dapi" + strings.Repeat("0a", 16),
	"Azure DevOps token":  strings.Repeat("ab27", 13),
	"Entra client secret": "abc" + "8Q~" + strings.Repeat("x", 34),
	"GitHub token":        "ghp_" + strings.Repeat("A1", 18),
	"AWS access key":      "AKIA" + strings.Repeat("Z", 16),
	"password in a URL":   "https://ada:" + "hunter22@example.com/",
	"password":            "jdbc:x;password=" + "hunter22;",
}

func TestFindAndTextKnowEveryKind(t *testing.T) {
	for kind, secret := range planted {
		text := `{"note":"` + secret + `"}`
		if got := Find([]byte(text)); !slices.Contains(got, kind) {
			t.Errorf("%s: found %q", kind, got)
		}
		if masked := Text(text); Find([]byte(masked)) != nil {
			t.Errorf("%s: still there in %q", kind, masked)
		}
	}
}

func TestFindSeesThroughJSON(t *testing.T) {
	for _, text := range []string{`a\u0026sig=` + strings.Repeat("Ab", 12), `x\nsig=` + strings.Repeat("Ab", 12)} {
		if got := Find([]byte(text)); !slices.Equal(got, []string{"SAS signature"}) {
			t.Errorf("%s: found %q", text, got)
		}
	}
}

func TestFindLeavesHarmlessTextAlone(t *testing.T) {
	for _, text := range []string{
		`{"sha256":"` + strings.Repeat("0f", 32) + `","gitCommit":"` + strings.Repeat("9c", 20) + `"}`,
		`Fix password handling; sig=short; the Bearer of news; token budget`,
		"", "git@github.com:o/r.git https://dev.azure.com/org/p/_build?definitionId=7",
		"password=" + Removed, "connect(password=" + Removed + ")",
		"note: token: none", "the password policy", `{"token_accuracy":0.91,"password_policy":"strict"}`,
		"password = None", "connect(user=u, password=None)", "password==null", "password=false",
		"password=$(DbPassword)", "password=${DB_PASSWORD}", "pwd={{secrets/scope/key}}", "password=<your-password>", "password=********",
		`password = os.environ["DB_PASSWORD"]`, `password=dbutils.secrets.get(scope="a")`, "client_secret=getpass.getpass()",
		"oci://python:3.12@sha256:" + strings.Repeat("0f", 32), "docker://mortgage:20261123.1@sha256:" + strings.Repeat("0f", 32),
		`"integrity": "sha512-` + strings.Repeat("Ab1+", 21) + `Ab=="`,
		"Basic interpretability of the model", "basic preprocessing/training-pipeline", "the bearer acknowledges.everything",
		"signature=infer_model_signature(x, y)",
	} {
		if got := Find([]byte(text)); got != nil {
			t.Errorf("%q: found %q", text, got)
		}
		if got := Text(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestFindIsNotFooled: what only begins like ordinary text is a secret all the same.
func TestFindIsNotFooled(t *testing.T) {
	for text, kind := range map[string]string{
		"password=Nonesuch1":                              "password",
		"password=none, then password=hunter22":           "password",
		"password=$(hunter22":                             "password",
		"password=" + Removed + "hunter22":                "password",
		"password=<hunter22":                              "password",
		"password=os.environhunter22":                     "password",
		"password==hunter22":                              "password",
		"basic " + "ZGVtbzpkZW1vZGVtbw==":                 "bearer token",
		"Bearer abcdefghijklmnopqrstuvwxyz0":              "bearer token",
		"bearer abcdefghijklmnop=":                        "bearer token",
		"https://ada:" + "hunter22@sha256.example":        "password in a URL",
		"https://ada:" + "hunter22@sha256:80/x":           "password in a URL",
		"oci://a:b@sha256:" + "0f":                        "password in a URL",
		"sha512-x " + strings.Repeat("Ab1+", 21) + "Ab==": "storage account key",
		"?sig=" + "abcdefghijklmnop_qrstuv(":              "SAS signature",
		"se=1&signature=" + "abcdefghijklmnop_qrstuv(":    "SAS signature",
		"signature=" + "aGVsbG8gd29ybGQgaGVsbG8%3D":       "SAS signature",
	} {
		if got := Find([]byte(text)); !slices.Contains(got, kind) {
			t.Errorf("%q: found %q", text, got)
		}
		if got := Text(text); Find([]byte(got)) != nil || strings.Contains(got, "hunter22") {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestFindKnownValues(t *testing.T) {
	const secret = `p"ss &word`
	for _, text := range []string{secret, `{"a":"p\"ss \u0026word"}`, "x=p%22ss+%26word", "p%22ss%20&word"} {
		if got := Find([]byte(text), secret); !slices.Equal(got, []string{"a secret of this process"}) {
			t.Errorf("%q: found %q", text, got)
		}
	}
	if got := Find([]byte("the abc of it"), "abc", ""); got != nil {
		t.Errorf("too short a secret was searched for: %q", got)
	}
}

// TestKnownQuery: the query of a signed URL is looked for however short it is, but only as a query.
func TestKnownQuery(t *testing.T) {
	for in, want := range map[string]string{
		"see /zip?s=a":                    "see /zip?[removed]",
		"https://h/zip?s=a, ?s=a&x=1":     "https://h/zip?[removed], ?[removed]&x=1",
		"/zip?s=ab /zip?s=a%20 classes=a": "/zip?s=ab /zip?s=a%20 classes=a",
		"?s=a":                            "?[removed]",
		"what?":                           "what?",
	} {
		if got := Known(in, "?s=a", "?", "s=a"); got != want {
			t.Errorf("%q became %q, not %q", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, secret := range planted {
		f.Add(secret)
	}
	if len(planted) < 10 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, s string) { _, _ = Text(s), URL(s) })
}
