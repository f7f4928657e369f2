package head

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"loupe/models/onnx"
)

const side = 224

// drawn is a source of drawn features: class c has a raised channel c of
// stride8 at one place, which only the local head sees well.
type drawn struct {
	frames  []Features
	classes []int
}

func (d *drawn) Len() int        { return len(d.frames) }
func (d *drawn) Class(i int) int { return d.classes[i] }
func (d *drawn) Views() int      { return 1 }
func (d *drawn) Read(i, _ int, f *Features) error {
	copy(f.Taps, d.frames[i].Taps)
	copy(f.Pooled, d.frames[i].Pooled)
	return nil
}

func draw(seed uint64, n, classes int) *drawn {
	rng := rand.New(rand.NewPCG(seed, 5))
	d := &drawn{}
	for i := range n {
		class := i % classes
		var taps [3][]float32
		for t, c := range Channels {
			taps[t] = noise(rng, c*area(side, t))
		}
		taps[0][class*area(side, 0)+rng.IntN(area(side, 0))] += 40
		d.frames = append(d.frames, FromTaps(taps[0], taps[1], taps[2], pool(taps, rng)))
		d.classes = append(d.classes, class)
	}
	return d
}

// pool gives the pooled features of taps, those of the head drawn.
func pool(taps [3][]float32, rng *rand.Rand) []float32 {
	var pooled []float32
	for t, channels := range Channels {
		n := area(side, t)
		means, tops, stds := []float32{}, []float32{}, []float32{}
		for c := range channels {
			var sum, square float64
			top := float32(math.Inf(-1))
			for _, v := range taps[t][c*n : (c+1)*n] {
				sum += float64(v)
				square += float64(v) * float64(v)
				top = max(top, v)
			}
			m := sum / float64(n)
			means, tops, stds = append(means, float32(m)), append(tops, top), append(stds, float32(math.Sqrt(square/float64(n)-m*m)))
		}
		pooled = append(append(append(pooled, means...), tops...), stds...)
	}
	return append(pooled, noise(rng, onnx.PooledLen-len(pooled))...)
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint("class ", i)
	}
	return all
}

func quick() Options {
	o := Defaults()
	o.Epochs = 6
	return o
}

func quiet(Progress) error { return nil }

