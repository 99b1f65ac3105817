package verify

import (
	"fmt"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// checkModel holds the model, and where the image contains it, against a rule.
func checkModel(s policy.Model, m *provenance.Model, platforms []string) []*Finding {
	if m == nil {
		return []*Finding{{Code: "model.missing", Detail: "no model was recorded", Expected: "a model", Found: "nothing", Hint: "record with --model"}}
	}
	findings := []*Finding{weak("model", "the model's digest", m.Of("digest"), s.Basis)}
	if !s.InImage {
		return findings
	}
	findings = append(findings, weak("model", "where the image contains the model", m.Of("locations"), s.Basis))
	if len(platforms) == 0 {
		return append(findings, &Finding{Code: "model.inImage", Detail: "the image has no platform that could contain the model", Expected: "the model " + m.Name,
			Found: "nothing", Hint: modelHint})
	}
	for _, platform := range platforms {
		findings = append(findings, checkPlatform(s, *m, platform))
	}
	return findings
}

const modelHint = "copy the model into the image of every platform, build, and record again"

func modelInputs(r provenance.Record) []rule.Input {
	m := r.Model
	if m == nil {
		return []rule.Input{input("model", "", "")}
	}
	all := []rule.Input{input("model.name", m.Name, m.Of("name")), input("model.digest", m.Digest.String(), m.Of("digest"))}
	for _, l := range m.Locations {
		all = append(all, input("model.locations "+l.Platform, l.Path, m.Of("locations")))
	}
	return all
}

// platforms are the names of those that run: what BuildKit attests about a build lies in the same index. But the image that
// was asked for counts, whatever it calls itself.
func (d *decider) platforms(image provenance.Image) (names []string) {
	for _, p := range image.Platforms {
		if p.Name != provenance.UnknownPlatform || p.Digest == d.in.Image {
			names = append(names, p.Name)
		}
	}
	return names
}

// checkPlatform wants the model in one platform of the image.
func checkPlatform(s policy.Model, m provenance.Model, platform string) *Finding {
	var paths []string
	for _, l := range m.Locations {
		if l.Platform == platform {
			paths = append(paths, l.Path)
		}
		if l.Platform == platform && (s.Path == "" || s.Path == l.Path) {
			return nil
		}
	}
	if paths == nil {
		return &Finding{Code: "model.inImage", Detail: fmt.Sprintf("the model is not in the image for %s", platform),
			Expected: "the model " + m.Name, Found: "nothing", Basis: m.Of("locations"), Hint: modelHint}
	}
	return &Finding{Code: "model.path", Detail: fmt.Sprintf("in the image for %s the model lies elsewhere", platform),
		Expected: s.Path, Found: strings.Join(paths, ", "), Basis: m.Of("locations"), Hint: "the serving code reads another file; put the model there"}
}
