package policy

import (
	"strconv"

	"go.yaml.in/yaml/v4"
)

func (r *reader) approvals(n *yaml.Node) error {
	var a Approvals
	asks := func() bool { return a.Review > 0 || a.Deployment > 0 || a.Distinct != nil }
	err := r.section(n, "approvals", &a.When, asks, "write review: 1, deployment: 1 or distinct: [author, approver]", map[string]setter{
		"review":     r.count("review", &a.Review),
		"deployment": r.count("deployment", &a.Deployment),
		"distinct":   r.list("distinct", r.text("a part", r.oneOf("part", &a.Distinct, Author, Approver, Deployer))),
		"basis":      r.basis(&a.Basis),
	})
	if err == nil && len(a.Distinct) == 1 {
		return r.errorAt(n, "write distinct: [author, approver, deployer], or two of them", "distinct compares at least two parts")
	}
	r.policy.Approvals = append(r.policy.Approvals, a)
	return err
}

// maxPeople is more than anybody asks for.
const maxPeople = 100

// count reads how many people there have to be.
func (r *reader) count(what string, to *int) setter {
	return func(n *yaml.Node) (err error) {
		if *to, err = strconv.Atoi(n.Value); err != nil || n.ShortTag() != "!!int" || *to < 1 || *to > maxPeople {
			return r.errorAt(n, "", "%s is %s; it has to be a whole number from 1 to %d", what, kindOf(n), maxPeople)
		}
		return nil
	}
}
