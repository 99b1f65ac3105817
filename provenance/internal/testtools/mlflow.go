package testtools

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// Tracking is a running MLflow server.
type Tracking struct {
	URL  string // http://127.0.0.1:PORT
	Dir  string // its artifacts lie here: EXPERIMENT/RUN/artifacts/…
	path string // for PYTHONPATH
}

// MLflow runs an MLflow tracking server with an empty database until the test ends, on a free port of its own. Further options
// are those of `mlflow server`. It takes 5 to 30 s to start: share one among the subtests.
// Source: https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server
func MLflow(t testing.TB, options ...string) Tracking {
	t.Helper()
	dir := t.TempDir()
	m := Tracking{Dir: filepath.Join(dir, "artifacts"), path: Path(t, "mlflow")}
	// One worker process: only then does the server say which port it has found.
	cmd := m.python(t, append([]string{"-m", "mlflow", "server", "--backend-store-uri", "sqlite:///" + filepath.ToSlash(filepath.Join(dir, "mlflow.db")),
		"--artifacts-destination", m.Dir, "--host", "127.0.0.1", "--port", "0", "--workers", "1"}, options...)...)
	cmd.Dir = dir
	host := start(t, cmd, regexp.MustCompile(`Uvicorn running on http://(127\.0\.0\.1:[0-9]+)`))
	t.Cleanup(func() { stop(cmd.Process, host) })
	m.URL = "http://" + host
	return m
}

// Script runs a Python script with MLflow's client, for this server, and gives what it wrote to standard output.
func (m Tracking) Script(t testing.TB, script string, args ...string) []byte {
	t.Helper()
	cmd := m.python(t, append([]string{script}, args...)...)
	cmd.Env = append(cmd.Env, "MLFLOW_TRACKING_URI="+m.URL)
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if e, ok := err.(*exec.ExitError); ok {
			stderr = string(e.Stderr)
		}
		t.Fatalf("%s: %v\n%s", filepath.Base(script), err, stderr)
	}
	return out
}

// python is Python with the pinned packages, that tells nobody of its use and waits for nobody.
func (m Tracking) python(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatalf("mlflow: %v", err)
	}
	cmd := exec.Command(python, args...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+m.path, "PYTHONDONTWRITEBYTECODE=1", "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true",
		"MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", "MLFLOW_HTTP_REQUEST_MAX_RETRIES=1", "GIT_PYTHON_REFRESH=quiet")
	return cmd
}

// stop ends the server and the process that it started, which outlives it when it is only killed.
func stop(process *os.Process, host string) {
	if process.Signal(syscall.SIGTERM) != nil {
		return
	}
	for range 100 {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			return
		}
		_ = conn.Close()
		time.Sleep(100 * time.Millisecond)
	}
}
