package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	slsa1 "github.com/in-toto/in-toto-golang/in_toto/slsa_provenance/v1"
)

// Read is the way back from a statement to the nouns. A statement of another buildType, or one that is not as [NewStatement]
// writes it, is a *Refused. Annotations and parameters that this version does not know are ignored, but for external
// parameters: those were somebody's choice, and one that is not understood cannot be judged.
func Read(s Statement) (Record, error) {
	if got := s.Predicate.BuildDefinition.BuildType; got != BuildType {
		return Record{}, Refuse("statement.buildType", "", "buildType is %q, not %s", clip(got), BuildType)
	}
	r := reader{stored: map[Digest]Stored{}, record: Record{Data: []Folder{}, Checks: []Fact{}}}
	r.readStored(s.Predicate.RunDetails.Byproducts)
	r.readParameters(s)
	r.readDescriptors(s.Predicate.BuildDefinition.ResolvedDependencies)
	r.readDescriptors(s.Predicate.RunDetails.Byproducts)
	r.readSubjects(s)
	if r.err == nil {
		r.err = r.record.complete()
	}
	if r.err == nil {
		r.err = r.record.consistent(s)
	}
	if r.err != nil {
		return Record{}, Refuse("statement.malformed", "", "the statement does not follow its build type: %v", r.err)
	}
	return r.record, nil
}

// reader fills a record, and keeps the first error.
type reader struct {
	record Record
	stored map[Digest]Stored
	err    error
}

func (r *reader) fail(err error) {
	if r.err == nil && err != nil {
		r.err = err
	}
}

// readStored collects the byproducts that lie beside the image.
func (r *reader) readStored(byproducts []slsa1.ResourceDescriptor) {
	for _, d := range byproducts {
		name, found := strings.CutPrefix(d.Name, nameStored)
		if !found {
			continue
		}
		set, err := parseDigestSet(d.Digest)
		r.fail(err)
		size, err := strconv.ParseInt(fmt.Sprint(d.Annotations[annotationPrefix+"size"]), 10, 64)
		if err != nil || size < 0 {
			r.fail(fmt.Errorf("byproduct %q has no size", clip(d.Name)))
		}
		digest := set[SHA256]
		r.stored[digest] = Stored{Name: name, MediaType: d.MediaType, Digest: digest, Size: size}
	}
}

func (r *reader) readParameters(s Statement) {
	var external externalParameters
	var internal internalParameters
	r.fail(remarshal(s.Predicate.BuildDefinition.ExternalParameters, &external, true))
	r.fail(remarshal(s.Predicate.BuildDefinition.InternalParameters, &internal, false))
	run := s.Predicate.RunDetails
	p := external.Pipeline
	r.record.Pipeline = Pipeline{
		Grounds: internal.Grounds, BuilderID: run.Builder.ID, InvocationID: run.BuildMetadata.InvocationID,
		Definition: p.Definition, Path: p.Path, Repository: p.Repository, Ref: p.Ref,
		Reason: external.Reason, TemplateParameters: external.TemplateParameters,
		Internal: internal.Run, CommitID: internal.CommitID,
		Started: readTime(run.BuildMetadata.StartedOn), Finished: readTime(run.BuildMetadata.FinishedOn),
	}
	r.fail(r.record.Pipeline.valid())
	for name, version := range run.Builder.Version {
		r.record.Tool = Tool{name, version}
	}
}

// readDescriptors reads those that it knows by name.
func (r *reader) readDescriptors(descriptors []slsa1.ResourceDescriptor) {
	for _, d := range descriptors {
		switch role, isData := strings.CutPrefix(d.Name, nameData); {
		case isData:
			r.readFolder(d, role)
		case d.Name == nameSource:
			r.readCommit(d)
		case d.Name == nameBase:
			r.readBase(d)
		case d.Name == nameImage:
			r.readImage(d)
		case d.Name == nameModel:
			r.readModel(d)
		case d.Name == nameNotebook:
			r.readNotebook(d)
		case d.Name == nameChecks:
			r.readChecks(d)
		default:
			r.readTold(d)
		}
	}
}

