package verify

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// answered is a service's answer, at the night's start.
func answered(t testing.TB, name string) provenance.Answered {
	return provenance.Answered{AskedAt: at(23, 2), Answer: provenance.Stored{Name: name, MediaType: "application/json", Digest: provenance.SumSHA256([]byte(name)), Size: 10}}
}

// measured adds an MLflow run with metrics.
func measured(t testing.TB, metrics ...provenance.Metric) func(*night) {
	return func(n *night) {
		n.mlflow = &provenance.MLflowRun{Grounds: provenance.Grounds{Basis: provenance.Reported}, Answered: answered(t, "mlflow.json"), URI: "https://mlflow.contoso.com",
			RunID: "4be1", Experiment: provenance.Experiment{ID: "1"}, Status: "FINISHED", Metrics: metrics, Started: at(23, 1), Ended: at(23, 2)}
	}
}

func metric(name, value string) provenance.Metric {
	return provenance.Metric{Name: name, Value: value, Values: 1, At: at(23, 1)}
}

// The people of the tests, all known at one identity provider.
var (
	ada   = provenance.Person{ID: "aaaaaaaa-0000-0000-0000-000000000001", Name: "Ada Lovelace", Email: "ada@contoso.com"}
	grace = provenance.Person{ID: "aaaaaaaa-0000-0000-0000-000000000002", Name: "Grace Hopper", Email: "grace@contoso.com"}
	joan  = provenance.Person{ID: "aaaaaaaa-0000-0000-0000-000000000003", Name: "Joan Clarke"}
	octo  = provenance.Person{ID: "github:7", Name: "octo"} // of another provider
	noID  = provenance.Person{Name: "Somebody"}
)

// reviewed adds a pull request by an author, approved by reviewers.
func reviewed(t testing.TB, author provenance.Person, reviewers ...provenance.Reviewer) func(*night) {
	return func(n *night) {
		n.review = &provenance.Review{Grounds: provenance.Grounds{Basis: provenance.Reported}, Answered: answered(t, "review.json"), Host: "https://dev.azure.com/contoso",
			Repository: "Mortgage/mortgage", Commit: n.commit.ID.Hex(), Author: author,
			PullRequests: []provenance.PullRequest{{ID: "12", State: "completed", Author: author, Reviewers: reviewers}}}
	}
}

func approves(p provenance.Person) provenance.Reviewer {
	return provenance.Reviewer{Person: p, Vote: "approved"}
}

// vouched says what the repository's host thinks of the commit's signature.
func vouched(t testing.TB, verified string) func(*night) {
	return func(n *night) {
		reviewed(t, ada)(n)
		n.review.Verified = verified
	}
}

// deployedBy adds a build with approvals of its stages.
func deployedBy(who provenance.Person, approvals ...provenance.Approval) func(*night) {
	return func(n *night) {
		confirmedBuild(n)
		n.build.RequestedFor, n.build.Approvals = who, approvals
	}
}

func agreed(p provenance.Person) provenance.Approval {
	return provenance.Approval{Of: "production", Approver: p, Status: "approved", At: at(23, 3)}
}

// checked puts a cross-check into the record as another program could have written it, unless it is there: then it is changed.
func checked(name, value string) func(*night) {
	return editChecks(func(checks []any) []any {
		for _, c := range checks {
			if c := c.(map[string]any); c["name"] == name {
				c["value"] = value
				return checks
			}
		}
		return append(checks, map[string]any{"name": name, "value": value, "basis": "reported", "note": "a test says so"})
	})
}

