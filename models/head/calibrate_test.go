package head

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"
)

// parted is a drawn source that knows its parts.
type parted struct {
	*drawn
	parts []string
}

func (p parted) Part(i int) string { return p.parts[i] }

// answers are logits of three classes, and classes drawn as the logits divided by
// the temperature say.
func answers(seed uint64, n int, temperature float64) *held {
	rng := rand.New(rand.NewPCG(seed, 17))
	d := &held{}
	for range n {
		logits := []float64{2 * rng.NormFloat64(), 2 * rng.NormFloat64(), 2 * rng.NormFloat64()}
		var sum float64
		p := make([]float64, 3)
		for c, z := range logits {
			p[c] = math.Exp(z / temperature)
			sum += p[c]
		}
		at, class := rng.Float64()*sum, 0
		for class < 2 && at > p[class] {
			at -= p[class]
			class++
		}
		d.logits, d.classes = append(d.logits, logits), append(d.classes, class)
	}
	return d
}

func TestTemperatureIsFound(t *testing.T) {
	for _, want := range []float64{0.4, 1, 2.5} {
		d := answers(1, 4000, want)
		got, low, high := d.temperature()
		if math.Abs(got-want) > 0.1*want || !(low < want && want < high) || high > 1.3*low {
			t.Errorf("temperature %.3f (%.3f to %.3f), not %v", got, low, high, want)
		}
		// No other temperature is more likely.
		for _, other := range []float64{0.9 * got, 1.1 * got} {
			if d.loss(-math.Log(other)) < d.loss(-math.Log(got)) {
				t.Errorf("%v is more likely than %v", other, got)
			}
		}
	}
	// The fewer the frames, the wider the interval.
	_, low, high := answers(1, 20, 1).temperature()
	_, closer, farther := answers(1, 2000, 1).temperature()
	if high/low < 2*farther/closer {
		t.Errorf("20 frames give %v to %v, 2000 %v to %v", low, high, closer, farther)
	}
}

// Frames that are all right do not make a head infinitely sure.
func TestTemperatureStaysWithinReason(t *testing.T) {
	d := &held{}
	for range 30 {
		d.logits, d.classes = append(d.logits, []float64{9, 0}), append(d.classes, 0)
	}
	if got, low, high := d.temperature(); !(got > 0.1 && got <= 1 && low < got && got < high) {
		t.Errorf("temperature %v (%v to %v)", got, low, high)
	}
	for i := range d.classes {
		d.classes[i] = 1 // all wrong
	}
	if got, _, high := d.temperature(); !(got > 1 && got <= hottest && high <= hottest) {
		t.Errorf("temperature %v of a head that is always wrong", got)
	}
}

func TestFoldsKeepPartsTogetherAndEveryClassInEveryFit(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for try := range 200 {
		n, k := 2+rng.IntN(40), 2+rng.IntN(4)
		s := parted{drawn: &drawn{}}
		for i := range n {
			class := rng.IntN(k)
			if i < k {
				class = i
			}
			s.frames, s.classes = append(s.frames, Features{}), append(s.classes, class)
			s.parts = append(s.parts, fmt.Sprint(rng.IntN(1+n/2)))
		}
		of := folds(s, 2, 1)
		if !slices.Equal(of, folds(s, 2, 1)) {
			t.Fatal("the same frames are dealt in two ways")
		}
		fold := map[string]int{}
		for i, f := range of {
			if before, seen := fold[s.parts[i]]; seen && before != f || f < -1 || f > 1 {
				t.Fatalf("try %d: part %s is in folds %d and %d", try, s.parts[i], before, f)
			}
			fold[s.parts[i]] = f
		}
		for f := range 2 {
			learned := map[int]bool{}
			for i, class := range s.classes {
				if of[i] != f {
					learned[class] = true
				}
			}
			if present := slices.Contains(of, f); present && len(learned) != k {
				t.Fatalf("try %d: beside fold %d there are %d of %d classes", try, f, len(learned), k)
			}
		}
	}
}

