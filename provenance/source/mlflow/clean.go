package mlflow

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// clean takes secrets out of a file, and tells whether it surely could: what holds one in a way that is not understood is not
// kept, and neither is a picture in which something looks like one.
func (a *mlflowAsking) clean(mediaType string, data []byte) (clean []byte, sure bool) {
	switch mediaType {
	case "image/png", "image/jpeg":
		clean, sure = data, true
	case "application/json":
		clean, sure = a.cleanJSON(data)
	case "text/csv":
		clean, sure = a.cleanCSV(data)
	case "text/html", "image/svg+xml":
		clean, sure = a.cleanMarkup(data)
	default:
		clean = a.cleanText(data)
		sure = !namesLoosely(string(clean))
	}
	isPicture := mediaType == "image/png" || mediaType == "image/jpeg"
	return clean, sure && (isPicture || isText(data)) && len(redact.Find(clean, a.Used.All()...)) == 0
}

// isText tells whether bytes that call themselves text are: in UTF-16 no secret would be recognised.
func isText(data []byte) bool { return utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 }

// cleanText takes out of text what is known to be secret, credentials of URLs, the values of secret-looking names, and what looks
// like a secret.
func (a *mlflowAsking) cleanText(data []byte) []byte {
	text := foreign.CleanURIs(redact.Known(string(data), a.Used.All()...))
	if a.IDsOnly {
		text = foreign.Nobody(text)
	}
	return []byte(redact.Text(redact.Pairs(foreign.CommandLine(text))))
}

// cleanJSON redacts JSON as answers are redacted; JSON without a secret stays as it is, to the byte. What cannot be read as JSON
// and names a secret is not kept: nobody can tell where the value ends.
func (a *mlflowAsking) cleanJSON(data []byte) (clean []byte, sure bool) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var decoded any
	if strictjson.Check(data, 64) != nil || decoder.Decode(&decoded) != nil {
		return a.cleanText(data), !foreign.NamesSecret(string(data)) // NaN, for one, is no JSON
	}
	r := &foreign.Redactor{Known: a.Used.All(), IDsOnly: a.IDsOnly}
	redacted := r.Value("$", decoded)
	a.Tell(r.Told)
	before, err := foreign.CanonicalJSON(decoded)
	if err != nil {
		return nil, false
	}
	if clean, err = foreign.CanonicalJSON(redacted); err == nil && bytes.Equal(clean, before) {
		clean = data
	}
	return clean, err == nil && !hasLooseName(redacted)
}

// hasLooseName tells whether redacted JSON has a text that is the name of a secret. Its value may stand anywhere, but for the two
// places that were looked at: beside it in a pair, and below it in a table.
func hasLooseName(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			if isLooseName(element) || hasLooseName(element) {
				return true
			}
		}
	case map[string]any:
		_, isTable := v["data"].([]any)
		isPair := foreign.IsPairOf(v, func(name string) bool { return foreign.PairHoldsSecret(name, v) })
		for key, element := range v {
			if !isPair && len(v) > 1 && isLooseName(element) || !(isTable && key == "columns") && hasLooseName(element) {
				return true
			}
		}
	}
	return false
}

func isLooseName(v any) bool {
	text, is := v.(string)
	return is && isOneName(text) && foreign.IsSurelySecret(text)
}

// oneName is a name and nothing else.
var oneName = pattern.New(`^\s*[\pL_][\pL\pN_.-]{0,63}\s*[:=]?\s*$`)

func isOneName(text string) bool { return len(text) < 256 && oneName().MatchString(text) }

// quotedName is a name in quotes, and whether its value follows.
var quotedName = pattern.New(`["']([A-Za-z_][\w.-]{0,63})\\*["']\s*([:=]?)`)

// namesLoosely tells whether a text has the name of a secret in quotes, without a value: that stands elsewhere.
func namesLoosely(text string) bool {
	for _, m := range quotedName().FindAllStringSubmatch(text, -1) {
		if m[2] == "" && foreign.IsSurelySecret(m[1]) {
			return true
		}
	}
	return false
}

// cleanMarkup cleans HTML and SVG if they say the same to those who undo their entities, and if no value stands in another element than its name.
func (a *mlflowAsking) cleanMarkup(data []byte) (clean []byte, sure bool) {
	clean = a.cleanText(data)
	shown := html.UnescapeString(string(clean))
	sure = shown == string(a.cleanText([]byte(html.UnescapeString(string(data))))) &&
		bytes.Count(clean, []byte("<")) == bytes.Count(data, []byte("<"))
	return clean, sure && !namesLoosely(shown) && !tagsNameSecret(shown) && !namesAlone(shown)
}

