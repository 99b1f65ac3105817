package provenance

import "testing"

func TestWithin(t *testing.T) {
	const root = "abfss://lake@contoso.dfs.core.windows.net/mortgages/"
	for _, c := range []struct {
		uri, root string
		want      bool
	}{
		{root, root, true},
		{root + "2026/", root, true},
		{"abfss://lake@contoso.dfs.core.windows.net/mortgages", root, true},
		{"abfss://lake@CONTOSO.dfs.core.windows.net/mortgages/a", root, true},
		{"https://contoso.blob.core.windows.net/lake/mortgages/a", root, true},
		{"https://contoso.dfs.core.windows.net/lake/mortgages/a", root, true},
		{"wasbs://lake@contoso.blob.core.windows.net/mortgages/a", root, true},
		{"abfss://lake@contoso.dfs.core.windows.net/mort%67ages/a", root, true},
		{"https://contoso.blob.core.windows.net:443/lake/mortgages/a", root, true},
		{"https://contoso.blob.core.windows.net/lake/x", "https://contoso.blob.core.windows.net/lake", true},
		{"https://contoso.blob.core.windows.net/lake/x", "https://contoso.blob.core.windows.net", true},
		{"abfss://lake@contoso.z12.dfs.storage.azure.net/x", "https://contoso.z12.blob.storage.azure.net/lake", true},
		{"abfss://lake@contoso.z13.dfs.storage.azure.net/x", "https://contoso.z12.blob.storage.azure.net/lake", false},

		{"abfss://lake@contoso.dfs.core.windows.net/mortgages-evil/a", root, false},
		{"abfss://lake@contoso.dfs.core.windows.net/", root, false},
		{"abfss://lake@contoso.dfs.core.windows.net/Mortgages/a", root, false},
		{"abfss://other@contoso.dfs.core.windows.net/mortgages/a", root, false},
		{"abfss://lake@evil.dfs.core.windows.net/mortgages/a", root, false},
		{"abfss://lake@contoso.dfs.core.windows.net.evil.com/mortgages/a", root, false},
		{"abfss://lake@contoso.dfs.core.chinacloudapi.cn/mortgages/a", root, false},
		{"http://contoso.blob.core.windows.net/lake/mortgages/a", root, false},
		{"https://contoso.blob.core.windows.net:8443/lake/mortgages/a", root, false},
		{"http://contoso.blob.core.windows.net:443/lake/mortgages/a", root, false},
		{"abfs://lake@contoso.dfs.core.windows.net/mortgages/a", root, false},
		{root + "../other", root, false},
		{root + "%2e%2e/other", root, false},
		{root + "..%2fother", root, false},
		{root + "a/./b", root, false},
		{root + "a//b", root, false},
		{root + `..\other`, root, false},
		{root + "%5c..%5cother", root, false},
		{root + "%00", root, false},
		{root + "%zz", root, false},
		{root + "a?x=y", root, false},
		{root + "a?", root, false},
		{root + "a#b", root, false},
		{"abfss://lake:password@contoso.dfs.core.windows.net/mortgages/", root, false},
		{"abfss://@contoso.dfs.core.windows.net/mortgages/", root, false},
		{"https://user@contoso.blob.core.windows.net/lake/mortgages/a", root, false},
		{"https:///lake/mortgages/a", root, false},
		{"", root, false},

		{"/lake/a", "/lake", true},
		{"/lake/a/", "/lake/", true},
		{"/lake", "/", true},
		{"/lake/../etc", "/lake", false},
		{"/lakes", "/lake", false},
		{"lake/a", "/lake", false},
		{"lake/a", "lake", false},
		{"C:/lake/a", "C:/lake", true},
		{"D:/lake/a", "C:/lake", false},
		{"/lake\n/a", "/lake", false},
		{"/lake/a", root, false},
		{root, "/", false},
		{"/50%/a", "/50%", true},
		{"http://127.0.0.1:10000/devstoreaccount1/lake/a", "http://127.0.0.1:10000/devstoreaccount1/lake/", true},
		{"http://127.0.0.1:10001/devstoreaccount1/lake/a", "http://127.0.0.1:10000/devstoreaccount1/lake/", false},
	} {
		if got := Within(c.uri, []string{"/elsewhere", c.root}); got != c.want {
			t.Errorf("%q within %q: %v, want %v", c.uri, c.root, got, c.want)
		}
	}
}
