package rule

import (
	"reflect"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

func TestWeaker(t *testing.T) {
	for _, c := range []struct {
		expression string
		weakest    provenance.Basis
		want       []Input
	}{
		{`record.commit.dirty == false`, "observed", nil},
		{`record.commit.author.email.endsWith("@contoso.com")`, "observed", []Input{{"record.commit.author", "present", "declared"}}},
		{`record.commit.author.email.endsWith("@contoso.com")`, "declared", nil},
		{`record.mlflow.metrics.exists(m, m.name == "auc" && double(m.value) > 0.8)`, "observed", []Input{{"record.mlflow.metrics", "5 items", "reported"}}},
		{`metric(record, "auc") > 0.8`, "signed", []Input{{"record.mlflow.metrics", "5 items", "reported"}}},
		{`metric(record, "auc") > 0.8`, "reported", nil},

		// Each folder, whether it is come to or not.
		{`record.data.exists(f, f.role == "train")`, "reported", []Input{{"record.data[0].role", "train", "declared"}, {"record.data[1].role", "test", "declared"}}},
		{`record.data[0].immutability == "locked"`, "signed", []Input{{"record.data[0].immutability", "locked", "reported"}}},
		{`record.data.all(f, f.files > 0)`, "observed", []Input{{"record.data[1].files", "1", "signed"}}},
		{`record.data.all(f, has(f.delta))`, "observed", []Input{{"record.data[1].delta", "absent", "signed"}}},

		// The noun itself counts when none of its fields is mentioned.
		{`record.data.size() > 1`, "observed", []Input{{"record.data[1]", "present", "signed"}}},
		{`has(record.mlflow)`, "observed", []Input{{"record.mlflow", "present", "reported"}}},
		{`has(record.mlflow) && record.mlflow.status == "FINISHED"`, "observed", []Input{{"record.mlflow.status", "FINISHED", "reported"}}},
		{`has(record.model) && record.model.name == "x"`, "observed", nil},

		// Checks have a basis each.
		{`record.checks.exists(c, c.name == "modelInImage" && c.value == "true")`, "observed", []Input{
			{"record.checks[1].name", "commitIsRuns", "reported"}, {"record.checks[1].value", "true", "reported"}}},
		{`check(record, "modelInImage") == "true"`, "observed", nil},
		{`check(record, "commitIsRuns") == "true"`, "observed", []Input{{"record.checks[1].value", "true", "reported"}}},

		{`.check(record, "commitIsRuns") == "true" && .metric(.record, "auc") > 0.1`, "observed", []Input{{"record.checks[1].value", "true", "reported"}, {"record.mlflow.metrics", "5 items", "reported"}}},

		{`record.tool.name == "provenance"`, "observed", []Input{{"record.tool", "present", "declared"}}},
		{`record.commit.basis == "observed" && record.commit.basisOf.size() > 0`, "observed", []Input(nil)},
		{`image == repository && signer.name == "x" && attestations.scan.predicate.critical == 0`, "observed", nil},
	} {
		if got := compile(t, c.expression).Weaker(night().Record, c.weakest); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s, %s\n got %q\nwant %q", c.expression, c.weakest, got, c.want)
		}
	}
}

// TestBasisWithin: a noun in a noun has a basis of its own.
func TestBasisWithin(t *testing.T) {
	r := night().Record
	r.Image.Base = &provenance.BaseImage{Grounds: grounds(provenance.Declared, nil), Name: "mcr.microsoft.com/a:1"}
	rule := compile(t, `record.image.base.name.startsWith("mcr.microsoft.com/") && record.image.digest == image`)
	want := []Input{{"record.image.base.name", "mcr.microsoft.com/a:1", "declared"}}
	if got := rule.Weaker(r, provenance.Observed); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	out, err := rule.Eval(t.Context(), Facts{Record: r, Image: r.Image.Digest}.View())
	if err != nil || !out.Holds || out.Inputs[0] != want[0] {
		t.Errorf("%+v, %v", out, err)
	}
}
