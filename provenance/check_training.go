package provenance

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// checkNotebooks tells whether the notebooks of the run's tasks are those of the commit.
func checkNotebooks(r Record) (*Fact, error) {
	return compareSources(r, CheckNotebook, func(n Notebook) bool { return n.By == "" })
}

// checkCalled tells the same of what the notebooks run in turn. What a task runs whose source nobody read, nobody knows.
func checkCalled(r Record) (*Fact, error) {
	fact, err := compareSources(r, CheckCalled, func(n Notebook) bool { return n.By != "" })
	unread := slices.IndexFunc(r.Notebooks, func(n Notebook) bool { return n.By == "" && n.Equal != Matches && n.Digest.IsZero() })
	if err == nil && unread >= 0 && (fact == nil || fact.Value == "true") {
		n := r.Notebooks[unread]
		fact = &Fact{CheckCalled, "unknown", Declared, n.How + ": " + n.Note}
	}
	return fact, err
}

// compareSources sums up how sources compare with the commit: one that differs outweighs those that nobody could compare. It is as
// good as the weakest comparison.
func compareSources(r Record, name string, about func(Notebook) bool) (*Fact, error) {
	fact := &Fact{Name: name, Value: "true", Basis: Observed}
	seen := false
	for _, n := range r.Notebooks {
		if !about(n) {
			continue
		}
		seen = true
		switch {
		case n.Equal == Matches:
			if fact.Value == "true" {
				fact.Basis = weaker(fact.Basis, n.Of("equal"))
			}
		case n.Equal == Differs && fact.Value != "false":
			*fact = Fact{name, "false", n.Of("equal"), n.Path + ": " + n.Note}
		case fact.Value == "true":
			*fact = Fact{name, "unknown", Declared, n.Path + ": " + n.Note}
		}
	}
	if !seen {
		return nil, nil
	}
	return fact, nil
}

// checkInputs tells whether the folders that the run logged as its inputs are among the recorded ones. One that is not is
// refused, unless the pipeline allows it: the record would hold back what the model was trained on.
func checkInputs(r Record) (*Fact, error) {
	inputs := r.inputs()
	if len(inputs) == 0 || r.dataFollows {
		return nil, nil
	}
	fact := &Fact{CheckInputs, "true", r.inputsBasis(), ""}
	var missing []string
	for _, in := range inputs {
		switch known, recorded := r.records(in); {
		case recorded:
			if isLocal(in.Source) && fact.Value == "true" {
				fact.Basis, fact.Note = Declared, "a local path, such as "+in.Source+", names a file on one machine only: that the run's machine is this one, nobody told"
			}
		case !known && fact.Value == "true":
			*fact = Fact{CheckInputs, "unknown", Declared, fmt.Sprintf("the input %s cannot be compared with a folder: its source is %s", clip(in.Name), orNone(in.Source))}
		case known && !r.allowsInput(in):
			return nil, Refuse("data.unrecorded", "give it as --data; or, if it may stay out of the record, as --allow-input",
				"the run logged the input %s, which is not among the data folders of this record", clip(in.Source))
		case known:
			missing = append(missing, in.Source)
			*fact = Fact{CheckInputs, "false", r.inputsBasis(), "not recorded, which the pipeline allows: " + listed(missing)}
		}
	}
	return fact, nil
}

// maxNoted is how many names a note lists.
const maxNoted = 5

// listed joins names, and counts those that are too many to list.
func listed(names []string) string {
	if more := len(names) - maxNoted; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNoted], ", "), more)
	}
	return strings.Join(names, ", ")
}

// localURL matches the URL of a file on the machine itself.
var localURL = pattern.New(`(?i)^file:(?://(?:localhost)?)?/`)

// inputPlace reads where an input lies. Clients log local paths as file: URLs, too.
func inputPlace(source string) (Place, error) {
	if !localURL().MatchString(source) {
		return ParsePlace(source)
	}
	path, err := url.PathUnescape("/" + localURL().ReplaceAllString(source, ""))
	if err != nil {
		return Place{}, errNotURL
	}
	if drive := strings.TrimPrefix(path, "/"); localDrive().MatchString(drive) {
		path = drive
	}
	return localPlace(path)
}

// localDrive matches a path of Windows.
var localDrive = pattern.New(`^[A-Za-z]:/`)

// isLocal tells whether a source is a path on the machine that names it.
func isLocal(source string) bool {
	return localURL().MatchString(source) || !strings.Contains(source, "://")
}

// DataFollows is evidence for a first look at what the sources say, before the data folders are read, which can take hours: inputs are
// not looked for among the folders yet.
type DataFollows struct{}

func (DataFollows) addTo(r *Record) error {
	r.dataFollows = true
	return nil
}

// inputs are those that runs and registries name.
func (r Record) inputs() (all []Dataset) {
	if r.MLflow != nil {
		all = append(all, r.MLflow.Inputs...)
	}
	for _, m := range r.Registered {
		all = append(all, m.Inputs...)
	}
	return all
}

// inputsBasis is how the inputs are known: as well as the weakest of those who name some.
func (r Record) inputsBasis() Basis {
	basis := Reported
	if r.MLflow != nil && len(r.MLflow.Inputs) > 0 {
		basis = weaker(basis, r.MLflow.Of("inputs"))
	}
	for _, m := range r.Registered {
		if len(m.Inputs) > 0 {
			basis = weaker(basis, m.Of("inputs"))
		}
	}
	return basis
}

// named are schemes of names that only a workspace can tell the place of.
var named = pattern.New(`(?i)^(azureml|aml|dbfs|runs|models):`)

