package httpclient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
)

// secret is a credential of no known look, so that it can only be masked by being known.
const secret = "unrecognisable-credential"

func authorize(context.Context) (string, error) { return "Bearer " + secret, nil }

// fast has waits that a test can bear.
func fast() httpclient.Options {
	return httpclient.Options{Wait: time.Microsecond, Patience: time.Second, AttemptTimeout: 10 * time.Second, MaxBody: 1 << 20}
}

// serve runs these handlers, one for each request, the last one again and again.
func serve(t *testing.T, handlers ...http.HandlerFunc) (base string, count *atomic.Int64) {
	count = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(count.Add(1))
		handlers[min(n, len(handlers))-1](w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, count
}

func get(t *testing.T, base string, o httpclient.Options) (httpclient.Answer, error) {
	t.Helper()
	c, err := httpclient.New("Databricks", base, authorize, o)
	if err != nil {
		t.Fatal(err)
	}
	return c.Get(t.Context(), "reading run 7", "/x", url.Values{"page_token": {"a-secret-page"}})
}

func ok(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", "r-1")
	fmt.Fprintf(w, `{"path":%q,"authorization":%q,"agent":%q}`, r.URL.RequestURI(), r.Header.Get("Authorization"), r.Header.Get("User-Agent"))
}

func TestGet(t *testing.T) {
	base, count := serve(t, ok)
	o := fast()
	at := time.Date(2026, 11, 22, 2, 31, 0, 0, time.UTC)
	o.Now = func() time.Time { return at }
	a, err := get(t, base+"/prefix/", o)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Path, Authorization, Agent string }
	if err := a.JSON(&got); err != nil || got.Path != "/prefix/x?page_token=a-secret-page" || got.Authorization != "Bearer "+secret || got.Agent != "provenance" {
		t.Errorf("%+v, %v", got, err)
	}
	if a.Status != 200 || !a.At.Equal(at) || a.RequestID != "r-1" || count.Load() != 1 || a.Header.Get("X-Request-Id") != "r-1" {
		t.Errorf("%+v after %d requests", a, count.Load())
	}
}

// TestRetries: what may be gone at the next attempt is tried again, and nothing else.
func TestRetries(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	soon := time.Now().UTC().Add(-time.Hour).Format(http.TimeFormat)
	far := time.Now().UTC().Add(time.Hour).Format(http.TimeFormat)
	for name, c := range map[string]struct {
		first    []http.HandlerFunc
		requests int64
		says     string
	}{
		"429":                       {[]http.HandlerFunc{status(429)}, 2, ""},
		"429 with Retry-After":      {[]http.HandlerFunc{http.HandlerFunc(databricksdouble.Busy("0"))}, 2, ""},
		"429 with a date":           {[]http.HandlerFunc{http.HandlerFunc(databricksdouble.Busy(soon))}, 2, ""},
		"429 with nonsense":         {[]http.HandlerFunc{http.HandlerFunc(databricksdouble.Busy("soon"))}, 2, ""},
		"429 that asks for an hour": {[]http.HandlerFunc{http.HandlerFunc(databricksdouble.Busy("3600"))}, 1, "status 429"},
		"429 that asks for a date":  {[]http.HandlerFunc{http.HandlerFunc(databricksdouble.Busy(far))}, 1, "status 429"},
		"408":                       {[]http.HandlerFunc{status(408)}, 2, ""},
		"a burst of 503":            {[]http.HandlerFunc{databricksdouble.Unavailable, databricksdouble.Unavailable, databricksdouble.Unavailable, databricksdouble.Unavailable}, 5, ""},
		"500":                       {[]http.HandlerFunc{status(500)}, 2, ""},
		"reset":                     {[]http.HandlerFunc{databricksdouble.Reset, databricksdouble.Reset}, 3, ""},
		"cut off":                   {[]http.HandlerFunc{databricksdouble.Cut}, 2, ""},
		"503 for ever":              {[]http.HandlerFunc{status(503), status(503), status(503), status(503), status(503), status(503)}, 6, "status 503"},
		"reset for ever":            {[]http.HandlerFunc{databricksdouble.Reset, databricksdouble.Reset, databricksdouble.Reset, databricksdouble.Reset, databricksdouble.Reset, databricksdouble.Reset}, 6, "connection reset"},
		"400":                       {[]http.HandlerFunc{status(400)}, 1, "status 400"},
		"401":                       {[]http.HandlerFunc{databricksdouble.Expired}, 1, "Token is expired"},
		"501":                       {[]http.HandlerFunc{status(501)}, 1, "status 501"},
		"304":                       {[]http.HandlerFunc{status(304)}, 1, "status 304"},
		"too long":                  {[]http.HandlerFunc{http.HandlerFunc(databricksdouble.Huge(2 << 20))}, 1, "longer than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, count := serve(t, append(c.first, ok)...)
			_, err := get(t, base, fast())
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want one with %q", err, c.says)
			}
			if count.Load() != c.requests {
				t.Errorf("%d requests, want %d", count.Load(), c.requests)
			}
		})
	}
}