func (r *reader) readCommit(d slsa1.ResourceDescriptor) {
	var c Commit
	set := r.noun(d, &c)
	c.ID, c.Files = set[GitCommit], set[DirHash]
	if _, said := d.Annotations[annotationPrefix+"dirty"]; !said { // absence must not read as clean
		r.fail(errors.New("it does not say whether the work tree was clean"))
	}
	r.fail(c.valid())
	r.fail(c.addTo(&r.record))
}

func (r *reader) readFolder(d slsa1.ResourceDescriptor, role string) {
	var f Folder
	set := r.noun(d, &f, "manifest", "index", "protectionAnswer")
	f.URI, f.Digest = d.URI, set[DirHash]
	f.Manifest, f.Index, f.ProtectionAnswer = r.ref(d, "manifest"), r.ref(d, "index"), r.ref(d, "protectionAnswer")
	if f.Role != role || f.Digest.IsZero() || f.Manifest.Digest.Hex() != f.Digest.Hex() {
		r.fail(fmt.Errorf("data folder %q has no dirHash with its manifest", clip(d.URI)))
	}
	r.fail(f.valid())
	r.fail(f.addTo(&r.record))
}

// readBase needs no image before it: dependencies stand before byproducts, and readImage keeps the base.
func (r *reader) readBase(d slsa1.ResourceDescriptor) {
	var b BaseImage
	set := r.noun(d, &b)
	b.Digest = set[SHA256]
	r.fail(b.valid())
	r.record.Image.Base = &b
}

func (r *reader) readImage(d slsa1.ResourceDescriptor) {
	var i Image
	set := r.noun(d, &i)
	i.Digest, i.Base = set[SHA256], r.record.Image.Base
	r.fail(i.valid())
	r.fail(i.addTo(&r.record))
}

func (r *reader) readModel(d slsa1.ResourceDescriptor) {
	var m Model
	set := r.noun(d, &m, "manifest")
	m.URI, m.File, m.Manifest = d.URI, set[SHA256], r.ref(d, "manifest")
	r.fail(m.valid())
	r.fail(m.addTo(&r.record))
}

func (r *reader) readNotebook(d slsa1.ResourceDescriptor) {
	var n Notebook
	set := r.noun(d, &n, "text")
	n.Digest, n.Text = set[SHA256], r.ref(d, "text")
	if !slices.Contains([]string{Matches, Differs, Uncertain}, n.Equal) {
		r.fail(fmt.Errorf("notebook %q compares with the commit as %q", clip(n.Path), clip(n.Equal)))
	}
	r.fail(n.valid())
	r.fail(n.addTo(&r.record))
}

// readTold reads what services told of.
func (r *reader) readTold(d slsa1.ResourceDescriptor) {
	registry, isRegistered := strings.CutPrefix(d.Name, nameRegistered)
	switch {
	case isRegistered:
		m := told[RegisteredModel](r, d)
		m.Answer = r.ref(d, "answer")
		if m.Registry != registry {
			r.fail(fmt.Errorf("the model registered in %q says that its registry is %q", clip(registry), clip(m.Registry)))
		}
		r.fail(errors.Join(m.valid(), m.addTo(&r.record)))
	case d.Name == nameDatabricks:
		run := told[DatabricksRun](r, d)
		run.PageURL, run.Answer = d.URI, r.ref(d, "answer")
		r.fail(errors.Join(run.valid(), run.addTo(&r.record)))
	case d.Name == nameMLflow:
		run := told[MLflowRun](r, d)
		run.Answer = r.ref(d, "answer")
		for i, a := range run.Artifacts {
			run.Artifacts[i].Stored = r.stored[a.Digest]
		}
		r.fail(errors.Join(run.valid(), run.addTo(&r.record)))
	case d.Name == nameBuild:
		build := told[Build](r, d)
		build.URL, build.Answer = d.URI, r.ref(d, "answer")
		r.fail(errors.Join(build.valid(), build.addTo(&r.record)))
	case d.Name == nameRelease:
		release := told[Release](r, d, "logs")
		release.URL, release.Answer, release.Logs = d.URI, r.ref(d, "answer"), r.ref(d, "logs")
		r.fail(errors.Join(release.valid(), release.addTo(&r.record)))
	case d.Name == nameReview:
		review := told[Review](r, d)
		review.Answer = r.ref(d, "answer")
		r.fail(errors.Join(review.valid(), review.addTo(&r.record)))
	}
}

