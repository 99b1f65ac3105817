package azureml

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/source/arm"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

const amlService = "Azure ML"

// Names are checked, because they become parts of paths and hosts. A model's name may have a dot, as in model.pkl.
// Source: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftmachinelearningservices
var (
	workspaceID = pattern.New(`(?i)^/subscriptions/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/resourceGroups/([\p{L}\p{Nd}_().-]{0,89}[\p{L}\p{Nd}_()-])` +
		`/providers/Microsoft\.MachineLearningServices/workspaces/([a-z0-9][a-z0-9_-]{1,62})/?$`)
	amlName   = pattern.New(`^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$`)
	amlRegion = pattern.New(`^[a-z0-9]{2,60}$`)
)

// amlAsker asks one workspace about one version of a model.
type amlAsker struct {
	id, subscription, group, workspace string
	name, version                      string // of the model
	region                             string // as configured
	cloud                              string
	skipV1                             string // why v1 is not asked; empty: it is
	arm                                *ask.Asking
	v1                                 *ask.Asking // nil until its region is known
	newV1                              func(region string) (*ask.Asking, error)
}

// domains are the suffixes of the workspaces' own API in each cloud.
var domains = map[string]string{"public": "api.azureml.ms", "china": "api.ml.azure.cn", "usgovernment": "api.ml.azure.us"}

// cloudName is the short name of a cloud.
func cloudName(where cloud.Configuration) string {
	switch where.ActiveDirectoryAuthorityHost {
	case cloud.AzureChina.ActiveDirectoryAuthorityHost:
		return "china"
	case cloud.AzureGovernment.ActiveDirectoryAuthorityHost:
		return "usgovernment"
	}
	return "public"
}

func (a Source) asker() (*amlAsker, error) {
	w, err := a.checked()
	if err != nil {
		return nil, err
	}
	where, err := arm.ResourceManager(a.Cloud)
	if err != nil {
		return nil, err
	}
	w.cloud = cloudName(where)
	management := strings.TrimSuffix(where.Services[cloud.ResourceManager].Endpoint, "/")
	token := a.token(w, management+"/.default")
	client := a.Client
	if client.MaxBody <= 0 {
		client.MaxBody = maxAMLBody
	}
	if w.arm, err = ask.New(arm.Service, cmp.Or(a.ARMBase, management), token, arm.ErrNoIdentity, client); err != nil {
		return nil, err
	}
	w.arm.IDsOnly = a.Anonymous
	if a.V2Only {
		w.skipV1 = "the v1 API of the workspace was not asked: images, services and datasets are not known"
	}
	w.newV1 = func(region string) (*ask.Asking, error) {
		v1, err := ask.New(amlService, cmp.Or(a.APIBase, "https://"+region+"."+domains[w.cloud]), token, arm.ErrNoIdentity, client)
		if err == nil {
			v1.Used, v1.IDsOnly = w.arm.Used, a.Anonymous
		}
		return v1, err
	}
	return w, nil
}

// token gives the same token to both APIs, and lets neither answer repeat it.
func (a Source) token(w *amlAsker, scope string) ask.Token {
	return func(ctx context.Context) (string, error) {
		if a.Token == nil {
			return "", arm.ErrNoIdentity
		}
		token, err := a.Token(ctx, scope)
		w.arm.Used.Add(strings.TrimSpace(token))
		return token, err
	}
}

// checked reads what the caller gave.
func (a Source) checked() (*amlAsker, error) {
	m := workspaceID().FindStringSubmatch(a.Workspace)
	switch {
	case m == nil:
		return nil, provenance.Misuse("az ml workspace show --name NAME --query id prints it: /subscriptions/…/resourceGroups/…/providers/"+
			"Microsoft.MachineLearningServices/workspaces/NAME", "%q is not the resource ID of an Azure ML workspace", foreign.Plain(a.Workspace))
	case a.Region != "" && !amlRegion().MatchString(a.Region):
		return nil, provenance.Misuse("write it as in westeurope, or leave it out", "%q is not a region of Azure", foreign.Plain(a.Region))
	case !amlName().MatchString(a.ModelName):
		return nil, provenance.Misuse("give the name of the registered model", "%q is not the name of a model in Azure ML", foreign.Plain(a.ModelName))
	case !amlName().MatchString(a.ModelVersion):
		return nil, provenance.Misuse("give the version that this build registered: a number, as a rule; labels such as latest move",
			"%q is not the version of a model in Azure ML", foreign.Plain(a.ModelVersion))
	}
	return &amlAsker{id: strings.TrimSuffix(a.Workspace, "/"), subscription: m[1], group: m[2], workspace: m[3], name: a.ModelName, version: a.ModelVersion,
		region: a.Region}, nil
}

func (w *amlAsker) what() string { return "model " + w.name + " version " + w.version }

// armQuery names the version of the API that the structs here are made from.
func armQuery() url.Values { return url.Values{"api-version": {"2024-04-01"}} }

// amlRaw is what is read from an answer as it came, because redaction may change it: it is followed, and never kept.
type amlRaw struct {
	NextLink   string `json:"nextLink"`
	URL        string `json:"url"` // of a model in v1
	Properties struct {
		ModelURI string `json:"modelUri"`
	} `json:"properties"`
}

