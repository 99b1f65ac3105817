package mlflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

const (
	maxArtifacts     = 10_000 // files and folders of one run
	maxArtifactDepth = 32
)

// mlflowFile is a file or a folder of a listing.
// Source: https://mlflow.org/docs/latest/rest-api.html#fileinfo
type mlflowFile struct {
	Path  string              `json:"path"`
	IsDir bool                `json:"is_dir"`
	Bytes foreign.LooseNumber `json:"file_size"`
	size  int64               // -1: the listing says nothing of it
}

// listing is one page of a folder.
type listing struct {
	Root  string       `json:"root_uri"`
	Files []mlflowFile `json:"files"`
}

// lister lists one folder; the paths that it gives are relative to the same root as dir, which is "" for the root itself.
type lister func(ctx context.Context, dir string) ([]mlflowFile, error)

// artifacts lists what the run logged, and reads the small plots and curves.
func (a *mlflowAsking) artifacts(ctx context.Context, r mlflowRun) ([]provenance.Artifact, error) {
	files, err := listAll(ctx, a.listRun(r.Info.RunID), "")
	if err != nil {
		return nil, a.aboutArtifacts(r.Info.RunID, err)
	}
	all := make([]provenance.Artifact, len(files))
	for i, f := range files {
		all[i].Path = a.Used.Mask(f.Path)
		if f.size >= 0 {
			all[i].Size = &f.size
		}
	}
	return all, a.addPlots(ctx, r, files, all)
}

// aboutArtifacts is the error for a listing that cannot be right.
func (a *mlflowAsking) aboutArtifacts(runID string, err error) error {
	var bad *badListing
	if errors.As(err, &bad) {
		return fmt.Errorf("%s, listing the artifacts of run %s: the answer makes no sense: %w", a.Service, runID, err)
	}
	return err
}

// badListing is a listing that cannot be right.
type badListing struct{ text string }

func (b *badListing) Error() string { return b.text }

// listRun lists folders of a run.
func (a *mlflowAsking) listRun(runID string) lister {
	return func(ctx context.Context, dir string) ([]mlflowFile, error) {
		q := mlflowQuestion{"listing the artifacts of run " + runID, "artifacts/list", url.Values{"run_id": {runID}}, true}
		return a.listPages(ctx, q, "path", dir)
	}
}

// listModel lists folders of a logged model.
// Source: https://mlflow.org/docs/latest/rest-api.html (ListLoggedModelArtifacts)
func (a *mlflowAsking) listModel(id string) lister {
	return func(ctx context.Context, dir string) ([]mlflowFile, error) {
		q := mlflowQuestion{"listing the files of logged model " + id, "logged-models/" + id + "/artifacts/directories", url.Values{}, true}
		return a.listPages(ctx, q, "artifact_directory_path", dir)
	}
}

// listPages lists one folder to its last page.
func (a *mlflowAsking) listPages(ctx context.Context, q mlflowQuestion, parameter, dir string) ([]mlflowFile, error) {
	if dir != "" {
		q.query.Set(parameter, dir)
	}
	var files []mlflowFile
	root := ""
	_, err := pages(ctx, a, q, func(p listing) (bool, error) {
		if root = cmp.Or(root, p.Root); p.Root != "" && p.Root != root {
			return false, errors.New("its pages contradict each other")
		}
		if files = append(files, p.Files...); len(files) > maxArtifacts {
			return false, fmt.Errorf("it has more than %d entries", maxArtifacts)
		}
		return true, nil
	})
	return files, err
}

// listAll walks down from a folder, level by level, and gives the files by path.
func listAll(ctx context.Context, list lister, dir string) ([]mlflowFile, error) {
	var files []mlflowFile
	seen := map[string]bool{}
	for level, depth := []string{dir}, 0; len(level) > 0; depth++ {
		if depth > maxArtifactDepth {
			return nil, &badListing{fmt.Sprintf("it is deeper than %d folders", maxArtifactDepth)}
		}
		found, err := listLevel(ctx, list, level)
		if err != nil {
			return nil, err
		}
		level = nil
		for _, f := range found {
			if seen[f.Path] {
				return nil, &badListing{fmt.Sprintf("%q stands twice", foreign.Plain(f.Path))}
			}
			if seen[f.Path] = true; len(seen) > maxArtifacts {
				return nil, &badListing{fmt.Sprintf("it has more than %d entries", maxArtifacts)}
			}
			if f.IsDir {
				level = append(level, f.Path)
			} else {
				files = append(files, f)
			}
		}
	}
	slices.SortFunc(files, func(a, b mlflowFile) int { return cmp.Compare(a.Path, b.Path) })
	return files, nil
}

// listLevel lists some folders at the same time.
func listLevel(ctx context.Context, list lister, dirs []string) ([]mlflowFile, error) {
	var all []mlflowFile
	var lock sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, dir := range dirs {
		group.Go(func() error {
			files, err := list(ctx, dir)
			if err != nil {
				return err
			}
			if err := checkListing(dir, files); err != nil {
				return err
			}
			lock.Lock()
			defer lock.Unlock()
			all = append(all, files...)
			return nil
		})
	}
	return all, group.Wait()
}

// checkListing refuses entries that lie elsewhere than in dir, and reads the sizes.
func checkListing(dir string, files []mlflowFile) error {
	for i := range files {
		f := &files[i]
		name := strings.TrimPrefix(f.Path, dir+"/")
		if dir == "" {
			name = f.Path
		} else if name == f.Path {
			return &badListing{fmt.Sprintf("%q is no entry of %q", foreign.Plain(f.Path), foreign.Plain(dir))}
		}
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00\n\r") || path.Clean(f.Path) != f.Path {
			return &badListing{fmt.Sprintf("%q is no name in a folder", foreign.Plain(name))}
		}
		f.size = -1
		if f.Bytes != "" {
			var err error
			if f.size, err = f.Bytes.Size(); err != nil {
				return &badListing{err.Error()}
			}
		}
	}
	return nil
}
