package drift

import (
	"cmp"
	"math"
	"slices"
)

// Rate watches how often something happens, by two cumulative sums of
// log-likelihood ratios (Reynolds & Stoumbos 1999, "A CUSUM chart for monitoring
// a proportion when inspecting continuously"): for much more and for much less
// often than expected. Where nothing is expected, the first frames tell.
type Rate struct {
	Expected  float64 `json:"expected"` // 0 where nobody said
	Frames    int     `json:"frames"`   // of the first ones, up to firstFrames
	Happened  int     `json:"happened"` // in them
	Up        float64 `json:"up"`
	Down      float64 `json:"down"`
	UpSince   int64   `json:"up_since"`
	DownSince int64   `json:"down_since"`
}

const (
	firstFrames = 300
	leastRate   = 0.002
	mostRate    = 0.9
	oddsRatio   = 4.0 // of the rate that is worth an alarm to that expected
	// rateLimit keeps the mean time to a false alarm of either side above 20,000
	// frames for each rate expected: for log-likelihood ratios it is at least
	// exp(limit) (Lorden 1971).
	rateLimit = 10.0
	sureness  = 1.64 // standard errors between the rate of the first frames and what is expected
)

// Add notes whether it happened in a frame.
func (r *Rate) Add(happened bool) {
	low, high := r.Expected, r.Expected
	if r.Expected == 0 {
		if r.Frames < firstFrames {
			r.Frames++
			if happened {
				r.Happened++
			}
			return
		}
		p := (float64(r.Happened) + 0.5) / (firstFrames + 1)
		e := sureness * math.Sqrt(p*(1-p)/firstFrames)
		low, high = p-e, p+e
	}
	p := min(mostRate, max(leastRate, high))
	r.Up, r.UpSince = step(r.Up, r.UpSince, ratio(happened, p, shiftOdds(p, oddsRatio)), over*rateLimit)
	p = min(mostRate, max(leastRate, low))
	r.Down, r.DownSince = step(r.Down, r.DownSince, ratio(happened, p, shiftOdds(p, 1/oddsRatio)), over*rateLimit)
}

func shiftOdds(p, by float64) float64 {
	odds := p / (1 - p) * by
	return odds / (1 + odds)
}

func ratio(happened bool, p, q float64) float64 {
	if happened {
		return math.Log(q / p)
	}
	return math.Log((1 - q) / (1 - p))
}

func (r *Rate) finding(share float64) (Finding, bool) {
	f := Finding{MoreNG, r.Up / rateLimit, r.UpSince}
	if r.Down > r.Up {
		f = Finding{FewerNG, r.Down / rateLimit, r.DownSince}
	}
	return f, f.Level >= share && f.Level > 0
}

func sortFindings(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(b.Level, a.Level) })
}
