package main

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/report"
	"github.com/seed-3480f271/provenance/provenance/sign"
	"github.com/seed-3480f271/provenance/provenance/storage"
	"github.com/urfave/cli/v2"
)

func digestCommand(p process) *cli.Command {
	return &cli.Command{
		Name:      "digest",
		Usage:     "a folder's manifest and dirHash; or one shard of it, or its listing before training, for `record`",
		ArgsUsage: "FOLDER…, or with --merge FILE…",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Usage: "write a digest `FILE`, for --merge and for `record --manifest`"},
			&cli.StringFlag{Name: "manifest", Usage: "write the plain manifest, HEX  PATH, to `FILE`; - is stdout, in place of the result"},
			&cli.StringFlag{Name: "shard", Usage: "hash only the shard `I/N` of the files, from 1/N to N/N"},
			&cli.BoolFlag{Name: "merge", Usage: "put the shards in FILE… together"},
			&cli.StringFlag{Name: "listing", Usage: "hash nothing: write the listing to `FILE`, before training, for `record --listing`"},
			&cli.StringFlag{Name: "key", Usage: "seal what is written with the key `REF`: a cosign key file, env://VAR or azurekms://VAULT.vault.azure.net/KEY"},
			stateFlag(), workersFlag(), cloudFlag(), formatFlag("text", "json"),
		},
		Action: p.action(atLeastOne, digest),
	}
}

func stateFlag() cli.Flag {
	return &cli.StringFlag{Name: "state", Usage: "keep in `DIR` what was hashed, so that an interrupted run goes on where it was; its digests are then declared, not observed"}
}

func workersFlag() cli.Flag {
	return &cli.IntFlag{Name: "workers", Usage: "read `N` files at a time (default: for Azure four for each core, at least 8; for local folders one for each core)"}
}

// digester is one run of digest.
type digester struct {
	*job
	format string
	shard  folder.Shard
	key    *sign.Key // nil: nothing is sealed
}

func digest(j *job) error {
	j.collect(collectOften)
	d := &digester{job: j}
	var err error
	if d.format, err = j.format("text", "json"); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	if j.workers, err = workers(j.c.Int("workers")); err != nil {
		return err
	}
	if ref := j.c.String("key"); ref == sign.Keyless {
		return provenance.Misuse("seal with a key: a cosign key file, env://VAR or azurekms://VAULT.vault.azure.net/KEY",
			"--key keyless does not seal: a seal is opened with its key, and that one would be gone")
	} else if ref != "" {
		if d.key, err = sign.Load(j.ctx, ref, sign.Options{Getenv: j.getenv, Password: j.password}); err != nil {
			return err
		}
	}
	if j.c.Bool("merge") {
		return d.merge(j.c.Args().Slice())
	}
	return d.folders(j.c.Args().Slice())
}

// check refuses flags that contradict each other.
func (d *digester) check() error {
	c := d.c
	writes := c.IsSet("output") || c.IsSet("listing")
	switch {
	case c.IsSet("merge") && (c.IsSet("shard") || c.IsSet("listing") || c.IsSet("state")):
		return provenance.Misuse("", "--merge reads no folder, so it takes no --shard, --listing or --state")
	case c.IsSet("listing") && (c.IsSet("shard") || c.IsSet("output") || c.IsSet("manifest") || c.IsSet("state")):
		return provenance.Misuse("", "--listing hashes nothing, so it takes no --shard, --output, --manifest or --state")
	case c.IsSet("shard") && !c.IsSet("output"):
		return provenance.Misuse("give --output", "a shard is of no use unless it is written to a file")
	case c.IsSet("shard") && c.IsSet("manifest"):
		return provenance.Misuse("--merge writes it, from all shards", "a shard has no manifest of the folder")
	case c.String("output") == "-" || c.String("listing") == "-":
		return provenance.Misuse("name a file; only --manifest - writes to stdout", "a digest file does not go to stdout")
	case c.IsSet("output") && c.IsSet("manifest") && (samePath(c.String("output"), c.String("manifest")) || samePath(c.String("output")+sealSuffix, c.String("manifest"))):
		return provenance.Misuse("give two names", "--output and --manifest would write the same file")
	case c.IsSet("key") && !writes:
		return provenance.Misuse("give --output or --listing", "--key seals what is written, and nothing is")
	case (writes || c.IsSet("manifest")) && !c.Bool("merge") && c.Args().Len() > 1:
		return provenance.Misuse("run once for each folder", "several folders do not go into one file")
	}
	if !c.IsSet("shard") {
		return nil
	}
	var err error
	d.shard, err = folder.ParseShard(c.String("shard"))
	return err
}

