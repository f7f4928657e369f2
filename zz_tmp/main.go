package main

import (
	"encoding/csv"
	"encoding/gob"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"loupe/models"
	"loupe/models/onnx"
	"loupe/vision"
	"loupe/vision/opencv"
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
	set := os.Args[1]
	opencv.SetThreads(1)
	f, _ := os.Open("/work/shared/data/" + set + ".csv")
	rows, _ := csv.NewReader(f).ReadAll()
	rows = rows[1:]
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	bb, err := models.Backbone()
	if err != nil {
		panic(err)
	}
	file, err := onnx.WriteExtractor(bb, 224)
	if err != nil {
		panic(err)
	}
	e, err := opencv.OpenExtractor(file)
	if err != nil {
		panic(err)
	}
	changes := map[string]opencv.Change{"dim": {Light: 0.7}, "defocus": {Blur: 0.01}, "shift": {ShiftX: 0.1, ShiftY: 0.1}}
	n := map[string]int{}
	var out []Row
	var qt, ft time.Duration
	for _, r := range rows {
		if n[r[2]]++; r[2] == "train" && n[r[2]] > 500 || r[2] == "test" && n[r[2]] > 300 {
			continue
		}
		data, err := os.ReadFile(filepath.Join("/work/shared/data", r[0]))
		if err != nil {
			panic(err)
		}
		p, err := opencv.Decode(data, 1)
		if err != nil {
			panic(err)
		}
		do := func(p *opencv.Picture, change string) {
			b := time.Now()
			q := p.Quality(vision.Region{})
			m := time.Now()
			x, err := e.Extract(p, vision.Preparation{Size: 224})
			if err != nil {
				panic(err)
			}
			qt, ft = qt+m.Sub(b), ft+time.Since(m)
			out = append(out, Row{r[1], filepath.Base(r[0]), r[2] == "test", change, append([]float32(nil), x.Pooled...), q})
		}
		do(p, "")
		if r[2] == "test" {
			for name, c := range changes {
				d, err := p.Changed(c)
				if err != nil {
					panic(err)
				}
				do(d, name)
				d.Close()
			}
		}
		p.Close()
	}
	o, _ := os.Create("/tmp/guard-" + set + ".gob")
	if err := gob.NewEncoder(o).Encode(out); err != nil {
		panic(err)
	}
	o.Close()
	fmt.Println(set, len(out), "quality", qt/time.Duration(len(out)), "forward", ft/time.Duration(len(out)))
}
