package main

import (
	"io"
	"sync"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/envelope"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/image"
	"github.com/seed-3480f271/provenance/provenance/report"
	"github.com/seed-3480f271/provenance/provenance/sign"
	"github.com/urfave/cli/v2"
)

func recordCommand(p process) *cli.Command {
	return &cli.Command{
		Name:  "record",
		Usage: "collect what went into an image, sign it, and attach it to the image",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "read flags from `FILE` (default: provenance.yaml, if there is one)"},
			&cli.StringFlag{Name: "image", Usage: "image `REF`: registry/repository:tag, …@sha256:…, oci:DIR or oci:DIR:TAG"},
			&cli.StringFlag{Name: "platform", Usage: "only this `PLATFORM` of the image, such as linux/amd64"},
			&cli.StringSliceFlag{Name: "data", Usage: "data folder `[ROLE=]URI`, repeatable; ROLE is train (the default), validation, test or other"},
			&cli.StringFlag{Name: "data-list", Usage: "`FILE` with one [ROLE=]URI a line, as the training script wrote it"},
			&cli.StringSliceFlag{Name: "manifest", Usage: "digests that other machines computed: digest `FILE` of a --data folder, or of one shard of it, repeatable"},
			&cli.StringSliceFlag{Name: "listing", Usage: "`FILE` that `digest --listing` wrote before training, repeatable"},
			&cli.StringFlag{Name: "reuse", Usage: "reuse digests of blobs that did not change: `auto`, never, or read within a time such as 720h", Value: "auto"},
			&cli.StringFlag{Name: "previous", Usage: "image `REF` whose digests may be reused (default: this pipeline's last one in the same repository)"},
			&cli.StringSliceFlag{Name: "storage-account-id", Usage: "Azure resource `ID` of a storage account, whose retention policies are asked for, repeatable"},
			stateFlag(), workersFlag(),
			&cli.StringSliceFlag{Name: "model", Usage: "model file or folder, `PATH` or URI (abfss:, dbfs:, /Volumes/, runs:/, models:/, azureml); repeatable: all have to hold the same bytes"},
			&cli.StringFlag{Name: "model-name", Usage: "the model's `NAME` (default: the last part of --model)"},
			&cli.StringFlag{Name: "model-version", Usage: "the model's `VERSION`, or @ALIAS; with --mlflow-uri or --azureml-workspace it is looked up in the registry"},
			&cli.StringFlag{Name: "databricks-host", Usage: "workspace `URL` (token in DATABRICKS_TOKEN, else the Azure identity)"},
			&cli.StringFlag{Name: "databricks-run", Usage: "`ID` of the training run"},
			&cli.StringFlag{Name: "databricks-notebook", Usage: "`FILE` of the commit that the run's only notebook is (default: the one of its name)"},
			&cli.StringFlag{Name: "databricks-resource-id", Usage: "Azure resource `ID` of the workspace, for an identity that is not a user of it"},
			&cli.DurationFlag{Name: "wait", Usage: "wait so long for the training run to end, such as 2h; --timeout has to be longer"},
			&cli.StringFlag{Name: "mlflow-uri", Usage: "tracking server `URI`: https://…, azureml://…, or the Databricks workspace's URL (credentials in MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD)"},
			&cli.StringFlag{Name: "mlflow-run", Usage: "`ID` of the experiment's run"},
			&cli.StringSliceFlag{Name: "allow-input", Usage: "`URI` of data that the run logged as an input and that need not be recorded, repeatable"},
			&cli.StringFlag{Name: "azureml-workspace", Usage: "Azure resource `ID` of the workspace in which --model-name and --model-version are registered"},
			&cli.StringFlag{Name: "azure-devops", Usage: "in a pipeline, ask Azure DevOps about the build and its people: `auto` (when SYSTEM_ACCESSTOKEN is mapped), never, or the URL of a server's collection", Value: azureDevOpsAuto},
			&cli.StringFlag{Name: "github-api", Usage: "`URL` of the API of a GitHub Enterprise server (default: https://api.github.com; asked when GITHUB_TOKEN is mapped)"},
			&cli.StringFlag{Name: "people", Usage: "`full`, or id: no names and addresses of people, only their ids", Value: peopleFull},
			&cli.StringFlag{Name: "evidence", Usage: "also keep the statement and all that it rests on in a container or folder, `URI`"},
			&cli.StringFlag{Name: "repo", Usage: "work tree `DIR` (default: here)"},
			&cli.StringFlag{Name: "builder-id", Usage: "SLSA builder.id `URI` (default in a pipeline: its definition's URL and pool)"},
			&cli.StringFlag{Name: "statement", Usage: "also write the plain statement to `FILE`; - is stdout, in place of the report"},
			&cli.StringFlag{Name: "bundle", Usage: "also write the signed Sigstore bundle to `FILE`"},
			&cli.BoolFlag{Name: "dry-run", Usage: "collect and build the statement; sign and write nothing to the registry"},
			cloudFlag(), formatFlag("text", "json"),
		}, signingFlags()...),
		Action: p.action(0, record),
	}
}

