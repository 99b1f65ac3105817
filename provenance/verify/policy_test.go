package verify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// TestExamplePolicy: the example in examples/ is read, says what it says, and accepts a good night but for its builder.
func TestExamplePolicy(t *testing.T) {
	const file = "../../examples/policy.yaml"
	data, err := os.ReadFile(file)
	must(t, err)
	p, err := ParsePolicy(file, data, noFiles)
	must(t, err)
	if len(p.Builders) != 1 || p.Builders[0].ID != builderID || len(p.Builders[0].Keys) != 1 {
		t.Fatalf("builders %+v", p.Builders)
	}
	want := Policy{Name: file, Digest: provenance.SumSHA256(data), Builders: p.Builders, Recheck: RecheckNone,
		Source: &SourceRule{Repository: "https://dev.azure.com/contoso/Mortgage/_git/mortgage", Branches: []string{"main", "release/*"}, Clean: true},
		Data: &DataRule{Roots: []string{"abfss://mortgages@contoso.dfs.core.windows.net/"}, Basis: provenance.Signed, MaxDigestAge: 720 * time.Hour,
			Immutability: []string{"locked", "version-worm"}, ProtectedUntil: time.Date(2033, 1, 1, 0, 0, 0, 0, time.UTC), TrainedOn: provenance.Reported},
		Databricks: &DatabricksRule{Result: "SUCCESS", Basis: provenance.Reported},
		Model:      &ModelRule{InImage: true, Path: "/app/model.bin", Basis: provenance.Observed}}
	if !reflect.DeepEqual(*p, want) {
		t.Errorf("read %+v, want %+v", *p, want)
	}
	s := newScene(t)
	p.Builders[0].Keys = append(p.Builders[0].Keys, s.builder.verifier)
	s.in.Policy = p
	then(protected(provenance.GradeLocked, p.Data.ProtectedUntil), reused(time.Hour), tied)(s.night)
	s.attach(s.night)
	expect(t, s.decide(), Accepted)
}

// noFiles is a world without key files.
func noFiles(path string) ([]byte, error) { return nil, fmt.Errorf("open %s: no such file", path) }

func TestPolicyErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "p.yaml is empty",
		"# nothing\n":                           "p.yaml is empty",
		"---\n":                                 "p.yaml:2:1: the policy is empty",
		"[]":                                    "p.yaml:1:1: the policy is empty",
		"a":                                     `p.yaml:1:1: the policy is "a"`,
		"{}":                                    "p.yaml:1:1: the policy is empty",
		"version: 1":                            "p.yaml:1:1: the policy asks for nothing",
		"version: 1\nrecheck: none":             "p.yaml:1:1: the policy asks for nothing",
		"recheck: listing":                      "p.yaml:1:1: the policy does not say its version",
		"version: 2":                            `p.yaml:1:10: version is "2"`,
		"version: '1.0'":                        `p.yaml:1:10: version is "1.0"`,
		"version: [1]":                          "p.yaml:1:10: version is a list",
		"version: 1\nversion: 1":                `p.yaml:2:1: the policy has the key "version" twice`,
		"version: 1\nSource: {clean: true}":     `p.yaml:2:1: the policy has no key "Source"`,
		"version: 1\n? [a]\n: b":                `p.yaml:2:3: the policy has no key ""`,
		"version: 1\n<<: {clean: true}":         `p.yaml:2:1: the policy has no key "<<"`,
		"version: 1\nsource:\n  branch: x":      `p.yaml:3:3: source has no key "branch"`,
		"version: 1\nsource:":                   "p.yaml:2:8: source is empty",
		"version: 1\nsource: {}":                "p.yaml:2:9: source is empty",
		"version: 1\nsource: []":                "p.yaml:2:9: source is empty",
		"version: 1\nsource: main":              `p.yaml:2:9: source is "main"`,
		"version: 1\nsource: {clean: yes}":      `p.yaml:2:17: clean is "yes"; it has to be true or false`,
		"version: 1\nsource: {clean: 'true'}":   `p.yaml:2:17: clean is "true"; it has to be true or false`,
		"version: 1\nsource: {clean: false}":    "p.yaml:2:9: source asks for nothing",
		"version: 1\nsource: {basis: declared}": "p.yaml:2:9: source asks for nothing",
		"version: 1\nsource: {repository: 7}":   `p.yaml:2:22: repository is "7"; it has to be text`,
		"version: 1\nsource: {repository: ' '}": "p.yaml:2:22: repository is empty",
		"version: 1\nsource: {repository: ~}":   "p.yaml:2:22: repository is empty",
		"version: 1\nsource: {branches: main}":  `p.yaml:2:20: branches is "main"; it has to be a list`,
		"version: 1\nsource: {branches: []}":    "p.yaml:2:20: branches is empty",
		"version: 1\nsource: {branches: [1.0]}": `p.yaml:2:21: a branch is "1.0"`,
		"version: 1\nsource: {branches: ['[']}": `p.yaml:2:21: the branch pattern "[" is wrong`,
		"version: 1\nsource: {clean: true, basis: inferred}":                           `p.yaml:2:30: basis is "inferred"; it has to be one of observed, signed, reported, declared`,
		"version: 1\ndata: {roots: []}":                                                "p.yaml:2:15: roots is empty",
		"version: 1\ndata: {roots: [lake]}":                                            `p.yaml:2:16: the root "lake" is neither`,
		"version: 1\ndata: {roots: ['/lake/../etc']}":                                  `p.yaml:2:16: the root "/lake/../etc" has a segment`,
		"version: 1\ndata: {roots: ['https://h/%2e%2e/']}":                             "has a segment",
		"version: 1\ndata: {roots: ['https://h/?sv=1']}":                               "has a query",
		"version: 1\ndata: {}":                                                         "p.yaml:2:7: data is empty",
		"version: 1\ndata: {digestsNoOlderThan: 1h}":                                   `p.yaml:2:8: data has no key "digestsNoOlderThan"`,
		"version: 1\ndata: {immutability: locked}":                                     `p.yaml:2:22: immutability is "locked"; it has to be a list`,
		"version: 1\ndata: {immutability: []}":                                         "p.yaml:2:22: immutability is empty",
		"version: 1\ndata: {immutability: [locked, Locked]}":                           `p.yaml:2:31: "Locked" is no grade of immutability that could be accepted; it has to be one of locked, locked-append, unlocked, legal-hold, version-worm, none`,
		"version: 1\ndata: {immutability: [unknown]}":                                  `p.yaml:2:23: "unknown" is no grade of immutability that could be accepted`,
		"version: 1\ndata: {immutability: [true]}":                                     `p.yaml:2:23: a grade is "true"; it has to be text`,
		"version: 1\ndata: {protectedUntil: 2033}":                                     `p.yaml:2:24: protectedUntil is "2033"; it has to be a date such as 2033-01-01`,
		"version: 1\ndata: {protectedUntil: 2033-02-30}":                               `p.yaml:2:24: protectedUntil is "2033-02-30"`,
		"version: 1\ndata: {protectedUntil: 2033-01-01T00:00:00Z}":                     `p.yaml:2:24: protectedUntil is "2033-01-01T00:00:00Z"`,
		"version: 1\ndata: {protectedUntil: [2033-01-01]}":                             "p.yaml:2:24: protectedUntil is a list",
		"version: 1\ndata:\n  protectedUntil:":                                         "p.yaml:3:18: protectedUntil is empty",
		"version: 1\ndata: {protectedFor: 90}":                                         `p.yaml:2:22: protectedFor is "90"; it has to be a time such as 2160h`,
		"version: 1\ndata: {protectedFor: 90d}":                                        `p.yaml:2:22: protectedFor is "90d"`,
		"version: 1\ndata: {protectedFor: 0}":                                          `p.yaml:2:22: protectedFor is "0"`,
		"version: 1\ndata: {protectedFor: -1h}":                                        `p.yaml:2:22: protectedFor is "-1h"`,
		"version: 1\ndata: {protectedFor: {a: b}}":                                     "p.yaml:2:22: protectedFor is a mapping",
		"version: 1\ndata: {maxDigestAge: never}":                                      `p.yaml:2:22: maxDigestAge is "never"`,
		"version: 1\ndata: {trainedOn: inferred}":                                      `p.yaml:2:19: trainedOn is "inferred"; it has to be one of observed, signed, reported, declared`,
		"version: 1\ndata: {sharedFiles: no}":                                          `p.yaml:2:21: sharedFiles is "no"; it has to be true or false`,
		"version: 1\ndatabricks: {result: ''}":                                         "p.yaml:2:22: result is empty",
		"version: 1\nmodel: {path: /app/m}":                                            "p.yaml:2:8: model asks for a path, but not",
		"version: 1\nmodel: {inImage: true, path: app/m}":                              `the model's path "app/m" is not a clean absolute path`,
		"version: 1\nmodel: {inImage: true, path: /app/../m}":                          `the model's path "/app/../m" is not`,
		"version: 1\nrecheck: all":                                                     `p.yaml:2:10: recheck is "all"; it has to be one of none, listing, content`,
		"version: 1\nallowDisagreement: 1":                                             `p.yaml:2:20: allowDisagreement is "1"`,
		"version: 1\nbuilders: {id: x}":                                                "p.yaml:2:11: builders is a mapping; it has to be a list",
		"version: 1\nbuilders: [{id: x}]":                                              "p.yaml:2:12: a builder lacks its id or its keys",
		"version: 1\nbuilders: [{keys: [k.pub]}]":                                      "p.yaml:2:20: read key: open",
		"version: 1\nbuilders: [{id: x, keys: [bad.pub]}]":                             "p.yaml:2:27: bad.pub is not a public key",
		"version: 1\nbuilders: [{id: x, keys: [good.pub]}, {id: x, keys: [good.pub]}]": `p.yaml:2:39: the builder "x" is listed twice`,
		"version: 1\nbuilders: [{id: x, keys: ['-----BEGIN X-----']}]":                 "p.yaml:2 is not a public key",
		"version: 1\n---\nversion: 1":                                                  "there is a second document",
		"version: 1\n---\n- [":                                                         "p.yaml:",
		"version: &a 1":                                                                "p.yaml:1:10: anchors and aliases are not allowed",
		"version: 1\nsource: &s {clean: true}\nmodel: *s":                              "p.yaml:2:9: anchors and aliases are not allowed",
		"version: !!str 1":                                                             "p.yaml:1:10: tags such as !!str are not allowed",
		"version: 1\nsource: !x {clean: true}":                                         "p.yaml:2:9: tags such as !x are not allowed",
		"version: 1\nsource: " + strings.Repeat("[", 40) + strings.Repeat("]", 40):     "nested more than 16 levels deep",
		"version: 1\n\tsource: x":                                                      "p.yaml:2: found a tab character",
		"version: 1\nsource: {":                                                        "p.yaml:",
		strings.Repeat("#", maxPolicyBytes+1):                                          "more than the limit",
		"version: \xff":                                                                "p.yaml: ",
	} {
		read := func(path string) ([]byte, error) {
			if path == "bad.pub" {
				return []byte("hello"), nil
			} else if path == "good.pub" {
				return []byte(newSigner(t, path).pem), nil
			}
			return noFiles(path)
		}
		_, err := ParsePolicy("p.yaml", []byte(text), read)
		var misused *provenance.Misused
		if !errors.As(err, &misused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// TestDataRuleIsRead: as it is written; a date may be in quotes.
func TestDataRuleIsRead(t *testing.T) {
	p := policy(t, "version: 1\ndata: {protectedUntil: '2033-01-01', protectedFor: 90m, sharedFiles: true, trainedOn: declared, immutability: [none, locked-append]}")
	want := DataRule{ProtectedUntil: time.Date(2033, 1, 1, 0, 0, 0, 0, time.UTC), ProtectedFor: 90 * time.Minute, SharedFiles: true,
		TrainedOn: provenance.Declared, Immutability: []string{"none", "locked-append"}}
	if !reflect.DeepEqual(*p.Data, want) {
		t.Errorf("read %+v, want %+v", *p.Data, want)
	}
}

// TestPolicyKeys: a key's path is relative to the policy; inline it needs no file.
func TestPolicyKeys(t *testing.T) {
	s := newSigner(t, "x")
	var asked []string
	read := func(path string) ([]byte, error) {
		asked = append(asked, path)
		return []byte(s.pem), nil
	}
	inline := "\n    - |\n      " + strings.ReplaceAll(strings.TrimSpace(s.pem), "\n", "\n      ")
	p, err := ParsePolicy("gate/release.yaml", []byte("version: 1\nbuilders:\n- id: x\n  keys:\n    - keys/a.pub\n    - ../b.pub\n    - /etc/c.pub"+inline), read)
	must(t, err)
	want := []string{filepath.Join("gate", "keys", "a.pub"), "b.pub", "/etc/c.pub"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	var names []string
	for _, k := range p.Builders[0].Keys {
		if k.Fingerprint() != s.verifier.Fingerprint() {
			t.Errorf("%s is another key", k.Name)
		}
		names = append(names, k.Name)
	}
	if want := []string{"keys/a.pub", "../b.pub", "/etc/c.pub", "gate/release.yaml:8"}; !slices.Equal(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
}

func TestRepositories(t *testing.T) {
	const want = "https://dev.azure.com/Contoso/_git/m"
	for repository, same := range map[string]bool{
		want: true, want + "/": true, want + ".git": true, "HTTPS://Dev.Azure.com/Contoso/_git/m": true,
		"http://dev.azure.com/Contoso/_git/m": false, "https://dev.azure.com/contoso/_git/m": false,
		want + "2": false, "https://dev.azure.com.evil.com/Contoso/_git/m": false, "/src/m": false, "": false,
	} {
		if got := normalRepository(repository) == normalRepository(want); got != same {
			t.Errorf("%q: %v", repository, got)
		}
	}
}

// FuzzParsePolicy: whatever is read asks for something, and whatever is not is the caller's mistake, in one line.
func FuzzParsePolicy(f *testing.F) {
	example, err := os.ReadFile("../../examples/policy.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(example), wholePolicy, "version: 1\nsource: &a {clean: *a}", "a: [[[[", "\xfe\xff\x00v", "? ? ?"} {
		f.Add([]byte(seed))
	}
	if p, err := ParsePolicy("p.yaml", example, noFiles); err != nil || p.empty() {
		f.Fatalf("the seed is no policy: %v", err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePolicy("p.yaml", data, noFiles)
		var misused *provenance.Misused
		switch {
		case err == nil && p.empty():
			t.Error("an empty policy")
		case err != nil && (!errors.As(err, &misused) || !strings.HasPrefix(err.Error(), "p.yaml")):
			t.Errorf("not the caller's mistake: %v", err)
		}
	})
}
