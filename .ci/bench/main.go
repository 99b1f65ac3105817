// Command bench prints the figures of the README: ratios against a peer, measured side by side in the same run, A B A B …, as
// medians. Registry and data are on this machine, so that the network does not count.
//
// usage: bench [SECTION…]    (default: all)
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// rounds is how often a pair of programs is measured; the first round is not counted.
const rounds = 11

func main() {
	if len(os.Args) > 2 && os.Args[1] == measureCommand {
		end(measure(os.Args[2:]))
	}
	dir, err := os.MkdirTemp("", "provenance-bench-")
	if err == nil {
		err = errors.Join(bench(dir, os.Args[1:]), os.RemoveAll(dir))
	}
	end(err)
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func bench(dir string, asked []string) error {
	program, err := filepath.Abs("bin/provenance")
	if err != nil {
		return err
	}
	cosign, err := tool("cosign-v3")
	if err != nil {
		return err
	}
	b := &bed{dir: dir, program: program, cosign: cosign}
	if err := b.prepare(); err != nil {
		return err
	}
	defer b.server.Close()
	fmt.Printf("%-46s %10s %10s %7s   %s\n", "", "ours", "peer", "ratio", "bound")
	for _, s := range b.sections() {
		if len(asked) > 0 && !slices.Contains(asked, s.name) {
			continue
		}
		if err := s.measure(); err != nil {
			return err
		}
	}
	return nil
}

// section is a part of the figures, by the name under which it can be asked for.
type section struct {
	name    string
	measure func() error
}

func (b *bed) sections() []section {
	return []section{{"verify", b.verify}, {"policy", b.policy}, {"record", b.record}, {"start", b.start}, {"size", b.size}, {"large", b.largeFiles}, {"small", b.smallFiles},
		{"double", b.double}, {"azurite", b.azurite}, {"million", b.million}, {"nights", b.nights}, {"services", b.services}}
}

// tool is the executable of somebody else's program, built by .ci/tools.
func tool(name string) (string, error) {
	out, err := exec.Command(".ci/tools/build.sh", name).Output()
	if err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), name), nil
}

// row prints one comparison. A peer of 0 means that there is none, and ours is held against the bound itself.
func row(what, unit string, ours, peer float64, bound string) {
	if peer == 0 {
		fmt.Printf("%-46s %7.1f %-2s %10s %7s   %s\n", what, ours, unit, "", "", bound)
		return
	}
	fmt.Printf("%-46s %7.1f %-2s %7.1f %-2s %7.2f   %s\n", what, ours, unit, peer, unit, ours/peer, bound)
}

// cost is what one run of a program took.
type cost struct {
	wall     time.Duration
	rss      float64 // MiB, at its peak
	requests int
}

// run runs a program to its end; a status other than 0 is an error.
func (b *bed) run(name string, args ...string) (cost, error) {
	self, err := os.Executable()
	if err != nil {
		return cost{}, err
	}
	cmd := exec.Command(self, append([]string{measureCommand, name}, args...)...)
	cmd.Dir = b.dir
	cmd.Env = append(append(os.Environ(), "COSIGN_PASSWORD=bench"), b.env...)
	var output strings.Builder
	var figures bytes.Buffer
	cmd.Stdout, cmd.Stderr = &figures, &output
	before := b.requests.Load()
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, output.String())
	}
	c := cost{requests: int(b.requests.Load() - before)}
	_, err = fmt.Fscan(&figures, &c.wall, &c.rss)
	return c, err
}

// measureCommand makes this program run another one, and print what that took. A process inherits the peak memory of the one
// that starts it, and the one with the servers is large.
const measureCommand = "measure"

func measure(args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return err
	}
	wall := time.Since(start)
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	_, err := fmt.Println(int64(wall), float64(usage.Maxrss)/1024)
	return err
}

// pair measures two things in turn.
func pair(rounds int, ours, peer func(round int) (cost, error)) (a, b cost, err error) {
	var as, bs []cost
	for round := range rounds {
		x, err := ours(round)
		if err != nil {
			return a, b, err
		}
		y, err := peer(round)
		if err != nil {
			return a, b, err
		}
		if round > 0 {
			as, bs = append(as, x), append(bs, y)
		}
	}
	return median(as), median(bs), nil
}

// median is the median of each figure by itself.
func median(costs []cost) cost {
	pick := func(figure func(cost) float64) float64 {
		var values []float64
		for _, c := range costs {
			values = append(values, figure(c))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return cost{
		time.Duration(pick(func(c cost) float64 { return float64(c.wall) })),
		pick(func(c cost) float64 { return c.rss }),
		int(pick(func(c cost) float64 { return float64(c.requests) })),
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
