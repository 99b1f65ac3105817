package databricks

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// notebookSource is the source of a notebook or of a plain file of code, as a list of cells. A plain file is one cell.
type notebookSource struct {
	language string // python, sql, scala, r; empty: not known
	plain    bool   // no notebook: nothing in it is a mark of Databricks' format
	cells    []cell
}

// cell is one cell, without blank lines at its ends and without marks of a file's format.
type cell struct {
	title  string
	number int // from 1
	lines  []codeLine
}

// codeLine is a line, and where the file has it.
type codeLine struct {
	text string
	at   int // line of the file, from 1; 0: the file is no list of lines
}

// languages are the notebooks' languages, by the extension of their files.
var languages = map[string]string{".py": "python", ".sql": "sql", ".scala": "scala", ".r": "r", ".R": "r"}

// sourceExtensions are those that a notebook's file may have, ".ipynb" aside.
var sourceExtensions = []string{".py", ".sql", ".scala", ".r", ".R"}

// marks begin the comments in which Databricks' source format hides what is no code of the notebook's language.
var marks = map[string]string{"python": "#", "r": "#", "sql": "--", "scala": "//"}

// The marks of Databricks' source format, behind a comment's mark.
// Source: https://docs.databricks.com/notebooks/notebook-export-import.html, and public notebooks that Databricks exported
const (
	headerMark    = "Databricks notebook source"
	separatorMark = "COMMAND ----------"
	magicMark     = "MAGIC"
	titleMark     = "DBTITLE"
)

// parseSource reads a file as the notebook that Databricks makes of it. otherwise is the language of a file whose name and
// first line do not tell it. Marks count below a header only; without one they are comments.
func parseSource(name string, data []byte, otherwise string) (notebookSource, error) {
	return parseMarks(name, data, otherwise, false)
}

// parseLoosely is parseSource, but takes for a mark whatever looks like one. Where the two differ, nobody here knows what
// Databricks makes of the file.
func parseLoosely(name string, data []byte, otherwise string) (notebookSource, error) {
	return parseMarks(name, data, otherwise, true)
}

func parseMarks(name string, data []byte, otherwise string, loosely bool) (notebookSource, error) {
	if strings.EqualFold(path.Ext(name), ".ipynb") {
		return parseJupyter(data)
	}
	lines := textLines(data)
	language := languages[path.Ext(name)]
	if language == "" {
		language = languageOf(lines, otherwise)
	}
	mark := marks[language]
	if mark == "" {
		return notebookSource{}, errors.New("its language is not known")
	}
	n := notebookSource{language: language}
	numbered := numberLines(lines)
	if len(lines) > 0 && strings.TrimSpace(lines[0]) == mark+" "+headerMark {
		n.cells = splitCells(withoutEnvironment(numbered[1:], mark), mark, loosely)
	} else if loosely {
		n.cells = splitCells(numbered, mark, loosely)
	} else if numbered = trimBlank(numbered); len(numbered) > 0 {
		n.cells = []cell{{number: 1, lines: numbered}}
	}
	return n, nil
}

// plainSource is a file of code that is no notebook.
func plainSource(name string, data []byte) notebookSource {
	c := cell{number: 1, lines: trimBlank(numberLines(textLines(data)))}
	return notebookSource{language: languages[path.Ext(name)], plain: true, cells: []cell{c}}
}

