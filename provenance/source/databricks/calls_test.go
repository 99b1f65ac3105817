package databricks

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// told is a call in one line.
func (c call) told() string {
	s := c.how + " " + c.name
	if len(c.members) > 0 {
		s += " (" + strings.Join(c.members, " ") + ")"
	}
	if c.computed != "" {
		s += ": " + c.computed
	}
	return s
}

func TestCalls(t *testing.T) {
	const computed = ": what it runs is computed"
	const reached = ": what it runs is computed (dbutils.notebook)"
	for _, c := range []struct {
		language string
		cells    []string
		want     string // calls, with commas between them
	}{
		{"python", []string{"%run ./setup"}, "%run ./setup"},
		{"python", []string{"%run \"../my setup\" $env=\"prod\""}, "%run ../my setup"},
		{"python", []string{"%run ./my setup $env=\"prod\" $x=\"1\""}, "%run ./my setup"},
		{"python", []string{"%run\n./setup"}, "%run ./setup"},
		{"python", []string{"# load\n%run /Shared/setup"}, "%run /Shared/setup"},
		{"python", []string{"%run $path"}, "%run cell 1" + computed},
		{"python", []string{"%run"}, "%run cell 1" + computed},
		{"python", []string{"%run \"./setup"}, "%run cell 1" + computed},
		{"python", []string{"%md\n%run ./not", "%md %run ./not", "%runner", "x = 'a'\n%run2"}, "dbutils.notebook.run cell 3: what it runs is not known (%runner), dbutils.notebook.run cell 4: what it runs is not known (%run2)"},
		{"sql", []string{"%run ./setup", "SELECT 1", "%python\ndbutils.notebook.run('a', 60)"}, "%run ./setup, dbutils.notebook.run a"},
		{"python", []string{`r = dbutils.notebook.run("prepare", 3600, {"a": "1"})`}, "dbutils.notebook.run prepare"},
		{"python", []string{"dbutils . notebook . run (\n  path = './prepare',\n  timeout_seconds=60)"}, "dbutils.notebook.run ./prepare"},
		{"python", []string{`dbutils.notebook.run("""prepare""", 0)`}, "dbutils.notebook.run prepare"},
		{"python", []string{`dbutils.notebook.run(f"prepare_{x}", 0)`}, "dbutils.notebook.run cell 1" + computed},
		{"python", []string{`dbutils.notebook.run("prepare" + x, 0)`, `dbutils.notebook.run(path, 0)`}, "dbutils.notebook.run cell 1" + computed + ", dbutils.notebook.run cell 2" + computed},
		{"python", []string{`run = dbutils.notebook.run`}, "dbutils.notebook.run cell 1" + computed},
		{"python", []string{"# dbutils.notebook.run('a', 1)", "s = \"dbutils.notebook.run('a', 1)\"", "'''\nimport nothing\n'''"}, "dbutils.notebook.run cell 2" + reached},
		{"scala", []string{`val r = dbutils.notebook.run("prepare", 60) // dbutils.notebook.run("not", 1)`, `/* dbutils.notebook.run("not", 1) */`, `val q = """dbutils.notebook.run("not", 1)"""`},
			"dbutils.notebook.run prepare, dbutils.notebook.run cell 3" + reached},
		{"python", []string{`print(f"{dbutils.notebook.run('/Users/evil/x', 60)}")`, "nb = dbutils.notebook\nnb.run('/x', 60)", "getattr(dbutils, 'notebook').run('/x', 60)", "vars(dbutils)['notebook'].run('/x')"},
			"dbutils.notebook.run cell 1" + reached + ", dbutils.notebook.run cell 2" + reached + ", dbutils.notebook.run cell 3" + reached + ", dbutils.notebook.run cell 4" + reached},
		{"python", []string{`f"{x["#"]}{dbutils.notebook.run('/x')}"`, `s = """\"""" "#"; dbutils.notebook.run("/x", 60)`, "x = (5\n% dbutils.notebook.run(p))"},
			"dbutils.notebook.run cell 1" + reached + ", dbutils.notebook.run /x, dbutils.notebook.run cell 3" + reached},
		{"python", []string{"dbutils.notebook.\\\nrun('/x', 60)"}, "dbutils.notebook.run /x"},
		{"python", []string{`%time dbutils.notebook.run("/x", 60)`, "x = 1\n%timeit f()", "%%capture\nx = 1", "%pip install a"},
			"dbutils.notebook.run cell 1" + reached + ", dbutils.notebook.run cell 2: what it runs is not known (%timeit)"},
		{"python", []string{`eval("x")`, `print(f"{exec('x')}")`, "model.eval()", "get_ipython().run_cell('x')"},
			"import cell 1: what it runs is computed (eval), import cell 2: what it runs is computed (exec), import cell 4: what it runs is computed (IPython)"},
		{"python", []string{"from tqdm.notebook import tqdm\ndbutils.widgets.get('a') # in this notebook"}, "import tqdm.notebook (tqdm)"},
		{"scala", []string{`val q = '"'; dbutils.notebook.run("/x", 60)`, `val q = """a""""; dbutils.notebook.run("/y", 60)`, "val s = s\"${dbutils.notebook.run(p, 1)}\""},
			"dbutils.notebook.run /x, dbutils.notebook.run /y, dbutils.notebook.run cell 3" + reached},
		{"r", []string{"x <- r\"(a \" # b)\"; dbutils.notebook.run('/x', 60)", "eval(parse(text = x))", "`#` <- 1; dbutils.notebook.run('/y', 60)"},
			"dbutils.notebook.run cell 1" + reached + ", dbutils.notebook.run cell 2: what it runs is computed (eval), dbutils.notebook.run /y"},
		{"r", []string{"dbutils.notebook.run('prepare', 60) # and so on"}, "dbutils.notebook.run prepare"},
		{"python", []string{"import os, pandas as pd, helpers.text as t"}, "import os, import pandas, import helpers.text"},
		{"python", []string{"from helpers import (load,  # the first\n  save as s,\n)\nfrom . import near\nfrom ..up import x\nfrom .a.b import *"},
			"import helpers (load save), import . (near), import ..up (x), import .a.b"},
		{"python", []string{"try: import a\nexcept ImportError: import b\nif x:\n  import c; import d"}, "import a, import b, import c, import d"},
		{"python", []string{"from a \\\n  import b"}, "import a (b)"},
		{"python", []string{"x = 'import no'; important = 1\n# import no\nreimport = 2\n\"\"\"\nimport no\n\"\"\"\nimport yes"}, "import yes"},
		{"python", []string{"%python import a"}, "import a"},
		{"python", []string{"%pip install helpers\nimport a"}, "import a"},
		{"python", []string{"%sql\nimport a", "%sh\nimport a", "%scala\nimport a"}, ""},
		{"python", []string{"import sys\nsys.path.append('/x')"}, "import sys, import cell 1: it changes where modules are looked for (sys.path)"},
		{"python", []string{"import importlib\nm = importlib.import_module('helpers.text')\nn = importlib.import_module(name)\no = __import__('a')"},
			"import importlib, import helpers.text, import cell 1: what it imports is computed, import a"},
		{"python", []string{"from importlib import import_module"}, "import importlib (import_module)"},
		{"python", []string{"exec(open('a.py').read())", "model.exec(1)", "sc.addPyFile('dbfs:/a.py')"}, "import cell 1: what it runs is computed (exec), import cell 3: it adds files of code to the cluster (addPyFile)"},
		{"python", []string{"x = 'it''s'\ny = 'a\\'b'\nimport a\nz = \"unclosed\nimport b"}, "import a, import b"},
	} {
		n := notebookSource{language: c.language}
		for _, text := range c.cells {
			n.add(text, "")
		}
		var told []string
		for _, call := range callsOf(n) {
			told = append(told, call.told())
		}
		if got := strings.Join(told, ", "); got != c.want {
			t.Errorf("%s %q\ngot  %s\nwant %s", c.language, c.cells, got, c.want)
		}
	}
	module := plainSource("a.py", []byte("# COMMAND ----------\n%run ./x\nimport b\n"))
	if got := fmt.Sprint(callsOf(module)); got != "[{import b [] }]" {
		t.Error(got)
	}
}

