package devopsdouble

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// pipelines answers about builds, definitions, approvals, queues and artifacts.
func (c *Collection) pipelines(out http.ResponseWriter, req *http.Request, path string) {
	id := fmt.Sprint(c.Build["id"])
	query := req.URL.Query()
	switch {
	case strings.HasPrefix(path, "build/builds/") && path != "build/builds/"+id && !strings.HasPrefix(path, "build/builds/"+id+"/"):
		asked, _, _ := strings.Cut(strings.TrimPrefix(path, "build/builds/"), "/")
		refuse(out, http.StatusNotFound, "The requested build "+asked+" could not be found.")
	case path == "build/builds/"+id:
		answer(out, c.Build)
	case path == "build/builds/"+id+"/changes":
		page(c, out, req, c.Changes)
	case path == "build/builds/"+id+"/workitems":
		var refs []map[string]any
		for _, w := range c.WorkItems {
			refs = append(refs, map[string]any{"id": fmt.Sprint(w["id"]), "url": c.URL + "/_apis/wit/workItems/" + fmt.Sprint(w["id"])})
		}
		page(c, out, req, refs)
	case path == "build/builds/"+id+"/timeline":
		answer(out, map[string]any{"records": c.Timeline, "lastChangedBy": "00000002-0000-8888-8000-000000000000", "changeId": 17})
	case path == "build/builds/"+id+"/artifacts":
		c.artifacts(out, req)
	case path == fmt.Sprintf("build/definitions/%v", c.Definition["id"]) && query.Get("revision") == fmt.Sprint(c.Definition["revision"]):
		answer(out, c.Definition)
	case path == fmt.Sprintf("pipelines/%v/runs/%s/artifacts", c.Definition["id"], id):
		c.signed(out, query)
	case path == "pipelines/approvals":
		c.approvals(out, query)
	case strings.HasPrefix(path, "distributedtask/queues/") && find(c.Queues, "id", strings.TrimPrefix(path, "distributedtask/queues/")) != nil:
		answer(out, find(c.Queues, "id", strings.TrimPrefix(path, "distributedtask/queues/")))
	default:
		refuse(out, http.StatusNotFound, "Nothing is at "+path)
	}
}

// approvals answers about those that were asked for. Without $expand they have no steps.
func (c *Collection) approvals(out http.ResponseWriter, query url.Values) {
	var found []map[string]any
	for _, id := range strings.Split(query.Get("approvalIds"), ",") {
		a := find(c.Approvals, "id", id)
		if a == nil {
			continue
		}
		told := map[string]any{"steps": []any{}}
		for name, value := range a {
			if name != "steps" || query.Get("$expand") == "steps" {
				told[name] = value
			}
		}
		found = append(found, told)
	}
	list(out, found)
}

// artifacts answers with all of them, or with a zip of one. Pipeline artifacts are not zipped here, but where a redirect leads.
func (c *Collection) artifacts(out http.ResponseWriter, req *http.Request) {
	if req.URL.Query().Get("$format") == "zip" {
		c.container(out, req)
		return
	}
	var all []map[string]any
	for i, a := range c.Artifacts {
		properties := map[string]any{"RootId": "0A1B2C" + a.Name, "HashType": "DEDUPNODEORCHUNK"}
		if a.Kind != "PipelineArtifact" {
			properties = map[string]any{"localpath": "/agent/_work/1/a"}
		}
		if a.Size != "" {
			properties["artifactsize"] = a.Size
		}
		all = append(all, map[string]any{"id": i + 1, "name": a.Name, "source": "12f1170f-54f2-53f3-20dd-22fc7dff55f9", "resource": map[string]any{
			"type": a.Kind, "data": "#/1/" + a.Name, "properties": properties, "url": c.URL + "/_apis/build/builds/1/artifacts?artifactName=" + a.Name,
			"downloadUrl": c.Files + "/content?format=zip"}})
	}
	page(c, out, req, all)
}