// TestExpectations: each expectation of a policy holds, does not hold, and cannot be told.
func TestExpectations(t *testing.T) {
	nothing := func(*night) {}
	later := metric("auc", "0.9")
	later.At = at(23, 3)
	onTest := metric("auc", "0.9")
	onTest.Dataset = "test"
	withdrawn := provenance.SumSHA256([]byte("withdrawn")).String()
	for name, c := range map[string]struct {
		rules   string
		change  func(*night)
		verdict Verdict
		codes   string // joined by blanks
	}{
		"signed, valid":               {`source: {signed: true}`, vouched(t, "valid"), Accepted, ""},
		"signed, not valid":           {`source: {signed: true}`, vouched(t, "unsigned"), Refused, "source.signed"},
		"signed, nobody says":         {`source: {signed: true}`, vouched(t, ""), Undecided, "source.signed"},
		"signed, nobody asked":        {`source: {signed: true}`, nothing, Undecided, "source.signed"},
		"signed, weak":                {`source: {signed: true, basis: observed}`, vouched(t, "valid"), Refused, "source.basis"},
		"two sources, both":           {"source:\n- {branches: [main]}\n- {clean: true}", nothing, Accepted, ""},
		"two sources, one":            {"source:\n- {branches: [main]}\n- {branches: [release]}", nothing, Refused, "source.branch"},
		"roles, there":                {`data: {roles: [train]}`, nothing, Accepted, ""},
		"roles, missing":              {`data: {roles: [train, test, validation]}`, nothing, Refused, "data.role data.role"},
		"newest, new":                 {`data: {newestWithin: 72h}`, newestAt(at(22, 0)), Accepted, ""},
		"newest, exactly":             {`data: {newestWithin: 72h}`, newestAt(at(21, 0)), Accepted, ""},
		"newest, old":                 {`data: {newestWithin: 72h}`, newestAt(at(20, 23)), Refused, "data.newest"},
		"newest, unknown":             {`data: {newestWithin: 72h}`, nothing, Undecided, "data.newest"},
		"newest, of no training data": {`data: {newestWithin: 72h}`, func(n *night) { newestAt(at(22, 0))(n); n.data[0].Role = "test" }, Undecided, "data.newest"},
		"newest, in the future":       {`data: {newestWithin: 72h}`, newestAt(at(25, 0)), Undecided, "data.newest"},

		"notebooks, equal":             {`databricks: {notebooks: commit}`, ran(t, provenance.Matches), Accepted, ""},
		"notebooks, differ":            {`databricks: {notebooks: commit}`, ran(t, provenance.Differs), Refused, "check.notebookIsCommits"},
		"notebooks, unknown":           {`databricks: {notebooks: commit}`, ran(t, provenance.Uncertain), Undecided, "check.notebookIsCommits"},
		"notebooks, called":            {`databricks: {notebooks: commit}`, then(ran(t, provenance.Matches), called(provenance.Matches)), Accepted, ""},
		"notebooks, called, differ":    {`databricks: {notebooks: commit}`, then(ran(t, provenance.Matches), called(provenance.Differs)), Refused, "check.calledIsCommits"},
		"notebooks, called, unchecked": {`databricks: {notebooks: commit}`, then(ran(t, provenance.Matches), called(provenance.Differs), unchecked(provenance.CheckCalled)), Undecided, "check.calledIsCommits"},
		"notebooks, none read":         {`databricks: {notebooks: commit}`, nothing, Undecided, "check.notebookIsCommits"},
		"notebooks, no run":            {`databricks: {notebooks: commit}`, func(n *night) { n.databricks = nil }, Refused, "databricks.missing"},

		"metric, good":           {`metrics: {values: {auc: ">= 0.80"}}`, measured(t, metric("auc", "0.8")), Accepted, ""},
		"metric, bad":            {`metrics: {values: {auc: ">= 0.80"}}`, measured(t, metric("auc", "0.79999")), Refused, "metric.auc"},
		"metric, above":          {`metrics: {values: {auc: "> 0.8"}}`, measured(t, metric("auc", "0.8")), Refused, "metric.auc"},
		"metric, below":          {`metrics: {values: {loss: "<= 1e-3"}}`, measured(t, metric("loss", "0.001")), Accepted, ""},
		"metric, not below":      {`metrics: {values: {loss: "< 1e-3"}}`, measured(t, metric("loss", "0.001")), Refused, "metric.loss"},
		"metric, equal":          {`metrics: {values: {epochs: "== 3"}}`, measured(t, metric("epochs", "3.0")), Accepted, ""},
		"metric, not equal":      {`metrics: {values: {epochs: "== 3"}}`, measured(t, metric("epochs", "4")), Refused, "metric.epochs"},
		"metric, between":        {`metrics: {values: {auc: ">= 0.8, < 0.999"}}`, measured(t, metric("auc", "0.9")), Accepted, ""},
		"metric, too good":       {`metrics: {values: {auc: ">= 0.8, < 0.999"}}`, measured(t, metric("auc", "1")), Refused, "metric.auc"},
		"metric, NaN":            {`metrics: {values: {auc: ">= 0.80"}}`, measured(t, metric("auc", "NaN")), Undecided, "metric.auc"},
		"metric, infinite":       {`metrics: {values: {auc: ">= 0.80"}}`, measured(t, metric("auc", "Infinity")), Undecided, "metric.auc"},
		"metric, missing":        {`metrics: {values: {auc: ">= 0.80"}}`, measured(t, metric("AUC", "0.9")), Refused, "metric.auc"},
		"metric, no run":         {`metrics: {values: {auc: ">= 0.80"}}`, nothing, Refused, "metrics.missing"},
		"metric, weak":           {`metrics: {values: {auc: ">= 0.80"}, basis: observed}`, measured(t, metric("auc", "0.9")), Refused, "metrics.basis"},
		"metric, after the end":  {`metrics: {values: {auc: ">= 0.80"}}`, measured(t, later), Refused, "metric.auc"},
		"metric, later, allowed": {`metrics: {values: {auc: ">= 0.80"}, afterEnd: true}`, measured(t, later), Accepted, ""},
		"metric, of the dataset": {`metrics: {values: {auc: ">= 0.80"}, dataset: test}`, measured(t, onTest), Accepted, ""},
		"metric, of another":     {`metrics: {values: {auc: ">= 0.80"}, dataset: test}`, measured(t, metric("auc", "0.9")), Refused, "metric.auc"},
		"metrics, two bad":       {`metrics: {values: {auc: ">= 0.80", f1: "> 0.5"}}`, measured(t, metric("auc", "0.1"), metric("f1", "0.1")), Refused, "metric.auc metric.f1"},

		"check, required, true":      {`checks: {modelInImage: required}`, nothing, Accepted, ""},
		"check, required, unknown":   {`checks: {commitIsPipelines: required}`, nothing, Undecided, "check.commitIsPipelines"},
		"check, required, absent":    {`checks: {modelIsRuns: required}`, nothing, Undecided, "check.modelIsRuns"},
		"check, required, false":     {`checks: {trainedBeforeImage: required}`, checked("trainedBeforeImage", "false"), Refused, "check.trainedBeforeImage"},
		"check, required, weak":      {`checks: {modelInImage: required, basis: observed}`, nothing, Accepted, ""},
		"check, false, not named":    {`source: {clean: true}`, checked("trainedBeforeImage", "false"), Refused, "check.trainedBeforeImage"},
		"check, false, allowed":      {"source: {clean: true}\nchecks: {trainedBeforeImage: allowed}", ran(t, provenance.Matches), Accepted, ""},
		"notebook, differs, allowed": {"source: {clean: true}\nchecks: {notebookIsCommits: allowed}", ran(t, provenance.Differs), Accepted, ""},
		"notebook, allowed later":    {"source: {clean: true}\nchecks: {notebookIsCommits: allowed, from: 2027-01-01}", ran(t, provenance.Differs), Refused, "check.notebookIsCommits"},
		"notebook, allowed once":     {"source: {clean: true}\nchecks: {notebookIsCommits: allowed, until: 2026-11-24}", ran(t, provenance.Differs), Refused, "check.notebookIsCommits"},

		"review, another":            {`approvals: {review: 1}`, reviewed(t, ada, approves(grace)), Accepted, ""},
		"review, herself":            {`approvals: {review: 1}`, reviewed(t, ada, approves(ada)), Refused, "approvals.review"},
		"review, nobody":             {`approvals: {review: 1}`, reviewed(t, ada), Refused, "approvals.review"},
		"review, not approved":       {`approvals: {review: 1}`, reviewed(t, ada, provenance.Reviewer{Person: grace, Vote: "waiting"}), Refused, "approvals.review"},
		"review, with suggestions":   {`approvals: {review: 1}`, reviewed(t, ada, provenance.Reviewer{Person: grace, Vote: "approved with suggestions"}), Accepted, ""},
		"review, a group":            {`approvals: {review: 1}`, reviewed(t, ada, provenance.Reviewer{Person: grace, Vote: "approved", Group: true}), Refused, "approvals.review"},
		"review, two of two":         {`approvals: {review: 2}`, reviewed(t, ada, approves(grace), approves(joan)), Accepted, ""},
		"review, one twice":          {`approvals: {review: 2}`, reviewed(t, ada, approves(grace), approves(grace)), Refused, "approvals.review"},
		"review, without an id":      {`approvals: {review: 1}`, reviewed(t, ada, approves(noID)), Undecided, "approvals.review"},
		"review, another provider":   {`approvals: {review: 1}`, reviewed(t, ada, approves(octo)), Undecided, "approvals.review"},
		"review, nobody asked":       {`approvals: {review: 1}`, nothing, Refused, "approvals.review"},
		"review, no author":          {`approvals: {review: 1}`, reviewed(t, provenance.Person{}, approves(grace)), Undecided, "approvals.review"},
		"review, weak":               {`approvals: {review: 1, basis: observed}`, reviewed(t, ada, approves(grace)), Refused, "approvals.basis approvals.basis"},
		"deployment, another":        {`approvals: {deployment: 1}`, then(reviewed(t, ada), deployedBy(ada, agreed(grace))), Accepted, ""},
		"deployment, the author":     {`approvals: {deployment: 1}`, then(reviewed(t, ada), deployedBy(ada, agreed(ada))), Refused, "approvals.deployment"},
		"deployment, rejected":       {`approvals: {deployment: 1}`, then(reviewed(t, ada), deployedBy(ada, provenance.Approval{Of: "p", Approver: grace, Status: "rejected"})), Refused, "approvals.deployment"},
		"deployment, nobody asked":   {`approvals: {deployment: 1}`, reviewed(t, ada), Refused, "approvals.deployment"},
		"deployment, no id":          {`approvals: {deployment: 1}`, then(reviewed(t, ada), deployedBy(ada, agreed(noID))), Undecided, "approvals.deployment"},
		"deployment, header only":    {`approvals: {deployment: 1, basis: reported}`, then(headed(ada), deployedBy(ada, agreed(grace))), Refused, "approvals.basis"},
		"deployment, header, any":    {`approvals: {deployment: 1}`, then(headed(ada), deployedBy(ada, agreed(grace))), Accepted, ""},
		"deployment, pushed":         {`approvals: {deployment: 1, basis: reported}`, then(pushed(t, grace), deployedBy(ada, agreed(grace))), Refused, "approvals.deployment"},
		"review, one author missing": {`approvals: {review: 1}`, then(reviewed(t, ada, approves(grace)), authorless), Undecided, "approvals.review"},
		"distinct, author missing":   {`approvals: {distinct: [author, approver]}`, then(reviewed(t, ada, approves(grace)), authorless), Undecided, "approvals.distinct"},
		"distinct, header declared":  {`approvals: {distinct: [author, approver], basis: reported}`, then(reviewed(t, ada, approves(grace)), headerDeclared), Accepted, ""},
		"distinct, header alone":     {`approvals: {distinct: [author, deployer], basis: reported}`, then(pushed(t, provenance.Person{}), deployedBy(joan)), Refused, "approvals.basis"},
		"distinct, all":              {`approvals: {distinct: [author, approver, deployer]}`, then(reviewed(t, ada, approves(grace)), deployedBy(joan)), Accepted, ""},
		"distinct, author deploys":   {`approvals: {distinct: [author, approver, deployer]}`, then(reviewed(t, ada, approves(grace)), deployedBy(ada)), Refused, "approvals.distinct"},
		"distinct, approver deploys": {`approvals: {distinct: [approver, deployer]}`, then(reviewed(t, ada, approves(grace)), deployedBy(grace)), Refused, "approvals.distinct"},
		"distinct, by address":       {`approvals: {distinct: [author, deployer]}`, then(reviewed(t, ada), deployedBy(provenance.Person{ID: "azure-devops:1", Email: "ADA@contoso.com"})), Refused, "approvals.distinct"},
		"distinct, other provider":   {`approvals: {distinct: [author, deployer]}`, then(reviewed(t, ada), deployedBy(octo)), Undecided, "approvals.distinct"},
		"distinct, no deployer":      {`approvals: {distinct: [author, deployer]}`, reviewed(t, ada), Refused, "approvals.distinct"},
		"distinct, weak":             {`approvals: {distinct: [author, deployer], basis: observed}`, then(reviewed(t, ada), deployedBy(joan)), Refused, "approvals.basis approvals.basis"},

		"deny, nothing of it":   {`deny: {digests: ["` + withdrawn + `"]}`, nothing, Accepted, ""},
		"deny, image":           {`deny: {digests: ["sha256:` + strings.Repeat("1", 64) + `"]}`, nothing, Refused, "deny.digest"},
		"deny, platform":        {`deny: {digests: ["sha256:` + strings.Repeat("3", 64) + `"]}`, nothing, Refused, "deny.digest"},
		"deny, folder's digest": {`deny: {digests: ["dirHash:` + strings.Repeat("b", 64) + `"]}`, nothing, Refused, "deny.digest"},
		"deny, its manifest":    {`deny: {digests: ["sha256:` + strings.Repeat("b", 64) + `"]}`, nothing, Refused, "deny.digest"},
		"deny, model":           {`deny: {digests: [{value: "dirHash:` + strings.Repeat("f", 64) + `", because: poisoned}]}`, nothing, Refused, "deny.digest"},
		"deny, commit":          {`deny: {commits: ["` + strings.Repeat("5", 40) + `"]}`, nothing, Refused, "deny.commit"},
		"deny, run's commit":    {`deny: {commits: ["` + strings.Repeat("5", 40) + `"]}`, func(n *night) { n.databricks.GitCommit = strings.Repeat("5", 40) }, Refused, "deny.commit"},
		"deny, folder":          {`deny: {folders: ["https://contoso.blob.core.windows.net/mortgages/20261122T0000"]}`, nothing, Refused, "deny.folder"},
		"deny, above it":        {`deny: {folders: ["abfss://mortgages@contoso.dfs.core.windows.net/"]}`, nothing, Refused, "deny.folder"},
		"deny, a part of it":    {`deny: {folders: ["abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000/part/"]}`, nothing, Undecided, "deny.folder"},
		"deny, beside it":       {`deny: {folders: ["abfss://mortgages@contoso.dfs.core.windows.net/20261122T00"]}`, nothing, Accepted, ""},
		"deny, the copy of it":  {`deny: {folders: ["abfss://mortgages@contoso.dfs.core.windows.net/"]}`, lies("https://contoso-secondary.blob.core.windows.net/mortgages/20261122T0000/"), Refused, "deny.folder"},
		"deny, of a copy":       {`deny: {folders: ["https://contoso-secondary.blob.core.windows.net/mortgages/"]}`, nothing, Refused, "deny.folder"},
		"deny, a segment empty": {`deny: {folders: ["abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000"]}`, lies("abfss://mortgages@contoso.dfs.core.windows.net//20261122T0000/"), Undecided, "deny.folder"},
		"deny, a way around":    {`deny: {folders: ["abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000"]}`, lies("abfss://mortgages@contoso.dfs.core.windows.net/x/../20261122T0000/"), Undecided, "deny.folder"},
		"deny, a mount":         {`deny: {folders: ["abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000"]}`, lies("dbfs:/mnt/mortgages/20261122T0000/"), Undecided, "deny.folder"},
		"deny, with a query":    {`deny: {folders: ["abfss://mortgages@contoso.dfs.core.windows.net/20261122T0000"]}`, lies("https://contoso.blob.core.windows.net/mortgages/20261122T0000/?a=b"), Undecided, "deny.folder"},
		"deny, not a folder":    {`deny: {commits: ["` + strings.Repeat("4", 40) + `"]}`, lies("dbfs:/mnt/mortgages/20261122T0000/"), Accepted, ""},
		"deny, sealed digests":  {`deny: {keys: ["` + withdrawn + `"]}`, func(n *night) { n.data[0].Imported = &provenance.Imported{Files: 3, Parts: 1, SealedBy: withdrawn} }, Refused, "deny.key"},
		"deny, sealed listing": {`deny: {keys: ["` + withdrawn + `"]}`, func(n *night) {
			n.data[0].Before = &provenance.Before{Listed: at(23, 1), Listing: sha(t, "a"), SealedBy: withdrawn}
		}, Refused, "deny.key"},
		"deny, sealed by none": {`deny: {keys: ["` + withdrawn + `"]}`, func(n *night) { n.data[0].Imported = &provenance.Imported{Files: 3, Parts: 1} }, Accepted, ""},
		"deny, invocation":     {`deny: {invocations: ["https://dev.azure.com/contoso/Mortgage/_build/results?buildId=4711"]}`, nothing, Refused, "deny.invocation"},
		"deny, two of it":      {"deny: {commits: [\"" + strings.Repeat("5", 40) + "\"], folders: [\"abfss://mortgages@contoso.dfs.core.windows.net/\"]}", nothing, Refused, "deny.commit deny.folder"},

		"rule, holds":          {`rules: [{name: a, expression: record.commit.ref == "refs/heads/main", message: m}]`, nothing, Accepted, ""},
		"rule, does not":       {`rules: [{name: a, expression: record.commit.ref == "refs/heads/x", message: m}]`, nothing, Refused, "rule.a"},
		"rule, cannot tell":    {`rules: [{name: a, expression: record.mlflow.runId == "4be1", message: m}]`, nothing, Undecided, "rule.a"},
		"rule, asks first":     {`rules: [{name: a, expression: '!has(record.mlflow)', message: m}]`, nothing, Accepted, ""},
		"rule, weak":           {`rules: [{name: a, expression: record.commit.ref == "refs/heads/main", message: m, basis: reported}]`, nothing, Refused, "rule.basis"},
		"rule, strong":         {`rules: [{name: a, expression: record.databricks.result == "SUCCESS", message: m, basis: reported}]`, nothing, Accepted, ""},
		"rule, every folder":   {`rules: [{name: a, expression: 'record.data.all(f, f.trainedOn != "")', message: m, basis: reported}]`, nothing, Refused, "rule.basis"},
		"rule, no timestamp":   {`rules: [{name: a, expression: 'signedAt < now', message: m}]`, nothing, Undecided, "rule.a"},
		"rule, costs too much": {`rules: [{name: a, expression: '[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, a+b+c+d+e+f > 0))))))', message: m}]`, nothing, Undecided, "rule.a"},
		"rules, one of two":    {`rules: [{name: a, expression: 'true || record.commit.dirty', message: m}, {name: b, expression: 'record.commit.dirty', message: m}]`, nothing, Refused, "rule.b"},
		"rule, announced":      {`rules: [{name: a, expression: record.commit.dirty, message: m, from: 2027-01-01}]`, nothing, Accepted, ""},

		"warn only":            {`source: {branches: [other], warn: true}`, nothing, Accepted, ""},
		"announced":            {`source: {branches: [other], from: 2026-11-25}`, nothing, Accepted, ""},
		"in force since today": {`source: {branches: [other], from: 2026-11-24}`, nothing, Refused, "source.branch"},
		"over since today":     {`source: {branches: [other], until: 2026-11-24}`, nothing, Accepted, ""},
		"over tomorrow":        {`source: {branches: [other], until: 2026-11-25}`, nothing, Refused, "source.branch"},
		"warned and refused":   {"source:\n- {branches: [other], warn: true}\n- {branches: [third]}", nothing, Refused, "source.branch"},
		"undecided, warn only": {`source: {signed: true, warn: true}`, nothing, Accepted, ""},
		"age, no timestamp":    {`maxAge: 24h`, nothing, Refused, "signature.time"},
		"timestamp, none":      {`signature: {timestamp: true}`, nothing, Refused, "signature.time"},
		"log, none":            {`signature: {log: true}`, nothing, Refused, "signature.log"},
		"key with a window":    {`builders: [{id: "` + builderID + `", keys: [{key: cosign.pub, from: 2026-01-01}]}]`, nothing, Refused, "signature.time"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.policy = "version: 1\n" + c.rules
			c.change(s.night)
			s.attach(s.night)
			r := s.decide()
			expect(t, r, c.verdict, strings.Fields(c.codes)...)
			for _, f := range r.Findings {
				if f.Detail == "" || f.Expected == "" || f.Hint == "" || f.Where == "" {
					t.Errorf("a finding has to say what, expected, where and a hint: %+v", f)
				}
			}
			if slices.ContainsFunc(r.Rules, func(o Outcome) bool { return o.Rule == "" || o.State == "" || o.Inputs == nil || o.Findings == nil }) {
				t.Errorf("an outcome lacks something: %+v", r.Rules)
			}
		})
	}
}

