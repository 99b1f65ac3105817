package verify

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// location is where a folder lies, in a form in which "within" can be decided: whole segments, decoded once.
type location struct {
	place    string   // scheme and host; "/" or "C:/" for local paths
	segments []string // of the path
}

// azureHost matches a storage account's host, either endpoint, in any cloud.
var azureHost = regexp.MustCompile(`^([a-z0-9]{3,24})\.(?:blob|dfs)\.(.+)$`)

// Errors of parseLocation read on from the text that they are about: "the root … has a query".
var (
	errQuery  = errors.New("has a query, a fragment or a user's name")
	errDots   = errors.New("has a segment that is empty, `.` or `..`, or that hides a slash")
	errNotURL = errors.New("is neither a URL nor an absolute path")
)

// parseLocation reads an absolute local path, or a URL. The forms that Azure has for one container are one place:
// abfss://CONTAINER@ACCOUNT.dfs.…, wasbs://CONTAINER@ACCOUNT.blob.… and https://ACCOUNT.(blob|dfs).…/CONTAINER.
func parseLocation(uri string) (location, error) {
	if !strings.Contains(uri, "://") {
		return localLocation(uri)
	}
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return location{}, errNotURL
	}
	segments, err := split(u.EscapedPath(), url.PathUnescape)
	if err != nil {
		return location{}, err
	}
	return azureLocation(u, segments)
}

// azureLocation writes the place of a URL in one form. http:// stays what it is: it is never as good as https://.
func azureLocation(u *url.URL, segments []string) (location, error) {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	container := ""
	if u.User != nil && (scheme == "abfss" || scheme == "wasbs") {
		container = u.User.Username()
		if _, password := u.User.Password(); password || container == "" {
			return location{}, errQuery
		}
	} else if u.User != nil {
		return location{}, errQuery
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return location{}, errQuery
	}
	if m := azureHost.FindStringSubmatch(host); m != nil && (container != "" || scheme == "https") {
		scheme, host = "https", m[1]+".blob."+m[2]
	}
	if container != "" {
		segments = append([]string{container}, segments...)
	}
	return location{scheme + "://" + host, segments}, nil
}

// localPath matches an absolute path, with a drive's letter on Windows.
var localPath = regexp.MustCompile(`(?s)^((?:[A-Za-z]:)?/)(.*)$`)

// localLocation reads a path. Statements have absolute ones only.
func localLocation(p string) (location, error) {
	m := localPath.FindStringSubmatch(p)
	if m == nil {
		return location{}, errNotURL
	}
	segments, err := split(m[2], func(s string) (string, error) { return s, nil })
	return location{m[1], segments}, err
}

// split cuts a path into segments. One slash at either end does not count; what could climb out is an error.
func split(p string, decode func(string) (string, error)) ([]string, error) {
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

// within tells whether l is root, or lies below it.
func (l location) within(root location) bool {
	return l.place == root.place && len(l.segments) >= len(root.segments) &&
		slices.Equal(l.segments[:len(root.segments)], root.segments)
}

// within tells whether uri is one of roots, or lies below one. Whatever cannot be read lies nowhere.
func within(uri string, roots []string) bool {
	l, err := parseLocation(uri)
	return err == nil && slices.ContainsFunc(roots, func(root string) bool {
		r, err := parseLocation(root)
		return err == nil && l.within(r)
	})
}
