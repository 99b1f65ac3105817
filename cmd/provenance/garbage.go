package main

import "runtime/debug"

// How much memory may be garbage before it is collected, in percent of what is in use. Commands that end at once wait for more of it;
// those that read data have little that lives for long, so that collecting twice as often as is usual costs nothing and saves memory.
// $GOGC, which the runtime reads itself, is respected.
const (
	collectLate  = 200
	collectOften = 50
)

// memoryGoal is where verify's garbage collector starts to work harder, in bytes: it keeps a gate that a hostile registry floods small.
const memoryGoal = 24 << 20

// collect says how often garbage is collected from now on, unless the environment does.
func (p process) collect(percent int) {
	if p.getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
