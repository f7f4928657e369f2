package vision

import "sort"

// Verdict says what the line does with a part. The zero value is not a verdict.
type Verdict string

const (
	// OK lets the part pass.
	OK Verdict = "OK"
	// NG ("no good") rejects the part.
	NG Verdict = "NG"
	// Unsure asks a person. It never passes a part by itself.
	Unsure Verdict = "Unsure"
)

// Class is one kind of part or defect that a recipe tells apart.
type Class struct {
	Name  string `json:"name"`  // unique in its recipe
	Pass  bool   `json:"pass"`  // a part of this class is good
	Color string `json:"color"` // #rrggbb, for marks on pages
	Key   string `json:"key"`   // one keyboard key that labels a frame with the class
}

// Thresholds turn probabilities into a verdict. Both lie in (0.5, 1]: what is
// between them is Unsure.
type Thresholds struct {
	OK float64 `json:"ok"` // least summed probability of the passing classes for OK
	NG float64 `json:"ng"` // least summed probability of the failing classes for NG
}

// DefaultThresholds leave a wide band for people until a recipe is known better.
var DefaultThresholds = Thresholds{OK: 0.7, NG: 0.7}

// Probability is the share a model gives one class.
type Probability struct {
	Class string  `json:"class"`
	P     float64 `json:"p"`
}

// Decide turns the probabilities of the named classes into a verdict, the most
// probable class and its probability. It is fail-safe: a class that the recipe
// does not list counts as failing, a probability that is not a number in [0, 1]
// or an empty list gives Unsure, and nothing but a clear pass gives OK.
func Decide(classes []Class, probabilities []Probability, t Thresholds) (Verdict, string, float64) {
	passes := make(map[string]bool, len(classes))
	for _, c := range classes {
		passes[c.Name] = c.Pass && c.Name != Unseen
	}
	if len(probabilities) == 0 {
		return Unsure, "", 0
	}
	var pass, fail float64
	top := probabilities[0]
	for _, p := range probabilities {
		if !(p.P >= 0 && p.P <= 1.0001) {
			return Unsure, "", 0
		}
		if passes[p.Class] {
			pass += p.P
		} else {
			fail += p.P
		}
		if p.P > top.P {
			top = p
		}
	}
	switch {
	case fail >= t.NG && t.NG > 0.5:
		return NG, top.Class, top.P
	case pass >= t.OK && t.OK > 0.5 && passes[top.Class]:
		return OK, top.Class, top.P
	}
	return Unsure, top.Class, top.P
}

// SortProbabilities orders from the most to the least probable.
func SortProbabilities(p []Probability) {
	sort.SliceStable(p, func(i, j int) bool { return p[i].P > p[j].P })
}
