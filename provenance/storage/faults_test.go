package storage

import (
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
)

// on is a fault that only the first so many tries of one kind of request meet.
func on(kind string, tries int, fault blobdouble.Fault) func(blobdouble.Request) blobdouble.Fault {
	return func(r blobdouble.Request) blobdouble.Fault {
		if r.Kind == kind && r.Try <= tries {
			return fault
		}
		return blobdouble.Fault{}
	}
}

// TestAzureSurvives gets the same bytes, listing or reading, whatever happens on the way.
func TestAzureSurvives(t *testing.T) {
	for name, fault := range map[string]blobdouble.Fault{
		"429":                     {Status: 429, Code: "TooManyRequests"},
		"429 with Retry-After":    {Status: 429, Code: "TooManyRequests", RetryAfter: "1"},
		"429 without":             {Status: 429, Code: "TooManyRequests", RetryAfter: "-"},
		"503":                     {Status: 503, Code: "ServerBusy"},
		"503 without Retry-After": {Status: 503, Code: "ServerBusy", RetryAfter: "-"},
		"500":                     {Status: 500, Code: "InternalError"},
		"a reset in the middle":   {CutAfter: 200},
		"a stall at the start":    {Stall: -1},
		"a stall in the middle":   {Stall: 200},
	} {
		for _, kind := range []string{"list", "get"} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				text := strings.Repeat("some text ", 100)
				s := double(t, map[string]string{"p/a": text, "p/b": "2", "p/c": ""})
				s.PageSize = 2
				s.Fault = on(kind, 1, fault)
				o := fast
				o.Stall = 300 * time.Millisecond
				got := contents(t, open(t, s.URL+"/data/p/", o))
				if want := map[string]string{"a": text, "b": "2", "c": ""}; !maps.Equal(got, want) {
					t.Errorf("got %q", got)
				}
				if s.Tries("list", "")+s.Tries("get", "p/a") < 3 {
					t.Error("the fault did not happen")
				}
			})
		}
	}
}

// TestAzureSlowBodies gives a few bytes now and then: slow is not stalled, however long all of it takes.
func TestAzureSlowBodies(t *testing.T) {
	s := double(t, map[string]string{"p/a": strings.Repeat("x", 100)})
	s.Fault = func(r blobdouble.Request) blobdouble.Fault {
		if r.Kind == "list" {
			return blobdouble.Fault{Trickle: 100, Pause: 50 * time.Millisecond}
		}
		return blobdouble.Fault{Trickle: 10, Pause: 50 * time.Millisecond}
	}
	o := fast
	o.Stall = 400 * time.Millisecond
	f := open(t, s.URL+"/data/p/", o)
	if got := contents(t, f); len(got["a"]) != 100 {
		t.Errorf("got %q", got)
	}
	if lists, gets := s.Tries("list", ""), s.Tries("get", "p/a"); lists != 1 || gets != 1 {
		t.Errorf("asked %d and %d times", lists, gets)
	}
}

