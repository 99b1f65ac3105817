package provenance

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
)

// Place is where a folder lies, in a form in which "within" can be decided: whole segments, decoded once.
type Place struct {
	place    string   // scheme and host; "/" or "C:/" for local paths
	segments []string // of the path
}

// azureHost matches a storage account's host, either endpoint, in any cloud. An account in a DNS zone has the zone's name behind its own.
// Source: https://learn.microsoft.com/azure/storage/common/storage-account-overview#azure-dns-zone-endpoints-preview
var azureHost = pattern.New(`^([a-z0-9]{3,24}(?:\.z[0-9]+)?)\.(?:blob|dfs)\.(.+)$`)

// Errors of ParsePlace read on from the text that they are about: "the root … has a query".
var (
	errQuery  = errors.New("has a query, a fragment or a user's name")
	errDots   = errors.New("has a segment that is empty, `.` or `..`, or that hides a slash")
	errNotURL = errors.New("is neither a URL nor an absolute path")
)

// ParsePlace reads an absolute local path, or a URL. The forms that Azure has for one container are one place:
// abfss://CONTAINER@ACCOUNT.dfs.…, wasbs://CONTAINER@ACCOUNT.blob.… and https://ACCOUNT.(blob|dfs).…/CONTAINER.
func ParsePlace(uri string) (Place, error) {
	if !strings.Contains(uri, "://") {
		return localPlace(uri)
	}
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return Place{}, errNotURL
	}
	segments, err := segmentsOf(u.EscapedPath(), url.PathUnescape)
	if err != nil {
		return Place{}, err
	}
	return azurePlace(u, segments)
}

// azurePlace writes the place of a URL in one form. http:// stays what it is: it is never as good as https://.
func azurePlace(u *url.URL, segments []string) (Place, error) {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if scheme == "https" || scheme == "abfss" || scheme == "wasbs" {
		host = strings.TrimSuffix(host, ":443") // some services write the default port
	}
	container := ""
	if u.User != nil && (scheme == "abfss" || scheme == "wasbs") {
		container = u.User.Username()
		if _, password := u.User.Password(); password || container == "" {
			return Place{}, errQuery
		}
	} else if u.User != nil {
		return Place{}, errQuery
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Place{}, errQuery
	}
	if m := azureHost().FindStringSubmatch(host); m != nil && (container != "" || scheme == "https") {
		scheme, host = "https", m[1]+".blob."+m[2]
	}
	if container != "" {
		segments = append([]string{container}, segments...)
	}
	return Place{scheme + "://" + host, segments}, nil
}

// localPath matches an absolute path, with a drive's letter on Windows.
var localPath = pattern.New(`(?s)^((?:[A-Za-z]:)?/)(.*)$`)

// localPlace reads a path. Statements have absolute ones only.
func localPlace(p string) (Place, error) {
	m := localPath().FindStringSubmatch(p)
	if m == nil {
		return Place{}, errNotURL
	}
	segments, err := segmentsOf(m[2], func(s string) (string, error) { return s, nil })
	return Place{m[1], segments}, err
}

// segmentsOf cuts a path into segments. One slash at either end does not count; what could climb out is an error.
func segmentsOf(p string, decode func(string) (string, error)) ([]string, error) {
	p = strings.TrimSuffix(strings.TrimPrefix(p, "/"), "/")
	if p == "" {
		return nil, nil
	}
	segments := strings.Split(p, "/")
	for i, s := range segments {
		decoded, err := decode(s)
		if err != nil {
			return nil, errNotURL
		}
		if decoded == "" || decoded == "." || decoded == ".." || strings.ContainsAny(decoded, "/\\\x00") {
			return nil, errDots
		}
		segments[i] = decoded
	}
	return segments, nil
}

// Within tells whether l is root, or lies below it.
func (l Place) Within(root Place) bool {
	return l.place == root.place && len(l.segments) >= len(root.segments) &&
		slices.Equal(l.segments[:len(root.segments)], root.segments)
}

// Within tells whether uri is one of roots, or lies below one. Whatever cannot be read lies nowhere.
func Within(uri string, roots []string) bool {
	l, err := ParsePlace(uri)
	return err == nil && slices.ContainsFunc(roots, func(root string) bool {
		r, err := ParsePlace(root)
		return err == nil && l.Within(r)
	})
}
