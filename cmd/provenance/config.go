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
	"go.yaml.in/yaml/v4"
)

// config is provenance.yaml: the flags of record, under the same names.
type config struct {
	Image          string    `yaml:"image"`
	Platform       string    `yaml:"platform"`
	Data           []string  `yaml:"data"`
	DataList       string    `yaml:"data-list"`
	Manifest       []string  `yaml:"manifest"`
	Listing        []string  `yaml:"listing"`
	Previous       string    `yaml:"previous"`
	Reuse          string    `yaml:"reuse"`
	State          string    `yaml:"state"`
	Workers        int       `yaml:"workers"`
	StorageAccount []string  `yaml:"storage-account-id"`
	Model          oneOrMore `yaml:"model"`
	ModelName      string    `yaml:"model-name"`
	ModelVersion   string    `yaml:"model-version"`
	DatabricksHost string    `yaml:"databricks-host"`
	DatabricksRun  string    `yaml:"databricks-run"`
	DatabricksID   string    `yaml:"databricks-resource-id"`
	DatabricksFile string    `yaml:"databricks-notebook"`
	MLflowURI      string    `yaml:"mlflow-uri"`
	MLflowRun      string    `yaml:"mlflow-run"`
	AzureML        string    `yaml:"azureml-workspace"`
	AllowInput     []string  `yaml:"allow-input"`
	AzureDevOps    string    `yaml:"azure-devops"`
	GitHubAPI      string    `yaml:"github-api"`
	People         string    `yaml:"people"`
	Evidence       string    `yaml:"evidence"`
	Repo           string    `yaml:"repo"`
	Key            string    `yaml:"key"`
	Certificate    string    `yaml:"certificate"`
	Statement      string    `yaml:"statement"`
	Bundle         string    `yaml:"bundle"`
	BuilderID      string    `yaml:"builder-id"`
}

// oneOrMore is a text, or a list of texts.
type oneOrMore []string

// UnmarshalYAML reads both.
func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{""}
		return n.Decode(&(*o)[0])
	}
	return n.Decode((*[]string)(o))
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

// azureMLHosts are where Azure ML's workspaces keep MLflow.
// Source: https://learn.microsoft.com/azure/machine-learning/how-to-secure-workspace-vnet
var azureMLHosts = []string{".api.azureml.ms", ".api.ml.azure.cn", ".api.ml.azure.us"}

// distrust limits what a configuration file can do: it lies in the checkout, where whoever proposes a change can write. It
// cannot send a token to any host it likes, nor write outside of the working folder; a flag can.
func (cfg *config) distrust(file string, c *cli.Context) error {
	for _, place := range []struct{ flag, uri, what string }{
		{"databricks-host", cfg.DatabricksHost, "no workspace of Azure Databricks"}, {"mlflow-uri", cfg.MLflowURI, "neither Azure Databricks nor Azure ML"}} {
		if place.uri != "" && !c.IsSet(place.flag) && !isAzures(place.uri) {
			return provenance.Misuse("give it as --"+place.flag+", if it is meant",
				"%s: %s %q is %s: a file cannot send a token there", file, place.flag, addressOf(place.uri), place.what)
		}
	}
	if cfg.AzureDevOps != "" && cfg.AzureDevOps != azureDevOpsAuto && cfg.AzureDevOps != azureDevOpsNever || cfg.GitHubAPI != "" {
		return provenance.Misuse("give it as a flag, if it is meant", "%s: azure-devops and github-api name hosts that get a token: a file cannot do that", file)
	}
	if !c.IsSet("evidence") && strings.Contains(cfg.Evidence, "://") { // its query could be a secret, and is not shown
		return provenance.Misuse("give it as --evidence, if it is meant", "%s: evidence is a URL: a file cannot send what is kept to another machine", file)
	}
	for _, out := range []struct{ flag, path string }{{"statement", cfg.Statement}, {"bundle", cfg.Bundle}, {"state", cfg.State}, {"evidence", cfg.Evidence}} {
		if out.path != "" && out.path != "-" && !c.IsSet(out.flag) && !staysHere(out.path) {
			return provenance.Misuse("give it as --"+out.flag+", if it is meant", "%s: %s %q lies outside of the working folder", file, out.flag, out.path)
		}
	}
	return nil
}

