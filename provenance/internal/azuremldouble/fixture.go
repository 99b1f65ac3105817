package azuremldouble

import (
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
)

// Facts of the model mortgage 7. Its own run is one that the pipeline's agent made; its tag names the Databricks run.
const (
	RunID         = "mortgage_1763865060_c0ffee42"
	DatabricksRun = "9007199254740993" // does not fit into a float64
	ArtifactPath  = "ExperimentRun/dcid." + RunID + "/outputs/model.zip"
	AssetID       = "0a1b2c3d4e5f"
	Digest        = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
)

// Secrets lie in the answers. None may be seen in anything that is written.
var Secrets = []string{Token, "hunter2-of-the-scorer", "cGxhbnRlZC1zYXM", "MIIplantedTLSkey", "planted-env-value", "registry-pa55word"}

// Created is when the model was registered.
var Created = time.Date(2026, 11, 23, 2, 21, 0, 0, time.UTC)

func (w *Workspace) fill() {
	w.Location = Region
	w.Versions = map[string]*ml.ModelVersion{"mortgage/7": Version("mortgage", "7")}
	w.Endpoints = []*ml.OnlineEndpoint{endpoint("mortgage-prod", map[string]int32{"blue": 90, "green": 10}), endpoint("churn", map[string]int32{"blue": 100})}
	w.Deployments = map[string][]*ml.OnlineDeployment{
		"mortgage-prod": {Deployment("blue", "azureml:mortgage:7"), Deployment("green", ID+"/models/mortgage/versions/6")},
		"churn":         {Deployment("blue", "azureml:churn:7")},
	}
	w.Datastores = map[string]ml.DatastorePropertiesClassification{
		"workspaceartifactstore": Blob("contosoml", "azureml", "core.windows.net"),
		"lake": &ml.AzureDataLakeGen2Datastore{AccountName: to.Ptr("contoso"), Filesystem: to.Ptr("models"), DatastoreType: to.Ptr(ml.DatastoreTypeAzureDataLakeGen2),
			Endpoint: to.Ptr("core.windows.net"), Protocol: to.Ptr("https"), Credentials: none()},
		"files": &ml.AzureFileDatastore{AccountName: to.Ptr("contosoml"), FileShareName: to.Ptr("share"), DatastoreType: to.Ptr(ml.DatastoreTypeAzureFile), Credentials: none()},
	}
	w.Models = map[string]Object{"mortgage:7": v1Model()}
	w.Assets = map[string]Object{AssetID: {"id": AssetID, "name": "mortgage", "runid": RunID, "artifacts": []Object{{"id": nil, "prefix": ArtifactPath}}}}
	w.Images = []Object{v1Image()}
	w.Services = []Object{v1Service("mortgage-test", "ACI"), v1Service("mortgage-aks", "AKS"), v1Endpoint()}
}

// Version is a registered model of v2.
func Version(name, version string) *ml.ModelVersion {
	return &ml.ModelVersion{ID: to.Ptr(ID + "/models/" + name + "/versions/" + version), Name: &version, Type: to.Ptr("Microsoft.MachineLearningServices/workspaces/models/versions"),
		Properties: &ml.ModelVersionProperties{
			JobName: to.Ptr(RunID), ModelType: to.Ptr("custom_model"), Stage: to.Ptr("Production"), IsArchived: to.Ptr(false), IsAnonymous: to.Ptr(false),
			ModelURI:   to.Ptr("azureml://subscriptions/" + Subscription + "/resourcegroups/" + Group + "/workspaces/" + Name + "/datastores/workspaceartifactstore/paths/" + ArtifactPath),
			Tags:       ptrs(map[string]string{"area": "north", "run_id": DatabricksRun, "db_password": "hunter2-of-the-scorer"}),
			Properties: ptrs(map[string]string{"framework": "sklearn"}), Flavors: map[string]*ml.FlavorData{"python_function": {Data: ptrs(map[string]string{"loader": "mlflow.sklearn"})}},
			ProvisioningState: to.Ptr(ml.AssetProvisioningStateSucceeded)},
		SystemData: &ml.SystemData{CreatedAt: to.Ptr(Created), CreatedBy: to.Ptr("Ada Lovelace"), CreatedByType: to.Ptr(ml.CreatedByTypeUser), LastModifiedAt: to.Ptr(Created.Add(time.Minute))}}
}

func endpoint(name string, traffic map[string]int32) *ml.OnlineEndpoint {
	return &ml.OnlineEndpoint{ID: to.Ptr(ID + "/onlineEndpoints/" + name), Name: &name, Location: to.Ptr(Region), Properties: &ml.OnlineEndpointProperties{
		AuthMode: to.Ptr(ml.EndpointAuthModeKey), ScoringURI: to.Ptr("https://" + name + ".westeurope.inference.ml.azure.com/score"), Traffic: ptrs(traffic),
		ProvisioningState: to.Ptr(ml.EndpointProvisioningStateSucceeded)}}
}