func fit(t *testing.T, s Source, classes int, o Options) *Head {
	t.Helper()
	h, err := Fit(context.Background(), s, names(classes), side, o, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestFitTellsDefectsOfOnePlaceApart(t *testing.T) {
	for _, classes := range []int{3, 9} { // one block of the kernels, and two
		o := ForFrames(10 * classes)
		h := fit(t, draw(1, 10*classes, classes), classes, o)
		fresh, right := draw(2, 5*classes, classes), 0
		p := NewPredictor(h)
		for i := range fresh.frames {
			best := 0
			probabilities := p.Predict(&fresh.frames[i])
			for c, v := range probabilities {
				if v > probabilities[best] {
					best = c
				}
			}
			if best == fresh.classes[i] {
				right++
			}
		}
		if right < 9*fresh.Len()/10 {
			t.Errorf("%d of %d fresh frames of %d classes are right", right, fresh.Len(), classes)
		}
	}
}

// What a fit gives depends on seed and data, not on how the work is shared.
func TestFitIsDeterministic(t *testing.T) {
	source := draw(1, 24, 3)
	first := fit(t, source, 3, quick())
	before := runtime.GOMAXPROCS(1)
	again := fit(t, source, 3, quick())
	runtime.GOMAXPROCS(before)
	if !reflect.DeepEqual(first, again) {
		t.Error("one goroutine gives another head than several")
	}
	o := quick()
	o.Seed = 2
	if reflect.DeepEqual(first.Local, fit(t, source, 3, o).Local) {
		t.Error("another seed gives the same head")
	}
}

// The hand-written derivatives agree with differences of the loss.
func TestGradientAgreesWithDifferences(t *testing.T) {
	source := draw(3, 6, 3)
	h := empty(names(3), side, Defaults())
	if err := standardise(context.Background(), source, h); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(9, 9))
	m := newModel(h)
	marked := []int8{Clear, 0, 1, 2, Unknown, Clear}
	hinted := &hints{passes: []bool{false, true, false}, all: true, side: side / 8, options: Options{MarkWeight: 0.7, ClearWeight: 0.4}}
	places := make([]int8, hinted.side*hinted.side)
	for i := range places {
		places[i] = marked[rng.IntN(len(marked))]
	}
	for _, p := range m.params {
		for i := range p {
			p[i] = float32(rng.NormFloat64() * 0.05)
		}
	}
	weights := []float32{0.5, 1, 2.5}
	s := newScratch(3, side)
	loss := func() float64 {
		m.fold()
		var sum, mass float64
		for i := range source.frames {
			m.forward(&source.frames[i], s)
			w := float64(weights[source.classes[i]])
			// Not by the rounded probabilities: differences of the loss are small.
			var total float64
			for _, v := range s.logits {
				total += math.Exp(float64(v - s.logits[0]))
			}
			sum += w * (math.Log(total) + float64(s.logits[0]-s.logits[source.classes[i]]))
			sum += w * hintLoss(m, s, hinted, places, i%4)
			mass += w
		}
		return sum / mass
	}
	g := newGradient(3)
	m.fold()
	for i := range source.frames {
		m.forward(&source.frames[i], s)
		m.backward(&source.frames[i], source.classes[i], weights[source.classes[i]], s, g, func() {
			m.hint(hinted, places, i%4, weights[source.classes[i]], s, g)
		})
	}
	if want := loss(); math.Abs(g.loss/g.mass-want) > 1e-3*want {
		t.Errorf("the loss is said to be %g, it is %g", g.loss/g.mass, want)
	}
	derivatives := m.standardised(g)
	for group, p := range m.params {
		// Along the gradient itself and along random directions.
		for try := range 3 {
			direction := make([]float32, len(p))
			var length float64
			for i := range p {
				direction[i] = derivatives[group][i]
				if try > 0 {
					direction[i] += float32(rng.NormFloat64()) * float32(math.Sqrt(dot(derivatives[group], derivatives[group])/float64(len(p))))
				}
			}
			length = math.Sqrt(dot(direction, direction))
			const step = 0.005
			var around [2]float64
			old := append([]float32(nil), p...)
			for n, sign := range []float32{1, -1} {
				for i := range p {
					p[i] = old[i] + sign*step*direction[i]/float32(length)
				}
				around[n] = loss()
			}
			copy(p, old)
			want := (around[0] - around[1]) / (2 * step)
			got := dot(derivatives[group], direction) / length
			if math.Abs(got-want) > 0.01*math.Abs(want)+2e-4 {
				t.Errorf("group %d, direction %d: the derivative is %.6f, differences say %.6f", group, try, got, want)
			}
		}
	}
}

// hintLoss is the loss at the marked places of a view, written down plainly.
func hintLoss(m *model, s *scratch, h *hints, places []int8, view int) float64 {
	var inside, outside, marked, clear float64
	for y := range h.side {
		for x := range h.side {
			fx, fy := x, y
			if view == 1 || view == 3 {
				fx = h.side - 1 - x
			}
			if view >= 2 {
				fy = h.side - 1 - y
			}
			var z [3]float64
			var total float64
			for c := range z {
				z[c] = math.Exp(float64(s.class(s.heat, 0, c)[y*h.side+x] + m.localBias[c]))
				total += z[c]
			}
			switch v := places[fy*h.side+fx]; v {
			case Unknown:
			case Clear: // class 1 passes
				outside -= math.Log(z[1] / total)
				clear++
			default:
				inside -= math.Log(z[v] / total)
				marked++
			}
		}
	}
	return h.options.MarkWeight*inside/marked + h.options.ClearWeight*outside/clear
}

func TestStandardisationIsThatOfTheTaps(t *testing.T) {
	source := draw(4, 5, 2)
	h := empty(names(2), side, Defaults())
	if err := standardise(context.Background(), source, h); err != nil {
		t.Fatal(err)
	}
	wide := widened()
	for tap, channels := range Channels {
		for c := range channels {
			var sum, square, n float64
			for i := range source.frames {
				for _, half := range source.frames[i].tap(side, tap)[c*row(side, tap):][:area(side, tap)] {
					v := float64(wide[half])
					sum, square, n = sum+v, square+v*v, n+1
				}
			}
			mean := sum / n
			if std := math.Sqrt(square/n - mean*mean); math.Abs(float64(h.Mean[tap][c])-mean) > 1e-3 || math.Abs(float64(h.Std[tap][c])-std) > 1e-3*std {
				t.Fatalf("tap %d channel %d: %v ± %v, not %v ± %v", tap, c, h.Mean[tap][c], h.Std[tap][c], mean, std)
			}
		}
	}
}

func TestFitEndsWhenAskedTo(t *testing.T) {
	source := draw(1, 24, 3)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Fit(ctx, source, names(3), side, quick(), quiet); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled fit ends with %v", err)
	}
	stop, calls := errors.New("enough"), 0
	_, err := Fit(context.Background(), source, names(3), side, quick(), func(p Progress) error {
		if calls++; p.Epoch == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || calls < 2 {
		t.Errorf("a fit that progress stops ends with %v after %d calls", err, calls)
	}
}

func TestFitReportsProgress(t *testing.T) {
	var losses []float64
	last := Progress{}
	_, err := Fit(context.Background(), draw(1, 24, 3), names(3), side, quick(), func(p Progress) error {
		if p.Epoch > last.Epoch {
			losses = append(losses, p.Loss)
		}
		last = p
		return nil
	})
	if err != nil || last.Epoch != 6 || last.Epochs != 6 || last.Done != 1 || len(losses) != 6 || losses[5] >= losses[0] {
		t.Errorf("%v: last progress %+v, losses %v", err, last, losses)
	}
}

func TestFitRefusesWhatItCannotLearn(t *testing.T) {
	d := draw(1, 6, 2)
	for name, try := range map[string]struct {
		source  *drawn
		classes int
	}{
		"one class":               {d, 1},
		"a class without frames":  {d, 3},
		"no frames":               {&drawn{}, 2},
		"a class out of the list": {&drawn{frames: d.frames[:1], classes: []int{7}}, 2},
	} {
		if _, err := Fit(context.Background(), try.source, names(try.classes), side, quick(), quiet); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHeadSurvivesStorage(t *testing.T) {
	source := draw(1, 12, 3)
	h := fit(t, source, 3, quick())
	data, err := h.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(data)
	if err != nil {
		t.Fatal(err)
	}
	a, heat := h.Forward(source.frames[0])
	b, heat2 := again.Forward(source.frames[0])
	if !reflect.DeepEqual(h, again) || !reflect.DeepEqual(a, b) || !reflect.DeepEqual(heat, heat2) || len(heat) != 3*28*28 {
		t.Error("the head read back says something else")
	}
	for name, bad := range map[string][]byte{"nothing": nil, "half of it": data[:len(data)/2], "text": []byte("a head")} {
		if _, err := Read(bad); err == nil {
			t.Errorf("%s was read as a head", name)
		}
	}
	h.Pooled = h.Pooled[1:]
	if data, err = h.Bytes(); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(data); err == nil {
		t.Error("a head with a weight missing was read")
	}
}
