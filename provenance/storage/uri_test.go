package storage

import (
	"net/url"
	"strings"
	"testing"
)

const testSAS = "sv=2026-12-06&sr=c&sp=rl&se=2026-12-01T00%3A00%3A00Z&sig=c2VjcmV0IHNpZ25hdHVyZQ%2B%2Fabcdef%3D"

func TestParseLocation(t *testing.T) {
	const blob = "https://acct.blob.core.windows.net"
	for uri, want := range map[string]location{
		"abfss://data@acct.dfs.core.windows.net/lake/2026/":          {"abfss://data@acct.dfs.core.windows.net/lake/2026/", blob, "acct", "data", "lake/2026/", "", false},
		"abfss://data@acct.blob.core.windows.net/lake":               {"abfss://data@acct.blob.core.windows.net/lake", blob, "acct", "data", "lake", "", false},
		"abfss://data@acct.dfs.core.windows.net":                     {"abfss://data@acct.dfs.core.windows.net/", blob, "acct", "data", "", "", false},
		"ABFSS://data@ACCT.dfs.core.windows.net/":                    {"abfss://data@acct.dfs.core.windows.net/", blob, "acct", "data", "", "", false},
		"wasbs://data@acct.blob.core.windows.net/a/":                 {"wasbs://data@acct.blob.core.windows.net/a/", blob, "acct", "data", "a/", "", false},
		"https://acct.blob.core.windows.net/data/a/?" + testSAS:      {blob + "/data/a/", blob, "acct", "data", "a/", testSAS, false},
		"https://acct.dfs.core.windows.net:443/data/a":               {"https://acct.dfs.core.windows.net/data/a", blob, "acct", "data", "a", "", false},
		"https://acct.blob.core.windows.net/data":                    {blob + "/data/", blob, "acct", "data", "", "", false},
		"https://acct.blob.core.windows.net/$web/a/":                 {blob + "/$web/a/", blob, "acct", "$web", "a/", "", false},
		"https://acct-secondary.blob.core.windows.net/data/":         {"https://acct-secondary.blob.core.windows.net/data/", "https://acct-secondary.blob.core.windows.net", "acct-secondary", "data", "", "", false},
		"https://acct.z12.blob.storage.azure.net/data/":              {"https://acct.z12.blob.storage.azure.net/data/", "https://acct.z12.blob.storage.azure.net", "acct", "data", "", "", false},
		"abfss://data@acct.dfs.core.windows.net/a b/ü/100%25/%23/":   {"abfss://data@acct.dfs.core.windows.net/a%20b/%C3%BC/100%25/%23/", blob, "acct", "data", "a b/ü/100%/#/", "", false},
		"abfss://data@acct.dfs.core.windows.net/a%20b/%c3%bc/":       {"abfss://data@acct.dfs.core.windows.net/a%20b/%C3%BC/", blob, "acct", "data", "a b/ü/", "", false},
		"http://127.0.0.1:10000/devstoreaccount1/data/a/?" + testSAS: {"http://127.0.0.1:10000/devstoreaccount1/data/a/", "http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1", "data", "a/", testSAS, true},
		"https://localhost:10000/devstoreaccount1/data":              {"https://localhost:10000/devstoreaccount1/data/", "https://localhost:10000/devstoreaccount1", "devstoreaccount1", "data", "", "", true},
		"http://[::1]:10000/devstoreaccount1/data/a//":               {"http://[::1]:10000/devstoreaccount1/data/a//", "http://[::1]:10000/devstoreaccount1", "devstoreaccount1", "data", "a//", "", true},
	} {
		got, err := parseLocation(uri, "")
		if err != nil || got != want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", uri, got, err, want)
		}
	}
}

