package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
)

// model is a logistic regression over standardised columns.
type model struct {
	Columns []string  `json:"columns"`
	Mean    []float64 `json:"mean"`
	Scale   []float64 `json:"scale"`
	Weights []float64 `json:"weights"` // the last is the intercept
}

// train fits the model on two folders and measures it on a third.
func (d *demo) train() error {
	d.chapter("Training")
	var rows [][]float64
	for _, night := range []string{"20261101T0000", "20261122T0000"} {
		some, err := readFolder(d.path("lake", "mortgages", night))
		if err != nil {
			return err
		}
		rows = append(rows, some...)
	}
	m := fit(rows)
	test, err := readFolder(d.path("lake", "mortgages", "20261115T0000"))
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	fmt.Printf("  %d applications, accuracy %.3f on the %d of 20261115T0000\n", len(rows), m.accuracy(test), len(test))
	return d.write("model/model.json", data)
}

// fit runs gradient descent on the logistic loss.
func fit(rows [][]float64) model {
	features := len(rows[0]) - 1
	m := model{Columns: columns[:features], Mean: make([]float64, features), Scale: make([]float64, features), Weights: make([]float64, features+1)}
	for i := range features {
		m.Mean[i], m.Scale[i] = moments(rows, i)
	}
	for range 300 {
		gradient := make([]float64, features+1)
		for _, row := range rows {
			miss := m.probability(row) - row[features]
			for i := range features {
				gradient[i] += miss * (row[i] - m.Mean[i]) / m.Scale[i]
			}
			gradient[features] += miss
		}
		for i := range m.Weights {
			m.Weights[i] -= 2 * gradient[i] / float64(len(rows))
		}
	}
	return m
}

// probability that the application of this row is approved.
func (m model) probability(row []float64) float64 {
	z := m.Weights[len(m.Columns)]
	for i := range m.Columns {
		z += m.Weights[i] * (row[i] - m.Mean[i]) / m.Scale[i]
	}
	return 1 / (1 + math.Exp(-z))
}

func (m model) accuracy(rows [][]float64) float64 {
	right := 0
	for _, row := range rows {
		if (m.probability(row) > 0.5) == (row[len(row)-1] > 0.5) {
			right++
		}
	}
	return float64(right) / float64(len(rows))
}

// moments are the mean and the standard deviation of a column.
func moments(rows [][]float64, column int) (mean, deviation float64) {
	for _, row := range rows {
		mean += row[column] / float64(len(rows))
	}
	for _, row := range rows {
		deviation += (row[column] - mean) * (row[column] - mean) / float64(len(rows))
	}
	return mean, math.Sqrt(deviation)
}

// readFolder reads all CSV files of a folder.
func readFolder(dir string) ([][]float64, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no data in %s: %v", dir, err)
	}
	var rows [][]float64
	for _, file := range files {
		some, err := readFile(file)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

func readFile(name string) ([][]float64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	rows := make([][]float64, 0, len(records))
	for _, record := range records[1:] {
		row := make([]float64, len(record))
		for i, field := range record {
			if row[i], err = strconv.ParseFloat(field, 64); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}
