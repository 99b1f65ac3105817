package provenance

import "time"

// DatabricksRun is the training run as the Jobs API answered.
// Source: https://docs.databricks.com/api/workspace/jobs/getrun
type DatabricksRun struct {
	Grounds
	Answered
	Host       string            `json:"host"` // https://adb-….azuredatabricks.net
	RunID      string            `json:"runId"`
	JobID      string            `json:"jobId"`
	Name       string            `json:"name"`
	Result     string            `json:"result"`            // SUCCESS: nothing else is recorded
	Trigger    string            `json:"trigger,omitempty"` // PERIODIC, ONE_TIME, RETRY, …
	Creator    Person            `json:"creator,omitzero"`
	PageURL    string            `json:"pageUrl"`
	Notebook   string            `json:"notebook,omitempty"` // path, of the only notebook task
	Parameters map[string]string `json:"parameters,omitempty"`
	Tasks      []TaskRun         `json:"tasks,omitempty"`
	Clusters   []Cluster         `json:"clusters,omitempty"`
	Repairs    []Repair          `json:"repairs,omitempty"` // the first run of the tasks, and each repair of it
	GitURL     string            `json:"gitUrl,omitempty"`
	GitCommit  string            `json:"gitCommit,omitempty"` // the one that was used; failing that, the one that was asked for
	Started    time.Time         `json:"started,omitzero"`
	Ended      time.Time         `json:"ended,omitzero"`
}

// TaskRun is one task of a run, in its last attempt.
type TaskRun struct {
	Key       string `json:"key"`
	RunID     string `json:"runId"`
	Result    string `json:"result"`              // SUCCESS, …; "unknown" for a disabled task without an outcome
	Kind      string `json:"kind,omitempty"`      // as the Jobs API calls it: notebook_task, spark_python_task, for_each_task, …
	Runs      string `json:"runs,omitempty"`      // the notebook's path, the Python file, the wheel's entry point, …
	From      string `json:"from,omitempty"`      // GIT or WORKSPACE: where that lies
	Attempt   int    `json:"attempt,omitempty"`   // 0 is the first
	Cluster   string `json:"cluster,omitempty"`   // id of the cluster that it ran on
	GitCommit string `json:"gitCommit,omitempty"` // of the task, where it is not the run's
}

// Cluster is a cluster that tasks of a run ran on, as the run describes it.
type Cluster struct {
	ID           string   `json:"id,omitempty"`
	SparkVersion string   `json:"sparkVersion,omitempty"` // the Databricks runtime: 15.4.x-cpu-ml-scala2.12
	NodeType     string   `json:"nodeType,omitempty"`
	Libraries    []string `json:"libraries,omitempty"`   // "pypi scikit-learn==1.5.0", "whl dbfs:/libs/a.whl", …
	InitScripts  []string `json:"initScripts,omitempty"` // URIs
}

// Repair is the first run of a run's tasks, or a repair of it.
type Repair struct {
	Type    string    `json:"type"`             // ORIGINAL or REPAIR
	ID      string    `json:"id,omitempty"`     // of a repair
	Result  string    `json:"result,omitempty"` // its own
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Tasks   []string  `json:"tasks,omitempty"` // ids of the task runs
}

// How a notebook's source compares with the commit.
const (
	Matches   = "matches"
	Differs   = "differs"
	Uncertain = "unknown"
)

// Notebook is source code that ran: the notebook of a task, or what it runs in turn.
type Notebook struct {
	Grounds
	Path     string `json:"path"`               // in the workspace, or in the repository when the run took it from git
	Host     string `json:"host"`               // of the workspace
	How      string `json:"how"`                // "task NAME", "%run", "dbutils.notebook.run" or "import"
	By       string `json:"by,omitempty"`       // path of what runs it; empty for a task's
	Language string `json:"language,omitempty"` // python, sql, scala, r
	Digest   Digest `json:"digest,omitzero"`    // sha256 of its source, LF line ends, one at the end; zero when nobody could read it
	File     string `json:"file,omitempty"`     // that it was compared with, in the commit
	Equal    string `json:"equal"`              // matches, differs or unknown
	// Note is the first line that differs, or why it is not known.
	Note string `json:"note,omitempty"`
	Text Stored `json:"text,omitzero"` // its source, redacted; where it is the commit's own, it is not stored
}