// TestAzureBeyondPatience meets faults that do not end.
func TestAzureBeyondPatience(t *testing.T) {
	const all = maxRetries + 1
	for name, c := range map[string]struct {
		fault blobdouble.Fault
		tries int
		part  string
	}{
		"429":                  {blobdouble.Fault{Status: 429, Code: "TooManyRequests"}, all, "the storage answered 429 TooManyRequests"},
		"429 for an hour":      {blobdouble.Fault{Status: 429, Code: "TooManyRequests", RetryAfter: "3600"}, 1, "the storage answered 429 TooManyRequests"},
		"503":                  {blobdouble.Fault{Status: 503, Code: "ServerBusy"}, all, "the storage answered 503 ServerBusy"},
		"503 without a word":   {blobdouble.Fault{Status: 503, Code: "ServerBusy", RetryAfter: "-"}, all, "the storage answered 503 ServerBusy"},
		"resets in the middle": {blobdouble.Fault{CutAfter: 1}, all, "unexpected EOF"},
		"stalls in the middle": {blobdouble.Fault{Stall: 1}, all, "no byte came for 100ms"},
	} {
		for _, kind := range []string{"list", "get"} {
			if kind == "get" && c.fault.CutAfter > 0 { // a body that goes on with each answer is read to its end
				continue
			}
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				s := double(t, map[string]string{"p/a": "some text"})
				o := fast
				o.Stall = 100 * time.Millisecond
				f := open(t, s.URL+"/data/p/?"+testSAS, o)
				want := list(t, f)["a"]
				before := s.Counts()
				s.Fault = on(kind, 1000, c.fault)
				if kind == "get" && c.fault.Stall > 0 { // nothing more than what came before
					s.Fault = on(kind, 1000, blobdouble.Fault{Stall: -1})
				}
				err := f.List(t.Context(), func(Object) error { return nil })
				asked := s.Counts().Lists - before.Lists
				if kind == "get" {
					_, err = read(t.Context(), f, want)
					asked = s.Counts().Gets - before.Gets
				}
				wantUndecided(t, err, c.part, "")
				wantNoSecret(t, err)
				if kind == "list" && asked != int64(c.tries) || asked < int64(c.tries-1) {
					t.Errorf("asked %d times, want %d", asked, c.tries)
				}
			})
		}
	}
}

// TestAzureSASThatExpires is good for the first page and the first bytes only.
func TestAzureSASThatExpires(t *testing.T) {
	for name, c := range map[string]struct {
		requests int
		part     string
	}{
		"between two pages":       {1, "/data/p/: access denied (403 AuthenticationFailed)"},
		"before reading":          {2, "/data/p/: a: access denied (403 AuthenticationFailed)"},
		"in the middle of a blob": {3, "/data/p/: a: access denied (403 AuthenticationFailed)"},
		"not before all was read": {5, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := double(t, map[string]string{"p/a": bigText, "p/b": "2", "p/c": "3"})
			s.PageSize, s.SAS, s.SASRequests = 2, testSAS, c.requests
			s.Fault = on("get", 1, blobdouble.Fault{CutAfter: 300_000})
			f := open(t, s.URL+"/data/p/?"+testSAS, fast)
			var first *Object
			seen := 0
			err := f.List(t.Context(), func(o Object) error {
				if seen++; first == nil {
					first = &o
				}
				return nil
			})
			if err == nil {
				_, err = read(t.Context(), f, *first)
			}
			if c.part == "" {
				must(t, err)
				return
			}
			wantUndecided(t, err, c.part, "must not have expired")
			wantNoSecret(t, err)
			if strings.Contains(err.Error(), "Signature") || c.requests == 1 && seen != 2 {
				t.Errorf("%v after %d blobs", err, seen)
			}
		})
	}
}

// TestAzureChangesBetweenPages removes and adds blobs while they are listed. What was listed and is gone is found when it is
// read, what is new when the folder is listed again.
func TestAzureChangesBetweenPages(t *testing.T) {
	s := double(t, map[string]string{"p/a": "1", "p/b": "2", "p/c": "3", "p/d": "4"})
	s.PageSize = 2
	s.Fault = func(r blobdouble.Request) blobdouble.Fault {
		if r.Kind == "list" && r.Name == "2" && r.Try == 1 {
			s.Delete("data", "p/a")
			s.Delete("data", "p/c")
			s.PutText("data", "p/aa", "5")
			s.PutText("data", "p/e", "6")
		}
		return blobdouble.Fault{}
	}
	f := open(t, s.URL+"/data/p/", fast)
	objects := list(t, f)
	if got := fmt.Sprint(sortedNames(objects)); got != "[a b d e]" {
		t.Errorf("got %s", got)
	}
	_, err := read(t.Context(), f, objects["a"])
	wantRefused(t, err, "data.changed", "the file a vanished")
	if got := fmt.Sprint(sortedNames(list(t, f))); got != "[aa b d e]" {
		t.Errorf("again: got %s", got)
	}
}

