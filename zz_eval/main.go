package main

import (
	"encoding/csv"
	"encoding/gob"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"loupe/models/drift"
	"loupe/models/guard"
	"loupe/vision"
)

type Row struct {
	Class   string
	Part    string
	Test    bool
	Change  string
	Pooled  []float32
	Quality vision.Quality
}

func main() {
	parts := map[string]string{}
	pf, _ := os.Open("/tmp/magnetic_parts.csv")
	pr, _ := csv.NewReader(pf).ReadAll()
	for _, r := range pr {
		parts[r[0]] = r[1]
	}
	for _, set := range os.Args[1:] {
		f, err := os.Open("/tmp/guard-" + set + ".gob")
		if err != nil {
			fmt.Println(err)
			continue
		}
		var rows []Row
		if err := gob.NewDecoder(f).Decode(&rows); err != nil {
			panic(err)
		}
		var train []guard.Sample
		for i, r := range rows {
			if q := parts[r.Part]; q != "" {
				r.Part = q
			}
			if !r.Test {
				train = append(train, guard.Sample{Class: r.Class, Part: r.Part, Pooled: r.Pooled, Quality: &rows[i].Quality})
			}
		}
		b := time.Now()
		p, err := guard.Learn(train, 1)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s train %d learn %v limits %+v\n", set, len(train), time.Since(b), p.Limits)
		streams := map[string][]drift.Reading{}
		for i, r := range rows {
			if r.Test {
				streams[r.Change] = append(streams[r.Change], p.Reading(r.Pooled, &rows[i].Quality))
			}
		}
		for name, s := range streams {
			var m [4]float64
			var v [4]float64
			looks := make([]float64, len(s[0].Looks))
			for _, r := range s {
				for k, z := range r.Scalars {
					m[k] += z / float64(len(s))
					v[k] += z * z / float64(len(s))
				}
				for k, z := range r.Looks {
					looks[k] += z / float64(len(s))
				}
			}
			n := 0.0
			for _, z := range looks {
				n += z * z
			}
			fmt.Printf("  %-8s mean %.2f sq %.2f looks %.2f\n", name, m, v, math.Sqrt(n))
		}
		rng := rand.New(rand.NewPCG(5, 5))
		// false alarms
		alarms, frames := 0, 0
		causes := map[drift.Cause]int{}
		for range 30 {
			var mon drift.Monitor
			for range 10000 {
				frames++
				mon.Add(streams[""][rng.IntN(len(streams[""]))], p.Limits)
				if f := mon.Findings(p.Limits, 1); len(f) > 0 {
					alarms++
					causes[f[0].Cause]++
					mon = drift.Monitor{}
				}
			}
		}
		fmt.Printf("  false alarms %d in %d: %.3f per 10000 %v\n", alarms, frames, float64(alarms)*10000/float64(frames), causes)
		for _, c := range []string{"dim", "defocus", "shift"} {
			var delays []int
			words := map[drift.Cause]int{}
			for range 500 {
				var mon drift.Monitor
				for range 100 + rng.IntN(200) {
					mon.Add(streams[""][rng.IntN(len(streams[""]))], p.Limits)
				}
				for n := 1; ; n++ {
					mon.Add(streams[c][rng.IntN(len(streams[c]))], p.Limits)
					if f := mon.Findings(p.Limits, 1); len(f) > 0 || n > 1000 {
						delays = append(delays, n)
						for _, one := range mon.Findings(p.Limits, 0.5) {
							words[one.Cause]++
						}
						break
					}
				}
			}
			slices.Sort(delays)
			fmt.Printf("  %-8s median %d worst %d  %v\n", c, delays[250], delays[499], words)
		}
	}
}
