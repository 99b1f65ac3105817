package testtools

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

func TestToolsRun(t *testing.T) {
	for name, want := range map[string]string{
		"cosign-v2": "github.com/sigstore/cosign/v2\tv2.6.5",
		"cosign-v3": "github.com/sigstore/cosign/v3\tv3.1.3",
		"registry":  "github.com/distribution/distribution/v3\tv3.1.2",
		"crane":     "github.com/google/go-containerregistry\tv0.22.0",
		"fulcio":    "github.com/sigstore/fulcio\tv1.8.8",
	} {
		t.Run(name, func(t *testing.T) {
			path := Path(t, name)
			info, err := exec.Command("go", "version", "-m", path).CombinedOutput()
			if err != nil || !strings.Contains(string(info), want) {
				t.Errorf("go version -m: %v, want %q in\n%s", err, want, info)
			}
			if help, err := exec.Command(path, "--help").CombinedOutput(); err != nil {
				t.Errorf("--help: %v\n%s", err, help)
			}
		})
	}
}

func TestUnknownToolIsAnError(t *testing.T) {
	if path, err := find("no-such-tool"); err == nil {
		t.Errorf("got %s, want an error", path)
	}
}

func TestToolThatWasNotBuiltIsAnError(t *testing.T) {
	t.Setenv("PROVENANCE_TOOLS", t.TempDir())
	if path, err := find("crane"); err == nil {
		t.Errorf("got %s, want an error", path)
	}
}

func TestServers(t *testing.T) {
	host := Registry(t)
	if status := get(t, "http://"+host+"/v2/"); status != http.StatusOK {
		t.Errorf("registry: GET /v2/ answers %d, want 200", status)
	}
	if second := Registry(t); second == host {
		t.Errorf("two registries at the same time have the same address %s", host)
	}
	if status := get(t, Azurite(t)+"?comp=list"); status != http.StatusForbidden {
		t.Errorf("azurite: an anonymous listing answers %d, want 403", status)
	}
}

func TestServersEndWithTheTest(t *testing.T) {
	var host string
	t.Run("inner", func(t *testing.T) { host = Registry(t) })
	if resp, err := http.Get("http://" + host + "/v2/"); err == nil {
		_ = resp.Body.Close()
		t.Errorf("the registry still answers with %s", resp.Status)
	}
}

func get(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
