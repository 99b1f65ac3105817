package storage

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/seed-3480f271/provenance/provenance"
)

// Azurite's account, whose key everybody knows.
// Source: https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// NewCredential makes what [Options].NewCredential asks for. It decides once, when it is first needed, and every folder
// shares the result and its tokens.
//
// In an Azure Pipelines job with a service connection (SYSTEM_OIDCREQUESTURI, SYSTEM_ACCESSTOKEN, and AzureCLI@2's
// AZURESUBSCRIPTION_SERVICE_CONNECTION_ID, _CLIENT_ID and _TENANT_ID) it is the connection's federated identity, which
// renews itself. Elsewhere it is azidentity's default chain, which reads the process's environment by itself: environment,
// workload identity, managed identity, Azure CLI. getenv is where this choice reads; cloud is as in Options.
func NewCredential(getenv func(string) string, cloud string, transport http.RoundTripper) func() (azcore.TokenCredential, error) {
	return sync.OnceValues(func() (azcore.TokenCredential, error) {
		options := azcore.ClientOptions{Cloud: authority(cloud)}
		if transport != nil {
			options.Transport = &http.Client{Transport: bounded{RoundTripper: transport, stall: defaultStall}}
		}
		connection, token := getenv("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"), getenv("SYSTEM_ACCESSTOKEN")
		if getenv("SYSTEM_OIDCREQUESTURI") == "" || connection == "" || token == "" {
			return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: options})
		}
		return azidentity.NewAzurePipelinesCredential(getenv("AZURESUBSCRIPTION_TENANT_ID"), getenv("AZURESUBSCRIPTION_CLIENT_ID"),
			connection, token, &azidentity.AzurePipelinesCredentialOptions{ClientOptions: options})
	})
}

// authority is where a cloud's tokens come from.
func authority(name string) cloud.Configuration {
	switch suffixes(name)[0] {
	case "core.chinacloudapi.cn":
		return cloud.AzureChina
	case "core.usgovcloudapi.net":
		return cloud.AzureGovernment
	}
	return cloud.AzurePublic
}

// client is a client of the location's container: with the SAS of the URI, else the account's key, else a token.
func (o Options) client(l location, t *trouble) (*container.Client, error) {
	url, options := l.service+"/"+l.container, o.clientOptions(t)
	if l.sas != "" {
		return container.NewClientWithNoCredential(url+"?"+l.sas, options)
	}
	if key := o.key(l); key != "" {
		shared, err := container.NewSharedKeyCredential(l.account, key)
		if err != nil {
			return nil, provenance.Misuse("", "the key of storage account %s is not base64", l.account)
		}
		return container.NewClientWithSharedKeyCredential(url, shared, options)
	}
	credential, err := o.credential(l)
	if err != nil {
		return nil, err
	}
	return container.NewClient(url, credential, options)
}

// key is the account's key, when there is one.
func (o Options) key(l location) string {
	if o.SharedKey != nil {
		if key := o.SharedKey(l.account); key != "" {
			return key
		}
	}
	if l.loopback && l.account == azuriteAccount && (o.Credential == nil || strings.HasPrefix(l.service, "http:")) {
		return azuriteKey
	}
	return ""
}

var errNoCredential = errors.New("no credential was given")

// credential is the identity to ask with. An emulator never gets a token of the default chain.
func (o Options) credential(l location) (azcore.TokenCredential, error) {
	if o.Credential != nil {
		return o.Credential, nil
	}
	err := errNoCredential
	if o.NewCredential != nil && !l.loopback {
		var credential azcore.TokenCredential
		if credential, err = o.NewCredential(); err == nil {
			return credential, nil
		}
	}
	return nil, failure{err: err, where: l}.plain(credentialHint)
}

const (
	maxRetries = 4 // after 0.8, 1.6, 3.2 and 6.4 seconds, or what Retry-After says
	dialTime   = 10 * time.Second
)

func (o Options) clientOptions(t *trouble) *container.ClientOptions {
	return &container.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport:       o.httpClient(t),
		Retry:           policy.RetryOptions{MaxRetries: maxRetries, RetryDelay: o.retryDelay, ShouldRetry: worthRepeating},
		Telemetry:       policy.TelemetryOptions{ApplicationID: "provenance"},
		PerCallPolicies: []policy.Policy{identityEncoding{}, listPolicy{}},
	}}
}

// httpClient follows no redirect: a credential goes to the configured host only.
func (o Options) httpClient(t *trouble) *http.Client {
	return &http.Client{Transport: bounded{o.transport(), o.stall(), t, o.Debug}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// transport keeps a connection for each worker; Go's default keeps two, the SDK's ten.
func (o Options) transport() http.RoundTripper {
	var t *http.Transport
	switch given := o.Transport.(type) {
	case nil:
		t = &http.Transport{DialContext: (&net.Dialer{Timeout: dialTime}).DialContext, TLSHandshakeTimeout: dialTime}
	case *http.Transport:
		t = given.Clone()
	default:
		return given
	}
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, o.azureWorkers()+1
	t.IdleConnTimeout = time.Minute
	t.ResponseHeaderTimeout = o.stall()
	return t
}

// identityEncoding asks for the stored bytes: Go would unpack a blob that was stored with Content-Encoding gzip.
type identityEncoding struct{}

func (identityEncoding) Do(req *policy.Request) (*http.Response, error) {
	req.Raw().Header.Set("Accept-Encoding", "identity")
	return req.Next()
}