func workers(n int) (int, error) {
	if n < 0 || n > storage.MaxWorkers {
		return 0, provenance.Misuse("", "--workers is %d; it is between 1 and %d", n, storage.MaxWorkers)
	}
	return n, nil
}

// folders digests the folders, one after the other: each is read by several workers.
func (d *digester) folders(uris []string) error {
	digested, err := d.each(uris)
	if err != nil {
		return err
	}
	if state := d.c.String("state"); state != "" {
		if err := folder.ClearState(state); err != nil {
			return err
		}
	}
	return d.print(digested)
}

// each digests one folder after the other, and tells how far it is.
func (d *digester) each(uris []string) (digested []report.Digested, err error) {
	defer d.startProgress()()
	for _, uri := range uris {
		done, err := d.folder(uri)
		if err != nil {
			return nil, err
		}
		digested = append(digested, done)
	}
	return digested, nil
}

// folder digests one folder, or lists it.
func (d *digester) folder(uri string) (report.Digested, error) {
	f, err := d.openData(d.ctx, uri, time.Time{})
	if err != nil {
		return report.Digested{}, err
	}
	if err := d.outside(f.URI()); err != nil {
		return report.Digested{}, err
	}
	o, err := d.folderOptions(f.URI())
	if err != nil {
		return report.Digested{}, err
	}
	o.State, o.Shard, o.Settle = d.c.String("state"), d.shard, d.c.IsSet("key")
	if file := d.c.String("listing"); file != "" {
		return d.list(f, o, file)
	}
	result, err := folder.Hash(d.ctx, f.Folder, o)
	if err != nil {
		return report.Digested{}, err
	}
	for _, warning := range result.Warnings {
		o.Warn(warning)
	}
	done, err := d.write(result)
	if f.table != nil {
		version := f.table.Noun()
		done.Delta = &version
	}
	return done, err
}

// samePath tells whether two names are of one file.
func samePath(a, b string) bool {
	x, okX := realPath(a)
	y, okY := realPath(b)
	return okX && okY && x == y
}

// realPath is where a name leads to, links resolved as far as there is something. A .. out of a link is what it is for the system,
// so nothing is made clean before.
func realPath(name string) (string, bool) {
	if !filepath.IsAbs(name) {
		here, err := os.Getwd()
		if err != nil {
			return "", false
		}
		name = here + string(filepath.Separator) + name
	}
	for dir, rest := name, ""; ; {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest), true
		}
		parent, last := filepath.Split(strings.TrimRight(dir, string(filepath.Separator)))
		if parent == "" || parent == dir {
			return "", false
		}
		dir, rest = parent, filepath.Join(last, rest)
	}
}

// outside refuses to write into the folder that is read: it would be another one at once.
func (d *digester) outside(uri string) error {
	for _, flag := range []string{"output", "manifest", "listing", "state"} {
		if name := d.c.String(flag); name != "" && name != "-" && inFolder(name, uri) {
			return provenance.Misuse("name a place outside of it", "--%s %s lies in the folder that is read", flag, name)
		}
	}
	return nil
}

// inFolder tells whether a path lies in a local folder, links resolved.
func inFolder(name, folder string) bool {
	if strings.Contains(folder, "://") {
		return false
	}
	real, ok := realPath(name)
	if !ok {
		return false
	}
	rest, err := filepath.Rel(filepath.FromSlash(folder), real)
	return err == nil && filepath.IsLocal(rest)
}

