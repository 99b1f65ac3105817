package main

import (
	"errors"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/report"
	"github.com/seed-3480f271/provenance/provenance/sign"
	"github.com/seed-3480f271/provenance/provenance/verify"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/urfave/cli/v2"
)

func policyCommand(p process) *cli.Command {
	return &cli.Command{
		Name:  "policy",
		Usage: "validate a policy, try it on a statement, or sign it",
		Subcommands: []*cli.Command{
			{Name: "check", Usage: "validate a policy file", ArgsUsage: "FILE", Action: p.action(1, checkPolicy), Flags: []cli.Flag{formatFlag("text", "json")}},
			{Name: "test", Usage: "try a policy on a statement, and show what each of its rules looks at; signatures are not looked at", ArgsUsage: "FILE", Action: p.action(1, testPolicy),
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "against", Usage: "`FILE` of a statement (record --statement), a DSSE envelope or a Sigstore bundle"},
					formatFlag("text", "json"),
				}},
			{Name: "sign", Usage: "sign a policy file: writes FILE.sigstore.json, for verify --policy-key", ArgsUsage: "FILE", Action: p.action(1, signPolicy),
				Flags: []cli.Flag{&cli.StringFlag{Name: "key", Usage: "signing key `REF`: a cosign key file, env://VAR or azurekms://VAULT.vault.azure.net/KEY"}}},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return provenance.Misuse("it knows check, test and sign", "there is no command %q of policy", c.Args().First())
			}
			return provenance.Misuse("`provenance policy check FILE`, test or sign", "policy does nothing by itself")
		},
	}
}

// maxPolicy bounds a policy file, in bytes.
const maxPolicy = 1 << 20

// readPolicy reads a policy, and the files that it names.
func readPolicy(file string) (*policy.Policy, []byte, error) {
	data, err := readSmall(file, maxPolicy)
	if err != nil {
		return nil, nil, err
	}
	p, err := parsePolicy(file, data)
	return p, data, err
}

// parsePolicy reads a policy without collecting garbage too often meanwhile: of many rules there is a lot, all at once.
func parsePolicy(file string, data []byte) (*policy.Policy, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(2 * collectLate))
	return policy.Parse(file, data, func(name string) ([]byte, error) { return readSmall(name, envelope.MaxTrustedRoot) })
}

// policy is the one that --policy names, if it is the one that the other flags want; nil when none is named. Nothing in the file is
// believed before its digest and signature are checked.
func (j *job) policy(now time.Time) (*policy.Policy, error) {
	file := j.c.String("policy")
	if file == "" {
		return nil, j.noPolicyFlags()
	}
	data, err := readSmall(file, maxPolicy)
	if err != nil {
		return nil, err
	}
	if err := j.wantDigest(file, data); err != nil {
		return nil, err
	}
	if err := j.wantSignature(file, data); err != nil {
		return nil, err
	}
	p, err := parsePolicy(file, data)
	if err != nil {
		return nil, err
	}
	if err := j.wantSerial(p); err != nil {
		return nil, err
	}
	if j.c.IsSet("policy-key") || j.c.IsSet("policy-digest") {
		if err := wantFiles(p); err != nil {
			return nil, err
		}
	}
	return p, inForce(p, now)
}

// noPolicyFlags refuses flags about a policy that is not there.
func (j *job) noPolicyFlags() error {
	for _, name := range []string{"policy-digest", "policy-key", "policy-serial"} {
		if j.c.IsSet(name) {
			return provenance.Misuse("give --policy FILE", "--%s is given, but no policy", name)
		}
	}
	return nil
}

func (j *job) wantDigest(file string, data []byte) error {
	asked := j.c.String("policy-digest")
	if asked == "" {
		return nil
	}
	want, err := provenance.ParseDigest(asked)
	if err != nil || want.Algorithm() != provenance.SHA256 {
		return provenance.Misuse("`sha256sum FILE` gives it; write sha256: before it", "--policy-digest %.80q is no sha256 digest", asked)
	}
	if found := provenance.SumSHA256(data); want != found {
		return provenance.Misuse("was the policy changed? whoever pinned it has to agree", "%s is %s, and --policy-digest wants %s", file, found, want)
	}
	return nil
}

// wantSerial refuses an older version of the policy, and a signed one that could be passed off for ever.
func (j *job) wantSerial(p *policy.Policy) error {
	least := j.c.Int64("policy-serial")
	switch {
	case j.c.IsSet("policy-key") && (p.Serial == 0 || p.Expires.IsZero()):
		return provenance.Misuse("write serial: and expires: into it, and sign it again", "%s has no serial or no expiry, which a signed policy needs", p.Name)
	case !j.c.IsSet("policy-serial"):
		return nil
	case least < 1:
		return provenance.Misuse("it is the least serial that is taken", "--policy-serial has to be a whole number from 1")
	case p.Serial == 0:
		return provenance.Misuse("write serial: into the policy", "%s has no serial, and --policy-serial wants at least %d", p.Name, least)
	case p.Serial < least:
		return provenance.Misuse("take the current version of the policy", "%s has the serial %d, and --policy-serial wants at least %d: it is an older version", p.Name, p.Serial, least)
	}
	return nil
}

