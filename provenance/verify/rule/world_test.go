package rule

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

// at is an hour of the night of the tests.
func at(hour int) time.Time { return time.Date(2026, 11, 23, hour, 0, 0, 0, time.UTC) }

func grounds(b provenance.Basis, of map[string]provenance.Basis) provenance.Grounds {
	return provenance.Grounds{Basis: b, BasisOf: of}
}

// night is what the tests' expressions are about: a build with everything that the examples of the specification name.
func night() Facts {
	digest := provenance.SumSHA256([]byte("image"))
	ada := provenance.Person{ID: "ada-id", Name: "Ada Lovelace", Email: "ada@contoso.com"}
	grace := provenance.Person{ID: "grace-id", Name: "Grace Hopper", Email: "grace@contoso.com"}
	return Facts{
		Repository: "contoso.azurecr.io/mortgage", Image: digest, Now: at(12), Times: []envelope.Time{{At: at(3)}, {At: at(4)}},
		Signer: envelope.Signer{Name: "nightly.pub", Fingerprint: "sha256:01"},
		Attestations: map[string]Other{
			"scan": {PredicateType: "https://contoso.com/scan/v1", Signer: envelope.Signer{Name: "scanner.pub"}, Time: at(5),
				Predicate: json.RawMessage(`{"critical":0,"big":9007199254740993,"image":"` + digest.String() + `","results":[{"id":"CVE-1","level":"low"},{"id":"CVE-2","level":"medium"}]}`)},
			"release-notes": {PredicateType: "https://contoso.com/notes/v1", Predicate: json.RawMessage(`"text"`)},
			"mixed":         {Predicate: json.RawMessage(`{"roots":["/a",1],"huge":1e400,"small":3,"nothing":null,"a b":{"c":"d"}}`)},
			"two":           {Predicate: json.RawMessage(`1 2`)},
			"broken":        {PredicateType: "https://contoso.com/broken/v1", Predicate: json.RawMessage(`{"a":`)},
		},
		Record: provenance.Record{
			Image:    provenance.Image{Grounds: grounds(provenance.Observed, nil), Repository: "contoso.azurecr.io/mortgage", Digest: digest},
			Pipeline: provenance.Pipeline{Grounds: grounds(provenance.Declared, nil), Ref: "refs/heads/main", Internal: map[string]string{"pool": "hosted"}},
			Commit: provenance.Commit{Grounds: grounds(provenance.Observed, map[string]provenance.Basis{"author": provenance.Declared, "ref": provenance.Declared}),
				Ref: "refs/heads/main", Author: ada, Committed: at(1), Subject: "Weight recent applications"},
			Data: []provenance.Folder{
				{Grounds: grounds(provenance.Observed, map[string]provenance.Basis{"role": provenance.Declared, "immutability": provenance.Reported}), Role: "train",
					URI: "abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000/", Files: 3, Bytes: 9007199254740993, Immutability: "locked", Newest: at(0)},
				{Grounds: grounds(provenance.Signed, map[string]provenance.Basis{"role": provenance.Declared}), Role: "test",
					URI: "abfss://reference@contoso.dfs.core.windows.net/applications/", Files: 1, Immutability: "none"},
			},
			MLflow: &provenance.MLflowRun{Grounds: grounds(provenance.Reported, nil), Status: "FINISHED", Params: map[string]string{"max_depth": "7"},
				Metrics: []provenance.Metric{{Name: "auc", Value: "0.8123", Dataset: "applications"}, {Name: "f1", Value: "0.7411"}, {Name: "loss", Value: "NaN"},
					{Name: "twice", Value: "1"}, {Name: "twice", Value: "2"}}},
			Databricks: &provenance.DatabricksRun{Grounds: grounds(provenance.Reported, nil), Result: "SUCCESS", Ended: at(2),
				Clusters: []provenance.Cluster{{SparkVersion: "15.4.x-cpu-ml-scala2.12"}}},
			Build: &provenance.Build{Grounds: grounds(provenance.Reported, nil), RequestedFor: ada, Approvals: []provenance.Approval{{Approver: grace, Status: "approved", At: at(2)}}},
			Review: &provenance.Review{Grounds: grounds(provenance.Reported, nil), PullRequests: []provenance.PullRequest{{ID: "88", Author: ada,
				Reviewers: []provenance.Reviewer{{Person: grace, Vote: "approved"}}}}},
			Checks: []provenance.Fact{{Name: "modelInImage", Value: "true", Basis: provenance.Observed}, {Name: "commitIsRuns", Value: "true", Basis: provenance.Reported}},
			Tool:   provenance.Tool{Name: "provenance", Version: "v0.1.0"},
		},
	}
}

// full is a record in which every field of every noun has a value, lists of one.
func full(t testing.TB) provenance.Record {
	t.Helper()
	var r provenance.Record
	fill(reflect.ValueOf(&r).Elem())
	return r
}

func fill(v reflect.Value) {
	switch {
	case !v.CanSet():
	case v.Type() == timeType:
		v.Set(reflect.ValueOf(at(2)))
	case v.Type() == digestType:
		v.Set(reflect.ValueOf(provenance.SumSHA256([]byte("full"))))
	case v.Kind() == reflect.String:
		v.SetString("text")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(7)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case v.Kind() == reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), value)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// compile compiles an expression that has nothing wrong.
func compile(t testing.TB, expression string) *Rule {
	t.Helper()
	r, err := Compile(expression)
	if err != nil {
		t.Fatalf("%s\n%v", expression, err)
	}
	return r
}
