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