// told reads the annotations of a noun that a service told of.
func told[T any](r *reader, d slsa1.ResourceDescriptor, refs ...string) (noun T) {
	set := r.noun(d, &noun, append(refs, "answer")...)
	if answer := r.ref(d, "answer").Digest; set[SHA256] != answer {
		r.fail(fmt.Errorf("descriptor %q has another digest than the stored answer that it names", clip(d.Name)))
	}
	return noun
}

func (r *reader) readChecks(d slsa1.ResourceDescriptor) {
	var c checks
	r.noun(d, &c)
	for _, fact := range c.Checks {
		r.fail(Grounds{Basis: fact.Basis}.valid())
	}
	r.record.Checks = append(r.record.Checks, c.Checks...)
}

// readSubjects checks the subjects against the record that names the same things: they must say the same, because
// verifiers match subjects and people read the record.
func (r *reader) readSubjects(s Statement) {
	var model Digest
	for _, subject := range s.Subject {
		if strings.HasPrefix(subject.Name, subjectModel) && r.record.Model != nil {
			set, err := parseDigestSet(subject.Digest)
			r.fail(err)
			model = set[DirHash]
		}
	}
	if r.record.Model != nil {
		r.record.Model.Digest = model
		if model.IsZero() {
			r.fail(fmt.Errorf("the model %q is not among the subjects", clip(r.record.Model.Name)))
		}
	}
	want, _ := json.Marshal(r.record.subjects())
	if got, _ := json.Marshal(s.Subject); string(got) != string(want) {
		r.fail(errors.New("the subjects are not the image and the model that the byproducts name"))
	}
}

// noun reads a descriptor's annotations into a noun, without those that name stored things, and returns its digests.
func (r *reader) noun(d slsa1.ResourceDescriptor, into any, refs ...string) DigestSet {
	fields := map[string]any{}
	for key, value := range d.Annotations {
		if name, ours := strings.CutPrefix(key, annotationPrefix); ours {
			fields[name] = value
		}
	}
	for _, ref := range refs {
		delete(fields, ref)
	}
	if err := remarshal(fields, into, false); err != nil {
		r.fail(fmt.Errorf("descriptor %q: %w", clip(d.Name), err))
	}
	set, err := parseDigestSet(d.Digest)
	r.fail(err)
	return set
}

// ref finds the stored thing that an annotation names by its digest. An annotation that is missing is the zero value.
func (r *reader) ref(d slsa1.ResourceDescriptor, name string) Stored {
	value, present := d.Annotations[annotationPrefix+name]
	if !present {
		return Stored{}
	}
	digest, err := ParseDigest(fmt.Sprint(value))
	r.fail(err)
	stored, found := r.stored[digest]
	if !found {
		r.fail(fmt.Errorf("descriptor %q names a %s that is not among the byproducts", clip(d.Name), name))
	}
	return stored
}

// valid refuses bases that are none.
func (g Grounds) valid() error {
	if !g.Basis.Valid() {
		return fmt.Errorf("basis %q is not known", clip(string(g.Basis)))
	}
	for name, basis := range g.BasisOf {
		if !basis.Valid() {
			return fmt.Errorf("basis %q of %s is not known", clip(string(basis)), clip(name))
		}
	}
	return nil
}

func readTime(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// remarshal moves a decoded JSON value into a typed one.
func remarshal(from, into any, strict bool) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	if strict {
		dec.DisallowUnknownFields()
	}
	return dec.Decode(into)
}
