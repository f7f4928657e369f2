package commands

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"loupe/models"
	"loupe/models/drift"
	"loupe/models/guard"
	"loupe/models/onnx"
	"loupe/vision"
	"loupe/vision/engine"
	"loupe/vision/opencv"
)

const (
	driftTrain  = 400     // training pictures at most, as a server uses
	driftTest   = 400     // test pictures at most, drawn by the seed
	driftStarts = 500     // random starts of each change
	driftBefore = 200     // unchanged frames before it at most
	driftQuiet  = 300_000 // unchanged frames over which false alarms are counted
	driftGiveUp = 1000    // frames after which a change counts as not noticed
)

// driftChanges are what a line does that drifts.
var driftChanges = []struct {
	name string
	opencv.Change
}{
	{"light_70_percent", opencv.Change{Light: 0.7}},
	{"light_60_percent", opencv.Change{Light: 0.6}},
	{"defocus_1_percent", opencv.Change{Blur: 0.01}},
	{"shift_10_percent", opencv.Change{ShiftX: 0.1, ShiftY: 0.1}},
}

// driftResult says how soon a change of the pictures is noticed.
type driftResult struct {
	Train       int           `json:"train"`
	Test        int           `json:"test"`
	Frames      int           `json:"unchanged_frames"` // drawn from the test half
	False       int           `json:"false_alarms"`
	FalsePer10k float64       `json:"false_alarms_per_10000"`
	Starts      int           `json:"starts"`
	Changes     []driftChange `json:"changes"`
	LearnS      float64       `json:"learn_s"`
	MeasureMS   quantiles     `json:"measure_ms"` // the quality of a picture
	ForwardMS   quantiles     `json:"forward_ms"`
	Ratio       float64       `json:"measure_over_forward"`
	Marked      float64       `json:"unchanged_marked"` // share of the unchanged test pictures that the guard marks
}

type driftChange struct {
	Change string              `json:"change"`
	Median int                 `json:"median_frames"`
	Worst  int                 `json:"worst_frames"`
	Missed int                 `json:"missed"` // starts after which it was not noticed
	Causes map[drift.Cause]int `json:"causes"` // named in the alarms
	Marked float64             `json:"marked"` // share of single pictures that the guard marks
}

// driftBench takes the features and measurements of pictures, changed or not.
type driftBench struct {
	engine           *engine.Engine
	size             int
	measure, forward []float64
}

func (b *Bench) drift(pictures []picture) (*driftResult, error) {
	train, test := choose(pictures, b.PerClass, b.Seed)
	rng := rand.New(rand.NewPCG(b.Seed, 91))
	for _, half := range []*[]picture{&train, &test} {
		rng.Shuffle(len(*half), func(i, j int) { (*half)[i], (*half)[j] = (*half)[j], (*half)[i] })
	}
	train, test = train[:min(len(train), driftTrain)], test[:min(len(test), driftTest)]
	d, err := b.newDriftBench(b.Size)
	if err != nil {
		return nil, err
	}
	defer d.engine.Close()
	bar := newBar(len(train)+len(test)*(1+len(driftChanges)), "looking")
	samples, err := d.samples(train, nil, func() { _ = bar.Add(1) })
	if err != nil {
		return nil, err
	}
	began := time.Now()
	profile, err := guard.Learn(samples, b.Seed)
	if err != nil {
		return nil, err
	}
	if !profile.Ready() {
		return nil, usage("from %d training pictures nobody can tell what is usual: %d are needed", len(train), guard.Few)
	}
	r := &driftResult{Train: len(train), Test: len(test), Frames: driftQuiet, Starts: driftStarts, LearnS: time.Since(began).Seconds()}
	usual, marked, err := d.stream(profile, test, nil, func() { _ = bar.Add(1) })
	if err != nil {
		return nil, err
	}
	r.Marked = marked
	r.False = falseAlarms(profile.Limits, usual, rng)
	r.FalsePer10k = float64(r.False) * 10_000 / driftQuiet
	for _, c := range driftChanges {
		changed, marked, err := d.stream(profile, test, &c.Change, func() { _ = bar.Add(1) })
		if err != nil {
			return nil, err
		}
		one := delays(profile.Limits, usual, changed, rng)
		one.Change, one.Marked = c.name, marked
		r.Changes = append(r.Changes, one)
	}
	r.MeasureMS, r.ForwardMS = quantilesOf(d.measure), quantilesOf(d.forward)
	r.Ratio = r.MeasureMS.P50 / max(r.ForwardMS.P50, 1e-9)
	return r, nil
}

