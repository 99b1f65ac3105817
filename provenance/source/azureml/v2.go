package azureml

import (
	"strings"
)

// The answers of Azure Resource Manager, as far as they are read.
// Source: https://learn.microsoft.com/rest/api/azureml (2024-04-01)

type workspaceAnswer struct {
	Location   string `json:"location"`
	Properties struct {
		WorkspaceID string `json:"workspaceId"` // a GUID, by which other answers may name the workspace
	} `json:"properties"`
}

// region is the location in the form that host names have: some answers write "West Europe".
func (a workspaceAnswer) region() string {
	return strings.ToLower(strings.ReplaceAll(a.Location, " ", ""))
}

// systemData tells who made a resource. CreatedBy is a display name, or an application's id.
type systemData struct {
	CreatedAt      string `json:"createdAt"`
	CreatedBy      string `json:"createdBy"`
	LastModifiedAt string `json:"lastModifiedAt"`
}

type amlVersion struct {
	ID         string `json:"id"`
	Name       string `json:"name"` // the version
	Properties struct {
		JobName           string            `json:"jobName"`
		ModelURI          string            `json:"modelUri"`
		ModelType         string            `json:"modelType"`
		Stage             string            `json:"stage"`
		Tags              map[string]string `json:"tags"`
		Properties        map[string]string `json:"properties"`
		IsArchived        bool              `json:"isArchived"`
		ProvisioningState string            `json:"provisioningState"`
	} `json:"properties"`
	SystemData systemData `json:"systemData"`

	uri string // modelUri as it came
}

type amlEndpoint struct {
	Name       string `json:"name"`
	Properties struct {
		ScoringURI string         `json:"scoringUri"`
		Traffic    map[string]int `json:"traffic"`
		Compute    string         `json:"compute"` // resource ID of a Kubernetes cluster
	} `json:"properties"`
}

type amlDeployment struct {
	Name       string `json:"name"`
	Properties struct {
		ComputeType       string `json:"endpointComputeType"` // Managed or Kubernetes
		Model             string `json:"model"`
		EnvironmentID     string `json:"environmentId"`
		ProvisioningState string `json:"provisioningState"`
	} `json:"properties"`
	SystemData systemData `json:"systemData"`

	endpoint amlEndpoint
}

// isThisModel tells whether a reference names the model that is asked about. guid is the workspace's, or empty. Azure ML writes
// azureml:NAME:VERSION, resource IDs, and azureml:// URIs that name the workspace in the same way or by its region and GUID. A
// reference into another workspace or into a registry names another model.
func (w *amlAsker) isThisModel(ref, guid string) bool {
	if ref == "azureml:"+w.name+":"+w.version {
		return true
	}
	segments := strings.Split(strings.Trim(strings.TrimPrefix(ref, "azureml:"), "/"), "/")
	n := len(segments) - 4
	if n < 0 || !strings.EqualFold(segments[n], "models") || segments[n+1] != w.name || !strings.EqualFold(segments[n+2], "versions") || segments[n+3] != w.version {
		return false
	}
	return w.isThisWorkspace(segments[:n], guid)
}

// isThisWorkspace tells whether the segments of a path name the workspace.
func (w *amlAsker) isThisWorkspace(segments []string, guid string) bool {
	whole := strings.Split(strings.TrimPrefix(w.id, "/"), "/")
	switch place := strings.Join(segments, "/"); {
	case strings.EqualFold(place, strings.Join(whole, "/")):
		return true
	case strings.EqualFold(place, "subscriptions/"+w.subscription+"/resourceGroups/"+w.group+"/workspaces/"+w.workspace):
		return true
	}
	return len(segments) == 4 && strings.EqualFold(segments[0], "locations") && strings.EqualFold(segments[2], "workspaces") &&
		guid != "" && strings.EqualFold(segments[3], guid)
}
