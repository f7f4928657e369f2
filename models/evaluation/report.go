// Package evaluation says how good a version is on frames that it never saw,
// with intervals, and whether it is better than another on the same frames.
package evaluation

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat"
)

// Sample is one frame of the test share: what it is and what a version said.
type Sample struct {
	Truth     string
	Predicted string
	Fail      float64 // summed probability of the failing classes
	Pass      bool    // the truth is a class that passes
	PassedOK  bool    // the verdict was OK
	Unsure    bool    // the verdict was Unsure
	Score     float64 // probability of the predicted class
	TopPasses bool    // the predicted class is one that passes
	Part      string  // the physical part in the frame; "" for a part of its own
	Frame     int64   // its ID; 0 where nobody asks which
}

// Interval is an estimate with its 95 % confidence interval. NaN does not
// occur: what cannot be estimated has N = 0.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	N     int     `json:"n"` // cases it rests on
}

// ClassReport is how well one class is told apart.
type ClassReport struct {
	Class     string   `json:"class"`
	Precision Interval `json:"precision"` // Wilson
	Recall    Interval `json:"recall"`    // Wilson
	F1        Interval `json:"f1"`        // bootstrap
}

// Report is how good a version is.
type Report struct {
	N                int           `json:"n"`
	Classes          []string      `json:"classes"`
	Confusion        [][]int       `json:"confusion"` // [truth][predicted], in the order of Classes
	Accuracy         Interval      `json:"accuracy"`  // Wilson
	BalancedAccuracy Interval      `json:"balanced_accuracy"`
	MacroF1          float64       `json:"macro_f1"`
	AUROC            *float64      `json:"auroc,omitempty"` // of failing against passing; nil without both
	Escapes          Interval      `json:"escapes"`         // bad parts called OK, of all bad parts
	FalseRejects     Interval      `json:"false_rejects"`   // good parts not called OK, of all good parts
	UnsureShare      float64       `json:"unsure_share"`
	PerClass         []ClassReport `json:"per_class"`
	Untested         []string      `json:"untested,omitempty"` // classes without a test frame
	Calibration      *Calibration  `json:"calibration,omitempty"`
}

// bootstraps is how many resamples an interval without a closed form rests on.
const bootstraps = 500

// Evaluate reports on samples. classes gives the order of the confusion matrix;
// a truth or prediction that it lacks comes after it as a class of its own.
func Evaluate(classes []string, samples []Sample) Report {
	classes = complete(classes, samples)
	r := Report{N: len(samples), Classes: classes, Confusion: confusion(classes, samples)}
	right := 0
	var escapes, bad, rejects, good, unsure int
	for _, s := range samples {
		if s.Truth == s.Predicted {
			right++
		}
		if s.Unsure {
			unsure++
		}
		switch {
		case s.Pass:
			good++
			if !s.PassedOK {
				rejects++
			}
		default:
			bad++
			if s.PassedOK {
				escapes++
			}
		}
	}
	r.Accuracy, r.Escapes, r.FalseRejects = Wilson(right, len(samples)), Wilson(escapes, bad), Wilson(rejects, good)
	if len(samples) > 0 {
		r.UnsureShare = float64(unsure) / float64(len(samples))
	}
	r.BalancedAccuracy.Value, r.MacroF1 = balanced(r.Confusion)
	r.AUROC = AUROC(samples)
	calibration := Calibrate(samples)
	r.Calibration = &calibration
	f1 := r.bootstrap()
	for c, name := range classes {
		row, column := sums(r.Confusion, c)
		hit := r.Confusion[c][c]
		r.PerClass = append(r.PerClass, ClassReport{Class: name, Precision: Wilson(hit, column), Recall: Wilson(hit, row), F1: f1[c]})
		if row == 0 {
			r.Untested = append(r.Untested, name)
		}
	}
	return r
}

