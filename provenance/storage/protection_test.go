package storage

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
)

// known writes what is known: policy, hold, version-level WORM and hierarchy, "?" for what is not.
func known(p Protection) string {
	var text strings.Builder
	for _, is := range []*bool{p.Policy, p.Hold, p.VersionWORM, p.Hierarchical} {
		switch {
		case is == nil:
			text.WriteByte('?')
		case *is:
			text.WriteByte('y')
		default:
			text.WriteByte('n')
		}
	}
	return text.String()
}

// protection is what an open folder says of itself.
func protection(t *testing.T, f Folder) Protection {
	t.Helper()
	p, err := f.(Protected).Protection(t.Context())
	must(t, err)
	return p
}

func TestProtection(t *testing.T) {
	for want, c := range map[string]struct {
		container blobdouble.Container
		hns       bool
	}{
		"nnnn": {blobdouble.Container{}, false},
		"nnny": {blobdouble.Container{}, true},
		"ynnn": {blobdouble.Container{Policy: true}, false},
		"ynny": {blobdouble.Container{Policy: true}, true},
		"nyny": {blobdouble.Container{Hold: true}, true},
		"nnyn": {blobdouble.Container{VersionWORM: true}, false},
		"yyyn": {blobdouble.Container{Policy: true, Hold: true, VersionWORM: true}, false},
	} {
		s := double(t, map[string]string{"p/a": "1"})
		s.HNS = c.hns
		s.Protect("data", c.container)
		for _, path := range []string{"/data/p/", "/data/p/a"} {
			p := protection(t, open(t, s.URL+path, fast))
			host := strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), "/"+blobdouble.Account)
			if known(p) != want || p.Why != "" || p.Account != blobdouble.Account || p.Container != "data" || p.Host != host || p.AskedAt.IsZero() {
				t.Errorf("%s: got %s, %+v", want, known(p), p)
			}
		}
	}
}

func TestLocalFoldersAreNotProtected(t *testing.T) {
	if _, is := open(t, t.TempDir(), Options{}).(Protected); is {
		t.Error("a local folder knows how it is protected")
	}
}

// TestProtectionOfAzure is asked under the name of a host.
func TestProtectionOfAzure(t *testing.T) {
	s := double(t, map[string]string{"p/a": "1"})
	o := fast
	o.Credential, o.Transport = token{text: "the-token"}, toDouble{s}
	f := open(t, "abfss://data@contoso.dfs.core.windows.net/p/", o)
	p := protection(t, f)
	if known(p) != "nnnn" || p.Account != "contoso" || p.Host != "contoso.blob.core.windows.net" {
		t.Errorf("got %+v", p)
	}
	if got := contents(t, f); got["a"] != "1" {
		t.Errorf("got %q", got)
	}
}

// toDouble sends every request to the double, whatever host it is for.
type toDouble struct{ s *blobdouble.Server }

func (d toDouble) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host = r.URL.Host
	r.URL.Scheme, r.URL.Host = "http", strings.TrimSuffix(strings.TrimPrefix(d.s.URL, "http://"), "/"+blobdouble.Account)
	return http.DefaultTransport.RoundTrip(r)
}

