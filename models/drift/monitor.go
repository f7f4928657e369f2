package drift

// Cause is what a chart found, as a word of the API.
type Cause string

const (
	Darker    Cause = "darker"
	Brighter  Cause = "brighter"
	Blurrier  Cause = "blurrier"
	Sharper   Cause = "sharper"
	Shifted   Cause = "shifted"
	Different Cause = "different" // looks different
	MoreNG    Cause = "more_ng"   // more NG than expected
	FewerNG   Cause = "fewer_ng"
)

// Monitor is the state of the charts of one station. Its JSON survives restarts.
type Monitor struct {
	Frames  int64        `json:"frames"` // read so far
	Sums    [Scalars]Sum `json:"sums"`
	Looks   Vector       `json:"looks"`
	Verdict Rate         `json:"verdict"`
}

// over is how far beyond its limit a chart's level may go, as a factor: so soon
// is an alarm over when the drift is gone.
const over = 1.25

// Add takes a frame's reading.
func (m *Monitor) Add(r Reading, l Limits) {
	m.Frames++
	r = r.bounded(l.LongestLooks)
	if r.Known {
		for i := range m.Sums {
			m.Sums[i].Add(r.Scalars[i], l.Allow[i], over*l.Scalar[i])
		}
	}
	if r.Looks != nil {
		m.Looks.Add(r.Looks, l.AllowLooks, over*l.Looks)
	}
}

// Finding is a chart that is above its limit, or part of the way there.
type Finding struct {
	Cause Cause   `json:"cause"`
	Level float64 `json:"level"` // as a share of the limit
	Since int64   `json:"since"` // frames ago
}

// Findings lists the charts whose level is at least the given share of their
// limit, the highest first.
func (m *Monitor) Findings(l Limits, share float64) []Finding {
	var all []Finding
	add := func(c Cause, level, limit float64, since int64) {
		if limit > 0 && level >= share*limit && level > 0 {
			all = append(all, Finding{c, level / limit, since})
		}
	}
	words := [Scalars][2]Cause{Light: {Brighter, Darker}, Focus: {Sharper, Blurrier}, PlaceX: {Shifted, Shifted}, PlaceY: {Shifted, Shifted}}
	for i := range m.Sums {
		s := &m.Sums[i]
		c := words[i][0]
		if s.Down > s.Up {
			c = words[i][1]
		}
		add(c, s.Level(), l.Scalar[i], s.Since())
	}
	add(Different, m.Looks.Level(), l.Looks, m.Looks.Since())
	if f, ok := m.Verdict.finding(share); ok {
		all = append(all, f)
	}
	sortFindings(all)
	return all
}