// TestHiddenCalls: however it is written that a cell runs something that nobody sees in it, that is noted.
func TestHiddenCalls(t *testing.T) {
	for language, cells := range map[string][]string{
		"python": {"# load the data\rdbutils.notebook.run('/Users/evil/x', 60)", "x = 1\rimport evil", "import\fevil", "%pip install x\rimport evil",
			"dbutils.ｎotebook.run('/Users/evil/x', 60)", "ｅxec(s)", "exec\\\n(s)", "from.evil import b", "d = dbutils\nn = d.notebook\nn.run('/x', 60)",
			"from databricks.sdk.runtime import dbutils as u\nm = u.notebook\nm.run('/x')", "e = exec\ne(s)", "__builtins__.exec(s)", "import builtins as b\nb.exec(s)",
			"(exec)(s)", "map(exec, [s])", "get_ipython().magic('run /x')", "ip = get_ipython()\nip.ex(s)", "from sys import path\npath.append('/x')",
			"import sys as s\ns.path.append('/x')", "import site; site.addsitedir('/x')", "from importlib import import_module as im\nim(name)",
			"u.module_from_spec(u.spec_from_file_location('a', '/x.py'))", "%sh python /Workspace/evil.py", "%sh\n/Workspace/evil.sh", "%%sh\npython /Workspace/evil.py", "import a.b\\\n.evil", "import a . evil",
			strings.Repeat("import_module;", 20_000), "!python3 /Workspace/evil.py",
			"import os; os.system('python x.py')", "import subprocess", "from os import system", "compile(s, 'a', 'exec')"},
		"scala": {"dbutils.`notebook`.run(\"/x\", 60)", "dbutils notebook run(\"/x\", 60)", "import dbutils.{notebook => nb}\nnb.run(\"/x\", 60)",
			"val n = dbutils\nval m = n.notebook\nm.run(\"/x\", 60)", "// a\rdbutils.notebook.run(\"/x\", 60)"},
		"sql": {"%sh bash /Workspace/evil.sh"},
	} {
		for _, code := range cells {
			n := notebookSource{language: language}
			n.add(code, "")
			calls := callsOf(n)
			noted := func(c call) bool {
				return c.computed != "" || strings.Contains(c.name, "evil") || c.name == "/x"
			}
			if !slices.ContainsFunc(calls, noted) {
				t.Errorf("%s %q: %v", language, code, calls)
			}
		}
	}
}

