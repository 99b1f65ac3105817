package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
)

// Mode is how thoroughly a data folder is checked again at its source.
type Mode string

// From the least to the most.
const (
	RecheckNone    Mode = "none"    // not at all
	RecheckListing Mode = "listing" // names, sizes, ETags and times are those in the signed index
	RecheckContent Mode = "content" // every file is hashed again
)

// modeRank orders the modes; an unknown one, or none, is RecheckNone.
var modeRank = map[Mode]int{RecheckListing: 1, RecheckContent: 2}

// ParseMode reads a mode; anything else is a *provenance.Misused.
func ParseMode(s string) (Mode, error) {
	if m := Mode(s); m == RecheckNone || modeRank[m] > 0 {
		return m, nil
	}
	return "", provenance.Misuse("", "%q is no way to check again: none, listing or content", clip(s))
}

// atLeast is the more thorough of two modes.
func (m Mode) atLeast(other Mode) Mode {
	switch {
	case modeRank[other] > modeRank[m]:
		return other
	case modeRank[m] == 0:
		return RecheckNone
	}
	return m
}

// Changes are the names of the files that differ from the signed record of a folder.
type Changes struct {
	Added    []string `json:"added,omitempty"`
	Removed  []string `json:"removed,omitempty"`
	Modified []string `json:"modified,omitempty"`
}

// None tells whether the folder is what it was.
func (c Changes) None() bool { return len(c.Added)+len(c.Removed)+len(c.Modified) == 0 }

// maxNamed is how many names of each kind a finding lists.
const maxNamed = 10

// String lists the changes, for people.
func (c Changes) String() string {
	var parts []string
	for _, kind := range []struct {
		verb  string
		names []string
	}{{"added", c.Added}, {"removed", c.Removed}, {"modified", c.Modified}} {
		if n := len(kind.names); n > maxNamed {
			parts = append(parts, fmt.Sprintf("%s %s and %d more", kind.verb, strings.Join(kind.names[:maxNamed], ", "), n-maxNamed))
		} else if n > 0 {
			parts = append(parts, kind.verb+" "+strings.Join(kind.names, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// Recheck asks the world whether a folder is still what a verified statement says of it. A *provenance.Refused means that
// it is not; any other error that nobody could tell.
type Recheck func(ctx context.Context, folder provenance.Folder, mode Mode) (Changes, error)

// Rechecked is what became of one folder.
type Rechecked struct {
	URI     string  `json:"uri"`
	Mode    Mode    `json:"mode"` // what was done, RecheckNone when it was not tried or failed
	Changes Changes `json:"changes,omitzero"`
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
	done := Rechecked{URI: folder.URI, Mode: RecheckNone}
	if p := d.in.Policy; p != nil && p.Data != nil && p.Data.Roots != nil && !within(folder.URI, p.Data.Roots) {
		return done, nil // refused as data.root already
	}
	if d.in.Recheck == nil {
		return done, &Finding{Code: "recheck.failed", Undecided: true, Expected: string(mode),
			Detail: fmt.Sprintf("%s cannot be checked again here", folder.URI),
			Hint:   "verify where the data can be reached, or without --recheck"}
	}
	changes, err := d.in.Recheck(d.ctx, folder, mode)
	var refused *provenance.Refused
	if errors.As(err, &refused) {
		return done, unread(err)
	}
	if err != nil {
		return done, &Finding{Code: "recheck.failed", Undecided: true, Expected: string(mode),
			Detail: fmt.Sprintf("%s could not be checked again: %v", folder.URI, err), Hint: firstHint(err)}
	}
	done.Mode, done.Changes = mode, changes
	if changes.None() {
		return done, nil
	}
	return done, &Finding{Code: "recheck.changed", Expected: folder.Digest.String(), Found: changes.String(), Basis: provenance.Observed,
		Detail: fmt.Sprintf("%s is not what was recorded: %s", folder.URI, changes), Hint: changedHint(mode)}
}

func changedHint(mode Mode) string {
	if mode == RecheckListing {
		return "the listing differs; --recheck content compares the bytes"
	}
	return "restore the folder, or build and record an image from the data as it is now"
}

// mode is the most that the caller or the policy asks for.
func (d *decider) mode() Mode {
	if d.in.Policy == nil {
		return d.in.RecheckMode.atLeast(RecheckNone)
	}
	return d.in.RecheckMode.atLeast(d.in.Policy.Recheck)
}
