package provenance

import (
	"slices"
	"time"
)

// Record is everything that one statement says, as nouns. It is what policy, report, JSON, trace and diff work on.
// [NewStatement] writes it and [Read] reads it back, without loss.
type Record struct {
	Image      Image          `json:"image"`
	Pipeline   Pipeline       `json:"pipeline"`
	Commit     Commit         `json:"commit"`
	Data       []Folder       `json:"data"`
	Databricks *DatabricksRun `json:"databricks,omitempty"`
	Notebooks  []Notebook     `json:"notebooks,omitempty"`
	MLflow     *MLflowRun     `json:"mlflow,omitempty"`
	Model      *Model         `json:"model,omitempty"`
	// Registered are the versions of the model in registries: at most one of each.
	Registered []RegisteredModel `json:"registered,omitempty"`
	Build      *Build            `json:"build,omitempty"`
	Release    *Release          `json:"release,omitempty"`
	Review     *Review           `json:"review,omitempty"`
	Checks     []Fact            `json:"checks"`
	Tool       Tool              `json:"tool"`

	dataFollows bool // no folder was read yet, so none can be missed

	idsOnly bool // people are to be written without names
}

// Stored lists everything that lies beside the image, each digest once.
func (r Record) Stored() []Stored {
	var all []Stored
	for _, s := range r.things() {
		known := func(o Stored) bool { return o.Digest == s.Digest }
		if !s.Digest.IsZero() && !slices.ContainsFunc(all, known) {
			all = append(all, s)
		}
	}
	return all
}

// things are the stored things of all nouns, in the order of the record; some are zero, and some are there twice.
func (r Record) things() (all []Stored) {
	for _, f := range r.Data {
		all = append(all, f.Manifest, f.Index, f.ProtectionAnswer)
	}
	if r.Model != nil {
		all = append(all, r.Model.Manifest)
	}
	for _, n := range r.Notebooks {
		all = append(all, n.Text)
	}
	for _, t := range r.tellers() {
		all = append(all, t.answered().Answer)
	}
	if r.MLflow != nil {
		for _, a := range r.MLflow.Artifacts {
			all = append(all, a.Stored)
		}
	}
	if r.Release != nil {
		all = append(all, r.Release.Logs)
	}
	return all
}

// Answers are the stored answers of services, and other text that was redacted: the things among [Record.Stored] that could hold
// a secret of somebody else.
func (r Record) Answers() []Stored {
	r.Data, r.Model = slices.Clone(r.Data), nil
	for i := range r.Data {
		r.Data[i].Manifest, r.Data[i].Index = Stored{}, Stored{}
	}
	return r.Stored()
}

// tellers are the nouns that services told of.
func (r Record) tellers() (all []teller) {
	if r.Databricks != nil {
		all = append(all, r.Databricks)
	}
	if r.MLflow != nil {
		all = append(all, r.MLflow)
	}
	for _, m := range r.Registered {
		all = append(all, m)
	}
	if r.Build != nil {
		all = append(all, r.Build)
	}
	if r.Release != nil {
		all = append(all, r.Release)
	}
	if r.Review != nil {
		all = append(all, r.Review)
	}
	return all
}

// Tool is the program that made the record.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Image is the container image that the statement is about.
type Image struct {
	Grounds
	Repository string     `json:"repository"`       // registry and path, or the layout's folder name
	Reference  string     `json:"reference"`        // as asked: a tag or a digest
	Digest     Digest     `json:"digest"`           // sha256 of the manifest, or of the index
	Platforms  []Platform `json:"platforms"`        // an index's members; a single-platform image is its own only member
	Created    time.Time  `json:"created,omitzero"` // the latest of the platforms', as whoever built them wrote it
	Base       *BaseImage `json:"base,omitempty"`
}

// IsIndex tells whether the image is an index of several manifests.
func (i Image) IsIndex() bool {
	return len(i.Platforms) != 1 || i.Platforms[0].Digest != i.Digest
}

// Platform is one manifest of an image. Name is "linux/amd64" or "linux/arm64/v8".
type Platform struct {
	Name   string `json:"name"`
	Digest Digest `json:"digest"`
}

