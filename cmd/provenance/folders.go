package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/folder/delta"
	"github.com/seed-3480f271/provenance/provenance/storage"
	"golang.org/x/sync/errgroup"
)

// askedFolder is a data folder that was asked for.
type askedFolder struct{ role, uri string }

// askedFolders are those of --data and of --data-list.
func (cfg config) askedFolders() ([]askedFolder, error) {
	asked := cfg.Data
	if cfg.DataList != "" {
		data, err := readSmall(cfg.DataList, maxConfig)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				asked = append(asked, line)
			}
		}
		if len(asked) == len(cfg.Data) {
			return nil, provenance.Misuse("", "%s names no folder", cfg.DataList)
		}
	}
	var folders []askedFolder
	for _, a := range asked {
		folders = append(folders, parseData(a))
	}
	return folders, nil
}

// parseData reads [ROLE=]URI. An equals sign further inside belongs to the URI.
func parseData(s string) askedFolder {
	role, uri, found := strings.Cut(s, "=")
	if !found || strings.ContainsAny(role, "/:.\\?") {
		return askedFolder{"train", s}
	}
	return askedFolder{role, uri}
}

// openFolder is a data folder, ready to be read.
type openFolder struct {
	storage.Folder
	base  storage.Folder // the same; of a Delta table all of its folder
	table *delta.Table   // nil: it is none
}

// openData opens a folder, or one version of the Delta table that lies there: the version that the URI names, or else the one
// that was current at a time, or now.
func (j *job) openData(ctx context.Context, uri string, at time.Time) (openFolder, error) {
	clean, version, named, err := storage.SplitDelta(uri)
	if err != nil {
		return openFolder{}, err
	}
	base, err := storage.Open(ctx, clean, j.storageOptions())
	if err != nil {
		return openFolder{}, err
	}
	which := delta.At{Before: at}
	if named {
		which = delta.At{Version: &version}
	} else if isTable, err := delta.Is(ctx, base); err != nil || !isTable {
		return openFolder{Folder: base, base: base}, err
	}
	dir, err := j.scratch.sub()
	if err != nil {
		return openFolder{}, err
	}
	table, err := delta.Open(ctx, base, which, dir)
	if err != nil {
		return openFolder{}, err
	}
	for _, warning := range table.Warnings() {
		j.say("warning: %s: %s", base.URI(), warning)
	}
	return openFolder{table, base, table}, nil
}

// folderOptions are for reading the folder at uri.
func (j *job) folderOptions(uri string) (folder.Options, error) {
	dir, err := j.scratch.sub()
	o := folder.Options{Dir: dir, Warn: func(warning string) { j.say("warning: %s: %s", uri, warning) }}
	if j.progress != nil {
		o.Progress = j.progress.of(uri)
	}
	return o, err
}

// startProgress tells people how far the folders are, until the job ends.
func (j *job) startProgress() (stop func()) {
	if j.quiet {
		return func() {}
	}
	j.progress = newProgress(j.terminal, progressEvery, j.say)
	return j.progress.stop
}

// dataset is all data folders of a record, and what was given to read them with.
type dataset struct {
	*recorder
	earlier   *earlier
	merged    map[string]merged  // by URI: digests that other machines computed
	listings  map[string]listing // by URI: from before training
	accounts  *accounts          // storage accounts whose policies are asked for
	started   time.Time          // of the training run; zero: none is known
	lock      sync.Mutex
	collected []collected
}

// collected is a folder that was read.
type collected struct {
	noun   provenance.Folder
	result *folder.Result
}

