package main

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/seed-3480f271/provenance/provenance/image"
	"github.com/seed-3480f271/provenance/provenance/storage"
	"github.com/urfave/cli/v2"
)

// registryScope is the audience of Entra tokens for Azure Container Registry, in every cloud.
// Source: https://learn.microsoft.com/azure/container-registry/container-registry-authentication-managed-identity
const registryScope = "https://containerregistry.azure.net/.default"

func cloudFlag() cli.Flag {
	return &cli.StringFlag{Name: "cloud", Usage: "Azure `CLOUD`: public, china, usgovernment, or a storage suffix", Value: "public"}
}

// keychain is docker's own, and behind it, for registries of Azure, the Azure identity.
func (j *job) keychain() authn.Keychain {
	return authn.NewMultiKeychain(authn.DefaultKeychain, image.ACR(j.registryToken, transport()))
}

func (j *job) registryToken(ctx context.Context) (string, error) {
	credential, err := j.identity()
	if err != nil {
		return "", err
	}
	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{registryScope}})
	return token.Token, err
}

func (j *job) storageOptions() storage.Options {
	return storage.Options{
		NewCredential: j.identity, Transport: transport(), Cloud: j.c.String("cloud"), Workers: j.workers, Debug: j.debug(),
		SharedKey: func(string) string { return j.getenv("AZURE_STORAGE_KEY") },
	}
}

func (j *job) imageOptions(platform string) image.Options {
	return image.Options{
		Transport: transport(), Keychain: j.keychain(), Platform: platform,
		UserAgent: "provenance/" + version(), Debug: j.debug(),
	}
}
