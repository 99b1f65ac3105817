package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
)

// Bounds for policy files. The deepest thing that a policy says is five levels deep.
const (
	maxPolicyBytes = 256 << 10
	maxPolicyDepth = 16
)

// document reads one YAML file strictly, node by node, so that every error says file:line:column. Types are not converted,
// and anchors, aliases, merge keys and tags are refused: a policy says what it says where it is read.
type document struct {
	name string // of the file
	data []byte
}

// setter stores what one YAML node says.
type setter func(*yaml.Node) error

// parse reads the only document of a file.
func (d document) parse() (*yaml.Node, error) {
	data := d.data
	if len(data) > maxPolicyBytes {
		return nil, provenance.Misuse("", "%s has %d bytes, more than the limit of %d", d.name, len(data), maxPolicyBytes)
	}
	if err := d.seen(); err != nil {
		return nil, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	if err := decoder.Decode(&root); errors.Is(err, io.EOF) || err == nil && len(root.Content) == 0 {
		return nil, provenance.Misuse("it starts with version: 1", "%s is empty", d.name)
	} else if err != nil {
		return nil, d.syntax(err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, d.errorAt(&second, "", "there is a second document; a policy is one")
	} else if !errors.Is(err, io.EOF) {
		return nil, d.syntax(err)
	}
	return root.Content[0], d.plain(root.Content[0], 0)
}

// seen refuses text that people and YAML could read differently. To YAML 1.1 a lone carriage return, U+0085, U+2028 and U+2029 end a
// line, and with it a comment: what editors show as the rest of a comment would be a key. What is not shown, or turns the direction of
// writing, hides as well (https://trojansource.codes).
func (d document) seen() error {
	if !utf8.Valid(d.data) {
		return provenance.Misuse("save it as UTF-8", "%s: the text is not UTF-8", d.name)
	}
	line, column := 1, 0
	text := strings.ReplaceAll(strings.TrimPrefix(string(d.data), "\ufeff"), "\r\n", "\n")
	for _, c := range text {
		column++
		switch {
		case c == '\n':
			line, column = line+1, 0
		case c != '\t' && unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point):
			return provenance.Misuse(`leave it out; in a text in quotes it can be written as \u2028`, "%s:%d:%d: the character U+%04X hides what the file says", d.name, line, column, c)
		}
	}
	return nil
}

// syntax says where the file is no YAML, and what that may come from.
func (d document) syntax(err error) error {
	var failed *yaml.LoadError
	if !errors.As(err, &failed) || failed.Mark.Line == 0 {
		return provenance.Misuse("", "%s: %s", d.name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return provenance.Misuse(syntaxHint(failed.Message), "%s:%d:%d: %s", d.name, failed.Mark.Line, failed.Mark.Column, failed.Message)
}

// syntaxHint says what the usual mistakes are.
func syntaxHint(message string) string {
	switch {
	case strings.Contains(message, "tab"), strings.Contains(message, "start any token"):
		return "indent with spaces, not with tabs; a text that begins with @, ` or % needs quotes"
	case strings.Contains(message, "mapping values"), strings.Contains(message, "comment or line break"):
		return `put the text in quotes, as in auc: ">= 0.80": a colon with a blank behind it, > and | mean something in YAML`
	case strings.Contains(message, "',' or"):
		return "is a bracket not closed, or a comma missing?"
	case strings.Contains(message, "end of stream"):
		return "is a quote or a bracket not closed?"
	}
	return "the keys of one mapping begin in the same column; those below it further to the right, by spaces"
}

// errorAt is a caller's mistake, with its place.
func (d document) errorAt(n *yaml.Node, hint, format string, args ...any) error {
	return provenance.Misuse(hint, "%s:%d:%d: %s", d.name, n.Line, n.Column, fmt.Sprintf(format, args...))
}

// plain refuses whatever makes YAML say something else than it seems to say.
func (d document) plain(n *yaml.Node, depth int) error {
	switch {
	case depth > maxPolicyDepth:
		return d.errorAt(n, "", "nested more than %d levels deep", maxPolicyDepth)
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return d.errorAt(n, "write the value out", "anchors and aliases are not allowed in a policy")
	case n.Style&yaml.TaggedStyle != 0:
		return d.errorAt(n, "write the value without it", "tags such as %s are not allowed in a policy", n.Tag)
	case n.Kind == yaml.ScalarNode && n.Style == 0 && strings.ContainsFunc(n.Value, isOddBlank):
		return d.errorAt(n, "type a space, or put the text in quotes", "%q has a blank that is none to YAML", words.Clip(n.Value))
	}
	for _, child := range n.Content {
		if err := d.plain(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// isOddBlank tells whether a character looks like a space and is none to YAML: without quotes it would end a text unseen, and what looks
// like a comment behind it would be part of the text, so that nothing is ever what is denied there.
func isOddBlank(c rune) bool {
	const braille = '\u2800' // its empty pattern
	return c == braille || c != ' ' && unicode.Is(unicode.Zs, c)
}

// mapping reads a mapping whose keys are known. An unknown or repeated key, or none at all, is an error.
func (d document) mapping(n *yaml.Node, what string, fields map[string]setter) error {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return d.errorAt(n, knows(fields), "%s is %s; it has to be a mapping of keys to values", what, kindOf(n))
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		set, known := fields[key.Value]
		if !known || key.Kind != yaml.ScalarNode {
			return d.errorAt(key, knows(fields), "%s has no key %q", what, words.Clip(key.Value))
		}
		if seen[key.Value] {
			return d.errorAt(key, "", "%s has the key %q twice", what, key.Value)
		}
		seen[key.Value] = true
		if err := set(value); err != nil {
			return err
		}
	}
	return nil
}

// list reads a list of at least one item.
func (d document) list(what string, item setter) setter {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
			return d.errorAt(n, "", "%s is %s; it has to be a list with at least one item", what, kindOf(n))
		}
		for _, child := range n.Content {
			if err := item(child); err != nil {
				return err
			}
		}
		return nil
	}
}

// text reads a string that is not empty.
func (d document) text(what string, store func(string, *yaml.Node) error) setter {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || strings.TrimSpace(n.Value) == "" {
			hint := ""
			if n.Kind == yaml.ScalarNode && n.Value != "" {
				hint = "put it in quotes: it looks like a number, a date or a truth value"
			}
			return d.errorAt(n, hint, "%s is %s; it has to be text", what, kindOf(n))
		}
		return store(n.Value, n)
	}
}

// truth reads true or false.
func (d document) truth(what string, to *bool) setter {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
			return d.errorAt(n, "", "%s is %s; it has to be true or false", what, kindOf(n))
		}
		*to = strings.EqualFold(n.Value, "true")
		return nil
	}
}

