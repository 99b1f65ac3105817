package delta

import (
	"strings"
	"testing"
)

// spelled is a table whose version 1 adds one file, and whose version 2 has other lines.
func spelled(t *testing.T, added string, lines ...string) string {
	t.Helper()
	dir := valuedTable(t, "", nil)
	commitTo(t, dir, 1, addLine(added, nil))
	commitTo(t, dir, 2, lines...)
	return dir
}

// TestSpellings: readers compare paths as they are written, so that who removes another spelling removes nothing.
func TestSpellings(t *testing.T) {
	for name, c := range map[string][2]string{
		"letter":      {"p%61rt", "part"},
		"space":       {"a%20b", "a b"},
		"case of hex": {"a%c3%a4", "a%C3%A4"},
		"umlaut":      {"a%C3%A4", "aä"},
		"colon":       {"d/a%3Ab", "d/a:b"},
		"plus":        {"a%2Bb", "a+b"},
		"slash":       {"d%2Fpart", "d/part"},
		"backslash":   {"d%5Cpart", `d\part`},
		"percent":     {"a%25b", "%61%25b"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pair := range [][2]string{c, {c[1], c[0]}} {
				_, err := openTable(t, spelled(t, pair[0], removeLine(pair[1])), At{})
				wantRefused(t, err, "the log writes the path of one file in several ways")
				_, err = openTable(t, spelled(t, pair[0], addLine(pair[1], nil)), At{})
				wantRefused(t, err, "the log writes the path of one file in several ways")
				_, err = openTable(t, spelled(t, "x", addLine(pair[0], nil), removeLine(pair[1])), At{})
				wantRefused(t, err, "the log writes the path of one file in several ways")
				opened, err := openTable(t, spelled(t, pair[0], removeLine(pair[0])), At{})
				if err != nil {
					t.Errorf("one spelling, %s: %v", pair[0], err)
				} else if n := opened.Noun().DataFiles; n != 4 {
					t.Errorf("one spelling, %s: %d files", pair[0], n)
				}
			}
		})
	}
}

// TestSpellingsAgain: a file that is gone may come back under another spelling.
func TestSpellingsAgain(t *testing.T) {
	dir := spelled(t, "p%61rt", removeLine("p%61rt"))
	commitTo(t, dir, 3, addLine("part", nil))
	opened, err := openTable(t, dir, At{})
	if err != nil {
		t.Fatal(err)
	}
	if n := opened.Noun().DataFiles; n != 4 {
		t.Errorf("%d files", n)
	}
}

// TestSpellingOfVectors: a path counts for the vectors of its file, too.
func TestSpellingOfVectors(t *testing.T) {
	vector := vectorOf("i", "abcde", 1, 4, 1)
	add := func(path string) string { return line("add", entry{"path": path, "size": 5, "deletionVector": vector}) }
	dir := spelled(t, "x", vectorProtocol, add("p%61rt"))
	commitTo(t, dir, 3, line("remove", entry{"path": "part", "deletionVector": vector}))
	_, err := openTable(t, dir, At{})
	wantRefused(t, err, "in several ways, one of them \"part\"")
}

// TestSpellingsOfCheckpoints and of compacted logs.
func TestSpellingsOfCheckpoints(t *testing.T) {
	dir := table(t, "compacted")
	rows := addRows(t, dir, 4)
	rows[2].Path = strings.Replace(rows[2].Path, "part", "p%61rt", 1)
	checkpointKinds[0].write(t, dir, rows)
	_, err := openTable(t, dir, version(4))
	wantRefused(t, err, "the log writes the path of one file in several ways")
}

func TestSpellingsOfCompactedLogs(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"of a file before it":  {[]string{addLine("y", nil), removeLine("%73tays")}, "the log writes the path of one file in several ways"},
		"of a file inside it":  {[]string{addLine("%79", nil), removeLine("stays")}, "they have other files"},
		"as the commits do it": {[]string{addLine("y", nil), removeLine("stays")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := spelled(t, "stays", addLine("y", nil))
			commitTo(t, dir, 3, removeLine("stays"))
			writeLog(t, dir, pad(2)+"."+pad(3)+".compacted.json", strings.Join(c.lines, "\n"))
			_, err := openTable(t, dir, At{})
			if c.want != "" {
				wantRefused(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
