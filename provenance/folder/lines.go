package folder

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// indexLine is an IndexEntry in JSON. 64-bit numbers are strings, as everywhere in this format.
type indexLine struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size,string"`
	ETag     string    `json:"etag,omitempty"`
	Modified time.Time `json:"modified"`
	Created  time.Time `json:"created,omitzero"`
	SHA256   string    `json:"sha256,omitempty"`
	HashedAt time.Time `json:"hashedAt,omitzero"`
	By       string    `json:"by,omitempty"`
	Changed  int64     `json:"changed,omitempty,string"` // in digest files only
	Inode    uint64    `json:"inode,omitempty,string"`   // the same
}

// appendLine writes a line of an index, the very bytes that encoding/json writes without escaping HTML. The same entry gives
// the same bytes.
func appendLine(b []byte, e IndexEntry) ([]byte, error) {
	b = appendText(append(b, `{"name":`...), e.Name)
	b = append(strconv.AppendInt(append(b, `,"size":"`...), e.Size, 10), '"')
	if e.ETag != "" {
		b = appendText(append(b, `,"etag":`...), e.ETag)
	}
	b, err := appendDate(b, "modified", e.Modified)
	if err == nil && !e.Created.IsZero() {
		b, err = appendDate(b, "created", e.Created)
	}
	if !e.SHA256.IsZero() {
		b = append(append(append(b, `,"sha256":"`...), e.SHA256.Hex()...), '"')
	}
	if err == nil && !e.HashedAt.IsZero() {
		b, err = appendDate(b, "hashedAt", e.HashedAt)
	}
	if !e.By.IsZero() {
		b = append(append(append(b, `,"by":"`...), e.By.Hex()...), '"')
	}
	return append(b, "}\n"...), err
}

// appendDigestLine writes a line of a digest file: that of the index, and of a local file when it last changed and its inode, which
// tell whoever imports the digest that the file is still the one that was hashed.
func appendDigestLine(b []byte, e IndexEntry) ([]byte, error) {
	b, err := appendLine(b, e)
	if e.ETag != "" || e.changed == 0 || err != nil {
		return b, err
	}
	b = append(b[:len(b)-len("}\n")], `,"changed":"`...)
	b = strconv.AppendInt(b, e.changed, 10)
	if e.inode != 0 {
		b = strconv.AppendUint(append(b, `","inode":"`...), e.inode, 10)
	}
	return append(b, "\"}\n"...), nil
}