// recorder is one run of record.
type recorder struct {
	*job
	cfg      config
	format   string
	reuse    reuse
	image    *image.Image
	key      *sign.Key // nil in a dry run without one
	lock     sync.Mutex
	evidence []provenance.Evidence
	issued   []string // OIDC tokens that this run got
}

func record(j *job) error {
	j.collect(collectOften)
	r := &recorder{job: j}
	if err := r.configure(); err != nil {
		return err
	}
	options, err := r.signOptions()
	if err != nil {
		return err
	}
	key := r.loadKey(r.cfg.Key, options)
	if err := r.askSources(); err != nil {
		return err
	}
	if r.key, err = key(); err != nil {
		return err
	}
	if err := r.readData(); err != nil {
		return err
	}
	statement, payload, err := r.statement()
	if err != nil {
		return err
	}
	if j.c.Bool("dry-run") {
		return r.finish(statement, payload, nil, false)
	}
	return r.attach(statement, payload)
}

// configure reads what is asked for, and refuses what does not go together before anybody is asked.
func (r *recorder) configure() (err error) {
	if r.format, err = r.job.format("text", "json"); err != nil {
		return err
	}
	if r.cfg, err = loadConfig(r.c); err != nil {
		return err
	}
	if err := r.cfg.check(r.c.Bool("dry-run")); err != nil {
		return err
	}
	if err := r.checkAsked(); err != nil {
		return err
	}
	if r.reuse, err = parseReuse(r.cfg.Reuse); err != nil {
		return err
	}
	r.workers, err = workers(r.cfg.Workers)
	return err
}

// check refuses what cannot be recorded before anything is asked.
func (cfg config) check(dryRun bool) error {
	switch {
	case cfg.Image == "":
		return provenance.Misuse("give --image, or image: in provenance.yaml", "no image is named: a statement must have a subject")
	case cfg.Key == "" && !dryRun:
		return provenance.Misuse("`provenance keygen` makes one; --dry-run needs none", "no key is named: give --key")
	case len(cfg.Model) == 0 && cfg.ModelName+cfg.ModelVersion != "" && cfg.MLflowURI+cfg.AzureML == "":
		return provenance.Misuse("give --model", "a model's name or version is given, but no model")
	case dryRun && cfg.Bundle != "":
		return provenance.Misuse("leave one of them out", "--dry-run signs nothing, so there is no --bundle to write")
	}
	return cfg.checkServices()
}

// statement builds the statement and takes a last look at it, and at what will lie beside it, for secrets.
func (r *recorder) statement() (provenance.Statement, []byte, error) {
	statement, err := provenance.NewStatement(r.evidence...)
	if err != nil {
		return statement, nil, err
	}
	if err := r.warnOfChecks(statement); err != nil {
		return statement, nil, err
	}
	payload, err := statement.Bytes()
	if err != nil {
		return statement, nil, err
	}
	if err := provenance.CheckSecrets("the statement", payload, r.secrets()...); err != nil {
		return statement, nil, err
	}
	_, answers, err := provenance.Beside(r.evidence...)
	if err != nil {
		return statement, nil, err
	}
	for _, answer := range answers {
		if err := r.checkStored(answer); err != nil {
			return statement, nil, err
		}
	}
	return statement, payload, nil
}

func (r *recorder) checkStored(s provenance.Stored) error {
	f, err := s.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	return provenance.CheckSecrets(s.Name, data, r.secrets()...)
}

// attach signs and attaches, unless the same attestation is there already: then it only completes what an interrupted run
// may have left. Then it reads back what it wrote.
func (r *recorder) attach(statement provenance.Statement, payload []byte) error {
	mine, err := provenance.Read(statement)
	if err != nil {
		return err
	}
	signed, again, err := r.sameBuild(mine)
	if err != nil {
		return err
	}
	if again {
		statement, payload, err = openStatement(signed.Bundle, r.key.Trust())
	} else {
		signed, err = r.key.Sign(r.ctx, payload)
	}
	if err != nil {
		return err
	}
	stored, err := r.beside(statement, again)
	if err != nil {
		return err
	}
	if err := r.keep(payload, signed.Bundle, stored); err != nil {
		return err
	}
	if err := r.attachSigned(r.image, r.key, signed, provenance.PredicateType, stored...); err != nil {
		return err
	}
	r.point()
	return r.finish(statement, payload, signed.Bundle, again)
}