func complete(classes []string, samples []Sample) []string {
	all := slices.Clone(classes)
	for _, s := range samples {
		for _, c := range []string{s.Truth, s.Predicted} {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

func confusion(classes []string, samples []Sample) [][]int {
	index := map[string]int{}
	m := make([][]int, len(classes))
	for i, c := range classes {
		index[c] = i
		m[i] = make([]int, len(classes))
	}
	for _, s := range samples {
		m[index[s.Truth]][index[s.Predicted]]++
	}
	return m
}

// sums gives how many frames are of class c and how many were called so.
func sums(m [][]int, c int) (row, column int) {
	for i := range m {
		row += m[c][i]
		column += m[i][c]
	}
	return row, column
}

// balanced is the mean recall, and the mean F1, over the classes that occur.
func balanced(m [][]int) (accuracy, f1 float64) {
	n := 0
	for c := range m {
		row, column := sums(m, c)
		if row == 0 {
			continue
		}
		n++
		accuracy += float64(m[c][c]) / float64(row)
		f1 += 2 * float64(m[c][c]) / float64(row+column)
	}
	if n == 0 {
		return 0, 0
	}
	return accuracy / float64(n), f1 / float64(n)
}

// bootstrap fills the interval of the balanced accuracy and gives those of F1,
// by resampling the frames within each class with a fixed seed (Efron 1979).
func (r *Report) bootstrap() []Interval {
	k := len(r.Classes)
	rng := rand.New(rand.NewPCG(1, 2))
	predictions := make([][]int, k) // of the frames of each class
	resample := make([][]int, k)
	for truth, row := range r.Confusion {
		resample[truth] = make([]int, k)
		for predicted, n := range row {
			for range n {
				predictions[truth] = append(predictions[truth], predicted)
			}
		}
	}
	draws := make([][]float64, k+1)
	for range bootstraps {
		for truth, of := range predictions {
			clear(resample[truth])
			for range of {
				resample[truth][of[rng.IntN(len(of))]]++
			}
		}
		b, _ := balanced(resample)
		draws[k] = append(draws[k], b)
		for c := range k {
			draws[c] = append(draws[c], f1(resample, c))
		}
	}
	intervals := make([]Interval, k)
	for c := range k {
		row, _ := sums(r.Confusion, c)
		intervals[c] = percentiles(f1(r.Confusion, c), draws[c], row)
	}
	r.BalancedAccuracy = percentiles(r.BalancedAccuracy.Value, draws[k], r.N)
	return intervals
}

func f1(m [][]int, c int) float64 {
	row, column := sums(m, c)
	if row+column == 0 {
		return 0
	}
	return 2 * float64(m[c][c]) / float64(row+column)
}

func percentiles(value float64, draws []float64, n int) Interval {
	if n == 0 {
		return Interval{}
	}
	slices.Sort(draws)
	return Interval{Value: value, N: n,
		Low:  stat.Quantile(0.025, stat.Empirical, draws, nil),
		High: stat.Quantile(0.975, stat.Empirical, draws, nil)}
}

// Wilson is the score interval of a proportion (Wilson 1927).
func Wilson(hits, n int) Interval {
	if n == 0 {
		return Interval{}
	}
	return score(float64(hits)/float64(n), n)
}

// score is Wilson's interval of a share p that rests on n cases, at least one.
func score(p float64, n int) Interval {
	const z = 1.959964
	m := float64(n)
	centre := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return Interval{Value: p, Low: max(0, centre-half), High: min(1, centre+half), N: n}
}

// AUROC is the area under the ROC curve of failing against passing frames by
// their summed failing probability, ties counting half (Hanley & McNeil 1982);
// nil where one of the two is missing.
func AUROC(samples []Sample) *float64 {
	sorted := slices.Clone(samples)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Fail < sorted[j].Fail })
	var rankSum float64
	var bad int
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j].Fail == sorted[i].Fail {
			j++
		}
		for _, s := range sorted[i:j] {
			if !s.Pass {
				rankSum += float64(i+j+1) / 2 // mean of the ranks i+1 … j
				bad++
			}
		}
		i = j
	}
	good := len(sorted) - bad
	if bad == 0 || good == 0 {
		return nil
	}
	area := (rankSum - float64(bad)*float64(bad+1)/2) / (float64(bad) * float64(good))
	return &area
}
