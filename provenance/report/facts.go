package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/verify"
)

// fact is one line about an image: what it is about, what is so, and how that is known. A line about the same thing as the
// one above has no label.
type fact struct {
	label, value, known string
}

// facts are what an attestation says, in the order in which people ask.
func facts(a verify.Attestation) []fact {
	all := recordFacts(a.Record, a.Rechecks)
	return append(all, signatureFacts(a.Signer, a.Times, "verified now, as "+strings.Join(a.Forms, " and "))...)
}

// signatureFacts are who signed, and who saw it when.
func signatureFacts(s envelope.Signer, times []envelope.Time, known string) []fact {
	lines := []fact{{"signature", signerName(s), known}}
	if s.Identity != nil && s.Identity.Issuer != "" {
		lines = append(lines, fact{"", "a certificate says so, for a token of " + s.Identity.Issuer, ""})
	} else if s.Identity != nil {
		lines = append(lines, fact{"", "a certificate says so", ""})
	}
	for _, t := range times {
		verb := map[string]string{envelope.TimeStamp: "timestamped", envelope.TimeLog: "logged"}[t.Kind]
		lines = append(lines, fact{"", fmt.Sprintf("%s by %s, %s", verb, t.By, moment(t.At)), ""})
	}
	return lines
}

// signerName is a key with its fingerprint, or whom a certificate names. The key of a certificate says nothing: each run has another.
func signerName(s envelope.Signer) string {
	if s.Identity != nil {
		return s.Identity.SAN
	}
	return fmt.Sprintf("%s (%s)", s.Name, short(s.Fingerprint))
}

// recordFacts are what a statement says.
func recordFacts(r provenance.Record, rechecks []verify.Rechecked) []fact {
	return slices.Concat(commitFacts(r), pipelineFacts(r.Pipeline), buildFacts(r), dataFacts(r.Data, rechecks), trainingFacts(r),
		modelFacts(r.Model), registeredFacts(r.Registered), checkFacts(r.Checks))
}

func commitFacts(r provenance.Record) []fact {
	c := r.Commit
	lines := []fact{{"commit", strings.TrimSpace(first(c.ID.Hex(), 7) + "  " + c.Subject), known(c.Of("id"), "git")}}
	if c.Author.Name+c.Author.Email+c.Author.ID != "" {
		lines = append(lines, fact{"", join(", ", person(c.Author), moment(c.Authored)), known(c.Of("author"), "git")})
	}
	lines = append(lines, reviewFacts(r.Review)...)
	lines = append(lines, fact{"", c.Repository, known(c.Of("repository"), "git")})
	if c.Ref != "" {
		lines = append(lines, fact{"", c.Ref, known(c.Of("ref"), refSource(r))})
	}
	if c.IgnoredCount > 0 {
		lines = append(lines, fact{"", plural(int64(c.IgnoredCount), "ignored file") + " beside it", known(c.Of("ignored"), "git")})
	}
	if c.Dirty {
		lines = append(lines, fact{"", "the work tree differed from it", known(c.Of("dirty"), "git")})
	}
	return lines
}

// refSource is who says which branch it is: a pipeline checks out a commit, and tells the branch by a variable.
func refSource(r provenance.Record) string {
	if r.Pipeline.Ref == r.Commit.Ref {
		return "pipeline"
	}
	return "git"
}

func pipelineFacts(p provenance.Pipeline) []fact {
	lines := []fact{{"builder", p.BuilderID, toldOf(p, "builderId")}}
	if p.InvocationID != "" {
		lines = append(lines, fact{"", p.InvocationID, toldOf(p, "invocationId")})
	}
	if !p.Finished.IsZero() {
		lines = append(lines, fact{"", "recorded " + moment(p.Finished), known(p.Of("finished"), "pipeline")})
	}
	return lines
}

// toldOf says how a fact of the pipeline is known: by its variables, or by Azure DevOps.
func toldOf(p provenance.Pipeline, fact string) string {
	if p.Of(fact) == provenance.Reported {
		return known(provenance.Reported, "Azure DevOps")
	}
	return known(p.Of(fact), "pipeline")
}

