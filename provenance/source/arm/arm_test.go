package arm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/armdouble"
	"github.com/seed-3480f271/provenance/provenance/internal/hostproxy"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/sourcetest"
)

const lakeHost = "contoso.blob.core.windows.net"

// armToken is what the test's identity has.
const armToken = "arm-access-token-value"

// identity hands out the token, or an error, and remembers what for.
type identity struct {
	err    error
	scopes []string
}

func (i *identity) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	i.scopes = append(i.scopes, o.Scopes...)
	return azcore.AccessToken{Token: armToken, ExpiresOn: time.Now().Add(time.Hour)}, i.err
}

// lake is an account contoso with a container lake, and the source that asks for it.
func lake(t *testing.T) (*armdouble.Server, StorageAccount, *identity) {
	d, who := armdouble.New(), &identity{}
	d.Account("contoso", to.Ptr(true))
	d.Container("contoso", "lake")
	proxy := hostproxy.Start(t, map[string]http.Handler{armdouble.Host: d, "management.usgovcloudapi.net": d, "management.chinacloudapi.cn": d})
	return d, StorageAccount{
		ID: armdouble.ID("contoso"), Credential: func() (azcore.TokenCredential, error) { return who, nil },
		Client: ask.Client{Transport: proxy.Transport(), Wait: time.Microsecond, Patience: 2 * time.Second, AttemptTimeout: 10 * time.Second},
	}, who
}

func askLake(t *testing.T, s StorageAccount) (provenance.Protection, provenance.Stored) {
	t.Helper()
	p, stored, err := s.Container(t.Context(), lakeHost, "lake")
	if err != nil {
		t.Fatalf("%v %q", err, provenance.Hints(err))
	}
	return p, stored
}

func TestStorageAccount(t *testing.T) {
	d, s, who := lake(t)
	d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Unlocked", Days: 30})
	d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 365, AppendAll: true})
	d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 730, AppendAll: true})
	d.Hold("contoso", "lake", "audit2026", "case7")
	got, answer := askLake(t, s)
	at := func(hour int) time.Time { return time.Date(2026, 10, 1, hour, 0, 0, 0, time.UTC) }
	want := provenance.Protection{
		Account: "contoso", Container: "lake", Namespace: "hierarchical",
		Policy: &provenance.RetentionPolicy{State: "Locked", Days: 730, AppendWrites: "all-blobs", ETag: "8de0000000000004", Updates: []provenance.PolicyUpdate{
			{Update: "put", Days: 30, At: at(1), By: armdouble.Person}, {Update: "put", Days: 365, At: at(2), By: armdouble.Person},
			{Update: "lock", Days: 365, At: at(3), By: armdouble.Person}, {Update: "extend", Days: 730, At: at(4), By: armdouble.Person}}},
		LegalHolds: []provenance.LegalHold{{Tag: "audit2026", Since: at(5), By: armdouble.Person}, {Tag: "case7", Since: at(6), By: armdouble.Person}},
		ResourceID: armdouble.ID("contoso") + "/blobServices/default/containers/lake",
		RequestID:  armdouble.RequestID, AskedAt: armdouble.Now,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if strings.Join(who.scopes, " ") != "https://management.core.windows.net//.default" {
		t.Errorf("a token was asked for %q", who.scopes)
	}
	if answer.Name != "arm-contoso-lake.json" || answer.MediaType != ask.AnswerMediaType {
		t.Errorf("stored as %q, %q", answer.Name, answer.MediaType)
	}
	var document struct{ Account, Container struct{ ID string } }
	if err := json.Unmarshal(sourcetest.Stored(t, answer), &document); err != nil || document.Container.ID != want.ResourceID || document.Account.ID != s.ID {
		t.Errorf("%+v is stored (%v)", document, err)
	}
}

