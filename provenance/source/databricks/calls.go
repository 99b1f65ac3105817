package databricks

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// The ways in which a notebook runs other code of the workspace or the repository.
const (
	byRun      = "%run"
	byNotebook = "dbutils.notebook.run"
	byImport   = "import"
)

// call is one place where a source runs another.
type call struct {
	how  string
	name string // path of a notebook, or the dotted name of a module, with leading dots where it is relative
	// members are the names that are imported from a module, and may be modules themselves.
	members []string
	// computed says why nobody can tell what is run; then name is where that happens.
	computed string
}

// maxSearched is the longest line that is searched, in bytes: for each find in it, some look back to where it begins.
const maxSearched = 64 << 10

// callsOf finds what a source runs in turn. What is not written out as a name, is computed.
func callsOf(n notebookSource) (calls []call) {
	for _, c := range n.cells {
		c = c.asRun()
		language, code := c.code(n.language)
		at := fmt.Sprintf("cell %d", c.number)
		if n.plain {
			at = "the file"
		}
		if slices.ContainsFunc(c.lines, func(l codeLine) bool { return len(l.text) > maxSearched }) {
			calls = append(calls, call{how: byNotebook, name: at, computed: "it has a line that is too long to be searched"})
			continue
		}
		if !n.plain && language != "" {
			calls = append(calls, runCalls(c, at)...)
		}
		hidden := blank(code, language, isQuoted)
		joined := hidden
		if language == "python" { // a line may go on after a backslash
			joined = strings.ReplaceAll(hidden, "\\\n", " \n")
		}
		switch language {
		case "python":
			calls = append(calls, notebookCalls(code, joined, at)...)
			calls = append(calls, imports(hidden)...)
			plain := strings.ReplaceAll(blank(code, language, isPlainText), "\\\n", " \n")
			calls = append(calls, computedImports(code, plain, at)...)
			calls = append(calls, programs(c, at)...)
		case "scala", "r":
			calls = append(calls, notebookCalls(code, joined, at)...)
		default:
			calls = append(calls, programs(c, at)...)
			continue
		}
		if why := c.hides(n.plain, joined, language); why != "" {
			calls = append(calls, call{how: byNotebook, name: at, computed: why})
		}
	}
	return calls
}

var (
	// reachNotebook finds dbutils.notebook wherever it is written, and hiddenReach the ways to it by names in text.
	reachNotebook = pattern.New("\\bdbutils\\b[\\s\\\\.`{]*\\bnotebook\\b") // also as Scala may write it: dbutils notebook, dbutils.{notebook => nb}
	anyNotebook   = pattern.New("[.`][\\s\\\\]*notebook\\b")
	otherNotebook = pattern.New(`\btqdm\s*\.\s*notebook\b|\bgetDbutils\(\)\s*\.\s*notebook\(\)\s*\.\s*getContext\b`)
	hiddenReach   = pattern.New(`\bgetattr\s*\(\s*dbutils\b|\bdbutils\s*\.\s*__\w+|["']notebook(?:\.run)?["']`)
	usesUtilities = pattern.New(`\bdbutils\b`)
	plainRun      = pattern.New(`\bdbutils\s*\.\s*notebook\s*\.\s*(?:run|exit|entry_point\s*\.\s*getDbutils\(\)\s*\.\s*notebook\(\)\s*\.\s*getContext)\b`)
	evalInR       = pattern.New(`\b(?:eval|source)\s*\(`)
	magicLine     = pattern.New(`(?m)^[ \t]*%{1,2}([A-Za-z_][\w-]*)`)
)

// harmlessMagics run nothing of the workspace on their line, or are read elsewhere (%run).
var harmlessMagics = map[string]bool{"run": true, "pip": true, "conda": true, "python": true, "scala": true, "r": true, "sql": true, "md": true,
	"sh": true, "fs": true, "matplotlib": true, "autoreload": true, "capture": true, "config": true, "tensorboard": true, "skip": true}

