package main

import (
	"slices"
	"strings"
	"testing"
)

// TestFlagsFirst: flags work before and after the positional arguments, and none is taken for something else.
func TestFlagsFirst(t *testing.T) {
	for in, want := range map[string]string{
		"provenance":                                        "provenance",
		"provenance --version":                              "provenance --version",
		"provenance nosuch IMAGE --key k":                   "provenance nosuch IMAGE --key k",
		"provenance verify IMAGE":                           "provenance verify -- IMAGE",
		"provenance verify IMAGE --policy p --key k":        "provenance verify --policy p --key k -- IMAGE",
		"provenance verify --policy p IMAGE --key=k":        "provenance verify --policy p --key=k -- IMAGE",
		"provenance verify IMAGE --quiet --key k":           "provenance verify --quiet --key k -- IMAGE",
		"provenance verify --quiet IMAGE":                   "provenance verify --quiet -- IMAGE",
		"provenance verify -key k IMAGE":                    "provenance verify -key k -- IMAGE",
		"provenance verify IMAGE --key k -- --policy p":     "provenance verify --key k -- IMAGE --policy p",
		"provenance verify IMAGE --nosuch":                  "provenance verify --nosuch -- IMAGE",
		"provenance verify IMAGE --key":                     "provenance verify --key",
		"provenance record --statement - --image i":         "provenance record --statement - --image i",
		"provenance record --dry-run stray --image i":       "provenance record --dry-run --image i -- stray",
		"provenance verify IMAGE --timeout 5s --debug more": "provenance verify --timeout 5s --debug -- IMAGE more",
	} {
		got, err := flagsFirst(strings.Fields(in), commands(process{}))
		if err != nil || !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s\n got %s, %v\nwant %s", in, strings.Join(got, " "), err, want)
		}
	}
}

// TestParseData: a role stands before the first equals sign, if that is not part of a path or a URL.
func TestParseData(t *testing.T) {
	for in, want := range map[string]askedFolder{
		"lake/":                        {"train", "lake/"},
		"test=lake/":                   {"test", "lake/"},
		"other=lake/day=1/":            {"other", "lake/day=1/"},
		"lake/day=1/":                  {"train", "lake/day=1/"},
		"./day=1":                      {"train", "./day=1"},
		"https://h/c?sig=x":            {"train", "https://h/c?sig=x"},
		"test=https://h/c?sig=x":       {"test", "https://h/c?sig=x"},
		`C:\lake=1`:                    {"train", `C:\lake=1`},
		"abfss://c@a.dfs.x/y=1/":       {"train", "abfss://c@a.dfs.x/y=1/"},
		"train=abfss://c@a.dfs.x/y=1/": {"train", "abfss://c@a.dfs.x/y=1/"},
	} {
		if got := parseData(in); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

// TestCommasBelongToPaths: a repeatable flag is not split at commas.
func TestCommasBelongToPaths(t *testing.T) {
	w := newWorld(t, "referrers")
	w.write("lake/a,b/x.csv", "1\n")
	r := w.must(statusDone, w.recordArgs("--data", "other=lake/a,b/", "--dry-run")...)
	if !strings.Contains(r.stdout, "lake/a,b/") {
		t.Errorf("the folder is not recorded:\n%s", r.stdout)
	}
}
