package storage

import (
	"strconv"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// deltaVersion is the query parameter that asks for a version of a Delta table. Azure knows nothing of it.
const deltaVersion = "deltaVersion"

// SplitDelta takes deltaVersion=N out of the query of a URI, or off the end of a local path, and leaves the rest as it is,
// a SAS too. asked tells whether it was there. N is a decimal number from 0; anything else is *provenance.Misused.
func SplitDelta(uri string) (clean string, version int64, asked bool, err error) {
	rest, text := "", ""
	if hasScheme(uri) {
		rest, text, asked, err = cutParameter(uri)
	} else if i := strings.LastIndex(uri, "?"+deltaVersion+"="); i >= 0 {
		rest, text, asked = uri[:i], uri[i+len(deltaVersion)+2:], true
	}
	if err != nil || !asked {
		return uri, 0, false, err
	}
	version, err = strconv.ParseInt(text, 10, 64)
	if err != nil || version < 0 || strings.ContainsAny(text, "+-") {
		return uri, 0, false, provenance.Misuse("write the number of a version, as in ?deltaVersion=3",
			"the deltaVersion of %s is not a number from 0", redact.URL(rest))
	}
	return rest, version, true, nil
}

// cutParameter takes deltaVersion out of a query.
func cutParameter(uri string) (rest, text string, found bool, err error) {
	before, fragment := uri, ""
	if i := strings.IndexByte(uri, '#'); i >= 0 {
		before, fragment = uri[:i], uri[i:]
	}
	before, query, _ := strings.Cut(before, "?")
	var kept []string
	for parameter := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(parameter, "=")
		switch {
		case !strings.EqualFold(name, deltaVersion):
			kept = append(kept, parameter)
		case found:
			return "", "", false, provenance.Misuse("", "%s asks for two versions", redact.URL(before))
		default:
			text, found = value, true
		}
	}
	if query = strings.Join(kept, "&"); query != "" {
		query = "?" + query
	}
	return before + query + fragment, text, found, nil
}
