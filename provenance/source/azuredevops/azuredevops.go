// Package azuredevops asks Azure DevOps for the build, for the release, and how the commit came into its repository.
package azuredevops

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// Source asks Azure DevOps Services, or a server, what it knows of a build, of the commit in its own repository, and of a
// classic release. What the variables of the pipeline say can then be compared with it: see provenance.Build.
// Source: https://learn.microsoft.com/rest/api/azure/devops/ (version 7.1)
type Source struct {
	Collection string // https://dev.azure.com/ORGANISATION, https://ORGANISATION.visualstudio.com, or the URL of a server's collection
	Project    string // its name, as in SYSTEM_TEAMPROJECT; its id will do
	BuildID    string // decimal; empty: no build is asked for, which only a release may do
	// RepositoryProvider is BUILD_REPOSITORY_PROVIDER. The commit is asked for only where it is TfsGit; for GitHub see [GitHub].
	RepositoryProvider string
	RepositoryID       string    // id or name
	Commit             string    // in hex
	ReleaseID          string    // of a classic release; decimal; empty: none
	Token              ask.Token // the job's (SYSTEM_ACCESSTOKEN), one of Entra, or a personal access token
	PAT                bool      // Token gives a personal access token, which is sent in another way
	OIDC               *OIDCRequest
	Anonymous          bool // names and addresses of people are left out of what is stored and recorded
	Client             ask.Client
}

// OIDCRequest asks for the job's OIDC token, whose claims are recorded. It needs the job's own token.
type OIDCRequest struct {
	URI               string // SYSTEM_OIDCREQUESTURI
	ServiceConnection string // id of the service connection that the token is for; empty: none
}

// tfsGit is the provider of repositories of Azure DevOps itself.
const tfsGit = "TfsGit"

var errNoDevOpsToken = provenance.Misuse("map the job's token under env: as SYSTEM_ACCESSTOKEN: $(System.AccessToken), or put a personal access token into AZURE_DEVOPS_EXT_PAT",
	"there is no token for Azure DevOps")