func (b *Bench) newDriftBench(size int) (*driftBench, error) {
	backbone, err := models.Backbone()
	if err != nil {
		return nil, err
	}
	file, err := onnx.WriteExtractor(backbone, size)
	if err != nil {
		return nil, usage("%v", err)
	}
	engine, err := b.runs.OpenExtractor(file)
	if err != nil {
		return nil, err
	}
	return &driftBench{engine: engine, size: size}, engine.Warm(size)
}

// samples looks at pictures, changed where change is not nil.
func (d *driftBench) samples(pictures []picture, change *opencv.Change, told func()) ([]guard.Sample, error) {
	all := make([]guard.Sample, 0, len(pictures))
	for i, p := range pictures {
		s, err := d.sample(p, change)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.path, err)
		}
		s.FrameID = int64(i + 1)
		all = append(all, s)
		told()
	}
	return all, nil
}

func (d *driftBench) sample(p picture, change *opencv.Change) (guard.Sample, error) {
	s := guard.Sample{Class: p.class, Part: p.part}
	data, header, err := readPicture(p.path)
	if err != nil {
		return s, err
	}
	decoded, err := opencv.Decode(data, header.Orientation)
	if err != nil {
		return s, err
	}
	defer decoded.Close()
	if change != nil {
		changed, err := decoded.Changed(*change)
		if err != nil {
			return s, err
		}
		defer changed.Close()
		decoded = changed
	}
	began := time.Now()
	q := decoded.Quality(vision.Region{})
	d.measure = append(d.measure, since(began))
	began = time.Now()
	f, err := d.engine.Extract(decoded, vision.Preparation{Size: d.size, Orientation: header.Orientation})
	d.forward = append(d.forward, since(began))
	s.Quality, s.Pooled = &q, f.Pooled
	s.Width, s.Height = decoded.Size()
	return s, err
}

// stream gives the readings of test pictures, and the share that is marked.
func (d *driftBench) stream(p *guard.Profile, pictures []picture, change *opencv.Change, told func()) ([]drift.Reading, float64, error) {
	samples, err := d.samples(pictures, change, told)
	var readings []drift.Reading
	marked := 0
	for _, s := range samples {
		readings = append(readings, p.Reading(s.Pooled, s.Quality))
		if len(p.Doubts(s)) > 0 {
			marked++
		}
	}
	return readings, float64(marked) / float64(max(1, len(samples))), err
}

// falseAlarms counts alarms over frames drawn from unchanged ones.
func falseAlarms(l drift.Limits, usual []drift.Reading, rng *rand.Rand) (alarms int) {
	var m drift.Monitor
	for range driftQuiet {
		m.Add(usual[rng.IntN(len(usual))], l)
		if len(m.Findings(l, 1)) > 0 {
			alarms++
			m = drift.Monitor{}
		}
	}
	return alarms
}

// delays lets a change begin at random times and counts the changed frames until
// the alarm.
func delays(l drift.Limits, usual, changed []drift.Reading, rng *rand.Rand) driftChange {
	c := driftChange{Causes: map[drift.Cause]int{}}
	var frames []int
	for range driftStarts {
		var m drift.Monitor
		for range rng.IntN(driftBefore) {
			m.Add(usual[rng.IntN(len(usual))], l)
		}
		n := 1
		for ; n < driftGiveUp; n++ {
			m.Add(changed[rng.IntN(len(changed))], l)
			if len(m.Findings(l, 1)) > 0 {
				break
			}
		}
		if n == driftGiveUp {
			c.Missed++
		}
		for _, f := range m.Findings(l, 0.5) {
			c.Causes[f.Cause]++
		}
		frames = append(frames, n)
	}
	slices.Sort(frames)
	c.Median, c.Worst = frames[len(frames)/2], frames[len(frames)-1]
	return c
}
