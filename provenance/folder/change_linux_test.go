package folder

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

// TestEditWithItsTimeSetBackIsRefused edits a file after its first byte was read, and sets its modification time back.
func TestEditWithItsTimeSetBackIsRefused(t *testing.T) {
	for _, recheck := range []bool{false, true} {
		dir, f := tree(t, map[string]string{"a": "some text"})
		index := hashed(t, f).Lines()
		h := &hooked{Folder: f, name: "a", hook: func() { must(t, editSettingBack(dir+"/a")) }}
		_, err := Hash(t.Context(), h, scratch(t))
		if recheck {
			h = &hooked{Folder: f, name: "a", hook: h.hook}
			_, err = Recheck(t.Context(), h, index, RecheckContent, scratch(t))
		}
		var refused *provenance.Refused
		if !errors.As(err, &refused) || refused.Code != "data.changed" {
			t.Errorf("recheck %v: got %v, want a refusal", recheck, err)
		}
	}
}

// TestChangedIsNotResumed edits files between two runs, one of them with its time set back.
func TestChangedIsNotResumed(t *testing.T) {
	f := abcd(t)["local"]
	state := interrupted(t, f, "d")
	must(t, os.WriteFile(f.URI()+"a", []byte("longer"), 0o644))
	must(t, editSettingBack(f.URI()+"b"))
	must(t, replace(f.URI()+"c", "C"))
	if r := resume(t, f, state); f.read() != "a b c d" || r.Resumed != 0 {
		t.Errorf("resumed %d", r.Resumed)
	}
}

// editSettingBack repeats itself until the clock of the file system, whose ticks are coarse, has moved on.
func editSettingBack(path string) error {
	before, err := os.Stat(path)
	if err != nil {
		return err
	}
	for now := before; ctime(now) == ctime(before) && err == nil; {
		err = errors.Join(os.WriteFile(path, []byte("SOME TEXT"), 0o644), os.Chtimes(path, before.ModTime(), before.ModTime()))
		now, _ = os.Stat(path)
	}
	return err
}

func ctime(info os.FileInfo) syscall.Timespec { return info.Sys().(*syscall.Stat_t).Ctim }
