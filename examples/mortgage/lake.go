package main

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
)

// nights are the folders of the lake: one for each load, never written again.
var nights = []struct {
	name string
	rows int
}{{"20261101T0000", 6000}, {"20261115T0000", 2000}, {"20261122T0000", 3000}}

// lake makes applications for mortgages that look alike in every run of the demo.
func (d *demo) lake() error {
	d.chapter("A lake of timestamped folders")
	for i, night := range nights {
		for part := range 3 {
			name := fmt.Sprintf("lake/mortgages/%s/part-%05d.csv", night.name, part)
			if err := d.write(name, applications(rand.New(rand.NewPCG(uint64(i), uint64(part))), night.rows/3)); err != nil {
				return err
			}
		}
		fmt.Printf("  lake/mortgages/%s/  %d applications in 3 files\n", night.name, night.rows)
	}
	return nil
}

// columns of an application; the last is what the bank decided.
var columns = []string{"income", "amount", "years_employed", "late_payments", "approved"}

// applications are rows drawn from a distribution in which the decision depends on the other columns, with noise.
func applications(r *rand.Rand, rows int) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.Write(columns) // a buffer takes everything
	for range rows {
		income, amount := 20+100*r.Float64(), 50+400*r.Float64()
		years, late := 30*r.Float64(), float64(r.IntN(6))
		score := 0.06*income - 0.015*amount + 0.05*years - 0.9*late + 1.5 + r.NormFloat64()
		_ = w.Write([]string{number(income), number(amount), number(years), number(late), strconv.Itoa(int(math.Max(0, math.Copysign(1, score))))})
	}
	w.Flush()
	return out.Bytes()
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

//go:embed train.go
var trainingScript []byte

// project is the team's repository: the training script, under git.
func (d *demo) project() error {
	d.chapter("The team's repository")
	if err := d.write("project/train.go", trainingScript); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-q", "-m", "Weight recent applications"}} {
		if err := d.git(args...); err != nil {
			return err
		}
	}
	fmt.Println("  project/train.go, committed by Ada Lovelace")
	return nil
}
