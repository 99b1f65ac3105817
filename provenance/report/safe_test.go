package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// hostile is text, and what Safe makes of it.
var hostile = []struct{ in, want string }{
	{"plain\ttext\n", "plain\ttext\n"},
	{"Größe 数 🙂", "Größe 数 🙂"},
	{"issue #1, ## heading [link]", "issue #1, ## heading [link]"},
	{"##vso[task.setvariable variable=a]b", "##vso [task.setvariable variable=a]b"},
	{"a line ##vso[task.complete]", "a line ##vso [task.complete]"},
	{"##VsO[x", "##VsO [x"},
	{"##v\u017fo[x", "##v\u017fo [x"},
	{"##[error]no", "## [error]no"},
	{"###[error]##[", "### [error]## ["},
	{"####vso[x", "####vso [x"},
	{"##vso##vso[x", "##vso##vso [x"},
	{"#vso[x #[x [##", "#vso[x #[x [##"},
	{"##vs\no[x", "##vs\no[x"},
	{"#\u200b#vso[x", `#\u200b#vso[x`},
	{"##v\u00adso[x", `##v\u00adso[x`},
	{"##vso\ufe0f[x", `##vso\ufe0f[x`},
	{"##vso\u200d[x", `##vso\u200d[x`},
	{"##vso\x00[x", `##vso\x00[x`},
	{"##vso\xff[x", `##vso\xff[x`},
	{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
	{"\x1b]0;title\x07", `\x1b]0;title\x07`},
	{"\u009b31m", `\u009b31m`},
	{"\x9b31m", `\x9b31m`},
	{"over\rwritten\b\x7f", `over\x0dwritten\x08\x7f`},
	{"a\u202egnp.exe\u2066\u2069\u200e\u061c", `a\u202egnp.exe\u2066\u2069\u200e\u061c`},
	{"line\u2028and\u2029end\u0085", `line\u2028and\u2029end\u0085`},
	{"\ufefftag\U000e0041", `\ufefftag\U000e0041`},
	{"👩\u200d🔬 ⚠\ufe0f", "👩\u200d🔬 ⚠\ufe0f"},
	{"\ufffd", "\ufffd"},
}

func TestSafe(t *testing.T) {
	for _, c := range hostile {
		for step := 1; step <= len(c.in); step++ {
			var out bytes.Buffer
			w := Safe(&out)
			for i := 0; i < len(c.in); i += step {
				part := c.in[i:min(i+step, len(c.in))]
				if n, err := io.WriteString(w, part); n != len(part) || err != nil {
					t.Fatal(n, err)
				}
			}
			if got := out.String(); got != c.want {
				t.Errorf("%q in steps of %d: %q, want %q", c.in, step, got, c.want)
			}
		}
		if got := throughSafe(c.want); got != c.want {
			t.Errorf("%q is not left alone: %q", c.want, got)
		}
		if Safe(Safe(io.Discard)) == nil {
			t.Fatal("no writer")
		}
	}
}

func TestSafeDoesNotWrapTwice(t *testing.T) {
	w := Safe(io.Discard)
	if Safe(w) != w {
		t.Error("wrapped twice")
	}
}

func TestCleanIsOneLine(t *testing.T) {
	if got, want := clean("a\nb\tc##\n[d\x1b"), `a\nb\tc##\n[d\x1b`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := clean(strings.Repeat("ä", maxText+1)); got != strings.Repeat("ä", maxText)+"…" {
		t.Errorf("%d characters", utf8.RuneCountInString(got))
	}
}

// failing is a writer that takes so many Write calls.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func throughSafe(s string) string {
	var out bytes.Buffer
	if _, err := io.WriteString(Safe(&out), s); err != nil {
		return err.Error()
	}
	return out.String()
}

// commands is what must never be in a line.
var commands = regexp.MustCompile(`(?i)##(vso)?\[`)

// unwelcome finds what must never be in any output.
func unwelcome(s string) string {
	if m := commands.FindString(s); m != "" {
		return m
	}
	var g guard
	for _, r := range s {
		if g.unseen(r) {
			return string(r)
		}
		g.last = r
	}
	if !utf8.ValidString(s) {
		return "not UTF-8"
	}
	return ""
}

// FuzzSafe: nothing unwelcome comes out, however the text is cut; and what came out goes through unchanged. JSON says the
// same as before.
func FuzzSafe(f *testing.F) {
	seeds := 0
	for _, c := range hostile {
		f.Add(c.in, uint8(1))
		f.Add(c.in, uint8(3))
		seeds++
	}
	if seeds < 20 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, s string, step uint8) {
		var out bytes.Buffer
		w := Safe(&out)
		for rest := s; rest != ""; {
			n := min(int(step)+1, len(rest))
			if _, err := io.WriteString(w, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if bad := unwelcome(out.String()); bad != "" {
			t.Errorf("%q lets %q through: %q", s, bad, out.String())
		}
		if again := throughSafe(out.String()); again != out.String() {
			t.Errorf("%q becomes %q", out.String(), again)
		}
		if line := clean(s); unwelcome(line) != "" || strings.ContainsAny(line, "\n\t") {
			t.Errorf("clean %q: %q", s, line)
		}
		plain, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		guarded := safeJSON(plain)
		var before, after string
		if json.Unmarshal(plain, &before) != nil || json.Unmarshal(guarded, &after) != nil || before != after {
			t.Errorf("%q reads as %q", plain, guarded)
		}
		if bad := unwelcome(string(guarded)); bad != "" || bytes.Contains(guarded, []byte("#")) {
			t.Errorf("JSON lets %q through: %q", bad, guarded)
		}
	})
}
