package arm

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage"
	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// Limits of what Azure can answer.
// Source: https://learn.microsoft.com/azure/storage/blobs/immutable-time-based-retention-policy-overview
const (
	maxRetentionDays = 146_000 // 400 years
	maxPolicyUpdates = 100     // it logs seven commands of a locked policy
	maxLegalHolds    = 100     // it allows ten tags
)

// perBlob is why a policy is not recorded as the container's: it is a default that blobs may have been written without.
const perBlob = "the container has version-level immutability: its policy is only the default of new blobs, and each blob's own retention counts"

// protection is what both answers say. A wish that the data were locked must not make it so: what contradicts itself is an
// error.
func (a *armAsker) protection(account armstorage.Account, c armstorage.BlobContainer, answer armAnswer) (provenance.Protection, error) {
	asked, err := http.ParseTime(answer.header.Get("Date"))
	if err != nil {
		return provenance.Protection{}, errors.New("it has no date")
	}
	p := provenance.Protection{
		Account: a.name, Container: a.container, Namespace: namespace(account.Properties.IsHnsEnabled),
		ResourceID: a.containerID(a.container), RequestID: foreign.Plain(answer.header.Get("x-ms-request-id")), AskedAt: asked.UTC(),
	}
	properties := c.ContainerProperties
	switch {
	case properties == nil || properties.HasImmutabilityPolicy == nil || properties.HasLegalHold == nil:
		return p, errors.New("it does not tell whether the container has a policy or a hold")
	case isTrue(properties.Deleted):
		return p, errors.New("the container was deleted")
	}
	if p.LegalHolds, err = legalHolds(properties); err != nil {
		return p, err
	}
	p.HoldAppendWrites = holdLetsAppend(properties.LegalHold)
	if isVersioned(account.Properties, properties) {
		p.Unknown = perBlob
		return p, nil
	}
	p.Policy, err = retentionPolicy(properties)
	return p, err
}

func namespace(hierarchical *bool) string {
	switch {
	case hierarchical == nil:
		return ""
	case *hierarchical:
		return "hierarchical"
	}
	return "flat"
}

// isVersioned tells whether blobs have, or are being given, retentions of their own.
// Source: https://learn.microsoft.com/azure/storage/blobs/immutable-version-level-worm-policies
func isVersioned(account *armstorage.AccountProperties, c *armstorage.ContainerProperties) bool {
	byAccount := account.ImmutableStorageWithVersioning != nil && isTrue(account.ImmutableStorageWithVersioning.Enabled)
	own := c.ImmutableStorageWithVersioning
	return byAccount || own != nil && (isTrue(own.Enabled) || own.MigrationState != nil)
}

// retentionPolicy is nil when there is none. Azure may leave an empty policy behind where one was deleted.
func retentionPolicy(c *armstorage.ContainerProperties) (*provenance.RetentionPolicy, error) {
	p := c.ImmutabilityPolicy
	if !*c.HasImmutabilityPolicy {
		if p != nil && p.Properties != nil && (value(p.Properties.State) == armstorage.ImmutabilityPolicyStateLocked ||
			value(p.Properties.ImmutabilityPeriodSinceCreationInDays) != 0) {
			return nil, errors.New("it shows a policy and says that there is none")
		}
		return nil, nil
	}
	if p == nil || p.Properties == nil {
		return nil, errors.New("it says that there is a policy and does not show it")
	}
	out := &provenance.RetentionPolicy{
		State: string(value(p.Properties.State)), Days: int(value(p.Properties.ImmutabilityPeriodSinceCreationInDays)),
		AppendWrites: appendWrites(p.Properties), ETag: foreign.Plain(strings.Trim(value(p.Etag), `"`)),
	}
	switch {
	case out.State != string(armstorage.ImmutabilityPolicyStateLocked) && out.State != string(armstorage.ImmutabilityPolicyStateUnlocked):
		return nil, fmt.Errorf("the policy's state is %q", foreign.Plain(out.State))
	case out.Days < 1 || out.Days > maxRetentionDays:
		return nil, fmt.Errorf("the policy's period is %d days", out.Days)
	}
	var err error
	out.Updates, err = policyUpdates(p.UpdateHistory)
	return out, err
}

func appendWrites(p *armstorage.ImmutabilityPolicyProperty) string {
	switch {
	case isTrue(p.AllowProtectedAppendWritesAll):
		return "all-blobs"
	case isTrue(p.AllowProtectedAppendWrites):
		return "append-blobs"
	}
	return ""
}

func policyUpdates(history []*armstorage.UpdateHistoryProperty) (all []provenance.PolicyUpdate, err error) {
	if len(history) > maxPolicyUpdates {
		return nil, fmt.Errorf("the policy has %d updates", len(history))
	}
	for _, h := range history {
		if h == nil || h.Update == nil {
			return nil, errors.New("the policy has an update without a kind")
		}
		all = append(all, provenance.PolicyUpdate{Update: foreign.Plain(string(*h.Update)), Days: int(value(h.ImmutabilityPeriodSinceCreationInDays)),
			At: utc(h.Timestamp), By: foreign.Plain(value(h.ObjectIdentifier))})
	}
	return all, nil
}

func legalHolds(c *armstorage.ContainerProperties) (all []provenance.LegalHold, err error) {
	var tags []*armstorage.TagProperty
	if c.LegalHold != nil {
		tags = c.LegalHold.Tags
	}
	if c.LegalHold != nil && c.LegalHold.HasLegalHold != nil && *c.LegalHold.HasLegalHold != *c.HasLegalHold {
		return nil, errors.New("it says that there is a legal hold, and that there is none")
	}
	if (len(tags) > 0) != *c.HasLegalHold || len(tags) > maxLegalHolds {
		return nil, fmt.Errorf("it shows %d tags of a legal hold and says %t", len(tags), *c.HasLegalHold)
	}
	for _, t := range tags {
		if t == nil || value(t.Tag) == "" {
			return nil, errors.New("the legal hold has a tag without a name")
		}
		all = append(all, provenance.LegalHold{Tag: foreign.Plain(*t.Tag), Since: utc(t.Timestamp), By: foreign.Plain(value(t.ObjectIdentifier))})
	}
	return all, nil
}

// holdLetsAppend tells whether a hold allows protected append writes.
// Source: https://learn.microsoft.com/azure/storage/blobs/immutable-legal-hold-overview#allow-protected-append-blobs-writes
func holdLetsAppend(h *armstorage.LegalHoldProperties) bool {
	return h != nil && h.ProtectedAppendWritesHistory != nil && isTrue(h.ProtectedAppendWritesHistory.AllowProtectedAppendWritesAll)
}

func isTrue(b *bool) bool { return b != nil && *b }

// value is what p points to, or nothing.
func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

// utc is a time in UTC, or none.
func utc(t *time.Time) time.Time { return value(t).UTC() }