// staysHere tells whether a path lies below the working folder, wherever the symbolic links on it lead: a checkout can hold some.
// What does not exist yet leads nowhere else.
func staysHere(path string) bool {
	here, err := filepath.Abs(".")
	if err == nil {
		here, err = filepath.EvalSymlinks(here)
	}
	if err != nil || !filepath.IsLocal(path) {
		return false
	}
	there := path
	for there != "." {
		if _, err := os.Lstat(there); err == nil {
			break
		}
		there = filepath.Dir(there)
	}
	real, err := filepath.EvalSymlinks(filepath.Join(here, there))
	if err != nil { // a link to what is not there, too
		return false
	}
	below, err := filepath.Rel(here, real)
	return err == nil && filepath.IsLocal(below)
}

// isAzures tells whether a service is one of Azure Databricks or Azure ML, whose hosts nobody else can have. What listens at another
// port there need not be the service.
func isAzures(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.User != nil {
		return false
	}
	suffixes := map[string][]string{"https": databricksHosts, "azureml": azureMLHosts}[u.Scheme]
	host := strings.TrimSuffix(strings.ToLower(u.Host), ":443")
	return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(host, suffix) && len(host) > len(suffix) })
}

// addressOf is a URI without who logs in there, and without a query or fragment: each may be a secret.
func addressOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "…"
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
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
		return provenance.Misuse(yamlHint(err), "%s: %s", name, yamlError(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return provenance.Misuse("", "%s holds more than one YAML document", name)
	}
	return noEmptyItem(name, data)
}

// noEmptyItem refuses a list with an item that says nothing: the decoder leaves it out, and a folder that was asked for with it.
func noEmptyItem(name string, data []byte) error {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return provenance.Misuse(yamlHint(err), "%s: %s", name, yamlError(err))
	}
	if item := emptyItem(&root); item != nil {
		return provenance.Misuse("is a variable unset? leave the item out if it is not wanted", "%s: line %d: an item of a list is empty", name, item.Line)
	}
	return nil
}

// emptyItem is the first item of a list that says nothing; nil: there is none.
func emptyItem(n *yaml.Node) *yaml.Node {
	for _, child := range n.Content {
		if n.Kind == yaml.SequenceNode && child.ShortTag() == "!!null" {
			return child
		}
		if found := emptyItem(child); found != nil {
			return found
		}
	}
	return nil
}

// yamlHint says what to write instead.
func yamlHint(err error) string {
	switch text := err.Error(); {
	case strings.Contains(text, "cannot start any token"):
		return "a value that begins with @ or ` needs quotes: model-version: \"@champion\""
	case strings.Contains(text, "into []string") && !strings.Contains(text, "!!map"):
		return "write a list, also of one: data: [URI], or `- URI` in a line of its own"
	}
	return "the keys are those flags of `provenance record` that say what is recorded (image, data, key, …), without dashes; --timeout, --cloud and --format stay flags, " +
		"and so does who is asked to vouch for the signature, and believed: --fulcio-url, --timestamp-url, --rekor-url, --trusted-root"
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
		if where, types, wrong := strings.Cut(e, ": cannot construct "); wrong {
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
		"image": &cfg.Image, "platform": &cfg.Platform, "data-list": &cfg.DataList, "model-name": &cfg.ModelName, "model-version": &cfg.ModelVersion, "databricks-host": &cfg.DatabricksHost,
		"databricks-run": &cfg.DatabricksRun, "repo": &cfg.Repo, "key": &cfg.Key, "certificate": &cfg.Certificate, "statement": &cfg.Statement,
		"databricks-resource-id": &cfg.DatabricksID, "databricks-notebook": &cfg.DatabricksFile, "mlflow-uri": &cfg.MLflowURI, "mlflow-run": &cfg.MLflowRun,
		"azureml-workspace": &cfg.AzureML, "azure-devops": &cfg.AzureDevOps, "github-api": &cfg.GitHubAPI, "people": &cfg.People, "evidence": &cfg.Evidence,
		"bundle": &cfg.Bundle, "builder-id": &cfg.BuilderID, "previous": &cfg.Previous, "reuse": &cfg.Reuse, "state": &cfg.State,
	} {
		if c.IsSet(name) {
			*field = c.String(name)
		}
	}
	for name, field := range map[string]*[]string{"data": &cfg.Data, "manifest": &cfg.Manifest, "listing": &cfg.Listing,
		"storage-account-id": &cfg.StorageAccount, "allow-input": &cfg.AllowInput, "model": (*[]string)(&cfg.Model)} {
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