// wantSignature checks the signature beside a policy.
func (j *job) wantSignature(file string, data []byte) error {
	ref := j.c.String("policy-key")
	if ref == "" {
		return nil
	}
	key, err := j.publicKey(ref)
	if err != nil {
		return err
	}
	bundle, err := readSmall(file+sealSuffix, envelope.MaxSize)
	if err != nil {
		return provenance.WithHint(err, "--policy-key wants a signature beside the policy: `provenance policy sign`, or `cosign sign-blob --bundle`")
	}
	_, err = envelope.Trust{Verifiers: []envelope.Verifier{key}}.OpenBlob(bundle, data)
	var refused *provenance.Refused
	if errors.As(err, &refused) { // about the policy, not about an image
		return provenance.Misuse("name the public key of whoever signs policies; whoever changed the file since has to have it signed again", "the signature of %s does not hold: %s", file, refused.Detail)
	}
	return err
}

// wantFiles refuses a policy that is pinned or signed, and names files of which it says no digest: a signature over their paths says
// nothing of what lies there.
func wantFiles(p *policy.Policy) error {
	paths, files := p.Unpinned()
	if paths == nil {
		return nil
	}
	return provenance.Misuse("write keys into the policy as PEM, or the digests of the files, of what lies there now: "+files,
		"%s names %s by path only, so that whoever can write there says who is believed, whoever signed the policy", p.Name, strings.Join(paths, ", "))
}

// inForce refuses a policy that has expired.
func inForce(p *policy.Policy, now time.Time) error {
	if p.Expires.IsZero() || now.Before(p.Expires) {
		return nil
	}
	return provenance.Misuse("take the current version of the policy, or have its owner prolong it", "%s expired on %s", p.Name, p.Expires.Format(time.DateOnly))
}

// checkPolicy is policy check.
func checkPolicy(j *job) error {
	format, err := j.format("text", "json")
	if err != nil {
		return err
	}
	p, _, err := readPolicy(j.c.Args().First())
	if err != nil {
		return err
	}
	if err := inForce(p, time.Now()); err != nil {
		return err
	}
	if p.NeedsRoot() && p.TrustedRoot == nil {
		j.say("note: it asks for identities, timestamps or logs and names no trustedRoot, so verify needs --trusted-root")
	}
	if format == "json" {
		return report.PolicyJSON(j.Stdout, p)
	}
	return report.PolicyText(j.Stdout, p)
}

// testPolicy is policy test.
func testPolicy(j *job) error {
	format, err := j.format("text", "json")
	if err != nil {
		return err
	}
	against := j.c.String("against")
	if against == "" {
		return provenance.Misuse("`provenance record --dry-run --statement FILE` writes one", "no statement is named: give --against FILE")
	}
	p, _, err := readPolicy(j.c.Args().First())
	if err != nil {
		return err
	}
	payload, err := readStatement(against)
	if err != nil {
		return err
	}
	trial, err := verify.Try(j.ctx, p, payload, time.Now().UTC())
	if err != nil {
		return err
	}
	trial.Against = against
	if format == "json" {
		err = report.TrialJSON(j.Stdout, trial)
	} else {
		err = report.TrialText(j.Stdout, trial, report.Options{Color: j.color})
	}
	if err != nil {
		return err
	}
	return verdictStatus(trial.Verdict)
}

// readStatement reads a statement, or takes it out of an envelope or bundle, whose signature is not looked at.
func readStatement(file string) ([]byte, error) {
	data, err := readSmall(file, envelope.MaxSize)
	if err != nil {
		return nil, err
	}
	if _, err := provenance.ParseHeader(data); err == nil {
		return data, nil
	}
	payload, err := envelope.UnverifiedPayloadOf(data)
	if err != nil {
		return nil, provenance.Misuse("`provenance record --dry-run --statement FILE` writes one", "%s is no statement, no DSSE envelope and no Sigstore bundle", file)
	}
	return payload, nil
}

// signPolicy is policy sign.
func signPolicy(j *job) error {
	file, ref := j.c.Args().First(), j.c.String("key")
	if ref == "" {
		return provenance.Misuse("`provenance keygen` makes one", "no key is named: give --key")
	}
	p, data, err := readPolicy(file)
	if err != nil {
		return err
	}
	if p.Serial == 0 || p.Expires.IsZero() {
		return provenance.Misuse("write serial: 1 and expires: with a date into it", "%s has no serial or no expiry, without which an old version could be passed off for ever", file)
	}
	if err := wantFiles(p); err != nil {
		return err
	}
	if err := inForce(p, time.Now()); err != nil {
		return err
	}
	key, err := sign.Load(j.ctx, ref, sign.Options{Getenv: j.getenv, Password: j.password})
	if err != nil {
		return err
	}
	bundle, err := key.SignBlob(j.ctx, data)
	if err != nil {
		return err
	}
	if err := writeFile(file+sealSuffix, bundle); err != nil {
		return err
	}
	j.say("wrote %s%s: %s, serial %d, signed with %s (%s)", file, sealSuffix, p.Digest, p.Serial, ref, key.Fingerprint())
	return nil
}
