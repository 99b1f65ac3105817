package devopsdouble

import "strings"

// The ids of the example. BuildID does not fit into a float64.
const (
	BuildID      int64 = 9007199254740993
	DefinitionID       = 7
	ReleaseID          = 214
	Project            = "Mortgage ML"
	ProjectID          = "0b7e5e0e-0000-4000-8000-000000000007"
	RepositoryID       = "0b7e5e0e-0000-4000-8000-000000000009"
	OIDCPath           = "/0b7e5e0e-0000-4000-8000-000000000007/_apis/distributedtask/hubs/build/plans/p/jobs/j/oidctoken"
)

// Commit is the commit that was built.
var Commit = strings.Repeat("5", 40)

// The people of the example, by their ids in Azure DevOps, and in Entra.
const (
	Ada         = "aaaaaaaa-0000-4000-8000-000000000001"
	AdaObject   = "0b7e5e0e-0000-4000-8000-000000000006"
	Grace       = "aaaaaaaa-0000-4000-8000-000000000002"
	GraceObject = "0b7e5e0e-0000-4000-8000-000000000001"
	Service     = "aaaaaaaa-0000-4000-8000-000000000003"
	Group       = "aaaaaaaa-0000-4000-8000-000000000004"
	Approval    = "bbbbbbbb-0000-4000-8000-000000000001"
)

func person(id, name, unique string) map[string]any {
	return map[string]any{"id": id, "displayName": name, "uniqueName": unique, "url": "https://spsprodweu1.vssps.visualstudio.com/_apis/Identities/" + id,
		"imageUrl": "https://dev.azure.com/contoso/_apis/GraphProfile/MemberAvatars/aad.x", "descriptor": "aad.MGI3ZTVlMGU"}
}

func ada() map[string]any   { return person(Ada, "Ada Lovelace", "ada@contoso.com") }
func grace() map[string]any { return person(Grace, "Grace Hopper", "grace@contoso.com") }

// fill makes the example.
func (c *Collection) fill() {
	c.fillBuild()
	c.fillChecks()
	c.fillReview()
	c.fillRelease()
	c.Identities = map[string]string{Ada: strings.ToUpper(AdaObject), Grace: GraceObject, Service: "", Group: ""}
	c.Claims = map[string]any{"jti": "9", "sub": "p://contoso/Mortgage ML/nightly", "aud": "api://AzureADTokenExchange", "org_id": "0b7e5e0e-0000-4000-8000-00000000000a",
		"prj_id": ProjectID, "def_id": "7", "rpo_id": RepositoryID, "rpo_uri": c.URL + "/Mortgage%20ML/_git/mortgage", "rpo_ver": Commit, "rpo_ref": "refs/heads/main",
		"run_id": "9007199254740993", "iss": "https://vstoken.dev.azure.com/0b7e5e0e-0000-4000-8000-00000000000a", "nbf": 1795400400, "iat": 1795401000, "exp": 1795401600}
}

