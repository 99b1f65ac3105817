package testtools

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// startTimeout is how long a server may take until it listens; Azurite takes 1 to 4 s on an idle machine.
const startTimeout = 2 * time.Minute

// Account and key of every Azurite, public and the same everywhere.
// Source: https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key
const (
	AzuriteAccount = "devstoreaccount1"
	AzuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Azurite runs the Azure Storage emulator for blobs until the test ends, in memory, on a free port of its own. The
// answer is the account's URL, http://127.0.0.1:PORT/devstoreaccount1. It takes seconds to start: share one among the
// subtests.
func Azurite(t testing.TB) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("azurite: %v", err)
	}
	cmd := exec.Command(node, Path(t, "azurite"), "--blobHost", "127.0.0.1", "--blobPort", "0",
		"--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--disableTelemetry")
	host := start(t, cmd, regexp.MustCompile(`successfully listens on http://(127\.0\.0\.1:[0-9]+)`))
	return "http://" + host + "/" + AzuriteAccount
}

// registryConfig lets the registry choose a free port. Deleting is off, as it is by default.
// Source: https://distribution.github.io/distribution/about/configuration/
const registryConfig = `version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: ROOT}
  maintenance: {uploadpurging: {enabled: false}}
http: {addr: "127.0.0.1:0"}
`

// Registry runs the distribution project's registry until the test ends, on a free port of its own. It has no referrers
// API. The answer is its host, 127.0.0.1:PORT, as image references name it.
func Registry(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	text := strings.Replace(registryConfig, "ROOT", filepath.ToSlash(filepath.Join(dir, "data")), 1)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(Path(t, "registry"), "serve", config)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none") // it would look for a collector on this machine
	return start(t, cmd, regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`))
}

// start runs a server until the test ends. The first group of listening is its address, in a line of its output. What
// it wrote is shown when the test fails.
func start(t testing.TB, cmd *exec.Cmd, listening *regexp.Regexp) string {
	t.Helper()
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	var output tail
	go watch(read, listening, address, &output)
	exited := make(chan struct{})
	go func() { defer close(exited); _ = cmd.Wait(); _ = write.Close() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(cmd.Path), output.String())
		}
	})
	select {
	case a := <-address:
		return a
	case <-exited:
		t.Fatalf("%s ended before it listened", cmd)
	case <-time.After(startTimeout):
		t.Fatalf("%s does not listen after %v", cmd, startTimeout)
	}
	return ""
}

// watch reads a server's output to its end, and hands on the address.
func watch(output io.Reader, listening *regexp.Regexp, address chan<- string, keep *tail) {
	for lines := bufio.NewReader(output); ; {
		line, err := lines.ReadString('\n')
		keep.add(line)
		if found := listening.FindStringSubmatch(line); found != nil {
			select {
			case address <- found[1]:
			default: // it was handed on before
			}
		}
		if err != nil {
			return
		}
	}
}

// tail keeps the last lines of a server's output.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (k *tail) add(line string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lines = append(k.lines, line); len(k.lines) > 40 {
		k.lines = k.lines[1:]
	}
}

func (k *tail) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return strings.Join(k.lines, "")
}
