package summary

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// checkSpelling refuses keys that some readers take for one of the format's, and others do not: encoding/json ignores their case,
// and protobuf knows them with underscores, too. That no key stands twice was checked before.
func checkSpelling(payload []byte) error {
	var top map[string]any
	if err := json.Unmarshal(payload, &top); err != nil {
		return err
	}
	if err := spelled(top, "_type", "subject", "predicateType", "predicate"); err != nil {
		return err
	}
	predicate, _ := top["predicate"].(map[string]any)
	if err := spelled(predicate, "verifier", "timeVerified", "resourceUri", "policy", "inputAttestations", "verificationResult",
		"verifiedLevels", "dependencyLevels", "slsaVersion"); err != nil {
		return err
	}
	if err := spelled(predicate["verifier"], "id", "version"); err != nil {
		return err
	}
	subjects, _ := top["subject"].([]any)
	inputs, _ := predicate["inputAttestations"].([]any)
	for _, descriptor := range slices.Concat(subjects, inputs, []any{predicate["policy"]}) {
		if err := spelled(descriptor, "name", "uri", "digest"); err != nil {
			return err
		}
	}
	return nil
}

// spelled checks the keys of one object. What is none has another type than it should, which others find.
func spelled(value any, names ...string) error {
	object, _ := value.(map[string]any)
	for key := range object {
		like := func(name string) bool { return plain(name) == plain(key) }
		if !slices.Contains(names, key) && slices.ContainsFunc(names, like) {
			return fmt.Errorf("the key %.40q is not spelled as the format spells it", key)
		}
	}
	return nil
}

// plain is a key without case and underscores. Going through upper case first catches letters such as the long s.
func plain(key string) string {
	return strings.ToLower(strings.ToUpper(strings.ReplaceAll(key, "_", "")))
}
