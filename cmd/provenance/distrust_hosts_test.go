package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIsAzures: a file can send a token to hosts that nobody but Azure has, and to nothing else that listens there.
func TestIsAzures(t *testing.T) {
	for uri, want := range map[string]bool{
		"https://adb-1.2.azuredatabricks.net":                             true,
		"https://adb-1.2.azuredatabricks.net/":                            true,
		"https://ADB-1.2.AzureDatabricks.net:443":                         true,
		"https://adb-1.2.databricks.azure.us":                             true,
		"azureml://westeurope.api.azureml.ms/mlflow/v1.0/x":               true,
		"azureml://w.workspace.westeurope.api.azureml.ms:443/mlflow/v1.0": true,
		"azureml://chinaeast2.api.ml.azure.cn/mlflow/v1.0/x":              true,
		"https://adb-1.2.azuredatabricks.net:8443":                        false,
		"https://adb-1.2.azuredatabricks.net:":                            false,
		"https://adb-1.2.azuredatabricks.net:0443":                        false,
		"https://ada:planted@adb-1.2.azuredatabricks.net":                 false,
		"https://ada@adb-1.2.azuredatabricks.net":                         false,
		"http://adb-1.2.azuredatabricks.net":                              false,
		"https://azuredatabricks.net":                                     false,
		"https://.azuredatabricks.net":                                    false,
		"https://azuredatabricks.net.example.com":                         false,
		"https://example.com/.azuredatabricks.net":                        false,
		"azureml://example.com/mlflow/v1.0/x":                             false,
		"azureml://westeurope.api.azureml.ms.example.com/mlflow":          false,
		"azureml://westeurope.api.azureml.ms:8443/mlflow":                 false,
		"azureml://ada:planted@westeurope.api.azureml.ms/mlflow":          false,
		"azureml://api.azureml.ms/mlflow":                                 false,
		"azureml://adb-1.2.azuredatabricks.net/mlflow":                    false,
		"azureml:westeurope.api.azureml.ms":                               false,
		"azureml://":                                                      false,
		"://":                                                             false,
	} {
		if got := isAzures(uri); got != want {
			t.Errorf("%s: %t", uri, got)
		}
	}
}

// TestFileNamesForeignHosts: such a host in a file is refused, and no password of it is shown.
func TestFileNamesForeignHosts(t *testing.T) {
	for _, line := range []string{"databricks-host: https://adb-1.2.azuredatabricks.net:8443", "databricks-host: https://ada:planted@adb-1.2.azuredatabricks.net",
		"mlflow-uri: azureml://example.com/mlflow/v1.0/x", "mlflow-uri: azureml://ada:planted@westeurope.api.azureml.ms/mlflow"} {
		file := filepath.Join(t.TempDir(), "provenance.yaml")
		if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		st := run(t.Context(), []string{"provenance", "record", "--config", file, "--image", "oci:image:1", "--key", "cosign.key"},
			process{Stdout: io.Discard, Stderr: &stderr, LookupEnv: func(string) (string, bool) { return "", false }})
		if text := stderr.String(); st != statusMisused || !strings.Contains(text, "a file cannot send a token there") || strings.Contains(text, "planted") {
			t.Errorf("%s: status %d, %s", line, st, text)
		}
	}
}
