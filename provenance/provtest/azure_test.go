package provtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/provtest"
	"github.com/seed-3480f271/provenance/provenance/source"
	"github.com/seed-3480f271/provenance/provenance/source/arm"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// childAccount makes the test binary read from Azure: the proxy can only be given to a new process.
const childAccount = "PROVTEST_ACCOUNT_ID"

// childQuery is what the child appends to the folder's URI: a SAS, or nothing.
const childQuery = "PROVTEST_QUERY"

// seen is what the child found.
type seen struct {
	Files  map[string]string
	Folder provenance.Folder // as graded
	Errors []string
}

func TestMain(m *testing.M) {
	if id := os.Getenv(childAccount); id != "" {
		if err := json.NewEncoder(os.Stdout).Encode(look(context.Background(), id)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// look reads contoso's lake with the real SDKs and the identity of the environment.
func look(ctx context.Context, id string) (s seen) {
	credential := storage.NewCredential(os.Getenv, "", nil)
	note := func(err error) {
		if err != nil {
			s.Errors = append(s.Errors, err.Error())
		}
	}
	opened, err := storage.Open(ctx, "abfss://lake@contoso.dfs.core.windows.net/20261101T0000/"+os.Getenv(childQuery),
		storage.Options{NewCredential: credential, Transport: http.DefaultTransport})
	if err != nil {
		note(err)
		return s
	}
	plane, err := opened.(storage.Protected).Protection(ctx)
	note(err)
	var own folder.Retained
	s.Files, own, err = read(ctx, opened)
	note(err)
	account := arm.StorageAccount{ID: id, Credential: credential, Client: source.Client{Transport: http.DefaultTransport}}
	arm, _, err := account.Container(ctx, "contoso.blob.core.windows.net", "lake")
	note(err)
	if len(s.Errors) == 0 {
		folder.Protect(&s.Folder, plane, &arm, own)
	}
	return s
}

// read gives the contents of all files, and their retention.
func read(ctx context.Context, f storage.Folder) (map[string]string, folder.Retained, error) {
	files, own := map[string]string{}, folder.Retained{All: true}
	err := f.List(ctx, func(o storage.Object) error {
		own.All, own.Until = own.All && o.RetainMode == "locked", o.RetainUntil
		r, err := f.Open(ctx, o)
		if err != nil {
			return err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		files[o.Name] = string(data)
		return err
	})
	return files, own, err
}

// lookFrom runs the child against a cloud.
func lookFrom(t *testing.T, c *provtest.Cloud, id string, variables ...string) (s seen) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{childAccount + "=" + id, "HOME=" + t.TempDir()}
	for name, value := range c.Env() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, variables...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the child failed: %v\n%s", err, stderr.Bytes())
	}
	for _, secret := range c.Secrets() {
		if bytes.Contains(out, []byte(secret)) || bytes.Contains(stderr.Bytes(), []byte(secret)) {
			t.Errorf("the secret %q was told:\n%s%s", secret, out, stderr.Bytes())
		}
	}
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return s
}

func TestAzure(t *testing.T) {
	c := provtest.Azure(t)
	c.Container(provtest.Contoso, "lake")
	files := map[string]string{"part-0.csv": "52.10,180.00\n", "b/ü 100%.csv": "1\n"}
	for name, text := range files {
		c.Put(provtest.Contoso, "lake", map[string][]byte{"20261101T0000/" + name: []byte(text)})
	}
	c.Put(provtest.Contoso, "lake", map[string][]byte{"20261101T0000/late.csv": []byte("2\n")})
	c.Delete(provtest.Contoso, "lake", "20261101T0000/late.csv")
	if err := c.Protect(provtest.Contoso, "lake", "locked-append", 365); err != nil {
		t.Fatal(err)
	}
	c.Hold(provtest.Contoso, "lake", "case7")
	s := lookFrom(t, c, c.AccountID(provtest.Contoso))
	if len(s.Errors) > 0 || !reflect.DeepEqual(s.Files, files) {
		t.Fatalf("%q, files %q; refused %q", s.Errors, s.Files, c.Refused())
	}
	p := s.Folder.Protection
	if s.Folder.Immutability != provenance.GradeLockedAppend || p.Policy.Days != 365 || len(p.LegalHolds) != 1 || p.Namespace != "hierarchical" {
		t.Errorf("%s %+v", s.Folder.Immutability, p)
	}
	if len(c.Asked()) != 2 || len(c.Refused()) != 0 {
		t.Errorf("asked %q, refused %q", c.Asked(), c.Refused())
	}
}

func TestAzureGrades(t *testing.T) {
	c := provtest.Azure(t)
	blob, tomorrow := map[string][]byte{"20261101T0000/a": []byte("1")}, time.Now().Add(24*time.Hour)
	for _, step := range []struct {
		change func() error
		want   string
	}{
		{func() error { return nil }, provenance.GradeNone},
		{func() error { c.Hold(provtest.Contoso, "lake", "case7"); return nil }, provenance.GradeLegalHold},
		{func() error { c.Hold(provtest.Contoso, "lake"); return nil }, provenance.GradeNone},
		{func() error { return c.Protect(provtest.Contoso, "lake", "unlocked", 7) }, provenance.GradeUnlocked},
		{func() error { return c.Protect(provtest.Contoso, "lake", "locked", 7) }, provenance.GradeLocked},
		{func() error { c.Forget(provtest.Contoso, "lake"); return nil }, provenance.GradeUnknown},
		{func() error { return c.Protect(provtest.Contoso, "lake", "locked", 14) }, provenance.GradeLocked},
		{func() error { c.Version(provtest.Contoso, "lake"); return nil }, provenance.GradeUnknown},
		{func() error { c.PutRetained(provtest.Contoso, "lake", blob, tomorrow); return nil }, provenance.GradeVersionWORM},
	} {
		if step.want == provenance.GradeNone {
			c.Container(provtest.Contoso, "lake")
			c.Put(provtest.Contoso, "lake", blob)
		}
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		if s := lookFrom(t, c, c.AccountID(provtest.Contoso)); len(s.Errors) > 0 || s.Folder.Immutability != step.want {
			t.Errorf("%s %+v, want %s; %q", s.Folder.Immutability, s.Folder.Protection, step.want, s.Errors)
		}
	}
	if err := c.Protect(provtest.Contoso, "lake", "lokced", 1); err == nil {
		t.Error("an unknown kind of policy is one")
	}
}

func TestAzureFails(t *testing.T) {
	c := provtest.Azure(t)
	c.Container(provtest.Contoso, "lake")
	c.Fail("denied")
	s := lookFrom(t, c, c.AccountID(provtest.Contoso))
	if len(s.Errors) != 1 || !strings.Contains(s.Errors[0], "403 AuthorizationFailed") {
		t.Errorf("%q", s.Errors)
	}
	c.Fail("")
	if s = lookFrom(t, c, c.AccountID(provtest.Fabrikam)); len(s.Errors) != 1 || !strings.Contains(s.Errors[0], "not the storage account") {
		t.Errorf("%q", s.Errors)
	}
}

func TestAzureSAS(t *testing.T) {
	c := provtest.Azure(t)
	const sas = "sv=2026-12-06&sr=c&sp=rl&sig=c2lnbmF0dXJlLW9mLWEtdGVzdA%3D%3D"
	c.SAS(provtest.Contoso, sas)
	c.Container(provtest.Contoso, "lake")
	c.Put(provtest.Contoso, "lake", map[string][]byte{"20261101T0000/a": []byte("1")})
	if s := lookFrom(t, c, c.AccountID(provtest.Contoso)); len(s.Errors) == 0 {
		t.Error("the storage can be read without the SAS")
	}
	s := lookFrom(t, c, c.AccountID(provtest.Contoso), childQuery+"=?"+sas)
	if len(s.Errors) > 0 || s.Files["a"] != "1" || s.Folder.Immutability != provenance.GradeNone {
		t.Errorf("%q, files %q, %s", s.Errors, s.Files, s.Folder.Immutability)
	}
}
