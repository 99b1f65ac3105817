package main

import (
	"time"

	"github.com/seed-3480f271/provenance/provenance/report"
	"github.com/seed-3480f271/provenance/provenance/verify"
	"github.com/urfave/cli/v2"
)

func showCommand(p process) *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "what is attached to an image, by whom, and whether it verifies; it decides nothing",
		ArgsUsage: "IMAGE",
		Flags: []cli.Flag{
			keyFlag(), identityFlag(), identityPatternFlag(), issuerFlag(), trustedRootFlag(),
			&cli.StringFlag{Name: "platform", Usage: "only this `PLATFORM` of the image, such as linux/amd64"},
			cloudFlag(), formatFlag("text", "json", "markdown"),
		},
		Action: p.action(1, show),
	}
}

func show(j *job) error {
	format, err := j.format("text", "json", "markdown")
	if err != nil {
		return err
	}
	in := verify.Input{Now: time.Now().UTC(), Reference: j.c.Args().First()}
	if in.Trust.Verifiers, err = j.believed(); err != nil {
		return err
	}
	if in.Trust.Root, err = j.trustedRoot(); err != nil {
		return err
	}
	in.Builders = in.Trust.Verifiers
	img, err := j.candidates(&in)
	if err != nil {
		return err
	}
	in.Members = img.Members
	listing := report.Listing{Image: in.Image, Repository: in.Repository, Reference: in.Reference, Attestations: verify.List(j.ctx, in)}
	switch format {
	case "json":
		return report.ListJSON(j.Stdout, listing)
	case "markdown":
		return report.ListMarkdown(j.Stdout, listing)
	}
	return report.ListText(j.Stdout, listing, report.Options{Color: j.color})
}
