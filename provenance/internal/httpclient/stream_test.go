package httpclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
)

var whole = strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB

// part announces the whole body, gives some of it, and cuts the connection.
func part(body string, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = io.WriteString(w, body[:n])
		panic(http.ErrAbortHandler)
	}
}

func all(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, body) }
}

// stalled gives some of the body, and then nothing.
func stalled(body string, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, body[:n])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func TestOpen(t *testing.T) {
	busy := func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	other := "x" + whole[1:]
	for name, c := range map[string]struct {
		handlers []http.HandlerFunc
		code     string // of a refusal
		want     string // of an error; empty: the whole body comes
	}{
		"whole":              {[]http.HandlerFunc{all(whole)}, "", ""},
		"cut":                {[]http.HandlerFunc{part(whole, 300_000), all(whole)}, "", ""},
		"cut twice":          {[]http.HandlerFunc{part(whole, 600_000), part(whole, 300_000), all(whole)}, "", ""},
		"stalled":            {[]http.HandlerFunc{stalled(whole, 300_000), all(whole)}, "", ""},
		"busy, then cut":     {[]http.HandlerFunc{busy, part(whole, 10_000), busy, all(whole)}, "", ""},
		"another beginning":  {[]http.HandlerFunc{part(whole, 300_000), all(other)}, "model.changed", "its beginning is another"},
		"shorter than given": {[]http.HandlerFunc{part(whole, 300_000), all(whole[:1000])}, "model.changed", "it has 1000 bytes only"},
		"always cut":         {[]http.HandlerFunc{part(whole, 1000)}, "", "tests, reading"},
		"gone meanwhile":     {[]http.HandlerFunc{part(whole, 1000), http.NotFound}, "", "status 404"},
		"not there":          {[]http.HandlerFunc{http.NotFound}, "", "status 404"},
	} {
		t.Run(name, func(t *testing.T) {
			base, _ := serve(t, c.handlers...)
			o := fast()
			o.AttemptTimeout = 200 * time.Millisecond
			client, err := httpclient.New("tests", base, authorize, o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readStream(client)
			if c.want == "" {
				if err != nil || got != whole {
					t.Fatalf("%d bytes, error %v", len(got), err)
				}
				return
			}
			var refused *provenance.Refused
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &refused) != (c.code != "") {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			if c.code != "" && refused.Code != c.code {
				t.Errorf("code %s, want %s", refused.Code, c.code)
			}
		})
	}
}

func readStream(client *httpclient.Client) (string, error) {
	body, err := client.Open(context.Background(), httpclient.Request{Operation: "reading", Path: "/model"})
	if err != nil {
		return "", err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	return string(data), err
}

func TestPost(t *testing.T) {
	base, count := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, `{"method":%q,"body":%q,"type":%q}`, r.Method, body, r.Header.Get("Content-Type"))
		})
	client, err := httpclient.New("tests", base, authorize, fast())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(context.Background(), httpclient.Request{Operation: "searching", Method: http.MethodPost, Path: "/search", Body: []byte(`{"a":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"method":"POST","body":"{\"a\":1}","type":"application/json"}`; string(answer.Body) != want || count.Load() != 2 {
		t.Errorf("answer %s after %d requests, want %s", answer.Body, count.Load(), want)
	}
	answer, err = client.Do(context.Background(), httpclient.Request{Operation: "asking", Method: http.MethodPost, Body: []byte{'0'}, ContentType: "application/timestamp-query"})
	if want := `{"method":"POST","body":"0","type":"application/timestamp-query"}`; err != nil || string(answer.Body) != want {
		t.Errorf("answer %s, %v, want %s", answer.Body, err, want)
	}
}
