package blobdouble

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestCompareUTF16 compares with an encoder of UTF-16.
func TestCompareUTF16(t *testing.T) {
	names := []string{"", "a", "a/b", "a-b", "ab", "é", "日本", "\ud7ff", "\ue000", "\uff5e", "\U00010000", "🏠", "🏠/x", "\uffee🏠", "\U0010ffff"}
	for _, a := range names {
		for _, b := range names {
			want := slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
			if got := cmp.Compare(compareUTF16(a, b), 0); got != want {
				t.Errorf("%q and %q: got %d, want %d", a, b, got, want)
			}
		}
	}
}

// get is the answer to a request, and its body.
func get(t *testing.T, url, requestRange string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if requestRange != "" {
		r.Header.Set("x-ms-range", requestRange)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestGenerated(t *testing.T) {
	s := New(t)
	const size = 3<<20 + 5
	s.Generate("data", 12_001, func(i int) (string, int64) { return fmt.Sprintf("p/%06d", i), size })
	_, first := get(t, s.URL+"/data/p/000000", "")
	_, last := get(t, s.URL+"/data/p/012000", "")
	if len(first) != size || len(last) != size || first == last || first[8:] != last[8:] {
		t.Errorf("got %d and %d bytes", len(first), len(last))
	}
	for _, start := range []int{0, 3, 8, 1 << 20, 2<<20 + 7, size - 1, size} {
		answer, part := get(t, s.URL+"/data/p/012000", fmt.Sprintf("bytes=%d-", start))
		if part != last[start:] || answer.StatusCode != http.StatusPartialContent {
			t.Errorf("from %d: %d, %d bytes that differ", start, answer.StatusCode, len(part))
		}
	}
	if answer, _ := get(t, s.URL+"/data/p/012001", ""); answer.StatusCode != http.StatusNotFound {
		t.Errorf("past the end: %s", answer.Status)
	}
	for marker, want := range map[string]int{"": 5_000, "5000": 5_000, "10000": 2_001} {
		_, page := get(t, s.URL+"/data?restype=container&comp=list&prefix=p/&marker="+marker, "")
		if got := strings.Count(page, "<Blob>"); got != want {
			t.Errorf("the page at %q has %d blobs, want %d", marker, got, want)
		}
	}
	if got := s.Counts(); got.Gets != 10 || got.Lists != 3 || got.Bytes < 2*size {
		t.Errorf("counted %+v", got)
	}
}

// TestPagesFollowNames removes what a listing has shown already: nothing is left out.
func TestPagesFollowNames(t *testing.T) {
	s := New(t)
	s.PageSize = 2
	for _, name := range []string{"a", "b", "c", "d"} {
		s.PutText("data", name, name)
	}
	list := s.URL + "/data?restype=container&comp=list&marker="
	get(t, list, "")
	s.Delete("data", "a")
	if _, page := get(t, list+"2", ""); !strings.Contains(page, "<Name>c</Name>") || !strings.Contains(page, "<Name>d</Name>") {
		t.Errorf("got %s", page)
	}
}

// TestHostAddresses asks for an account by the name of its host.
func TestHostAddresses(t *testing.T) {
	s := New(t)
	s.PutText("data", "p/a", "text")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(s.URL, Account)+"data/p/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "contoso.blob.core.windows.net"
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); !bytes.Equal(body, []byte("text")) || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
}
