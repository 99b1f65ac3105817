package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// checkData holds each data folder against a rule.
func checkData(s policy.Data, folders []provenance.Folder, now time.Time) []*Finding {
	if len(folders) == 0 {
		return []*Finding{{Code: "data.missing", Detail: "no data folder was recorded", Expected: "a data folder", Found: "nothing",
			Hint: "record with --data"}}
	}
	findings := append(checkFolderRoles(s.Roles, folders), checkNewest(s.NewestWithin, folders, now))
	for _, f := range folders {
		if s.Roots != nil && !provenance.Within(f.URI, s.Roots) {
			findings = append(findings, &Finding{Code: "data.root", Detail: "a data folder lies outside the allowed roots",
				Expected: "within " + strings.Join(s.Roots, " or "), Found: f.URI, Basis: f.Of("uri"), Hint: "train on data that was released for it, or have the root added to the policy"})
		}
		findings = append(findings, weak("data", "the address of "+f.URI, f.Of("uri"), s.Basis), checkDigest(s.Basis, f), checkImmutability(s.Immutability, f),
			checkProtected(protectedUntil(s, now), f), checkDigestAge(s.MaxDigestAge, f), checkTrainedOn(s.TrainedOn, f))
	}
	return findings
}

// checkFolderRoles wants a folder of each role.
func checkFolderRoles(roles []string, folders []provenance.Folder) (findings []*Finding) {
	for _, role := range roles {
		if !slices.ContainsFunc(folders, func(f provenance.Folder) bool { return f.Role == role }) {
			findings = append(findings, &Finding{Code: "data.role", Detail: fmt.Sprintf("no folder of the role %s was recorded", role), Expected: role,
				Found: strings.Join(rolesOf(folders), ", "), Hint: fmt.Sprintf("record with --data %s=URI", role)})
		}
	}
	return findings
}

