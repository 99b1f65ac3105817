// Package pattern compiles regular expressions when they are first used: a command uses few of them, and all together they
// would take a quarter of the time in which it starts.
package pattern

import (
	"regexp"
	"sync"
)

// New gives a regular expression, https://github.com/google/re2/wiki/Syntax, that is compiled at the first call. That call
// panics if it is not valid, so that each has to be reached by a test.
func New(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
