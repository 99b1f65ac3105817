package source

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

	"golang.org/x/sync/errgroup"

	"github.com/seed-3480f271/provenance/provenance"
)

const (
	mlflowMaxArtifacts     = 10_000 // files and folders of one run
	mlflowMaxArtifactDepth = 32
)

// mlflowFile is a file or a folder of a listing.
// Source: https://mlflow.org/docs/latest/rest-api.html#fileinfo
type mlflowFile struct {
	Path  string       `json:"path"`
	IsDir bool         `json:"is_dir"`
	Bytes mlflowNumber `json:"file_size"`
	size  int64        // -1: the listing says nothing of it
}

// mlflowListing is one page of a folder.
type mlflowListing struct {
	Root  string       `json:"root_uri"`
	Files []mlflowFile `json:"files"`
}

// mlflowLister lists one folder; the paths that it gives are relative to the same root as dir, which is "" for the root itself.
type mlflowLister func(ctx context.Context, dir string) ([]mlflowFile, error)

// artifacts lists what the run logged, and reads the small plots and curves.
func (a *mlflowAsking) artifacts(ctx context.Context, r mlflowRun) ([]provenance.Artifact, error) {
	files, err := mlflowListAll(ctx, a.listRun(r.Info.RunID), "")
	if err != nil {
		return nil, a.aboutArtifacts(r.Info.RunID, err)
	}
	all := make([]provenance.Artifact, len(files))
	for i, f := range files {
		all[i].Path = a.used.mask(f.Path)
		if f.size >= 0 {
			all[i].Size = &f.size
		}
	}
	return all, a.addPlots(ctx, r, files, all)
}

// aboutArtifacts is the error for a listing that cannot be right.
func (a *mlflowAsking) aboutArtifacts(runID string, err error) error {
	var bad *mlflowBadListing
	if errors.As(err, &bad) {
		return fmt.Errorf("%s, listing the artifacts of run %s: the answer makes no sense: %w", a.service, runID, err)
	}
	return err
}

// mlflowBadListing is a listing that cannot be right.
type mlflowBadListing struct{ text string }

func (b *mlflowBadListing) Error() string { return b.text }

// listRun lists folders of a run.
func (a *mlflowAsking) listRun(runID string) mlflowLister {
	return func(ctx context.Context, dir string) ([]mlflowFile, error) {
		q := mlflowQuestion{"listing the artifacts of run " + runID, "artifacts/list", url.Values{"run_id": {runID}}, true}
		return a.listPages(ctx, q, "path", dir)
	}
}

// listModel lists folders of a logged model.
// Source: https://mlflow.org/docs/latest/rest-api.html (ListLoggedModelArtifacts)
func (a *mlflowAsking) listModel(id string) mlflowLister {
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
	_, err := mlflowPages(ctx, a, q, func(p mlflowListing) (bool, error) {
		if root = cmp.Or(root, p.Root); p.Root != "" && p.Root != root {
			return false, errors.New("its pages contradict each other")
		}
		if files = append(files, p.Files...); len(files) > mlflowMaxArtifacts {
			return false, fmt.Errorf("it has more than %d entries", mlflowMaxArtifacts)
		}
		return true, nil
	})
	return files, err
}

// mlflowListAll walks down from a folder, level by level, and gives the files by path.
func mlflowListAll(ctx context.Context, list mlflowLister, dir string) ([]mlflowFile, error) {
	var files []mlflowFile
	seen := map[string]bool{}
	for level, depth := []string{dir}, 0; len(level) > 0; depth++ {
		if depth > mlflowMaxArtifactDepth {
			return nil, &mlflowBadListing{fmt.Sprintf("it is deeper than %d folders", mlflowMaxArtifactDepth)}
		}
		found, err := mlflowListLevel(ctx, list, level)
		if err != nil {
			return nil, err
		}
		level = nil
		for _, f := range found {
			if seen[f.Path] {
				return nil, &mlflowBadListing{fmt.Sprintf("%q stands twice", plain(f.Path))}
			}
			if seen[f.Path] = true; len(seen) > mlflowMaxArtifacts {
				return nil, &mlflowBadListing{fmt.Sprintf("it has more than %d entries", mlflowMaxArtifacts)}
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

// mlflowListLevel lists some folders at the same time.
func mlflowListLevel(ctx context.Context, list mlflowLister, dirs []string) ([]mlflowFile, error) {
	var all []mlflowFile
	var lock sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(mlflowAtOnce)
	for _, dir := range dirs {
		group.Go(func() error {
			files, err := list(ctx, dir)
			if err != nil {
				return err
			}
			if err := mlflowCheckListing(dir, files); err != nil {
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

// mlflowCheckListing refuses entries that lie elsewhere than in dir, and reads the sizes.
func mlflowCheckListing(dir string, files []mlflowFile) error {
	for i := range files {
		f := &files[i]
		name := strings.TrimPrefix(f.Path, dir+"/")
		if dir == "" {
			name = f.Path
		} else if name == f.Path {
			return &mlflowBadListing{fmt.Sprintf("%q is no entry of %q", plain(f.Path), plain(dir))}
		}
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00\n\r") || path.Clean(f.Path) != f.Path {
			return &mlflowBadListing{fmt.Sprintf("%q is no name in a folder", plain(name))}
		}
		f.size = -1
		if f.Bytes != "" {
			var err error
			if f.size, err = f.Bytes.size(); err != nil {
				return &mlflowBadListing{err.Error()}
			}
		}
	}
	return nil
}
