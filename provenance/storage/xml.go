package storage

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// xmlReader reads XML that is in memory, many times faster than encoding/xml, in which a listing of a million blobs takes
// more than half a minute. It knows elements, attributes, text, the five entities, character references, CDATA, comments
// and processing instructions; it refuses declarations, so that nobody can define an entity. Namespaces mean nothing to it:
// a prefix is part of a name.
// Source: https://www.w3.org/TR/xml/
type xmlReader struct {
	data  []byte
	at    int
	depth int
}

// maxXMLDepth is more than twice what a listing has.
const maxXMLDepth = 16

// The kinds of xmlToken.
const (
	xmlStart = iota
	xmlEnd
	xmlText
	xmlCDATA
)

// xmlToken is a tag or a piece of text. Its slices are parts of what is read.
type xmlToken struct {
	kind  int
	empty bool   // the start tag is also the end
	text  []byte // of a tag its name
	more  []byte // of a start tag its attributes
}

func (x *xmlReader) wrong(what string) error {
	return fmt.Errorf("XML that cannot be read: %s at byte %d", what, x.at)
}

// document calls root for the one element, whose content root has to read.
func (x *xmlReader) document(root func(xmlToken) error) error {
	if !utf8.Valid(x.data) {
		return x.wrong("no UTF-8")
	}
	x.data = bytes.TrimPrefix(x.data, []byte("\ufeff"))
	for {
		t, err := x.next()
		switch {
		case err != nil:
			return err
		case t.kind == xmlText && len(bytes.TrimSpace(t.text)) == 0:
			continue
		case t.kind != xmlStart:
			return x.wrong("no element")
		}
		if err := root(t); err != nil {
			return err
		}
		if len(bytes.TrimSpace(x.data[x.at:])) > 0 {
			return x.wrong("something after the end")
		}
		return nil
	}
}

// each calls child for the start of every element in parent, whose content child has to read: with each, text or skip.
func (x *xmlReader) each(parent xmlToken, child func(xmlToken) error) error {
	if parent.empty {
		return nil
	}
	if x.depth++; x.depth > maxXMLDepth {
		return x.wrong("elements too deep in each other")
	}
	for {
		t, err := x.next()
		switch {
		case err != nil:
			return err
		case t.kind == xmlStart:
			if err := child(t); err != nil {
				return err
			}
		case t.kind == xmlEnd:
			x.depth--
			return x.sameName(parent, t)
		}
	}
}

// skip reads an element away.
func (x *xmlReader) skip(parent xmlToken) error { return x.each(parent, x.skip) }

// text is the text of an element that holds nothing else. It may be a part of what is read.
func (x *xmlReader) text(parent xmlToken) (text []byte, err error) {
	if parent.empty {
		return nil, nil
	}
	for {
		t, err := x.next()
		if err != nil {
			return nil, err
		}
		switch t.kind {
		case xmlEnd:
			if !holdsXMLChars(text) {
				return nil, x.wrong("a character that XML cannot hold before")
			}
			return text, x.sameName(parent, t)
		case xmlStart:
			return nil, x.wrong("an element where text should be")
		case xmlText:
			if t.text, err = x.unescape(t.text); err != nil {
				return nil, err
			}
		case xmlCDATA:
			t.text = newlines(t.text)
		}
		if text == nil {
			text = t.text[:len(t.text):len(t.text)] // what is appended goes elsewhere
		} else {
			text = append(text, t.text...)
		}
	}
}

func (x *xmlReader) sameName(start, end xmlToken) error {
	if !bytes.Equal(start.text, end.text) {
		return x.wrong("the end of another element")
	}
	return nil
}

// next is the next tag or text; comments and processing instructions are left out.
func (x *xmlReader) next() (xmlToken, error) {
	for {
		rest := x.data[x.at:]
		open := bytes.IndexByte(rest, '<')
		switch {
		case open < 0:
			x.at = len(x.data)
			return xmlToken{}, x.wrong("the end comes too early")
		case open > 0:
			x.at += open
			return xmlToken{kind: xmlText, text: rest[:open]}, nil
		case bytes.HasPrefix(rest, []byte("<!--")):
			if _, err := x.until("<!--", "-->"); err != nil {
				return xmlToken{}, err
			}
		case bytes.HasPrefix(rest, []byte("<?")):
			if _, err := x.until("<?", "?>"); err != nil {
				return xmlToken{}, err
			}
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			text, err := x.until("<![CDATA[", "]]>")
			return xmlToken{kind: xmlCDATA, text: text}, err
		default:
			return x.tag()
		}
	}
}