// called adds a notebook that the first one runs.
func called(equal string) func(*night) {
	return func(n *night) {
		other := n.notebooks[0]
		other.Path, other.How, other.By, other.Equal = "/Repos/mortgage/features", "%run", n.notebooks[0].Path, equal
		n.notebooks = append(n.notebooks, other)
	}
}

// unchecked leaves a cross-check out, as another program could.
func unchecked(name string) func(*night) {
	return editChecks(func(checks []any) []any {
		return slices.DeleteFunc(checks, func(c any) bool { return c.(map[string]any)["name"] == name })
	})
}

// headed is a commit whose header names somebody, and of which no host was asked.
func headed(author provenance.Person) func(*night) {
	return func(n *night) { n.commit.Author = provenance.Person{Name: author.Name, Email: author.Email} }
}

// headerDeclared is that the header's author is declared, as both hosts' answers are recorded.
func headerDeclared(n *night) {
	n.review.BasisOf = map[string]provenance.Basis{"author": provenance.Declared, "committer": provenance.Declared}
}

// pushed is a commit that somebody pushed without a pull request, under the name of Ada.
func pushed(t testing.TB, by provenance.Person) func(*night) {
	return func(n *night) {
		reviewed(t, ada)(n)
		headerDeclared(n)
		n.review.PullRequests, n.review.Pusher = nil, by
	}
}