func calibrate(t *testing.T, h *Head, s Source) Calibration {
	t.Helper()
	c, err := Calibrate(context.Background(), h, s, quiet)
	if err != nil {
		t.Fatal(err)
	}
	c.Seconds = 0
	return c
}

func TestCalibrationIsDeterministicAndChangesNoClass(t *testing.T) {
	source := draw(1, 30, 3)
	h := fit(t, source, 3, quick())
	before, heat := h.Forward(source.frames[4])
	first := calibrate(t, h, source)
	if first.Frames != 30 || first.Folds != 2 || h.Temperature != first.Temperature || first.Temperature == 1 {
		t.Errorf("%+v, temperature %v", first, h.Temperature)
	}
	after, same := h.Forward(source.frames[4])
	if !reflect.DeepEqual(heat, same) {
		t.Error("the calibration changed the heat map")
	}
	order := func(p []float32) []int {
		all := []int{0, 1, 2}
		slices.SortFunc(all, func(a, b int) int { return int(math.Copysign(1, float64(p[b]-p[a]))) })
		return all
	}
	if slices.Equal(before, after) || !slices.Equal(order(before), order(after)) {
		t.Errorf("from %v to %v", before, after)
	}
	p := make([]float64, 3)
	for i, v := range after {
		p[i] = float64(v)
	}
	for i, v := range h.Uncalibrated(p) {
		if math.Abs(v-float64(before[i])) > 1e-5 {
			t.Errorf("undone it is %v, was %v", h.Uncalibrated(p), before)
		}
	}
	procs := runtime.GOMAXPROCS(1)
	again := calibrate(t, h, source)
	runtime.GOMAXPROCS(procs)
	if again != first {
		t.Errorf("one goroutine gives %+v, several %+v", again, first)
	}
}

// A part that the fold's head was fitted on would make the head look too sure.
func TestCalibrationHoldsWholePartsOut(t *testing.T) {
	source := draw(1, 30, 3)
	h := fit(t, source, 3, quick())
	apart := calibrate(t, h, source)
	s := parted{drawn: source}
	for i := range source.frames {
		s.parts = append(s.parts, fmt.Sprint("part ", i%15))
	}
	whole := calibrate(t, h, s)
	if whole.Frames != 30 || whole.Temperature == apart.Temperature {
		t.Errorf("by part %+v, by frame %+v", whole, apart)
	}
}

func TestCalibrationOfVeryFewFramesSaysSo(t *testing.T) {
	source := draw(1, 6, 2)
	h := fit(t, source, 2, quick())
	if c := calibrate(t, h, source); c.Frames != 6 || !c.Unsure || c.Low >= c.High {
		t.Errorf("six frames: %+v", c)
	}
	s := parted{source, []string{"a", "b", "a", "b", "a", "b"}} // one part a class
	h = fit(t, source, 2, quick())
	if c := calibrate(t, h, s); c.Frames != 0 || !c.Unsure || c.Temperature != 1 || h.Temperature != 0 {
		t.Errorf("one part a class: %+v, temperature %v", c, h.Temperature)
	}
}

func TestCalibrationEndsWhenAskedTo(t *testing.T) {
	source := draw(1, 12, 3)
	h := fit(t, source, 3, quick())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Calibrate(ctx, h, source, quiet); err == nil || h.Temperature != 0 {
		t.Errorf("a cancelled calibration ends with %v and temperature %v", err, h.Temperature)
	}
}

func TestTemperatureSurvivesStorage(t *testing.T) {
	h := fit(t, draw(1, 12, 3), 3, quick())
	for temperature, good := range map[float64]bool{0: true, 1.7: true, -1: false, math.NaN(): false, 1e6: false} {
		h.Temperature = temperature
		data, err := h.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read(data)
		if (err == nil) != good || good && again.Temperature != temperature {
			t.Errorf("temperature %v: %v", temperature, err)
		}
	}
}
