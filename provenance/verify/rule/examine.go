package rule

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// examined is what a checked expression tells without being evaluated.
type examined struct {
	ast          *ast.AST
	problems     Problems
	attestations []string
	signature    bool // it mentions who signed, or when
	mentions     []mention
	nouns        []*class // that are mentioned, perhaps without a field
}

// examine looks at each node of a checked expression: for what the language allows and rules do not, and for what the expression
// mentions.
func examine(a *ast.AST) *examined {
	e := &examined{ast: a}
	if got := e.typeOf(a.Expr()); got.Kind() != types.BoolKind {
		e.refuse(a.Expr(), "a rule is true or false, and this is %s", typeText(got))
	}
	e.walk(a.Expr())
	for _, c := range e.nouns {
		if !slices.ContainsFunc(e.mentions, func(m mention) bool { return m.class == c }) {
			e.mentions = append(e.mentions, mention{class: c})
		}
	}
	slices.Sort(e.attestations)
	e.attestations = slices.Compact(e.attestations)
	return e
}

func (e *examined) typeOf(x ast.Expr) *types.Type { return e.ast.GetType(x.ID()) }

// refuse notes a problem at a node.
func (e *examined) refuse(x ast.Expr, format string, args ...any) {
	e.problems = append(e.problems, problemAt(e.ast.SourceInfo().GetStartLocation(x.ID()), fmt.Sprintf(format, args...)))
}

// walk visits a node and all below it. A node that names an attestation is visited as a whole.
func (e *examined) walk(x ast.Expr) {
	if e.namesAttestation(x) {
		return
	}
	switch x.Kind() {
	case ast.IdentKind:
		if x.AsIdent() == "attestations" {
			e.refuse(x, `name the attestation: attestations.NAME, or attestations["NAME"]`)
		}
		e.signature = e.signature || x.AsIdent() == "signer" || x.AsIdent() == "signedAt"
	case ast.SelectKind:
		e.selects(x)
		e.walk(x.AsSelect().Operand())
	case ast.CallKind:
		e.call(x)
	case ast.ListKind:
		e.list(x)
	case ast.MapKind:
		e.refuse(x, "an expression cannot make a map") // its keys would come in any order
	case ast.StructKind:
		e.refuse(x, "an expression cannot make a %s", x.AsStruct().TypeName())
	case ast.ComprehensionKind:
		e.loop(x)
	}
}

// namesAttestation notes attestations.NAME and attestations["NAME"].
func (e *examined) namesAttestation(x ast.Expr) bool {
	isTable := func(o ast.Expr) bool { return o.Kind() == ast.IdentKind && o.AsIdent() == "attestations" }
	if x.Kind() == ast.SelectKind && isTable(x.AsSelect().Operand()) {
		e.attestations = append(e.attestations, x.AsSelect().FieldName())
		return true
	}
	if x.Kind() == ast.CallKind && x.AsCall().FunctionName() == operators.Index && isTable(x.AsCall().Args()[0]) {
		if name, ok := literal(x.AsCall().Args()[1]); ok {
			e.attestations = append(e.attestations, name)
			return true
		}
	}
	return false
}

// literal is the value of a node that is text.
func literal(x ast.Expr) (string, bool) {
	if x.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := x.AsLiteral().(types.String)
	return string(text), ok
}

// selects notes which fact a selection mentions.
func (e *examined) selects(x ast.Expr) {
	operand := e.typeOf(x.AsSelect().Operand())
	if operand.Kind() != types.StructKind {
		return
	}
	c := view().named(operand.TypeName())
	if c == nil {
		return
	}
	f, ok := c.fields[x.AsSelect().FieldName()]
	if !ok {
		return
	}
	if f.isNoun {
		e.nouns = append(e.nouns, view().of(f.element))
		return
	}
	if f.name == "basis" || f.name == "basisOf" {
		return // how something is known is known
	}
	if isNoun(c.goType) || c.name == recordType {
		e.mention(mention{class: c, field: f})
	}
}

func (e *examined) mention(m mention) {
	if !slices.Contains(e.mentions, m) {
		e.mentions = append(e.mentions, m)
	}
}

