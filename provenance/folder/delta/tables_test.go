package delta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/testtools"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// python runs testdata/tables.py with the real deltalake package.
func python(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("python3", append([]string{filepath.Join("testdata", "tables.py")}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+testtools.Path(t, "deltalake"), "PYTHONDONTWRITEBYTECODE=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tables.py %v: %v\n%s", args, err, stderr.Bytes())
	}
	return out
}

// made are the tables that deltalake wrote, once for all tests.
var made struct {
	sync.Once
	dir string
}

func TestMain(m *testing.M) {
	status := m.Run()
	if made.dir != "" {
		os.RemoveAll(made.dir)
	}
	os.Exit(status)
}

// table is a copy of one of the tables that deltalake wrote. Times are kept.
func table(t *testing.T, name string) string {
	t.Helper()
	made.Do(func() {
		dir, err := os.MkdirTemp("", "delta-tables-")
		if err != nil {
			t.Fatal(err)
		}
		made.dir = dir
		python(t, "make", dir)
	})
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(made.dir, name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// filesOf are the files of each version as deltalake sees them; nil where it cannot read the version.
func filesOf(t *testing.T, dir string) map[int64][]string {
	t.Helper()
	var byVersion map[string][]string
	if err := json.Unmarshal(python(t, "files", dir), &byVersion); err != nil {
		t.Fatal(err)
	}
	out := map[int64][]string{}
	for version, files := range byVersion {
		v, err := strconv.ParseInt(version, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		out[v] = files
	}
	return out
}

func openFolder(t testing.TB, dir string) storage.Folder {
	t.Helper()
	f, err := storage.Open(context.Background(), dir+"/", storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func openTable(t testing.TB, dir string, at At) (*Table, error) {
	t.Helper()
	scratch := t.TempDir()
	table, err := Open(context.Background(), openFolder(t, dir), at, scratch)
	if left, _ := os.ReadDir(scratch); len(left) > 0 {
		t.Errorf("%d files were left behind", len(left))
	}
	return table, err
}

func version(n int64) At { return At{Version: &n} }

// listed are the names of a table's files: of its data and vectors, and of its log.
func listed(t testing.TB, f storage.Folder) (data, log []string, err error) {
	t.Helper()
	err = f.List(context.Background(), func(o storage.Object) error {
		if name, ok := strings.CutPrefix(o.Name, logDir+"/"); ok {
			log = append(log, name)
		} else {
			data = append(data, o.Name)
		}
		return nil
	})
	slices.Sort(data)
	slices.Sort(log)
	return data, log, err
}

// refused is the detail of a refusal.
func refused(t testing.TB, err error) string {
	t.Helper()
	var r *provenance.Refused
	if !errors.As(err, &r) || r.Code != "data.delta" {
		t.Fatalf("error %v, want a refusal", err)
	}
	return r.Detail
}

// wantRefused checks that a refusal says something.
func wantRefused(t testing.TB, err error, want string) {
	t.Helper()
	if detail := refused(t, err); !strings.Contains(detail, want) {
		t.Errorf("refused: %s\nwant %q", detail, want)
	}
}

// sameAsDeltalake compares every version of a table with what deltalake says.
func sameAsDeltalake(t *testing.T, dir string) {
	t.Helper()
	versions := filesOf(t, dir)
	if len(versions) == 0 {
		t.Fatal("deltalake says nothing")
	}
	for v, want := range versions {
		table, err := openTable(t, dir, version(v))
		if want == nil {
			wantRefused(t, err, "the table has no version")
			continue
		}
		if err != nil {
			t.Errorf("version %d: %v", v, err)
			continue
		}
		data, log, err := listed(t, table)
		if err != nil {
			wantGone(t, dir, v, want, err)
			continue
		}
		data = slices.DeleteFunc(data, func(name string) bool { return strings.HasSuffix(name, ".bin") })
		if !slices.Equal(data, want) {
			t.Errorf("version %d: files\n%s\nwant\n%s", v, strings.Join(data, "\n"), strings.Join(want, "\n"))
		}
		if len(log) == 0 || !slices.ContainsFunc(log, func(name string) bool { return strings.HasPrefix(name, pad(v)+".") }) {
			t.Errorf("version %d: the log's files are %v", v, log)
		}
		if n := table.Noun(); n.Version != v || n.DataFiles != int64(len(want)) || n.ID == "" || n.Asked != "version" {
			t.Errorf("version %d: %+v", v, n)
		}
	}
}

// wantGone checks that a listing failed because a file is gone, and names it.
func wantGone(t *testing.T, dir string, v int64, want []string, err error) {
	t.Helper()
	detail := refused(t, err)
	for _, name := range want {
		if _, missing := os.Stat(filepath.Join(dir, name)); missing != nil && strings.Contains(detail, name) {
			return
		}
	}
	t.Errorf("version %d: %v, and no file is gone", v, err)
}

func pad(version int64) string {
	digits := strconv.FormatInt(version, 10)
	return strings.Repeat("0", 20-len(digits)) + digits
}

func TestSameFilesAsDeltalake(t *testing.T) {
	for _, name := range []string{"plain", "partitioned", "dated", "checkpointed", "mapped", "vacuumed", "cleaned", "compacted", "typed", "typed_mapped"} {
		t.Run(name, func(t *testing.T) { sameAsDeltalake(t, table(t, name)) })
	}
}

func TestIs(t *testing.T) {
	for dir, want := range map[string]bool{table(t, "plain"): true, t.TempDir(): false} {
		if is, err := Is(context.Background(), openFolder(t, dir)); is != want || err != nil {
			t.Errorf("%s: %v, %v", dir, is, err)
		}
	}
	single := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(single, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := storage.Open(context.Background(), single, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if is, err := Is(context.Background(), f); is || err != nil {
		t.Errorf("a single file: %v, %v", is, err)
	}
}