func (c *Collection) fillBuild() {
	c.Build = map[string]any{
		"id": BuildID, "buildNumber": "20261123.1", "status": "inProgress", "reason": "schedule", "queueTime": "2026-11-23T01:59:00.1234567Z", "startTime": "2026-11-23T02:00:00.7654321Z",
		"sourceBranch": "refs/heads/main", "sourceVersion": strings.ToUpper(Commit), "deleted": nil, "finishTime": "0001-01-01T00:00:00",
		"definition":  map[string]any{"id": DefinitionID, "name": "nightly", "revision": 12, "path": "\\", "type": "build", "queueStatus": "enabled"},
		"project":     map[string]any{"id": ProjectID, "name": Project, "state": "wellFormed"},
		"repository":  map[string]any{"id": RepositoryID, "type": "TfsGit", "name": "mortgage", "url": c.URL + "/Mortgage%20ML/_git/mortgage", "clean": nil},
		"queue":       map[string]any{"id": 18, "name": "Azure Pipelines", "pool": map[string]any{"id": 9, "name": "Azure Pipelines", "isHosted": true}},
		"requestedBy": person(Service, "Microsoft.VisualStudio.Services.TFS", ""), "requestedFor": ada(),
		"parameters": `{"db_password":"planted-parameter","epochs":"20"}`, "templateParameters": map[string]any{"area": "north", "deep": "true"},
		"triggerInfo":       map[string]any{"ci.message": "Weight recent applications", "pr.sender.name": "Ada Lovelace"},
		"orchestrationPlan": map[string]any{"planId": "c738a23e-2307-4a6c-a406-f1f0f729387c"},
	}
	c.Definition = map[string]any{"id": DefinitionID, "revision": 12, "name": "nightly", "process": map[string]any{"type": 2, "yamlFilename": "/azure-pipelines.yml"},
		"variables": map[string]any{"storage_key_secret": map[string]any{"value": "planted-variable"}, "MODE": map[string]any{"value": "x"}}, "authoredBy": ada()}
	c.Changes = []map[string]any{
		{"id": Commit, "message": "Weight recent applications\n\nThey tell more.\nSigned-off-by: Ada Lovelace <ada@contoso.com>", "type": "TfsGit", "author": ada(), "timestamp": "2026-11-23T01:10:00Z", "pusher": Ada},
		{"id": strings.Repeat("4", 40), "message": "Tidy", "type": "TfsGit", "author": map[string]any{"displayName": "Old Ada", "uniqueName": "ada@old.example"}, "timestamp": "2026-11-22T09:00:00Z", "pusher": Grace},
	}
	c.WorkItems = []map[string]any{
		{"id": 1815, "rev": 3, "fields": map[string]any{"System.WorkItemType": "User Story", "System.Title": "Recent applications count more", "System.State": "Active"}},
		{"id": 1816, "rev": 1, "fields": map[string]any{"System.WorkItemType": "Bug", "System.Title": "hidden", "System.State": "New"}},
	}
	c.Hidden = []int{1816}
	c.Artifacts = []Artifact{
		{Name: "model", Kind: "PipelineArtifact", Size: "17", Files: map[string]string{"model.bin": "weights", "conf/model.json": `{"name":"m"}`}},
		{Name: "drop", Kind: "Container", Size: "5", Files: map[string]string{"a.txt": "drop\n"}},
		{Name: "lake", Kind: "PipelineArtifact", Size: "9007199254740993"},
		{Name: "share", Kind: "FilePath", Files: map[string]string{}},
	}
}

// fillChecks makes the timeline, with an approval before the stage test.
func (c *Collection) fillChecks() {
	c.Timeline = []map[string]any{
		{"id": "s1", "type": "Stage", "name": "test", "parentId": nil, "state": "inProgress"},
		{"id": "c1", "type": "Checkpoint", "name": "Checkpoint", "parentId": "s1", "state": "completed", "result": "succeeded"},
		{"id": Approval, "type": "Checkpoint.Approval", "name": "Checkpoint.Approval", "parentId": "c1", "state": "completed", "result": "succeeded"},
		{"id": "p1", "type": "Phase", "name": "Job", "parentId": "s1", "state": "inProgress"},
		{"id": "j1", "type": "Job", "name": "Job", "parentId": "p1", "state": "inProgress", "workerName": "Azure Pipelines 4", "queueId": 18, "log": map[string]any{"id": 10}},
		{"id": "t1", "type": "Task", "name": "record", "parentId": "j1", "state": "inProgress"},
	}
	c.Approvals = []map[string]any{{"id": Approval, "status": "approved", "createdOn": "2026-11-23T01:57:00Z", "lastModifiedOn": "2026-11-23T01:58:00.5Z", "executionOrder": "anyOrder", "minRequiredApprovers": 1,
		"steps": []any{map[string]any{"assignedApprover": person(Group, "[Mortgage ML]\\Risk", "vstfs:///x"), "actualApprover": grace(), "status": "approved", "comment": "as discussed",
			"initiatedOn": "2026-11-23T01:57:00Z", "lastModifiedOn": "2026-11-23T01:58:00Z", "order": 1}}}}
	c.Queues = []map[string]any{
		{"id": 18, "name": "Azure Pipelines", "pool": map[string]any{"id": 9, "name": "Azure Pipelines", "isHosted": true}},
		{"id": 19, "name": "lab", "pool": map[string]any{"id": 12, "name": "lab", "isHosted": false}},
	}
}