func TestStorageAccountStates(t *testing.T) {
	for name, tt := range map[string]struct {
		set  func(*armdouble.Server)
		want provenance.Protection // of policy, holds, namespace and what is unknown
	}{
		"nothing":            {func(*armdouble.Server) {}, provenance.Protection{Namespace: "hierarchical"}},
		"flat":               {func(d *armdouble.Server) { d.Account("contoso", to.Ptr(false)) }, provenance.Protection{Namespace: "flat"}},
		"namespace not told": {func(d *armdouble.Server) { d.Account("contoso", nil) }, provenance.Protection{}},
		"unlocked": {func(d *armdouble.Server) {
			d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Unlocked", Days: 1})
		},
			provenance.Protection{Namespace: "hierarchical", Policy: &provenance.RetentionPolicy{State: "Unlocked", Days: 1}}},
		"locked": {func(d *armdouble.Server) {
			d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 146000})
		},
			provenance.Protection{Namespace: "hierarchical", Policy: &provenance.RetentionPolicy{State: "Locked", Days: 146000}}},
		"locked, append blobs grow": {func(d *armdouble.Server) {
			d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 7, Append: true})
		}, provenance.Protection{Namespace: "hierarchical", Policy: &provenance.RetentionPolicy{State: "Locked", Days: 7, AppendWrites: "append-blobs"}}},
		"both kinds of appends": {func(d *armdouble.Server) {
			d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 7, Append: true, AppendAll: true})
		}, provenance.Protection{Namespace: "hierarchical", Policy: &provenance.RetentionPolicy{State: "Locked", Days: 7, AppendWrites: "all-blobs"}}},
		"a hold": {func(d *armdouble.Server) { d.Hold("contoso", "lake", "case7") },
			provenance.Protection{Namespace: "hierarchical", LegalHolds: []provenance.LegalHold{{Tag: "case7"}}}},
		"a hold that was cleared": {func(d *armdouble.Server) { d.Hold("contoso", "lake", "case7"); d.Hold("contoso", "lake") },
			provenance.Protection{Namespace: "hierarchical"}},
		"version-level, with a locked default": {func(d *armdouble.Server) {
			d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 7})
			d.Version("contoso", "lake")
		}, provenance.Protection{Namespace: "hierarchical", Unknown: perBlob}},
		"version-level by the account": {func(d *armdouble.Server) {
			d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 7})
			d.Alter = account(func(properties object) { properties["immutableStorageWithVersioning"] = object{"enabled": true} })
		}, provenance.Protection{Namespace: "hierarchical", Unknown: perBlob}},
		"on the way to version-level": {func(d *armdouble.Server) {
			d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 7})
			d.Alter = container(func(properties object) {
				properties["immutableStorageWithVersioning"] = object{"migrationState": "InProgress"}
			})
		}, provenance.Protection{Namespace: "hierarchical", Unknown: perBlob}},
		"an empty policy that was left behind": {func(d *armdouble.Server) {
			d.Alter = container(func(properties object) {
				properties["immutabilityPolicy"] = object{"etag": "", "properties": object{"state": "Unlocked", "immutabilityPeriodSinceCreationInDays": 0}}
			})
		}, provenance.Protection{Namespace: "hierarchical"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, s, _ := lake(t)
			tt.set(d)
			p, _ := askLake(t, s)
			if p.Policy != nil {
				p.Policy.ETag, p.Policy.Updates = "", nil
			}
			for i := range p.LegalHolds {
				p.LegalHolds[i] = provenance.LegalHold{Tag: p.LegalHolds[i].Tag}
			}
			got := provenance.Protection{Namespace: p.Namespace, Policy: p.Policy, LegalHolds: p.LegalHolds, Unknown: p.Unknown}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

type object = map[string]any

// account and container alter the properties in one of the two answers.
func account(change func(object)) func(string, object)   { return altered("account", change) }
func container(change func(object)) func(string, object) { return altered("container", change) }

func altered(which string, change func(object)) func(string, object) {
	return func(what string, answer object) {
		if what == which {
			change(answer["properties"].(object))
		}
	}
}

// top alters an answer beside its properties.
func top(which, key string, to any) func(string, object) {
	return func(what string, answer object) {
		if what == which {
			answer[key] = to
		}
	}
}

// inPolicy alters a container's policy.
func inPolicy(key string, to any) func(string, object) {
	return container(func(properties object) {
		properties["immutabilityPolicy"].(object)["properties"].(object)[key] = to
	})
}

func TestStorageAccountDistrustsAnswers(t *testing.T) {
	of := func(key string, to any) func(string, object) {
		return container(func(properties object) { properties[key] = to })
	}
	for name, tt := range map[string]struct {
		alter func(string, object)
		want  string
	}{
		"another account":            {top("account", "id", armdouble.ID("other")), "about another account"},
		"another account's name":     {top("account", "name", "other"), "about another account"},
		"another type":               {top("account", "type", "Microsoft.Compute/disks"), "about another account"},
		"no account id":              {top("account", "id", nil), "about another account"},
		"another container":          {top("container", "id", armdouble.ID("contoso")+"/blobServices/default/containers/other"), "about another container"},
		"another container's name":   {top("container", "name", "Lake"), "about another container"},
		"another kind of container":  {top("container", "type", "Microsoft.Storage/storageAccounts/fileServices/shares"), "about another container"},
		"account without anything":   {top("account", "properties", nil), "Blob endpoint"},
		"no endpoints":               {account(func(p object) { delete(p, "primaryEndpoints") }), "Blob endpoint"},
		"plain http endpoint":        {account(func(p object) { p["primaryEndpoints"] = object{"blob": "http://" + lakeHost} }), "no https address"},
		"container without anything": {top("container", "properties", nil), "whether the container has a policy"},
		"no word of a policy":        {of("hasImmutabilityPolicy", nil), "whether the container has a policy"},
		"no word of a hold":          {of("hasLegalHold", nil), "whether the container has a policy"},
		"deleted":                    {of("deleted", true), "was deleted"},
		"a policy and none":          {of("hasImmutabilityPolicy", false), "says that there is none"},
		"a policy that is not shown": {of("immutabilityPolicy", nil), "does not show it"},
		"an empty policy":            {of("immutabilityPolicy", object{"etag": "x"}), "does not show it"},
		"locked without a period":    {inPolicy("immutabilityPeriodSinceCreationInDays", nil), "period is 0 days"},
		"locked for no time":         {inPolicy("immutabilityPeriodSinceCreationInDays", 0), "period is 0 days"},
		"locked for less than none":  {inPolicy("immutabilityPeriodSinceCreationInDays", -5), "period is -5 days"},
		"locked for ever":            {inPolicy("immutabilityPeriodSinceCreationInDays", 2_000_000_000), "period is 2000000000 days"},
		"no state":                   {inPolicy("state", nil), `state is ""`},
		"almost locked":              {inPolicy("state", "locked"), `state is "locked"`},
		"a state with a newline":     {inPolicy("state", "Locked\n##vso[task.complete]"), "state is \"Locked ##vso[task.complete]\""},
		"days as text":               {inPolicy("immutabilityPeriodSinceCreationInDays", "365"), "makes no sense"},
		"properties as text":         {top("container", "properties", "none"), "makes no sense"},
		"a hold without tags": {container(func(p object) {
			p["hasLegalHold"], p["legalHold"] = true, object{"hasLegalHold": true, "tags": []any{}}
		}), "0 tags of a legal hold and says true"},
		"a hold that is none": {of("hasLegalHold", true), "says that there is a legal hold, and that there is none"},
		"tags without a hold": {of("legalHold", object{"tags": []any{object{"tag": "case7"}}}), "1 tags of a legal hold and says false"},
		"an update of no kind": {container(func(p object) {
			p["immutabilityPolicy"].(object)["updateHistory"] = []any{object{"timestamp": "2026-01-01T00:00:00Z"}}
		}),
			"without a kind"},
		"a long history": {container(func(p object) { p["immutabilityPolicy"].(object)["updateHistory"] = make([]object, 101) }), "101 updates"},
		"a tag without a name": {container(func(p object) {
			p["hasLegalHold"], p["legalHold"] = true, object{"hasLegalHold": true, "tags": []any{object{"tag": ""}}}
		}), "without a name"},
		"two keys that differ in case": {top("account", "ID", "x"), "makes no sense"},
	} {
		t.Run(name, func(t *testing.T) {
			d, s, _ := lake(t)
			d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 365})
			d.Alter = tt.alter
			p, answer, err := s.Container(t.Context(), lakeHost, "lake")
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%v, want one line with %q", err, tt.want)
			}
			checkUndecided(t, err)
			if !reflect.DeepEqual(p, provenance.Protection{}) || answer.Open != nil {
				t.Errorf("there is an answer beside the error: %+v %+v", p, answer)
			}
		})
	}
}