// appendText writes a JSON string. Plain ASCII is most of what there is, and needs no encoder.
func appendText(b []byte, s string) []byte {
	if isPlain(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always marshals
	return append(b, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...)
}

// isPlain tells whether s is ASCII that JSON does not escape.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func appendDate(b []byte, key string, t time.Time) ([]byte, error) {
	b = append(append(append(b, ',', '"'), key...), `":"`...)
	b, err := t.UTC().AppendText(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return append(b, '"'), nil
}

// parseLine reads a line of an index, or of a listing, which has no digests. No key may be unknown, repeated or missing but
// etag, created, by and hashedAt. A line as appendLine writes it is read fast, any other by encoding/json.
func parseLine(line []byte, hashed bool) (IndexEntry, error) {
	wire, ok := parsePlain(string(line))
	if !ok {
		if err := strictjson.Check(line, 1); err != nil {
			return IndexEntry{}, err
		}
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		wire = indexLine{Size: -1}
		if err := dec.Decode(&wire); err != nil {
			return IndexEntry{}, err
		}
	}
	return wire.entry(hashed)
}

// entry checks what a line says.
func (w indexLine) entry(hashed bool) (IndexEntry, error) {
	e := IndexEntry{Name: w.Name, Size: w.Size, ETag: w.ETag, Modified: w.Modified.UTC(), Created: w.Created.UTC(), HashedAt: w.HashedAt.UTC(), changed: w.Changed, inode: w.Inode}
	switch {
	case w.Name == "" || w.Size < 0 || len(w.Name) > maxName || strings.ContainsRune(w.Name, '\n') || !utf8.ValidString(w.Name):
		return IndexEntry{}, errors.New("name or size is missing or wrong")
	case checkETag(w.ETag) != nil:
		return IndexEntry{}, checkETag(w.ETag)
	case !isDate(w.Modified) || !w.Created.IsZero() && !isDate(w.Created) || !w.HashedAt.IsZero() && !isDate(w.HashedAt):
		return IndexEntry{}, errors.New("modified, created or hashedAt is missing or wrong")
	case !hashed && (w.SHA256 != "" || !w.HashedAt.IsZero() || w.By != "" || w.Changed != 0 || w.Inode != 0):
		return IndexEntry{}, errors.New("a listing has no digests")
	case !hashed:
		return e, nil
	}
	var err error
	if e.SHA256, err = provenance.NewDigest(provenance.SHA256, w.SHA256); err == nil && w.By != "" {
		e.By, err = provenance.NewDigest(provenance.SHA256, w.By)
	}
	return e, err
}

// isDate tells whether t is there and can be written again in UTC.
func isDate(t time.Time) bool {
	year := t.UTC().Year()
	return !t.IsZero() && 1 <= year && year <= 9999
}

// plain takes the values of a line as appendLine writes it, as long as they are plain.
type plain struct {
	rest string
	odd  bool // encoding/json has to look
}

// after takes the text up to a quote, if key and a quote come first.
func (p *plain) after(key string) (string, bool) {
	rest, found := strings.CutPrefix(p.rest, key)
	if p.odd || !found {
		return "", false
	}
	value, rest, found := strings.Cut(rest, `"`)
	p.odd = !found || !isPlain(value)
	p.rest = rest
	return value, true
}

func (p *plain) text(key string, wanted bool) string {
	value, found := p.after(key)
	p.odd = p.odd || wanted && !found || found && value == ""
	return value
}

func (p *plain) date(key string, wanted bool) (t time.Time) {
	if value := p.text(key, wanted); value != "" && t.UnmarshalText([]byte(value)) != nil {
		p.odd = true
	}
	return t
}

// parsePlain reads a line whose keys are in order and whose strings are plain. It must agree with encoding/json.
func parsePlain(line string) (indexLine, bool) {
	p := plain{rest: line}
	w := indexLine{Name: p.text(`{"name":"`, true)}
	size := p.text(`,"size":"`, true)
	n, err := strconv.ParseInt(size, 10, 64)
	w.Size, w.ETag = n, p.text(`,"etag":"`, false)
	w.Modified, w.Created = p.date(`,"modified":"`, true), p.date(`,"created":"`, false)
	w.SHA256, w.HashedAt = p.text(`,"sha256":"`, false), p.date(`,"hashedAt":"`, false)
	w.By = p.text(`,"by":"`, false)
	if changed, has := p.after(`,"changed":"`); has {
		at, wrong := strconv.ParseInt(changed, 10, 64)
		w.Changed, p.odd = at, p.odd || wrong != nil || strconv.FormatInt(at, 10) != changed
	}
	if inode, has := p.after(`,"inode":"`); has {
		number, wrong := strconv.ParseUint(inode, 10, 64)
		w.Inode, p.odd = number, p.odd || wrong != nil || strconv.FormatUint(number, 10) != inode
	}
	return w, !p.odd && p.rest == "}" && err == nil && strconv.FormatInt(n, 10) == size
}

// maxLine is the longest line of a manifest or index: a path of maxName bytes, each written as \u0001, and the rest.
const maxLine = 32 << 10

// eachLine calls line for each line, without its newline. Errors name what is read and the line.
func eachLine(r io.Reader, what string, line func([]byte) error) error {
	lines := bufio.NewReaderSize(r, maxLine)
	for n := 1; ; n++ {
		text, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(text) == 0 && n > 1:
			return nil
		case errors.Is(err, io.EOF) && len(text) == 0:
			return fmt.Errorf("the %s is empty", what)
		case errors.Is(err, io.EOF):
			return fmt.Errorf("the %s ends in the middle of line %d", what, n)
		case errors.Is(err, bufio.ErrBufferFull) || n > MaxFiles+1: // a digest file has a header
			return fmt.Errorf("the %s has a line of more than %d bytes, or more than %d lines", what, maxLine, MaxFiles)
		case err != nil:
			return fmt.Errorf("reading line %d of the %s: %w", n, what, err)
		}
		if err := line(bytes.TrimSuffix(text, []byte("\n"))); err != nil {
			return fmt.Errorf("line %d of the %s: %w", n, what, err)
		}
	}
}

// ascending refuses names that are not in the order of their bytes.
type ascending struct {
	last string
	any  bool
}

func (a *ascending) next(name string) error {
	if a.any && a.last >= name {
		return fmt.Errorf("%q is not sorted, or twice in it", name)
	}
	a.last, a.any = name, true
	return nil
}
