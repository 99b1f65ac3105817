package provenance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// known are the names and addresses of people that anybody told; nobody's, when they are to be recorded.
func (r *Record) known() (told []string) {
	if !r.idsOnly {
		return nil
	}
	eachPerson(reflect.ValueOf(r).Elem(), func(p *Person) { told = append(told, p.Name, p.Email) })
	for _, a := range r.answers() {
		told = append(told, a.Told...)
	}
	return told
}

// answers are what of each noun belongs to the service that told of it.
func (r *Record) answers() (all []*Answered) {
	if r.Databricks != nil {
		all = append(all, &r.Databricks.Answered)
	}
	if r.MLflow != nil {
		all = append(all, &r.MLflow.Answered)
	}
	for i := range r.Registered {
		all = append(all, &r.Registered[i].Answered)
	}
	if r.Build != nil {
		all = append(all, &r.Build.Answered)
	}
	if r.Release != nil {
		all = append(all, &r.Release.Answered)
	}
	if r.Review != nil {
		all = append(all, &r.Review.Answered)
	}
	return all
}

// withhold takes people whose names are known out of all other text that is kept: paths, tags, names of runs, logs, stored answers. It
// comes after the checks, which compare what was told. Before the data is read nothing is written, and so nothing is looked at.
func (r *Record) withhold(told []string) error {
	if !r.idsOnly || r.dataFollows {
		return nil
	}
	people, err := redact.NewPeople(told)
	if err != nil {
		return fmt.Errorf("look for names of people: %w", err)
	}
	if err := r.withholdStored(people); err != nil {
		return err
	}
	r.withholdText(people)
	return nil
}

// wrote are the fields with what people wrote themselves; they stay.
var wrote = []string{"Subject", "Title", "Comment", "ci.message", "pr.title"}

// addresses are fields that name a place: whoever checks the record compares them with each other, and goes there.
var addresses = []string{"URI", "URL", "PageURL", "GitURL", "Host", "Repository", "Remotes", "Ref", "Reason", "Claims", "Allowed", "Inputs"}

// withholdText does so with the text of the nouns, but for data, the image and the builder, which are what others look for.
func (r *Record) withholdText(people redact.People) {
	skip := slices.Concat(wrote, addresses)
	for _, noun := range []any{&r.Commit, &r.Pipeline.TemplateParameters, &r.Pipeline.Internal, &r.Databricks, &r.Notebooks, &r.MLflow, &r.Registered, &r.Build,
		&r.Release, &r.Review, &r.Checks} {
		redact.Texts(noun, people.Mask, skip...)
	}
	for _, inputs := range r.inputLists() {
		r.withholdInputs(inputs, people)
	}
	if r.Model != nil {
		r.Model.URI = people.Mask(r.Model.URI)
		for i := range r.Model.Copies {
			r.Model.Copies[i].URI = people.Mask(r.Model.Copies[i].URI)
		}
	}
	r.tellNotebooksApart()
}

// inputLists are the lists of inputs that runs and registries have.
func (r *Record) inputLists() (all [][]Dataset) {
	if r.MLflow != nil {
		all = append(all, r.MLflow.Inputs)
	}
	for _, m := range r.Registered {
		all = append(all, m.Inputs)
	}
	return all
}

// withholdInputs leaves the places of those that were compared with the data folders, which are in the record themselves.
func (r *Record) withholdInputs(inputs []Dataset, people redact.People) {
	for i := range inputs {
		source := inputs[i].Source
		redact.Texts(&inputs[i], people.Mask)
		if known, _ := r.records(Dataset{Source: source}); known {
			inputs[i].Source = source
		}
	}
}

// tellNotebooksApart keeps those apart that only a person's name told apart.
func (r *Record) tellNotebooksApart() {
	seen := map[[3]string]int{}
	for i := range r.Notebooks {
		n := &r.Notebooks[i]
		as := [3]string{n.Path, n.By, n.How}
		if seen[as]++; seen[as] > 1 {
			n.How += fmt.Sprintf(", %d", seen[as])
		}
	}
}

// withholdStored does so with what lies beside the image, and notes where something was taken out.
func (r *Record) withholdStored(people redact.People) error {
	for _, a := range r.answers() {
		if err := withholdNoted(people, a, &a.Answer); err != nil {
			return err
		}
	}
	if r.Release != nil {
		if err := withholdNoted(people, &r.Release.Answered, &r.Release.Logs); err != nil {
			return err
		}
	}
	for i := range r.Data {
		if _, err := withholdFrom(people, &r.Data[i].ProtectionAnswer); err != nil {
			return err
		}
	}
	for i := range r.Notebooks {
		if _, err := withholdFrom(people, &r.Notebooks[i].Text); err != nil {
			return err
		}
	}
	return r.withholdArtifacts(people)
}