// until is what stands between a beginning, which is next, and an end.
func (x *xmlReader) until(begin, end string) ([]byte, error) {
	rest := x.data[x.at+len(begin):]
	i := bytes.Index(rest, []byte(end))
	if i < 0 {
		return nil, x.wrong("something without an end")
	}
	x.at += len(begin) + i + len(end)
	return rest[:i], nil
}

// tag reads a tag.
func (x *xmlReader) tag() (xmlToken, error) {
	raw, err := x.betweenAngles()
	if err != nil {
		return xmlToken{}, err
	}
	var t xmlToken
	if raw, t.empty = bytes.CutSuffix(raw, []byte("/")); !t.empty {
		if inner, isEnd := bytes.CutPrefix(raw, []byte("/")); isEnd {
			t.kind, raw = xmlEnd, bytes.TrimRight(inner, " \t\r\n")
		}
	}
	n := nameLength(raw)
	if t.text, t.more = raw[:n], raw[n:]; n == 0 || t.kind == xmlEnd && len(t.more) > 0 {
		return xmlToken{}, x.wrong("no tag")
	}
	return t, nil
}

// nameLength is how long the name is that a tag begins with; 0 when that is none.
func nameLength(tag []byte) int {
	for i, c := range tag {
		switch c {
		case ' ', '\t', '\r', '\n':
			return i
		case '!', '&', '/', '=', '"', '\'':
			return 0
		}
	}
	return len(tag)
}

// betweenAngles is what stands between < and the > that ends the tag, which is none in quotes.
func (x *xmlReader) betweenAngles() ([]byte, error) {
	rest, quote := x.data[x.at+1:], byte(0)
	for i, c := range rest {
		switch {
		case c == '<':
			return nil, x.wrong("a tag in a tag")
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			x.at += i + 2
			return rest[:i], nil
		}
	}
	return nil, x.wrong("a tag without an end")
}

// attribute is the value of an attribute of a start tag, as it is written; empty when there is none.
func (x *xmlReader) attribute(t xmlToken, name string) (string, error) {
	rest := t.more
	for {
		if rest = bytes.TrimLeft(rest, " \t\r\n"); len(rest) == 0 {
			return "", nil
		}
		key, after, found := bytes.Cut(rest, []byte("="))
		after = bytes.TrimLeft(after, " \t\r\n")
		if !found || len(after) == 0 || after[0] != '"' && after[0] != '\'' {
			return "", x.wrong("no attribute")
		}
		value, after, _ := bytes.Cut(after[1:], after[:1])
		if string(bytes.TrimRight(key, " \t\r\n")) == name {
			return string(value), nil
		}
		rest = after
	}
}

// unescape puts characters in the place of their references.
func (x *xmlReader) unescape(text []byte) ([]byte, error) {
	text = newlines(text)
	i := bytes.IndexByte(text, '&')
	if i < 0 {
		return text, nil
	}
	out := append([]byte{}, text[:i]...)
	for text = text[i:]; len(text) > 0; {
		if text[0] != '&' {
			n := bytes.IndexByte(text, '&')
			if n < 0 {
				n = len(text)
			}
			out, text = append(out, text[:n]...), text[n:]
			continue
		}
		name, _, ended := bytes.Cut(text[1:min(len(text), maxReference)], []byte(";"))
		r, known := reference(string(name))
		if !ended || !known {
			return nil, x.wrong("a reference to no character before")
		}
		out, text = utf8.AppendRune(out, r), text[len("&;")+len(name):]
	}
	return out, nil
}

// maxReference is longer than any reference to a character that somebody would write.
const maxReference = 32

var entities = map[string]rune{"amp": '&', "lt": '<', "gt": '>', "apos": '\'', "quot": '"'}

// reference is the character of &name;.
func reference(name string) (rune, bool) {
	if r, known := entities[name]; known {
		return r, true
	}
	digits, isNumber := strings.CutPrefix(name, "#")
	base := 10
	if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	return rune(n), isNumber && err == nil && isXMLChar(rune(n))
}

// newlines ends lines as XML does, whatever machine wrote them.
func newlines(text []byte) []byte {
	if bytes.IndexByte(text, '\r') < 0 {
		return text
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
}

// holdsXMLChars tells whether there are only such characters in a text as XML can hold.
func holdsXMLChars(text []byte) bool {
	for i, c := range text {
		if c < 0x20 || c >= utf8.RuneSelf {
			return !bytes.ContainsFunc(text[i:], func(r rune) bool { return !isXMLChar(r) })
		}
	}
	return true
}

// isXMLChar tells whether XML 1.0 can hold a character.
func isXMLChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}
