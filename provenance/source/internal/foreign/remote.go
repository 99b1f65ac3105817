package foreign

import (
	"net/url"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// RemoteURL is a remote's address without password and query. The user of ssh stays: it is part of the address.
func RemoteURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "ssh" && u.Scheme != "git+ssh" || u.User == nil {
		return Plain(redact.URL(s))
	}
	user := u.User.Username()
	if clean, err := url.Parse(redact.URL(s)); err == nil && user != "" {
		clean.User = url.User(user)
		return Plain(clean.String())
	}
	return Plain(redact.URL(s))
}

// OwnerAndName is how GitHub names a repository.
var OwnerAndName = pattern.New(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)

// fullCommitForm is the name of a commit, in SHA-1 or SHA-256.
var fullCommitForm = pattern.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// FullCommitID is a commit's full name in lower case.
func FullCommitID(s string) (string, error) {
	id := strings.ToLower(s)
	if !fullCommitForm().MatchString(id) {
		return "", provenance.Misuse("give all 40 digits of it", "%q is not a commit", Plain(s))
	}
	return id, nil
}

// MaxPulls bounds how many pull requests may have brought one commit.
const MaxPulls = 50
