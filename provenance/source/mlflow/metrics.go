package mlflow

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
	"golang.org/x/sync/errgroup"
)

// mlflowMetric is one value of a metric. A logged model's metric says which run logged it, and on what data.
// Source: https://mlflow.org/docs/latest/rest-api.html#mlflowmetric
type mlflowMetric struct {
	Key       string              `json:"key"`
	Value     foreign.LooseNumber `json:"value"`
	Timestamp foreign.LooseNumber `json:"timestamp"`
	Step      foreign.LooseNumber `json:"step"`
	RunID     string              `json:"run_id"`
	Dataset   string              `json:"dataset_name"`
	Digest    string              `json:"dataset_digest"`
}

const (
	maxMetrics   = 5000
	historyPage  = 5000             // values in one answer; servers allow 25000
	maxHistories = 200_000          // values of all histories together, shared equally among the metrics
	tooMany      = 4 * maxHistories // from a server that takes no notice of how many were asked for
	maxModels    = 50               // logged models that are asked for the data of the metrics
	// atOnce is how many questions about one run are asked at the same time.
	atOnce = 16
)

// noun is the last value, as it is recorded.
func (v mlflowMetric) noun() (provenance.Metric, error) {
	metric := provenance.Metric{Name: foreign.Plain(v.Key)}
	var err error
	if metric.Value, err = v.Value.Decimal(); err == nil {
		if metric.Step, err = v.Step.Integer(); err == nil {
			metric.At, err = v.Timestamp.At()
		}
	}
	if err != nil {
		return metric, fmt.Errorf("metric %q: %w", metric.Name, err)
	}
	metric.Dataset, metric.On = foreign.Plain(v.Dataset), foreign.Plain(v.Digest)
	return metric, nil
}

// addMetrics adds the last values, how long their histories are, and the data that they were measured on.
func (a *mlflowAsking) addMetrics(ctx context.Context, r mlflowRun, found *provenance.MLflowRun) error {
	metrics, err := r.metrics()
	if err != nil {
		return a.aboutRun(r.Info.RunID, err)
	}
	share := maxHistories / max(1, len(metrics))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.addHistories(ctx, r, metrics, share) })
	var measured []measurement
	group.Go(func() (err error) { measured, err = a.measurements(ctx, r); return })
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range metrics {
		metrics[i].addDataset(measured)
		found.Metrics = append(found.Metrics, metrics[i].Metric)
	}
	return nil
}

// runMetric is a metric of the run, and the key under which it is asked for.
type runMetric struct {
	provenance.Metric
	key string
}

// metrics are the run's, by name.
func (r mlflowRun) metrics() ([]runMetric, error) {
	if len(r.Data.Metrics) > maxMetrics {
		return nil, fmt.Errorf("it has more than %d metrics", maxMetrics)
	}
	seen := map[string]bool{}
	var metrics []runMetric
	for _, v := range r.Data.Metrics {
		metric, err := v.noun()
		if err != nil {
			return nil, err
		}
		if seen[v.Key] {
			return nil, fmt.Errorf("metric %q stands twice", metric.Name)
		}
		seen[v.Key] = true
		metrics = append(metrics, runMetric{metric, v.Key})
	}
	slices.SortFunc(metrics, func(a, b runMetric) int { return cmp.Compare(a.key, b.key) })
	return metrics, nil
}

// addHistories asks for the histories of all metrics.
func (a *mlflowAsking) addHistories(ctx context.Context, r mlflowRun, metrics []runMetric, share int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range metrics {
		if strings.Contains(metrics[i].key, redact.Removed) { // its name holds a secret, and is not known any more
			metrics[i].Partial = true
			continue
		}
		group.Go(func() error { return a.addHistory(ctx, r.Info.RunID, &metrics[i], share) })
	}
	return group.Wait()
}

