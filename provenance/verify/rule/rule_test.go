package rule

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// holds are the expressions of TestEval, and what they come to: "true", "false", or a part of the error.
var holds = []struct{ expression, want string }{
	// Types.
	{`record.commit.ref == "refs/heads/main"`, "true"},
	{`record.commit.dirty == false && !record.commit.detached`, "true"},
	{`record.data[0].bytes == 9007199254740993`, "true"},
	{`record.data[0].bytes == 9007199254740992`, "false"},
	{`record.data.size() == 2 && size(record.data[1].uri) > 10`, "true"},
	{`record.image.digest == image && image.startsWith("sha256:")`, "true"},
	{`record.image.repository == repository`, "true"},
	{`now - record.databricks.ended <= duration("10h")`, "true"},
	{`now - record.databricks.ended < duration("10h")`, "false"},
	{`record.commit.committed.getFullYear() == 2026 && record.commit.committed.getHours("+02:00") == 3`, "true"},
	{`record.mlflow.params.max_depth == "7" && record.mlflow.params["max_depth"] == "7"`, "true"},
	{`record.build.approvals[0].approver.name == "Grace Hopper"`, "true"},
	{`record.review.pullRequests[0].reviewers[0].email == "grace@contoso.com"`, "true"},
	{`record.commit.basisOf["author"] == "declared" && record.commit.basis == "observed"`, "true"},
	{`"pool" in record.pipeline.internal && record.pipeline.internal.map(k, k)[0] == "pool"`, "true"},
	{`signer.name == "nightly.pub" && !has(signer.identity)`, "true"},
	{`signedAt == timestamp("2026-11-23T03:00:00Z") && signedAt < now`, "true"},

	// Macros and functions.
	{`record.data.all(f, f.files > 0) && record.data.exists(f, f.role == "test")`, "true"},
	{`record.data.exists_one(f, f.role == "train")`, "true"},
	{`record.data.filter(f, f.role == "train").map(f, f.immutability) == ["locked"]`, "true"},
	{`metric(record, "auc") > 0.81 && metric(record, "auc") < 0.82`, "true"},
	{`metric(record, "auc") < 1 && record.data[0].files > 2.5`, "true"},
	{`check(record, "modelInImage") == "true"`, "true"},
	{`within(record.data[0].uri, ["abfss://mortgages@contoso.dfs.core.windows.net/"])`, "true"},
	{`within(record.data[0].uri, ["https://contoso.blob.core.windows.net/mortgages", "/tmp"])`, "true"},
	{`within(record.data[0].uri, ["https://contoso.blob.core.windows.net/mort"])`, "false"},
	{`record.commit.subject.lowerAscii() == "weight recent applications" && " a ".trim() == "a"`, "true"},
	{`record.commit.ref.split("/") == ["refs", "heads", "main"]`, "true"},
	{`record.databricks.clusters.all(c, c.sparkVersion.matches("^15[.]"))`, "true"},

	// Absence.
	{`has(record.model)`, "false"},
	{`has(record.model) && record.model.name == "x"`, "false"},
	{`record.model.name == "x"`, "record.model is not there"},
	{`record.model.name != "x"`, "record.model is not there"},
	{`!(record.model.name == "x")`, "record.model is not there"},
	{`record.model.name == "x" || true`, "true"}, // the other side decides
	{`has(record.model.name)`, "record.model is not there"},
	{`!has(record.model.name)`, "record.model is not there"},
	{`has(record.model) && has(record.model.name)`, "false"},
	{`record.data[1].newest < now`, "record.data[1].newest is not there"},
	{`record.data.all(f, f.newest < now)`, "record.data[1].newest is not there"},
	{`record.data.all(f, has(f.newest) && f.newest < now)`, "false"},
	{`has(record.commit.committer)`, "false"},
	{`record.commit.committer.id != record.commit.author.id`, "record.commit.committer is not there"},
	{`has(record.data[1].delta)`, "false"},
	{`record.image.base.digest == image`, "record.image.base is not there"},
	{`record.commit.tree == ""`, "record.commit.tree is not there"},
	{`record.mlflow.params.nothing == "7"`, "no such key: nothing"},
	{`record.mlflow.params.nothing != "7"`, "no such key: nothing"},
	{`has(record.mlflow.params.nothing)`, "false"},
	{`record.data[2].uri != ""`, "index out of bounds: 2"},
	{`record.commit.detached == false && record.commit.shallow == false && record.commit.ignoredCount == 0`, "true"},
	{`has(record.commit.detached)`, "false"},
	{`record.mlflow.name == "" && !has(record.mlflow.name)`, "true"},
	{`metric(record, "recall") > 0.5`, `there is no metric "recall"`},
	{`!(metric(record, "recall") < 0.5)`, `there is no metric "recall"`},
	{`metric(record, "twice") > 0.0`, `there are 2 of the metric "twice"`},
	{`!(metric(record, "loss") > 0.5)`, "no number"},
	{`check(record, "rolesDisjoint") == "true"`, `there is no check "rolesDisjoint"`},
	{`!within(record.commit.subject, ["/data"])`, "neither a URL nor an absolute path"},
	{`!within("/a", ["/data/../x"])`, "has a segment"},

	// Other attestations.
	{`attestations.scan.predicate.critical == 0 && attestations.scan.predicate.image == image`, "true"},
	{`attestations.scan.predicate.results.all(r, r.level in ["low", "medium"])`, "true"},
	{`attestations.scan.predicate.results.filter(r, r.level == "low").size() == 1`, "true"},
	{`attestations.scan.predicate.results.map(r, string(r.id)) == ["CVE-1", "CVE-2"]`, "true"},
	{`attestations.scan.predicate.big == 9007199254740993`, "true"},
	{`attestations.scan.predicate.big == 9007199254740992`, "false"},
	{`attestations.scan.signer.name != signer.name && now - attestations.scan.signedAt < duration("24h")`, "true"},
	{`has(attestations.scan) && has(attestations.scan.predicate.critical) && !has(attestations.scan.predicate.high)`, "true"},
	{`attestations.scan.predicate.high == 0`, "no such key: high"},
	{`attestations["release-notes"].predicate == "text"`, "true"},
	{`now - attestations["release-notes"].signedAt < duration("24h")`, `attestations["release-notes"].signedAt is not there`},
	{`has(attestations.sbom)`, "false"},
	{`attestations.sbom.predicateType != "x"`, "no such key: sbom"},
	{`attestations.broken.predicate.a == 1`, "the predicate cannot be read"},
	{`bool(attestations.scan.predicate.results[0].id == "CVE-1")`, "true"},
	{`bool(attestations.scan.predicate.critical)`, "cannot be evaluated"},
	{`false || attestations.scan.predicate.critical`, "no such overload"},
	{`metric(record, attestations.scan.predicate.critical) > 0.0`, "no such overload"},
	{`within("/b", attestations.mixed.predicate.roots)`, "not text"},
	{`within("/b", attestations.scan.predicate.results)`, "no such overload"},
	{`attestations.mixed.predicate.huge > 1.0`, "too large"},
	{`attestations.mixed.predicate.small == 3 && attestations.mixed.predicate.nothing == null`, "true"},
	{`attestations.mixed.predicate["a b"].c == "d" && "small" in attestations.mixed.predicate && !("x" in attestations.mixed.predicate)`, "true"},
	{`attestations.mixed.predicate.map(k, string(k)) == ["a b", "huge", "nothing", "roots", "small"]`, "true"},
	{`attestations.mixed.predicate[1] == 1`, "no such key: 1"},
	{`1 in attestations.mixed.predicate`, "false"},
	{`attestations.mixed.predicate == attestations.mixed.predicate`, "too large"},
	{`attestations.scan.predicate == attestations.scan.predicate && attestations.scan.predicate != attestations.mixed.predicate`, "true"},
	{`record.pipeline.internal == record.pipeline.internal && record.pipeline.internal != record.mlflow.params`, "true"},
	{`attestations.scan.predicate == 1 || attestations.scan.predicate.results[0] == attestations.scan.predicate.results[1]`, "false"},
	{`attestations.two.predicate == 1`, "something follows"},
	{`type(record.commit) == type(record.commit)`, "true"},

	// What is left behind values of unknown type is never read unnoticed.
	{`(true ? record.mlflow : attestations.scan.predicate).status == "FINISHED"`, "cannot be evaluated"},
	{`[1].all(x, (true ? record.data : attestations.scan.predicate).all(f, f.role != ""))`, "cannot be evaluated"},
	{`attestations.scan.predicate == (true ? attestations.scan.predicate : record.mlflow)`, "true"},
	{`(true ? record.mlflow : attestations.scan.predicate) == attestations.scan.predicate`, "cannot be compared"},

	// Arithmetic.
	{`1 / record.commit.ignoredCount == 1`, "division by zero"},
	{`9223372036854775807 + record.data[0].files > 0`, "overflow"},
	{`int(record.commit.subject) == 1`, "cannot be evaluated"},
}

