package storage

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

// list returns a folder's objects by name.
func list(t *testing.T, f Folder) map[string]Object {
	t.Helper()
	objects := map[string]Object{}
	err := f.List(t.Context(), func(o Object) error {
		if _, twice := objects[o.Name]; twice {
			t.Errorf("%q was listed twice", o.Name)
		}
		objects[o.Name] = o
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// open opens a folder that must be there.
func open(t *testing.T, uri string, o Options) Folder {
	t.Helper()
	f, err := Open(t.Context(), uri, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// read is all bytes of an object.
func read(ctx context.Context, f Folder, o Object) (string, error) {
	body, err := f.Open(ctx, o)
	if err != nil {
		return "", err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	return string(data), err
}

// contents reads a whole folder.
func contents(t *testing.T, f Folder) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for name, o := range list(t, f) {
		text, err := read(t.Context(), f, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		texts[name] = text
	}
	return texts
}

// wantRefused checks that err is a refusal with this code whose sentence contains part.
func wantRefused(t *testing.T, err error, code, part string) {
	t.Helper()
	var refused *provenance.Refused
	if !errors.As(err, &refused) || refused.Code != code || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want a refusal %s with %q", err, code, part)
	}
	if code == "data.changed" && !errors.Is(err, ErrChanged) {
		t.Errorf("%v is not ErrChanged", err)
	}
}

// wantMisused checks that err is the caller's mistake, and its sentence or hint contains part.
func wantMisused(t *testing.T, err error, part string) {
	t.Helper()
	var misused *provenance.Misused
	if !errors.As(err, &misused) || !strings.Contains(err.Error()+"\n"+strings.Join(provenance.Hints(err), "\n"), part) {
		t.Errorf("got %v %q, want a misuse with %q", err, provenance.Hints(err), part)
	}
}

// wantUndecided checks that err is neither a refusal nor a misuse, says part, and hints at hint.
func wantUndecided(t *testing.T, err error, part, hint string) {
	t.Helper()
	var misused *provenance.Misused
	var refused *provenance.Refused
	if err == nil || errors.As(err, &misused) || errors.As(err, &refused) {
		t.Fatalf("got %v, want an undecided error with %q", err, part)
	}
	hints := strings.Join(provenance.Hints(err), "\n")
	if !strings.Contains(err.Error(), part) || !strings.Contains(hints, hint) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %q, hints %q; want one line with %q, hint %q", err, hints, part, hint)
	}
}

// names are in many scripts, hard to quote, and sorted by UTF-16 otherwise than by bytes.
var names = []string{
	"plain.csv", "with space.csv", "sub/deeper/a.csv", "sub-x/a.csv", "sub/.hidden", "ünïcödé.csv", "е́жик/данные.csv", "数据/训练.csv",
	"日本語ファイル", "الرهن/بيانات.csv", "ממשלה", "ข้อมูล", "हिन्दी", "🏠/🏡.csv", "100%.csv", "a%20b", "q?x=1", "hash#1", "semi;colon", "plus+and&",
	"quote'\"s", "[brackets]{}", "tilde~^`", "a=b,c", "e\u0301 and é", "|pipe<>*", "tab\tin it", "trailing ", "-rf", "$HOME", "\u200bzero width",
	" leading", " ", "sub /x ", "%", "%2F", "a+b%2Bc", "～", "\ue000", "👩\u200d👩\u200d👧.csv", "\u202edesrever\u202c", "\u0627\u0644\u0631\u0650/\u064b", "e\u0301/\u00e9", "�",
}

// texts gives each name its own content.
func texts(names []string) map[string]string {
	m := map[string]string{}
	for _, name := range names {
		m[name] = "content of " + name
	}
	return m
}

// sortedNames are the keys of m.
func sortedNames[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
