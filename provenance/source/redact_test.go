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

// TestMLflowCleansOrLeavesOut: of a file that names a secret, nothing of the secret is kept; that of which nobody can tell where it
// stands is only listed, and what only counts stays.
func TestMLflowCleansOrLeavesOut(t *testing.T) {
	const cr = "\r\n"
	for name, c := range map[string]struct{ in, want string }{ // without want it is not kept
		"a.txt":  {"train --password Hunter2 --rows 5\n" + `"passwords": ["Hunter2"]`, "train --password [removed] --rows 5\n" + `"passwords": "[removed]"`},
		"b.txt":  {"p\x00a\x00s\x00s\x00w\x00o\x00r\x00d\x00=\x00H\x00u\x00n\x00t\x00e\x00r\x002\x00", ""},
		"c.txt":  {"caf\xe9 password=Hunter2", ""},
		"d.txt":  {"os.environ['DB_PASSWORD'] = 'Hunter2'", ""},
		"e.txt":  {"loss_per_token: 2.3\ntests pass: 14\nPWD=/azp/_work\n", "same"},
		"a.html": {"<password>Hunter2</password>", ""},
		"b.html": {"<td>password</td><td>Hunter2</td>", ""},
		"c.html": {"&quot;password&quot;: &quot;Hunter2&quot;", ""},
		"d.html": {`<script>d={"passwords":["Hunter2"],"password":{"value":"Hunter2"}}</script>`, `<script>d={"passwords":"[removed]","password":"[removed]"}</script>`},
		"e.html": {"<b>password:</b> Hunter2", ""},
		"f.html": {"<p>password:&nbsp;Hunter2</p>", ""},
		"g.html": {`<input name="token" value="Hunter2">`, ""},
		"h.html": {`<script>t={"columns":["user","password"],"data":[["bob","Hunter2"]]}</script>`, ""},
		"i.html": {`<td>token</td><td>0.91</td><p class="token">the password policy</p>`, "same"},
		"j.html": {"<p>password=Hunter2</p>", ""},
		"k.html": {"&lt;token&gt;Hunter2&lt;/token&gt;", ""},
		"a.svg":  {"<svg><!-- token_accuracy --><text>password: <tspan>Hunter2</tspan></text></svg>", ""},
		"b.svg":  {"<svg><!-- token_accuracy --><text>0.5</text></svg>", "same"},
		"a.csv":  {"user,password,age\nbob,Hunter2,5\neve,Password1,\n", "user,password,age\nbob,[removed],5\neve,[removed],\n"},
		"b.csv":  {"user;pass;n" + cr + "bob;Hunter2;5" + cr, "user;pass;n" + cr + "bob;[removed];5" + cr},
		"c.csv":  {"name,value\nrows,5\npassword,Hunter2\n", "name,value\nrows,5\npassword,[removed]\n"},
		"d.csv":  {"password,Hunter2\nrows,5\n", ""},
		"e.csv":  {"step,token_accuracy\n1,0.9\n2,NaN\n", "same"},
		"f.csv":  {"# by us\nuser,password\nbob,Hunter2\n", "# by us\nuser,password\nbob,[removed]\n"},
		"g.csv":  {"a,b,c\nx,password=Hunter2,y\n", "a,b,c\nx,password=[removed],y\n"},
		"a.json": {`{"columns":["user","password"],"data":[["bob","Hunter2"]]}`, `{"columns":["user","password"],"data":[["bob","[removed]"]]}`},
		"b.json": {`{"Name":"password","Value":"Hunter2"}`, `{"Name":"password","Value":"[removed]"}`},
		"c.json": {`{"param":"password","val":"Hunter2"}`, ""},
		"d.json": {`{"cells":[{"header":["password"],"values":["Hunter2"]}]}`, ""},
		"i.json": {`{"name":"password","values":["Hunter2"]}`, ""},
		"e.json": {`{"token_accuracy": 0.91, "eval_token_f1": [0.1, {"a": 2}], "pass": 12, "sig": 0.05, "eos_token": "</s>"}`, "same"},
		"f.json": {`{"password":1234,"secrets":[1],"token":["Hunter2",1],"pin":1234}`, `{"password":"[removed]","pin":"[removed]","secrets":"[removed]","token":"[removed]"}`},
		"g.json": {"{\x00\"\x00p\x00a\x00s\x00s\x00\"\x00:\x001\x00}\x00", ""},
		"h.json": {`{"columns":[{"name":"n"},{"name":"api_key"},["x","token"]],"data":[[1,2,0.5],"x"]}`, `{"columns":[{"name":"n"},{"name":"api_key"},["x","token"]],"data":[[1,"[removed]",0.5],"x"]}`},
	} {
		a := &mlflowAsking{asking: &asking{used: &tokens{}}}
		to := provenance.Artifact{Path: name}
		a.addPlot(&to, []byte(c.in))
		got := ""
		if to.Stored.Open != nil {
			got = string(mlflowReadStored(t, to.Stored))
		}
		if c.want == "same" && got == c.in && !to.Redacted {
			continue
		}
		if got != c.want || !to.Redacted || to.Digest.IsZero() != (c.want == "") {
			t.Errorf("%s: %q, redacted %v\nwant %q", name, got, to.Redacted, c.want)
		}
	}
}

// TestParametersThatCount are no secrets.
func TestParametersThatCount(t *testing.T) {
	in := map[string]string{"eos_token": "</s>", "pad_token_id": "0", "sig": "0.05", "pass": "1", "token_limit": "7"}
	if got := parameters(in); !maps.Equal(got, in) {
		t.Errorf("%q", got)
	}
	got := parameters(map[string]string{"pass": "Hunter2", "pin": "1234", "password": "1234", "conf": `"password": {"value":"Hunter2"}`, "DB_PASSWORD_PROD": "Hunter2"})
	if text := fmt.Sprint(got); strings.Contains(text, "Hunter2") || strings.Contains(text, "1234") {
		t.Error(text)
	}
	argv := []any{"--pass", "3", "--n-token=5", "--password", "3", "train --pass 3 --password 3"}
	if got := fmt.Sprint((&redactor{}).value("$", argv)); got != "[--pass 3 --n-token=5 --password [removed] train --pass 3 --password [removed]]" {
		t.Error(got)
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
