package verify

import (
	"context"
	"testing"
)

// TestWhatAsksForASignatureIsNotTried: nobody signed what is tried, so that a rule about the signer is neither true nor false of it.
func TestWhatAsksForASignatureIsNotTried(t *testing.T) {
	for expression, want := range map[string]State{
		`signer.name == "cosign.pub"`:                  NotTested,
		`signer.name != "stolen.pub"`:                  NotTested,
		`record.commit.dirty || has(signer.identity)`:  NotTested,
		`record.data.all(f, f.newest < signedAt)`:      NotTested,
		`repository == "contoso.azurecr.io/mortgage"`:  Holds,
		`image == record.image.digest && now == now`:   Holds,
		`record.data.exists(s, s.role == "test")`:      Broken,
		`record.mlflow.runId == "4be1"`:                Unknown,
		`record.data.all(one, one.role != "signedAt")`: Holds,
	} {
		p := policyOf(t, "version: 1\nrules: [{name: a, message: m, expression: '"+expression+"'}]")
		trial, err := Try(context.Background(), p, goodNight(t).payload(t), at(24, 0))
		must(t, err)
		for _, o := range trial.Rules {
			if o.Rule == "rule.a" && o.State != want {
				t.Errorf("%s: %s, want %s", expression, o.State, want)
			}
		}
	}
}
