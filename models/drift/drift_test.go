package drift_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"loupe/models/drift"
)

// streams are held-out readings of d components with nothing wrong.
func streams(rng *rand.Rand, d int) (all [][]drift.Reading) {
	for range 4 {
		var s []drift.Reading
		for range 150 {
			s = append(s, reading(rng, d))
		}
		all = append(all, s)
	}
	return all
}

func reading(rng *rand.Rand, d int) drift.Reading {
	r := drift.Reading{Known: true}
	for i := range r.Scalars {
		r.Scalars[i] = rng.NormFloat64()
	}
	for range d {
		r.Looks = append(r.Looks, rng.NormFloat64())
	}
	return r
}

func TestADriftIsNamedAndDatedAndEnds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const d = 8
	limits := drift.Calibrate(streams(rng, d), 1)
	for _, c := range []struct {
		want   drift.Cause
		change func(*drift.Reading)
	}{
		{drift.Darker, func(r *drift.Reading) { r.Scalars[drift.Light] -= 2 }},
		{drift.Brighter, func(r *drift.Reading) { r.Scalars[drift.Light] += 2 }},
		{drift.Blurrier, func(r *drift.Reading) { r.Scalars[drift.Focus] -= 3 }},
		{drift.Shifted, func(r *drift.Reading) { r.Scalars[drift.PlaceX] += 2 }},
		{drift.Different, func(r *drift.Reading) { r.Looks[3] += 3.5 }},
	} {
		var m drift.Monitor
		for range 1000 {
			m.Add(reading(rng, d), limits)
			if f := m.Findings(limits, 1); len(f) > 0 {
				t.Fatalf("an alarm over nothing: %v", f)
			}
		}
		n := int64(0)
		var found []drift.Finding
		for ; n < 50 && len(found) == 0; n++ {
			if n == 5 { // a restart in the middle
				state, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				m = drift.Monitor{}
				if err := json.Unmarshal(state, &m); err != nil {
					t.Fatal(err)
				}
			}
			r := reading(rng, d)
			c.change(&r)
			m.Add(r, limits)
			found = m.Findings(limits, 1)
		}
		if len(found) == 0 || found[0].Cause != c.want {
			t.Errorf("%s: found %v within %d frames", c.want, found, n)
			continue
		}
		if late := found[0].Since - n; late < -8 || late > 25 {
			t.Errorf("%s began %d frames ago, not %d", c.want, found[0].Since, n)
		}
		for n = 0; len(m.Findings(limits, 0.25)) > 0; n++ {
			if m.Add(reading(rng, d), limits); n > 200 {
				t.Fatalf("%s does not end", c.want)
			}
		}
	}
}

func TestFalseAlarmsAreRare(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	limits := drift.Calibrate(streams(rng, 6), 1)
	var m drift.Monitor
	alarms := 0
	for i := range 60_000 {
		m.Add(reading(rng, 6), limits)
		m.Verdict.Add(i%50 == rng.IntN(50)) // one in fifty
		if len(m.Findings(limits, 1)) > 0 {
			alarms, m = alarms+1, drift.Monitor{}
		}
	}
	if alarms > 6 {
		t.Errorf("%d false alarms in 60000 frames", alarms)
	}
}

func TestMoreNGThanExpectedIsNoticed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for _, stated := range []float64{0, 0.02} {
		m := drift.Monitor{Verdict: drift.Rate{Expected: stated}}
		for range 2000 {
			m.Verdict.Add(rng.Float64() < 0.02)
		}
		if f := m.Findings(drift.Limits{}, 1); len(f) > 0 {
			t.Fatal(f)
		}
		n := 0
		for ; n < 50 && len(m.Findings(drift.Limits{}, 1)) == 0; n++ {
			m.Verdict.Add(rng.Float64() < 0.4)
		}
		if f := m.Findings(drift.Limits{}, 1); len(f) != 1 || f[0].Cause != drift.MoreNG {
			t.Errorf("stated %v: after %d frames %v", stated, n, f)
		}
	}
}
