// Package rule evaluates the rules of a policy that are expressions in CEL, the Common Expression Language
// (https://github.com/google/cel-spec), over a view of a [provenance.Record].
//
// [Compile] parses an expression and checks its types, so that a mistake is found when the policy is loaded. [Rule.Eval] decides
// it about one statement: it holds, it does not, or it cannot be decided, because something is not there or would take too long.
// The variables, types, functions and limits are specified in spec/rules-v1.md.
//
// The types of the view are made by reflection from the Go types and their JSON names: what an expression may name is what
// `verify --format json` writes. The package has no network, and nothing is done before the first Compile.
package rule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/types"

	"github.com/seed-3480f271/provenance/provenance"
)

// Limits of an expression.
const (
	MaxSize = 4 << 10 // bytes of its text
	// MaxCost is what one evaluation may cost. Reading a field or calling a function costs 1, and a tenth for each character that a
	// function on text looks at: https://github.com/google/cel-spec/blob/master/doc/langdef.md#performance
	MaxCost   = 250_000
	MaxInputs = 50 // facts that an Outcome lists

	maxProblems = 10
	maxNesting  = 64   // of parentheses, calls and the like
	maxPattern  = 1000 // instructions of a pattern's automaton
	interruptAt = 100  // iterations after which a loop looks whether it was cancelled
)

// Problem is what is wrong with an expression. Line and Column count from 1, Column in characters.
type Problem struct {
	Line, Column int
	Text         string
}

func (p Problem) String() string { return fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Text) }

// Problems are all that is wrong with an expression, at most ten, in the order of their places. They are an error.
type Problems []Problem

// Error lists them.
func (p Problems) Error() string {
	var texts []string
	for _, problem := range p {
		texts = append(texts, problem.String())
	}
	return strings.Join(texts, "; ")
}

// Rule is an expression that was parsed and checked. It may be evaluated by several goroutines at once.
type Rule struct {
	program      cel.Program
	attestations []string
	signature    bool
	mentions     []mention
}

// Compile parses and type-checks an expression. Everything that is wrong with it is one error of type [Problems]; any other error
// is a fault of this program.
func Compile(expression string) (*Rule, error) {
	if len(expression) > MaxSize {
		return nil, Problems{{1, 1, fmt.Sprintf("the expression is longer than %d bytes", MaxSize)}}
	}
	if !utf8.ValidString(expression) {
		return nil, Problems{{1, 1, "the expression is not UTF-8"}}
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("prepare the language of rules: %w", err)
	}
	checked, issues := env.Compile(expression)
	if problems := problemsOf(issues); problems != nil {
		return nil, problems
	}
	tree := examine(checked.NativeRep())
	if problems := tree.problems; len(problems) > 0 {
		return nil, sorted(problems)
	}
	program, err := env.Program(checked, programOptions()...)
	if err != nil {
		return nil, Problems{{1, 1, err.Error()}}
	}
	return &Rule{program: program, attestations: tree.attestations, signature: tree.signature, mentions: tree.mentions}, nil
}

// problemsOf are the problems that the parser and the checker found; nil when there are none.
func problemsOf(issues *cel.Issues) error {
	found := issues.Errors()
	if len(found) == 0 {
		return nil
	}
	var problems Problems
	for _, e := range found {
		text, _, _ := strings.Cut(strings.ReplaceAll(e.Message, " (in container '')", ""), "\n")
		problems = append(problems, problemAt(e.Location, text))
	}
	return sorted(problems)
}

// problemAt places a problem. What has no place is about the whole expression.
func problemAt(l common.Location, text string) Problem {
	if l == nil || l.Line() < 1 || l.Column() < 0 {
		return Problem{1, 1, text}
	}
	return Problem{l.Line(), l.Column() + 1, text}
}

// sorted are the first problems, by place.
func sorted(problems Problems) Problems {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	problems = slices.Compact(problems)
	return problems[:min(len(problems), maxProblems)]
}

// Attestations are the names of other attestations that the expression mentions, sorted.
func (r *Rule) Attestations() []string { return slices.Clone(r.attestations) }

// NeedsSignature tells whether the expression mentions other attestations, or who signed this one, and when.
func (r *Rule) NeedsSignature() bool { return r.signature || len(r.attestations) > 0 }

// Outcome is what an evaluation came to.
type Outcome struct {
	Holds bool
	// Inputs are the facts that were read, in the order in which they were first read; at most [MaxInputs]. More tells that there were
	// others.
	Inputs []Input
	More   bool
}

// Input is a fact that an expression read, for people.
type Input struct {
	Path  string `json:"path"`  // record.data[0].uri
	Value string `json:"value"` // as text; "absent" when it is not there, "3 items" of a list of things
	// Basis says how a fact of the record is known. It is empty for what is not of the record: what is being verified, the signer,
	// the time, and other attestations.
	Basis provenance.Basis `json:"basis,omitempty"`
}

// Eval decides the expression about one statement. An error says that it cannot be decided, and why: something that it reads is
// not there, it costs more than [MaxCost], or ctx is over. The inputs that were read until then are told with an error, too.
func (r *Rule) Eval(ctx context.Context, view *View) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return Outcome{}, fmt.Errorf("the rule was not evaluated: %w", err)
	}
	reading := &reading{}
	value, _, err := r.program.ContextEval(ctx, view.bind(reading))
	out := Outcome{Inputs: reading.inputs, More: reading.more}
	if err != nil {
		return out, undecided(ctx, err)
	}
	out.Holds = value == types.True
	return out, nil
}

// undecided says in plain words why an evaluation failed.
func undecided(ctx context.Context, err error) error {
	var absent *absentError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the rule was not evaluated to its end: %w", ctx.Err())
	case errors.As(err, &absent):
		return absent
	case strings.Contains(err.Error(), "actual cost limit exceeded"):
		return fmt.Errorf("the rule costs more than %d steps", MaxCost)
	}
	return fmt.Errorf("the rule cannot be evaluated: %.200s", err)
}
