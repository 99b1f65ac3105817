package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/verify"
	policies "github.com/seed-3480f271/provenance/provenance/verify/policy"
	"github.com/seed-3480f271/provenance/provenance/verify/rule"
)

// policySummary is the JSON shape of what is in a policy.
type policySummary struct {
	Version      int               `json:"version"`
	Name         string            `json:"name"`
	Digest       provenance.Digest `json:"digest"`
	Serial       int64             `json:"serial,omitempty"`
	Expires      time.Time         `json:"expires,omitzero"`
	Builders     []string          `json:"builders"` // ids
	Sections     []string          `json:"sections"` // source, data, …
	Attestations []string          `json:"attestations"`
	Rules        []string          `json:"rules"`
	Denied       int               `json:"denied"`
}

func summarize(p *policies.Policy) policySummary {
	s := policySummary{Version: Version, Name: p.Name, Digest: p.Digest, Serial: p.Serial, Expires: p.Expires, Builders: []string{}, Sections: sections(p),
		Attestations: []string{}, Rules: []string{}, Denied: len(p.Deny)}
	for _, b := range p.Builders {
		s.Builders = append(s.Builders, b.ID)
	}
	for _, a := range p.Attestations {
		s.Attestations = append(s.Attestations, a.Name)
	}
	for _, r := range p.Rules {
		s.Rules = append(s.Rules, r.Name)
	}
	return s
}

// sections are the names of those that ask for something.
func sections(p *policies.Policy) []string {
	all := []string{}
	for _, s := range []struct {
		name string
		asks bool
	}{{"signature", p.Signature != nil}, {"maxAge", p.MaxAge > 0}, {"source", p.Source != nil}, {"data", p.Data != nil}, {"databricks", p.Databricks != nil},
		{"metrics", p.Metrics != nil}, {"model", p.Model != nil}, {"checks", p.Checks != nil}, {"approvals", p.Approvals != nil},
		{"recheck", p.Recheck != policies.RecheckNone}} {
		if s.asks {
			all = append(all, s.name)
		}
	}
	return all
}

// PolicyJSON writes what is in a policy for machines.
func PolicyJSON(w io.Writer, p *policies.Policy) error { return writeJSON(w, summarize(p)) }

// PolicyText writes what is in a policy for people.
func PolicyText(w io.Writer, p *policies.Policy) error {
	t := &text{out: safe(w)}
	s := summarize(p)
	t.printf("%s is a sound policy   %s\n", clean(s.Name), s.Digest)
	for _, line := range [][2]string{{"serial", serialOf(s)}, {"builders", strings.Join(s.Builders, ", ")}, {"sections", strings.Join(s.Sections, ", ")},
		{"others", strings.Join(s.Attestations, ", ")}, {"rules", strings.Join(s.Rules, ", ")}, {"denied", deniedOf(s)}} {
		if line[1] != "" {
			t.printf("  %-10s  %s\n", line[0], clean(line[1]))
		}
	}
	return t.err
}

func serialOf(s policySummary) string {
	var parts []string
	if s.Serial > 0 {
		parts = append(parts, fmt.Sprint(s.Serial))
	}
	if !s.Expires.IsZero() {
		parts = append(parts, "expires on "+s.Expires.Format("2 Jan 2006"))
	}
	return strings.Join(parts, ", ")
}

func deniedOf(s policySummary) string {
	if s.Denied == 0 {
		return ""
	}
	return plural(int64(s.Denied), "thing")
}

// trial is the JSON shape of what a policy makes of a statement.
type trial struct {
	Version   int               `json:"version"`
	Verdict   verify.Verdict    `json:"verdict"`
	Policy    policy            `json:"policy"`
	Against   string            `json:"against"`
	Statement provenance.Digest `json:"statement"`
	Rules     []verify.Outcome  `json:"rules"`
	Findings  []verify.Finding  `json:"findings"`
	Warnings  []verify.Finding  `json:"warnings"`
}

// TrialJSON writes what a policy makes of a statement for machines.
func TrialJSON(w io.Writer, t verify.Trial) error {
	return writeJSON(w, trial{Version, t.Verdict, policy{t.PolicyName, t.PolicyDigest}, t.Against, t.Statement, notNil(t.Rules), notNil(t.Findings), notNil(t.Warnings)})
}

// TrialText writes what a policy makes of a statement for people: each rule, what became of it, and what it looked at; then the reasons.
func TrialText(w io.Writer, r verify.Trial, o Options) error {
	t := &text{out: safe(w), color: o.Color}
	t.verdict(r.Verdict)
	t.printf("   %s   policy %s (%s)   signatures were not looked at%s\n\n", clean(r.Against), clean(r.PolicyName), short(r.PolicyDigest.String()), untried(r))
	width := 0
	for _, outcome := range r.Rules {
		width = max(width, utf8.RuneCountInString(clean(outcome.Rule)))
	}
	for _, outcome := range r.Rules {
		t.outcome(outcome, width)
	}
	t.findings(trialTitle(r), r.Findings)
	t.findings(plural(int64(len(r.Warnings)), "warning"), shown(r.Warnings))
	return t.err
}

// untried counts what was not tried.
func untried(r verify.Trial) string {
	n := 0
	for _, o := range r.Rules {
		if o.State == verify.NotTested {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return ", nor at " + plural(int64(n), "rule") + " about them"
}

func trialTitle(r verify.Trial) string {
	if r.Verdict == verify.Undecided {
		return plural(int64(len(r.Findings)), "reason") + " why nobody can tell"
	}
	return plural(int64(len(r.Findings)), "reason") + " to refuse"
}

// stateWords say what became of a rule, for people.
var stateWords = map[verify.State]string{verify.NotTested: "not tried"}

// outcome writes one rule, and the facts that it looked at below it.
func (t *text) outcome(o verify.Outcome, width int) {
	word := string(o.State)
	if other := stateWords[o.State]; other != "" {
		word = other
	}
	t.printf("  %s  ", pad(clean(o.Rule), width))
	t.paint(stateColors[o.State], word)
	t.printf("\n")
	for _, in := range slices.Clone(o.Inputs) {
		t.printf("  %s    %s\n", pad("", width), strings.TrimRight(strings.Join([]string{clean(in.Path), "=", clean(in.Value), basisWord(in)}, " "), " "))
	}
}

func basisWord(in rule.Input) string {
	if in.Basis == "" {
		return ""
	}
	return "(" + string(in.Basis) + ")"
}

var stateColors = map[verify.State]string{verify.Holds: colors[verify.Accepted], verify.Broken: colors[verify.Refused], verify.Unknown: colors[verify.Undecided],
	verify.Warned: colors[verify.Undecided], verify.NotTested: "0"}
