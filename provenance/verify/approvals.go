package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// party is who played a part, and how that is known.
type party struct {
	people  []provenance.Person
	basis   provenance.Basis // of the least known of them; empty: nobody said anything
	unknown bool             // there is somebody else, of whom nothing is known
}

func (p *party) add(basis provenance.Basis, people ...provenance.Person) {
	for _, one := range people {
		if one != (provenance.Person{}) {
			p.people = append(p.people, one)
		}
	}
	if p.basis == "" || !basis.AtLeast(p.basis) {
		p.basis = basis
	}
}

// checkApprovals holds the people against a rule.
func checkApprovals(s policy.Approvals, r provenance.Record) (findings []*Finding) {
	if s.Review > 0 {
		findings = append(findings, checkOthers("approvals.review", "the change", s.Review, reviewers(r), r, s.Basis)...)
	}
	if s.Deployment > 0 {
		findings = append(findings, checkOthers("approvals.deployment", "the release", s.Deployment, deploymentApprovers(r), r, s.Basis)...)
	}
	if s.Distinct != nil {
		findings = append(findings, checkDistinct(s, r)...)
	}
	return findings
}

// checkOthers wants so many different people, none of whom is an author. Of somebody without an id nobody can tell who that is.
func checkOthers(code, what string, least int, who party, r provenance.Record, weakest provenance.Basis) []*Finding {
	finding := &Finding{Code: code, Expected: fmt.Sprintf("%d of others than its authors", least), Found: orNothing(namesOf(who.people)), Basis: who.basis}
	if who.basis == "" {
		finding.Detail, finding.Hint = fmt.Sprintf("no approval of %s was recorded", what), "record with SYSTEM_ACCESSTOKEN, or GITHUB_TOKEN, mapped into the step"
		return []*Finding{finding}
	}
	writers := authors(r)
	if writers.people == nil || writers.unknown {
		finding.Undecided, finding.Detail = true, fmt.Sprintf("nobody says who wrote what was built, so that nobody can tell who else approved %s", what)
		finding.Hint = "record with SYSTEM_ACCESSTOKEN, or GITHUB_TOKEN, mapped into the step"
		return []*Finding{finding}
	}
	different, unclear := others(who.people, writers.people)
	if different >= least {
		return []*Finding{weak("approvals", "who approved "+what, who.basis, weakest), weak("approvals", "who wrote what was built", writers.basis, weakest)}
	}
	finding.Undecided = different+unclear >= least
	finding.Detail = fmt.Sprintf("too few others approved %s", what)
	finding.Hint = "have it approved by somebody who did not write it"
	if finding.Undecided {
		finding.Detail, finding.Hint = fmt.Sprintf("nobody can tell whether enough others approved %s: some have no id that could be compared", what), comparableHint
	}
	return []*Finding{finding}
}

const comparableHint = "people are compared by their ids at one identity provider, or their addresses; ask the hosts of repository and pipeline that share one"

// others counts the different people who are surely none of those, and those of whom nobody can tell.
func others(people, those []provenance.Person) (different, unclear int) {
	var seen []provenance.Person
	for _, p := range people {
		switch sameness := isOneOf(p, append(slices.Clone(those), seen...)); sameness {
		case surelyNot:
			different++
		case nobodyKnows:
			unclear++
		}
		seen = append(seen, p)
	}
	return different, unclear
}

// sameness tells whether two names mean one person.
type sameness int

const (
	surelyNot sameness = iota
	nobodyKnows
	surely
)

// isOneOf compares somebody with all of those.
func isOneOf(p provenance.Person, those []provenance.Person) sameness {
	found := surelyNot
	for _, other := range those {
		found = max(found, samePerson(p, other))
	}
	return found
}

// samePerson compares by ids of one identity provider, which cannot be chosen; equal addresses mean one person, too. Different
// addresses prove nothing, and neither do names.
func samePerson(a, b provenance.Person) sameness {
	switch {
	case a.ID != "" && strings.EqualFold(a.ID, b.ID), a.Email != "" && strings.EqualFold(a.Email, b.Email):
		return surely
	case a.ID != "" && b.ID != "" && providerOf(a.ID) == providerOf(b.ID):
		return surelyNot
	}
	return nobodyKnows
}

// providerOf is who gave an id: azure-devops, github, or Entra, whose ids stand alone.
func providerOf(id string) string {
	provider, _, found := strings.Cut(id, ":")
	if !found {
		return ""
	}
	return provider
}

