package main

import (
	"cmp"
	"errors"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/image"
	"github.com/seed-3480f271/provenance/provenance/report"
	"github.com/seed-3480f271/provenance/provenance/sign"
	"github.com/seed-3480f271/provenance/provenance/verify"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/urfave/cli/v2"
)

func verifyCommand(p process) *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "the gate: accept an image, or refuse it with every reason",
		ArgsUsage: "IMAGE",
		Flags: append([]cli.Flag{
			keyFlag(), identityFlag(), identityPatternFlag(), issuerFlag(), trustedRootFlag(),
			&cli.StringFlag{Name: "policy", Usage: "policy `FILE`"},
			&cli.StringFlag{Name: "policy-digest", Usage: "take the policy only if its file has this `DIGEST`, sha256:HEX"},
			&cli.StringFlag{Name: "policy-key", Usage: "take the policy only if FILE.sigstore.json, signed with this public key `REF`, lies beside it"},
			&cli.Int64Flag{Name: "policy-serial", Usage: "take the policy only if its serial is at least `N`"},
			&cli.StringFlag{Name: "bundle", Usage: "verify this Sigstore bundle `FILE` for IMAGE, a digest, with no network at all"},
			&cli.StringFlag{Name: "platform", Usage: "only this `PLATFORM` of the image, such as linux/amd64"},
			&cli.StringFlag{Name: "recheck", Usage: "check the data folders again at their source: `MODE` none, listing or content", Value: "none"},
			workersFlag(), cloudFlag(), formatFlag(verdictFormats...),
		}, vsaFlags()...),
		Action: p.action(1, verifyImage),
	}
}

func keyFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "key", Usage: "public key `REF`, repeatable: a PEM file, env://VAR or azurekms://VAULT.vault.azure.net/KEY"}
}

// maxKey bounds a public key file.
const maxKey = 64 << 10

// verdictFormats are those of a verdict; the exit status is the same in each.
var verdictFormats = []string{"text", "json", "markdown", "junit"}

func verifyImage(j *job) error {
	debug.SetMemoryLimit(memoryGoal)
	format, err := j.format(verdictFormats...)
	if err != nil {
		return err
	}
	if j.workers, err = workers(j.c.Int("workers")); err != nil {
		return err
	}
	in, err := j.verifyInput()
	if err != nil {
		return err
	}
	vsa, err := j.summarizer(in)
	if err != nil {
		return err
	}
	img, err := j.candidates(&in)
	if err != nil {
		return err
	}
	if err := vsa.ready(); err != nil {
		return err
	}
	if img != nil {
		in.Members = img.Members
		in.Recheck = j.recheck(img)
	}
	result := verify.Decide(j.ctx, in)
	if err := j.printVerdict(format, result); err != nil {
		return err
	}
	if err := vsa.conclude(img, in, result); err != nil {
		return err
	}
	return verdictStatus(result.Verdict)
}

func (j *job) printVerdict(format string, result verify.Result) error {
	switch format {
	case "json":
		return report.JSON(j.Stdout, result)
	case "markdown":
		return report.Markdown(j.Stdout, result)
	case "junit":
		return report.JUnit(j.Stdout, result)
	}
	return report.Text(j.Stdout, result, report.Options{Color: j.color})
}

// verdictStatus is the exit status of a verdict, whatever the format it was printed in.
func verdictStatus(v verify.Verdict) error {
	switch v {
	case verify.Accepted:
		return nil
	case verify.Refused:
		return exitError{statusRefused}
	}
	return exitError{statusUndecided}
}

// verifyInput is what the flags say: keys, policy, mode.
func (j *job) verifyInput() (verify.Input, error) {
	in := verify.Input{Now: time.Now().UTC(), Reference: j.c.Args().First()}
	var err error
	if in.RecheckMode, err = policy.ParseMode(j.c.String("recheck")); err != nil {
		return in, err
	}
	if in.Policy, err = j.policy(in.Now); err != nil {
		return in, err
	}
	believed, err := j.believed()
	if err != nil {
		return in, err
	}
	root, err := j.trustedRoot()
	if err != nil {
		return in, err
	}
	in.Trust, in.Builders, err = verify.Believe(in.Policy, believed, root)
	return in, err
}

// believed are the keys of --key, and the identity of --certificate-identity.
func (j *job) believed() ([]envelope.Verifier, error) {
	keys, err := j.publicKeys()
	if err != nil {
		return nil, err
	}
	identities, err := j.identities()
	return append(keys, identities...), err
}

