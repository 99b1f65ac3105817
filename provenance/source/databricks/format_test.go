package databricks

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"

	double "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
)

// notebookForms are files, as Databricks writes and accepts them, and the cells that the run's notebook had.
var notebookForms = map[string]struct {
	name, file, language string
	cells                []string
}{
	"python": {"train.py", "# Databricks notebook source\nimport a\n\nx = 1\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC # Title\n# MAGIC\n# MAGIC text\n\n# COMMAND ----------\n\ny = 2\n",
		"python", []string{"import a\n\nx = 1", "%md\n# Title\n\ntext", "y = 2"}},
	"older exports end blank magic lines with a blank": {"train.py", "# Databricks notebook source\n# MAGIC %md\n# MAGIC \n# MAGIC text\n", "python", []string{"%md\n\ntext"}},
	"markdown beside its command":                      {"train.py", "# Databricks notebook source\n# MAGIC %md # Title\n# MAGIC text\n", "python", []string{"%md\n# Title\ntext"}},
	"titles":                                           {"train.py", "# Databricks notebook source\n# DBTITLE 1,Load, then train\nx = 1\n", "python", []string{"x = 1"}},
	"Windows line ends":                                {"train.py", "\uFEFF# Databricks notebook source\r\nx = 1\r\n\r\n# COMMAND ----------\r\n\r\ny = 2\r\n", "python", []string{"x = 1", "y = 2"}},
	"empty cells and blank lines":                      {"train.py", "# Databricks notebook source\n\n\nx = 1\n\n\n# COMMAND ----------\n\n# COMMAND ----------\n\ny = 2", "python", []string{"x = 1\n", "", "\n y = 2"[2:]}},
	"no header":                                        {"train.py", "x = 1\n\n\n\ny = 2\n", "python", []string{"x = 1\n\n\n\ny = 2"}},
	"a serverless environment": {"train.py", "# Databricks notebook source\n# /// script\n# [tool.databricks.environment]\n# environment_version = \"5\"\n# ///\n# MAGIC %md\n# MAGIC hello\n",
		"python", []string{"%md\nhello"}},
	"a script block that has no end": {"train.py", "# Databricks notebook source\n# /// script\nx = 1\n", "python", []string{"# /// script\nx = 1"}},
	"sql":                            {"q.sql", "-- Databricks notebook source\nSELECT 1 -- one\n\n-- COMMAND ----------\n\n-- MAGIC %python\n-- MAGIC print(1)\n", "sql", []string{"SELECT 1 -- one", "%python\nprint(1)"}},
	"scala":                          {"Job.scala", "// Databricks notebook source\nval x = 1\n\n// COMMAND ----------\n\n// MAGIC %sql SELECT 1\n", "scala", []string{"val x = 1", "%sql SELECT 1"}},
	"r":                              {"fit.R", "# Databricks notebook source\nx <- 1\n\n# COMMAND ----------\n\n# MAGIC %sh ls\n", "r", []string{"x <- 1", "%sh ls"}},
	"no extension":                   {"train", "-- Databricks notebook source\nSELECT 1\n", "sql", []string{"SELECT 1"}},
	"no extension and no header":     {"train", "print(1)\n", "python", []string{"print(1)"}},
	"code that looks like a mark":    {"train.py", "# Databricks notebook source\nx = '# COMMAND ----------'\n# MAGICAL\n", "python", []string{"x = '# COMMAND ----------'\n# MAGICAL"}},
	"jupyter": {"train.ipynb", `{"nbformat":4,"nbformat_minor":5,"metadata":{"language_info":{"name":"python"}},"cells":[{"cell_type":"code","source":["import a\n","x = 1\n"]},
		{"cell_type":"markdown","source":"# Title\n\ntext"},{"cell_type":"code","source":[]},{"cell_type":"code","source":"%sql\nSELECT 1"}]}`,
		"python", []string{"import a\nx = 1", "%md\n# Title\n\ntext", "%sql\nSELECT 1"}},
	"jupyter of Databricks": {"train.ipynb", `{"nbformat":4,"metadata":{"application/vnd.databricks.v1+notebook":{"language":"sql"}},"cells":[{"cell_type":"code","source":"SELECT 1"}]}`,
		"sql", []string{"SELECT 1"}},
	"nothing": {"train.py", "", "python", nil},
}

