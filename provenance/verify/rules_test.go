package verify

import (
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

// TestRules breaks every rule of a policy, one at a time.
func TestRules(t *testing.T) {
	const known = provenance.Declared
	weaker := func(facts ...string) map[string]provenance.Basis {
		m := map[string]provenance.Basis{}
		for _, f := range facts {
			m[f] = known
		}
		return m
	}
	for name, c := range map[string]struct {
		rules  string
		change func(*night)
		codes  []string
	}{
		"repository":            {`source: {repository: "https://example.com/a"}`, nil, []string{"source.repository"}},
		"repository, basis":     {`source: {repository: "https://dev.azure.com/contoso/Mortgage/_git/mortgage", basis: reported}`, nil, []string{"source.basis"}},
		"branch":                {`source: {branches: [release/*]}`, nil, []string{"source.branch"}},
		"branch, slash":         {`source: {branches: ["*"]}`, func(n *night) { n.commit.Ref = "refs/heads/a/b" }, []string{"source.branch"}},
		"branch, tag":           {`source: {branches: [main]}`, func(n *night) { n.commit.Ref = "refs/tags/main" }, []string{"source.branch"}},
		"branch, allowed tag":   {`source: {branches: [refs/tags/v*]}`, func(n *night) { n.commit.Ref = "refs/tags/v1" }, nil},
		"branch, detached":      {`source: {branches: ["*"]}`, func(n *night) { n.commit.Ref = "HEAD" }, []string{"source.branch"}},
		"branch, none":          {`source: {branches: ["*"]}`, func(n *night) { n.commit.Ref = "" }, []string{"source.branch"}},
		"branch, basis":         {`source: {branches: [main], basis: observed}`, nil, []string{"source.basis"}},
		"dirty":                 {`source: {clean: true}`, func(n *night) { n.commit.Dirty = true }, []string{"source.clean"}},
		"dirty by its lists":    {`source: {clean: true}`, func(n *night) { n.commit.SkipWorktree = []string{"a"} }, []string{"source.clean"}},
		"clean, basis":          {`source: {clean: true, basis: observed}`, func(n *night) { n.commit.BasisOf = weaker("dirty") }, []string{"source.basis"}},
		"clean not demanded":    {`source: {clean: false, branches: [main]}`, func(n *night) { n.commit.Dirty = true }, nil},
		"root":                  {`data: {roots: ["abfss://other@contoso.dfs.core.windows.net/"]}`, nil, []string{"data.root"}},
		"root, one of two":      {`data: {roots: ["abfss://mortgages@contoso.dfs.core.windows.net/"]}`, func(n *night) { n.data[0].Role = "test"; n.data = append(n.data, n.data[0]); n.data[1].URI = "/tmp/x" }, []string{"data.root"}},
		"data missing":          {`data: {roots: [/]}`, func(n *night) { n.data = nil }, []string{"data.missing"}},
		"data, basis":           {`data: {basis: observed}`, func(n *night) { n.data[0].BasisOf = weaker("digest") }, []string{"data.basis"}},
		"data, basis of uri":    {`data: {basis: observed}`, func(n *night) { n.data[0].BasisOf = weaker("uri") }, []string{"data.basis"}},
		"databricks missing":    {`databricks: {result: SUCCESS}`, func(n *night) { n.databricks = nil }, []string{"databricks.missing"}},
		"databricks failed":     {`databricks: {result: SUCCESS}`, func(n *night) { n.databricks.Result = "FAILED" }, []string{"databricks.result"}},
		"databricks, no result": {`databricks: {result: SUCCESS}`, func(n *night) { n.databricks.Result = "" }, []string{"databricks.result"}},
		"databricks, basis":     {`databricks: {basis: reported}`, func(n *night) { n.databricks.Basis = known }, []string{"databricks.basis"}},
		"model missing":         {`model: {inImage: true}`, func(n *night) { n.model = nil }, []string{"model.missing"}},
		"model not in image":    {`model: {inImage: true}`, withoutLocations, []string{"model.inImage", "model.inImage"}},
		"model in one platform": {`model: {inImage: true}`, func(n *night) { cutLocations(n, 1) }, []string{"model.inImage"}},
		"model elsewhere":       {`model: {inImage: true, path: /app/m}`, nil, []string{"model.path", "model.path"}},
		"model there twice":     {`model: {inImage: true, path: /app/m}`, func(n *night) { alsoAt(n, "/app/m") }, nil},
		"model, any path":       {`model: {inImage: true}`, nil, nil},
		"model, basis":          {`model: {basis: observed}`, func(n *night) { n.model.BasisOf = weaker("digest") }, []string{"model.basis"}},
		"locations, basis":      {`model: {inImage: true, basis: observed}`, func(n *night) { n.model.BasisOf = weaker("locations") }, []string{"model.basis"}},
		"attestation manifests": {`model: {inImage: true}`, func(n *night) { onlyRuns(n, 1) }, nil},
		"nothing that runs":     {`model: {inImage: true}`, func(n *night) { onlyRuns(n, 0) }, []string{"model.inImage"}},
		"builder":               {`builders: [{id: "https://example.com/b", keys: [cosign.pub]}]`, nil, []string{"builder.id"}},
		"builder, basis":        {`builders: [{id: "` + builderID + `", keys: [cosign.pub], basis: reported}]`, nil, []string{"builder.basis"}},
		"builder, good basis":   {`builders: [{id: "` + builderID + `", keys: [cosign.pub], basis: reported}]`, confirmedBuild, nil},
		"everything": {strings.TrimPrefix(wholePolicy, "version: 1\n"), func(n *night) {
			n.commit.Ref, n.commit.Dirty, n.databricks, n.data[0].URI = "HEAD", true, nil, "/tmp/x"
		}, []string{"source.branch", "source.clean", "data.root", "databricks.missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.policy = "version: 1\n" + c.rules
			if c.change != nil {
				c.change(s.night)
			}
			s.sign(t)
			r := s.decide()
			if c.codes == nil {
				expect(t, r, Accepted)
				return
			}
			expect(t, r, Refused, c.codes...)
			for _, f := range r.Findings {
				if f.Detail == "" || f.Where != "place 0" || strings.HasSuffix(f.Code, ".basis") && f.Basis != known {
					t.Errorf("finding lacks something: %+v", f)
				}
			}
		})
	}
}

// sign attaches the night; what no honest builder would write down is put into the JSON.
func (s *scene) sign(t *testing.T) {
	n := *s.night
	if n.model == nil || len(n.model.Locations) >= 2 {
		s.attach(&n)
		return
	}
	m := *n.model
	kept := m.Locations
	m.Locations = nil
	for _, p := range n.image.Platforms {
		m.Locations = append(m.Locations, provenance.Location{Platform: p.Name, Path: "/app/model.bin"})
	}
	n.model = &m
	n.edit = func(f map[string]any) {
		for _, b := range run(f)["byproducts"].([]any) {
			if d := b.(map[string]any); d["name"] == "model" {
				d["annotations"].(map[string]any)["provenance_locations"] = kept
			}
		}
	}
	s.attach(&n)
}

func withoutLocations(n *night) { n.model.Locations = nil }

func cutLocations(n *night, count int) { n.model.Locations = n.model.Locations[:count] }

func alsoAt(n *night, path string) {
	for _, p := range n.image.Platforms {
		n.model.Locations = append(n.model.Locations, provenance.Location{Platform: p.Name, Path: path})
	}
}

// onlyRuns leaves so many platforms that run in the image; the others are what BuildKit attests.
func onlyRuns(n *night, count int) {
	for i := range n.image.Platforms[count:] {
		n.image.Platforms[count+i].Name = provenance.UnknownPlatform
	}
	n.model.Locations = n.model.Locations[:count]
}

// TestAnAttestationManifestIsNoWayAround: asked for by its own digest, a manifest that calls itself no platform has to
// contain the model like any other.
func TestAnAttestationManifestIsNoWayAround(t *testing.T) {
	s := newScene(t)
	s.policy = "version: 1\nmodel: {inImage: true}"
	onlyRuns(s.night, 1)
	s.in.Image = s.image.Platforms[1].Digest
	s.sign(t)
	expect(t, s.decide(), Refused, "model.inImage")
}

// TestAKeySpeaksOnlyForItsBuilders: the builder's id is believed, but of another key.
func TestAKeySpeaksOnlyForItsBuilders(t *testing.T) {
	s := newScene(t)
	other := newSigner(t, "other.pub")
	s.in.Policy = policyOf(t, `version: 1
builders:
  - {id: "`+builderID+`", keys: [other.pub]}
  - {id: "https://example.com/b", keys: [cosign.pub]}
`, s.builder, other)
	s.attach(s.night)
	r := s.decide()
	expect(t, r, Refused, "builder.id")
	if f := r.Findings[0]; f.Expected != "https://example.com/b" || f.Found != builderID {
		t.Errorf("expected %q, found %q", f.Expected, f.Found)
	}
}

func TestRepositories(t *testing.T) {
	const want = "https://dev.azure.com/Contoso/_git/m"
	for repository, same := range map[string]bool{
		want: true, want + "/": true, want + ".git": true, "HTTPS://Dev.Azure.com/Contoso/_git/m": true,
		"http://dev.azure.com/Contoso/_git/m": false, "https://dev.azure.com/contoso/_git/m": false,
		want + "2": false, "https://dev.azure.com.evil.com/Contoso/_git/m": false, "/src/m": false, "": false,
	} {
		if got := normalRepository(repository) == normalRepository(want); got != same {
			t.Errorf("%q: %v", repository, got)
		}
	}
}
