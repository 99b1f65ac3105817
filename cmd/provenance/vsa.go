package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/image"
	"github.com/seed-3480f271/provenance/provenance/sign"
	"github.com/seed-3480f271/provenance/provenance/summary"
	"github.com/seed-3480f271/provenance/provenance/verify"
	"github.com/urfave/cli/v2"
)

// defaultVerifier is the verifier's id when nobody names the gate: only that it was this program. Who ran it, the key tells.
const defaultVerifier = "https://github.com/seed-3480f271/provenance/verify"

// policyBase, with the file's name as fragment, is the URI of a policy: its format, and what people call it. Which policy it was
// exactly, the digest says.
const policyBase = "https://github.com/seed-3480f271/provenance/spec/policy/v1"

func vsaFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "vsa", Usage: "when IMAGE is accepted by a policy, sign a SLSA verification summary and attach it"},
		&cli.StringFlag{Name: "vsa-key", Usage: "signing key `REF` for it: a cosign key file, env://VAR or azurekms://VAULT.vault.azure.net/KEY"},
		&cli.StringFlag{Name: "timestamp-url", Usage: "`URL` of an RFC 3161 timestamp authority for it, so that a later gate can tell its age; the trusted root has to name it"},
		&cli.StringFlag{Name: "vsa-verifier", Usage: "`URI` that names this gate in it (default: " + defaultVerifier + ")"},
	}
}

// summarizer signs what was decided, and attaches it to the image. A nil one does nothing.
type summarizer struct {
	*job
	verifier string
	load     func() (*sign.Key, error)
	key      *sign.Key
	keyErr   error // why there is no key
}

// summarizer is what --vsa asks for; nil when it does not.
func (j *job) summarizer(in verify.Input) (*summarizer, error) {
	key, id, stamps := j.c.String("vsa-key"), j.c.String("vsa-verifier"), j.c.String("timestamp-url")
	switch asked := j.c.Bool("vsa"); {
	case !asked && key+id+stamps != "":
		return nil, provenance.Misuse("add --vsa", "--vsa-key, --vsa-verifier and --timestamp-url say how a verification summary is signed, and none is asked for")
	case !asked:
		return nil, nil
	case j.c.String("bundle") != "":
		return nil, provenance.Misuse("verify in the registry, without --bundle", "--bundle asks no registry, so --vsa could not attach anything")
	case in.Policy == nil:
		return nil, provenance.Misuse("give --policy", "--vsa tells by which policy an image was accepted, and there is none")
	case key == "":
		return nil, provenance.Misuse("`provenance keygen` makes one; it should not be the key that signs in the build", "no key is named for --vsa: give --vsa-key")
	}
	if id == "" {
		id = defaultVerifier
	}
	if u, err := url.Parse(id); err != nil || !u.IsAbs() || u.User != nil {
		return nil, provenance.Misuse("such as https://dev.azure.com/contoso/Mortgage/release-gate", "--vsa-verifier %q is no URI that could name a verifier", id)
	}
	return &summarizer{job: j, verifier: id, load: j.loadKey(key, j.summaryOptions(in, stamps))}, nil
}

// summaryOptions are what the key of the summary needs: a timestamp has to be one that the decision's own trusted root would believe.
func (j *job) summaryOptions(in verify.Input, timestampURL string) sign.Options {
	o := sign.Options{Getenv: j.getenv, Password: j.password, Client: j.client(), TimestampURL: timestampURL}
	if timestampURL != "" {
		o.Root = in.Trust.Root
	}
	return o
}

// ready waits for the key. A key that cannot be one is told before anything is decided; a vault that does not answer is no reason
// to withhold the verdict.
func (s *summarizer) ready() error {
	if s == nil {
		return nil
	}
	s.key, s.keyErr = s.load()
	var misused *provenance.Misused
	if errors.As(s.keyErr, &misused) {
		return s.keyErr
	}
	return nil
}

// conclude signs and attaches a summary of a decision that accepts the image, and of no other. That it could not is undecided,
// whatever the cause: the image was accepted, and the next gate will not know.
func (s *summarizer) conclude(img *image.Image, in verify.Input, r verify.Result) error {
	if s == nil {
		return nil
	}
	if r.Verdict != verify.Accepted {
		s.say("no verification summary was signed: the image is %s", r.Verdict)
		return nil
	}
	payload, err := s.attach(img, in, r)
	if err != nil {
		return unsigned(err)
	}
	s.say("signed a verification summary with %s, attached it and read it back (statement %s)", s.c.String("vsa-key"), provenance.SumSHA256(payload))
	return nil
}