// getAML asks one API for one thing, keeps the answer, and reads it into v.
func getAML(a *ask.Asking, ctx context.Context, operation, path string, query url.Values, v any) (raw amlRaw, err error) {
	r := httpclient.Request{Operation: operation, Path: path, Query: query}
	answer, err := a.HTTP.Do(ctx, r)
	if err != nil {
		return raw, err
	}
	var decoded any
	if err := answer.JSON(&decoded); err != nil { // strict: no key twice, bounded depth
		return raw, err
	}
	if _, isObject := decoded.(map[string]any); !isObject {
		return raw, a.Nonsense(operation, errors.New("it is no JSON object"))
	}
	if err := answer.JSON(&raw); err != nil {
		return raw, a.Nonsense(operation, errors.New("a link in it is no text"))
	}
	if err := withoutSettings(a, r, &answer); err != nil {
		return raw, err
	}
	return raw, a.Keep(r, answer, v)
}

// withoutSettings takes out of an answer what is set for a container, whoever it belongs to: people put secrets there under
// any name. The names of environment variables stay.
func withoutSettings(a *ask.Asking, r httpclient.Request, answer *httpclient.Answer) error {
	decoder := json.NewDecoder(bytes.NewReader(answer.Body))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return a.Nonsense(r.Operation, err)
	}
	var removed []string
	dropSettings("$", decoded, &removed)
	if len(removed) == 0 {
		return nil
	}
	body, err := foreign.CanonicalJSON(decoded)
	if err != nil {
		return a.Nonsense(r.Operation, err)
	}
	answer.Body = body
	label := ask.RequestLabel(r)
	a.Lock.Lock()
	defer a.Lock.Unlock()
	for _, path := range removed {
		a.Removed = append(a.Removed, label+" "+path)
	}
	return nil
}

// dropSettings replaces the values of environment variables and of TLS keys, and notes where they stood.
func dropSettings(path string, v any, removed *[]string) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			dropSettings(path+"["+strconv.Itoa(i)+"]", v[i], removed)
		}
	case map[string]any:
		for _, key := range foreign.SortedKeys(v) {
			at := path + "." + foreign.JSONKey(redact.Text(key))
			if values, isObject := v[key].(map[string]any); isObject && key == "environmentVariables" {
				for _, name := range foreign.SortedKeys(values) {
					values[name] = redact.Removed
					*removed = append(*removed, at+"."+foreign.JSONKey(redact.Text(name)))
				}
				continue
			}
			if text, isText := v[key].(string); isText && text != "" && key == "sslKey" {
				v[key] = redact.Removed
				*removed = append(*removed, at)
				continue
			}
			dropSettings(at, v[key], removed)
		}
	}
}

// amlList asks for a list to its last page.
func amlList[T any](ctx context.Context, a *ask.Asking, operation, path string, query url.Values) ([]T, error) {
	var all []T
	seen := map[string]bool{}
	for range maxAMLPages {
		var page struct {
			Value *[]T `json:"value"`
		}
		raw, err := getAML(a, ctx, operation, path, query, &page)
		next := raw.NextLink
		switch {
		case err != nil:
			return nil, err
		case page.Value == nil:
			return nil, a.Nonsense(operation, errors.New("it has no list"))
		case len(all)+len(*page.Value) > maxAMLEntries:
			return nil, a.Nonsense(operation, fmt.Errorf("it has more than %d entries", maxAMLEntries))
		case seen[next]:
			return nil, a.Nonsense(operation, errors.New("its pages go round in a circle"))
		}
		all = append(all, *page.Value...)
		if next == "" {
			return all, nil
		}
		seen[next] = true
		if path, query, err = followAML(a, operation, next); err != nil {
			return nil, err
		}
	}
	return nil, a.Nonsense(operation, fmt.Errorf("it has more than %d pages", maxAMLPages))
}

// followAML reads the link to a next page, which has to lie on the host that is asked already: no other gets a token.
func followAML(a *ask.Asking, operation, link string) (path string, query url.Values, err error) {
	u, err := url.Parse(link)
	if err != nil || u.User != nil || u.Host == "" {
		return "", nil, a.Nonsense(operation, errors.New("its link to the next page is no URL"))
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if u.Scheme == "https" {
		u.Host = strings.TrimSuffix(u.Host, ":443")
	}
	if u.Scheme+"://"+u.Host != a.HTTP.Host() {
		return "", nil, fmt.Errorf("%s, %s: its next page lies at %s, which is not the host that was asked", a.Service, operation, foreign.Plain(u.Scheme+"://"+u.Host))
	}
	query, err = url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", nil, a.Nonsense(operation, errors.New("its link to the next page is no URL"))
	}
	return u.Path, query, nil
}

// explain adds what a workspace needs to a refusal of Azure Resource Manager.
func (w *amlAsker) explain(err error) error {
	if _, denied := ask.RefusedWith(err, http.StatusUnauthorized, http.StatusForbidden); denied {
		return provenance.WithHint(err, "the identity needs the role Reader on "+w.id)
	}
	if _, missing := ask.RefusedWith(err, http.StatusNotFound); missing {
		return provenance.WithHint(err, "is "+w.id+" the workspace, and the identity one of its tenant?")
	}
	return err
}

// answered makes one document of the answers of both APIs.
func (w *amlAsker) answered() (provenance.Answered, error) {
	all := &ask.Asking{Kept: w.arm.Kept, Removed: w.arm.Removed, Told: w.arm.Told, First: w.arm.First}
	if w.v1 != nil {
		all.Kept, all.Removed, all.Told = slices.Concat(all.Kept, w.v1.Kept), slices.Concat(all.Removed, w.v1.Removed), slices.Concat(all.Told, w.v1.Told)
		if first := w.v1.First; !first.IsZero() && first.Before(all.First) {
			all.First = first
		}
	}
	return all.Answered("azureml-model-" + w.name + "-" + w.version + ".json")
}
