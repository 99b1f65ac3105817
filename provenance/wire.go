package provenance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/in-toto/in-toto-golang/in_toto"
	slsa1 "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"
)

// annotationPrefix marks the annotations as ours, as the in-toto specification asks for extension fields.
// Source: https://github.com/in-toto/attestation/blob/main/spec/v1/README.md#parsing-rules
const annotationPrefix = "provenance_"

// The names of the descriptors that are found again by name.
const (
	nameSource     = "source"
	nameData       = "data/" // and the role
	nameBase       = "base-image"
	nameImage      = "image"
	nameModel      = "model"
	nameNotebook   = "notebook"
	nameDatabricks = "databricks-run"
	nameMLflow     = "mlflow-run"
	nameRegistered = "registered-model/" // and the registry
	nameBuild      = "build"
	nameRelease    = "release"
	nameReview     = "review"
	nameChecks     = "checks"
	nameStored     = "stored/" // and the file's name
	subjectModel   = "model/"  // and the model's name
)

// externalParameters are all that somebody outside the build chose, and nothing that differs from night to night without
// anybody's choice: every key can be pinned.
type externalParameters struct {
	Pipeline           pipelineParameters `json:"pipeline"`
	Reason             string             `json:"reason,omitempty"`
	TemplateParameters map[string]string  `json:"templateParameters,omitempty"`
	Data               []dataParameter    `json:"data"`
	Training           *training          `json:"training,omitempty"`
}

type pipelineParameters struct {
	Definition string `json:"definition,omitempty"`
	Path       string `json:"path,omitempty"`
	Repository string `json:"repository,omitempty"`
	Ref        string `json:"ref,omitempty"`
}

type dataParameter struct {
	Role string `json:"role"`
	URI  string `json:"uri"`
}

