package git

import (
	"slices"
	"testing"
)

// TestFolderThatBringsItsOwnRules: a virtual environment holds a .gitignore that ignores everything, itself too. Where a
// committed rule ignores the folder, that changes nothing; where none does, it hides nothing.
func TestFolderThatBringsItsOwnRules(t *testing.T) {
	for name, c := range map[string]struct {
		rules     string // the committed .gitignore
		ignored   []string
		untracked []string
	}{
		"ignored by the commit": {".venv/\n", []string{".venv/.gitignore", ".venv/lib/x.py"}, nil},
		"hides itself":          {"*.tmp\n", nil, []string{".venv/.gitignore", ".venv/lib/x.py"}},
		"ignored in part":       {"*.py\n", nil, []string{".venv/.gitignore", ".venv/lib/x.py"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newRepo(t)
			f.write(".gitignore", c.rules)
			f.commitAll("x")
			f.write(".venv/.gitignore", "*\n")
			f.write(".venv/lib/x.py", "x\n")
			commit := collect(t, f.source())
			if !slices.Equal(commit.Ignored, c.ignored) || !slices.Equal(commit.Untracked, c.untracked) || commit.Dirty != (c.untracked != nil) {
				t.Errorf("ignored %q, untracked %q, dirty %v", commit.Ignored, commit.Untracked, commit.Dirty)
			}
		})
	}
}