func modelFacts(m *provenance.Model) []fact {
	if m == nil {
		return []fact{{"model", "none recorded", ""}}
	}
	lines := []fact{{"model", join("  ", strings.TrimSpace(m.Name+" "+m.Version), "dirHash "+m.Digest.Short(), size(m.Bytes)), known(m.Of("digest"), "manifest")}}
	var paths []string
	for _, l := range m.Locations {
		if !slices.Contains(paths, l.Path) {
			paths = append(paths, l.Path)
		}
	}
	if paths != nil {
		lines = append(lines, fact{"", "in the image at " + strings.Join(paths, ", "), known(m.Of("locations"), "image")})
	}
	for _, c := range m.Copies {
		lines = append(lines, fact{"", "the same at " + c.URI, known(provenance.Observed, "")})
	}
	return lines
}

func checkFacts(checks []provenance.Fact) (lines []fact) {
	for i, c := range checks {
		label := "checks"
		if i > 0 {
			label = ""
		}
		lines = append(lines, fact{label, join(", ", c.Name+" "+c.Value, c.Note), known(c.Basis, "")})
	}
	return lines
}

// storedFacts are the things that lie beside the image, with the whole digests by which they are fetched: a folder's manifest
// has the folder's dirHash.
func storedFacts(r provenance.Record) (lines []fact) {
	add := func(s provenance.Stored, of string) {
		if s.Digest.IsZero() {
			return
		}
		label := "stored"
		if lines != nil {
			label = ""
		}
		lines = append(lines, fact{label, s.Digest.String(), s.Name + " of " + of})
	}
	for _, f := range r.Data {
		add(f.Manifest, f.URI)
		add(f.Index, f.URI)
		add(f.ProtectionAnswer, f.URI)
	}
	if r.Model != nil {
		add(r.Model.Manifest, "the model")
	}
	for _, s := range r.Answers() {
		if !slices.ContainsFunc(lines, func(l fact) bool { return l.value == s.Digest.String() }) {
			add(s, "what services told")
		}
	}
	return lines
}

// known says how a fact is known, and who said so when it was not the builder itself.
func known(b provenance.Basis, who string) string {
	switch {
	case b == provenance.Observed:
		return "observed by the builder"
	case b == "":
		return "nobody says how this is known"
	case who == "":
		return string(b)
	}
	return fmt.Sprintf("%s (%s)", b, who)
}

// person is a name, or what else there is.
func person(p provenance.Person) string {
	for _, s := range []string{p.Name, p.Email} {
		if s != "" {
			return s
		}
	}
	return p.ID
}

// whoever is a person who did something, whether or not we are told who.
func whoever(p provenance.Person) string {
	if who := person(p); who != "" {
		return who
	}
	return "somebody whose name is not recorded"
}

// moment is a time for people, or nothing.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 Jan 2006 15:04 UTC")
}

// day is the day of a time, for people.
func day(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// size is a number of bytes for people.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for ; value >= 1023.95 && unit < 5; unit++ {
		value /= 1024
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[unit])
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// join joins what is not empty.
func join(separator string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), separator)
}

// first is the beginning of a string of ASCII.
func first(s string, n int) string { return s[:min(len(s), n)] }

// short is the beginning of "sha256:HEX".
func short(digest string) string {
	if algorithm, hex, found := strings.Cut(digest, ":"); found && len(hex) > 12 {
		return algorithm + ":" + hex[:12] + "…"
	}
	return digest
}

// otherFacts are the other attestations that the policy asks for.
func otherFacts(others []verify.Other) (all []fact) {
	for _, o := range others {
		known := "signed by " + o.Signer.Name
		if !o.SignedAt.IsZero() {
			known += ", " + moment(o.SignedAt)
		}
		all = append(all, fact{"beside", o.Name + ", " + o.PredicateType, known})
	}
	return all
}
