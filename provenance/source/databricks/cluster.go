package databricks

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// clusterUse says which cluster a run or a task ran on.
type clusterUse struct {
	New       *newCluster `json:"new_cluster"`
	Existing  string      `json:"existing_cluster_id"`
	JobKey    string      `json:"job_cluster_key"`
	Libraries []library   `json:"libraries"`
	Instance  struct {
		ID string `json:"cluster_id"`
	} `json:"cluster_instance"`
}

// newCluster is a cluster that was made for a job.
// Source: https://docs.databricks.com/api/workspace/jobs/getrun
type newCluster struct {
	Spark       string                       `json:"spark_version"`
	NodeType    string                       `json:"node_type_id"`
	InitScripts []map[string]json.RawMessage `json:"init_scripts"`
}

// jobCluster is a cluster that several tasks share.
type jobCluster struct {
	Key string      `json:"job_cluster_key"`
	New *newCluster `json:"new_cluster"`
}

// library is one that was installed on a cluster.
// Source: https://docs.databricks.com/api/workspace/libraries/install
type library struct {
	Jar          string `json:"jar"`
	Egg          string `json:"egg"`
	Wheel        string `json:"whl"`
	Requirements string `json:"requirements"`
	PyPI         pack   `json:"pypi"`
	CRAN         pack   `json:"cran"`
	Maven        struct {
		Coordinates string `json:"coordinates"`
		Repo        string `json:"repo"`
	} `json:"maven"`
}

type pack struct {
	Package string `json:"package"`
	Repo    string `json:"repo"`
}

// name is the library in one line.
func (l library) name() string {
	for _, x := range []struct{ kind, what, repo string }{{"jar", l.Jar, ""}, {"egg", l.Egg, ""}, {"whl", l.Wheel, ""}, {"requirements", l.Requirements, ""},
		{"pypi", l.PyPI.Package, l.PyPI.Repo}, {"cran", l.CRAN.Package, l.CRAN.Repo}, {"maven", l.Maven.Coordinates, l.Maven.Repo}} {
		if x.what != "" && x.repo != "" {
			return foreign.Plain(x.kind + " " + redact.URL(x.what) + " from " + redact.URL(x.repo))
		}
		if x.what != "" {
			return foreign.Plain(x.kind + " " + redact.URL(x.what))
		}
	}
	return "unknown"
}

// clusterID is the cluster that ran.
func (u clusterUse) clusterID() string { return cmp.Or(u.Instance.ID, u.Existing) }

// clusters are those of the run and its tasks, each once, sorted by id.
func (r run) clusters() []provenance.Cluster {
	shared := map[string]*newCluster{}
	for _, c := range r.JobClusters {
		shared[c.Key] = c.New
	}
	all := map[string]*provenance.Cluster{}
	whole := r.ClusterSpec
	whole.Instance = r.Instance
	addCluster(all, whole, shared)
	for _, t := range r.Tasks {
		addCluster(all, t.clusterUse, shared)
		for _, i := range t.iterations {
			addCluster(all, i.clusterUse, shared)
		}
	}
	var out []provenance.Cluster
	for _, key := range slices.Sorted(maps.Keys(all)) {
		c := all[key]
		slices.Sort(c.Libraries)
		c.Libraries = slices.Compact(c.Libraries)
		slices.Sort(c.InitScripts)
		c.InitScripts = slices.Compact(c.InitScripts)
		out = append(out, *c)
	}
	return out
}

// addCluster adds what one user of a cluster says of it.
func addCluster(all map[string]*provenance.Cluster, u clusterUse, shared map[string]*newCluster) {
	spec := u.New
	if spec == nil {
		spec = shared[u.JobKey]
	}
	id := u.clusterID()
	if id == "" && spec == nil && len(u.Libraries) == 0 {
		return
	}
	key := id
	if key == "" { // it is not said which one: what they have in common is all that tells them apart
		data, _ := json.Marshal(struct {
			Key  string
			Spec *newCluster
		}{u.JobKey, spec})
		key = " " + string(data)
	}
	c := all[key]
	if c == nil {
		c = &provenance.Cluster{ID: foreign.Plain(id)}
		all[key] = c
	}
	for _, l := range u.Libraries {
		c.Libraries = append(c.Libraries, l.name())
	}
	if spec != nil {
		c.SparkVersion, c.NodeType = foreign.Plain(spec.Spark), foreign.Plain(spec.NodeType)
		c.InitScripts = append(c.InitScripts, spec.scripts()...)
	}
}

// scripts are where the init scripts lie: each is {"workspace": {"destination": "…"}}, with the kind of place as key.
func (c newCluster) scripts() (all []string) {
	for _, script := range c.InitScripts {
		for kind, value := range script {
			var at struct {
				Destination string `json:"destination"`
			}
			if json.Unmarshal(value, &at) != nil || at.Destination == "" {
				continue
			}
			uri := redact.URL(at.Destination)
			if kind == "workspace" && !strings.HasPrefix(uri, "/Workspace/") {
				uri = "/Workspace" + uri
			}
			all = append(all, foreign.Plain(uri))
		}
	}
	return all
}
