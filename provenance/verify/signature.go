package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// skew is how far the clocks of honest machines may be apart.
const skew = 5 * time.Minute

// signedAt is the earliest time at which somebody who is trusted saw the signature; zero: nobody did. Whoever can write to the
// registry can ask for a later timestamp of an old signature, never for an earlier one.
func (e *examined) signedAt() time.Time {
	if len(e.times) == 0 {
		return time.Time{}
	}
	return e.times[0].At
}

// untimedFinding says that a rule needs to know when the statement was signed, and nobody who is trusted tells.
func (e *examined) untimedFinding(what string) *Finding {
	return &Finding{Code: "signature.time", Detail: fmt.Sprintf("%s, but nobody who is trusted says when it was signed: %s", what, e.untimed),
		Expected: "a timestamp of an authority that the trusted root names", Found: "none",
		Hint: "record with --timestamp-url, and verify with a trusted root that names the authority; the statement's own clock proves nothing"}
}

// checkSigned holds the signature against a rule.
func checkSigned(s policy.Signature, e *examined) (findings []*Finding) {
	if s.Timestamp && len(e.times) == 0 {
		findings = append(findings, e.untimedFinding("the policy asks for a timestamp"))
	}
	if s.Log && !e.logged {
		findings = append(findings, &Finding{Code: "signature.log", Detail: "no transparency log that the trusted root names has the signature",
			Expected: "an entry with its proof of inclusion", Found: "none", Hint: "record with --rekor-url, and verify with a trusted root that names the log"})
	}
	return findings
}

// ageOf is the expectation about the statement's age.
func (d *decider) ageOf(e *examined) []expectation {
	most := d.in.Policy.MaxAge
	if most == 0 {
		return nil
	}
	return []expectation{{"maxAge", always{}, func() []*Finding { return e.checkAge(most, d.in.Now) }, func() []rule.Input { return signatureInputs(e) }}}
}

// checkAge wants the statement signed not longer ago than that. Only a timestamp can prove that. The statement's own clock can
// break the rule, and never satisfy it: an old signature can be given a new timestamp by anybody.
func (e *examined) checkAge(most time.Duration, now time.Time) []*Finding {
	if len(e.times) == 0 {
		return []*Finding{e.untimedFinding("the policy asks for a maximum age")}
	}
	oldest, said := e.signedAt(), "by its timestamp"
	if own := e.record.Pipeline.Finished; !own.IsZero() && e.ownClockIsOlder(own) {
		oldest, said = own, "by its own clock"
	}
	return []*Finding{tooOld("the statement", "signature.age", oldest, said, most, now)}
}

// tooOld holds an age against a rule; a time that is still to come tells that a clock is wrong.
func tooOld(what, code string, at time.Time, said string, most time.Duration, now time.Time) *Finding {
	finding := &Finding{Code: code, Expected: "at most " + hours(most) + " old", Found: moment(at) + ", " + said}
	switch {
	case at.After(now.Add(skew)):
		finding.Undecided, finding.Detail, finding.Hint = true, what+" was signed in the future", "is the clock of this machine right?"
	case now.Sub(at) > most:
		finding.Detail = fmt.Sprintf("%s is %s old", what, hours(now.Sub(at)))
		finding.Hint = "build, record and release again; an old attestation says nothing of today's"
	default:
		return nil
	}
	return finding
}

// window holds the signature's time against that of the key. What was signed in time stays good.
func (e *examined) window(p policy.Pinned, now time.Time) *Finding {
	if !p.Windowed() {
		return nil
	}
	at := e.signedAt()
	switch {
	case at.IsZero():
		return e.untimedFinding(fmt.Sprintf("the policy lets %s sign %s only", e.signer.Name, windowOf(p)))
	case at.After(now.Add(skew)):
		return tooOld("the statement", "signature.window", at, "by its timestamp", 0, now)
	case !p.Covers(at):
		return &Finding{Code: "signature.window", Detail: fmt.Sprintf("%s signed it at a time when it did not count", e.signer.Name), Expected: windowOf(p),
			Found: moment(at) + ", by its timestamp", Hint: "sign with the key that counts now"}
	}
	return nil
}

func windowOf(p policy.Pinned) string {
	var parts []string
	if !p.From.IsZero() {
		parts = append(parts, "from "+moment(p.From))
	}
	if !p.Until.IsZero() {
		parts = append(parts, "until "+moment(p.Until))
	}
	return strings.Join(parts, " ")
}

func signatureInputs(e *examined) []rule.Input {
	all := []rule.Input{input("signer", e.signer.Name, "")}
	for _, t := range e.times {
		all = append(all, input("signedAt", moment(t.At)+" by "+t.By, ""))
	}
	if len(e.times) == 0 {
		all = append(all, input("signedAt", "", ""))
	}
	return append(all, input("logged", fmt.Sprint(e.logged), ""))
}
