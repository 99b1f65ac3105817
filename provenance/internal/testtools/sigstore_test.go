package testtools

import (
	"testing"

	"github.com/seed-3480f271/provenance/provenance/internal/oidcdouble"
)

func TestSigstoreServers(t *testing.T) {
	fulcio, chain := Fulcio(t, oidcdouble.New(t).URL)
	tsa, tsaChain := Timestamps(t)
	rekor, key := Rekor(t)
	t.Log(fulcio, chain, tsa, tsaChain, rekor, key)
}