func (c *Collection) fillReview() {
	c.Repository = map[string]any{"id": RepositoryID, "name": "mortgage", "remoteUrl": strings.Replace(c.URL, "http://", "http://contoso@", 1) + "/Mortgage%20ML/_git/mortgage",
		"project": map[string]any{"id": ProjectID, "name": Project}}
	header := map[string]any{"name": "Ada Lovelace", "email": "ada@contoso.com", "date": "2026-11-23T01:10:00Z"}
	push := map[string]any{"pushedBy": ada(), "pushId": 41, "date": "2026-11-23T01:30:00.25Z"}
	c.Commit = map[string]any{"commitId": Commit, "treeId": strings.Repeat("7", 40), "author": header, "committer": header, "comment": "Weight recent applications", "push": push,
		"url": c.URL + "/" + ProjectID + "/_apis/git/repositories/" + RepositoryID + "/commits/" + Commit}
	c.PushData = push
	c.Pulls = []map[string]any{{"pullRequestId": 88, "repository": map[string]any{"id": RepositoryID, "name": "mortgage", "project": map[string]any{"name": Project}},
		"title": "Weight recent applications", "status": "completed", "sourceRefName": "refs/heads/recent", "targetRefName": "refs/heads/main", "createdBy": ada(), "closedBy": grace(),
		"creationDate": "2026-11-22T12:00:00Z", "closedDate": "2026-11-23T01:30:00Z", "lastMergeCommit": map[string]any{"commitId": Commit},
		"reviewers": []any{
			with(grace(), "vote", 10, "isRequired", true), with(person(Group, "[Mortgage ML]\\Risk", "vstfs:///x"), "vote", 0, "isContainer", true), with(ada(), "vote", -5)}}}
}

// with is a copy of a thing with more fields, given as name and value in turn.
func with(thing map[string]any, pairs ...any) map[string]any {
	for i := 0; i < len(pairs); i += 2 {
		thing[pairs[i].(string)] = pairs[i+1]
	}
	return thing
}

func (c *Collection) fillRelease() {
	definition := map[string]any{"id": 3, "name": "mortgage release", "path": "\\"}
	approval := func(kind string, who map[string]any, automated bool) map[string]any {
		return map[string]any{"id": 1, "approvalType": kind, "status": "approved", "comments": "go", "isAutomated": automated, "approver": who, "approvedBy": who, "modifiedOn": "2026-11-23T02:26:00Z"}
	}
	c.Release = map[string]any{"id": ReleaseID, "name": "Release-214", "status": "active", "reason": "continuousIntegration", "createdBy": ada(), "createdOn": "2026-11-23T02:25:00Z",
		"releaseDefinition": definition, "releaseDefinitionRevision": 4, "projectReference": map[string]any{"id": ProjectID, "name": Project},
		"variables": map[string]any{"aks_password": map[string]any{"value": "planted-release"}},
		"artifacts": []any{map[string]any{"alias": "mortgage", "type": "Build", "definitionReference": map[string]any{
			"definition": map[string]any{"id": "7", "name": "nightly"}, "version": map[string]any{"id": "9007199254740993", "name": "20261123.1"}}}},
		"environments": []any{
			map[string]any{"id": 1, "name": "test", "status": "succeeded", "triggerReason": "After release creation", "modifiedOn": "2026-11-23T02:27:00Z",
				"preDeployApprovals": []any{approval("preDeploy", nil, true)}, "postDeployApprovals": []any{approval("postDeploy", grace(), false)}},
			map[string]any{"id": 2, "name": "production", "status": "inProgress", "triggerReason": "After successful environment", "modifiedOn": "2026-11-23T02:28:00Z",
				"preDeployApprovals": []any{approval("preDeploy", grace(), false)}, "postDeployApprovals": []any{}},
		}}
	earlier := func(id int, name, status string) map[string]any {
		return map[string]any{"id": id, "name": name, "status": "active", "releaseDefinition": definition, "environments": []any{
			map[string]any{"name": "test", "status": "succeeded"}, map[string]any{"name": "production", "status": status}}}
	}
	c.Earlier = []map[string]any{earlier(213, "Release-213", "rejected"), earlier(212, "Release-212", "succeeded"), earlier(99, "Release-99", "succeeded")}
	c.Logs = map[string]string{
		"2_production/1_Job/2_deploy.log": "\uFEFF2026-11-23T02:28:00Z ##[section]Starting\r\nlogin with Bearer " + Token + "\nkey: -----BEGIN PRIVATE KEY-----\nMIIEvplanted-key-line\n-----END PRIVATE KEY-----\ndone\x1b[31m",
		"1_test/1_Job/1_init.log":         "ok\n",
	}
}
