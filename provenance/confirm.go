package provenance

import (
	"slices"
	"strings"
)

// confirm compares what the pipeline's variables say with what Azure DevOps tells of the build or the release, and with the claims of
// the job's token. What is confirmed is reported, the builder's id too; what contradicts is refused: one of the two was set by
// somebody else. Which build it is, is a variable itself: only the claims of the job's token tell that the build is this job's, so
// without them the run and the builder's id stay declared.
func (r *Record) confirm() (*Fact, error) {
	p := &r.Pipeline
	if r.Build == nil && (r.Release == nil || !p.releases()) {
		return nil, nil
	}
	var confirmed []string
	for _, c := range r.claims() {
		for _, told := range c.told {
			if told == "" || *c.said == "" {
				continue
			}
			if !c.agrees(told) {
				return nil, Refuse("pipeline.contradicted", "was a variable overwritten by an earlier step, or when the run was queued?",
					"the pipeline's variables say that its %s is %s, but Azure DevOps says %s", c.fact, clip(*c.said), clip(told))
			}
			if (c.fact != "invocationId" || r.bound()) && !slices.Contains(confirmed, c.fact) {
				confirmed = append(confirmed, c.fact)
			}
		}
	}
	for _, fact := range confirmed {
		p.Grounds = p.With(fact, Reported)
	}
	if r.bound() && !p.releases() && r.Build.Confirms(*p) {
		p.Grounds = p.With("builderId", Reported)
	}
	if len(confirmed) == 0 {
		return &Fact{CheckPipeline, "unknown", Declared, "no variable says anything that Azure DevOps could confirm"}, nil
	}
	note := strings.Join(confirmed, ", ")
	if !r.bound() {
		note += "; no claims of the job's token tell that this build is its own, so invocationId and builderId stay declared"
	}
	return &Fact{CheckPipeline, "true", Reported, note}, nil
}

// bound tells whether the claims of the job's token name the run that Azure DevOps told of, and its definition. In a job of a classic
// release the run is the release.
func (r *Record) bound() bool {
	if r.Build == nil {
		return false
	}
	run, definition := r.Build.Claims["run_id"], r.Build.Claims["def_id"]
	if r.Pipeline.releases() {
		return r.Release != nil && run != "" && run == r.Release.ID
	}
	return run != "" && run == r.Build.ID && definition != "" && definition == r.Build.Definition.ID
}

// claim is one fact of the pipeline, and what others say of it.
type claim struct {
	fact  string
	said  *string
	told  []string
	exact bool // otherwise Azure DevOps may write it in another case over REST
}

// agrees tells whether both say the same. GitHub's addresses end in .git in one of the two.
func (c claim) agrees(told string) bool {
	said := *c.said
	if c.exact {
		return told == said
	}
	return strings.EqualFold(strings.TrimSuffix(told, ".git"), strings.TrimSuffix(said, ".git"))
}

// claims are those that can be compared. In a job of a classic release the run and its definition are the release's; the commit is
// that of the build that it releases.
func (r *Record) claims() []claim {
	p := &r.Pipeline
	var b Build
	if r.Build != nil {
		b = *r.Build
	}
	run, definition, reason := b.URL, b.Definition.URL, b.Reason
	if p.releases() {
		run, definition, reason = "", "", ""
		if r.Release != nil {
			run, definition = r.Release.URL, r.Release.Definition.URL
		}
	}
	return []claim{
		{"invocationId", &p.InvocationID, []string{run}, false},
		{"definition", &p.Definition, []string{definition}, false},
		{"commitId", &p.CommitID, []string{b.Commit, b.Claims["rpo_ver"]}, false},
		{"ref", &p.Ref, []string{b.Ref, b.Claims["rpo_ref"]}, true},
		{"reason", &p.Reason, []string{reason}, false},
		{"repository", &p.Repository, []string{b.Repository}, false},
	}
}

// releases tells whether the pipeline is a classic release.
func (p Pipeline) releases() bool { return strings.EqualFold(p.Internal["hostType"], "release") }

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
