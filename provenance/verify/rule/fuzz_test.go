package rule

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

// weaken makes everything in a record known on the weakest basis.
func weaken(v reflect.Value) {
	switch {
	case v.Type() == groundsType:
		v.Set(reflect.ValueOf(provenance.Grounds{Basis: provenance.Inferred}))
	case v.Type() == factType:
		v.FieldByName("Basis").SetString(string(provenance.Inferred))
	case v.Type() == timeType || v.Type() == digestType:
	case v.Kind() == reflect.Pointer && !v.IsNil():
		weaken(v.Elem())
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			weaken(v.Index(i))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				weaken(v.Field(i))
			}
		}
	}
}

// isKnown tells whether a fact that was read is among those that the expression was said to mention: itself, what it is part of, or
// what it holds.
func isKnown(input Input, mentioned []Input) bool {
	if strings.HasSuffix(input.Path, ".basis") || strings.Contains(input.Path, ".basisOf") {
		return true
	}
	for _, m := range mentioned {
		for _, pair := range [][2]string{{input.Path, m.Path}, {m.Path, input.Path}} {
			rest, below := strings.CutPrefix(pair[0], pair[1])
			if below && (rest == "" || rest[0] == '.' || rest[0] == '[') {
				return true
			}
		}
	}
	return false
}

// FuzzCompile: whatever somebody writes, Compile says where it is wrong, or Eval comes to the same each time, holds nothing that it
// cannot decide, and reads no fact of the record whose basis Weaker does not look at.
func FuzzCompile(f *testing.F) {
	seeds := 0
	for _, c := range holds {
		f.Add(c.expression)
		seeds++
	}
	for _, example := range examples(f) {
		f.Add(example)
		seeds++
	}
	if seeds < 100 {
		f.Fatalf("only %d seeds", seeds)
	}
	facts := night()
	weaken(reflect.ValueOf(&facts.Record).Elem())
	view := facts.View()
	f.Fuzz(func(t *testing.T, expression string) {
		rule, err := Compile(expression)
		if err != nil {
			checkProblems(t, expression, err)
			return
		}
		first, err := rule.Eval(t.Context(), view)
		second, again := rule.Eval(t.Context(), view)
		if !reflect.DeepEqual(first, second) || fmt.Sprint(err) != fmt.Sprint(again) {
			t.Errorf("first %+v, %v; then %+v, %v", first, err, second, again)
		}
		if err != nil && first.Holds {
			t.Errorf("it holds, and is undecided: %v", err)
		}
		mentioned := rule.Weaker(facts.Record, provenance.Observed)
		for _, input := range first.Inputs {
			if input.Basis != "" && !isKnown(input, mentioned) {
				t.Errorf("it reads %+v, but mentions only %+v", input, mentioned)
			}
		}
	})
}

// checkProblems wants each problem to be at a place of the expression.
func checkProblems(t *testing.T, expression string, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("no list of problems: %v", err)
	}
	lines := strings.Split(expression, "\n")
	for _, p := range problems {
		if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len([]rune(lines[p.Line-1]))+1 || p.Text == "" {
			t.Errorf("a problem at no place of the expression: %q", p)
		}
	}
}
