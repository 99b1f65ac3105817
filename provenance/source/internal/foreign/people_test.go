package foreign

import (
	"testing"
)

// TestNobody: addresses of people go, and what only looks like one stays: an input has to be compared with the data.
func TestNobody(t *testing.T) {
	for in, want := range map[string]string{
		"/Users/ada@contoso.com/x":                             "/Users/[removed]/x",
		"path=%2FUsers%2Fada%40contoso.com%2Fx":                "path=%2FUsers%2F[removed]%2Fx",
		"guest_x.com#EXT#@contoso.onmicrosoft.com":             "[removed]",
		"abfss://lake@contoso.dfs.core.windows.net/2026/":      "abfss://lake@contoso.dfs.core.windows.net/2026/",
		"u=wasbs%3A%2F%2Flake@contoso.blob.core.windows.net/x": "u=wasbs%3A%2F%2Flake@contoso.blob.core.windows.net/x",
		"git@ssh.dev.azure.com:v3/contoso/m":                   "git@ssh.dev.azure.com:v3/contoso/m",
		"ABFSS://a@b.example ada@contoso.com":                  "ABFSS://a@b.example [removed]",
		"Reviewed-by: Ada\nx":                                  "Reviewed-by: [removed]\nx",
	} {
		if got := Nobody(in); got != want {
			t.Errorf("%q became %q, not %q", in, got, want)
		}
	}
}
