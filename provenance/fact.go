package provenance

import "time"

// Fact is something known about the whole build rather than about one resource: above all the result of a cross-check
// between sources. Value is short text ("true", "false", "unknown"); Note says why, for people.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Basis Basis  `json:"basis"`
	Note  string `json:"note,omitempty"`
}

// The names of the cross-checks. Their values are "true" or "unknown": what is known to be false is refused, and never
// becomes a statement. But some can be "false", because there may be good reasons, so that the gate decides: CheckRoles,
// CheckNotebook, CheckCalled, CheckInputs and CheckOrder.
const (
	CheckCommit    = "commitIsPipelines"  // the work tree's commit is the one that the pipeline says it builds
	CheckPipeline  = "pipelineConfirmed"  // Azure DevOps says the same as the pipeline's variables
	CheckRunCommit = "commitIsRuns"       // the commit that the Databricks run used is the work tree's
	CheckTracked   = "commitIsTracked"    // the commit that the MLflow run is tagged with is the work tree's
	CheckTracking  = "trackingIsRuns"     // the MLflow run was logged by the Databricks run
	CheckNotebook  = "notebookIsCommits"  // the notebooks that the run executed are files of the commit
	CheckCalled    = "calledIsCommits"    // so is what the notebooks run in turn
	CheckInputs    = "inputsRecorded"     // the folders that the run logged as inputs are among the recorded ones
	CheckModel     = "modelInImage"       // every platform of the image contains the model
	CheckCopies    = "modelIsEverywhere"  // wherever the model lies, it is the same
	CheckModelRun  = "modelIsRuns"        // the registered model comes from the recorded run
	CheckOrder     = "trainedBeforeImage" // the run had ended when the image was built
	CheckRoles     = "rolesDisjoint"      // no file of the training data is also one of the validation or test data
)

// CheckNames are all of them.
var CheckNames = []string{CheckCommit, CheckPipeline, CheckRunCommit, CheckTracked, CheckTracking, CheckNotebook, CheckCalled, CheckInputs, CheckModel, CheckCopies,
	CheckModelRun, CheckOrder, CheckRoles}

// MayBeFalse are those that can be false in a record.
var MayBeFalse = []string{CheckRoles, CheckNotebook, CheckCalled, CheckInputs, CheckOrder}

// UnknownPlatform is what BuildKit calls the attestations that it puts into an index: no platform, nothing that runs.
const UnknownPlatform = "unknown/unknown"

// wireText is a time in the notes of facts.
func wireText(t time.Time) string { return t.UTC().Format(time.RFC3339) }
