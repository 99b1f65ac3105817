// Package summary is the SLSA Verification Summary, a signed "this image passed that policy", out to an in-toto Statement and back:
// https://slsa.dev/spec/v1.1/verification_summary. What this program writes into one is specified in spec/verification-summary.md.
//
// A summary lets whoever trusts its signer act on a decision without repeating it. So it says who decided ([Verifier]), about what
// (the subjects, and the resource's URI), by which policy, from which attestations, when, and how it ended. Its signature is not
// looked at here, and neither is its age: the package envelope opens it, and whoever asks for it knows how old it may be.
//
// The package has no network, and reads no files.
package summary

import (
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// PredicateType is that of every minor version of the format.
const PredicateType = "https://slsa.dev/verification_summary/v1"

// SLSAVersion is the version of SLSA that [BuildLevel1] and [BuildUnevaluated] are meant by.
const SLSAVersion = "1.1"

// The levels that this program writes.
// Source: https://slsa.dev/spec/v1.1/verification_summary#slsaresult
const (
	// BuildLevel1: there is provenance, and a believed builder made it.
	BuildLevel1 = "SLSA_BUILD_LEVEL_1"
	// BuildUnevaluated: nobody looked at the level. It is not level 0, which would say that somebody did, and found nothing.
	BuildUnevaluated = "SLSA_BUILD_LEVEL_UNEVALUATED"
	// LevelFailed stands in place of levels where the policy was not met.
	LevelFailed = "FAILED"
)

// Result is how a verification ended.
type Result string

// The two results.
const (
	Passed Result = "PASSED"
	Failed Result = "FAILED"
)

// Summary is one verification, as its verifier tells it.
type Summary struct {
	Subjects     []Subject // what was verified; at least one
	Verifier     Verifier
	TimeVerified time.Time // by the verifier's clock; zero: it does not say
	// ResourceURI says what the subjects were verified for: a summary about one place is none about another. See [ResourceURI].
	ResourceURI       string
	Policy            Descriptor
	InputAttestations []Descriptor // all attestations that the decision rests on; empty: it does not say
	Result            Result
	Levels            []string // the highest of each track, and levels of the verifier's own; not nil
	SLSAVersion       string   // MAJOR.MINOR; empty: some 1.x
}

// Subject is a thing that was verified. Subjects are matched by digest alone; the name is for people.
type Subject struct {
	Name   string
	Digest provenance.DigestSet
}

// Verifier is who verified. Its id is worth what the signature is worth: only pairs of a signer and an id that belong together
// should be believed.
type Verifier struct {
	ID      string            // a URI
	Version map[string]string // of its components, by name; may be nil
}

// Descriptor names a policy or an attestation. Digests of kinds that this program does not know are left out when it is read.
type Descriptor struct {
	URI    string
	Digest provenance.DigestSet
}

// ResourceURI is the URI of an image in a repository: oci://REGISTRY/REPOSITORY@sha256:HEX, and oci://NAME@sha256:HEX for an OCI
// layout on disk, where NAME is the name of its folder. It holds no tag, because a tag can move.
func ResourceURI(repository string, image provenance.Digest) string {
	return ociScheme + repository + "@" + image.String()
}

// ociScheme begins the URI of an image.
const ociScheme = "oci://"

// levelPrefix begins the levels that SLSA itself defines; nobody else may use it.
const levelPrefix = "SLSA_"

// highest are the tracks of SLSA, up to version 1.2, with their highest level; each counts from 0.
// Source: https://slsa.dev/spec/v1.2/verification_summary#slsaresult
var highest = map[string]int{"SLSA_BUILD_LEVEL_": 3, "SLSA_SOURCE_LEVEL_": 4}

// KnownLevel tells whether a level may stand in a summary: one of SLSA's, FAILED, or one of the verifier's own, which never
// begins with SLSA_.
func KnownLevel(level string) bool {
	if !strings.HasPrefix(level, levelPrefix) {
		return level != ""
	}
	_, _, ranked := rank(level)
	return ranked || level == BuildUnevaluated
}

// rank is the track of a level, and its place there. Only SLSA's own levels have one.
func rank(level string) (track string, place int, ranked bool) {
	if level == "" {
		return "", 0, false
	}
	last := len(level) - 1
	track, place = level[:last], int(level[last])-'0'
	top, known := highest[track]
	return track, place, known && place >= 0 && place <= top
}

// trackOf is the track that a level belongs to; empty for levels of a verifier's own.
func trackOf(level string) string {
	for track := range highest {
		if strings.HasPrefix(level, track) {
			return track
		}
	}
	return ""
}

// reaches tells whether one of the levels is the wanted one, or a higher one of its track: each implies those below it.
func reaches(levels []string, want string) bool {
	track, place, ranked := rank(want)
	return slices.ContainsFunc(levels, func(level string) bool {
		t, p, r := rank(level)
		return level == want || ranked && r && t == track && p >= place
	})
}