// call looks at a call of a function or an operator.
func (e *examined) call(x ast.Expr) {
	call := x.AsCall()
	switch name := call.FunctionName(); {
	case name == operators.Equals || name == operators.NotEquals || name == operators.In:
		e.compares(x, call.Args())
	case name == "matches":
		e.matches(call)
	case name == "timestamp" || name == "duration":
		e.moment(name, call.Args()[0])
	case name == "metric":
		run := view().of(view().named(recordType).fields["mlflow"].element)
		e.mention(mention{class: run, field: run.fields["metrics"]})
	case name == "check":
		e.check(call.Args()[1])
	case call.IsMemberFunction() && strings.HasPrefix(name, "get") && len(call.Args()) == 1:
		e.zone(call.Args()[0])
	}
	if call.IsMemberFunction() {
		e.walk(call.Target())
	}
	for _, arg := range call.Args() {
		e.walk(arg)
	}
}

// check notes which check is mentioned, and so whose basis counts.
func (e *examined) check(arg ast.Expr) {
	name, ok := literal(arg)
	if !ok {
		e.refuse(arg, "write the name of the check in quotes: only so is it clear which one is meant")
		return
	}
	fact := view().of(factType)
	e.mention(mention{class: fact, field: fact.fields["value"], fact: name})
}

// compares refuses to compare things as a whole: whether two are the same is said by some of their fields, and those have a basis.
func (e *examined) compares(x ast.Expr, args []ast.Expr) {
	for _, arg := range args {
		t := e.typeOf(arg)
		if t.Kind() == types.ListKind || t.Kind() == types.MapKind {
			t = t.Parameters()[len(t.Parameters())-1]
		}
		if t.Kind() == types.StructKind {
			e.refuse(x, "things of type %s cannot be compared; compare their fields", t.TypeName())
			return
		}
	}
}

// matches wants a pattern that is written down: one that comes from a record could be anybody's, and as large as can be.
func (e *examined) matches(call ast.CallExpr) {
	arg := call.Args()[len(call.Args())-1]
	text, ok := literal(arg)
	if !ok {
		e.refuse(arg, "write the pattern of matches() in quotes")
		return
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		e.refuse(arg, "%s", err)
		return
	}
	if program, err := syntax.Compile(parsed.Simplify()); err != nil || len(program.Inst) > maxPattern {
		e.refuse(arg, "the pattern is too large: what it repeats makes it more than %d steps", maxPattern)
	}
}

// moment checks a time or a span of time that is written down.
func (e *examined) moment(name string, arg ast.Expr) {
	text, ok := literal(arg)
	to := map[string]*types.Type{"timestamp": types.TimestampType, "duration": types.DurationType}[name]
	if ok && types.IsError(types.String(text).ConvertToType(to)) {
		e.refuse(arg, "%.60q is no %s", text, name)
	}
}

// fixedZone matches time zones that do not depend on a machine's tables.
var fixedZone = pattern.New(`^(UTC|[+-]?\d\d:\d\d)$`)

// zone wants a time zone that is the same on all machines.
func (e *examined) zone(arg ast.Expr) {
	if text, ok := literal(arg); !ok || !fixedZone().MatchString(text) {
		e.refuse(arg, `a time zone is "UTC" or an offset like "+01:00"`)
	}
}

// list looks at a list that is written down, or made by the macros map and filter.
func (e *examined) list(x ast.Expr) {
	elements := x.AsList().Elements()
	for _, element := range elements {
		if len(elements) > 1 || element.Kind() != ast.IdentKind || !isAny(e.typeOf(element)) {
			e.plain(element)
		}
		e.walk(element)
	}
}

// plain refuses a value in a list that is itself a list or map, or could be one. Of lists in lists a short text can make more than
// any machine holds, and comparing them is one step to the count of costs.
func (e *examined) plain(x ast.Expr) {
	switch t := e.typeOf(x); {
	case t.Kind() == types.ListKind || t.Kind() == types.MapKind:
		e.refuse(x, "a list that an expression makes cannot hold a list or map")
	case isAny(t):
		e.refuse(x, "say what it is, with string(), double(), int() or bool(): a list that an expression makes holds nothing of unknown type")
	}
}

// isAny tells whether a type is unknown until it is read.
func isAny(t *types.Type) bool { return t.Kind() == types.DynKind || t.Kind() == types.TypeParamKind }

// loop looks at a macro that was expanded.
func (e *examined) loop(x ast.Expr) {
	loop := x.AsComprehension()
	if _, taken := variableTypes()[loop.IterVar()]; taken {
		e.refuse(x, "%s is a variable of every rule; take another name", loop.IterVar())
	}
	for _, part := range []ast.Expr{loop.IterRange(), loop.AccuInit(), loop.LoopCondition(), loop.LoopStep(), loop.Result()} {
		e.walk(part)
	}
}

// typeText is a type for people.
func typeText(t *types.Type) string {
	if isAny(t) {
		return "of unknown type; compare it, or write bool()"
	}
	return "of type " + t.String()
}
