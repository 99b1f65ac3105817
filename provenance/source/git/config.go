package git

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// gitConfig is what the repository's configuration says of its work tree.
type gitConfig struct {
	symlinks bool
	fileMode bool
	autoCRLF bool
	remotes  []remote
}

// newConfig has git's defaults. Git for Windows sets core.autocrlf in a file that is not read here.
func newConfig() gitConfig {
	return gitConfig{symlinks: true, fileMode: runtime.GOOS != "windows", autoCRLF: runtime.GOOS == "windows"}
}

// config reads the repository's own configuration.
func (g runner) config(ctx context.Context) (gitConfig, error) {
	c := newConfig()
	err := g.records(ctx, nil, c.set, "config", "-z", "--get-regexp", `^(remote\..*\.url|core\.(symlinks|filemode|autocrlf))$`)
	var failed *gitError
	if errors.As(err, &failed) && failed.status == 1 && failed.stderr == "" {
		err = nil // nothing is set
	}
	return c, err
}

// set takes one record: "KEY\nVALUE", or "KEY" for a switch that is on.
func (c *gitConfig) set(record string) error {
	key, value, hasValue := strings.Cut(record, "\n")
	on := !hasValue || slices.Contains([]string{"true", "yes", "on", "1", "input"}, strings.ToLower(value))
	switch key {
	case "core.symlinks":
		c.symlinks = on
	case "core.filemode":
		c.fileMode = on
	case "core.autocrlf":
		c.autoCRLF = on
	default:
		name := strings.TrimSuffix(strings.TrimPrefix(key, "remote."), ".url")
		c.remotes = append(c.remotes, remote{foreign.Plain(name), foreign.RemoteURL(value)})
	}
	return nil
}

// remote is a repository that this one was cloned from, or is pushed to.
type remote struct{ name, url string }

// repository is the URL of origin, of the first remote if there is no origin, or of the folder; and "name url" of all.
func (c gitConfig) repository(dir string) (repository string, remotes []string) {
	for _, r := range c.remotes {
		remotes = append(remotes, r.name+" "+r.url)
		if repository == "" {
			repository = r.url
		}
	}
	for _, r := range c.remotes {
		if r.name == "origin" {
			return r.url, remotes
		}
	}
	if repository == "" {
		repository = filepath.ToSlash(dir)
	}
	return repository, remotes
}