// container is the zip of an artifact that lies in a container.
func (c *Collection) container(out http.ResponseWriter, req *http.Request) {
	a := c.artifact(req.URL.Query().Get("artifactName"))
	switch {
	case a == nil:
		refuse(out, http.StatusNotFound, "Artifact not found.")
	case a.Kind == "PipelineArtifact":
		http.Redirect(out, req, c.Files+"/content?format=zip", http.StatusFound)
	default:
		out.Header().Set("Content-Type", "application/zip")
		out.Write(a.zip()) // a client that has gone away is no concern of a double
	}
}

// signed tells where a pipeline artifact can be fetched.
func (c *Collection) signed(out http.ResponseWriter, query url.Values) {
	a := c.artifact(query.Get("artifactName"))
	if a == nil || query.Get("$expand") != "signedContent" {
		refuse(out, http.StatusNotFound, "Artifact not found.")
		return
	}
	answer(out, map[string]any{"name": a.Name, "url": c.URL, "signedContent": map[string]any{
		"url": c.Files + "/A%2Fb/" + url.PathEscape(a.Name) + "/content?" + Signature, "signatureExpires": "2026-11-23T03:00:00Z"}})
}

func (c *Collection) artifact(name string) *Artifact {
	at := slices.IndexFunc(c.Artifacts, func(a Artifact) bool { return a.Name == name })
	if at < 0 {
		return nil
	}
	return &c.Artifacts[at]
}

func (a Artifact) zip() []byte {
	if a.Zip != nil {
		return a.Zip
	}
	return zipped(a.Name+"/", a.Files)
}

// serveFile gives out the contents of pipeline artifacts, to whoever has the signed URL, to the letter.
func (c *Collection) serveFile(out http.ResponseWriter, req *http.Request) {
	fault := c.next(req)
	c.mu.Lock()
	defer c.mu.Unlock()
	if req.Header.Get("Authorization") != "" || req.Header.Get("Cookie") != "" {
		c.leaked = append(c.leaked, req.URL.RequestURI())
	}
	if fault != nil {
		fault(out, req)
		return
	}
	parts := strings.Split(req.URL.Path, "/")
	if req.URL.RawQuery != Signature || !strings.HasPrefix(req.URL.EscapedPath(), "/A%2Fb/") || len(parts) < 4 {
		http.Error(out, "the signature does not match", http.StatusForbidden)
		return
	}
	if a := c.artifact(parts[3]); a != nil {
		out.Write(a.zip()) // a client that has gone away is no concern of a double
		return
	}
	http.NotFound(out, req)
}

// workItems answers about those that were asked for; what may not be seen is null.
func (c *Collection) workItems(out http.ResponseWriter, req *http.Request) {
	var found []map[string]any
	for _, id := range strings.Split(req.URL.Query().Get("ids"), ",") {
		item := find(c.WorkItems, "id", id)
		if item != nil && slices.ContainsFunc(c.Hidden, func(hidden int) bool { return fmt.Sprint(hidden) == id }) {
			item = nil
		}
		found = append(found, item)
	}
	list(out, found)
}

// identities answers about those that were asked for; null for nobody.
func (c *Collection) identities(out http.ResponseWriter, req *http.Request) {
	var found []map[string]any
	for _, id := range strings.Split(req.URL.Query().Get("identityIds"), ",") {
		object, known := c.Identities[id]
		if !known {
			found = append(found, nil)
			continue
		}
		properties := map[string]any{}
		if object != "" {
			properties["http://schemas.microsoft.com/identity/claims/objectidentifier"] = map[string]any{"$type": "System.String", "$value": object}
			properties["Mail"] = map[string]any{"$type": "System.String", "$value": "someone@contoso.com"}
		}
		found = append(found, map[string]any{"id": id, "descriptor": "Microsoft.IdentityModel.Claims.ClaimsIdentity;0b7e\\someone@contoso.com",
			"providerDisplayName": "Some One", "isActive": true, "properties": properties, "resourceVersion": 2, "metaTypeId": 0})
	}
	list(out, found)
}