// textLines are the lines of a text without their ends, and without a byte order mark.
func textLines(data []byte) []string {
	text := strings.TrimPrefix(string(data), "\uFEFF")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if text = strings.TrimSuffix(text, "\n"); text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func numberLines(lines []string) []codeLine {
	out := make([]codeLine, len(lines))
	for i, line := range lines {
		out[i] = codeLine{line, i + 1}
	}
	return out
}

// languageOf tells the language by the comment that the first line is.
func languageOf(lines []string, otherwise string) string {
	if len(lines) > 0 {
		for _, language := range []string{"sql", "scala"} {
			if strings.TrimSpace(lines[0]) == marks[language]+" "+headerMark {
				return language
			}
		}
		if otherwise != "r" && strings.TrimSpace(lines[0]) == "# "+headerMark {
			return "python"
		}
	}
	return otherwise
}

// withoutEnvironment drops the block behind the header that describes a serverless environment: it is no cell.
func withoutEnvironment(lines []codeLine, mark string) []codeLine {
	if len(lines) == 0 || strings.TrimSpace(lines[0].text) != mark+" /// script" {
		return lines
	}
	for i, line := range lines[1:] {
		text := strings.TrimSpace(line.text)
		if text == mark+" ///" {
			return lines[i+2:]
		}
		if !strings.HasPrefix(text, mark) {
			break
		}
	}
	return lines
}

// splitCells cuts at the separators. Empty cells are left out: nothing runs in them.
func splitCells(lines []codeLine, mark string, loosely bool) (cells []cell) {
	var block []codeLine
	flush := func() {
		if c := newCell(block, mark, loosely); len(c.lines) > 0 {
			c.number = len(cells) + 1
			cells = append(cells, c)
		}
		block = nil
	}
	for _, line := range lines {
		if strings.TrimSpace(line.text) == mark+" "+separatorMark {
			flush()
			continue
		}
		block = append(block, line)
	}
	flush()
	return cells
}

// newCell takes the marks away: from a cell all of whose lines have one, and that begins with a magic command; loosely, from
// whatever line has one.
func newCell(block []codeLine, mark string, loosely bool) (c cell) {
	block = trimBlank(block)
	if len(block) > 0 {
		if title, found := strings.CutPrefix(block[0].text, mark+" "+titleMark+" "); found {
			_, c.title, _ = strings.Cut(title, ",")
			block = block[1:]
		}
	}
	marked, all := withoutMarks(block, mark)
	if loosely || all && (cell{lines: marked}).magic() != "" {
		block = marked
	}
	c.lines = trimBlank(block)
	return c
}

// withoutMarks takes the mark of magic off the lines that have it, and tells whether all have.
func withoutMarks(block []codeLine, mark string) (lines []codeLine, all bool) {
	all = true
	for _, line := range block {
		rest, found := strings.CutPrefix(line.text, mark+" "+magicMark)
		if found = found && (rest == "" || rest[0] == ' '); found {
			line.text = strings.TrimPrefix(rest, " ")
		}
		all = all && found
		lines = append(lines, line)
	}
	return trimBlank(lines), all
}

// trimBlank drops blank lines at both ends.
func trimBlank(lines []codeLine) []codeLine {
	blank := func(l codeLine) bool { return strings.TrimSpace(l.text) == "" }
	for len(lines) > 0 && blank(lines[0]) {
		lines = lines[1:]
	}
	for len(lines) > 0 && blank(lines[len(lines)-1]) {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// jupyter is what is read of a Jupyter notebook.
// Source: https://nbformat.readthedocs.io/en/latest/format_description.html
type jupyter struct {
	Format   int `json:"nbformat"`
	Metadata struct {
		Language struct {
			Name string `json:"name"`
		} `json:"language_info"`
		Databricks struct {
			Language string `json:"language"`
		} `json:"application/vnd.databricks.v1+notebook"`
	} `json:"metadata"`
	Cells []struct {
		Type   string          `json:"cell_type"`
		Source json.RawMessage `json:"source"` // text, or a list of lines
	} `json:"cells"`
}

// parseJupyter reads a Jupyter notebook: its Markdown is what Databricks makes cells with %md of.
func parseJupyter(data []byte) (notebookSource, error) {
	var j jupyter
	if err := json.Unmarshal(data, &j); err != nil {
		return notebookSource{}, errors.New("it is no Jupyter notebook")
	}
	if j.Format != 4 {
		return notebookSource{}, fmt.Errorf("it is a Jupyter notebook of format %d, and only format 4 can be read", j.Format)
	}
	n := notebookSource{language: strings.ToLower(j.Metadata.Databricks.Language)}
	if n.language == "" {
		n.language = strings.ToLower(j.Metadata.Language.Name)
	}
	for _, c := range j.Cells {
		text, err := jupyterText(c.Source)
		if err != nil {
			return n, err
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		switch c.Type {
		case "markdown":
			text = withMarkdownCommand(text)
		case "code":
		default:
			return n, fmt.Errorf("what Databricks makes of its %s cell is not known", quotedText(c.Type))
		}
		n.add(text, "")
	}
	return n, nil
}

// withMarkdownCommand is a cell of Markdown as Databricks has it, unless it is that already.
func withMarkdownCommand(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if (cell{lines: []codeLine{{first, 0}}}).isMarkdown() {
		return text
	}
	return "%md\n" + text
}

func jupyterText(source json.RawMessage) (string, error) {
	if len(source) == 0 {
		return "", nil
	}
	var text string
	if json.Unmarshal(source, &text) == nil {
		return text, nil
	}
	var lines []string
	if err := json.Unmarshal(source, &lines); err != nil {
		return "", errors.New("a cell of the Jupyter notebook has no text")
	}
	return strings.Join(lines, ""), nil
}

// add appends a cell, unless nothing is in it.
func (n *notebookSource) add(text, title string) {
	var lines []codeLine
	for _, line := range textLines([]byte(text)) {
		lines = append(lines, codeLine{line, 0})
	}
	if lines = trimBlank(lines); len(lines) > 0 {
		n.cells = append(n.cells, cell{title, len(n.cells) + 1, lines})
	}
}

// notebookModel finds the notebook in the page that the Jobs API exports.
// Source: https://docs.databricks.com/api/workspace/jobs/exportrun, https://docs.databricks.com/_static/examples/extract.py
var notebookModel = pattern.New(`__DATABRICKS_NOTEBOOK_MODEL\s*=\s*(?:'([A-Za-z0-9+/=]*)'|"([A-Za-z0-9+/=]*)")`)

// model is what is read of a notebook's model.
type model struct {
	Language string    `json:"language"`
	Commands []command `json:"commands"`
}

// command is one cell of the model.
type command struct {
	Position float64 `json:"position"`
	Command  string  `json:"command"`
	Title    string  `json:"commandTitle"`
}

// rebuild makes the notebook's source of an exported page: base64 of URL-encoded JSON, whose commands have positions.
func rebuild(page string) (notebookSource, error) {
	found := notebookModel().FindAllStringSubmatch(page, 2)
	if len(found) != 1 {
		return notebookSource{}, fmt.Errorf("the exported page holds %d notebooks, not one", len(found))
	}
	data, err := base64.StdEncoding.DecodeString(found[0][1] + found[0][2])
	if err != nil {
		return notebookSource{}, errors.New("the notebook in the exported page is not base64")
	}
	text := string(data)
	if !strings.HasPrefix(text, "{") {
		if text, err = url.PathUnescape(text); err != nil {
			return notebookSource{}, errors.New("the notebook in the exported page is not URL-encoded")
		}
	}
	var m model
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return notebookSource{}, errors.New("the notebook in the exported page is not JSON of the known form")
	}
	return m.source()
}

// source puts the commands into their order.
func (m model) source() (notebookSource, error) {
	n := notebookSource{language: strings.ToLower(m.Language)}
	if marks[n.language] == "" {
		return n, fmt.Errorf("the notebook's language is %q, which is not known", foreign.Plain(m.Language))
	}
	slices.SortStableFunc(m.Commands, func(a, b command) int { return cmp.Compare(a.Position, b.Position) })
	for _, c := range m.Commands {
		n.add(c.Command, foreign.Plain(c.Title))
	}
	return n, nil
}

// text is the source as Databricks exports it, with LF line ends and one at the end.
func (n notebookSource) text() string {
	if n.plain {
		return n.cells[0].text() + "\n"
	}
	mark := marks[n.language]
	if mark == "" {
		mark = "#"
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s\n", mark, headerMark)
	for i, c := range n.cells {
		if i > 0 {
			fmt.Fprintf(&out, "\n%s %s\n\n", mark, separatorMark)
		}
		if c.title != "" {
			fmt.Fprintf(&out, "%s %s 1,%s\n", mark, titleMark, c.title)
		}
		out.WriteString(c.marked(mark))
	}
	return out.String()
}

// text is the cell's code.
func (c cell) text() string {
	lines := make([]string, len(c.lines))
	for i, line := range c.lines {
		lines[i] = line.text
	}
	return strings.Join(lines, "\n")
}

// marked is the cell as it stands in a file: one that begins with a magic command is a comment there.
func (c cell) marked(mark string) string {
	if c.magic() == "" {
		return c.text() + "\n"
	}
	var out strings.Builder
	for _, line := range c.lines {
		out.WriteString(strings.TrimRight(mark+" "+magicMark+" "+line.text, " ") + "\n")
	}
	return out.String()
}

// magic is the magic command that the cell begins with, without its %, or empty.
func (c cell) magic() string {
	if len(c.lines) == 0 {
		return ""
	}
	text, found := strings.CutPrefix(strings.TrimSpace(c.lines[0].text), "%")
	if !found {
		return ""
	}
	if end := strings.IndexAny(text, " \t"); end >= 0 {
		text = text[:end]
	}
	return text
}

// isMarkdown tells whether it begins with the magic command for Markdown.
func (c cell) isMarkdown() bool { return c.magic() == "md" || c.magic() == "md-sandbox" }

// comparable are the lines by which two sources are compared: Markdown may begin on the line of its magic command or below.
func (c cell) comparable(plain bool) []codeLine {
	if magic := c.magic(); !plain && c.isMarkdown() {
		first := c.lines[0]
		rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(first.text), "%"+magic))
		lines := []codeLine{{"%" + magic, first.at}}
		below := c.lines[1:]
		if rest != "" {
			below = append([]codeLine{{rest, first.at}}, below...)
		}
		return append(lines, trimBlank(below)...)
	}
	return c.lines
}

// difference says where two sources first differ, or nothing. Titles of cells do not count: they do not run. Lines that may
// hold a secret are not repeated: the note is signed, and public.
func difference(commit, run notebookSource, known ...string) string {
	if marks[commit.language] != "" && marks[run.language] != "" && commit.language != run.language {
		return fmt.Sprintf("the commit's is in %s, the run's in %s", quotedLine(commit.language), quotedLine(run.language))
	}
	last := 0
	for i := range max(len(commit.cells), len(run.cells)) {
		var a, b []codeLine
		if i < len(commit.cells) {
			a = commit.cells[i].comparable(commit.plain)
		}
		if i < len(run.cells) {
			b = run.cells[i].comparable(run.plain)
		}
		if line, has, had, differs := firstDifference(a, b, &last); differs {
			where := fmt.Sprintf("line %d", line)
			if line == 0 {
				where = fmt.Sprintf("cell %d", i+1)
			}
			if mayHoldSecret(a, sameLines(a, b), known) || mayHoldSecret(b, sameLines(a, b), known) {
				return where + " differs"
			}
			return fmt.Sprintf("%s: the commit has %s, the run had %s", where, has, had)
		}
	}
	return ""
}

// firstDifference compares two cells; last is the last line of the commit's file that was looked at.
func firstDifference(a, b []codeLine, last *int) (line int, has, had string, differs bool) {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a) && len(a) == 0:
			return after(*last), "nothing more", quotedLine(b[i].text), true
		case i >= len(a):
			return after(*last), "the end of the cell", quotedLine(b[i].text), true
		case i >= len(b) && len(b) == 0:
			return a[i].at, quotedLine(a[i].text), "nothing more", true
		case i >= len(b):
			return a[i].at, quotedLine(a[i].text), "the end of the cell", true
		case strings.TrimRight(a[i].text, "\r") != strings.TrimRight(b[i].text, "\r"):
			return a[i].at, quotedLine(a[i].text), quotedLine(b[i].text), true
		}
		*last = a[i].at
	}
	return 0, "", "", false
}