// authorless is a pull request of which nobody says whose it is.
func authorless(n *night) { n.review.PullRequests[0].Author = provenance.Person{} }

// lies says where the train folder lies.
func lies(uri string) func(*night) {
	return func(n *night) { n.data[0].URI = uri }
}

// newestAt says when the newest file of the train folder was written.
func newestAt(when time.Time) func(*night) {
	return func(n *night) { n.data[0].Newest = when }
}

// ran adds the source of what the Databricks run executed, and how it compares with the commit.
func ran(t testing.TB, equal string) func(*night) {
	return func(n *night) {
		n.databricks.Notebook = "/Repos/mortgage/train"
		n.notebooks = []provenance.Notebook{{Grounds: provenance.Grounds{Basis: provenance.Observed}, Path: "/Repos/mortgage/train", Host: n.databricks.Host, How: "task train",
			Language: "python", File: "train.py", Digest: provenance.SumSHA256([]byte("source")), Equal: equal, Text: stored(t, "train.py", "c")}}
		n.databricks.Tasks = []provenance.TaskRun{{Key: "train", RunID: "81463", Result: "SUCCESS", Kind: "notebook_task", Runs: "/Repos/mortgage/train"}}
	}
}

// TestNothingFoundAndSomethingUnreadableIsUndecided: of every expectation, when the statement that it is about could not be read.
func TestNothingFoundAndSomethingUnreadableIsUndecided(t *testing.T) {
	for _, rules := range []string{`source: {clean: true}`, `data: {roles: [train]}`, `databricks: {result: SUCCESS}`, `metrics: {values: {auc: "> 0"}}`, `model: {inImage: true}`,
		`checks: {modelInImage: required}`, `approvals: {review: 1}`, `maxAge: 1h`, `signature: {timestamp: true}`, `recheck: listing`, `deny: {commits: ["` + strings.Repeat("5", 40) + `"]}`,
		`builders: [{id: "` + builderID + `", keys: [cosign.pub]}]`} {
		s := newScene(t)
		s.policy = "version: 1\n" + rules
		s.in.Candidates = []Candidate{{Where: "oversize", Err: errors.New("more than 8 MiB")}}
		expect(t, s.decide(), Undecided, "attestations.unreadable")
	}
}