func rolesOf(folders []provenance.Folder) (all []string) {
	for _, f := range folders {
		all = append(all, f.Role)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// checkNewest wants some training data to be new: the newest file of all training folders.
func checkNewest(within time.Duration, folders []provenance.Folder, now time.Time) *Finding {
	if within == 0 {
		return nil
	}
	finding := &Finding{Code: "data.newest", Expected: "a file of the last " + hours(within), Found: "nothing", Hint: "train on newer data"}
	var newest provenance.Folder
	for _, f := range folders {
		if f.Role == "train" && f.Newest.After(newest.Newest) {
			newest = f
		}
	}
	if newest.Newest.IsZero() {
		finding.Undecided, finding.Detail, finding.Hint = true, "nobody says how new the training data is", "record training data with --data train=URI"
		return finding
	}
	finding.Found, finding.Basis = moment(newest.Newest)+" in "+newest.URI, newest.Of("newest")
	switch {
	case newest.Newest.After(now.Add(skew)):
		finding.Undecided, finding.Detail, finding.Hint = true, "the newest training data is from the future", "is the clock of this machine right?"
	case now.Sub(newest.Newest) > within:
		finding.Detail = "the newest training data is too old"
	default:
		return nil
	}
	return finding
}

func dataInputs(r provenance.Record) (all []rule.Input) {
	for _, f := range r.Data {
		name := "data " + f.Role + " " + f.URI
		all = append(all, input(name+" digest", f.Digest.String(), f.Of("digest")), input(name+" immutability", f.Immutability, f.Of("immutability")),
			input(name+" trainedOn", f.TrainedOn, f.BasisOf["trainedOn"]))
	}
	return all
}

// checkDigest wants a folder's digest to be known so well, and says why it is not.
func checkDigest(weakest provenance.Basis, f provenance.Folder) *Finding {
	finding := weak("data", "the digest of "+f.URI, f.Of("digest"), weakest)
	switch {
	case finding == nil:
	case f.Imported != nil && f.Imported.SealedBy == "":
		finding.Hint = "other machines computed it, and nobody sealed what they wrote: give provenance digest a --key"
	case f.Resumed > 0:
		finding.Hint = "an interrupted run left digests behind, which anybody on the agent could change: record without --state"
	case f.Imported != nil:
		finding.Hint = "other machines computed it: accept signed, or record without --manifest"
	case f.Reused != nil:
		finding.Hint = "an earlier attestation vouches for files that did not change: accept signed, or record with --reuse never"
	}
	return finding
}

// checkImmutability wants one of the grades. Azure has to have said so: a grade that is only declared proves nothing, and
// there is no stronger way to know one than to be told.
func checkImmutability(accepted []string, f provenance.Folder) *Finding {
	if accepted == nil {
		return nil
	}
	finding := &Finding{Code: "data.immutability", Expected: strings.Join(accepted, " or "), Found: orNothing(f.Immutability), Basis: f.Of("immutability")}
	switch {
	case gradeUnknown(f):
		return undecidedProtection(finding, "whether", f)
	case hadEnded(f):
		finding.Detail, finding.Found = fmt.Sprintf("%s was %s, but the protection of its oldest file had ended", f.URI, f.Immutability), "until "+moment(f.Protection.Until)
		finding.Hint = "extend the container's retention policy, and record again"
		return finding
	case slices.Contains(accepted, f.Immutability):
		return weak("data", "the protection of "+f.URI, f.Of("immutability"), provenance.Reported)
	}
	finding.Detail, finding.Hint = fmt.Sprintf("%s is %s", f.URI, gradeWords[f.Immutability]), gradeHints[f.Immutability]
	if finding.Hint == "" {
		finding.Detail, finding.Hint = fmt.Sprintf("%s is not protected as the policy asks for", f.URI), lockHint
	}
	return finding
}

const lockHint = "lock the container's retention policy, and record again"

// gradeWords say what a folder of a grade is, and gradeHints what to do when that is not accepted.
var (
	gradeWords = map[string]string{
		provenance.GradeLocked:       "locked by its container's policy",
		provenance.GradeLockedAppend: "locked, but append writes are allowed: its files can grow",
		provenance.GradeUnlocked:     "not locked: its retention policy can be shortened or deleted",
		provenance.GradeLegalHold:    "not locked: its legal hold can be cleared at any time",
		provenance.GradeVersionWORM:  "locked file by file",
		provenance.GradeNone:         "not protected",
	}
	gradeHints = map[string]string{
		provenance.GradeLocked:       "the policy may accept locked, too",
		provenance.GradeLockedAppend: "use a container whose policy forbids append writes, or accept locked-append",
		provenance.GradeUnlocked:     lockHint,
		provenance.GradeLegalHold:    lockHint,
		provenance.GradeVersionWORM:  "the policy may accept version-worm, too",
		provenance.GradeNone:         lockHint,
	}
)

// gradeUnknown tells whether nobody could tell the grade.
func gradeUnknown(f provenance.Folder) bool {
	return f.Immutability == "" || f.Immutability == provenance.GradeUnknown
}

// hadEnded tells whether the first file had lost its protection by time before the folder was recorded, by the agent's clock or by
// Azure's: a locked policy protects each file for its period only.
func hadEnded(f provenance.Folder) bool {
	p := f.Protection
	return slices.Contains(keepsUntil, f.Immutability) && p != nil && !p.Until.IsZero() && (p.Until.Before(f.Listed) || p.Until.Before(p.AskedAt))
}

// undecidedProtection says that nobody could tell whether, or until when, a folder is protected.
func undecidedProtection(finding *Finding, what string, f provenance.Folder) *Finding {
	why := ""
	if f.Protection != nil {
		why = f.Protection.Unknown
	}
	finding.Undecided = true
	finding.Detail = strings.Join(nonEmpty(fmt.Sprintf("nobody could tell %s %s is protected", what, f.URI), why), ": ")
	finding.Hint = "record with --storage-account-id, by an identity with the role Reader on the account; a local folder is protected by nothing"
	return finding
}

// keepsUntil are the grades by which no bytes are lost before their time. Under version-worm they stay as a version, while the name
// may come to stand for others.
var keepsUntil = []string{provenance.GradeLocked, provenance.GradeLockedAppend, provenance.GradeVersionWORM}

// checkProtected wants every file protected until then. The time of a policy that can be shortened promises nothing.
func checkProtected(until time.Time, f provenance.Folder) *Finding {
	if until.IsZero() {
		return nil
	}
	finding := &Finding{Code: "data.protected", Expected: "until " + moment(until), Found: orNothing(f.Immutability), Basis: f.Of("protection")}
	switch {
	case gradeUnknown(f):
		return undecidedProtection(finding, "until when", f)
	case !slices.Contains(keepsUntil, f.Immutability):
		finding.Detail, finding.Hint = fmt.Sprintf("%s is not protected until any time: %s", f.URI, orNothing(f.Immutability)), lockHint
		return finding
	case f.Protection == nil || f.Protection.Until.IsZero():
		return undecidedProtection(finding, "until when", f)
	case f.Protection.Until.Before(until):
		finding.Detail, finding.Found = fmt.Sprintf("%s is not protected long enough", f.URI), "until "+moment(f.Protection.Until)
		finding.Hint = "extend the container's retention policy, and record again"
		return finding
	}
	return weak("data", "until when "+f.URI+" is protected", f.Of("protection"), provenance.Reported)
}

// protectedUntil is the later of the two times that the rule asks for; zero is none.
func protectedUntil(s policy.Data, now time.Time) time.Time {
	until := s.ProtectedUntil
	if after := now.Add(s.ProtectedFor); s.ProtectedFor > 0 && after.After(until) {
		until = after
	}
	return until
}

// checkDigestAge wants the bytes behind every digest to have been read not longer than that before the folder was listed for
// the record. What was read by the recording itself has no age. The clocks are those of the machines that read.
func checkDigestAge(most time.Duration, f provenance.Folder) *Finding {
	if most == 0 || f.Reused == nil && f.Imported == nil && f.Resumed == 0 {
		return nil
	}
	finding := &Finding{Code: "data.digestAge", Expected: fmt.Sprintf("read at most %s before it was recorded", hours(most)), Basis: f.Of("digest")}
	since := readSince(f)
	if since.IsZero() || f.Listed.IsZero() || since.After(f.Listed) || !f.Of("digest").AtLeast(provenance.Signed) {
		finding.Undecided, finding.Found = true, "unknown"
		finding.Detail = fmt.Sprintf("nobody says when the bytes of %s were read", f.URI)
		finding.Hint = "digests that an interrupted run left behind, and imported ones that nobody sealed, have no known age: record without --state, and seal with --key"
		return finding
	}
	if age := f.Listed.Sub(since); age > most {
		finding.Detail = fmt.Sprintf("digests of %s are reused for longer than the policy allows", f.URI)
		finding.Found = fmt.Sprintf("read since %s, %s before", moment(since), hours(age))
		finding.Hint = fmt.Sprintf("record with --reuse %s, which reads older files again", hours(most))
		if f.Imported != nil {
			finding.Hint = "let the machines that imported digests come from read the files again"
		}
		return finding
	}
	return nil
}

// readSince is when the first of the bytes were read that this recording did not read; zero when nobody says it.
func readSince(f provenance.Folder) time.Time {
	switch {
	case f.Resumed > 0:
		return time.Time{}
	case f.Imported != nil && f.Reused != nil && f.Reused.ReadSince.Before(f.Imported.ReadSince):
		return f.Reused.ReadSince
	case f.Imported != nil:
		return f.Imported.ReadSince
	}
	return f.Reused.ReadSince
}

// checkTrainedOn wants the link between folder and model to be known so well. It has a basis of its own, or none.
func checkTrainedOn(weakest provenance.Basis, f provenance.Folder) *Finding {
	known, said := f.BasisOf["trainedOn"]
	if weakest == "" || said && known.AtLeast(weakest) {
		return nil
	}
	hint := "take a sealed listing before training (provenance digest --listing FILE --key KEY), and record with it and with the training run"
	switch {
	case !said:
	case f.Before != nil && !f.Before.Same:
		hint = "train again on the folder as it is now, or record the one that was trained on"
	case f.Before != nil && f.Before.SealedBy != "" && f.Protection == nil:
		hint = "nothing proves it of a local folder: keep the data in storage with a locked retention policy"
	case f.Before != nil && f.Before.SealedBy != "":
		hint = "lock the container's retention policy before training, and record with --storage-account-id"
	}
	return &Finding{Code: "data.trainedOn", Undecided: !said, Expected: string(weakest) + " or better", Found: orNothing(string(known)), Basis: known, Hint: hint,
		Detail: fmt.Sprintf("that the model was made with %s (%s) as it is recorded is only %s: %s", f.URI, f.Role, orNothing(string(known)), orNothing(f.TrainedOn))}
}