type training struct {
	Notebook   string            `json:"notebook,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
}

// internalParameters are facts of this one run, and how all parameters and the builder's id are known.
type internalParameters struct {
	Grounds
	CommitID string            `json:"commitId,omitempty"`
	Run      map[string]string `json:"run,omitempty"`
}

// statement writes a complete record down.
func (r Record) statement() (Statement, error) {
	w := writer{}
	s := Statement{StatementHeader: in_toto.StatementHeader{
		Type: in_toto.StatementInTotoV1, PredicateType: PredicateType, Subject: r.subjects(),
	}}
	definition := &s.Predicate.BuildDefinition
	definition.BuildType = BuildType
	definition.ExternalParameters = r.external()
	definition.InternalParameters = internalParameters{r.Pipeline.Grounds, r.Pipeline.CommitID, r.Pipeline.Internal}
	definition.ResolvedDependencies = w.dependencies(r)
	run := &s.Predicate.RunDetails
	run.Builder = slsa1.Builder{ID: r.Pipeline.BuilderID, Version: map[string]string{r.Tool.Name: r.Tool.Version}}
	run.BuildMetadata = slsa1.BuildMetadata{InvocationID: r.Pipeline.InvocationID,
		StartedOn: wireTime(r.Pipeline.Started), FinishedOn: wireTime(r.Pipeline.Finished)}
	run.Byproducts = w.byproducts(r)
	return s, w.err
}

// subjects are the image, the members of its index, and the model by its dirHash only: a plain sha256 of a model could be
// the digest of somebody's image.
func (r Record) subjects() []in_toto.Subject {
	subject := func(name string, d Digest) in_toto.Subject {
		return in_toto.Subject{Name: name, Digest: Digests(d).wire()}
	}
	out := []in_toto.Subject{subject(r.Image.Repository, r.Image.Digest)}
	for _, p := range r.Image.Platforms {
		if p.Digest != r.Image.Digest {
			out = append(out, subject(r.Image.Repository, p.Digest))
		}
	}
	if r.Model != nil {
		out = append(out, subject(subjectModel+r.Model.Name, r.Model.Digest))
	}
	return out
}

func (r Record) external() externalParameters {
	p := r.Pipeline
	out := externalParameters{
		Pipeline: pipelineParameters{p.Definition, p.Path, p.Repository, p.Ref},
		Reason:   p.Reason, TemplateParameters: p.TemplateParameters, Data: []dataParameter{},
	}
	for _, f := range r.Data {
		out.Data = append(out.Data, dataParameter{f.Role, f.URI})
	}
	if d := r.Databricks; d != nil && (d.Notebook != "" || len(d.Parameters) > 0) {
		out.Training = &training{d.Notebook, d.Parameters}
	}
	return out
}

// writer keeps the first error, so that descriptors can be written as a list.
type writer struct{ err error }

func (w *writer) dependencies(r Record) []slsa1.ResourceDescriptor {
	c := r.Commit
	out := []slsa1.ResourceDescriptor{{
		Name: nameSource, URI: commitURI(c), Digest: Digests(c.ID, c.Files).wire(),
		Annotations: w.annotations(c, "id", "files"),
	}}
	for _, f := range r.Data {
		out = append(out, slsa1.ResourceDescriptor{
			Name: nameData + f.Role, URI: f.URI, Digest: Digests(f.Digest).wire(),
			Annotations: w.annotations(storedRefs(f, "manifest", f.Manifest, "index", f.Index, "protectionAnswer", f.ProtectionAnswer), "uri", "digest"),
		})
	}
	for _, n := range r.Notebooks {
		out = append(out, slsa1.ResourceDescriptor{Name: nameNotebook, URI: n.Host + "/#workspace" + n.Path, Digest: Digests(n.Digest).wire(),
			Annotations: w.annotations(storedRefs(n, "text", n.Text), "digest")})
	}
	if b := r.Image.Base; b != nil {
		out = append(out, slsa1.ResourceDescriptor{
			Name: nameBase, URI: "oci://" + b.Name, Digest: Digests(b.Digest).wire(), Annotations: w.annotations(b, "digest"),
		})
	}
	return out
}

func (w *writer) byproducts(r Record) []slsa1.ResourceDescriptor {
	out := []slsa1.ResourceDescriptor{
		{Name: nameImage, URI: "oci://" + r.Image.Repository, Digest: Digests(r.Image.Digest).wire(),
			Annotations: w.annotations(r.Image, "digest", "base")},
		{Name: nameChecks, URI: BuildType + "#checks", Annotations: w.annotations(checks{r.Checks})},
	}
	if m := r.Model; m != nil {
		out = append(out, slsa1.ResourceDescriptor{Name: nameModel, URI: m.URI, Digest: Digests(m.File).wire(),
			Annotations: w.annotations(storedRefs(m, "manifest", m.Manifest), "uri", "digest", "file")})
	}
	out = append(out, w.told(r)...)
	for _, s := range r.Stored() {
		out = append(out, slsa1.ResourceDescriptor{Name: nameStored + s.Name, Digest: Digests(s.Digest).wire(),
			MediaType: s.MediaType, Annotations: map[string]any{annotationPrefix + "size": fmt.Sprint(s.Size)}})
	}
	return out
}

// told are the nouns that services told of, each under the digest of the stored answer.
func (w *writer) told(r Record) (out []slsa1.ResourceDescriptor) {
	add := func(name, uri string, noun teller, refs ...any) {
		answer := noun.answered().Answer
		out = append(out, slsa1.ResourceDescriptor{Name: name, URI: uri, Digest: Digests(answer.Digest).wire(), MediaType: answer.MediaType,
			Annotations: w.annotations(storedRefs(noun, append(refs, "answer", answer)...), "pageUrl", "url")})
	}
	if d := r.Databricks; d != nil {
		add(nameDatabricks, d.PageURL, d)
	}
	if m := r.MLflow; m != nil {
		add(nameMLflow, m.URI, m)
	}
	for _, m := range r.Registered {
		add(nameRegistered+m.Registry, m.URI, m)
	}
	if b := r.Build; b != nil {
		add(nameBuild, b.URL, b)
	}
	if l := r.Release; l != nil {
		add(nameRelease, l.URL, l, "logs", l.Logs)
	}
	if v := r.Review; v != nil {
		add(nameReview, v.Host, v)
	}
	return out
}

// checks is how the cross-checks stand in annotations.
type checks struct {
	Checks []Fact `json:"checks"`
}

// commitURI is the SPDX download location of a commit's ref, as SLSA uses it for sources.
func commitURI(c Commit) string {
	uri := c.Repository
	if !strings.HasPrefix(uri, "git") {
		uri = "git+" + uri
	}
	if c.Ref == "" {
		return uri
	}
	return uri + "@" + c.Ref
}

// withRefs is a noun whose stored things are written as their digests.
type withRefs struct {
	noun any
	refs map[string]Digest
}

// storedRefs replaces stored things, given as name and value in turn, by their digests: the things themselves are
// byproducts of their own.
func storedRefs(noun any, pairs ...any) withRefs {
	refs := map[string]Digest{}
	for i := 0; i < len(pairs); i += 2 {
		refs[pairs[i].(string)] = pairs[i+1].(Stored).Digest
	}
	return withRefs{noun, refs}
}

// annotations writes a noun's JSON fields as annotations, without those that stand elsewhere in the descriptor.
func (w *writer) annotations(noun any, elsewhere ...string) map[string]any {
	var refs map[string]Digest
	if with, ok := noun.(withRefs); ok {
		noun, refs = with.noun, with.refs
	}
	fields, err := jsonFields(noun)
	if err != nil {
		w.err = err
		return nil
	}
	out := map[string]any{}
	for name, value := range fields {
		if !slices.Contains(elsewhere, name) && string(value) != `""` && string(value) != "null" {
			out[annotationPrefix+name] = value
		}
	}
	for name, digest := range refs {
		delete(out, annotationPrefix+name)
		if !digest.IsZero() {
			out[annotationPrefix+name] = digest
		}
	}
	return out
}

// jsonFields is a noun as its JSON object.
func jsonFields(noun any) (map[string]json.RawMessage, error) {
	data, err := json.Marshal(noun)
	if err != nil {
		return nil, fmt.Errorf("write %T: %w", noun, err)
	}
	var fields map[string]json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&fields); err != nil {
		return nil, fmt.Errorf("write %T: %w", noun, err)
	}
	return fields, nil
}

// wireTime is a time in UTC to the second, or nothing.
func wireTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
