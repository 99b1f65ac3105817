package main

import (
	"os"

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