var (
	// markupTag is one, or what may be taken for one in a script.
	markupTag   = pattern.New(`<!--|-->|<[^<>]*>`)
	markupClass = pattern.New(`\b(?:class|style)\s*=\s*(?:"[^"]*"|'[^']*')`)
	markupName  = pattern.New(`(?:^</?|\b(?:name|property|itemprop|key)\s*=\s*["']?)([\w.-]+)`)
	markupWord  = pattern.New(`[A-Za-z_][\w.-]*`)
	lastName    = pattern.New(`([A-Za-z_][\w.-]*)\s*[:=]+\s*$`)
)

// tagsNameSecret tells whether an element or an attribute is called like a secret.
func tagsNameSecret(text string) bool {
	for _, tag := range markupTag().FindAllString(text, -1) {
		tag = markupClass().ReplaceAllString(tag, "")
		for _, m := range markupName().FindAllStringSubmatch(tag, -1) {
			if redact.IsSecretName(m[1]) {
				return true
			}
		}
		for _, name := range markupWord().FindAllString(tag, -1) {
			if foreign.IsSurelySecret(name) {
				return true
			}
		}
	}
	return false
}

// namesAlone tells whether an element ends with the name of a secret, and the next one begins with what may be its value.
func namesAlone(text string) bool {
	name := ""
	for _, part := range markupTag().Split(text, -1) {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if name != "" && redact.IsSecret(name, part) {
			return true
		}
		name = ""
		if m := lastName().FindStringSubmatch(part); m != nil {
			name = m[1]
		} else if isOneName(part) {
			name = part
		}
	}
	return false
}

// cleanCSV also drops what stands below the name of a secret, and behind it in a row that is no header. Of two columns it is not
// known whether the first row is the header or a name and its value.
func (a *mlflowAsking) cleanCSV(data []byte) (clean []byte, sure bool) {
	text := redact.Known(string(data), a.Used.All()...)
	comma := commaOf(text)
	rows, err := csvRows(text, comma)
	if err != nil {
		return a.cleanText(data), !foreign.NamesSecret(text)
	}
	if len(rows) > 0 && len(rows[0]) == 2 && foreign.IsSurelySecret(rows[0][0]) {
		return nil, false
	}
	changed := cleanRows(rows)
	if !bytes.Equal(a.cleanText(data), data) {
		changed = a.cleanCells(rows) || changed
	}
	if !changed {
		return a.cleanText(data), true
	}
	var out bytes.Buffer
	to := csv.NewWriter(&out)
	to.Comma, to.UseCRLF = comma, strings.Contains(text, "\r\n")
	err = to.WriteAll(rows)
	return a.cleanText(out.Bytes()), err == nil
}

// commaOf is what stands between the cells of the first row.
func commaOf(text string) rune {
	first, _, _ := strings.Cut(text, "\n")
	best := ','
	for _, comma := range ";\t|" {
		if strings.Count(first, string(comma)) > strings.Count(first, string(best)) {
			best = comma
		}
	}
	return best
}

func csvRows(text string, comma rune) ([][]string, error) {
	from := csv.NewReader(strings.NewReader(text))
	from.Comma, from.FieldsPerRecord, from.LazyQuotes = comma, -1, true
	return from.ReadAll()
}

// cleanRows drops the values of secret names, and tells whether there were some.
func cleanRows(rows [][]string) (changed bool) {
	below := map[int]string{} // names of columns
	for i, row := range rows {
		behind := ""
		for at, cell := range row {
			switch {
			case cell == "":
			case behind != "" || redact.IsSecret(below[at], cell): // it may be a password that reads like a name
				row[at], changed = redact.Removed, true
			case i == 0 && redact.IsSecretName(cell):
				below[at] = cell
			case isLooseName(cell):
				below[at], behind = cell, cell
			}
		}
	}
	return changed
}

// cleanCells cleans each cell by itself, so that no value takes the next cell with it.
func (a *mlflowAsking) cleanCells(rows [][]string) (changed bool) {
	for _, row := range rows {
		for at, cell := range row {
			if clean := string(a.cleanText([]byte(cell))); clean != cell {
				row[at], changed = clean, true
			}
		}
	}
	return changed
}