// hides says why a cell may run a notebook that nobody sees in it: it reaches dbutils.notebook in another way than by the calls
// that were read, in formatted text or under another name, say; or a command runs what stands on its line.
func (c cell) hides(isModule bool, hidden, language string) string {
	all := uncommented(c.text(), language)
	count := func(p func() *regexp.Regexp, in string) int { return len(p().FindAllString(in, -1)) }
	renamed := count(anyNotebook, all)-count(otherNotebook, all) > count(reachNotebook, all)
	switch {
	case count(reachNotebook, all) > count(plainRun, hidden), usesUtilities().MatchString(all) && (renamed || hiddenReach().MatchString(all)):
		return "what it runs is computed (dbutils.notebook)"
	case language == "r" && evalInR().MatchString(hidden):
		return "what it runs is computed (eval)"
	case isModule: // which has no magic commands
		return ""
	}
	for _, m := range magicLine().FindAllStringSubmatch(all, -1) {
		if !harmlessMagics[m[1]] {
			return "what it runs is not known (%" + m[1] + ")"
		}
	}
	return ""
}

// uncommented is the code with blanks instead of comments. Text in quotes stays. What follows formatted text on its line stays too,
// because quotes in its braces may end it early here; and so does all where R has raw text, whose end is not looked for.
func uncommented(code, language string) string {
	if language == "r" && rawText().MatchString(code) {
		return code
	}
	return blank(code, language, func(code string, i, marks int) bool {
		return marks == 0 && (language != "python" || !formatted().MatchString(lineBefore(code, i)))
	})
}

var (
	rawText   = pattern.New(`\b[rR]["']-*[(\[{]`)
	formatted = pattern.New(`\b(?:[fF][rR]?|[rR][fF])["']`)
	formatsAt = pattern.New(`\b(?:[fF][rR]?|[rR][fF])$`)
)

// isQuoted is everything in comments and quotes.
func isQuoted(string, int, int) bool { return true }

// isPlainText is the same without Python's formatted text, whose braces hold code.
func isPlainText(code string, i, marks int) bool {
	return marks == 0 || !formatsAt().MatchString(code[max(0, i-3):i])
}

// cellLanguages are the languages of cells, by their magic commands. What other commands run is not read here.
var cellLanguages = map[string]string{"python": "python", "scala": "scala", "r": "r", "sql": "sql", "md": "", "md-sandbox": "", "sh": "", "fs": ""}

// code is the cell's code and its language; empty for a language that runs nothing of the workspace. Lines with magic commands,
// such as %pip, are blank in it.
func (c cell) code(language string) (string, string) {
	if of, known := cellLanguages[c.magic()]; known {
		language = of
	}
	lines := make([]string, len(c.lines))
	for i, line := range c.lines {
		if !strings.HasPrefix(strings.TrimSpace(line.text), "%") {
			lines[i] = line.text
		} else if i == 0 { // code may follow on the line of the magic command: %python import x
			_, lines[i], _ = strings.Cut(strings.TrimSpace(line.text), " ")
			if _, known := cellLanguages[c.magic()]; !known {
				lines[i] = ""
			}
		}
	}
	return language, strings.Join(lines, "\n")
}

// runCalls reads each line with a %run: a path, perhaps in quotes, and perhaps followed by $name="value".
// Source: https://docs.databricks.com/notebooks/notebook-workflows.html
func runCalls(c cell, at string) (calls []call) {
	for i, line := range c.lines {
		text, found := strings.CutPrefix(strings.TrimSpace(line.text), "%run")
		if !found || text != "" && text[0] != ' ' && text[0] != '\t' {
			continue
		}
		if text = strings.TrimSpace(text); text == "" && i+1 < len(c.lines) {
			text = strings.TrimSpace(c.lines[i+1].text)
		}
		if path := runPath(text); path != "" {
			calls = append(calls, call{how: byRun, name: path})
		} else {
			calls = append(calls, call{how: byRun, name: at, computed: "what it runs is computed"})
		}
	}
	return calls
}

// runPath is the path that stands behind %run, or empty if none is written out.
func runPath(text string) string {
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		path, _, closed := strings.Cut(text[1:], text[:1])
		if !closed {
			return ""
		}
		text = path
	} else {
		text, _, _ = strings.Cut(text, " $")
	}
	if text = strings.TrimSpace(text); strings.ContainsAny(text, "${}") {
		return ""
	}
	return text
}

