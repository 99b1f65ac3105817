package rule

import (
	"reflect"
	"slices"

	"github.com/seed-3480f271/provenance/provenance"
)

// mention is a fact that an expression names: a field of a noun, wherever such a noun is in the record.
type mention struct {
	class *class
	field *field // nil: only the noun itself, whether it is there or how many there are
	fact  string // of a Fact: only those of this name; empty: all
}

// nounBasis is how the noun o as a whole is known.
func (o *object) nounBasis() provenance.Basis {
	if o.class.isFact {
		return o.value.Interface().(provenance.Fact).Basis
	}
	return o.grounds().Basis
}

func (o *object) grounds() provenance.Grounds {
	return o.value.FieldByIndex(o.class.grounds).Interface().(provenance.Grounds)
}

// isRecord tells whether o is the record itself.
func (o *object) isRecord() bool { return o.owner == nil && o.class.name == recordType }

// basisOf is how a field of o is known: as the noun says that o is, or is part of. Empty for what is no part of the record.
func (o *object) basisOf(f *field) provenance.Basis {
	switch {
	case f.isNoun:
		return o.weakest(f)
	case o.class.isFact:
		return o.nounBasis()
	case o.class.grounds != nil:
		return o.grounds().Of(f.name)
	case o.isRecord():
		return provenance.Declared // the program that made the record says its own name
	case o.owner == nil:
		return ""
	}
	return o.owner.basisOf(o.field)
}

// weakest is the weakest basis of the nouns in a field; empty when there are none.
func (o *object) weakest(f *field) provenance.Basis {
	var weakest provenance.Basis
	for i, noun := range o.children(f) {
		if b := noun.nounBasis(); i == 0 || weakest.AtLeast(b) {
			weakest = b
		}
	}
	return weakest
}

// children are the objects in a field, without noting that they are read.
func (o *object) children(f *field) []*object {
	v := o.raw(f)
	if f.kind == isObject && f.strict(v) && isEmpty(v) {
		return nil
	}
	if f.kind == isObject {
		return []*object{o.child(f, -1, reflect.Indirect(v))}
	}
	all := make([]*object, v.Len())
	for i := range all {
		all[i] = o.child(f, i, v.Index(i))
	}
	return all
}

// Weaker lists the facts that the expression mentions and that the record knows on a weaker basis than asked, with their values and
// places: of a list of nouns those of each element that is weaker, whether the expression would come to it or not. That a noun is
// there, or how many there are, is known as the noun itself is, and counts when the expression mentions none of its fields.
func (r *Rule) Weaker(record provenance.Record, weakest provenance.Basis) []Input {
	var weaker []Input
	rootObject("record", &record, nil).eachNoun(r.mentions, func(o *object, m mention) {
		if m.fact != "" && o.value.Interface().(provenance.Fact).Name != m.fact {
			return
		}
		if basis := o.basisFor(m); !basis.AtLeast(weakest) {
			weaker = append(weaker, o.mentioned(m))
		}
	})
	return weaker
}

// basisFor is how what a mention is about is known, in o.
func (o *object) basisFor(m mention) provenance.Basis {
	if m.field == nil {
		return o.nounBasis()
	}
	return o.basisOf(m.field)
}

// mentioned is what a mention is about, in o, for people.
func (o *object) mentioned(m mention) Input {
	if m.field == nil {
		return Input{Path: o.path(), Value: presentText, Basis: o.nounBasis()}
	}
	return o.input(m.field, o.text(m.field))
}

// eachNoun visits each noun in o and each mention of it. What no mention is about is not looked at.
func (o *object) eachNoun(mentions []mention, visit func(*object, mention)) {
	if o.isRecord() {
		for _, m := range mentions {
			if m.class == o.class {
				visit(o, m)
			}
		}
	}
	for _, f := range o.class.nouns {
		if !concerns(mentions, view().of(f.element)) {
			continue
		}
		for _, noun := range o.children(f) {
			for _, m := range mentions {
				if m.class == noun.class {
					visit(noun, m)
				}
			}
			noun.eachNoun(mentions, visit)
		}
	}
}

// concerns tells whether a mention is about nouns of a class, or about nouns within them.
func concerns(mentions []mention, c *class) bool {
	if slices.ContainsFunc(mentions, func(m mention) bool { return m.class == c }) {
		return true
	}
	return slices.ContainsFunc(c.nouns, func(f *field) bool { return concerns(mentions, view().of(f.element)) })
}

// text is the value of a field for people.
func (o *object) text(f *field) string {
	if f.kind == isObject {
		if len(o.children(f)) == 0 {
			return absentText
		}
		return presentText
	}
	value, err := o.get(f)
	if err != nil {
		return absentText
	}
	return valueText(value)
}