// checkUndecided wants an error that is neither a refusal nor the caller's mistake.
func checkUndecided(t *testing.T, err error) {
	t.Helper()
	var refused *provenance.Refused
	var misused *provenance.Misused
	if errors.As(err, &refused) || errors.As(err, &misused) {
		t.Errorf("%T, want undecided: %v", err, err)
	}
}

func TestStorageAccountFails(t *testing.T) {
	const reader = "role Reader on /subscriptions/"
	for fault, tt := range map[armdouble.Fault]struct {
		status   int
		want     string
		hint     string
		requests int
	}{
		armdouble.Unauthorized:  {401, "reading storage account contoso: status 401 InvalidAuthenticationToken", reader, 1},
		armdouble.Denied:        {403, "reading storage account contoso: status 403 AuthorizationFailed: The client", reader, 1},
		armdouble.Missing:       {404, "reading storage account contoso: status 404 ResourceNotFound", "account that holds the data", 1},
		armdouble.NoContainer:   {404, "reading container lake of storage account contoso: status 404 ContainerNotFound", "account that holds the data", 2},
		armdouble.Throttled:     {429, "status 429 TooManyRequests: The request is being throttled. (request " + armdouble.RequestID + ")", "try again later", 3},
		armdouble.ThrottledLong: {429, "status 429", "try again later", 1},
		armdouble.Broken:        {500, "status 500 InternalServerError", "", 3},
		armdouble.Redirect:      {307, "status 307", "does not redirect", 1},
		armdouble.Huge:          {0, "longer than 1048576 bytes", "", 1},
		armdouble.Truncated:     {0, "reading storage account contoso: unexpected EOF", "", 3},
		armdouble.Silent:        {0, "reading storage account contoso: no whole answer came in time", "", 0},
		armdouble.Page:          {0, "makes no sense", "", 1},
		armdouble.Empty:         {0, "makes no sense", "", 1},
		armdouble.Undated:       {0, "makes no sense: it has no date", "", 2},
	} {
		t.Run(string(fault), func(t *testing.T) {
			d, s, _ := lake(t)
			d.Fail(fault)
			s.Client.Attempts = 3
			if fault == armdouble.Silent {
				s.Client.AttemptTimeout = 100 * time.Millisecond
			}
			_, _, err := s.Container(t.Context(), lakeHost, "lake")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), Service) {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			checkUndecided(t, err)
			if hints := strings.Join(provenance.Hints(err), " "); !strings.Contains(hints, tt.hint) {
				t.Errorf("hints %q, want %q", hints, tt.hint)
			}
			var status *httpclient.StatusError
			if errors.As(err, &status) != (tt.status != 0) || status != nil && status.Status != tt.status {
				t.Errorf("%+v, want status %d", status, tt.status)
			}
			if asked := d.Requests(); len(asked) != tt.requests && tt.requests > 0 { // a slow machine may not get as far as asking
				t.Errorf("asked %d times, want %d", len(asked), tt.requests)
			}
		})
	}
}