// records tells whether it is known where an input lies, and whether a recorded folder is it or holds it. A folder in it is not
// enough: the rest would stay out of the record.
func (r Record) records(in Dataset) (known, recorded bool) {
	place, err := inputPlace(in.Source)
	if err != nil || named().MatchString(in.Source) {
		return false, false
	}
	return true, slices.ContainsFunc(r.Data, func(f Folder) bool {
		folder, err := ParsePlace(f.URI)
		return err == nil && place.Within(folder)
	})
}

func (r Record) allowsInput(in Dataset) bool {
	return r.MLflow != nil && Within(in.Source, r.MLflow.Allowed)
}

func orNone(s string) string {
	if s == "" {
		return "not told"
	}
	return clip(s)
}

// checkModelRun tells whether the registered model says that it comes from the recorded run. A tag that the pipeline set is
// only declared.
func checkModelRun(r Record) (*Fact, error) {
	if len(r.Registered) == 0 {
		return nil, nil
	}
	fact := &Fact{CheckModelRun, "true", Reported, ""}
	for _, m := range r.Registered {
		basis, err := r.compareRuns(m)
		switch {
		case err != nil:
			return nil, err
		case basis == "":
			*fact = Fact{CheckModelRun, "unknown", Declared, fmt.Sprintf("%s %s in %s: %s", m.Name, m.Version, m.Registry, whyNoRun(m))}
		case fact.Value == "true":
			fact.Basis = weaker(fact.Basis, basis)
		}
	}
	return fact, nil
}

// compareRuns compares the runs that a registered model names with the recorded ones of the same kind. A model may name a run of its
// own and, in a tag, another: the pipeline's run that registered it and the job that trained it, say. For each kind one of them must be
// the recorded run. The basis is that of the best match, and empty when there is nothing to compare.
func (r Record) compareRuns(m RegisteredModel) (Basis, error) {
	var best Basis
	for _, kind := range []string{RunIsDatabricks, RunIsMLflow} {
		recorded := r.run(kind)
		var others []string
		var match Basis
		for _, named := range m.runs() {
			switch {
			case recorded == "" || named.kind != kind:
			case named.id == recorded:
				match = better(match, named.basis)
			default:
				others = append(others, named.id)
			}
		}
		if match == "" && len(others) > 0 {
			return "", Refuse("model.run", "record the run that the registered model comes from, or the version that this run made",
				"the model %s %s in %s comes from run %s, but the recorded run is %s", clip(m.Name), clip(m.Version), m.Registry, clip(others[0]), clip(recorded))
		}
		best = better(best, match)
	}
	return best, nil
}

// namedRun is a run that a registered model names.
type namedRun struct {
	id, kind string
	basis    Basis
}

// runs are those that the model says it comes from.
func (m RegisteredModel) runs() (all []namedRun) {
	if m.RunID != "" {
		kind := RunIsMLflow
		if m.RunIs == RunIsDatabricks {
			kind = RunIsDatabricks
		}
		all = append(all, namedRun{m.RunID, kind, m.Of("runId")})
	}
	if tag := m.TaggedRunID; tag != "" {
		kind := RunIsMLflow
		if strings.Trim(tag, "0123456789") == "" {
			kind = RunIsDatabricks
		}
		all = append(all, namedRun{tag, kind, m.Of("taggedRunId")})
	}
	return all
}

func whyNoRun(m RegisteredModel) string {
	runs := m.runs()
	if len(runs) == 0 {
		return "it names no run"
	}
	return "its run " + runs[0].id + " was not recorded"
}

// run is the id of the recorded run of a kind; empty if there is none.
func (r Record) run(kind string) string {
	switch {
	case kind == RunIsDatabricks && r.Databricks != nil:
		return r.Databricks.RunID
	case kind == RunIsMLflow && r.MLflow != nil:
		return r.MLflow.RunID
	}
	return ""
}

// skew is how far the clocks of two machines may be apart.
const skew = 2 * time.Minute

// firstImages is before any container image was built: tools that build reproducibly write an earlier time.
var firstImages = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

// checkOrder tells whether the training had ended before the image was built. The image's time is what its builder wrote.
func checkOrder(r Record) (*Fact, error) {
	ended := r.trainingEnded()
	built := r.Image.Created
	switch {
	case ended.IsZero():
		return nil, nil
	case built.Before(firstImages):
		return &Fact{CheckOrder, "unknown", Declared, "the image does not say when it was built"}, nil
	case ended.After(built.Add(skew)):
		return &Fact{CheckOrder, "false", Declared, fmt.Sprintf("the run ended at %s, and the image says that it was built at %s", wireText(ended), wireText(built))}, nil
	}
	return &Fact{CheckOrder, "true", Declared, ""}, nil
}

// trainingEnded is when the last of the recorded runs ended.
func (r Record) trainingEnded() (last time.Time) {
	if r.Databricks != nil {
		last = r.Databricks.Ended
	}
	if r.MLflow != nil && r.MLflow.Ended.After(last) {
		last = r.MLflow.Ended
	}
	return last
}

// checkTrackedCommit tells whether the commit that the MLflow run was tagged with is the work tree's. The client sets the tag
// from the folder that it runs in.
func checkTrackedCommit(r Record) (*Fact, error) {
	if r.MLflow == nil || r.MLflow.GitCommit == "" {
		return nil, nil
	}
	if used := r.MLflow.GitCommit; !strings.EqualFold(used, r.Commit.ID.Hex()) {
		return nil, Refuse("mlflow.commit", "train on the commit that is built, or record the run that did",
			"MLflow run %s used commit %s, but the work tree is at %s", clip(r.MLflow.RunID), clip(used), r.Commit.ID.Hex())
	}
	return &Fact{CheckTracked, "true", r.MLflow.Of("gitCommit"), ""}, nil
}
