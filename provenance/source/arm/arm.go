// Package arm asks Azure Resource Manager how the container of a data folder is protected.
package arm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// StorageAccount asks Azure Resource Manager how the containers of a storage account are protected: the storage itself tells
// neither whether a retention policy is locked, nor for how long it holds. The identity needs the role Reader on the account.
// Source: https://learn.microsoft.com/rest/api/storagerp/blob-containers/get
type StorageAccount struct {
	ID         string                                 // /subscriptions/S/resourceGroups/G/providers/Microsoft.Storage/storageAccounts/NAME
	Credential func() (azcore.TokenCredential, error) // asked once for each container
	Cloud      string                                 // "public" (or empty), "china", "usgovernment", or the storage suffix of one of them
	Anonymous  bool                                   // leave names and addresses of people out of the stored answer
	// Client bounds the requests: Attempts, Wait, Patience and AttemptTimeout are handed to the SDK; MaxBody is 1 MiB when it
	// is 0. UserAgent and Now are not used.
	Client ask.Client
}

// Container tells how a container is protected; its grade is for others to give. host is the Blob endpoint that the data is
// read from: unless it is this very account's primary one, the answer is a *provenance.Refused with the code data.account,
// because a policy on another account protects nothing here. A wrong ID or cloud is a *provenance.Misused; every other error
// means that nobody could tell. What is stored are the two redacted answers, {"account":…,"container":…}.
func (s StorageAccount) Container(ctx context.Context, host, container string) (provenance.Protection, provenance.Stored, error) {
	none := func(err error) (provenance.Protection, provenance.Stored, error) {
		return provenance.Protection{}, provenance.Stored{}, err
	}
	a, err := s.asker(host, container)
	if err != nil {
		return none(err)
	}
	account, accountAnswer, err := a.askAccount(ctx)
	if err != nil {
		return none(err)
	}
	if err := a.isAt(account, host); err != nil {
		return none(err)
	}
	found, containerAnswer, err := a.askContainer(ctx)
	if err != nil {
		return none(err)
	}
	p, err := a.protection(account, found, containerAnswer)
	if err != nil {
		return none(a.nonsense(err))
	}
	stored, err := a.store(accountAnswer, containerAnswer)
	if err != nil {
		return none(a.nonsense(err))
	}
	return p, stored, nil
}

// Check tells whether ID is the resource ID of a storage account, and asks nobody.
func (s StorageAccount) Check() error {
	_, err := parseAccountID(s.ID)
	return err
}

// armAsker asks for one container.
type armAsker struct {
	accountID
	container  string
	accounts   *armstorage.AccountsClient
	containers *armstorage.BlobContainersClient
	used       *foreign.Tokens
	anonymous  bool
}

func (s StorageAccount) asker(host, container string) (*armAsker, error) {
	id, err := parseAccountID(s.ID)
	if err != nil {
		return nil, err
	}
	if !ContainerName().MatchString(container) {
		return nil, provenance.Misuse("", "%q is not the name of a container", foreign.Plain(container))
	}
	if label, _, _ := strings.Cut(host, "."); !strings.EqualFold(label, id.name) {
		return nil, id.elsewhere(host)
	}
	a := &armAsker{accountID: id, container: container, used: &foreign.Tokens{}, anonymous: s.Anonymous}
	factory, err := s.factory(id, a.used)
	if err != nil {
		return nil, err
	}
	a.accounts, a.containers = factory.NewAccountsClient(), factory.NewBlobContainersClient()
	return a, nil
}

// accountID is a parsed resource ID.
type accountID struct{ whole, subscription, group, name string }

// Names are checked, because the SDK puts them into the path of a URL.
// Source: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
var (
	armAccount = pattern.New(`(?i)^/subscriptions/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/resourceGroups/([\p{L}\p{Nd}_().-]{0,89}[\p{L}\p{Nd}_()-])` +
		`/providers/Microsoft\.Storage/storageAccounts/((?-i)[a-z0-9]{3,24})/?$`)
	ContainerName = pattern.New(`^(\$[a-z]+|[a-z0-9](-?[a-z0-9])+)$`)
)

