package image

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// The media types that are written.
const (
	manifestType = string(types.OCIManifestSchema1)
	indexType    = string(types.OCIImageIndex)
)

// maxDepth is how deep a manifest may be nested.
const maxDepth = 16

// manifest is a manifest or an index, as it was read or as it will be written.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        v1.Descriptor     `json:"config"`
	Layers        descriptors       `json:"layers"`
	Manifests     descriptors       `json:"manifests,omitempty"`
	Subject       *v1.Descriptor    `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`

	raw    []byte
	digest v1.Hash // of raw
}

// parseManifest reads a manifest from outside. mediaType is what the registry or the layout's index calls it; it may be
// empty. Bytes that one reader could take for an image and another for an index are refused.
// Source: https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh
func parseManifest(raw []byte, mediaType string) (manifest, error) {
	m := manifest{raw: raw, digest: sum(raw)}
	if err := strictjson.Unmarshal(raw, maxDepth, &m); err != nil {
		return manifest{}, &malformed{fmt.Errorf("manifest %s is not valid: %w", m.digest, err)}
	}
	if m.MediaType == "" {
		m.MediaType = mediaType
	}
	if mediaType != "" && mediaType != m.MediaType {
		return manifest{}, &malformed{fmt.Errorf("manifest %s calls itself %q and was handed out as %q", m.digest, m.MediaType, mediaType)}
	}
	images, indexes := len(m.Layers) > 0 || m.Config.MediaType != "", len(m.Manifests) > 0
	if images && indexes || m.isIndex() && images || !m.isIndex() && indexes {
		return manifest{}, &malformed{fmt.Errorf("manifest %s is neither clearly an image nor clearly an index (%q)", m.digest, m.MediaType)}
	}
	return m, nil
}

// descriptors are a list in a manifest. Few bytes of it can take much memory, so it is also bounded by their number.
type descriptors []v1.Descriptor

// maxDescriptors is how many entries a list in a manifest, or in the index.json of a layout, can have.
const maxDescriptors = 20_000

// UnmarshalJSON reads the list.
func (d *descriptors) UnmarshalJSON(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	switch token, err := dec.Token(); {
	case err != nil:
		return err
	case token == nil: // null
		return nil
	case token != json.Delim('['):
		return errors.New("what should be a list of descriptors is none")
	}
	list := descriptors{}
	for dec.More() {
		if len(list) >= maxDescriptors {
			return tooMany("the list in a manifest", maxDescriptors)
		}
		var next v1.Descriptor
		if err := dec.Decode(&next); err != nil {
			return err
		}
		list = append(list, next)
	}
	*d = list
	return nil
}

// maxDescriptor is how many bytes of JSON the entries of a list of referrers have.
const maxDescriptor = 4096

// trimmed is a list of referrers without what makes an entry larger than any honest one: of such only the notes of our own
// are kept.
func trimmed(list []v1.Descriptor) []v1.Descriptor {
	out := make([]v1.Descriptor, len(list))
	for n, d := range list {
		if len(d.Annotations) == 0 {
			d.Annotations = nil // as if the list had left them out
		}
		if out[n] = d; size(d) <= maxDescriptor {
			continue
		}
		out[n] = v1.Descriptor{Digest: d.Digest, Size: d.Size, Annotations: map[string]string{}}
		for _, key := range []string{envelopeDigest, envelopeSize, storedMark, bundlePredicate} {
			if value, found := d.Annotations[key]; found && len(value) < maxDescriptor/8 {
				out[n].Annotations[key] = value
			}
		}
	}
	return out
}

// size is about how many bytes a descriptor takes.
func size(d v1.Descriptor) int {
	n := len(d.MediaType) + len(d.ArtifactType) + len(d.Data)
	for key, value := range d.Annotations {
		n += len(key) + len(value) + 16
	}
	for _, url := range d.URLs {
		n += len(url) + 16
	}
	if p := d.Platform; p != nil {
		n += len(p.String()) + 16*(len(p.OSFeatures)+len(p.Features)) + len(strings.Join(p.OSFeatures, "")) + len(strings.Join(p.Features, ""))
	}
	return n
}

// malformed is a manifest that was read and makes no sense.
type malformed struct{ error }

func (m *malformed) Unwrap() error { return m.error }

// newManifest is the manifest with its bytes; the same facts give the same bytes.
func newManifest(m manifest) (manifest, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return manifest{}, err
	}
	m.raw, m.digest = raw, sum(raw)
	return m, nil
}

func (m manifest) isIndex() bool { return types.MediaType(m.MediaType).IsIndex() }

// descriptor points to the manifest, as a list of referrers does.
func (m manifest) descriptor() v1.Descriptor {
	return v1.Descriptor{
		MediaType: types.MediaType(m.MediaType), Digest: m.digest, Size: int64(len(m.raw)),
		ArtifactType: m.ArtifactType, Annotations: m.Annotations,
	}
}

// pointer is the descriptor without what a subject does not need.
func pointer(d v1.Descriptor) *v1.Descriptor {
	return &v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// sum is the sha256 of data.
func sum(data []byte) v1.Hash {
	s := sha256.Sum256(data)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(s[:])}
}

// appended is the JSON object raw with values added to the list named key, and with the members of set replaced. Everything
// else, and what the list held, stays as it is: it may be somebody else's.
func appended(raw []byte, key string, values []v1.Descriptor, set map[string]any) ([]byte, error) {
	object, list := map[string]json.RawMessage{}, []json.RawMessage{}
	if err := strictjson.Unmarshal(raw, maxDepth, &object); err != nil {
		return nil, err
	}
	for k, v := range object { // other readers do not look at the case of a key
		for _, exact := range append(slices.Collect(maps.Keys(set)), key) {
			if k != exact && strings.EqualFold(k, exact) {
				delete(object, k)
				object[exact] = v
			}
		}
	}
	for k, v := range set {
		item, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		object[k] = item
	}
	if err := json.Unmarshal([]byte(cmp.Or(string(object[key]), "[]")), &list); err != nil {
		return nil, err
	}
	for _, v := range values {
		item, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	var err error
	if object[key], err = json.Marshal(list); err != nil {
		return nil, err
	}
	return json.Marshal(object)
}