// list writes a listing.
func (d *digester) list(f openFolder, o folder.Options, file string) (report.Digested, error) {
	l, err := folder.TakeListing(d.ctx, f.Folder, o)
	if err != nil {
		return report.Digested{}, err
	}
	if was, err := os.Lstat(file); err == nil { // it may be the only one from before training
		d.say("warning: %s was there, of %s, and is replaced", file, was.ModTime().UTC().Format(time.RFC3339))
	}
	done := report.Digested{URI: l.URI, Shard: "listing", Listing: l.Digest, Files: l.Files, Bytes: l.Bytes, Entries: l.Files, Output: file}
	return d.sealed(done, l.Write)
}

// write writes what was asked for of a result.
func (d *digester) write(r *folder.Result) (report.Digested, error) {
	done := report.Digested{URI: r.URI, Digest: r.Digest, Listing: r.Listing, Files: r.Files, Bytes: r.Bytes, Entries: r.Entries,
		Newest: r.Newest, Resumed: r.Resumed, Output: d.c.String("output")}
	if d.shard.N > 1 {
		done.Shard = d.shard.String()
	}
	if name := d.c.String("manifest"); name != "" {
		if err := d.writeManifest(name, r.Manifest()); err != nil {
			return done, err
		}
	}
	if done.Output == "" {
		return done, nil
	}
	return d.sealed(done, func(w io.Writer) error { return folder.WriteDigestFile(w, r) })
}

// writeManifest copies the manifest to a file, or to stdout. There nothing in it can command a terminal or an agent: names
// that could are not printed as they are.
func (d *digester) writeManifest(name string, manifest provenance.Stored) error {
	text, err := manifest.Open()
	if err != nil {
		return err
	}
	defer text.Close() // was read only
	if name == "-" {
		_, err = io.Copy(d.Stdout, text)
		return err
	}
	return createWith(name, func(w io.Writer) error {
		_, err := io.Copy(w, text)
		return err
	})
}

// sealed writes a digest file, and its seal if there is a key.
func (d *digester) sealed(done report.Digested, write func(io.Writer) error) (report.Digested, error) {
	hash := sha256.New()
	err := createWith(done.Output, func(w io.Writer) error { return write(io.MultiWriter(w, hash)) })
	if err != nil {
		return done, err
	}
	if d.key == nil {
		return done, removeSeal(done.Output)
	}
	done.SealedBy = d.key.Fingerprint()
	return done, d.writeSeal(d.key, done.Output, provenance.DigestOf(provenance.SHA256, [sha256.Size]byte(hash.Sum(nil))))
}

// merge puts shards together. With a key, every shard has to be sealed with it: else its seal would vouch for what somebody
// wrote.
func (d *digester) merge(parts []string) error {
	m, err := d.mergeParts(d.ctx, parts)
	if err != nil {
		return err
	}
	if d.key == nil {
		sealed, err := unopenedSeals(m.Parts)
		if err != nil {
			return err
		}
		if len(sealed) > 0 {
			d.say("warning: nobody checked who sealed %s: give --key, with which the whole is sealed, too", strings.Join(sealed, ", "))
		}
	} else {
		by, err := sealsOf(m.Parts, d.key)
		if err != nil {
			return err
		}
		if by == "" {
			return provenance.Refuse("data.seal", "seal each shard with --key, or merge without", "no part has a seal, so the whole cannot get one")
		}
	}
	done, err := d.write(m.Result)
	if err != nil {
		return err
	}
	return d.print([]report.Digested{done})
}

// createWith writes a file that the user named. A file that was there before is replaced when the new one is complete; nothing
// else is replaced, and no link is followed.
func createWith(name string, write func(io.Writer) error) error {
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return provenance.Misuse("name a file", "%s is there, and is no file", name)
	}
	dir, base := filepath.Split(name) // as it is: the system, not a clean path, says where a .. leads to
	f, err := os.CreateTemp(cmp.Or(dir, "."), "."+base+"-*")
	if err != nil {
		return provenance.Misuse("", "%s cannot be written: %v", name, errors.Unwrap(err))
	}
	err = cmp.Or(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		f.Close() // may be closed already
		os.Remove(f.Name())
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// print writes the result.
func (d *digester) print(digested []report.Digested) error {
	if d.c.String("manifest") == "-" {
		return nil
	}
	if d.format == "json" {
		return report.DigestedJSON(d.Stdout, digested)
	}
	return report.DigestedText(d.Stdout, digested)
}
