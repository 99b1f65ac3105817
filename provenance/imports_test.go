package provenance

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/seed-3480f271/provenance/provenance"

// clouds are SDKs of clouds and registries.
var clouds = []string{"github.com/Azure/", "github.com/aws/", "cloud.google.com/", "google.golang.org/api"}

// importRules say what a package must never import, transitively. Parsers of foreign bytes do not live beside keys, and
// checking a saved bundle works with no network.
var importRules = []struct {
	pkg   string
	never []string
}{
	{"", append([]string{"net/http"}, clouds...)},
	{"/envelope", append(rooms("storage", "source", "sign", "image"), clouds...)},
	{"/summary", append(append(rooms("storage", "source", "sign", "image", "envelope", "verify", "report"), "net/http"), clouds...)},
	{"/verify", append(rooms("storage", "source", "sign", "image"), clouds...)},
	{"/verify/rule", append(rooms("storage", "source", "sign", "image", "report"), clouds...)},
	{"/verify/policy", append(rooms("storage", "source", "sign", "image", "report"), clouds...)},
	{"/report", append(rooms("storage", "source", "sign", "image"), clouds...)},
	{"/source", rooms("sign", "envelope")},
	{"/folder", rooms("sign", "envelope", "source", "image", "verify", "report")},
	{"/folder/delta", rooms("sign", "envelope", "source", "image", "verify", "report")},
	{"/storage", rooms("sign", "envelope")},
	{"/image", rooms("envelope", "sign", "storage", "source")},
	{"/sign", rooms("storage", "source", "image", "verify", "report")},
}

// rooms are packages of this module.
func rooms(names ...string) []string {
	var out []string
	for _, name := range names {
		out = append(out, module+"/"+name)
	}
	return out
}

// onlyImporter: one package alone speaks to the Blob service.
const blobSDK = "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"

func TestImportRules(t *testing.T) {
	for _, rule := range importRules {
		deps := goList(t, "-deps", module+rule.pkg)
		for _, dep := range deps {
			for _, forbidden := range rule.never {
				if dep == forbidden || strings.HasPrefix(dep, strings.TrimSuffix(forbidden, "/")+"/") {
					t.Errorf("%s imports %s", module+rule.pkg, dep)
				}
			}
		}
	}
}

func TestOnlyStorageImportsTheBlobSDK(t *testing.T) {
	importers := goList(t, "-f", `{{$p := .ImportPath}}{{range .Imports}}{{$p}} {{.}}{{"\n"}}{{end}}`, module+"/...", "github.com/seed-3480f271/provenance/cmd/...")
	for _, line := range importers {
		pkg, imported, _ := strings.Cut(line, " ")
		if strings.HasPrefix(imported, blobSDK) && pkg != module+"/storage" && pkg != module+"/provtest" {
			t.Errorf("%s imports %s", pkg, imported)
		}
	}
}

// goList runs `go list` and returns its lines.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
