package main

import (
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// credential makes the Azure identity of this process when it is first needed.
func (j *job) credential() func() (azcore.TokenCredential, error) {
	return storage.NewCredential(j.getenv, "", transport())
}