// TestHarmlessCalls: what only looks like it is not noted.
func TestHarmlessCalls(t *testing.T) {
	for _, code := range []string{"model.eval()", "pd.eval('a + b')", "df.eval('x')", "re.compile('a')", "model.compile(optimizer='adam')", "load_model(p, compile=False)",
		"# exec(s) and dbutils.widgets\nx = 'subprocess'", "dbutils.fs.ls('/')\nd = dbutils.widgets.get('a')", "dbutils.notebook.exit('done')",
		"c = dbutils.notebook.entry_point.getDbutils().notebook().getContext()", "evals = [1]; compiled = 2; executor.submit(f)",
		"print('ｅxec(s)')", "print(f'eval: {x}, eval loss')", "mode == 'eval'", "%sh pip list", "!pip install x", "%sh ls /dbfs", "x = \"＂\"; y = 1"} {
		n := notebookSource{language: "python"}
		n.add(code, "")
		for _, c := range callsOf(n) {
			if c.how != byImport || c.computed != "" {
				t.Errorf("%q: %s", code, c.told())
			}
		}
	}
}

// FuzzBlank: nothing moves, and nothing but comments and text goes.
func FuzzBlank(f *testing.F) {
	seeds := []string{"x = 'a' # b\n'''c'''", `"\"`, "/* a */ // b", "'''", "\"\"\"a\\\"\"\"\""}
	if len(seeds) < 5 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		for _, language := range []string{"python", "scala", "r"} {
			f.Add(s, language)
		}
	}
	f.Fuzz(func(t *testing.T, code, language string) {
		hidden := blank(code, language, isQuoted)
		if len(hidden) != len(code) || strings.Count(hidden, "\n") != strings.Count(code, "\n") {
			t.Errorf("%q became %q", code, hidden)
		}
		for i := range len(code) {
			if hidden[i] != code[i] && hidden[i] != ' ' {
				t.Errorf("%q became %q", code, hidden)
			}
		}
		notebookCalls(code, hidden, "")
		imports(hidden)
		computedImports(code, hidden, "")
	})
}