// blank is the code with what stands in comments and in quotes replaced by blanks, if it is to go, so that only code is left, at the
// same places. Quotes and line ends stay.
func blank(code, language string, goes func(code string, i, marks int) bool) string {
	out := []byte(code)
	for i := 0; i < len(out); {
		end, inner := quoted(code, i, language)
		if end == i {
			i++
			continue
		}
		for k := i + inner; k < end-inner && k < len(out); k++ {
			if goes(code, i, inner) && out[k] != '\n' {
				out[k] = ' '
			}
		}
		i = end
	}
	return string(out)
}

// quoted finds the comment or the quoted text that begins at i: where it ends, and how many bytes its marks have. No such
// thing begins there when end is i.
func quoted(code string, i int, language string) (end, marks int) {
	rest := code[i:]
	until := func(mark string, from int) int {
		if n := strings.Index(rest[from:], mark); n >= 0 {
			return i + from + n + len(mark)
		}
		return len(code)
	}
	triple := func() int { return i + endOfTriple(rest, language) }
	line := func() int {
		if n := strings.IndexByte(rest, '\n'); n >= 0 {
			return i + n
		}
		return len(code)
	}
	switch {
	case language == "scala" && strings.HasPrefix(rest, "//"), language != "scala" && rest[0] == '#':
		return line(), 0
	case language == "scala" && strings.HasPrefix(rest, "/*"):
		return until("*/", 2), 0
	case language != "r" && strings.HasPrefix(rest, `"""`):
		return triple(), 3
	case language == "python" && strings.HasPrefix(rest, `'''`):
		return triple(), 3
	case language == "scala" && scalaChar().MatchString(rest):
		return i + len(scalaChar().FindString(rest)), 1
	case language != "python" && rest[0] == '`': // a name that may hold anything
		return i + endOfLiteral(rest, language), 1
	case rest[0] == '"', rest[0] == '\'' && language != "scala":
		return i + endOfLiteral(rest, language), 1
	}
	return i, 0
}

// scalaChar is one character; a single quote alone is none.
var scalaChar = pattern.New(`^'(?:\\u+[0-9a-fA-F]{4}|\\.|[^\\'\n])'`)

// endOfTriple is the length of text in three quotes that begins s. In Python a backslash takes the next byte; in Scala the last three
// of several quotes end it.
func endOfTriple(s, language string) int {
	for k := 3; k < len(s); k++ {
		switch {
		case s[k] == '\\' && language == "python":
			k++
		case strings.HasPrefix(s[k:], s[:3]):
			for language == "scala" && k+3 < len(s) && s[k+3] == s[0] {
				k++
			}
			return k + 3
		}
	}
	return len(s)
}

// endOfLiteral is the length of text in quotes that begins s. In Python and Scala it ends with its line.
func endOfLiteral(s, language string) int {
	for k := 1; k < len(s); k++ {
		switch {
		case s[k] == '\\':
			k++
		case s[k] == s[0]:
			return k + 1
		case s[k] == '\n' && language != "r":
			return k
		}
	}
	return len(s)
}

var (
	notebookRun = pattern.New(`\bnotebook\s*\.\s*run\b`)
	firstArg    = pattern.New(`^\s*\(\s*(?:path\s*=\s*)?[rRbBuU]?("""[^"\\]*"""|"[^"\\\n]*"|'[^'\\\n]*')\s*[,)]`)
)

// notebookCalls finds dbutils.notebook.run with its first argument.
func notebookCalls(code, hidden, at string) (calls []call) {
	for _, m := range notebookRun().FindAllStringIndex(hidden, -1) {
		arg := firstArg().FindStringSubmatch(code[m[1]:])
		if arg == nil {
			calls = append(calls, call{how: byNotebook, name: at, computed: "what it runs is computed"})
			continue
		}
		calls = append(calls, call{how: byNotebook, name: strings.Trim(arg[1], `"'`)})
	}
	return calls
}

var (
	importNames = pattern.New(`(?m)(?:^|[;:])[ \t]*import[ \t]+([^\n;]+)`)
	importFrom  = pattern.New(`(?m)(?:^|[;:])[ \t]*from[ \t]*(\.*[ \t]*[\pL_][\pL\pN_.]*|\.+)[ \t]*import\b[ \t]*(\([^)]*\)|[^\n;]+)`)
	aroundDots  = pattern.New(`[ \t]*\.[ \t]*`)
	dottedName  = pattern.New(`^[\pL_][\pL\pN_]*(?:\.[\pL_][\pL\pN_]*)*$`)
)

