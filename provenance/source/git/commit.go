package git

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// commitObject is a commit as it is written in the repository.
// Source: https://git-scm.com/docs/gitformat-signature and https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
type commitObject struct {
	tree      string
	parents   []string
	author    signature
	committer signature
	signed    bool // it has a signature, which is not verified
	subject   string
}

// signature is who and when, as the header says.
type signature struct {
	person provenance.Person
	when   time.Time // zero if it cannot be told
}

// parseCommit reads a commit object. Names and times may be as odd as they come; the tree and parents may not.
func parseCommit(data []byte) (commitObject, error) {
	var c commitObject
	headers, message, _ := bytes.Cut(data, []byte("\n\n"))
	for line := range strings.Lines(string(headers) + "\n") {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if err := c.addHeader(key, value); err != nil {
			return c, err
		}
	}
	if c.tree == "" {
		return c, errors.New("the commit names no tree")
	}
	c.subject = subject(message)
	return c, nil
}

// addHeader takes one header line. Continuation lines begin with a space, so their key is empty.
func (c *commitObject) addHeader(key, value string) error {
	switch key {
	case "tree":
		if c.tree != "" {
			return errors.New("the commit names two trees")
		}
		c.tree = value
		return checkObjectName(value)
	case "parent":
		c.parents = append(c.parents, value)
		return checkObjectName(value)
	case "author":
		c.author = parseSignature(value)
	case "committer":
		c.committer = parseSignature(value)
	case "gpgsig", "gpgsig-sha256":
		c.signed = true
	}
	return nil
}

func checkObjectName(s string) error {
	if _, err := provenance.NewDigest(provenance.GitCommit, s); err != nil {
		return fmt.Errorf("the commit is malformed: %q is not an object's name", foreign.Plain(s))
	}
	return nil
}

// subject is the first line of the message that is not empty.
func subject(message []byte) string {
	for line := range bytes.Lines(message) {
		if s := foreign.Plain(string(line)); s != "" {
			return s
		}
	}
	return ""
}

// parseSignature reads "Name <address> 1700000000 +0100". The zone is left out: times are recorded in UTC.
func parseSignature(s string) signature {
	who, when := s, ""
	if i := strings.LastIndex(s, ">"); i >= 0 {
		who, when = s[:i], s[i+1:]
	}
	name, email, _ := strings.Cut(who, "<")
	return signature{provenance.Person{Name: foreign.Plain(name), Email: foreign.Plain(email)}, parseWhen(when)}
}

// parseWhen reads seconds since 1970. Years that RFC 3339 cannot write count as unknown.
func parseWhen(s string) time.Time {
	fields := strings.Fields(s)
	if len(fields) == 0 {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil || seconds < -62135596800 || seconds > 253402300799 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