// date reads a day, in quotes or not, as its first moment in UTC.
func (d document) date(what string, to *time.Time) setter {
	return func(n *yaml.Node) (err error) {
		if *to, err = time.Parse(time.DateOnly, n.Value); err != nil || n.Kind != yaml.ScalarNode {
			return d.errorAt(n, "", "%s is %s; it has to be a date such as 2033-01-01", what, kindOf(n))
		}
		return nil
	}
}

// duration reads a time that is longer than none.
func (d document) duration(what string, to *time.Duration) setter {
	return func(n *yaml.Node) (err error) {
		if *to, err = time.ParseDuration(n.Value); err != nil || n.Kind != yaml.ScalarNode || *to <= 0 {
			return d.errorAt(n, "2160h is 90 days", "%s is %s; it has to be a time such as 2160h or 90m", what, kindOf(n))
		}
		return nil
	}
}

// choice reads one of a few words.
func choice[T ~string](d document, what string, to *T, known ...T) setter {
	return func(n *yaml.Node) error {
		i := slices.Index(known, T(n.Value))
		if n.Kind != yaml.ScalarNode || i < 0 {
			return d.errorAt(n, "", "%s is %s; it has to be one of %s", what, kindOf(n), words.Join(known))
		}
		*to = known[i]
		return nil
	}
}

// kindOf says what a node is, for people.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode && len(n.Content) == 0, n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		return "empty"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case strings.TrimSpace(n.Value) == "" || n.ShortTag() == "!!null":
		return "empty"
	}
	return fmt.Sprintf("%q", words.Clip(n.Value))
}

// knows is the hint that lists the keys of a mapping.
func knows(fields map[string]setter) string {
	return "it knows " + strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
}
