package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
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
		f := parseData(a)
		if !slices.Contains(provenance.Roles, f.role) {
			return nil, provenance.Misuse("write [ROLE=]URI", "%q is no role of a data folder: %s", f.role, strings.Join(provenance.Roles, ", "))
		}
		folders = append(folders, f)
	}
	return folders, nil
}

// parseData reads [ROLE=]URI. An equals sign further inside belongs to the URI.
func parseData(s string) askedFolder {
	role, uri, found := strings.Cut(s, "=")
	role, uri = strings.TrimSpace(role), trimURI(uri)
	if !found || strings.ContainsAny(role, "/:.\\?") {
		return askedFolder{"train", trimURI(s)}
	}
	return askedFolder{role, uri}
}

// trimURI takes away blanks around a URI. Around a path they may belong to its name.
func trimURI(s string) string {
	if strings.Contains(s, "://") {
		return strings.TrimSpace(s)
	}
	return s
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

// folderOptions are for reading the folder at uri. Temporary files must not lie there: they would be listed, and change.
func (j *job) folderOptions(uri string) (folder.Options, error) {
	dir, err := j.scratch.sub()
	if err == nil && inFolder(dir, uri) {
		err = provenance.Misuse("let TMPDIR name a place outside of it", "the temporary files in %s lie in the folder that is read, %s", os.TempDir(), uri)
	}
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
	earlier  *earlier
	merged   map[string]merged  // by URI: digests that other machines computed
	listings map[string]listing // by URI: from before training
	accounts *accounts          // storage accounts whose policies are asked for
}

// dataFolder is one of them.
type dataFolder struct {
	askedFolder
	openFolder
	plane  *storage.Protection    // what the storage says of its protection; nil: it is local
	arm    *provenance.Protection // what Azure Resource Manager says; nil: it was not asked
	answer provenance.Stored
	noun   provenance.Folder
	result *folder.Result
}

// folders opens all data folders, and asks how they are protected: what is wrong shows before anything is read. Then it reads
// all of them at the same time, and compares them with each other.
func (r *recorder) folders(ctx context.Context) error {
	asked, err := r.cfg.askedFolders()
	if err != nil {
		return err
	}
	defer r.startProgress()()
	d := &dataset{recorder: r}
	if err := d.prepare(ctx, asked); err != nil {
		return err
	}
	folders := make([]dataFolder, len(asked))
	err = each(ctx, folders, func(ctx context.Context, i int) error {
		folders[i].askedFolder = asked[i]
		return d.open(ctx, &folders[i])
	})
	if err != nil {
		return err
	}
	if err := d.used(folders); err != nil {
		return err
	}
	if err := each(ctx, folders, func(ctx context.Context, i int) error { return d.read(ctx, &folders[i]) }); err != nil {
		return err
	}
	return d.compare(ctx, folders)
}

// atOnce is how many folders are read at the same time; each is read by several workers.
const atOnce = 4

// each does something for each of a list, a few at the same time; the first error ends it.
func each[T any](ctx context.Context, list []T, do func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range list {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return do(ctx, i)
		})
	}
	return group.Wait()
}

// prepare reads what was given to read the folders with.
func (d *dataset) prepare(ctx context.Context, asked []askedFolder) (err error) {
	if d.accounts, err = newAccounts(d.job, d.cfg.StorageAccount); err != nil {
		return err
	}
	d.accounts.anonymous = d.cfg.People == peopleID
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

// open opens a folder and asks how it is protected.
func (d *dataset) open(ctx context.Context, f *dataFolder) (err error) {
	if f.openFolder, err = d.openData(ctx, f.uri, d.runStarted()); err != nil {
		return err
	}
	protected, inAzure := f.base.(storage.Protected)
	if !inAzure {
		return nil
	}
	plane, err := protected.Protection(ctx)
	if err != nil {
		return err
	}
	f.plane = &plane
	f.arm, f.answer, err = d.accounts.ask(ctx, plane)
	return err
}

// read reads a folder and says what is known of it.
func (d *dataset) read(ctx context.Context, f *dataFolder) (err error) {
	if f.result, err = d.digests(ctx, f); err != nil {
		return err
	}
	if f.noun, err = f.result.Folder(f.role); err != nil {
		return err
	}
	if f.table != nil {
		version := f.table.Noun()
		f.noun.Delta = &version
	}
	if f.plane != nil {
		folder.Protect(&f.noun, *f.plane, f.arm, folder.Retained{Until: f.result.RetainUntil, All: f.result.AllRetained})
		f.noun.ProtectionAnswer = f.answer
	}
	l, given := d.listings[f.URI()]
	if !given {
		return nil
	}
	before, err := folder.CompareListing(l.Listing, l.sealedBy, f.result)
	f.noun.Before = &before
	if err == nil && !before.Same {
		d.say("warning: %s is not what it was before training: %s", f.URI(), before.Changes)
	}
	return err
}

// counted is a number of things, in words.
func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// digests are those of a folder: computed by other machines, or else here.
func (d *dataset) digests(ctx context.Context, f *dataFolder) (*folder.Result, error) {
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
	if result.Resumed > 0 {
		o.Warn(counted(result.Resumed, "digest") + " come from the state of an interrupted run: the folder's digest is declared, not observed, and a policy may refuse that")
	}
	if d.cfg.Previous != "" && result.Reused == nil && f.plane != nil {
		o.Warn("no digest of --previous could be reused: every file was read")
	}
	return result, nil
}

// previous are the digests that may be reused for a folder; nil if there are none.
func (d *dataset) previous(ctx context.Context, f *dataFolder, dir string) (*folder.Previous, error) {
	if f.plane == nil {
		return nil, nil
	}
	p, err := d.earlier.digests(ctx, f.URI(), dir, d.reuse.notBefore(time.Now()))
	if err != nil && d.cfg.Previous == "" {
		d.say("warning: %s: no digest is reused, and every file is read: %v", f.URI(), err)
		return nil, nil
	}
	if p != nil && f.table != nil {
		p.Partial = true // a newer version of a table need not have the files of an older one
	}
	return p, err
}

// used refuses what was given and is of no folder: somebody believes that it counts.
func (d *dataset) used(folders []dataFolder) error {
	have := map[string]bool{}
	for _, f := range folders {
		have[f.URI()] = true
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
func (d *dataset) compare(ctx context.Context, folders []dataFolder) error {
	dir, err := d.scratch.sub()
	if err != nil {
		return err
	}
	var roles []folder.Role
	for _, f := range folders {
		roles = append(roles, folder.Role{Role: f.role, URI: f.URI(), Index: f.result.Lines()})
	}
	shared, err := folder.Shared(ctx, dir, roles)
	if err != nil {
		return err
	}
	for i, f := range folders {
		f.noun.Shared = append([]provenance.Shared{}, shared[i]...) // not nil: they were compared
		for _, s := range shared[i] {
			if f.role > s.Role || f.role == s.Role && f.URI() < s.URI { // once for each pair
				d.say("warning: %s and %s share %s, such as %q: what is tested with must not be trained on", f.URI(), s.URI, counted(s.Files, "file"), s.Names[0])
			}
		}
		d.add(f.noun)
	}
	return nil
}
