package provenance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// kept is something in memory that lies beside the image.
func kept(name, mediaType, text string) Stored {
	return Stored{Name: name, MediaType: mediaType, Digest: SumSHA256([]byte(text)), Size: int64(len(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

const toldAnswer = `[{"request":"/api?path=%2FUsers%2Fada%40contoso.com","askedAt":"2026-11-23T02:30:00Z","answer":` +
	`{"run_name":"train by Ada Lovelace","n":12345678901234567890,"tags":[{"key":"note","value":"ask Ada Lovelace"}],"/Users/ada@contoso.com":1,"/Users/ADA@contoso.com":null,` +
	`"comment":"as Ada Lovelace said","area":"north"}},{"request":"/api","askedAt":"2026-11-23T02:30:00Z","requestId":"r","answer":["Ada Lovelace"]}]`

// naming is evidence of a night in which names of people stand everywhere.
func naming(t *testing.T) []Evidence {
	t.Helper()
	plot := kept("mlflow-artifacts/by Ada Lovelace.json", "application/json", `{"title":"Ada Lovelace","by":"Ada Lovelace"}`)
	all := changed(func(m *MLflowRun) {
		m.Answer, m.Told = kept("mlflow-run.json", AnswersMediaType, toldAnswer), []string{"Ada Lovelace"}
		m.Name, m.Tags = "run of Ada Lovelace", map[string]string{"owner": "Ada Lovelace", "area": "north"}
		m.Params["path"] = "/Users/ada@contoso.com/train"
		m.Inputs[0].Source = "abfss://mortgages@contoso.dfs.core.windows.net/Ada Lovelace/a.csv"
		m.Inputs = append(m.Inputs, Dataset{Name: "table", Source: "dbfs:/Users/Ada Lovelace/t"})
		m.Artifacts = []Artifact{{Path: "by Ada Lovelace.json", Size: new(int64(44)), Digest: plot.Digest, Stored: plot}}
	})(example(t))
	all = changed(func(r *Release) {
		r.Logs = kept("release.log", "text/plain; charset=utf-8", "==== 1.log ====\nRequested for: Ada Lovelace\nok\n")
	})(all)
	all = changed(func(f *Folder) {
		if f.Role == "train" {
			f.URI = "abfss://mortgages@contoso.dfs.core.windows.net/Ada Lovelace/"
		}
	})(all)
	all = changed(func(v *Review) { v.Notes = []string{"the pusher Ada Lovelace is not known: status 403"} })(all)
	all = changed(func(m *Model) { m.URI = "/Users/ada@contoso.com/model.bin" })(all)
	all = changed(func(d *DatabricksRun) { d.Told = []string{"svc-train@contoso.com"} })(all)
	n := find[Notebook](all)
	n.Path, n.How = "/Repos/Ada Lovelace/x", "task a"
	m := n
	m.Path = "/Repos/Grace Hopper/x"
	return append(all, n, m, IDsOnly{})
}

// TestWithhold: who is known by name is named nowhere in what is kept, but in what people wrote themselves and in addresses of data.
func TestWithhold(t *testing.T) {
	s, data := write(t, naming(t)...)
	record, err := Read(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := record.Contradiction(); err != nil {
		t.Error(err)
	}
	text := string(data)
	for _, gone := range []string{"of Ada", "ada@contoso.com", "Grace Hopper", "Repos/Ada", "by Ada", "pusher Ada", "Users/Ada"} {
		if strings.Contains(text, gone) {
			t.Errorf("the statement says %s", gone)
		}
	}
	m := record.MLflow
	if m.Name != "run of [removed]" || m.Tags["owner"] != "[removed]" || m.Tags["area"] != "north" || m.Params["path"] != "/Users/[removed]/train" {
		t.Errorf("run %+v", m)
	}
	if m.Inputs[1].Source != "dbfs:/Users/[removed]/t" || !strings.HasSuffix(record.Data[1].URI, "/Ada Lovelace/") || !strings.HasSuffix(m.Inputs[0].Source, "/Ada Lovelace/a.csv") {
		t.Errorf("input %+v, data %s", m.Inputs, record.Data[1].URI)
	}
	if a := m.Artifacts[0]; a.Path != "by [removed].json" || !a.Redacted || a.Digest != a.Stored.Digest || a.Stored.Name != "mlflow-artifacts/by [removed].json" {
		t.Errorf("artifact %+v", a)
	}
	if record.Model.URI != "/Users/[removed]/model.bin" || record.Review.Notes[0] != "the pusher [removed] is not known: status 403" {
		t.Errorf("model %s, review %+v", record.Model.URI, record.Review)
	}
	removed := append(slices.Clone(m.Removed), record.Release.Removed...)
	for _, at := range []string{"/api $[0]", "/api?path=%2FUsers%2F[removed]", "/api?path=%2FUsers%2F[removed] $.run_name", "/api?path=%2FUsers%2F[removed] $.tags[0].value",
		`/api?path=%2FUsers%2F[removed] $."/Users/[removed]"`, "release.log line 2"} {
		if !slices.Contains(removed, at) {
			t.Errorf("%q is not among what was removed: %q", at, removed)
		}
	}
}

// TestWithheldBytes: what lies beside the image is what the statement names, to the byte.
func TestWithheldBytes(t *testing.T) {
	s, _ := write(t, naming(t)...)
	record, err := Read(s)
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := Beside(naming(t)...)
	if err != nil {
		t.Fatal(err)
	}
	want := record.Stored()
	texts := map[string]string{}
	for _, stored := range all {
		if !slices.ContainsFunc(want, func(s Stored) bool {
			return s.Digest == stored.Digest && s.Name == stored.Name && s.Size == stored.Size
		}) {
			t.Errorf("beside the image lies %s %s, which the statement does not name", stored.Name, stored.Digest)
		}
		if stored.Open == nil {
			continue
		}
		f, err := stored.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(f)
		if err != nil || SumSHA256(data) != stored.Digest || int64(len(data)) != stored.Size {
			t.Errorf("%s: %v", stored.Name, err)
		}
		texts[stored.Name] = string(data)
	}
	for name, want := range map[string]string{
		"release.log":                        "==== 1.log ====\nRequested for: [removed]\nok\n",
		"mlflow-artifacts/by [removed].json": `{"by":"[removed]","title":"Ada Lovelace"}`,
		"mlflow-run.json": `[{"request":"/api","askedAt":"2026-11-23T02:30:00Z","requestId":"r","answer":["[removed]"]},{"request":"/api?path=%2FUsers%2F[removed]","askedAt":"2026-11-23T02:30:00Z","answer":` +
			`{"/Users/[removed]":null,"/Users/[removed], 2":1,"area":"north","comment":"as Ada Lovelace said","n":12345678901234567890,"run_name":"train by [removed]","tags":[{"key":"note","value":"ask [removed]"}]}}]`,
	} {
		if texts[name] != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, texts[name], want)
		}
	}
}

// TestWithholdNothing: where nobody is named, everything keeps its digest; and with names, nothing is looked at.
func TestWithholdNothing(t *testing.T) {
	for name, ids := range map[string][]Evidence{"full": nil, "ids": {IDsOnly{}}} {
		logs := kept("release.log", "text/plain", "nobody is named\n")
		if name == "full" {
			logs.Open = func() (io.ReadCloser, error) { return nil, errors.New("it was opened") }
		}
		all, _, err := Beside(append(changed(func(r *Release) { r.Logs = logs })(example(t)), ids...)...)
		if err != nil || !slices.ContainsFunc(all, func(s Stored) bool { return s.Digest == logs.Digest }) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWithholdCannotRead: what cannot be looked at is not passed on.
func TestWithholdCannotRead(t *testing.T) {
	broken := kept("release.log", "text/plain", "x")
	for name, open := range map[string]func() (io.ReadCloser, error){
		"open": func() (io.ReadCloser, error) { return nil, errors.New("no such luck") },
		"read": func() (io.ReadCloser, error) { return io.NopCloser(failing{}), nil },
	} {
		broken.Open = open
		all := append(changed(func(r *Release) { r.Logs = broken })(example(t)), IDsOnly{})
		_, err := NewStatement(all...)
		_, _, errBeside := Beside(all...)
		for _, err := range []error{err, errBeside} {
			if err == nil || !strings.Contains(err.Error(), "release.log") || !strings.Contains(err.Error(), "no such luck") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := NewStatement(append(all, DataFollows{})...); err != nil {
			t.Errorf("%s, at a first look: %v", name, err)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("no such luck") }

// TestWithholdBounds: the list of what was removed has an end.
func TestWithholdBounds(t *testing.T) {
	var logs bytes.Buffer
	for range 300 {
		fmt.Fprintln(&logs, "for Ada Lovelace")
	}
	s, _ := write(t, append(changed(func(r *Release) { r.Logs = kept("release.log", "text/plain", logs.String()) })(example(t)), IDsOnly{})...)
	record, err := Read(s)
	if err != nil {
		t.Fatal(err)
	}
	if removed := record.Release.Removed; len(removed) != 201 || removed[200] != "and 100 more" {
		t.Errorf("%d: %q", len(removed), removed[len(removed)-1])
	}
}

// TestNobodyIsEmpty: who has no id is left out whole, but an entry that still says something is kept: somebody voted.
func TestNobodyIsEmpty(t *testing.T) {
	all := changed(func(c *Commit) { c.Author, c.Committer = Person{Name: "Nobody Known"}, Person{} })(example(t))
	all = changed(func(b *Build) {
		b.Approvals = []Approval{{Of: "stage test", Approver: Person{Name: "Nobody Known"}, Status: "approved"}}
	})(all)
	all = changed(func(v *Review) {
		v.PullRequests[0].Reviewers = []Reviewer{{Person: Person{Name: "Nobody Known"}, Vote: "approved"}, {Person: Person{Name: "Another"}, Vote: "approved"}, {Person: Person{Name: "Third"}}}
	})(all)
	s, data := write(t, append(all, IDsOnly{})...)
	if strings.Contains(string(data), "{}") || strings.Contains(string(data), "Nobody Known") {
		t.Errorf("the statement has an empty object, or a name: %s", data)
	}
	record, err := Read(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := record.Review.PullRequests[0].Reviewers; len(got) != 2 || got[0] != (Reviewer{Vote: "approved"}) {
		t.Errorf("reviewers %+v", got)
	}
	if got := record.Build.Approvals; len(got) != 1 || got[0].Status != "approved" {
		t.Errorf("approvals %+v", got)
	}
}