func TestParseLocationRefuses(t *testing.T) {
	for uri, part := range map[string]string{
		"abfss://acct.dfs.core.windows.net/data/":    "names no container",
		"abfss://data:pw@acct.dfs.core.windows.net/": "names no container",
		"abfss://Data_1@acct.dfs.core.windows.net/":  "names no container",
		"abfs://data@acct.dfs.core.windows.net/":     "write abfss://",
		"wasb://data@acct.blob.core.windows.net/":    "write wasbs://",
		"file:///data":                                                    "name the storage behind it",
		"https://acct.blob.core.windows.net/":                             "names no container",
		"https://acct.blob.core.windows.net/data.csv":                     "names no container",
		"https://user:hunter22@acct.blob.core.windows.net/data/":          "has a user name",
		"https://acct.blob.core.windows.net.evil.example/data/":           "is not a storage account",
		"https://evil.example/acct.blob.core.windows.net/data/":           "is not a storage account",
		"https://a.b.blob.core.windows.net/data/":                         "is not a storage account",
		"https://blob.core.windows.net/data/":                             "is not a storage account",
		"https://acct.blob.core.chinacloudapi.cn/data/":                   "for a sovereign cloud",
		"https://acct.blob.core.windows.net:8443/data/":                   "emulator on this machine",
		"http://acct.blob.core.windows.net/data/":                         "emulator on this machine",
		"http://10.0.0.1:10000/devstoreaccount1/data/":                    "emulator on this machine",
		"http://127.0.0.1.evil.example/devstoreaccount1/data/":            "emulator on this machine",
		"http://127.0.0.1:10000/":                                         "names no storage account",
		"http://127.0.0.1:10000/devstoreaccount1/":                        "names no container",
		"https://acct.blob.core.windows.net/data/a/../b/":                 `has a ".." in it`,
		"https://acct.blob.core.windows.net/data/%2E%2E/b/":               `has a ".." in it`,
		"https://acct.blob.core.windows.net/data/./b/":                    `has a "." in it`,
		"https://acct.blob.core.windows.net/data/%ff/":                    "not UTF-8",
		"https://acct.blob.core.windows.net/data/100%/":                   "as %25",
		"https://acct.blob.core.windows.net/data/a#b":                     "as %23",
		"https://acct.blob.core.windows.net/data/?deltaVersion=3":         "deltaVersion",
		"abfss://data@acct.dfs.core.windows.net/t/?deltaVersion=3":        "deltaVersion",
		"https://acct.blob.core.windows.net/data/?versionid=1&" + testSAS: "versionid",
		"https://acct.blob.core.windows.net/data/?sv=1":                   "is no SAS",
		"https://acct.blob.core.windows.net/data/?a;b":                    "cannot be read",
		"https://acct.blob.core.windows.net/data/100%/?" + testSAS:        "not a valid URI",
		"https://acct.blob.core.windows.net/data/?Comp=list&" + testSAS:   "Comp",
		"https:/acct.blob.core.windows.net/data/":                         "is not a storage account",
		"https://acct.privatelink.blob.core.windows.net/data/":            "is not a storage account",
		"https://-.blob.core.windows.net/data/":                           "is not a storage account",
		"https://acct.blob.core.windows.net/data/%zz?sig=" + "c2VjcmV0":   "not a valid URI",
	} {
		_, err := parseLocation(uri, "")
		wantMisused(t, err, part)
		wantNoSecret(t, err)
	}
}

func TestClouds(t *testing.T) {
	for cloud, uri := range map[string]string{
		"":                  "https://acct.blob.core.windows.net/data/",
		"china":             "abfss://data@acct.dfs.core.chinacloudapi.cn/",
		"usgovernment":      "https://acct.dfs.core.usgovcloudapi.net/data/",
		"Core.Example.Net.": "wasbs://data@acct.blob.core.example.net/",
	} {
		l, err := parseLocation(uri, cloud)
		if err != nil || l.account != "acct" || !strings.HasPrefix(l.service, "https://acct.blob.core.") {
			t.Errorf("%q: got %+v, %v", cloud, l, err)
		}
	}
}

func FuzzParseLocation(f *testing.F) {
	seeds := []string{"abfss://data@acct.dfs.core.windows.net/a%20b/", "https://acct.blob.core.windows.net/data/a?" + testSAS,
		"http://127.0.0.1:10000/devstoreaccount1/data/a/", "wasbs://data@acct.blob.core.windows.net"}
	for _, seed := range seeds {
		if _, err := parseLocation(seed, ""); err != nil {
			f.Fatalf("the seed %s is refused: %v", seed, err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		l, err := parseLocation(uri, "")
		if err != nil {
			return
		}
		u, err := url.Parse(l.uri)
		if err != nil || u.RawQuery != "" || u.Fragment != "" || strings.Contains(l.uri, "?") {
			t.Fatalf("%q is not clean: %v", l.uri, err)
		}
		again, err := parseLocation(l.uri, "")
		l.sas = ""
		if err != nil || again != l {
			t.Fatalf("%q: %+v, %v; again %+v", uri, l, err, again)
		}
	})
}