// Collect returns provenance.Several of a provenance.Build, a provenance.Review and a provenance.Release, as far as they were
// asked for.
//
// A *provenance.Refused is returned for a build that failed or was cancelled (build.result) or is not there (build.missing); for a
// release that was abandoned or is a draft (release.result) or is not there (release.missing); for a commit that is not in the
// repository (review.missing); for an artifact whose files cannot be told apart (build.artifact); for a release of another build
// (release.build); and where the answers
// contradict each other, the configuration, or the claims of the job's token (pipeline.contradicted). A configuration that will
// not do is a *provenance.Misused. Every other error means that nobody could tell.
func (d Source) Collect(ctx context.Context) (provenance.Evidence, error) {
	site, err := d.site()
	if err != nil {
		return nil, err
	}
	var build *devopsBuild
	var review *provenance.Review
	var release *devopsRelease
	group, ctx := errgroup.WithContext(ctx)
	if site.buildID != "" {
		group.Go(func() (err error) { build, err = site.build(ctx); return err })
	}
	if site.commit != "" {
		group.Go(func() (err error) { review, err = site.review(ctx); return err })
	}
	if site.releaseID != "" {
		group.Go(func() (err error) { release, err = site.release(ctx); return err })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := site.agree(build, release); err != nil {
		return nil, err
	}
	return several(build, review, release), nil
}

// several are those that were asked for.
func several(build *devopsBuild, review *provenance.Review, release *devopsRelease) (all provenance.Several) {
	if build != nil {
		all = append(all, build.noun)
	}
	if review != nil {
		all = append(all, *review)
	}
	if release != nil {
		all = append(all, release.noun)
	}
	return all
}

// devopsSite is a configuration that will do.
type devopsSite struct {
	Source
	collection string // without a slash at its end
	identities string // where identities are asked for
	releases   string // where releases are
	buildID    string // these as decimals without zeros in front, empty where not asked for
	releaseID  string
	commit     string // in lower case; empty unless the repository is one of Azure DevOps
}

// site checks the configuration.
func (d Source) site() (s devopsSite, err error) {
	s = devopsSite{Source: d}
	if s.collection, s.identities, s.releases, err = hosts(d.Collection); err != nil {
		return s, err
	}
	if d.Token == nil {
		return s, errNoDevOpsToken
	}
	if d.Project == "" || strings.ContainsAny(d.Project, `/\?#%`) || strings.HasPrefix(d.Project, ".") || foreign.Plain(d.Project) != d.Project {
		return s, provenance.Misuse("it is SYSTEM_TEAMPROJECT", "%q is not the name of a project of Azure DevOps", foreign.Plain(d.Project))
	}
	if s.buildID, err = foreign.DecimalID("build", "BUILD_BUILDID", d.BuildID); err != nil {
		return s, err
	}
	if s.releaseID, err = foreign.DecimalID("release", "RELEASE_RELEASEID", d.ReleaseID); err != nil {
		return s, err
	}
	if s.buildID == "" && s.releaseID == "" {
		return s, provenance.Misuse("it is BUILD_BUILDID", "Azure DevOps is asked for neither a build nor a release")
	}
	if err = s.checkOIDC(); err != nil {
		return s, err
	}
	s.commit, err = d.ownCommit()
	return s, err
}

// checkOIDC tells whether the job's OIDC token can be asked for, and compared with something.
func (s devopsSite) checkOIDC() error {
	switch {
	case s.OIDC == nil:
		return nil
	case s.PAT:
		return provenance.Misuse("use the job's own token", "a personal access token cannot ask for the job's OIDC token")
	case s.buildID == "":
		return provenance.Misuse("give the build's id, too: it is BUILD_BUILDID", "the job's OIDC token is asked for, and no build to compare it with")
	}
	_, _, err := s.oidcPlace(s.OIDC.URI)
	return err
}

// ownCommit is the commit to ask for: none, unless its repository is one of Azure DevOps.
func (d Source) ownCommit() (string, error) {
	if !strings.EqualFold(d.RepositoryProvider, tfsGit) {
		return "", nil
	}
	if d.RepositoryID == "" || strings.ContainsAny(d.RepositoryID, `/\?#%`) || strings.HasPrefix(d.RepositoryID, ".") || foreign.Plain(d.RepositoryID) != d.RepositoryID {
		return "", provenance.Misuse("it is BUILD_REPOSITORY_ID", "%q is not the id of a repository of Azure DevOps", foreign.Plain(d.RepositoryID))
	}
	return foreign.FullCommitID(d.Commit)
}

// hosts are a collection's URL and those of its companions. These are fixed and documented, and made by rule: they get the
// same token.
// Source: https://learn.microsoft.com/azure/devops/organizations/security/allow-list-ip-url
func hosts(collection string) (self, identities, releases string, err error) {
	u, parseErr := url.Parse(collection)
	if parseErr != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.RawPath != "" || strings.Contains(u.Path, "..") {
		return "", "", "", badCollection(collection)
	}
	host, path := strings.ToLower(u.Host), strings.Trim(u.Path, "/")
	self = strings.ToLower(u.Scheme) + "://" + host
	if path != "" {
		self += "/" + path
	}
	organisation, isOld := strings.CutSuffix(host, ".visualstudio.com")
	switch {
	case host == "dev.azure.com" && (path == "" || strings.Contains(path, "/")):
		return "", "", "", badCollection(collection)
	case host == "dev.azure.com":
		return self, "https://vssps.dev.azure.com/" + path, "https://vsrm.dev.azure.com/" + path, nil
	case isOld && (strings.Contains(organisation, ".") || path != "" && !strings.EqualFold(path, "DefaultCollection")):
		return "", "", "", badCollection(collection)
	case isOld:
		return self, "https://" + organisation + ".vssps.visualstudio.com", "https://" + organisation + ".vsrm.visualstudio.com", nil
	}
	return self, self, self, nil
}

func badCollection(collection string) error {
	return provenance.Misuse("give it as https://dev.azure.com/ORGANISATION, without the project: it is SYSTEM_COLLECTIONURI",
		"%q is not the address of a collection of Azure DevOps", foreign.RemoteURL(collection))
}

// isCloud tells whether the collection is one of Azure DevOps Services.
func (s devopsSite) isCloud() bool { return s.identities != s.collection }

// page is the URL of a page about a thing of a project, made as [Pipeline] makes it from the variables.
func (s devopsSite) page(project, rest, id string) string {
	return s.collection + "/" + url.PathEscape(project) + "/" + rest + url.QueryEscape(id)
}

// agree compares what the answers say of each other, and with what was configured.
func (s devopsSite) agree(build *devopsBuild, release *devopsRelease) error {
	if build != nil && s.commit != "" {
		told := build.answer.Repository
		if !strings.EqualFold(told.ID, s.RepositoryID) && !strings.EqualFold(told.Name, s.RepositoryID) {
			return contradicts("repository", s.RepositoryID, told.ID)
		}
		if !strings.EqualFold(build.noun.Commit, s.commit) {
			return contradicts("commit", s.commit, build.noun.Commit)
		}
	}
	if build != nil && release != nil && !release.deploys(s.buildID) {
		return provenance.Refuse("release.build", "record the build that the release deploys; or was a variable overwritten by an earlier step?",
			"release %s does not deploy build %s: it is not among the release's artifacts", s.releaseID, s.buildID)
	}
	return nil
}

// contradicts is the refusal of a variable that Azure DevOps does not confirm.
func contradicts(fact, said, told string) error {
	return provenance.Refuse("pipeline.contradicted", "was a variable overwritten by an earlier step, or when the run was queued?",
		"the pipeline's variables say that its %s is %q, but Azure DevOps says %q", fact, foreign.Plain(said), foreign.Plain(told))
}

// devopsHost is one of the hosts that a question needs.
type devopsHost struct {
	*httpclient.Client
	label string // stands before the path in what is stored; empty for the collection itself
}

// host makes a client that sends the token to one of the site's hosts.
func (s devopsSite) host(q *devopsQuestion, base string) (*devopsHost, error) {
	client, err := httpclient.New("Azure DevOps", base, s.authorize(q.Used), s.Client)
	if err != nil {
		return nil, err
	}
	if base == s.collection {
		base = ""
	}
	return &devopsHost{client, base}, nil
}

// question begins a question about what.
func (s devopsSite) question(what string) (*devopsQuestion, error) {
	q := &devopsQuestion{Asking: &ask.Asking{Service: "Azure DevOps", Used: &foreign.Tokens{}, IDsOnly: s.Anonymous}, site: s, about: what, people: devopsPeople{}}
	var err error
	if q.home, err = s.host(q, s.collection); err != nil {
		return nil, err
	}
	if q.directory, err = s.host(q, s.identities); err != nil {
		return nil, err
	}
	q.releases, err = s.host(q, s.releases)
	return q, err
}

// project is the path of the project's API.
func (s devopsSite) project(rest string) string { return "/" + s.Project + "/_apis/" + rest }

func (s devopsSite) String() string { return fmt.Sprintf("%s/%s", s.collection, s.Project) }
