package main

import (
	"fmt"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/report"
)

// progressEvery is how often a pipeline's log is told how far the folders are.
const progressEvery = 30 * time.Second

// progress tells people how far the folders of a job are: a bar on a terminal, else a line every 30 seconds. It writes no
// foreign text.
type progress struct {
	mu      sync.Mutex
	folders map[string]folder.Progress
	started time.Time
	bar     *progressbar.ProgressBar // nil: lines
	end     chan struct{}
	ended   sync.WaitGroup
}

// newProgress starts to tell; stop ends it. terminal is where a bar can be drawn, or nil.
func newProgress(terminal *os.File, every time.Duration, say func(string, ...any)) *progress {
	p := &progress{folders: map[string]folder.Progress{}, started: time.Now(), end: make(chan struct{})}
	if terminal != nil {
		p.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(terminal), progressbar.OptionShowBytes(true), progressbar.OptionShowCount(),
			progressbar.OptionUseIECUnits(true), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
		return p
	}
	p.ended.Go(func() { p.tell(every, say) })
	return p
}

// tell says a line from time to time, also when nothing moves.
func (p *progress) tell(every time.Duration, say func(string, ...any)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-p.end:
			return
		case <-ticker.C:
			if line := p.line(); line != "" {
				say("%s", line)
			}
		}
	}
}

// stop ends the lines, or takes the bar away.
func (p *progress) stop() {
	close(p.end)
	p.ended.Wait()
	if p.bar != nil {
		_ = p.bar.Clear() // a terminal that is gone needs no clearing
	}
}

// of is how the folder called name reports.
func (p *progress) of(name string) func(folder.Progress) {
	return func(now folder.Progress) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.folders[name] = now
		if p.bar != nil {
			p.draw()
		}
	}
}

// sum is all folders together. Listed means that all of them are listed, so that the total is known.
func (p *progress) sum() folder.Progress {
	total := folder.Progress{Listed: true}
	for f := range maps.Values(p.folders) {
		total.Files += f.Files
		total.Bytes += f.Bytes
		total.ListedFiles += f.ListedFiles
		total.ListedBytes += f.ListedBytes
		total.Listed = total.Listed && f.Listed
	}
	return total
}

func (p *progress) draw() {
	s := p.sum()
	p.bar.ChangeMax64(max(s.ListedBytes, 1))
	p.bar.Describe(fmt.Sprintf("%d of %s files", s.Files, atLeast(s.Listed, fmt.Sprint(s.ListedFiles))))
	_ = p.bar.Set64(min(s.Bytes, s.ListedBytes)) // a terminal that is gone needs no bar
}

// line is how far it is, for a log; empty before anything was listed.
func (p *progress) line() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sum()
	if s.ListedFiles == 0 {
		return ""
	}
	rate := float64(s.Bytes) / time.Since(p.started).Seconds()
	text := fmt.Sprintf("%d of %s files, %s of %s hashed, %s/s", s.Files, atLeast(s.Listed, fmt.Sprint(s.ListedFiles)),
		report.Size(s.Bytes), atLeast(s.Listed, report.Size(s.ListedBytes)), report.Size(int64(rate)))
	if left := float64(s.ListedBytes - s.Bytes); s.Listed && rate > 0 {
		text += fmt.Sprintf(", about %v left", time.Duration(left/rate*float64(time.Second)).Round(time.Second))
	}
	return text
}

// atLeast marks a number that is still growing.
func atLeast(known bool, number string) string {
	if known {
		return number
	}
	return "at least " + number
}
