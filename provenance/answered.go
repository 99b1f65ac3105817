package provenance

import "time"

// Answered is part of every noun that a service told of: when it was asked, what it answered, and what was taken out of the
// answer before it was stored.
type Answered struct {
	AskedAt time.Time `json:"askedAt,omitzero"`
	Removed []string  `json:"removed,omitempty"` // JSON paths of what redaction took out of the stored answer
	Answer  Stored    `json:"answer"`
}

func (a Answered) answered() Answered { return a }

// timeless is what of it is the same whenever the service is asked: nothing.
func (a *Answered) timeless() { a.AskedAt, a.Answer = time.Time{}, Stored{} }

// teller is a noun that a service told of.
type teller interface{ answered() Answered }