func TestProtectionThatIsNotTold(t *testing.T) {
	kind := func(kind string, status int, code string) func(blobdouble.Request) blobdouble.Fault {
		return func(r blobdouble.Request) blobdouble.Fault {
			if r.Kind == kind {
				return blobdouble.Fault{Status: status, Code: code}
			}
			return blobdouble.Fault{}
		}
	}
	for name, c := range map[string]struct {
		fault     func(blobdouble.Request) blobdouble.Fault
		container blobdouble.Container
		known     string
		why       string
	}{
		"container denied": {kind("container", 403, "AuthorizationPermissionMismatch"), blobdouble.Container{}, "???n",
			"the container's protection: the storage answered 403 AuthorizationPermissionMismatch"},
		"container unauthorised": {kind("container", 401, "NoAuthenticationInformation"), blobdouble.Container{}, "???n", "401"},
		"container hidden":       {kind("container", 404, "ResourceNotFound"), blobdouble.Container{}, "???n", "404 ResourceNotFound"},
		"account denied": {kind("account", 403, "AuthorizationFailure"), blobdouble.Container{Policy: true}, "ynn?",
			"the account's namespace: the storage answered 403 AuthorizationFailure"},
		"account not with this credential": {kind("account", 400, "AuthenticationTypeNotSupported"), blobdouble.Container{}, "nnn?", "400"},
		"account in an emulator":           {kind("account", 501, "APINotImplemented"), blobdouble.Container{}, "nnn?", "501"},
		"container silent":                 {nil, blobdouble.Container{Silent: true}, "???n", "the storage did not tell all of it"},
	} {
		t.Run(name, func(t *testing.T) {
			s := double(t, map[string]string{"p/a": "1"})
			s.Protect("data", c.container)
			s.Fault = c.fault
			f := open(t, s.URL+"/data/p/?"+testSAS, fast)
			p := protection(t, f)
			if known(p) != c.known || !strings.Contains(p.Why, c.why) || strings.Contains(p.Why, "sig") || p.AskedAt.IsZero() {
				t.Errorf("got %s, %+v", known(p), p)
			}
			if got := contents(t, f); got["a"] != "1" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestProtectionWithAServiceSAS may ask for the account, but not for the container.
func TestProtectionWithAServiceSAS(t *testing.T) {
	s := double(t, map[string]string{"p/a": "1"})
	s.SAS, s.HNS = testSAS, true
	p := protection(t, open(t, s.URL+"/data/p/?"+testSAS, fast))
	if known(p) != "???y" || !strings.Contains(p.Why, "403 AuthorizationPermissionMismatch") {
		t.Errorf("got %s, %+v", known(p), p)
	}
}

func TestProtectionFailures(t *testing.T) {
	for _, kind := range []string{"container", "account"} {
		for _, status := range []int{307, 429, 500, 503} {
			s := double(t, nil)
			s.Fault = func(r blobdouble.Request) blobdouble.Fault {
				if r.Kind == kind {
					return blobdouble.Fault{Status: status, Code: "NotNow"}
				}
				return blobdouble.Fault{}
			}
			_, err := open(t, s.URL+"/data/p/?"+testSAS, fast).(Protected).Protection(t.Context())
			wantUndecided(t, err, "NotNow", "")
			wantNoSecret(t, err)
		}
	}
	s := double(t, nil)
	_, err := open(t, s.URL+"/nosuch/p/", fast).(Protected).Protection(t.Context())
	wantRefused(t, err, "data.missing", "has no container nosuch")

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	_, err = open(t, "http://"+listener.Addr().String()+"/devstoreaccount1/data/p/?"+testSAS, fast).(Protected).Protection(t.Context())
	wantUndecided(t, err, "connection refused", "")
	wantNoSecret(t, err)
}

func TestRetentionOfEachBlob(t *testing.T) {
	until := time.Date(2033, 11, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		blob blobdouble.Blob
		want Object
	}{
		"locked":         {blobdouble.Blob{RetainUntil: until, RetainMode: "Locked"}, Object{RetainUntil: until, RetainMode: "locked"}},
		"unlocked, held": {blobdouble.Blob{RetainUntil: until, RetainMode: "Unlocked", Held: true}, Object{RetainUntil: until, RetainMode: "unlocked", Held: true}},
		"mutable":        {blobdouble.Blob{RetainUntil: until, RetainMode: "Mutable"}, Object{}},
		"no mode":        {blobdouble.Blob{RetainUntil: until}, Object{}},
		"no date":        {blobdouble.Blob{RetainMode: "Locked"}, Object{}},
		"held":           {blobdouble.Blob{Held: true}, Object{Held: true}},
		"free":           {blobdouble.Blob{}, Object{}},
	} {
		s := double(t, nil)
		s.Put("data", "p/a", c.blob)
		s.Protect("data", blobdouble.Container{VersionWORM: true})
		retention := func(o Object) Object {
			return Object{RetainUntil: o.RetainUntil, RetainMode: o.RetainMode, Held: o.Held}
		}
		f := open(t, s.URL+"/data/p/", fast)
		if got := retention(list(t, f)["a"]); got != (Object{}) {
			t.Errorf("%s: before anybody asked for the protection: %+v", name, got)
		}
		protection(t, f)
		if got := retention(list(t, f)["a"]); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
		if got := retention(list(t, Sub(open(t, s.URL+"/data/", fast), "p"))["a"]); got != (Object{}) {
			t.Errorf("%s: another folder: %+v", name, got)
		}
		if got := retention(list(t, open(t, s.URL+"/data/p/a", fast))["a"]); got != c.want {
			t.Errorf("%s: a single blob: got %+v, want %+v", name, got, c.want)
		}
	}
}

// TestRetentionIsNotAskedForWithoutNeed keeps listings of ordinary containers as cheap as they are.
func TestRetentionIsNotAskedForWithoutNeed(t *testing.T) {
	s := double(t, nil)
	s.Put("data", "p/a", blobdouble.Blob{RetainUntil: blobdouble.Never, RetainMode: "Locked"})
	f := open(t, s.URL+"/data/p/", fast)
	protection(t, f)
	if got := list(t, f)["a"]; got.RetainMode != "" {
		t.Errorf("got %+v", got)
	}
}