// MLflowRun is a run of an experiment, as an MLflow tracking server answered: a plain one, Databricks, or Azure ML.
// Source: https://mlflow.org/docs/latest/rest-api.html
type MLflowRun struct {
	Grounds
	Answered
	URI        string            `json:"uri"` // of the server: https://HOST/…
	RunID      string            `json:"runId"`
	Name       string            `json:"name,omitempty"`
	Experiment Experiment        `json:"experiment"`
	Status     string            `json:"status"` // FINISHED: nothing else is recorded
	User       Person            `json:"user,omitzero"`
	Parent     string            `json:"parent,omitempty"` // run id of the run that this one is nested in
	Metrics    []Metric          `json:"metrics,omitempty"`
	Params     map[string]string `json:"params,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	GitURL     string            `json:"gitUrl,omitempty"`    // from the tags that the client sets
	GitCommit  string            `json:"gitCommit,omitempty"` // the same
	Inputs     []Dataset         `json:"inputs,omitempty"`
	Allowed    []string          `json:"allowed,omitempty"` // inputs that the pipeline allows not to be recorded
	Artifacts  []Artifact        `json:"artifacts,omitempty"`
	Started    time.Time         `json:"started,omitzero"`
	Ended      time.Time         `json:"ended,omitzero"`
}

// Experiment is what a run belongs to.
type Experiment struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// Metric is the last value of a metric. Values are decimal, or NaN, Infinity, -Infinity.
type Metric struct {
	Name    string    `json:"name"`
	Value   string    `json:"value"`
	Step    int64     `json:"step,string"`
	At      time.Time `json:"at,omitzero"`
	Values  int64     `json:"values,string"`     // how many its history has; the history is in the stored answer
	Dataset string    `json:"dataset,omitempty"` // name of the dataset that it was measured on, where the run says so
	On      string    `json:"on,omitempty"`      // the digest that the run gives of that dataset: a claim, not one of its bytes
	Partial bool      `json:"partial,omitempty"` // the history is too long to be kept: Values counts what was kept of it
	// AfterEnd says that it was logged after the run had ended: not by what was run, then.
	AfterEnd bool `json:"afterEnd,omitempty"`
}

// Dataset is an input that a run logged.
type Dataset struct {
	Name    string `json:"name"`
	Claimed string `json:"claimed,omitempty"` // MLflow's own digest: of some rows, or of a query's plan; not of the bytes
	Kind    string `json:"kind,omitempty"`    // source_type: local, azure_blob, delta_table, …
	Source  string `json:"source,omitempty"`  // URI or path, without secrets
	Role    string `json:"role,omitempty"`    // tag mlflow.data.context: training, eval, …
	Version string `json:"version,omitempty"` // of a Delta table
}

// Artifact is a file that a run logged.
type Artifact struct {
	Path   string `json:"path"`
	Size   *int64 `json:"size,omitempty,string"` // nil: the server does not tell
	Digest Digest `json:"digest,omitzero"`       // sha256, of those that lie beside the image: small plots and curves
	// Redacted says that something was taken out of it: Digest is of what lies beside the image, not of the run's file. Without a
	// Digest the whole was left out, because it names or looks like a secret and could not be cleaned surely.
	Redacted bool   `json:"redacted,omitempty"`
	Stored   Stored `json:"-"`
}

// The kinds of runs that a registered model can name.
const (
	RunIsMLflow     = "mlflow"
	RunIsDatabricks = "databricks" // a run of a job
)

// RegisteredModel is one version of a model in a registry, as it was when it was recorded.
type RegisteredModel struct {
	Grounds
	Answered
	Registry string   `json:"registry"` // mlflow, unity-catalog or azureml
	URI      string   `json:"uri"`      // of the registry
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	AskedAs  string   `json:"askedAs,omitempty"` // the alias that was resolved to the version
	Aliases  []string `json:"aliases,omitempty"`
	Kind     string   `json:"kind,omitempty"` // of its files, as the registry calls it: custom_model, mlflow_model
	Stage    string   `json:"stage,omitempty"`
	Status   string   `json:"status,omitempty"`
	RunID    string   `json:"runId,omitempty"` // of the run that it says it comes from
	// RunIs tells what kind of run RunID is of. A registry's own is mlflow; a tag that the pipeline set may name a Databricks run.
	RunIs string `json:"runIs,omitempty"`
	// TaggedRunID is another run, which a tag names beside the registry's own: of a Databricks job when it is all digits, of MLflow
	// otherwise.
	TaggedRunID string `json:"taggedRunId,omitempty"`
	Experiment  string `json:"experiment,omitempty"` // name
	Source      string `json:"source,omitempty"`     // where its files lie
	// Files is the place of the model, or of a copy of it, at which the files of this very version were read; empty when they were not.
	Files      string            `json:"files,omitempty"`
	Creator    Person            `json:"creator,omitzero"`
	Created    time.Time         `json:"created,omitzero"`
	Updated    time.Time         `json:"updated,omitzero"`
	Tags       map[string]string `json:"tags,omitempty"`
	Properties map[string]string `json:"properties,omitempty"` // set when it was registered, and never changed
	Inputs     []Dataset         `json:"inputs,omitempty"`     // data that the registry says it was trained on
	// Services are the deployments of this version that the registry knew of.
	Services []ModelService `json:"services,omitempty"`
}

// ModelService is something that serves a registered model: an Azure ML service, an image, a deployment of an endpoint.
type ModelService struct {
	Kind    string `json:"kind"` // service, image, deployment
	Name    string `json:"name"`
	Compute string `json:"compute,omitempty"` // ACI, AKS, or the cluster
	Image   string `json:"image,omitempty"`   // its location
	Digest  string `json:"digest,omitempty"`  // the image's, as the service says
	URI     string `json:"uri,omitempty"`     // where it answers
	Traffic int    `json:"traffic,omitempty"` // percent, of a deployment
	State   string `json:"state,omitempty"`   // Healthy, Succeeded, Failed, …
	// Environment is the id of what a deployment runs in, from which Azure ML builds an image that it does not name.
	Environment string    `json:"environment,omitempty"`
	Creator     Person    `json:"creator,omitzero"`
	Created     time.Time `json:"created,omitzero"`
}
