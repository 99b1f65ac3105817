package provenance

import (
	"errors"
	"strings"
	"testing"
	"time"

	slsa1 "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"
)

// TestReadTold: what services told of stands under the digest of the answer that it names, and in the words of the build type.
func TestReadTold(t *testing.T) {
	byName := func(s *Statement, name string) *slsa1.ResourceDescriptor {
		for _, list := range [][]slsa1.ResourceDescriptor{s.Predicate.BuildDefinition.ResolvedDependencies, s.Predicate.RunDetails.Byproducts} {
			for i := range list {
				if list[i].Name == name {
					return &list[i]
				}
			}
		}
		t.Fatalf("there is no %s", name)
		return nil
	}
	for name, c := range map[string]struct {
		change func(*Statement)
		says   string
	}{
		"another digest": {func(s *Statement) { byName(s, nameMLflow).Digest = byName(s, nameBuild).Digest }, "has another digest than the stored answer"},
		"no digest":      {func(s *Statement) { byName(s, nameDatabricks).Digest = nil }, `descriptor "databricks-run"`},
		"no answer":      {func(s *Statement) { delete(byName(s, nameReview).Annotations, annotationPrefix+"answer") }, "has another digest than the stored answer"},
		"another registry": {func(s *Statement) { byName(s, nameRegistered+"azureml").Name = nameRegistered + "mlflow" },
			`the model registered in "mlflow" says that its registry is "azureml"`},
		"a comparison without a word": {func(s *Statement) { byName(s, nameNotebook).Annotations[annotationPrefix+"equal"] = "surely" }, `compares with the commit as "surely"`},
		"no comparison":               {func(s *Statement) { delete(byName(s, nameNotebook).Annotations, annotationPrefix+"equal") }, `compares with the commit as ""`},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := write(t, example(t)...)
			c.change(&s)
			_, err := Read(s)
			var refused *Refused
			if !errors.As(err, &refused) || refused.Code != "statement.malformed" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, not one that says %q", err, c.says)
			}
		})
	}
}

// TestSameBuildReadsCopiesAgain: when the copies of a model were read is a clock, and no difference.
func TestSameBuildReadsCopiesAgain(t *testing.T) {
	record := func() Record {
		s, _ := write(t, example(t)...)
		r, err := Read(s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	mine, theirs := record(), record()
	theirs.Model.Copies[0].Read = theirs.Model.Copies[0].Read.Add(time.Hour)
	if !SameBuild(mine, theirs) {
		t.Error("another hour makes another build")
	}
	if theirs.Model.Copies[0].Read.IsZero() {
		t.Error("comparing changed the record")
	}
	theirs.Model.Copies[0].URI = "dbfs:/elsewhere"
	if SameBuild(mine, theirs) {
		t.Error("another place makes no difference")
	}
}