func TestStorageAccountAsksAgain(t *testing.T) {
	for _, fault := range []armdouble.Fault{armdouble.ThrottledOnce, armdouble.BrokenOnce} {
		d, s, _ := lake(t)
		d.Fail(fault)
		askLake(t, s)
		if asked := d.Requests(); len(asked) != 3 {
			t.Errorf("%s: asked %q", fault, asked)
		}
	}
}

func TestStorageAccountAsksOnceWhenTold(t *testing.T) {
	d, s, _ := lake(t)
	d.Fail(armdouble.Broken)
	s.Client.Attempts = 1
	_, _, err := s.Container(t.Context(), lakeHost, "lake")
	if err == nil || len(d.Requests()) != 1 {
		t.Errorf("asked %q: %v", d.Requests(), err)
	}
}

// TestStorageAccountElsewhere: somebody points to an account that is locked, while the data lies in another.
func TestStorageAccountElsewhere(t *testing.T) {
	for name, tt := range map[string]struct {
		host     string
		endpoint string
		asks     int
	}{
		"another account":          {"fabrikam.blob.core.windows.net", "", 0},
		"a longer name":            {"contoso2.blob.core.windows.net", "", 0},
		"the secondary":            {"contoso-secondary.blob.core.windows.net", "", 0},
		"the same name elsewhere":  {"contoso.blob.core.usgovcloudapi.net", "", 1},
		"a zone":                   {"contoso.z01.blob.storage.azure.net", "", 1},
		"no host":                  {"", "", 0},
		"its endpoint is another":  {lakeHost, "https://fabrikam.blob.core.windows.net/", 1},
		"its endpoint has a port":  {lakeHost, "https://contoso.blob.core.windows.net:8443/", 1},
		"its endpoint has a user":  {lakeHost, "https://contoso.blob.core.windows.net@example.com/", 1},
		"its endpoint is a domain": {lakeHost, "https://contoso.blob.core.windows.net.example.com/", 1},
	} {
		t.Run(name, func(t *testing.T) {
			d, s, _ := lake(t)
			d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 365})
			if tt.endpoint != "" {
				d.Endpoint("contoso", tt.endpoint)
			}
			_, _, err := s.Container(t.Context(), tt.host, "lake")
			var refused *provenance.Refused
			if !errors.As(err, &refused) || refused.Code != "data.account" || !strings.Contains(refused.Hint, "resource ID") {
				t.Errorf("%v, want data.account", err)
			}
			if asked := d.Requests(); len(asked) != tt.asks {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

func TestStorageAccountInAZone(t *testing.T) {
	d, s, _ := lake(t)
	d.Endpoint("contoso", "https://contoso.z01.blob.storage.azure.net/")
	if _, _, err := s.Container(t.Context(), "CONTOSO.z01.blob.storage.azure.net", "lake"); err != nil {
		t.Error(err)
	}
}

func TestStorageAccountMisused(t *testing.T) {
	good := armdouble.ID("contoso")
	for name, change := range map[string]func(*StorageAccount) string{
		"no id":            func(s *StorageAccount) string { s.ID = ""; return "lake" },
		"a name":           func(s *StorageAccount) string { s.ID = "contoso"; return "lake" },
		"a container's id": func(s *StorageAccount) string { s.ID = good + "/blobServices/default/containers/lake"; return "lake" },
		"another resource": func(s *StorageAccount) string {
			s.ID = strings.Replace(good, "Storage/storage", "Batch/batch", 1)
			return "lake"
		},
		"no subscription": func(s *StorageAccount) string {
			s.ID = strings.Replace(good, armdouble.Subscription, "..", 1)
			return "lake"
		},
		"a group that goes up":     func(s *StorageAccount) string { s.ID = strings.Replace(good, armdouble.Group, "..", 1); return "lake" },
		"a query":                  func(s *StorageAccount) string { s.ID = good + "?x=y"; return "lake" },
		"capitals":                 func(s *StorageAccount) string { s.ID = armdouble.ID("Contoso"); return "lake" },
		"no container":             func(*StorageAccount) string { return "" },
		"a container that goes up": func(*StorageAccount) string { return ".." },
		"a path":                   func(*StorageAccount) string { return "lake/other" },
		"a private cloud":          func(s *StorageAccount) string { s.Cloud = "core.example.net"; return "lake" },
		"no identity":              func(s *StorageAccount) string { s.Credential = nil; return "lake" },
	} {
		t.Run(name, func(t *testing.T) {
			d, s, _ := lake(t)
			_, _, err := s.Container(t.Context(), lakeHost, change(&s))
			var misused *provenance.Misused
			if !errors.As(err, &misused) {
				t.Errorf("%v, want misuse", err)
			}
			if asked := d.Requests(); len(asked) != 0 {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

func TestStorageAccountIDs(t *testing.T) {
	_, s, _ := lake(t)
	s.ID = strings.Replace(strings.Replace(s.ID, "resourceGroups", "resourcegroups", 1), "Microsoft.Storage", "microsoft.storage", 1) + "/"
	p, _ := askLake(t, s)
	if want := strings.TrimSuffix(s.ID, "/") + "/blobServices/default/containers/lake"; p.ResourceID != want {
		t.Errorf("%s, want %s", p.ResourceID, want)
	}
}

func TestStorageAccountClouds(t *testing.T) {
	for cloud, scope := range map[string]string{
		"public": "https://management.core.windows.net//.default", "core.windows.net": "https://management.core.windows.net//.default",
		"usgovernment": "https://management.core.usgovcloudapi.net//.default", "China": "https://management.core.chinacloudapi.cn//.default",
	} {
		d, s, who := lake(t)
		s.Cloud = cloud
		askLake(t, s)
		if strings.Join(who.scopes, " ") != scope || len(d.Requests()) != 2 {
			t.Errorf("%s: a token for %q, requests %q", cloud, who.scopes, d.Requests())
		}
	}
}

func TestStorageAccountWithoutToken(t *testing.T) {
	d, s, who := lake(t)
	who.err = errors.New("DefaultAzureCredential: failed to acquire a token.\nAttempted credentials:\n\tpassword=hunter22hunter22")
	_, _, err := s.Container(t.Context(), lakeHost, "lake")
	if err == nil || !strings.Contains(err.Error(), "failed to acquire a token") || strings.ContainsAny(err.Error(), "\n\t") || strings.Contains(err.Error(), "hunter22") {
		t.Errorf("%q", err)
	}
	checkUndecided(t, err)
	if hints := strings.Join(provenance.Hints(err), " "); !strings.Contains(hints, "az login") || len(d.Requests()) != 0 {
		t.Errorf("hints %q, requests %q", hints, d.Requests())
	}
	s.Credential = func() (azcore.TokenCredential, error) { return nil, errors.New("no tenant") }
	_, _, err = s.Container(t.Context(), lakeHost, "lake")
	if err == nil || !strings.Contains(err.Error(), "finding an identity: no tenant") {
		t.Errorf("%v", err)
	}
}

func TestStorageAccountTellsNoSecret(t *testing.T) {
	d, s, _ := lake(t)
	var debug strings.Builder
	s.Client.Debug = func(line string) { debug.WriteString(line + "\n") }
	d.Alter = func(_ string, answer object) {
		answer["tags"] = object{"echo": armToken, "password": "hunter22"}
		answer["systemData"] = object{"url": "https://x.blob.core.windows.net/c?sig=abcdefghijklmnopqrstuvwx"}
	}
	_, answer := askLake(t, s)
	data := sourcetest.Stored(t, answer)
	for _, secret := range []string{armToken, "hunter22", "abcdefghijklmnopqrstuvwx"} {
		if bytes.Contains(data, []byte(secret)) || strings.Contains(debug.String(), secret) {
			t.Errorf("%s was told: %s\n%s", secret, data, debug.String())
		}
	}
	if !bytes.Contains(data, []byte(`"isHnsEnabled":true`)) || strings.Count(debug.String(), "GET https://management.azure.com/subscriptions/") != 2 {
		t.Errorf("stored %s\n%s", data, debug.String())
	}
}

func TestStorageAccountIsCancelled(t *testing.T) {
	d, s, _ := lake(t)
	d.Fail(armdouble.Silent)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, _, err := s.Container(ctx, lakeHost, "lake"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestStorageAccountDefaults(t *testing.T) {
	transport := StorageAccount{}.httpClient().Transport.(armTransport)
	if transport.most != maxArmAnswer || transport.next.(*http.Transport).Proxy != nil {
		t.Errorf("%+v", transport)
	}
	if retry := (StorageAccount{}).retry(); retry.MaxRetries != 5 || retry.TryTimeout != time.Minute {
		t.Errorf("%+v", retry)
	}
}

// TestStorageAccountHoldThatLetsFilesGrow: a legal hold can allow protected append writes.
func TestStorageAccountHoldThatLetsFilesGrow(t *testing.T) {
	for _, allowed := range []any{true, false, nil} {
		d, s, _ := lake(t)
		d.Hold("contoso", "lake", "case7")
		d.Alter = container(func(properties object) {
			properties["legalHold"].(object)["protectedAppendWritesHistory"] = object{"allowProtectedAppendWritesAll": allowed, "timestamp": "2026-10-01T05:00:00Z"}
		})
		if p, _ := askLake(t, s); p.HoldAppendWrites != (allowed == true) || len(p.LegalHolds) != 1 {
			t.Errorf("allowed %v: %+v", allowed, p)
		}
	}
}

// TestStorageAccountAnonymous: who set a policy or a hold is named by their id alone.
func TestStorageAccountAnonymous(t *testing.T) {
	d, s, _ := lake(t)
	d.SetPolicy("contoso", "lake", armdouble.Policy{State: "Locked", Days: 365})
	d.Hold("contoso", "lake", "case7")
	for _, s.Anonymous = range []bool{false, true} {
		_, answer := askLake(t, s)
		text := string(sourcetest.Stored(t, answer))
		if strings.Contains(text, "ada@contoso.com") == s.Anonymous || !strings.Contains(text, armdouble.Person) {
			t.Errorf("anonymous %v: %s", s.Anonymous, text)
		}
	}
}