// TestStall: an answer that never ends is given up, attempt by attempt, and within the deadline.
func TestStall(t *testing.T) {
	t.Run("one attempt", func(t *testing.T) {
		base, count := serve(t, databricksdouble.Stall, ok)
		o := fast()
		o.AttemptTimeout = 100 * time.Millisecond
		if _, err := get(t, base, o); err != nil || count.Load() != 2 {
			t.Errorf("%v after %d requests", err, count.Load())
		}
	})
	t.Run("every attempt", func(t *testing.T) {
		base, count := serve(t, databricksdouble.Stall)
		o := fast()
		o.AttemptTimeout, o.Attempts = 20*time.Millisecond, 2
		_, err := get(t, base, o)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no whole answer came in time") || count.Load() != 2 {
			t.Errorf("%v after %d requests", err, count.Load())
		}
	})
	t.Run("the deadline of all", func(t *testing.T) {
		base, _ := serve(t, databricksdouble.Stall)
		c, err := httpclient.New("Databricks", base, nil, fast())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err = c.Get(ctx, "reading", "/x", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestDeadlineBeforeRetryAfter: a wait that would outlast the deadline is not begun, and the reason is told.
func TestDeadlineBeforeRetryAfter(t *testing.T) {
	base, count := serve(t, http.HandlerFunc(databricksdouble.Busy("30")))
	o := fast()
	o.Patience = time.Minute
	c, err := httpclient.New("Databricks", base, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = c.Get(ctx, "reading", "/x", nil)
	var e *httpclient.StatusError
	if !errors.As(err, &e) || e.Status != 429 || count.Load() != 1 || !strings.Contains(fmt.Sprint(provenance.Hints(err)), "wait 30s") {
		t.Errorf("%v %q", err, provenance.Hints(err))
	}
}

func TestCancelledWhileWaiting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { cancel(); w.WriteHeader(503) })
	o := fast()
	o.Wait = time.Hour
	c, err := httpclient.New("Databricks", base, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(ctx, "reading", "/x", nil); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "cancelled") {
		t.Error(err)
	}
}

// TestRedirects: credentials reach the base host only.
func TestRedirects(t *testing.T) {
	var leaked []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked = append(leaked, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	redirect := func(to string) http.HandlerFunc { return http.HandlerFunc(databricksdouble.Redirect(to)) }
	for name, c := range map[string]struct {
		handlers []http.HandlerFunc
		says     string
		requests int64
	}{
		"to another host":      {[]http.HandlerFunc{redirect(elsewhere.URL + "/x")}, "not the host that was configured", 1},
		"to a like name":       {[]http.HandlerFunc{redirect("http://localhost.example/x?token=abcdefgh")}, "http://localhost.example, which", 1},
		"to another scheme":    {[]http.HandlerFunc{redirect("https://127.0.0.1/")}, "not the host", 1},
		"within, then away":    {[]http.HandlerFunc{redirect("/y"), redirect(elsewhere.URL)}, "not the host", 2},
		"within":               {[]http.HandlerFunc{redirect("/y"), ok}, "", 2},
		"within, for ever":     {[]http.HandlerFunc{redirect("/y")}, "more than 3 redirects", 4},
		"to nothing":           {[]http.HandlerFunc{redirect("http://[::1")}, "Location", 6},
		"by an empty location": {[]http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) }}, "status 302", 1},
	} {
		t.Run(name, func(t *testing.T) {
			base, count := serve(t, c.handlers...)
			_, err := get(t, base, fast())
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one with %q", err, c.says)
			}
			if count.Load() != c.requests {
				t.Errorf("%d requests, want %d", count.Load(), c.requests)
			}
		})
	}
	if len(leaked) > 0 {
		t.Errorf("another host was asked, with %q", leaked)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, base := range []string{"http://example.com", "ftp://example.com", "https://", "example.com", "https://ada:hunter22@example.com",
		"https://example.com/?x=hunter22", "https://example.com/#x", "http://10.0.0.1", "http://localhost.example", "https://exa mple.com", ""} {
		_, err := httpclient.New("Databricks", base, nil, httpclient.Options{})
		var misused *provenance.Misused
		if !errors.As(err, &misused) || misused.Hint == "" || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%q: %v", base, err)
		}
	}
	for _, base := range []string{"https://Example.com", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1", "https://example.com/api/"} {
		if _, err := httpclient.New("Databricks", base, nil, httpclient.Options{}); err != nil {
			t.Errorf("%q: %v", base, err)
		}
	}
	if c, err := httpclient.New("Databricks", "HTTPS://Example.COM/x", nil, httpclient.Options{}); err != nil || c.Host() != "https://example.com" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestCredentialTrouble(t *testing.T) {
	base, count := serve(t, ok)
	for name, c := range map[string]struct {
		authorize httpclient.Authorize
		misused   bool
		says      string
	}{
		"none":       {func(context.Context) (string, error) { return "", provenance.Misuse("h", "there is none") }, true, "there is none"},
		"denied":     {func(context.Context) (string, error) { return "", errors.New("client_secret=hunter22hunter22 denied") }, false, "[removed] denied"},
		"line break": {func(context.Context) (string, error) { return "Bearer hunter22\nX-Evil: 1", nil }, false, "a line break, perhaps"},
	} {
		client, err := httpclient.New("Databricks", base, c.authorize, fast())
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Get(t.Context(), "reading", "/x", nil)
		var misused *provenance.Misused
		if err == nil || errors.As(err, &misused) != c.misused || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if count.Load() != 0 {
		t.Errorf("%d requests were made without a credential", count.Load())
	}
}

// TestErrorsAndDebugHoldNoSecret: whatever the service repeats.
func TestErrorsAndDebugHoldNoSecret(t *testing.T) {
	for _, answer := range []http.HandlerFunc{
		http.HandlerFunc(databricksdouble.Answer(403, `{"error_code":"`+secret+`","message":"token `+secret+` \u001b[31m is not good, see https://x/?sig=aaaaaaaaaaaaaaaaaaaaaa"}`)),
		func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad token "+secret, 400) },
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(404)
			fmt.Fprint(w, "<html>"+secret)
		},
		http.HandlerFunc(databricksdouble.Redirect("https://" + secret + ".example/?" + secret)),
		databricksdouble.Reset,
	} {
		base, _ := serve(t, answer)
		var debug strings.Builder
		o := fast()
		o.Debug = func(line string) { debug.WriteString(line + "\n") }
		_, err := get(t, base, o)
		if err == nil {
			t.Fatal("no error")
		}
		all := err.Error() + fmt.Sprint(provenance.Hints(err)) + debug.String()
		for _, bad := range []string{secret, "a-secret-page", "aaaaaaaaaaaaaaaaaaaaaa", "\x1b"} {
			if strings.Contains(strings.ReplaceAll(all, "https://"+secret+".example", ""), bad) {
				t.Errorf("%q is in %q", bad, all)
			}
		}
		if !strings.Contains(debug.String(), "GET "+base+"/x: ") || !strings.Contains(err.Error(), "Databricks, reading run 7") {
			t.Errorf("error %v; debug %q", err, debug.String())
		}
	}
}

