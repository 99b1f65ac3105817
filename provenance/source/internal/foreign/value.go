package foreign

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// holdsSecret tells whether a decoded value of this name is to be dropped: of a list or an object behind a name that may count
// something, only one that holds more than numbers.
func holdsSecret(name string, v any) bool {
	if !redact.IsSecretName(name) {
		return false
	}
	switch v := v.(type) {
	case nil, bool:
		return false
	case string:
		return redact.IsSecret(name, v)
	case json.Number:
		return redact.IsSecret(name, v.String())
	case []any:
		return IsSurelySecret(name) || slices.ContainsFunc(v, func(element any) bool { return holdsSecret(name, element) })
	case map[string]any:
		return IsSurelySecret(name) || slices.ContainsFunc(slices.Collect(maps.Values(v)), func(element any) bool { return holdsSecret(name, element) })
	}
	return true
}

// IsSurelySecret tells whether even a number behind this name is secret.
func IsSurelySecret(name string) bool { return redact.IsSecret(name, "0.5") }

// PairHoldsSecret tells whether an object that says its name holds a value that is secret by it.
func PairHoldsSecret(name string, in map[string]any) bool {
	for key, v := range in {
		if isPairValue(key) && holdsSecret(name, v) {
			return true
		}
	}
	return false
}

func isPairValue(key string) bool { return slices.Contains(pairValues, strings.ToLower(key)) }

// table redacts the columns of a table whose names are secret, where names and rows are written apart, as pandas and MLflow's
// log_table do: {"columns":["user","password"],"data":[["bob","…"]]}.
func (r *Redactor) table(path string, in map[string]any) map[string]any {
	columns, named := in["columns"].([]any)
	data, filled := in["data"].([]any)
	if !named || !filled {
		return in
	}
	rows := make([]any, len(data))
	for i, row := range data {
		rows[i] = r.row(fmt.Sprintf("%s.data[%d]", path, i), columns, row)
	}
	out := maps.Clone(in)
	out["data"] = rows
	return out
}

func (r *Redactor) row(path string, columns []any, row any) any {
	cells, is := row.([]any)
	if !is {
		return row
	}
	out := slices.Clone(cells)
	for i := range min(len(cells), len(columns)) {
		if holdsSecret(columnName(columns[i]), cells[i]) {
			out[i] = r.drop(fmt.Sprintf("%s[%d]", path, i), cells[i])
		}
	}
	return out
}

// columnName is a text, or an object that has a name, or several levels of names.
func columnName(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		return columnName(v["name"])
	case []any:
		names := make([]string, len(v))
		for i := range v {
			names[i] = columnName(v[i])
		}
		return strings.Join(names, ".")
	}
	return ""
}