// publicKeys are those of --key.
func (j *job) publicKeys() ([]envelope.Verifier, error) {
	var keys []envelope.Verifier
	for _, ref := range j.c.StringSlice("key") {
		key, err := j.publicKey(ref)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (j *job) publicKey(ref string) (envelope.Verifier, error) {
	if ref == sign.Keyless {
		return envelope.Verifier{}, provenance.Misuse("give --certificate-identity, --certificate-oidc-issuer and --trusted-root", "--key keyless names no key: what verifies is whom the certificate names")
	}
	if variable, found := strings.CutPrefix(ref, "env://"); found {
		if j.getenv(variable) == "" {
			return envelope.Verifier{}, provenance.Misuse("put the content of cosign.pub into the variable", "%s: the variable is not set", ref)
		}
		return envelope.ParsePublicKey(ref, []byte(j.getenv(variable)))
	}
	if strings.Contains(ref, "://") {
		key, err := sign.Load(j.ctx, ref, sign.Options{Getenv: j.getenv})
		if err != nil {
			return envelope.Verifier{}, err
		}
		return envelope.ParsePublicKey(ref, key.PublicPEM())
	}
	data, err := readSmall(ref, maxKey)
	if err != nil {
		return envelope.Verifier{}, err
	}
	return envelope.ParsePublicKey(ref, data)
}

// candidates fetches everything that is attached and opens it. With --bundle it asks nobody, and there is no image.
func (j *job) candidates(in *verify.Input) (*image.Image, error) {
	if file := j.c.String("bundle"); file != "" {
		return nil, j.savedBundle(in, file)
	}
	img, err := image.Resolve(j.ctx, in.Reference, j.imageOptions(j.c.String("platform")))
	if err != nil {
		return nil, err
	}
	noun := img.Noun()
	in.Image, in.Repository = noun.Digest, noun.Repository
	in.FetchError = img.EachAttestation(j.ctx, func(f image.Found) { // what does not open is not kept: a registry can hold much of that
		c := verify.Candidate{Where: f.Where, Form: f.Form, Err: f.Err}
		if c.Err == nil {
			c.Verified, c.Err = in.Trust.Open(f.Bytes)
			c.Claims = claims(f.Bytes, c.Err)
		}
		in.Candidates = append(in.Candidates, c)
	})
	return img, nil
}

// maxClaims is how large something may be for its kind to be looked up, in bytes.
const maxClaims = 1 << 20

// claims is the predicateType that something says it has which nobody who is believed signed; empty when it says none.
func claims(data []byte, err error) string {
	var refused *provenance.Refused
	if !errors.As(err, &refused) || len(data) > maxClaims {
		return ""
	}
	payload, err := envelope.UnverifiedPayloadOf(data)
	if err != nil {
		return ""
	}
	header, err := provenance.ParseHeader(payload)
	if err != nil {
		return ""
	}
	return header.PredicateType
}

// savedBundle opens a file instead. The image must be named by digest: nobody is asked what a tag means.
func (j *job) savedBundle(in *verify.Input, file string) error {
	repository, digest, found := strings.Cut(strings.TrimPrefix(in.Reference, "oci:"), "@")
	var err error
	if in.Image, err = provenance.ParseDigest(digest); !found || err != nil || in.Image.Algorithm() != provenance.SHA256 {
		return provenance.Misuse("write REPOSITORY@sha256:HEX", "--bundle asks no registry, so the image must be named by its digest, not as %q", in.Reference)
	}
	in.Repository = repository
	data, err := readSmall(file, envelope.MaxSize)
	if err != nil {
		return err
	}
	verified, err := in.Trust.Open(data)
	in.Candidates = []verify.Candidate{{Where: file, Form: cmp.Or(verified.Form(), envelope.FormBundle), Verified: verified, Err: err}}
	return nil
}

// formatFlag is --format with its values.
func formatFlag(formats ...string) cli.Flag {
	return &cli.StringFlag{Name: "format", Usage: "`FORMAT` of the result: " + strings.Join(formats, ", "), Value: formats[0]}
}

// format is the value of --format, which must be one of those.
func (j *job) format(formats ...string) (string, error) {
	got := j.c.String("format")
	for _, f := range formats {
		if got == f {
			return f, nil
		}
	}
	return "", provenance.Misuse("use one of: "+strings.Join(formats, ", "), "there is no format %q", got)
}
