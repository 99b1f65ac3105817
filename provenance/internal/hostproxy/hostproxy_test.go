package hostproxy_test

import (
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/internal/hostproxy"
)

func TestTransport(t *testing.T) {
	named := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name+" "+r.Host) })
	}
	p := hostproxy.Start(t, map[string]http.Handler{"one.example.com": named("one"), "*.blobs.example.com": named("any")})
	client := &http.Client{Transport: p.Transport()}
	for url, want := range map[string]string{
		"https://one.example.com/x":         "one one.example.com",
		"https://lake.blobs.example.com/":   "any lake.blobs.example.com",
		"https://a.lake.blobs.example.com/": "", "https://blobs.example.com/": "", "https://two.example.com/": "",
		"https://one.example.com:8443/": "", "http://one.example.com/": "",
	} {
		resp, err := client.Get(url)
		if want == "" {
			if err == nil && resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %s", url, resp.Status)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, want %q (%v)", url, got, want, err)
		}
	}
	refused := p.Refused()
	slices.Sort(refused)
	if want := []string{"a.lake.blobs.example.com:443", "blobs.example.com:443", "one.example.com", "one.example.com:8443", "two.example.com:443"}; !slices.Equal(refused, want) {
		t.Errorf("refused %q, want %q", refused, want)
	}
	if env := p.Env(); env["HTTPS_PROXY"] == "" || env["SSL_CERT_FILE"] == "" {
		t.Errorf("environment %q", env)
	}
}
