package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// rulesOfBench are fifty rules of five kinds, each with a number of its own, so that none is compiled twice.
func rulesOfBench() string {
	var b strings.Builder
	b.WriteString("version: 1\nrules:\n")
	kinds := []string{
		`record.data.all(f, f.files > %d - 100)`,
		`record.commit.ref.startsWith("refs/heads/") && size(record.commit.subject) > %d - 100`,
		`!has(record.model) || record.model.files >= 0 - %d`,
		`record.checks.all(c, c.value == "true" || c.value == "unknown") && %d >= 0`,
		`size(record.image.platforms) > 0 && !(record.pipeline.reason == "%d")`,
	}
	for i := range 50 {
		fmt.Fprintf(&b, "  - {name: r%d, expression: '%s', message: m}\n", i, fmt.Sprintf(kinds[i%len(kinds)], i))
	}
	return b.String()
}

// policy compares verify by a policy of fifty rules with verify by none.
func (b *bed) policy() error {
	ref, err := b.image("policy")
	if err != nil {
		return err
	}
	if _, err := b.recordImage(ref); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, "rules.yaml"), []byte(rulesOfBench()), 0o644); err != nil {
		return err
	}
	ours, peer, err := pair(2*rounds,
		func(int) (cost, error) {
			return b.run(b.program, "verify", ref, "--key", "cosign.pub", "--policy", "rules.yaml")
		},
		func(int) (cost, error) { return b.run(b.program, "verify", ref, "--key", "cosign.pub") })
	if err != nil {
		return err
	}
	row("verify by 50 rules (peer: by no policy)", "ms", milliseconds(ours.wall), milliseconds(peer.wall), "at most 10 ms more")
	row("verify by 50 rules, peak memory", "Mi", ours.rss, peer.rss, "<= 64 MiB")
	return nil
}
