// Package pipeline reads what Azure Pipelines tells its jobs in variables.
package pipeline

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// Source reads the variables of Azure Pipelines. They are hints: whoever runs a step before this one can set them, so
// everything is declared. Outside a pipeline it says no more than it is told.
// Source: https://learn.microsoft.com/azure/devops/pipelines/build/variables
type Source struct {
	Getenv             func(string) string // nil: no environment
	BuilderID          string              // SLSA builder.id; empty: the definition's URL and the kind of its pool
	InvocationID       string              // outside a pipeline, where none is known
	Path               string              // of the YAML file; no variable holds it
	TemplateParameters map[string]string   // of the run; no variable holds them
	Now                func() time.Time    // the clock of finishedOn; nil: it is left out
}

// Collect returns a provenance.Pipeline. Outside a pipeline without a builder id, and in an environment that is only half
// one of a pipeline, it is a *provenance.Misused.
func (p Source) Collect(context.Context) (provenance.Evidence, error) {
	found := provenance.Pipeline{
		Grounds:   provenance.Grounds{Basis: provenance.Declared},
		BuilderID: p.BuilderID, InvocationID: p.InvocationID,
		Path: foreign.Plain(p.Path), TemplateParameters: foreign.Parameters(p.TemplateParameters),
	}
	if p.Now != nil {
		found.Finished = p.Now().UTC().Truncate(time.Second)
	}
	if err := checkURI("builder id", p.BuilderID); err != nil {
		return nil, err
	}
	if err := checkURI("invocation id", p.InvocationID); err != nil {
		return nil, err
	}
	if p.get("TF_BUILD") != "" {
		return p.inside(found)
	}
	if p.BuilderID == "" {
		return nil, provenance.Misuse("give --builder-id URI: who builds here, as a policy will name it",
			"this is no Azure pipeline, so nobody says who the builder is")
	}
	return found, nil
}

// get is a variable's value, fit to be recorded. Only named variables are ever asked for: tokens are not among them.
func (p Source) get(name string) string {
	if p.Getenv == nil {
		return ""
	}
	return foreign.Plain(p.Getenv(name))
}

// address is a variable's value that is a URL, without user-info and query.
func (p Source) address(name string) string {
	if p.Getenv == nil {
		return ""
	}
	return foreign.RemoteURL(p.Getenv(name))
}

// inside adds what the variables of a pipeline say.
func (p Source) inside(found provenance.Pipeline) (provenance.Evidence, error) {
	place, err := p.place()
	if err != nil {
		return nil, err
	}
	found.Definition = place.definition
	if found.BuilderID == "" {
		found.BuilderID = place.definition + "&pool=" + p.poolKind()
	}
	if found.InvocationID == "" {
		found.InvocationID = place.invocation
	}
	found.Repository = p.address("BUILD_REPOSITORY_URI")
	found.Ref, found.Reason = p.get("BUILD_SOURCEBRANCH"), p.get("BUILD_REASON")
	found.CommitID = strings.ToLower(p.get("BUILD_SOURCEVERSION"))
	found.Started = startTime(p.get("SYSTEM_PIPELINESTARTTIME"))
	found.Internal = p.internal()
	return found, nil
}

// place is where the pipeline and its run can be looked at.
type place struct{ definition, invocation string }

// place makes the URLs. A classic release has a number range of its own, so it must not pass for a build pipeline.
func (p Source) place() (place, error) {
	variables := []string{"SYSTEM_TEAMPROJECT", "SYSTEM_DEFINITIONID", "BUILD_BUILDID"}
	pages := [2]string{"_build?definitionId=", "_build/results?buildId="}
	if strings.EqualFold(p.get("SYSTEM_HOSTTYPE"), "release") {
		variables = []string{"SYSTEM_TEAMPROJECT", "RELEASE_DEFINITIONID", "RELEASE_RELEASEID"}
		pages = [2]string{"_release?definitionId=", "_releaseProgress?releaseId="}
	}
	for _, name := range variables {
		if p.get(name) == "" {
			return place{}, halfSet(name)
		}
	}
	collection, err := p.collection()
	if err != nil {
		return place{}, err
	}
	project := collection + url.PathEscape(p.get(variables[0])) + "/"
	return place{project + pages[0] + url.QueryEscape(p.get(variables[1])), project + pages[1] + url.QueryEscape(p.get(variables[2]))}, nil
}

// collection is the organisation's URL, with a slash at its end.
func (p Source) collection() (string, error) {
	for _, name := range []string{"SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"} {
		value := p.address(name)
		if value == "" {
			continue
		}
		if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return "", provenance.Misuse("", "%s is no URL: %q", name, value)
		}
		return strings.TrimRight(value, "/") + "/", nil
	}
	return "", halfSet("SYSTEM_COLLECTIONURI")
}

