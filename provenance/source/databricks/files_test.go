package databricks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"

	double "github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// workspaceFilesOf is the source for files of a double.
func workspaceFilesOf(w *double.Workspace) Source {
	d := of(w, 7)
	d.RunID, d.Client.MaxBody = "", 4<<20
	return d
}

// bytesOf are so many bytes that do not repeat.
func bytesOf(n int) []byte {
	data := make([]byte, n)
	state := uint32(1)
	for i := range data {
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	return data
}

const writtenAt = 1795311650000

// readAll reads a folder.
func readAll(t *testing.T, d Source, uri string) (map[string]string, string, error) {
	t.Helper()
	f, err := d.OpenFiles(t.Context(), uri)
	if err != nil {
		return nil, "", err
	}
	all := map[string]string{}
	err = f.List(t.Context(), func(o storage.Object) error {
		r, err := f.Open(t.Context(), o)
		if err != nil {
			return err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		if int64(len(data)) != o.Size && err == nil {
			t.Errorf("%s: %d bytes, %d were listed", o.Name, len(data), o.Size)
		}
		if !o.Modified.Equal(time.UnixMilli(writtenAt)) {
			t.Errorf("%s was changed at %s", o.Name, o.Modified)
		}
		all[o.Name] = string(data)
		return err
	})
	return all, f.URI(), err
}

// lakeOf fills all three places with the same model, and says where.
func lakeOf(t *testing.T) (w *double.Workspace, want map[string]string) {
	w = double.New(t)
	want = map[string]string{"model.zip": string(bytesOf(2<<20 + 12345)), "conf/model.json": `{"a":1}`, "conf/empty": "", "a b%20#.txt": "odd",
		"whole.bin": string(bytesOf(1 << 20)), "deep/er/x": "x"}
	for name, data := range want {
		f := double.File{Data: []byte(data), Modified: writtenAt}
		w.PutFile("/models/"+name, f)
		w.PutFile("/Volumes/main/ml/models/night/"+name, f)
		w.PutObject("/Shared/models/"+name, double.Object{Content: data, Modified: writtenAt})
	}
	return w, want
}

func TestFilesEverywhere(t *testing.T) {
	w, want := lakeOf(t)
	for asked, uri := range map[string]string{
		"dbfs:/models/": "dbfs:/models/", "dbfs:/models": "dbfs:/models/", "/dbfs/models": "dbfs:/models/", "dbfs:///models": "dbfs:/models/",
		"/Volumes/main/ml/models/night": "dbfs:/Volumes/main/ml/models/night/", "dbfs:/Volumes/main/ml/models/night/": "dbfs:/Volumes/main/ml/models/night/",
		"/Workspace/Shared/models/": "/Workspace/Shared/models/",
	} {
		got, at, err := readAll(t, workspaceFilesOf(w), asked)
		if err != nil || at != uri || len(got) != len(want) {
			t.Errorf("%s: %d files of %s, error %v", asked, len(got), at, err)
		}
		for name, data := range want {
			if got[name] != data {
				t.Errorf("%s: %s is another one", asked, name)
			}
		}
	}
	for asked, uri := range map[string]string{"dbfs:/models/model.zip": "dbfs:/models/model.zip", "/Workspace/Shared/models/model.zip": "/Workspace/Shared/models/model.zip",
		"/Volumes/main/ml/models/night/model.zip": "dbfs:/Volumes/main/ml/models/night/model.zip"} {
		got, at, err := readAll(t, workspaceFilesOf(w), asked)
		if err != nil || at != uri || len(got) != 1 || got["model.zip"] != want["model.zip"] {
			t.Errorf("%s: %d files of %s, error %v", asked, len(got), at, err)
		}
	}
}

// TestDBFSPages: a file is read in pages of 1 MiB, whole ones and the rest.
func TestDBFSPages(t *testing.T) {
	w := double.New(t)
	for size, pages := range map[int]int{0: 0, 1: 1, 1<<20 - 1: 1, 1 << 20: 1, 1<<20 + 1: 2, 3 << 20: 3} {
		data := bytesOf(size)
		w.PutFile("/m", double.File{Data: data, Modified: writtenAt})
		before := countOf(w, "/api/2.0/dbfs/read")
		got, _, err := readAll(t, workspaceFilesOf(w), "dbfs:/m")
		if err != nil || got["m"] != string(data) || countOf(w, "/api/2.0/dbfs/read")-before != pages {
			t.Errorf("%d bytes: %d read in %d pages, error %v", size, len(got["m"]), countOf(w, "/api/2.0/dbfs/read")-before, err)
		}
	}
}

// TestFilesThatChange are told apart, wherever and whenever they change.
func TestFilesThatChange(t *testing.T) {
	for place, c := range map[string]struct {
		uri   string
		reads string // path of the request that brings bytes
		put   func(w *double.Workspace, data []byte, at int64)
		drop  func(w *double.Workspace)
	}{
		"dbfs": {"dbfs:/m/model.bin", "/api/2.0/dbfs/read", func(w *double.Workspace, data []byte, at int64) {
			w.PutFile("/m/model.bin", double.File{Data: data, Modified: at})
		}, func(w *double.Workspace) { w.RemoveFile("/m/model.bin") }},
		"volume": {"/Volumes/c/s/v/model.bin", "/api/2.0/fs/files", func(w *double.Workspace, data []byte, at int64) {
			w.PutFile("/Volumes/c/s/v/model.bin", double.File{Data: data, Modified: at})
		}, func(w *double.Workspace) { w.RemoveFile("/Volumes/c/s/v/model.bin") }},
		"workspace": {"/Workspace/m/model.bin", "/api/2.0/workspace/export", func(w *double.Workspace, data []byte, at int64) {
			w.PutObject("/m/model.bin", double.Object{Content: string(data), Modified: at})
		}, func(w *double.Workspace) { w.RemoveObject("/m/model.bin") }},
	} {
		data := bytesOf(1<<20 + 7)
		for how, change := range map[string]func(*double.Workspace){
			"another time":  func(w *double.Workspace) { c.put(w, data, writtenAt+5000) },
			"longer":        func(w *double.Workspace) { c.put(w, append(slices.Clone(data), 1), writtenAt) },
			"shorter":       func(w *double.Workspace) { c.put(w, data[:1<<20], writtenAt) },
			"much shorter":  func(w *double.Workspace) { c.put(w, data[:10], writtenAt) },
			"gone":          c.drop,
			"other content": func(w *double.Workspace) { c.put(w, bytesOf(1<<20+6), writtenAt+1000) },
		} {
			for when, matters := range map[string]func(*http.Request, int) bool{
				"before it is opened": func(_ *http.Request, n int) bool { return n == 3 },
				"while it is read": func(r *http.Request, _ int) bool {
					return r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, c.reads)
				},
			} {
				w := double.New(t)
				c.put(w, data, writtenAt)
				asked, done := 0, false
				w.Before = func(r *http.Request) {
					if asked++; !done && matters(r, asked) {
						done = true
						change(w)
					}
				}
				_, _, err := readAll(t, workspaceFilesOf(w), c.uri)
				if !errors.Is(err, storage.ErrChanged) || sourcetest.KindOf(err) != "data.changed" {
					t.Errorf("%s, %s %s: %v", place, how, when, err)
				}
			}
		}
	}
}

// TestFilesMisused: no question is asked about what is no place.
func TestFilesMisused(t *testing.T) {
	w, _ := lakeOf(t)
	for _, uri := range []string{"", "/", "dbfs:", "dbfs:/", "dbfs://other/x", "/Volumes/a/b", "/Workspace", "/tmp/x", "dbfs:/a/../b", "dbfs:/a//b", "dbfs:/a?sig=hunter22",
		"s3://bucket/x", "dbfs:/a\nb", "Volumes/a/b/c/d", "/Workspace/./x"} {
		_, err := workspaceFilesOf(w).OpenFiles(t.Context(), uri)
		if sourcetest.KindOf(err) != "misused" || len(provenance.Hints(err)) == 0 {
			t.Errorf("%q: %v", uri, err)
		}
	}
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	if _, err := workspaceFilesOf(w).OpenFiles(t.Context(), "dbfs:/models/model.zip/"); sourcetest.KindOf(err) != "misused" {
		t.Error(err)
	}
	d := workspaceFilesOf(w)
	d.Token = nil
	if _, err := d.OpenFiles(t.Context(), "dbfs:/models"); sourcetest.KindOf(err) != "misused" {
		t.Error(err)
	}
}

func TestFilesMissing(t *testing.T) {
	w, _ := lakeOf(t)
	for _, uri := range []string{"dbfs:/none", "/Volumes/main/ml/models/none", "/Workspace/none"} {
		if _, err := workspaceFilesOf(w).OpenFiles(t.Context(), uri); sourcetest.KindOf(err) != "databricks.missing" {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// TestFilesSpecial: a notebook is no file of a model.
func TestFilesSpecial(t *testing.T) {
	w := double.New(t)
	w.PutObject("/m/train", double.Object{Type: "NOTEBOOK", Language: "PYTHON", Modified: writtenAt})
	for _, uri := range []string{"/Workspace/m", "/Workspace/m/train"} {
		if _, _, err := readAll(t, workspaceFilesOf(w), uri); sourcetest.KindOf(err) != "data.special" || !strings.Contains(err.Error(), "a notebook") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// TestFilesFaults: what passes is waited for; what does not is an error, and never an end of the file.
func TestFilesFaults(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer other.Close()
	for name, c := range map[string]struct {
		uri, at string
		fault   double.Fault
		says    string // empty: it passes
	}{
		"busy":                     {"dbfs:/models", "/api/2.0/dbfs/read", double.Busy("0"), ""},
		"503":                      {"dbfs:/models", "/api/2.0/dbfs/list", double.Unavailable, ""},
		"reset":                    {"dbfs:/models", "/api/2.0/dbfs/read", double.Reset, ""},
		"cut":                      {"dbfs:/models", "/api/2.0/dbfs/read", double.Cut, ""},
		"volume: reset":            {"/Volumes/main/ml/models/night", "/api/2.0/fs/files", double.Reset, ""},
		"workspace: 503":           {"/Workspace/Shared/models", "/api/2.0/workspace/export", double.Unavailable, ""},
		"expired":                  {"dbfs:/models", "/api/2.0/dbfs/read", double.Expired, "status 401"},
		"forbidden":                {"/Volumes/main/ml/models/night", "/api/2.0/fs/directories", double.Answer(403, `{"error_code":"PERMISSION_DENIED","message":"no"}`), "status 403"},
		"login page":               {"dbfs:/models", "/api/2.0/dbfs/read", double.LoginPage, "a web page came"},
		"volume: login page":       {"/Volumes/main/ml/models/night/model.zip", "/api/2.0/fs/files", double.LoginPage, "a web page came"},
		"redirect":                 {"dbfs:/models", "/api/2.0/dbfs/read", double.Redirect(other.URL), "not the host that was configured"},
		"volume: redirect":         {"/Volumes/main/ml/models/night", "/api/2.0/fs/files", double.Redirect(other.URL), "not the host that was configured"},
		"huge":                     {"dbfs:/models", "/api/2.0/dbfs/read", double.Huge(100 << 20), "longer than"},
		"wrong count":              {"dbfs:/models", "/api/2.0/dbfs/read", double.Answer(200, `{"bytes_read":5,"data":"YWJj"}`), "makes no sense"},
		"no base64":                {"dbfs:/models", "/api/2.0/dbfs/read", double.Answer(200, `{"bytes_read":5,"data":"!"}`), "not base64"},
		"keys twice":               {"dbfs:/models", "/api/2.0/dbfs/read", double.Answer(200, `{"bytes_read":0,"data":"","DATA":"x"}`), "stands twice"},
		"negative size":            {"dbfs:/models", "/api/2.0/dbfs/list", double.Answer(200, `{"files":[{"path":"/models/x","file_size":-1}]}`), "no size"},
		"a name outside":           {"dbfs:/models", "/api/2.0/dbfs/list", double.Answer(200, `{"files":[{"path":"/etc/passwd","file_size":1,"modification_time":1}]}`), "makes no sense"},
		"a name above":             {"dbfs:/models", "/api/2.0/dbfs/list", double.Answer(200, `{"files":[{"path":"/models/..","is_dir":true}]}`), "makes no sense"},
		"itself":                   {"dbfs:/models", "/api/2.0/dbfs/list", double.Answer(200, `{"files":[{"path":"/models","is_dir":true}]}`), "makes no sense"},
		"another file":             {"dbfs:/models", "/api/2.0/dbfs/get-status", double.Answer(200, `{"path":"/other","is_dir":true}`), "makes no sense"},
		"workspace: another file":  {"/Workspace/Shared/models", "/api/2.0/workspace/get-status", double.Answer(200, `{"path":"/other","object_type":"DIRECTORY"}`), "makes no sense"},
		"volume: circle":           {"/Volumes/main/ml/models/night", "/api/2.0/fs/directories", nil, "in a circle"},
		"volume: no length":        {"/Volumes/main/ml/models/night/model.zip", "/api/2.0/fs/files", func(out http.ResponseWriter, _ *http.Request) { out.(http.Flusher).Flush() }, "how large"},
		"workspace: file too long": {"/Workspace/Shared/models/model.zip", "/api/2.0/workspace/export", double.Answer(400, `{"error_code":"MAX_NOTEBOOK_SIZE_EXCEEDED","message":"too large"}`), "MAX_NOTEBOOK_SIZE_EXCEEDED"},
	} {
		t.Run(name, func(t *testing.T) {
			w, want := lakeOf(t)
			if c.fault == nil { // the listing's last page names itself as the next
				circle := double.Answer(200, `{"contents":[],"next_page_token":"from-0"}`)
				ok := double.Fault(func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(200) })
				w.FailAt(c.at, ok, circle, circle)
			} else {
				w.FailAt(c.at, c.fault)
			}
			got, _, err := readAll(t, workspaceFilesOf(w), c.uri)
			if c.says == "" {
				if err != nil || len(got) != len(want) {
					t.Errorf("%d files, error %v", len(got), err)
				}
				return
			}
			if err == nil || sourcetest.KindOf(err) != "" || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), double.Token) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}

// TestFilesStop: an error of the caller, or its leaving, ends a listing.
func TestFilesStop(t *testing.T) {
	w, _ := lakeOf(t)
	f, err := workspaceFilesOf(w).OpenFiles(t.Context(), "dbfs:/models")
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("enough")
	if err := f.List(t.Context(), func(storage.Object) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.List(ctx, func(storage.Object) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestTruncatedModel is the fault of the reference pipeline: what one request of DBFS gives is not the model.
func TestTruncatedModel(t *testing.T) {
	w := double.New(t)
	local := bytesOf(1<<20 + 300_000)
	w.PutFile("/mortgage/model.zip", double.File{Data: local, Modified: writtenAt})
	got, _, err := readAll(t, workspaceFilesOf(w), "dbfs:/mortgage/model.zip")
	if err != nil || provenance.SumSHA256([]byte(got["model.zip"])) != provenance.SumSHA256(local) {
		t.Fatalf("%d bytes, error %v", len(got["model.zip"]), err)
	}
	req, _ := http.NewRequest(http.MethodGet, w.URL+"/api/2.0/dbfs/read?path=/mortgage/model.zip", nil)
	req.Header.Set("Authorization", "Bearer "+double.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Contains(body, []byte(fmt.Sprintf(`"bytes_read":%d`, 512<<10))) {
		t.Fatalf("the one request of the reference pipeline gave %.60s, error %v", body, err)
	}
	registered := local[:512<<10]
	if provenance.SumSHA256(registered) == provenance.SumSHA256([]byte(got["model.zip"])) {
		t.Error("the truncated copy passes for the model")
	}
}

// TestRemoteFileGrain: DBFS and workspace files tell milliseconds, so a change within a second shows.
func TestRemoteFileGrain(t *testing.T) {
	f := remoteFile{size: 3, modified: time.UnixMilli(1795311000000)}
	for _, c := range []struct {
		place filePlace
		later time.Duration
		same  bool
	}{{dbfs{}, 0, true}, {dbfs{}, time.Millisecond, false}, {workspaceFiles{}, 999 * time.Millisecond, false}, {volumes{}, 999 * time.Millisecond, true}, {volumes{}, time.Second, false}} {
		if f.same(3, f.modified.Add(c.later), grainOf(c.place)) != c.same {
			t.Errorf("%T, %s later: not %t", c.place, c.later, c.same)
		}
	}
}
