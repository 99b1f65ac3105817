package provenance

import (
	"maps"
	"time"
)

// Build is the pipeline's run as Azure DevOps tells of it. What of the pipeline's variables it confirms is reported; what only
// a variable says stays declared.
// Source: https://learn.microsoft.com/rest/api/azure/devops/build/builds/get
type Build struct {
	Grounds
	Answered
	URL          string            `json:"url"` // of its page, made from the collection, project and id
	ID           string            `json:"id"`
	Number       string            `json:"number,omitempty"`
	Status       string            `json:"status"`           // inProgress while it records itself
	Result       string            `json:"result,omitempty"` // succeeded, …, when it has ended
	Reason       string            `json:"reason,omitempty"`
	Definition   Definition        `json:"definition"`
	Project      string            `json:"project"`          // its id
	Commit       string            `json:"commit"`           // sourceVersion
	Ref          string            `json:"ref"`              // sourceBranch
	Repository   string            `json:"repository"`       // its git URL; empty where the service tells none
	Pool         string            `json:"pool,omitempty"`   // names of the agent pools that its jobs ran in so far
	Hosted       bool              `json:"hosted,omitempty"` // all of them are Microsoft's
	RequestedBy  Person            `json:"requestedBy,omitzero"`
	RequestedFor Person            `json:"requestedFor,omitzero"`
	Queued       time.Time         `json:"queued,omitzero"`
	Started      time.Time         `json:"started,omitzero"`
	Parameters   map[string]string `json:"parameters,omitempty"`
	Trigger      map[string]string `json:"trigger,omitempty"` // triggerInfo
	Changes      []Change          `json:"changes,omitempty"` // since the last build
	WorkItems    []WorkItem        `json:"workItems,omitempty"`
	Approvals    []Approval        `json:"approvals,omitempty"`
	Artifacts    []BuildArtifact   `json:"artifacts,omitempty"`
	// Claims are those of the job's OIDC token, which Azure DevOps signs; the token itself is not kept.
	Claims map[string]string `json:"claims,omitempty"`
}

// timeless leaves out when the job's token was issued, too: each recording asks for one of its own.
func (b *Build) timeless() {
	b.Answered.timeless()
	b.Claims = maps.Clone(b.Claims)
	delete(b.Claims, "iat")
	delete(b.Claims, "exp")
}

// Definition is a pipeline's definition, at one of its revisions.
type Definition struct {
	ID       string `json:"id"`
	URL      string `json:"url,omitempty"` // of its page, made from the collection, project and id
	Name     string `json:"name,omitempty"`
	Revision string `json:"revision,omitempty"`
	Path     string `json:"path,omitempty"` // of the YAML file
}

// Change is a commit that is new in a build.
type Change struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject,omitempty"` // foreign text
	Author  Person    `json:"author,omitzero"`   // from the commit's header
	Pusher  string    `json:"pusher,omitempty"`  // id of who pushed it
	At      time.Time `json:"at,omitzero"`
}

// WorkItem is a work item that a build is associated with.
type WorkItem struct {
	ID    string `json:"id"`
	Type  string `json:"type,omitempty"`
	Title string `json:"title,omitempty"` // foreign text
	State string `json:"state,omitempty"`
}

// Approval is somebody's decision on a stage, an environment or a release.
type Approval struct {
	Of       string    `json:"of"` // the stage or environment, and the kind of check
	Approver Person    `json:"approver,omitzero"`
	Status   string    `json:"status"` // approved, rejected, pending, skipped, …
	At       time.Time `json:"at,omitzero"`
	Comment  string    `json:"comment,omitempty"`
	Group    bool      `json:"group,omitempty"` // Approver is a group or a team, which is nobody in particular
}

// BuildArtifact is something that a build published.
type BuildArtifact struct {
	Name   string `json:"name"`
	Kind   string `json:"kind,omitempty"`        // PipelineArtifact, Container
	Size   *int64 `json:"size,omitempty,string"` // as the service says; nil when it does not
	RootID string `json:"rootId,omitempty"`      // the service's own content id, of a pipeline artifact
	// Digest is the dirHash of its files. Files counts them. Zero when it was not read, and Note says why.
	Digest Digest `json:"digest,omitzero"`
	Files  int64  `json:"files,omitempty,string"`
	Note   string `json:"note,omitempty"`
}

// Review is how the commit came into its repository, as the repository's host tells: who pushed it, and who reviewed it.
type Review struct {
	Grounds
	Answered
	Host       string `json:"host"`       // https://dev.azure.com/contoso, https://github.com
	Repository string `json:"repository"` // Mortgage/mortgage (project and name), contoso/mortgage
	Commit     string `json:"commit"`
	// Author and Committer are the host's accounts for the addresses in the commit's header: whoever wrote the header chose them.
	Author       Person        `json:"author,omitzero"`
	Committer    Person        `json:"committer,omitzero"`
	Pusher       Person        `json:"pusher,omitzero"`
	Pushed       time.Time     `json:"pushed,omitzero"`
	PullRequests []PullRequest `json:"pullRequests,omitempty"` // those that brought the commit
	Verified     string        `json:"verified,omitempty"`     // what the host says of the commit's signature: "valid", "unsigned", …
}

// PullRequest is one.
type PullRequest struct {
	ID        string     `json:"id"`
	URL       string     `json:"url,omitempty"`
	Title     string     `json:"title,omitempty"` // foreign text
	State     string     `json:"state"`           // completed, merged, open, …
	Source    string     `json:"source,omitempty"`
	Target    string     `json:"target,omitempty"`
	Author    Person     `json:"author,omitzero"`
	MergedBy  Person     `json:"mergedBy,omitzero"`
	Merged    time.Time  `json:"merged,omitzero"`
	Commit    string     `json:"commit,omitempty"` // the one that the merge made
	Reviewers []Reviewer `json:"reviewers,omitempty"`
}

// Reviewer is somebody who was asked to review, and what they said.
type Reviewer struct {
	Person
	Vote     string `json:"vote"`               // approved, approved with suggestions, no vote, waiting, rejected; or commented, dismissed
	Of       string `json:"of,omitempty"`       // the commit that was reviewed, where the host says it
	Required bool   `json:"required,omitempty"` // a policy asks for this reviewer
	Group    bool   `json:"group,omitempty"`    // a team, which is nobody in particular
}

// Release is a classic release of Azure DevOps.
// Source: https://learn.microsoft.com/rest/api/azure/devops/release/releases/get-release
type Release struct {
	Grounds
	Answered
	URL          string        `json:"url"`
	ID           string        `json:"id"`
	Name         string        `json:"name"`
	Definition   Definition    `json:"definition"`
	Reason       string        `json:"reason,omitempty"`
	Creator      Person        `json:"creator,omitzero"`
	Created      time.Time     `json:"created,omitzero"`
	Builds       []string      `json:"builds,omitempty"` // of its artifacts: "alias definition number id"
	Environments []Environment `json:"environments,omitempty"`
	Approvals    []Approval    `json:"approvals,omitempty"`
	// LastSuccess is the newest release of the same definition before this one that succeeded in all its environments.
	LastSuccess string `json:"lastSuccess,omitempty"`
	Logs        Stored `json:"logs,omitzero"` // redacted, one after the other
}

// Environment is a stage of a release.
type Environment struct {
	Name    string    `json:"name"`
	Status  string    `json:"status"`
	Trigger string    `json:"trigger,omitempty"`
	At      time.Time `json:"at,omitzero"` // of its last change
}
