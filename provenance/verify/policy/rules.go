package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// Rule is an expression of CEL over the record, with a name and a message of its own.
type Rule struct {
	When
	Name       string
	Expression string
	Message    string           // what it means that it does not hold
	Basis      provenance.Basis // the weakest accepted of every fact that the expression mentions
	Compiled   *rule.Rule
}

// ruleNode is a rule and its place.
type ruleNode struct {
	node *yaml.Node
	rule *rule.Rule
}

// maxRules is how many rules a policy can have: together they end in seconds, whatever each may cost.
const maxRules = 200

func (r *reader) rule(n *yaml.Node) error {
	var u Rule
	if len(r.policy.Rules) >= maxRules {
		return r.errorAt(n, "say several things in one rule, with &&", "there are more than %d rules", maxRules)
	}
	err := r.mapping(n, "a rule", r.when(&u.When, map[string]setter{
		"name":       r.text("name", r.named("a rule", &u.Name)),
		"expression": r.text("expression", r.expression(&u)),
		"message":    r.text("message", keep(&u.Message)),
		"basis":      r.basis(&u.Basis),
	}))
	switch {
	case err != nil:
		return err
	case u.Name == "" || u.Compiled == nil || u.Message == "":
		return r.errorAt(n, "a rule is a name, an expression that is true when it holds, and a message that says what is wrong when it does not", "a rule lacks its name, its expression or its message")
	case slices.ContainsFunc(r.policy.Rules, func(other Rule) bool { return other.Name == u.Name }):
		return r.errorAt(n, "", "the rule %q is there twice", u.Name)
	}
	r.policy.Rules = append(r.policy.Rules, u)
	return r.window(n, "the rule "+u.Name, u.From, u.Until)
}

// expression compiles an expression, and says where in the file it is wrong.
func (r *reader) expression(u *Rule) func(string, *yaml.Node) error {
	return func(text string, n *yaml.Node) (err error) {
		u.Expression = text
		if u.Compiled, err = rule.Compile(text); err != nil {
			return r.problem(n, err)
		}
		r.rules = append(r.rules, ruleNode{n, u.Compiled})
		return nil
	}
}

// problem says where in the file an expression is wrong.
func (r *reader) problem(n *yaml.Node, err error) error {
	var problems rule.Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		return r.errorAt(n, "", "the expression is wrong: %v", err)
	}
	line, column := r.placeIn(n, problems[0].Line, problems[0].Column)
	text := problems[0].Text
	if more := len(problems) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return provenance.Misuse("the names and types are in spec/rules-v1.md", "%s:%d:%d: the expression is wrong: %s", r.name, line, column, text)
}

// placeIn is the place in the file of a place in a text, both counted from 1: exactly where the text stands in one line or in a
// literal block, and where the text begins otherwise.
func (r *reader) placeIn(n *yaml.Node, line, column int) (int, int) {
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		return n.Line + line, r.indent(n.Line+1) + column
	case n.Style&yaml.FoldedStyle != 0 || line > 1 || strings.Contains(n.Value, "\n"):
		return n.Line, n.Column
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		return n.Line, n.Column + column
	}
	return n.Line, n.Column + column - 1
}

// indent counts the blanks before a line of the file.
func (r *reader) indent(line int) int {
	lines := strings.SplitN(string(r.document.data), "\n", line+1)
	if line > len(lines) {
		return 0
	}
	text := lines[line-1]
	return len(text) - len(strings.TrimLeft(text, " "))
}

// whole checks what can be checked when everything was read: rules may mention only attestations that the policy asks for, and
// identities need somebody who vouches for them.
func (r *reader) whole() error {
	for _, u := range r.rules {
		for _, name := range u.rule.Attestations() {
			if !slices.ContainsFunc(r.policy.Attestations, func(a Attestation) bool { return a.Name == name }) {
				return r.errorAt(u.node, "list it under attestations", "the rule mentions the attestation %q, which the policy does not ask for", words.Clip(name))
			}
		}
	}
	return nil
}
