package provenance

import (
	"slices"
	"strings"
)

// confirm compares what the pipeline's variables say with what Azure DevOps tells of the build, and with the claims of the
// job's token. What is confirmed is reported, the builder's id too; what contradicts is refused: one of the two was set by
// somebody else.
func (r *Record) confirm() (*Fact, error) {
	b := r.Build
	if b == nil {
		return nil, nil
	}
	p := &r.Pipeline
	var confirmed []string
	for _, c := range r.claims() {
		for _, told := range c.told {
			if told == "" || *c.said == "" {
				continue
			}
			if !strings.EqualFold(told, *c.said) {
				return nil, Refuse("pipeline.contradicted", "was a variable overwritten by an earlier step, or when the run was queued?",
					"the pipeline's variables say that its %s is %s, but Azure DevOps says %s", c.fact, clip(*c.said), clip(told))
			}
			if !slices.Contains(confirmed, c.fact) {
				confirmed = append(confirmed, c.fact)
			}
		}
	}
	for _, fact := range confirmed {
		p.BasisOf = withBasis(p.BasisOf, fact, Reported)
	}
	if b.Confirms(*p) {
		p.BasisOf = withBasis(p.BasisOf, "builderId", Reported)
	}
	return &Fact{CheckPipeline, "true", Reported, strings.Join(confirmed, ", ")}, nil
}

// claim is one fact of the pipeline, and what others say of it.
type claim struct {
	fact string
	said *string
	told []string
}

func (r *Record) claims() []claim {
	p, b := &r.Pipeline, r.Build
	of := b.Claims
	return []claim{
		{"invocationId", &p.InvocationID, []string{b.URL}},
		{"definition", &p.Definition, []string{b.Definition.URL}},
		{"commitId", &p.CommitID, []string{b.Commit, of["rpo_ver"]}},
		{"ref", &p.Ref, []string{b.Ref, of["rpo_ref"]}},
		{"reason", &p.Reason, []string{b.Reason}},
		{"repository", &p.Repository, []string{b.Repository}},
	}
}

// Confirms tells whether Azure DevOps confirms the builder's id: the definition's URL, and the kind of its pool. An id that
// somebody chose is none of them.
func (b Build) Confirms(p Pipeline) bool {
	kind := PoolSelfHosted
	if b.Hosted {
		kind = PoolHosted
	}
	return b.Definition.URL != "" && b.Pool != "" && strings.EqualFold(p.BuilderID, BuilderID(b.Definition.URL, kind))
}

// The kinds of pools, which earn different trust.
const (
	PoolHosted     = "hosted"
	PoolSelfHosted = "self-hosted"
)

// BuilderID is the SLSA builder.id of a pipeline that runs in a kind of pool.
func BuilderID(definition, pool string) string { return definition + "&pool=" + pool }