// TestADeniedKeySpeaksForNobody: its statements count for nothing, whoever else lists it.
func TestADeniedKeySpeaksForNobody(t *testing.T) {
	s := newScene(t)
	s.policy = "version: 1\nbuilders: [{id: \"" + builderID + "\", keys: [cosign.pub]}]\ndeny: {keys: [{value: \"" + s.builder.verifier.Fingerprint() + "\", because: stolen in May}]}"
	s.attach(s.night)
	r := s.decide()
	expect(t, r, Refused, "deny.key")
	if !strings.Contains(r.Findings[0].Detail, "stolen in May") || r.Attestation != nil {
		t.Errorf("%+v, attestation %v", r.Findings[0], r.Attestation)
	}
}

// TestWarningsSayWhatWouldRefuse: what a policy only warns of is told, with its code, and changes nothing.
func TestWarningsSayWhatWouldRefuse(t *testing.T) {
	s := newScene(t)
	s.policy = "version: 1\nsource: {branches: [other], from: 2027-01-01}"
	s.attach(s.night)
	r := s.decide()
	expect(t, r, Accepted)
	if got := codes(r.Warnings); !slices.Equal(got, []string{"source.branch"}) {
		t.Errorf("warnings %q", got)
	}
	var states []State
	for _, o := range r.Rules {
		states = append(states, o.State)
	}
	if want := []State{Warned, Holds}; !slices.Equal(states, want) {
		t.Errorf("states %q, want %q", states, want)
	}
}
