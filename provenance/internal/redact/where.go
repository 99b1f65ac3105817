package redact

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// plainStep is a key that a path may repeat.
var plainStep = pattern.New(`^[A-Za-z0-9_-]{1,64}$`)

// Where is the JSON path of the first text in which Find finds something, or nothing. Keys that may hold a secret themselves
// are not repeated.
func Where(data []byte, known ...string) string {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var decoded any
	if decoder.Decode(&decoded) != nil {
		return ""
	}
	return where("", decoded, known)
}

func where(path string, v any, known []string) string {
	switch v := v.(type) {
	case string:
		if len(Find([]byte(v), known...)) > 0 {
			return path
		}
	case []any:
		for i, element := range v {
			if found := where(path+"["+strconv.Itoa(i)+"]", element, known); found != "" {
				return found
			}
		}
	case map[string]any:
		return whereIn(path, v, known)
	}
	return ""
}

func whereIn(path string, object map[string]any, known []string) string {
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		at := key
		isSecret := len(Find([]byte(key), known...)) > 0
		if isSecret || !plainStep().MatchString(key) {
			at = "[…]"
		}
		if path != "" {
			at = path + "." + at
		}
		if isSecret {
			return at
		}
		if found := where(at, object[key], known); found != "" {
			return found
		}
	}
	return ""
}
