package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/seed-3480f271/provenance/provenance/provtest"
)

// TestMain lets the scripts run this very program, and its own main, as "provenance".
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"provenance": main})
}

// TestScripts runs one script for each promise of the README. Beside testscript's own commands there are:
//
//	status N COMMAND ARG...             the exact exit status of a program
//	registry VAR referrers|plain|distribution   starts a registry and sets VAR to its host
//	mkimage REF [-platform P] FILE=PATH... [layer FILE=PATH...]   writes an image; .wh. names remove files of earlier layers
//	databricks VAR                      starts a Databricks workspace and sets VAR to its URL; run 4 begins now
//	mlflow VAR SCRIPT ARG...            starts an MLflow server, fills it with a Python script, and sets VAR to its URL, and what the
//	                                    script says in a JSON object on its last line
//	azurite VAR                         starts the storage emulator and sets VAR to its account's URL
//	upload URL CONTAINER PREFIX DIR     puts a folder into a container of it
//	vault VAR FILE                      starts a Key Vault, sets VAR to its key, and writes the public half
//	azure WHAT ARG...                   a double of Azure; see azure_test.go
//	services WHAT ARG...                doubles of everything that record asks; see services_test.go
//	sigstore WHAT ARG...                a real Fulcio, timestamp authority and Rekor; see sigstore_test.go
//	digest VAR REF                      sets VAR to the digest of an image
//	edit FILE OLD NEW                   replaces text in a file, which must be there
//
// DELTALAKE is the folder of the deltalake package, for PYTHONPATH.
func TestScripts(t *testing.T) {
	tools := ""
	for _, tool := range []string{"cosign-v2", "cosign-v3", "crane"} {
		tools += filepath.Dir(provtest.Path(t, tool)) + string(os.PathListSeparator)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", tools+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("DELTALAKE", provtest.Path(t, "deltalake"))
			env.Setenv("COSIGN_PASSWORD", "correct horse")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": scriptStatus, "registry": scriptRegistry, "mkimage": scriptImage, "digest": scriptDigest,
			"databricks": scriptDatabricks, "azurite": scriptAzurite, "upload": scriptUpload, "vault": scriptVault, "edit": scriptEdit,
			"azure": scriptAzure, "mlflow": scriptMLflow, "services": scriptServices, "sigstore": scriptSigstore,
		},
	})
}

// scriptTB is the part of testing.TB that servers need; a script's T has no Cleanup of its own.
type scriptTB struct {
	testing.TB
	ts *testscript.TestScript
}

func (s scriptTB) TempDir() string {
	dir, err := os.MkdirTemp(s.ts.MkAbs("."), "server-")
	s.ts.Check(err)
	return dir
}

func (s scriptTB) Cleanup(f func())                  { s.ts.Defer(f) }
func (s scriptTB) Fatalf(format string, args ...any) { s.ts.Fatalf(format, args...) }
func (s scriptTB) Fatal(args ...any)                 { s.ts.Fatalf("%s", fmt.Sprint(args...)) }
func (s scriptTB) Logf(format string, args ...any)   { s.ts.Logf(format, args...) }
func (s scriptTB) Errorf(format string, args ...any) { s.ts.Fatalf(format, args...) }
func (s scriptTB) Failed() bool                      { return false }
func (s scriptTB) Helper()                           {}

func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	ts.Logf("[stdout]\n%s[stderr]\n%s", ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func scriptRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: registry VAR referrers|plain|distribution")
	}
	ts.Setenv(args[0], startRegistry(scriptTB{ts: ts}, args[1]))
}

func scriptEdit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
}
