package storage

import (
	"net"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// location is a parsed Azure URI. Its fields but sas hold nothing secret.
type location struct {
	uri       string // as asked, percent-encoded in one way, without query, user-info or default port
	service   string // the Blob endpoint: https://ACCOUNT.blob.core.windows.net, http://127.0.0.1:10000/ACCOUNT
	account   string
	container string
	path      string // in the container, percent-decoded; empty is the container itself
	sas       string // the query
	loopback  bool   // an emulator on this machine
}

const forms = "write a local path, abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH/, " +
	"https://ACCOUNT.blob.core.windows.net/CONTAINER/PATH/, or the same with wasbs:// or an emulator's http://127.0.0.1:PORT/ACCOUNT/CONTAINER/PATH/"

// scheme is the beginning of a URI; one letter is a drive of Windows.
var scheme = pattern.New(`^[A-Za-z][A-Za-z0-9+.-]+:/`)

func hasScheme(uri string) bool { return scheme().MatchString(uri) }

// The names of containers, wide enough for $web, and of accounts.
// Source: https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
var (
	containerName = pattern.New(`^(\$[a-z]+|[a-z0-9](-?[a-z0-9])+)$`)
	accountName   = pattern.New(`^[a-z0-9](-?[a-z0-9])*$`)
	dnsZone       = pattern.New(`^z[0-9]+$`)
)

// suffixes are the endpoints of a cloud: storage accounts are ACCOUNT.blob.SUFFIX.
func suffixes(cloud string) []string {
	switch strings.ToLower(cloud) {
	case "", "public":
		return []string{"core.windows.net", "storage.azure.net"}
	case "china":
		return []string{"core.chinacloudapi.cn"}
	case "usgovernment":
		return []string{"core.usgovcloudapi.net"}
	}
	return []string{strings.ToLower(strings.Trim(cloud, "."))}
}

// parseLocation reads one of Azure's forms.
func parseLocation(uri, cloud string) (location, error) {
	u, err := url.Parse(uri)
	if err != nil { // its text repeats the URI
		return location{}, provenance.Misuse("write a percent sign in a name as %25", "%s is not a valid URI", shown(uri))
	}
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), ":443")
	if u.RawFragment != "" || u.Fragment != "" {
		return location{}, provenance.Misuse("write # in a name as %23", "%s has a fragment", redact.URL(uri))
	}
	l := location{sas: u.RawQuery}
	if err := l.parsePlace(u, cloud); err != nil {
		return location{}, err
	}
	return l, l.check(redact.URL(uri))
}

// parsePlace reads scheme, host and path.
func (l *location) parsePlace(u *url.URL, cloud string) error {
	path := strings.TrimPrefix(u.Path, "/")
	clean := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	var err error
	switch u.Scheme {
	case "abfss", "wasbs":
		if _, hasPassword := u.User.Password(); u.User == nil || hasPassword {
			return provenance.Misuse(forms, "%s names no container", redact.URL(u.String()))
		}
		l.container, l.path = u.User.Username(), path
		clean.User = url.User(l.container)
		l.account, l.service, err = endpoint(u, cloud)
	case "https", "http":
		if u.User != nil {
			return provenance.Misuse("", "%s has a user name in it", redact.URL(u.String()))
		}
		if l.loopback = isLoopback(u.Hostname()); l.loopback {
			l.account, path, _ = strings.Cut(path, "/")
			l.service = u.Scheme + "://" + u.Host + "/" + l.account
		} else {
			l.account, l.service, err = endpoint(u, cloud)
		}
		l.container, l.path, _ = strings.Cut(path, "/")
		if l.path == "" {
			clean.Path = strings.TrimSuffix(u.Path, "/") + "/"
		}
	default:
		return provenance.Misuse(schemeHint(u.Scheme), "%s is no place that this program can read", shown(u.String()))
	}
	if l.path == "" && clean.Path == "" {
		clean.Path = "/"
	}
	l.uri = clean.String()
	return err
}

// shown is a URI for an error: without query, or what else could be a secret in one that cannot be understood.
func shown(uri string) string {
	clean, _ := withoutQuery(redact.URL(uri))
	return clean
}

func schemeHint(scheme string) string {
	switch scheme {
	case "abfs", "wasb":
		return "write " + scheme + "s://"
	case "dbfs", "file":
		return "name the storage behind it: " + forms
	}
	return forms
}

// endpoint is the account and the Blob endpoint of a host, which has to lie in the cloud: an identity's token goes nowhere
// else.
func endpoint(u *url.URL, cloud string) (account, service string, err error) {
	known := suffixes(cloud)
	if u.Scheme == "http" || u.Port() != "" {
		return "", "", provenance.Misuse("", "%s: plain http and other ports are for an emulator on this machine", redact.URL(u.String()))
	}
	for _, suffix := range known {
		for _, kind := range []string{".blob.", ".dfs."} {
			labels, found := strings.CutSuffix(u.Hostname(), kind+suffix)
			account, zone, hasZone := strings.Cut(labels, ".")
			if found && accountName().MatchString(account) && (!hasZone || dnsZone().MatchString(zone)) {
				return account, "https://" + labels + ".blob." + suffix, nil
			}
		}
	}
	return "", "", provenance.Misuse("for a sovereign cloud, set the cloud to china, usgovernment or the endpoint's suffix",
		"%s is not a storage account under %s", u.Hostname(), strings.Join(known, " or "))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// check refuses names that Azure cannot have, and that would let a URI look as if it lay in another folder.
func (l *location) check(uri string) error {
	uri = shown(uri)
	switch {
	case l.account == "" || !accountName().MatchString(l.account):
		return provenance.Misuse(forms, "%s names no storage account", uri)
	case !containerName().MatchString(l.container):
		return provenance.Misuse("a container's name has 3 to 63 letters, digits and hyphens, all in lower case; "+forms, "%s names no container", uri)
	case !utf8.ValidString(l.path):
		return provenance.Misuse("percent-encode the bytes of UTF-8", "the path of %s is not UTF-8", uri)
	}
	for segment := range strings.SplitSeq(l.path, "/") {
		if segment == "." || segment == ".." {
			return provenance.Misuse("", "the path of %s has a %q in it", uri, segment)
		}
	}
	return checkQuery(uri, l.sas)
}

// notSAS are query parameters that mean something else to Azure or to people than a shared access signature does.
var notSAS = map[string]bool{"deltaversion": true, "versionid": true, "snapshot": true, "comp": true, "restype": true, "timeout": true}

// checkQuery accepts no query, or a shared access signature.
// Source: https://learn.microsoft.com/rest/api/storageservices/create-service-sas
func checkQuery(uri, query string) error {
	if query == "" {
		return nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return provenance.Misuse("copy the SAS as it is, percent-encoded", "the query of %s cannot be read", uri)
	}
	for name := range values {
		if notSAS[strings.ToLower(name)] {
			return provenance.Misuse("", "the query parameter %s of %s is not supported", name, uri)
		}
	}
	if values.Get("sig") == "" {
		return provenance.Misuse("the only query that a URI may have is a SAS; write ? in a name as %3F", "the query of %s is no SAS", uri)
	}
	return nil
}
