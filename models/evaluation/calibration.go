package evaluation

import (
	"math"
	"math/rand/v2"
)

// calibrationBins is how many bins share the confidences from 0 to 1 evenly.
const calibrationBins = 15

// CalibrationBin is one bin of a reliability diagram. An empty bin is all zeros.
type CalibrationBin struct {
	N          int     `json:"n"`
	Confidence float64 `json:"confidence"` // mean probability of the predicted class
	Accuracy   float64 `json:"accuracy"`   // share of frames that are of that class
}

// Calibration says how far a version's confidence lies from how often it is right.
type Calibration struct {
	N   int     `json:"n"`
	ECE float64 `json:"ece"` // expected calibration error, 0 to 1
	// Chance is the expected calibration error that a version with the same
	// confidences, each of them true, has on so few frames by chance alone.
	Chance float64          `json:"chance"`
	Bins   []CalibrationBin `json:"bins"` // 15 of equal width; none without samples
}

// Calibrate measures the expected calibration error (Naeini et al. 2015, Guo et
// al. 2017): the frames fall into 15 bins of equal width by the probability of
// their predicted class, and the error is Σ n/N · |accuracy − mean confidence|
// over the bins. It is never negative, so with few frames chance alone makes it
// large; Chance says how large, by resampling (Bröcker & Smith 2007) with a fixed
// seed, as if the frames were independent. A score that is not a number counts as 0.
func Calibrate(samples []Sample) Calibration {
	c := Calibration{N: len(samples)}
	if len(samples) == 0 {
		return c
	}
	scores, right := make([]float64, len(samples)), make([]bool, len(samples))
	for i, s := range samples {
		if s.Score > 0 {
			scores[i] = min(1, s.Score)
		}
		right[i] = s.Truth == s.Predicted
	}
	c.Bins, c.ECE = reliability(scores, right)
	rng := rand.New(rand.NewPCG(3, 7))
	for range chanceDraws {
		for i, score := range scores {
			right[i] = rng.Float64() < score
		}
		_, e := reliability(scores, right)
		c.Chance += e / chanceDraws
	}
	return c
}

// chanceDraws is how many resamples Chance is the mean of.
const chanceDraws = 50

// reliability sorts frames into the bins of a reliability diagram.
func reliability(scores []float64, right []bool) (bins []CalibrationBin, ece float64) {
	bins = make([]CalibrationBin, calibrationBins)
	for i, score := range scores {
		b := &bins[min(calibrationBins-1, int(score*calibrationBins))]
		b.N++
		b.Confidence += score
		if right[i] {
			b.Accuracy++
		}
	}
	for i := range bins {
		b := &bins[i]
		if b.N == 0 {
			continue
		}
		ece += math.Abs(b.Accuracy-b.Confidence) / float64(len(scores))
		b.Confidence /= float64(b.N)
		b.Accuracy /= float64(b.N)
	}
	return bins, ece
}
