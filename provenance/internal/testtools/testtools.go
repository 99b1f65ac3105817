// Package testtools finds and runs the programs of others that the tests use: stock cosign, a registry without the
// referrers API, crane, the Azure Storage emulator, and the servers of a private Sigstore. `make tools` builds them from the versions under .ci/tools into
// a cache outside the tree. A tool that is not there fails the test: nothing is skipped.
package testtools

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// azuriteEntry is Azurite's blob-only program, inside its folder of the cache.
const azuriteEntry = "node_modules/azurite/dist/src/blob/main.js"

// Path is the executable of a tool: "cosign-v2", "cosign-v3", "registry", "crane", "fulcio", "timestamp-server", "rekor-server"; for "azurite" it is the script that
// node runs; for Python packages ("deltalake") the folder for PYTHONPATH. The test fails when it is not there.
func Path(t testing.TB, name string) string {
	t.Helper()
	path, err := find(name)
	if err != nil {
		t.Fatalf("%s: %v; run `make tools`", name, err)
	}
	return path
}

// find is where .ci/tools/build.sh put the tool; both follow the rule that build.sh describes.
func find(name string) (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	lock, file := "go.mod", name
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	dir := filepath.Join(root, ".ci", "tools", name)
	if _, err := os.Stat(filepath.Join(dir, "requirements.txt")); err == nil {
		lock, file = "requirements.txt", ""
	}
	if name == "azurite" {
		lock, file = "package-lock.json", azuriteEntry
	}
	data, err := os.ReadFile(filepath.Join(dir, lock))
	if err != nil {
		return "", fmt.Errorf("it is not a tool of this project: %w", err)
	}
	own, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	sum := sha256.Sum256(append(data, own...))
	path := filepath.Join(cache(), name+"-"+hex.EncodeToString(sum[:])[:16], filepath.FromSlash(file))
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	return path, nil
}

// cache is the folder that holds the tools.
func cache() string {
	if dir := os.Getenv("PROVENANCE_TOOLS"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "provenance-tools")
	}
	home, _ := os.UserHomeDir() // without one, the path that is not found says so
	return filepath.Join(home, ".cache", "provenance-tools")
}

// repository is the root of the source tree: the nearest folder above the test that has .ci/tools.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, ".ci", "tools")); err == nil {
			return dir, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the test does not run inside the source tree")
		}
		dir = filepath.Dir(dir)
	}
}
