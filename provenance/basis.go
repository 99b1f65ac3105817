package provenance

import "maps"

// Basis says how a fact, or a link between two things, is known.
type Basis string

// From the strongest to the weakest that a statement holds; Inferred is for readers that join several records.
const (
	Observed Basis = "observed" // this program hashed or checked it itself, then
	Signed   Basis = "signed"   // a signed record says so, and its signer is named
	Reported Basis = "reported" // a service said so over its API, and its stored answer is named
	Declared Basis = "declared" // the pipeline, its author, a file or a header said so
	Inferred Basis = "inferred" // concluded by joining records
)

// basisRank orders the bases; a basis that is not listed is weaker than all.
var basisRank = map[Basis]int{Observed: 5, Signed: 4, Reported: 3, Declared: 2, Inferred: 1}

// Valid tells whether b is one of the five.
func (b Basis) Valid() bool { return basisRank[b] > 0 }

// AtLeast tells whether b is as strong as weakest, or stronger.
func (b Basis) AtLeast(weakest Basis) bool { return basisRank[b] >= basisRank[weakest] }

// weaker is the weaker of two bases.
func weaker(a, b Basis) Basis {
	if a.AtLeast(b) {
		return b
	}
	return a
}

// better is the stronger of two bases; no basis at all is weaker than any.
func better(a, b Basis) Basis {
	if a.AtLeast(b) {
		return a
	}
	return b
}

// Grounds say how the facts of one noun are known: Basis for all of them, BasisOf for those that differ.
// The keys of BasisOf are the names that the facts have in JSON.
type Grounds struct {
	Basis   Basis            `json:"basis"`
	BasisOf map[string]Basis `json:"basisOf,omitempty"`
}

// Of is the basis of one fact.
func (g Grounds) Of(fact string) Basis {
	if b, ok := g.BasisOf[fact]; ok {
		return b
	}
	return g.Basis
}

// With is a copy in which one fact is known on a basis of its own.
func (g Grounds) With(fact string, basis Basis) Grounds {
	of := map[string]Basis{}
	maps.Copy(of, g.BasisOf)
	of[fact] = basis
	g.BasisOf = of
	return g
}