func TestNotebookForms(t *testing.T) {
	for name, c := range notebookForms {
		run, err := rebuild(double.Page(c.language, c.cells...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		file, err := parseSource(c.name, []byte(c.file), c.language)
		if err != nil || difference(file, run) != "" {
			t.Errorf("%s: %v, %s\nfile %+v\nrun  %+v", name, err, difference(file, run), file, run)
		}
		again, err := parseSource("x"+extensions[c.language], []byte(run.text()), c.language)
		if err != nil || difference(again, run) != "" || again.text() != run.text() {
			t.Errorf("%s: %v, %s, is written as\n%s", name, err, difference(again, run), run.text())
		}
	}
}

// TestNotebookText: the source is written as Databricks exports it.
func TestNotebookText(t *testing.T) {
	n, err := rebuild(double.Page("scala", "val x = 1\n\n", "%md\n\n# Title"))
	if want := "// Databricks notebook source\nval x = 1\n\n// COMMAND ----------\n\n// MAGIC %md\n// MAGIC\n// MAGIC # Title\n"; err != nil || n.text() != want {
		t.Errorf("%q, %v", n.text(), err)
	}
}

func TestNotebookDifferences(t *testing.T) {
	for _, c := range []struct{ name, file, language, cells, want string }{
		{"a.py", "# Databricks notebook source\nx = 1\n\n# COMMAND ----------\n\ny = 2\n", "python", "x = 1|y = 3", "line 6: the commit has “y = 2”, the run had “y = 3”"},
		{"a.py", "# Databricks notebook source\nx = 1\n\n# COMMAND ----------\n\ny = 2\n", "python", "x = 1", "line 6: the commit has “y = 2”, the run had nothing more"},
		{"a.py", "# Databricks notebook source\nx = 1\n", "python", "x = 1|y = 2", "line 3: the commit has nothing more, the run had “y = 2”"},
		{"a.py", "# Databricks notebook source\nx = 1\n", "python", "x = 1\ny = 2", "line 3: the commit has the end of the cell, the run had “y = 2”"},
		{"a.py", "x = 1\ny = 2\n", "python", "x = 1", "line 2: the commit has “y = 2”, the run had the end of the cell"},
		{"a.py", "x = 1\n", "python", "x = 1 ", "line 1: the commit has “x = 1”, the run had “x = 1”"},
		{"a.py", "x = 1\n\ny\n", "python", "x = 1\nz\ny", "line 2: the commit has a blank line, the run had “z”"},
		{"a.py", "# Databricks notebook source\n# MAGIC %sql SELECT 1\n", "python", "%sql SELECT 2", "line 2: the commit has “%sql SELECT 1”, the run had “%sql SELECT 2”"},
		{"a.sql", "SELECT 1\n", "python", "SELECT 1", "the commit's is in “sql”, the run's in “python”"},
		{"a.ipynb", `{"nbformat":4,"cells":[{"cell_type":"code","source":"a"},{"cell_type":"code","source":"b"}]}`, "python", "a|c", "cell 2: the commit has “b”, the run had “c”"},
		{"a.py", `password = "hunter22"` + "\n", "python", `password = "hunter23"`, "line 1 differs"},
		{"a.py", "# Databricks notebook source\n# MAGIC %sh\n# MAGIC curl -u bob:old\n", "python", "%sh\ncurl -u bob:Hunter2", "line 3 differs"},
		{"a.py", "x = f('a', \"b\", 'c\n", "python", "y", "line 1: the commit has “x = f(\"…\", \"…\", \"…\"”, the run had “y”"},
		{"a.py", "q = \"\"\"\nSELECT a\n\"\"\"\n", "python", "q = \"\"\"\nSELECT b\n\"\"\"", "line 2 differs"},
		{"a.py", "x = ##vso[task.complete]" + strings.Repeat("é", 300) + "\n", "python", "y", "line 1: the commit has “x = ##vso[task.complete]" + strings.Repeat("é", 48) + "…”, the run had “y”"},
	} {
		run, err := rebuild(double.Page(c.language, strings.Split(c.cells, "|")...))
		if err != nil {
			t.Fatal(err)
		}
		file, err := parseSource(c.name, []byte(c.file), c.language)
		if err != nil {
			t.Fatal(err)
		}
		if got := difference(file, run); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// TestPlainFilesAreComparedToTheLetter: nothing in them is Markdown.
func TestPlainFilesAreComparedToTheLetter(t *testing.T) {
	a, b := plainSource("a.txt", []byte("%md  x\n")), plainSource("a.txt", []byte("%md\nx\n"))
	if got := difference(a, b); got != "line 1: the commit has “%md  x”, the run had “%md”" {
		t.Errorf("%q", got)
	}
}

func TestNotebooksThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ file, data, says string }{
		"old jupyter":     {"a.ipynb", `{"nbformat":3,"worksheets":[]}`, "format 3"},
		"no jupyter":      {"a.ipynb", `print(1)`, "no Jupyter notebook"},
		"a cell's source": {"a.ipynb", `{"nbformat":4,"cells":[{"source":{"a":1}}]}`, "has no text"},
		"no language":     {"a.txt", "x", "language is not known"},
	} {
		if _, err := parseSource(c.file, []byte(c.data), ""); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	encoded := func(s string) string {
		return "__DATABRICKS_NOTEBOOK_MODEL = '" + base64.StdEncoding.EncodeToString([]byte(s)) + "';"
	}
	for name, c := range map[string]struct{ page, says string }{
		"a login page":     {"<html>Sign in</html>", "0 notebooks"},
		"two notebooks":    {double.Page("python", "a") + double.Page("python", "b"), "2 notebooks"},
		"no base64":        {"__DATABRICKS_NOTEBOOK_MODEL = 'abc';", "not base64"},
		"no URL encoding":  {encoded("%7B%zz"), "not URL-encoded"},
		"no JSON":          {encoded("%7B%22a"), "not JSON"},
		"another form":     {encoded(`{"language":"python","commands":{"a":1}}`), "not JSON of the known form"},
		"another language": {encoded(`{"language":"cobol"}`), `"cobol"`},
	} {
		if _, err := rebuild(c.page); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := rebuild("var __DATABRICKS_NOTEBOOK_MODEL=\"" + base64.StdEncoding.EncodeToString([]byte(`{"language":"R","commands":[{"command":"x"}]}`)) + `"`); err != nil || n.language != "r" {
		t.Errorf("%+v, %v", n, err)
	}
}

// FuzzNotebookSource: whatever is read is written so that it is read as the same again.
func FuzzNotebookSource(f *testing.F) {
	if len(notebookForms) < 10 {
		f.Fatal("no seeds")
	}
	for _, c := range notebookForms {
		f.Add(c.name, c.file)
	}
	f.Fuzz(func(t *testing.T, name, file string) {
		n, err := parseSource(name, []byte(file), "python")
		if err != nil {
			return
		}
		callsOf(n)
		if difference(n, n) != "" {
			t.Errorf("%q differs from itself: %s", file, difference(n, n))
		}
		_ = foreign.RedactCode(n.text())
	})
}

// FuzzRebuild: no page of an export is more than an error.
func FuzzRebuild(f *testing.F) {
	seeds := []string{"", "%7B%7D", `{"language":"python","commands":[{"position":1e308,"command":"%md"},{"position":-1,"command":"%run ./x"}]}`}
	if len(seeds) < 3 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := rebuild("__DATABRICKS_NOTEBOOK_MODEL = '" + base64.StdEncoding.EncodeToString([]byte(s)) + "'")
		if err == nil && marks[n.language] == "" {
			t.Errorf("%q has language %q", s, n.language)
		}
	})
}

func TestRedactCode(t *testing.T) {
	for in, want := range map[string]string{
		`password = "hunter22"`:                                  `password = [removed]`,
		`x = 1; db_password="hunter22"; y = 1`:                   `x = 1; db_password=[removed]`,
		`d = {"client_secret": 'hunter22', "rows": '5'}`:         `d = {"client_secret": [removed]`,
		`if "hunter22" == password:`:                             `if [removed] == password:`,
		`spark.conf.set("fs.azure.account.key.a", "hunter22")`:   `spark.conf.set("fs.azure.account.key.a", [removed]`,
		`token <- 'hunter22'`:                                    `token <- [removed]`,
		`password = dbutils.secrets.get(scope="s", key="db")`:    `password = [removed]`, // rather too much than too little
		`key = dbutils.secrets.get("kv", "db-password")`:         `key = dbutils.secrets.get("kv", "db-password")`,
		`password = "{{secrets/scope/key}}"`:                     `password = "{{secrets/scope/key}}"`,
		`password = ""`:                                          `password = ""`,
		`x = "dapi` + strings.Repeat("0a", 16) + `"`:             `x = "[removed]"`,
		`known-value here`:                                       `[removed] here`,
		`abc here`:                                               `abc here`, // a short known value would match by chance
		`os.environ["API_KEY"] = "hunter22"`:                     `os.environ["API_KEY"] = [removed]`,
		`max_tokens = "100"; tokenizer = "bert"; author = 'ada'`: `max_tokens = "100"; tokenizer = "bert"; author = 'ada'`,
		"password = \"\"\"\nhunter22\n\"\"\"\nx = 1":             "password = [removed]\n[removed]\n[removed]\nx = 1",
		"password = [\n 'a',\n 'b']\nx = 1":                      "password = [\n[removed]\n[removed]\nx = 1",
		"# the team's password: x\nx = 1\ny = 2":                 "# the team's password: [removed]\nx = 1\ny = 2",
		"import google.auth\nauthor = 'ada'; primary_key = 'id'": "import google.auth\nauthor = 'ada'; primary_key = 'id'",
		"password = \\\n  'hunter22'\nx = 1":                     "password = [removed]\n[removed]\nx = 1",
	} {
		if got := foreign.RedactCode(in, "known-value", "abc"); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
}

// codeWithSecrets are lines in which a secret is written in ways that differ.
var codeWithSecrets = []string{
	`val password: String = "Hunter2Hunter2"`,
	`password: str = "Hunter2Hunter2"`,
	`password = """Hunter2Hunter2"""`,
	`if password == "Hunter2Hunter2":`,
	`password = ("Hunter2Hunter2")`,
	`{"token": tok, 'password': "Hunter2Hunter2"}`,
	`df.option("token", tok).option('password', "Hunter2Hunter2")`,
	`%sh export DB_PASSWORD=Hunter2Hunter2`,
	`mysql --password Hunter2Hunter2`,
	`CREATE USER x IDENTIFIED BY 'Hunter2Hunter2'`,
	`# password: Hunter2Hunter2`,
	"df.option(\"password\",\n  \"Hunter2\")",
	"password = (\n'a'\n'Hunter2')",
	"passwords = [\n'a',\n'Hunter2']",
	"spark.conf.set(\n'fs.azure.account.key.lake',\n'Hunter2')",
	"{'password':\n\n'Hunter2'}",
	"['--password',\n'Hunter2']",
	"password <- \"a\nHunter2\nb\"",
	"conn = 'Server=x;Password=a\nHunter2'",
	"password = {\n  'a': [\n    'Hunter2'\n  ]\n}",
	"auth=('bob','Hunter2')",
	"creds = 'Hunter2'",
	"subscription_key='Hunter2'", "client_key = 'Hunter2'", "aes_key: 'Hunter2'", "hmac-key = 'Hunter2'",
}

func TestNoSecretOfCodeIsKept(t *testing.T) {
	for _, code := range codeWithSecrets {
		if got := foreign.RedactCode("x = 1\n" + code); strings.Contains(got, "Hunter2") || !strings.HasPrefix(got, "x = 1\n") {
			t.Errorf("%s: %s", code, got)
		}
	}
}

// TestNoSecretOfCodeIsNoted: the note about a difference is public.
func TestNoSecretOfCodeIsNoted(t *testing.T) {
	commit, run := notebookSource{language: "python"}, notebookSource{language: "python"}
	commit.add("x = 1\nprint(1)", "")
	for _, code := range append(slices.Clone(codeWithSecrets), "print('known-value')") {
		run.cells = nil
		run.add("x = 1\n"+code, "")
		if got := difference(commit, run, "known-value"); strings.Contains(got, "Hunter2") || strings.Contains(got, "known") || got == "" {
			t.Errorf("%s: %s", code, got)
		}
	}
	commit.cells, run.cells = nil, nil
	commit.add("password = \"\"\"\nHunter2\n\"\"\"", "")
	run.add("password = \"\"\"\nHunter3\n\"\"\"", "")
	if got := difference(commit, run); strings.Contains(got, "Hunter") || got == "" {
		t.Errorf("a line inside a literal: %q", got)
	}
	commit.cells, run.cells = nil, nil
	commit.add("df.option(\"password\",\n  \"old\")", "")
	run.add("df.option(\"password\",\n  \"Hunter2\")", "")
	if got := difference(commit, run); !strings.HasSuffix(got, " 1 differs") {
		t.Errorf("a line behind a name: %q", got)
	}
}

// TestRedactEmbedded: what is secret in text in an answer goes, the rest stays as it was written.
func TestRedactEmbedded(t *testing.T) {
	for in, want := range map[string]string{
		`[{"n": 1, "password": "hunter22"}]`:                      `[{"n":1,"password":"[removed]"}]`,
		`[{"n": 1}, {"n": 2}]`:                                    `[{"n": 1}, {"n": 2}]`,
		`dbt run --vars '{"password": "hunter22", "rows": 5}'`:    `dbt run --vars '{"password": [removed], "rows": 5}'`,
		`dbt run --vars '{db_password: hunter22, rows: 5}'`:       `dbt run --vars '{db_password: [removed], rows: 5}'`,
		`train --password hunter22 --rows 5`:                      `train --password [removed] --rows 5`,
		`train --api-key=hunter22 --rows=5`:                       `train --api-key=[removed] --rows=5`,
		`--conf spark.jdbc.password=hunter22 --class a.Main`:      `--conf spark.jdbc.password=[removed] --class a.Main`,
		`{"a": "{\"password\": \"hunter22\"}"}`:                   `{"a":"{\"password\":\"[removed]\"}"}`,
		`train --password {{secrets/a/b}}`:                        `train --password {{secrets/a/b}}`,
		`Fix password: handling of {braces}, and --flags`:         `Fix password: handling of {braces}, and --flags`,
		`{{job.parameters.token}}`:                                `{{job.parameters.token}}`,
		strings.Repeat(`[`, 200) + `"x"` + strings.Repeat(`]`, 1): strings.Repeat(`[`, 200) + `"x"]`,
	} {
		r := &foreign.Redactor{}
		got := r.Value("$", in)
		data, _ := json.Marshal(got)
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, data, want)
		}
		if (in != want) != (len(r.Removed) == 1) {
			t.Errorf("%s: removed %q", in, r.Removed)
		}
	}
}