func halfSet(name string) error {
	return provenance.Misuse("run it in a step of the job itself; a container must be given the variables of the pipeline, or unset TF_BUILD",
		"TF_BUILD says that this is an Azure pipeline, but %s is not set", name)
}

// The kinds of pools, which earn different trust.
const (
	poolHosted     = "hosted"
	poolSelfHosted = "self-hosted"
)

// poolKind is self-hosted, the one that earns less trust, unless the agent clearly says that it is not.
func (p Source) poolKind() string {
	if slices.Contains([]string{"0", "false"}, strings.ToLower(p.get("AGENT_ISSELFHOSTED"))) {
		return poolHosted
	}
	return poolSelfHosted
}

// internalVariables become internal parameters, under these names. They are all that is copied from the environment.
var internalVariables = []struct{ name, variable string }{
	{"agentId", "AGENT_ID"},
	{"agentMachineName", "AGENT_MACHINENAME"},
	{"agentName", "AGENT_NAME"},
	{"agentOS", "AGENT_OS"},
	{"agentOSArchitecture", "AGENT_OSARCHITECTURE"},
	{"agentVersion", "AGENT_VERSION"},
	{"buildId", "BUILD_BUILDID"},
	{"buildNumber", "BUILD_BUILDNUMBER"},
	{"collectionId", "SYSTEM_COLLECTIONID"},
	{"definitionId", "SYSTEM_DEFINITIONID"},
	{"definitionName", "BUILD_DEFINITIONNAME"},
	{"definitionVersion", "BUILD_DEFINITIONVERSION"},
	{"hostType", "SYSTEM_HOSTTYPE"},
	{"imageOS", "ImageOS"},
	{"imageVersion", "ImageVersion"},
	{"isScheduled", "SYSTEM_ISSCHEDULED"},
	{"jobAttempt", "SYSTEM_JOBATTEMPT"},
	{"jobId", "SYSTEM_JOBID"},
	{"jobName", "SYSTEM_JOBNAME"},
	{"jobPositionInPhase", "SYSTEM_JOBPOSITIONINPHASE"},
	{"phaseName", "SYSTEM_PHASENAME"},
	{"planId", "SYSTEM_PLANID"},
	{"project", "SYSTEM_TEAMPROJECT"},
	{"projectId", "SYSTEM_TEAMPROJECTID"},
	{"pullRequestIsFork", "SYSTEM_PULLREQUEST_ISFORK"},
	{"queuedById", "BUILD_QUEUEDBYID"},
	{"releaseAttempt", "RELEASE_ATTEMPTNUMBER"},
	{"releaseDefinitionId", "RELEASE_DEFINITIONID"},
	{"releaseId", "RELEASE_RELEASEID"},
	{"releaseRequestedForId", "RELEASE_REQUESTEDFORID"},
	{"repositoryId", "BUILD_REPOSITORY_ID"},
	{"repositoryName", "BUILD_REPOSITORY_NAME"},
	{"repositoryProvider", "BUILD_REPOSITORY_PROVIDER"},
	{"requestedForId", "BUILD_REQUESTEDFORID"},
	{"stageAttempt", "SYSTEM_STAGEATTEMPT"},
	{"stageName", "SYSTEM_STAGENAME"},
	{"timelineId", "SYSTEM_TIMELINEID"},
	{"totalJobsInPhase", "SYSTEM_TOTALJOBSINPHASE"},
}

// internal are the facts of this one run.
func (p Source) internal() map[string]string {
	out := map[string]string{"poolKind": p.poolKind()}
	for _, v := range internalVariables {
		if value := p.get(v.variable); value != "" {
			out[v.name] = value
		}
	}
	if web := p.address("RELEASE_RELEASEWEBURL"); web != "" {
		out["releaseUrl"] = web
	}
	if p.get("AGENT_ISSELFHOSTED") == "" {
		out["poolKindNote"] = "AGENT_ISSELFHOSTED is not set; self-hosted is assumed, because it earns less trust"
	}
	return out
}

// startTime reads the pipeline's start, which Azure writes as 2026-11-22 02:30:00+00:00. A time that cannot be read is not
// known: nothing depends on it.
func startTime(s string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05Z07:00", time.RFC3339Nano} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// checkURI tells whether an id given by the caller is a URI without user-info; empty is fine.
func checkURI(what, s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.User != nil || foreign.Plain(s) != s {
		return provenance.Misuse("give a URI such as https://example.com/builders/nightly, without user or password",
			"the %s is not a clean URI: %q", what, foreign.Plain(redact.URL(s)))
	}
	return nil
}