func TestEval(t *testing.T) {
	view := night().View()
	for _, c := range holds {
		out, err := compile(t, c.expression).Eval(t.Context(), view)
		switch {
		case err == nil && fmt.Sprint(out.Holds) != c.want:
			t.Errorf("%s: %v, want %s", c.expression, out.Holds, c.want)
		case err != nil && (out.Holds || c.want == "true" || c.want == "false" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %s", c.expression, err, c.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	deep := strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100)
	for _, c := range []struct{ expression, want string }{
		{``, "1:1: Syntax error"},
		{`record.commit.dirty ==`, "1:23: Syntax error"},
		{`record.comit.dirty`, "1:7: undefined field 'comit'"},
		{"record.commit.dirty == false &&\n  record.commit.detatched", "2:16: undefined field 'detatched'"},
		{`record.commit.dirty == "no"`, "1:21: found no matching overload for '_==_' applied to '(bool, string)'"},
		{`record.data.all(f, f.files > "3")`, "1:28: found no matching overload"},
		{`"é" == x`, "1:8: undeclared reference to 'x'"},
		{`record.commit.subject`, "1:14: a rule is true or false, and this is of type string"},
		{`attestations.scan.predicate.critical`, "1:28: a rule is true or false, and this is of unknown type"},
		{`attestations.scan.predicate.map(x, 1)`, "1:32: a rule is true or false, and this is of type list(int)"},
		{`dyn(record).commit.dirty`, "1:4: undeclared reference to 'dyn'"},
		{`a || b`, "1:1: undeclared reference to 'a'; 1:6: undeclared reference to 'b'"},
		{deep, "1:1: "},
		{"1" + strings.Repeat(" + 1", 100) + " == 101", "1:1: max recursion depth exceeded"},
		{`"` + strings.Repeat("x", MaxSize) + `" == ""`, "1:1: the expression is longer than 4096 bytes"},
		{"\"\xff\" == \"\"", "1:1: the expression is not UTF-8"},

		{`int("x") == 1`, "1:1: type conversion error"},
		{`record.data[0].files == 1.0`, "1:22: found no matching overload"},
		{`record["commit"].dirty`, "1:7: found no matching overload"},

		{`attestations.size() > 0`, "1:1: name the attestation"},
		{`attestations[image].predicateType == ""`, "1:1: name the attestation"},
		{`attestations.exists(a, a == "x")`, "1:1: name the attestation"},
		{`.attestations.size() > 0`, "name the attestation"},
		{`.matches(record.commit.subject, record.commit.ref)`, "write the pattern of matches() in quotes"},
		{`.check(record, repository) == "true"`, "write the name of the check in quotes"},
		{`.timestamp("x") > now`, "is no timestamp"},
		{`[1].all(record, record == 1)`, "1:8: record is a variable of every rule"},
		{`[1].all(attestations, attestations == 1)`, "attestations is a variable of every rule"},
		{`record.commit == record.commit`, "1:15: things of type Commit cannot be compared"},
		{`record.data[0] in record.data`, "1:16: things of type Folder cannot be compared"},
		{`record.data != record.data`, "1:13: things of type Folder cannot be compared"},
		{`Person{name: "x"}.name == "x"`, "an expression cannot make a Person"},
		{`record.commit.subject.matches(record.commit.ref)`, "1:44: write the pattern of matches() in quotes"},
		{`record.commit.subject.matches("(")`, "1:31: error parsing regexp: missing closing ): `(`"},
		{`matches(record.commit.subject, "((a{30}){30}){30}")`, "1:32: error parsing regexp"},
		{`record.commit.subject.matches("(.{30}){30}(.{30}){30}")`, "1:31: the pattern is too large"},
		{`now - duration("3 days") > signedAt`, `1:16: "3 days" is no duration`},
		{`now > timestamp("2026-13-01")`, `1:17: "2026-13-01" is no timestamp`},
		{`now.getHours("Europe/Berlin") > 3`, `1:14: a time zone is "UTC" or an offset`},
		{`now.getHours(repository) > 3`, `a time zone is "UTC" or an offset`},
		{`check(record, repository) == "true"`, "1:15: write the name of the check in quotes"},
		{`[[1], [2]].size() > 1`, "1:2: a list that an expression makes cannot hold a list or map"},
		{`record.data.map(f, [f.role]).size() > 1`, "1:20: a list that an expression makes cannot hold"},
		{`{"a": 1}.size() > 1`, "1:1: an expression cannot make a map"},
		{`attestations.scan.predicate.map(x, x.id).size() > 1`, "1:37: say what it is, with string()"},
		{`[attestations.scan.predicate].map(a, true ? [a] + [a] : a).size() > 0`, "say what it is, with string()"},
		{`metric(record.commit, "auc") > 0.1`, "1:7: found no matching overload for 'metric'"},
	} {
		rule, err := Compile(c.expression)
		var problems Problems
		if !errors.As(err, &problems) || rule != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.100s: %v, want %s", c.expression, err, c.want)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Text == "" {
				t.Errorf("%.100s: a problem without a place: %+v", c.expression, p)
			}
		}
	}
}

// TestLongExpressions: what is long is not deep.
func TestLongExpressions(t *testing.T) {
	for _, expression := range []string{
		strings.Repeat("record.commit.dirty || ", 150) + "true",
		"1" + strings.Repeat(" + 1", 50) + " == 51",
		`record.commit.ref in ["` + strings.Repeat(`x", "`, 500) + `refs/heads/main"]`,
		strings.Repeat("(", 20) + "true" + strings.Repeat(")", 20),
	} {
		if out, err := compile(t, expression).Eval(t.Context(), night().View()); err != nil || !out.Holds {
			t.Errorf("%.60s…: %v, %v", expression, out.Holds, err)
		}
	}
}

// TestProblemsAreFew: nobody reads a hundred problems.
func TestProblemsAreFew(t *testing.T) {
	_, err := Compile(strings.Repeat("nothing || ", 50) + "true")
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != maxProblems {
		t.Errorf("%d problems, want %d: %v", len(problems), maxProblems, err)
	}
}

// manyFolders is a record of a thousand folders.
func manyFolders() Facts {
	f := night()
	for i := range 1000 {
		f.Record.Data = append(f.Record.Data, provenance.Folder{Grounds: grounds(provenance.Observed, nil), Role: "train", URI: fmt.Sprintf("/lake/%d", i), Files: 1})
	}
	return f
}

func TestCostLimit(t *testing.T) {
	view := manyFolders().View()
	out, err := compile(t, `record.data.all(f, f.files > 0 && f.role in ["train", "test"] && size(f.uri) > 3)`).Eval(t.Context(), view)
	if err != nil || !out.Holds || !out.More || len(out.Inputs) != MaxInputs {
		t.Errorf("a thousand folders: %v, %v, %d inputs, more: %v", out.Holds, err, len(out.Inputs), out.More)
	}
	for _, expression := range []string{
		`record.data.all(f, record.data.all(g, record.data.all(h, h.files > 0)))`,
		`record.data.exists(f, record.data.exists(g, g.uri == f.uri && g.files > 5)) || true`,
		"[record.commit.subject]" + strings.Repeat(".map(x, x + x)", 40) + `.size() == 1`,
		"[record.commit.subject]" + strings.Repeat(".map(x, x + x)", 12) + `.all(x, record.data.all(f, size(x) > 0))`,
		"[record.commit.subject]" + strings.Repeat(".map(x, x + x)", 12) + `.all(x, record.data.all(f, x.lowerAscii() != ""))`,
	} {
		out, err := compile(t, expression).Eval(t.Context(), view)
		if err == nil || out.Holds || err.Error() != "the rule costs more than 250000 steps" {
			t.Errorf("%.100s: %v, %v", expression, out.Holds, err)
		}
	}
	out, err = compile(t, "[record.commit.subject]"+strings.Repeat(".map(x, x + x)", 14)+`.all(x, x.split("").size() > 0)`).Eval(t.Context(), view)
	if err == nil || out.Holds || !strings.Contains(err.Error(), "split() takes text of at most") {
		t.Errorf("split of long text: %v, %v", out.Holds, err)
	}
}

func TestCancelled(t *testing.T) {
	const loop = `record.data.all(f, record.data.all(g, g.files > 0))`
	rule, view := compile(t, loop), manyFolders().View()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if out, err := rule.Eval(ctx, view); !errors.Is(err, context.Canceled) || out.Holds {
		t.Errorf("cancelled before: %v, %v", out.Holds, err)
	}
	late := &lateContext{Context: t.Context(), looks: 3, done: make(chan struct{})}
	if out, err := rule.Eval(late, view); !errors.Is(err, context.DeadlineExceeded) || out.Holds {
		t.Errorf("cancelled while it runs: %v, %v", out.Holds, err)
	}
}

// lateContext is over when somebody has looked at it a few times.
type lateContext struct {
	context.Context
	mu    sync.Mutex
	looks int
	done  chan struct{}
}

func (c *lateContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.looks--; c.looks == 0 {
		close(c.done)
	}
	return c.done
}

func (c *lateContext) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func (c *lateContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func TestNoRun(t *testing.T) {
	out, err := compile(t, `!(metric(record, "auc") < 0.8)`).Eval(t.Context(), Facts{}.View())
	if err == nil || out.Holds || !strings.Contains(err.Error(), "record.mlflow is not there") {
		t.Errorf("a metric of no run: %v, %v", out.Holds, err)
	}
	for _, name := range []string{"image", "now", "signedAt"} {
		out, err := compile(t, fmt.Sprintf("string(%s) != ''", name)).Eval(t.Context(), Facts{}.View())
		if err == nil || out.Holds || !strings.HasPrefix(err.Error(), name+" is not there; ") {
			t.Errorf("%s of nothing: %v, %v", name, out.Holds, err)
		}
	}
}

// TestLongValues: people are not shown a whole book.
func TestLongValues(t *testing.T) {
	facts := night()
	facts.Record.Commit.Subject = strings.Repeat("é", 1000)
	facts.Record.Commit.Parents = slices.Repeat([]string{"parent"}, 100)
	out, err := compile(t, `record.commit.subject != "" && record.commit.parents.size() == 100`).Eval(t.Context(), facts.View())
	if err != nil || out.Inputs[0].Value != strings.Repeat("é", maxValue)+"…" || out.Inputs[1].Value != "100 items" {
		t.Errorf("%q, %v", out.Inputs, err)
	}
}

func TestAttestations(t *testing.T) {
	rule := compile(t, `has(attestations.sbom) && attestations["release-notes"].predicate == "" && attestations.scan.predicate.a == 1 && attestations.scan.predicate.b == 2`)
	if got := rule.Attestations(); !slices.Equal(got, []string{"release-notes", "sbom", "scan"}) {
		t.Errorf("attestations %q", got)
	}
	if got := compile(t, `.attestations.sbom.predicate == 1`).Attestations(); !slices.Equal(got, []string{"sbom"}) {
		t.Errorf("attestations %q", got)
	}
	if got := compile(t, `record.commit.dirty`).Attestations(); len(got) != 0 {
		t.Errorf("attestations %q where none is mentioned", got)
	}
}

func TestInputs(t *testing.T) {
	for _, c := range []struct {
		expression string
		want       []Input
	}{
		{`record.data.exists(f, f.role == "test") && has(record.model)`, []Input{{"record.data", "2 items", "signed"}, {"record.data[0].role", "train", "declared"},
			{"record.data[1].role", "test", "declared"}, {"record.model", "absent", ""}}},
		{`record.model.name == "x"`, []Input{{"record.model", "absent", ""}}},
		{`has(record.commit.author.id) && record.commit.author.id != record.build.approvals[0].approver.id`, []Input{
			{"record.commit.author.id", "ada-id", "declared"}, {"record.build.approvals", "1 item", "reported"}, {"record.build.approvals[0].approver.id", "grace-id", "reported"}}},
		{`metric(record, "auc") > 0.9 || check(record, "modelInImage") != "true"`, []Input{
			{"record.mlflow.metrics[0].value", "0.8123", "reported"}, {"record.checks[0].value", "true", "observed"}}},
		{`record.mlflow.params.max_depth == "7" && record.mlflow.params["a b"] == ""`, []Input{{"record.mlflow.params", "1 entry", "reported"},
			{"record.mlflow.params.max_depth", "7", "reported"}, {`record.mlflow.params["a b"]`, "absent", "reported"}}},
		{`signedAt < now && image == record.image.digest && signer.name == "x"`, []Input{{"signedAt", "2026-11-23T03:00:00Z", ""}, {"now", "2026-11-23T12:00:00Z", ""},
			{"image", provenance.SumSHA256([]byte("image")).String(), ""}, {"record.image.digest", provenance.SumSHA256([]byte("image")).String(), "observed"},
			{"signer.name", "nightly.pub", ""}}},
		{`attestations.scan.predicate.results.exists(r, r.level == "medium") && has(attestations.sbom)`, []Input{{"attestations.scan", "present", ""},
			{"attestations.scan.predicate.results", "2 items", ""}, {"attestations.scan.predicate.results[].level", "low", ""},
			{"attestations.scan.predicate.results[].level", "medium", ""}, {"attestations.sbom", "absent", ""}}},
		{`record.tool.version == "v1" || record.commit.parents == []`, []Input{{"record.tool.version", "v0.1.0", "declared"}, {"record.commit.parents", "0 items", "observed"}}},
	} {
		out, _ := compile(t, c.expression).Eval(t.Context(), night().View())
		if !reflect.DeepEqual(out.Inputs, c.want) || out.More {
			t.Errorf("%s\n got %q\nwant %q", c.expression, out.Inputs, c.want)
		}
	}
}

// TestTwice: several evaluations may share rules and facts, at once.
func TestTwice(t *testing.T) {
	rule, view := compile(t, `record.data.all(f, f.files > 0) && attestations.scan.predicate.critical == 0`), night().View()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			out, err := rule.Eval(t.Context(), view)
			if err != nil || !out.Holds || len(out.Inputs) != 5 {
				t.Errorf("%v, %v, %q", out.Holds, err, out.Inputs)
			}
		})
	}
	group.Wait()
}