// git answers about the repository, its commit and its pull requests.
func (c *Collection) git(out http.ResponseWriter, req *http.Request, path string) {
	id, rest, _ := strings.Cut(strings.TrimPrefix(path, "git/repositories/"), "/")
	commit := fmt.Sprint(c.Commit["commitId"])
	switch {
	case id != c.Repository["id"] && id != c.Repository["name"]:
		refuse(out, http.StatusNotFound, "TF401019: The Git repository with name or identifier "+id+" does not exist or you do not have permissions for the operation you are attempting.")
	case rest == "":
		answer(out, c.Repository)
	case rest == "commits/"+commit:
		answer(out, c.Commit)
	case strings.HasPrefix(rest, "commits/"):
		refuse(out, http.StatusNotFound, "TF401175: The version descriptor <Commit: "+strings.TrimPrefix(rest, "commits/")+" > could not be resolved to a version in the repository mortgage")
	case rest == "commits" && req.URL.Query().Get("searchCriteria.includePushData") == "true":
		list(out, []map[string]any{{"commitId": commit, "push": c.PushData}})
	case rest == "pullrequestquery" && req.Method == http.MethodPost:
		c.pullQuery(out, req)
	case strings.HasPrefix(rest, "pullrequests/") && find(c.Pulls, "pullRequestId", strings.TrimPrefix(rest, "pullrequests/")) != nil:
		answer(out, find(c.Pulls, "pullRequestId", strings.TrimPrefix(rest, "pullrequests/")))
	default:
		refuse(out, http.StatusNotFound, "Nothing is at "+path)
	}
}

// pullQuery finds the pull requests of a commit, for each kind of question. Reviewers are not told here.
func (c *Collection) pullQuery(out http.ResponseWriter, req *http.Request) {
	var asked struct {
		Queries []struct {
			Items []string `json:"items"`
			Type  string   `json:"type"`
		} `json:"queries"`
	}
	if err := json.NewDecoder(req.Body).Decode(&asked); err != nil {
		refuse(out, http.StatusBadRequest, "The body is not JSON.")
		return
	}
	results := []map[string]any{}
	for _, q := range asked.Queries {
		result := map[string]any{}
		for _, item := range q.Items {
			var pulls []map[string]any
			for _, p := range c.Pulls {
				merge, _ := p["lastMergeCommit"].(map[string]any)
				if q.Type == "commit" || merge["commitId"] == item {
					pulls = append(pulls, map[string]any{"pullRequestId": p["pullRequestId"], "status": p["status"]})
				}
			}
			if pulls != nil {
				result[item] = pulls
			}
		}
		results = append(results, result)
	}
	answer(out, map[string]any{"queries": asked.Queries, "results": results})
}

// releases answers about releases.
func (c *Collection) releases(out http.ResponseWriter, req *http.Request, path string) {
	id := fmt.Sprint(c.Release["id"])
	switch path {
	case "release/releases":
		page(c, out, req, append([]map[string]any{c.Release}, c.Earlier...))
	case "release/releases/" + id:
		answer(out, c.Release)
	case "release/releases/" + id + "/logs":
		out.Header().Set("Content-Type", "application/zip")
		out.Write(zipped("", c.Logs)) // a client that has gone away is no concern of a double
	default:
		asked, _, _ := strings.Cut(strings.TrimPrefix(path, "release/releases/"), "/")
		refuse(out, http.StatusNotFound, "VS402881: Release with ID "+asked+" does not exist. Specify a valid release ID.")
	}
}

// oidc makes a token, with a signature that nobody can check.
func (c *Collection) oidc(out http.ResponseWriter, req *http.Request) {
	if req.Header.Get("Authorization") != "Bearer "+Token || req.Header.Get("Content-Type") != "application/json" {
		refuse(out, http.StatusForbidden, "Only the job itself may ask for its token.")
		return
	}
	token := JWT(c.Claims)
	if c.Issue != nil {
		token = c.Issue(c.Claims)
	}
	answer(out, map[string]any{"oidcToken": token})
}

// JWT is a token with these claims.
func JWT(claims any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + encode(payload) + "." + encode([]byte("planted-oidc-signature"))
}
