package redact

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// People are the names and addresses of people that somebody told, to be taken out of other text, however it is written there: with
// %20 or a dot for a space, in another case, as JSON escapes it.
//
// An address, a name of several words, and DOMAIN\user are looked for everywhere. A single word is somebody's login, and could be any
// word: it is looked for only as a folder of /Users, /Repos and /home, and so is what stands before the @ of an address.
type People struct{ anywhere, folder *regexp.Regexp }

// minName is how many letters and digits a name has to have to be looked for everywhere, and as one word.
const (
	minName   = 5
	minJoined = 8
)

// maxName is the length, in bytes, of what can be a name.
const maxName = 200

// NewPeople are the people of these names.
func NewPeople(told []string) (People, error) {
	var anywhere, folder []string
	for _, name := range told {
		name = strings.TrimSpace(name)
		switch letters := countLetters(name); {
		case letters == 0 || len(name) > maxName || strings.Contains(name, Removed) || strings.Contains(name, "://"):
			continue
		case strings.ContainsAny(name, " @\\") && letters >= minName:
			anywhere = append(anywhere, name)
		}
		if login, _, _ := strings.Cut(name, "@"); !strings.ContainsAny(login, " \\") && countLetters(login) > 1 {
			folder = append(folder, login)
		}
	}
	var people People
	var err error
	if people.anywhere, err = anyOf(anywhere, "(", ")"); err == nil {
		people.folder, err = anyOf(folder, `(?:/|%2F|\\{1,2})(?:Users|Repos|home)(?:/|%2F|\\{1,2})(`, ")")
	}
	return people, err
}

// anyOf matches any of the names, longer ones first; nil when there are none.
func anyOf(names []string, before, after string) (*regexp.Regexp, error) {
	if len(names) == 0 {
		return nil, nil
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var forms []string
	for _, name := range slices.Compact(names) {
		forms = append(forms, spelled(name))
	}
	return regexp.Compile("(?i)" + before + strings.Join(forms, "|") + after)
}

// spelled matches the ways in which a name may be written.
func spelled(name string) string {
	between := `(?:[\s+_.,-]|%20|%2C){1,3}`
	if countLetters(name) >= minJoined {
		between = strings.Replace(between, "{1,3}", "{0,3}", 1)
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r == ',' })
	for i, word := range words {
		var out strings.Builder
		for _, r := range word {
			out.WriteString(spelledRune(r))
		}
		words[i] = out.String()
	}
	return strings.Join(words, between)
}

func spelledRune(r rune) string {
	if r < utf8.RuneSelf && isWord(r) {
		return string(r)
	}
	escaped := fmt.Sprintf(`\\+u%04x`, r)
	if r == '\\' {
		escaped = `\\\\`
	}
	return "(?:" + regexp.QuoteMeta(string(r)) + "|" + regexp.QuoteMeta(url.QueryEscape(string(r))) + "|" + escaped + ")"
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func countLetters(s string) (n int) {
	for _, r := range s {
		if isWord(r) {
			n++
		}
	}
	return n
}

// Mask takes the people out of a text.
func (p People) Mask(s string) string {
	s = replaceWhole(p.anywhere, s, func(r rune) bool { return isWord(r) })
	return replaceWhole(p.folder, s, func(r rune) bool { return isWord(r) || strings.ContainsRune("._-", r) })
}

// MaskFile takes them out of the name of a file, where nothing may stand between words.
func (p People) MaskFile(s string) string {
	return replaceWhole(p.folder, replaceWhole(p.anywhere, s, func(rune) bool { return false }), isWord)
}

// escapedEnd is a character of a URL that looks like the end of a word.
var escapedEnd = pattern.New(`%[0-9A-Fa-f]{2}$`)

// replaceWhole replaces the group of each match that is not a part of a longer word.
func replaceWhole(re *regexp.Regexp, s string, goesOn func(rune) bool) string {
	if re == nil {
		return s
	}
	var out strings.Builder
	last := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
		before, _ := utf8.DecodeLastRuneInString(escapedEnd().ReplaceAllString(s[max(0, m[2]-utf8.UTFMax):m[2]], "%"))
		after, _ := utf8.DecodeRuneInString(s[m[3]:])
		if goesOn(before) || goesOn(after) {
			continue
		}
		out.WriteString(s[last:m[2]] + Removed)
		last = m[3]
	}
	return out.String() + s[last:]
}
