package arm

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

const Service = "Azure Resource Manager"

// maxArmAnswer and maxArmDepth bound an answer; an honest one has a few kilobytes.
const (
	maxArmAnswer = 1 << 20
	maxArmDepth  = 64
)

// factory makes the SDK's clients. The SDK must not register resource providers: that would change the subscription.
func (s StorageAccount) factory(id accountID, used *foreign.Tokens) (*armstorage.ClientFactory, error) {
	where, err := ResourceManager(s.Cloud)
	if err != nil {
		return nil, err
	}
	if s.Credential == nil {
		return nil, ErrNoIdentity
	}
	credential, err := s.Credential()
	if err != nil {
		return nil, failure(id, "finding an identity", credentialError{err}, used)
	}
	return armstorage.NewClientFactory(id.subscription, noting{credential, used}, &arm.ClientOptions{
		DisableRPRegistration: true,
		ClientOptions: azcore.ClientOptions{
			Cloud: where, Transport: s.httpClient(), Retry: s.retry(),
			Telemetry: policy.TelemetryOptions{ApplicationID: "provenance"},
		},
	})
}

var ErrNoIdentity = provenance.Misuse(identityHint, "there is no identity to ask Azure Resource Manager with")

const identityHint = "in a pipeline, run the step with a service connection (AzureCLI@2) and map SYSTEM_ACCESSTOKEN; on a workstation, run az login"

// ResourceManager is where a cloud is managed.
func ResourceManager(name string) (cloud.Configuration, error) {
	switch strings.ToLower(strings.Trim(name, ".")) {
	case "", "public", "core.windows.net", "storage.azure.net":
		return cloud.AzurePublic, nil
	case "china", "core.chinacloudapi.cn":
		return cloud.AzureChina, nil
	case "usgovernment", "core.usgovcloudapi.net":
		return cloud.AzureGovernment, nil
	}
	return cloud.Configuration{}, provenance.Misuse("the clouds are public, china and usgovernment",
		"it is not known where the storage accounts of the cloud %q are managed", foreign.Plain(name))
}

// ManagementScope is what a token of Entra for Azure Resource Manager is asked for, which is the one for Azure ML, too.
func ManagementScope(cloudName string) (string, error) {
	where, err := ResourceManager(cloudName)
	return where.Services[cloud.ResourceManager].Endpoint + "/.default", err
}

// retry hands the client's bounds to the SDK, which obeys Retry-After up to MaxRetryDelay and gives up beyond.
func (s StorageAccount) retry() policy.RetryOptions {
	o := policy.RetryOptions{MaxRetries: 5, RetryDelay: s.Client.Wait, MaxRetryDelay: s.Client.Patience, TryTimeout: s.Client.AttemptTimeout}
	if s.Client.Attempts > 0 {
		o.MaxRetries = int32(s.Client.Attempts) - 1
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = -1 // the SDK takes 0 for its default
	}
	if o.TryTimeout <= 0 {
		o.TryTimeout = time.Minute
	}
	return o
}

// httpClient follows no redirect: the token goes to Azure Resource Manager only.
func (s StorageAccount) httpClient() *http.Client {
	t := armTransport{next: s.Client.Transport, most: s.Client.MaxBody, debug: s.Client.Debug}
	if t.next == nil {
		plain := http.DefaultTransport.(*http.Transport).Clone()
		plain.Proxy = nil // it would come from the environment
		t.next = plain
	}
	if t.most <= 0 {
		t.most = maxArmAnswer
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// armTransport lies below the SDK, which reads every answer to its end.
type armTransport struct {
	next  http.RoundTripper
	most  int64
	debug func(string)
}

func (t armTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, err := t.next.RoundTrip(req)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, t.most)
		answer.Body = shortBody{answer.Body}
	}
	if t.debug != nil {
		outcome := "no answer"
		if err == nil {
			outcome = foreign.Plain(answer.Status)
		}
		t.debug(req.Method + " " + foreign.Plain(redact.URL(req.URL.String())) + ": " + outcome)
	}
	return answer, err
}

