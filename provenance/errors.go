package provenance

import (
	"errors"
	"fmt"
)

// Refused is the one type of "it does not hold": something was looked at and is not as it has to be. Every other error,
// but for Misused, means "undecided": nobody could tell.
type Refused struct {
	Code   string // dotted, stable, for machines: "commit.mismatch", "signature.none"
	Detail string // one sentence for people
	Hint   string // what to do; may be empty
	// Expected and Found say it once more in short, where there are two things to compare; both may be empty.
	Expected, Found string
}

// Error is the sentence.
func (r *Refused) Error() string { return r.Detail }

// Refuse makes a *Refused.
func Refuse(code, hint, format string, args ...any) error {
	return &Refused{Code: code, Detail: fmt.Sprintf(format, args...), Hint: hint}
}

// Instead adds to a refusal what was expected, and what was found in its place. Any other error stays as it is.
func Instead(err error, expected, found string) error {
	var refused *Refused
	if errors.As(err, &refused) {
		refused.Expected, refused.Found = expected, found
	}
	return err
}

// Misused is a mistake of the caller: a flag, a path, a configuration or policy file is wrong.
type Misused struct {
	Detail string
	Hint   string
}

// Error is the sentence.
func (m *Misused) Error() string { return m.Detail }

// Misuse makes a *Misused.
func Misuse(hint, format string, args ...any) error {
	return &Misused{Detail: fmt.Sprintf(format, args...), Hint: hint}
}

// hinted adds a hint to an error whose kind it leaves alone.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// WithHint adds advice to an error; Hints collects it. A nil error stays nil.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return hinted{err, hint}
}

// Hints are all pieces of advice in an error's chain, outermost first.
func Hints(err error) []string {
	var hints []string
	add := func(h string) {
		if h != "" {
			hints = append(hints, h)
		}
	}
	for ; err != nil; err = errors.Unwrap(err) {
		switch e := err.(type) {
		case hinted:
			add(e.hint)
		case *Refused:
			add(e.Hint)
		case *Misused:
			add(e.Hint)
		}
	}
	return hints
}
