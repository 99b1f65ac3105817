package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
)

func TestGoldenRecorded(t *testing.T) {
	a := attestation(t)
	done := Recorded{Record: a.Record, Statement: a.Statement, Signer: &envelope.Signer{Name: "cosign.key", Fingerprint: a.Signer.Fingerprint}}
	again, dry, stamped, keyless := done, done, done, done
	again.Again = true
	dry.Signer = nil
	stamped.Times = seenTimes()[:1]
	signer := pipelineSigner(t)
	keyless.Signer, keyless.Times = &signer, seenTimes()
	for name, r := range map[string]Recorded{"recorded": done, "recorded-again": again, "recorded-dry": dry, "recorded-stamped": stamped, "recorded-keyless": keyless} {
		for ending, render := range map[string]func(io.Writer, Recorded) error{
			"txt":  func(w io.Writer, r Recorded) error { return RecordedText(w, r, Options{}) },
			"json": RecordedJSON,
		} {
			var out bytes.Buffer
			if err := render(&out, r); err != nil {
				t.Fatal(err)
			}
			compare(t, name+"."+ending, out.String())
		}
	}
}

func TestStatementJSONCannotCommand(t *testing.T) {
	var out bytes.Buffer
	if err := StatementJSON(&out, []byte(`{"subject":"##vso[task.x]y"}`)); err != nil {
		t.Fatal(err)
	}
	if want := `{"subject":"\u0023\u0023vso[task.x]y"}` + "\n"; out.String() != want {
		t.Errorf("got %s want %s", out.String(), want)
	}
}

func TestError(t *testing.T) {
	secret := "sig=" + strings.Repeat("Ab", 16)
	err := provenance.WithHint(fmt.Errorf("list https://x/?%s: %w", secret, errors.New("denied\n##vso[task.complete]")), "ask for\x1b[31m rights")
	var out bytes.Buffer
	Error(&out, err)
	text := out.String()
	for _, bad := range []string{"AbAb", "##vso[", "\x1b"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is in %q", bad, text)
		}
	}
	if !strings.HasPrefix(text, "provenance: list https://x/?sig=[removed]: denied ") || !strings.Contains(text, "\nhint: ask for") || strings.Count(text, "\n") != 2 {
		t.Errorf("got %q", text)
	}
}
