// Package provtest gives tests the real parts that they run against: other people's programs, which `make tools` builds, and
// doubles of the services that cannot run on a developer's machine. Everything listens on loopback only, and ends with
// its test.
package provtest

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"

	"github.com/seed-3480f271/provenance/provenance/internal/databricksdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/testtools"
	"github.com/seed-3480f271/provenance/provenance/internal/vaultdouble"
)

// Path is the executable of a tool: "cosign-v2", "cosign-v3", "crane", "registry". It fails the test when it is not there.
func Path(t testing.TB, tool string) string { return testtools.Path(t, tool) }

// Registry runs the distribution project's registry, which has no referrers API; the answer is its host.
func Registry(t testing.TB) string { return testtools.Registry(t) }

// Azurite runs the Azure Storage emulator; the answer is its account's URL.
func Azurite(t testing.TB) string { return testtools.Azurite(t) }

// MLflow runs a real MLflow server without a login, and a Python script with MLflow's own client for it; the answers are the server's URL,
// and what the script wrote to standard output.
func MLflow(t testing.TB, script string, args ...string) (url string, out []byte) {
	server := testtools.MLflow(t)
	return server.URL, server.Script(t, script, args...)
}

// DatabricksToken is what a double of Databricks accepts.
const DatabricksToken = databricksdouble.Token

// Databricks runs a double of a workspace with four runs: 1 succeeded, 2 failed, 3 is still running, and 4 succeeded and began
// when the double did.
func Databricks(t testing.TB) (url string) {
	now := time.Now().UnixMilli()
	return databricksdouble.New(t,
		databricksdouble.Run{ID: 1},
		databricksdouble.Run{ID: 2, Result: "FAILED"},
		databricksdouble.Run{ID: 3, State: "RUNNING"},
		databricksdouble.Run{ID: 4, Fields: map[string]any{"start_time": now, "end_time": now + 1}}).URL
}

// Vault runs a double of Azure Key Vault and Entra; the answers are a reference to its key, the public half, and the
// environment with which the real Azure SDK finds it.
func Vault(t testing.TB) (reference string, publicPEM []byte, env map[string]string) {
	v := vaultdouble.Start(t, vaultdouble.Config{})
	return v.Reference(), v.PublicPEM(t), v.Env()
}

// Upload puts blobs into a new container of the storage emulator.
func Upload(t testing.TB, accountURL, container string, blobs map[string][]byte) {
	t.Helper()
	credential, err := azblob.NewSharedKeyCredential(testtools.AzuriteAccount, testtools.AzuriteKey)
	if err != nil {
		t.Fatal(err)
	}
	client, err := azblob.NewClientWithSharedKeyCredential(accountURL, credential, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if _, err := client.CreateContainer(ctx, container, nil); err != nil {
		t.Fatal(err)
	}
	for name, data := range blobs {
		if _, err := client.UploadBuffer(ctx, container, name, data, nil); err != nil {
			t.Fatal(err)
		}
	}
}