// point leaves a mark in the repository, by which the next run of this pipeline finds what it may reuse. It is a hint, so it may
// fail: registries can forbid tags to move.
func (r *recorder) point() {
	if err := r.image.Point(r.ctx, r.pipelineID()); err != nil {
		r.say("warning: the next run will not find this attestation by itself: %v\nhint: name this image there with --previous", err)
	}
}

// sameBuild looks for an attestation of the same build that this key or identity signed, and that was seen by all who are asked now.
func (r *recorder) sameBuild(mine provenance.Record) (sign.Signed, bool, error) {
	found, err := r.image.Attestations(r.ctx)
	if err != nil {
		return sign.Signed{}, false, err
	}
	for _, f := range found {
		if f.Err != nil {
			continue
		}
		theirs, form, err := openRecord(f.Bytes, r.key)
		if err != nil || form != envelope.FormBundle { // whatever a manifest calls it
			continue
		}
		if !provenance.SameBuild(mine, theirs) {
			r.warnOfDisagreement(mine, theirs)
			continue
		}
		if r.key.Identity() != nil {
			return sign.Signed{Bundle: f.Bytes}, true, nil
		}
		env, _, err := envelope.UnverifiedEnvelopeOf(f.Bytes) // it was verified above
		return sign.Signed{Envelope: env, Bundle: f.Bytes}, true, err
	}
	return sign.Signed{}, false, nil
}

// warnOfDisagreement tells at once what verify would refuse later. It is no error: images that are rebuilt bit by bit from
// another commit do this, and a policy can allow it.
func (r *recorder) warnOfDisagreement(mine, theirs provenance.Record) {
	for _, about := range provenance.Disagreements(mine, theirs) {
		r.say("warning: this image carries a statement of the same key that disagrees on the %s; verify refuses both, unless its policy "+
			"has allowDisagreement\nhint: if the earlier one is wrong, build the image again, which gives it another digest, and record that", about.About)
	}
}

// openStatement goes from bytes to the signed statement, and to its own bytes.
func openStatement(data []byte, trust envelope.Trust) (provenance.Statement, []byte, error) {
	verified, err := trust.Open(data)
	if err != nil {
		return provenance.Statement{}, nil, err
	}
	statement, err := provenance.ParseStatement(verified.Payload())
	return statement, verified.Payload(), err
}

// openRecord goes all the way to a record.
func openRecord(data []byte, key *sign.Key) (record provenance.Record, form string, err error) {
	verified, err := key.Open(data)
	if err != nil {
		return record, "", err
	}
	statement, err := provenance.ParseStatement(verified.Payload())
	if err != nil {
		return record, "", err
	}
	record, err = provenance.Read(statement)
	return record, verified.Form(), err
}

// finish writes the files that were asked for and says what was done.
func (r *recorder) finish(statement provenance.Statement, payload, bundle []byte, again bool) error {
	if r.cfg.State != "" { // nothing has to be resumed any more
		if err := folder.ClearState(r.cfg.State); err != nil {
			return err
		}
	}
	if r.cfg.Statement == "-" {
		return report.StatementJSON(r.Stdout, payload)
	}
	for name, data := range map[string][]byte{r.cfg.Statement: payload, r.cfg.Bundle: bundle} {
		if name == "" {
			continue
		}
		if err := writeFile(name, data); err != nil {
			return err
		}
	}
	record, err := provenance.Read(statement)
	if err != nil {
		return err
	}
	done := report.Recorded{Record: record, Statement: provenance.SumSHA256(payload), Again: again}
	if bundle != nil {
		verified, err := r.key.Open(bundle)
		if err != nil {
			return err
		}
		signer := verified.Signer()
		done.Signer, done.Times = &signer, verified.Times()
	}
	if r.format == "json" {
		return report.RecordedJSON(r.Stdout, done)
	}
	return report.RecordedText(r.Stdout, done, report.Options{Color: r.color})
}

// secretVariables hold secrets of this process, which must not turn up in anything that is signed or stored.
var secretVariables = []string{passwordVariable, "DATABRICKS_TOKEN", "SYSTEM_ACCESSTOKEN", "AZURE_CLIENT_SECRET",
	"AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING",
	"AZURE_DEVOPS_EXT_PAT", "ARM_CLIENT_SECRET", idTokenVariable, "GITHUB_TOKEN", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD"}

// secrets are the values that the last look searches for.
func (j *job) secrets() []string {
	var values []string
	for _, name := range secretVariables {
		if value := j.getenv(name); value != "" {
			values = append(values, value)
		}
	}
	return values
}

// secrets are also the tokens that were issued meanwhile.
func (r *recorder) secrets() []string {
	r.lock.Lock()
	defer r.lock.Unlock()
	return append(r.job.secrets(), r.issued...)
}