func parseAccountID(id string) (accountID, error) {
	m := armAccount().FindStringSubmatch(id)
	if m == nil {
		return accountID{}, provenance.Misuse("az storage account show --name NAME --query id prints it: "+
			"/subscriptions/…/resourceGroups/…/providers/Microsoft.Storage/storageAccounts/NAME", "%q is not the resource ID of a storage account", foreign.Plain(id))
	}
	return accountID{strings.TrimSuffix(id, "/"), m[1], m[2], m[3]}, nil
}

func (id accountID) containerID(container string) string {
	return id.whole + "/blobServices/default/containers/" + container
}

// elsewhere refuses data that does not lie in the account.
func (id accountID) elsewhere(host string) error {
	return provenance.Refuse("data.account", "give the resource ID of the account that holds the data",
		"the data is read from %s, which is not the storage account %s", foreign.Plain(host), id.whole)
}

// isAt refuses an account whose own Blob endpoint is not the host that the data is read from.
func (a *armAsker) isAt(account armstorage.Account, host string) error {
	if account.Properties == nil || account.Properties.PrimaryEndpoints == nil || account.Properties.PrimaryEndpoints.Blob == nil {
		return a.nonsense(errors.New("it does not tell the account's Blob endpoint"))
	}
	u, err := url.Parse(*account.Properties.PrimaryEndpoints.Blob)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return a.nonsense(errors.New("the account's Blob endpoint is no https address"))
	}
	if !strings.EqualFold(u.Host, host) {
		return a.elsewhere(host)
	}
	return nil
}

func (a *armAsker) askAccount(ctx context.Context) (armstorage.Account, armAnswer, error) {
	var got armstorage.AccountsClientGetPropertiesResponse
	answer, err := a.ask(ctx, "reading storage account "+a.name, func(ctx context.Context) (err error) {
		got, err = a.accounts.GetProperties(ctx, a.group, a.name, nil)
		return err
	})
	if err == nil && !isResource(a.whole, a.name, "Microsoft.Storage/storageAccounts", got.ID, got.Name, got.Type) {
		err = a.nonsense(errors.New("it is about another account"))
	}
	return got.Account, answer, err
}

func (a *armAsker) askContainer(ctx context.Context) (armstorage.BlobContainer, armAnswer, error) {
	var got armstorage.BlobContainersClientGetResponse
	answer, err := a.ask(ctx, "reading container "+a.container+" of storage account "+a.name, func(ctx context.Context) (err error) {
		got, err = a.containers.Get(ctx, a.group, a.name, a.container, nil)
		return err
	})
	const kind = "Microsoft.Storage/storageAccounts/blobServices/containers"
	if err == nil && !isResource(a.containerID(a.container), a.container, kind, got.ID, got.Name, got.Type) {
		err = a.nonsense(errors.New("it is about another container"))
	}
	return got.BlobContainer, answer, err
}

// isResource tells whether an answer is about what was asked for. Azure compares IDs and types without regard to case.
func isResource(id, name, kind string, gotID, gotName, gotKind *string) bool {
	return gotID != nil && gotName != nil && gotKind != nil &&
		strings.EqualFold(*gotID, id) && *gotName == name && strings.EqualFold(*gotKind, kind)
}

// nonsense is the error for an answer that cannot be right.
func (a *armAsker) nonsense(err error) error {
	return fmt.Errorf("the answer of %s about container %s of storage account %s makes no sense: %w", Service, a.container, a.name, err)
}

// store makes one document of both answers, redacted.
func (a *armAsker) store(account, container armAnswer) (provenance.Stored, error) {
	r := &foreign.Redactor{Known: a.used.All(), IDsOnly: a.anonymous}
	data, err := foreign.CanonicalJSON(r.Value("$", map[string]any{"account": account.body, "container": container.body}))
	if err != nil {
		return provenance.Stored{}, err
	}
	return provenance.Stored{
		Name: "arm-" + a.name + "-" + a.container + ".json", MediaType: ask.AnswerMediaType,
		Digest: provenance.SumSHA256(data), Size: int64(len(data)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(data))), nil },
	}, nil
}

// armAnswer is an answer as it came.
type armAnswer struct {
	body   any // decoded, numbers as they were written
	header http.Header
}