// imports finds Python's import statements.
// Source: https://docs.python.org/3/reference/simple_stmts.html#import
func imports(hidden string) (calls []call) {
	hidden = strings.ReplaceAll(hidden, "\\\n", "  ")
	for _, m := range importNames().FindAllStringSubmatch(hidden, -1) {
		for _, name := range namesIn(m[1]) {
			calls = append(calls, call{how: byImport, name: name})
		}
	}
	for _, m := range importFrom().FindAllStringSubmatch(hidden, -1) {
		name := strings.ReplaceAll(strings.ReplaceAll(m[1], " ", ""), "\t", "")
		calls = append(calls, call{how: byImport, name: name, members: namesIn(strings.Trim(m[2], "()"))})
	}
	return calls
}

// namesIn are the names of a list such as "a.b as c, d". Blanks may stand around dots.
func namesIn(list string) (names []string) {
	list = aroundDots().ReplaceAllString(list, ".")
	for _, item := range strings.Split(list, ",") {
		fields := strings.Fields(item)
		if len(fields) > 0 && dottedName().MatchString(fields[0]) {
			names = append(names, fields[0])
		}
	}
	return names
}

// computing are the ways around the import statement.
var computing = []struct {
	find func() *regexp.Regexp
	why  string
}{
	{pattern.New(`\bsys\s*\.\s*path\b|\bsys\s+as\b|\bfrom\s+sys\s+import\b[^\n;]*\bpath\b|\baddsitedir\b`), "it changes where modules are looked for (sys.path)"},
	{pattern.New(`\baddPyFile\b`), "it adds files of code to the cluster (addPyFile)"},
	{pattern.New(`\brunpy\b`), "what it runs is computed (runpy)"},
	// A method of that name is none of Python's own, and neither is a keyword argument.
	{pattern.New(`(?m)(?:^|[^\w.])exec\s*(?:[^\w\s=:]|==|$)`), "what it runs is computed (exec)"},
	{pattern.New(`(?m)(?:^|[^\w.])eval\s*(?:[^\w\s=:]|==|$)`), "what it runs is computed (eval)"},
	{pattern.New(`(?m)(?:^|[^\w.])compile\s*(?:[^\w\s=:]|==|$)`), "what it runs is computed (compile)"},
	{pattern.New(`\b(?:__builtins__|builtins)\b`), "what it runs is computed (builtins)"},
	{pattern.New(`\bget_ipython\b|\brun_(?:line_magic|cell_magic|cell)\b`), "what it runs is computed (IPython)"},
	{pattern.New(`\b(?:spec_from_file_location|module_from_spec|exec_module|SourceFileLoader)\b|\bimport_module\s+as\b`), "what it imports is computed (importlib)"},
	{pattern.New(`\bsubprocess\b|\bos\s*\.\s*(?:system|popen|exec|spawn|posix_spawn)\w*|\bfrom\s+os\s+import\b[^\n;]*\b(?:system|popen|exec|spawn)\w*`), "it runs other programs (subprocess)"},
}

var importFunction = pattern.New(`\bimport_module\b|\b__import__\b`)

// computedImports finds modules that are imported without a statement.
func computedImports(code, hidden, at string) (calls []call) {
	for _, c := range computing {
		if c.find().MatchString(hidden) {
			calls = append(calls, call{how: byImport, name: at, computed: c.why})
		}
	}
	for _, m := range importFunction().FindAllStringIndex(hidden, -1) {
		if strings.HasPrefix(strings.TrimSpace(lineBefore(hidden, m[0])), "from ") {
			continue // from importlib import import_module
		}
		arg := firstArg().FindStringSubmatch(code[m[1]:])
		name := ""
		if arg != nil {
			name = strings.Trim(arg[1], `"'`)
		}
		if !dottedName().MatchString(name) {
			calls = append(calls, call{how: byImport, name: at, computed: "what it imports is computed"})
			continue
		}
		calls = append(calls, call{how: byImport, name: name})
	}
	return calls
}

// lineBefore is the part of its line that stands before a place.
func lineBefore(s string, at int) string { return s[strings.LastIndexByte(s[:at], '\n')+1 : at] }