// authors wrote or pushed the change, as the repository's host tells; failing that, as the commit's header says. Whom the header names is
// one of them in any case, and makes nothing better or worse known: whoever made the commit chose it.
func authors(r provenance.Record) (p party) {
	if r.Review == nil {
		if r.Commit.Author.ID != "" || r.Commit.Author.Email != "" {
			p.add(r.Commit.Of("author"), r.Commit.Author, r.Commit.Committer)
		}
		return p
	}
	for _, pr := range r.Review.PullRequests {
		p.add(r.Review.Of("pullRequests"), pr.Author)
		p.unknown = p.unknown || pr.Author == provenance.Person{}
	}
	if len(r.Review.PullRequests) == 0 && r.Review.Pusher != (provenance.Person{}) {
		p.add(r.Review.Of("pusher"), r.Review.Pusher)
	}
	told := p.basis
	p.add(r.Review.Of("author"), r.Review.Author)
	if told != "" {
		p.basis = told
	}
	return p
}

// reviewers approved a pull request that brought the commit. A group is nobody in particular.
func reviewers(r provenance.Record) (p party) {
	if r.Review == nil {
		return p
	}
	p.basis = r.Review.Of("pullRequests")
	for _, pr := range r.Review.PullRequests {
		for _, reviewer := range pr.Reviewers {
			if !reviewer.Group && (reviewer.Vote == "approved" || reviewer.Vote == "approved with suggestions") {
				p.add(r.Review.Of("pullRequests"), reviewer.Person)
			}
		}
	}
	return p
}

// deploymentApprovers approved a stage of the build, or of the release.
func deploymentApprovers(r provenance.Record) (p party) {
	if r.Build != nil {
		p.basis = r.Build.Of("approvals")
		p.add(p.basis, approved(r.Build.Approvals)...)
	}
	if r.Release != nil {
		p.add(r.Release.Of("approvals"), approved(r.Release.Approvals)...)
	}
	return p
}

func approved(approvals []provenance.Approval) (people []provenance.Person) {
	for _, a := range approvals {
		if a.Status == "approved" && !a.Group {
			people = append(people, a.Approver)
		}
	}
	return people
}

// deployers asked for the release, or, without one, for the build.
func deployers(r provenance.Record) (p party) {
	switch {
	case r.Release != nil:
		p.add(r.Release.Of("creator"), r.Release.Creator)
	case r.Build != nil:
		p.add(r.Build.Of("requestedFor"), r.Build.RequestedFor)
	}
	return p
}

// checkDistinct wants nobody to play two of the parts, and each part to be played by somebody who is known.
func checkDistinct(s policy.Approvals, r provenance.Record) (findings []*Finding) {
	parts := map[string]party{policy.Author: authors(r), policy.Deployer: deployers(r)}
	approvers := reviewers(r)
	if atDeployment := deploymentApprovers(r); atDeployment.basis != "" {
		approvers.add(atDeployment.basis, atDeployment.people...)
	}
	parts[policy.Approver] = approvers
	for i, part := range s.Distinct {
		if parts[part].people == nil {
			findings = append(findings, &Finding{Code: "approvals.distinct", Detail: "nobody was recorded as " + part, Expected: "somebody", Found: "nobody", Basis: parts[part].basis,
				Hint: "record with SYSTEM_ACCESSTOKEN, or GITHUB_TOKEN, mapped into the step"})
			continue
		}
		if parts[part].unknown {
			findings = append(findings, &Finding{Code: "approvals.distinct", Undecided: true, Detail: "nobody says who else is " + part, Expected: "somebody with an id", Found: "somebody without an id",
				Basis: parts[part].basis, Hint: comparableHint})
		}
		findings = append(findings, weak("approvals", "who is "+part, parts[part].basis, s.Basis))
		for _, other := range s.Distinct[:i] {
			findings = append(findings, apart(part, other, parts[part], parts[other]))
		}
	}
	return findings
}

// apart wants nobody to be in both parties.
func apart(part, other string, a, b party) *Finding {
	for _, person := range a.people {
		same := isOneOf(person, b.people)
		if same == surelyNot {
			continue
		}
		finding := &Finding{Code: "approvals.distinct", Undecided: same == nobodyKnows, Expected: "different people", Found: namesOf([]provenance.Person{person}), Basis: a.basis,
			Detail: fmt.Sprintf("one person is %s and %s", other, part), Hint: "have somebody else do one of them"}
		if same == nobodyKnows {
			finding.Detail, finding.Hint = fmt.Sprintf("nobody can tell whether %s and %s are different people", other, part), comparableHint
		}
		return finding
	}
	return nil
}

// namesOf are people for people.
func namesOf(people []provenance.Person) string {
	var all []string
	for _, p := range people {
		for _, name := range []string{p.Name, p.Email, p.ID} {
			if name != "" {
				if !slices.Contains(all, name) {
					all = append(all, name)
				}
				break
			}
		}
	}
	return strings.Join(all, ", ")
}

func approvalInputs(r provenance.Record) (all []rule.Input) {
	for _, part := range []struct {
		name string
		party
	}{{"authors", authors(r)}, {"reviewers", reviewers(r)}, {"approvers of the deployment", deploymentApprovers(r)}, {"deployer", deployers(r)}} {
		all = append(all, input(part.name, namesOf(part.people), part.basis))
	}
	return all
}