// after is the line behind one, where lines have numbers.
func after(line int) int {
	if line == 0 {
		return 0
	}
	return line + 1
}

// maxClipped is how many bytes of a line a note repeats.
const maxClipped = 120

// sameLines is how many lines two cells have in common at their beginnings.
func sameLines(a, b []codeLine) (n int) {
	for n < min(len(a), len(b)) && strings.TrimRight(a[n].text, "\r") == strings.TrimRight(b[n].text, "\r") {
		n++
	}
	return n
}

// mayHoldSecret tells whether a line may hold a secret, by itself or because an earlier line began one, or text in quotes.
// A shell needs no quotes.
func mayHoldSecret(lines []codeLine, i int, known []string) bool {
	if i >= len(lines) {
		return false
	}
	var before []string
	for _, line := range lines[:i+1] {
		before = append(before, line.text)
	}
	line := lines[i].text
	if isShell(lines) || foreign.InLiteral(before[:i]) || foreign.NamesSecret(line) || (&foreign.Redactor{Known: known}).Text(line) != line || foreign.RedactCode(line, known...) != line {
		return true
	}
	return !strings.HasSuffix("\n"+foreign.RedactCode(strings.Join(before, "\n"), known...), "\n"+line)
}

// quotedLine is a line of foreign code in a note, short, and without what it has in quotes.
func quotedLine(s string) string {
	if s = foreign.Plain(foreign.MaskLiterals(s)); s == "" {
		return "a blank line"
	}
	return quotedText(s)
}

// quotedText is foreign text in a note, short.
func quotedText(s string) string {
	s = foreign.Plain(s)
	if len(s) > maxClipped {
		s = strings.ToValidUTF8(s[:maxClipped], "") + "…"
	}
	return "“" + s + "”"
}
