package provenance

import (
	"errors"
	"strings"
	"testing"
)

const someCollection = "https://dev.azure.com/contoso/Mortgage/"

// confirmable is a pipeline of which nothing but its variables is known yet, and its build.
func confirmable(t *testing.T) (Pipeline, Build) {
	p, b := find[Pipeline](example(t)), find[Build](example(t))
	return p, b
}

// TestConfirm: what Azure DevOps says, too, is reported; the rest stays what it was.
func TestConfirm(t *testing.T) {
	const all = "invocationId, definition, commitId, ref, reason, repository"
	const unbound = "definition, commitId, ref, reason, repository; no claims of the job's token tell that this build is its own, so invocationId and builderId stay declared"
	for name, c := range map[string]struct {
		change  func(*Pipeline, *Build)
		note    string
		builder Basis
	}{
		"everything":              {func(*Pipeline, *Build) {}, all, Reported},
		"reason in another case":  {func(_ *Pipeline, b *Build) { b.Reason = "schedule" }, all, Reported},
		"commit in another case":  {func(p *Pipeline, b *Build) { p.CommitID, b.Commit, b.Claims["rpo_ver"] = "abc", "ABC", "" }, all, Reported},
		"project in another case": {func(_ *Pipeline, b *Build) { b.URL = strings.Replace(b.URL, "Mortgage", "mortgage", 1) }, all, Reported},
		"GitHub's address": {func(p *Pipeline, b *Build) {
			p.Repository, b.Repository = "https://github.com/contoso/mortgage.git", "https://github.com/contoso/mortgage"
		}, all, Reported},
		"no reason told":   {func(_ *Pipeline, b *Build) { b.Reason = "" }, "invocationId, definition, commitId, ref, repository", Reported},
		"no reason said":   {func(p *Pipeline, _ *Build) { p.Reason = "" }, "invocationId, definition, commitId, ref, repository", Reported},
		"commit by claims": {func(_ *Pipeline, b *Build) { b.Commit = "" }, all, Reported},
		"no claims":        {func(_ *Pipeline, b *Build) { b.Claims = nil }, unbound, Declared},
		"claims of no run": {func(_ *Pipeline, b *Build) { delete(b.Claims, "run_id") }, unbound, Declared},
		"of no definition": {func(_ *Pipeline, b *Build) { delete(b.Claims, "def_id") }, unbound, Declared},
		"of another run":   {func(_ *Pipeline, b *Build) { b.Claims["run_id"] = "4712" }, unbound, Declared},
		"another pool":     {func(_ *Pipeline, b *Build) { b.Hosted = false }, all, Declared},
		"no pool told":     {func(_ *Pipeline, b *Build) { b.Pool = "" }, all, Declared},
		"its own builder":  {func(p *Pipeline, _ *Build) { p.BuilderID = "https://contoso.com/builders/1" }, all, Declared},
		"self-hosted": {func(p *Pipeline, b *Build) {
			b.Hosted, p.BuilderID = false, BuilderID(p.Definition, PoolSelfHosted)
		}, all, Reported},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := confirmable(t)
			c.change(&p, &b)
			r := Record{Pipeline: p, Build: &b}
			fact, err := r.confirm()
			if err != nil || fact == nil || *fact != (Fact{CheckPipeline, "true", Reported, c.note}) {
				t.Fatalf("fact %+v, error %v", fact, err)
			}
			for _, field := range strings.Split(all, ", ") {
				want := Declared
				if said, _, _ := strings.Cut(c.note, ";"); strings.Contains(", "+said+", ", ", "+field+", ") {
					want = Reported
				}
				if got := r.Pipeline.Of(field); got != want {
					t.Errorf("%s is %s, not %s", field, got, want)
				}
			}
			if got := r.Pipeline.Of("builderId"); got != c.builder {
				t.Errorf("the builder's id is %s, not %s", got, c.builder)
			}
			if got := r.Pipeline.Of("templateParameters"); got != Declared {
				t.Errorf("what nobody compared is %s", got)
			}
		})
	}
}