// BaseImage is what the image's own annotations say it was built from.
// Source: https://github.com/opencontainers/image-spec/blob/main/annotations.md (org.opencontainers.image.base.*)
type BaseImage struct {
	Grounds
	Name   string `json:"name"`
	Digest Digest `json:"digest,omitzero"`
}

// Pipeline is the build that ran, and its parameters.
type Pipeline struct {
	Grounds
	BuilderID    string `json:"builderId"`    // SLSA builder.id
	InvocationID string `json:"invocationId"` // the build's URL
	Definition   string `json:"definition"`   // the pipeline definition's URL
	Path         string `json:"path"`         // of the YAML file in the repository
	Repository   string `json:"repository"`
	Ref          string `json:"ref"`
	Reason       string `json:"reason"`
	// TemplateParameters are the run's parameters, values of secret-looking names dropped.
	TemplateParameters map[string]string `json:"templateParameters,omitempty"`
	// Internal are facts of this one run that nobody can pin: agent, pool, image version, project and collection ids, job,
	// stage, attempt. They become internalParameters.
	Internal map[string]string `json:"internal,omitempty"`
	// CommitID is the commit that the pipeline says it builds (BUILD_SOURCEVERSION); empty outside a pipeline.
	CommitID string    `json:"commitId,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
}

// Commit is the state of the source repository.
type Commit struct {
	Grounds
	Repository string    `json:"repository"` // https or ssh URL of the remote, credentials stripped; a path if there is none
	Ref        string    `json:"ref"`        // refs/heads/main, or HEAD when detached and no pipeline says better
	ID         Digest    `json:"id"`         // gitCommit
	Tree       Digest    `json:"tree"`       // gitTree
	Files      Digest    `json:"files"`      // dirHash over the tree's files, because SHA-1 will not last
	Parents    []string  `json:"parents,omitempty"`
	Subject    string    `json:"subject"` // the message's first line: foreign text
	Author     Person    `json:"author,omitzero"`
	Authored   time.Time `json:"authored"`
	Committer  Person    `json:"committer,omitzero"`
	Committed  time.Time `json:"committed"`
	Signature  string    `json:"signature"` // "present" or "none"; it is not verified
	Remotes    []string  `json:"remotes,omitempty"`
	// Dirty tells whether a file of the work tree differs from the commit: changed or untracked, also behind an
	// assume-unchanged or skip-worktree mark. Marks alone, files that a sparse checkout leaves out, and files that a
	// committed .gitignore ignores are listed, and do not make it dirty. No other list of ignored files is believed.
	Dirty           bool     `json:"dirty"`
	Changed         []string `json:"changed,omitempty"` // the first MaxListed of each list
	Untracked       []string `json:"untracked,omitempty"`
	AssumeUnchanged []string `json:"assumeUnchanged,omitempty"`
	SkipWorktree    []string `json:"skipWorktree,omitempty"`
	Ignored         []string `json:"ignored,omitempty"`
	IgnoredCount    int      `json:"ignoredCount,omitempty"`
	Shallow         bool     `json:"shallow,omitempty"`
	Detached        bool     `json:"detached,omitempty"`
	Submodules      []string `json:"submodules,omitempty"` // "path commit"
}

// MaxListed is how many names of each kind a Commit lists.
const MaxListed = 20

// Model is the trained model.
type Model struct {
	Grounds
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	URI     string `json:"uri"`
	Digest  Digest `json:"digest"`        // dirHash, of a single file too
	File    Digest `json:"file,omitzero"` // sha256, of a single file only
	Files   int64  `json:"files,string"`
	Bytes   int64  `json:"bytes,string"`
	// Locations are where the image contains it: one for each platform.
	Locations []Location `json:"locations,omitempty"`
	// Copies are other places that were read, and that hold the same files.
	Copies   []Copy `json:"copies,omitempty"`
	Manifest Stored `json:"manifest"`
}

// Copy is a place that holds the same model, byte for byte.
type Copy struct {
	URI    string    `json:"uri"`
	Digest Digest    `json:"digest"` // dirHash
	Read   time.Time `json:"read"`
}

// Location is where a platform of the image contains the model.
type Location struct {
	Platform string `json:"platform"`
	Path     string `json:"path"` // absolute, in the final file system
}
