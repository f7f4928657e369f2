package embedding

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"sync"
)

// rounds is how often k-means moves its centres at most.
const rounds = 12

// Cluster is a group of points that look alike.
type Cluster struct {
	Members []int   // the one nearest to the centre first
	Tight   float64 // mean cosine of the members to the centre
}

// Clusters groups vectors of length one into at most k clusters by spherical
// k-means (Dhillon & Modha 2001) from k-means++ (Arthur & Vassilvitskii 2007),
// the largest first. The same seed and data always give the same clusters.
func Clusters(points [][]float32, k int, seed uint64) []Cluster {
	if len(points) == 0 || k < 1 {
		return nil
	}
	centres := seeds(points, min(k, len(points)), seed)
	of, near := make([]int, len(points)), make([]float64, len(points))
	for range rounds {
		if !assign(points, centres, of, near) {
			break
		}
		move(points, centres, of)
	}
	all := make([]Cluster, len(centres))
	for i, c := range of {
		all[c].Members = append(all[c].Members, i)
		all[c].Tight += near[i]
	}
	all = slices.DeleteFunc(all, func(c Cluster) bool { return len(c.Members) == 0 })
	for i := range all {
		m := all[i].Members
		all[i].Tight /= float64(len(m))
		sort.SliceStable(m, func(a, b int) bool { return near[m[a]] > near[m[b]] })
	}
	sort.SliceStable(all, func(a, b int) bool { return len(all[a].Members) > len(all[b].Members) })
	return all
}

// seeds draws the first centres, each the likelier the farther from those before.
func seeds(points [][]float32, k int, seed uint64) [][]float32 {
	rng := rand.New(rand.NewPCG(seed, 41))
	far := make([]float64, len(points))
	for i := range far {
		far[i] = math.Inf(1)
	}
	at := rng.IntN(len(points))
	var centres [][]float32
	for {
		centres = append(centres, slices.Clone(points[at]))
		if len(centres) == k {
			return centres
		}
		var sum float64
		for i, p := range points {
			far[i] = min(far[i], max(0, 1-Cosine(p, points[at])))
			sum += far[i]
		}
		if sum == 0 {
			return centres // all points are equal to some centre
		}
		left := rng.Float64() * sum
		at = 0
		for at < len(points)-1 && left >= far[at] {
			left -= far[at]
			at++
		}
	}
}

// assign gives each point to its nearest centre and says whether any changed.
func assign(points, centres [][]float32, of []int, near []float64) bool {
	workers := runtime.GOMAXPROCS(0)
	changed := make([]bool, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < len(points); i += workers {
				best, most := 0, math.Inf(-1)
				for c, centre := range centres {
					if s := Cosine(points[i], centre); s > most {
						best, most = c, s
					}
				}
				changed[w] = changed[w] || best != of[i] || near[i] == 0
				of[i], near[i] = best, most
			}
		})
	}
	all.Wait()
	return slices.Contains(changed, true)
}

// move puts each centre in the middle of its points; one without any stays.
func move(points, centres [][]float32, of []int) {
	sums := make([][]float32, len(centres))
	for i, p := range points {
		c := of[i]
		if sums[c] == nil {
			sums[c] = make([]float32, len(p))
		}
		for j, v := range p {
			sums[c][j] += v
		}
	}
	for c, s := range sums {
		if s != nil {
			unit(s)
			centres[c] = s
		}
	}
}