// Deployment is one of an online endpoint.
func Deployment(name, model string) *ml.OnlineDeployment {
	return &ml.OnlineDeployment{ID: to.Ptr(ID + "/onlineEndpoints/x/deployments/" + name), Name: &name, Location: to.Ptr(Region),
		Properties: &ml.ManagedOnlineDeployment{EndpointComputeType: to.Ptr(ml.EndpointComputeTypeManaged), Model: &model, EnvironmentID: to.Ptr(ID + "/environments/scoring/versions/3"),
			InstanceType: to.Ptr("Standard_DS3_v2"), EnvironmentVariables: ptrs(map[string]string{"REDIS": "planted-env-value", "API_TOKEN": "planted-env-value"}),
			ProvisioningState: to.Ptr(ml.DeploymentProvisioningStateSucceeded)},
		SystemData: &ml.SystemData{CreatedAt: to.Ptr(Created.Add(2 * time.Minute)), CreatedBy: to.Ptr("Grace Hopper"), CreatedByType: to.Ptr(ml.CreatedByTypeUser)}}
}

// Blob is a datastore.
func Blob(account, container, endpoint string) *ml.AzureBlobDatastore {
	return &ml.AzureBlobDatastore{AccountName: &account, ContainerName: &container, Endpoint: &endpoint, Protocol: to.Ptr("https"),
		DatastoreType: to.Ptr(ml.DatastoreTypeAzureBlob), Credentials: none()}
}

func none() *ml.NoneDatastoreCredentials {
	return &ml.NoneDatastoreCredentials{CredentialsType: to.Ptr(ml.CredentialsTypeNone)}
}

func person() Object {
	return Object{"userObjectId": Ada, "userTenantId": "11111111-2222-3333-4444-555555555555", "userName": "Ada Lovelace", "userPuId": nil, "userIss": nil}
}

func v1Model() Object {
	return Object{"id": "mortgage:7", "name": "mortgage", "version": 7, "framework": "ScikitLearn", "frameworkVersion": "1.5.0", "mimeType": "application/zip",
		"url": "aml://asset/" + AssetID, "unpack": false, "description": nil, "parentModelId": nil, "experimentName": "mortgage-nightly", "runId": RunID,
		"kvTags": Object{"area": "north", "run_id": DatabricksRun}, "properties": Object{"framework": "sklearn"},
		"datasets":  []Object{{"name": "training", "id": "f2f2f2f2-0000-4000-8000-00000000000d"}, {"name": "test", "id": "/datasetId/ab12/datasetSnapshotName/november"}},
		"createdBy": person(), "createdTime": "2026-11-23T02:21:00.1234567+00:00", "modifiedTime": "2026-11-23T02:22:00+00:00", "derivedModelIds": []string{}}
}

func v1Image() Object {
	return Object{"id": "mortgage-image:3", "name": "mortgage-image", "version": 3, "digest": Digest, "imageType": "Docker", "imageFlavor": "WebApiContainer", "creationState": "Succeeded",
		"imageLocation": "contosoml.azurecr.io/mortgage-image:3", "modelIds": []string{"mortgage:7"}, "createdTime": "2026-11-23T02:23:00+00:00",
		"generatedDockerFileUri": "https://contosoml.blob.core.windows.net/azureml/Dockerfile?sv=2019-02-02&sig=cGxhbnRlZC1zYXM%3D",
		"environment":            Object{"environmentVariables": Object{"REDIS": "planted-env-value"}, "docker": Object{"baseImageRegistry": Object{"address": "contoso.azurecr.io", "password": "registry-pa55word"}}}}
}

func v1Service(name, compute string) Object {
	s := Object{"id": name, "name": name, "computeType": compute, "state": "Healthy", "deploymentType": "HttpRealtimeEndpoint", "imageId": "mortgage-image:3", "imageDigest": Digest,
		"imageDetails": v1Image(), "models": []Object{v1Model()}, "scoringUri": "http://" + strings.ToLower(name) + ".westeurope.azurecontainer.io/score", "createdBy": person(),
		"createdTime": "2026-11-23T02:24:00+00:00", "kvTags": Object{}, "sslEnabled": true, "sslKey": "MIIplantedTLSkey", "sslCertificate": "cert"}
	if compute == "AKS" {
		s["computeName"], s["namespace"], s["numReplicas"] = "contoso-aks", "azureml-mortgage", 3
	}
	return s
}

// v1Endpoint splits its traffic between two versions of a service, of which one has the model.
func v1Endpoint() Object {
	mine, other := v1Service("control", "AKS"), v1Service("treatment", "AKS")
	mine["trafficPercentile"], other["trafficPercentile"] = 80.0, 20.0
	other["models"], other["imageDetails"] = []Object{{"id": "mortgage:8"}}, nil
	return Object{"id": "mortgage-ab", "name": "mortgage-ab", "computeType": "AKSENDPOINT", "computeName": "contoso-aks", "state": "Healthy", "createdBy": person(),
		"createdTime": "2026-11-23T02:25:00+00:00", "scoringUri": "http://20.0.0.1/api/v1/service/mortgage-ab/score", "versions": Object{"control": mine, "treatment": other}}
}
