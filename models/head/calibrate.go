package head

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// Calibration says how a head's probabilities were calibrated.
type Calibration struct {
	Temperature float64 `json:"temperature"` // the logits are divided by it; 1 leaves them
	Low         float64 `json:"low"`         // 95 % interval of the temperature
	High        float64 `json:"high"`
	Frames      int     `json:"frames"` // training frames that were held out; 0 where none could be
	Folds       int     `json:"folds"`
	Passes      int     `json:"passes"`  // of the fit of each fold
	Unsure      bool    `json:"unsure"`  // High is more than twice Low, or nothing could be held out
	Seconds     float64 `json:"seconds"` // that it took
}

// The temperatures that a head may have.
const coldest, hottest = 0.05, 20

// coldness is one over the temperature.
func (h *Head) coldness() float64 {
	if h.Temperature > 0 {
		return 1 / h.Temperature
	}
	return 1
}

// calibrationFolds: each more would cost as much again as the first two.
const calibrationFolds = 2

// foldOptions are those of the fits that only serve calibration. A third of the
// passes at two thirds of the rate makes a head as sure of itself as all passes
// do: the temperatures are 1.43 and 1.43 on the magnetic tiles, 0.82 and 0.77 on
// the NEU surface defects, and with the whole rate 1.68 and 0.90.
func foldOptions(o Options) Options {
	const foldRate = 0.65
	o.Epochs = max(1, o.Epochs*8/25)
	o.Average = max(1, o.Epochs/3)
	o.LocalRate, o.PooledRate = o.LocalRate*foldRate, o.PooledRate*foldRate
	return o
}

// Calibrate gives a head that was fitted on source the temperature (Guo et al.
// 2017) that suits it best. Its own training frames would make it too sure, so
// the logits come from frames that were held out: the parts are dealt into two
// folds, and a head fitted on each, with the same options but fewer passes, says
// what the other shows. Only source is looked at. The order of the
// probabilities, and with it the class that is predicted, stays the same.
// The same seed and data always give the same temperature.
func Calibrate(ctx context.Context, h *Head, source Source, progress func(Progress) error) (Calibration, error) {
	began := time.Now()
	o := foldOptions(h.Options)
	c := Calibration{Temperature: 1, Low: coldest, High: hottest, Unsure: true}
	held, err := holdOut(ctx, source, h.Classes, h.Size, calibrationFolds, o, progress)
	if err != nil {
		return c, err
	}
	if len(held.logits) > 0 {
		c.Folds, c.Passes, c.Frames = calibrationFolds, o.Epochs, len(held.logits)
		c.Temperature, c.Low, c.High = held.temperature()
		c.Unsure = c.High > 2*c.Low
		h.Temperature = c.Temperature
	}
	c.Seconds = time.Since(began).Seconds()
	return c, nil
}

// held are the logits that heads gave to frames which they were not fitted on.
type held struct {
	logits  [][]float64 // K of each frame
	classes []int       // what the frame is, an index into the classes
	frames  []int       // its place in the source
}

// holdOut fits a head for each of n folds on the others and gives what it says
// of the fold.
func holdOut(ctx context.Context, source Source, classes []string, size, n int, o Options, progress func(Progress) error) (held, error) {
	var all held
	of := folds(source, n, o.Seed)
	for fold := range n {
		var in, out []int
		for i, f := range of {
			if f == fold {
				out = append(out, i)
			} else {
				in = append(in, i)
			}
		}
		if len(out) == 0 {
			continue
		}
		h, err := Fit(ctx, subset{source, in}, classes, size, o, func(p Progress) error {
			p.Done = (float64(fold) + p.Done) / float64(n)
			return progress(p)
		})
		if err != nil {
			return all, fmt.Errorf("hold out fold %d of %d: %w", fold+1, n, err)
		}
		if err := all.add(ctx, h, subset{source, out}); err != nil {
			return all, fmt.Errorf("hold out fold %d of %d: %w", fold+1, n, err)
		}
		all.frames = append(all.frames, out...)
	}
	return all, nil
}

// add has a head look at all frames of a source, as they are judged.
func (d *held) add(ctx context.Context, h *Head, source Source) error {
	p, f := NewPredictor(h), NewFeatures(h.Size)
	for i := range source.Len() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := source.Read(i, 0, &f); err != nil {
			return err
		}
		p.Predict(&f)
		logits := make([]float64, len(h.Classes))
		for c, v := range p.s.logits {
			logits[c] = float64(v)
		}
		d.logits, d.classes = append(d.logits, logits), append(d.classes, source.Class(i))
	}
	return nil
}

// priorWidth is the standard deviation of the logarithm of temperatures before
// anything is measured. Without it, few frames that are all right would make a
// head infinitely sure; hundreds of frames outweigh it.
const priorWidth = 0.5

// temperature is the most likely one (maximum a posteriori, the logarithm
// normal around 0), with the 95 % interval by the curvature there.
func (d *held) temperature() (value, low, high float64) {
	// Golden-section search over the logarithm of one over the temperature.
	a, b := math.Log(1/float64(hottest)), math.Log(1/coldest)
	ratio := (math.Sqrt(5) - 1) / 2
	x, y := b-ratio*(b-a), a+ratio*(b-a)
	fx, fy := d.loss(x), d.loss(y)
	for b-a > 1e-6 {
		if fx <= fy {
			b, y, fy = y, x, fx
			x = b - ratio*(b-a)
			fx = d.loss(x)
		} else {
			a, x, fx = x, y, fy
			y = a + ratio*(b-a)
			fy = d.loss(y)
		}
	}
	best := (a + b) / 2
	const step = 1e-3
	curvature := (d.loss(best+step) - 2*d.loss(best) + d.loss(best-step)) / (step * step)
	wide := 1.96 / math.Sqrt(math.Max(curvature, 1e-6))
	within := func(t float64) float64 { return min(hottest, max(coldest, t)) }
	return within(math.Exp(-best)), within(math.Exp(-best - wide)), within(math.Exp(-best + wide))
}

// loss is the negative logarithm of the probability of the true classes, and of
// the prior, when the logits are multiplied by e^u.
func (d *held) loss(u float64) float64 {
	factor := math.Exp(u)
	sum := u * u / (2 * priorWidth * priorWidth)
	for i, logits := range d.logits {
		top := slices.Max(logits)
		var total float64
		for _, z := range logits {
			total += math.Exp(factor * (z - top))
		}
		sum += math.Log(total) - factor*(logits[d.classes[i]]-top)
	}
	return sum
}

// Uncalibrated gives the probabilities that a head would have given without its
// temperature.
func (h *Head) Uncalibrated(probabilities []float64) []float64 {
	t := 1 / h.coldness()
	before, sum := make([]float64, len(probabilities)), 0.0
	for i, p := range probabilities {
		before[i] = math.Pow(p, t)
		sum += before[i]
	}
	for i := range before {
		before[i] /= sum
	}
	return before
}