// TestConfirmContradicted: two that differ are refused, whichever of them was forged.
func TestConfirmContradicted(t *testing.T) {
	other := strings.Repeat("6", 40)
	for name, c := range map[string]struct {
		change func(*Pipeline, *Build)
		says   string
	}{
		"another run":                   {func(_ *Pipeline, b *Build) { b.URL += "2" }, "its invocationId is"},
		"another definition":            {func(_ *Pipeline, b *Build) { b.Definition.URL += "2" }, "its definition is"},
		"another commit":                {func(p *Pipeline, _ *Build) { p.CommitID = other }, "its commitId is " + other},
		"another commit by REST":        {func(_ *Pipeline, b *Build) { b.Commit = other }, "but Azure DevOps says " + other},
		"another commit claimed":        {func(_ *Pipeline, b *Build) { b.Claims = map[string]string{"rpo_ver": other} }, "but Azure DevOps says " + other},
		"another branch":                {func(_ *Pipeline, b *Build) { b.Ref = "refs/heads/evil" }, "its ref is refs/heads/main, but Azure DevOps says refs/heads/evil"},
		"another branch claimed":        {func(_ *Pipeline, b *Build) { b.Claims = map[string]string{"rpo_ref": "refs/heads/evil"} }, "says refs/heads/evil"},
		"a branch that differs in case": {func(_ *Pipeline, b *Build) { b.Ref = "refs/heads/Main" }, "says refs/heads/Main"},
		"another reason":                {func(p *Pipeline, _ *Build) { p.Reason = "Manual" }, "its reason is Manual, but Azure DevOps says Schedule"},
		"another repository":            {func(_ *Pipeline, b *Build) { b.Repository += "-fork" }, "its repository is"},
	} {
		t.Run(name, func(t *testing.T) {
			p, b := confirmable(t)
			c.change(&p, &b)
			r := Record{Pipeline: p, Build: &b}
			fact, err := r.confirm()
			var refused *Refused
			if !errors.As(err, &refused) || refused.Code != "pipeline.contradicted" || refused.Hint == "" || !strings.Contains(err.Error(), c.says) || fact != nil {
				t.Errorf("fact %+v, error %v", fact, err)
			}
		})
	}
}

// TestConfirmNothing: where there is nothing to compare, nothing is confirmed.
func TestConfirmNothing(t *testing.T) {
	p, b := confirmable(t)
	release := find[Release](example(t))
	for name, r := range map[string]Record{"no build": {Pipeline: p}, "a release that is not the pipeline": {Pipeline: p, Release: &release}} {
		if fact, err := r.confirm(); fact != nil || err != nil || r.Pipeline.Of("commitId") != Declared {
			t.Errorf("%s: fact %+v, error %v", name, fact, err)
		}
	}
	for name, r := range map[string]Record{
		"no variables": {Pipeline: Pipeline{Grounds: Grounds{Basis: Declared}, BuilderID: "https://contoso.com/builders/1"}, Build: &b},
		"empty build":  {Pipeline: p, Build: &Build{}},
	} {
		fact, err := r.confirm()
		if err != nil || fact == nil || fact.Value != "unknown" || fact.Basis != Declared || fact.Note == "" || r.Pipeline.Of("builderId") != Declared {
			t.Errorf("%s: fact %+v, error %v", name, fact, err)
		}
	}
}

// TestConfirmRelease: in a classic release the run and the definition are the release's, and the commit is the build's.
func TestConfirmRelease(t *testing.T) {
	released := func(change func(*Pipeline, *Build, *Release)) (*Record, *Fact, error) {
		p, b := confirmable(t)
		release := find[Release](example(t))
		release.URL, release.Definition.URL = someCollection+"_releaseProgress?releaseId=214", someCollection+"_release?definitionId=3"
		p.InvocationID, p.Definition, p.Internal, p.Reason = release.URL, release.Definition.URL, map[string]string{"hostType": "release"}, "Manual"
		p.BuilderID = BuilderID(p.Definition, PoolHosted)
		b.Claims["run_id"] = release.ID
		r := &Record{Pipeline: p, Build: &b, Release: &release}
		if change != nil {
			change(&r.Pipeline, r.Build, r.Release)
		}
		fact, err := r.confirm()
		return r, fact, err
	}
	r, fact, err := released(nil)
	if err != nil || *fact != (Fact{CheckPipeline, "true", Reported, "invocationId, definition, commitId, ref, repository"}) || r.Pipeline.Of("builderId") != Declared {
		t.Errorf("fact %+v, error %v", fact, err)
	}
	for name, change := range map[string]func(*Pipeline, *Build, *Release){
		"another release":    func(_ *Pipeline, _ *Build, l *Release) { l.URL += "5" },
		"another definition": func(_ *Pipeline, _ *Build, l *Release) { l.Definition.URL += "5" },
		"another commit":     func(_ *Pipeline, b *Build, _ *Release) { b.Commit = strings.Repeat("6", 40) },
		"a build's run":      func(p *Pipeline, b *Build, _ *Release) { p.InvocationID = b.URL },
	} {
		var refused *Refused
		if _, _, err := released(change); !errors.As(err, &refused) || refused.Code != "pipeline.contradicted" {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.Pipeline.Grounds = Grounds{Basis: Declared}
	alone := Record{Pipeline: r.Pipeline, Release: r.Release}
	if fact, err := alone.confirm(); err != nil || !strings.HasPrefix(fact.Note, "definition; no claims") || alone.Pipeline.Of("invocationId") != Declared {
		t.Errorf("without its build: fact %+v, error %v", fact, err)
	}
}

// TestConfirmedCommitIsReported: the cross-checks build on what was confirmed.
func TestConfirmedCommitIsReported(t *testing.T) {
	s, _ := write(t, example(t)...)
	record, err := Read(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range record.Checks {
		if (c.Name == CheckPipeline || c.Name == CheckCommit) && (c.Value != "true" || c.Basis != Reported) {
			t.Errorf("check %+v", c)
		}
	}
	if record.Checks[0].Name != CheckPipeline {
		t.Errorf("checks %+v", record.Checks)
	}
}