func TestStatusHints(t *testing.T) {
	for status, hint := range map[int]string{401: "expired", 403: "may not read", 404: "right host", 418: ""} {
		base, _ := serve(t, http.HandlerFunc(databricksdouble.Answer(status, `{}`)))
		_, err := get(t, base, fast())
		if got := fmt.Sprint(provenance.Hints(err)); !strings.Contains(got, hint) || hint == "" && got != "[]" {
			t.Errorf("%d: hints %s, want %q", status, got, hint)
		}
	}
}

func TestJSONRefuses(t *testing.T) {
	for body, says := range map[string]string{
		" <html>":                "a web page came where JSON was expected",
		`{"a":1,"A":2}`:          "stands twice",
		`{"a":`:                  "not JSON",
		strings.Repeat("[", 100): "deeper than 64",
		"":                       "not JSON",
		`{"a":{}}`:               "cannot unmarshal",
	} {
		base, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		a, err := get(t, base, fast())
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ A int }
		if err := a.JSON(&v); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "reading run 7") {
			t.Errorf("%q: %v, want %q", body, err, says)
		}
	}
}

// TestErrorNamesTheRequest, by which the service's people find it, and clips what the service says.
func TestErrorNamesTheRequest(t *testing.T) {
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", "r-1")
		databricksdouble.Answer(400, `{"error_code":"BAD","message":"`+strings.Repeat("é", 5000)+`"}`)(w, r)
	})
	_, err := get(t, base, fast())
	if err == nil || !strings.HasPrefix(err.Error(), "Databricks, reading run 7: status 400 BAD: ééé") || !strings.HasSuffix(err.Error(), "é… (request r-1)") || len(err.Error()) > 500 {
		t.Error(err)
	}
}

