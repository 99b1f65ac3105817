package main

import (
	"cmp"
	"context"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/sign"
	"github.com/seed-3480f271/provenance/provenance/source/azuredevops"
	"github.com/urfave/cli/v2"
)

// Flags of identities; cosign calls them the same.
func identityFlag() cli.Flag {
	return &cli.StringFlag{Name: "certificate-identity", Usage: "believe the signer whose certificate has this subject alternative `NAME`, exactly"}
}

func identityPatternFlag() cli.Flag {
	return &cli.StringFlag{Name: "certificate-identity-regexp", Usage: "the same for names that match this `RE` (RE2) from beginning to end"}
}

func issuerFlag() cli.Flag {
	return &cli.StringFlag{Name: "certificate-oidc-issuer", Usage: "`URL` of the issuer of the signer's OIDC token, exactly; left out for certificates of an authority of your own, which name none"}
}

func trustedRootFlag() cli.Flag {
	return &cli.StringFlag{Name: "trusted-root", Usage: "trusted root `FILE`: the authorities of certificates and timestamps, and the logs, that are believed"}
}

// signingFlags are those of record that say who signs, and who vouches for it.
func signingFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "key", Usage: "signing key `REF`: a cosign key file, env://VAR, azurekms://VAULT.vault.azure.net/KEY, or keyless"},
		&cli.StringFlag{Name: "certificate", Usage: "certificate `FILE` of the key, of an authority of your own: PEM, the leaf first"},
		&cli.StringFlag{Name: "fulcio-url", Usage: "`URL` of the Fulcio that certifies a keyless key, for the job's OIDC token or that in SIGSTORE_ID_TOKEN"},
		&cli.StringFlag{Name: "timestamp-url", Usage: "`URL` of an RFC 3161 timestamp authority, with its path, that says when the signature was there"},
		&cli.StringFlag{Name: "rekor-url", Usage: "`URL` of a transparency log, Rekor 2, that the signature is added to"},
		trustedRootFlag(),
	}
}

// hintTrustedRoot says where a trusted root comes from.
const hintTrustedRoot = "give --trusted-root FILE: `cosign trusted-root create` makes one of the certificates of your authorities"

// identities are the one of the flags, or none.
func (j *job) identities() ([]envelope.Verifier, error) {
	id := envelope.Identity{Issuer: j.c.String("certificate-oidc-issuer"), SAN: j.c.String("certificate-identity"), SANPattern: j.c.String("certificate-identity-regexp")}
	if id == (envelope.Identity{}) {
		return nil, nil
	}
	if id.SAN+id.SANPattern == "" {
		return nil, provenance.Misuse("give --certificate-identity, too", "--certificate-oidc-issuer is given alone: anybody whom the issuer knows would do")
	}
	if id.SAN != "" && id.SANPattern != "" {
		return nil, provenance.Misuse("leave one of them out", "--certificate-identity and --certificate-identity-regexp are both given")
	}
	if j.c.String("trusted-root") == "" {
		return nil, provenance.Misuse(hintTrustedRoot, "an identity is given, but no trusted root: anybody can make a certificate that names it")
	}
	v, err := envelope.NewIdentity(cmp.Or(id.SAN, id.SANPattern), id)
	return []envelope.Verifier{v}, err
}

// trustedRoot reads --trusted-root; nil when it is not given.
func (j *job) trustedRoot() (*envelope.TrustedRoot, error) {
	file := j.c.String("trusted-root")
	if file == "" {
		return nil, nil
	}
	data, err := readSmall(file, envelope.MaxTrustedRoot)
	if err != nil {
		return nil, err
	}
	return envelope.ParseTrustedRoot(file, data)
}

// signOptions are what the signing key needs. Who vouches for a signature, and who is believed, only flags say: a configuration file
// lies in the checkout, where whoever proposes a change can write. It could have the job's token sent anywhere, or choose an
// authority that certifies whoever made the digests of an earlier attestation.
func (r *recorder) signOptions() (o sign.Options, err error) {
	o = sign.Options{Getenv: r.getenv, Password: r.password, Token: r.idToken, Client: r.client(),
		FulcioURL: r.c.String("fulcio-url"), TimestampURL: r.c.String("timestamp-url"), RekorURL: r.c.String("rekor-url")}
	if o.Root, err = r.trustedRoot(); err != nil {
		return o, err
	}
	if r.cfg.Certificate != "" {
		o.Certificate, err = readSmall(r.cfg.Certificate, maxKey)
	}
	return o, err
}

// idTokenVariable is where other Sigstore tools, too, look for an OIDC token.
const idTokenVariable = "SIGSTORE_ID_TOKEN"

// idToken is the OIDC token for Fulcio: the job's own in Azure Pipelines, or else that of the variable: also there,
// with --azure-devops never.
func (r *recorder) idToken(ctx context.Context) (token string, err error) {
	switch uri := r.getenv("SYSTEM_OIDCREQUESTURI"); {
	case r.cfg.AzureDevOps != azureDevOpsNever && r.getenv("TF_BUILD") != "" && uri != "" && r.getenv("SYSTEM_ACCESSTOKEN") != "":
		token, err = r.jobToken(ctx, uri)
	default:
		token = r.getenv(idTokenVariable)
	}
	if err == nil && token == "" {
		err = provenance.Misuse("in Azure Pipelines, map $(System.AccessToken) to SYSTEM_ACCESSTOKEN in the step's env:; elsewhere put a token into "+idTokenVariable,
			"keyless needs an OIDC token, and there is none")
	}
	if err != nil {
		return "", err
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	r.issued = append(r.issued, token)
	return token, nil
}

// jobToken asks Azure DevOps. A token for a service connection would name that, and not the pipeline.
func (r *recorder) jobToken(ctx context.Context, uri string) (string, error) {
	d, err := r.azureDevOps()
	if err != nil {
		return "", err
	}
	d.OIDC = &azuredevops.OIDCRequest{URI: uri}
	return d.IDToken(ctx)
}
