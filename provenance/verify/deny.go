package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// denials is the expectation that nothing is withdrawn.
func (d *decider) denials(e *examined) []expectation {
	if d.in.Policy.Deny == nil {
		return nil
	}
	return []expectation{{"deny", always{}, func() []*Finding { return d.denied(e) }, func() []rule.Input { return nil }}}
}

// denied is everything in the record that the policy withdraws.
func (d *decider) denied(e *examined) (findings []*Finding) {
	for _, denied := range d.in.Policy.Deny {
		if found := d.find(denied, e); found != "" {
			findings = append(findings, withdrawn(denied, found))
		}
	}
	return append(findings, deniedFolders(d.in.Policy.Deny, e.record.Data)...)
}

// withdrawn is the finding about something that must not be used any more.
func withdrawn(denied policy.Denied, found string) *Finding {
	return &Finding{Code: "deny." + denied.Kind, Detail: strings.Join(nonEmpty(fmt.Sprintf("the %s is withdrawn", denied.Kind), denied.Because), ": "),
		Expected: "not " + denied.Value, Found: found, Hint: "build again without it, or ask the policy's owner why it was withdrawn"}
}

// find is where the record has what is withdrawn; empty: nowhere.
func (d *decider) find(denied policy.Denied, e *examined) string {
	r := e.record
	switch denied.Kind {
	case policy.DenyDigest:
		return d.findDigest(denied.Value, r)
	case policy.DenyCommit:
		if slices.Contains(commitsOf(r), denied.Value) {
			return "commit " + denied.Value
		}
	case policy.DenyKey:
		return sealedBy(denied.Value, r)
	case policy.DenyInvocation:
		if r.Pipeline.InvocationID == denied.Value || r.Build != nil && r.Build.URL == denied.Value {
			return r.Pipeline.InvocationID
		}
	}
	return ""
}

// deniedFolders are the findings about data folders that are withdrawn. An address that cannot be read could be that of any folder, a
// withdrawn one, too. Each is read once: there may be thousands on both sides.
func deniedFolders(all []policy.Denied, folders []provenance.Folder) (findings []*Finding) {
	all = slices.DeleteFunc(slices.Clone(all), func(d policy.Denied) bool { return d.Kind != policy.DenyFolder })
	if len(all) == 0 {
		return nil
	}
	var places []provenance.Place
	for _, f := range folders {
		place, err := provenance.ParsePlace(primary(f.URI))
		if err != nil {
			findings = append(findings, &Finding{Code: "deny.folder", Undecided: true, Detail: fmt.Sprintf("nobody can tell whether %s is withdrawn: it %v", words.Clip(f.URI), err),
				Expected: "an address that can be compared", Found: f.URI, Basis: f.Of("uri"), Hint: "record with the storage's own address of the folder"})
		}
		places = append(places, place)
	}
	for _, denied := range all {
		withdrawnPlace, err := provenance.ParsePlace(primary(denied.Value))
		if err != nil {
			continue // no policy is read that has such a one
		}
		if i := slices.IndexFunc(places, func(p provenance.Place) bool { return p.Within(withdrawnPlace) }); i >= 0 {
			findings = append(findings, withdrawn(denied, folders[i].URI))
		} else if i := slices.IndexFunc(places, withdrawnPlace.Within); i >= 0 {
			findings = append(findings, &Finding{Code: "deny.folder", Undecided: true, Detail: fmt.Sprintf("nobody can tell whether %s held the withdrawn %s when it was recorded", folders[i].URI, denied.Value),
				Expected: "not " + denied.Value, Found: folders[i].URI, Basis: folders[i].Of("uri"), Hint: "record the folders that were used, one by one, instead of the one above them"})
		}
	}
	return findings
}

// sealedBy is a folder of which the key sealed digests or a listing: what a withdrawn key vouches for is anybody's word.
func sealedBy(key string, r provenance.Record) string {
	for _, f := range r.Data {
		if f.Imported != nil && f.Imported.SealedBy == key {
			return "the digests of " + f.URI
		}
		if f.Before != nil && f.Before.SealedBy == key {
			return "the listing of " + f.URI + " from before training"
		}
	}
	return ""
}

// secondary matches the host of a storage account's copy in another region.
// Source: https://learn.microsoft.com/azure/storage/common/geo-redundant-design
var secondary = pattern.New(`(?i)^([a-z]+://(?:[^/@]*@)?[a-z0-9]{3,24})-secondary(\.(?:[a-z0-9]+\.)?(?:blob|dfs)\.)`)

// primary is the address of what a copy in another region is a copy of.
func primary(uri string) string { return secondary().ReplaceAllString(uri, "$1$2") }

// commitsOf are all commits by which something was built: the work tree's, and the run's.
func commitsOf(r provenance.Record) []string {
	commits := []string{r.Commit.ID.Hex()}
	if r.Databricks != nil {
		commits = append(commits, strings.ToLower(r.Databricks.GitCommit))
		for _, t := range r.Databricks.Tasks {
			commits = append(commits, strings.ToLower(t.GitCommit))
		}
	}
	if r.MLflow != nil {
		commits = append(commits, strings.ToLower(r.MLflow.GitCommit))
	}
	return commits
}

// findDigest names what has the digest.
func (d *decider) findDigest(digest string, r provenance.Record) string {
	named := [][2]string{{d.in.Image.String(), "the image"}, {r.Image.Digest.String(), "the image"}, {r.Commit.Files.String(), "the commit's files"}}
	for _, p := range r.Image.Platforms {
		named = append(named, [2]string{p.Digest.String(), "the image for " + p.Name})
	}
	if r.Image.Base != nil {
		named = append(named, [2]string{r.Image.Base.Digest.String(), "the base image " + r.Image.Base.Name})
	}
	for _, f := range r.Data {
		named = append(named, [2]string{f.Digest.String(), f.URI})
	}
	if r.Model != nil {
		named = append(named, [2]string{r.Model.Digest.String(), "the model " + r.Model.Name}, [2]string{r.Model.File.String(), "the model " + r.Model.Name})
	}
	for _, n := range r.Notebooks {
		named = append(named, [2]string{n.Digest.String(), n.Path})
	}
	for _, n := range named {
		if n[0] != "" && hexOf(n[0]) == hexOf(digest) {
			return n[1]
		}
	}
	return ""
}

// hexOf leaves the algorithm's name out: a folder's dirHash is its manifest's sha256, and both mean the folder.
func hexOf(digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return hex
}

// deniedKey is the finding that a key, or the certificate's key, is withdrawn. Its statements count for nothing.
func (d *decider) deniedKey(e *examined) *Finding {
	if d.in.Policy == nil {
		return nil
	}
	for _, denied := range d.in.Policy.Deny {
		if denied.Kind == policy.DenyKey && denied.Value == e.signer.Fingerprint {
			return withdrawn(denied, e.signer.Name)
		}
	}
	return nil
}