// TestAzureAsides has snapshots, old versions, deleted and uncommitted blobs: no listing asks for them, and one that shows
// them all the same is no listing of the folder.
func TestAzureAsides(t *testing.T) {
	for kind, part := range map[blobdouble.Aside]string{
		blobdouble.Snapshot:     `a snapshot that was not asked for: "gone"`,
		blobdouble.OldVersion:   `an old version that was not asked for: "gone"`,
		blobdouble.Deleted:      `a deleted blob that was not asked for: "gone"`,
		blobdouble.VersionsOnly: `versions of a deleted blob that was not asked for: "gone"`,
		blobdouble.Uncommitted:  `no size, ETag or date for "gone"`,
	} {
		s := double(t, map[string]string{"p/a": "1"})
		s.PutAside("data", "p/gone", kind)
		s.PutAside("data", "p/a", kind)
		s.Protect("data", blobdouble.Container{VersionWORM: true})
		f := open(t, s.URL+"/data/p/", fast)
		protection(t, f)
		if got := contents(t, f); !maps.Equal(got, map[string]string{"a": "1"}) {
			t.Errorf("%s: got %q", kind, got)
		}
		s = double(t, nil)
		s.PutAside("data", "p/gone", kind)
		s.ShowAll = true
		err := open(t, s.URL+"/data/p/", fast).List(t.Context(), func(o Object) error {
			t.Errorf("%s: listed %+v", kind, o)
			return nil
		})
		wantUndecided(t, err, part, "")
	}
}

// TestAzureCurrentVersions lists the blobs of an account with versions, each with the version that it is.
func TestAzureCurrentVersions(t *testing.T) {
	s := double(t, nil)
	s.Fault = on("list", 1, blobdouble.Fault{Body: pageHead +
		strings.ReplaceAll(someBlob, "</Name>", "</Name><Snapshot/><VersionId>2026</VersionId><IsCurrentVersion>true</IsCurrentVersion><Deleted>false</Deleted>") +
		"</Blobs><NextMarker /></EnumerationResults>"})
	if got := list(t, open(t, s.URL+"/data/p/", fast)); got["a"].Size != 3 || len(got) != 1 {
		t.Errorf("got %+v", got)
	}
}

// TestAzureListingsThatAreNone gets pages that are cut short, too full, or something else. Each is well-formed or not; none is
// taken for the end of the folder.
func TestAzureListingsThatAreNone(t *testing.T) {
	for body, part := range map[string]string{
		"<html>Sign in to the network</html>":                 "something that is no listing",
		pageHead + someBlob:                                   "the end comes too early",
		pageHead + someBlob + "</Blobs></EnumerationResults>": "does not tell whether another one follows",
		pageHead + strings.Repeat(someBlob, 5_001) + pageTail: "more than 5000 blobs",
		`{"blobs":[]}`: "the end comes too early",
	} {
		s := double(t, nil)
		s.Fault = on("list", 1, blobdouble.Fault{Body: body})
		err := open(t, s.URL+"/data/p/?"+testSAS, fast).List(t.Context(), func(Object) error { return nil })
		wantUndecided(t, err, part, "")
		wantNoSecret(t, err)
	}
}

// TestPagesTakeLittleMemory reads the fullest page of the smallest blobs: only what is held by the caller stays.
func TestPagesTakeLittleMemory(t *testing.T) {
	blob := `<Blob><Name>p/a</Name></Blob>`
	body := []byte(pageHead + strings.Repeat(blob, maxAnswer/len(blob)) + pageTail)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	blobs, _, err := readPage(body, func(listed) error { return nil })
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 || blobs != maxPageBlobs+1 || err == nil {
		t.Errorf("read %d blobs with %d KiB, %v", blobs, grown>>10, err)
	}
}

func TestWorkersAreBounded(t *testing.T) {
	s := double(t, nil)
	for workers, want := range map[int]int{1: 1, 256: 256, -1: 0, 257: 0} {
		for _, uri := range []string{s.URL + "/data/p/", t.TempDir()} {
			f, err := Open(t.Context(), uri, Options{Workers: workers})
			if want == 0 {
				wantMisused(t, err, "workers are not between 1 and 256")
			} else if err != nil || f.Workers() != want {
				t.Errorf("%d for %s: %v", workers, uri, err)
			}
		}
	}
}