// TestFurtherCredentials are sent to the configured host only, asked for before each attempt, and masked.
func TestFurtherCredentials(t *testing.T) {
	const extra = "management-secret-1"
	var elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { elsewhere = append(elsewhere, r.Header.Get("X-Extra")) }))
	defer other.Close()
	var sent []string
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get("X-Extra")+" "+r.Header.Get("Authorization"))
		databricksdouble.Unavailable(w, r)
	}, func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get("X-Extra")+" "+r.Header.Get("Authorization"))
		databricksdouble.Answer(403, `{"message":"no `+extra+`"}`)(w, r)
	}, http.HandlerFunc(databricksdouble.Redirect(other.URL)))
	o := fast()
	var lines strings.Builder
	o.Debug = func(line string) { lines.WriteString(line) }
	value, failure := extra, error(nil)
	o.Credentials = func(context.Context) (http.Header, error) { return http.Header{"X-Extra": {value}}, failure }
	client, err := httpclient.New("tests", base, authorize, o)
	if err != nil {
		t.Fatal(err)
	}
	_, refused := client.Get(context.Background(), "reading", "/x?"+extra, nil)
	_, redirected := client.Get(context.Background(), "reading", "/x", nil)
	if refused == nil || redirected == nil || len(elsewhere) != 0 || len(sent) != 2 || !strings.HasPrefix(sent[0], extra+" Bearer") || sent[1] != sent[0] {
		t.Fatalf("%v, %v; sent %q, elsewhere %q", refused, redirected, sent, elsewhere)
	}
	if text := refused.Error() + redirected.Error(); strings.Contains(text, extra) {
		t.Error(text)
	}
	value = "two\nlines"
	if _, err := client.Get(context.Background(), "reading", "/x", nil); err == nil || !strings.Contains(err.Error(), "no header can carry") {
		t.Error(err)
	}
	failure = errors.New("nobody logs in")
	if _, err := client.Get(context.Background(), "reading", "/x", nil); err == nil || !strings.Contains(err.Error(), "nobody logs in") {
		t.Error(err)
	}
}

// TestTimeIsUp tells what stood in the way.
func TestTimeIsUp(t *testing.T) {
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	o := fast()
	o.Wait, o.Patience = time.Hour, time.Hour
	c, err := httpclient.New("Databricks", base, authorize, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Get(ctx, "reading run 7", "/x", nil)
	if want := "Databricks, reading run 7: no whole answer came in time; the last attempt ended with: status 503"; err == nil || err.Error() != want || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestNobodyLogsIn: who was not told who asks may want to know it; the hint is not about a token that there is none of.
func TestNobodyLogsIn(t *testing.T) {
	for _, status := range []int{401, 403, 404} {
		base, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		for login, want := range map[string]string{"": "no credential was given", "set TOKEN": "set TOKEN"} {
			if status == 404 {
				want = "is this the right host?"
			}
			o := fast()
			o.Login = login
			c, err := httpclient.New("MLflow", base, nil, o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Get(t.Context(), "reading run 7", "/x", nil)
			if hints := provenance.Hints(err); len(hints) != 1 || !strings.Contains(hints[0], want) {
				t.Errorf("%d: %v, hints %q", status, err, hints)
			}
		}
	}
}

// TestNobodyThere: where nothing listens, the hint asks for what runs there; also when the time is up while we try again.
func TestNobodyThere(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(ok))
	base := server.URL
	server.Close()
	for name, o := range map[string]httpclient.Options{"at last": fast(), "in time": {Wait: time.Minute}} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		c, err := httpclient.New("MLflow", base, authorize, o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Get(ctx, "reading run 7", "/x", nil)
		if hints := provenance.Hints(err); err == nil || len(hints) != 1 || hints[0] != "is it running, and is "+base+" its address?" || !strings.Contains(err.Error(), "MLflow, reading run 7: ") {
			t.Errorf("%s: %v, hints %q", name, err, hints)
		}
	}
	unknown := fast()
	unknown.Transport = noSuchHost{}
	_, err := get(t, "https://adb-1.example", unknown)
	if hints := provenance.Hints(err); len(hints) != 1 || hints[0] != "is https://adb-1.example its address?" {
		t.Errorf("%v, hints %q", err, hints)
	}
}

type noSuchHost struct{}

func (noSuchHost) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, &net.DNSError{Err: "no such host", Name: "adb-1.example", IsNotFound: true}
}

// TestUnwanted: an address says which part of it is too much, and does not repeat it.
func TestUnwanted(t *testing.T) {
	for base, want := range map[string]string{"https://ada:hunter22@h.example": "a user", "https://h.example/?o=hunter22": "a query", "https://h.example?": "a query",
		"https://h.example/#hunter22": "a fragment", "hunter22": "is not the address"} {
		_, err := httpclient.New("Databricks", base, authorize, fast())
		var misused *provenance.Misused
		if !errors.As(err, &misused) || !strings.Contains(err.Error(), want) || base != "hunter22" && strings.Contains(err.Error()+misused.Hint, "hunter22") {
			t.Errorf("%s: %v", base, err)
		}
	}
}