// addHistory reads the pages of one metric's history, to its end or to limit. The history stays in the stored answer; that it
// holds the last value is checked.
func (a *mlflowAsking) addHistory(ctx context.Context, runID string, m *runMetric, limit int) error {
	question := mlflowQuestion{fmt.Sprintf("reading the history of metric %s of run %s", m.Name, runID), "metrics/get-history",
		url.Values{"run_id": {runID}, "metric_key": {m.key}, "max_results": {strconv.Itoa(min(historyPage, limit))}}, false}
	type page struct {
		Metrics []mlflowMetric `json:"metrics"`
	}
	holdsLast := false
	var err error
	m.Partial, err = pages(ctx, a, question, func(p page) (bool, error) {
		for _, v := range p.Metrics {
			value, err := v.noun()
			if err != nil {
				return false, err
			}
			if v.Key != m.key {
				return false, fmt.Errorf("it is about metric %q", value.Name)
			}
			holdsLast = holdsLast || value.Value == m.Value
		}
		m.Values += int64(len(p.Metrics))
		if a.values.Add(int64(len(p.Metrics))) > tooMany {
			return false, fmt.Errorf("the histories of all metrics have more than %d values", tooMany)
		}
		return m.Values < int64(limit), nil
	})
	if err == nil && !holdsLast && !m.Partial {
		err = a.aboutRun(runID, fmt.Errorf("the history of metric %q lacks its last value %s", m.Name, m.Value))
	}
	return err
}

// measurement says on what data a value was measured.
type measurement struct{ provenance.Metric }

// measurements are the values of the run's metrics that name a dataset. Since MLflow 3 a logged model says so of the metrics
// that were measured on it; the run itself does not.
// Source: https://mlflow.org/docs/latest/ml/tracking/tracking-api (log_metric with model_id and dataset)
func (a *mlflowAsking) measurements(ctx context.Context, r mlflowRun) ([]measurement, error) {
	ids := r.modelsOf()
	if len(ids) > maxModels {
		return nil, a.aboutRun(r.Info.RunID, fmt.Errorf("it has more than %d logged models", maxModels))
	}
	var all []measurement
	var lock sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, id := range ids {
		group.Go(func() error {
			model, err := a.loggedModel(ctx, id)
			if gone(err) { // it was deleted since, and takes with it what it was measured on
				return nil
			}
			if err != nil {
				return err
			}
			lock.Lock()
			defer lock.Unlock()
			all, err = appendMeasured(all, model.Data.Metrics, r.Info.RunID)
			return err
		})
	}
	return all, group.Wait()
}

// appendMeasured adds those values that the run logged, on a dataset.
func appendMeasured(all []measurement, values []mlflowMetric, runID string) ([]measurement, error) {
	for _, v := range values {
		if v.Dataset == "" || v.RunID != runID {
			continue
		}
		metric, err := v.noun()
		if err != nil {
			return nil, fmt.Errorf("the answer about a logged model makes no sense: %w", err)
		}
		all = append(all, measurement{metric})
	}
	return all, nil
}

// addDataset names the data that the last value was measured on, unless the same value was measured on several.
func (m *runMetric) addDataset(all []measurement) {
	var name, digest string
	for _, v := range all {
		if v.Name != m.Name || v.Step != m.Step || v.Value != m.Value || !v.At.Equal(m.At) {
			continue
		}
		if name != "" && (name != v.Dataset || digest != v.On) {
			return
		}
		name, digest = v.Dataset, v.On
	}
	if name != "" {
		m.Dataset, m.On = name, digest
	}
}

// mlflowModel is a model that a run logged, which is not yet a registered one.
// Source: https://mlflow.org/docs/latest/rest-api.html (LoggedModel)
type mlflowModel struct {
	Info struct {
		ID          string `json:"model_id"`
		Name        string `json:"name"`
		ArtifactURI string `json:"artifact_uri"`
		Status      string `json:"status"`
		RunID       string `json:"source_run_id"`
	} `json:"info"`
	Data struct {
		Metrics []mlflowMetric `json:"metrics"`
	} `json:"data"`
}

// loggedModel asks for a logged model.
func (a *mlflowAsking) loggedModel(ctx context.Context, id string) (mlflowModel, error) {
	var answer struct {
		Model mlflowModel `json:"model"`
	}
	operation := "reading logged model " + foreign.Plain(id)
	if !mlflowRunID().MatchString(id) {
		return answer.Model, a.Nonsense(operation, fmt.Errorf("%q is no id of one", foreign.Plain(id)))
	}
	if _, err := a.ask(ctx, operation, "logged-models/"+id, nil, &answer); err != nil {
		return answer.Model, err
	}
	if answer.Model.Info.ID != id {
		return answer.Model, a.Nonsense(operation, fmt.Errorf("it is about %q", foreign.Plain(answer.Model.Info.ID)))
	}
	return answer.Model, nil
}
