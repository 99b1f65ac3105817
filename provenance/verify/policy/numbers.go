package policy

import (
	"math"
	"strconv"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/verify/internal/words"
	"go.yaml.in/yaml/v4"
)

// metrics reads bounds of metrics, each by its name.
func (r *reader) metrics(n *yaml.Node) error {
	var m Metrics
	err := r.section(n, "metrics", &m.When, func() bool { return m.Values != nil }, `write values: {auc: ">= 0.80"}`, map[string]setter{
		"values":   r.values(&m),
		"dataset":  r.text("dataset", keep(&m.Dataset)),
		"afterEnd": r.truth("afterEnd", &m.AfterEnd),
		"basis":    r.basis(&m.Basis),
	})
	r.policy.Metrics = append(r.policy.Metrics, m)
	return err
}

// values reads a mapping whose keys are names of metrics.
func (r *reader) values(m *Metrics) setter {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.MappingNode {
			return r.errorAt(n, `write values: {auc: ">= 0.80"}`, "values is %s; it has to be a mapping of metrics to bounds", kindOf(n))
		}
		fields := map[string]setter{}
		for i := 0; i < len(n.Content); i += 2 {
			name := n.Content[i].Value
			if strings.TrimSpace(name) == "" {
				return r.errorAt(n.Content[i], "", "a metric has no name")
			}
			fields[name] = r.text("the bound of "+name, r.bounds(name, m))
		}
		return r.mapping(n, "values", fields)
	}
}

// bounds reads ">= 0.80", or several with commas between them.
func (r *reader) bounds(name string, m *Metrics) func(string, *yaml.Node) error {
	return func(text string, n *yaml.Node) error {
		metric := Metric{Name: name, Text: text}
		for _, part := range strings.Split(text, ",") {
			bound, ok := parseBound(strings.TrimSpace(part))
			if !ok {
				return r.errorAt(n, `write >=, >, <=, < or == and a number, such as ">= 0.80" or ">= 0.80, < 0.99"`, "the bound of %s is %q", words.Clip(name), words.Clip(text))
			}
			metric.Bounds = append(metric.Bounds, bound)
		}
		m.Values = append(m.Values, metric)
		return nil
	}
}

// parseBound reads an operator and a finite decimal number.
func parseBound(text string) (Bound, bool) {
	for _, operator := range []string{">=", "<=", "==", ">", "<"} {
		rest, found := strings.CutPrefix(text, operator)
		if !found {
			continue
		}
		number, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
		return Bound{operator, number}, err == nil && !math.IsInf(number, 0) && !math.IsNaN(number)
	}
	return Bound{}, false
}
