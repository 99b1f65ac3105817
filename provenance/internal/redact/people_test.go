package redact

import "testing"

// TestPeople: names and addresses that are known are found however they are written, and no other word is touched.
func TestPeople(t *testing.T) {
	p, err := NewPeople([]string{"Ada Lovelace", "Lovelace, Ada", "ada@contoso.com", "Åsa Öberg", `CONTOSO\grace`, "guest_fabrikam.com#EXT#@contoso.onmicrosoft.com",
		"train", "Al Li", "", "  ", "[removed]", "https://dev.azure.com/contoso/_api/Image", "@", "mortgage"})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"Requested for: Ada Lovelace":                         "Requested for: [removed]",
		"Lovelace, Ada and ADA LOVELACE.":                     "[removed] and [removed].",
		"run-ada_lovelace-7":                                  "run-[removed]-7",
		"by AdaLovelace, 7":                                   "by [removed], 7",
		"path=%2FUsers%2Fada%40contoso.com%2Ftrain":           "path=%2FUsers%2F[removed]%2Ftrain",
		"?who=Ada+Lovelace&x=Ada%20Lovelace":                  "?who=[removed]&x=[removed]",
		"/Users/ADA@contoso.com/train":                        "/Users/[removed]/train",
		"/home/ada/lake and /home/ada.l/lake":                 "/home/[removed]/lake and /home/ada.l/lake",
		`C:\Users\ada\train.py`:                               `C:\Users\[removed]\train.py`,
		`{"who":"\u00c5sa \u00d6berg"} Åsa Öberg`:             `{"who":"[removed]"} [removed]`,
		`contoso\grace, "CONTOSO\\grace"`:                     `[removed], "[removed]"`,
		"guest_fabrikam.com#EXT#@contoso.onmicrosoft.com too": "[removed] too",
		// What could be any word stays where it is no folder of somebody's.
		"train the mortgage model": "train the mortgage model",
		"/Shared/train":            "/Shared/train",
		"/Repos/train/mortgage":    "/Repos/[removed]/mortgage",
		"global limit, Al Li":      "global limit, Al Li",
		"Ada Lovelaces engine":     "Ada Lovelaces engine",
		"nada@contoso.com":         "nada@contoso.com",
	} {
		if got := p.Mask(in); got != want {
			t.Errorf("%q became %q, not %q", in, got, want)
		}
	}
	if got := p.MaskFile("notebook-TrainbyAdaLovelace-0123.py"); got != "notebook-Trainby[removed]-0123.py" {
		t.Errorf("file %q", got)
	}
	nobody, err := NewPeople(nil)
	if err != nil || nobody.Mask("/home/ada Ada Lovelace") != "/home/ada Ada Lovelace" || nobody.MaskFile("a") != "a" {
		t.Error(err)
	}
}

// TestTexts: every text is changed, but for what is to be skipped.
func TestTexts(t *testing.T) {
	type inner struct{ Title, Path string }
	noun := struct {
		Name  string
		Table map[string]string
		Other map[string]int
		List  []inner
		own   string
	}{"a", map[string]string{"k": "v", "free": "v"}, map[string]int{"x": 1}, []inner{{"t", "p"}}, "o"}
	Texts(&noun, func(s string) string { return s + "!" }, "Title", "free")
	if noun.Name != "a!" || noun.Table["k"] != "v!" || noun.Table["free"] != "v" || noun.List[0] != (inner{"t", "p!"}) || noun.own != "o" {
		t.Errorf("%+v", noun)
	}
}
