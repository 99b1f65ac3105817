package folder

import (
	"time"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

// retention is what the listing says of the files' own retention.
type retention struct {
	files, retained, locked int64
	until                   time.Time // the earliest
}

func (r *retention) look(o storage.Object) {
	r.files++
	if o.RetainUntil.IsZero() {
		return
	}
	r.retained++
	if o.RetainMode == "locked" {
		r.locked++
	}
	if r.until.IsZero() || o.RetainUntil.Before(r.until) {
		r.until = o.RetainUntil
	}
}

// all is when the first file loses its retention, if each has one, and whether each is locked.
func (r *retention) all() (until time.Time, locked bool) {
	if r.files == 0 || r.retained < r.files {
		return time.Time{}, false
	}
	return r.until, r.locked == r.files
}