func (r *Record) withholdArtifacts(people redact.People) error {
	if r.MLflow == nil {
		return nil
	}
	for i := range r.MLflow.Artifacts {
		a := &r.MLflow.Artifacts[i]
		removed, err := withholdFrom(people, &a.Stored)
		if err != nil {
			return err
		}
		a.Digest, a.Redacted = a.Stored.Digest, a.Redacted || removed != nil
	}
	return nil
}

// maxWithheld bounds how many places one noun notes; what is removed is marked in what is stored anyway.
const maxWithheld = 200

// withholdNoted takes people out of one stored thing of a service, and notes where.
func withholdNoted(people redact.People, a *Answered, s *Stored) error {
	removed, err := withholdFrom(people, s)
	if more := len(removed) - maxWithheld; more > 0 {
		removed = append(removed[:maxWithheld], fmt.Sprintf("and %d more", more))
	}
	a.Removed = append(a.Removed, removed...)
	return err
}

// withholdFrom takes people out of one stored thing: it gets another digest. removed are the places. Images are not text, and what
// was read back from a statement has no bytes.
func withholdFrom(people redact.People, s *Stored) (removed []string, err error) {
	s.Name = people.MaskFile(s.Name)
	if s.Open == nil || strings.HasPrefix(s.MediaType, "image/") {
		return nil, nil
	}
	data, err := s.read()
	if err != nil {
		return nil, fmt.Errorf("look for names of people in %s: %w", s.Name, err)
	}
	w := withholding{people: people}
	clean := w.document(s.Name, s.MediaType, data)
	if w.removed == nil {
		return nil, nil
	}
	s.Digest, s.Size = SumSHA256(clean), int64(len(clean))
	s.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(clean)), nil }
	return w.removed, nil
}

func (s Stored) read() ([]byte, error) {
	f, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close() // was read only
	return io.ReadAll(f)
}

// withholding takes people out of one document.
type withholding struct {
	people  redact.People
	removed []string
}

func (w *withholding) document(name, mediaType string, data []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var all []answer
	if mediaType == AnswersMediaType && decoder.Decode(&all) == nil {
		return w.all(all)
	}
	decoder = json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var decoded any
	if strings.HasSuffix(mediaType, "json") && decoder.Decode(&decoded) == nil {
		return plainBytes(w.value("$", decoded))
	}
	lines := strings.Split(string(data), "\n")
	for i := range lines {
		lines[i] = w.text(fmt.Sprintf("%s line %d", name, i+1), lines[i])
	}
	return []byte(strings.Join(lines, "\n"))
}

// answer is one among several that are stored in one document.
type answer struct {
	Request   string          `json:"request"`
	AskedAt   json.RawMessage `json:"askedAt"`
	RequestID string          `json:"requestId,omitempty"`
	Answer    any             `json:"answer"`
}

func (w *withholding) all(all []answer) []byte {
	for i := range all {
		a := &all[i]
		request := w.people.Mask(a.Request)
		a.Request = w.text(request, a.Request)
		a.Answer = w.value(request+" $", a.Answer)
	}
	slices.SortStableFunc(all, func(x, y answer) int { return cmp.Compare(x.Request, y.Request) })
	return plainBytes(all)
}

// value is v, which stands at path, without people.
func (w *withholding) value(path string, v any) any {
	switch v := v.(type) {
	case string:
		return w.text(path, v)
	case []any:
		for i := range v {
			v[i] = w.value(fmt.Sprintf("%s[%d]", path, i), v[i])
		}
	case map[string]any:
		return w.object(path, v)
	}
	return v
}

// freeText are the keys under which services write what people wrote.
var freeText = map[string]bool{"message": true, "comment": true, "comments": true, "title": true, "description": true, "body": true, "ci.message": true,
	"pr.title": true, "System.Title": true, "System.Description": true}

func (w *withholding) object(path string, in map[string]any) map[string]any {
	out := make(map[string]any, len(in))
	for _, key := range slices.Sorted(maps.Keys(in)) {
		masked := w.people.Mask(key)
		at := path + "." + pathStep(masked)
		if _, isText := in[key].(string); !isText || !freeText[key] {
			in[key] = w.value(at, in[key])
		}
		if masked != key {
			w.removed = append(w.removed, at)
		}
		out[unused(out, masked)] = in[key]
	}
	return out
}

// unused is a key that an object does not have yet: of two people's, none may be lost.
func unused(object map[string]any, key string) string {
	name := key
	for n := 2; ; n++ {
		if _, used := object[name]; !used {
			return name
		}
		name = fmt.Sprintf("%s, %d", key, n)
	}
}

func pathStep(key string) string {
	if strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == "" {
		return key
	}
	return fmt.Sprintf("%q", clip(key))
}

func (w *withholding) text(path, s string) string {
	masked := w.people.Mask(s)
	if masked != s {
		w.removed = append(w.removed, path)
	}
	return masked
}

// plainBytes writes what was decoded from JSON, and so can be.
func plainBytes(v any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
