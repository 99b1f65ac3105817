package rule

import (
	"math"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"

	"github.com/seed-3480f271/provenance/provenance"
)

// functions are those that are not in the standard language.
//
// Three of cel-go's extension for text are here with their own names and meanings. The extension itself would add a megabyte of tables of
// the world's languages to the program, for a function that formats text.
func functions() []cel.EnvOption {
	record := types.NewObjectType(recordType)
	text, texts := cel.StringType, cel.ListType(cel.StringType)
	return []cel.EnvOption{
		cel.Function("metric", cel.Overload("metric_record_string", []*cel.Type{record, text}, cel.DoubleType, cel.BinaryBinding(metric))),
		cel.Function("check", cel.Overload("check_record_string", []*cel.Type{record, text}, text, cel.BinaryBinding(check))),
		cel.Function("within", cel.Overload("within_string_list", []*cel.Type{text, texts}, cel.BoolType, cel.BinaryBinding(within))),
		cel.Function("lowerAscii", cel.MemberOverload("string_lower_ascii", []*cel.Type{text}, text, cel.UnaryBinding(lowerASCII))),
		cel.Function("trim", cel.MemberOverload("string_trim", []*cel.Type{text}, text, cel.UnaryBinding(trim))),
		cel.Function("split", cel.MemberOverload("string_split_string", []*cel.Type{text, text}, texts, cel.BinaryBinding(split))),
	}
}

// costs are those of functions that look at each character or thing, and that cel-go counts as one step.
func costs() []interpreter.CostTrackerOption {
	var options []interpreter.CostTrackerOption
	for _, id := range []string{"string_lower_ascii", "string_trim", "string_split_string", "within_string_list", "metric_record_string",
		"check_record_string", overloads.SizeString, overloads.SizeStringInst, overloads.StringToInt, overloads.StringToDouble,
		overloads.StringToDuration, overloads.StringToTimestamp} {
		options = append(options, interpreter.OverloadCostTracker(id, costOf))
	}
	return options
}

// costOf is the cost of a function that looks at all of its arguments.
func costOf(args []ref.Val, _ ref.Val) *uint64 {
	cost := uint64(1)
	for _, arg := range args {
		switch a := arg.(type) {
		case *object:
			r := a.value.Addr().Interface().(*provenance.Record)
			cost += uint64(len(r.Checks))
			if r.MLflow != nil {
				cost += uint64(len(r.MLflow.Metrics))
			}
		case types.String:
			cost += uint64(len(a) / 10)
		case traits.Lister:
			cost += 10 * uint64(a.Size().(types.Int))
		}
	}
	return &cost
}

// metric is the value of a metric of the MLflow run. One that is not there, is there twice or is no number is an error.
func metric(record, name ref.Val) ref.Val {
	o, wanted := record.(*object), string(name.(types.String))
	runs := o.children(o.class.fields["mlflow"])
	if len(runs) == 0 {
		return types.WrapErr(noField("record.mlflow"))
	}
	var found []*object
	for _, m := range runs[0].children(runs[0].class.fields["metrics"]) {
		if m.value.Interface().(provenance.Metric).Name == wanted {
			found = append(found, m)
		}
	}
	if len(found) != 1 {
		return missing("metric", wanted, len(found))
	}
	value := found[0].value.Interface().(provenance.Metric).Value
	found[0].tell("value", value, o.in)
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(f) {
		return types.NewErr("the metric %.100q is %.100q, which is no number to compare with", wanted, value)
	}
	return types.Double(f)
}

// check is the value of a check of the record: true, false or unknown.
func check(record, name ref.Val) ref.Val {
	o, wanted := record.(*object), string(name.(types.String))
	var found []*object
	for _, c := range o.children(o.class.fields["checks"]) {
		if c.value.Interface().(provenance.Fact).Name == wanted {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return missing("check", wanted, len(found))
	}
	value := found[0].value.Interface().(provenance.Fact).Value
	found[0].tell("value", value, o.in)
	return types.String(value)
}

// missing is the error of a name that does not say which one.
func missing(what, name string, found int) ref.Val {
	if found == 0 {
		return types.NewErr("there is no %s %.100q in the record", what, name)
	}
	return types.NewErr("there are %d of the %s %.100q in the record", found, what, name)
}

// tell notes that a field was read.
func (o *object) tell(fieldName, value string, in *reading) {
	f := o.class.fields[fieldName]
	in.note(readKey{name: o.path() + "." + fieldName}, func() Input { return o.input(f, clip(value)) })
}

// within tells whether a place is one of the roots, or below one. What cannot be read is an error, so that !within() holds of nothing
// that nobody understands.
func within(uri, roots ref.Val) ref.Val {
	place, err := provenance.ParsePlace(string(uri.(types.String)))
	if err != nil {
		return types.NewErr("the place %.200q %w", string(uri.(types.String)), err)
	}
	inside, list := false, roots.(traits.Lister)
	for it := list.Iterator(); it.HasNext() == types.True; {
		text, ok := it.Next().(types.String)
		if !ok {
			return types.NewErr("a root of within() is not text")
		}
		root, err := provenance.ParsePlace(string(text))
		if err != nil {
			return types.NewErr("the root %.200q %w", string(text), err)
		}
		inside = inside || place.Within(root)
	}
	return types.Bool(inside)
}

// lowerASCII makes A to Z small.
func lowerASCII(text ref.Val) ref.Val {
	return types.String(strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, string(text.(types.String))))
}

// trim takes white space off both ends.
func trim(text ref.Val) ref.Val { return types.String(strings.TrimSpace(string(text.(types.String)))) }

// maxSplit is how many bytes of text split takes: what it makes of text takes many times the memory.
const maxSplit = 64 << 10

// split cuts text at each separator.
func split(text, separator ref.Val) ref.Val {
	if len(text.(types.String)) > maxSplit {
		return types.NewErr("split() takes text of at most %d bytes", maxSplit)
	}
	parts := strings.Split(string(text.(types.String)), string(separator.(types.String)))
	return types.NewStringList(adapter{}, parts)
}
