package provenance

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
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

// TestReadOneThingOnly: a statement that says one thing in two ways is none of ours, whoever signed it.
func TestReadOneThingOnly(t *testing.T) {
	byproducts := func(s *Statement) *[]slsa1.ResourceDescriptor { return &s.Predicate.RunDetails.Byproducts }
	dependencies := func(s *Statement) *[]slsa1.ResourceDescriptor {
		return &s.Predicate.BuildDefinition.ResolvedDependencies
	}
	index := func(t *testing.T, list []slsa1.ResourceDescriptor, name string) int {
		i := slices.IndexFunc(list, func(d slsa1.ResourceDescriptor) bool { return d.Name == name })
		if i < 0 {
			t.Fatalf("there is no %s", name)
		}
		return i
	}
	external := func(s *Statement) map[string]any {
		return s.Predicate.BuildDefinition.ExternalParameters.(map[string]any)
	}
	for name, c := range map[string]struct {
		change func(*testing.T, *Statement)
		says   string // nothing where it is read
	}{
		"nothing changed": {func(*testing.T, *Statement) {}, ""},
		"checks twice": {func(t *testing.T, s *Statement) {
			list := byproducts(s)
			*list = append(*list, (*list)[index(t, *list, nameChecks)])
		}, "runDetails.byproducts has"},
		"no checks": {func(t *testing.T, s *Statement) {
			list := byproducts(s)
			i := index(t, *list, nameChecks)
			*list = slices.Delete(*list, i, i+1)
		}, "runDetails.byproducts has"},
		"another order": {func(t *testing.T, s *Statement) {
			list := *byproducts(s)
			i, j := index(t, list, nameImage), index(t, list, nameModel)
			list[i], list[j] = list[j], list[i]
		}, "runDetails.byproducts["},
		"other data chosen": {func(t *testing.T, s *Statement) {
			external(s)["data"].([]any)[0].(map[string]any)["uri"] = "abfss://other@contoso.dfs.core.windows.net/"
		}, "buildDefinition.externalParameters.data[0].uri is abfss://other@"},
		"data chosen and not recorded": {func(t *testing.T, s *Statement) {
			data := external(s)["data"].([]any)
			external(s)["data"] = append(data, data[0])
		}, "buildDefinition.externalParameters.data has 3 items, and 2 of them"},
		"other parameters of the run": {func(t *testing.T, s *Statement) {
			external(s)["training"].(map[string]any)["notebook"] = "/Repos/other"
		}, "externalParameters.training.notebook is /Repos/other"},
		"another place of the commit": {func(t *testing.T, s *Statement) {
			list := *dependencies(s)
			list[index(t, list, nameSource)].URI = "git+https://example.com/other"
		}, "resolvedDependencies[0].uri is git+https://example.com/other"},
		"another place of a notebook": {func(t *testing.T, s *Statement) {
			list := *dependencies(s)
			list[index(t, list, nameNotebook)].URI = "https://example.com/"
		}, "].uri is https://example.com/"},
		"an annotation that is not known": {func(t *testing.T, s *Statement) {
			list := *byproducts(s)
			list[index(t, list, nameImage)].Annotations[annotationPrefix+"colour"] = "blue"
		}, ""},
		"a descriptor that is not known": {func(t *testing.T, s *Statement) {
			list := byproducts(s)
			*list = append([]slsa1.ResourceDescriptor{{Name: "colours", URI: "https://example.com/"}}, *list...)
		}, ""},
		"something stored that is not known": {func(t *testing.T, s *Statement) {
			list := byproducts(s)
			*list = append(*list, slsa1.ResourceDescriptor{Name: nameStored + "colours.txt", Digest: Digests(digestOf(t, SHA256, "4")).wire(),
				Annotations: map[string]any{annotationPrefix + "size": "7"}})
		}, ""},
		"a parameter of the run that is not known": {func(t *testing.T, s *Statement) {
			s.Predicate.BuildDefinition.InternalParameters.(map[string]any)["colour"] = "blue"
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, data := write(t, example(t)...)
			s, err := ParseStatement(data)
			if err != nil {
				t.Fatal(err)
			}
			c.change(t, &s)
			_, err = Read(s)
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, "statement.malformed")
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, not one that says %q", err, c.says)
			}
		})
	}
}

// TestContradiction: facts that no honest recorder would have put into one record are found again, whatever the checks say.
func TestContradiction(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Record)
		says   string
	}{
		"as it was written":              {func(*Record) {}, ""},
		"a check is missing":             {func(r *Record) { r.Checks = r.Checks[1:] }, ""},
		"known less":                     {func(r *Record) { r.Checks[0].Value = "unknown" }, ""},
		"another commit":                 {func(r *Record) { r.Pipeline.CommitID = strings.Repeat("6", 40) }, "say that its commitId is 6666"},
		"another copy":                   {func(r *Record) { r.Model.Copies[0].Digest = digestOf(t, DirHash, "0") }, "is not the one at"},
		"a check that says true":         {func(r *Record) { setCheck(r, CheckRoles, "true") }, "the check rolesDisjoint says true, and by the facts it is false: "},
		"a pipeline that nobody saw":     {func(r *Record) { r.Pipeline.Grounds = Grounds{Basis: Observed} }, "the pipeline's builderId is said to be observed"},
		"claims that are not there":      {func(r *Record) { r.Build.Claims = nil }, "the pipeline's builderId is said to be reported, and by the record it is declared"},
		"a build that is not there":      {func(r *Record) { r.Build = nil }, "is said to be reported, and by the record it is declared"},
		"training that is known better":  {func(r *Record) { r.Data[0].Grounds = r.Data[0].With("trainedOn", Observed) }, "is said to be observed, and by the record it is"},
		"a check that is known better":   {func(r *Record) { r.Checks[0].Basis = Observed }, "the check pipelineConfirmed is said to be observed, and by the record it is reported"},
		"a pipeline that is known worse": {func(r *Record) { r.Pipeline.Grounds = Grounds{Basis: Declared} }, ""},
		"a check that says false":        {func(r *Record) { setCheck(r, CheckRoles, "false") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := write(t, example(t)...)
			r, err := Read(s)
			if err != nil {
				t.Fatal(err)
			}
			c.change(&r)
			before, _ := json.Marshal(r)
			err = r.Contradiction()
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, not one that says %q", err, c.says)
			}
			if after, _ := json.Marshal(r); !bytes.Equal(after, before) {
				t.Error("looking for contradictions changed the record")
			}
		})
	}
}

func setCheck(r *Record, name, value string) {
	for i := range r.Checks {
		if r.Checks[i].Name == name {
			r.Checks[i].Value = value
		}
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
