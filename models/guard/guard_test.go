package guard_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"loupe/models/drift"
	"loupe/models/guard"
	"loupe/storage"
	"loupe/vision"
	"loupe/vision/opencv"
	"loupe/vision/picturetest"
	"loupe/vision/plates"
)

const features = 60

// sample is a frame of one of two classes: features about a centre, in a few
// directions, and a picture of a usual light and focus.
func sample(rng *rand.Rand, id int64, plant float64) guard.Sample {
	class := int(id % 2)
	s := guard.Sample{FrameID: id, Class: fmt.Sprint("class ", class), Part: fmt.Sprint("part ", id), Width: 640, Height: 480}
	var hidden [5]float64
	for i := range hidden {
		hidden[i] = rng.NormFloat64()
	}
	for i := range features {
		v := plant*math.Sin(float64(i)*1.7) + float64(class)*math.Cos(float64(i)) + 0.05*rng.NormFloat64()
		for k, h := range hidden {
			v += 0.5 * h * math.Sin(float64((i+1)*(k+2)))
		}
		s.Pooled = append(s.Pooled, float32(v))
	}
	s.Quality = &vision.Quality{Sharpness: 1 + 0.05*rng.NormFloat64(), Brightness: 0.5 + 0.02*rng.NormFloat64(), CenterX: 0.5, CenterY: 0.5, Hash: rng.Uint64()}
	return s
}

func learned(t *testing.T, rng *rand.Rand, n int, plant float64, bad int) *guard.Profile {
	t.Helper()
	var all []guard.Sample
	for i := range n {
		s := sample(rng, int64(i+1), plant)
		if i < bad {
			s.Quality.Sharpness, s.Quality.Brightness = 0.1, 0.02
		}
		all = append(all, s)
	}
	p, err := guard.Learn(all, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatIsUnusualIsNamedWithWhatIsUsual(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	p, other := learned(t, rng, 150, 1, 3), learned(t, rng, 150, -4, 0) // three bad pictures do not make bad ones usual
	id, few := int64(1000), 0
	for range 300 {
		id++
		if r := p.Check(sample(rng, id, 1)); len(r) > 0 {
			few++
		}
	}
	if few > 6 {
		t.Errorf("%d of 300 usual frames are doubtful", few)
	}
	last := sample(rng, 5000, 1)
	p.Check(last)
	for want, change := range map[storage.ReasonKind]func(*guard.Sample){
		storage.Blurred:     func(s *guard.Sample) { s.Quality.Sharpness = 0.2 },
		storage.Dark:        func(s *guard.Sample) { s.Quality.Brightness = 0.1 },
		storage.Overexposed: func(s *guard.Sample) { s.Quality.Bright = 0.5 },
		storage.WrongSize:   func(s *guard.Sample) { s.Width = 320 },
		storage.WrongPart:   func(s *guard.Sample) { s.Pooled = sample(rng, s.FrameID, -4).Pooled },
		storage.Unusual: func(s *guard.Sample) {
			for i := range s.Pooled {
				s.Pooled[i] += float32(3 * math.Cos(float64(i*i)))
			}
		},
		storage.NearDuplicate: func(s *guard.Sample) {
			s.Pooled, s.Quality = append([]float32{last.Pooled[0] + 0.01}, last.Pooled[1:]...), last.Quality
		},
	} {
		id++
		s := sample(rng, id, 1)
		change(&s)
		r := p.Check(s, guard.Other{Name: "Cap", Profile: other})
		if len(r) != 1 || r[0].Kind != want {
			t.Errorf("%s: %+v", want, r)
			continue
		}
		if r[0].Kind == storage.WrongPart && r[0].Recipe != "Cap" || r[0].Kind == storage.NearDuplicate && r[0].Frame != 5000 {
			t.Errorf("%+v", r)
		}
		if r[0].Value >= r[0].Low && r[0].Value <= r[0].High {
			t.Errorf("%+v is within what is usual", r)
		}
	}
}

func TestWithFewFramesTheGuardDoesNotKnowYet(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	p := learned(t, rng, guard.Few-2, 1, 0)
	s := sample(rng, 999, -4)
	s.Quality.Brightness = 0.01
	if r := p.Check(s); p.Ready() || len(r) > 0 {
		t.Errorf("%+v", r)
	}
	if s.Height = 100; len(p.Check(s)) != 1 {
		t.Error("a wrong size is known from few frames")
	}
	// Frames without features, as those of an uploaded version.
	var all []guard.Sample
	for i := range 60 {
		one := sample(rng, int64(i), 1)
		one.Pooled = nil
		all = append(all, one)
	}
	q, err := guard.Learn(all, 1)
	if err != nil || len(q.Check(s)) != 2 || q.Reading(nil, s.Quality).Known {
		t.Errorf("%+v, %v", q.Check(s), err)
	}
}

// plate is a drawn one with features that are drawn, too: the network would take
// the seconds that the test must not.
type plate struct {
	guard.Sample
	file []byte
}

func drawn(t *testing.T, rng *rand.Rand, id int64) plate {
	img, _ := plates.Draw(rng, plates.Kinds()[0])
	return plate{sample(rng, id, 1), picturetest.BMP(t, img)}
}

// measured is a plate as a worker measures it after a change.
func (p plate) measured(t *testing.T, c opencv.Change) guard.Sample {
	t.Helper()
	picture, err := opencv.Decode(p.file, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer picture.Close()
	changed, err := picture.Changed(c)
	if err != nil {
		t.Fatal(err)
	}
	defer changed.Close()
	q := changed.Quality(vision.Region{})
	p.Quality = &q
	return p.Sample
}

func TestDriftOfDrawnPlatesIsNoticed(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	var train []guard.Sample
	for i := range 72 {
		train = append(train, drawn(t, rng, int64(i)).measured(t, opencv.Change{}))
	}
	p, err := guard.Learn(train, 1)
	if err != nil {
		t.Fatal(err)
	}
	var parts []plate
	for i := range 30 {
		parts = append(parts, drawn(t, rng, int64(1000+i)))
	}
	readings := func(c opencv.Change) (all []drift.Reading) {
		for _, part := range parts {
			s := part.measured(t, c)
			all = append(all, p.Reading(s.Pooled, s.Quality))
		}
		return all
	}
	usual := readings(opencv.Change{})
	for want, c := range map[drift.Cause]opencv.Change{drift.Darker: {Light: 0.7}, drift.Blurrier: {Blur: 0.01}, drift.Shifted: {ShiftX: 0.1, ShiftY: 0.1}} {
		var m drift.Monitor
		for range 300 {
			if m.Add(usual[rng.IntN(len(usual))], p.Limits); len(m.Findings(p.Limits, 1)) > 0 {
				t.Fatalf("an alarm over nothing: %v", m.Findings(p.Limits, 1))
			}
		}
		changed, n := readings(c), 0
		for ; n < 50 && len(m.Findings(p.Limits, 1)) == 0; n++ {
			m.Add(changed[rng.IntN(len(changed))], p.Limits)
		}
		found := m.Findings(p.Limits, 0.5)
		if n == 50 || !slices.ContainsFunc(found, func(f drift.Finding) bool { return f.Cause == want }) {
			t.Errorf("%s: after %d frames %v", want, n, found)
		}
	}
}
