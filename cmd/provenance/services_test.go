package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/seed-3480f271/provenance/provenance/provtest"
)

// scriptDatabricks is the command databricks: run 1 succeeded, 2 failed, 3 is still running.
func scriptDatabricks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: databricks VAR")
	}
	ts.Setenv(args[0], provtest.Databricks(scriptTB{ts: ts}))
	ts.Setenv("DATABRICKS_TOKEN", provtest.DatabricksToken)
}

// scriptMLflow is the command mlflow: the real server, filled by MLflow's own client.
func scriptMLflow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mlflow VAR SCRIPT ARG...")
	}
	url, out := provtest.MLflow(scriptTB{ts: ts}, ts.MkAbs(args[1]), args[2:]...)
	ts.Setenv(args[0], url)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var made map[string]string
	ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &made))
	for name, value := range made {
		ts.Setenv(name, value)
	}
}

// services are the doubles that scripts have started.
var services sync.Map // *testscript.TestScript: *provtest.Services

// scriptServices is the command services: "start COMMIT NOTEBOOK MODEL" runs doubles of all services and sets the variables of a job in
// their pipeline; "secrets DIR..." fails when a planted secret stands in a file below one of the folders, or in the last output.
func scriptServices(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case !neg && len(args) == 4 && args[0] == "start":
		commit := strings.TrimSpace(ts.ReadFile(args[1]))
		s := provtest.StartServices(scriptTB{ts: ts}, provtest.Night{Commit: commit, Notebook: ts.ReadFile(args[2]), Model: []byte(ts.ReadFile(args[3]))})
		services.Store(ts, s)
		for name, value := range s.Env(commit) {
			ts.Setenv(name, value)
		}
	case !neg && len(args) > 1 && args[0] == "secrets":
		s, started := services.Load(ts)
		if !started {
			ts.Fatalf("no services were started")
		}
		refuseSecrets(ts, s.(*provtest.Services).Secrets(), args[1:])
	default:
		ts.Fatalf("usage: services start COMMIT NOTEBOOK MODEL, or services secrets DIR...")
	}
}

// refuseSecrets fails when a secret stands in a file below one of the folders, or in the last output.
func refuseSecrets(ts *testscript.TestScript, secrets, dirs []string) {
	texts := map[string][]byte{"stdout": []byte(ts.ReadFile("stdout")), "stderr": []byte(ts.ReadFile("stderr"))}
	for _, dir := range dirs {
		maps.Copy(texts, filesUnder(ts, dir, dir))
	}
	for name, text := range texts {
		for _, secret := range secrets {
			if bytes.Contains(unpacked(text), []byte(secret)) {
				ts.Fatalf("%s holds the secret %s", name, secret)
			}
		}
	}
}

// unpacked is text, and after it what a DSSE envelope in it holds.
func unpacked(text []byte) []byte {
	var bundle struct {
		Payload      string
		DSSEEnvelope struct{ Payload string } `json:"dsseEnvelope"`
	}
	if json.Unmarshal(text, &bundle) != nil {
		return text
	}
	for _, payload := range []string{bundle.Payload, bundle.DSSEEnvelope.Payload} {
		if data, err := base64.StdEncoding.DecodeString(payload); err == nil {
			text = append(append(bytes.Clone(text), '\n'), data...)
		}
	}
	return text
}

// scriptAzurite is the command azurite.
func scriptAzurite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: azurite VAR")
	}
	ts.Setenv(args[0], provtest.Azurite(scriptTB{ts: ts}))
}

// scriptVault is the command vault: a Key Vault whose key is VAR, whose public half is written to FILE.
func scriptVault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: vault VAR FILE")
	}
	reference, public, env := provtest.Vault(scriptTB{ts: ts})
	ts.Setenv(args[0], reference)
	for name, value := range env {
		ts.Setenv(name, value)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), public, 0o644))
}

// scriptUpload is the command upload: a folder into a container of the storage emulator, under a prefix.
func scriptUpload(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: upload ACCOUNT-URL CONTAINER PREFIX DIR")
	}
	provtest.Upload(scriptTB{ts: ts}, args[0], args[1], filesUnder(ts, args[2], args[3]))
}
