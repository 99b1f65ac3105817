package provenance

import (
	"fmt"
	"time"
)

// Answered is part of every noun that a service told of: when it was asked, what it answered, what was taken out of the
// answer before it was stored, and what it would not tell.
type Answered struct {
	AskedAt time.Time `json:"askedAt,omitzero"`
	Removed []string  `json:"removed,omitempty"` // JSON paths of what redaction took out of the stored answer
	Notes   []string  `json:"notes,omitempty"`   // what the service did not let us know, and why; such facts are left out
	Answer  Stored    `json:"answer"`
	// Told are names and addresses of people that were taken out of the answer, to be looked for in all else that is kept.
	Told Names `json:"-"`
}

// Names are names and addresses of people. They are written nowhere, not even by mistake.
type Names []string

func (n Names) String() string { return fmt.Sprintf("%d names", len(n)) }

// AnswersMediaType is the media type of several stored, redacted answers: a JSON array of request, askedAt, requestId and answer,
// sorted by request.
const AnswersMediaType = "application/vnd.provenance.answers.v1+json"

func (a Answered) answered() Answered { return a }

// timeless is what of it is the same whenever the service is asked: nothing.
func (a *Answered) timeless() { a.AskedAt, a.Answer = time.Time{}, Stored{} }

// teller is a noun that a service told of.
type teller interface{ answered() Answered }
