// Package mislabels finds labels that are probably wrong, by what heads say of
// frames that they were not fitted on (confident learning; Northcutt, Jiang & Chuang 2021:
// the ranking of its second part, by the margin between the label and what is said
// instead).
package mislabels

import (
	"math"
	"sort"
)

// Suspect is a frame whose label is doubted.
type Suspect struct {
	Frame       int     // its place in the list
	Said        int     // the most probable other class
	Probability float64 // of it
	Own         float64 // of the label
	// Doubt is the logarithm of Probability over Own: above 0 where the model says
	// another class.
	Doubt float64
}

// tiny keeps the logarithm of a probability finite.
const tiny = 1e-12

// Rank lists all frames that were held out, the most doubted first. Labels are
// indexes into the classes; probabilities are K of each frame, nil for one that
// was never held out.
func Rank(labels []int, probabilities [][]float64) []Suspect {
	var all []Suspect
	for i, p := range probabilities {
		if p == nil {
			continue
		}
		s := Suspect{Frame: i, Said: -1, Own: p[labels[i]]}
		for c, v := range p {
			if c != labels[i] && (s.Said < 0 || v > s.Probability) {
				s.Said, s.Probability = c, v
			}
		}
		if s.Said < 0 {
			continue // there is only one class
		}
		s.Doubt = math.Log(max(s.Probability, tiny)) - math.Log(max(s.Own, tiny))
		all = append(all, s)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Doubt > all[j].Doubt })
	return all
}
