package main

import (
	"context"
	"regexp"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/seed-3480f271/provenance/provenance"
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

// macro is what Azure Pipelines leaves in a variable when it does not know, or does not tell, the one that it was to be set to.
// Source: https://learn.microsoft.com/azure/devops/pipelines/process/variables#understand-variable-syntax
var macro = regexp.MustCompile(`^\$\([^)]+\)$`)

// checkCredentials refuses such a leftover in place of a credential: a service would call it wrong, and nobody would know why. The
// value is not shown.
func (p process) checkCredentials() error {
	for _, name := range append([]string{"MLFLOW_TRACKING_USERNAME", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"}, secretVariables...) {
		if macro.MatchString(p.getenv(name)) {
			return provenance.Misuse("set the pipeline's variable, or leave "+name+" out of the step's env:",
				"%s holds a macro of Azure Pipelines that was not replaced: the pipeline variable was not set, or is secret and must be mapped in env", name)
		}
	}
	return nil
}
