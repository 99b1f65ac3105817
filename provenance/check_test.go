package provenance

import (
	"strings"
	"testing"
)

// roleFolder is a folder whose digest is known on a basis, and whose files were compared with those of the others.
func roleFolder(role string, digest Basis, shared ...Shared) Folder {
	return Folder{Grounds: Grounds{Observed, map[string]Basis{"digest": digest}}, Role: role, URI: "https://contoso.example/" + role + "/",
		Shared: append([]Shared{}, shared...)}
}

func TestCheckRoles(t *testing.T) {
	same := Shared{Role: "test", URI: "https://contoso.example/test/", Files: 3, Names: []string{"a", "b", "c"}}
	strange := roleFolder("train", Observed)
	strange.Shared = nil
	for name, c := range map[string]struct {
		data  []Folder
		value string // empty: no fact
		basis Basis
		note  string
	}{
		"no folder":         {nil, "", "", ""},
		"one role":          {[]Folder{roleFolder("train", Observed), roleFolder("train", Observed)}, "", "", ""},
		"one role and none": {[]Folder{roleFolder("other", Declared), roleFolder("train", Observed)}, "", "", ""},
		"two roles":         {[]Folder{roleFolder("test", Observed), roleFolder("train", Observed)}, "true", Observed, ""},
		"two roles, reused": {[]Folder{roleFolder("test", Observed), roleFolder("train", Signed)}, "true", Signed, ""},
		"three roles, the weakest counts": {[]Folder{roleFolder("test", Signed), roleFolder("train", Declared), roleFolder("validation", Observed)},
			"true", Declared, ""},
		"a weak folder of no role": {[]Folder{roleFolder("other", Declared), roleFolder("test", Observed), roleFolder("train", Observed)}, "true", Observed, ""},
		"nobody compared":          {[]Folder{roleFolder("test", Observed), strange}, "unknown", Declared, "nobody compared the files of the folders"},
		"nobody compared one, shared": {[]Folder{roleFolder("test", Observed, Shared{Role: "train", URI: "/x/", Files: 1}), strange}, "false", Observed,
			"test of https://contoso.example/test/ and train of /x/ share 1 file"},
		"shared": {[]Folder{roleFolder("test", Observed), roleFolder("train", Signed, same)}, "false", Signed,
			"train of https://contoso.example/train/ and test of https://contoso.example/test/ share 3 files"},
	} {
		t.Run(name, func(t *testing.T) {
			fact, err := checkRoles(Record{Data: c.data})
			if err != nil {
				t.Fatal(err)
			}
			if c.value == "" {
				if fact != nil {
					t.Errorf("fact %+v", fact)
				}
				return
			}
			if want := (Fact{CheckRoles, c.value, c.basis, c.note}); fact == nil || *fact != want {
				t.Errorf("fact %+v, want %+v", fact, want)
			}
		})
	}
}

// TestSharedFilesAreWrittenDown: unlike any other check, this one may fail, and there is a statement.
func TestSharedFilesAreWrittenDown(t *testing.T) {
	s, _ := write(t, example(t)...)
	record, err := Read(s)
	if err != nil {
		t.Fatal(err)
	}
	last := record.Checks[len(record.Checks)-1]
	if last.Name != CheckRoles || last.Value != "false" || last.Basis != Declared || !strings.HasSuffix(last.Note, "share 1 file") {
		t.Errorf("check %+v", last)
	}
}

// TestCheckCopiesOfRegistered: a registered version whose files nobody read may be another model, and the check says so.
func TestCheckCopiesOfRegistered(t *testing.T) {
	const here = "file:///model.bin"
	read := RegisteredModel{Registry: "mlflow", Name: "mortgage", Version: "7", Files: here}
	unread, elsewhere := read, read
	unread.Files, elsewhere.Files = "", "models:/mortgage/8/"
	model := &Model{URI: here}
	for name, c := range map[string]struct {
		model      *Model
		registered []RegisteredModel
		want       string
	}{
		"nothing":          {nil, nil, ""},
		"one copy":         {model, nil, ""},
		"read":             {model, []RegisteredModel{read}, "true"},
		"read as a copy":   {&Model{URI: "dbfs:/x", Copies: []Copy{{URI: here}}}, []RegisteredModel{read}, "true"},
		"not read":         {model, []RegisteredModel{read, unread}, "unknown"},
		"read elsewhere":   {model, []RegisteredModel{elsewhere}, "unknown"},
		"no model":         {nil, []RegisteredModel{read}, "unknown"},
		"copies, not read": {&Model{URI: "dbfs:/x", Copies: []Copy{{URI: here}}}, []RegisteredModel{unread}, "unknown"},
	} {
		fact, err := checkCopies(Record{Model: c.model, Registered: c.registered})
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want == "" && fact != nil, c.want != "" && (fact == nil || fact.Value != c.want):
			t.Errorf("%s: %+v", name, fact)
		case c.want == "unknown" && (fact.Basis != Declared || fact.Note != "the files of mortgage 7 in mlflow were not read: whether they are this model, nobody looked"):
			t.Errorf("%s: %+v", name, fact)
		}
	}
}
