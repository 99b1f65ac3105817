package verify

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
)

// edit changes the JSON that is signed.
func edit(change func(map[string]any)) func(*scene) {
	return func(s *scene) { s.edit = change }
}

func definition(f map[string]any) map[string]any {
	return f["predicate"].(map[string]any)["buildDefinition"].(map[string]any)
}

func run(f map[string]any) map[string]any {
	return f["predicate"].(map[string]any)["runDetails"].(map[string]any)
}

// addSubject adds one, as a careless program would.
func addSubject(name, algorithm, hex string) func(map[string]any) {
	return func(f map[string]any) {
		f["subject"] = append(f["subject"].([]any), map[string]any{"name": name, "digest": map[string]any{algorithm: hex}})
	}
}

func manySubjects(n int) func(map[string]any) {
	return func(f map[string]any) {
		for i := range n {
			addSubject(fmt.Sprint(i), "sha512", strings.Repeat("a", 128))(f)
		}
	}
}

func manyDigests(f map[string]any) {
	digests := map[string]any{}
	for i := range maxDigests + 1 {
		digests[fmt.Sprintf("sha%d", 1000+i)] = "aa"
	}
	maps.Copy(f["subject"].([]any)[0].(map[string]any)["digest"].(map[string]any), digests)
}

// swapSubject puts another image into all subjects that are images.
func swapSubject(f map[string]any, hex string) {
	for _, s := range f["subject"].([]any) {
		if d := s.(map[string]any)["digest"].(map[string]any); d["sha256"] != nil {
			d["sha256"] = hex
		}
	}
}

// single makes the image one of a single platform.
func single(s *scene, d provenance.Digest) {
	s.image.Digest, s.image.Platforms = d, []provenance.Platform{{Name: "linux/amd64", Digest: d}}
}

func encode(payload []byte) string { return base64.StdEncoding.EncodeToString(payload) }
