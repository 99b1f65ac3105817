package delta

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// lake is a table of deltalake in the double of Azure, in a folder "t" of the container "lake".
func lake(t *testing.T, dir string) (*blobdouble.Server, storage.Folder) {
	t.Helper()
	s := blobdouble.New(t)
	s.HNS = true
	upload(t, s, dir)
	f, err := storage.Open(context.Background(), s.URL+"/lake/t/", storage.Options{SharedKey: sharedKey})
	if err != nil {
		t.Fatal(err)
	}
	return s, f
}

// sharedKey is any: the double does not check it.
func sharedKey(string) string { return "a2V5" }

func upload(t *testing.T, s *blobdouble.Server, dir string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		s.Put("lake", "t/"+path, blobdouble.Blob{Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTableInAzure(t *testing.T) {
	dir := table(t, "partitioned")
	_, f := lake(t, dir)
	for v, want := range filesOf(t, dir) {
		opened, err := Open(context.Background(), f, version(v), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		data, log, err := listed(t, opened)
		if err != nil || !slices.Equal(data, want) || len(log) == 0 {
			t.Errorf("version %d: %v %v, %v, want %v", v, data, log, err, want)
		}
		if opened.URI() != f.URI() || opened.Workers() != f.Workers() {
			t.Errorf("%s, %d workers", opened.URI(), opened.Workers())
		}
	}
}

// TestIsAsksOnce: one page of a listing, however large the folder.
func TestIsAsksOnce(t *testing.T) {
	s, f := lake(t, table(t, "checkpointed"))
	s.PageSize = 3
	before := s.Counts()
	if is, err := Is(context.Background(), f); !is || err != nil {
		t.Errorf("%v, %v", is, err)
	}
	if after := s.Counts(); after.Lists-before.Lists != 1 || after.Gets != before.Gets {
		t.Errorf("asked %+v, before %+v", after, before)
	}
	s.PutText("lake", "plain/_delta_logs/x", "x")
	plain, err := storage.Open(context.Background(), s.URL+"/lake/plain/", storage.Options{SharedKey: sharedKey})
	if err != nil {
		t.Fatal(err)
	}
	if is, err := Is(context.Background(), plain); is || err != nil {
		t.Errorf("%v, %v", is, err)
	}
}

// TestOpenReadsTheLogOnly: no data file is listed or read, and each file of the log is read once.
func TestOpenReadsTheLogOnly(t *testing.T) {
	dir := table(t, "checkpointed")
	s, f := lake(t, dir)
	before := s.Counts()
	if _, err := Open(context.Background(), f, At{}, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	after := s.Counts()
	commits, err := filepath.Glob(filepath.Join(dir, logDir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if gets := after.Gets - before.Gets; after.Lists-before.Lists != 1 || gets != int64(len(commits))+1 {
		t.Errorf("%d listings, %d blobs read; want 1, and %d commits and a checkpoint", after.Lists-before.Lists, gets, len(commits))
	}
}

// TestLogChangesMeanwhile: the log is pinned by its ETags.
func TestLogChangesMeanwhile(t *testing.T) {
	s, f := lake(t, table(t, "plain"))
	const name = "t/_delta_log/00000000000000000004.json"
	s.Fault = func(r blobdouble.Request) blobdouble.Fault {
		if r.Kind == "get" && r.Try == 1 && strings.HasSuffix(r.Name, "4.json") {
			s.PutText("lake", name, "{}")
		}
		return blobdouble.Fault{}
	}
	_, err := Open(context.Background(), f, At{}, t.TempDir())
	var r *provenance.Refused
	if !errors.Is(err, storage.ErrChanged) || !errors.As(err, &r) {
		t.Errorf("got %v", err)
	}
}

// TestStorageFails: what cannot be read is undecided, wherever it is read.
func TestStorageFails(t *testing.T) {
	dir := table(t, "mapped")
	writeLog(t, dir, pad(1)+".crc", "{}")
	for _, part := range []string{"list", "00000000000000000000.json", "00000000000000000001.checkpoint.parquet", "00000000000000000001.crc"} {
		t.Run(part, func(t *testing.T) {
			s, f := lake(t, dir)
			s.Fault = func(r blobdouble.Request) blobdouble.Fault {
				if r.Kind == part || strings.HasSuffix(r.Name, part) {
					return blobdouble.Fault{Status: http.StatusForbidden, Code: "AuthorizationFailure"}
				}
				return blobdouble.Fault{}
			}
			_, err := Open(context.Background(), f, At{}, t.TempDir())
			var r *provenance.Refused
			if err == nil || errors.As(err, &r) {
				t.Errorf("got %v", err)
			}
		})
	}
}
