package storage

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
)

// TestAzureAnswersAreBounded gets more from the storage than anybody should hold in memory.
func TestAzureAnswersAreBounded(t *testing.T) {
	for _, c := range []struct {
		kind, name string
		status     int
	}{{"list", "", 0}, {"list", "", 404}, {"list", "", 500}, {"get", "p/a", 302}, {"get", "p/a", 403}, {"get", "p/a", 503}} {
		t.Run(fmt.Sprint(c.kind, c.status), func(t *testing.T) {
			s := double(t, map[string]string{"p/a": "1"})
			f := open(t, s.URL+"/data/p/", fast)
			o := list(t, f)["a"]
			before := s.Tries(c.kind, c.name)
			s.Fault = func(r blobdouble.Request) blobdouble.Fault {
				if r.Kind != c.kind {
					return blobdouble.Fault{}
				}
				return blobdouble.Fault{Status: c.status, Huge: maxAnswer>>20 + 1}
			}
			_, err := f.Open(t.Context(), o)
			if c.kind == "list" {
				err = f.List(t.Context(), func(Object) error { return nil })
			}
			wantUndecided(t, err, "the answer has more than 64 MiB", "")
			if tries := s.Tries(c.kind, c.name) - before; tries != 1 {
				t.Errorf("asked %d times", tries)
			}
		})
	}
}

// TestAzureBlobsAreNotBounded reads a blob that is larger than any listing.
func TestAzureBlobsAreNotBounded(t *testing.T) {
	s := double(t, nil)
	s.Put("data", "p/large", blobdouble.Blob{Data: make([]byte, maxAnswer+1)})
	f := open(t, s.URL+"/data/p/", fast)
	body, err := f.Open(t.Context(), list(t, f)["large"])
	must(t, err)
	defer body.Close()
	if n, err := io.Copy(io.Discard, body); n != maxAnswer+1 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestBoundedBody(t *testing.T) {
	for size, whole := range map[int]bool{0: true, 9: true, 10: true, 11: false, 100: false} {
		text := bytes.Repeat([]byte("x"), size)
		body := &boundedBody{io.NopCloser(bytes.NewReader(text)), 10, time.Minute}
		got, err := io.ReadAll(body)
		if whole != (err == nil) || whole && len(got) != size {
			t.Errorf("%d bytes: read %d, %v", size, len(got), err)
		}
		if n, err := body.Read(make([]byte, 1)); !whole && (n != 0 || err != tooLong{}) {
			t.Errorf("%d bytes: then read %d, %v", size, n, err)
		}
	}
}

func TestOnlyDownloadsAreUnbounded(t *testing.T) {
	for _, c := range []struct {
		method, url, match string
		status             int
		want               bool
	}{
		{"GET", "https://a.example/c/b", `"0x1"`, 200, true},
		{"GET", "https://a.example/c/b?sig=x", `"0x1"`, 206, true},
		{"GET", "https://a.example/c/b", "", 200, false},
		{"GET", "https://a.example/c/b", `"0x1"`, 412, false},
		{"GET", "https://a.example/c?comp=list", `"0x1"`, 200, false},
		{"POST", "https://a.example/c/b", `"0x1"`, 200, false},
	} {
		r, err := http.NewRequest(c.method, c.url, nil)
		must(t, err)
		r.Header.Set("If-Match", c.match)
		if got := isDownload(r, c.status); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

// TestAzureListingsThatLeadNowhere follows continuation markers in circles, and past the end.
func TestAzureListingsThatLeadNowhere(t *testing.T) {
	count := func(to int) func(blobdouble.Request) string {
		return func(r blobdouble.Request) string {
			if n, _ := strconv.Atoi(r.Name); n < to {
				return strconv.Itoa(n + 1)
			}
			return ""
		}
	}
	for name, c := range map[string]struct {
		next func(blobdouble.Request) string
		part string
	}{
		"the same again": {func(r blobdouble.Request) string { return strings.Repeat("A", 1-r.Try/5) }, "a page of a listing twice"},
		"in a circle": {func(r blobdouble.Request) string {
			return map[string]string{"": "A", "A": "B", "B": "A"}[r.Name][r.Try/5:]
		}, "a page of a listing twice"},
		"100 empty, and the last": {count(maxEmptyPages), ""},
		"101 empty, and another":  {count(maxEmptyPages + 1), "more than 100 pages of a listing without a blob"},
	} {
		t.Run(name, func(t *testing.T) {
			s := double(t, nil)
			s.Fault = func(r blobdouble.Request) blobdouble.Fault { return blobdouble.Fault{Marker: c.next(r)} }
			err := open(t, s.URL+"/data/none/", fast).List(t.Context(), func(Object) error { return nil })
			if c.part == "" {
				must(t, err)
			} else {
				wantUndecided(t, err, c.part, "")
			}
		})
	}
}

// TestPagesAreCounted gives one blob a page and never ends.
func TestPagesAreCounted(t *testing.T) {
	p := newPages()
	for i := range maxPages - 1 {
		if wrong := p.check(1, strconv.Itoa(i)); wrong != "" {
			t.Fatalf("page %d: %s", i, wrong)
		}
	}
	if got, want := p.check(1, "one more"), "more than 1000000 pages of a listing"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// chatty answers everything with more than anybody should hold in memory.
type chatty struct{}

func (chatty) RoundTrip(r *http.Request) (*http.Response, error) {
	body := io.LimitReader(zeros{}, maxAnswer+1)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(body)}, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestAnswersToCredentialsAreBounded(t *testing.T) {
	const oidc = "https://dev.azure.com/oidc"
	t.Setenv("SYSTEM_OIDCREQUESTURI", oidc) // azidentity reads it by itself
	pipeline := map[string]string{"SYSTEM_OIDCREQUESTURI": oidc, "SYSTEM_ACCESSTOKEN": "t", "AZURESUBSCRIPTION_TENANT_ID": "n",
		"AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "c", "AZURESUBSCRIPTION_CLIENT_ID": "i"}
	credential, err := NewCredential(func(name string) string { return pipeline[name] }, "", chatty{})()
	must(t, err)
	_, err = credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://storage.azure.com/.default"}})
	if err == nil || !strings.Contains(err.Error(), "the answer has more than 64 MiB") {
		t.Errorf("got %v", err)
	}
}
