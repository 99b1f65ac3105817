// Package redact keeps secrets out of everything that is written: statements, stored answers, logs, errors.
//
// It works at three places. URL and IsSecret drop what is known to be secret by its place, before anything is built.
// Text masks what looks like a secret in text that somebody else wrote. Find is the last look at finished bytes, and names
// what it sees without repeating it.
package redact

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// Removed stands where a secret was.
const Removed = "[removed]"

// URL drops user-info, query and fragment from a URL. Text that is no URL (a path, git's host:path form) loses a password
// in front of an @, and is otherwise left alone.
func URL(s string) string {
	u, err := url.Parse(s)
	if err == nil && u.Scheme != "" && u.Host != "" {
		u.User = container(u)
		u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
		return u.String()
	}
	if strings.Contains(s, "://") { // a URL that cannot be parsed: nothing of it can be trusted to be clean
		scheme, rest, _ := strings.Cut(s, "://")
		rest, _, _ = strings.Cut(rest, "?")
		if at := strings.LastIndex(rest, "@"); at >= 0 {
			rest = rest[at+1:]
		}
		return scheme + "://" + rest
	}
	if user, rest, found := strings.Cut(s, "@"); found && strings.Contains(user, ":") && !strings.Contains(user, "/") {
		return rest
	}
	return s
}

// container is what stands before the @ in Azure's own schemes: the name of a container, not of a user.
// Source: https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-introduction-abfs-uri
func container(u *url.URL) *url.Userinfo {
	switch u.Scheme {
	case "abfs", "abfss", "wasb", "wasbs":
		if name := u.User.Username(); name != "" {
			return url.User(name)
		}
	}
	return nil
}

// look is that of one kind of secret. The last group of its form is the secret itself; one before it is its name.
type look struct {
	kind string
	form func() *regexp.Regexp
	not  ordinary // nil: whatever has the form is one
}

// The looks of the secrets that Azure, Databricks and git hosting hand out. They are narrow enough to leave digests,
// identifiers and prose alone.
var looks = []look{
	{"private key", pattern.New(`(?s)(-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*-----|\z))`), nil},
	{"SAS signature", pattern.New(`(?i)(?:\b|%3f|%26)(?:url)?sig(?:nature)?(?:=|%3d)([A-Za-z0-9%/+_-]{16,}=*)`), isCode},
	{"storage account key", pattern.New(`(?i)(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{20,}=*)`), nil},
	{"storage account key", pattern.New(`(?:^|[^A-Za-z0-9+/])([A-Za-z0-9+/]{86}==)`), isChecksum},
	{"bearer token", pattern.New(`(?i)\b(?:bearer|basic)[ +]+([A-Za-z0-9._~+/-]{16,}=*)`), isProse},
	{"JSON web token", pattern.New(`\b(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?)`), nil},
	{"Databricks token", pattern.New(`\b(dapi[0-9a-f]{32}(?:-\d)?)\b`), nil},
	{"Azure DevOps token", pattern.New(`\b([A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4})\b`), nil},
	{"Azure DevOps token", pattern.New(`\b([a-z2-7]{52})\b`), nil},
	{"Entra client secret", pattern.New(`(?:^|[^A-Za-z0-9_~.-])([A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34})`), nil},
	{"GitHub token", pattern.New(`\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})`), nil},
	{"AWS access key", pattern.New(`\b((?:AKIA|ASIA)[0-9A-Z]{16})\b`), nil},
	{"password in a URL", pattern.New(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@"']*:([^\s/@"']+)@`), isTag},
	{"password", pattern.New(`(?i)(;?[\w.-]*(?:password|passwd|pwd|client_secret))\s*=\s*([^\s"'&;,]{4,})`), isNoPassword},
}

// Text masks what looks like a secret.
func Text(s string) string {
	for _, p := range looks {
		s = p.mask(s)
	}
	return s
}

// secrets are where the secrets of this look stand: the last group of each match.
func (p look) secrets(s string) (all [][2]int) {
	for _, m := range p.form().FindAllStringSubmatchIndex(s, -1) {
		from, to := m[len(m)-2], m[len(m)-1]
		isPath := len(m) > 4 && isFolder(s[m[2]:m[3]], s[from:to]) // the working folder, PWD
		if s[from:to] != Removed && !isPath && (p.not == nil || !p.not(s[:from], s[from:to], s[to:])) {
			all = append(all, [2]int{from, to})
		}
	}
	return all
}

// mask replaces them.
func (p look) mask(s string) string {
	var out strings.Builder
	last := 0
	for _, at := range p.secrets(s) {
		out.WriteString(s[last:at[0]] + Removed)
		last = at[1]
	}
	return out.String() + s[last:]
}

// minKnown is the length below which a known secret is not searched for: shorter ones would match by chance.
const minKnown = 8

// Known takes the values of secrets out that this process itself was given, but for those that are too short. One that begins with ? is
// the query of a signed URL: it is looked for however short it is, as a query.
func Known(s string, known ...string) string {
	for _, secret := range known {
		switch query, isQuery := strings.CutPrefix(secret, "?"); {
		case len(secret) >= minKnown:
			s = strings.ReplaceAll(s, secret, Removed)
		case isQuery && query != "":
			s = withoutQuery(s, secret)
		}
	}
	return s
}

// withoutQuery takes a short query out of a text, where it is not the beginning of a longer value.
func withoutQuery(s, query string) string {
	var out strings.Builder
	for {
		at := strings.Index(s, query)
		if at < 0 {
			return out.String() + s
		}
		end := at + len(query)
		if end < len(s) && (isWord(rune(s[end])) || strings.IndexByte("%_~-", s[end]) >= 0) {
			out.WriteString(s[:end])
		} else {
			out.WriteString(s[:at] + "?" + Removed)
		}
		s = s[end:]
	}
}

// Find names the kinds of secrets that data holds, without repeating them; nil means none. known are the values of secrets
// that this process itself was given: they are searched for literally, and as JSON and URLs would write them.
func Find(data []byte, known ...string) []string {
	text := string(data) + "\n" + unescape.Replace(string(data))
	var kinds []string
	add := func(kind string) {
		if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
	}
	for _, p := range looks {
		if p.secrets(text) != nil {
			add(p.kind)
		}
	}
	for _, secret := range known {
		for _, form := range forms(secret) {
			if strings.Contains(text, form) {
				add("a secret of this process")
			}
		}
	}
	return kinds
}

// unescape undoes what JSON does to the characters around a secret, so that its look is recognised.
var unescape = strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">", `\"`, `"`, `\/`, "/", `\n`, "\n", `\r`, "\r", `\t`, "\t")

// forms are the ways in which a known secret may be written.
func forms(secret string) []string {
	if len(secret) < minKnown {
		return nil
	}
	quoted, _ := json.Marshal(secret) // a string always marshals
	return []string{secret, strings.Trim(string(quoted), `"`), url.QueryEscape(secret), url.PathEscape(secret)}
}
