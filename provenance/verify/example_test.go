package verify

import (
	"os"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
)

// examplePolicy is the one in examples/, with the scene's key beside its own.
func examplePolicy(t *testing.T, s *scene) *Policy {
	t.Helper()
	const file = "../../examples/policy.yaml"
	data, err := os.ReadFile(file)
	must(t, err)
	p, err := policy.Parse(file, data, os.ReadFile)
	must(t, err)
	if len(p.Builders) != 1 || p.Builders[0].ID != builderID {
		t.Fatalf("builders %+v", p.Builders)
	}
	p.Builders[0].Who = append(p.Builders[0].Who, policy.Pinned{Verifier: s.builder.verifier})
	return p
}

// TestExamplePolicy: the example accepts a good night.
func TestExamplePolicy(t *testing.T) {
	s := newScene(t)
	s.in.Policy = examplePolicy(t, s)
	then(protected(provenance.GradeLocked, s.in.Policy.Data[0].ProtectedUntil), reused(time.Hour), tied, measured(t, metric("auc", "0.8123")), ran(t, provenance.Matches),
		reviewed(t, ada, approves(grace)), deployedBy(joan))(s.night)
	s.attach(s.night)
	expect(t, s.decide(), Accepted)
}
