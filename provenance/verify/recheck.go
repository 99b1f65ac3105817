package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
)

// Mode is how thoroughly a data folder is checked again at its source.
type Mode = policy.Mode

// From the least to the most.
const (
	RecheckNone    = policy.RecheckNone
	RecheckListing = policy.RecheckListing
	RecheckContent = policy.RecheckContent
)

// Recheck asks the world whether a folder is still what a verified statement says of it. A *provenance.Refused means that
// it is not; any other error that nobody could tell.
type Recheck func(ctx context.Context, folder provenance.Folder, mode Mode) (Changes, error)

// Rechecked is what became of one folder.
type Rechecked struct {
	URI      string    `json:"uri"`
	Mode     Mode      `json:"mode"`              // what was done, RecheckNone when it was not tried or failed
	Recorded time.Time `json:"recorded,omitzero"` // when the folder was listed for the record; what was removed was there then
	Changes  Changes   `json:"changes,omitzero"`
}

// recheck checks the folders of a statement again, and gives what it found. Only folders that the policy allows are
// touched: a signed record still decides nothing about where credentials go.
func (d *decider) recheck(e *examined) []Finding {
	mode := d.mode()
	if mode == RecheckNone {
		return nil
	}
	if len(e.record.Data) == 0 {
		return []Finding{{Code: "data.missing", Detail: "no data folder was recorded, so none can be checked again", Expected: "a data folder",
			Hint: "record with --data, or verify without --recheck"}}
	}
	var findings []Finding
	for _, folder := range e.record.Data {
		done, finding := d.recheckFolder(folder, mode)
		e.rechecks = append(e.rechecks, done)
		if finding != nil {
			findings = append(findings, *finding)
		}
	}
	return findings
}

// recheckFolder checks one folder again, if it may.
func (d *decider) recheckFolder(folder provenance.Folder, mode Mode) (Rechecked, *Finding) {
	done := Rechecked{URI: folder.URI, Mode: RecheckNone, Recorded: folder.Listed}
	if outside, refused := d.outside(folder); refused {
		return done, nil // as data.root, already
	} else if outside {
		return done, &Finding{Code: "recheck.failed", Undecided: true, Expected: string(mode), Hint: "let the roots of the policy cover it",
			Detail: fmt.Sprintf("%s is not asked again: it lies outside the roots of the policy", folder.URI)}
	}
	if d.in.Recheck == nil {
		return done, &Finding{Code: "recheck.failed", Undecided: true, Expected: string(mode),
			Detail: fmt.Sprintf("%s cannot be checked again without the registry, where its list of files lies beside the image", folder.URI),
			Hint:   "verify without --bundle, or without --recheck"}
	}
	changes, err := d.in.Recheck(d.ctx, folder, mode)
	var refused *provenance.Refused
	if errors.As(err, &refused) {
		return done, unread(err)
	}
	if err != nil {
		return done, &Finding{Code: "recheck.failed", Undecided: true, Expected: string(mode),
			Detail: fmt.Sprintf("%s could not be checked again: %v", folder.URI, err), Hint: words.FirstHint(err)}
	}
	done.Mode, done.Changes = mode, changes
	if changes.None() {
		return done, nil
	}
	return done, &Finding{Code: "recheck.changed", Expected: folder.Digest.String(), Found: changes.Total().String(), Basis: provenance.Observed,
		Detail: fmt.Sprintf("%s is not what was recorded: %s%s", folder.URI, changes.Text(folder.Listed), despite(folder, changes, d.in.Now)), Hint: changedHint(mode, folder, changes, d.in.Now)}
}

// outside tells whether the policy's roots do not cover a folder, and whether that refuses already or only warns: either way,
// credentials go nowhere else.
func (d *decider) outside(folder provenance.Folder) (outside, refused bool) {
	if d.in.Policy == nil {
		return false, false
	}
	for _, s := range d.in.Policy.Data {
		if s.Roots != nil && !s.Over(d.in.Now) && !provenance.Within(folder.URI, s.Roots) {
			outside, refused = true, refused || !s.Warns(d.in.Now)
		}
	}
	return outside, refused
}

// despite says how changes sit with the protection that was recorded. Nothing keeps new files out of a folder.
func despite(f provenance.Folder, c Changes, now time.Time) string {
	total := c.Total()
	if total.Removed+total.Modified == 0 {
		return ""
	}
	until := ""
	if f.Protection != nil && !f.Protection.Until.IsZero() {
		until = " until " + moment(f.Protection.Until)
	}
	switch {
	case impossible(f, c, now):
		return ", although its files were locked" + until
	case slices.Contains(keepsUntil, f.Immutability) && expired(f, now):
		return "; its files were locked" + until + " only"
	case f.Immutability == provenance.GradeVersionWORM:
		return "; its bytes are kept" + until + ", as former versions of the files"
	case f.Immutability == provenance.GradeLockedAppend:
		return "; its files were locked" + until + ", but append writes were allowed"
	case gradeUnknown(f):
		return "; whether it was protected is not known"
	case gradeWords[f.Immutability] == "":
		return "; its protection was " + f.Immutability
	}
	return "; it was " + gradeWords[f.Immutability]
}

// impossible tells whether the protection that was recorded rules the changes out.
func impossible(f provenance.Folder, c Changes, now time.Time) bool {
	total := c.Total()
	kept := f.Immutability == provenance.GradeLocked || f.Immutability == provenance.GradeLockedAppend
	return kept && !expired(f, now) && (total.Removed > 0 || total.Modified > 0 && f.Immutability != provenance.GradeLockedAppend)
}

// expired tells whether a file of the folder may have lost its protection by now.
func expired(f provenance.Folder, now time.Time) bool {
	return f.Protection != nil && !f.Protection.Until.IsZero() && !now.Before(f.Protection.Until)
}

func changedHint(mode Mode, f provenance.Folder, c Changes, now time.Time) string {
	switch {
	case impossible(f, c, now):
		return "Azure allows no such change: was the account or the container made anew, or was the statement made elsewhere?"
	case mode == RecheckListing && c.Total().Modified > 0:
		return "the listing differs; --recheck content compares the bytes"
	}
	return "restore the folder, or build and record an image from the data as it is now"
}

// mode is the most that the caller or the policy asks for.
func (d *decider) mode() Mode {
	if d.in.Policy == nil {
		return d.in.RecheckMode.AtLeast(RecheckNone)
	}
	return d.in.RecheckMode.AtLeast(d.in.Policy.Recheck)
}
