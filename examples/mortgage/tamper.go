package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// tamper tries one forgery of each kind. Every one of them must be refused.
func (d *demo) tamper() error {
	for _, forgery := range []struct {
		title string
		try   func() error
	}{
		{"Forgery: somebody else's key", d.otherKey},
		{"Forgery: the signed statement was edited", d.editedPayload},
		{"Forgery: the attestation of another image", d.otherImage},
		{"Forgery: nothing was ever signed", d.unsigned},
		{"Forgery: a row of the training data was changed afterwards", d.changedData},
		{"Refused by policy: the commit is from another branch than the policy allows", d.otherBranch},
		{"Refused at once: a model that is not the one in the image", d.otherModel},
		{"Refused at once: a later layer of the image removes the model", d.removedModel},
		{"Refused at once: the work tree is not at the pipeline's commit", d.otherCommit},
	} {
		d.chapter(forgery.title)
		if err := forgery.try(); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) otherKey() error {
	if err := d.run(0, "keygen", "--output-key-prefix", "mallory"); err != nil {
		return err
	}
	return d.run(1, "verify", image, "--key", "mallory.pub")
}

// editedPayload improves the author's name in the saved bundle.
func (d *demo) editedPayload() error {
	data, err := os.ReadFile(d.path("mortgage.sigstore.json"))
	if err != nil {
		return err
	}
	var bundle map[string]any
	if err := json.Unmarshal(data, &bundle); err != nil {
		return err
	}
	envelope, ok := bundle["dsseEnvelope"].(map[string]any)
	if !ok {
		return fmt.Errorf("the bundle has no envelope")
	}
	payload, err := base64.StdEncoding.DecodeString(fmt.Sprint(envelope["payload"]))
	if err != nil {
		return err
	}
	envelope["payload"] = bytes.ReplaceAll(payload, []byte("Ada Lovelace"), []byte("Somebody Else")) // []byte is written as base64
	if data, err = json.Marshal(bundle); err != nil {
		return err
	}
	if err := d.write("edited.sigstore.json", data); err != nil {
		return err
	}
	digest, err := d.digest("20261123.1")
	if err != nil {
		return err
	}
	return d.run(1, "verify", "image@"+digest, "--bundle", "edited.sigstore.json", "--key", "cosign.pub")
}

func (d *demo) otherImage() error {
	digest, err := d.digest("other")
	if err != nil {
		return err
	}
	return d.run(1, "verify", "image@"+digest, "--bundle", "mortgage.sigstore.json", "--key", "cosign.pub")
}

func (d *demo) unsigned() error { return d.run(1, "verify", "oci:image:other", "--key", "cosign.pub") }

func (d *demo) changedData() error {
	name := d.path("lake", "mortgages", "20261122T0000", "part-00001.csv")
	before, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	i := bytes.LastIndexByte(before[:len(before)-1], ',') + 1
	after := bytes.Clone(before)
	after[i] ^= 1 // an approval becomes a rejection, or the reverse
	if err := os.WriteFile(name, after, 0o644); err != nil {
		return err
	}
	if err := d.run(1, "verify", image, "--key", "cosign.pub", "--recheck", "content"); err != nil {
		return err
	}
	return os.WriteFile(name, before, 0o644)
}

func (d *demo) otherBranch() error {
	strict := strings.Replace(policy, "branches: [main]", "branches: [release/*]", 1)
	if err := d.write("strict.yaml", []byte(strict)); err != nil {
		return err
	}
	return d.run(1, "verify", image, "--policy", "strict.yaml")
}

func (d *demo) otherModel() error {
	data, err := os.ReadFile(d.path("model", "model.json"))
	if err != nil {
		return err
	}
	if err := d.write("retrained/model.json", bytes.Replace(data, []byte("income"), []byte("INCOME"), 1)); err != nil {
		return err
	}
	return d.run(1, "record", "--image", image, "--model", "retrained/model.json", "--repo", "project", "--key", "cosign.key", "--builder-id", builder)
}

func (d *demo) removedModel() error {
	return d.run(1, "record", "--image", "oci:image:removed", "--model", "model/model.json", "--repo", "project", "--key", "cosign.key", "--builder-id", builder)
}

func (d *demo) otherCommit() error {
	return d.runWith([]string{"BUILD_SOURCEVERSION=" + strings.Repeat("c0ffee42", 5)}, 1,
		"record", "--image", image, "--repo", "project", "--key", "cosign.key", "--builder-id", builder)
}

// digest is what a tag of the layout stands for.
func (d *demo) digest(tag string) (string, error) {
	index, err := layout.ImageIndexFromPath(d.path("image"))
	if err != nil {
		return "", err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	for _, m := range manifest.Manifests {
		if m.Annotations[refName] == tag {
			return m.Digest.String(), nil
		}
	}
	return "", fmt.Errorf("the layout has no tag %s", tag)
}
