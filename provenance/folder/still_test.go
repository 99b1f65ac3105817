package folder

import (
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance/internal/blobdouble"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// TestAzureFolderThatDoesNotKeepStill changes a folder between its first listing and its second one, which is made because
// reading takes longer than listing.
func TestAzureFolderThatDoesNotKeepStill(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*blobdouble.Server)
		want   string // empty: it is hashed
	}{
		"nothing":  {func(*blobdouble.Server) {}, ""},
		"added":    {func(s *blobdouble.Server) { s.PutText("lake", "data/c", "new") }, "changed while it was hashed: 1 added (c)"},
		"removed":  {func(s *blobdouble.Server) { s.Delete("lake", "data/a") }, "changed while it was hashed: 1 removed (a)"},
		"replaced": {func(s *blobdouble.Server) { s.PutText("lake", "data/a", "other bytes") }, "changed while it was hashed: 1 modified (a)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := blobdouble.New(t)
			s.PutText("lake", "data/a", "1")
			s.PutText("lake", "data/b", "2")
			s.Fault = func(r blobdouble.Request) blobdouble.Fault {
				switch {
				case r.Kind == "get":
					time.Sleep(200 * time.Millisecond)
				case r.Kind == "list" && r.Name == "" && r.Try == 2:
					c.change(s)
				}
				return blobdouble.Fault{}
			}
			f, err := storage.Open(t.Context(), s.URL+"/lake/data/", storage.Options{})
			must(t, err)
			r, err := Hash(t.Context(), f, Options{Dir: t.TempDir()})
			if c.want == "" {
				must(t, err)
				if r.Files != 2 || s.Counts().Lists != 2 {
					t.Errorf("%d files, %d listings", r.Files, s.Counts().Lists)
				}
				return
			}
			wantRefused(t, err, "data.changed", c.want)
		})
	}
}
