package provenance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	slsa1 "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"
)

// consistent refuses a statement that says one thing in two ways: written again from what was read of it, it has to be the
// same. Annotations, internal parameters and descriptors that this version does not know may stand in it.
func (r Record) consistent(s Statement) error {
	written, err := r.statement()
	if err != nil {
		return err
	}
	got, want := s.Predicate, written.Predicate
	got.BuildDefinition.ResolvedDependencies = understood(got.BuildDefinition.ResolvedDependencies, nil)
	got.RunDetails.Byproducts = understood(got.RunDetails.Byproducts, r.Stored())
	gotJSON, err := plainJSON(got)
	if err != nil {
		return err
	}
	wantJSON, err := plainJSON(want)
	if err != nil {
		return err
	}
	return covers("", gotJSON, wantJSON)
}

// understood are the descriptors that this version reads.
func understood(all []slsa1.ResourceDescriptor, kept []Stored) []slsa1.ResourceDescriptor {
	return slices.DeleteFunc(slices.Clone(all), func(d slsa1.ResourceDescriptor) bool {
		switch d.Name {
		case nameSource, nameBase, nameImage, nameModel, nameNotebook, nameDatabricks, nameMLflow, nameBuild, nameRelease, nameReview, nameChecks:
			return false
		}
		if strings.HasPrefix(d.Name, nameStored) { // another may belong to an annotation that is not known
			return !slices.ContainsFunc(kept, func(s Stored) bool { return nameStored+s.Name == d.Name && d.Digest[string(SHA256)] == s.Digest.Hex() })
		}
		return !strings.HasPrefix(d.Name, nameData) && !strings.HasPrefix(d.Name, nameRegistered)
	})
}

// plainJSON is a value as encoding/json reads it, with numbers as they are written.
func plainJSON(v any) (plain any, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return plain, dec.Decode(&plain)
}

// covers tells where a value lacks something of another, or says something else. Objects may have more members, lists not.
func covers(at string, got, want any) error {
	switch want := want.(type) {
	case map[string]any:
		members, isObject := got.(map[string]any)
		if !isObject && len(want) > 0 {
			return fmt.Errorf("%s is not what its other parts say", at)
		}
		for key, value := range want {
			if err := covers(strings.TrimPrefix(at+"."+key, "."), members[key], value); err != nil {
				return err
			}
		}
		return nil
	case []any:
		items, isList := got.([]any)
		if !isList && len(want) > 0 || len(items) != len(want) {
			return fmt.Errorf("%s has %d items, and %d of them agree with its other parts", at, len(items), len(want))
		}
		for i, value := range want {
			if err := covers(fmt.Sprintf("%s[%d]", at, i), items[i], value); err != nil {
				return err
			}
		}
		return nil
	}
	if got != want {
		return fmt.Errorf("%s is %s, and by its other parts %s", at, clip(fmt.Sprint(got)), clip(fmt.Sprint(want)))
	}
	return nil
}
