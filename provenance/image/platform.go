package image

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seed-3480f271/provenance/provenance"
)

// member is one manifest of an image.
type member struct {
	v1.Descriptor
	name     string // linux/amd64, linux/arm64/v8, unspecified/amd64, or unknownPlatform
	platform v1.Platform
}

// unspecified stands where an image does not say its os or architecture. Container runtimes run it all the same: they take
// their own.
const unspecified = "unspecified"

// unknownPlatform is the name of what does not run: BuildKit's attestation manifests. Nothing else has it.
// Source: https://docs.docker.com/build/metadata/attestations/attestation-storage/
const unknownPlatform = provenance.UnknownPlatform

// membersOf are the manifests of an index, or the image itself.
func (i *Image) membersOf(ctx context.Context, top manifest) ([]member, error) {
	if !top.isIndex() {
		m, err := i.memberOf(ctx, top)
		return []member{m}, err
	}
	if len(top.Manifests) > i.limits.members {
		return nil, tooMany("the index "+top.digest.String(), i.limits.members)
	}
	var members []member
	seen := map[v1.Hash]bool{}
	for _, d := range top.Manifests {
		if types.MediaType(d.MediaType).IsIndex() {
			return nil, provenance.Refuse("image.nested", "publish the platforms in one flat index",
				"%s@%s is an index with another index in it, %s", i.store.name(), top.digest, d.Digest)
		}
		if seen[d.Digest] {
			continue
		}
		seen[d.Digest] = true
		m, err := i.listed(ctx, d)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	if len(members) == 0 {
		return nil, provenance.Refuse("image.empty", "", "%s@%s is an index without any image", i.store.name(), top.digest)
	}
	return members, nil
}

// listed is the member of an index that d points to. Only one whose platform the index leaves out is read.
func (i *Image) listed(ctx context.Context, d v1.Descriptor) (member, error) {
	if d.Platform != nil {
		return named(d, *d.Platform), nil
	}
	m, err := i.store.manifest(ctx, d.Digest.String())
	if err != nil {
		return member{}, fmt.Errorf("member %s of %s: %w", d.Digest, i.store.name(), err)
	}
	return i.memberOf(ctx, m)
}

// memberOf is a manifest with the platform that its configuration names.
func (i *Image) memberOf(ctx context.Context, m manifest) (member, error) {
	if !types.MediaType(m.Config.MediaType).IsConfig() {
		return named(m.descriptor(), v1.Platform{}), nil
	}
	config, err := readBlob(ctx, i.store, m.Config, maxConfig, metadataOf(ctx))
	if err != nil {
		return member{}, fmt.Errorf("configuration of %s@%s: %w", i.store.name(), m.digest, err)
	}
	var platform struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
		OSVersion    string `json:"os.version"`
	}
	if err := json.Unmarshal(config, &platform); err != nil {
		return member{}, fmt.Errorf("configuration of %s@%s is not valid: %w", i.store.name(), m.digest, err)
	}
	return named(m.descriptor(), v1.Platform{
		OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant, OSVersion: platform.OSVersion,
	}), nil
}

func named(d v1.Descriptor, p v1.Platform) member {
	p.OS, p.Architecture = cmp.Or(p.OS, unspecified), cmp.Or(p.Architecture, unspecified)
	return member{Descriptor: *pointer(d), name: p.String(), platform: p}
}

// parsePlatform reads OS/ARCHITECTURE[/VARIANT]; empty is nil.
func parsePlatform(s string) (*v1.Platform, error) {
	if s == "" {
		return nil, nil
	}
	p, err := v1.ParsePlatform(s)
	if err == nil && (p.OS == "" || p.Architecture == "") {
		err = errors.New("it has no architecture")
	}
	if err != nil {
		return nil, provenance.Misuse("write OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT: linux/amd64", "the platform %q is not valid: %v", clean(s), err)
	}
	return p, nil
}

// pick finds the one member that runs on the wanted platform.
func pick(members []member, wanted v1.Platform, image string) (member, error) {
	var fit []member
	for _, m := range members {
		if m.name == unknownPlatform || !m.platform.Satisfies(wanted) {
			continue
		}
		if fit = append(fit, m); m.name == wanted.String() {
			return m, nil
		}
	}
	switch len(fit) {
	case 0:
		return member{}, provenance.Refuse("image.platform", "", "%s has no platform %s; it has %s", image, wanted, names(members))
	case 1:
		return fit[0], nil
	}
	return member{}, provenance.Misuse("name one of them", "%s has several platforms that are %s: %s", image, wanted, names(fit))
}

func names(members []member) string {
	var list []string
	for _, m := range members {
		list = append(list, m.name)
	}
	return strings.Join(list, ", ")
}
