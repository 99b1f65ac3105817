package rule

import (
	"fmt"
	"testing"
)

// BenchmarkCompile compiles rules like those of a policy, each of which is another one.
func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := Compile(fmt.Sprintf(`record.data.filter(f, f.role == "train").all(f, within(f.uri, ["abfss://m%d@c.dfs.core.windows.net/"]))`, i)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEval looks through a thousand folders.
func BenchmarkEval(b *testing.B) {
	rule, facts := compile(b, `record.data.filter(f, f.role == "train").all(f, f.files > 0 && within(f.uri, ["/lake", "abfss://mortgages@contoso.dfs.core.windows.net/"]))`), manyFolders()
	view := facts.View()
	b.ReportAllocs()
	for b.Loop() {
		if out, err := rule.Eval(b.Context(), view); err != nil || !out.Holds {
			b.Fatal(out.Holds, err)
		}
	}
}

// BenchmarkWeaker looks at the basis of a thousand folders.
func BenchmarkWeaker(b *testing.B) {
	rule, facts := compile(b, `record.data.all(f, f.role == "train" && f.files > 0)`), manyFolders()
	b.ReportAllocs()
	for b.Loop() {
		rule.Weaker(facts.Record, "declared")
	}
}
