package main

import (
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/seed-3480f271/provenance/provenance/provtest"
)

// sigstores are those that scripts have started.
var sigstores sync.Map // *testscript.TestScript: *provtest.Sigstore

// scriptSigstore is the command sigstore:
//
//	start                      runs Fulcio, a timestamp authority and Rekor, sets FULCIO, TSA, REKOR, ISSUER and IDENTITY, and writes
//	                           trusted-root.json; the jobs of services that run already get tokens of ISSUER
//	root FILE PART...          writes a trusted root of fulcio, tsa, rekor or ca=FILE
//	token [CLAIM[=VALUE]...]   sets SIGSTORE_ID_TOKEN to a job's token, with claims changed or removed
//	certify PUB URI CERT CHAIN writes a certificate of a new authority for a public key, and the authority's chain
//	secrets DIR...             fails when a token stands in a file below one of the folders, or in the last output
func scriptSigstore(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: sigstore start|root|token|certify|secrets ARG...")
	}
	tb := scriptTB{ts: ts}
	if args[0] == "start" {
		startSigstore(ts)
		return
	}
	running, started := sigstores.Load(ts)
	if !started {
		ts.Fatalf("no sigstore was started")
	}
	s := running.(*provtest.Sigstore)
	switch {
	case args[0] == "root" && len(args) > 2:
		s.TrustedRoot(tb, ts.MkAbs(args[1]), absolute(ts, args[2:])...)
	case args[0] == "token":
		ts.Setenv(idTokenVariable, s.Issuer.Token(tb, claimsOf(args[1:])))
	case args[0] == "certify" && len(args) == 5:
		certificate, chain := provtest.Certify(tb, []byte(ts.ReadFile(args[1])), args[2])
		ts.Check(os.WriteFile(ts.MkAbs(args[3]), certificate, 0o644))
		ts.Check(os.WriteFile(ts.MkAbs(args[4]), chain, 0o644))
	case args[0] == "secrets":
		refuseSecrets(ts, s.Issuer.Issued(), args[1:])
	default:
		ts.Fatalf("sigstore %v is not understood", args)
	}
}

// absolute names the files of ca=FILE by their whole path.
func absolute(ts *testscript.TestScript, parts []string) (out []string) {
	for _, p := range parts {
		if file, isCA := strings.CutPrefix(p, "ca="); isCA {
			p = "ca=" + ts.MkAbs(file)
		}
		out = append(out, p)
	}
	return out
}

// claimsOf reads NAME=VALUE, or NAME for one that is removed.
func claimsOf(args []string) map[string]any {
	claims := map[string]any{}
	for _, arg := range args {
		if name, value, has := strings.Cut(arg, "="); has {
			claims[name] = value
		} else {
			claims[name] = nil
		}
	}
	return claims
}

func startSigstore(ts *testscript.TestScript) {
	tb := scriptTB{ts: ts}
	s := provtest.StartSigstore(tb)
	sigstores.Store(ts, s)
	if running, started := services.Load(ts); started {
		s.Serve(tb, running.(*provtest.Services))
	}
	for name, value := range map[string]string{"FULCIO": s.FulcioURL, "TSA": s.TimestampURL, "REKOR": s.RekorURL, "ISSUER": s.Issuer.URL, "IDENTITY": provtest.Identity} {
		ts.Setenv(name, value)
	}
	s.TrustedRoot(tb, ts.MkAbs("trusted-root.json"))
}
