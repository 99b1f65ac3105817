package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

// config is provenance.yaml: the flags of record, under the same names.
type config struct {
	Image          string   `yaml:"image"`
	Platform       string   `yaml:"platform"`
	Data           []string `yaml:"data"`
	DataList       string   `yaml:"data-list"`
	Manifest       []string `yaml:"manifest"`
	Listing        []string `yaml:"listing"`
	Previous       string   `yaml:"previous"`
	Reuse          string   `yaml:"reuse"`
	State          string   `yaml:"state"`
	Workers        int      `yaml:"workers"`
	StorageAccount []string `yaml:"storage-account-id"`
	Model          string   `yaml:"model"`
	ModelName      string   `yaml:"model-name"`
	ModelVersion   string   `yaml:"model-version"`
	DatabricksHost string   `yaml:"databricks-host"`
	DatabricksRun  string   `yaml:"databricks-run"`
	Repo           string   `yaml:"repo"`
	Key            string   `yaml:"key"`
	Statement      string   `yaml:"statement"`
	Bundle         string   `yaml:"bundle"`
	BuilderID      string   `yaml:"builder-id"`
}

// maxConfig bounds a configuration file.
const maxConfig = 1 << 20

// loadConfig reads the file that --config names, or provenance.yaml if it is there, and lets flags win.
func loadConfig(c *cli.Context) (config, error) {
	var cfg config
	name := c.String("config")
	if name == "" {
		name = "provenance.yaml"
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
			name = ""
		}
	}
	if name != "" {
		data, err := readSmall(name, maxConfig)
		if err != nil {
			return cfg, err
		}
		if err := parseConfig(name, data, &cfg); err != nil {
			return cfg, err
		}
	}
	if err := cfg.distrust(name, c); err != nil {
		return cfg, err
	}
	cfg.override(c)
	return cfg, nil
}

// databricksHosts are where workspaces live.
// Source: https://learn.microsoft.com/azure/databricks/workspace/workspace-details
var databricksHosts = []string{".azuredatabricks.net", ".databricks.azure.cn", ".databricks.azure.us"}

// distrust limits what a configuration file can do: it lies in the checkout, where whoever proposes a change can write. It
// cannot send the token to any host it likes, nor write outside of the working folder; a flag can.
func (cfg *config) distrust(file string, c *cli.Context) error {
	host, err := url.Parse(cfg.DatabricksHost)
	known := func(suffix string) bool { return err == nil && strings.HasSuffix(host.Hostname(), suffix) }
	if cfg.DatabricksHost != "" && !c.IsSet("databricks-host") && !slices.ContainsFunc(databricksHosts, known) {
		return provenance.Misuse("give it as --databricks-host, if it is meant",
			"%s: databricks-host %q is no workspace of Azure Databricks: a file cannot send the token there", file, cfg.DatabricksHost)
	}
	for name, path := range map[string]string{"statement": cfg.Statement, "bundle": cfg.Bundle, "state": cfg.State} {
		if path != "" && path != "-" && !filepath.IsLocal(path) {
			return provenance.Misuse("give it as --"+name+", if it is meant", "%s: %s %q lies outside of the working folder", file, name, path)
		}
	}
	return nil
}

// parseConfig reads YAML strictly: an unknown key, a key that stands twice or a second document is a mistake with its line.
func parseConfig(name string, data []byte, cfg *config) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	err := dec.Decode(cfg)
	if errors.Is(err, io.EOF) {
		return nil // an empty file says nothing
	}
	if err != nil {
		return provenance.Misuse("the keys are those flags of `provenance record` that say what is recorded (image, data, key, …), without dashes; --timeout, --cloud and --format stay flags", "%s: %s", name, yamlError(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return provenance.Misuse("", "%s holds more than one YAML document", name)
	}
	return nil
}

// yamlError says what is wrong in the words of somebody who wrote YAML, not Go.
func yamlError(err error) string {
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		return strings.TrimPrefix(err.Error(), "yaml: ")
	}
	var lines []string
	for _, e := range typed.Errors {
		where, field, unknown := strings.Cut(e, ": field ")
		if unknown {
			field, _, _ = strings.Cut(field, " not found in type")
			e = fmt.Sprintf("%s: unknown key %q", where, field)
		}
		if where, types, wrong := strings.Cut(e, ": cannot unmarshal "); wrong {
			e = where + ": wrong type: " + typeWords.Replace(types)
		}
		lines = append(lines, e)
	}
	return strings.Join(lines, "; ")
}

// typeWords are YAML's and Go's names of types, for people.
var typeWords = strings.NewReplacer("!!str", "text", "!!map", "a mapping", "!!seq", "a list", "!!int", "a number", "!!bool", "a truth value",
	" into []string", " where a list is wanted", " into string", " where text is wanted", " into int", " where a number is wanted", " into main.config", " where keys and values are wanted")

// override takes the flags that were given.
func (cfg *config) override(c *cli.Context) {
	for name, field := range map[string]*string{
		"image": &cfg.Image, "platform": &cfg.Platform, "data-list": &cfg.DataList, "model": &cfg.Model,
		"model-name": &cfg.ModelName, "model-version": &cfg.ModelVersion, "databricks-host": &cfg.DatabricksHost,
		"databricks-run": &cfg.DatabricksRun, "repo": &cfg.Repo, "key": &cfg.Key, "statement": &cfg.Statement,
		"bundle": &cfg.Bundle, "builder-id": &cfg.BuilderID, "previous": &cfg.Previous, "reuse": &cfg.Reuse, "state": &cfg.State,
	} {
		if c.IsSet(name) {
			*field = c.String(name)
		}
	}
	for name, field := range map[string]*[]string{"data": &cfg.Data, "manifest": &cfg.Manifest, "listing": &cfg.Listing,
		"storage-account-id": &cfg.StorageAccount} {
		if c.IsSet(name) {
			*field = c.StringSlice(name)
		}
	}
	if c.IsSet("workers") {
		cfg.Workers = c.Int("workers")
	}
	if cfg.Repo == "" {
		cfg.Repo = "."
	}
}

// readSmall reads a whole file that the user named; what cannot be read is the user's mistake.
func readSmall(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, provenance.Misuse("", "cannot read %s: %v", name, errors.Unwrap(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, provenance.Misuse("", "cannot read %s: %v", name, err)
	}
	if int64(len(data)) > limit {
		return nil, provenance.Misuse("", "%s has more than %d bytes", name, limit)
	}
	return data, nil
}
