package main

import (
	"context"
	"errors"

	"github.com/seed-3480f271/provenance/provenance"
)

// status is the exit status of the program, the same for every output format.
type status int

const (
	statusDone      status = 0 // done; for verify: accepted
	statusRefused   status = 1 // it does not hold
	statusMisused   status = 2 // flags, paths, configuration or policy file are wrong
	statusUndecided status = 3 // a service could not be reached, denied access or answered nonsense
)

// statusOf is the one place where an error becomes an exit status. What is neither a refusal nor a mistake of the caller is
// undecided: absence of an answer is never a pass.
func statusOf(err error) status {
	var refused *provenance.Refused
	var misused *provenance.Misused
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return statusUndecided
	case errors.As(err, &misused):
		return statusMisused
	case errors.As(err, &refused):
		return statusRefused
	}
	return statusUndecided
}

// exitError carries a status whose reasons are already printed: a verdict is output, not an error message.
type exitError struct{ status status }

func (exitError) Error() string { return "the verdict is printed" }
