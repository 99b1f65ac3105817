package folder

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

func TestNamesAndETagsAreBounded(t *testing.T) {
	_, err := Hash(t.Context(), listings{objects: []storage.Object{{Name: strings.Repeat("n", maxName+1)}}}, scratch(t))
	wantRefused(t, err, "data.name", "has more than 4096 bytes")
	longest := storage.Object{Name: strings.Repeat("\x01", maxName), ETag: strings.Repeat(`"`, maxETag), Size: maxName}
	r := hashed(t, listings{objects: []storage.Object{longest}})
	for line := range strings.Lines(readStored(t, r.Index())) {
		if len(line) > maxLine-1 {
			t.Errorf("a line has %d bytes", len(line))
		}
	}
	for _, etag := range []string{strings.Repeat("e", maxETag+1), "a b", "a\nb", "-", "é"} {
		_, err := Hash(t.Context(), listings{objects: []storage.Object{{Name: "a", ETag: etag}}}, scratch(t))
		if err == nil || !strings.Contains(err.Error(), `the file "a": an ETag is too long, or is not of visible ASCII`) {
			t.Errorf("%.9q: got %v", etag, err)
		}
	}
}

func TestModelOfTooManyFilesIsRefused(t *testing.T) {
	_, _, err := Model(t.Context(), "m", "", generated{files: maxModelFiles + 1}, scratch(t))
	wantRefused(t, err, "model.files", "has 100001 files, more than 100000")
}

// TestRetention: the earliest counts, and only if every blob has one.
func TestRetention(t *testing.T) {
	blob := func(name string, day int, mode string) storage.Object {
		o := storage.Object{Name: name, ETag: "0x1", RetainMode: mode}
		if day > 0 {
			o.RetainUntil = at(day)()
		}
		return o
	}
	for name, c := range map[string]struct {
		objects []storage.Object
		until   time.Time
		locked  bool
	}{
		"locked":       {[]storage.Object{blob("a", 9, "locked"), blob("b", 7, "locked"), blob("c", 8, "locked")}, at(7)(), true},
		"one unlocked": {[]storage.Object{blob("a", 9, "locked"), blob("b", 7, "unlocked")}, at(7)(), false},
		"one without":  {[]storage.Object{blob("a", 9, "locked"), blob("b", 0, "")}, time.Time{}, false},
	} {
		r := hashed(t, listings{objects: c.objects})
		if !r.RetainUntil.Equal(c.until) || r.AllRetained != c.locked {
			t.Errorf("%s: got %v, %v", name, r.RetainUntil, r.AllRetained)
		}
	}
}

// TestModelWithoutTimes: MLflow does not tell when a file was modified, and no index of a model is kept; but a time that is told has to be one.
func TestModelWithoutTimes(t *testing.T) {
	f := listings{objects: []storage.Object{{Name: "model.bin", Size: 9}}}
	m, _, err := Model(t.Context(), "m", "", f, scratch(t))
	if err != nil || m.Files != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	f.objects[0].Modified = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	_, _, err = Model(t.Context(), "m", "", f, scratch(t))
	wantRefused(t, err, "data.date", "cannot be recorded, 10000")
}