// shortBody makes the SDK give up on an answer that is too long, rather than ask again.
type shortBody struct{ io.ReadCloser }

func (b shortBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		err = longAnswer{tooLong.Limit}
	}
	return n, err
}

type longAnswer struct{ limit int64 }

func (e longAnswer) Error() string { return fmt.Sprintf("the answer is longer than %d bytes", e.limit) }
func (longAnswer) NonRetriable()   {}

// noting is a credential whose tokens are remembered.
type noting struct {
	azcore.TokenCredential
	tokens *foreign.Tokens
}

func (n noting) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := n.TokenCredential.GetToken(ctx, o)
	if err != nil {
		return token, credentialError{err}
	}
	n.tokens.Add(token.Token)
	return token, nil
}

// credentialError is an error of the identity, not of the service.
type credentialError struct{ error }

func (e credentialError) Unwrap() error { return e.error }
func (credentialError) NonRetriable()   {}

// ask makes one call of the SDK, and returns the answer as it came.
func (a *armAsker) ask(ctx context.Context, operation string, call func(context.Context) error) (armAnswer, error) {
	var response *http.Response
	err := call(policy.WithCaptureResponse(ctx, &response))
	if response == nil || response.StatusCode != http.StatusOK {
		return armAnswer{}, a.failed(ctx, operation, err)
	}
	body, broken := runtime.Payload(response)
	if broken != nil {
		return armAnswer{}, a.failed(ctx, operation, cmp.Or(err, broken))
	}
	if unclear := strictjson.Check(body, maxArmDepth); cmp.Or(unclear, err) != nil {
		return armAnswer{}, a.nonsense(errors.New(a.used.Mask(cmp.Or(unclear, err).Error())))
	}
	answer := armAnswer{header: response.Header}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	return answer, decoder.Decode(&answer.body)
}

// failed makes the error for a call that failed. The SDK's texts hold URLs, whole answers and several lines.
func (a *armAsker) failed(ctx context.Context, operation string, err error) error {
	var answer *azcore.ResponseError
	if own := (credentialError{}); !errors.As(err, &own) && errors.As(err, &answer) {
		return a.refusedBy(operation, answer)
	}
	if done := ctx.Err(); done != nil {
		return fmt.Errorf("%s, %s: %w", Service, operation, done)
	}
	return failure(a.accountID, operation, err, a.used)
}

// failure is an error without an answer.
func failure(id accountID, operation string, err error, used *foreign.Tokens) error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	text, hint := used.Mask(err.Error()), ""
	var timeout net.Error
	var identity credentialError
	switch {
	case errors.As(err, &identity):
		hint = identityHint + "; the identity needs the role Reader on " + id.whole
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		text = "no whole answer came in time"
	}
	return provenance.WithHint(fmt.Errorf("%s, %s: %s", Service, operation, text), hint)
}

// refusedBy makes the error for an answer with another status than 200.
func (a *armAsker) refusedBy(operation string, answer *azcore.ResponseError) error {
	e := &httpclient.StatusError{Service: Service, Operation: operation, Status: answer.StatusCode, Code: a.used.Mask(answer.ErrorCode)}
	if answer.RawResponse != nil {
		e.RequestID = a.used.Mask(answer.RawResponse.Header.Get("x-ms-request-id"))
		var said struct{ Error struct{ Message string } }
		if body, err := runtime.Payload(answer.RawResponse); err == nil && json.Unmarshal(body, &said) == nil {
			e.Message = a.used.Mask(said.Error.Message)
		}
	}
	return provenance.WithHint(e, a.statusHint(answer.StatusCode))
}

func (a *armAsker) statusHint(status int) string {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "the identity needs the role Reader on " + a.whole
	case status == http.StatusNotFound:
		return "is " + a.whole + " the account that holds the data, and the identity one of its tenant?"
	case status == http.StatusTooManyRequests:
		return "the service is busy: try again later"
	case status >= 300 && status < 400:
		return "Azure Resource Manager does not redirect: does something stand between it and this machine?"
	}
	return ""
}
