package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
)

// namesIn lists a folder, and reads each file, whose text is its name in the whole folder.
func namesIn(t *testing.T, f Folder, prefix string) []string {
	t.Helper()
	var names []string
	err := f.List(context.Background(), func(o Object) error {
		body, err := f.Open(context.Background(), o)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(body)
		if string(text) != prefix+o.Name {
			t.Errorf("%s holds %q", o.Name, text)
		}
		names = append(names, o.Name)
		return errors.Join(err, body.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func TestSub(t *testing.T) {
	files := []string{"a", "d e/1", "d e/x/2", "d e2/3", "d/4"}
	dir := t.TempDir()
	s := blobdouble.New(t)
	for _, name := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		s.PutText("data", "f/"+name, name)
		s.PutText("whole", name, name)
	}
	o := Options{SharedKey: func(string) string { return "a2V5" }}
	for _, uri := range []string{dir, s.URL + "/data/f/", s.URL + "/whole/"} {
		f, err := Open(context.Background(), uri, o)
		if err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]Folder{uri: f, "wrapped": struct{ Folder }{f}} {
			sub := Sub(f, "d e")
			if got := namesIn(t, sub, "d e/"); strings.Join(got, " ") != "1 x/2" {
				t.Errorf("%s: %v", name, got)
			}
			if got := namesIn(t, Sub(sub, "x"), "d e/x/"); strings.Join(got, " ") != "2" {
				t.Errorf("%s: %v", name, got)
			}
			if !strings.HasSuffix(sub.URI(), "/d e/") && !strings.HasSuffix(sub.URI(), "/d%20e/") {
				t.Errorf("%s: %s", name, sub.URI())
			}
		}
	}
}

func TestSubThatIsNotThere(t *testing.T) {
	s := blobdouble.New(t)
	s.PutText("data", "f/a", "a")
	azure, err := Open(context.Background(), s.URL+"/data/f/", Options{SharedKey: func(string) string { return "a2V5" }})
	if err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, Sub(azure, "d"), ""); len(names) != 0 {
		t.Errorf("got %v", names)
	}
	local, err := Open(context.Background(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Sub(local, "d").List(context.Background(), func(Object) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSubOfASingleFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, Sub(f, "a"), ""); len(names) != 0 {
		t.Errorf("got %v", names)
	}
}