// folders reads all data folders at the same time, and then compares them with each other.
func (r *recorder) folders(ctx context.Context) error {
	asked, err := r.cfg.askedFolders()
	if err != nil {
		return err
	}
	defer r.startProgress()()
	d := &dataset{recorder: r, started: r.runStarted()}
	if err := d.prepare(ctx, asked); err != nil {
		return err
	}
	group, each := errgroup.WithContext(ctx)
	for _, f := range asked {
		group.Go(func() error { return d.read(each, f) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := d.used(); err != nil {
		return err
	}
	return d.compare(ctx)
}

// prepare reads what was given to read the folders with.
func (d *dataset) prepare(ctx context.Context, asked []askedFolder) (err error) {
	if d.accounts, err = newAccounts(d.job, d.cfg.StorageAccount); err != nil {
		return err
	}
	if d.merged, err = d.readManifests(ctx, asked); err != nil {
		return err
	}
	if d.listings, err = d.readListings(ctx); err != nil {
		return err
	}
	inCloud := func(f askedFolder) bool { return strings.Contains(f.uri, "://") }
	if slices.ContainsFunc(asked, inCloud) { // local files are never reused
		d.earlier, err = d.findEarlier(ctx)
	}
	return err
}

// runStarted is when the training run started; zero if no run is recorded.
func (r *recorder) runStarted() time.Time {
	for _, e := range r.evidence {
		if run, ok := e.(provenance.DatabricksRun); ok {
			return run.Started
		}
	}
	return time.Time{}
}

// read reads one folder, and asks how it is protected.
func (d *dataset) read(ctx context.Context, asked askedFolder) error {
	f, err := d.openData(ctx, asked.uri, d.started)
	if err != nil {
		return err
	}
	plane, err := protection(ctx, f.base)
	if err != nil {
		return err
	}
	result, err := d.digests(ctx, f)
	if err != nil {
		return err
	}
	noun, err := result.Folder(asked.role)
	if err != nil {
		return err
	}
	if f.table != nil {
		version := f.table.Noun()
		noun.Delta = &version
	}
	if l, given := d.listings[f.URI()]; given {
		before, err := folder.CompareListing(l.Listing, l.sealedBy, result)
		if err != nil {
			return err
		}
		noun.Before = &before
	}
	if plane != nil {
		arm, answer, err := d.accounts.ask(ctx, *plane)
		if err != nil {
			return err
		}
		folder.Protect(&noun, *plane, arm, folder.Retained{Until: result.RetainUntil, All: result.AllRetained})
		noun.ProtectionAnswer = answer
	}
	d.lock.Lock()
	defer d.lock.Unlock()
	d.collected = append(d.collected, collected{noun, result})
	return nil
}

// digests are those of a folder: computed by other machines, or else here.
func (d *dataset) digests(ctx context.Context, f openFolder) (*folder.Result, error) {
	o, err := d.folderOptions(f.URI())
	if err != nil {
		return nil, err
	}
	if m, given := d.merged[f.URI()]; given {
		return folder.Import(ctx, f.Folder, m.Merged, m.sealedBy, o)
	}
	o.State = d.cfg.State
	if o.Previous, err = d.previous(ctx, f, o.Dir); err != nil {
		return nil, err
	}
	result, err := folder.Hash(ctx, f.Folder, o)
	if err != nil {
		return nil, err
	}
	for _, warning := range result.Warnings {
		o.Warn(warning)
	}
	return result, nil
}

// previous are the digests that may be reused for a folder; nil if there are none.
func (d *dataset) previous(ctx context.Context, f openFolder, dir string) (*folder.Previous, error) {
	if _, isLocal := f.base.(storage.Protected); !isLocal {
		return nil, nil
	}
	p, err := d.earlier.digests(ctx, f.URI(), dir, d.reuse.notBefore(time.Now()))
	if err != nil && d.cfg.Previous == "" {
		d.say("warning: %s: no digest is reused, and every file is read: %v", f.URI(), err)
		return nil, nil
	}
	if p != nil && f.table != nil {
		p.Until = time.Time{} // a newer version of a table need not have the files of an older one
	}
	return p, err
}

// used refuses what was given and is of no folder: somebody believes that it counts.
func (d *dataset) used() error {
	have := map[string]bool{}
	for _, c := range d.collected {
		have[c.noun.URI] = true
	}
	for uri, m := range d.merged {
		if !have[uri] {
			return provenance.Misuse("give the folder as --data", "%s is of %s, which is no data folder of this record", m.Parts[0].Path, uri)
		}
	}
	for uri, l := range d.listings {
		if !have[uri] {
			return provenance.Misuse("give the folder as --data", "%s is of %s, which is no data folder of this record", l.file, uri)
		}
	}
	return d.accounts.used()
}

// compare finds files that lie in folders of several roles.
func (d *dataset) compare(ctx context.Context) error {
	dir, err := d.scratch.sub()
	if err != nil {
		return err
	}
	var folders []folder.Role
	for _, c := range d.collected {
		folders = append(folders, folder.Role{Role: c.noun.Role, URI: c.noun.URI, Index: c.result.Lines()})
	}
	shared, err := folder.Shared(ctx, dir, folders)
	if err != nil {
		return err
	}
	for i, c := range d.collected {
		c.noun.Shared = append([]provenance.Shared{}, shared[i]...) // not nil: they were compared
		for _, s := range shared[i] {
			d.say("warning: %s and %s share %d files, such as %q: what is tested with must not be trained on", c.noun.URI, s.URI, s.Files, s.Names[0])
		}
		d.add(c.noun)
	}
	return nil
}