// attach answers with the statement that it signed.
func (s *summarizer) attach(img *image.Image, in verify.Input, r verify.Result) ([]byte, error) {
	if s.keyErr != nil {
		return nil, s.keyErr
	}
	s.warnOfOneKey(in)
	s.warnOfPaths(in.Policy)
	passed, err := s.summary(in, r)
	if err != nil {
		return nil, err
	}
	payload, err := passed.Bytes()
	if err != nil {
		return nil, err
	}
	if err := provenance.CheckSecrets("the verification summary", payload, s.secrets()...); err != nil {
		return nil, err
	}
	signed, err := s.key.Sign(s.ctx, payload)
	if err != nil {
		return nil, err
	}
	return payload, s.attachSigned(img, s.key, signed, summary.PredicateType)
}

// warnOfOneKey tells when whoever signs builds can sign summaries, too: then a summary is worth no more than the build's own word.
func (s *summarizer) warnOfOneKey(in verify.Input) {
	mine := s.key.Fingerprint()
	if slices.ContainsFunc(in.Trust.Verifiers, func(v envelope.Verifier) bool { return v.Fingerprint() == mine }) {
		s.say("warning: the key of the verification summary speaks for builds, too: the build could sign a summary itself\nhint: sign with a key that only this gate can use")
	}
}

// warnOfPaths tells when the policy's digest, which the summary has, does not tell who was believed.
func (s *summarizer) warnOfPaths(p *verify.Policy) {
	if paths, files := p.Unpinned(); paths != nil {
		s.say("warning: the verification summary names the policy by its digest, which says nothing of the files that the policy names: %s\nhint: write their digests into the policy: %s",
			strings.Join(paths, ", "), files)
	}
}

// unsigned is the error of an accepted image without its summary. It is neither a refusal nor a mistake of the caller any more.
func unsigned(err error) error {
	const what = "the image was accepted, but no verification summary is on it"
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", what, err)
	}
	out := fmt.Errorf("%s: %s", what, err.Error())
	for _, hint := range slices.Backward(provenance.Hints(err)) {
		out = provenance.WithHint(out, hint)
	}
	return out
}

// summary says what was decided. The time makes it another one at each run.
func (s *summarizer) summary(in verify.Input, r verify.Result) (summary.Summary, error) {
	inputs := inputAttestations(in, r)
	if len(inputs) == 0 {
		return summary.Summary{}, errors.New("the decision does not say on which attestation it rests")
	}
	policy := url.URL{Fragment: filepath.Base(r.PolicyName)}
	return summary.Summary{
		Subjects:          verifiedSubjects(r),
		Verifier:          summary.Verifier{ID: s.verifier, Version: map[string]string{"provenance": version()}},
		TimeVerified:      r.Time.Truncate(time.Millisecond),
		ResourceURI:       summary.ResourceURI(r.Repository, r.Image),
		Policy:            summary.Descriptor{URI: policyBase + policy.String(), Digest: provenance.Digests(r.PolicyDigest)},
		InputAttestations: inputs,
		Result:            summary.Passed,
		Levels:            []string{buildLevel(in.Policy)},
		SLSAVersion:       summary.SLSAVersion,
	}, nil
}

// buildLevel is what a decision by a policy lets one say of the build. A statement that is made and signed in a job of the team
// that builds is level 1 by the letter, whatever else holds: the next levels want the pipeline service itself to make it. And level 1
// only when the policy says which builders are believed, and by which keys: by any other, nobody looked who the builder was.
func buildLevel(p *verify.Policy) string {
	if len(p.Builders) > 0 {
		return summary.BuildLevel1
	}
	return summary.BuildUnevaluated
}

// verifiedSubjects are the image that was asked for, and, if it is the index that the accepted statement is about, its platforms:
// the registry was asked whether they are. Of an index that is only the parent of what was asked for, nothing is said.
func verifiedSubjects(r verify.Result) []summary.Subject {
	digests := []provenance.Digest{r.Image}
	if recorded := r.Attestation.Record.Image; recorded.Digest == r.Image {
		for _, p := range recorded.Platforms {
			if !slices.Contains(digests, p.Digest) {
				digests = append(digests, p.Digest)
			}
		}
	}
	var subjects []summary.Subject
	for _, d := range digests {
		subjects = append(subjects, summary.Subject{Name: r.Repository, Digest: provenance.Digests(d)})
	}
	return subjects
}

// inputAttestations are the accepted statement, and the other attestations that the policy asks for, once for each form that was opened: by the digest of the very bytes, under which
// the repository has them as a blob.
func inputAttestations(in verify.Input, r verify.Result) (inputs []summary.Descriptor) {
	used := map[[2]string]bool{{r.Attestation.Signer.Who(), r.Attestation.Statement.Hex()}: true}
	for _, o := range r.Others {
		used[[2]string{o.Signer.Who(), o.Statement.Hex()}] = true
	}
	for _, c := range in.Candidates {
		v := c.Verified
		if c.Err != nil || v.IsZero() || !used[[2]string{v.Signer().Who(), provenance.SumSHA256(v.Payload()).Hex()}] {
			continue
		}
		inputs = append(inputs, summary.Descriptor{URI: summary.ResourceURI(r.Repository, v.Digest()), Digest: provenance.Digests(v.Digest())})
	}
	return inputs
}
